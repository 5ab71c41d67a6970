/* MLPerf's names, the settings of a system, and rows that cannot be predicted. */
#include "experiment/mlperf.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "experiment/dnn_system.h"
#include "experiment/measured.h"
#include "experiment/mlperf_llm.h"

static struct nf_arena arena;
static struct nf_diags diags;
static const struct nf_catalog *catalog;

static void setup(void)
{
    nf_diags_init(&diags, &arena);
    cr_assert_eq(nf_catalog_load(NF_SOURCE_DIR, &arena, &diags, &catalog), NF_OK);
}

static void teardown(void)
{
    nf_arena_fini(&arena);
}

TestSuite(mlperf, .init = setup, .fini = teardown, .timeout = 120);

Test(mlperf, names_lead_to_the_catalogue)
{
    const struct nf_device *l4 = nf_mlperf_device(catalog, "L4-24GB");
    const struct nf_device *h100 = nf_mlperf_device(catalog, "H100-SXM-80GB");
    cr_assert_str_eq(l4->name, "L4");
    cr_assert_null(nf_mlperf_device(catalog, "L4"));
    cr_assert_str_eq(nf_mlperf_network(catalog, "bert-99.9", l4)->name,
                     "bert-large-fp16");
    cr_assert_str_eq(nf_mlperf_network(catalog, "bert-99.9", h100)->name,
                     "bert-large-fp8");
    cr_assert_null(nf_mlperf_network(catalog, "rnnt", l4));
    cr_assert_float_eq(nf_mlperf_limit_s("bert-99.9"), 0.13, 1e-15);
    cr_assert_str_eq(nf_mlperf_language("llama2-70b-interactive-99")->prefix,
                     "llama2-70b-interactive");
    cr_assert_null(nf_mlperf_language("mixtral-8x7b"));
}

Test(mlperf, a_system_has_its_own_settings_or_nvidias)
{
    struct nf_mlperf_tables t;
    struct nf_mlperf_setting g;
    const char *file = NF_SOURCE_DIR "/bench/data/mlperf_server_latency.csv";
    cr_assert_eq(nf_mlperf_read(file, NF_SOURCE_DIR, &arena, &diags, &t), NF_OK);
    struct nf_mlperf_system s = {"v4.1", "HPE",
                                 "HPE_ProLiant_DL380a_L40S_PCIe_48GBx4_TRT", "L40S-48GB",
                                 "retinanet"};
    cr_assert(nf_mlperf_setting(&t, &s, &g));
    cr_assert(g.is_own);
    cr_assert_eq(g.batch, 2);
    cr_assert(nf_mlperf_offline(&t, &s) > 3000);
    s.platform = "another";
    cr_assert(nf_mlperf_setting(&t, &s, &g));
    cr_assert_not(g.is_own);
    cr_assert_eq(g.batch, 8);
    cr_assert_eq(nf_mlperf_offline(&t, &s), 0);
    s = (struct nf_mlperf_system){"v3.0", "NVIDIA", "H100-PCIe-80GBx1_TRT",
                                  "H100-PCIe-80GB", "bert-99"};
    cr_assert(nf_mlperf_setting(&t, &s, &g));
    cr_assert_float_eq(g.held_back, 0.01, 1e-15);
    s.benchmark = "rnnt";
    cr_assert_not(nf_mlperf_setting(&t, &s, &g));
}

/* One GPU, batches of one, T = 1 ms at 0.7 of its capacity: M/D/1, wait 0.7/(2 x 0.3) ms. Two under way change nothing without copies. */
Test(mlperf, a_system_of_single_requests_is_a_queue)
{
    struct nf_dnn_load load = {.cost = {.per_sample_s = 1e-3, .batch = 1},
                               .gpus = 1,
                               .streams = 1,
                               .max_batch = 1,
                               .rate = 700,
                               .seconds = 2000,
                               .seed = 5};
    struct nf_dnn_served served;
    nf_dnn_system_run(&load, &served);
    cr_assert_float_eq(served.mean_s, 1e-3 + 0.7e-3 / 0.6, 0.03e-3, "%g", served.mean_s);
    cr_assert_not(served.is_saturated);
    double mean = served.mean_s;
    load.streams = 2;
    nf_dnn_system_run(&load, &served);
    cr_assert_float_eq(served.mean_s, mean, 1e-9);
}

