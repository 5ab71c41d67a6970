/*
 * ops.h - the operations: their arguments, their CPU references, their launches.
 *
 * What:   one struct of arguments an operation; nf_OP_reference computes it in plain C from host
 *         floats; nf_OP_launch(version, arguments, stream) enqueues one of the versions of OP.cu.
 * Why:    the composed runs (a decoder layer, a ResNet) call the same launches that are measured.
 * Layout: row-major, innermost index last in the comments. Matrices of weights are [n][k]: K is
 *         contiguous in both factors of a product, as serving systems store them.
 * Owner:  the caller owns every pointer; launches allocate nothing.
 * Errors: a launch outside the stated shapes is a mistake of the caller; nf_OP_takes says what a
 *         version can do. CUDA's own errors show at the next nf_dev_fetch.
 */
#ifndef NF_KERNELS_OPS_H
#define NF_KERNELS_OPS_H

#include "harness.h"
#include "library.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- copy.cu: to = from; triad: to = from + scale from2 (fp32) ------------------------------------ */
struct nf_copy {
    size_t bytes; /* of one array; a multiple of 16 */
    void *to;
    const void *from, *from2; /* from2: triad only */
    float scale;
};
void nf_triad_reference(float *to, const float *from, const float *from2, float scale,
                        size_t count);

/* --- gemm.cu, gemm_wgmma.cu, gemm_lt.cu: c[m][n] = scale sum_k a[m][k] b[n][k] -------------------- */
struct nf_gemm {
    int m, n, k;
    /* of a and b: bf16, fp16, fp8 (c in bf16), int8 (c in int32, no scale) */
    enum nf_dtype type;
    const void *a, *b;
    void *c;
    float scale;
    struct nf_tensor_map a_map, b_map; /* wgmma only: nf_gemm_maps */
};
enum nf_dtype nf_gemm_out(enum nf_dtype type);
enum { NF_GEMM_PLAIN, NF_GEMM_WMMA, NF_GEMM_MMA, NF_GEMM_WGMMA, NF_GEMM_VERSIONS };
bool nf_gemm_takes(const struct nf_bench *b, int version, const struct nf_gemm *g);
/* Tensor maps for the wgmma version, once per set of pointers. */
bool nf_gemm_maps(struct nf_bench *b, struct nf_gemm *g);
void nf_gemm_launch(int version, const struct nf_gemm *g, nf_stream stream);
void nf_gemm_wgmma_launch(const struct nf_gemm *g, nf_stream stream);
void nf_gemm_reference(float *c, const float *a, const float *b, int m, int n, int k);

/* The same product by cuBLASLt: a plan is one algorithm for one shape, kept until the device is closed. */
enum { NF_LT_HEURISTIC, NF_LT_TUNED, NF_LT_PRECISE, NF_LT_VERSIONS }; /* precise: fp8 */
struct nf_lt_plan;
/* Whether the library can be had; else `why` holds the reason. */
bool nf_lt_there(struct nf_bench *b, char (*why)[NF_WHY]);
/* NULL: no library, or it has no algorithm for this type and shape. Tuning runs on the pointers of `g`. */
const struct nf_lt_plan *nf_lt_plan_for(struct nf_bench *b, int version,
                                        const struct nf_gemm *g);
void nf_lt_launch(const struct nf_lt_plan *plan, const struct nf_gemm *g,
                  nf_stream stream);
void nf_lt_close(struct nf_bench *b);

/* A product of the composed runs: a plan of the library if `library` is set and it has one, else the best of
 * our versions that the device can run. False after an error. */
struct nf_product {
    struct nf_gemm g;
    int version; /* of ours, when plan is NULL */
    const struct nf_lt_plan *plan;
};
bool nf_product_prepare(struct nf_bench *b, struct nf_product *p, const struct nf_gemm *g,
                        bool library);
void nf_product_launch(const struct nf_product *p, nf_stream stream);

/* --- attention_prefill.cu, attention_wgmma.cu ------------------------------------------------------- */
/* out[b][i][h] = sum_j softmax_j(q[b][i][h] . k[b][j][g] / sqrt(dim)) v[b][j][g], g = h kv_heads / heads;
 * causal: query i stands at position context + i and sees keys 0..context + i. */
