/* Hand-worked cases and properties of the references. Each function is one claim. */
#include "selftest.h"

#include <math.h>

#include "ops.h"
#include "timing.h"

static bool near(double a, double b, double tolerance)
{
    return fabs(a - b) <= tolerance; /* false for NaN */
}

/* --- number formats ------------------------------------------------------------------------------------ */

static bool bf16_rounds_to_nearest_even(void)
{
    /* 1 + 2^-8 lies half way between 1 and 1 + 2^-7: to the even one, 1. 1 + 3 2^-8: to 1 + 2^-6. */
    return nf_bf16_from_float(1.00390625f) == 0x3f80 &&
           nf_bf16_from_float(1.01171875f) == 0x3f82 &&
           nf_bf16_to_float(0xc049) == -3.140625f &&
           nf_bf16_from_float(-3.14159265f) == 0xc049;
}

static bool fp16_covers_its_edges(void)
{
    return nf_f16_from_float(65504.0f) == 0x7bff &&
           nf_f16_from_float(65520.0f) == 0x7c00 && nf_f16_from_float(0x1p-24f) == 1 &&
           nf_f16_from_float(0x1p-25f) == 0 && nf_f16_from_float(0x1p-14f) == 0x0400 &&
           nf_f16_to_float(0xb555) == -0x1.554p-2f;
}

static bool fp8_covers_its_edges(void)
{
    return nf_e4m3_from_float(448.0f) == 0x7e && nf_e4m3_from_float(1e9f) == 0x7e &&
           nf_e4m3_from_float(0x1p-9f) == 1 && nf_e4m3_from_float(0x1p-10f) == 0 &&
           nf_e4m3_from_float(-1.0625f) == 0xb8 &&
           nf_e4m3_to_float(0x7f) != nf_e4m3_to_float(0x7f);
}

static bool every_small_float_survives_a_round_trip(void)
{
    for (unsigned i = 0; i < 65536; i++) {
        float x = nf_f16_to_float((uint16_t)i), y = nf_bf16_to_float((uint16_t)i);
        if ((x == x && nf_f16_from_float(x) != i) ||
            (y == y && nf_bf16_from_float(y) != i)) {
            return false;
        }
        float z = nf_e4m3_to_float((uint8_t)i);
        if (i < 256 && z == z && nf_e4m3_from_float(z) != i) {
            return false;
        }
    }
    return true;
}

/* --- references ------------------------------------------------------------------------------------------ */

static bool gemm_by_hand(void)
{
    /* (1 2 3; -1 0 2) times rows (4 5 6), (0.5 0 -1): 32, -2.5; 8, -2.5. */
    const float a[] = {1, 2, 3, -1, 0, 2}, b[] = {4, 5, 6, 0.5f, 0, -1};
    float c[4];
    nf_gemm_reference(c, a, b, 2, 2, 3);
    return near((double)c[0], 32, 0) && near((double)c[1], -2.5, 0) &&
           near((double)c[2], 8, 0) && near((double)c[3], -2.5, 0);
}

static bool triad_by_hand(void)
{
    const float x[] = {1, -2}, y[] = {3, 0.5f};
    float out[2];
    nf_triad_reference(out, x, y, 2.0f, 2);
    return near((double)out[0], 7, 0) && near((double)out[1], -1, 0);
}

static bool causal_attention_by_hand(void)
{
    /* One head of dimension 4 (scale 1/2). Query 0 sees key 0 alone: its value. Query 1 has scores
     * 2 ln 3 / 2 = ln 3 and 0: weights 3/4 and 1/4. */
    const float l = 1.0986123f;
    const float q[8] = {9, 9, 9, 9, 2 * l, 0, 0, 0};
    const float k[8] = {1, 0, 0, 0, 0, 1, 0, 0}, v[8] = {8, 0, 0, 4, 0, 16, 0, -4};
    float out[8];
    struct nf_prefill a = {
        .batch = 1, .queries = 2, .heads = 1, .kv_heads = 1, .dim = 4, .causal = true};
    nf_prefill_reference(out, &a, q, k, v);
    return near((double)out[0], 8, 1e-6) && near((double)out[3], 4, 1e-6) &&
           near((double)out[4], 6, 1e-5) && near((double)out[5], 4, 1e-5) &&
           near((double)out[7], 2, 1e-5);
}

