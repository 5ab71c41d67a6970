/* batches_test.c - batching worlds small enough to work out by hand, to the nanosecond. */
#include <criterion/criterion.h>

#include <math.h>

#include "model/world_fixture.h"

static struct nf_fixture f;
static struct nf_outcome out;
static struct nf_station_spec *station;

/* One GPU with T(b) = 2 ms + 3 ms b that takes at most two at a time. */
static void setup(void)
{
    nf_fixture_init(&f);
    nf_fixture_model(&f, NF_MODEL_DNN);
    station = nf_fixture_station(&f, NF_STATION_BATCH, 0, 0);
    station->batch_max = 2;
    f.hostings[0].dnn =
        (struct nf_dnn_cost){.fixed_s = 2e-3, .per_sample_s = 3e-3, .batch = 2};
}

static void teardown(void)
{
    nf_outcome_fini(&out);
}

TestSuite(batches, .init = setup, .fini = teardown);

static nf_time ms(double x)
{
    return (nf_time)llround(x * 1e6);
}

enum { MS = 1000000 };

static void check_latencies(const double *latency, size_t n)
{
    cr_assert_eq(f.row_count, n, "%zu rows", f.row_count);
    for (size_t i = 0; i < n; i++) {
        cr_assert_eq(f.rows[i].latency, ms(latency[i]), "request %zu: %ld ns", i,
                     (long)f.rows[i].latency);
    }
}

/* A sample takes 1 ms on the host, 2 ms on the copy engine, 0.5 ms at the end. Six requests at 0, two a batch, one batch under way: host 2,
 * copy 4, GPU 8 = 14 ms, and 1 ms at the end that holds no GPU: done at 15, 29, 43. */
static const struct nf_trace_row six[] = {{0, 0, 0}, {0, 0, 0}, {0, 0, 0},
                                          {0, 0, 0}, {0, 0, 0}, {0, 0, 0}};

static void with_host_and_copies(void)
{
    f.hostings[0].dnn.prepare_s = 1e-3;
    f.hostings[0].dnn.copy_s = 2e-3;
    f.hostings[0].dnn.finish_s = 0.5e-3;
    nf_fixture_class(&f, "frames", 0);
    nf_fixture_arrivals(&f, 0, six, 6);
}

/* The first request starts alone: 1 + 2 + 5 = 8 ms, and 0.5; then pairs of 14 ms and 1, the last alone again. */
Test(batches, one_stream_adds_host_copies_and_computation)
{
    with_host_and_copies();
    nf_fixture_run(&f, &out);
    check_latencies((double[]){8.5, 23, 23, 37, 37, 44.5}, 6);
    cr_assert_float_eq(nf_dnn_alone_s(&f.hostings[0].dnn, 2), 15e-3, 1e-12);
    /* the GPU's batches hold it from start to end of computation: 8 + 14 + 14 + 8 ms of 1000 s */
    cr_assert_float_eq(out.stations[0].utilization, 44e-6, 1e-12);
}

/* Two under way: the first (alone) holds host 0-1, copies 1-3, GPU 3-8. The second (one request, the third comes at the same time but
 * after it has started) host 1-2, copies 3-5, GPU 8-13. At 8 a place is free: two requests, host 8-10, copies 10-14, GPU 14-22. At 13
 * two more: host 13-15, copies 15-19, GPU 22-30. Each ends 0.5 ms a sample later. */
Test(batches, streams_overlap_copies_with_computation)
{
    with_host_and_copies();
    station->batch_streams = 2;
    nf_fixture_run(&f, &out);
    check_latencies((double[]){8.5, 13.5, 23, 23, 31, 31}, 6);
}

/* Two GPUs, two batches each: the idle GPU comes before the second place of the busy one. At 0: GPU 0, GPU 1, then second places. */
Test(batches, an_idle_gpu_comes_first)
{
    station->servers = 2;
    station->batch_streams = 2;
    nf_fixture_class(&f, "frames", 0);
    nf_fixture_arrivals(&f, 0, six, 4);
    nf_fixture_run(&f, &out);
    check_latencies((double[]){5, 5, 10, 10}, 4);
}

/* Two levels. The first request holds the GPU until 5; "slow" ones came at 1 and 2, "fast" ones at 3 and 4: the fast pair runs 5-13, the
 * slow pair 13-21. */
Test(batches, higher_priorities_go_first)
{
    static const struct nf_trace_row slow[] = {{0, 0, 0}, {1 * MS, 0, 0}, {2 * MS, 0, 0}};
    static const struct nf_trace_row fast[] = {{3 * MS, 0, 0}, {4 * MS, 0, 0}};
    static const struct nf_batcher_spec rules = {
        .max_batch = 2, .levels = 2, .default_level = 2};
    station->batcher = &rules;
    nf_fixture_class(&f, "slow", 0);
    nf_fixture_class(&f, "fast", 0)->priority = 1;
    nf_fixture_arrivals(&f, 0, slow, 3);
    nf_fixture_arrivals(&f, 1, fast, 2);
    nf_fixture_run(&f, &out);
    check_latencies((double[]){5, 10, 9, 20, 19}, 5);
}

