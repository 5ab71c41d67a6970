/* tally_test.c - moments against two passes, and level integrals against 128-bit arithmetic in decimal. */
#include "stats/tally.h"

#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>

static uint64_t next(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 11;
}

Test(tally, moments_equal_two_passes)
{
    enum { N = 5003 };
    double x[N], sum = 0, squares = 0;
    struct nf_tally t = {0};
    uint64_t state = 90210;
    for (int i = 0; i < N; i++) {
        x[i] = 1e6 +
               (double)next(&state) *
                   0x1p-53; /* large mean, small spread: the naive formula fails here */
        nf_tally_add(&t, x[i]);
        sum += x[i];
    }
    for (int i = 0; i < N; i++) {
        squares += (x[i] - sum / N) * (x[i] - sum / N);
    }
    cr_assert_eq(t.count, N);
    cr_assert_float_eq(t.mean, sum / N, 1e-8);
    cr_assert_float_eq(nf_tally_variance(&t) / (squares / (N - 1)), 1, 1e-9);
    cr_assert(t.min >= 1e6 && t.min < 1e6 + 0.01 && t.max > 1e6 + 0.99);
}

Test(tally, merging_equals_adding)
{
    struct nf_tally all = {0}, left = {0}, right = {0}, empty = {0};
    uint64_t state = 5;
    for (int i = 0; i < 777; i++) {
        double x = (double)next(&state) * 0x1p-50 - (i % 5);
        nf_tally_add(&all, x);
        nf_tally_add(i < 100 ? &left : &right, x);
    }
    nf_tally_merge(&left, &empty);
    nf_tally_merge(&left, &right);
    nf_tally_merge(&empty, &left);
    cr_assert_eq(empty.count, 777);
    cr_assert_float_eq(empty.mean, all.mean, 1e-12);
    cr_assert_float_eq(empty.m2 / all.m2, 1, 1e-12);
    cr_assert_eq(empty.min, all.min);
    cr_assert_eq(empty.max, all.max);
}

Test(tally, variance_of_too_few_is_0)
{
    struct nf_tally t = {0};
    cr_assert_eq(nf_tally_variance(&t), 0);
    nf_tally_add(&t, 7.25);
    cr_assert_eq(nf_tally_variance(&t), 0);
    cr_assert_eq(t.min, 7.25);
    cr_assert_eq(t.max, 7.25);
}

/* By hand: level 0 for 2 s, 3 for 5 s, 1 for 3 s: 18 level-seconds in 10 s. */
Test(timeavg, step_function_by_hand)
{
    struct nf_timeavg a = {0};
    int64_t s = 1000000000;
    nf_timeavg_reset(&a, 7 * s);
    nf_timeavg_step(&a, 9 * s, 3);
    nf_timeavg_step(&a, 14 * s, -2);
    cr_assert_eq(nf_timeavg_integral_s(&a), 15);
    cr_assert_float_eq(nf_timeavg_mean(&a, 17 * s), 1.8, 1e-15);
    cr_assert_eq(nf_timeavg_integral_s(&a), 15, "asking for the mean changes nothing");
    cr_assert_eq(a.max, 3);
    nf_timeavg_reset(&a, 17 * s);
    cr_assert_eq(a.max, 1, "the level is kept, its maximum starts anew");
    cr_assert_eq(nf_timeavg_mean(&a, 17 * s), 1);
    cr_assert_eq(nf_timeavg_mean(&a, 18 * s), 1);
}

Test(timeavg, single_nanoseconds_are_not_lost_in_a_long_run)
{
    struct nf_timeavg a = {0};
    int64_t year = INT64_C(31536000000000000);
    nf_timeavg_reset(&a, 0);
    nf_timeavg_set(&a, 0, 1000);
    nf_timeavg_set(&a, 200 * year, 1);
    nf_timeavg_set(&a, 200 * year + 1, 0);
    /* 1000 * 200 * 31536e12 = 6307200000000000000000 = 341 * 2^64 + 16860270865042898944 */
    cr_assert_eq(a.high, 341);
    cr_assert_eq(a.low, UINT64_C(16860270865042898944) + 1);
    cr_assert_eq(nf_timeavg_integral_ns(&a), a.low);
}

Test(timeavg, largest_level_over_the_longest_time)
{
    struct nf_timeavg a = {0};
    nf_timeavg_reset(&a, 0);
    nf_timeavg_set(&a, 0, INT64_MAX);
    nf_timeavg_set(&a, INT64_MAX, 0);
    /* (2^63 - 1)^2 = 2^126 - 2^64 + 1 */
    cr_assert_eq(a.high, (INT64_C(1) << 62) - 1);
    cr_assert_eq(a.low, 1);
    cr_assert_float_eq(nf_timeavg_integral_s(&a) / (0x1p126 / 1e9), 1, 1e-15);
    cr_assert_float_eq(nf_timeavg_mean(&a, INT64_MAX) / 0x1p63, 1, 1e-15);
}

