/*
 * llm_replica.h - one LLM engine alone under a load: a world of one replica, without network or gateway of note.
 *
 * Owner:  rows live in the caller's arena, in order of completion.
 */
#ifndef NF_EXPERIMENT_LLM_REPLICA_H
#define NF_EXPERIMENT_LLM_REPLICA_H

#include "base/arena.h"
#include "model/outcome.h"
#include "model/spec.h"

struct nf_llm_load {
    const struct nf_llm_cost *cost;
    struct nf_arrival_spec arrivals;
    struct nf_dist input_tokens, output_tokens; /* unless the arrivals are a trace */
    uint64_t seed;
    size_t requests; /* room for so many rows */
};

struct nf_llm_served {
    struct nf_row *rows;
    size_t count;    /* completed */
    uint64_t failed; /* longer than the whole KV cache */
    uint64_t preemptions, iterations;
    double seconds; /* until the last answer */
};

void nf_llm_replica_run(const struct nf_llm_load *load, struct nf_arena *arena,
                        struct nf_llm_served *out);

#endif
