/* Checks and measures decoder.c: a layer of Llama-3.1-8B, of 70B cut for 4 and 8 ranks, and the whole of a small
 * decoder as one graph. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "decoder.h"

static const struct nf_version versions[] = {
    {"lt+best", "products by cuBLASLt, the rest our fastest", NF_ANY, true},
    {"own", "everything our fastest", NF_ANY, true},
};
enum { VERSIONS = sizeof versions / sizeof *versions };

static void launch_layer(const void *p, int set, nf_stream stream)
{
    nf_decoder_layer_launch(p, set, stream);
}
static void launch_whole(const void *p, int set, nf_stream stream)
{
    (void)set;
    nf_decoder_launch(p, stream);
}

/* --- check --------------------------------------------------------------------------------------------- */

static void words(char *shape, size_t cap, const struct nf_decoder *d)
{
    const struct nf_decoder_shape *s = &d->plan.shape;
    const struct nf_decoder_tokens *t = &d->plan.tokens;
    (void)snprintf(shape, cap,
                   "hidden=%d heads=%d kv_heads=%d ffn=%d ranks=%d layers=%d queries=%d "
                   "decode=%d decode_context=%d",
                   s->hidden, s->heads, s->kv_heads, s->ffn, s->ranks, s->layers,
                   t->queries, t->decode, t->decode_context);
}

static float *copy_of(struct nf_bench *b, const struct nf_tensor *t)
{
    float *copy = nf_host_get(b, t->count * sizeof *copy);
    if (copy) {
        memcpy(copy, t->host, t->count * sizeof *copy);
    }
    return copy;
}

struct expected {
    float *residual, *x, *logits, *scratch;
    float *keys[4], *values[4]; /* of each layer */
};

static bool expect(struct nf_bench *b, struct expected *e, const struct nf_decoder *d)
{
    size_t logits = (size_t)nf_decoder_head_rows(&d->plan) * (size_t)d->plan.shape.vocab;
    e->residual = copy_of(b, &d->residual);
    e->x = copy_of(b, &d->x);
    e->scratch = nf_host_get(b, nf_decoder_scratch_floats(&d->plan) * sizeof *e->scratch);
    e->logits = nf_host_get(b, (logits + 1) * sizeof *e->logits);
    for (int i = 0; i < d->plan.shape.layers && nf_ok(b); i++) {
        const struct nf_layer *l = &d->layers[i];
        e->keys[i] = copy_of(b, &l->keys);
        e->values[i] = copy_of(b, &l->values);
        const struct nf_layer_values w = {.norm_in = l->norm_in.host,
                                          .qkv = l->qkv.host,
                                          .out = l->out.host,
                                          .norm_mid = l->norm_mid.host,
                                          .gate_up = l->gate_up.host,
                                          .down = l->down.host,
                                          .keys = e->keys[i],
                                          .values = e->values[i]};
        if (nf_ok(b)) {
            nf_layer_reference(e->residual, e->x, &w, &d->plan, e->scratch);
        }
    }
    if (nf_ok(b) && d->plan.shape.vocab > 0) {
        const float *const head[2] = {d->norm_last.host, d->head.host};
        nf_head_reference(e->logits, e->residual, e->x, head, &d->plan, e->scratch);
    }
    return nf_ok(b);
}

/* Roundings to bf16 in between differ in their last bit, and the next product adds them up: an element may be off
 * by a few of them, the whole by little. */
static const struct nf_bound bound = {6e-2, 4e-2, 1.5e-2};

