/*
 * llm.h - what one iteration of a continuously batching LLM engine takes on one
 * replica of one or more devices, and how much memory is left for its KV cache.
 *
 * What:   nf_llm_prepare folds architecture, device, calibration and engine settings into
 *         struct nf_llm_cost once; nf_llm_step_s prices a batch.
 * Source: equations and their origin in README.md beside this file.
 * Cost:   a step 5-30 ns (README.md has the table).
 * Owner:  struct nf_llm_cost is plain data (10 kB), free to copy; it keeps no pointers.
 * Units:  seconds, bytes, tokens.
 * Errors: a bool, and a sentence with numbers in the caller's buffer.
 */
#ifndef NF_PERF_LLM_H
#define NF_PERF_LLM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "perf/calibration.h"
#include "perf/pnorm.h"

struct nf_llm_arch {
    const char *name;
    double parameters; /* total, all experts */
    unsigned layers, hidden, heads, kv_heads, head_dim, ffn, vocab;
    unsigned experts, experts_per_token; /* 0, 0: dense; ffn is then that of one expert */
    unsigned shared_experts;             /* of the same ffn, for every token */
    unsigned dense_layers, dense_ffn; /* layers without experts, of a ffn of their own */
    /* Latent attention: keys and values of a token are one vector of kv_rank and a rotary key of rope_dim, whatever the number of heads, and
     * queries come out of a vector of q_rank (0: straight from the hidden state). Keys are head_dim + rope_dim wide, values value_dim. 0:
     * plain attention. */
    unsigned kv_rank, q_rank, rope_dim, value_dim;
    enum nf_precision weights; /* of the layers; embedding and head stay in 16 bits */
    /* queries and keys are normalised head by head: two more passes a layer */
    bool qk_norm;
    enum nf_precision kv; /* KV cache: NF_BF16 or NF_FP8 */
};

struct nf_llm_engine {
    unsigned max_sequences;      /* running at once */
    unsigned max_batched_tokens; /* a step */
    unsigned block_tokens;       /* KV block, 16 */
    double kv_memory; /* fraction of device memory that weights, buffers and KV may use */
    uint64_t kv_blocks;         /* 0: computed from memory */
    double step_overhead_s;     /* s0: host, per step */
    double sequence_overhead_s; /* s1: host, per sampled sequence */
    bool async_scheduling; /* s0 and s1 run beside the GPU: the longer of both counts */
    /* req0: front end, once a request, before its first token */
    double request_overhead_s;
    bool prefix_caching; /* blocks keep their contents until they are needed */
    bool by_priority;    /* lower numbers first; else first come first served */
    /* pipeline stages, of host.ranks/stages tensor-parallel ranks each; 0 and 1: one */
    unsigned stages;
    bool expert_parallel;    /* whole experts on the ranks of a stage instead of slices */
    unsigned draft_tokens;   /* speculation: guesses of an iteration; 0: none */
    double draft_acceptance; /* probability that a guess is right when those before are */
    double draft_cost;       /* time of one guess over that of a plain decode step */
};

/* One iteration's work. Chunks of a step: c_i tokens after ctx_i already computed. */
struct nf_llm_batch {
    uint32_t prefill_tokens;   /* P = sum c_i */
    uint32_t decode_sequences; /* N_d */
    uint32_t sampled;          /* N_s: sequences that get a token from this step */
    uint64_t prefill_context;  /* K = sum ctx_i */
    double prefill_pairs;      /* A = sum c_i (ctx_i + c_i/2) */
    uint32_t prefill_longest;  /* largest ctx_i + c_i */
    uint64_t decode_context;   /* S = sum of the decoding sequences' lengths */
    uint32_t draft_tokens; /* guessed tokens of the decoding sequences that it checks */
};

/* A time by a whole number of rows: exact up to 256 rows, then at every 16th up to 2048 and every 128th up to 16384, joined by
 * straight lines, the last of which goes on. */
enum {
    NF_ROWS_EACH = 256,
    NF_ROWS_16 = 2048,
    NF_ROWS_128 = 16384,
    NF_ROWS_POINTS = NF_ROWS_EACH + 1 + (NF_ROWS_16 - NF_ROWS_EACH) / 16 +
                     (NF_ROWS_128 - NF_ROWS_16) / 128
};
struct nf_llm_rows {
    double s[NF_ROWS_POINTS];
    uint32_t low, high; /* rows for which every operation is inside its valid range */
};

