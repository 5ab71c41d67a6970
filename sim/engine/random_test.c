#include "engine/random.h"

#include <criterion/criterion.h>
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_randist.h>
#include <math.h>
#include <stdio.h>

#include "base/arena.h"
#include "engine/goodness_test.h"

enum { DRAWS = 1000000 };
static const uint64_t SEED = 1000003;

/* kat_vectors of Random123 1.14, lines "philox4x64 10": counter, key, output. */
Test(random, philox_gives_the_published_outputs)
{
    static const uint64_t vectors[3][10] = {
        {0, 0, 0, 0, 0, 0, UINT64_C(0x16554d9eca36314c), UINT64_C(0xdb20fe9d672d0fdc),
         UINT64_C(0xd7e772cee186176b), UINT64_C(0x7e68b68aec7ba23b)},
        {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX,
         UINT64_C(0x87b092c3013fe90b), UINT64_C(0x438c3c67be8d0224),
         UINT64_C(0x9cc7d7c69cd777b6), UINT64_C(0xa09caebf594f0ba0)},
        {UINT64_C(0x243f6a8885a308d3), UINT64_C(0x13198a2e03707344),
         UINT64_C(0xa4093822299f31d0), UINT64_C(0x082efa98ec4e6c89),
         UINT64_C(0x452821e638d01377), UINT64_C(0xbe5466cf34e90c6c),
         UINT64_C(0xa528f45403e61d95), UINT64_C(0x38c72dbd566e9788),
         UINT64_C(0xa5a1610e72fd18b5), UINT64_C(0x57bd43b5e52b7fe6)},
    };
    for (int v = 0; v < 3; v++) {
        uint64_t out[4];
        nf_philox4x64(&vectors[v][4], vectors[v], out);
        for (int i = 0; i < 4; i++) {
            cr_assert_eq(out[i], vectors[v][6 + i], "vector %d, word %d", v, i);
        }
    }
}

Test(random, a_stream_is_the_blocks_of_its_name_in_order)
{
    struct nf_stream s;
    nf_stream_init(&s, SEED, 3, "traffic.cameras[3]/arrival");
    cr_assert_eq(s.key[0], SEED);
    cr_assert_eq(s.key[1], 3);
    for (uint64_t block = 0; block < 11; block++) {
        uint64_t out[4], counter[4] = {block, 0, s.name[0], s.name[1]};
        nf_philox4x64(s.key, counter, out);
        for (int i = 0; i < 4; i++) {
            cr_assert_eq(nf_stream_u64(&s), out[i]);
        }
    }
}

static bool are_equal(uint64_t seed_a, uint32_t replication_a, const char *name_a,
                      uint64_t seed_b, uint32_t replication_b, const char *name_b)
{
    struct nf_stream a, b;
    int equal = 0;
    nf_stream_init(&a, seed_a, replication_a, name_a);
    nf_stream_init(&b, seed_b, replication_b, name_b);
    for (int i = 0; i < 100; i++) {
        equal += nf_stream_u64(&a) == nf_stream_u64(&b);
    }
    cr_assert(equal == 0 || equal == 100);
    return equal == 100;
}

Test(random, streams_differ_by_seed_replication_and_name_and_by_nothing_else)
{
    cr_assert(are_equal(1, 0, "edge.node/service", 1, 0, "edge.node/service"));
    cr_assert(!are_equal(1, 0, "x", UINT64_C(1) + (UINT64_C(1) << 32), 0, "x"));
    cr_assert(!are_equal(0, 0, "x", 4357, 0, "x")); /* mt19937 turns seed 0 into 4357 */
    cr_assert(!are_equal(1, 0, "x", 0, 1, "x"));
    cr_assert(!are_equal(1, 0, "x", 1, 1, "x"));
    cr_assert(!are_equal(1, 0, "a[1]/gap", 1, 0, "a[2]/gap"));
    cr_assert(!are_equal(1, 0, "", 1, 0, "x"));
    cr_assert(!are_equal(1, 0, "12345678", 1, 0, "123456781"));
}

