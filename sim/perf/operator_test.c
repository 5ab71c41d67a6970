#include "perf/operator.h"

#include <criterion/criterion.h>
#include <math.h>

/* Round numbers: 1e12 operations/s, 1e9 byte/s, 10 multiprocessors; p = 1 adds the terms up. */
static const struct nf_silicon chip = {1e12, 1e9, 10};

static struct nf_curve plain(void)
{
    return (struct nf_curve){.t0_s = 1e-6, .ec = 0.5, .em = 0.5, .p = 1};
}

static const struct nf_gemm_shape shape = {
    .m = 256, .n = 1280, .k = 2048, .matrices = 1, .weight_bytes = 2};

Test(operator, product_by_hand)
{
    /* work 2 x 256 x 1280 x 2048 = 1.34217728e9: 2.68435456e-3 s at half the peak; bytes 2 (1280 x 2048 + 256 x (2048 + 1280))
     * = 6946816: 13.893632e-3 s */
    struct nf_curve c = plain();
    cr_assert_float_eq(nf_gemm_s(&c, &chip, &shape), 16.578986560e-3, 1e-12);
    c.extra = 0.25; /* 3 x 256 x 2048 bytes at a quarter: 6.291456e-3 */
    cr_assert_float_eq(nf_gemm_s(&c, &chip, &shape), 22.870442560e-3, 1e-12);
}

Test(operator, each_refinement_of_a_product_by_hand)
{
    const double compute = 2.68435456e-3, weights = 10.48576e-3, rows = 3.407872e-3;
    const double base = 1e-6 + compute + weights + rows;
    struct nf_curve c = plain();
    c.t0_log_s = 1e-4; /* ln 2 */
    cr_assert_float_eq(nf_gemm_s(&c, &chip, &shape), base + 1e-4 * log(2), 1e-12);
    c = plain();
    c.k_fill = 512; /* a quarter of k */
    cr_assert_float_eq(nf_gemm_s(&c, &chip, &shape), base + compute / 4, 1e-12);
    c = plain();
    c.k_start = 1024;
    cr_assert_float_eq(nf_gemm_s(&c, &chip, &shape), base + weights / 2, 1e-12);
    c = plain();
    c.n_start = 320;
    cr_assert_float_eq(nf_gemm_s(&c, &chip, &shape), base + weights / 4, 1e-12);
    c = plain();
    c.tile_fill = 5; /* 2 x 10 tiles */
    cr_assert_float_eq(nf_gemm_s(&c, &chip, &shape), base + compute / 4, 1e-12);
    c = plain();
    c.wave = 1; /* 10 tiles of 256 x 128 on 10 processors: full; 11 make a second wave */
    cr_assert_float_eq(nf_gemm_s(&c, &chip, &shape), base, 1e-12);
    struct nf_gemm_shape wide = shape;
    wide.n = 1408;
    struct nf_curve none = plain();
    double more = nf_gemm_s(&c, &chip, &wide) - nf_gemm_s(&none, &chip, &wide);
    cr_assert_float_eq(more, 1.1 * compute * (20.0 / 11 - 1), 1e-12);
    c = plain();
    c.reread = 0.5; /* 11 tiles on 10 processors: a tenth of a wave */
    more = nf_gemm_s(&c, &chip, &wide) - nf_gemm_s(&none, &chip, &wide);
    cr_assert_float_eq(more, 0.05 * 2 * shape.m * shape.k / 0.5e9, 1e-12);
    struct nf_gemm_shape longest = wide,
                         twice =
                             wide; /* beyond the longest measured a row costs the same */
    longest.m = NF_GEMM_ROWS_MEASURED;
    twice.m = 2 * NF_GEMM_ROWS_MEASURED;
    more = nf_gemm_s(&c, &chip, &longest) - nf_gemm_s(&none, &chip, &longest);
    cr_assert_float_eq(nf_gemm_s(&c, &chip, &twice) - nf_gemm_s(&none, &chip, &twice),
                       2 * more, 1e-9);
    c = plain();
    c.slowdown = 0.5; /* 1.34217728e-3 s at the peak, 44.739 times 30 us */
    cr_assert_float_eq(nf_gemm_s(&c, &chip, &shape),
                       base + compute * (sqrt(1 + 1.34217728e-3 / 30e-6) - 1), 1e-12);
    c = plain();
    c.em_drop = 0.5; /* all of it from m = 64 on */
    cr_assert_float_eq(nf_gemm_s(&c, &chip, &shape), base + weights + rows, 1e-12);
    c = plain();
    c.cache_speedup = 1;
    wide = shape;
    wide.is_cached = true;
    cr_assert_float_eq(nf_gemm_s(&c, &chip, &wide), base - weights / 2, 1e-12);
    c = plain();
    c.p = 2;
    c.p_growth = 1; /* n k = 2^24: p stays 2; four times that: 5 */
    wide = (struct nf_gemm_shape){
        .m = 1, .n = 8192, .k = 8192, .matrices = 1, .weight_bytes = 2};
    double a = 2 * 8192.0 * 8192 / 0.5e12, b = (2 * 8192.0 * 8192 + 4 * 8192) / 0.5e9;
    cr_assert_float_eq(nf_gemm_s(&c, &chip, &wide),
                       1e-6 + pow(pow(a, 5) + pow(b, 5), 0.2), 1e-12);
}

