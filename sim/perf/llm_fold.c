/*
 * llm_fold.c - constants of one engine: what its products, attention, element-wise passes and exchanges take, folded into tables and factors.
 */
#include <math.h>

#include "base/status.h"
#include "perf/llm_part.h"
#include "perf/operator.h"

/* Element-wise passes of a layer: two of residual add + norm, one rotary embedding, one activation. */
enum {
    ELEMENTWISE_PASSES = 4,
    ALLREDUCES = 2,
    QK_NORM_PASSES = 2,
    LATENT_PASSES = 2, /* norms of the compressed queries and keys */
    MANY_EXPERTS = 64
};

/* Decode attention over latent vectors is limited by compute where a device has many heads of it: this share of the dense 16-bit peak.
 * Fitted to ai-dynamo/aiconfigurator@095f58a51, systems/data/{h100,h200}_sxm/mla/sglang/0.5.14/generation_mla_perf.parquet (Apache-2.0): 0.575 on the H100
 * and 0.581 on the H200 with 128 heads, while 8 to 64 heads read 0.88 to 0.93 of the bandwidth, as other decode attention does. */
static const double latent_decode_ec = 0.58;

/* The routed part of a layer with many experts, from choosing them to adding up what they give: t0 + W/(ec F16) + B/(em BW), the peak that of
 * 16 bits at any precision. Fitted to ai-dynamo/aiconfigurator@095f58a51, systems/data/{h100,h200}_sxm/moe/vllm/0.24.0/moe_perf.parquet (Apache-2.0), 2538
 * rows each of 64 experts and more in blocks of FP8, tokens spread by a power law of 1.01: median error 9 to 10 %, P90 30 %; both devices
 * and BF16 give nearly the same constants. */
static const struct {
    double t0_s, ec, em;
} many_experts = {47.5e-6, 0.43, 0.98};

struct fold {
    const struct nf_llm_arch *arch;
    const struct nf_device *device;
    const struct nf_calibration *cal;
    unsigned ranks;         /* of one stage */
    double heads, kv_heads; /* of one rank */
    bool expert_parallel;
    struct nf_llm_cost *out;
};

struct product {
    double in, out, weight_bytes;
    double experts,
        used;      /* matrices in memory and used by each token; 1, 1: a plain one */
    double times;  /* layers that have it */
    double spread; /* more than 1: whole experts on so many ranks; the busiest counts */
};

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

/* Tokens as the busiest of `spread` ranks meets them, when each token picks `used` x spread experts evenly at random: the mean of what a
 * rank gets, and the greatest of so many normal deviations from it, sqrt(2 ln n) of them; never more than everything. */
static double busiest(double m, const struct product *p)
{
    if (!(p->spread > 1)) {
        return m;
    }
    double mean = m * p->used;
    double most = mean + sqrt(2 * log(p->spread) * mean * (1 - 1 / p->spread));
    double all = m * p->used * p->spread;
    return (most < all ? most : all) / p->used;
}

/* Of E matrices, each token uses k picked at random: m tokens touch E (1 - (1 - k/E)^m) of them. */
static double touched(double m, const struct product *p)
{
    return p->experts > p->used ? -p->experts * expm1(m * log1p(-p->used / p->experts))
                                : p->experts;
}

/* One operation of `rows_at(point)` rows takes `seconds`; it was fitted to times between these. */
static void mark_range(struct nf_llm_rows *rows, int point, double seconds,
                       double shortest_s, double longest_s)
{
    uint32_t n = rows_at(point);
    if (nf_is_shorter(seconds, shortest_s) && n >= rows->low) {
        rows->low = n + 1;
    }
    if (nf_is_longer(seconds, longest_s) && n <= rows->high) {
        rows->high = n - 1;
    }
}

