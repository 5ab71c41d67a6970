/* traffic_test.c - arrival processes against their theory, and whose draws depend on whom. */
#include <criterion/criterion.h>

#include <math.h>
#include <string.h>

#include "model/world_fixture.h"

static struct nf_fixture f;
static struct nf_outcome out;

static void setup(void)
{
    nf_fixture_init(&f);
    nf_fixture_model(&f, NF_MODEL_SERVICE)->service = nf_dist_exponential(0.4);
    nf_fixture_station(&f, NF_STATION_SERVERS, 0, 0)->servers = 1000;
    nf_fixture_class(&f, "load", 0);
}

static void teardown(void)
{
    nf_outcome_fini(&out);
}

TestSuite(traffic, .init = setup, .fini = teardown);

static double offered(void)
{
    nf_fixture_run(&f, &out);
    return (double)out.counts.offered;
}

/* 40 000 expected; 4.5 standard deviations are 900. */
Test(traffic, poisson_counts_have_their_mean)
{
    f.spec.duration = 10007 * NF_SECOND;
    f.sources[0].arrivals =
        (struct nf_arrival_spec){.kind = NF_ARRIVAL_POISSON, .rate = 3.997};
    double expected = 3.997 * 10007;
    cr_assert(fabs(offered() - expected) < 4.5 * sqrt(expected));
}

/* 2.5 a second for 999.9 s: at 0.4, 0.8, ... 999.6: 2499. */
Test(traffic, constant_arrivals_come_every_1_over_rate)
{
    f.spec.duration = 9999 * NF_SECOND / 10;
    f.sources[0].arrivals =
        (struct nf_arrival_spec){.kind = NF_ARRIVAL_CONSTANT, .rate = 2.5};
    cr_assert_eq(offered(), 2499);
    double first_s = (double)f.rows[0].arrival * 1e-9;
    cr_assert_float_eq(fmod(first_s + 0.2, 0.4), 0.2, 1e-9);
}

/* Mean rate of an MMPP: sum of rate times dwell over the sum of dwells = (1*40 + 30*8)/48 = 5.8333/s. The count's variance is far above
 * Poisson: over 48 000 s there are 1000 cycles, each with a standard deviation of about (40^2 + 240^2)^(1/2) = 243 requests. */
Test(traffic, mmpp_has_its_mean_rate_and_is_bursty)
{
    static const struct nf_mmpp_state states[] = {{1, 40}, {30, 8}};
    f.spec.duration = 48000 * NF_SECOND;
    f.sources[0].arrivals = (struct nf_arrival_spec){
        .kind = NF_ARRIVAL_MMPP, .states = states, .state_count = 2};
    double n = offered();
    double expected = 280.0 / 48 * 48000;
    cr_assert(fabs(n - expected) < 4 * 243 * sqrt(1000), "%g of %g", n, expected);
    cr_assert(fabs(n - expected) > 0);
}

/* Exponential interpolation from 10 to 10 000 a minute in 300 s: integral = (b - a) T / ln(b/a) = 166.5 * 300 / ln(1000) = 7231. */
Test(traffic, nhpp_follows_its_profile)
{
    static const struct nf_rate_point profile[] = {
        {0, 10.0 / 60}, {300, 10000.0 / 60}, {400, 10000.0 / 60}, {500, 0}};
    f.sources[0].arrivals =
        (struct nf_arrival_spec){.kind = NF_ARRIVAL_NHPP,
                                 .interpolation = NF_INTERP_EXPONENTIAL,
                                 .profile = profile,
                                 .profile_count = 3};
    f.spec.duration = 300 * NF_SECOND;
    double expected = (10000.0 / 60 - 10.0 / 60) * 300 / log(1000);
    double n = offered();
    cr_assert(fabs(n - expected) < 4.5 * sqrt(expected), "%g of %g", n, expected);
    nf_outcome_fini(&out);
    f.spec.duration = 600 * NF_SECOND;
    f.sources[0].arrivals.interpolation = NF_INTERP_LINEAR;
    f.sources[0].arrivals.profile_count = 4;
    expected = (10000.0 + 10) / 120 * 300 + 10000.0 / 60 * 100 + 10000.0 / 120 * 100;
    n = offered();
    cr_assert(fabs(n - expected) < 4.5 * sqrt(expected), "%g of %g", n, expected);
}

/* ---- common random numbers ---- */

static struct nf_row before[NF_FIXTURE_ROWS];

static void run_first_class(void)
{
    f.spec.duration = 300 * NF_SECOND;
    f.sources[0].arrivals =
        (struct nf_arrival_spec){.kind = NF_ARRIVAL_POISSON, .rate = 7.3};
    nf_fixture_run(&f, &out);
}

