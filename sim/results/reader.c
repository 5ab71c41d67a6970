/*
 * reader.c - see reader.h. The tables of summary_fields.c say where each number of /summary goes.
 */
#include "results/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "results/h5read.h"
#include "results/summary.h"

enum { PATH_MAX_BYTES = 160, TABLE_MAX = 1 << 20 };

/* ---- /summary ---- */

/* The dataset of a field, or of its half widths, into the records of its table. */
static void scatter(struct nf_h5_input *in, const struct nf_field_table *table,
                    const struct nf_field *f, bool half_width, struct nf_report *report)
{
    char path[PATH_MAX_BYTES];
    size_t n;
    char *records = nf__summary_records(
        (enum nf_summary_table)(table - nf__summary_tables), report, &n);
    bool is_estimate = f->kind == NF_FIELD_TIMES || f->kind == NF_FIELD_ESTIMATE;
    size_t inner = f->kind == NF_FIELD_TIMES ? NF_MEASURES * NF_STATISTICS : 1;
    size_t step = is_estimate ? sizeof(struct nf_estimate) : 0;
    size_t skip = half_width ? offsetof(struct nf_estimate, half_width) : 0;
    size_t size = nf__h5_size(nf__field_type(f->kind));
    (void)snprintf(path, sizeof path, "summary/%s/%s%s", table->group, f->name,
                   half_width ? "_half_width" : "");
    const char *from = nf__h5_get(in, path, nf__field_type(f->kind), n * inner);
    for (size_t i = 0; i < n && from; i++) {
        char *to = records + i * table->stride + f->offset + skip;
        for (size_t k = 0; k < inner; k++) {
            memcpy(to + k * step, from, size);
            from += size;
        }
    }
}

static void read_table(struct nf_h5_input *in, enum nf_summary_table which,
                       struct nf_report *report)
{
    const struct nf_field_table *table = &nf__summary_tables[which];
    for (size_t i = 0; i < table->field_count; i++) {
        const struct nf_field *f = &table->fields[i];
        scatter(in, table, f, false, report);
        if (f->kind == NF_FIELD_TIMES || f->kind == NF_FIELD_ESTIMATE) {
            scatter(in, table, f, true, report);
        }
    }
}

/* Length of a table's label column, and the labels. */
static size_t read_labels(struct nf_h5_input *in, const char *path, const char ***labels)
{
    size_t n = nf__h5_length(in, path);
    if (n > TABLE_MAX) {
        in->failed = true;
        (void)snprintf(in->why, sizeof in->why, "%s is too long", path);
        return 0;
    }
    *labels = nf__h5_get(in, path, NF_H5_TEXT, n);
    return in->failed ? 0 : n;
}

static void read_histograms(struct nf_h5_input *in, enum nf_measure measure,
                            struct nf_report *report)
{
    const char *bins_path =
        measure == NF_TTFT ? "summary/ttft/ttft" : "summary/latency/latency";
    const char *count_path =
        measure == NF_TTFT ? "summary/ttft/count" : "summary/latency/count";
    size_t bins = nf__h5_length(in, bins_path);
    const double *value = nf__h5_get(in, bins_path, NF_H5_F64, bins);
    const uint64_t *count =
        nf__h5_get(in, count_path, NF_H5_U64, bins * report->class_count);
    for (size_t i = 0; i < report->class_count && !in->failed; i++) {
        double *values = NF_NEW_ARRAY(in->arena, bins, double);
        uint64_t *counts = NF_NEW_ARRAY(in->arena, bins, uint64_t);
        size_t n = 0;
        for (size_t b = 0; b < bins; b++) {
            if (count[i * bins + b] > 0) {
                values[n] = value[b];
                counts[n++] = count[i * bins + b];
            }
        }
        struct nf_bins filled = {n, values, counts};
        *(measure == NF_TTFT ? &report->classes[i].ttft : &report->classes[i].latency) =
            filled;
    }
}

