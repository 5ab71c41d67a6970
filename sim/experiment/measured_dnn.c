/* measured_dnn.c - published MLPerf rows and generation times against batched networks, LLM engines and diffusion models. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "experiment/measured.h"
#include "experiment/mlperf.h"
#include "experiment/mlperf_llm.h"
#include "experiment/mlperf_server.h"

static const struct nf_place nowhere;

enum { MEAN, P99, TIME, METRICS };

/* Names of one column in the files that may be given. */
enum column {
    ROUND,
    SUBMITTER,
    PLATFORM,
    ACCELERATOR,
    COUNT,
    NODES,
    BENCHMARK,
    SCENARIO,
    RESULT,
    RESULT_UNIT,
    SCHEDULED,
    COMPLETED,
    OFFLINE,
    TOKENS,
    MEAN_MS,
    P99_MS,
    DURATION_MS,
    COLUMNS
};
static const char *const names[COLUMNS][2] = {
    [ROUND] = {"round", "version"},
    [SUBMITTER] = {"submitter", NULL},
    [PLATFORM] = {"platform", NULL},
    [ACCELERATOR] = {"accelerator_norm", NULL},
    [COUNT] = {"accelerators_total", "acc_per_node"},
    [NODES] = {"nodes", NULL},
    [BENCHMARK] = {"model", NULL},
    [SCENARIO] = {"scenario", NULL},
    [RESULT] = {"result", NULL},
    [RESULT_UNIT] = {"units_corrected", NULL},
    [SCHEDULED] = {"sched_sps", NULL},
    [COMPLETED] = {"completed_sps", NULL},
    [OFFLINE] = {"offline_sps", NULL},
    [TOKENS] = {"tokens_s", NULL},
    [MEAN_MS] = {"mean_ms", NULL},
    [P99_MS] = {"p99_ms", NULL},
    [DURATION_MS] = {"min_duration_ms", NULL}};

/* A language figure that was worked out already: rows of one kind share it. */
struct known {
    const struct nf_mlperf_language *what;
    const struct nf_device *device;
    bool is_server;
    double tokens_per_s;
    const char *why;
};

enum { KNOWN_MAX = 64 };

struct reader {
    const struct nf_measured_with *with;
    struct nf_csv csv;
    int column[COLUMNS];
    bool is_detail; /* latencies of runs, not results */
    struct nf_mlperf_tables tables;
    struct known known[KNOWN_MAX];
    size_t known_count;
    struct nf_arena *arena;
    struct nf_diags *diags;
};

static const char *cell(const struct reader *r, size_t row, enum column c)
{
    return r->column[c] < 0 ? "" : nf_csv_cell(&r->csv, row, r->column[c]);
}

/* NAN for an empty cell; a cell that is no number is an error. */
static double number(struct reader *r, size_t row, enum column c)
{
    double x = (double)NAN;
    if (cell(r, row, c)[0] != 0) {
        (void)nf_csv_number(&r->csv, row, r->column[c], (struct nf_csv_range){0, 1e15},
                            r->diags, &x);
    }
    return x;
}

/* What every row says of its system. */
struct system {
    struct nf_mlperf_system name;
    const struct nf_device *device;
    const struct nf_calibration *profile;
    double gpus; /* of all nodes */
};

static struct system system_of(struct reader *r, size_t i)
{
    struct system s = {.name = {cell(r, i, ROUND), cell(r, i, SUBMITTER),
                                cell(r, i, PLATFORM), cell(r, i, ACCELERATOR),
                                cell(r, i, BENCHMARK)}};
    s.device = nf_mlperf_device(r->with->catalog, s.name.accelerator);
    s.profile = r->with->profile && s.device &&
                        strcmp(r->with->profile->device, s.device->name) == 0
                    ? r->with->profile
                : s.device ? nf_catalog_calibration(r->with->catalog, s.device->name)
                           : NULL;
    s.gpus = number(r, i, COUNT);
    double nodes = r->is_detail ? number(r, i, NODES) : (double)NAN;
    s.gpus *= isfinite(nodes) && nodes >= 1 ? nodes : 1;
    return s;
}

