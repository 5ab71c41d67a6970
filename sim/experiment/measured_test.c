#include "experiment/measured.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "experiment/calibrate.h"
#include "stats/setup.h"

#define SHIPPED NF_SOURCE_DIR "/bench/data/"

static struct nf_arena arena;
static struct nf_diags diags;
static struct nf_measured_with with;
static struct nf_measured m;
static char folder[64], file[128];

static void set_up(void)
{
    nf_stats_setup();
    nf_arena_init(&arena);
    nf_diags_init(&diags, &arena);
    with = (struct nf_measured_with){0};
    cr_assert_eq(nf_catalog_load(NF_SOURCE_DIR, &arena, &diags, &with.catalog), NF_OK);
    snprintf(folder, sizeof folder, "measured_test_%ld", (long)getpid());
    cr_assert_eq(mkdir(folder, 0700), 0);
}

static void tear_down(void)
{
    static const char *const names[] = {"rows.csv", "meta.json", "requests.jsonl",
                                        "base.yaml", "h100_gemm.csv"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(file, sizeof file, "%s/%s", folder, names[i]);
        (void)remove(file);
    }
    (void)rmdir(folder);
    nf_arena_fini(&arena);
}

TestSuite(measured, .init = set_up, .fini = tear_down);

static const char *write_text(const char *name, const char *text)
{
    snprintf(file, sizeof file, "%s/%s", folder, name);
    FILE *f = fopen(file, "wb");
    cr_assert_not_null(f);
    cr_assert_eq(fwrite(text, 1, strlen(text), f), strlen(text));
    cr_assert_eq(fclose(f), 0);
    return nf_arena_strdup(&arena, file);
}

/* ---- groups ---- */

Test(measured, groups_count_every_row_and_skip_with_a_reason)
{
    struct nf_measured_row rows[] = {
        {.group = "a", .subtotal = "x", .predicted = {1.1}, .measured = {1}},
        {.group = "b", .subtotal = "x", .skipped = "no", .measured = {1}},
        {.group = "a", .subtotal = "y", .predicted = {0.7}, .measured = {1}},
        {.group = "b", .subtotal = "y", .skipped = "no", .measured = {1}},
        {.group = "b", .subtotal = "y", .skipped = "never", .measured = {1}}};
    struct nf_measured t = {
        .kind = "t", .metrics = {"time"}, .metric_count = 1, .rows = rows, .count = 5};
    size_t n = 0;
    struct nf_measured_group *g = nf_measured_groups(&t, &arena, &n);
    cr_assert_eq(n, 2);
    cr_assert_eq(g[0].rows, 2);
    cr_assert_float_eq(g[0].error[0].median, 0.2, 1e-12);
    cr_assert_float_eq(g[0].error[0].bias, -0.1, 1e-12);
    cr_assert_eq(g[1].skipped, 3);
    cr_assert_eq(g[1].error[0].rows, 0);
    struct nf_measured_group all = nf_measured_all(&t, &arena);
    cr_assert_eq(all.rows, 5);
    cr_assert_eq(all.error[0].rows, 2);
    struct nf_measured_reason *r = nf_measured_reasons(&t, &arena);
    cr_assert_str_eq(r[0].text, "no");
    cr_assert_eq(r[0].count, 2);
    cr_assert_eq(r[2].count, 0);
}

static enum nf_status operators(const char *path)
{
    struct nf_measured_files files = {&path, 1};
    return nf_measured_operators(&with, &files, &arena, &diags, &m);
}

/* ---- prediction does not look ---- */

static void replace_numbers(char *text, const char *column_end)
{
    for (char *line = strchr(text, '\n'); line && line[1];
         line = strchr(line + 1, '\n')) {
        char *last = strchr(line + 1, '\n');
        cr_assert_not_null(last);
        while (last[-1] != ',') {
            last--;
            *last = *last == '.' ? '.' : *last == '\n' ? '\n' : column_end[0];
        }
    }
}

Test(measured, a_prediction_does_not_change_with_the_measured_value)
{
    const char *a = write_text("h100_gemm.csv", "gemm_dtype,m,n,k,latency_us\n"
                                                "bfloat16,64,8192,8192,61.25\n"
                                                "fp8,1024,4096,14336,170.5\n");
    cr_assert_eq(operators(a), NF_OK);
    double first = m.rows[0].predicted[0], second = m.rows[1].predicted[0];
    char text[] = "gemm_dtype,m,n,k,latency_us\n"
                  "bfloat16,64,8192,8192,61.25\n"
                  "fp8,1024,4096,14336,170.5\n";
    replace_numbers(text, "9");
    a = write_text("h100_gemm.csv", text);
    cr_assert_eq(operators(a), NF_OK);
    cr_assert_eq(m.rows[0].predicted[0], first);
    cr_assert_eq(m.rows[1].predicted[0], second);
    cr_assert_float_eq(m.rows[1].measured[0], 999.9e-6, 1e-12);
}

