#include "experiment/theory.h"

#include <criterion/criterion.h>
#include <math.h>

static void expect_near(const char *what, double got, double want, double relative)
{
    cr_assert(fabs(got - want) <= relative * fabs(want), "%s: %.12g, expected %.12g",
              what, got, want);
}

Test(theory, mm1_agrees_with_the_textbook)
{
    /* lambda 0.9, mu 1: time in system exponential of rate 0.1, P(W > t) = 0.9 e^(-0.1 t). */
    struct nf_theory t = nf_theory_mmc(0.9, 1.0, 1);
    expect_near("time mean", t.time_mean, 10.0, 1e-12);
    expect_near("time p50", t.time_p50, log(2.0) / 0.1, 1e-10);
    expect_near("time p99", t.time_p99, log(100.0) / 0.1, 1e-10);
    expect_near("wait mean", t.wait_mean, 9.0, 1e-12);
    expect_near("wait p50", t.wait_p50, log(1.8) / 0.1, 1e-10);
    expect_near("wait p99", t.wait_p99, log(90.0) / 0.1, 1e-10);
    expect_near("queue", t.queue_mean, 8.1, 1e-12);
    expect_near("utilization", t.utilization, 0.9, 1e-12);
    cr_assert(t.loss == 0.0);
}

Test(theory, erlang_formulas_agree_with_hand_computed_values)
{
    /* a = 2, c = 4: B = (16/24) / (1 + 2 + 2 + 8/6 + 16/24) = 2/21, C = 4 B / (4 - 2 (1 - B)) = 4/23. */
    expect_near("B(2, 4)", nf_theory_erlang_b(2.0, 4), 2.0 / 21.0, 1e-14);
    expect_near("C(2, 4)", nf_theory_erlang_c(2.0, 4), 4.0 / 23.0, 1e-14);
}

Test(theory, two_tier_case_has_its_published_means)
{
    expect_near("edge", nf_theory_mmc(0.8 * 166.67, 200.0, 1).time_mean, 0.0150, 1e-3);
    expect_near("cloud", nf_theory_mmc(0.2 * 166.67, 1.0 / 0.06, 4).time_mean, 0.0652,
                1e-3);
}

Test(theory, quantiles_at_an_atom_are_zero_or_left_out)
{
    struct nf_theory four = nf_theory_mmc(2.0, 1.0, 4); /* P(W > 0) = 4/23 */
    cr_assert(four.wait_p50 == 0.0);
    cr_assert(four.wait_p99 > 0.0);
    cr_assert(isnan(nf_theory_mmc(0.5, 1.0, 1).wait_p50)); /* P(W > 0) = 1/2 */
}

Test(theory, mmc_time_in_system_holds_where_its_formula_is_singular)
{
    /* c = 2, a = 1: d = 0. P(T > t) = e^-x (1 + C x), C = 1/3. */
    double t = nf_theory_mmc(1.0, 1.0, 2).time_p99;
    expect_near("tail at p99", exp(-t) * (1.0 + t / 3.0), 0.01, 1e-9);
}

Test(theory, a_huge_room_never_loses_and_a_room_of_servers_is_erlang_b)
{
    struct nf_theory wide = nf_theory_mmck(2.385, 1.0, 3, 250);
    struct nf_theory open = nf_theory_mmc(2.385, 1.0, 3);
    expect_near("wait mean", wide.wait_mean, open.wait_mean, 1e-9);
    expect_near("wait p99", wide.wait_p99, open.wait_p99, 1e-9);
    expect_near("time p50", wide.time_p50, open.time_p50, 1e-9);
    expect_near("time p99", wide.time_p99, open.time_p99, 1e-9);
    struct nf_theory none = nf_theory_mmck(7.3, 1.0, 8, 8);
    expect_near("loss", none.loss, nf_theory_erlang_b(7.3, 8), 1e-12);
    cr_assert(none.wait_p99 == 0.0);
    expect_near("time p99", none.time_p99, log(100.0), 1e-10);
}