static bool attention_of_equal_keys_is_the_mean_value(void)
{
    enum { KEYS = 37, DIM = 4, HEADS = 2 };
    float q[HEADS * DIM], k[KEYS * DIM], v[KEYS * DIM], out[HEADS * DIM];
    double mean = 0.0;
    for (int i = 0; i < KEYS * DIM; i++) {
        k[i] = (float)(i % DIM);
        v[i] = nf_uniform(5, (uint64_t)i);
        mean += i % DIM == 2 ? (double)v[i] / KEYS : 0.0;
    }
    for (int i = 0; i < HEADS * DIM; i++) {
        q[i] = nf_uniform(6, (uint64_t)i);
    }
    struct nf_prefill a = {.batch = 1,
                           .queries = 1,
                           .context = KEYS - 1,
                           .heads = HEADS,
                           .kv_heads = 1,
                           .dim = DIM,
                           .causal = true};
    nf_prefill_reference(out, &a, q, k, v);
    return near((double)out[2], mean, 1e-5) && near((double)out[DIM + 2], mean, 1e-5);
}

static bool paged_decode_equals_contiguous_attention(void)
{
    enum { KEYS = 21, DIM = 8, HEADS = 4, KV = 2, PAGES = 5 };
    static const int table[2] = {3, 1};
    float q[HEADS * DIM], k[KEYS * KV * DIM], v[KEYS * KV * DIM], out[HEADS * DIM],
        want[HEADS * DIM];
    static float keys[PAGES * KV * NF_PAGE * DIM], values[PAGES * KV * NF_PAGE * DIM];
    for (int i = 0; i < KEYS * KV * DIM; i++) {
        int token = i / (KV * DIM), head = i / DIM % KV, d = i % DIM;
        k[i] = nf_uniform(7, (uint64_t)i);
        v[i] = nf_uniform(8, (uint64_t)i);
        int at =
            ((table[token / NF_PAGE] * KV + head) * NF_PAGE + token % NF_PAGE) * DIM + d;
        keys[at] = k[i];
        values[at] = v[i];
    }
    for (int i = 0; i < HEADS * DIM; i++) {
        q[i] = 3.0f * nf_uniform(9, (uint64_t)i);
    }
    const int length = KEYS;
    struct nf_decode d = {
        .batch = 1, .heads = HEADS, .kv_heads = KV, .dim = DIM, .table_width = 2};
    struct nf_prefill p = {.batch = 1,
                           .queries = 1,
                           .context = KEYS - 1,
                           .heads = HEADS,
                           .kv_heads = KV,
                           .dim = DIM,
                           .causal = true};
    d.lengths = &length;
    d.table = table;
    nf_decode_reference(out, &d, keys, values, q);
    nf_prefill_reference(want, &p, q, k, v);
    for (int i = 0; i < HEADS * DIM; i++) {
        if (!near((double)out[i], (double)want[i], 1e-5)) {
            return false;
        }
    }
    return true;
}

static bool prefill_work_is_counted_by_hand(void)
{
    /* 3 causal queries after a context of 2 see 3 + 4 + 5 = 12 keys; 4 x 12 x 7 heads x 64. */
    struct nf_prefill a = {.batch = 1,
                           .queries = 3,
                           .context = 2,
                           .heads = 7,
                           .kv_heads = 7,
                           .dim = 64,
                           .causal = true};
    return near(nf_prefill_flop(&a), 4.0 * 12 * 7 * 64, 0);
}

static bool rmsnorm_by_hand(void)
{
    /* x + residual = (3, 4), mean square 12.5: (3, 4) / 3.5355339 times (2, 0.5). */
    const float x[] = {1, 5}, weight[] = {2, 0.5f};
    float residual[] = {2, -1}, out[2];
    const struct nf_rmsnorm a = {.rows = 1, .width = 2};
    nf_rmsnorm_reference(out, residual, x, weight, &a);
    return near((double)out[0], 1.6970563, 1e-6) &&
           near((double)out[1], 0.5656854, 1e-6) && near((double)residual[0], 3, 0) &&
           near((double)residual[1], 4, 0);
}

static bool rotary_by_hand_and_keeps_lengths(void)
{
    /* Dimension 2, position 1: a turn by one radian. A pair's length never changes. */
    float x[] = {1, 0}, y[64];
    const int one = 1, far = 31999;
    struct nf_rotary small = {
        .tokens = 1, .heads = 1, .dim = 2, .stride = 2, .theta = 10000.0f};
    struct nf_rotary large = {
        .tokens = 1, .heads = 1, .dim = 64, .stride = 64, .theta = 500000.0f};
    nf_rotary_reference(x, &one, &small);
    for (int i = 0; i < 64; i++) {
        y[i] = nf_uniform(11, (uint64_t)i);
    }
    double before = (double)y[5] * (double)y[5] + (double)y[37] * (double)y[37];
    nf_rotary_reference(y, &far, &large);
    double after = (double)y[5] * (double)y[5] + (double)y[37] * (double)y[37];
    return near((double)x[0], 0.5403023, 1e-6) && near((double)x[1], 0.8414710, 1e-6) &&
           near(before, after, 1e-6);
}