static void check_build(struct nf_bench *b, const struct nf_decoder_shape *s,
                        const struct nf_decoder_tokens *t, bool library)
{
    struct nf_decoder d;
    struct expected e = {0};
    char shape[NF_ROWS_TEXT];
    const struct nf_decoder_options options = {.library = library, .host_copy = true};
    if (!nf_decoder_build(b, &d, s, t, options) || !expect(b, &e, &d)) {
        return;
    }
    words(shape, sizeof shape, &d);
    if (s->vocab > 0) { /* a whole: measured as one graph, so checked as one */
        nf_run_as_graph(b, launch_whole, &d);
    } else {
        nf_decoder_launch(&d, b->stream);
    }
    const char *name = versions[library ? 0 : 1].name;
    char what[64];
    for (int i = 0; i < s->layers; i++) {
        (void)snprintf(what, sizeof what, "decoder %s keys of layer %d", name, i);
        (void)nf_check_close(b, what, shape, &d.layers[i].keys, e.keys[i], bound);
        (void)snprintf(what, sizeof what, "decoder %s values of layer %d", name, i);
        (void)nf_check_close(b, what, shape, &d.layers[i].values, e.values[i], bound);
    }
    (void)snprintf(what, sizeof what, "decoder %s result", name);
    (void)nf_check_close(b, what, shape, &d.x, e.x, bound);
    (void)snprintf(what, sizeof what, "decoder %s residual", name);
    (void)nf_check_close(b, what, shape, &d.residual, e.residual, bound);
    if (s->vocab > 0) {
        (void)snprintf(what, sizeof what, "decoder %s logits", name);
        (void)nf_check_close(b, what, shape, &d.logits, e.logits, bound);
    }
    nf_case_end(b);
}

/* With the library, with the kernels of this device, and with those of any device. */
static void check_ways(struct nf_bench *b, const struct nf_decoder_shape *s,
                       const struct nf_decoder_tokens *t)
{
    char why[NF_WHY];
    int capability = b->capability;
    if (nf_lt_there(b, &why)) {
        check_build(b, s, t, true);
    }
    check_build(b, s, t, false);
    if (capability == 90) {
        b->capability = 80;
        check_build(b, s, t, false);
        b->capability = capability;
    }
}

static void check_layer(struct nf_bench *b)
{
    const struct nf_decoder_shape small = {.hidden = 192,
                                           .heads = 8,
                                           .kv_heads = 4,
                                           .dim = 128,
                                           .ffn = 256,
                                           .ranks = 4,
                                           .layers = 1,
                                           .theta = 500000.0f};
    const struct nf_decoder_tokens tokens[] = {{21, 0, 0}, {0, 3, 37}, {18, 2, 150}};
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
        check_ways(b, &small, &tokens[i]);
    }
}

static void check_whole(struct nf_bench *b)
{
    const struct nf_decoder_shape small = {.hidden = 128,
                                           .heads = 2,
                                           .kv_heads = 1,
                                           .dim = 128,
                                           .ffn = 96,
                                           .ranks = 1,
                                           .layers = 2,
                                           .vocab = 72,
                                           .theta = 500000.0f};
    const struct nf_decoder_tokens mixed = {17, 2, 33};
    check_ways(b, &small, &mixed);
}

/* --- measure ------------------------------------------------------------------------------------------- */

/* One row. A layer: `layers` of them are the sets that are rotated; else the whole. */
static void measure_one(struct nf_bench *b, const struct nf_decoder_shape *shape,
                        const struct nf_decoder_tokens *t, bool whole)
{
    struct nf_decoder d;
    struct nf_decoder_shape s = *shape;
    struct nf_decoder_plan one = {
        .shape = s, .tokens = *t, .rows = t->queries + t->decode};
    char why[NF_WHY];
    bool library = nf_lt_there(b, &why);
    double flop = nf_decoder_flop(&one), bytes = nf_decoder_bytes(&one);
    if (!whole) {
        s.layers = nf_sets_for(b, bytes);
    }
    if (!nf_time_left(b)) {
        return;
    }
    if (nf_decoder_need(&s, t) > 0.85 * (double)nf_dev_free_bytes(b)) {
        char what[128];
        (void)snprintf(what, sizeof what,
                       "%s ranks=%d queries=%d decode=%d decode_context=%d",
                       whole ? "decoder" : "decoder_layer", s.ranks, t->queries,
                       t->decode, t->decode_context);
        nf_left_out(what, NF_TOO_LARGE);
        return;
    }
    const struct nf_decoder_options options = {.library = library};
    if (!nf_decoder_build(b, &d, &s, t, options)) {
        return;
    }
    struct nf_measure m = {.row = {.kind = "composed",
                                   .op = whole ? "decoder" : "decoder_layer",
                                   .version = versions[library ? 0 : 1].name,
                                   .dtype = nf_dtype_name(NF_BF16),
                                   .flop = flop,
                                   .bytes = bytes},
                           .type = NF_BF16,
                           .launch = whole ? launch_whole : launch_layer,
                           .arguments = &d,
                           .sets = whole ? 1 : s.layers};
    char *text = m.row.shape;
    int at = 0;
    if (whole) {
        at = snprintf(text, NF_ROWS_TEXT,
                      "ranks=%d layers=%d hidden=%d heads=%d kv_heads=%d dim=%d ffn=%d "
                      "vocab=%d ",
                      s.ranks, s.layers, s.hidden, s.heads, s.kv_heads, s.dim, s.ffn,
                      s.vocab);
    } else {
        at = snprintf(text, NF_ROWS_TEXT, "model=%s ranks=%d ", s.model, s.ranks);
    }
    (void)snprintf(text + at, NF_ROWS_TEXT - (size_t)at,
                   "queries=%d context=0 decode=%d decode_context=%d", t->queries,
                   t->decode, t->decode_context);
    (void)nf_measure_run(b, &m, NF_ROTATED);
    nf_case_end(b);
}