struct nf_prefill {
    int batch, queries, context, heads, kv_heads, dim; /* keys = context + queries */
    bool causal;
    const void *q;     /* [batch][queries][heads][dim] bf16 */
    const void *k, *v; /* [batch][keys][kv_heads][dim] */
    void *out;         /* as q */
    size_t q_stride,
        kv_stride; /* numbers from one token to the next; 0: heads dim, kv_heads dim */
    struct nf_tensor_map q_map, k_map, v_map;
};
enum { NF_PREFILL_PLAIN, NF_PREFILL_MMA, NF_PREFILL_WGMMA, NF_PREFILL_VERSIONS };
bool nf_prefill_takes(const struct nf_bench *b, int version, const struct nf_prefill *a);
bool nf_prefill_maps(struct nf_bench *b, struct nf_prefill *a);
void nf_prefill_launch(int version, const struct nf_prefill *a, nf_stream stream);
void nf_prefill_wgmma_launch(const struct nf_prefill *a, nf_stream stream);
void nf_prefill_reference(float *out, const struct nf_prefill *a, const float *q,
                          const float *k, const float *v);
double nf_prefill_flop(const struct nf_prefill *a);

/* --- attention_decode.cu: one new query a sequence, keys and values in pages ------------------------ */
enum { NF_PAGE = 16 }; /* tokens a page */
struct nf_decode {
    int batch, heads, kv_heads, dim; /* dim 128; heads / kv_heads at most 16 */
    int table_width;                 /* pages a row of `table` has room for */
    int longest;                     /* the largest of `lengths` */
    const int *lengths;              /* [batch] keys of each sequence, at least 1 */
    const int *table;                /* [batch][table_width] page numbers */
    const void *keys, *values;       /* [pages][kv_heads][NF_PAGE][dim] bf16 */
    const void *q;   /* [batch][heads][dim], or rows of q_stride numbers */
    size_t q_stride; /* 0: heads dim */
    void *out;       /* [batch][heads][dim] */
    float *work;     /* nf_decode_work_bytes */
    int splits;      /* parts of a sequence: nf_decode_splits */
};
enum { NF_DECODE_PLAIN, NF_DECODE_SPLIT, NF_DECODE_MMA, NF_DECODE_VERSIONS };
int nf_decode_splits(const struct nf_bench *b, const struct nf_decode *a);
size_t nf_decode_work_bytes(const struct nf_decode *a);
void nf_decode_launch(int version, const struct nf_decode *a, nf_stream stream);
/* `a` with lengths and table in host memory. */
void nf_decode_reference(float *out, const struct nf_decode *a, const float *keys,
                         const float *values, const float *q);

/* --- element-wise and row-wise, bf16 ------------------------------------------------------------------ */
/* residual += x (if residual is given); out = residual / sqrt(mean(residual^2) + epsilon) weight. */
struct nf_rmsnorm {
    int rows, width; /* width a multiple of 8, at most 8192 in the fast version */
    const void *x;
    void *residual; /* NULL: normalise x itself */
    const void *weight;
    void *out;
    float epsilon;
};
enum { NF_RMSNORM_PLAIN, NF_RMSNORM_FAST, NF_RMSNORM_VERSIONS };
void nf_rmsnorm_launch(int version, const struct nf_rmsnorm *a, nf_stream stream);
void nf_rmsnorm_reference(float *out, float *residual, const float *x,
                          const float *weight, const struct nf_rmsnorm *a);

/* Rotates pairs (i, i + dim/2) of every head of a token by position theta^(-2i/dim), in place. */
struct nf_rotary {
    int tokens, heads, dim; /* heads: all that are rotated, queries and keys */
    size_t stride;          /* numbers from one token to the next */
    const int *positions;   /* [tokens] */
    float theta;
    void *x;
};
enum { NF_ROTARY_PLAIN, NF_ROTARY_FAST, NF_ROTARY_VERSIONS };
void nf_rotary_launch(int version, const struct nf_rotary *a, nf_stream stream);
void nf_rotary_reference(float *x, const int *positions, const struct nf_rotary *a);

