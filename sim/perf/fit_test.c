#include "perf/fit.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "stats/setup.h"

static const struct nf_device device = {.name = "H100",
                                        .memory_bytes = 8e10,
                                        .bandwidth = 3e12,
                                        .peak = {[NF_BF16] = 1e15, [NF_FP8] = 2e15},
                                        .multiprocessors = 100,
                                        .l2_bytes = 4e7};

static struct nf_arena arena;
static struct nf_diags diags;
static char path[64];

static void set_up(void)
{
    nf_stats_setup(); /* GSL tells by status, as in the program */
    nf_arena_init(&arena);
    nf_diags_init(&diags, &arena);
    snprintf(path, sizeof path, "fit_test_%ld_context.csv", (long)getpid());
}

static void tear_down(void)
{
    (void)remove(path);
    nf_arena_fini(&arena);
}

TestSuite(fit, .init = set_up, .fini = tear_down);

static enum nf_status read_text(const char *text, struct nf_samples *s)
{
    FILE *f = fopen(path, "wb");
    cr_assert_not_null(f);
    cr_assert_eq(fwrite(text, 1, strlen(text), f), strlen(text));
    cr_assert_eq(fclose(f), 0);
    return nf_samples_read(path, &device, NULL, &arena, &diags, s);
}

/* A hash as noise: uniform in [-1, 1], the same every time. */
static double noise(size_t i)
{
    uint64_t x = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
    x ^= x >> 31;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    return (double)(x >> 11) / (double)(UINT64_C(1) << 52) - 1;
}

enum { SITES = 60, ROWS = 14, MADE = SITES * ROWS };

static bool fit(struct nf_sample *const *list, size_t count, struct nf_fit *f, char *why,
                size_t cap)
{
    struct nf_fit_rows rows = {.samples = list, .count = count, .device = &device};
    return nf_fit_curve(&rows, &arena, f, why, cap);
}

/* Products of a made-up device whose truth is `c`, every time off by up to `spread`. */
static struct nf_sample **make_products(const struct nf_curve *c, double spread)
{
    struct nf_sample **list = NF_NEW_ARRAY(&arena, MADE, struct nf_sample *);
    struct nf_silicon s = nf_silicon_of(&device, NF_BF16);
    for (size_t i = 0; i < MADE; i++) {
        struct nf_sample *x = list[i] = NF_NEW(&arena, struct nf_sample);
        size_t site = i / ROWS;
        x->operation = NF_OPERATION_GEMM;
        x->precision = NF_BF16;
        x->site = site;
        x->shape.gemm = (struct nf_gemm_shape){.m = (double)(1U << (i % ROWS)),
                                               .n = 2048 * (1 + (double)(site % 9)),
                                               .k = 4096 * (1 + (double)(site % 7)),
                                               .matrices = 1,
                                               .weight_bytes = 2};
        x->seconds = nf_gemm_s(c, &s, &x->shape.gemm) * (1 + spread * noise(i));
    }
    nf_samples_split(list, MADE, &arena);
    return list;
}

Test(fit, finds_the_constants_that_made_the_times)
{
    struct nf_curve truth = {.t0_s = 5e-6, .ec = 0.7, .em = 0.8, .p = 2.5};
    struct nf_fit f;
    char why[200] = "";
    cr_assert(fit(make_products(&truth, 0.02), MADE, &f, why, sizeof why), "%s", why);
    cr_assert_float_eq(f.curve.t0_s, 5e-6, 0.3e-6);
    cr_assert_float_eq(f.curve.ec, 0.7, 0.01);
    cr_assert_float_eq(f.curve.em, 0.8, 0.01);
    cr_assert_float_eq(f.curve.p, 2.5, 0.25);
    cr_assert_eq(f.sites, SITES / 2);
    cr_assert_eq(f.held_out_sites, SITES / 2);
    cr_assert_eq(f.held_out.rows, MADE / 2);
    cr_assert_float_eq(f.held_out.median, 0.01, 0.002); /* of uniform noise to 2 % */
    cr_assert_float_eq(f.held_out.p90, 0.018, 0.002);
    size_t n = 0, refined = 0;
    const struct nf_parameter *p = nf_parameters(NF_OPERATION_GEMM, &n);
    for (size_t i = 0; i < n; i++) {
        refined += p[i].is_optional && *nf_parameter_of(&f.curve, &p[i]) > 0;
    }
    cr_assert(refined <= 1, "%zu refinements of times that have none", refined);
}

Test(fit, keeps_a_refinement_that_the_times_have)
{
    struct nf_curve truth = {
        .t0_s = 5e-6, .ec = 0.7, .em = 0.8, .p = 2.5, .slowdown = 0.1, .t0_log_s = 4e-6};
    struct nf_fit f;
    char why[200] = "";
    cr_assert(fit(make_products(&truth, 0.01), MADE, &f, why, sizeof why));
    cr_assert_float_eq(f.curve.slowdown, 0.1, 0.02);
    cr_assert_float_eq(f.curve.t0_log_s, 4e-6, 1e-6);
    cr_assert(f.held_out.median < 0.008, "%g", f.held_out.median);
}

