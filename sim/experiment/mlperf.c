#include "experiment/mlperf.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static const struct nf_place nowhere;

/* ---- names ---- */

const struct nf_device *nf_mlperf_device(const struct nf_catalog *c, const char *name)
{
    static const char *const map[][2] = {{"L4-24GB", "L4"},
                                         {"L40S-48GB", "L40S"},
                                         {"T4-16GB", "T4"},
                                         {"A10-24GB", "A10"},
                                         {"A100-SXM-80GB", "A100"},
                                         {"A100-PCIe-80GB", "A100-PCIe"},
                                         {"H100-SXM-80GB", "H100"},
                                         {"H100-PCIe-80GB", "H100-PCIe"},
                                         {"H200-SXM-141GB", "H200"},
                                         {"H200-SXM-141GB(CTS)", "H200"},
                                         {"JetsonAGXOrin-64GB", "Jetson-AGX-Orin"},
                                         {"JetsonOrinNX-16GB", "Jetson-Orin-NX"}};
    for (size_t i = 0; i < sizeof map / sizeof map[0]; i++) {
        if (strcmp(map[i][0], name) == 0) {
            return nf_catalog_device(c, map[i][1]);
        }
    }
    return NULL;
}

static bool has_anchor(const struct nf_dnn_model *m, const struct nf_device *d)
{
    for (size_t i = 0; m && i < m->anchor_count; i++) {
        if (strcmp(m->anchors[i].device, d->name) == 0) {
            return true;
        }
    }
    return false;
}

const struct nf_dnn_model *nf_mlperf_network(const struct nf_catalog *c,
                                             const char *benchmark,
                                             const struct nf_device *device)
{
    static const char *const map[][2] = {
        {"resnet50", "resnet-50-int8"},      {"retinanet", "retinanet-800-int8"},
        {"bert-99", "bert-large-int8"},      {"3d-unet-99", "3d-unet-int8"},
        {"3d-unet-99.9", "3d-unet-int8"},    {"stable-diffusion-xl", "sdxl-20-steps"},
        {"whisper", "whisper-large-v3-fp16"}};
    if (strcmp(benchmark, "bert-99.9") == 0) {
        const struct nf_dnn_model *eight = nf_catalog_dnn(c, "bert-large-fp8");
        return has_anchor(eight, device) ? eight : nf_catalog_dnn(c, "bert-large-fp16");
    }
    for (size_t i = 0; i < sizeof map / sizeof map[0]; i++) {
        if (strcmp(map[i][0], benchmark) == 0) {
            return nf_catalog_dnn(c, map[i][1]);
        }
    }
    return NULL;
}

/* mlcommons/inference@b66003e, mlperf.conf. */
double nf_mlperf_limit_s(const char *benchmark)
{
    static const struct {
        const char *prefix;
        double limit_s;
    } limits[] = {{"resnet50", 0.015},
                  {"retinanet", 0.1},
                  {"bert", 0.13},
                  {"stable-diffusion-xl", 20}};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        if (nf_text_starts_with(benchmark, limits[i].prefix)) {
            return limits[i].limit_s;
        }
    }
    return 0;
}

const struct nf_mlperf_language *nf_mlperf_language(const char *benchmark)
{
    /* Output means follow from published rows (tokens/s over samples/s: 291 and 128; 69 for GPT-J). Inputs: OpenOrca about as long as its
     * answers, news articles of about 870 and 780 tokens; spreads: assumed. Limits: mlperf.conf. */
    static const struct nf_mlperf_language all[] = {
        {"llama2-70b-interactive", "llama-2-70b-fp8", 294, 291, 0.8, 0.7, 1, 0.45, 0.04},
        {"llama2-70b", "llama-2-70b-fp8", 294, 291, 0.8, 0.7, 1, 2, 0.2},
        {"llama3.1-8b", "llama-3.1-8b-fp8", 780, 128, 0.5, 0, 1, 2, 0.1},
        {"gptj", "gpt-j-6b-fp8", 870, 69, 0, 0, 4, 0, 0}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (nf_text_starts_with(benchmark, all[i].prefix)) {
            return &all[i];
        }
    }
    return NULL;
}

/* ---- the tables ---- */

static const char *const result_names[8] = {
    "round", "submitter", "platform", "accelerator_norm",
    "model", "scenario",  "result",   "accelerators_total"};
static const char *const setting_names[10] = {
    "round",     "submitter",         "platform",         "accelerator_norm",
    "model",     "gpu_batch_size",    "gpu_copy_streams", "gpu_inference_streams",
    "soft_drop", "deque_timeout_usec"};

static bool exists(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (f) {
        fclose(f);
    }
    return f != NULL;
}

const char *nf_mlperf_file(size_t i, const char *beside, const char *data_root,
                           struct nf_arena *arena)
{
    static const char *const names[] = {"mlperf_results.csv",
                                        "mlperf_server_configs.csv"};
    if (i >= sizeof names / sizeof names[0]) {
        return NULL;
    }
    const char *slash = strrchr(beside, '/');
    int folder = slash ? (int)(slash - beside) + 1 : 0;
    const char *path = nf_arena_printf(arena, "%.*s%s", folder, beside, names[i]);
    return exists(path) ? path
                        : nf_arena_printf(arena, "%s/bench/data/%s", data_root, names[i]);
}

