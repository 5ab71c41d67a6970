#include "perf/llm.h"

#include <stdio.h>

#include "base/status.h"
#include "perf/llm_part.h"

int nf__llm_ranks_log2(unsigned ranks)
{
    int k = 0;
    while ((1U << k) < ranks) {
        k++;
    }
    return k;
}

/* Weight-only INT4 is computed in 16 bits; FP16 and BF16 share a curve where one of them is missing. */
enum nf_precision nf__llm_compute_precision(const struct nf_device *device,
                                            enum nf_precision weights)
{
    if (weights == NF_INT4 || weights == NF_BF16 || weights == NF_FP16) {
        return nf_device_half(device);
    }
    return weights;
}

const struct nf_curve *nf__llm_gemm_curve(const struct nf_calibration *cal,
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

static bool check_layout(const struct nf_llm_arch *a, const struct nf_host *host,
                         const struct nf_llm_engine *e, char *why, size_t cap)
{
    unsigned stages = nf_llm_stages(e), devices = host->ranks;
    const struct nf_device *d = host->device;
    if (devices % stages != 0 || stages > a->layers) {
        snprintf(why, cap,
                 "%u devices and %u layers of %s do not make %u pipeline stages", devices,
                 a->layers, a->name, stages);
        return false;
    }
    if (e->expert_parallel && a->experts == 0) {
        snprintf(why, cap, "%s has no experts to deal out to devices", a->name);
        return false;
    }
    if (e->expert_parallel && a->experts % (devices / stages) != 0) {
        snprintf(why, cap, "%u experts of %s do not divide by %u devices", a->experts,
                 a->name, devices / stages);
        return false;
    }
    if (stages > 1 && !(d->nvlink_bandwidth > 0) && !(d->pcie_bandwidth > 0)) {
        snprintf(why, cap, "nobody knows a link between devices %s for pipeline stages",
                 d->name);
        return false;
    }
    if (stages > 1 && e->draft_tokens > 0) {
        snprintf(why, cap, "speculation over pipeline stages is not modelled");
        return false;
    }
    return check_shape(a, devices / stages, why, cap);
}

static bool check_profile(const struct nf_llm_arch *a, const struct nf_host *host,
                          unsigned ranks, char *why, size_t cap)
{
    const struct nf_device *d = host->device;
    const struct nf_calibration *cal = host->calibration;
    if (!cal) {
        snprintf(why, cap,
                 "%s has no calibration profile, and %s can only be timed with one",
                 d->name, a->name);
        return false;
    }
    enum nf_precision p = nf__llm_compute_precision(d, a->weights);
    if (!(d->peak[p] > 0)) {
        snprintf(why, cap, "%s computes in %s, which %s has no units for", a->name,
                 nf_precision_name(p), d->name);
        return false;
    }
    if (!nf__llm_gemm_curve(cal, p) || !nf__llm_gemm_curve(cal, nf_device_half(d))) {
        snprintf(why, cap, "profile %s has no %s matrix-product constants (needed by %s)",
                 cal->name,
                 nf_precision_name(nf__llm_gemm_curve(cal, p) ? nf_device_half(d) : p),
                 a->name);
        return false;
    }
    if (!(cal->prefill_attention.em > 0 && cal->prefill_attention.ec > 0) ||
        !(cal->decode_attention.em > 0) || !(cal->elementwise.em > 0)) {
        snprintf(why, cap, "profile %s has no attention or element-wise constants",
                 cal->name);
        return false;
    }
    if (ranks > 1 && !(cal->allreduce[nf__llm_ranks_log2(ranks) - 1].bus_bandwidth > 0)) {
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
    char advice[64];
    snprintf(advice, sizeof advice, "not even %u devices would do", 8 * nf_llm_stages(e));
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

bool nf_llm_prepare(struct nf_llm_cost *cost, const struct nf_llm_arch *arch,
                    const struct nf_host *host, const struct nf_llm_engine *engine,
                    char *why, size_t cap)
{
    unsigned ranks = host->ranks;
    NF_ASSERT(engine->max_sequences >= 1 && engine->max_batched_tokens >= 1);
    if (!check_layout(arch, host, engine, why, cap) ||
        !check_memory(arch, host, engine, why, cap) ||
        !check_profile(arch, host, ranks / nf_llm_stages(engine), why, cap)) {
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
                                 .stages = nf_llm_stages(engine),
                                 .draft_tokens = engine->draft_tokens,
                                 .draft_acceptance = engine->draft_acceptance,
                                 .draft_cost = engine->draft_cost,
                                 .step_overhead_s = engine->step_overhead_s,
                                 .sequence_overhead_s = engine->sequence_overhead_s,
                                 .async_scheduling = engine->async_scheduling,
                                 .request_overhead_s = engine->request_overhead_s};
    nf__llm_fold(cost, arch, host, engine);
    return true;
}