static void set_group(struct reader *r, struct nf_measured_row *row, const char *what,
                      const struct system *s, const char *subtotal)
{
    row->group = nf_arena_printf(r->arena, "%s, %s", what,
                                 s->device ? s->device->name : s->name.accelerator);
    row->subtotal = subtotal;
}

/* ---- Server: latency at the achieved rate ---- */

static bool says(const char *word, const char *scenario)
{
    return strcmp(word, scenario) == 0 ||
           (word[0] == scenario[0] + ('a' - 'A') && strcmp(word + 1, scenario + 1) == 0);
}

static double rate_of(struct reader *r, size_t i)
{
    double rate = number(r, i, COMPLETED);
    return isfinite(rate) ? rate : number(r, i, SCHEDULED);
}

static bool is_same(const struct reader *r, size_t i, size_t j, enum column c)
{
    return strcmp(cell(r, i, c), cell(r, j, c)) == 0;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of none: 1. */
static double median(double *values, size_t n)
{
    qsort(values, n, sizeof *values, by_value);
    return n > 0 ? (values[(n - 1) / 2] + values[n / 2]) / 2 : 1;
}

/* Server over Offline rate of other systems with that GPU and benchmark; no latency is read. */
static double usual_ratio(struct reader *r, size_t i)
{
    double *ratios = NF_NEW_ARRAY(r->arena, r->csv.rows, double);
    size_t n = 0;
    for (size_t j = 0; j < r->csv.rows; j++) {
        struct nf_mlperf_system other = {cell(r, j, ROUND), cell(r, j, SUBMITTER),
                                         cell(r, j, PLATFORM), cell(r, j, ACCELERATOR),
                                         cell(r, j, BENCHMARK)};
        if (!is_same(r, i, j, BENCHMARK) || !is_same(r, i, j, ACCELERATOR) ||
            (is_same(r, i, j, SUBMITTER) && is_same(r, i, j, PLATFORM)) ||
            !says(cell(r, j, SCENARIO), "Server")) {
            continue;
        }
        double offline = nf_mlperf_offline(&r->tables, &other);
        if (offline > 0) {
            ratios[n++] = rate_of(r, j) / offline;
        }
    }
    return median(ratios, n);
}

/* 99th percentile over limit of the image runs of other submitters; nothing of the row's own submitter is read. */
static double usual_margin(struct reader *r, size_t i)
{
    double *margins = NF_NEW_ARRAY(r->arena, r->csv.rows, double);
    size_t n = 0;
    for (size_t j = 0; j < r->csv.rows; j++) {
        double limit = nf_mlperf_limit_s(cell(r, j, BENCHMARK));
        double p99 = number(r, j, P99_MS) * 1e-3;
        if (!is_same(r, i, j, SUBMITTER) && says(cell(r, j, SCENARIO), "Server") &&
            !nf_text_starts_with(cell(r, j, BENCHMARK), "bert") && limit > 0 && p99 > 0) {
            margins[n++] = p99 / limit;
        }
    }
    return median(margins, n);
}

static void take_server(struct reader *r, size_t i, const struct system *s,
                        struct nf_measured_row *row)
{
    const struct nf_dnn_model *m =
        s->device ? nf_mlperf_network(r->with->catalog, s->name.benchmark, s->device)
                  : NULL;
    set_group(r, row, nf_arena_printf(r->arena, "server %s", s->name.benchmark), s,
              "all server");
    row->measured[MEAN] = number(r, i, MEAN_MS) * 1e-3;
    row->measured[P99] = number(r, i, P99_MS) * 1e-3;
    struct nf_host host = {s->device, s->profile, 1};
    struct nf_mlperf_server_run run = {.network = m,
                                       .host = &host,
                                       .gpus = s->gpus,
                                       .rate = rate_of(r, i),
                                       .offline = nf_mlperf_offline(&r->tables, &s->name),
                                       .limit_s = nf_mlperf_limit_s(s->name.benchmark)};
    if (!m) {
        row->skipped = nf_arena_printf(r->arena, "the catalogue has no network for %s",
                                       s->name.benchmark);
    } else if (!isfinite(row->measured[MEAN]) || !isfinite(row->measured[P99])) {
        row->skipped = "the row has no latencies";
    } else if (!(run.rate > 0) || !(s->gpus >= 1)) {
        row->skipped = "the row has no rate or no number of GPUs";
    } else if (!(run.offline > 0)) {
        row->skipped = "no Offline result of the same system";
    } else if (!nf_mlperf_setting(&r->tables, &s->name, &run.setting)) {
        row->skipped = "no batch size for this device and benchmark";
    } else {
        struct nf_dnn_served served;
        run.usual_ratio = usual_ratio(r, i);
        run.usual_margin = usual_margin(r, i);
        nf_mlperf_serve(&run, &served);
        double duration = number(r, i, DURATION_MS) * 1e-3;
        duration = isfinite(duration) ? duration : 600;
        row->predicted[MEAN] = (1 - run.setting.held_back) * served.mean_s +
                               run.setting.held_back * duration / 2;
        row->predicted[P99] = served.p99_s;
    }
}

/* ---- Offline: throughput without a figure of the same system ---- */

/* The catalogue's network without its anchor on the device when that anchor is this very row. */
static struct nf_dnn_model without_own(const struct nf_dnn_model *m,
                                       const struct system *s, double per_gpu)
{
    struct nf_dnn_model other = *m;
    for (size_t i = 0; i < m->anchor_count; i++) {
        const struct nf_dnn_anchor *a = &m->anchors[i];
        if (strcmp(a->device, s->device->name) == 0 &&
            fabs(a->throughput / per_gpu - 1) < 1e-3) {
            other.anchor_count = 0;
        }
    }
    return other;
}

static void take_offline(struct reader *r, const struct system *s, double result,
                         struct nf_measured_row *row)
{
    /* Offline runs choose the batch; beyond 64 it makes no difference to the law. */
    unsigned batch = 64;
    const struct nf_dnn_model *m =
        s->device ? nf_mlperf_network(r->with->catalog, s->name.benchmark, s->device)
                  : NULL;
    set_group(r, row, "offline", s, "all offline");
    if (!s->device) {
        row->skipped =
            nf_arena_printf(r->arena, "no device is called %s", s->name.accelerator);
    } else if (!m) {
        row->skipped = nf_arena_printf(r->arena, "the catalogue has no network for %s",
                                       s->name.benchmark);
    } else if (!(result > 0) || !(s->gpus >= 1)) {
        row->skipped = "the row has no result or no number of GPUs";
    } else {
        /* speech is counted in tokens */
        double samples =
            m->speech.encoder_layers > 0 ? result / m->speech.published_tokens : result;
        struct nf_dnn_model other = without_own(m, s, samples / s->gpus);
        struct nf_host host = {s->device, s->profile, 1};
        struct nf_dnn_cost cost;
        char why[400];
        row->measured[TIME] = 1 / samples;
        while (!nf_dnn_prepare(&cost, &other, &host, batch, why, sizeof why)) {
            if (batch == 1) {
                row->skipped = nf_arena_strdup(r->arena, why);
                return;
            }
            batch /= 2; /* the largest whose activations fit */
        }
        row->predicted[TIME] = nf_dnn_batch_s(&cost, batch) / (batch * s->gpus);
    }
}

/* ---- language models: tokens per second ---- */

static const struct known *language_figure(struct reader *r,
                                           const struct nf_mlperf_language *what,
                                           const struct system *s, bool is_server)
{
    for (size_t i = 0; i < r->known_count; i++) {
        struct known *k = &r->known[i];
        if (k->what == what && k->device == s->device && k->is_server == is_server) {
            return k;
        }
    }
    struct known *k = &r->known[r->known_count < KNOWN_MAX ? r->known_count++ : 0];
    struct nf_host host = {s->device, s->profile, 1};
    char why[400] = "";
    *k = (struct known){what, s->device, is_server, 0, NULL};
    struct nf_mlperf_run run = {what, r->with->catalog, &host, is_server};
    k->tokens_per_s = nf_mlperf_tokens_per_s(&run, r->arena, why, sizeof why);
    k->why = nf_arena_strdup(r->arena, why);
    return k;
}

static void take_language(struct reader *r, const struct system *s,
                          const struct nf_mlperf_language *what, double tokens_per_s,
                          struct nf_measured_row *row)
{
    bool is_server = strcmp(row->name, "Offline") != 0;
    set_group(r, row,
              nf_arena_printf(r->arena, "%s %s", is_server ? "server" : "offline",
                              what->prefix),
              s, "all language models");
    if (!s->device) {
        row->skipped =
            nf_arena_printf(r->arena, "no device is called %s", s->name.accelerator);
    } else if (!(tokens_per_s > 0) || !(s->gpus >= 1)) {
        row->skipped = "the row has no result or no number of GPUs";
    } else {
        const struct known *k = language_figure(r, what, s, is_server);
        row->measured[TIME] = 1 / tokens_per_s;
        if (!(k->tokens_per_s > 0)) {
            row->skipped = k->why;
            return;
        }
        row->predicted[TIME] = 1 / (k->tokens_per_s * s->gpus);
    }
}

/* ---- rows of the MLPerf files ---- */

static bool is_language(const char *benchmark)
{
    return nf_text_starts_with(benchmark, "llama") ||
           nf_text_starts_with(benchmark, "gptj") ||
           nf_text_starts_with(benchmark, "mixtral") ||
           nf_text_starts_with(benchmark, "deepseek") ||
           nf_text_starts_with(benchmark, "gpt-oss");
}

/* Samples/s or tokens/s of a row, and which it is. */
static double result_of(struct reader *r, size_t i, bool *is_tokens)
{
    double tokens = r->is_detail ? number(r, i, TOKENS) : (double)NAN;
    double samples = r->is_detail ? number(r, i, OFFLINE) : number(r, i, RESULT);
    if (r->is_detail && !isfinite(samples)) {
        samples = number(r, i, COMPLETED);
    }
    *is_tokens = isfinite(tokens) || strcmp(cell(r, i, RESULT_UNIT), "Tokens/s") == 0;
    return isfinite(tokens) ? tokens : samples;
}

static void take_row(struct reader *r, size_t i, struct nf_measured_row *row)
{
    struct system s = system_of(r, i);
    const char *scenario = cell(r, i, SCENARIO);
    bool is_offline = says(scenario, "Offline"), is_server = says(scenario, "Server");
    bool is_tokens = false;
    *row = (struct nf_measured_row){.name = is_offline  ? "Offline"
                                            : is_server ? "Server"
                                                        : scenario,
                                    .line = r->csv.lines[i],
                                    .predicted = {(double)NAN, (double)NAN, (double)NAN},
                                    .measured = {(double)NAN, (double)NAN, (double)NAN}};
    double result = result_of(r, i, &is_tokens);
    const char *label =
        nf_arena_printf(r->arena, "%s %s %s %s %s", s.name.round, s.name.submitter,
                        s.name.platform, s.name.benchmark, scenario);
    if (!is_offline && !is_server && !says(scenario, "Interactive")) {
        set_group(r, row, scenario, &s, "other scenarios");
        row->skipped = nf_arena_printf(r->arena, "%s runs are not validated", scenario);
    } else if (is_language(s.name.benchmark)) {
        const struct nf_mlperf_language *what = nf_mlperf_language(s.name.benchmark);
        if (!what) {
            set_group(r, row, s.name.benchmark, &s, "all language models");
            row->skipped =
                nf_arena_printf(r->arena, "the requests of %s are not known well enough",
                                s.name.benchmark);
        } else {
            take_language(r, &s, what, is_tokens ? result : result * what->output, row);
        }
    } else if (is_offline) {
        take_offline(r, &s, result, row);
    } else if (r->is_detail) {
        take_server(r, i, &s, row);
    } else {
        set_group(r, row, "server", &s, "all server");
        row->skipped = "a Server result without its latencies";
    }
    row->name = label;
}

/* ---- generation times ---- */

/* A row's model and device in the catalogue. */
struct generation {
    const char *model, *device;
};

static struct generation generation_of(const char *model, const char *device)
{
    static const char *const models[][2] = {{"HunyuanVideo-13B", "hunyuanvideo-13b"},
                                            {"Wan2.1-T2V-14B", "wan2.1-t2v-14b"},
                                            {"Wan2.1-I2V-14B", "wan2.1-i2v-14b"},
                                            {"Wan2.1-T2V-1.3B", "wan2.1-t2v-1.3b"},
                                            {"FLUX.1-dev-12B", "flux.1-dev"}};
    static const char *const devices[][2] = {
        {"H100", "H100"}, {"H100/H800", "H100"}, {"A100/A800", "A100"}};
    struct generation g = {model, device};
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        g.model = strcmp(models[i][0], model) == 0 ? models[i][1] : g.model;
    }
    for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++) {
        g.device = strcmp(devices[i][0], device) == 0 ? devices[i][1] : g.device;
    }
    return g;
}

