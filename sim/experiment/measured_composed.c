/* measured_composed.c - measured wholes (layers, networks, blocks) against the sum of their operations. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "experiment/calibrate.h"
#include "experiment/measured.h"
#include "perf/kernel_file.h"
#include "perf/samples.h"

enum { WRONG_MAX = 20 };

static const struct nf_place nowhere;

/* One row at hand. */
struct whole {
    const struct nf_measured_with *with;
    const struct nf_device *device;
    const struct nf_calibration *profile;
    struct nf_arena *arena;
    struct nf_diags *diags;
    const struct nf_csv *csv;
    size_t index;
    const struct nf_kernel_row *row;
    const char *why; /* it cannot be predicted */
    const char *group;
    double least_s; /* at the peaks of the data sheet */
};

static double give_up(struct whole *w, const char *why)
{
    w->why = why;
    return (double)NAN;
}

/* The value of a key in the shape; w->why says which is missing. */
static double value(struct whole *w, const char *key)
{
    double x = 0;
    if (!w->why && !nf_kernel_number(w->row, key, &x)) {
        w->why = nf_arena_printf(w->arena, "%s without %s in its shape", w->row->op, key);
    }
    return x;
}

/* The largest number of tokens, and of one dimension of a network: what is made of them fits into the types that hold it. */
#define TOKENS_MAX    1e9
#define DIMENSION_MAX 1e7
#define HEADS_MAX     1e4

/* The same, in [low, high]; an entry otherwise. */
static double size(struct whole *w, const char *key, double low, double high)
{
    double x = value(w, key);
    if (!w->why && !(x >= low && x <= high)) {
        (void)nf_csv_error(w->csv, w->index, nf_csv_column(w->csv, "shape"), NF_E_RANGE,
                           w->diags, "row %zu: %s has %s=%g, expected %g to %g",
                           w->index + 1, w->row->op, key, x, low, high);
        w->why = "a size that none has";
        return low;
    }
    return x;
}

static bool find_precision(struct whole *w, enum nf_precision *out)
{
    for (int p = 0; p < NF_PRECISIONS; p++) {
        if (strcmp(nf_precision_name((enum nf_precision)p), w->row->dtype) == 0) {
            *out = (enum nf_precision)p;
            return w->device->peak[p] > 0;
        }
    }
    return false;
}

static double pass_s(const struct whole *w, double bytes)
{
    struct nf_silicon s = nf_silicon_of(w->device, nf_device_half(w->device));
    return nf_pass_s(&w->profile->elementwise, &s, bytes);
}

/* ---- decoders ---- */

/* The architecture that the row names or spells out. */
static bool find_arch(struct whole *w, struct nf_llm_arch *a)
{
    const char *model = nf_kernel_word(w->row, "model", w->arena);
    enum nf_precision precision = NF_BF16;
    if (!find_precision(w, &precision)) {
        w->why = "the device has no units for this precision";
        return false;
    }
    if (model) {
        const char *name = nf_arena_printf(w->arena, "%s-%s", model, w->row->dtype);
        const struct nf_llm_arch *found = nf_catalog_llm(w->with->catalog, name);
        if (!found) {
            w->why = nf_arena_printf(w->arena, "the catalogue has no model %s", name);
            return false;
        }
        *a = *found;
        w->group = nf_arena_printf(w->arena, "%s %s", w->group, model);
    } else {
        *a = (struct nf_llm_arch){.name = w->row->op,
                                  .hidden = (unsigned)size(w, "hidden", 1, DIMENSION_MAX),
                                  .heads = (unsigned)size(w, "heads", 1, HEADS_MAX),
                                  .kv_heads = (unsigned)size(w, "kv_heads", 1, HEADS_MAX),
                                  .head_dim = (unsigned)size(w, "dim", 1, HEADS_MAX),
                                  .ffn = (unsigned)size(w, "ffn", 1, DIMENSION_MAX),
                                  .vocab = (unsigned)size(w, "vocab", 1, DIMENSION_MAX),
                                  .weights = precision};
    }
    a->kv = NF_BF16;
    return !w->why;
}