static bool swiglu_by_hand(void)
{
    const float x[] = {0, 2, 5, 3}; /* gates 0, 2; ups 5, 3: 0, 2 / (1 + e^-2) 3 */
    float out[2];
    nf_swiglu_reference(out, x, 1, 2);
    return near((double)out[0], 0, 0) && near((double)out[1], 5.2847825, 1e-6);
}

static bool softmax_by_hand_and_sums_to_one(void)
{
    const float x[] = {1000, 1000 + 0.6931472f, 1000}; /* 1/4, 1/2, 1/4; no overflow */
    float out[3];
    nf_softmax_reference(out, x, 1, 3);
    return near((double)out[1], 0.5, 1e-5) &&
           near((double)out[0] + (double)out[1] + (double)out[2], 1.0, 1e-6);
}

static bool quantize_by_hand(void)
{
    const float x[] = {-2.54f, 0.5f, 0, 0}; /* int8: scale 0.02, -127 and 25 */
    float out[4], scale[2];
    struct nf_quantize a = {.rows = 2, .width = 2, .type = NF_S8};
    nf_quantize_reference(out, scale, x, &a);
    return near((double)scale[0], 0.02, 1e-8) && near((double)out[0], -127, 0) &&
           near((double)out[1], 25, 0) && near((double)scale[1], 1, 0) &&
           near((double)out[2], 0, 0);
}

static bool residual_by_hand(void)
{
    const float x[] = {1, -4}, y[] = {0.5f, 4};
    float out[2];
    nf_residual_reference(out, x, y, 2);
    return near((double)out[0], 1.5, 0) && near((double)out[1], 0, 0);
}

static bool conv2d_by_hand(void)
{
    /* A 3 x 3 picture 1..9, one filter of ones, pad 1, stride 2: corners sum 4 numbers each. */
    const float x[] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, w[] = {1, 1, 1, 1, 1, 1, 1, 1, 1},
                bias[] = {-20};
    float out[4];
    struct nf_conv2d a = {.batch = 1,
                          .height = 3,
                          .width = 3,
                          .channels = 1,
                          .filters = 1,
                          .kernel = 3,
                          .stride = 2,
                          .pad = 1,
                          .relu = true};
    nf_conv2d_reference(out, &a, x, w, bias, NULL);
    return nf_conv2d_out(3, &a) == 2 && near((double)out[0], 0, 0) &&
           near((double)out[1], 0, 0) && near((double)out[2], 4, 0) &&
           near((double)out[3], 8, 0) && near(nf_conv2d_flop(&a), 2.0 * 4 * 9, 0);
}

static bool conv2d_of_one_pixel_is_a_matrix_product(void)
{
    enum { IN = 6, OUT = 5, PIXELS = 4 };
    float x[PIXELS * IN], w[OUT * IN], out[PIXELS * OUT], want[PIXELS * OUT];
    for (int i = 0; i < PIXELS * IN; i++) {
        x[i] = nf_uniform(12, (uint64_t)i);
    }
    for (int i = 0; i < OUT * IN; i++) {
        w[i] = nf_uniform(13, (uint64_t)i);
    }
    struct nf_conv2d a = {.batch = 1,
                          .height = 2,
                          .width = 2,
                          .channels = IN,
                          .filters = OUT,
                          .kernel = 1,
                          .stride = 1};
    nf_conv2d_reference(out, &a, x, w, NULL, NULL);
    nf_gemm_reference(want, x, w, PIXELS, OUT, IN);
    for (int i = 0; i < PIXELS * OUT; i++) {
        if (out[i] != want[i]) {
            return false;
        }
    }
    return true;
}

