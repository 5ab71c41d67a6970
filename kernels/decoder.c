#include "decoder.h"

#include <math.h>
#include <string.h>

static size_t times(int a, int b)
{
    return (size_t)a * (size_t)b;
}

/* A rank's share of the heads and of the feed-forward part. */
static int heads_of(const struct nf_decoder_shape *s)
{
    return s->heads / s->ranks;
}
static int kv_heads_of(const struct nf_decoder_shape *s)
{
    return s->kv_heads / s->ranks;
}
static int ffn_of(const struct nf_decoder_shape *s)
{
    return s->ffn / s->ranks;
}
static int row_of(const struct nf_decoder_shape *s)
{
    return (heads_of(s) + 2 * kv_heads_of(s)) * s->dim;
}

double nf_decoder_need(const struct nf_decoder_shape *s,
                       const struct nf_decoder_tokens *t)
{
    double rows = t->queries + t->decode, hidden = s->hidden, row = row_of(s);
    double weights =
        hidden * row + hidden * heads_of(s) * s->dim + 3.0 * hidden * ffn_of(s);
    double cache = 2.0 * nf_decoder_pages(t) * NF_PAGE * (double)kv_heads_of(s) * s->dim;
    double active =
        rows * (3.0 * hidden + row + (double)heads_of(s) * s->dim + 3.0 * ffn_of(s));
    return 2.0 * (s->layers * (weights + cache) + active +
                  (double)s->vocab * (hidden + t->decode + 1.0));
}

/* --- building ------------------------------------------------------------------------------------------ */

/* Random numbers in [-scale, scale): with host values only where a check wants them. */
static struct nf_tensor numbers(struct nf_bench *b, size_t count, double scale, bool host)
{
    if (host) {
        return nf_tensor_random(b, NF_BF16, count, (float)scale);
    }
    struct nf_tensor t = {.type = NF_BF16, .count = count};
    t.dev = nf_dev_get(b, count * 2);
    nf_dev_random(b, t.dev, NF_BF16, count, (float)scale);
    return t;
}

/* Weights of a product over k: the results are about as large as the inputs. */
static struct nf_tensor weights(struct nf_bench *b, int n, int k, bool host)
{
    return numbers(b, times(n, k), sqrt(3.0 / k), host);
}

static int *on_device(struct nf_bench *b, const int *list, size_t count)
{
    int *dev = nf_dev_get(b, count * sizeof *dev);
    nf_dev_put(b, dev, list, count * sizeof *dev);
    return dev;
}

static bool place(struct nf_bench *b, struct nf_decoder *d)
{
    struct nf_decoder_plan *p = &d->plan;
    size_t rows = (size_t)p->rows, entries = times(p->tokens.decode, p->table_width);
    p->positions = nf_host_get(b, rows * sizeof(int));
    p->slots = nf_host_get(b, rows * sizeof(int));
    p->table = nf_host_get(b, entries * sizeof(int));
    p->lengths = nf_host_get(b, (size_t)p->tokens.decode * sizeof(int));
    if (!nf_ok(b)) {
        return false;
    }
    nf_decoder_place(p);
    d->positions = on_device(b, p->positions, rows);
    d->slots = on_device(b, p->slots, rows);
    d->table = on_device(b, p->table, entries);
    d->lengths = on_device(b, p->lengths, (size_t)p->tokens.decode);
    return nf_ok(b);
}

static bool product(struct nf_bench *b, struct nf_product *to, bool library,
                    const struct nf_tensor *const abc[3], const int (*mnk)[3])
{
    const struct nf_gemm g = {.m = (*mnk)[0],
                              .n = (*mnk)[1],
                              .k = (*mnk)[2],
                              .type = NF_BF16,
                              .a = abc[0]->dev,
                              .b = abc[1]->dev,
                              .c = abc[2]->dev,
                              .scale = 1.0f};
    return nf_ok(b) && nf_product_prepare(b, to, &g, library);
}

static bool build_products(struct nf_bench *b, struct nf_decoder *d, struct nf_layer *l,
                           bool library)
{
    const struct nf_decoder_shape *s = &d->plan.shape;
    int rows = d->plan.rows, q_width = heads_of(s) * s->dim, ffn = ffn_of(s);
    const struct nf_tensor *const operands[4][3] = {
        {&d->normed, &l->qkv, &d->projected},
        {&d->attended, &l->out, &d->x},
        {&d->normed, &l->gate_up, &d->gated},
        {&d->active, &l->down, &d->x},
    };
    const int sizes[4][3] = {{rows, row_of(s), s->hidden},
                             {rows, s->hidden, q_width},
                             {rows, 2 * ffn, s->hidden},
                             {rows, s->hidden, ffn}};
    for (int i = 0; i < 4; i++) {
        if (!product(b, &l->products[i], library, operands[i], &sizes[i])) {
            return false;
        }
    }
    return true;
}