/* The tokens of one step: a chunk of one prompt, and sequences that get one token each. */
static struct nf_llm_batch batch_of(struct whole *w)
{
    double queries = size(w, "queries", 0, TOKENS_MAX);
    double context = size(w, "context", 0, TOKENS_MAX);
    double decode = size(w, "decode", 0, TOKENS_MAX);
    double length = size(w, "decode_context", 0, TOKENS_MAX);
    return (struct nf_llm_batch){.prefill_tokens = (uint32_t)queries,
                                 .decode_sequences = (uint32_t)decode,
                                 .prefill_context = (uint64_t)context,
                                 .prefill_pairs = queries * (context + queries / 2),
                                 .prefill_longest =
                                     (uint32_t)(queries > 0 ? context + queries : 0),
                                 .decode_context = (uint64_t)(decode * length)};
}

/* Products with the layers' weights at the peak, or their weights and the decoded sequences' keys and values at the memory's bandwidth. Experts and
 * latent attention: only what the other layers would need is known to be too little, so nothing. */
static double least_of_decoder(const struct whole *w, const struct nf_llm_arch *a,
                               const struct nf_llm_batch *b, double ranks)
{
    double tokens = (double)b->prefill_tokens + b->decode_sequences;
    double dim = a->head_dim, hidden = a->hidden;
    if (a->experts > 0 || a->kv_rank > 0) {
        return 0;
    }
    double weights = a->layers * hidden *
                     (2.0 * (a->heads + (double)a->kv_heads) * dim + 3.0 * a->ffn) /
                     ranks;
    double cached =
        4.0 * a->layers * (double)b->decode_context * ceil(a->kv_heads / ranks) * dim;
    double bytes = weights * nf_precision_bytes(a->weights) + cached;
    return fmax(2 * tokens * weights / w->device->peak[a->weights],
                (bytes - w->device->l2_bytes) / w->device->bandwidth);
}

/* As an engine prices a step, without its host and without all-reduces; these runs write keys and values to the cache in a pass of its own. */
static double decoder_s(struct whole *w)
{
    struct nf_llm_arch arch;
    char why[400] = "";
    bool is_whole = strcmp(w->row->op, "decoder") == 0;
    if (!find_arch(w, &arch)) {
        return (double)NAN;
    }
    struct nf_llm_batch b = batch_of(w);
    double ranks = size(w, "ranks", 1, HEADS_MAX);
    arch.layers = is_whole ? (unsigned)size(w, "layers", 1, HEADS_MAX) : 1;
    if (w->why) {
        return (double)NAN;
    }
    uint32_t tokens = b.prefill_tokens + b.decode_sequences;
    if (tokens == 0) {
        return give_up(w, "no tokens at all");
    }
    b.sampled = is_whole ? b.decode_sequences + (b.prefill_tokens > 0) : 0;
    struct nf_calibration profile = *w->profile;
    for (int i = 0; i < NF_RANKS_MAX_LOG2; i++) {
        profile.allreduce[i] = (struct nf_allreduce){.bus_bandwidth = (double)INFINITY};
    }
    struct nf_llm_engine engine = nf_llm_engine_defaults();
    engine.kv_blocks = 2;
    engine.step_overhead_s = engine.sequence_overhead_s = engine.request_overhead_s = 0;
    struct nf_host host = {w->device, &profile, (unsigned)ranks};
    struct nf_llm_cost *cost = NF_NEW(w->arena, struct nf_llm_cost);
    if (!nf_llm_prepare(cost, &arch, &host, &engine, why, sizeof why)) {
        return give_up(w, nf_arena_strdup(w->arena, why));
    }
    w->least_s = least_of_decoder(w, &arch, &b, ranks);
    double kv_heads = ceil(arch.kv_heads / ranks);
    double append = pass_s(w, 8.0 * tokens * kv_heads * arch.head_dim);
    return nf_llm_step_s(cost, &b) + arch.layers * append;
}

