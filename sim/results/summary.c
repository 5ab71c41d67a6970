/*
 * summary.c - writes /scenario and /summary: the tables of summary_fields.c, once over all replications with half widths, and
 * once by replication (for paired comparisons) under /summary/by_replication.
 */
#include "results/summary.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/text.h"

enum { FIELDS_MAX = 20 };

/* A group under /summary that is being written, with its dimensions. */
struct sheet {
    struct nf_h5 *h;
    const struct nf_field_table *table;
    enum nf_summary_table which;
    int64_t group;
    struct nf_h5_scale replication, label, measure, statistic;
    bool is_by_replication;
    int64_t column[FIELDS_MAX];
};

/* ---- one field ---- */

/* Dimensions of a field in a sheet, outermost first. */
static int dimensions(struct sheet *s, const struct nf_field *f,
                      struct nf_h5_scale *scales[NF_H5_RANK])
{
    int rank = 0;
    if (s->is_by_replication) {
        scales[rank++] = &s->replication;
    }
    if (s->table->dimension) {
        scales[rank++] = &s->label;
    }
    if (f->kind == NF_FIELD_TIMES) {
        scales[rank++] = &s->measure;
        scales[rank++] = &s->statistic;
    }
    return rank;
}

/* The field of all n records, packed as its column wants it, into `out` (8 bytes a value are enough). */
static void gather(const struct sheet *s, const struct nf_field *f, const char *records,
                   size_t n, bool half_width, void *out)
{
    size_t inner = f->kind == NF_FIELD_TIMES ? NF_MEASURES * NF_STATISTICS : 1;
    bool is_estimate = f->kind == NF_FIELD_TIMES || f->kind == NF_FIELD_ESTIMATE;
    size_t step = is_estimate ? sizeof(struct nf_estimate) : 0;
    size_t skip = half_width ? offsetof(struct nf_estimate, half_width) : 0;
    size_t size = nf__h5_size(nf__field_type(f->kind));
    char *to = out;
    for (size_t i = 0; i < n; i++) {
        const char *from = records + i * s->table->stride + f->offset + skip;
        for (size_t k = 0; k < inner; k++) {
            memcpy(to, from + k * step, size);
            to += size;
        }
    }
}

static void write_field(struct sheet *s, const struct nf_field *f, const void *records,
                        size_t n, struct nf_arena *arena)
{
    char half_name[64];
    bool is_estimate = f->kind == NF_FIELD_TIMES || f->kind == NF_FIELD_ESTIMATE;
    struct nf_h5_column c = {.name = f->name,
                             .long_name = f->long_name,
                             .units = f->units,
                             .type = nf__field_type(f->kind)};
    c.rank = dimensions(s, f, c.scales);
    size_t inner = f->kind == NF_FIELD_TIMES ? NF_MEASURES * NF_STATISTICS : 1;
    void *values = nf_arena_array(arena, n * inner, sizeof(uint64_t));
    gather(s, f, records, n, false, values);
    nf__h5_table(s->h, s->group, &c, values);
    if (is_estimate) {
        struct nf_text name = {0};
        nf_text_printf(&name, "%s_half_width", f->name);
        NF_ASSERT(name.length < sizeof half_name);
        memcpy(half_name, name.data, name.length + 1);
        nf_text_fini(&name);
        c.name = half_name;
        c.long_name = "half width of the 95 % interval";
        gather(s, f, records, n, true, values);
        nf__h5_table(s->h, s->group, &c, values);
    }
}

/* ---- sheets ---- */

static const char **labels(enum nf_summary_table which, const struct nf_report *report,
                           size_t n, struct nf_arena *arena)
{
    const char **names = NF_NEW_ARRAY(arena, n, const char *);
    for (size_t i = 0; i < n; i++) {
        switch (which) {
        case NF_SUMMARY_CLASSES:
            names[i] = report->classes[i].name;
            break;
        case NF_SUMMARY_STATIONS:
            names[i] = report->groups[i].name;
            break;
        case NF_SUMMARY_COST:
            names[i] =
                i < NF_COST_PARTS ? nf_cost_part_name((enum nf_cost_part)i) : "total";
            break;
        case NF_SUMMARY_SLA:
            names[i] = nf_arena_printf(arena, "%s %s", report->sla[i].class_name,
                                       report->sla[i].text);
            break;
        case NF_SUMMARY_RUN:
        case NF_SUMMARY_TABLES:
            break;
        }
    }
    return names;
}

