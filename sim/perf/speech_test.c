#include "perf/speech.h"

#include <criterion/criterion.h>

/* p = 1 (terms add up), one microsecond a product, round rates: 1 TFLOPS at half, 1 GB/s at half. */
static const struct nf_device device = {
    .name = "D", .bandwidth = 1e9, .peak = {[NF_BF16] = 1e12}, .multiprocessors = 10};
static const struct nf_calibration profile = {
    .name = "toy",
    .device = "D",
    .gemm = {[NF_BF16] = {.t0_s = 1e-6, .ec = 0.5, .em = 0.5, .p = 1}},
    .prefill_attention = {.t0_s = 4e-6, .ec = 0.25, .em = 0.5, .p = 1},
    .decode_attention = {.t0_s = 3e-6, .em = 0.5, .p = 1, .extra = 5e-6},
    .encoder_attention = {.t0_s = 2e-6, .ec = 0.25, .em = 0.5, .p = 1},
    .elementwise = {.t0_s = 2e-6, .em = 0.8, .p = 1}};

static const struct nf_speech toy = {.encoder_layers = 1,
                                     .decoder_layers = 2,
                                     .hidden = 4,
                                     .ffn = 8,
                                     .heads = 2,
                                     .vocab = 16,
                                     .frames = 6,
                                     .bands = 5};

static double product(double m, double k, double n)
{
    return 1e-6 + 2 * m * k * n / 0.5e12 + 2 * (k * n + m * (k + n)) / 0.5e9;
}

static double pass(double rows, double values)
{
    return 2e-6 + 2 * rows * values / 0.8e9;
}

/* Two windows: 12 rows in the encoder, 2 in each of three decoder steps, whose mean context is two tokens. */
Test(speech, two_windows_by_hand)
{
    double t = 0;
    cr_assert(nf_speech_batch_s(&toy, &(struct nf_host){&device, &profile, 1}, 2, 3, &t));
    double attention = 2e-6 + 4 * 72 * 2 * 2 / 0.25e12 + 2 * 12 * 2 * (4 + 4) / 0.5e9;
    double encoder = product(24, 15, 4) + product(12, 12, 4) + product(12, 4, 12) +
                     product(12, 4, 4) + product(12, 4, 8) + product(12, 8, 4) +
                     attention + 2 * pass(12, 16) + pass(12, 16) + 2 * product(12, 4, 8);
    double each = 2 * 5e-6 * 2 / 10;
    double own = 3e-6 + 2 * 2 * 4 * 2 * 2 / 0.5e9 + each;
    double cross = 3e-6 + 2 * 2 * 12 * 2 * 2 / 0.5e9 + each;
    double step = 0.3e-3 + product(2, 4, 16) +
                  2 * (product(2, 4, 12) + 3 * product(2, 4, 4) + product(2, 4, 8) +
                       product(2, 8, 4) + own + cross + 5 * pass(2, 16));
    cr_assert_float_eq(t, encoder + 3 * step, 1e-12, "%g for %g", t, encoder + 3 * step);
}

Test(speech, longer_texts_take_more_steps)
{
    struct nf_host host = {&device, &profile, 1};
    double t3 = 0, t30 = 0;
    cr_assert(nf_speech_batch_s(&toy, &host, 2, 3, &t3));
    cr_assert(nf_speech_batch_s(&toy, &host, 2, 30, &t30));
    cr_assert(t30 > t3 + 27 * 0.3e-3);
}

Test(speech, without_constants_there_is_no_time)
{
    struct nf_calibration none = profile;
    double t = 0;
    none.decode_attention.em = 0;
    cr_assert_not(
        nf_speech_batch_s(&toy, &(struct nf_host){&device, &none, 1}, 2, 3, &t));
    cr_assert_not(nf_speech_batch_s(&toy, &(struct nf_host){&device, NULL, 1}, 2, 3, &t));
}