/* out[r][i] = silu(x[r][i]) x[r][width + i] */
struct nf_swiglu {
    int rows, width;
    const void *x; /* [rows][2 width] */
    void *out;
};
enum { NF_SWIGLU_PLAIN, NF_SWIGLU_FAST, NF_SWIGLU_VERSIONS };
void nf_swiglu_launch(int version, const struct nf_swiglu *a, nf_stream stream);
void nf_swiglu_reference(float *out, const float *x, int rows, int width);

struct nf_softmax {
    int rows, width; /* width a multiple of 8 */
    const void *x;
    void *out;
};
enum { NF_SOFTMAX_PLAIN, NF_SOFTMAX_FAST, NF_SOFTMAX_VERSIONS };
void nf_softmax_launch(int version, const struct nf_softmax *a, nf_stream stream);
void nf_softmax_reference(float *out, const float *x, int rows, int width);

/* out = x + y */
struct nf_residual {
    size_t count; /* a multiple of 8 */
    const void *x, *y;
    void *out;
};
enum { NF_RESIDUAL_PLAIN, NF_RESIDUAL_FAST, NF_RESIDUAL_VERSIONS };
void nf_residual_launch(int version, const struct nf_residual *a, nf_stream stream);
void nf_residual_reference(float *out, const float *x, const float *y, size_t count);

/* Row by row: scale = max|x| / largest of `type`, out = x / scale rounded (fp8 or int8). */
struct nf_quantize {
    int rows, width; /* width a multiple of 16, at most 16384 in the fast version */
    enum nf_dtype type;
    const void *x;
    void *out;
    float *scale; /* [rows] */
};
enum { NF_QUANTIZE_PLAIN, NF_QUANTIZE_FAST, NF_QUANTIZE_VERSIONS };
void nf_quantize_launch(int version, const struct nf_quantize *a, nf_stream stream);
void nf_quantize_reference(float *out, float *scale, const float *x,
                           const struct nf_quantize *a);

/* Keys and values of new tokens into the pages of decode's cache. */
struct nf_kv_append {
    int tokens, kv_heads, dim; /* dim a multiple of 8 in the fast version */
    size_t stride;             /* numbers from one token's keys to the next one's */
    const void *k, *v;         /* the first token's */
    const int *slots;          /* [tokens] page NF_PAGE + row */
    void *keys, *values;       /* [pages][kv_heads][NF_PAGE][dim] */
};
enum { NF_KV_APPEND_PLAIN, NF_KV_APPEND_FAST, NF_KV_APPEND_VERSIONS };
void nf_kv_append_launch(int version, const struct nf_kv_append *a, nf_stream stream);
/* from: k and v of the first token. */
void nf_kv_append_reference(float *keys, float *values, const float *const from[2],
                            const struct nf_kv_append *a);

/* x += gate y (if y is given); out = layernorm(x) (1 + scale) + shift (if out is given). */
struct nf_modulate {
    int rows, width; /* width a multiple of 8, at most 8192 in the fast version */
    void *x;
    const void *y; /* NULL: x stays */
    const void *gate, *scale, *shift;
    void *out; /* NULL: only the sum */
    float epsilon;
};
enum { NF_MODULATE_PLAIN, NF_MODULATE_FAST, NF_MODULATE_VERSIONS };
void nf_modulate_launch(int version, const struct nf_modulate *a, nf_stream stream);
struct nf_modulate_host {
    const float *y, *gate, *scale, *shift; /* y NULL as in nf_modulate */
};
void nf_modulate_reference(float *out, float *x, const struct nf_modulate_host *h,
                           const struct nf_modulate *a);

struct nf_gelu {
    size_t count; /* a multiple of 8 in the fast version */
    const void *x;
    void *out;
};
enum { NF_GELU_PLAIN, NF_GELU_FAST, NF_GELU_VERSIONS };
void nf_gelu_launch(int version, const struct nf_gelu *a, nf_stream stream);
void nf_gelu_reference(float *out, const float *x, size_t count);