static bool find_columns(const struct nf_csv *t, const char *const *names, int count,
                         int *columns, struct nf_diags *diags)
{
    bool ok = true;
    for (int i = 0; i < count; i++) {
        columns[i] = nf_csv_column(t, names[i]);
        if (columns[i] < 0) {
            (void)nf_diag_add(diags, NF_E_KEY, (struct nf_place){t->file, 1, 0}, names[i],
                              NULL, "the column is missing");
            ok = false;
        }
    }
    return ok;
}

enum nf_status nf_mlperf_read(const char *beside, const char *data_root,
                              struct nf_arena *arena, struct nf_diags *diags,
                              struct nf_mlperf_tables *out)
{
    enum nf_status s = nf_csv_read(nf_mlperf_file(0, beside, data_root, arena), nowhere,
                                   arena, diags, &out->results);
    if (s == NF_OK) {
        s = nf_csv_read(nf_mlperf_file(1, beside, data_root, arena), nowhere, arena,
                        diags, &out->settings);
    }
    if (s == NF_OK &&
        (!find_columns(&out->results, result_names, 8, out->result_column, diags) ||
         !find_columns(&out->settings, setting_names, 10, out->setting_column, diags))) {
        s = NF_E_KEY;
    }
    return s;
}

static bool is(const struct nf_csv *t, size_t row, int column, const char *word)
{
    return strcmp(nf_csv_cell(t, row, column), word) == 0;
}

double nf_mlperf_offline(const struct nf_mlperf_tables *t,
                         const struct nf_mlperf_system *s)
{
    const int *c = t->result_column;
    double result = 0;
    for (size_t i = 0; i < t->results.rows; i++) {
        if (is(&t->results, i, c[0], s->round) &&
            is(&t->results, i, c[1], s->submitter) &&
            is(&t->results, i, c[2], s->platform) &&
            is(&t->results, i, c[4], s->benchmark) &&
            is(&t->results, i, c[5], "Offline") &&
            nf_text_double(nf_csv_cell(&t->results, i, c[6]), &result)) {
            return result;
        }
    }
    return 0;
}

/* "v4.1" as 4.1; 0 when it is none. */
static double round_number(const char *round)
{
    double x = 0;
    return round[0] == 'v' && nf_text_double(round + 1, &x) ? x : 0;
}

/* How well row i suits the system: 0 not at all, the more the better. */
static double suits(const struct nf_mlperf_tables *t, size_t i,
                    const struct nf_mlperf_system *s)
{
    const struct nf_csv *g = &t->settings;
    const int *c = t->setting_column;
    if (!is(g, i, c[4], s->benchmark) || !is(g, i, c[3], s->accelerator)) {
        return 0;
    }
    if (is(g, i, c[0], s->round) && is(g, i, c[1], s->submitter) &&
        is(g, i, c[2], s->platform)) {
        return 100;
    }
    double apart = round_number(nf_csv_cell(g, i, c[0])) - round_number(s->round);
    return is(g, i, c[2], "*") ? 10 - (apart < 0 ? -apart : apart) : 0;
}

bool nf_mlperf_setting(const struct nf_mlperf_tables *t, const struct nf_mlperf_system *s,
                       struct nf_mlperf_setting *out)
{
    /* The harness keeps at most as many requests as the percentile allows to miss. */
    static const double KEPT = 0.01;
    double best = 0, drop = 1;
    size_t row = 0;
    for (size_t i = 0; i < t->settings.rows; i++) {
        double fit = suits(t, i, s);
        if (fit > best) {
            best = fit;
            row = i;
        }
    }
    *out = (struct nf_mlperf_setting){.is_own = best >= 100};
    if (!(best > 0) ||
        !nf_text_double(nf_csv_cell(&t->settings, row, t->setting_column[5]),
                        &out->batch)) {
        return false;
    }
    if (nf_text_double(nf_csv_cell(&t->settings, row, t->setting_column[8]), &drop) &&
        drop < 1) {
        out->held_back = KEPT;
    }
    double copies = 2, streams = 2, timeout_us = 10000;
    (void)nf_text_double(nf_csv_cell(&t->settings, row, t->setting_column[6]), &copies);
    (void)nf_text_double(nf_csv_cell(&t->settings, row, t->setting_column[7]), &streams);
    (void)nf_text_double(nf_csv_cell(&t->settings, row, t->setting_column[9]),
                         &timeout_us);
    out->copy_streams = (unsigned)fmax(1, copies);
    out->inference_streams = (unsigned)fmax(1, streams);
    out->timeout_s = timeout_us * 1e-6;
    out->takes_any = nf_text_starts_with(s->benchmark, "bert");
    return out->batch >= 1;
}