/* Pairs (i-th draw of one stream, i-th draw of the other) over 32 x 32 cells. */
static double pair_probability(struct nf_stream *a, struct nf_stream *b)
{
    static double counts[1024];
    for (int i = 0; i < 1024; i++) {
        counts[i] = 0;
    }
    for (int i = 0; i < DRAWS; i++) {
        counts[(nf_stream_u64(a) >> 59) * 32 + (nf_stream_u64(b) >> 59)]++;
    }
    return nf_goodness_equal(counts, 1024);
}

Test(random, neighbouring_streams_are_independent)
{
    struct nf_stream a, b;
    nf_stream_init(&a, SEED, 0, "traffic.cameras[3]/arrival");
    nf_stream_init(&b, SEED, 0, "traffic.cameras[4]/arrival");
    cr_assert(pair_probability(&a, &b) > P_MIN);
    nf_stream_init(&b, SEED + 1, 0, "traffic.cameras[3]/arrival");
    cr_assert(pair_probability(&a, &b) > P_MIN);
    nf_stream_init(&b, SEED, 1, "traffic.cameras[3]/arrival");
    cr_assert(pair_probability(&a, &b) > P_MIN);
    cr_assert(pair_probability(&a, &a) > P_MIN); /* successive draws of one stream */
}

Test(random, every_byte_of_an_output_is_uniform)
{
    struct nf_stream s;
    static double counts[8][256];
    nf_stream_init(&s, SEED, 0, "bytes");
    for (int i = 0; i < DRAWS; i++) {
        uint64_t u = nf_stream_u64(&s);
        for (int byte = 0; byte < 8; byte++) {
            counts[byte][u >> (8 * byte) & 255]++;
        }
    }
    for (int byte = 0; byte < 8; byte++) {
        cr_assert(nf_goodness_equal(counts[byte], 256) > P_MIN, "byte %d", byte);
    }
}

static double uniform_cdf(double x, const void *unused)
{
    (void)unused;
    return x;
}

static double exponential_cdf(double x, const void *unused)
{
    (void)unused;
    return -expm1(-x);
}

static double normal_cdf(double x, const void *unused)
{
    (void)unused;
    return gsl_cdf_ugaussian_P(x);
}

/* Draws, tests the whole shape and 5000 cells, and hands the (now sorted) sample out. */
static double *check_shape(double (*draw)(struct nf_stream *), nf_cdf cdf,
                           const char *name)
{
    struct nf_stream s;
    double *x = nf_mem_resize(NULL, DRAWS, sizeof *x);
    nf_stream_init(&s, SEED, 0, name);
    for (int i = 0; i < DRAWS; i++) {
        x[i] = draw(&s);
    }
    double chi2 = nf_goodness_chi2(x, DRAWS, 5000, cdf, NULL);
    double ks = nf_goodness_ks(x, DRAWS, cdf, NULL);
    printf("%s, seed %llu: p = %.3f (chi-square), %.3f (KS)\n", name,
           (unsigned long long)SEED, chi2, ks);
    cr_assert(chi2 > P_MIN, "%s: chi-square p = %g", name, chi2);
    cr_assert(ks > P_MIN, "%s: KS p = %g", name, ks);
    return x;
}

/* Is the number of draws beyond `edge` (above it, or for -1 below its negative) what the tail says, within 4 sigma? */
static void check_tail(const double *x, double edge, int side, double probability)
{
    double count = 0, expected = DRAWS * probability;
    for (int i = 0; i < DRAWS; i++) {
        count += side * x[i] > edge;
    }
    cr_assert_float_eq(count, expected, 4 * sqrt(expected), "%g beyond %g, expected %g",
                       count, side * edge, expected);
}

