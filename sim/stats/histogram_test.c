/* histogram_test.c - bins, percentiles against sorted observations, sums, merging. */
#include "stats/histogram.h"

#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>

static uint64_t next(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state ^ *state >> 33;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

Test(histogram, empty_has_no_mean_and_no_percentile)
{
    struct nf_histogram h;
    nf_histogram_init(&h);
    cr_assert(isnan(nf_histogram_mean(&h)));
    cr_assert(isnan(nf_histogram_quantile(&h, 0.5)));
    cr_assert_eq(nf_histogram_count_to(&h, INT64_MAX), 0);
    nf_histogram_fini(&h);
}

Test(histogram, representatives_at_the_edges_of_bins)
{
    cr_assert_eq(nf_histogram_representative(0), 0);
    cr_assert_eq(nf_histogram_representative(2047), 2047);
    cr_assert_eq(nf_histogram_representative(2048), 2048.5);
    cr_assert_eq(nf_histogram_representative(2049), 2048.5);
    cr_assert_eq(nf_histogram_representative(2050), 2050.5);
    cr_assert_eq(nf_histogram_representative(4095), 4094.5);
    cr_assert_eq(nf_histogram_representative(4096), 4097.5);
    cr_assert_eq(nf_histogram_representative(4099), 4097.5);
    cr_assert(nf_histogram_representative(INT64_MAX) <= 0x1p63);
}

Test(histogram, representative_is_within_1_in_2048)
{
    uint64_t state = 1999;
    for (int i = 0; i < 100000; i++) {
        int64_t v = (int64_t)(next(&state) >> 1 >> (i % 63));
        double error = fabs(nf_histogram_representative(v) - (double)v);
        cr_assert(error <= (double)v / 2048, "%lld (seed 1999, draw %d)", (long long)v,
                  i);
    }
}

/* The definition again, by sorting. */
static void check_against_sorted(struct nf_histogram *h, int64_t *v, size_t n,
                                 uint64_t seed)
{
    static const double q[] = {0,    0.001, 0.07,  0.25,   0.5, 0.9,
                               0.95, 0.99,  0.999, 0.9999, 1};
    qsort(v, n, sizeof *v, compare);
    for (size_t i = 0; i < sizeof q / sizeof q[0]; i++) {
        int64_t exact = v[nf_quantile_rank(q[i], n) - 1];
        double told = nf_histogram_quantile(h, q[i]);
        double middle = nf_histogram_representative(exact);
        double within = fmin(fmax(middle, (double)v[0]), (double)v[n - 1]);
        cr_assert_eq(told, within, "q %g of %zu (seed %llu)", q[i], n,
                     (unsigned long long)seed);
        cr_assert_eq(nf_histogram_count_to(h, exact) >= nf_quantile_rank(q[i], n), 1);
    }
}

Test(histogram, percentiles_equal_the_sorted_observations)
{
    enum { MOST = 5000 };
    static int64_t v[MOST];
    for (uint64_t seed = 1; seed < 40; seed++) {
        uint64_t state = seed * 1000003;
        size_t n = (size_t)(next(&state) % MOST) + 1;
        unsigned shift = (unsigned)(seed % 62) + 1;
        struct nf_histogram h;
        nf_histogram_init(&h);
        for (size_t i = 0; i < n; i++) {
            v[i] = (int64_t)(next(&state) >> shift >> (next(&state) % (64 - shift)));
            nf_histogram_add(&h, v[i]);
        }
        check_against_sorted(&h, v, n, seed);
        cr_assert_eq(h.min, v[0]);
        cr_assert_eq(h.max, v[n - 1]);
        nf_histogram_fini(&h);
    }
}

/* The last bin's middle may lie above the largest observation, the first one's below the smallest. */
Test(histogram, no_percentile_lies_beyond_the_extremes)
{
    static const double q[] = {0, 0.5, 0.99, 0.999, 1};
    struct nf_histogram h;
    nf_histogram_init(&h);
    nf_histogram_add(&h, 1048576); /* the first of a bin of 1024 */
    for (size_t i = 0; i < 5; i++) {
        cr_assert_eq(nf_histogram_quantile(&h, q[i]), 1048576);
    }
    nf_histogram_add(&h, 1050623); /* the last of the next bin */
    cr_assert_eq(nf_histogram_quantile(&h, 0.5), 1048576 + 511.5);
    cr_assert_eq(nf_histogram_quantile(&h, 1), 1049600 + 511.5);
    nf_histogram_clear(&h);
    nf_histogram_add_n(&h, 1048800, 7);
    nf_histogram_add_n(&h, 1048900, 2);
    cr_assert_eq(nf_histogram_quantile(&h, 0.1), 1048900);
    cr_assert_eq(nf_histogram_quantile(&h, 1), 1048900);
    nf_histogram_fini(&h);
}

Test(histogram, rank_follows_the_decimal_that_was_written)
{
    cr_assert_eq(nf_quantile_rank(0.5, 1), 1);
    cr_assert_eq(nf_quantile_rank(0, 10), 1);
    cr_assert_eq(nf_quantile_rank(1, 10), 10);
    cr_assert_eq(nf_quantile_rank(0.5, 10), 5);
    cr_assert_eq(nf_quantile_rank(0.5, 11), 6);
    cr_assert_eq(nf_quantile_rank(0.07, 100),
                 7); /* the double product is 7.000000000000001 */
    cr_assert_eq(nf_quantile_rank(0.999, 1001), 1000);
    for (uint64_t n = 1; n < 200000; n += 7) {
        for (uint64_t permille = 1; permille < 1000; permille += 37) {
            uint64_t exact = (permille * n + 999) / 1000;
            cr_assert_eq(nf_quantile_rank((double)permille / 1000, n), exact,
                         "%llu/1000 of %llu", (unsigned long long)permille,
                         (unsigned long long)n);
        }
    }
}

Test(histogram, sum_is_exact_beyond_64_bits)
{
    struct nf_histogram h;
    nf_histogram_init(&h);
    for (int i = 0; i < 1001; i++) {
        nf_histogram_add(&h, INT64_MAX);
    }
    nf_histogram_add(&h, 1001);
    /* 1001 * (2^63 - 1) + 1001 = 500 * 2^64 + 2^63 */
    cr_assert_eq(h.sum_high, 500);
    cr_assert_eq(h.sum_low, UINT64_C(1) << 63);
    cr_assert_float_eq(nf_histogram_mean(&h) / (1001 * 0x1p63 / 1002), 1, 1e-15);
    nf_histogram_fini(&h);
}

Test(histogram, merging_equals_adding_in_any_order)
{
    struct nf_histogram all, part[3], merged;
    nf_histogram_init(&all);
    nf_histogram_init(&merged);
    for (int p = 0; p < 3; p++) {
        nf_histogram_init(&part[p]);
    }
    uint64_t state = 31337;
    for (int i = 0; i < 9000; i++) {
        int64_t v = (int64_t)(next(&state) >> 3 >> (i % 50));
        nf_histogram_add(&all, v);
        nf_histogram_add(&part[i % 3], v);
    }
    for (int p = 2; p >= 0; p--) {
        nf_histogram_merge(&merged, &part[p]);
        nf_histogram_fini(&part[p]);
    }
    cr_assert_eq(merged.count, all.count);
    cr_assert_eq(merged.min, all.min);
    cr_assert_eq(merged.max, all.max);
    cr_assert_eq(merged.sum_low, all.sum_low);
    cr_assert_eq(merged.sum_high, all.sum_high);
    uint64_t a = 0, b = 0, count_a = 0, count_b = 0;
    double value_a = 0, value_b = 0;
    while (nf_histogram_next(&all, &a, &value_a, &count_a)) {
        cr_assert(nf_histogram_next(&merged, &b, &value_b, &count_b));
        cr_assert(value_a == value_b && count_a == count_b);
    }
    cr_assert(!nf_histogram_next(&merged, &b, &value_b, &count_b));
    nf_histogram_fini(&all);
    nf_histogram_fini(&merged);
}

Test(histogram, walk_visits_every_bin_once_upwards)
{
    struct nf_histogram h;
    nf_histogram_init(&h);
    static const int64_t v[] = {0,    1,    1,    2047,      2048,
                                2049, 4095, 4096, 123456789, INT64_MAX};
    for (size_t i = 0; i < sizeof v / sizeof v[0]; i++) {
        nf_histogram_add(&h, v[i]);
    }
    static const uint64_t counts[] = {1, 2, 1, 2, 1, 1, 1, 1};
    uint64_t cursor = 0, count = 0;
    double value = 0, last = -1;
    size_t seen = 0;
    while (nf_histogram_next(&h, &cursor, &value, &count)) {
        cr_assert(value > last, "%g after %g", value, last);
        cr_assert(seen < 8);
        cr_assert_eq(count, counts[seen], "bin %zu at %g", seen, value);
        last = value;
        seen++;
    }
    cr_assert_eq(seen, 8);
    cr_assert_eq(nf_histogram_count_to(&h, 2048), 6);
    cr_assert_eq(nf_histogram_count_to(&h, 2047), 4);
    cr_assert_eq(nf_histogram_count_to(&h, -1), 0);
    nf_histogram_fini(&h);
}

Test(histogram, clear_forgets_everything)
{
    struct nf_histogram h;
    nf_histogram_init(&h);
    nf_histogram_add(&h, 5);
    nf_histogram_add(&h, 5000000);
    nf_histogram_clear(&h);
    cr_assert(isnan(nf_histogram_quantile(&h, 0.5)));
    nf_histogram_add(&h, 77);
    cr_assert_eq(h.count, 1);
    cr_assert_eq(h.min, 77);
    cr_assert_eq(h.max, 77);
    cr_assert_eq(nf_histogram_quantile(&h, 1), 77);
    cr_assert_eq(nf_histogram_mean(&h), 77);
    nf_histogram_fini(&h);
}

Test(histogram, negative_observation_is_a_bug, .signal = SIGABRT)
{
    struct nf_histogram h;
    nf_histogram_init(&h);
    nf_histogram_add(&h, -1);
}

Test(histogram, adding_n_times_equals_adding_n)
{
    struct nf_histogram once, all;
    static const int64_t values[] = {0, 2047, 2048, 123456789, INT64_C(1) << 61};
    nf_histogram_init(&once);
    nf_histogram_init(&all);
    for (int k = 0; k < 5; k++) {
        for (int i = 0; i < 37 + k; i++) {
            nf_histogram_add(&once, values[k]);
        }
        nf_histogram_add_n(&all, values[k], 37 + (uint64_t)k);
        nf_histogram_add_n(&all, 5, 0);
        cr_assert_eq(once.count, all.count);
        cr_assert_eq(once.sum_low, all.sum_low);
        cr_assert_eq(once.sum_high, all.sum_high);
        cr_assert_eq(once.min, all.min);
        cr_assert_eq(once.max, all.max);
        cr_assert_eq(nf_histogram_count_to(&once, values[k]),
                     nf_histogram_count_to(&all, values[k]));
    }
    nf_histogram_add_n(&all, (INT64_C(1) << 40) + 3,
                       UINT64_C(1) << 33); /* 2^73 + 3 * 2^33 more */
    cr_assert_eq(all.sum_high - once.sum_high, 1u << 9);
    cr_assert_eq(all.sum_low - once.sum_low, UINT64_C(3) << 33);
    nf_histogram_fini(&once);
    nf_histogram_fini(&all);
}