Test(operator, experts_share_rows_and_read_their_own_weights)
{
    struct nf_curve c = plain();
    struct nf_gemm_shape four = shape;
    four.matrices = 4;
    double more = nf_gemm_s(&c, &chip, &four) - nf_gemm_s(&c, &chip, &shape);
    cr_assert_float_eq(more, 3 * 2 * 1280.0 * 2048 / 0.5e9, 1e-12);
}

Test(operator, prefill_hides_its_start_and_waits_for_the_longest)
{
    /* 4 heads of 64, 2 KV heads; 100 tokens after 28: pairs 100 (28 + 50) = 7800. C = 4 x 7800 x 4 x 64/0.5e12 = 15.9744 us;
     * M = (2 x 100 x 64 x (8 + 2 x 2) + 2 x 2 x 28 x 2 x 64)/0.5e9 = 335.872 us */
    struct nf_curve c = plain();
    struct nf_prefill_shape g = {.pairs = 7800,
                                 .tokens = 100,
                                 .context = 28,
                                 .longest = 128,
                                 .heads = 4,
                                 .kv_heads = 2,
                                 .head_dim = 64,
                                 .kv_bytes = 2};
    cr_assert_float_eq(nf_prefill_s(&c, &chip, &g), 1e-6 + 351.8464e-6, 1e-12);
    c.tile_s = 1; /* one tile of 128 keys, far more than the rest */
    cr_assert_float_eq(nf_prefill_s(&c, &chip, &g), 1 + 1e-6, 1e-9);
    g.longest = 129;
    cr_assert_float_eq(nf_prefill_s(&c, &chip, &g), 2 + 1e-6, 1e-9);
    c = plain();
    c.t0_s = 1;
    c.p = 4;
    cr_assert_float_eq(nf_prefill_s(&c, &chip, &g), 1, 1e-9);
}

Test(operator, decode_by_hand)
{
    /* 5 sequences of 1024: 2 x 2 x 5120 x 2 x 64/0.5e9 = 5.24288 ms; 5 (3 x 2 + 0.5 x 4)/10 us = 4 us; 2 doublings of 1 us */
    struct nf_curve c = plain();
    c.extra = 3e-6;
    c.query_head_s = 0.5e-6;
    c.doubling_s = 1e-6;
    struct nf_decode_shape g = {5, 5120, 4, 2, 64, 2, false};
    cr_assert_float_eq(nf_decode_s(&c, &chip, &g), 1e-6 + 5.24288e-3 + 4e-6 + 2e-6,
                       1e-12);
    c.cache_speedup = 3;
    g.is_cached = true;
    cr_assert_float_eq(nf_decode_s(&c, &chip, &g), 1e-6 + 1.31072e-3 + 4e-6 + 2e-6,
                       1e-12);
}

Test(operator, doublings_are_straight_between_powers_of_two)
{
    cr_assert_eq(nf_doublings(0.3), 0);
    cr_assert_eq(nf_doublings(1), 0);
    cr_assert_eq(nf_doublings(1.5), 0.5);
    cr_assert_eq(nf_doublings(8), 3);
    cr_assert_eq(nf_doublings(10), 3.25);
    for (int i = 0; i < 700; i++) { /* up to 1000 */
        double x = pow(1.01, i);
        double d = log2(x) - nf_doublings(x);
        cr_assert(d >= -1e-12 && d < 0.0861, "%g", x);
    }
}

Test(operator, all_reduce_takes_the_faster_way)
{
    struct nf_allreduce a = {.t0_s = 1e-6, .bus_bandwidth = 1e9, .two_shot_s = 5e-6};
    /* 8 ranks, 500 bytes: everybody sends 7 x 500 (3.5 us), or 5 us and 1.75 x 500 (0.875 us) */
    cr_assert_float_eq(nf_allreduce_s(&a, 8, 500), 4.5e-6, 1e-15);
    cr_assert_float_eq(nf_allreduce_s(&a, 8, 5000), 1e-6 + 5e-6 + 8.75e-6, 1e-15);
    a.two_shot_s = 0;
    cr_assert_float_eq(nf_allreduce_s(&a, 8, 500), 1.875e-6, 1e-15);
}