static bool build_attention(struct nf_bench *b, struct nf_decoder *d, struct nf_layer *l)
{
    const struct nf_decoder_shape *s = &d->plan.shape;
    const struct nf_decoder_tokens *t = &d->plan.tokens;
    size_t row = (size_t)row_of(s), q_width = times(heads_of(s), s->dim),
           kv_width = times(kv_heads_of(s), s->dim);
    uint16_t *q = d->projected.dev, *out = d->attended.dev;
    l->prefill = (struct nf_prefill){.batch = 1,
                                     .queries = t->queries,
                                     .heads = heads_of(s),
                                     .kv_heads = kv_heads_of(s),
                                     .dim = s->dim,
                                     .causal = true,
                                     .q = q,
                                     .k = q + q_width,
                                     .v = q + q_width + kv_width,
                                     .out = out,
                                     .q_stride = row,
                                     .kv_stride = row};
    l->decode = (struct nf_decode){.batch = t->decode,
                                   .heads = heads_of(s),
                                   .kv_heads = kv_heads_of(s),
                                   .dim = s->dim,
                                   .table_width = d->plan.table_width,
                                   .longest = t->decode_context,
                                   .lengths = d->lengths,
                                   .table = d->table,
                                   .keys = l->keys.dev,
                                   .values = l->values.dev,
                                   .q = q + (size_t)t->queries * row,
                                   .q_stride = row,
                                   .out = out + (size_t)t->queries * q_width,
                                   .work = d->work};
    if (t->decode > 0) {
        l->decode.splits = nf_decode_splits(b, &l->decode);
        d->work = d->work ? d->work : nf_dev_get(b, nf_decode_work_bytes(&l->decode));
        l->decode.work = d->work;
    }
    bool wgmma = nf_prefill_takes(b, NF_PREFILL_WGMMA, &l->prefill);
    d->prefill_version = wgmma ? NF_PREFILL_WGMMA : NF_PREFILL_MMA;
    return nf_ok(b) && (t->queries == 0 || !wgmma || nf_prefill_maps(b, &l->prefill));
}

static bool build_layer(struct nf_bench *b, struct nf_decoder *d, struct nf_layer *l,
                        struct nf_decoder_options o)
{
    const struct nf_decoder_shape *s = &d->plan.shape;
    int hidden = s->hidden, q_width = heads_of(s) * s->dim, ffn = ffn_of(s);
    size_t cache = times(d->plan.pages * NF_PAGE, kv_heads_of(s) * s->dim);
    l->norm_in = numbers(b, (size_t)hidden, 1.0, o.host_copy);
    l->norm_mid = numbers(b, (size_t)hidden, 1.0, o.host_copy);
    l->qkv = weights(b, row_of(s), hidden, o.host_copy);
    l->out = weights(b, hidden, q_width, o.host_copy);
    l->gate_up = weights(b, 2 * ffn, hidden, o.host_copy);
    l->down = weights(b, hidden, ffn, o.host_copy);
    l->keys = numbers(b, cache, 1.0, o.host_copy);
    l->values = numbers(b, cache, 1.0, o.host_copy);
    return nf_ok(b) && build_products(b, d, l, o.library) && build_attention(b, d, l);
}

static bool build_head(struct nf_bench *b, struct nf_decoder *d,
                       struct nf_decoder_options o)
{
    const struct nf_decoder_shape *s = &d->plan.shape;
    int rows = nf_decoder_head_rows(&d->plan);
    d->norm_last = numbers(b, (size_t)s->hidden, 1.0, o.host_copy);
    d->head = weights(b, s->vocab, s->hidden, o.host_copy);
    d->logits = numbers(b, times(rows, s->vocab), 1.0, o.host_copy);
    const struct nf_tensor *const operands[3] = {&d->normed, &d->head, &d->logits};
    const int sizes[3] = {rows, s->vocab, s->hidden};
    return product(b, &d->head_product, o.library, operands, &sizes);
}

