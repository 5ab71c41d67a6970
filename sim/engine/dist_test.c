#include "engine/dist.h"

#include <criterion/criterion.h>
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/goodness_test.h"

enum { DRAWS = 300000 };
static const uint64_t SEED = 60013;

static double cdf_of(double x, const void *parameters)
{
    const struct nf_dist *d = parameters;
    x -= d->shift;
    switch (d->kind) {
    case NF_DIST_UNIFORM:
        return gsl_cdf_flat_P(x, d->a, d->b);
    case NF_DIST_EXPONENTIAL:
        return gsl_cdf_exponential_P(x, d->a);
    case NF_DIST_LOGNORMAL:
        return gsl_cdf_lognormal_P(x, d->a, d->b);
    case NF_DIST_GAMMA:
        return gsl_cdf_gamma_P(x, d->a, d->b);
    case NF_DIST_WEIBULL:
        return gsl_cdf_weibull_P(x, d->a, d->b);
    case NF_DIST_PARETO:
        return gsl_cdf_pareto_P(x, d->b, d->a);
    case NF_DIST_HYPEREXPONENTIAL:
        return d->a * gsl_cdf_exponential_P(x, d->b) +
               (1 - d->a) * gsl_cdf_exponential_P(x, d->c);
    case NF_DIST_MIXTURE: {
        double sum = 0;
        for (size_t i = 0; i < d->part_count; i++) {
            double weight = d->weights[i] - (i == 0 ? 0 : d->weights[i - 1]);
            sum += weight * cdf_of(x, &d->parts[i]);
        }
        return sum;
    }
    default:
        cr_assert_fail("no CDF for %s", nf_dist_name(d->kind));
        return 0;
    }
}

static double *draw(const struct nf_dist *d)
{
    struct nf_stream s;
    double *x = nf_mem_resize(NULL, DRAWS, sizeof *x);
    nf_stream_init(&s, SEED, 0, nf_dist_name(d->kind));
    for (int i = 0; i < DRAWS; i++) {
        x[i] = nf_dist_sample(d, &s);
    }
    return x;
}

static double mean_of(const double *x)
{
    double sum = 0;
    for (int i = 0; i < DRAWS; i++) {
        sum += x[i];
    }
    return sum / DRAWS;
}

static double cv_of(const double *x)
{
    double mean = mean_of(x), sum = 0;
    for (int i = 0; i < DRAWS; i++) {
        sum += (x[i] - mean) * (x[i] - mean);
    }
    return sqrt(sum / DRAWS) / mean;
}

/* The whole shape, and the stated mean (finite variance: within 4 standard errors of the sample). */
static void check_shape(const struct nf_dist *d)
{
    double *x = draw(d);
    double mean = mean_of(x), error = fabs(mean) * cv_of(x) / sqrt(DRAWS);
    double p = nf_goodness_ks(x, DRAWS, cdf_of, d);
    printf("%s, seed %llu: mean %g (exact %g), KS p = %.3f\n", nf_dist_name(d->kind),
           (unsigned long long)SEED, mean, d->mean, p);
    cr_assert_float_eq(mean, d->mean, 4 * error, "%s: mean %g, exact %g",
                       nf_dist_name(d->kind), mean, d->mean);
    cr_assert(p > P_MIN, "%s: KS p = %g", nf_dist_name(d->kind), p);
    nf_mem_free(x);
}

/* The same, and the cv within 3 %. */
static void check_shape_and_cv(const struct nf_dist *d, double mean, double cv)
{
    check_shape(d);
    double *x = draw(d);
    cr_assert_float_eq(d->mean, mean, 1e-12 * mean);
    cr_assert_float_eq(cv_of(x), cv, 0.03 * cv, "%s: cv %g, wanted %g",
                       nf_dist_name(d->kind), cv_of(x), cv);
    nf_mem_free(x);
}

Test(dist, names_every_kind)
{
    const char *const *names = nf_dist_names();
    for (int kind = 0; kind < NF_DIST_KINDS; kind++) {
        cr_assert_str_eq(names[kind], nf_dist_name((enum nf_dist_kind)kind));
    }
    cr_assert_null(names[NF_DIST_KINDS]);
    cr_assert_str_eq(nf_dist_name(NF_DIST_HYPEREXPONENTIAL), "hyperexponential");
    cr_assert_str_eq(nf_dist_name(NF_DIST_MIXTURE), "mixture");
}

