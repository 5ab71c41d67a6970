/* report_test.c - aggregation by hand: the fixture's numbers are simple, so the expected ones are written out here. */
#include "results/report.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "results/fixture.h"

#define NEAR(a, b)                                                                       \
    cr_assert(fabs((a) - (b)) <= 1e-12 * fabs(b), "%s = %.17g, not %.17g", #a,           \
              (double)(a), (double)(b))

static struct nf_arena arena;
static struct nf_world_spec *spec;
static struct nf_outcome outcomes[3];

static void setup(void)
{
    struct nf_sinks none = {0};
    nf_arena_init(&arena);
    spec = fixture_spec(3, &arena);
    for (uint32_t r = 0; r < 3; r++) {
        fixture_run(spec, r, 2011 + 100 * r, 0, &none, &outcomes[r]);
    }
}

static void teardown(void)
{
    for (int r = 0; r < 3; r++) {
        nf_outcome_fini(&outcomes[r]);
    }
    nf_arena_fini(&arena);
}

TestSuite(report, .init = setup, .fini = teardown);

Test(report, copies_of_a_site_are_one_group)
{
    uint32_t group_of[4];
    cr_assert_eq(nf_report_groups(spec, group_of), 3);
    cr_assert(group_of[0] == 0 && group_of[1] == 0 && group_of[2] == 1 &&
              group_of[3] == 2);
}

Test(report, station_metrics_average_or_sum_over_copies)
{
    struct nf_report r;
    nf_report_make(&r, spec, outcomes, 3, &arena);
    const struct nf_group_report *shop = &r.groups[0];
    cr_assert_str_eq(shop->name, "shop-gpu");
    cr_assert_eq(shop->copies, 2);
    cr_assert_eq(r.group_count, 3);
    /* replication r: copies 0.1 + 0.01 r and 0.2 + 0.01 r; mean 0.15 + 0.01 r; over r = 0, 1, 2: 0.16 */
    NEAR(shop->utilization.value, 0.16);
    /* s = 0.01, t(2, 0.975) = 4.302652729911275, so half width = t s / sqrt(3) */
    cr_assert_float_eq(shop->utilization.half_width, 4.302652729911275 * 0.01 / sqrt(3),
                       1e-9);
    NEAR(shop->gpu_hours.value, 0.95 + 1.9);
    NEAR(shop->energy_kwh.value, 0.07 + 0.14);
    NEAR(shop->cost_usd.value, 0.2 + 0.4 + 2 * 0.01);
    /* only copy 0 has batches: 3 + r */
    NEAR(shop->batch_mean.value, 4.0);
    NEAR(r.groups[1].replicas_max.value, 10.0);
    NEAR(r.groups[1].cold_starts.value, 9.0);
    cr_assert(isnan(r.groups[2].batch_mean.value));
    cr_assert(!r.groups[0].is_saturated && r.groups[1].is_saturated &&
              !r.groups[2].is_saturated);
}

Test(report, counts_are_summed_and_statistics_averaged)
{
    struct nf_report r;
    nf_report_make(&r, spec, outcomes, 3, &arena);
    uint64_t offered = 0;
    uint64_t routes = 0;
    double p99 = 0;
    for (int k = 0; k < 3; k++) {
        offered += outcomes[k].classes[0].counts.offered;
        routes += outcomes[k].classes[0].routes[0] + outcomes[k].classes[0].routes[1];
        p99 += outcomes[k].classes[0].time_s[NF_LATENCY][NF_P99];
    }
    cr_assert_eq(r.classes[0].counts.offered, offered);
    cr_assert_eq(r.classes[0].routes[0], routes);
    cr_assert_eq(r.counts.offered, 3 * 2011 + 300 + 3 * 6);
    NEAR(r.classes[0].time_s[NF_LATENCY][NF_P99].value, p99 / 3);
    cr_assert(isnan(r.classes[0].time_s[NF_TTFT][NF_P50].value),
              "cameras have no tokens");
    uint64_t in_bins = 0;
    for (size_t b = 0; b < r.classes[0].latency.count; b++) {
        in_bins += r.classes[0].latency.n[b];
    }
    cr_assert_eq(in_bins, r.classes[0].counts.outcome[NF_COMPLETED]);
}

Test(report, one_replication_has_batch_means_for_mean_times_only)
{
    struct nf_report r;
    nf_report_make(&r, spec, &outcomes[1], 1, &arena);
    NEAR(r.classes[0].time_s[NF_LATENCY][NF_MEAN].half_width, 0.0625);
    NEAR(r.classes[1].time_s[NF_TPOT][NF_MEAN].half_width, 0.3125);
    cr_assert(isnan(r.classes[0].time_s[NF_LATENCY][NF_P99].half_width));
    cr_assert(isnan(r.groups[0].utilization.half_width));
    cr_assert(isnan(r.cost.total.half_width));
}

Test(report, objectives_bound_times_from_above_and_shares_from_below)
{
    struct nf_report r;
    nf_report_make(&r, spec, outcomes, 3, &arena);
    cr_assert_eq(r.sla_count, 4);
    cr_assert(r.sla[0].is_time && !r.sla[1].is_time);
    NEAR(r.sla[0].value.value, r.classes[0].time_s[NF_LATENCY][NF_P99].value);
    NEAR(r.sla[1].value.value, r.classes[0].availability.value);
    double p97 = 0;
    for (int k = 0; k < 3; k++) {
        p97 += nf_histogram_quantile(&outcomes[k].classes[1].times[NF_TTFT], 0.97) * 1e-9;
    }
    NEAR(r.sla[2].value.value, p97 / 3);
    for (size_t i = 0; i < 4; i++) {
        double value = r.sla[i].value.value;
        bool met = r.sla[i].is_time ? value <= r.sla[i].bound : value >= r.sla[i].bound;
        cr_assert_eq(r.sla[i].is_met, met, "%s", r.sla[i].text);
    }
    ((struct nf_sla_spec *)spec->slas)[1].bound = 0.999999;
    nf_report_make(&r, spec, outcomes, 3, &arena);
    cr_assert(!r.sla[1].is_met && !nf_report_meets_sla(&r));
}

Test(report, a_value_that_does_not_exist_meets_no_bound)
{
    struct nf_report r;
    for (int k = 0; k < 3; k++) {
        outcomes[k].classes[0].time_s[NF_LATENCY][NF_P99] = (double)NAN;
    }
    nf_report_make(&r, spec, outcomes, 3, &arena);
    cr_assert(isnan(r.sla[0].value.value) && !r.sla[0].is_met);
}
