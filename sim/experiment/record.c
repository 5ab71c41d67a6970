#include "experiment/record.h"

#include "experiment/replicate.h"

struct recording {
    const struct nf_record *record;
    struct nf_writer *writer;
    struct nf_row_spool *
        *spools; /* one a replication; NULL before it starts and after it is taken */
    struct nf_diags *diags; /* caller's thread only */
};

static void begin(void *ctx, uint32_t i, bool is_next, struct nf_sinks *sinks)
{
    struct recording *rec = ctx;
    rec->spools[i] = nf_row_spool_new(rec->writer, i, is_next);
    *sinks = nf_row_spool_sinks(rec->spools[i]);
}

static bool end(void *ctx, uint32_t i)
{
    struct recording *rec = ctx;
    nf_row_spool_close(rec->spools[i]);
    return !nf_row_spool_failed(rec->spools[i]);
}

static bool take(void *ctx, uint32_t i, const struct nf_outcome *outcome)
{
    struct recording *rec = ctx;
    struct nf_row_spool *spool = rec->spools[i];
    rec->spools[i] = NULL;
    return nf_writer_take(rec->writer, spool, outcome, rec->diags) == NF_OK;
}

static void show_progress(void *ctx, double fraction)
{
    struct recording *rec = ctx;
    rec->record->progress(rec->record->progress_ctx, fraction);
}

enum nf_status nf_record_run(const struct nf_record *record, struct nf_outcome *outcomes,
                             struct nf_arena *arena, struct nf_diags *diags)
{
    unsigned n = record->spec->replications;
    struct recording rec = {.record = record, .diags = diags};
    struct nf_replicate run = {
        .spec = record->spec,
        .jobs = record->jobs,
        .progress = record->progress ? show_progress : NULL,
        .ctx = &rec,
    };
    if (!record->path) {
        (void)nf_replicate_run(&run, outcomes);
        return NF_OK;
    }
    enum nf_status s = nf_writer_open(&rec.writer, record->path, record->spec,
                                      record->inputs, arena, diags);
    if (s != NF_OK) {
        return s;
    }
    rec.spools = NF_NEW_ARRAY(arena, n, struct nf_row_spool *);
    run.begin = begin;
    run.end = end;
    run.take = take;
    if (!nf_replicate_run(&run, outcomes)) {
        for (unsigned i = 0; i < n; i++) {
            if (rec.spools[i]) {
                nf_row_spool_discard(rec.spools[i]);
            }
        }
        nf_writer_abandon(rec.writer);
        return nf_diags_status(diags);
    }
    return nf_writer_finish(rec.writer, outcomes, n, diags);
}