Test(theory, a_small_room_agrees_with_hand_computed_states)
{
    /* M/M/1/2, lambda = 0.7, mu = 1: p = (1, 0.7, 0.49) / 2.19. Accepted: empty 1/1.7, one inside 0.7/1.7. */
    struct nf_theory t = nf_theory_mmck(0.7, 1.0, 1, 2);
    expect_near("loss", t.loss, 0.49 / 2.19, 1e-12);
    expect_near("wait mean", t.wait_mean, 0.7 / 1.7, 1e-12);
    double x = t.time_p99;
    expect_near("tail at p99", exp(-x) * (1.0 + x * 0.7 / 1.7), 0.01, 1e-9);
    /* M/M/2/3, lambda = mu = 1: p is 1, 1, 1/2, 1/4; the third waits Exp(2), then stays Exp(1). */
    x = nf_theory_mmck(1.0, 1.0, 2, 3).time_p99;
    double tail = (2.0 * exp(-x) + 0.5 * (2.0 * exp(-x) - exp(-2.0 * x))) / 2.5;
    expect_near("tail at p99", tail, 0.01, 1e-9);
}

/* The stationary law of M/D/1 by brute force: W' = max(0, W + D - A), A exponential, on a fine grid of waits. With
 * G(s) = E F(s + A) the law after one more customer is F(t) = G(t - D), and G(s) = e^(lambda s) G(0) below 0. */
Test(theory, md1_wait_has_the_tail_that_its_recursion_has)
{
    enum { PER_SERVICE = 400, CELLS = 25 * PER_SERVICE };
    static double cdf[CELLS + 1];
    static double ahead[CELLS + 1];
    double rho = 0.7;
    double decay = exp(-rho / PER_SERVICE);
    for (int i = 0; i <= CELLS; i++) {
        cdf[i] = 1.0;
    }
    for (int sweep = 0; sweep < 300; sweep++) {
        ahead[CELLS] = 1.0;
        for (int i = CELLS - 1; i >= 0; i--) {
            ahead[i] = ahead[i + 1] * decay + 0.5 * (cdf[i] + cdf[i + 1]) * (1.0 - decay);
        }
        for (int i = 0; i <= CELLS; i++) {
            cdf[i] = i >= PER_SERVICE ? ahead[i - PER_SERVICE]
                                      : ahead[0] * pow(decay, PER_SERVICE - i);
        }
    }
    for (int quarter = 0; quarter < 24; quarter++) {
        double t = 0.25 * quarter;
        double want = 1.0 - cdf[quarter * PER_SERVICE / 4];
        double got = nf_theory_md1_wait_tail(rho, 1.0, t);
        cr_assert(fabs(got - want) < 2e-5, "P(W > %g) = %.8f, the recursion says %.8f", t,
                  got, want);
    }
}

Test(theory, md1_tail_integrates_to_the_mean_wait)
{
    double sum = 0.0;
    for (int i = 0; i < 30000; i++) {
        sum += 0.001 * nf_theory_md1_wait_tail(0.8, 1.0, 0.001 * (i + 0.5));
    }
    expect_near("mean wait", sum, nf_theory_md1(0.8, 1.0).wait_mean, 1e-3);
}

Test(theory, lognormal_service_waits_by_pollaczek_khinchine)
{
    /* rho = 0.5, mean 1, cv 2: 0.5 * 5 / (2 * 0.5) = 2.5. */
    struct nf_theory t = nf_theory_mg1(0.5, 1.0, 2.0);
    expect_near("wait", t.wait_mean, 2.5, 1e-12);
    cr_assert(isnan(t.wait_p99));
}

Test(theory, dm1_root_satisfies_its_equation)
{
    double gap = 1.25;
    struct nf_theory t = nf_theory_dm1(gap, 1.0);
    double sigma = t.wait_mean / (1.0 + t.wait_mean);
    expect_near("sigma", sigma, exp(-gap * (1.0 - sigma)), 1e-12);
    expect_near("time p99", t.time_p99, log(100.0) / (1.0 - sigma), 1e-9);
    cr_assert(t.wait_mean < nf_theory_mmc(0.8, 1.0, 1).wait_mean);
}

Test(theory, a_batch_of_one_is_md1)
{
    expect_near("wait", nf_theory_batch_wait_mean(0.8, 1, 1.0), 2.0, 1e-9);
    expect_near("wait", nf_theory_fixed_batch(0.8, 1, 1.0).wait_mean, 2.0, 1e-9);
}

Test(theory, full_batches_wait_as_mdc_customers)
{
    /* Published M/D/2 at rho = 0.8: mean wait / D about 0.9 (M/M/2: 16/9; ratio about 0.507, Tijms table 9.6.1). */
    double wait = nf_theory_batch_wait_mean(1.6, 2, 1.0);
    double mm2 = nf_theory_mmc(1.6, 1.0, 2).wait_mean;
    cr_assert(wait / mm2 > 0.50 && wait / mm2 < 0.515, "ratio %.6f", wait / mm2);
}