/* A whole number from 1 on, and what ends it. */
static bool read_size(const char **text, char end, uint32_t *out)
{
    char *rest;
    unsigned long n = strtoul(*text, &rest, 10);
    bool ok = **text >= '1' && **text <= '9' && *rest == end && n <= UINT32_MAX;
    *out = (uint32_t)n;
    *text = ok && end ? rest + 1 : rest;
    return ok;
}

/* "1280x720x81f" or "1024x1024". */
static bool read_task(const char *text, struct nf_diffusion_job *job)
{
    job->frames = 1;
    if (!read_size(&text, 'x', &job->width)) {
        return false;
    }
    if (!strchr(text, 'x')) {
        return read_size(&text, 0, &job->height);
    }
    return read_size(&text, 'x', &job->height) && read_size(&text, 'f', &job->frames) &&
           *text == 0;
}

enum { G_MODEL, G_GPU, G_COUNT, G_TASK, G_STEPS, G_FORWARDS, G_SECONDS, G_COLUMNS };
static const char *const generation_names[G_COLUMNS] = {
    "model", "gpu", "n_gpus", "task", "steps", "cfg_forwards", "measured_s"};

static void take_generation(struct reader *r, const int *column, size_t i,
                            struct nf_measured_row *row)
{
    double gpus = 1, steps = 1, forwards = 1, seconds = 0;
    const char *model = nf_csv_cell(&r->csv, i, column[G_MODEL]);
    const char *gpu = nf_csv_cell(&r->csv, i, column[G_GPU]);
    struct generation g = generation_of(model, gpu);
    struct nf_diffusion_job job;
    const struct nf_diffusion_model *m =
        nf_catalog_diffusion(r->with->catalog, g.model, &job);
    const struct nf_device *d = nf_catalog_device(r->with->catalog, g.device);
    *row = (struct nf_measured_row){.group =
                                        nf_arena_printf(r->arena, "generation, %s", gpu),
                                    .subtotal = "all generation",
                                    .line = r->csv.lines[i],
                                    .predicted = {(double)NAN, (double)NAN, (double)NAN},
                                    .measured = {(double)NAN, (double)NAN, (double)NAN}};
    if (!nf_csv_number(&r->csv, i, column[G_COUNT], (struct nf_csv_range){1, 64},
                       r->diags, &gpus) ||
        !nf_csv_number(&r->csv, i, column[G_STEPS], (struct nf_csv_range){1, 1e5},
                       r->diags, &steps) ||
        !nf_csv_number(&r->csv, i, column[G_FORWARDS], (struct nf_csv_range){1, 16},
                       r->diags, &forwards) ||
        !nf_csv_number(&r->csv, i, column[G_SECONDS], (struct nf_csv_range){1e-6, 1e9},
                       r->diags, &seconds)) {
        return;
    }
    row->name = nf_arena_printf(r->arena, "%s on %g %s", model, gpus, gpu);
    row->measured[TIME] = seconds;
    if (!m || !d) {
        row->skipped = nf_arena_printf(r->arena, "the catalogue has no %s %s",
                                       m ? "device" : "model", m ? gpu : model);
        return;
    }
    if (!read_task(nf_csv_cell(&r->csv, i, column[G_TASK]), &job)) {
        row->skipped = "the size of the picture is not understood";
        return;
    }
    job.steps = (unsigned)steps;
    job.forwards = (unsigned)forwards;
    job.offload = job.offload && gpus < 2;
    struct nf_host host = {d, nf_catalog_calibration(r->with->catalog, d->name),
                           (unsigned)gpus};
    struct nf_diffusion_cost cost;
    char why[400];
    if (!nf_diffusion_prepare(&cost, m, &job, &host, why, sizeof why)) {
        row->skipped = nf_arena_strdup(r->arena, why);
        return;
    }
    row->predicted[TIME] = cost.total_s;
}