Test(timeavg, negative_levels_cancel_positive_ones)
{
    struct nf_timeavg a = {0};
    int64_t level = INT64_C(5000000000000017), span = INT64_C(77000000000000003);
    nf_timeavg_reset(&a, 0);
    nf_timeavg_set(&a, 0, level);
    nf_timeavg_set(&a, span, -level);
    nf_timeavg_set(&a, 2 * span, -3);
    cr_assert_eq(a.high, 0);
    cr_assert_eq(a.low, 0);
    nf_timeavg_advance(&a, 2 * span + 5);
    cr_assert_eq(a.high, -1);
    cr_assert_eq(nf_timeavg_integral_s(&a), -15e-9);
    nf_timeavg_set(&a, 2 * span + 5, -level);
    nf_timeavg_advance(&a, 3 * span);
    cr_assert_float_eq(nf_timeavg_integral_s(&a) /
                           -((double)level * ((double)span - 5) / 1e9),
                       1, 1e-15);
}

Test(timeavg, a_negative_integral_with_an_empty_low_word)
{
    struct nf_timeavg a = {0};
    nf_timeavg_reset(&a, 0);
    nf_timeavg_set(&a, 0, -(INT64_C(1) << 33));
    nf_timeavg_advance(&a, INT64_C(1) << 32);
    cr_assert_eq(a.high, -2);
    cr_assert_eq(a.low, 0);
    cr_assert_eq(nf_timeavg_integral_s(&a), -0x1p65 / 1e9);
    cr_assert_eq(nf_timeavg_mean(&a, INT64_C(1) << 32), -0x1p33);
}

Test(timeavg, wide_and_narrow_paths_agree)
{
    uint64_t state = 424242;
    for (int i = 0; i < 20000; i++) {
        struct nf_timeavg wide = {0}, narrow = {0};
        int64_t level = (int64_t)(next(&state) >> 22) - (INT64_C(1) << 30);
        int64_t span = (int64_t)(next(&state) >> 22);
        wide.low = narrow.low = next(&state) << 11;
        wide.level = narrow.level = level;
        nf_timeavg_advance_wide(&wide, span);
        nf_timeavg_advance(&narrow, span);
        cr_assert(wide.low == narrow.low && wide.high == narrow.high,
                  "seed 424242, draw %d", i);
    }
}

Test(timeavg, time_that_runs_backwards_is_a_bug, .signal = SIGABRT)
{
    struct nf_timeavg a = {0};
    nf_timeavg_reset(&a, 100);
    nf_timeavg_advance(&a, 99);
}

/* The same steps through both meters, with a reset in the middle and long times, so that the sums pass 2^64 several times. */
Test(level, equals_the_time_average_at_every_look)
{
    struct nf_timeavg a = {0};
    struct nf_level l = {0};
    uint64_t state = 4711;
    int64_t now = 0;
    for (int i = 0; i < 20011; i++) {
        now += (int64_t)(next(&state) >> 8);
        if (l.level == 0 || next(&state) % 100 < 53) {
            nf_level_up(&l, now);
            nf_timeavg_step(&a, now, 1);
        } else {
            nf_level_down(&l, now);
            nf_timeavg_step(&a, now, -1);
        }
        if (i == 9973) {
            nf_level_reset(&l, now);
            nf_timeavg_reset(&a, now);
        }
        int64_t look = now + (int64_t)(next(&state) >> 9);
        struct nf_timeavg until = a;
        nf_timeavg_advance(&until, look);
        cr_assert_eq(l.level, a.level);
        cr_assert_eq(nf_level_integral_ns(&l, look), nf_timeavg_integral_ns(&until));
        cr_assert_eq(nf_level_integral_s(&l, look), nf_timeavg_integral_s(&until));
    }
    cr_assert(a.high > 0, "the integral passed 2^64");
}

/* Two up at 3 and 10, one down at 11: 7 * 1 + 1 * 2 + 9 * 1 = 18 level-ns up to 20; from a reset at 20 on, 5 more up to 25. */
Test(level, adds_up_by_hand)
{
    struct nf_level l = {0};
    nf_level_up(&l, 3);
    nf_level_up(&l, 10);
    nf_level_down(&l, 11);
    cr_assert_eq(nf_level_integral_ns(&l, 20), 18);
    cr_assert_float_eq(nf_level_integral_s(&l, 20), 18e-9, 1e-24);
    nf_level_reset(&l, 20);
    cr_assert_eq(nf_level_integral_ns(&l, 20), 0);
    cr_assert_eq(nf_level_integral_ns(&l, 25), 5);
}
