/* gateway_test.c - who serves what under each policy. */
#include <criterion/criterion.h>

#include <math.h>

#include "model/world_fixture.h"

static struct nf_fixture f;
static struct nf_outcome out;

/* Stations: s0 edge (1 server), s1 cloud (1 server), s2 priced; all host model 0. */
static void setup(void)
{
    nf_fixture_init(&f);
    nf_fixture_model(&f, NF_MODEL_SERVICE)->service = nf_dist_constant(1);
    nf_fixture_station(&f, NF_STATION_SERVERS, 0, 0);
    nf_fixture_station(&f, NF_STATION_SERVERS, 0, 0);
    f.stations[1].tier = NF_TIER_CLOUD;
    f.stations[1].site = -1;
    nf_fixture_station(&f, NF_STATION_PRICED, 0, 0);
    f.stations[2].tier = NF_TIER_MAAS;
    f.stations[2].site = -1;
    f.stations[2].ttft = nf_dist_constant(1);
    nf_fixture_class(&f, "load", 0);
    f.sources[0].arrivals =
        (struct nf_arrival_spec){.kind = NF_ARRIVAL_CONSTANT, .rate = 0.5};
}

static void teardown(void)
{
    nf_outcome_fini(&out);
}

TestSuite(gateway, .init = setup, .fini = teardown);

static void expect_all_at(int station)
{
    nf_fixture_run(&f, &out);
    cr_assert(f.row_count > 400);
    for (size_t i = 0; i < f.row_count; i++) {
        cr_assert_eq(f.rows[i].station, station, "request %zu went to %d", i,
                     f.rows[i].station);
    }
}

Test(gateway, a_tier_policy_uses_its_tier_only)
{
    f.spec.gateway.policy = NF_POLICY_EDGE_ONLY;
    expect_all_at(0);
    nf_outcome_fini(&out);
    f.spec.gateway.policy = NF_POLICY_CLOUD_ONLY;
    expect_all_at(1);
    nf_outcome_fini(&out);
    f.spec.gateway.policy = NF_POLICY_MAAS_ONLY;
    expect_all_at(2);
}

/* The article's three variables: an urgent small model stays, a patient one goes, a large one goes even if urgent. */
Test(gateway, the_decision_framework_asks_size_and_target)
{
    f.spec.gateway.policy = NF_POLICY_DECISION_FRAMEWORK;
    f.spec.gateway.edge_max_parameters = 7e9;
    f.spec.gateway.edge_latency_s = 0.02;
    f.models[0].parameters = 40e6;
    f.classes[0].target_latency_s = 0.01;
    expect_all_at(0);
    nf_outcome_fini(&out);
    f.classes[0].target_latency_s = 2;
    expect_all_at(1);
    nf_outcome_fini(&out);
    f.classes[0].target_latency_s = 0.01;
    f.models[0].parameters = 70e9;
    expect_all_at(1);
}

/* Residency is a hard rule: however patient the class, whatever the policy would like. */
Test(gateway, on_premises_never_leaves_its_site)
{
    f.spec.gateway.policy = NF_POLICY_DECISION_FRAMEWORK;
    f.spec.gateway.edge_max_parameters = 7e9;
    f.models[0].parameters = 70e9;
    f.classes[0].residency = NF_RESIDENCY_ON_PREMISES;
    expect_all_at(0);
    nf_outcome_fini(&out);
    f.spec.gateway.policy = NF_POLICY_LEAST_LOADED;
    f.sources[0].arrivals.rate = 1.5;
    expect_all_at(0);
}

/* Service 1 s, 4 requests together: s0 serves one; queue length 1 spills, so the second waits at s0 (0 waiting), the third sees 1 waiting
 * and goes to s1, and so does the fourth (s1 has none waiting). */
Test(gateway, spillover_takes_the_first_station_below_its_thresholds)
{
    static const struct nf_trace_row rows[] = {
        {0, 0, 0}, {1, 0, 0}, {2, 0, 0}, {3, 0, 0}, {4, 0, 0}};
    f.spec.gateway.policy = NF_POLICY_SPILLOVER;
    f.spec.gateway.spill_queue_length = 1;
    f.sources[0].arrivals = (struct nf_arrival_spec){.kind = NF_ARRIVAL_TRACE};
    nf_fixture_arrivals(&f, 0, rows, 5);
    nf_fixture_run(&f, &out);
    cr_assert_eq(out.classes[0].routes[0], 2);
    cr_assert_eq(out.classes[0].routes[1], 2);
    cr_assert_eq(out.classes[0].routes[2], 1);
}