static void expect_same_first_class(void)
{
    size_t k = 0;
    cr_assert(f.row_count < NF_FIXTURE_ROWS);
    for (size_t i = 0; i < f.row_count; i++) {
        if (f.rows[i].class_ix == 0) {
            cr_assert_eq(f.rows[i].arrival, before[k].arrival);
            cr_assert_eq(f.rows[i].service, before[k].service);
            k++;
        }
    }
    cr_assert(k > 2000);
}

Test(traffic, an_idle_node_changes_no_draw)
{
    run_first_class();
    memcpy(before, f.rows, sizeof(before));
    uint64_t trajectory = out.trajectory;
    nf_outcome_fini(&out);
    nf_fixture_model(&f, NF_MODEL_SERVICE);
    nf_fixture_station(&f, NF_STATION_SERVERS, 1, 0);
    run_first_class();
    expect_same_first_class();
    cr_assert_eq(out.trajectory, trajectory);
}

Test(traffic, a_second_class_changes_no_draw_of_the_first)
{
    run_first_class();
    memcpy(before, f.rows, sizeof(before));
    nf_outcome_fini(&out);
    nf_fixture_class(&f, "more", 0);
    f.sources[1].arrivals =
        (struct nf_arrival_spec){.kind = NF_ARRIVAL_POISSON, .rate = 5.1};
    run_first_class();
    expect_same_first_class();
    cr_assert(out.classes[1].counts.offered > 1000);
}

Test(traffic, another_seed_or_replication_gives_another_run)
{
    run_first_class();
    uint64_t first = out.trajectory;
    nf_outcome_fini(&out);
    run_first_class();
    cr_assert_eq(out.trajectory, first);
    nf_outcome_fini(&out);
    f.spec.seed++;
    run_first_class();
    cr_assert_neq(out.trajectory, first);
    f.spec.seed--;
    nf_outcome_fini(&out);
    nf_world_run(&f.spec, 1, NULL, &out);
    cr_assert_neq(out.trajectory, first);
}

/* The same requests, whatever the policy does with them: sizes and stages are drawn at arrival. */
Test(traffic, two_policies_see_the_same_requests)
{
    nf_fixture_station(&f, NF_STATION_SERVERS, 0, 0.2)->servers = 1000;
    f.stations[1].tier = NF_TIER_CLOUD;
    run_first_class();
    memcpy(before, f.rows, sizeof(before));
    nf_outcome_fini(&out);
    f.spec.gateway.policy = NF_POLICY_CLOUD_ONLY;
    run_first_class();
    cr_assert_eq(f.rows[0].station, 1);
    expect_same_first_class();
}

/* ---- clients that wait for their answers ---- */

/* Three clients, one server of 1 s, no thinking: after the first round each waits for the two others, 3 s a request. */
Test(traffic, clients_without_thought_take_turns)
{
    f.stations[0].servers = 1;
    f.models[0].service = nf_dist_constant(1);
    f.spec.duration = 1000 * NF_SECOND;
    f.sources[0].arrivals =
        (struct nf_arrival_spec){.kind = NF_ARRIVAL_CLOSED, .clients = 3, .requests = 20};
    f.sources[0].arrivals.think = nf_dist_constant(0);
    nf_fixture_run(&f, &out);
    cr_assert_eq(out.counts.outcome[NF_COMPLETED], 20);
    cr_assert_eq(f.row_count, 20);
    for (size_t i = 0; i < 20; i++) {
        nf_time expected = (nf_time)(i < 3 ? i + 1 : 3) * NF_SECOND;
        cr_assert_eq(f.rows[i].latency, expected, "request %zu", i);
    }
}

/* The machine repairman (M/M/1//N; Kleinrock 1975, section 3.8): N = 4 clients, thinking 3 s, served 1 s in the mean.
 * p0 = 1/sum N!/(N-k)! (1/3)^k = 1/(1 + 4/3 + 12/9 + 24/27 + 24/81) = 0.206107; throughput 1 - p0 a second. */
Test(traffic, thinking_clients_are_the_machine_repairman)
{
    f.stations[0].servers = 1;
    f.models[0].service = nf_dist_exponential(1);
    f.spec.duration = 40000 * NF_SECOND;
    f.sources[0].arrivals =
        (struct nf_arrival_spec){.kind = NF_ARRIVAL_CLOSED, .clients = 4};
    f.sources[0].arrivals.think = nf_dist_exponential(3);
    nf_fixture_run(&f, &out);
    cr_assert_float_eq(out.stations[0].utilization, 1 - 0.206107, 0.012);
}
