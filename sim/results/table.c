/*
 * table.c - see table.h. The two lists of columns below are the file format; results/README.md repeats them.
 */
#include "results/table.h"

#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/text.h"

/* Codes with more names than this get no flag_meanings; the lists in /scenario always have them. */
enum { FLAGS_MAX = 256 };

union value {
    uint8_t u8;
    uint16_t u16;
    int16_t i16;
    uint32_t u32;
    int64_t i64;
    double f64;
};

struct column {
    const char *name, *long_name, *units;
    enum nf_h5_type type;
    union value fill;
    bool fill_is_absent;
};

static const struct column request_columns[NF_REQUEST_COLUMNS] = {
    {"arrival", "when the source offered it", "ns", NF_H5_I64, {.i64 = 0}, false},
    {"class",
     "traffic class, index into /scenario/class",
     NULL,
     NF_H5_U16,
     {.u16 = 0},
     false},
    {"site",
     "site it came from, index into /scenario/site",
     NULL,
     NF_H5_U16,
     {.u16 = 0},
     false},
    {"station",
     "station that completed it or saw it last, index into /scenario/station; -1: none",
     NULL,
     NF_H5_I16,
     {.i16 = 0},
     false},
    {"outcome", "how it ended", NULL, NF_H5_U8, {.u8 = 0}, false},
    {"tries", "attempts made for it", "1", NF_H5_U16, {.u16 = 1}, false},
    {"input_tokens", "tokens in its prompt", "1", NF_H5_U32, {.u32 = 0}, false},
    {"output_tokens", "tokens in its answer", "1", NF_H5_U32, {.u32 = 0}, false},
    {"wait", "in queues and forming batches", "ns", NF_H5_I64, {.i64 = 0}, false},
    {"network", "on links", "ns", NF_H5_I64, {.i64 = 0}, false},
    {"service", "in service", "ns", NF_H5_I64, {.i64 = 0}, false},
    {"ttft",
     "time to first token, from the client's send",
     "ns",
     NF_H5_I64,
     {.i64 = -1},
     true},
    {"tpot", "time per output token after the first", "ns", NF_H5_I64, {.i64 = -1}, true},
    {"latency",
     "from the client's send to its outcome",
     "ns",
     NF_H5_I64,
     {.i64 = 0},
     false},
    {"cost",
     "charged for the request itself: tokens, requests, egress",
     "USD",
     NF_H5_F64,
     {.f64 = 0},
     false},
};

static const struct column series_columns[NF_SERIES_COLUMNS] = {
    {"time", "simulated time of the tick", "ns", NF_H5_I64, {.i64 = 0}, false},
    {"offered_rate",
     "requests that came since the last tick",
     "1/s",
     NF_H5_F64,
     {.f64 = (double)NAN},
     false},
    {"queue", "requests that wait", "1", NF_H5_U32, {.u32 = 0}, false},
    {"in_service", "requests in service", "1", NF_H5_U32, {.u32 = 0}, false},
    {"replicas_ready", "replicas that can serve", "1", NF_H5_U32, {.u32 = 0}, false},
    {"replicas_starting", "replicas being started", "1", NF_H5_U32, {.u32 = 0}, false},
    {"utilization",
     "busy over available server time since the last tick",
     "1",
     NF_H5_F64,
     {.f64 = (double)NAN},
     false},
};

static const struct column *columns_of(enum nf_table_kind kind)
{
    return kind == NF_TABLE_REQUESTS ? request_columns : series_columns;
}

int nf__table_columns(enum nf_table_kind kind)
{
    return kind == NF_TABLE_REQUESTS ? (int)NF_REQUEST_COLUMNS : (int)NF_SERIES_COLUMNS;
}

static bool is_time_scale(enum nf_table_kind kind, int c)
{
    return kind == NF_TABLE_SERIES && c == NF_COL_TIME;
}

/* ---- blocks ---- */

size_t nf__block_column_bytes(const struct nf_block *b, int c, size_t count)
{
    size_t width = is_time_scale(b->kind, c) ? 1 : b->width;
    return count * width * nf__h5_size(columns_of(b->kind)[c].type);
}

void nf__block_init(struct nf_block *b, enum nf_table_kind kind, size_t station_count)
{
    memset(b, 0, sizeof *b);
    b->kind = kind;
    b->width = kind == NF_TABLE_REQUESTS ? 1 : station_count;
    b->records = b->width < NF_BLOCK_ROWS ? NF_BLOCK_ROWS / b->width : 1;
    size_t offset[NF_REQUEST_COLUMNS];
    for (int c = 0; c < nf__table_columns(kind); c++) {
        offset[c] = b->bytes;
        b->bytes += (nf__block_column_bytes(b, c, b->records) + 63) / 64 * 64;
    }
    b->memory = nf_mem_resize(NULL, b->bytes, 1);
    for (int c = 0; c < nf__table_columns(kind); c++) {
        b->column[c] = b->memory + offset[c];
    }
}

void nf__block_fini(struct nf_block *b)
{
    nf_mem_free(b->memory);
    b->memory = NULL;
}

void nf__block_clear_record(struct nf_block *b, size_t i)
{
    for (int c = 0; c < nf__table_columns(b->kind); c++) {
        size_t bytes = nf__block_column_bytes(b, c, 1);
        size_t size = nf__h5_size(columns_of(b->kind)[c].type);
        for (size_t at = 0; at < bytes; at += size) {
            memcpy(b->column[c] + i * bytes + at, &columns_of(b->kind)[c].fill, size);
        }
    }
}

