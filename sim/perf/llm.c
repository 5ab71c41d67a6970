#include "perf/llm.h"

#include <math.h>
#include <stdio.h>

#include "base/status.h"
#include "perf/operator.h"

/* Element-wise passes of a layer: two of residual add + norm, one rotary embedding, one activation. */
enum { ELEMENTWISE_PASSES = 4, ALLREDUCES = 2, QK_NORM_PASSES = 2 };

struct fold {
    const struct nf_llm_arch *arch;
    const struct nf_device *device;
    const struct nf_calibration *cal;
    unsigned ranks;
    double heads, kv_heads; /* of one rank */
    struct nf_llm_cost *out;
};

struct product {
    double in, out, weight_bytes;
    double experts,
        used; /* matrices in memory and used by each token; 1, 1: a plain one */
};

static int ranks_log2(unsigned ranks)
{
    int k = 0;
    while ((1U << k) < ranks) {
        k++;
    }
    return k;
}

/* Weight-only INT4 is computed in 16 bits; FP16 and BF16 share a curve where one of them is missing. */
static enum nf_precision compute_precision(const struct nf_device *device,
                                           enum nf_precision weights)
{
    if (weights == NF_INT4 || weights == NF_BF16 || weights == NF_FP16) {
        return nf_device_half(device);
    }
    return weights;
}

static const struct nf_curve *gemm_curve(const struct nf_calibration *cal,
                                         enum nf_precision p)
{
    const struct nf_curve *c = &cal->gemm[p];
    if (!(c->em > 0) && p == NF_FP16) {
        c = &cal->gemm[NF_BF16];
    }
    if (!(c->em > 0) && p == NF_BF16) {
        c = &cal->gemm[NF_FP16];
    }
    return c->em > 0 && c->ec > 0 ? c : NULL;
}

static bool check_shape(const struct nf_llm_arch *a, unsigned ranks, char *why,
                        size_t cap)
{
    if (ranks == 0 || (ranks & (ranks - 1)) != 0 || ranks > 1U << NF_RANKS_MAX_LOG2) {
        snprintf(why, cap,
                 "%s cannot be split over %u devices: 1, 2, 4 or 8 are modelled", a->name,
                 ranks);
        return false;
    }
    if (a->heads % ranks != 0) {
        snprintf(why, cap, "%s has %u attention heads, which do not divide by %u devices",
                 a->name, a->heads, ranks);
        return false;
    }
    if (a->kv != NF_BF16 && a->kv != NF_FP16 && a->kv != NF_FP8) {
        snprintf(why, cap, "a KV cache in %s is not modelled: bf16, fp16 or fp8",
                 nf_precision_name(a->kv));
        return false;
    }
    if (a->experts > 0 &&
        (a->experts_per_token == 0 || a->experts_per_token > a->experts)) {
        snprintf(why, cap, "%s routes each token to %u of %u experts", a->name,
                 a->experts_per_token, a->experts);
        return false;
    }
    return true;
}

static bool check_profile(const struct nf_llm_arch *a, const struct nf_host *host,
                          char *why, size_t cap)
{
    const struct nf_device *d = host->device;
    const struct nf_calibration *cal = host->calibration;
    unsigned ranks = host->ranks;
    if (!cal) {
        snprintf(why, cap,
                 "%s has no calibration profile, and %s can only be timed with one",
                 d->name, a->name);
        return false;
    }
    enum nf_precision p = compute_precision(d, a->weights);
    if (!(d->peak[p] > 0)) {
        snprintf(why, cap, "%s computes in %s, which %s has no units for", a->name,
                 nf_precision_name(p), d->name);
        return false;
    }
    if (!gemm_curve(cal, p) || !gemm_curve(cal, nf_device_half(d))) {
        snprintf(why, cap, "profile %s has no %s matrix-product constants (needed by %s)",
                 cal->name, nf_precision_name(gemm_curve(cal, p) ? nf_device_half(d) : p),
                 a->name);
        return false;
    }
    if (!(cal->prefill_attention.em > 0 && cal->prefill_attention.ec > 0) ||
        !(cal->decode_attention.em > 0) || !(cal->elementwise.em > 0)) {
        snprintf(why, cap, "profile %s has no attention or element-wise constants",
                 cal->name);
        return false;
    }
    if (ranks > 1 && !(cal->allreduce[ranks_log2(ranks) - 1].bus_bandwidth > 0)) {
        snprintf(why, cap, "profile %s has no all-reduce constants for %u devices",
                 cal->name, ranks);
        return false;
    }
    return true;
}