/* ---- the file ---- */

static bool take_generations(struct reader *r, struct nf_measured *out)
{
    int column[G_COLUMNS];
    for (int c = 0; c < G_COLUMNS; c++) {
        column[c] = nf_csv_column(&r->csv, generation_names[c]);
        if (column[c] < 0) {
            return false;
        }
    }
    for (size_t i = 0; i < out->count && r->diags->errors < NF_DIAGS_MAX; i++) {
        take_generation(r, column, i, &out->rows[i]);
    }
    return true;
}

/* False, told, when these are not the columns of an MLPerf table. */
static bool find_columns(struct reader *r)
{
    static const enum column needed[] = {ROUND,     SUBMITTER, PLATFORM, ACCELERATOR,
                                         BENCHMARK, SCENARIO,  COUNT};
    for (int c = 0; c < COLUMNS; c++) {
        r->column[c] = nf_csv_column(&r->csv, names[c][0]);
        if (r->column[c] < 0 && names[c][1]) {
            r->column[c] = nf_csv_column(&r->csv, names[c][1]);
        }
    }
    r->is_detail = r->column[P99_MS] >= 0 && r->column[MEAN_MS] >= 0;
    bool ok = true;
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        if (r->column[needed[i]] < 0) {
            (void)nf_diag_add(r->diags, NF_E_KEY, (struct nf_place){r->csv.file, 1, 0},
                              names[needed[i]][0], NULL, "the column is missing");
            ok = false;
        }
    }
    if (ok && !r->is_detail && r->column[RESULT] < 0) {
        (void)nf_diag_add(r->diags, NF_E_KEY, (struct nf_place){r->csv.file, 1, 0},
                          "result", "or mean_ms and p99_ms, for latencies",
                          "the column is missing");
        ok = false;
    }
    return ok;
}

