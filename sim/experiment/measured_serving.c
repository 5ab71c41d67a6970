/* measured_serving.c - measured serving runs of LLM engines against a closed loop through one simulated replica. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/csv.h"
#include "experiment/calibrate.h"
#include "experiment/llm_replica.h"
#include "experiment/measured.h"

static const struct nf_place nowhere;

/* What the table does not say about the load. */
enum { ROUNDS = 10, REQUESTS_LEAST = 32 };

/* Lengths are uniform between a share of isl and osl and all of it. InferenceMAX (rows that say wip=) draws from [0.8, 1] of them, its
 * random_range_ratio. Other clients send the lengths as they are named; exactly equal ones would keep all clients in step, which the few
 * tokens by which prompts differ do not allow. */
#define INFERENCEMAX_SHARE 0.8
#define NAMED_SHARE        0.95

enum column {
    MODEL,
    SYSTEM,
    BACKEND,
    PRECISION,
    GEMM_MODE,
    ISL,
    OSL,
    CLIENTS,
    TP,
    PP,
    DP,
    TTFT,
    TPOT,
    COLUMNS
};

static const char *const names[COLUMNS] = {[MODEL] = "model_path",
                                           [SYSTEM] = "system",
                                           [BACKEND] = "backend",
                                           [PRECISION] = "precision",
                                           [GEMM_MODE] = "gemm_quant_mode",
                                           [ISL] = "isl",
                                           [OSL] = "osl",
                                           [CLIENTS] = "batch_size",
                                           [TP] = "tp_size",
                                           [PP] = "pp_size",
                                           [DP] = "attention_dp_size",
                                           [TTFT] = "silicon_ttft_ms",
                                           [TPOT] = "silicon_tpot_ms"};

struct serving {
    const struct nf_measured_with *with;
    int source;  /* column silicon_data_source; -1: none */
    int experts; /* column moe_ep_size; -1: none */
    struct nf_csv csv;
    int column[COLUMNS];
    struct nf_arena *arena;
    struct nf_diags *diags;
    double *ratios; /* measured times per token over the least that is possible */
    size_t ratio_count;
};

/* The inputs of one row. */
struct run {
    const struct nf_llm_arch *arch;
    const struct nf_device *device;
    const struct nf_calibration *profile;
    double isl, osl, clients, tp, pp, dp, ep;
    double shortest; /* share of isl and osl */
};

static const char *cell(const struct serving *s, size_t row, enum column c)
{
    return nf_csv_cell(&s->csv, row, s->column[c]);
}

static bool find_columns(struct serving *s)
{
    for (int c = 0; c < COLUMNS; c++) {
        s->column[c] = nf_csv_column(&s->csv, names[c]);
        if (s->column[c] < 0) {
            (void)nf_diag_add(s->diags, NF_E_KEY, (struct nf_place){s->csv.file, 1, 0},
                              names[c], NULL, "the column is missing");
        }
    }
    return s->diags->errors == 0;
}

/* ---- names ---- */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool contains(const char *text, const char *word)
{
    size_t n = strlen(word);
    for (; *text; text++) {
        size_t k = 0;
        while (k < n && lower(text[k]) == word[k]) {
            k++;
        }
        if (k == n) {
            return true;
        }
    }
    return false;
}

/* "meta-llama/Llama-3.1-8B-Instruct" in fp8: the catalogue's llama-3.1-8b-fp8. A variant's name may follow the size. */
static const struct nf_llm_arch *find_arch(const struct nf_catalog *c, const char *path,
                                           bool is_fp8)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    const char *suffix = is_fp8 ? "-fp8" : "-bf16";
    const char *const *all = nf_catalog_names(c, "models");
    for (size_t i = 0; all[i]; i++) {
        size_t length = strlen(all[i]), tail = strlen(suffix), k = 0;
        if (length <= tail || strcmp(all[i] + length - tail, suffix) != 0) {
            continue;
        }
        while (k < length - tail && lower(base[k]) == all[i][k]) {
            k++;
        }
        if (k == length - tail && (base[k] == '\0' || base[k] == '-')) {
            return nf_catalog_llm(c, all[i]);
        }
    }
    return NULL;
}

/* ---- one row ---- */

