#include "model/llm_blocks.h"

#include "base/arena.h"
#include "base/status.h"

void nf_llm_blocks_init(struct nf_llm_blocks *b, uint32_t count, bool is_named)
{
    NF_ASSERT(count > 1);
    *b = (struct nf_llm_blocks){.count = count, .free_count = count - 1};
    if (!is_named) {
        return;
    }
    uint32_t buckets = 16;
    while (buckets < count && buckets < UINT32_C(1) << 31) {
        buckets *= 2;
    }
    b->bucket_mask = buckets - 1;
    b->bucket = nf_mem_resize(NULL, buckets, sizeof(*b->bucket));
    b->block = nf_mem_resize(NULL, count, sizeof(*b->block));
    for (uint32_t i = 0; i < buckets; i++) {
        b->bucket[i] = 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        b->block[i] = (struct nf_llm_block){.prev = i > 0 ? i - 1 : count - 1,
                                            .next = i + 1 < count ? i + 1 : 0};
    }
}

void nf_llm_blocks_fini(struct nf_llm_blocks *b)
{
    nf_mem_free(b->block);
    nf_mem_free(b->bucket);
    *b = (struct nf_llm_blocks){0};
}

static void unlink_free(struct nf_llm_blocks *b, uint32_t id)
{
    const struct nf_llm_block *x = &b->block[id];
    b->block[x->prev].next = x->next;
    b->block[x->next].prev = x->prev;
    b->free_count--;
}

/* Names are mixed well (base/hash.h): their low bits do as an index. */
static uint32_t *bucket_of(const struct nf_llm_blocks *b, uint64_t name)
{
    return &b->bucket[(uint32_t)name & b->bucket_mask];
}

static void forget_name(struct nf_llm_blocks *b, uint32_t id)
{
    uint32_t *link = bucket_of(b, b->block[id].name);
    while (*link != id) {
        NF_ASSERT(*link != 0);
        link = &b->block[*link].chain;
    }
    *link = b->block[id].chain;
    b->block[id].chain = 0;
    b->block[id].name = 0;
}

uint32_t nf_llm_blocks_take(struct nf_llm_blocks *b)
{
    NF_ASSERT(b->free_count > 0);
    uint32_t id = b->block[0].next;
    unlink_free(b, id);
    if (b->block[id].name != 0) {
        forget_name(b, id);
    }
    b->block[id].users = 1;
    return id;
}

uint32_t nf_llm_blocks_find(const struct nf_llm_blocks *b, uint64_t name)
{
    uint32_t id = *bucket_of(b, name);
    while (id != 0 && b->block[id].name != name) {
        id = b->block[id].chain;
    }
    return id;
}

void nf_llm_blocks_share(struct nf_llm_blocks *b, uint32_t id)
{
    if (b->block[id].users++ == 0) {
        unlink_free(b, id);
    }
}

void nf_llm_blocks_give(struct nf_llm_blocks *b, uint32_t id)
{
    struct nf_llm_block *x = &b->block[id];
    NF_ASSERT(x->users > 0);
    if (--x->users == 0) {
        x->prev = b->block[0].prev;
        x->next = 0;
        b->block[x->prev].next = id;
        b->block[0].prev = id;
        b->free_count++;
    }
}

void nf_llm_blocks_name(struct nf_llm_blocks *b, uint32_t id, uint64_t name)
{
    struct nf_llm_block *x = &b->block[id];
    NF_ASSERT(x->users > 0 && x->name == 0 && name != 0);
    uint32_t *bucket = bucket_of(b, name);
    x->name = name;
    x->chain = *bucket;
    *bucket = id;
}
