#include "diffusion_block.h"

#include <string.h>

double nf_block_flop(const struct nf_block_shape *s)
{
    double h = s->hidden, t = s->tokens;
    return 2.0 * t * (4.0 * h * h + 2.0 * h * s->ffn) + 4.0 * t * t * h;
}

/* Weights and vectors once, x in and out. */
double nf_block_bytes(const struct nf_block_shape *s)
{
    double h = s->hidden;
    return 2.0 * (4.0 * h * h + 2.0 * h * s->ffn + NF_VECTORS * h) + 4.0 * s->tokens * h;
}

static void round_all(float *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        v[i] = nf_bf16_to_float(nf_bf16_from_float(v[i]));
    }
}

size_t nf_block_scratch_floats(const struct nf_block_shape *s)
{
    /* normed, y, attended; projected and its three parts; between the last products, twice */
    return (size_t)s->tokens * (size_t)(9 * s->hidden + 2 * s->ffn);
}

/* Norm of x after it has taken in gate y (y NULL: as it is); out NULL: only the sum. */
static void modulate(float *out, float *x, const float *y, const float *const vectors[3],
                     const struct nf_block_shape *s)
{
    const struct nf_modulate_host h = {
        .y = y, .scale = vectors[0], .shift = vectors[1], .gate = vectors[2]};
    const struct nf_modulate a = {
        .rows = s->tokens, .width = s->hidden, .epsilon = 1e-6f};
    nf_modulate_reference(out, x, &h, &a);
    if (out) {
        round_all(out, (size_t)s->tokens * (size_t)s->hidden);
    }
}

static void attend(float *out, const float *projected, float *parts,
                   const struct nf_block_shape *s)
{
    size_t tokens = (size_t)s->tokens, hidden = (size_t)s->hidden;
    for (size_t t = 0; t < tokens; t++) {
        for (size_t p = 0; p < 3; p++) {
            memcpy(parts + (p * tokens + t) * hidden, projected + (3 * t + p) * hidden,
                   hidden * sizeof *parts);
        }
    }
    const struct nf_prefill a = {.batch = 1,
                                 .queries = s->tokens,
                                 .heads = s->heads,
                                 .kv_heads = s->heads,
                                 .dim = s->hidden / s->heads};
    nf_prefill_reference(out, &a, parts, parts + tokens * hidden,
                         parts + 2 * tokens * hidden);
}

void nf_block_reference(float *x, const struct nf_block_values *w,
                        const struct nf_block_shape *s, float *scratch)
{
    size_t tokens = (size_t)s->tokens, full = tokens * (size_t)s->hidden,
           wide = tokens * (size_t)s->ffn;
    float *normed = scratch, *y = normed + full, *attended = y + full;
    float *projected = attended + full, *parts = projected + 3 * full;
    float *up = parts + 3 * full, *active = up + wide;
    const float *vector[NF_VECTORS];
    for (size_t i = 0; i < NF_VECTORS; i++) {
        vector[i] = w->vectors + i * (size_t)s->hidden;
    }
    const float *const first[3] = {vector[NF_SCALE_1], vector[NF_SHIFT_1], NULL};
    const float *const second[3] = {vector[NF_SCALE_2], vector[NF_SHIFT_2],
                                    vector[NF_GATE_1]};
    const float *const last[3] = {NULL, NULL, vector[NF_GATE_2]};
    modulate(normed, x, NULL, first, s);
    nf_gemm_reference(projected, normed, w->qkv, s->tokens, 3 * s->hidden, s->hidden);
    round_all(projected, 3 * full);
    attend(attended, projected, parts, s);
    round_all(attended, full);
    nf_gemm_reference(y, attended, w->out, s->tokens, s->hidden, s->hidden);
    round_all(y, full);
    modulate(normed, x, y, second, s);
    nf_gemm_reference(up, normed, w->up, s->tokens, s->ffn, s->hidden);
    round_all(up, wide);
    nf_gelu_reference(active, up, wide);
    round_all(active, wide);
    nf_gemm_reference(y, active, w->down, s->tokens, s->hidden, s->ffn);
    round_all(y, full);
    modulate(NULL, x, y, last, s);
}