/* One whole of the synthetic file; its time moves a little between its quartiles, and the last line is made to fit again. */
Test(measured, a_whole_is_predicted_without_its_time)
{
    const char *path = NF_SOURCE_DIR "/sim/cli/tests/files/kernels/h200-composed.csv";
    cr_assert_eq(nf_measured_composed(&with, path, &arena, &diags, &m), NF_OK);
    size_t rows = m.count;
    double first = m.rows[0].predicted[0], measured = m.rows[0].measured[0];
    cr_assert(first > 0.5 * measured && first < 2 * measured, "%g of %g", first,
              measured);
    struct nf_file_bytes bytes;
    const struct nf_place nowhere = {NULL, 0, 0};
    cr_assert_eq(nf_file_read(path, 1 << 20, nowhere, &arena, &diags, &bytes), NF_OK);
    const char *end = strstr(bytes.data, "# end rows=");
    cr_assert_not_null(end);
    char *text = nf_arena_strndup(&arena, bytes.data, (size_t)(end - bytes.data));
    char *time = strstr(text, ",40,");
    cr_assert_not_null(time);
    time = strchr(time, '.');
    cr_assert_not_null(time);
    time[1] = time[1] == '2' ? '3' : '2';
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (const char *c = text; *c; c++) {
        hash = (hash ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
    }
    const char *changed = nf_arena_printf(&arena, "%s# end rows=%zu fnv1a=%016llx\n",
                                          text, rows, (unsigned long long)hash);
    path = write_text("rows.csv", changed);
    cr_assert_eq(nf_measured_composed(&with, path, &arena, &diags, &m), NF_OK);
    cr_assert_eq(m.count, rows);
    cr_assert_neq(m.rows[0].measured[0], measured);
    cr_assert_eq(m.rows[0].predicted[0], first);
}

/* ---- serving ---- */

#define HEADER                                                                           \
    "id,backend,model_path,system,precision,gemm_quant_mode,isl,osl,batch_size,tp_size," \
    "pp_size,attention_dp_size,silicon_ttft_ms,silicon_tpot_ms\n"

Test(measured, serving_rows_are_predicted_or_skipped_with_a_reason)
{
    const char *a = write_text(
        "rows.csv",
        HEADER "r1,vllm,meta-llama/Llama-3.1-8B-Instruct,h100_sxm,,,512,64,4,1,1,,50,6\n"
               "r2,vllm,meta-llama/Llama-3.1-8B,h100_sxm,fp8,fp8,512,64,4,1,1,1,50,6\n"
               "r3,vllm,some/Model-7B,h100_sxm,,,512,64,4,1,1,1,50,6\n"
               "r4,vllm,meta-llama/Llama-3.1-8B,h100_sxm,,,512,64,4,1,2,1,50,6\n"
               "r5,vllm,meta-llama/Llama-3.1-70B,h100_sxm,,,512,64,4,1,1,1,50,6\n"
               "r6,vllm,meta-llama/Llama-3.1-8B,b900,,,512,64,4,1,1,1,50,6\n"
               "r7,vllm,meta-llama/Llama-3.1-8B,h100_sxm,,,512,64,4,1,1,2,50,6\n");
    cr_assert_eq(nf_measured_serving(&with, a, &arena, &diags, &m), NF_OK);
    cr_assert_eq(m.count, 7);
    cr_assert_str_eq(m.rows[0].group, "llama-3.1-8b-bf16 H100 vllm");
    cr_assert_null(m.rows[0].skipped);
    /* one step reads 16 GB of weights: at least 4.4 ms; FP8 half of that */
    cr_assert(m.rows[0].predicted[1] > 4.4e-3 && m.rows[0].predicted[1] < 12e-3);
    cr_assert(m.rows[1].predicted[1] < m.rows[0].predicted[1]);
    cr_assert(strstr(m.rows[2].skipped, "has no some/Model-7B in bf16"));
    /* two stages: four clients in two iterations of half the batch, each through all layers */
    cr_assert_null(m.rows[3].skipped);
    cr_assert(m.rows[3].predicted[1] > 4.4e-3 && m.rows[3].predicted[1] < 12e-3);
    cr_assert(strstr(m.rows[4].skipped, "141"), "%s", m.rows[4].skipped);
    cr_assert(strstr(m.rows[5].skipped, "b900"));
    cr_assert(strstr(m.rows[6].skipped, "data-parallel"));
}

Test(measured, more_clients_wait_longer)
{
    const char *a =
        write_text("rows.csv", HEADER
                   "r1,vllm,meta-llama/Llama-3.1-8B,h100_sxm,,,2048,64,4,1,1,,50,6\n"
                   "r2,vllm,meta-llama/Llama-3.1-8B,h100_sxm,,,2048,64,64,1,1,,50,6\n");
    cr_assert_eq(nf_measured_serving(&with, a, &arena, &diags, &m), NF_OK);
    cr_assert(m.rows[1].predicted[0] > 2 * m.rows[0].predicted[0]);
    cr_assert(m.rows[1].predicted[1] > 2 * m.rows[0].predicted[1]);
}

Test(measured, wrong_tables_are_told_with_row_and_column)
{
    const char *a = write_text("rows.csv", "id,isl\nr1,5\n");
    cr_assert_eq(nf_measured_serving(&with, a, &arena, &diags, &m), NF_E_KEY);
    nf_diags_init(&diags, &arena);
    a = write_text("rows.csv", HEADER
                   "r1,vllm,meta-llama/Llama-3.1-8B,h100_sxm,,,512,64,4,1,1,,nan,6\n");
    cr_assert_eq(nf_measured_serving(&with, a, &arena, &diags, &m), NF_E_TYPE);
    cr_assert_str_eq(diags.items[0].path, "silicon_ttft_ms");
    cr_assert_eq(diags.items[0].place.line, 2);
}

static void expect_range(const char *rows, const char *part)
{
    nf_diags_init(&diags, &arena);
    const char *a = write_text("rows.csv", rows);
    cr_assert_eq(nf_measured_serving(&with, a, &arena, &diags, &m), NF_E_RANGE);
    cr_assert(strstr(diags.items[0].message, part), "%s", diags.items[0].message);
    cr_assert_str_eq(diags.items[0].path, "silicon_tpot_ms");
}

Test(measured, serving_times_in_another_unit_or_twice_are_told)
{
    static const char row[] =
        "r1,vllm,meta-llama/Llama-3.1-8B,h100_sxm,,,512,64,4,1,1,,50,6\n";
    expect_range(HEADER "r1,vllm,meta-llama/Llama-3.1-8B,h100_sxm,,,512,64,4,1,1,,"
                        "0.05,0.006\n",
                 "row 1: 0.006 ms, but reading the weights takes H100 4.794 ms");
    expect_range(HEADER "r1,vllm,meta-llama/Llama-3.1-8B,h100_sxm,,,512,64,4,1,1,,"
                        "50000,6000\n",
                 "half of the times");
    nf_diags_init(&diags, &arena);
    const char *a =
        write_text("rows.csv", nf_arena_printf(&arena, HEADER "%s%s", row, row));
    cr_assert_eq(nf_measured_serving(&with, a, &arena, &diags, &m), NF_E_KEY);
    cr_assert_str_eq(diags.items[0].message, "row 2: row 1 again");
}

/* ---- import ---- */

/* The rows of nearfar-kernels make a figure "measured", unless they say that nobody measured them. */
Test(measured, import_calls_measured_what_was_measured)
{
    const char *path = NF_SOURCE_DIR "/sim/cli/tests/files/kernels/h200.csv";
    const struct nf_place nowhere = {NULL, 0, 0};
    struct nf_file_bytes bytes;
    struct nf_text text = {0}, profile = {0};
    cr_assert_eq(nf_file_read(path, 1 << 20, nowhere, &arena, &diags, &bytes), NF_OK);
    const char *end = strstr(bytes.data, "# end rows=");
    for (const char *c = bytes.data; c < end; c++) {
        if (strncmp(c, "steady synthetic", 16) == 0) {
            nf_text_add(&text, "steady");
            c += 15;
        } else {
            nf_text_add_n(&text, c, 1);
        }
    }
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    size_t rows = 0;
    for (size_t i = 0; i < text.length; i++) {
        hash = (hash ^ (unsigned char)text.data[i]) * UINT64_C(0x100000001b3);
        rows += text.data[i] == '\n';
    }
    nf_text_printf(&text, "# end rows=%zu fnv1a=%016llx\n", rows - 2,
                   (unsigned long long)hash);
    path = write_text("rows.csv", text.data);
    struct nf_calibrate c = {.catalog = with.catalog,
                             .device = nf_catalog_device(with.catalog, "H200"),
                             .files = &path,
                             .file_count = 1,
                             .date = "2026-11-25"};
    struct nf_calibration_fit result;
    cr_assert_eq(nf_calibrate_run(&c, &arena, &diags, &result, &profile), NF_OK);
    cr_assert_eq(diags.warnings, 0);
    cr_assert(strstr(profile.data, "rows: 56, origin: measured, source: rows-gemm-bf16"));
    cr_assert(strstr(profile.data, "NVIDIA H200, driver 000.00, CUDA 13.0"));
    cr_assert_null(strstr(profile.data, "origin: assumed, source: rows-gemm"));
    nf_text_fini(&text);
    nf_text_fini(&profile);
}

/* ---- replay ---- */

#define META                                                                             \
    "{\"model\": \"meta-llama/Llama-3.1-8B\", \"engine_kwargs\": {\"max_num_seqs\": 8, " \
    "\"max_num_batched_tokens\": 2048, \"tensor_parallel_size\": 1, \"dtype\": "         \
    "\"bfloat16\"}, \"kv_cache\": {\"num_gpu_blocks\": 2588, \"block_size\": 16}, "      \
    "\"hardware\": {\"device_name\": \"NVIDIA GeForce RTX 4090\"}}"

Test(measured, a_replay_compares_request_by_request)
{
    write_text("meta.json", META);
    write_text(
        "requests.jsonl",
        "{\"request_id\": \"b\", \"input_toks\": 700, \"output_toks\": 20, "
        "\"queued_ts\": 7.5, \"first_token_ts\": 7.6, \"last_token_ts\": 8.0}\n"
        "{\"request_id\": \"a\", \"input_toks\": 30, \"output_toks\": 1, "
        "\"queued_ts\": 2.5, \"first_token_ts\": 2.54, \"last_token_ts\": 2.54}\n");
    cr_assert_eq(nf_measured_replay(&with, folder, &arena, &diags, &m), NF_OK);
    cr_assert_eq(m.count, 2);
    cr_assert_str_eq(m.rows[0].name, "a"); /* by arrival */
    cr_assert_float_eq(m.rows[1].measured[1], 0.4 / 19, 1e-12);
    cr_assert(isnan(m.rows[0].measured[1])); /* one token has no time per token */
    cr_assert_eq(m.rows[0].predicted[0], m.rows[0].predicted[2]);
    cr_assert_float_eq(m.whole->measured[5], (0.04 + 0.5) / 2, 1e-9);
    cr_assert_float_eq(m.whole->predicted[5],
                       (m.rows[0].predicted[2] + m.rows[1].predicted[2]) / 2, 1e-12);
}

Test(measured, wrong_replays_are_told)
{
    write_text("meta.json", META);
    write_text("requests.jsonl", "{\"input_toks\": 700}\n");
    cr_assert_eq(nf_measured_replay(&with, folder, &arena, &diags, &m), NF_E_KEY);
    nf_diags_init(&diags, &arena);
    write_text("requests.jsonl",
               "{\"input_toks\": 5, \"output_toks\": 2, \"queued_ts\": 3, "
               "\"first_token_ts\": 2, \"last_token_ts\": 4}\n");
    cr_assert_eq(nf_measured_replay(&with, folder, &arena, &diags, &m), NF_E_RANGE);
    nf_diags_init(&diags, &arena);
    cr_assert_eq(nf_measured_replay(&with, "no/such/folder", &arena, &diags, &m),
                 NF_E_IO);
}

/* ---- profiles ---- */

Test(measured, a_fitted_profile_loads_again)
{
    const char *files[] = {SHIPPED "aiconfigurator/h100_sxm_generation_attention.csv"};
    struct nf_calibrate c = {.catalog = with.catalog,
                             .device = nf_catalog_device(with.catalog, "H100"),
                             .files = files,
                             .file_count = 1,
                             .source = "a test",
                             .date = "2026-08-21",
                             .base = NF_SOURCE_DIR "/results/calibration/h100.yaml"};
    struct nf_calibration_fit fit;
    struct nf_text text = {0};
    cr_assert_eq(nf_calibrate_run(&c, &arena, &diags, &fit, &text), NF_OK);
    cr_assert_eq(fit.class_count, 1);
    cr_assert(fit.classes[0].fit.held_out.median < 0.04);
    const char *path = write_text("base.yaml", text.data);
    struct nf_calibration k;
    cr_assert_eq(nf_catalog_read_profile(with.catalog, path, (struct nf_place){0}, &arena,
                                         &diags, &k),
                 NF_OK);
    cr_assert_float_eq(k.decode_attention.em, fit.classes[0].fit.curve.em, 1e-4);
    const struct nf_calibration *own = nf_catalog_profile(with.catalog, "H100");
    cr_assert_eq(k.gemm[NF_FP8].ec, own->gemm[NF_FP8].ec);         /* from the base */
    cr_assert_eq(k.decode_attention.em, own->decode_attention.em); /* the same rows */
    nf_text_fini(&text);
}