static bool read_numbers(struct serving *s, size_t i, struct run *r,
                         struct nf_measured_row *row)
{
    bool ok = nf_csv_number(&s->csv, i, s->column[ISL], (struct nf_csv_range){1, 1e7},
                            s->diags, &r->isl);
    ok = nf_csv_number(&s->csv, i, s->column[OSL], (struct nf_csv_range){1, 1e7},
                       s->diags, &r->osl) &&
         ok;
    ok = nf_csv_number(&s->csv, i, s->column[CLIENTS], (struct nf_csv_range){1, 1e6},
                       s->diags, &r->clients) &&
         ok;
    ok = nf_csv_number(&s->csv, i, s->column[TP], (struct nf_csv_range){1, 1024},
                       s->diags, &r->tp) &&
         ok;
    const enum column optional[] = {PP, DP};
    double *const to[] = {&r->pp, &r->dp};
    for (int k = 0; k < 2; k++) {
        *to[k] = 1;
        if (cell(s, i, optional[k])[0] != '\0') {
            ok = nf_csv_number(&s->csv, i, s->column[optional[k]],
                               (struct nf_csv_range){0, 1024}, s->diags, to[k]) &&
                 ok;
        }
    }
    r->ep = 1;
    if (s->experts >= 0 && nf_csv_cell(&s->csv, i, s->experts)[0] != '\0') {
        ok = nf_csv_number(&s->csv, i, s->experts, (struct nf_csv_range){0, 1024},
                           s->diags, &r->ep) &&
             ok;
    }
    double ttft = 0, tpot = 0;
    ok = nf_csv_number(&s->csv, i, s->column[TTFT], (struct nf_csv_range){1e-3, 1e9},
                       s->diags, &ttft) &&
         ok;
    ok = nf_csv_number(&s->csv, i, s->column[TPOT], (struct nf_csv_range){1e-3, 1e9},
                       s->diags, &tpot) &&
         ok;
    row->measured[0] = ttft * 1e-3;
    row->measured[1] = tpot * 1e-3;
    return ok;
}

/* Whole numbers; the world rounds what it draws. */
static struct nf_dist lengths(double most, double shortest)
{
    struct nf_dist d;
    const char *why;
    double least = ceil(shortest * most);
    bool is_spread = least < most && nf_dist_uniform(&d, least - 0.5, most + 0.499, &why);
    return is_spread ? d : nf_dist_constant(most);
}

static const char *prepare(const struct run *r, struct nf_llm_cost *cost,
                           struct nf_arena *arena)
{
    if (r->dp > 1) {
        return "data-parallel attention is not modelled";
    }
    struct nf_llm_engine engine = nf_llm_engine_defaults();
    if (r->clients > engine.max_sequences) {
        engine.max_sequences = (unsigned)r->clients;
    }
    engine.stages = r->pp > 1 ? (unsigned)r->pp : 1;
    engine.expert_parallel = r->ep > 1;
    if (r->ep > 1 && r->ep != r->tp) {
        return "experts on another number of devices than attention are not modelled";
    }
    struct nf_host host = {r->device, r->profile, (unsigned)r->tp * engine.stages};
    char why[400];
    if (!nf_llm_prepare(cost, r->arch, &host, &engine, why, sizeof why)) {
        return nf_arena_strdup(arena, why);
    }
    return NULL;
}

static const char *simulate(const struct run *r, struct nf_measured_row *row,
                            struct nf_arena *arena)
{
    struct nf_llm_cost *cost = NF_NEW(arena, struct nf_llm_cost);
    const char *skipped = prepare(r, cost, arena);
    if (skipped) {
        return skipped;
    }
    double wanted = fmax(ROUNDS * r->clients, REQUESTS_LEAST);
    struct nf_llm_load load = {.cost = cost,
                               .arrivals = {.kind = NF_ARRIVAL_CLOSED,
                                            .clients = (uint32_t)r->clients,
                                            .requests = (uint64_t)wanted},
                               .input_tokens = lengths(r->isl, r->shortest),
                               .output_tokens = lengths(r->osl, r->shortest),
                               .seed = 20260821,
                               .requests = (size_t)wanted};
    load.arrivals.think = nf_dist_constant(0);
    struct nf_llm_served served;
    nf_llm_replica_run(&load, arena, &served);
    double ttft = 0, tpot = 0;
    size_t n = 0;
    for (size_t i = 0; i < served.count; i++) {
        ttft += nf_time_s(served.rows[i].ttft);
        if (served.rows[i].tpot >= 0) {
            tpot += nf_time_s(served.rows[i].tpot);
            n++;
        }
    }
    if (served.count == 0 || n == 0) {
        return "a request is longer than the whole KV cache";
    }
    row->predicted[0] = ttft / (double)served.count;
    row->predicted[1] = tpot / (double)n;
    return NULL;
}

/* Every token reads every weight that it uses once: each device its share, at the data sheet's bandwidth. Caches are no help. */
static void check_time(struct serving *s, size_t i, const struct run *r,
                       const struct nf_measured_row *row)
{
    double share = r->arch->experts > 0 ? 0.01 : 1;
    double least = share * nf_llm_weight_bytes(r->arch) / fmax(1, r->tp * r->pp) /
                   r->device->bandwidth;
    s->ratios[s->ratio_count++] = row->measured[1] / (least + 2e-3);
    if (row->measured[1] < 0.3 * least) {
        (void)nf_csv_error(&s->csv, i, s->column[TPOT], NF_E_RANGE, s->diags,
                           "row %zu: %.4g ms, but reading the weights takes %s %.4g ms; "
                           "milliseconds are expected",
                           i + 1, row->measured[1] * 1e3, r->device->name, least * 1e3);
    }
}