/* Raw moment of the given order against its exact value, within 4 standard errors. */
static void check_moment(const double *x, int order, double exact, double exact_of_square)
{
    double sum = 0, error = sqrt((exact_of_square - exact * exact) / DRAWS);
    for (int i = 0; i < DRAWS; i++) {
        sum += pow(x[i], order);
    }
    cr_assert_float_eq(sum / DRAWS, exact, 4 * error, "moment %d: %g, expected %g", order,
                       sum / DRAWS, exact);
}

static double draw_uniform(struct nf_stream *s)
{
    return nf_stream_uniform(s);
}

static double draw_exponential(struct nf_stream *s)
{
    return nf_stream_exponential(s);
}

static double draw_normal(struct nf_stream *s)
{
    return nf_stream_normal(s);
}

Test(random, uniforms_fill_the_open_unit_interval)
{
    double *x = check_shape(draw_uniform, uniform_cdf, "uniform");
    cr_assert(x[0] > 0 && x[DRAWS - 1] < 1);
    nf_mem_free(x);
    struct nf_stream extreme = {.next = 0, .buffer = {0, UINT64_MAX}};
    cr_assert_eq(nf_stream_uniform(&extreme), 0x1p-53);
    cr_assert_eq(nf_stream_uniform(&extreme), 1 - 0x1p-53);
}

Test(random, exponentials_follow_their_law_into_the_tail)
{
    double *x = check_shape(draw_exponential, exponential_cdf, "exponential");
    cr_assert(x[0] > 0);
    check_moment(x, 1, 1, 2);
    check_moment(x, 2, 2, 24);
    check_moment(x, 3, 6, 720);
    check_tail(x, 7.0, 1, exp(-7.0));
    check_tail(x, nf_ziggurat_exponential.edge, 1, exp(-nf_ziggurat_exponential.edge));
    check_tail(x, 10.5, 1, exp(-10.5));
    nf_mem_free(x);
}

Test(random, normals_follow_their_law_into_both_tails)
{
    double *x = check_shape(draw_normal, normal_cdf, "normal");
    check_moment(x, 1, 0, 1);
    check_moment(x, 2, 1, 3);
    check_moment(x, 3, 0, 15);
    check_moment(x, 4, 3, 105);
    for (int side = -1; side <= 1; side += 2) {
        check_tail(x, 3.3, side, gsl_cdf_ugaussian_Q(3.3));
        check_tail(x, nf_ziggurat_normal.edge, side,
                   gsl_cdf_ugaussian_Q(nf_ziggurat_normal.edge));
        check_tail(x, 4.1, side, gsl_cdf_ugaussian_Q(4.1));
    }
    nf_mem_free(x);
}

static double exponential_tail_cdf(double x, const void *unused)
{
    (void)unused;
    return -expm1(nf_ziggurat_exponential.edge - x);
}

static double normal_tail_cdf(double x, const void *unused)
{
    (void)unused;
    return 1 - gsl_cdf_ugaussian_Q(x) / gsl_cdf_ugaussian_Q(nf_ziggurat_normal.edge);
}

static double draw_exponential_tail(struct nf_stream *s)
{
    return nf_stream_exponential_rest(s, ~UINT64_C(255)); /* layer 0, at its right end */
}

static double draw_normal_tail(struct nf_stream *s)
{
    return nf_stream_normal_rest(s, (UINT64_MAX >> 1) & ~UINT64_C(255));
}

Test(random, the_tails_alone_follow_their_laws)
{
    nf_mem_free(
        check_shape(draw_exponential_tail, exponential_tail_cdf, "exponential tail"));
    nf_mem_free(check_shape(draw_normal_tail, normal_tail_cdf, "normal tail"));
}

