/*
 * llm_blocks.h - the blocks of one engine's key-value cache: counted, or, with prefix caching, each with its contents' name.
 *
 * What:   a block in use has one or more users. One without users is free, and keeps its name until it is taken for something else: a
 *         prompt that starts like an earlier one finds the blocks of that start by name, free or not, and shares them.
 * Source: vLLM V1, vllm/v1/core/block_pool.py (Apache-2.0): one queue of free blocks, taken at its head, given back at its tail.
 * Cost:   30 ns a block with prefix caching, nothing without; 32 bytes a block, allocated once.
 * Owner:  the caller's struct; fini frees the arrays.
 * Units:  blocks. Block 0 is never used, as in vLLM.
 * Errors: none; taking from an empty pool is our bug.
 *
 * Invariants:
 *   1. free_count is the length of the free queue, which holds exactly the blocks without users.
 *   2. A named block is in the chain of its name's bucket, free or not; several may bear one name.
 */
#ifndef NF_MODEL_LLM_BLOCKS_H
#define NF_MODEL_LLM_BLOCKS_H

#include <stdbool.h>
#include <stdint.h>

struct nf_llm_block {
    uint64_t name;       /* of the tokens up to its end; 0: none */
    uint32_t prev, next; /* free queue; block 0 is its head and tail */
    uint32_t chain;      /* next of its bucket; 0: last */
    uint32_t users;
};

struct nf_llm_blocks {
    struct nf_llm_block *block; /* NULL: only counted */
    uint32_t *bucket;
    uint32_t count, bucket_mask, free_count;
};

/* `count` blocks, one of which is never used. Requires count > 1. */
void nf_llm_blocks_init(struct nf_llm_blocks *b, uint32_t count, bool is_named);
void nf_llm_blocks_fini(struct nf_llm_blocks *b);

/* With names: the longest unused free block, nameless, with one user. */
uint32_t nf_llm_blocks_take(struct nf_llm_blocks *b);
/* A block that bears `name`; 0: none does. */
uint32_t nf_llm_blocks_find(const struct nf_llm_blocks *b, uint64_t name);
/* One more user of a block that was found. */
void nf_llm_blocks_share(struct nf_llm_blocks *b, uint32_t id);
/* One user less; without users it goes to the free queue's tail. */
void nf_llm_blocks_give(struct nf_llm_blocks *b, uint32_t id);
/* Its contents are known from now on. Requires a nameless block in use, and name > 0. */
void nf_llm_blocks_name(struct nf_llm_blocks *b, uint32_t id, uint64_t name);

#endif
