/* The whole catalogue against rules that hold whatever its figures are, and every model on every device. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <math.h>
#include <string.h>

#include "scenario/catalog_part.h"

static struct nf_arena arena;
static struct nf_diags diags;

static void setup(void)
{
    nf_arena_init(&arena);
    nf_diags_init(&diags, &arena);
}

static void teardown(void)
{
    nf_arena_fini(&arena);
}

TestSuite(catalog_audit, .init = setup, .fini = teardown, .timeout = 60);

static const struct nf_catalog *shipped(void)
{
    const struct nf_catalog *c = NULL;
    enum nf_status s = nf_catalog_load(NF_SOURCE_DIR, &arena, &diags, &c);
    if (s != NF_OK) {
        nf_diags_print(&diags, stderr);
    }
    cr_assert_eq(s, NF_OK);
    return c;
}

/* ---- every figure tells where it comes from ---- */

/* YYYY, YYYY-MM or YYYY-MM-DD. */
static bool is_date(const char *text)
{
    static const char pattern[] = "dddd-dd-dd";
    size_t n = text != NULL ? strlen(text) : 0;
    for (size_t i = 0; i < n && n <= strlen(pattern); i++) {
        bool fits = pattern[i] == '-' ? text[i] == '-' : isdigit((unsigned char)text[i]);
        if (!fits) {
            return false;
        }
    }
    return n == 4 || n == 7 || n == 10;
}

static void check_cite(void *ctx, const struct nf_table *table,
                       const struct nf_field *field, struct nf__cite *cite)
{
    size_t *count = ctx;
    const char *where = cite->at.path;
    (void)table;
    (void)field;
    cr_assert(cite->origin >= NF_MEASURED && cite->origin < NF_PROVENANCES, "%s", where);
    cr_assert(cite->source_text != NULL && strlen(cite->source_text) >= 10, "%s", where);
    cr_assert(is_date(cite->date), "%s: %s", where, cite->date);
    /* Who computes or assumes says how. */
    cr_assert(cite->origin <= NF_PUBLISHED || cite->note != NULL, "%s: no note", where);
    (*count)++;
}

Test(catalog_audit, every_figure_has_origin_source_and_date)
{
    const struct nf_catalog *c = shipped();
    size_t count = 0;
    for (int s = 0; s < NF__SECTIONS; s++) {
        struct nf__catalog_root root = c->root[s];
        nf__catalog_walk(&nf__catalog_tables[s], NULL, &root, check_cite, &count);
    }
    size_t of_files = count;
    for (size_t i = 0; i < c->profile_count; i++) {
        nf__catalog_walk(&nf__profile_table, NULL, &c->profiles[i], check_cite, &count);
    }
    cr_assert(of_files > 500 && count > of_files + 80, "%zu, %zu", of_files, count);
}

/* ---- what must be there ---- */

static void has_all(const struct nf_catalog *c, const char *section,
                    const char *const *wanted)
{
    const char *const *names = nf_catalog_names(c, section);
    for (size_t i = 0; wanted[i] != NULL; i++) {
        bool found = false;
        for (size_t j = 0; names[j] != NULL; j++) {
            found = found || strncmp(names[j], wanted[i], strlen(wanted[i])) == 0;
        }
        cr_assert(found, "%s: no %s", section, wanted[i]);
    }
}