Test(mlperf, tokens_grow_with_the_memory_and_servers_do_less)
{
    const struct nf_mlperf_language *what = nf_mlperf_language("llama2-70b-99");
    const char *const devices[] = {"H100", "H200"};
    double offline[2];
    char why[400] = "";
    for (int i = 0; i < 2; i++) {
        struct nf_host host = {nf_catalog_device(catalog, devices[i]),
                               nf_catalog_calibration(catalog, devices[i]), 1};
        offline[i] =
            nf_mlperf_tokens_per_s(&(struct nf_mlperf_run){what, catalog, &host, false},
                                   &arena, why, sizeof why);
        double server = nf_mlperf_tokens_per_s(
            &(struct nf_mlperf_run){what, catalog, &host, true}, &arena, why, sizeof why);
        cr_assert(server > 0.3 * offline[i] && server < 1.1 * offline[i], "%s: %g of %g",
                  devices[i], server, offline[i]);
    }
    cr_assert(offline[1] > offline[0]);
    struct nf_host a100 = {nf_catalog_device(catalog, "A100"),
                           nf_catalog_calibration(catalog, "A100"), 1};
    cr_assert_eq(
        nf_mlperf_tokens_per_s(&(struct nf_mlperf_run){what, catalog, &a100, false},
                               &arena, why, sizeof why),
        0);
    cr_assert(strstr(why, "no FP8"));
}

/* ---- files ---- */

static enum nf_status validate(const char *text, struct nf_measured *m)
{
    char path[] = "/tmp/nearfar-mlperf-XXXXXX";
    int fd = mkstemp(path);
    FILE *f = fdopen(fd, "w");
    cr_assert_not_null(f);
    fputs(text, f);
    fclose(f);
    struct nf_measured_with with = {.catalog = catalog, .data_root = NF_SOURCE_DIR};
    const char *kept = nf_arena_strdup(&arena, path);
    enum nf_status s = nf_measured_dnn(&with, kept, &arena, &diags, m);
    unlink(path);
    return s;
}

#define RESULTS                                                                          \
    "round,submitter,platform,accelerator_norm,accelerators_total,model,scenario,"       \
    "result,units_corrected\n"

/* The row that is the catalogue's own source is predicted without it; another of the same device with it. */
Test(mlperf, a_row_never_predicts_itself)
{
    struct nf_measured m;
    cr_assert_eq(validate(RESULTS
                          "v3.1,Dell,x,L4-24GB,1,retinanet,Offline,227.411,Samples/s\n"
                          "v3.1,Dell,y,L4-24GB,2,retinanet,Offline,444,Samples/s\n",
                          &m),
                 NF_OK);
    cr_assert_eq(m.count, 2);
    double own = m.rows[0].predicted[2] * 227.411;
    cr_assert(own < 0.98 || own > 1.02, "%g", own);
    cr_assert_float_eq(1 / m.rows[1].predicted[2], 2 * 227.411, 1);
}

Test(mlperf, rows_without_a_prediction_stay_with_their_reason)
{
    struct nf_measured m;
    cr_assert_eq(validate(RESULTS "v3.1,A,x,L4-24GB,1,rnnt,Offline,100,Samples/s\n"
                                  "v3.1,A,x,TPU,1,retinanet,Offline,100,Samples/s\n"
                                  "v3.1,A,x,L4-24GB,1,retinanet,SingleStream,5,ms\n"
                                  "v3.1,A,x,L4-24GB,1,retinanet,Server,150,Queries/s\n"
                                  "v3.1,A,x,L4-24GB,0,retinanet,Offline,100,Samples/s\n",
                          &m),
                 NF_OK);
    static const char *const reasons[] = {"no network for rnnt",
                                          "no device is called TPU", "SingleStream runs",
                                          "without its latencies", "no number of GPUs"};
    for (size_t i = 0; i < 5; i++) {
        cr_assert_not_null(m.rows[i].skipped);
        cr_assert(strstr(m.rows[i].skipped, reasons[i]), "row %zu: %s", i,
                  m.rows[i].skipped);
    }
}

Test(mlperf, wrong_files_are_told_with_row_and_column)
{
    struct nf_measured m;
    cr_assert_neq(validate("a,b\n1,2\n", &m), NF_OK);
    cr_assert(diags.errors > 0);
    nf_diags_init(&diags, &arena);
    cr_assert_neq(
        validate(RESULTS "v3.1,A,x,L4-24GB,1,retinanet,Offline,many,Samples/s\n", &m),
        NF_OK);
    cr_assert_eq(diags.items[0].place.line, 2);
}