/* Times of all layers between which an attention is inside its valid range. */
struct nf_llm_span {
    double low_s, high_s;
};

/* All times are already multiplied by the number of layers and divided among the ranks. */
struct nf_llm_cost {
    struct nf_llm_rows products; /* products and all-reduces of the layers, by tokens */
    struct nf_llm_rows head;     /* by sampled sequences */
    double step_s;               /* per step: element-wise passes */
    double token_s;              /* per token: element-wise bytes */
    double prefill_t0_s, prefill_pair_s, prefill_token_s, prefill_context_s;
    double prefill_tile_s;     /* for each 128 tokens of the longest sequence */
    double prefill_slow_pairs; /* pairs beyond which work slows down ... */
    double prefill_slowdown;   /* ... with this exponent; 0: not */
    double decode_t0_s, decode_sequence_s, decode_context_s;
    double decode_doubling_s; /* for each doubling of the mean length beyond 256 */
    double mixed_factor;
    struct nf_pnorm prefill_norm, decode_norm;
    struct nf_llm_span prefill_span, decode_span;
    bool has_range; /* of any class: else nothing is ever outside */

    double weight_bytes;       /* of the whole model, all ranks: what start-up loads */
    double kv_bytes_per_token; /* per rank */
    uint64_t kv_blocks; /* per replica (every rank holds its share of each block) */
    unsigned block_tokens, max_sequences, max_batched_tokens, ranks;
    unsigned stages;       /* of the pipeline; 0 and 1: none */
    unsigned draft_tokens; /* speculation: guesses of one iteration; 0: none */
    double draft_acceptance, draft_cost;
    bool has_prefix_cache, by_priority, async_scheduling;
    double step_overhead_s, sequence_overhead_s, request_overhead_s;
};

/* Memory of one rank, of the fullest stage. */
struct nf_llm_memory {
    double weight_bytes; /* of this rank; KV heads that do not divide are kept twice */
    double budget_bytes; /* kv_memory * device memory - reserve: for weights and KV */
    double kv_bytes_per_token;
    uint64_t kv_blocks; /* 0: does not fit */
};

/* Defaults of vLLM V1 servers (256 sequences, 8192 tokens a step, blocks of 16, 90 %) and
 * the host overheads of README.md. */
struct nf_llm_engine nf_llm_engine_defaults(void);

/* False when it cannot be: weights do not fit the host's devices, heads do not divide, the
 * precision is not in the profile, no all-reduce constants for that many ranks. `why` (cap
 * bytes) then says what was needed and what was there, with numbers. Requires an engine
 * with 0 < kv_memory <= 1 and limits of at least 1. */
bool nf_llm_prepare(struct nf_llm_cost *cost, const struct nf_llm_arch *arch,
                    const struct nf_host *host, const struct nf_llm_engine *engine,
                    char *why, size_t cap);

/* Seconds of one iteration. Requires prefill_tokens + decode_sequences > 0. */
double nf_llm_step_s(const struct nf_llm_cost *cost, const struct nf_llm_batch *batch);

/* The same, and what of it lies outside the profile's valid range (enum nf_outside; a nanosecond more). */
double nf_llm_priced_s(const struct nf_llm_cost *cost, const struct nf_llm_batch *batch,
                       unsigned *outside);

/* The part of it that only the last pipeline stage has: the head. */
double nf_llm_head_s(const struct nf_llm_cost *cost, const struct nf_llm_batch *batch);

/* Bytes of the weights of one model, all ranks together, and of one token in the KV cache
 * of a single device. */
double nf_llm_weight_bytes(const struct nf_llm_arch *arch);
double nf_llm_token_bytes(const struct nf_llm_arch *arch);

static inline unsigned nf_llm_stages(const struct nf_llm_engine *engine)
{
    return engine->stages > 1 ? engine->stages : 1;
}

/* What one of `ranks` devices, of all stages together, holds and has left. */
struct nf_llm_memory nf_llm_memory(const struct nf_llm_arch *arch,
                                   const struct nf_device *device, unsigned ranks,
                                   const struct nf_llm_engine *engine);

/* The smallest number of devices (1, 2, 4, 8 in each of the engine's stages) that hold the
 * model and at least one KV block; 0 when eight a stage do not. */
unsigned nf_llm_ranks_needed(const struct nf_llm_arch *arch,
                             const struct nf_device *device,
                             const struct nf_llm_engine *engine);

#endif