/* Every value of column c is the fill value. Early out at the first that is not. */
static bool is_all_fill(const struct nf_block *b, int c)
{
    const char *p = b->column[c];
    size_t size = nf__h5_size(columns_of(b->kind)[c].type);
    size_t bytes = nf__block_column_bytes(b, c, b->count);
    return memcmp(p, &columns_of(b->kind)[c].fill, size) == 0 &&
           memcmp(p, p + size, bytes - size) == 0;
}

/* ---- tables ---- */

/* CF's way to name codes: flag_values and blank-separated flag_meanings. */
static void name_codes(struct nf_h5 *h, int64_t id, enum nf_h5_type type,
                       const char *const *names, size_t n)
{
    uint8_t bytes[FLAGS_MAX];
    uint16_t words[FLAGS_MAX];
    struct nf_text meanings = {0};
    if (n == 0 || n > FLAGS_MAX) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        bytes[i] = (uint8_t)i;
        words[i] = (uint16_t)i;
        nf_text_printf(&meanings, "%s%s", i ? " " : "", names[i]);
    }
    nf__h5_attr(h, id, "flag_values", type,
                type == NF_H5_U8 ? (void *)bytes : (void *)words, n);
    nf__h5_attr_text(h, id, "flag_meanings", meanings.data);
    nf_text_fini(&meanings);
}

static void name_request_codes(struct nf_h5 *h, const struct nf_table *t,
                               const struct nf_world_spec *spec)
{
    const char *names[FLAGS_MAX];
    for (size_t i = 0; i < NF_OUTCOMES; i++) {
        names[i] = nf_outcome_name((enum nf_request_outcome)i);
    }
    name_codes(h, t->column[NF_COL_OUTCOME], NF_H5_U8, names, NF_OUTCOMES);
    for (size_t i = 0; i < spec->class_count && i < FLAGS_MAX; i++) {
        names[i] = spec->classes[i].name;
    }
    name_codes(h, t->column[NF_COL_CLASS], NF_H5_U16, names, spec->class_count);
    name_codes(h, t->column[NF_COL_SITE], NF_H5_U16, spec->sites, spec->site_count);
    for (size_t i = 0; i < spec->station_count && i < FLAGS_MAX; i++) {
        names[i] = spec->stations[i].name;
    }
    name_codes(h, t->column[NF_COL_STATION], NF_H5_I16, names, spec->station_count);
}

static struct nf_h5_column described(const struct column *c)
{
    return (struct nf_h5_column){.name = c->name,
                                 .long_name = c->long_name,
                                 .units = c->units,
                                 .type = c->type,
                                 .fill = &c->fill,
                                 .fill_is_absent = c->fill_is_absent};
}

static void open_table(struct nf_h5 *h, struct nf_table *t, int64_t parent,
                       const struct nf_block *b, const struct nf_world_spec *spec)
{
    static const char *const group_names[NF_TABLES] = {"requests", "series"};
    const struct column *columns = columns_of(b->kind);
    int first = 0;
    memset(t, 0, sizeof *t);
    t->is_open = true;
    t->group = nf__h5_group(h, parent, group_names[b->kind]);
    /* A table of one block is as long as it is; longer ones grow in whole blocks. */
    t->record.chunk = b->count ? b->count : 1;
    if (b->kind == NF_TABLE_REQUESTS) {
        nf__h5_scale_bare(h, t->group, &t->record, "request");
    } else {
        struct nf_h5_column time = described(&columns[NF_COL_TIME]);
        nf__h5_scale_column(h, t->group, &t->record, &time, NULL);
        const char **names = nf_mem_resize(NULL, spec->station_count, sizeof *names);
        for (size_t i = 0; i < spec->station_count; i++) {
            names[i] = spec->stations[i].name;
        }
        nf__h5_scale_text(h, t->group, &t->station, "station", names,
                          spec->station_count);
        nf_mem_free(names);
        first = 1;
    }
    for (int c = first; c < nf__table_columns(b->kind); c++) {
        struct nf_h5_column column = described(&columns[c]);
        column.rank = b->kind == NF_TABLE_REQUESTS ? 1 : 2;
        column.scales[0] = &t->record;
        column.scales[1] = &t->station;
        t->column[c] = nf__h5_column(h, t->group, &column);
    }
    if (b->kind == NF_TABLE_REQUESTS) {
        name_request_codes(h, t, spec);
    } else {
        t->column[NF_COL_TIME] = t->record.id;
    }
}

void nf__table_append(struct nf_h5 *h, struct nf_table *t, int64_t parent,
                      const struct nf_block *b, const struct nf_world_spec *spec)
{
    if (!t->is_open) {
        open_table(h, t, parent, b, spec);
    }
    if (b->count == 0) {
        return;
    }
    uint64_t start[2] = {t->length, 0};
    uint64_t count[2] = {b->count, b->width};
    t->length += b->count;
    uint64_t shape[2] = {t->length, b->width};
    if (b->kind == NF_TABLE_REQUESTS) {
        nf__h5_extend(h, t->record.id, shape);
    }
    for (int c = 0; c < nf__table_columns(b->kind); c++) {
        nf__h5_extend(h, t->column[c], shape);
        if (!is_all_fill(b, c)) {
            nf__h5_write_part(h, t->column[c], columns_of(b->kind)[c].type, start, count,
                              b->column[c]);
        }
    }
}

void nf__table_close(struct nf_h5 *h, struct nf_table *t, enum nf_table_kind kind)
{
    if (!t->is_open) {
        return;
    }
    for (int c = 0; c < nf__table_columns(kind); c++) {
        if (!is_time_scale(kind, c)) {
            nf__h5_column_close(h, t->column[c]);
        }
    }
    nf__h5_scale_close(h, &t->record);
    if (kind == NF_TABLE_SERIES) {
        nf__h5_scale_close(h, &t->station);
    }
    nf__h5_group_close(h, t->group);
    memset(t, 0, sizeof *t);
}