Test(dist, constant_is_constant)
{
    struct nf_stream s;
    struct nf_dist d = nf_dist_constant(0.0123);
    nf_stream_init(&s, SEED, 0, "constant");
    cr_assert_eq(nf_dist_sample(&d, &s), 0.0123);
    cr_assert_eq(d.mean, 0.0123);
    cr_assert_eq(s.next, NF_STREAM_BUFFER, "a constant draws nothing");
}

Test(dist, simple_kinds_follow_their_laws)
{
    const char *why = NULL;
    struct nf_dist d = nf_dist_exponential(2.385);
    check_shape_and_cv(&d, 2.385, 1);
    cr_assert(nf_dist_uniform(&d, -1.7, 4.1, &why));
    check_shape(&d);
    cr_assert_float_eq(d.mean, 1.2, 1e-15);
    cr_assert(nf_dist_pareto(&d, 0.31, 3.7, &why));
    check_shape(&d);
    cr_assert_float_eq(d.mean, 0.31 * 3.7 / 2.7, 1e-15);
    cr_assert(nf_dist_pareto(&d, 0.31, 1, &why));
    cr_assert(isinf(d.mean) && d.mean > 0);
}

Test(dist, moments_are_those_asked_for)
{
    const char *why = NULL;
    struct nf_dist d;
    cr_assert(nf_dist_lognormal_moments(&d, 0.06, 0.7, &why));
    check_shape_and_cv(&d, 0.06, 0.7);
    cr_assert_float_eq(exp(d.a + d.b * d.b / 2), 0.06, 1e-15);
    static const double gamma_cv[] = {0.13, 0.7, 1.9};
    for (int i = 0; i < 3; i++) {
        cr_assert(nf_dist_gamma(&d, 7.3, gamma_cv[i], &why));
        check_shape_and_cv(&d, 7.3, gamma_cv[i]);
    }
    static const double weibull_cv[] = {0.21, 0.97, 1.8};
    for (int i = 0; i < 3; i++) {
        cr_assert(nf_dist_weibull(&d, 31.7, weibull_cv[i], &why));
        check_shape_and_cv(&d, 31.7, weibull_cv[i]);
    }
    static const double hyper_cv[] = {1, 1.4, 3.1};
    for (int i = 0; i < 3; i++) {
        cr_assert(nf_dist_hyperexponential(&d, 0.9, hyper_cv[i], &why));
        check_shape_and_cv(&d, 0.9, hyper_cv[i]);
        cr_assert_float_eq(d.a * d.b, (1 - d.a) * d.c, 1e-12, "balanced means");
    }
}

/* Shape 1 is the exponential distribution, shape 2 the Rayleigh distribution with cv = sqrt(4 / pi - 1). */
Test(dist, weibull_finds_the_shape_of_known_cases)
{
    const char *why = NULL;
    struct nf_dist d;
    cr_assert(nf_dist_weibull(&d, 5, 1, &why));
    cr_assert_float_eq(d.b, 1, 1e-12);
    cr_assert_float_eq(d.a, 5, 1e-11);
    cr_assert(nf_dist_weibull(&d, 5, sqrt(4 / acos(-1.0) - 1), &why));
    cr_assert_float_eq(d.b, 2, 1e-12);
}

Test(dist, lognormal_hits_its_median_and_p99)
{
    const char *why = NULL;
    struct nf_dist d;
    cr_assert(nf_dist_lognormal_quantiles(&d, 0.4, 2.0, &why));
    cr_assert_float_eq(gsl_cdf_lognormal_P(0.4, d.a, d.b), 0.5, 1e-14);
    cr_assert_float_eq(gsl_cdf_lognormal_P(2.0, d.a, d.b), 0.99, 1e-14);
    /* sigma = ln 5 / 2.3263478740408408 = 0.69183, mean = 0.4 exp(sigma^2 / 2) */
    cr_assert_float_eq(d.mean, 0.50815, 1e-5);
    check_shape(&d);
}

