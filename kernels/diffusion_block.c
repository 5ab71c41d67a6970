/* A diffusion transformer's block on the device: building, launches, check, measurement. */
#include "diffusion_block.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct nf_version versions[] = {
    {"lt+best", "products by cuBLASLt, the rest our fastest", NF_ANY, true},
    {"own", "everything our fastest", NF_ANY, true},
};
enum { VERSIONS = sizeof versions / sizeof *versions, SETS_MAX = 8 };

struct block_weights {
    struct nf_tensor vectors, qkv, out, up, down;
    struct nf_product products[4]; /* qkv, out, up, down */
};
struct block {
    struct nf_block_shape shape;
    struct nf_tensor x, normed, projected, attended, y, wide, active;
    struct nf_prefill prefill;
    int prefill_version, sets;
    struct block_weights set[SETS_MAX];
};
struct block_options {
    int sets;
    bool library, host_copy;
};

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

static struct nf_tensor weights(struct nf_bench *b, int n, int k, bool host)
{
    return numbers(b, (size_t)n * (size_t)k, sqrt(3.0 / k), host);
}

static bool build_weights(struct nf_bench *b, struct block *x, struct block_weights *w,
                          const struct block_options *o)
{
    int tokens = x->shape.tokens, hidden = x->shape.hidden, ffn = x->shape.ffn;
    w->vectors = numbers(b, NF_VECTORS * (size_t)hidden, 0.8, o->host_copy);
    w->qkv = weights(b, 3 * hidden, hidden, o->host_copy);
    w->out = weights(b, hidden, hidden, o->host_copy);
    w->up = weights(b, ffn, hidden, o->host_copy);
    w->down = weights(b, hidden, ffn, o->host_copy);
    const struct nf_gemm products[4] = {
        {.n = 3 * hidden,
         .k = hidden,
         .a = x->normed.dev,
         .b = w->qkv.dev,
         .c = x->projected.dev},
        {.n = hidden, .k = hidden, .a = x->attended.dev, .b = w->out.dev, .c = x->y.dev},
        {.n = ffn, .k = hidden, .a = x->normed.dev, .b = w->up.dev, .c = x->wide.dev},
        {.n = hidden, .k = ffn, .a = x->active.dev, .b = w->down.dev, .c = x->y.dev},
    };
    for (int i = 0; i < 4 && nf_ok(b); i++) {
        struct nf_gemm g = products[i];
        g.m = tokens;
        g.type = NF_BF16;
        g.scale = 1.0f;
        if (!nf_product_prepare(b, &w->products[i], &g, o->library)) {
            return false;
        }
    }
    return nf_ok(b);
}

static bool build(struct nf_bench *b, struct block *x, const struct nf_block_shape *s,
                  const struct block_options *o)
{
    size_t full = (size_t)s->tokens * (size_t)s->hidden,
           wide = (size_t)s->tokens * (size_t)s->ffn;
    memset(x, 0, sizeof *x);
    x->shape = *s;
    x->sets = o->sets;
    x->x = numbers(b, full, 1.0, o->host_copy);
    x->normed = numbers(b, full, 1.0, false);
    x->projected = numbers(b, 3 * full, 1.0, false);
    x->attended = numbers(b, full, 1.0, false);
    x->y = numbers(b, full, 1.0, false);
    x->wide = numbers(b, wide, 1.0, false);
    x->active = numbers(b, wide, 1.0, false);
    for (int i = 0; i < o->sets; i++) {
        if (!build_weights(b, x, &x->set[i], o)) {
            return false;
        }
    }
    uint16_t *q = x->projected.dev;
    size_t row = 3 * (size_t)s->hidden;
    x->prefill = (struct nf_prefill){.batch = 1,
                                     .queries = s->tokens,
                                     .heads = s->heads,
                                     .kv_heads = s->heads,
                                     .dim = s->hidden / s->heads,
                                     .q = q,
                                     .k = q + s->hidden,
                                     .v = q + 2 * (size_t)s->hidden,
                                     .out = x->attended.dev,
                                     .q_stride = row,
                                     .kv_stride = row};
    bool wgmma = nf_prefill_takes(b, NF_PREFILL_WGMMA, &x->prefill);
    x->prefill_version = wgmma ? NF_PREFILL_WGMMA : NF_PREFILL_MMA;
    return nf_ok(b) && (!wgmma || nf_prefill_maps(b, &x->prefill));
}

/* Vectors by their place in the list; -1: none. */
static void modulate(const struct block *x, const struct block_weights *w, int scale,
                     int gate, nf_stream stream)
{
    const uint16_t *vectors = w->vectors.dev;
    size_t width = (size_t)x->shape.hidden;
    const struct nf_modulate a = {
        .rows = x->shape.tokens,
        .width = x->shape.hidden,
        .x = x->x.dev,
        .y = gate < 0 ? NULL : x->y.dev,
        .gate = gate < 0 ? NULL : vectors + (size_t)gate * width,
        .scale = scale < 0 ? NULL : vectors + (size_t)scale * width,
        .shift = scale < 0 ? NULL : vectors + ((size_t)scale + 1) * width,
        .out = scale < 0 ? NULL : x->normed.dev,
        .epsilon = 1e-6f};
    nf_modulate_launch(NF_MODULATE_FAST, &a, stream);
}

