#include "perf/pnorm.h"

#include <criterion/criterion.h>
#include <math.h>

Test(pnorm, is_a_plain_sum_for_p_1)
{
    struct nf_pnorm n;
    nf_pnorm_init(&n, 1);
    cr_assert_float_eq(nf_pnorm(&n, 0.37, 1.91), 2.28, 1e-15);
    cr_assert_float_eq(nf_pnorm(&n, 1.91, 0.37), 2.28, 1e-15);
}

Test(pnorm, zero_leaves_the_other_term)
{
    struct nf_pnorm n;
    nf_pnorm_init(&n, 3.2);
    cr_assert_eq(nf_pnorm(&n, 0, 0), 0);
    cr_assert_eq(nf_pnorm(&n, 0, 0.7), 0.7);
    cr_assert_eq(nf_pnorm(&n, 0.7, 0), 0.7);
}

Test(pnorm, equal_terms_give_the_pth_root_of_two)
{
    struct nf_pnorm n;
    nf_pnorm_init(&n, 2);
    cr_assert_float_eq(nf_pnorm(&n, 3, 3), 3 * sqrt(2.0), 1e-12);
}

Test(pnorm, stays_within_the_stated_error_of_pow)
{
    const double exponents[] = {1, 1.05, 1.2, 1.5, 1.7, 2, 2.2, 3.2, 4.7, 7.4, 20};
    for (size_t k = 0; k < sizeof exponents / sizeof exponents[0]; k++) {
        double p = exponents[k], worst = 0;
        struct nf_pnorm n;
        nf_pnorm_init(&n, p);
        for (int i = 0; i <= 30011; i++) {
            double r = i / 30011.0;
            double exact = pow(1 + pow(r, p), 1 / p);
            worst = fmax(worst, fabs(nf_pnorm(&n, r * 1e-6, 1e-6) / (exact * 1e-6) - 1));
            worst = fmax(worst, fabs(nf_pnorm(&n, 17.0, r * 17.0) / (exact * 17.0) - 1));
        }
        cr_assert(worst < 2.5e-4, "p = %g: %g", p, worst);
    }
}

Test(pnorm, never_falls_when_a_term_grows)
{
    struct nf_pnorm n;
    nf_pnorm_init(&n, 1.7);
    double before = 0;
    for (int i = 0; i < 5000; i++) {
        double t = nf_pnorm(&n, i * 1e-3, 1.3);
        cr_assert(t >= before, "falls at %d", i);
        before = t;
    }
}