bool nf_decoder_build(struct nf_bench *b, struct nf_decoder *d,
                      const struct nf_decoder_shape *s, const struct nf_decoder_tokens *t,
                      struct nf_decoder_options o)
{
    *d = (struct nf_decoder){.plan = {.shape = *s, .tokens = *t}};
    struct nf_decoder_plan *p = &d->plan;
    p->rows = t->queries + t->decode;
    p->pages = nf_decoder_pages(t);
    p->table_width = (t->decode_context + NF_PAGE - 1) / NF_PAGE;
    d->layers = nf_host_get(b, (size_t)s->layers * sizeof *d->layers);
    if (!nf_ok(b) || !place(b, d)) {
        return false;
    }
    memset(d->layers, 0, (size_t)s->layers * sizeof *d->layers);
    size_t full = times(p->rows, s->hidden);
    d->residual = numbers(b, full, 1.0, o.host_copy);
    d->x = numbers(b, full, 1.0, o.host_copy);
    d->normed = numbers(b, full, 1.0, false);
    d->projected = numbers(b, times(p->rows, row_of(s)), 1.0, false);
    d->attended = numbers(b, times(p->rows, heads_of(s) * s->dim), 1.0, false);
    d->gated = numbers(b, times(p->rows, 2 * ffn_of(s)), 1.0, false);
    d->active = numbers(b, times(p->rows, ffn_of(s)), 1.0, false);
    for (int i = 0; i < s->layers; i++) {
        if (!build_layer(b, d, &d->layers[i], o)) {
            return false;
        }
    }
    return s->vocab == 0 || build_head(b, d, o);
}

/* --- launching ----------------------------------------------------------------------------------------- */

static void norm(const struct nf_decoder *d, const struct nf_tensor *weight, int first,
                 nf_stream stream)
{
    const struct nf_decoder_plan *p = &d->plan;
    size_t at = times(first, p->shape.hidden);
    const struct nf_rmsnorm a = {.rows = p->rows - first,
                                 .width = p->shape.hidden,
                                 .x = (uint16_t *)d->x.dev + at,
                                 .residual = (uint16_t *)d->residual.dev + at,
                                 .weight = weight->dev,
                                 .out = d->normed.dev,
                                 .epsilon = 1e-5f};
    nf_rmsnorm_launch(NF_RMSNORM_FAST, &a, stream);
}

static void place_new_tokens(const struct nf_decoder *d, const struct nf_layer *l,
                             nf_stream stream)
{
    const struct nf_decoder_shape *s = &d->plan.shape;
    size_t row = (size_t)row_of(s);
    const struct nf_rotary rotary = {.tokens = d->plan.rows,
                                     .heads = heads_of(s) + kv_heads_of(s),
                                     .dim = s->dim,
                                     .stride = row,
                                     .positions = d->positions,
                                     .theta = s->theta,
                                     .x = d->projected.dev};
    nf_rotary_launch(NF_ROTARY_FAST, &rotary, stream);
    const uint16_t *k = (const uint16_t *)d->projected.dev + times(heads_of(s), s->dim);
    const struct nf_kv_append append = {.tokens = d->plan.rows,
                                        .kv_heads = kv_heads_of(s),
                                        .dim = s->dim,
                                        .stride = row,
                                        .k = k,
                                        .v = k + times(kv_heads_of(s), s->dim),
                                        .slots = d->slots,
                                        .keys = l->keys.dev,
                                        .values = l->values.dev};
    nf_kv_append_launch(NF_KV_APPEND_FAST, &append, stream);
}

void nf_decoder_layer_launch(const struct nf_decoder *d, int layer, nf_stream stream)
{
    const struct nf_layer *l = &d->layers[layer];
    const struct nf_decoder_tokens *t = &d->plan.tokens;
    norm(d, &l->norm_in, 0, stream);
    nf_product_launch(&l->products[0], stream);
    place_new_tokens(d, l, stream);
    if (t->queries > 0) {
        nf_prefill_launch(d->prefill_version, &l->prefill, stream);
    }
    if (t->decode > 0) {
        nf_decode_launch(NF_DECODE_MMA, &l->decode, stream);
    }
    nf_product_launch(&l->products[1], stream);
    norm(d, &l->norm_mid, 0, stream);
    nf_product_launch(&l->products[2], stream);
    const struct nf_swiglu act = {.rows = d->plan.rows,
                                  .width = ffn_of(&d->plan.shape),
                                  .x = d->gated.dev,
                                  .out = d->active.dev};
    nf_swiglu_launch(NF_SWIGLU_FAST, &act, stream);
    nf_product_launch(&l->products[3], stream);
}

void nf_decoder_launch(const struct nf_decoder *d, nf_stream stream)
{
    for (int i = 0; i < d->plan.shape.layers; i++) {
        nf_decoder_layer_launch(d, i, stream);
    }
    if (d->plan.shape.vocab > 0) {
        norm(d, &d->norm_last, d->plan.rows - nf_decoder_head_rows(&d->plan), stream);
        nf_product_launch(&d->head_product, stream);
    }
}