static struct nf_llm_span span_of(const struct nf_curve *c, double layers, double t0_s)
{
    return (struct nf_llm_span){
        c->shortest_s > 0 ? layers * (c->shortest_s / (1 + NF_RANGE_MARGIN) - t0_s) : 0,
        c->longest_s > 0 ? layers * (c->longest_s * (1 + NF_RANGE_MARGIN) - t0_s)
                         : (double)INFINITY};
}

static bool states_range(const struct nf_calibration *k)
{
    double longest = fmax(k->prefill_attention.longest_s, k->decode_attention.longest_s);
    for (int p = 0; p < NF_PRECISIONS; p++) {
        longest = fmax(longest, k->gemm[p].longest_s);
    }
    return longest > 0;
}

/* Adds the products x[m, in] W[in, out] at every point of the table. */
static void add_product(struct nf_llm_rows *rows, const struct nf_curve *c,
                        const struct nf_silicon *s, const struct product *p)
{
    for (int i = 1; i < NF_ROWS_POINTS; i++) {
        double m = busiest(rows_at(i), p);
        struct nf_gemm_shape g = {.m = m * p->used,
                                  .n = p->out,
                                  .k = p->in,
                                  .matrices = touched(m, p),
                                  .weight_bytes = p->weight_bytes};
        double one = nf_gemm_s(c, s, &g);
        mark_range(rows, i, one, c->shortest_s, c->longest_s);
        rows->s[i] += p->times * one;
    }
}

