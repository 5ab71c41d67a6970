/*
 * decoder.h - a decoder layer, and a whole decoder, put together from the launches of ops.h (bf16).
 *
 * What:   norm, projection, rotary, cache append, attention, projection, norm, gated feed-forward; for one chunk
 *         of a prompt and a batch of sequences that get one token each, in one pass, as serving engines mix them.
 *         With `ranks` > 1 it is one rank's share of a tensor-parallel layer, without the all-reduces.
 * Why:    composed runs test what is predicted from single operations; they never feed a fit.
 * Order:  rows of every matrix of activations are the prompt's tokens, then one row a decoding sequence.
 * Cache:  pages of NF_PAGE tokens in a scattered order, the prompt's first; all layers share one table.
 * Owner:  nf_decoder_build takes its memory from the bench: it is gone after nf_case_end.
 * Errors: nf_bench.error.
 */
#ifndef NF_KERNELS_DECODER_H
#define NF_KERNELS_DECODER_H

#include "ops.h"

#ifdef __cplusplus
extern "C" {
#endif

struct nf_decoder_shape {
    const char *model;                     /* of the catalogue; NULL: none of it */
    int hidden, heads, kv_heads, dim, ffn; /* of the whole model */
    int ranks;                             /* divides heads, kv_heads and ffn */
    int layers;
    int vocab; /* 0: no last norm and no head */
    float theta;
};
struct nf_decoder_tokens {
    int queries;        /* of one prompt without context */
    int decode;         /* sequences with one new token each */
    int decode_context; /* keys of each of them, the new one included */
};

/* What all layers share, in host memory. */
struct nf_decoder_plan {
    struct nf_decoder_shape shape;
    struct nf_decoder_tokens tokens;
    int rows, pages, table_width;
    int *positions, *slots; /* [rows] */
    int *table, *lengths;   /* [decode][table_width], [decode] */
};
int nf_decoder_pages(const struct nf_decoder_tokens *tokens);
/* Fills in everything; the four lists are the caller's, as long as said above. */
void nf_decoder_place(struct nf_decoder_plan *plan);
int nf_decoder_head_rows(const struct nf_decoder_plan *plan);
double nf_decoder_flop(const struct nf_decoder_plan *plan);
double nf_decoder_bytes(const struct nf_decoder_plan *plan);

/* --- reference ----------------------------------------------------------------------------------------- */
struct nf_layer_values {
    const float *norm_in, *qkv, *out, *norm_mid, *gate_up, *down;
    float *keys, *values;
};
size_t nf_decoder_scratch_floats(const struct nf_decoder_plan *plan);
/* One layer in place on residual and x ([rows][hidden]); every result is rounded to bf16, as it is stored. */
void nf_layer_reference(float *residual, float *x, const struct nf_layer_values *w,
                        const struct nf_decoder_plan *plan, float *scratch);
/* Last norm and head: logits [head rows][vocab]. */
void nf_head_reference(float *logits, float *residual, const float *x,
                       const float *const weights[2], const struct nf_decoder_plan *plan,
                       float *scratch);

/* --- on the device ------------------------------------------------------------------------------------- */
struct nf_layer {
    struct nf_tensor norm_in, qkv, out, norm_mid, gate_up, down, keys, values;
    struct nf_product products[4]; /* qkv, out, gate_up, down */
    struct nf_prefill prefill;
    struct nf_decode decode;
};
struct nf_decoder {
    struct nf_decoder_plan plan;
    int prefill_version;
    int *positions, *slots, *table, *lengths; /* on the device */
    struct nf_tensor residual, x, normed, projected, attended, gated, active, logits;
    struct nf_tensor norm_last, head;
    struct nf_product head_product;
    struct nf_layer *layers;
    float *work;
};
struct nf_decoder_options {
    bool library;   /* products by cuBLASLt where it has them */
    bool host_copy; /* keep host values of weights, cache and activations, for a check */
};
/* Bytes on the device that a build takes. */
double nf_decoder_need(const struct nf_decoder_shape *shape,
                       const struct nf_decoder_tokens *tokens);
bool nf_decoder_build(struct nf_bench *b, struct nf_decoder *d,
                      const struct nf_decoder_shape *shape,
                      const struct nf_decoder_tokens *tokens,
                      struct nf_decoder_options options);
void nf_decoder_layer_launch(const struct nf_decoder *d, int layer, nf_stream stream);
void nf_decoder_launch(const struct nf_decoder *d, nf_stream stream);

#ifdef __cplusplus
}
#endif
#endif