static bool pool2d_by_hand(void)
{
    const float x[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    float out[4], mean;
    struct nf_pool2d a = {.batch = 1,
                          .height = 3,
                          .width = 3,
                          .channels = 1,
                          .size = 3,
                          .stride = 2,
                          .pad = 1};
    nf_pool2d_reference(out, &a, x);
    a.size = 0;
    a.pad = 0;
    nf_pool2d_reference(&mean, &a, x);
    return near((double)out[0], 5, 0) && near((double)out[1], 6, 0) &&
           near((double)out[3], 9, 0) && near((double)mean, 5, 1e-6);
}

static bool resize_by_hand(void)
{
    /* 1 x 2 pixels 0 and 255 to 1 x 4: weights at -0.25, 0.25, 0.75, 1.25 give 0, 1/4, 3/4, 1. */
    const unsigned char x[] = {0, 0, 0, 255, 255, 255};
    float out[4 * 8];
    struct nf_resize a = {.batch = 1,
                          .in_height = 1,
                          .in_width = 2,
                          .out_height = 1,
                          .out_width = 4,
                          .out_channels = 8};
    nf_resize_reference(out, &a, x);
    return near((double)out[0], -0.485 / 0.229, 1e-6) &&
           near((double)out[8], (0.25 - 0.485) / 0.229, 1e-6) &&
           near((double)out[17], (0.75 - 0.456) / 0.224, 1e-6) &&
           near((double)out[26], (1 - 0.406) / 0.225, 1e-6) &&
           near((double)out[27], 0, 0);
}

static bool nms_by_hand(void)
{
    /* Box 1 overlaps box 0 by 8/12 and goes; box 2 overlaps box 1 (gone) and stays; 3 is apart. */
    const float corners[] = {0, 0, 10, 1, 2, 0, 12, 1, 6, 0, 16, 1, 50, 50, 51, 51};
    unsigned char keep[4];
    nf_nms_reference(keep, corners, 4, 0.5f);
    return keep[0] == 1 && keep[1] == 0 && keep[2] == 1 && keep[3] == 1;
}

/* --- timing and peaks --------------------------------------------------------------------------------------- */

static bool quartiles_by_hand(void)
{
    double v[] = {7, 1, 3, 2, 100};
    struct nf_quartiles q = nf_quartiles_of(v, 5);
    return near(q.q1, 2, 0) && near(q.median, 3, 0) && near(q.q3, 7, 0);
}

static bool sampling_stops_for_the_right_reason(void)
{
    double steady[60], noisy[60];
    for (int i = 0; i < 60; i++) {
        steady[i] = 100.0 + 0.1 * (i % 3);
        noisy[i] = 100.0 + 20.0 * (i % 3);
    }
    const struct nf_sampling rule = {30, 60, 0.005, 0.05, 1.0};
    const struct nf_sampling few = {30, 45, 0.005, 0.05, 1.0};
    return nf_sampling_stop(&rule, steady, 29, 0.1) == NF_STOP_NOT &&
           nf_sampling_stop(&rule, steady, 30, 0.1) == NF_STOP_STEADY &&
           nf_sampling_stop(&rule, noisy, 30, 0.1) == NF_STOP_NOT &&
           nf_sampling_stop(&rule, noisy, 40, 2.0) == NF_STOP_TIME &&
           nf_sampling_stop(&rule, noisy, 60, 0.1) == NF_STOP_SETTLED &&
           nf_sampling_stop(&few, noisy, 45, 0.1) == NF_STOP_ROOM;
}

static bool peaks_are_found_by_name(void)
{
    return near(nf_peak_of("NVIDIA L4")->gbps, 300, 0) &&
           near(nf_peak_of("NVIDIA L40S")->gbps, 864, 0) &&
           near(nf_peak_of("NVIDIA H100 80GB HBM3")->gbps, 3350, 0) &&
           near(nf_peak_of("NVIDIA H100 PCIe")->gbps, 2000, 0) &&
           near(nf_peak_of("NVIDIA A100-SXM4-80GB")->gbps, 2039, 0) &&
           near(nf_peak_of("NVIDIA H200")->gbps, 4800, 0) &&
           near(nf_peak_of("Another")->gbps, 0, 0);
}

#define CLAIM(f)                                                                         \
    {                                                                                    \
#f, f                                                                            \
    }
static const struct nf_selftest tests[] = {
    CLAIM(bf16_rounds_to_nearest_even),
    CLAIM(fp16_covers_its_edges),
    CLAIM(fp8_covers_its_edges),
    CLAIM(every_small_float_survives_a_round_trip),
    CLAIM(gemm_by_hand),
    CLAIM(triad_by_hand),
    CLAIM(causal_attention_by_hand),
    CLAIM(attention_of_equal_keys_is_the_mean_value),
    CLAIM(paged_decode_equals_contiguous_attention),
    CLAIM(prefill_work_is_counted_by_hand),
    CLAIM(rmsnorm_by_hand),
    CLAIM(rotary_by_hand_and_keeps_lengths),
    CLAIM(swiglu_by_hand),
    CLAIM(softmax_by_hand_and_sums_to_one),
    CLAIM(quantize_by_hand),
    CLAIM(residual_by_hand),
    CLAIM(conv2d_by_hand),
    CLAIM(conv2d_of_one_pixel_is_a_matrix_product),
    CLAIM(pool2d_by_hand),
    CLAIM(resize_by_hand),
    CLAIM(nms_by_hand),
    CLAIM(quartiles_by_hand),
    CLAIM(sampling_stops_for_the_right_reason),
    CLAIM(peaks_are_found_by_name),
};

const struct nf_selftest *nf_selftests(int *count)
{
    *count = (int)(sizeof tests / sizeof *tests);
    return tests;
}
