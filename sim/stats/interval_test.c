/* interval_test.c - Student intervals against tables; coverage of both kinds of interval on data with known means. */
#include "stats/interval.h"

#include <criterion/criterion.h>
#include <math.h>

/* Uniform in (0, 1); a generator of the test's own, so that the statistics are not checked with themselves. */
static double uniform(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return ((double)(*state >> 12) + 0.5) * 0x1p-52;
}

static double normal(uint64_t *state)
{
    double r = sqrt(-2 * log(uniform(state)));
    return r * cos(6.283185307179586 * uniform(state));
}

/* t(0.975, 7) = 2.3646 and t(0.95, 4) = 2.1318 from printed tables (Law, appendix T.1). */
Test(interval, half_width_is_the_tabled_t)
{
    static const double eight[] = {2.1, 3.7, 1.9, 2.8, 3.3, 2.2, 4.1, 2.7};
    double mean = 2.85, squares = 0;
    for (int i = 0; i < 8; i++) {
        squares += (eight[i] - mean) * (eight[i] - mean);
    }
    struct nf_estimate e = nf_interval_mean(eight, 8, 0.95);
    cr_assert_float_eq(e.value, mean, 1e-14);
    cr_assert_float_eq(e.half_width, 2.364624 * sqrt(squares / 7 / 8), 1e-6);
    /* Law, example 4.27 style: 1.20 1.50 1.68 1.89 0.95 1.49 1.58 1.55 0.50 1.09, 90 %: 1.34 +- 0.24 */
    static const double ten[] = {1.20, 1.50, 1.68, 1.89, 0.95,
                                 1.49, 1.58, 1.55, 0.50, 1.09};
    e = nf_interval_mean(ten, 10, 0.90);
    cr_assert_float_eq(e.value, 1.343, 1e-12);
    cr_assert_float_eq(e.half_width, 0.24, 0.005);
}

Test(interval, missing_entries_are_left_out)
{
    double x[] = {1.5, (double)NAN, 2.5, (double)NAN};
    struct nf_estimate e = nf_interval_mean(x, 4, 0.95);
    cr_assert_eq(e.value, 2);
    cr_assert_float_eq(e.half_width, 12.7062 * 0.5, 1e-4);
    e = nf_interval_mean(x, 2, 0.95);
    cr_assert_eq(e.value, 1.5);
    cr_assert(isnan(e.half_width));
    e = nf_interval_mean(x + 1, 1, 0.95);
    cr_assert(isnan(e.value) && isnan(e.half_width));
    e = nf_interval_mean(NULL, 0, 0.95);
    cr_assert(isnan(e.value) && isnan(e.half_width));
}

Test(interval, equal_values_have_no_width)
{
    double x[] = {0.7, 0.7, 0.7};
    cr_assert_float_eq(nf_interval_mean(x, 3, 0.999).half_width, 0, 1e-14);
}

/* 2000 intervals of 5 normal values: 95 % +- 4 standard errors (0.5 %) must hold the mean. */
Test(interval, covers_at_its_confidence)
{
    uint64_t state = 777;
    int covered = 0;
    for (int run = 0; run < 2000; run++) {
        double x[5];
        for (int i = 0; i < 5; i++) {
            x[i] = 10 + 3 * normal(&state);
        }
        struct nf_estimate e = nf_interval_mean(x, 5, 0.95);
        covered += fabs(e.value - 10) <= e.half_width;
    }
    cr_assert(covered > 1860 && covered < 1940, "%d of 2000 (seed 777)", covered);
}

Test(batch_means, batches_double_when_all_are_full)
{
    struct nf_batch_means b;
    nf_batch_means_init(&b);
    for (int i = 0; i < 1000; i++) {
        nf_batch_means_add(&b, i);
    }
    /* 64 batches of 1, 32 of 2 ... at 512 observations: 32 of 16; 1000 - 512 = 30 more of 16 and 8 left over. */
    cr_assert_eq(b.length, 16);
    cr_assert_eq(b.filled, 62);
    cr_assert_eq(b.in_last, 8);
    double total = b.open_sum;
    for (int i = 0; i < b.filled; i++) {
        cr_assert_eq(b.sum[i], 16 * (16 * i + 7.5), "batch %d", i);
        total += b.sum[i];
    }
    cr_assert_eq(total, 999 * 500);
}

Test(batch_means, too_few_batches_know_nothing)
{
    struct nf_batch_means b;
    uint64_t state = 1;
    nf_batch_means_init(&b);
    cr_assert(isnan(nf_batch_means_half_width(&b, 0.95)));
    for (int i = 0; i < 19; i++) {
        nf_batch_means_add(&b, uniform(&state));
        cr_assert(isnan(nf_batch_means_half_width(&b, 0.95)));
    }
    nf_batch_means_add(&b, uniform(&state));
    cr_assert(nf_batch_means_half_width(&b, 0.95) > 0);
}

Test(batch_means, a_trend_is_too_correlated)
{
    struct nf_batch_means b;
    nf_batch_means_init(&b);
    for (int i = 0; i < 100000; i++) {
        nf_batch_means_add(&b, i);
    }
    cr_assert(isnan(nf_batch_means_half_width(&b, 0.95)));
}

/* x' = phi x + e: for phi = 0.8 and n observations the mean has variance close to 1 / ((1 - phi)^2 n) = 25 / n. */
Test(batch_means, covers_the_mean_of_an_ar1_process)
{
    uint64_t state = 20260427;
    int covered = 0, known = 0, n = 7919;
    double widths = 0;
    for (int run = 0; run < 400; run++) {
        struct nf_batch_means b;
        nf_batch_means_init(&b);
        double x = normal(&state) / 0.6, sum = 0;
        for (int i = 0; i < n; i++) {
            x = 0.8 * x + normal(&state);
            nf_batch_means_add(&b, x);
            sum += x;
        }
        double half = nf_batch_means_half_width(&b, 0.95);
        if (!isnan(half)) {
            known++;
            widths += half;
            covered += fabs(sum / n) <= half;
        }
    }
    cr_assert(known > 320, "%d of 400 runs were judged long enough", known);
    cr_assert(covered > 0.91 * known, "%d of %d (seed 20260427)", covered, known);
    /* t(0.975) is about 2.05 for 20 to 31 batches. */
    cr_assert_float_eq(widths / known / (2.05 * 5 / sqrt(n)), 1, 0.08);
}

/* Waits in an M/M/1 queue at load 0.8 (Lindley's recurrence): mean 0.8 / (1 - 0.8) = 4 service times. */
Test(batch_means, covers_the_mean_wait_of_an_mm1_queue)
{
    uint64_t state = 4711;
    int covered = 0, known = 0, n = 60000;
    for (int run = 0; run < 100; run++) {
        struct nf_batch_means b;
        nf_batch_means_init(&b);
        double wait = 0, sum = 0;
        for (int i = 0; i < n + 2000; i++) {
            wait += log(uniform(&state)) / 0.8 - log(uniform(&state));
            wait = wait < 0 ? 0 : wait;
            if (i >= 2000) {
                nf_batch_means_add(&b, wait);
                sum += wait;
            }
        }
        double half = nf_batch_means_half_width(&b, 0.95);
        if (!isnan(half)) {
            known++;
            covered += fabs(sum / n - 4) <= half;
        }
    }
    cr_assert(known > 75, "%d of 100 runs were judged long enough", known);
    cr_assert(covered > 0.88 * known, "%d of %d (seed 4711)", covered, known);
}