/* The pass before an 8-bit product where its constants were measured apart: 16 bits in, 8 out. */
static void add_quantize(struct nf_llm_rows *rows, const struct nf_calibration *cal,
                         const struct nf_silicon *s, const struct product *p)
{
    for (int i = 1; i < NF_ROWS_POINTS; i++) {
        double bytes = 3 * rows_at(i) * p->used * p->in;
        double one = nf_pass_s(&cal->quantize, s, bytes);
        mark_range(rows, i, one, cal->quantize.shortest_s, cal->quantize.longest_s);
        rows->s[i] += p->times * one;
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

static void add_products(struct fold *f, const struct product *list, size_t count)
{
    enum nf_precision p = nf__llm_compute_precision(f->device, f->arch->weights);
    struct nf_silicon s = nf_silicon_of(f->device, p);
    const struct nf_curve *curve = nf__llm_gemm_curve(f->cal, p);
    bool is_apart =
        (p == NF_FP8 || p == NF_INT8) && !(curve->extra > 0) && f->cal->quantize.em > 0;
    for (size_t i = 0; i < count; i++) {
        if (!(list[i].times > 0 && list[i].in > 0 && list[i].out > 0)) {
            continue;
        }
        add_product(&f->out->products, curve, &s, &list[i]);
        if (is_apart) {
            add_quantize(&f->out->products, f->cal, &s, &list[i]);
        }
    }
}

static void fold_attention_products(struct fold *f)
{
    const struct nf_llm_arch *a = f->arch;
    double hidden = a->hidden, dim = a->head_dim, layers = a->layers;
    double bytes = nf_precision_bytes(a->weights);
    if (a->kv_rank == 0) {
        const struct product plain[] = {
            {hidden, (f->heads + 2 * f->kv_heads) * dim, bytes, 1, 1, layers, 1},
            {f->heads * dim, hidden, bytes, 1, 1, layers, 1}};
        add_products(f, plain, sizeof plain / sizeof plain[0]);
        return;
    }
    /* Every rank compresses all tokens, and has its heads' share of the rest. A decoding token passes the halves of the last matrix before
     * and after attention ("absorbed"), others both before it: the work is the same. */
    double query = f->heads * (dim + a->rope_dim);
    double from = a->q_rank > 0 ? a->q_rank : hidden;
    const struct product latent[] = {
        {hidden, (double)a->q_rank + a->kv_rank + a->rope_dim, bytes, 1, 1, layers, 1},
        {from, query, bytes, 1, 1, layers, 1},
        {a->kv_rank, f->heads * (dim + a->value_dim), bytes, 1, 1, layers, 1},
        {f->heads * a->value_dim, hidden, bytes, 1, 1, layers, 1}};
    add_products(f, latent, sizeof latent / sizeof latent[0]);
}

/* Routed experts of this rank, `ffn` wide: `stored` of them, of which each token uses `used`. */
static void add_many_experts(struct fold *f, const struct product *up, double ffn)
{
    const struct nf_llm_arch *a = f->arch;
    double peak = f->device->peak[nf_device_half(f->device)], hidden = a->hidden;
    for (int i = 1; i < NF_ROWS_POINTS; i++) {
        double m = busiest(rows_at(i), up), rows = m * up->used;
        double bytes = touched(m, up) * 3 * hidden * ffn * up->weight_bytes +
                       2 * rows * (2 * hidden + 3 * ffn);
        double t = many_experts.t0_s +
                   2 * rows * 3 * hidden * ffn / (many_experts.ec * peak) +
                   bytes / (many_experts.em * f->device->bandwidth);
        f->out->products.s[i] += up->times * t;
    }
}

static void fold_gemms(struct fold *f)
{
    const struct nf_llm_arch *a = f->arch;
    double hidden = a->hidden, n = f->ranks, bytes = nf_precision_bytes(a->weights);
    double layers = a->layers, dense = a->experts > 0 ? a->dense_layers : layers;
    double dense_ffn = (a->experts > 0 ? a->dense_ffn : a->ffn) / n;
    double shared = a->shared_experts * (double)a->ffn / n;
    bool whole = f->expert_parallel && a->experts > 0;
    double ffn = whole ? a->ffn : a->ffn / n, spread = whole ? n : 1;
    double stored = a->experts / spread, used = a->experts_per_token / spread;
    const struct product mlp[] = {
        {hidden, 2 * dense_ffn, bytes, 1, 1, dense, 1},
        {dense_ffn, hidden, bytes, 1, 1, dense, 1},
        {hidden, 2 * shared, bytes, 1, 1, layers - dense, 1},
        {shared, hidden, bytes, 1, 1, layers - dense, 1},
        {hidden, 2 * ffn, bytes, stored, used, layers - dense, spread},
        {ffn, hidden, bytes, stored, used, layers - dense, spread}};
    const size_t count = sizeof mlp / sizeof mlp[0];
    bool many = a->experts >= MANY_EXPERTS;
    fold_attention_products(f);
    add_products(f, mlp, many ? count - 2 : count);
    if (many) {
        add_many_experts(f, &mlp[count - 2], ffn);
    }
    enum nf_precision half = nf_device_half(f->device);
    const struct product head = {hidden, a->vocab / n, nf_precision_bytes(half), 1, 1, 1,
                                 1};
    struct nf_silicon s = nf_silicon_of(f->device, half);
    add_product(&f->out->head, nf__llm_gemm_curve(f->cal, half), &s, &head);
    never_less(&f->out->products);
    never_less(&f->out->head);
}

/* Latent vectors are read once for all heads; a context token's score and value take 2 (2 kv_rank + rope) operations a head. */
static double latent_context_s(const struct fold *f)
{
    const struct nf_llm_arch *a = f->arch;
    double width = (double)a->kv_rank + a->rope_dim;
    double read = width * nf_precision_bytes(a->kv) /
                  (f->cal->decode_attention.em * f->device->bandwidth);
    double work = 2 * f->heads * (width + a->kv_rank) /
                  (latent_decode_ec * f->device->peak[nf_device_half(f->device)]);
    return pow(pow(read, 4) + pow(work, 4), 0.25);
}

/* What a prompt's token needs of an earlier one that is only there as a latent vector: both halves of its keys and values made again. */
static double latent_expand_s(const struct fold *f)
{
    const struct nf_llm_arch *a = f->arch;
    enum nf_precision p = nf__llm_compute_precision(f->device, a->weights);
    const struct nf_curve *c = nf__llm_gemm_curve(f->cal, p);
    double out = f->heads * (a->head_dim + a->value_dim);
    return 2 * a->kv_rank * out / (c->ec * f->device->peak[p]) +
           2 * 2 * out / (f->cal->prefill_attention.em * f->device->bandwidth);
}

static void fold_attention(struct fold *f)
{
    const struct nf_llm_arch *a = f->arch;
    const struct nf_curve *pre = &f->cal->prefill_attention;
    const struct nf_curve *dec = &f->cal->decode_attention;
    bool is_latent = a->kv_rank > 0;
    double layers = a->layers, peak = f->device->peak[nf_device_half(f->device)];
    /* of queries and keys, and of values: one figure for both but where keys have a rotary part of their own */
    double dim =
        is_latent ? (a->head_dim + a->rope_dim + a->value_dim) / 2.0 : a->head_dim;
    double kv_heads = is_latent ? f->heads : f->kv_heads;
    double kv_bytes = 2 * kv_heads * dim * nf_precision_bytes(a->kv);
    double memory = pre->em * f->device->bandwidth;
    struct nf_llm_cost *o = f->out;
    o->prefill_t0_s = layers * pre->t0_s;
    o->prefill_pair_s = layers * 4 * f->heads * dim / (pre->ec * peak);
    double weight = pre->kv_weight > 0 && !is_latent ? pre->kv_weight : 2;
    o->prefill_token_s = layers * 2 * dim * (2 * f->heads + weight * kv_heads) / memory;
    o->prefill_tile_s = layers * pre->tile_s;
    o->prefill_slowdown = pre->slowdown;
    o->prefill_slow_pairs = NF_SLOWDOWN_S * peak / (4 * f->heads * dim);
    o->prefill_context_s =
        is_latent ? layers * latent_expand_s(f) : layers * kv_bytes / memory;
    nf_pnorm_init(&o->prefill_norm, pre->p);
    o->decode_t0_s = layers * dec->t0_s;
    o->decode_context_s = is_latent
                              ? layers * latent_context_s(f)
                              : layers * kv_bytes / (dec->em * f->device->bandwidth);
    o->decode_sequence_s =
        layers *
        (dec->extra * (is_latent ? 1 : f->kv_heads) + dec->query_head_s * f->heads) /
        f->device->multiprocessors;
    o->decode_doubling_s = layers * dec->doubling_s;
    nf_pnorm_init(&o->decode_norm, dec->p);
    o->mixed_factor = f->cal->mixed_factor;
    o->prefill_span = span_of(pre, layers, 0);
    o->decode_span = span_of(dec, layers, dec->t0_s); /* priced without its start-up */
}

/* Element-wise bytes a token, 16-bit: add + norm reads and writes hidden state and residual; the rotary embedding
 * reads and writes queries and keys; the activation reads two halves and writes one, for each expert used. */
static void fold_elementwise(struct fold *f)
{
    const struct nf_llm_arch *a = f->arch;
    const struct nf_curve *e = &f->cal->elementwise;
    double layers = a->layers;
    double copies = a->experts > 0 ? a->experts_per_token + a->shared_experts : 1;
    double rotated = a->kv_rank > 0 ? (f->heads + 1) * a->rope_dim
                                    : (f->heads + f->kv_heads) * a->head_dim;
    double values = 2.0 * 4 * a->hidden + 2 * rotated + 3.0 * a->ffn / f->ranks * copies;
    double passes = ELEMENTWISE_PASSES;
    if (a->qk_norm) {
        passes += QK_NORM_PASSES;
        values += 2 * (f->heads + f->kv_heads) * a->head_dim;
    }
    if (a->kv_rank > 0) {
        passes += LATENT_PASSES;
        values += 2 * ((double)a->q_rank + a->kv_rank);
    }
    f->out->step_s += layers * passes * e->t0_s;
    f->out->token_s += layers * 2 * values / (e->em * f->device->bandwidth);
    double most = fmax(8.0 * a->hidden, 6.0 * a->ffn / f->ranks * copies); /* one pass */
    struct nf_silicon s = nf_silicon_of(f->device, nf_device_half(f->device));
    for (int i = 1; i < NF_ROWS_POINTS; i++) {
        mark_range(&f->out->products, i, nf_pass_s(e, &s, most * rows_at(i)),
                   e->shortest_s, e->longest_s);
    }
}

/* Experts on n ranks: a rank sends its m/n tokens to the ranks of their experts, n (1 - (1 - 1/n)^k) of them on average, in the weights'
 * precision, and gets them back in 16 bits; each way takes half an all-reduce's start and the rank's bytes over the bus, (n - 1)/n of which leave it
 * (ai-dynamo/aiconfigurator@095f58a51, operators/communication: all-to-all is half an all-reduce). */
static double all_to_all_s(const struct fold *f, double m)
{
    const struct nf_allreduce *r = &f->cal->allreduce[nf__llm_ranks_log2(f->ranks) - 1];
    double n = f->ranks, k = f->arch->experts_per_token;
    double copies = n * (1 - pow(1 - 1 / n, k));
    double bytes = m / n * copies * f->arch->hidden * (n - 1) / n *
                   (nf_precision_bytes(f->arch->weights) + 2);
    return 2 * r->t0_s + bytes / r->bus_bandwidth;
}

/* Between the ranks of a stage, two all-reduces a layer; with whole experts on the ranks, one, whose halves go around two all-to-alls. Between
 * stages, the hidden state and the residual of each rank's share go to the next device: 10 us and the bytes over its link (the same source). */
static void fold_exchanges(struct fold *f, unsigned stages)
{
    const struct nf_llm_arch *a = f->arch;
    double layers = a->layers;
    double routed = f->expert_parallel && a->experts > 0 ? layers - a->dense_layers : 0;
    double link = f->device->nvlink_bandwidth > 0 ? f->device->nvlink_bandwidth
                                                  : f->device->pcie_bandwidth;
    for (int i = 1; i < NF_ROWS_POINTS; i++) {
        double bytes = 2.0 * rows_at(i) * a->hidden;
        if (f->ranks > 1) {
            const struct nf_allreduce *r =
                &f->cal->allreduce[nf__llm_ranks_log2(f->ranks) - 1];
            double one = nf_allreduce_s(r, f->ranks, bytes);
            mark_range(&f->out->products, i, one, r->shortest_s, r->longest_s);
            f->out->products.s[i] += (layers * ALLREDUCES - routed) * one;
        }
        if (f->ranks > 1 && routed > 0) {
            f->out->products.s[i] += routed * all_to_all_s(f, rows_at(i));
        }
        if (stages > 1) {
            f->out->products.s[i] += (stages - 1) * (10e-6 + 2 * bytes / f->ranks / link);
        }
    }
}

void nf__llm_fold(struct nf_llm_cost *cost, const struct nf_llm_arch *arch,
                  const struct nf_host *host, const struct nf_llm_engine *engine)
{
    unsigned stages = nf_llm_stages(engine);
    unsigned ranks = host->ranks / stages;
    struct fold f = {.arch = arch,
                     .device = host->device,
                     .cal = host->calibration,
                     .ranks = ranks,
                     .heads = (double)arch->heads / ranks,
                     .kv_heads = ceil((double)arch->kv_heads / ranks),
                     .expert_parallel = engine->expert_parallel && ranks > 1,
                     .out = cost};
    cost->products.high = cost->head.high = UINT32_MAX;
    cost->has_range = states_range(host->calibration);
    fold_gemms(&f);
    fold_attention(&f);
    fold_elementwise(&f);
    fold_exchanges(&f, stages);
}
