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

/* Weights of one layer, with `kv_heads` KV heads. */
static double layer_parameters(const struct nf_llm_arch *a, double kv_heads)
{
    double hidden = a->hidden, dim = a->head_dim, ffn = a->ffn;
    double attention = hidden * (a->heads + 2 * kv_heads) * dim + a->heads * dim * hidden;
    double mlp = 3 * hidden * ffn;
    return attention +
           (a->experts > 0 ? a->experts * (mlp + hidden) : mlp); /* hidden: the router */
}

static double embedding_bytes(const struct nf_llm_arch *a)
{
    return 2.0 * a->vocab * (double)a->hidden * nf_precision_bytes(NF_BF16);
}

double nf_llm_weight_bytes(const struct nf_llm_arch *a)
{
    return a->layers * layer_parameters(a, a->kv_heads) * nf_precision_bytes(a->weights) +
           embedding_bytes(a);
}

struct nf_llm_memory nf_llm_memory(const struct nf_llm_arch *a,
                                   const struct nf_device *device, unsigned ranks,
                                   const struct nf_llm_engine *engine)
{
    NF_ASSERT(ranks >= 1 && engine->block_tokens >= 1);
    NF_ASSERT(engine->kv_memory > 0 && engine->kv_memory <= 1);
    double kv_heads = kv_heads_per_rank(a, ranks);
    struct nf_llm_memory m = {0};
    m.weight_bytes = (a->layers * layer_parameters(a, kv_heads * ranks) *
                          nf_precision_bytes(a->weights) +
                      embedding_bytes(a)) /
                     ranks;
    m.budget_bytes =
        engine->kv_memory * device->memory_bytes - device->memory_reserve_bytes;
    m.kv_bytes_per_token =
        2.0 * a->layers * kv_heads * a->head_dim * nf_precision_bytes(a->kv);
    double block = m.kv_bytes_per_token * engine->block_tokens;
    double left = m.budget_bytes - m.weight_bytes;
    m.kv_blocks = left >= block ? (uint64_t)(left / block) : 0;
    return m;
}

unsigned nf_llm_ranks_needed(const struct nf_llm_arch *arch,
                             const struct nf_device *device,
                             const struct nf_llm_engine *engine)
{
    for (unsigned n = 1; n <= 1U << NF_RANKS_MAX_LOG2; n *= 2) {
        if (arch->heads % n == 0 &&
            nf_llm_memory(arch, device, n, engine).kv_blocks > 0) {
            return n;
        }
    }
    return 0;
}