/* P(X = 0) = Phi(-0.5 / 0.8) = 0.26599, the rest is the normal density; mean = 0.5 Phi(0.625) + 0.8 phi(0.625). */
Test(dist, normal_turns_negative_draws_into_zero)
{
    const char *why = NULL;
    struct nf_dist d;
    cr_assert(nf_dist_normal(&d, 0.5, 0.8, &why));
    double *x = draw(&d), zeros = 0;
    for (int i = 0; i < DRAWS; i++) {
        cr_assert(x[i] >= 0);
        zeros += x[i] == 0;
    }
    cr_assert_float_eq(zeros / DRAWS, 0.26599, 4 * 0.44 / sqrt(DRAWS));
    cr_assert_float_eq(d.mean, 0.62953, 1e-5);
    cr_assert_float_eq(mean_of(x), d.mean, 4 * 0.6 / sqrt(DRAWS));
    nf_mem_free(x);
}

Test(dist, empirical_interpolates_between_its_quantiles)
{
    static const double p[] = {0.1, 0.5, 0.9}, v[] = {3, 7, 31};
    const char *why = NULL;
    struct nf_arena arena;
    struct nf_dist d;
    nf_arena_init(&arena);
    cr_assert(nf_dist_empirical(&d, 3, p, v, &arena, &why));
    cr_assert_float_eq(d.mean, 0.1 * 3 + 0.4 * 5 + 0.4 * 19 + 0.1 * 31, 1e-14);
    double *x = draw(&d), at_min = 0, below_7 = 0, below_19 = 0;
    for (int i = 0; i < DRAWS; i++) {
        cr_assert(x[i] >= 3 && x[i] <= 31);
        at_min += x[i] == 3;
        below_7 += x[i] < 7;
        below_19 += x[i] < 19;
    }
    double error = 4 * 0.5 / sqrt(DRAWS);
    cr_assert_float_eq(at_min / DRAWS, 0.1, error);
    cr_assert_float_eq(below_7 / DRAWS, 0.5, error);
    cr_assert_float_eq(below_19 / DRAWS, 0.7, error);
    cr_assert_float_eq(mean_of(x), d.mean, 4 * 10 / sqrt(DRAWS));
    nf_mem_free(x);
    nf_arena_fini(&arena);
}

static struct nf_dist example_mixture(struct nf_arena *arena)
{
    static const double weights[] = {3, 1, 2};
    const char *why = NULL;
    struct nf_dist parts[3], d;
    parts[0] = nf_dist_shifted(nf_dist_exponential(0.7), 0.3);
    cr_assert(nf_dist_gamma(&parts[1], 2.5, 0.4, &why));
    cr_assert(nf_dist_lognormal_moments(&parts[2], 0.9, 0.5, &why));
    cr_assert(nf_dist_mixture(&d, 3, parts, weights, arena, &why));
    return d;
}

Test(dist, mixture_weighs_its_parts)
{
    struct nf_arena arena;
    nf_arena_init(&arena);
    struct nf_dist d = example_mixture(&arena);
    cr_assert_float_eq(d.mean, (3 * 1.0 + 2.5 + 2 * 0.9) / 6, 1e-15);
    check_shape(&d);
    nf_arena_fini(&arena);
}

/* The same stream gives the same draws times the factor. */
static void check_scaled(struct nf_dist d, struct nf_arena *arena)
{
    struct nf_stream s, t;
    d = nf_dist_shifted(d, 0.17);
    struct nf_dist half = nf_dist_scaled(d, 0.5, arena);
    nf_stream_init(&s, SEED, 0, "scaled");
    nf_stream_init(&t, SEED, 0, "scaled");
    cr_assert_float_eq(half.mean, d.mean / 2, 1e-14 * fabs(d.mean));
    for (int i = 0; i < 1000; i++) {
        double whole = nf_dist_sample(&d, &s), scaled = nf_dist_sample(&half, &t);
        cr_assert_float_eq(scaled, whole / 2, 1e-13 * whole, "%s: %g and %g",
                           nf_dist_name(d.kind), whole, scaled);
    }
}

