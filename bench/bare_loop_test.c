#include "bench/bare_loop.h"

#include <criterion/criterion.h>

/* Successive times in system are strongly correlated: by the order of magnitude 2 (1 + rho) / (1 - rho)^2 = 380 (Whitt 1989,
 * Planning queueing simulations, Management Science 35(11)) the standard error here is 10 s * sqrt(380 / n) = 0.14 s. */
Test(bare_loop, mm1_meets_its_formula)
{
    enum { REQUESTS = 2000000 };
    struct nf_bare_result r = nf_bare_mm1(REQUESTS, 7);
    cr_assert_eq(r.requests, REQUESTS);
    cr_assert_float_eq(r.mean_s[0], 10.0, 0.5, "mean %g s", r.mean_s[0]);
    cr_assert_float_eq(r.simulated_s, REQUESTS / 0.9, 0.01 * REQUESTS / 0.9);
}

/* Edge: M/M/1 with rho = 0.66668, 5 ms / (1 - rho) + 1 ms = 16.0 ms. Cloud: M/M/4 with 2.00004 Erlang: Erlang C = 0.17392, wait
 * 0.17392 * 60 ms / (4 - 2.00004) = 5.22 ms; 60 + 5.22 + 20 = 85.2 ms. */
Test(bare_loop, two_tier_meets_its_formulas)
{
    enum { REQUESTS = 1000000 };
    struct nf_bare_result r = nf_bare_two_tier(REQUESTS, 7);
    cr_assert_eq(r.requests, REQUESTS);
    cr_assert_float_eq((double)r.count[0] / REQUESTS, 0.8, 0.002);
    cr_assert_float_eq(r.mean_s[0], 16.0e-3, 0.2e-3, "edge %g s", r.mean_s[0]);
    cr_assert_float_eq(r.mean_s[1], 85.22e-3, 0.6e-3, "cloud %g s", r.mean_s[1]);
}

Test(bare_loop, another_seed_is_another_run)
{
    cr_assert_eq(nf_bare_mm1(1000, 3).mean_s[0], nf_bare_mm1(1000, 3).mean_s[0]);
    cr_assert_neq(nf_bare_mm1(1000, 3).mean_s[0], nf_bare_mm1(1000, 4).mean_s[0]);
}