/* Ordered by worth: what --quick measures comes first. */
static const struct nf_decoder_tokens cases[] = {
    {2048, 0, 0},     {0, 16, 2048},    {0, 64, 2048},    {512, 32, 2048},
    {8192, 0, 0},     {0, 1, 2048},     {0, 256, 2048},   {0, 64, 8192},
    {512, 0, 0},      {128, 0, 0},      {2048, 64, 4096}, {0, 16, 32768},
    {16384, 0, 0},    {0, 256, 256},    {1024, 0, 0},     {4096, 0, 0},
    {256, 0, 0},      {0, 4, 2048},     {0, 1, 256},      {0, 1, 32768},
    {0, 16, 256},     {0, 64, 256},     {0, 16, 8192},    {0, 64, 32768},
    {0, 256, 8192},   {0, 1, 8192},     {0, 4, 8192},     {256, 128, 1024},
    {1024, 16, 8192}, {0, 128, 2048},   {0, 256, 32768},  {0, 4, 32768},
    {0, 32, 2048},    {512, 128, 4096}, {4096, 8, 16384},
};
enum { CASES = sizeof cases / sizeof *cases, QUICK_CASES = 13 };

static void measure_layer(struct nf_bench *b)
{
    const struct nf_decoder_shape shapes[] = {
        {"llama-3.1-8b", 4096, 32, 8, 128, 14336, 1, 1, 0, 500000.0f},
        {"llama-3.1-70b", 8192, 64, 8, 128, 28672, 8, 1, 0, 500000.0f},
        {"llama-3.1-70b", 8192, 64, 8, 128, 28672, 4, 1, 0, 500000.0f},
    };
    size_t count = b->scope == NF_FULL ? CASES : QUICK_CASES;
    for (size_t i = 0; i < count; i++) {
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes && nf_ok(b); s++) {
            measure_one(b, &shapes[s], &cases[i], false);
        }
    }
}

static void measure_whole(struct nf_bench *b)
{
    /* Llama-3.2-3B: 28 layers, tied embedding (config.json of the model). */
    const struct nf_decoder_shape small = {NULL, 3072, 24, 8,      128,
                                           8192, 1,    28, 128256, 500000.0f};
    size_t count = b->scope == NF_FULL ? CASES : QUICK_CASES;
    for (size_t i = 0; i < count && nf_ok(b); i++) {
        measure_one(b, &small, &cases[i], true);
    }
}

const struct nf_op nf_op_decoder_layer = {.name = "decoder_layer",
                                          .title = "a layer of a language model",
                                          .versions = versions,
                                          .version_count = VERSIONS,
                                          .check = check_layer,
                                          .measure = measure_layer,
                                          .composed = true};
const struct nf_op nf_op_decoder = {.name = "decoder",
                                    .title = "a small language model as one graph",
                                    .versions = versions,
                                    .version_count = VERSIONS,
                                    .check = check_whole,
                                    .measure = measure_whole,
                                    .composed = true};