Test(dist, scaled_scales_every_draw_of_every_kind)
{
    static const double p[] = {0.2, 1}, v[] = {3, 7};
    const char *why = NULL;
    struct nf_arena arena;
    struct nf_dist d;
    nf_arena_init(&arena);
    check_scaled(nf_dist_constant(2.385), &arena);
    check_scaled(nf_dist_exponential(2.385), &arena);
    cr_assert(nf_dist_uniform(&d, 0.3, 4.1, &why));
    check_scaled(d, &arena);
    cr_assert(nf_dist_normal(&d, 0.3, 0.4, &why));
    check_scaled(d, &arena);
    cr_assert(nf_dist_lognormal_moments(&d, 0.3, 1.4, &why));
    check_scaled(d, &arena);
    cr_assert(nf_dist_gamma(&d, 0.3, 1.4, &why));
    check_scaled(d, &arena);
    cr_assert(nf_dist_weibull(&d, 0.3, 1.4, &why));
    check_scaled(d, &arena);
    cr_assert(nf_dist_pareto(&d, 0.3, 1.4, &why));
    check_scaled(d, &arena);
    cr_assert(nf_dist_hyperexponential(&d, 0.3, 1.4, &why));
    check_scaled(d, &arena);
    cr_assert(nf_dist_empirical(&d, 2, p, v, &arena, &why));
    check_scaled(d, &arena);
    check_scaled(example_mixture(&arena), &arena);
    nf_arena_fini(&arena);
}

static void check_refused(bool accepted, const char **why, const char *word)
{
    cr_assert(!accepted, "accepted, but %s", word);
    cr_assert_not_null(strstr(*why, word), "'%s' should mention '%s'", *why, word);
    *why = "";
}

Test(dist, refuses_parameters_outside_their_range_and_says_why)
{
    static const double up[] = {0, 1}, down[] = {1, 0}, beyond[] = {0, 1.01};
    const char *why = "";
    struct nf_arena arena;
    struct nf_dist d, one = nf_dist_constant(1);
    nf_arena_init(&arena);
    check_refused(nf_dist_uniform(&d, 2, 1, &why), &why, "min");
    check_refused(nf_dist_uniform(&d, (double)NAN, 1, &why), &why, "finite");
    check_refused(nf_dist_uniform(&d, -1e308, 1e308, &why), &why, "finite");
    check_refused(nf_dist_normal(&d, 1, 0, &why), &why, "deviation");
    check_refused(nf_dist_normal(&d, HUGE_VAL, 1, &why), &why, "finite");
    check_refused(nf_dist_lognormal_moments(&d, 0, 1, &why), &why, "mean");
    check_refused(nf_dist_lognormal_moments(&d, 1, (double)NAN, &why), &why, "cv");
    check_refused(nf_dist_lognormal_quantiles(&d, 3, 3, &why), &why, "p99");
    check_refused(nf_dist_lognormal_quantiles(&d, 1e-300, 1e300, &why), &why, "overflow");
    check_refused(nf_dist_gamma(&d, 1, -1, &why), &why, "cv");
    check_refused(nf_dist_gamma(&d, 1, 101, &why), &why, "between");
    check_refused(nf_dist_weibull(&d, 1, 430, &why), &why, "between");
    check_refused(nf_dist_weibull(&d, 1, 1e-4, &why), &why, "between");
    check_refused(nf_dist_pareto(&d, 0, 2, &why), &why, "minimum");
    check_refused(nf_dist_pareto(&d, 1, (double)NAN, &why), &why, "shape");
    check_refused(nf_dist_hyperexponential(&d, 1, 0.99, &why), &why, "at least 1");
    check_refused(nf_dist_empirical(&d, 1, up, up, &arena, &why), &why, "two");
    check_refused(nf_dist_empirical(&d, 2, down, up, &arena, &why), &why, "increase");
    check_refused(nf_dist_empirical(&d, 2, up, down, &arena, &why), &why, "decrease");
    check_refused(nf_dist_empirical(&d, 2, beyond, up, &arena, &why), &why, "between");
    check_refused(nf_dist_mixture(&d, 0, &one, up, &arena, &why), &why, "part");
    check_refused(nf_dist_mixture(&d, 1, &one, up, &arena, &why), &why, "weight");
    nf_arena_fini(&arena);
}