/* --- vision, fp16 -------------------------------------------------------------------------------------- */
/* out[n][p][q][k] = act(bias[k] + add + sum_rsc x[n][p stride + r - pad][q stride + s - pad][c] w[k][r][s][c]) */
struct nf_conv2d {
    int batch, height, width, channels; /* channels a multiple of 8 in the fast version */
    int filters, kernel, stride, pad;
    bool relu;
    const void *x, *w, *bias, *add; /* bias [filters] and add (as out) may be NULL */
    void *out;
};
enum { NF_CONV2D_PLAIN, NF_CONV2D_MMA, NF_CONV2D_VERSIONS };
int nf_conv2d_out(int size, const struct nf_conv2d *a); /* output size of an input size */
void nf_conv2d_launch(int version, const struct nf_conv2d *a, nf_stream stream);
void nf_conv2d_reference(float *out, const struct nf_conv2d *a, const float *x,
                         const float *w, const float *bias, const float *add);
/* The same by cuDNN: as nf_lt_plan_for. */
enum { NF_DNN_HEURISTIC, NF_DNN_TUNED, NF_DNN_VERSIONS };
struct nf_dnn_plan;
bool nf_dnn_there(struct nf_bench *b, char (*why)[NF_WHY]);
const struct nf_dnn_plan *nf_dnn_plan_for(struct nf_bench *b, int version,
                                          const struct nf_conv2d *a);
void nf_dnn_launch(const struct nf_dnn_plan *plan, const struct nf_conv2d *a,
                   nf_stream stream);
void nf_dnn_close(struct nf_bench *b);
double nf_conv2d_flop(const struct nf_conv2d *a);
double nf_conv2d_bytes(const struct nf_conv2d *a);

/* out[n][p][q][c] = max over the window x[n][p stride + r - pad][..][c], r < size; and the mean over all
 * pixels (size 0). In pool2d.cu. */
struct nf_pool2d {
    int batch, height, width, channels; /* channels a multiple of 8 */
    int size, stride, pad;              /* size 0: mean over the whole picture */
    const void *x;
    void *out;
};
enum { NF_POOL2D_PLAIN, NF_POOL2D_FAST, NF_POOL2D_VERSIONS };
int nf_pool2d_out(int size, const struct nf_pool2d *a);
void nf_pool2d_launch(int version, const struct nf_pool2d *a, nf_stream stream);
void nf_pool2d_reference(float *out, const struct nf_pool2d *a, const float *x);

/* Bilinear (pixel centres at half, clamped at the edges), then (v / 255 - mean[c]) / deviation[c]. */
struct nf_resize {
    int batch, in_height, in_width, out_height, out_width;
    int out_channels; /* 3, or 8 with zeros behind the three, for the fast convolution */
    const unsigned char *x; /* [batch][in_height][in_width][3] */
    void *out;              /* fp16 [batch][out_height][out_width][out_channels] */
};
enum { NF_RESIZE_PLAIN, NF_RESIZE_FAST, NF_RESIZE_VERSIONS };
void nf_resize_launch(int version, const struct nf_resize *a, nf_stream stream);
void nf_resize_reference(float *out, const struct nf_resize *a, const unsigned char *x);

/* Greedy non-maximum suppression over boxes sorted by falling score: keep[i] = 1 unless an earlier kept
 * box overlaps it by more than `threshold` (intersection over union). */
struct nf_nms {
    int boxes;
    float threshold;
    const float *corners; /* [boxes][4]: x0 y0 x1 y1 */
    unsigned char *keep;  /* [boxes] */
    uint64_t *work;       /* [boxes][ceil(boxes / 64)], the fast version */
};
enum { NF_NMS_PLAIN, NF_NMS_FAST, NF_NMS_VERSIONS };
void nf_nms_launch(int version, const struct nf_nms *a, nf_stream stream);
void nf_nms_reference(unsigned char *keep, const float *corners, int boxes,
                      float threshold);

#ifdef __cplusplus
}
#endif
#endif