Test(catalog_audit, devices_models_and_links_of_the_order_are_there)
{
    static const char *const devices[] = {"L4",
                                          "L40S",
                                          "A10",
                                          "T4",
                                          "A100",
                                          "A100-PCIe",
                                          "H100",
                                          "H100-PCIe",
                                          "H200",
                                          "Jetson-AGX-Orin",
                                          "Jetson-Orin-NX",
                                          NULL};
    static const char *const models[] = {"resnet-50-",
                                         "retinanet-800-",
                                         "bert-large-",
                                         "yolo",
                                         "whisper-large-v3",
                                         "sdxl",
                                         "flux.1-",
                                         "wan2.1-t2v-14b",
                                         "hunyuanvideo-13b",
                                         "llama-3.1-8b-",
                                         "llama-3.1-70b-",
                                         "llama-3.1-405b-",
                                         "llama-2-70b-",
                                         "qwen3-32b-",
                                         "mixtral-8x7b-",
                                         "deepseek-v3-",
                                         NULL};
    static const char *const links[] = {"lan",   "wifi",   "lte",       "5g-",
                                        "metro", "region", "continent", NULL};
    const struct nf_catalog *c = shipped();
    has_all(c, "devices", devices);
    has_all(c, "models", models);
    has_all(c, "links", links);
    const struct nf_list *list = &c->root[NF__DEVICES].entries;
    struct nf__device_entry *e = list->items;
    for (size_t i = 0; i < list->count; i++) {
        cr_assert(e[i].purchase.cite.at.node != NULL, "%s: no price", e[i].at.name);
        cr_assert(e[i].power.cite.at.node != NULL, "%s: no power", e[i].at.name);
        cr_assert(e[i].reserve.cite.at.node != NULL, "%s: no reserve", e[i].at.name);
    }
}

/* ---- peaks ---- */

/* A dense 16-bit peak is processors x operations a clock x a clock that the chip has: a peak with sparsity would need twice the clock.
 * Operations a processor and clock: Turing, Ada and the A10 1024 (GeForce 512 with 32-bit sums), A100 and Orin 2048, Hopper 4096. */
static const struct silicon {
    const char *device;
    double operations, clock_ghz;
} silicon[] = {
    {"T4", 1024, 1.59},
    {"A10", 1024, 1.695},
    {"L4", 1024, 2.04},
    {"L40S", 1024, 2.49},
    {"A100", 2048, 1.41},
    {"A100-PCIe", 2048, 1.41},
    {"H100", 4096, 1.83},
    {"H100-PCIe", 4096, 1.62},
    {"H200", 4096, 1.83},
    {"RTX4090", 512, 2.52},
    {"Jetson-AGX-Orin", 2048, 1.3},
    {"Jetson-Orin-NX", 2048, 0.918},
};

static const struct silicon *silicon_of(const char *device)
{
    for (size_t i = 0; i < sizeof silicon / sizeof silicon[0]; i++) {
        if (strcmp(silicon[i].device, device) == 0) {
            return &silicon[i];
        }
    }
    return NULL;
}

Test(catalog_audit, peaks_are_dense)
{
    const struct nf_catalog *c = shipped();
    const char *const *names = nf_catalog_names(c, "devices");
    for (size_t i = 0; names[i] != NULL; i++) {
        const struct nf_device *d = nf_catalog_device(c, names[i]);
        const struct silicon *s = silicon_of(names[i]);
        cr_assert_not_null(s, "%s: add its operations and clock here", names[i]);
        double half = d->peak[NF_FP16];
        double clock = half / (d->multiprocessors * s->operations) / 1e9;
        cr_assert(fabs(clock / s->clock_ghz - 1) < 0.02, "%s: %g GHz", names[i], clock);
        cr_assert(d->peak[NF_BF16] == half || d->peak[NF_BF16] == 0, "%s", names[i]);
        double fp8 = d->peak[NF_FP8] / half, int8 = d->peak[NF_INT8] / half;
        cr_assert(fp8 == 0 || fabs(fp8 / 2 - 1) < 0.02, "%s: %g", names[i], fp8);
        /* GeForce halves what sums in 32 bits and a float has; integers keep the full rate. */
        double times = s->operations < 1024 ? 4 : 2;
        cr_assert(fabs(int8 / times - 1) < 0.02, "%s: %g", names[i], int8);
        double tf32 = d->peak[NF_TF32] / half;
        cr_assert(tf32 == 0 || fabs(tf32 * 2 - 1) < 0.02, "%s: %g", names[i], tf32);
        cr_assert(d->peak[NF_FP32] > 0 && d->peak[NF_FP32] < half, "%s", names[i]);
    }
}

/* ---- every model on every device ---- */

/* What fit printed, in the arena. */
static struct nf_catalog_fit fit(const struct nf_catalog *c, const char *model,
                                 const char *device, const char **text)
{
    struct nf_catalog_fit found;
    char *buffer = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&buffer, &length);
    cr_assert_not_null(out);
    cr_assert_eq(nf_catalog_fit(c, model, device, out, &diags, &found), NF_OK);
    fclose(out);
    *text = nf_arena_strdup(&arena, buffer);
    nf_mem_free(buffer);
    return found;
}

