/*
 * writer.c - see writer.h. A spool fills two blocks (rows, series); a full block goes to HDF5 (direct) or into a slot of the
 * spool file. Both ways end in `append`, so the calls that HDF5 sees are the same.
 */
#include "results/writer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "results/h5.h"
#include "results/spool.h"
#include "results/summary.h"
#include "results/table.h"

struct nf_writer {
    const char *path, *temporary;
    const struct nf_world_spec *spec;
    struct nf_h5 h5;
    struct nf_spool *spool;
    int64_t replications; /* group /replication */
    uint32_t next;        /* the replication that nf_writer_take expects */
    /* of the replication that is being written: */
    int64_t group; /* -1: none yet */
    struct nf_table tables[NF_TABLES];
    struct nf_block copy[NF_TABLES]; /* for blocks that come back from the spool */
};

/* A block in the spool file. */
struct waiting {
    uint32_t slot, count;
    enum nf_table_kind kind;
};

struct nf_row_spool {
    struct nf_writer *writer;
    uint32_t replication;
    bool is_direct, is_closed;
    int error; /* errno of the spool file; HDF5's errors stay in the writer */
    nf_time tick;
    struct nf_block
        blocks[NF_TABLES]; /* without memory where the scenario asks for none */
    struct waiting *waiting;
    size_t waiting_count, waiting_cap;
};

/* ---- writer's thread: blocks into HDF5 ---- */

static bool is_wanted(const struct nf_world_spec *spec, enum nf_table_kind kind)
{
    return kind == NF_TABLE_REQUESTS
               ? spec->write_requests
               : spec->series_interval > 0 && spec->station_count > 0;
}

static void open_replication(struct nf_writer *w)
{
    char name[16];
    if (w->group < 0) {
        (void)snprintf(name, sizeof name, "%03u", (unsigned)w->next);
        w->group = nf__h5_group(&w->h5, w->replications, name);
    }
}

static void append(struct nf_writer *w, const struct nf_block *b)
{
    open_replication(w);
    if (!w->h5.failed) {
        nf__table_append(&w->h5, &w->tables[b->kind], w->group, b, w->spec);
    }
}

/* ---- the spool of one replication ---- */

struct nf_row_spool *nf_row_spool_new(struct nf_writer *w, uint32_t replication,
                                      bool is_direct)
{
    NF_ASSERT(!is_direct || replication == w->next);
    struct nf_row_spool *s = nf_mem_resize(NULL, 1, sizeof *s);
    memset(s, 0, sizeof *s);
    s->writer = w;
    s->replication = replication;
    s->is_direct = is_direct;
    s->tick = -1;
    for (int k = 0; k < NF_TABLES; k++) {
        if (is_wanted(w->spec, (enum nf_table_kind)k)) {
            nf__block_init(&s->blocks[k], (enum nf_table_kind)k, w->spec->station_count);
        }
    }
    return s;
}

static void put_aside(struct nf_row_spool *s, const struct nf_block *b)
{
    uint32_t slot;
    if (s->error == 0) {
        s->error = nf__spool_put(s->writer->spool, b, &slot);
    }
    if (s->error != 0) {
        return;
    }
    if (s->waiting_count == s->waiting_cap) {
        s->waiting_cap = s->waiting_cap ? 2 * s->waiting_cap : 8;
        s->waiting = nf_mem_resize(s->waiting, s->waiting_cap, sizeof *s->waiting);
    }
    s->waiting[s->waiting_count++] =
        (struct waiting){.slot = slot, .count = (uint32_t)b->count, .kind = b->kind};
}

static void flush(struct nf_row_spool *s, struct nf_block *b)
{
    if (s->is_direct) {
        append(s->writer, b);
    } else if (b->count > 0) {
        put_aside(s, b);
    }
    b->count = 0;
}

#define PUT(block, col, type, value)                                                     \
    (((type *)(void *)(block)->column[col])[(block)->count] = (value))

