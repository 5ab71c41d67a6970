#include "bench/world_case.h"

#include <criterion/criterion.h>

#include "model/outcome.h"

static struct nf_bench_world b;
static struct nf_outcome out;

/* The formulas and standard errors are those of bare_loop_test.c; the station's own clock leaves the links out: 15.0 and 65.2 ms. */
Test(world_case, mm1_meets_its_formula)
{
    enum { REQUESTS = 2000000 };
    nf_bench_world_mm1(&b, REQUESTS);
    nf_world_run(&b.spec, 0, NULL, &out);
    cr_assert_float_eq((double)out.counts.offered, REQUESTS, 0.005 * REQUESTS);
    cr_assert_float_eq(out.classes[0].time_s[NF_LATENCY][NF_MEAN], 10.0, 0.5, "mean %g s",
                       out.classes[0].time_s[NF_LATENCY][NF_MEAN]);
    cr_assert_float_eq(out.stations[0].utilization, 0.9, 0.01);
    nf_outcome_fini(&out);
}

Test(world_case, two_tier_meets_its_formulas)
{
    enum { REQUESTS = 1000000 };
    nf_bench_world_two_tier(&b, REQUESTS);
    nf_world_run(&b.spec, 0, NULL, &out);
    double edge = out.stations[0].sojourn_mean_s, cloud = out.stations[1].sojourn_mean_s;
    double share =
        (double)out.stations[0].arrivals / (double)out.classes[0].counts.offered;
    cr_assert_float_eq(share, 0.8, 0.002);
    cr_assert_float_eq(edge, 15.0e-3, 0.2e-3, "edge %g s", edge);
    cr_assert_float_eq(cloud, 65.22e-3, 0.6e-3, "cloud %g s", cloud);
    cr_assert_float_eq(out.classes[0].time_s[NF_NETWORK][NF_MEAN],
                       0.8 * 1e-3 + 0.2 * 20e-3, 5e-5);
    nf_outcome_fini(&out);
}
