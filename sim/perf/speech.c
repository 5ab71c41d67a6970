#include "perf/speech.h"

#include <math.h>

#include "perf/llm_part.h"
#include "perf/operator.h"

/* Host time of a decoder step: s0 of language model engines, README.md. */
static const double STEP_OVERHEAD_S = 0.3e-3;

/* Passes of a layer between products: norm and residual twice, activation; a decoder layer has a third norm, and the cache's update. */
enum { ENCODER_PASSES = 3, DECODER_PASSES = 5 };

struct machine {
    const struct nf_calibration *cal;
    const struct nf_curve *gemm;
    struct nf_silicon silicon;
};

/* More rows than the constants were fitted to are taken as so many products. */
static double product_s(const struct machine *k, double rows, double in, double out)
{
    double pieces = ceil(rows / NF_GEMM_ROWS_MEASURED);
    struct nf_gemm_shape g = {
        .m = rows / pieces, .n = out, .k = in, .matrices = 1, .weight_bytes = 2};
    return pieces * nf_gemm_s(k->gemm, &k->silicon, &g);
}

static double pass_s(const struct machine *k, double rows, double values)
{
    return nf_pass_s(&k->cal->elementwise, &k->silicon, 2 * rows * values);
}

/* Everything before the first token. Frames come out of two convolutions of three columns, the second one over every other. */
static double encoder_s(const struct nf_speech *s, const struct machine *k,
                        double windows)
{
    double h = s->hidden, f = s->ffn, rows = windows * s->frames;
    const struct nf_curve *attention = k->cal->encoder_attention.em > 0
                                           ? &k->cal->encoder_attention
                                           : &k->cal->prefill_attention;
    struct nf_prefill_shape g = {.pairs = rows * s->frames,
                                 .tokens = rows,
                                 .longest = s->frames,
                                 .heads = s->heads,
                                 .kv_heads = s->heads,
                                 .head_dim = h / s->heads,
                                 .kv_bytes = 2};
    double layer = product_s(k, rows, h, 3 * h) + product_s(k, rows, h, h) +
                   product_s(k, rows, h, f) + product_s(k, rows, f, h) +
                   nf_prefill_s(attention, &k->silicon, &g) +
                   (ENCODER_PASSES - 1) * pass_s(k, rows, 4 * h) + pass_s(k, rows, 2 * f);
    double first =
        product_s(k, 2 * rows, 3.0 * s->bands, h) + product_s(k, rows, 3 * h, h);
    return first + s->encoder_layers * layer +
           s->decoder_layers * product_s(k, rows, h, 2 * h);
}

/* One decoder step with `context` tokens so far in each window. */
static double step_s(const struct nf_speech *s, const struct machine *k, double windows,
                     double context)
{
    double h = s->hidden, f = s->ffn, b = windows;
    struct nf_decode_shape own = {.sequences = b,
                                  .context = b * context,
                                  .heads = s->heads,
                                  .kv_heads = s->heads,
                                  .head_dim = h / s->heads,
                                  .kv_bytes = 2};
    struct nf_decode_shape cross = own;
    cross.context = b * s->frames;
    double layer = product_s(k, b, h, 3 * h) + 3 * product_s(k, b, h, h) +
                   product_s(k, b, h, f) + product_s(k, b, f, h) +
                   nf_decode_s(&k->cal->decode_attention, &k->silicon, &own) +
                   nf_decode_s(&k->cal->decode_attention, &k->silicon, &cross) +
                   DECODER_PASSES * pass_s(k, b, 4 * h);
    return STEP_OVERHEAD_S + s->decoder_layers * layer + product_s(k, b, h, s->vocab);
}

bool nf_speech_batch_s(const struct nf_speech *s, const struct nf_host *host,
                       double windows, double tokens, double *out)
{
    const struct nf_calibration *cal = host->calibration;
    enum nf_precision half = nf_device_half(host->device);
    if (!cal || s->encoder_layers == 0 || !nf__llm_gemm_curve(cal, half) ||
        !(cal->prefill_attention.em > 0) || !(cal->decode_attention.em > 0) ||
        !(cal->elementwise.em > 0)) {
        return false;
    }
    struct machine k = {cal, nf__llm_gemm_curve(cal, half),
                        nf_silicon_of(host->device, half)};
    *out = encoder_s(s, &k, windows) + tokens * step_s(s, &k, windows, (tokens + 1) / 2);
    return true;
}