static void sheet_open(struct sheet *s, int64_t parent, struct nf_report *report,
                       struct nf_arena *arena)
{
    static const char *const measures[NF_MEASURES] = {"latency", "wait", "network",
                                                      "ttft", "tpot"};
    const char *statistics[NF_STATISTICS];
    size_t n;
    (void)nf__summary_records(s->which, report, &n);
    s->table = &nf__summary_tables[s->which];
    NF_ASSERT(s->table->field_count <= FIELDS_MAX);
    s->group = nf__h5_group(s->h, parent, s->table->group);
    if (s->is_by_replication) {
        uint32_t *numbers = NF_NEW_ARRAY(arena, report->replications, uint32_t);
        for (size_t r = 0; r < report->replications; r++) {
            numbers[r] = (uint32_t)r;
        }
        struct nf_h5_column c = {.name = "replication", .type = NF_H5_U32};
        s->replication.length = report->replications;
        nf__h5_scale_column(s->h, s->group, &s->replication, &c, numbers);
    }
    if (s->table->dimension) {
        nf__h5_scale_text(s->h, s->group, &s->label, s->table->dimension,
                          labels(s->which, report, n, arena), n);
    }
    if (s->which == NF_SUMMARY_CLASSES) {
        for (int i = 0; i < NF_STATISTICS; i++) {
            statistics[i] = nf_statistic_name((enum nf_statistic)i);
        }
        nf__h5_scale_text(s->h, s->group, &s->measure, "measure", measures, NF_MEASURES);
        nf__h5_scale_text(s->h, s->group, &s->statistic, "statistic", statistics,
                          NF_STATISTICS);
    }
}

static void sheet_close(struct sheet *s)
{
    if (s->is_by_replication) {
        nf__h5_scale_close(s->h, &s->replication);
    }
    if (s->table->dimension) {
        nf__h5_scale_close(s->h, &s->label);
    }
    if (s->which == NF_SUMMARY_CLASSES) {
        nf__h5_scale_close(s->h, &s->measure);
        nf__h5_scale_close(s->h, &s->statistic);
    }
    nf__h5_group_close(s->h, s->group);
}

static void write_routes(struct sheet *s, const struct nf_report *report,
                         struct nf_arena *arena)
{
    struct nf_h5_scale station = {0};
    const char **names = labels(NF_SUMMARY_STATIONS, report, report->group_count, arena);
    uint64_t *routes =
        NF_NEW_ARRAY(arena, report->class_count * report->group_count, uint64_t);
    for (size_t i = 0; i < report->class_count; i++) {
        memcpy(&routes[i * report->group_count], report->classes[i].routes,
               report->group_count * sizeof *routes);
    }
    nf__h5_scale_text(s->h, s->group, &station, "station", names, report->group_count);
    struct nf_h5_column c = {.name = "routes",
                             .long_name = "completed requests by station",
                             .units = "1",
                             .type = NF_H5_U64,
                             .rank = 2,
                             .scales = {&s->label, &station}};
    nf__h5_table(s->h, s->group, &c, routes);
    nf__h5_scale_close(s->h, &station);
}

static void write_sheet(struct nf_h5 *h, int64_t parent, enum nf_summary_table which,
                        struct nf_report *report, struct nf_arena *arena)
{
    struct sheet s = {.h = h, .which = which};
    size_t n;
    const void *records = nf__summary_records(which, report, &n);
    sheet_open(&s, parent, report, arena);
    for (size_t f = 0; f < s.table->field_count; f++) {
        write_field(&s, &s.table->fields[f], records, n, arena);
    }
    if (which == NF_SUMMARY_CLASSES) {
        write_routes(&s, report, arena);
    }
    sheet_close(&s);
}

/* ---- by replication ---- */

/* Columns without values yet; one row of them comes with each replication. */
static void open_by_replication(struct sheet *s, int64_t parent, struct nf_report *report,
                                struct nf_arena *arena)
{
    s->is_by_replication = true;
    sheet_open(s, parent, report, arena);
    for (size_t i = 0; i < s->table->field_count; i++) {
        const struct nf_field *f = &s->table->fields[i];
        struct nf_h5_column c = {.name = f->name,
                                 .long_name = f->long_name,
                                 .units = f->units,
                                 .type = nf__field_type(f->kind)};
        c.rank = dimensions(s, f, c.scales);
        s->column[i] = f->is_constant ? -1 : nf__h5_column(s->h, s->group, &c);
    }
}

static void write_row(struct sheet *s, uint64_t replication, struct nf_report *report,
                      struct nf_arena *arena)
{
    size_t n;
    const void *records = nf__summary_records(s->which, report, &n);
    for (size_t i = 0; i < s->table->field_count && n > 0; i++) {
        const struct nf_field *f = &s->table->fields[i];
        struct nf_h5_scale *scales[NF_H5_RANK];
        uint64_t start[NF_H5_RANK] = {replication, 0, 0, 0};
        uint64_t count[NF_H5_RANK] = {1, 1, 1, 1};
        size_t values = 1;
        if (f->is_constant) {
            continue;
        }
        int rank = dimensions(s, f, scales);
        for (int d = 1; d < rank; d++) {
            count[d] = scales[d]->length;
            values *= count[d];
        }
        void *row = nf_arena_array(arena, values, sizeof(uint64_t));
        gather(s, f, records, n, false, row);
        nf__h5_write_part(s->h, s->column[i], nf__field_type(f->kind), start, count, row);
    }
}