/* ---- ResNet-50 ---- */

struct network {
    struct whole *w;
    struct nf_silicon silicon;
    double batch, seconds;
};

/* A convolution on pictures of `size` x `size`; is_added: with another picture like its result. */
struct convolution {
    double size, channels, filters, kernel, stride;
    bool is_added;
};

static void add_convolution(struct network *n, const struct convolution *c)
{
    double out = c->size / c->stride;
    double weights = c->filters * c->kernel * c->kernel * c->channels;
    double result = n->batch * out * out * c->filters;
    struct nf_work_shape s = {.work = 2 * result * c->kernel * c->kernel * c->channels,
                              .bytes = 2 * (n->batch * c->size * c->size * c->channels +
                                            weights + result * (c->is_added ? 2 : 1))};
    n->seconds += nf_convolution_s(&n->w->profile->convolution, &n->silicon, &s);
}

/* He et al. 2016, table 1; a stage's stride stands in its first 3 x 3 convolution; three colours are padded to eight channels. */
static void add_resnet50(struct network *n)
{
    static const struct {
        int size, middle, blocks;
    } stages[] = {{56, 64, 3}, {56, 128, 4}, {28, 256, 6}, {14, 512, 3}};
    double channels = 64;
    add_convolution(n, &(struct convolution){224, 8, 64, 7, 2, false});
    n->seconds += pass_s(n->w, 2 * n->batch * 64 * (112.0 * 112 + 56.0 * 56));
    for (int s = 0; s < 4; s++) {
        double middle = stages[s].middle, out = 4 * middle;
        for (int b = 0; b < stages[s].blocks; b++) {
            double stride = s > 0 && b == 0 ? 2 : 1;
            double size = s > 0 && b > 0 ? stages[s].size / 2.0 : stages[s].size;
            if (b == 0) {
                add_convolution(
                    n, &(struct convolution){size, channels, out, 1, stride, false});
            }
            add_convolution(n,
                            &(struct convolution){size, channels, middle, 1, 1, false});
            add_convolution(
                n, &(struct convolution){size, middle, middle, 3, stride, false});
            add_convolution(
                n, &(struct convolution){size / stride, middle, out, 1, 1, true});
            channels = out;
        }
    }
    n->seconds += pass_s(n->w, 2 * n->batch * channels * (7.0 * 7 + 1));
    add_convolution(n, &(struct convolution){1, channels, 1000, 1, 1, false});
}

/* From the constants of whole networks, where single convolutions were not measured. */
static double by_network_s(struct whole *w, double batch)
{
    const struct nf_dnn_model *found = nf_catalog_dnn(w->with->catalog, "resnet-50-int8");
    struct nf_host host = {w->device, w->profile, 1};
    struct nf_dnn_cost cost;
    char why[400] = "";
    if (!found || !(w->profile->network.em > 0)) {
        return give_up(w, nf_arena_printf(w->arena,
                                          "profile %s has no convolution constants",
                                          w->profile->name));
    }
    struct nf_dnn_model m = *found; /* in 16 bits instead of 8 */
    m.precision = NF_FP16;
    m.weight_bytes *= 2;
    m.activation_bytes *= 2;
    m.anchors = NULL;
    m.anchor_count = 0;
    m.law = NF_BATCH_ELASTIC;
    if (!nf_dnn_prepare(&cost, &m, &host, (unsigned)batch, why, sizeof why)) {
        return give_up(w, nf_arena_strdup(w->arena, why));
    }
    return nf_dnn_batch_s(&cost, (unsigned)batch);
}

static double resnet50_s(struct whole *w)
{
    struct network n = {.w = w,
                        .silicon = nf_silicon_of(w->device, NF_FP16),
                        .batch = size(w, "batch", 1, DIMENSION_MAX)};
    if (w->why) {
        return (double)NAN;
    }
    /* 4.09e9 multiply-adds a picture: the layers below, and as torchvision counts them */
    w->least_s = n.batch * 8.18e9 / n.silicon.peak;
    if (!(w->profile->convolution.em > 0) || !(w->profile->elementwise.em > 0)) {
        return by_network_s(w, n.batch);
    }
    add_resnet50(&n);
    return n.seconds;
}

