/*
 * diffusion_block.h - one block of a diffusion transformer (Peebles and Xie 2023), bf16, of the launches of ops.h.
 *
 * What:   norm, scale and shift; projection; attention without a mask; projection; gated residual, norm, scale and
 *         shift; product, GELU, product; gated residual. Linear parts without biases; head dimension 128.
 *         With hidden 3072, 24 heads and ffn 12 288 it has the products of one stream of FLUX.1's double blocks.
 * Owner:  nf_block_build takes its memory from the bench.
 */
#ifndef NF_KERNELS_DIFFUSION_BLOCK_H
#define NF_KERNELS_DIFFUSION_BLOCK_H

#include "ops.h"

#ifdef __cplusplus
extern "C" {
#endif

struct nf_block_shape {
    int tokens, hidden, heads, ffn; /* hidden = 128 heads */
};
/* The six vectors of a picture, one after the other. */
enum { NF_SCALE_1, NF_SHIFT_1, NF_GATE_1, NF_SCALE_2, NF_SHIFT_2, NF_GATE_2, NF_VECTORS };

double nf_block_flop(const struct nf_block_shape *s);
double nf_block_bytes(const struct nf_block_shape *s);

struct nf_block_values {
    const float *vectors, *qkv, *out, *up, *down;
};
size_t nf_block_scratch_floats(const struct nf_block_shape *s);
/* In place on x ([tokens][hidden]); every result is rounded to bf16, as it is stored. */
void nf_block_reference(float *x, const struct nf_block_values *w,
                        const struct nf_block_shape *s, float *scratch);

#ifdef __cplusplus
}
#endif
#endif