static int by_number(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Single rows may be of an overloaded system, a file off by 1000 is slow everywhere. */
static void check_unit(struct serving *s)
{
    if (s->ratio_count == 0) {
        return;
    }
    qsort(s->ratios, s->ratio_count, sizeof *s->ratios, by_number);
    double middle = s->ratios[s->ratio_count / 2];
    if (middle > 200) {
        (void)nf_csv_error(&s->csv, 0, s->column[TPOT], NF_E_RANGE, s->diags,
                           "half of the times are more than %.0f times what reading the "
                           "weights takes; milliseconds are expected",
                           middle);
    }
}

static void take_row(struct serving *s, size_t i, struct nf_measured_row *row)
{
    struct run r = {0};
    *row = (struct nf_measured_row){.name = nf_csv_cell(&s->csv, i, 0),
                                    .line = s->csv.lines[i],
                                    .predicted = {(double)NAN, (double)NAN}};
    if (!read_numbers(s, i, &r, row)) {
        return;
    }
    const char *model = cell(s, i, MODEL), *mode = cell(s, i, GEMM_MODE);
    const char *precision = cell(s, i, PRECISION);
    bool is_fp8 =
        contains(precision, "fp8") || contains(mode, "fp8") || contains(model, "fp8");
    bool is_known = is_fp8 || ((precision[0] == '\0' || contains(precision, "bf16")) &&
                               (mode[0] == '\0' || contains(mode, "bf")));
    r.arch = is_known ? find_arch(s->with->catalog, model, is_fp8) : NULL;
    r.device = s->with->device
                   ? s->with->device
                   : nf_calibrate_device(s->with->catalog, cell(s, i, SYSTEM));
    r.profile = s->with->profile ? s->with->profile
                : r.device ? nf_catalog_calibration(s->with->catalog, r.device->name)
                           : NULL;
    bool is_max = s->source >= 0 && contains(nf_csv_cell(&s->csv, i, s->source), "wip=");
    r.shortest = is_max ? INFERENCEMAX_SHARE : NAMED_SHARE;
    row->subtotal = nf_arena_printf(s->arena, "all %s", cell(s, i, BACKEND));
    row->group = nf_arena_printf(s->arena, "%s %s %s", r.arch ? r.arch->name : model,
                                 r.device ? r.device->name : cell(s, i, SYSTEM),
                                 cell(s, i, BACKEND));
    if (!r.arch) {
        row->skipped = nf_arena_printf(s->arena, "the catalogue has no %s in %s", model,
                                       is_fp8         ? "fp8"
                                       : is_known     ? "bf16"
                                       : precision[0] ? precision
                                                      : mode);
    } else if (!r.device) {
        row->skipped =
            nf_arena_printf(s->arena, "no device is called %s", cell(s, i, SYSTEM));
    } else {
        row->skipped = simulate(&r, row, s->arena);
        if (!row->skipped) {
            check_time(s, i, &r, row);
        }
    }
}

enum nf_status nf_measured_serving(const struct nf_measured_with *with, const char *file,
                                   struct nf_arena *arena, struct nf_diags *diags,
                                   struct nf_measured *out)
{
    struct serving s = {.with = with, .arena = arena, .diags = diags};
    enum nf_status status = nf_csv_read(file, nowhere, arena, diags, &s.csv);
    if (status != NF_OK) {
        return status;
    }
    s.source = nf_csv_column(&s.csv, "silicon_data_source");
    s.experts = nf_csv_column(&s.csv, "moe_ep_size");
    if (!find_columns(&s) || !nf_csv_check_repeats(&s.csv, arena, diags)) {
        return nf_diags_status(diags);
    }
    s.ratios = NF_NEW_ARRAY(arena, s.csv.rows, double);
    *out = (struct nf_measured){.kind = "serving",
                                .metrics = {"ttft", "tpot"},
                                .metric_count = 2,
                                .assumptions =
                                    "Closed loop of batch_size clients that start "
                                    "together and ask again at once, "
                                    "10 requests each; means over all requests.\nLengths "
                                    "uniform in [0.8, 1] x isl "
                                    "and osl where the source says wip= (InferenceMAX), "
                                    "else in [0.95, 1].\nEngine: "
                                    "8192 tokens a step, 90 % of the memory; 0.3 ms a "
                                    "step, 20 us a sampled sequence, "
                                    "10 ms a request, the same for every row.",
                                .count = s.csv.rows};
    out->rows = NF_NEW_ARRAY(arena, out->count, struct nf_measured_row);
    for (size_t i = 0; i < out->count && diags->errors < NF_DIAGS_MAX; i++) {
        take_row(&s, i, &out->rows[i]);
    }
    if (diags->errors == 0) {
        check_unit(&s);
    }
    return diags->errors == 0 ? NF_OK : nf_diags_status(diags);
}