static void read_report(struct nf_h5_input *in, struct nf_report *r)
{
    const char **classes = NULL;
    const char **groups = NULL;
    const char **slas = NULL;
    r->scenario = nf__h5_get_text(in, "scenario", "name");
    r->seed = nf__h5_get_u64(in, "scenario", "seed");
    r->replications = (size_t)nf__h5_get_u64(in, "scenario", "replications");
    r->simulated_s = nf__h5_get_f64(in, "scenario", "duration_s");
    r->warmup_s = nf__h5_get_f64(in, "scenario", "warmup_s");
    r->class_count = read_labels(in, "summary/classes/class", &classes);
    r->group_count = read_labels(in, "summary/stations/station", &groups);
    r->sla_count = read_labels(in, "summary/sla/sla", &slas);
    r->classes = NF_NEW_ARRAY(in->arena, r->class_count, struct nf_class_report);
    r->groups = NF_NEW_ARRAY(in->arena, r->group_count, struct nf_group_report);
    r->sla = NF_NEW_ARRAY(in->arena, r->sla_count, struct nf_sla_report);
    for (int t = 0; t < NF_SUMMARY_TABLES; t++) {
        read_table(in, (enum nf_summary_table)t, r);
    }
    const uint64_t *routes = nf__h5_get(in, "summary/classes/routes", NF_H5_U64,
                                        r->class_count * r->group_count);
    for (size_t i = 0; i < r->class_count; i++) {
        r->classes[i].name = classes[i];
        r->classes[i].routes = routes ? routes + i * r->group_count : NULL;
    }
    for (size_t i = 0; i < r->group_count; i++) {
        r->groups[i].name = groups[i];
    }
    read_histograms(in, NF_LATENCY, r);
    read_histograms(in, NF_TTFT, r);
}

/* ---- the file ---- */

static enum nf_status bad(struct nf_diags *diags, enum nf_status code, const char *path,
                          const char *what)
{
    struct nf_place nowhere = {0};
    return nf_diag_add(diags, code, nowhere, NULL, NULL, "\"%s\" %s", path, what);
}

static enum nf_status damaged(struct nf_diags *diags, const char *path,
                              const struct nf_h5_input *in)
{
    struct nf_place nowhere = {0};
    return nf_diag_add(diags, NF_E_SYNTAX, nowhere, NULL,
                       "if another build of nearfar wrote it, run the scenario again",
                       "\"%s\" is damaged or incomplete: %s", path, in->why);
}

/* Open a file that claims to be a result of ours in a format that we read. */
static enum nf_status open_result(struct nf_h5_input *in, const char *path,
                                  struct nf_arena *arena, struct nf_diags *diags)
{
    struct nf_place nowhere = {0};
    char text[128];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        if (strerror_r(errno, text, sizeof text) != 0) {
            text[0] = '\0';
        }
        return nf_diag_add(diags, NF_E_IO, nowhere, NULL, NULL, "cannot open \"%s\": %s",
                           path, text);
    }
    close(fd);
    if (!nf__h5_is_hdf5(path)) {
        return bad(diags, NF_E_SYNTAX, path, "is not an HDF5 file");
    }
    nf__h5_open_file(in, path, arena);
    if (in->failed) {
        return damaged(diags, path, in);
    }
    enum nf_status status = NF_OK;
    if (!nf__h5_has_attr(in, "/", "nearfar_result_format")) {
        status =
            bad(diags, NF_E_SYNTAX, path, "is an HDF5 file, but no result of nearfar");
    } else if (nf__h5_get_u64(in, "/", "nearfar_result_format") != NF_RESULT_FORMAT) {
        status =
            nf_diag_add(diags, NF_E_UNSUPPORTED, nowhere, NULL,
                        "read it with the version of nearfar that wrote it",
                        "\"%s\" is in another format than %d, which this program reads",
                        path, NF_RESULT_FORMAT);
    }
    if (status != NF_OK) {
        nf__h5_close_input(in);
    }
    return status;
}

