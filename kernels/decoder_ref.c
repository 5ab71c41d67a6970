#include "decoder.h"

#include <string.h>

/* A rank's share. */
struct share {
    size_t hidden, heads, kv_heads, dim, ffn, row; /* row: of the projection's result */
};
static struct share share_of(const struct nf_decoder_shape *s)
{
    struct share x = {.hidden = (size_t)s->hidden,
                      .heads = (size_t)(s->heads / s->ranks),
                      .kv_heads = (size_t)(s->kv_heads / s->ranks),
                      .dim = (size_t)s->dim,
                      .ffn = (size_t)(s->ffn / s->ranks)};
    x.row = (x.heads + 2 * x.kv_heads) * x.dim;
    return x;
}

/* --- places -------------------------------------------------------------------------------------------- */

static int pages_for(int tokens)
{
    return (tokens + NF_PAGE - 1) / NF_PAGE;
}

int nf_decoder_pages(const struct nf_decoder_tokens *t)
{
    return pages_for(t->queries) + t->decode * pages_for(t->decode_context);
}

static size_t common_divisor(size_t a, size_t b)
{
    while (b != 0) {
        size_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

void nf_decoder_place(struct nf_decoder_plan *p)
{
    const struct nf_decoder_tokens *t = &p->tokens;
    size_t pages = (size_t)p->pages, step = pages / 2 + 1, used = 0;
    /* The i-th page in order of use is number i step: a step without a common divisor visits all of them. */
    while (common_divisor(step, pages) != 1) {
        step++;
    }
    for (int i = 0; i < t->queries; i++) {
        size_t page = (size_t)(i / NF_PAGE) * step % pages;
        p->positions[i] = i;
        p->slots[i] = (int)page * NF_PAGE + i % NF_PAGE;
    }
    used = (size_t)pages_for(t->queries);
    for (int s = 0; s < t->decode; s++) {
        int *row = p->table + s * p->table_width, last = t->decode_context - 1;
        for (int j = 0; j < p->table_width; j++) {
            row[j] = (int)(used++ * step % pages);
        }
        p->lengths[s] = t->decode_context;
        p->positions[t->queries + s] = last;
        p->slots[t->queries + s] = row[last / NF_PAGE] * NF_PAGE + last % NF_PAGE;
    }
}

int nf_decoder_head_rows(const struct nf_decoder_plan *p)
{
    return p->tokens.decode + (p->tokens.queries > 0 ? 1 : 0);
}

/* --- least work ---------------------------------------------------------------------------------------- */

static double weights_of(const struct share *x)
{
    return (double)(x->hidden * x->row + x->heads * x->dim * x->hidden +
                    3 * x->hidden * x->ffn);
}

double nf_decoder_flop(const struct nf_decoder_plan *p)
{
    struct share x = share_of(&p->shape);
    const struct nf_decoder_tokens *t = &p->tokens;
    double n = t->queries;
    double pairs = n * (n + 1.0) / 2.0 + (double)t->decode * t->decode_context;
    double layer =
        2.0 * p->rows * weights_of(&x) + 4.0 * (double)(x.heads * x.dim) * pairs;
    double head =
        2.0 * nf_decoder_head_rows(p) * p->shape.hidden * (double)p->shape.vocab;
    return p->shape.layers * layer + head;
}

/* Weights once; the cache of the decoding sequences read, new keys and values written; activations in and out
 * of a layer. */
double nf_decoder_bytes(const struct nf_decoder_plan *p)
{
    struct share x = share_of(&p->shape);
    double token = 4.0 * (double)(x.kv_heads * x.dim), hidden = p->shape.hidden;
    double layer = 2.0 * (weights_of(&x) + 2.0 * hidden) + 8.0 * p->rows * hidden +
                   token * p->rows +
                   token * (double)p->tokens.decode * p->tokens.decode_context;
    double vocab = p->shape.vocab;
    double head =
        vocab > 0.0 ? 2.0 * vocab * (hidden + (double)nf_decoder_head_rows(p)) : 0.0;
    return p->shape.layers * layer + head;
}

/* --- reference ----------------------------------------------------------------------------------------- */

static void round_all(float *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        v[i] = nf_bf16_to_float(nf_bf16_from_float(v[i]));
    }
}

size_t nf_decoder_scratch_floats(const struct nf_decoder_plan *p)
{
    struct share x = share_of(&p->shape);
    /* normed, projected and its gathered copy, attended, gated, active */
    return (size_t)p->rows * (x.hidden + 2 * x.row + x.heads * x.dim + 3 * x.ffn);
}

/* `width` columns from `first` of the prompt's rows of `projected`, one row after the other. */
static float *gather(float *to, const float *projected, const struct share *x,
                     size_t first, size_t width, size_t rows)
{
    for (size_t i = 0; i < rows; i++) {
        memcpy(to + i * width, projected + i * x->row + first, width * sizeof *to);
    }
    return to;
}

static void attend(float *out, const float *projected, float *gathered,
                   const struct nf_decoder_plan *p, const struct nf_layer_values *w)
{
    struct share x = share_of(&p->shape);
    size_t queries = (size_t)p->tokens.queries, q_width = x.heads * x.dim,
           kv_width = x.kv_heads * x.dim;
    if (queries > 0) {
        const struct nf_prefill a = {.batch = 1,
                                     .queries = p->tokens.queries,
                                     .heads = (int)x.heads,
                                     .kv_heads = (int)x.kv_heads,
                                     .dim = (int)x.dim,
                                     .causal = true};
        float *q = gather(gathered, projected, &x, 0, q_width, queries);
        float *k =
            gather(q + queries * q_width, projected, &x, q_width, kv_width, queries);
        float *v = gather(k + queries * kv_width, projected, &x, q_width + kv_width,
                          kv_width, queries);
        nf_prefill_reference(out, &a, q, k, v);
    }
    if (p->tokens.decode > 0) {
        const struct nf_decode a = {.batch = p->tokens.decode,
                                    .heads = (int)x.heads,
                                    .kv_heads = (int)x.kv_heads,
                                    .dim = (int)x.dim,
                                    .table_width = p->table_width,
                                    .longest = p->tokens.decode_context,
                                    .lengths = p->lengths,
                                    .table = p->table};
        const float *q = gather(gathered, projected + queries * x.row, &x, 0, q_width,
                                (size_t)p->tokens.decode);
        nf_decode_reference(out + queries * q_width, &a, w->keys, w->values, q);
    }
}

void nf_layer_reference(float *residual, float *x, const struct nf_layer_values *w,
                        const struct nf_decoder_plan *p, float *scratch)
{
    struct share n = share_of(&p->shape);
    size_t rows = (size_t)p->rows, q_width = n.heads * n.dim,
           kv_width = n.kv_heads * n.dim;
    float *normed = scratch, *projected = normed + rows * n.hidden;
    float *gathered = projected + rows * n.row, *attended = gathered + rows * n.row;
    float *gated = attended + rows * q_width, *active = gated + rows * 2 * n.ffn;
    const struct nf_rmsnorm norm = {
        .rows = p->rows, .width = p->shape.hidden, .epsilon = 1e-5f};
    nf_rmsnorm_reference(normed, residual, x, w->norm_in, &norm);
    round_all(normed, rows * n.hidden);
    nf_gemm_reference(projected, normed, w->qkv, p->rows, (int)n.row, p->shape.hidden);
    round_all(projected, rows * n.row);
    const struct nf_rotary rotary = {.tokens = p->rows,
                                     .heads = (int)(n.heads + n.kv_heads),
                                     .dim = p->shape.dim,
                                     .stride = n.row,
                                     .theta = p->shape.theta};
    nf_rotary_reference(projected, p->positions, &rotary);
    round_all(projected, rows * n.row);
    const struct nf_kv_append append = {.tokens = p->rows,
                                        .kv_heads = (int)n.kv_heads,
                                        .dim = p->shape.dim,
                                        .stride = n.row,
                                        .slots = p->slots};
    const float *const new_kv[2] = {projected + q_width, projected + q_width + kv_width};
    nf_kv_append_reference(w->keys, w->values, new_kv, &append);
    attend(attended, projected, gathered, p, w);
    round_all(attended, rows * q_width);
    nf_gemm_reference(x, attended, w->out, p->rows, p->shape.hidden, (int)q_width);
    round_all(x, rows * n.hidden);
    nf_rmsnorm_reference(normed, residual, x, w->norm_mid, &norm);
    round_all(normed, rows * n.hidden);
    nf_gemm_reference(gated, normed, w->gate_up, p->rows, 2 * (int)n.ffn,
                      p->shape.hidden);
    round_all(gated, rows * 2 * n.ffn);
    nf_swiglu_reference(active, gated, p->rows, (int)n.ffn);
    round_all(active, rows * n.ffn);
    nf_gemm_reference(x, active, w->down, p->rows, p->shape.hidden, (int)n.ffn);
    round_all(x, rows * n.hidden);
}

void nf_head_reference(float *logits, float *residual, const float *x,
                       const float *const weights[2], const struct nf_decoder_plan *p,
                       float *scratch)
{
    int rows = nf_decoder_head_rows(p);
    size_t at = (size_t)(p->rows - rows) * (size_t)p->shape.hidden;
    const struct nf_rmsnorm norm = {
        .rows = rows, .width = p->shape.hidden, .epsilon = 1e-5f};
    nf_rmsnorm_reference(scratch, residual + at, x + at, weights[0], &norm);
    round_all(scratch, (size_t)rows * (size_t)p->shape.hidden);
    nf_gemm_reference(logits, scratch, weights[1], rows, p->shape.vocab, p->shape.hidden);
    round_all(logits, (size_t)rows * (size_t)p->shape.vocab);
}