enum nf_status nf_measured_dnn(const struct nf_measured_with *with, const char *file,
                               struct nf_arena *arena, struct nf_diags *diags,
                               struct nf_measured *out)
{
    struct reader *r = NF_NEW(arena, struct reader);
    *r = (struct reader){.with = with, .arena = arena, .diags = diags};
    enum nf_status status = nf_csv_read(file, nowhere, arena, diags, &r->csv);
    if (status != NF_OK) {
        return status;
    }
    *out = (struct nf_measured){
        .kind = "dnn",
        .metrics = {"mean", "p99", "time"},
        .metric_count = METRICS,
        .assumptions =
            "Server: Poisson requests at the achieved rate through NVIDIA's harness with "
            "the submitter's batch size and streams. Text: capacity\nis Offline of the "
            "same system times the median Server/Offline of other systems with that GPU, "
            "over 0.96. Images: the capacity at\nwhich the 99th percentile is as near "
            "the limit as in the runs of other submitters. Offline and language models: "
            "time is\nseconds a sample or token of the whole system, from no figure of "
            "that system. Generation:\nseconds a job.",
        .count = r->csv.rows};
    out->rows = NF_NEW_ARRAY(arena, out->count, struct nf_measured_row);
    if (!nf_csv_check_repeats(&r->csv, arena, diags)) {
        return nf_diags_status(diags);
    }
    if (take_generations(r, out)) {
        return diags->errors == 0 ? NF_OK : nf_diags_status(diags);
    }
    if (!find_columns(r)) {
        return nf_diags_status(diags);
    }
    status = nf_mlperf_read(file, with->data_root, arena, diags, &r->tables);
    for (size_t i = 0; status == NF_OK && i < out->count && diags->errors < NF_DIAGS_MAX;
         i++) {
        take_row(r, i, &out->rows[i]);
    }
    return diags->errors == 0 ? status : nf_diags_status(diags);
}