/* ---- a block of a diffusion transformer ---- */

static double product_s(const struct whole *w, double m, double n, double k)
{
    enum nf_precision half = nf_device_half(w->device);
    struct nf_silicon s = nf_silicon_of(w->device, half);
    struct nf_gemm_shape g = {
        .m = m, .n = n, .k = k, .matrices = 1, .weight_bytes = nf_precision_bytes(half)};
    return nf_gemm_s(&w->profile->gemm[half], &s, &g);
}

/* All pairs of tokens; by the constants of videos where encoders were not measured. */
static double attention_s(const struct whole *w, double tokens, double hidden,
                          double heads)
{
    const struct nf_calibration *k = w->profile;
    struct nf_silicon s = nf_silicon_of(w->device, nf_device_half(w->device));
    if (!(k->encoder_attention.em > 0)) {
        return 4 * tokens * tokens * hidden / (k->long_attention_ec * s.peak);
    }
    struct nf_prefill_shape g = {.pairs = tokens * tokens,
                                 .tokens = tokens,
                                 .longest = tokens,
                                 .heads = heads,
                                 .kv_heads = heads,
                                 .head_dim = hidden / heads,
                                 .kv_bytes = 2};
    return nf_prefill_s(&k->encoder_attention, &s, &g);
}

/* Modulated norm, products of queries, keys and values, attention, product, gated residual and modulated norm in one pass, feed-forward with
 * GELU between its products, gated residual. */
static double diffusion_block_s(struct whole *w)
{
    const struct nf_calibration *k = w->profile;
    enum nf_precision half = nf_device_half(w->device);
    double tokens = size(w, "tokens", 1, TOKENS_MAX);
    double hidden = size(w, "hidden", 1, DIMENSION_MAX);
    double heads = size(w, "heads", 1, HEADS_MAX);
    double ffn = size(w, "ffn", 1, DIMENSION_MAX);
    if (w->why) {
        return (double)NAN;
    }
    w->least_s = tokens * hidden * (2 * (4 * hidden + 2 * ffn) + 4 * tokens) /
                 w->device->peak[half];
    if (!(k->gemm[half].em > 0) || !(k->elementwise.em > 0) ||
        !(k->encoder_attention.em > 0 || k->long_attention_ec > 0)) {
        return give_up(w,
                       nf_arena_printf(w->arena,
                                       "profile %s lacks products, passes or attention "
                                       "without a mask",
                                       k->name));
    }
    return product_s(w, tokens, 3 * hidden, hidden) +
           product_s(w, tokens, hidden, hidden) + product_s(w, tokens, ffn, hidden) +
           product_s(w, tokens, hidden, ffn) + attention_s(w, tokens, hidden, heads) +
           pass_s(w, 4 * tokens * hidden) + pass_s(w, 8 * tokens * hidden) +
           pass_s(w, 4 * tokens * ffn) + pass_s(w, 6 * tokens * hidden);
}

/* ---- rows ---- */

static const struct {
    const char *op;
    double (*predict)(struct whole *w);
    struct nf_measured_bound bound; /* what a calibrated profile has to reach */
} wholes[] = {{"decoder_layer", decoder_s, {0.05, 0.12}},
              {"decoder", decoder_s, {0.05, 0}},
              {"resnet50", resnet50_s, {0.10, 0}},
              {"diffusion_block", diffusion_block_s, {0.08, 0}}};