void nf_row_spool_row(struct nf_row_spool *s, const struct nf_row *row)
{
    struct nf_block *b = &s->blocks[NF_TABLE_REQUESTS];
    PUT(b, NF_COL_ARRIVAL, int64_t, row->arrival);
    PUT(b, NF_COL_CLASS, uint16_t, row->class_ix);
    PUT(b, NF_COL_SITE, uint16_t, row->site);
    PUT(b, NF_COL_STATION, int16_t, row->station);
    PUT(b, NF_COL_OUTCOME, uint8_t, (uint8_t)row->outcome);
    PUT(b, NF_COL_TRIES, uint16_t, row->tries);
    PUT(b, NF_COL_INPUT_TOKENS, uint32_t, row->input_tokens);
    PUT(b, NF_COL_OUTPUT_TOKENS, uint32_t, row->output_tokens);
    PUT(b, NF_COL_WAIT, int64_t, row->wait);
    PUT(b, NF_COL_NETWORK, int64_t, row->network);
    PUT(b, NF_COL_SERVICE, int64_t, row->service);
    PUT(b, NF_COL_TTFT, int64_t, row->ttft);
    PUT(b, NF_COL_TPOT, int64_t, row->tpot);
    PUT(b, NF_COL_LATENCY, int64_t, row->latency);
    PUT(b, NF_COL_COST, double, row->cost_usd);
    if (++b->count == b->records) {
        flush(s, b);
    }
}

#define PUT_AT(block, col, type, ix, value)                                              \
    (((type *)(void *)(block)->column[col])[ix] = (value))

/* Points of one tick make one record; a later time begins the next. */
void nf_row_spool_point(struct nf_row_spool *s, const struct nf_series_point *point)
{
    struct nf_block *b = &s->blocks[NF_TABLE_SERIES];
    NF_ASSERT(point->at >= s->tick && point->station < b->width);
    if (point->at > s->tick) {
        if (b->count == b->records) {
            flush(s, b);
        }
        s->tick = point->at;
        nf__block_clear_record(b, b->count);
        PUT(b, NF_COL_TIME, int64_t, point->at);
        b->count++;
    }
    size_t ix = (b->count - 1) * b->width + point->station;
    PUT_AT(b, NF_COL_OFFERED_RATE, double, ix, point->offered_rate);
    PUT_AT(b, NF_COL_QUEUE, uint32_t, ix, point->queue);
    PUT_AT(b, NF_COL_IN_SERVICE, uint32_t, ix, point->in_service);
    PUT_AT(b, NF_COL_READY, uint32_t, ix, point->replicas_ready);
    PUT_AT(b, NF_COL_STARTING, uint32_t, ix, point->replicas_starting);
    PUT_AT(b, NF_COL_UTILIZATION, double, ix, point->utilization);
}

static void row_sink(void *ctx, const struct nf_row *row)
{
    nf_row_spool_row(ctx, row);
}

static void point_sink(void *ctx, const struct nf_series_point *point)
{
    nf_row_spool_point(ctx, point);
}

struct nf_sinks nf_row_spool_sinks(struct nf_row_spool *s)
{
    const struct nf_world_spec *spec = s->writer->spec;
    return (struct nf_sinks){.row = is_wanted(spec, NF_TABLE_REQUESTS) ? row_sink : NULL,
                             .point =
                                 is_wanted(spec, NF_TABLE_SERIES) ? point_sink : NULL,
                             .ctx = s};
}

bool nf_row_spool_failed(const struct nf_row_spool *s)
{
    return s->error != 0 || (s->is_direct && s->writer->h5.failed);
}

void nf_row_spool_close(struct nf_row_spool *s)
{
    for (int k = 0; k < NF_TABLES && !s->is_closed; k++) {
        if (s->blocks[k].memory && s->blocks[k].count > 0) {
            flush(s, &s->blocks[k]);
        }
        nf__block_fini(&s->blocks[k]);
    }
    s->is_closed = true;
}

void nf_row_spool_discard(struct nf_row_spool *s)
{
    for (size_t i = 0; i < s->waiting_count; i++) {
        nf__spool_release(s->writer->spool, s->waiting[i].slot);
    }
    for (int k = 0; k < NF_TABLES; k++) {
        nf__block_fini(&s->blocks[k]);
    }
    nf_mem_free(s->waiting);
    nf_mem_free(s);
}

/* ---- the writer ---- */

static enum nf_status fail(struct nf_diags *diags, const char *path, const char *why)
{
    struct nf_place nowhere = {0};
    return nf_diag_add(diags, NF_E_IO, nowhere, NULL, NULL, "cannot write \"%s\": %s",
                       path, why);
}

static enum nf_status fail_errno(struct nf_diags *diags, const char *path, int error)
{
    char text[128];
    if (strerror_r(error, text, sizeof text) != 0) {
        text[0] = '\0';
    }
    return fail(diags, path, text);
}

/* Everything goes except the temporary's fate, which `keep` decides. */
static void release(struct nf_writer *w, bool keep)
{
    for (int k = 0; k < NF_TABLES; k++) {
        nf__block_fini(&w->copy[k]);
    }
    nf__spool_free(w->spool);
    if (!keep) {
        w->h5.failed = true;
    }
    nf__h5_close_file(&w->h5);
    if (!keep) {
        (void)unlink(w->temporary);
    }
}