/* Each layer above the lowest is a rectangle of the same area, which is also that of the lowest with the tail. */
static void check_layers(const struct nf_ziggurat *z, double one, double tail)
{
    double area = z->edge * z->density[1] + tail;
    cr_assert_float_eq(z->layer[0].scale * one * z->density[1], area, 1e-14);
    cr_assert_float_eq(z->layer[1].scale * one, z->edge, 1e-14);
    cr_assert_eq(z->density[256], 1);
    for (int i = 1; i < 256; i++) {
        double width = z->layer[i].scale * one;
        double height = z->density[i + 1] - z->density[i];
        cr_assert_float_eq(width * height, area, 1e-14, "layer %d", i);
        double inner = i == 255 ? 0 : z->layer[i + 1].scale * one;
        double accepted = (double)z->layer[i].accept * z->layer[i].scale;
        cr_assert_float_eq(accepted, inner, 1e-14, "layer %d", i);
    }
}

Test(random, ziggurat_layers_have_equal_areas)
{
    const struct nf_ziggurat *e = &nf_ziggurat_exponential, *n = &nf_ziggurat_normal;
    check_layers(e, 0x1p53, exp(-e->edge));
    check_layers(n, 0x1p52, sqrt(2 * acos(-1.0)) * gsl_cdf_ugaussian_Q(n->edge));
    for (int i = 0; i < 256; i++) {
        double x = e->layer[i].scale * 0x1p53, y = n->layer[i].scale * 0x1p52;
        cr_assert_float_eq(e->density[i], exp(-x), 1e-15);
        cr_assert_float_eq(n->density[i], exp(-y * y / 2), 1e-15);
    }
}

Test(random, below_is_unbiased_and_stays_below)
{
    struct nf_stream s;
    double counts[7] = {0}, thirds[3] = {0};
    nf_stream_init(&s, SEED, 0, "below");
    for (int i = 0; i < DRAWS; i++) {
        counts[nf_stream_below(&s, 7)]++;
        cr_assert_eq(nf_stream_below(&s, 1), 0);
    }
    cr_assert(nf_goodness_equal(counts, 7) > P_MIN);
    /* Of 3 * 2^62 values a quarter of the plain products would be counted twice: the thirds would be 2 : 1 : 1. */
    for (int i = 0; i < DRAWS; i++) {
        uint64_t u = nf_stream_below(&s, UINT64_C(3) << 62);
        cr_assert(u < UINT64_C(3) << 62);
        thirds[u % 3]++;
    }
    cr_assert(nf_goodness_equal(thirds, 3) > P_MIN);
}

Test(random, drives_the_distributions_of_gsl)
{
    gsl_rng *r = gsl_rng_alloc(nf_rng_type);
    struct nf_stream s;
    nf_stream_init(&s, 2385, 0, "gsl");
    gsl_rng_set(r, 2385);
    gsl_rng view = nf_stream_gsl(&s);
    for (int i = 0; i < 1000; i++) {
        cr_assert_eq(gsl_ran_gamma(r, 2.5, 3.1), gsl_ran_gamma(&view, 2.5, 3.1));
        cr_assert_eq(gsl_rng_uniform_int(r, 7919), gsl_rng_uniform_int(&view, 7919));
    }
    double sum = 0;
    for (int i = 0; i < DRAWS; i++) {
        sum += gsl_ran_exponential(&view, 7.0);
    }
    cr_assert_float_eq(sum / DRAWS, 7.0, 4 * 7.0 / sqrt(DRAWS));
    gsl_rng_set(r, 1);
    double first = gsl_rng_uniform(r);
    gsl_rng_set(r, 1 + (1UL << 32));
    cr_assert_neq(gsl_rng_uniform(r), first, "seeds keep their upper half");
    gsl_rng_free(r);
}

Test(random, seeking_a_block_gives_the_outputs_of_the_whole_stream)
{
    struct nf_stream whole;
    struct nf_stream part;
    nf_stream_init(&whole, 7919, 3, "links.wan/latency");
    nf_stream_init(&part, 7919, 3, "links.wan/latency");
    uint64_t expected[64];
    for (int i = 0; i < 64; i++) {
        expected[i] = nf_stream_u64(&whole);
    }
    nf_stream_seek(&part, 5);
    for (int i = 20; i < 64; i++) {
        cr_assert_eq(nf_stream_u64(&part), expected[i], "output %d", i);
    }
}