/* queue_delay 500 ms: at 0 two come (one served, one waits); at 400 ms the oldest has waited 400 ms: stays; at 600 ms: spills. */
Test(gateway, spillover_looks_at_the_age_of_the_oldest)
{
    static const struct nf_trace_row rows[] = {
        {0, 0, 0}, {0, 0, 0}, {400000000, 0, 0}, {600000000, 0, 0}};
    f.spec.gateway.policy = NF_POLICY_SPILLOVER;
    f.spec.gateway.spill_queue_delay_s = 0.5;
    f.sources[0].arrivals = (struct nf_arrival_spec){.kind = NF_ARRIVAL_TRACE};
    nf_fixture_arrivals(&f, 0, rows, 4);
    nf_fixture_run(&f, &out);
    cr_assert_eq(out.classes[0].routes[0], 3);
    cr_assert_eq(out.classes[0].routes[1], 1);
}

/* A full queue is over, whatever the thresholds say. */
Test(gateway, spillover_passes_a_full_queue)
{
    static const struct nf_trace_row rows[] = {{0, 0, 0}, {1, 0, 0}, {2, 0, 0}};
    f.spec.gateway.policy = NF_POLICY_SPILLOVER;
    f.stations[0].queue_limit = 1;
    f.sources[0].arrivals = (struct nf_arrival_spec){.kind = NF_ARRIVAL_TRACE};
    nf_fixture_arrivals(&f, 0, rows, 3);
    nf_fixture_run(&f, &out);
    cr_assert_eq(out.classes[0].counts.outcome[NF_REJECTED], 0);
    cr_assert_eq(out.classes[0].routes[1], 1);
}

/* 80 to 20: 20 000 requests, 4.5 standard deviations are 255. */
Test(gateway, weights_split_at_random)
{
    static const double weights[] = {0.8, 0.2, 0};
    f.spec.gateway.policy = NF_POLICY_WEIGHTED;
    f.spec.gateway.weights = weights;
    f.sources[0].arrivals.rate = 20;
    f.models[0].service = nf_dist_constant(0.01);
    f.spec.write_requests = false;
    nf_fixture_run(&f, &out);
    cr_assert(fabs((double)out.classes[0].routes[0] - 16000) < 255, "%lu",
              (unsigned long)out.classes[0].routes[0]);
    cr_assert_eq(out.classes[0].routes[2], 0);
}

Test(gateway, round_robin_takes_turns)
{
    f.spec.gateway.policy = NF_POLICY_ROUND_ROBIN;
    nf_fixture_run(&f, &out);
    cr_assert(out.classes[0].routes[0] - out.classes[0].routes[2] <= 1);
    cr_assert(out.classes[0].routes[1] > 160);
}

/* ---- pools ---- */

/* HPA on utilization, target 50 %, every 10 s; one busy server of one: ratio 2, so two replicas wanted at 10 s (the first tick). The second
 * is ready 3 + 4 + 5 = 12 s later, at 22 s; until then it is paid but does not serve. */
Test(pool, a_replica_serves_after_all_its_start_up_phases)
{
    setup();
    struct nf_station_spec *s = &f.stations[1];
    f.spec.gateway.policy = NF_POLICY_CLOUD_ONLY;
    f.models[0].service = nf_dist_constant(1000);
    s->replicas_max = 2;
    s->startup_provision = nf_dist_constant(3);
    s->startup_image_pull = nf_dist_constant(4);
    s->startup_load_s = 5;
    s->price_usd_per_gpu_s = 2.0 / 3600;
    s->scaler = (struct nf_scaler_spec){.policy = NF_SCALER_HPA,
                                        .metric = NF_METRIC_UTILIZATION,
                                        .target = 0.5,
                                        .interval_s = 10,
                                        .tolerance = 0.1};
    static const struct nf_trace_row rows[] = {{0, 0, 0}, {1000000000, 0, 0}};
    f.sources[0].arrivals = (struct nf_arrival_spec){.kind = NF_ARRIVAL_TRACE};
    nf_fixture_arrivals(&f, 0, rows, 2);
    f.spec.duration = 100 * NF_SECOND;
    f.spec.series_interval = NF_SECOND;
    nf_fixture_run(&f, &out);
    for (size_t i = 0; i < f.point_count; i++) {
        if (f.points[i].station != 1) {
            continue;
        }
        nf_time t = f.points[i].at / NF_SECOND;
        uint32_t ready = t < 22 ? 1 : 2;
        uint32_t starting = t >= 10 && t < 22 ? 1 : 0;
        cr_assert_eq(f.points[i].replicas_ready, ready, "at %ld s", (long)t);
        cr_assert_eq(f.points[i].replicas_starting, starting, "at %ld s", (long)t);
        cr_assert_eq(f.points[i].queue, t < 22 ? (t < 1 ? 0 : 1) : 0, "at %ld s",
                     (long)t);
    }
    cr_assert_eq(out.stations[1].cold_starts, 1);
    cr_assert_float_eq(out.stations[1].gpu_hours, (100 + 90) / 3600.0, 1e-9);
    cr_assert_float_eq(out.cost.cloud, 190 * 2.0 / 3600, 1e-9);
    nf_outcome_fini(&out);
}