static void predict(struct whole *w, struct nf_measured_row *row)
{
    size_t i = 0, n = sizeof wholes / sizeof wholes[0];
    w->why = NULL;
    w->least_s = 0;
    w->group = nf_arena_printf(w->arena, "%s %s", w->device->name, w->row->op);
    while (i < n && strcmp(wholes[i].op, w->row->op) != 0) {
        i++;
    }
    double seconds = (double)NAN;
    if (!w->row->is_composed) {
        w->why = "an operation, not a whole: validate operators";
    } else if (i == n) {
        w->why = nf_arena_printf(w->arena, "nobody knows what %s is made of", w->row->op);
    } else {
        seconds = wholes[i].predict(w);
    }
    if (!w->why && w->row->is_throttled) {
        w->why = nf_samples_slowed;
    }
    *row = (struct nf_measured_row){
        .group = w->row->is_composed ? w->group : "operations",
        .subtotal = i < n && w->row->is_composed ? wholes[i].op : NULL,
        .bound = i < n && w->row->is_composed ? &wholes[i].bound : NULL,
        .name = w->row->shape,
        .skipped = w->why};
    row->predicted[0] = w->why ? (double)NAN : seconds;
    row->measured[0] = w->row->seconds;
}

static bool find_device(struct whole *w, const char *file, struct nf_diags *diags)
{
    w->device = w->with->device
                    ? w->with->device
                    : nf_calibrate_device_of(w->with->catalog, file, w->arena, diags);
    if (!w->device) {
        return false; /* told by whoever looked */
    }
    w->profile = w->with->profile
                     ? w->with->profile
                     : nf_catalog_calibration(w->with->catalog, w->device->name);
    if (!w->profile) {
        (void)nf_diag_add(diags, NF_E_REFERENCE, nowhere, "--profile", NULL,
                          "%s has no calibration profile", w->device->name);
    }
    return w->profile != NULL;
}

/* What the prediction takes for granted, and in which state the device was. */
static const char *assumptions(const struct whole *w, const struct nf_kernel_file *f)
{
    size_t capped = 0;
    for (size_t i = 0; i < f->csv.rows; i++) {
        capped +=
            f->rows[i].is_composed && f->rows[i].is_capped && !f->rows[i].is_throttled;
    }
    return nf_arena_printf(
        w->arena,
        "Predicted by profile %s from the operations of each whole, one after the "
        "other, without host and all-reduces.%s%s",
        w->profile->name,
        capped > 0 ? nf_arena_printf(w->arena,
                                     "\n%zu of the wholes ran at the power cap.", capped)
                   : "",
        f->is_synthetic ? "\nThe rows say that they are synthetic: nothing was measured."
                        : "");
}

enum nf_status nf_measured_composed(const struct nf_measured_with *with, const char *file,
                                    struct nf_arena *arena, struct nf_diags *diags,
                                    struct nf_measured *out)
{
    struct nf_kernel_file f;
    struct whole w = {.with = with, .arena = arena};
    enum nf_status s = nf_kernel_file_read(file, arena, diags, &f);
    if (s != NF_OK) {
        return s;
    }
    if (!find_device(&w, file, diags)) {
        return nf_diags_status(diags);
    }
    s = nf_kernel_file_check_device(&f, w.device, diags);
    if (s != NF_OK) {
        return s;
    }
    w.csv = &f.csv;
    w.diags = diags;
    *out = (struct nf_measured){.kind = "composed",
                                .metrics = {"time"},
                                .metric_count = 1,
                                .assumptions = assumptions(&w, &f),
                                .count = f.csv.rows};
    out->rows = NF_NEW_ARRAY(arena, out->count, struct nf_measured_row);
    struct nf_timed *times = NF_NEW_ARRAY(arena, out->count, struct nf_timed);
    struct nf_timed_rows all = {&f.csv, nf_csv_column(&f.csv, "median_us"), times, 0};
    int errors = diags->errors;
    for (size_t i = 0; i < out->count && diags->errors - errors < WRONG_MAX; i++) {
        w.row = &f.rows[i];
        w.index = i;
        predict(&w, &out->rows[i]);
        out->rows[i].line = f.csv.lines[i];
        if (!w.why) {
            times[all.count++] = (struct nf_timed){i, w.row->seconds, w.least_s};
        }
    }
    if (diags->errors == errors) {
        nf_samples_check_times(&all, w.device, arena, diags);
    }
    return diags->errors == errors ? NF_OK : nf_diags_status(diags);
}
