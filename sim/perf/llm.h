/*
 * llm.h - what one iteration of a continuously batching LLM engine takes on one tensor-parallel replica.
 *
 * What:   nf_llm_prepare folds architecture, device, calibration and engine settings into struct nf_llm_cost once;
 *         nf_llm_step_s prices a batch.
 * Source: equations of the reference "inference models" section 6b.
 * Cost:   under 100 ns a step (bench/README.md).
 * Units:  seconds, bytes, tokens.
 */
#ifndef NF_PERF_LLM_H
#define NF_PERF_LLM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "perf/calibration.h"

struct nf_llm_arch {
    const char *name;
    double parameters; /* total, all experts */
    unsigned layers, hidden, heads, kv_heads, head_dim, ffn, vocab;
    unsigned experts, experts_per_token; /* 0, 0: dense */
    enum nf_precision weights;           /* of the layers; embedding and head stay BF16 */
    enum nf_precision kv;                /* KV cache: NF_BF16 or NF_FP8 */
};

struct nf_llm_engine {
    unsigned max_sequences;      /* running at once */
    unsigned max_batched_tokens; /* a step */
    unsigned block_tokens;       /* KV block, 16 */
    double kv_memory;            /* fraction of device memory that weights and KV may use together */
    uint64_t kv_blocks;          /* 0: computed from memory */
    double step_overhead_s;      /* s0: host, per step */
    double sequence_overhead_s;  /* s1: host, per sampled sequence */
    double request_overhead_s;   /* req0: front end, once a request, before its first token */
};

/* One iteration's work. Chunks of a step: c_i tokens after ctx_i already computed. */
struct nf_llm_batch {
    uint32_t prefill_tokens;  /* P = sum c_i */
    uint32_t decode_sequences; /* N_d */
    uint32_t sampled;          /* N_s: sequences that get a token from this step */
    uint64_t prefill_context;  /* K = sum ctx_i */
    double prefill_pairs;      /* A = sum c_i (ctx_i + c_i/2) */
    uint64_t decode_context;   /* S = sum of the decoding sequences' lengths */
};

struct nf_llm_term {
    double t0_s, per_token_compute_s, bytes_fixed_s, bytes_per_token_s, p;
};

enum { NF_LLM_GEMMS = 5 }; /* qkv, output, up+gate, down, head */

struct nf_llm_cost {
    struct nf_llm_term gemm[NF_LLM_GEMMS]; /* per layer, except the head */
    double layers;
    double detail[24]; /* folded attention, element-wise and all-reduce constants; see llm.c */
    double weight_bytes;       /* of the whole model, all ranks: what start-up loads */
    double kv_bytes_per_token; /* per rank */
    uint64_t kv_blocks;        /* per replica (every rank holds its share of each block) */
    unsigned block_tokens, max_sequences, max_batched_tokens, ranks;
    double step_overhead_s, sequence_overhead_s, request_overhead_s;
};

/* Defaults of vLLM V1 servers: 256 sequences, 8192 tokens, blocks of 16, 90 %, overheads as the reference recommends. */
struct nf_llm_engine nf_llm_engine_defaults(void);

/* False when it cannot be: weights do not fit `ranks` devices, heads do not divide, precision not in the profile, no all-reduce
 * constants for that many ranks. `why` (cap bytes) then says what was needed and what was there, with numbers. */
bool nf_llm_prepare(struct nf_llm_cost *cost, const struct nf_llm_arch *arch,
                    const struct nf_device *device, const struct nf_calibration *calibration,
                    unsigned ranks, const struct nf_llm_engine *engine, char *why, size_t cap);

/* Seconds of one iteration. Requires prefill_tokens + decode_sequences > 0. */
double nf_llm_step_s(const struct nf_llm_cost *cost, const struct nf_llm_batch *batch);

/* Bytes of the weights of one model, all ranks together. */
double nf_llm_weight_bytes(const struct nf_llm_arch *arch);

#endif