/* KPA, target 2 a replica: 10 requests that stay call for five replicas at the first decision; when they are gone the pool goes back to one
 * after the stable window, and what drains still serves. */
Test(pool, kpa_follows_concurrency_up_and_down)
{
    setup();
    struct nf_station_spec *s = &f.stations[1];
    f.spec.gateway.policy = NF_POLICY_CLOUD_ONLY;
    f.models[0].service = nf_dist_constant(30);
    s->servers = 2;
    s->replicas_max = 20;
    s->scaler = (struct nf_scaler_spec){.policy = NF_SCALER_KPA,
                                        .metric = NF_METRIC_CONCURRENCY,
                                        .target = 2,
                                        .interval_s = 2,
                                        .stable_window_s = 60,
                                        .panic_window_s = 6,
                                        .panic_threshold = 2,
                                        .max_scale_up_rate = 1000,
                                        .max_scale_down_rate = 2};
    static const struct nf_trace_row rows[] = {{1, 0, 0}, {2, 0, 0}, {3, 0, 0}, {4, 0, 0},
                                               {5, 0, 0}, {6, 0, 0}, {7, 0, 0}, {8, 0, 0},
                                               {9, 0, 0}, {10, 0, 0}};
    f.sources[0].arrivals = (struct nf_arrival_spec){.kind = NF_ARRIVAL_TRACE};
    nf_fixture_arrivals(&f, 0, rows, 10);
    f.spec.duration = 300 * NF_SECOND;
    f.spec.series_interval = NF_SECOND;
    nf_fixture_run(&f, &out);
    uint32_t most = 0;
    uint32_t last = 0;
    for (size_t i = 0; i < f.point_count; i++) {
        if (f.points[i].station == 1) {
            most = f.points[i].replicas_ready > most ? f.points[i].replicas_ready : most;
            last = f.points[i].replicas_ready;
        }
    }
    cr_assert_eq(most, 5);
    cr_assert_eq(last, 1);
    cr_assert_eq(out.classes[0].counts.outcome[NF_COMPLETED], 10);
    nf_outcome_fini(&out);
}

/* A pool at zero does not wait for the scaler: asked for at 5.3 s, ready 7 s later. */
Test(pool, a_request_wakes_a_pool_at_zero)
{
    setup();
    struct nf_station_spec *s = &f.stations[1];
    f.spec.gateway.policy = NF_POLICY_CLOUD_ONLY;
    s->replicas_min = 0;
    s->replicas_initial = 0;
    s->startup_provision = nf_dist_constant(7);
    s->scaler = (struct nf_scaler_spec){.policy = NF_SCALER_KPA,
                                        .metric = NF_METRIC_CONCURRENCY,
                                        .target = 2,
                                        .interval_s = 2,
                                        .stable_window_s = 60,
                                        .panic_window_s = 6,
                                        .panic_threshold = 2,
                                        .max_scale_up_rate = 1000,
                                        .max_scale_down_rate = 2,
                                        .zero_grace_s = 30};
    static const struct nf_trace_row rows[] = {{5300000000, 0, 0}};
    f.sources[0].arrivals = (struct nf_arrival_spec){.kind = NF_ARRIVAL_TRACE};
    nf_fixture_arrivals(&f, 0, rows, 1);
    f.spec.duration = 300 * NF_SECOND;
    nf_fixture_run(&f, &out);
    cr_assert_eq(f.rows[0].wait, 7 * NF_SECOND);
    cr_assert_eq(out.stations[1].cold_starts, 1);
    /* idle again from 13.3 s on: gone after the stable window and the grace, long before the end */
    cr_assert(out.stations[1].gpu_hours * 3600 < 200);
    nf_outcome_fini(&out);
}