static void read_stations(struct nf_h5_input *in, struct nf_result *result)
{
    const char **names = NULL;
    const char **groups = NULL;
    size_t n = read_labels(in, "scenario/station", &names);
    if (read_labels(in, "scenario/station_group", &groups) != n || in->failed) {
        in->failed = true;
        return;
    }
    uint32_t *group_of = NF_NEW_ARRAY(in->arena, n, uint32_t);
    for (size_t i = 0; i < n; i++) {
        uint32_t g = 0;
        while (g + 1 < result->report.group_count &&
               strcmp(result->report.groups[g].name, groups[i]) != 0) {
            g++;
        }
        group_of[i] = g;
    }
    result->station_count = n;
    result->station_names = names;
    result->group_of = group_of;
}

enum nf_status nf_result_read(const char *path, struct nf_result *result,
                              struct nf_arena *arena, struct nf_diags *diags)
{
    struct nf_h5_input in;
    memset(result, 0, sizeof *result);
    enum nf_status status = open_result(&in, path, arena, diags);
    if (status != NF_OK) {
        return status;
    }
    result->version = nf__h5_get_text(&in, "/", "nearfar_version");
    result->sha256 = nf__h5_get_text(&in, "scenario", "sha256");
    const char *const *text = nf__h5_get(&in, "scenario/text", NF_H5_TEXT, 1);
    result->text = text ? text[0] : "";
    read_report(&in, &result->report);
    read_stations(&in, result);
    result->has_requests = nf__h5_has(&in, "replication/000/requests");
    result->has_series = nf__h5_has(&in, "replication/000/series");
    status = in.failed ? damaged(diags, path, &in) : NF_OK;
    nf__h5_close_input(&in);
    return status;
}

/* ---- series ---- */

static void read_series(struct nf_h5_input *in, uint32_t replication,
                        struct nf_series *series)
{
    const struct {
        const char *name;
        const double **to;
    } columns[] = {
        {"offered_rate", &series->offered_rate},
        {"queue", &series->queue},
        {"in_service", &series->in_service},
        {"replicas_ready", &series->replicas_ready},
        {"replicas_starting", &series->replicas_starting},
        {"utilization", &series->utilization},
    };
    char path[PATH_MAX_BYTES];
    (void)snprintf(path, sizeof path, "replication/%03u/series/time",
                   (unsigned)replication);
    series->ticks = nf__h5_length(in, path);
    double *time = nf__h5_get(in, path, NF_H5_F64, series->ticks);
    for (size_t t = 0; t < series->ticks && time; t++) {
        time[t] /= 1e9;
    }
    series->time_s = time;
    (void)snprintf(path, sizeof path, "replication/%03u/series/station",
                   (unsigned)replication);
    series->stations = nf__h5_length(in, path);
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        (void)snprintf(path, sizeof path, "replication/%03u/series/%s",
                       (unsigned)replication, columns[i].name);
        *columns[i].to =
            nf__h5_get(in, path, NF_H5_F64, series->ticks * series->stations);
    }
}

enum nf_status nf_result_series(const char *path, uint32_t replication,
                                struct nf_series *series, struct nf_arena *arena,
                                struct nf_diags *diags)
{
    struct nf_h5_input in;
    struct nf_place nowhere = {0};
    char group[PATH_MAX_BYTES];
    memset(series, 0, sizeof *series);
    enum nf_status status = open_result(&in, path, arena, diags);
    if (status != NF_OK) {
        return status;
    }
    (void)snprintf(group, sizeof group, "replication/%03u/series", (unsigned)replication);
    if (!nf__h5_has(&in, group)) {
        status = nf_diag_add(diags, NF_E_REFERENCE, nowhere, NULL,
                             "run the scenario with output: {series: 1s}",
                             "\"%s\" holds no series of replication %u", path,
                             (unsigned)replication);
    } else {
        read_series(&in, replication, series);
        status = in.failed ? damaged(diags, path, &in) : NF_OK;
    }
    nf__h5_close_input(&in);
    return status;
}