enum nf_status nf_writer_open(struct nf_writer **out, const char *path,
                              const struct nf_world_spec *spec,
                              const struct nf_run_inputs *inputs, struct nf_arena *arena,
                              struct nf_diags *diags)
{
    enum nf_status status = nf_file_check_target(path, diags);
    if (status != NF_OK) {
        return status;
    }
    struct nf_writer *w = NF_NEW(arena, struct nf_writer);
    w->path = path;
    w->spec = spec;
    w->group = -1;
    w->temporary = nf_file_temporary(path, arena);
    const char *spool = nf_file_temporary(
        nf_arena_printf(arena, "%s.spool", nf_file_target(path, arena)), arena);
    size_t slot = 0;
    for (int k = 0; k < NF_TABLES; k++) {
        if (is_wanted(spec, (enum nf_table_kind)k)) {
            nf__block_init(&w->copy[k], (enum nf_table_kind)k, spec->station_count);
            slot = w->copy[k].bytes > slot ? w->copy[k].bytes : slot;
        }
    }
    w->spool = nf__spool_new(spool, slot);
    nf__h5_create_file(&w->h5, w->temporary, inputs->deflate);
    if (!w->h5.failed) {
        nf__summary_scenario(&w->h5, spec, inputs);
        w->replications = nf__h5_group(&w->h5, w->h5.file, "replication");
    }
    if (w->h5.failed) {
        status = fail(diags, path, w->h5.why);
        release(w, false);
        return status;
    }
    *out = w;
    return NF_OK;
}

static void copy_waiting(struct nf_writer *w, struct nf_row_spool *s)
{
    for (size_t i = 0; i < s->waiting_count && s->error == 0; i++) {
        const struct waiting *at = &s->waiting[i];
        struct nf_block *b = &w->copy[at->kind];
        s->error = nf__spool_get(w->spool, at->slot, at->count, b);
        if (s->error == 0) {
            append(w, b);
        }
    }
}

/* Tables that got no record still exist, empty. */
static void complete_tables(struct nf_writer *w)
{
    for (int k = 0; k < NF_TABLES; k++) {
        if (is_wanted(w->spec, (enum nf_table_kind)k) && !w->tables[k].is_open) {
            w->copy[k].count = 0;
            append(w, &w->copy[k]);
        }
        nf__table_close(&w->h5, &w->tables[k], (enum nf_table_kind)k);
    }
}

enum nf_status nf_writer_take(struct nf_writer *w, struct nf_row_spool *s,
                              const struct nf_outcome *outcome, struct nf_diags *diags)
{
    NF_ASSERT(s->is_closed && s->replication == w->next);
    open_replication(w);
    copy_waiting(w, s);
    int error = s->error;
    nf_row_spool_discard(s);
    if (error == 0) {
        complete_tables(w);
        nf__h5_attr_u64(&w->h5, w->group, "replication", outcome->replication);
        nf__h5_attr_u64(&w->h5, w->group, "events", outcome->events);
        nf__h5_attr_u64(&w->h5, w->group, "trajectory", outcome->trajectory);
        nf__h5_attr_f64(&w->h5, w->group, "simulated_s", outcome->simulated_s);
        nf__h5_attr_f64(&w->h5, w->group, "measured_s", outcome->measured_s);
        nf__h5_group_close(&w->h5, w->group);
    }
    w->group = -1;
    w->next++;
    if (error != 0) {
        w->h5.failed = true;
        return fail_errno(diags, w->path, error);
    }
    return w->h5.failed ? fail(diags, w->path, w->h5.why) : NF_OK;
}

enum nf_status nf_writer_finish(struct nf_writer *w, const struct nf_outcome *outcomes,
                                size_t n, struct nf_diags *diags)
{
    NF_ASSERT(n == w->next);
    nf__h5_group_close(&w->h5, w->replications);
    if (!w->h5.failed) {
        nf__summary_write(&w->h5, w->spec, outcomes, n);
    }
    bool is_good = !w->h5.failed;
    release(w, is_good);
    if (w->h5.failed) {
        if (is_good) {
            (void)unlink(w->temporary);
        }
        return fail(diags, w->path, w->h5.why);
    }
    return nf_file_publish(w->temporary, w->path, diags);
}

void nf_writer_abandon(struct nf_writer *w)
{
    release(w, false);
}