static bool check_memory(const struct nf_llm_arch *a, const struct nf_host *host,
                         const struct nf_llm_engine *e, char *why, size_t cap)
{
    const struct nf_device *d = host->device;
    unsigned ranks = host->ranks;
    struct nf_llm_memory m = nf_llm_memory(a, d, ranks, e);
    if (e->kv_blocks > 0) {
        double kv = (double)e->kv_blocks * e->block_tokens * m.kv_bytes_per_token;
        if (m.weight_bytes + kv <= d->memory_bytes) {
            return true;
        }
        snprintf(why, cap,
                 "%s on %u x %s: weights %.1f GB and %llu KV blocks %.1f GB a device, of "
                 "%.1f GB",
                 a->name, ranks, d->name, m.weight_bytes / 1e9,
                 (unsigned long long)e->kv_blocks, kv / 1e9, d->memory_bytes / 1e9);
        return false;
    }
    if (m.kv_blocks > 0) {
        return true;
    }
    unsigned needed = nf_llm_ranks_needed(a, d, e);
    char advice[64] = "not even 8 devices would do";
    if (needed > 0) {
        snprintf(advice, sizeof advice, "%u devices would do", needed);
    }
    snprintf(
        why, cap,
        "%s needs %.1f GB for weights (%.1f GB on each of %u x %s), which offers %.1f "
        "GB (%.0f%% of %.1f GB less a reserve of %.1f GB): %s",
        a->name, nf_llm_weight_bytes(a) / 1e9, m.weight_bytes / 1e9, ranks, d->name,
        (m.budget_bytes > 0 ? m.budget_bytes : 0) / 1e9, e->kv_memory * 100,
        d->memory_bytes / 1e9, d->memory_reserve_bytes / 1e9, advice);
    return false;
}

/* Rows of a table's points, in order. */
static uint32_t rows_at(int point)
{
    uint32_t i = (uint32_t)point;
    const uint32_t sixteens = (NF_ROWS_16 - NF_ROWS_EACH) / 16;
    if (i <= NF_ROWS_EACH) {
        return i;
    }
    i -= NF_ROWS_EACH;
    if (i <= sixteens) {
        return NF_ROWS_EACH + 16 * i;
    }
    return NF_ROWS_16 + 128 * (i - sixteens);
}

/* Adds `times` products x[m, in] W[in, out] at every point of the table. Of `experts` matrices, each token uses `used` picked at random:
 * m tokens touch E (1 - (1 - k/E)^m) of them. */
static void add_product(struct nf_llm_rows *rows, const struct nf_curve *c,
                        const struct nf_silicon *s, const struct product *p, double times)
{
    for (int i = 1; i < NF_ROWS_POINTS; i++) {
        double m = rows_at(i);
        double touched = p->experts > p->used
                             ? -p->experts * expm1(m * log1p(-p->used / p->experts))
                             : p->experts;
        struct nf_gemm_shape g = {.m = m * p->used,
                                  .n = p->out,
                                  .k = p->in,
                                  .matrices = touched,
                                  .weight_bytes = p->weight_bytes};
        rows->s[i] += times * nf_gemm_s(c, s, &g);
    }
}

/* The pass before an 8-bit product where its constants were measured apart: 16 bits in, 8 out. */
static void add_quantize(struct nf_llm_rows *rows, const struct nf_calibration *cal,
                         const struct nf_silicon *s, const struct product *p,
                         double times)
{
    for (int i = 1; i < NF_ROWS_POINTS; i++) {
        double bytes = 3 * rows_at(i) * p->used * p->in;
        rows->s[i] += times * nf_pass_s(&cal->quantize, s, bytes);
    }
}

/* A wave that fills up may take less time than a shorter one that starts a new wave for little; an engine would pad. */
static void never_less(struct nf_llm_rows *rows)
{
    for (int i = 1; i < NF_ROWS_POINTS; i++) {
        if (rows->s[i] < rows->s[i - 1]) {
            rows->s[i] = rows->s[i - 1];
        }
    }
}

static void fold_gemms(struct fold *f)
{
    const struct nf_llm_arch *a = f->arch;
    double hidden = a->hidden, dim = a->head_dim, ffn = (double)a->ffn / f->ranks;
    double stored = a->experts > 0 ? a->experts : 1;
    double used = a->experts > 0 ? a->experts_per_token : 1;
    enum nf_precision p = compute_precision(f->device, a->weights);
    double bytes = nf_precision_bytes(a->weights);
    const struct product layer[] = {
        {hidden, (f->heads + 2 * f->kv_heads) * dim, bytes, 1, 1},
        {f->heads * dim, hidden, bytes, 1, 1},
        {hidden, 2 * ffn, bytes, stored, used},
        {ffn, hidden, bytes, stored, used}};
    struct nf_silicon s = nf_silicon_of(f->device, p);
    const struct nf_curve *curve = gemm_curve(f->cal, p);
    bool is_apart =
        (p == NF_FP8 || p == NF_INT8) && !(curve->extra > 0) && f->cal->quantize.em > 0;
    for (size_t i = 0; i < sizeof layer / sizeof layer[0]; i++) {
        add_product(&f->out->products, curve, &s, &layer[i], a->layers);
        if (is_apart) {
            add_quantize(&f->out->products, f->cal, &s, &layer[i], a->layers);
        }
    }
    enum nf_precision half = nf_device_half(f->device);
    const struct product head = {hidden, (double)a->vocab / f->ranks,
                                 nf_precision_bytes(half), 1, 1};
    s = nf_silicon_of(f->device, half);
    add_product(&f->out->head, gemm_curve(f->cal, half), &s, &head, 1);
    never_less(&f->out->products);
    never_less(&f->out->head);
}