static void launch(const void *p, int set, nf_stream stream)
{
    const struct block *x = p;
    const struct block_weights *w = &x->set[set];
    modulate(x, w, NF_SCALE_1, -1, stream);
    nf_product_launch(&w->products[0], stream);
    nf_prefill_launch(x->prefill_version, &x->prefill, stream);
    nf_product_launch(&w->products[1], stream);
    modulate(x, w, NF_SCALE_2, NF_GATE_1, stream);
    nf_product_launch(&w->products[2], stream);
    const struct nf_gelu act = {
        .count = x->wide.count, .x = x->wide.dev, .out = x->active.dev};
    nf_gelu_launch(NF_GELU_FAST, &act, stream);
    nf_product_launch(&w->products[3], stream);
    modulate(x, w, -1, NF_GATE_2, stream);
}

/* --- check --------------------------------------------------------------------------------------------- */

static void check_build(struct nf_bench *b, const struct nf_block_shape *s, bool library)
{
    const struct block_options o = {.sets = 1, .library = library, .host_copy = true};
    struct block *x = nf_host_get(b, sizeof *x);
    float *scratch = nf_host_get(b, nf_block_scratch_floats(s) * sizeof *scratch);
    if (!nf_ok(b) || !build(b, x, s, &o)) {
        return;
    }
    float *want = nf_host_get(b, x->x.count * sizeof *want);
    if (!nf_ok(b)) {
        return;
    }
    memcpy(want, x->x.host, x->x.count * sizeof *want);
    const struct block_weights *w = &x->set[0];
    const struct nf_block_values values = {w->vectors.host, w->qkv.host, w->out.host,
                                           w->up.host, w->down.host};
    nf_block_reference(want, &values, s, scratch);
    launch(x, 0, b->stream);
    char what[64], shape[NF_ROWS_TEXT];
    (void)snprintf(what, sizeof what, "diffusion_block %s",
                   versions[library ? 0 : 1].name);
    (void)snprintf(shape, sizeof shape, "tokens=%d hidden=%d heads=%d ffn=%d", s->tokens,
                   s->hidden, s->heads, s->ffn);
    const struct nf_bound bound = {6e-2, 4e-2, 1.5e-2};
    (void)nf_check_close(b, what, shape, &x->x, want, bound);
    nf_case_end(b);
}

/* With the library, with the kernels of this device, and with those of any device. */
static void check(struct nf_bench *b)
{
    const struct nf_block_shape small = {45, 256, 2, 200};
    char why[NF_WHY];
    int capability = b->capability;
    if (nf_lt_there(b, &why)) {
        check_build(b, &small, true);
    }
    check_build(b, &small, false);
    if (capability == 90) {
        b->capability = 80;
        check_build(b, &small, false);
        b->capability = capability;
    }
}

/* --- measure ------------------------------------------------------------------------------------------- */

static void measure_one(struct nf_bench *b, const struct nf_block_shape *s)
{
    char why[NF_WHY];
    bool library = nf_lt_there(b, &why);
    double bytes = nf_block_bytes(s);
    int sets = nf_sets_for(b, bytes);
    const struct block_options o = {.sets = sets > SETS_MAX ? SETS_MAX : sets,
                                    .library = library};
    double need = bytes * o.sets + 2.0 * s->tokens * (7.0 * s->hidden + 2.0 * s->ffn);
    if (need > 0.85 * (double)nf_dev_free_bytes(b)) {
        char what[64];
        (void)snprintf(what, sizeof what, "diffusion_block tokens=%d", s->tokens);
        nf_left_out(what, NF_TOO_LARGE);
        return;
    }
    struct block *x = nf_host_get(b, sizeof *x);
    if (!nf_ok(b) || !build(b, x, s, &o)) {
        return;
    }
    struct nf_measure m = {.row = {.kind = "composed",
                                   .op = "diffusion_block",
                                   .version = versions[library ? 0 : 1].name,
                                   .dtype = nf_dtype_name(NF_BF16),
                                   .flop = nf_block_flop(s),
                                   .bytes = bytes},
                           .type = NF_BF16,
                           .launch = launch,
                           .arguments = x,
                           .sets = o.sets};
    (void)snprintf(m.row.shape, sizeof m.row.shape, "tokens=%d hidden=%d heads=%d ffn=%d",
                   s->tokens, s->hidden, s->heads, s->ffn);
    (void)nf_measure_run(b, &m, NF_ROTATED);
    nf_case_end(b);
}

static void measure(struct nf_bench *b)
{
    const int tokens[] = {4096, 16384, 65536, 8192, 32768};
    size_t count = b->scope == NF_FULL ? sizeof tokens / sizeof *tokens : 3;
    for (size_t i = 0; i < count && nf_ok(b); i++) {
        const struct nf_block_shape s = {tokens[i], 3072, 24, 12288};
        if (nf_time_left(b)) {
            measure_one(b, &s);
        }
    }
}

const struct nf_op nf_op_diffusion_block = {.name = "diffusion_block",
                                            .title = "a block of a diffusion transformer",
                                            .versions = versions,
                                            .version_count = VERSIONS,
                                            .check = check,
                                            .measure = measure,
                                            .composed = true};
