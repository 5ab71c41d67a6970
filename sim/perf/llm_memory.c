#include <math.h>

#include "base/status.h"
#include "perf/llm.h"

struct nf_llm_engine nf_llm_engine_defaults(void)
{
    return (struct nf_llm_engine){.max_sequences = 256,
                                  .max_batched_tokens = 8192,
                                  .block_tokens = 16,
                                  .kv_memory = 0.9,
                                  .kv_blocks = 0,
                                  .step_overhead_s = 0.3e-3,
                                  .sequence_overhead_s = 20e-6,
                                  .request_overhead_s = 10e-3};
}

static double kv_heads_per_rank(const struct nf_llm_arch *a, unsigned ranks)
{
    return ceil((double)a->kv_heads / ranks);
}

/* Attention weights of one layer on all `ranks`: KV heads that do not divide are kept twice, what compresses is kept by everyone. */
static double attention_parameters(const struct nf_llm_arch *a, unsigned ranks)
{
    double hidden = a->hidden, dim = a->head_dim, heads = a->heads;
    if (a->kv_rank == 0) {
        double kv_heads = kv_heads_per_rank(a, ranks) * ranks;
        return hidden * (heads + 2 * kv_heads) * dim + heads * dim * hidden;
    }
    double compress = hidden * ((double)a->q_rank + a->kv_rank + a->rope_dim);
    double from = a->q_rank > 0 ? a->q_rank : hidden;
    return ranks * compress + from * heads * (dim + a->rope_dim) +
           a->kv_rank * heads * (dim + a->value_dim) + heads * a->value_dim * hidden;
}

/* Of all feed-forward parts. */
static double mlp_parameters(const struct nf_llm_arch *a)
{
    double hidden = a->hidden, mlp = 3 * hidden * a->ffn;
    if (a->experts == 0) {
        return a->layers * mlp;
    }
    double routed = (double)a->layers - a->dense_layers;
    return routed * (a->experts * (mlp + hidden) + a->shared_experts * mlp) +
           a->dense_layers * 3 * hidden * a->dense_ffn; /* + hidden: the router */
}

/* Of the embedding, and as much again of the head. */
static double embedding_bytes(const struct nf_llm_arch *a)
{
    return a->vocab * (double)a->hidden * nf_precision_bytes(NF_BF16);
}

double nf_llm_weight_bytes(const struct nf_llm_arch *a)
{
    return (a->layers * attention_parameters(a, 1) + mlp_parameters(a)) *
               nf_precision_bytes(a->weights) +
           2 * embedding_bytes(a);
}

/* Values of one token in one layer's cache, on one of `ranks`. */
static double kv_width(const struct nf_llm_arch *a, unsigned ranks)
{
    return a->kv_rank > 0 ? (double)a->kv_rank + a->rope_dim
                          : 2.0 * kv_heads_per_rank(a, ranks) * a->head_dim;
}

double nf_llm_token_bytes(const struct nf_llm_arch *a)
{
    return a->layers * kv_width(a, 1) * nf_precision_bytes(a->kv);
}

/* Layers are dealt out evenly; a stage at an end has one more than its share where they do not divide, and the embedding or the head. Layers
 * count alike: few dense ones among many with experts are smaller. */
struct nf_llm_memory nf_llm_memory(const struct nf_llm_arch *a,
                                   const struct nf_device *device, unsigned ranks,
                                   const struct nf_llm_engine *engine)
{
    unsigned stages = nf_llm_stages(engine), n = ranks / stages;
    NF_ASSERT(n >= 1 && n * stages == ranks && engine->block_tokens >= 1);
    NF_ASSERT(engine->kv_memory > 0 && engine->kv_memory <= 1);
    double share = ceil((double)a->layers / stages) / a->layers;
    struct nf_llm_memory m = {0};
    m.weight_bytes = ((a->layers * attention_parameters(a, n) + mlp_parameters(a)) *
                          share * nf_precision_bytes(a->weights) +
                      (stages > 1 ? 1 : 2) * embedding_bytes(a)) /
                     n;
    m.budget_bytes =
        engine->kv_memory * device->memory_bytes - device->memory_reserve_bytes;
    m.kv_bytes_per_token = a->layers * share * kv_width(a, n) * nf_precision_bytes(a->kv);
    double block = m.kv_bytes_per_token * engine->block_tokens;
    double left = m.budget_bytes - m.weight_bytes;
    m.kv_blocks = left >= block ? (uint64_t)(left / block) : 0;
    return m;
}

unsigned nf_llm_ranks_needed(const struct nf_llm_arch *arch,
                             const struct nf_device *device,
                             const struct nf_llm_engine *engine)
{
    unsigned stages = nf_llm_stages(engine);
    for (unsigned n = 1; n <= 1U << NF_RANKS_MAX_LOG2; n *= 2) {
        if (arch->heads % n == 0 &&
            nf_llm_memory(arch, device, n * stages, engine).kv_blocks > 0) {
            return n * stages;
        }
    }
    return 0;
}