Test(fit, outliers_do_not_move_it)
{
    struct nf_curve truth = {.t0_s = 5e-6, .ec = 0.7, .em = 0.8, .p = 2.5};
    struct nf_sample **list = make_products(&truth, 0.02);
    for (size_t i = 0; i < MADE; i += 17) {
        list[i]->seconds *= 4;
    }
    struct nf_fit f;
    char why[200] = "";
    cr_assert(fit(list, MADE, &f, why, sizeof why));
    cr_assert_float_eq(f.curve.ec, 0.7, 0.02);
    cr_assert_float_eq(f.curve.em, 0.8, 0.02);
}

Test(fit, times_that_beat_the_data_sheet_are_refused)
{
    struct nf_curve truth = {.t0_s = 5e-6, .ec = 0.9, .em = 0.9, .p = 2.5};
    struct nf_sample **list = make_products(&truth, 0);
    for (size_t i = 0; i < MADE; i++) {
        list[i]->seconds /= 3;
    }
    struct nf_fit f;
    char why[300] = "";
    cr_assert_not(fit(list, MADE, &f, why, sizeof why));
    cr_assert(strstr(why, "bound of 1"), "%s", why);
    cr_assert_not(fit(list, 30, &f, why, sizeof why));
    cr_assert(strstr(why, "at least 40"), "%s", why);
}

Test(fit, errors_by_hand)
{
    double e[] = {0.1, -0.3, 0.05, -0.02, 0.2, 0, 0.07, -0.4, 0.01, 0.9};
    struct nf_error x = nf_error_of(e, 10);
    cr_assert_float_eq(x.bias, 0.03, 1e-12);    /* between 0.01 and 0.05 */
    cr_assert_float_eq(x.median, 0.085, 1e-12); /* sizes: between 0.07 and 0.1 */
    cr_assert_float_eq(x.p90, 0.9, 1e-12);
    cr_assert(isnan(nf_error_of(e, 0).median));
}

Test(fit, rows_are_read_with_their_shapes)
{
    struct nf_samples s;
    cr_assert_eq(read_text("k,gemm_dtype,m,n,latency_us\n"
                           "4096,bfloat16,16,8192,40.5\n1024,fp8,1,512,6\n",
                           &s),
                 NF_OK);
    cr_assert_eq(s.count, 2);
    cr_assert_eq(s.items[0].shape.gemm.n, 8192);
    cr_assert_float_eq(s.items[0].seconds, 40.5e-6, 1e-15);
    cr_assert_not(s.items[0].shape.gemm.is_cached);
    cr_assert_eq(s.items[1].precision, NF_FP8);
    cr_assert(s.items[1].shape.gemm.is_cached);
    cr_assert_eq(
        read_text("num_heads,num_key_value_heads,head_dim,batch_size,ctx,latency_us\n"
                  "8,0,128,2,64,14.5\n",
                  &s),
        NF_OK);
    cr_assert_eq(s.items[0].operation, NF_OPERATION_PREFILL);
    cr_assert_eq(s.items[0].shape.prefill.kv_heads, 8); /* 0: as many as heads */
    cr_assert_eq(s.items[0].shape.prefill.pairs, 2 * 64 * 32);
}

static void expect(const char *text, enum nf_status code, const char *part)
{
    struct nf_samples s;
    nf_diags_init(&diags, &arena);
    cr_assert_eq(read_text(text, &s), code, "%s", text);
    cr_assert(strstr(diags.items[0].message, part), "%s", diags.items[0].message);
}

Test(fit, wrong_rows_are_told)
{
    expect("a,b\n1,2\n", NF_E_KEY, "not the columns");
    expect("gemm_dtype,m,n,k,latency_us\nbf16,1,2,3,nan\n", NF_E_TYPE, "row 1");
    expect("gemm_dtype,m,n,k,latency_us\nbf16,1,2,3,-7\n", NF_E_RANGE, "row 1");
    expect("gemm_dtype,m,n,k,latency_us\nfp5,1,2,3,7\n", NF_E_REFERENCE, "fp5");
    expect("gemm_dtype,m,n,k,latency_us\nbf16,1,2,3,7\nbf16,1,2,4,7\nbf16,1,2,3,8\n",
           NF_E_KEY, "row 3: the shape of row 1");
    /* 2 x 4096^3 at the peak take 137 us; milliseconds in a column of microseconds */
    expect("gemm_dtype,m,n,k,latency_us\nbf16,4096,4096,4096,0.2\n", NF_E_RANGE,
           "microseconds are expected");
    expect("gemm_dtype,m,n,k,latency_us\nbf16,4096,4096,4096,190000\n", NF_E_RANGE,
           "microseconds are expected");
    expect("layer,tokens,time_us\nqkv_proj,1,7\n", NF_E_USAGE, "layers of one model");
}