static double weights_of(const struct nf_catalog *c, const char *model)
{
    const struct nf_dnn_model *dnn = nf_catalog_dnn(c, model);
    const struct nf_llm_arch *llm = nf_catalog_llm(c, model);
    const struct nf_diffusion_model *diffusion = nf_catalog_diffusion(c, model, NULL);
    return dnn   ? dnn->weight_bytes
           : llm ? nf_llm_weight_bytes(llm)
                 : diffusion->weight_bytes;
}

/* What must be true of one cell of the table. */
static void check_cell(const struct nf_catalog *c, const char *model, const char *device)
{
    const struct nf_device *d = nf_catalog_device(c, device);
    const struct nf_llm_arch *llm = nf_catalog_llm(c, model);
    const char *text;
    struct nf_catalog_fit f = fit(c, model, device, &text);
    double weights = weights_of(c, model);
    bool is_linked = d->nvlink_bandwidth > 0 || d->pcie_bandwidth > 0;
    cr_assert(f.room_bytes > 0 && f.room_bytes < d->memory_bytes, "%s", text);
    cr_assert(f.devices == 0 || f.devices == 1 || f.devices == 2 || f.devices == 4 ||
                  f.devices == 8,
              "%s", text);
    cr_assert(is_linked || f.devices <= 1, "%s", text);
    cr_assert(f.devices == 0 || (f.device_weight_bytes <= f.room_bytes &&
                                 weights <= f.devices * d->memory_bytes &&
                                 f.device_weight_bytes * f.devices >= 0.999 * weights),
              "%s", text);
    /* Half as many would not do. */
    cr_assert(f.devices < 2 || llm == NULL || 2 * f.device_weight_bytes > f.room_bytes ||
                  f.device_weight_bytes * f.devices > 0.95 * weights,
              "%s", text);
    if (llm != NULL) {
        double kv = nf_llm_token_bytes(llm) * (double)f.kv_tokens;
        cr_assert((f.devices > 0) == (f.kv_tokens >= 16), "%s", text);
        cr_assert((strstr(text, "barely: ") != NULL) ==
                      (f.devices > 0 && f.kv_tokens < 8192),
                  "%s", text);
        cr_assert(f.devices == 0 || weights + kv <= f.devices * f.room_bytes, "%s", text);
        struct nf_llm_engine engine = nf_llm_engine_defaults();
        cr_assert(f.devices < 2 ||
                      nf_llm_memory(llm, d, f.devices / 2, &engine).kv_blocks == 0,
                  "%s", text);
    }
    /* A verdict, and a reason wherever it is not a plain yes. */
    const char *verdict = f.devices == 1  ? "fits on 1 device\n"
                          : f.devices > 1 ? "  needs "
                                          : "does not fit";
    cr_assert(strstr(text, verdict), "%s", text);
    cr_assert(f.has_units || strstr(text, "does not run: "), "%s", text);
    cr_assert(f.is_timed || f.devices == 0 || !f.has_units || strstr(text, "no times: "),
              "%s", text);
    cr_assert(!f.is_timed || f.devices > 0, "%s", text);
    cr_assert(!strstr(text, " nan") && !strstr(text, " inf"), "%s", text);
}

Test(catalog_audit, every_verdict_of_the_table_is_possible_and_explained)
{
    const struct nf_catalog *c = shipped();
    const char *const *models = nf_catalog_names(c, "models");
    const char *const *devices = nf_catalog_names(c, "devices");
    size_t cells = 0;
    for (size_t i = 0; models[i] != NULL; i++) {
        for (size_t j = 0; devices[j] != NULL; j++, cells++) {
            check_cell(c, models[i], devices[j]);
        }
    }
    cr_assert(cells >= 400, "%zu", cells);
}

