/* Server runs: what a batch waits for in each harness, at which load a run stands, and that no row's latency enters its own prediction. */
#include "experiment/mlperf_server.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "experiment/measured.h"

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

TestSuite(mlperf_server, .init = setup, .fini = teardown, .timeout = 120);

/* Seven requests fill a batch at 900 a second: the first waits for six, the last for none, 3/900 s on average. */
Test(mlperf_server, an_image_waits_for_its_batch_to_fill)
{
    struct nf_dnn_load load = {.cost = {.fixed_s = 1e-4, .batch = 7},
                               .gpus = 3,
                               .streams = 2,
                               .max_batch = 7,
                               .delay = NF_TIME_NEVER,
                               .rate = 900,
                               .seconds = 300,
                               .seed = 11};
    struct nf_dnn_served served;
    nf_dnn_system_run(&load, &served);
    cr_assert_float_eq(served.mean_s, 1e-4 + 3 / 900.0, 0.05e-3, "%g", served.mean_s);
    load.delay = nf_time_of_s(1e-3);
    nf_dnn_system_run(&load, &served);
    cr_assert(served.mean_s < 1.15e-3 && served.p99_s < 1.11e-3, "%g %g", served.mean_s,
              served.p99_s);
}

static struct nf_mlperf_server_run text_run(struct nf_host *host)
{
    *host = (struct nf_host){nf_catalog_device(catalog, "L4"), NULL, 1};
    return (struct nf_mlperf_server_run){
        .network = nf_catalog_dnn(catalog, "bert-large-int8"),
        .host = host,
        .setting = {.batch = 61, .inference_streams = 1, .takes_any = true},
        .gpus = 3,
        .rate = 2400,
        .offline = 2900,
        .usual_ratio = 2400 / 2900.0};
}

/* At a load of 0.96 batches of n samples keep up when n (1 - rate c) = rate a. A request waits half a batch until it is taken, and passes
 * two with its own; randomness adds to that. */
Test(mlperf_server, a_text_stream_holds_two_batches)
{
    struct nf_host host;
    struct nf_mlperf_server_run run = text_run(&host);
    struct nf_dnn_served served;
    nf_mlperf_serve(&run, &served);
    double rate = 800, a = 1.48e-3, c = 0.96 / rate - a / 61;
    double even = 2.5 * rate * a / (1 - rate * c) / rate;
    cr_assert(served.mean_s > even && served.mean_s < 1.25 * even, "%g, %g",
              served.mean_s, even);
    double one = served.mean_s;
    run.setting.inference_streams = 2;
    nf_mlperf_serve(&run, &served);
    cr_assert(served.mean_s > 1.5 * one && served.mean_s < 2.1 * one, "%g of %g",
              served.mean_s, one);
}

Test(mlperf_server, a_text_run_keeps_the_limit)
{
    struct nf_host host;
    struct nf_mlperf_server_run run = text_run(&host);
    struct nf_dnn_served served;
    run.limit_s = 0.021;
    nf_mlperf_serve(&run, &served);
    cr_assert(served.p99_s <= 0.021 && served.p99_s > 0.95 * 0.021, "%g", served.p99_s);
}

Test(mlperf_server, an_image_run_stands_at_its_share_of_the_limit)
{
    struct nf_host host = {nf_catalog_device(catalog, "L40S"), NULL, 1};
    struct nf_mlperf_server_run run = {
        .network = nf_catalog_dnn(catalog, "retinanet-800-int8"),
        .host = &host,
        .setting = {.batch = 5, .copy_streams = 3, .timeout_s = 0.03},
        .gpus = 2,
        .rate = 1530,
        .limit_s = 0.1,
        .usual_margin = 0.63};
    struct nf_dnn_served served;
    nf_mlperf_serve(&run, &served);
    cr_assert_float_eq(served.p99_s, 0.063, 0.003, "%g", served.p99_s);
    cr_assert(served.mean_s > 5 / 765.0 && served.mean_s < 0.04, "%g", served.mean_s);
}

/* Two submitters' runs, with the latencies that the test gives: mean and p99 of each. */
static void predict(const double *ms, struct nf_measured *m)
{
    char path[] = "/tmp/nearfar-server-XXXXXX";
    int fd = mkstemp(path);
    FILE *f = fdopen(fd, "w");
    cr_assert_not_null(f);
    fprintf(f,
            "version,accelerator_norm,submitter,platform,acc_per_node,nodes,model,"
            "scenario,completed_sps,mean_ms,p99_ms\n"
            "v4.1,L40S-48GB,Cisco,X210c_L40SX2_TRT,2,1,retinanet,Server,1600,%g,%g\n"
            "v4.1,L40S-48GB,Lenovo,SR650_V3_3xL40S_TRT,3,1,retinanet,Server,2201,%g,%g\n",
            ms[0], ms[1], ms[2], ms[3]);
    fclose(f);
    struct nf_measured_with with = {.catalog = catalog, .data_root = NF_SOURCE_DIR};
    const char *kept = nf_arena_strdup(&arena, path);
    cr_assert_eq(nf_measured_dnn(&with, kept, &arena, &diags, m), NF_OK);
    unlink(path);
}

Test(mlperf_server, no_latency_enters_its_own_prediction)
{
    struct nf_measured a, b;
    predict((double[]){20, 60, 15, 31}, &a);
    predict((double[]){40, 95, 15, 31}, &b);
    cr_assert_null(a.rows[0].skipped);
    for (int metric = 0; metric < 2; metric++) {
        cr_assert_eq(a.rows[0].predicted[metric], b.rows[0].predicted[metric]);
        cr_assert(a.rows[1].predicted[metric] < b.rows[1].predicted[metric]);
    }
}