static void write_by_replication(struct nf_h5 *h, int64_t summary,
                                 const struct nf_world_spec *spec,
                                 const struct nf_outcome *outcomes,
                                 struct nf_report *report, struct nf_arena *arena)
{
    struct sheet sheets[NF_SUMMARY_TABLES];
    int64_t group = nf__h5_group(h, summary, "by_replication");
    memset(sheets, 0, sizeof sheets);
    for (int t = 0; t < NF_SUMMARY_TABLES; t++) {
        sheets[t].h = h;
        sheets[t].which = (enum nf_summary_table)t;
        open_by_replication(&sheets[t], group, report, arena);
    }
    for (size_t r = 0; r < report->replications; r++) {
        struct nf_report one;
        struct nf_arena scratch;
        nf_arena_init(&scratch);
        nf_report_make(&one, spec, &outcomes[r], 1, &scratch);
        for (int t = 0; t < NF_SUMMARY_TABLES; t++) {
            write_row(&sheets[t], r, &one, &scratch);
        }
        nf_arena_fini(&scratch);
    }
    for (int t = 0; t < NF_SUMMARY_TABLES; t++) {
        for (size_t i = 0; i < sheets[t].table->field_count; i++) {
            nf__h5_column_close(h, sheets[t].column[i]);
        }
        sheet_close(&sheets[t]);
    }
    nf__h5_group_close(h, group);
}

/* ---- histograms ---- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static const struct nf_bins *bins_of(const struct nf_report *report, size_t class,
                                     enum nf_measure measure)
{
    return measure == NF_TTFT ? &report->classes[class].ttft
                              : &report->classes[class].latency;
}

/* All bins that any class filled, rising. Returns how many. */
static size_t all_bins(const struct nf_report *report, enum nf_measure measure,
                       double **bins, struct nf_arena *arena)
{
    size_t count = 0;
    size_t filled = 0;
    for (size_t i = 0; i < report->class_count; i++) {
        filled += bins_of(report, i, measure)->count;
    }
    double *all = NF_NEW_ARRAY(arena, filled, double);
    for (size_t i = 0, at = 0; i < report->class_count; i++) {
        const struct nf_bins *b = bins_of(report, i, measure);
        memcpy(all + at, b->value_ns, b->count * sizeof *all);
        at += b->count;
    }
    qsort(all, filled, sizeof *all, compare);
    for (size_t i = 0; i < filled; i++) {
        if (count == 0 || all[i] > all[count - 1]) {
            all[count++] = all[i];
        }
    }
    *bins = all;
    return count;
}

static void write_histograms(struct nf_h5 *h, int64_t summary, enum nf_measure measure,
                             const struct nf_report *report, struct nf_arena *arena)
{
    double *bins;
    const char *name = measure == NF_TTFT ? "ttft" : "latency";
    struct nf_h5_scale class = {0};
    struct nf_h5_scale bin = {.length = all_bins(report, measure, &bins, arena)};
    int64_t group = nf__h5_group(h, summary, name);
    const char **names = labels(NF_SUMMARY_CLASSES, report, report->class_count, arena);
    nf__h5_scale_text(h, group, &class, "class", names, report->class_count);
    struct nf_h5_column value = {.name = name,
                                 .long_name = "representative of the histogram's bin",
                                 .units = "ns",
                                 .type = NF_H5_F64};
    nf__h5_scale_column(h, group, &bin, &value, bins);
    struct nf_h5_column c = {.name = "count",
                             .long_name = "completed requests, all replications",
                             .units = "1",
                             .type = NF_H5_U64,
                             .rank = 2,
                             .scales = {&class, &bin}};
    int64_t id = nf__h5_column(h, group, &c);
    uint64_t *counts = NF_NEW_ARRAY(arena, bin.length, uint64_t);
    for (size_t i = 0; i < report->class_count && bin.length > 0; i++) {
        const struct nf_bins *b = bins_of(report, i, measure);
        uint64_t start[2] = {i, 0};
        uint64_t count[2] = {1, bin.length};
        size_t k = 0;
        for (size_t j = 0; j < bin.length; j++) {
            bool has = k < b->count && b->value_ns[k] <= bins[j];
            counts[j] = has ? b->n[k++] : 0;
        }
        nf__h5_write_part(h, id, NF_H5_U64, start, count, counts);
    }
    nf__h5_column_close(h, id);
    nf__h5_scale_close(h, &class);
    nf__h5_scale_close(h, &bin);
    nf__h5_group_close(h, group);
}

void nf__summary_write(struct nf_h5 *h, const struct nf_world_spec *spec,
                       const struct nf_outcome *outcomes, size_t n)
{
    struct nf_report report;
    struct nf_arena arena;
    nf_arena_init(&arena);
    nf_report_make(&report, spec, outcomes, n, &arena);
    int64_t summary = nf__h5_group(h, h->file, "summary");
    for (int t = 0; t < NF_SUMMARY_TABLES; t++) {
        write_sheet(h, summary, (enum nf_summary_table)t, &report, &arena);
    }
    write_histograms(h, summary, NF_LATENCY, &report, &arena);
    write_histograms(h, summary, NF_TTFT, &report, &arena);
    write_by_replication(h, summary, spec, outcomes, &report, &arena);
    nf__h5_group_close(h, summary);
    nf_arena_fini(&arena);
}