/* 4 ms in the queue at most. The first runs 0-5; that of 0.5 ms would start at 5 and is turned away at 4.5; those of 2 and 3 ms go
 * together, 5-13. */
Test(batches, a_time_limit_turns_away_from_the_queue)
{
    static const struct nf_trace_row rows[] = {
        {0, 0, 0}, {MS / 2, 0, 0}, {2 * MS, 0, 0}, {3 * MS, 0, 0}};
    static const struct nf_batcher_spec rules = {
        .max_batch = 2, .policy = {.timeout = 4 * MS, .action = NF_BATCH_REJECT}};
    station->batcher = &rules;
    nf_fixture_class(&f, "frames", 0);
    nf_fixture_arrivals(&f, 0, rows, 4);
    nf_fixture_run(&f, &out);
    cr_assert_eq(out.classes[0].counts.outcome[NF_REJECTED], 1);
    cr_assert_eq(out.stations[0].rejections, 1);
    check_latencies((double[]){4, 5, 11, 10}, 4);
    cr_assert_eq(f.rows[0].outcome, NF_REJECTED);
    cr_assert_eq(f.rows[0].wait, ms(4));
}

/* A class's own limit, where the station allows it, and a client that gives up: both leave every list. */
Test(batches, limits_of_a_class_and_of_the_client)
{
    static const struct nf_trace_row first[] = {{0, 0, 0}, {1 * MS, 0, 0}};
    static const struct nf_trace_row second[] = {{2 * MS, 0, 0}, {3 * MS, 0, 0}};
    static const struct nf_batcher_spec rules = {.max_batch = 1,
                                                 .policy = {.timeout = 90 * MS,
                                                            .action = NF_BATCH_REJECT,
                                                            .allow_override = true}};
    station->batcher = &rules;
    nf_fixture_class(&f, "patient", 0);
    nf_fixture_class(&f, "hasty", 0)->queue_timeout_s = 2.5e-3;
    nf_fixture_arrivals(&f, 0, first, 2);
    nf_fixture_arrivals(&f, 1, second, 2);
    f.spec.gateway.timeout = ms(8);
    nf_fixture_run(&f, &out);
    /* patient: 0-5, then 5-10 but its client leaves at 9; hasty: both turned away, at 4.5 and 5.5 */
    cr_assert_eq(out.classes[0].counts.outcome[NF_COMPLETED], 1);
    cr_assert_eq(out.classes[0].counts.outcome[NF_TIMED_OUT], 1);
    cr_assert_eq(out.classes[1].counts.outcome[NF_REJECTED], 2);
    cr_assert_float_eq(out.stations[0].queue_mean, (4 + 2.5 + 2.5) * 1e-6, 1e-12);
}

/* Preferred pairs, no delay: of three that wait, two go; of one that waits, one. */
Test(batches, preferred_sizes_are_taken_first)
{
    static const uint32_t preferred[] = {2};
    static const struct nf_batcher_spec rules = {
        .max_batch = 4, .preferred = preferred, .preferred_count = 1};
    station->batcher = &rules;
    nf_fixture_class(&f, "frames", 0);
    nf_fixture_arrivals(&f, 0, six, 4);
    nf_fixture_run(&f, &out);
    check_latencies((double[]){5, 13, 13, 18}, 4);
}

/* Two models on one GPU: the second's request came later but is of level 1. First 0-5, then the later one 5-10, then 10-15. */
Test(batches, priorities_hold_across_models)
{
    static const struct nf_trace_row slow[] = {{0, 0, 0}, {1 * MS, 0, 0}};
    static const struct nf_trace_row fast[] = {{2 * MS, 0, 0}};
    static const struct nf_batcher_spec rules = {
        .max_batch = 2, .levels = 2, .default_level = 2};
    nf_fixture_model(&f, NF_MODEL_DNN);
    f.hostings[1] = f.hostings[0];
    f.hostings[1].model = 1;
    station->hosting_count = 2;
    station->batcher = &rules;
    nf_fixture_class(&f, "slow", 0);
    nf_fixture_class(&f, "fast", 1)->priority = 1;
    nf_fixture_arrivals(&f, 0, slow, 2);
    nf_fixture_arrivals(&f, 1, fast, 1);
    nf_fixture_run(&f, &out);
    check_latencies((double[]){5, 8, 14}, 3);
}