/* Bytes follow from parameters and precision: 70 B in FP8 is not 35 GB. */
Test(catalog_audit, weights_are_parameters_times_bytes)
{
    const struct nf_catalog *c = shipped();
    const char *const *models = nf_catalog_names(c, "models");
    for (size_t i = 0; models[i] != NULL; i++) {
        const struct nf_dnn_model *dnn = nf_catalog_dnn(c, models[i]);
        const struct nf_llm_arch *llm = nf_catalog_llm(c, models[i]);
        const struct nf_diffusion_model *pictures =
            nf_catalog_diffusion(c, models[i], NULL);
        double bytes = weights_of(c, models[i]);
        double plain =
            dnn   ? dnn->parameters * nf_precision_bytes(dnn->precision)
            : llm ? llm->parameters * nf_precision_bytes(llm->weights)
                  : pictures->parameters * nf_precision_bytes(pictures->precision);
        /* Embedding and head of a language model stay in 16 bits; a network may bring a decoder. */
        double most = llm ? plain + 2.0 * 2 * llm->vocab * llm->hidden : 1.04 * plain;
        cr_assert(bytes > 0.99 * plain && bytes < 1.01 * most, "%s: %g, %g", models[i],
                  bytes, plain);
    }
    double large = weights_of(c, "llama-3.1-70b-fp8");
    cr_assert(large > 70e9 && large < 75e9, "%g", large);
}

static size_t stem(const char *name)
{
    const char *dash = strrchr(name, '-');
    return dash ? (size_t)(dash - name) : strlen(name);
}

/* Fewer bits: fewer bytes, never more devices, never a smaller cache or batch on as many. */
static void check_variants(const struct nf_catalog *c, const char *wide,
                           const char *narrow)
{
    const char *const *devices = nf_catalog_names(c, "devices");
    cr_assert(weights_of(c, wide) > weights_of(c, narrow), "%s, %s", wide, narrow);
    for (size_t j = 0; devices[j] != NULL; j++) {
        const char *text;
        struct nf_catalog_fit a = fit(c, wide, devices[j], &text);
        struct nf_catalog_fit b = fit(c, narrow, devices[j], &text);
        cr_assert(a.devices == 0 || (b.devices > 0 && b.devices <= a.devices),
                  "%s, %s on %s", wide, narrow, devices[j]);
        cr_assert(a.devices != b.devices ||
                      (a.kv_tokens <= b.kv_tokens && a.batch <= b.batch),
                  "%s, %s on %s", wide, narrow, devices[j]);
    }
}

static double bytes_of(const struct nf_catalog *c, const char *model)
{
    const struct nf_dnn_model *dnn = nf_catalog_dnn(c, model);
    const struct nf_llm_arch *llm = nf_catalog_llm(c, model);
    return dnn   ? nf_precision_bytes(dnn->precision)
           : llm ? nf_precision_bytes(llm->weights)
                 : 0;
}

Test(catalog_audit, variants_of_fewer_bits_never_need_more)
{
    const struct nf_catalog *c = shipped();
    const char *const *models = nf_catalog_names(c, "models");
    size_t pairs = 0;
    for (size_t i = 0; models[i] != NULL; i++) {
        for (size_t j = 0; models[j] != NULL; j++) {
            if (bytes_of(c, models[j]) > 0 &&
                bytes_of(c, models[i]) > bytes_of(c, models[j]) &&
                stem(models[i]) == stem(models[j]) &&
                strncmp(models[i], models[j], stem(models[i])) == 0) {
                check_variants(c, models[i], models[j]);
                pairs++;
            }
        }
    }
    cr_assert(pairs >= 15, "%zu", pairs);
}

/* The same chip with more memory holds whatever the smaller one holds, with no smaller cache. */
Test(catalog_audit, more_memory_never_needs_more_devices)
{
    const struct nf_catalog *c = shipped();
    const char *const *models = nf_catalog_names(c, "models");
    for (size_t i = 0; models[i] != NULL; i++) {
        const char *text;
        struct nf_catalog_fit small = fit(c, models[i], "H100", &text);
        struct nf_catalog_fit large = fit(c, models[i], "H200", &text);
        cr_assert(small.devices == 0 ||
                      (large.devices > 0 && large.devices <= small.devices),
                  "%s", text);
        cr_assert(small.devices != large.devices || small.kv_tokens <= large.kv_tokens,
                  "%s", text);
        cr_assert_eq(small.has_units, large.has_units);
    }
}