static void fold_attention(struct fold *f)
{
    const struct nf_curve *pre = &f->cal->prefill_attention;
    const struct nf_curve *dec = &f->cal->decode_attention;
    double layers = f->arch->layers, dim = f->arch->head_dim;
    double kv_bytes = 2 * f->kv_heads * dim * nf_precision_bytes(f->arch->kv);
    double compute = pre->ec * f->device->peak[nf_device_half(f->device)];
    double memory = pre->em * f->device->bandwidth;
    struct nf_llm_cost *o = f->out;
    o->prefill_t0_s = layers * pre->t0_s;
    o->prefill_pair_s = layers * 4 * f->heads * dim / compute;
    double weight = pre->kv_weight > 0 ? pre->kv_weight : 2;
    o->prefill_token_s =
        layers * 2 * dim * (2 * f->heads + weight * f->kv_heads) / memory;
    o->prefill_tile_s = layers * pre->tile_s;
    o->prefill_slowdown = pre->slowdown;
    o->prefill_slow_pairs =
        NF_SLOWDOWN_S * f->device->peak[nf_device_half(f->device)] / (4 * f->heads * dim);
    o->prefill_context_s = layers * kv_bytes / memory;
    nf_pnorm_init(&o->prefill_norm, pre->p);
    o->decode_t0_s = layers * dec->t0_s;
    o->decode_context_s = layers * kv_bytes / (dec->em * f->device->bandwidth);
    o->decode_sequence_s = layers *
                           (dec->extra * f->kv_heads + dec->query_head_s * f->heads) /
                           f->device->multiprocessors;
    o->decode_doubling_s = layers * dec->doubling_s;
    nf_pnorm_init(&o->decode_norm, dec->p);
    o->mixed_factor = f->cal->mixed_factor;
}

/* Element-wise bytes a token, 16-bit: add + norm reads and writes hidden state and residual; the rotary embedding
 * reads and writes queries and keys; the activation reads two halves and writes one, for each expert used. */
static void fold_rest(struct fold *f)
{
    const struct nf_llm_arch *a = f->arch;
    const struct nf_curve *e = &f->cal->elementwise;
    double layers = a->layers;
    double copies = a->experts > 0 ? a->experts_per_token : 1;
    double values = 2.0 * 4 * a->hidden + 2 * (f->heads + f->kv_heads) * a->head_dim +
                    3.0 * a->ffn / f->ranks * copies;
    double passes = ELEMENTWISE_PASSES;
    if (a->qk_norm) {
        passes += QK_NORM_PASSES;
        values += 2 * (f->heads + f->kv_heads) * a->head_dim;
    }
    f->out->step_s += layers * passes * e->t0_s;
    f->out->token_s += layers * 2 * values / (e->em * f->device->bandwidth);
    for (int i = 1; i < NF_ROWS_POINTS && f->ranks > 1; i++) {
        const struct nf_allreduce *r = &f->cal->allreduce[ranks_log2(f->ranks) - 1];
        double bytes = 2.0 * rows_at(i) * a->hidden;
        f->out->products.s[i] += layers * ALLREDUCES * nf_allreduce_s(r, f->ranks, bytes);
    }
}

bool nf_llm_prepare(struct nf_llm_cost *cost, const struct nf_llm_arch *arch,
                    const struct nf_host *host, const struct nf_llm_engine *engine,
                    char *why, size_t cap)
{
    unsigned ranks = host->ranks;
    NF_ASSERT(engine->max_sequences >= 1 && engine->max_batched_tokens >= 1);
    if (!check_shape(arch, ranks, why, cap) ||
        !check_memory(arch, host, engine, why, cap) ||
        !check_profile(arch, host, why, cap)) {
        return false;
    }
    struct nf_llm_memory memory = nf_llm_memory(arch, host->device, ranks, engine);
    *cost = (struct nf_llm_cost){.weight_bytes = nf_llm_weight_bytes(arch),
                                 .kv_bytes_per_token = memory.kv_bytes_per_token,
                                 .kv_blocks = engine->kv_blocks > 0 ? engine->kv_blocks
                                                                    : memory.kv_blocks,
                                 .block_tokens = engine->block_tokens,
                                 .max_sequences = engine->max_sequences,
                                 .max_batched_tokens = engine->max_batched_tokens,
                                 .has_prefix_cache = engine->prefix_caching,
                                 .by_priority = engine->by_priority,
                                 .ranks = ranks,
                                 .step_overhead_s = engine->step_overhead_s,
                                 .sequence_overhead_s = engine->sequence_overhead_s,
                                 .request_overhead_s = engine->request_overhead_s};
    struct fold f = {arch,
                     host->device,
                     host->calibration,
                     ranks,
                     (double)arch->heads / ranks,
                     ceil((double)arch->kv_heads / ranks),
                     cost};
    fold_gemms(&f);
    fold_attention(&f);
    fold_rest(&f);
    return true;
}
