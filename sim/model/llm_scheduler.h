/*
 * llm_scheduler.h - which sequences of a language model engine get how many tokens in its next iteration, in the order of vLLM V1.
 *
 * What:   running sequences first, in order of admission: the tokens they lack, within the token budget. When the blocks of the KV cache
 *         run out, the last one (by priority: the least important, then the youngest) is preempted: its blocks are freed, and it is
 *         computed again later. Then waiting ones are admitted, unless an iteration preempted, each when its whole text fits. With prefix
 *         caching, the blocks at its start that are still in the cache are shared instead of computed.
 * Why:    this is the scheduler as it is written down and tested elsewhere; no time, no requests. llm_engine.c drives it; llm.c is the
 *         same rules for plain engines at a cost that does not grow with the number of sequences, and a test holds both together.
 * Source: vLLM V1, vllm/v1/core/sched/scheduler.py and kv_cache_manager.py (Apache-2.0); vectors in conformance/vllm_scheduler.tsv.
 * Cost:   about 10 ns a running sequence; 30 ns a block with prefix caching. Allocates only when a table grows.
 * Owner:  the caller's struct; fini frees its tables. The texts' names (nf_llm_text) belong to the caller.
 * Units:  tokens, blocks.
 * Errors: none; a text longer than the whole cache is our bug.
 *
 * States: waiting -> running -> (preempted:) waiting ... -> removed. Invariants:
 *   1. A running sequence of which c tokens are computed or under way holds ceil(c / block_tokens) blocks or more.
 *   2. `computed` counts what plans have asked for, so several plans may be under way: a sequence that lacks nothing is passed over.
 *   3. Waiting sequences are a heap by (priority, order). Among equals a preempted one comes first, for it came before those that wait.
 *   4. An output that belongs to a sequence preempted or removed since its plan is void: `epoch` tells.
 */
#ifndef NF_MODEL_LLM_SCHEDULER_H
#define NF_MODEL_LLM_SCHEDULER_H

#include <stdbool.h>
#include <stdint.h>

#include "model/llm_blocks.h"

struct nf_llm_scheduler_spec {
    uint32_t max_sequences, max_tokens; /* running at once; of one iteration */
    uint32_t block_tokens, blocks;      /* one block is never used */
    bool by_priority; /* lower numbers first; else first come first served */
    bool no_chunks;   /* a prompt is computed in one piece */
    /* most tokens of one sequence in one iteration; 0: no such limit */
    uint32_t long_prefill;
    bool has_prefix_cache;
};

/* A text that comes in. names[i] stands for its tokens up to (i + 1) name_tokens, and for the whole prompt in the last one. */
struct nf_llm_text {
    uint32_t id; /* the caller's */
    uint32_t prompt, generated;
    int32_t priority;
    uint64_t order;        /* of arrival */
    const uint64_t *names; /* NULL: like no other text */
    uint32_t name_count, name_tokens;
};

enum nf_llm_sequence_state { NF_LLM_NONE, NF_LLM_WAITING, NF_LLM_RUNNING };

struct nf_llm_sequence {
    struct nf_llm_text text;
    uint8_t state;
    bool is_decoding; /* has put out a token since it was last admitted */
    uint32_t epoch;
    uint32_t tokens; /* prompt and output so far */
    uint32_t drafts; /* guessed tokens that the next iteration checks */
    uint32_t computed;
    uint64_t own_name;
    uint32_t run_prev, run_next; /* running, in order of admission; free list */
    uint32_t heap_at;
    uint32_t block_count, named_count;
    uint32_t *blocks, block_cap; /* with prefix caching */
};

/* One sequence's share of an iteration. */
struct nf_llm_share {
    uint32_t sequence, epoch;
    uint32_t tokens, context; /* context: computed before */
    uint32_t drafts;          /* of the tokens */
    bool is_decode;           /* else a piece of a prompt */
    bool is_sampled;          /* it reaches the end of the text */
};

struct nf_llm_plan {
    struct nf_llm_share *shares;
    uint32_t count, cap, tokens, admitted;
    uint32_t *preempted; /* ids */
    uint32_t preempted_count, preempted_cap;
};

struct nf_llm_scheduler {
    struct nf_llm_scheduler_spec spec;
    struct nf_llm_blocks blocks;
    struct nf_llm_sequence *sequences;
    uint32_t cap, free_sequence;
    uint32_t run_head, run_tail, run_count;
    uint32_t *heap;
    uint32_t waiting, heap_cap;
    uint64_t added;
    uint64_t asked_tokens, hit_tokens; /* of texts at their admission */
};

void nf_llm_scheduler_init(struct nf_llm_scheduler *s,
                           const struct nf_llm_scheduler_spec *spec);
void nf_llm_scheduler_fini(struct nf_llm_scheduler *s);

/* A text joins those that wait; returns its handle, valid until it is removed. Requires that it fits the cache when alone. */
uint32_t nf_llm_scheduler_add(struct nf_llm_scheduler *s, const struct nf_llm_text *text);

/* Plans one iteration into `plan` (its former contents are gone). Empty when nothing can run. */
void nf_llm_scheduler_plan(struct nf_llm_scheduler *s, struct nf_llm_plan *plan);

/* The iteration of `share` is over, and `sampled` new tokens are its result (0: a piece of a prompt; more than one: accepted drafts);
 * `drafts` are guessed for the next one. False, and nothing changes, when the share is void. */
bool nf_llm_scheduler_output(struct nf_llm_scheduler *s, const struct nf_llm_share *share,
                             uint32_t sampled, uint32_t drafts);
bool nf_llm_scheduler_is_void(const struct nf_llm_scheduler *s,
                              const struct nf_llm_share *share);

/* Finished or given up, waiting or running. */
void nf_llm_scheduler_remove(struct nf_llm_scheduler *s, uint32_t sequence);

void nf_llm_plan_fini(struct nf_llm_plan *plan);

#endif
