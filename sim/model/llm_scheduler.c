#include "model/llm_scheduler.h"

#include "base/arena.h"
#include "base/hash.h"
#include "base/status.h"

#define NONE UINT32_MAX

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

void nf_llm_scheduler_init(struct nf_llm_scheduler *s,
                           const struct nf_llm_scheduler_spec *spec)
{
    NF_ASSERT(spec->max_sequences > 0 && spec->max_tokens > 0 && spec->block_tokens > 0);
    *s = (struct nf_llm_scheduler){
        .spec = *spec, .free_sequence = NONE, .run_head = NONE, .run_tail = NONE};
    nf_llm_blocks_init(&s->blocks, spec->blocks, spec->has_prefix_cache);
}

void nf_llm_scheduler_fini(struct nf_llm_scheduler *s)
{
    for (uint32_t i = 0; i < s->cap; i++) {
        nf_mem_free(s->sequences[i].blocks);
    }
    nf_mem_free(s->sequences);
    nf_mem_free(s->heap);
    nf_llm_blocks_fini(&s->blocks);
}

void nf_llm_plan_fini(struct nf_llm_plan *plan)
{
    nf_mem_free(plan->shares);
    nf_mem_free(plan->preempted);
    *plan = (struct nf_llm_plan){0};
}

/* ---- those that wait: a binary heap ---- */

static bool comes_before(const struct nf_llm_sequence *a, const struct nf_llm_sequence *b)
{
    return a->text.priority < b->text.priority ||
           (a->text.priority == b->text.priority && a->text.order < b->text.order);
}

static void heap_put(struct nf_llm_scheduler *s, uint32_t at, uint32_t ix)
{
    s->heap[at] = ix;
    s->sequences[ix].heap_at = at;
}

/* Moves sequence ix from place `at` towards the root, then towards the leaves, until the order holds. */
static void heap_settle(struct nf_llm_scheduler *s, uint32_t at, uint32_t ix)
{
    const struct nf_llm_sequence *x = &s->sequences[ix];
    while (at > 0 && comes_before(x, &s->sequences[s->heap[(at - 1) / 2]])) {
        heap_put(s, at, s->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= s->waiting) {
            break;
        }
        if (child + 1 < s->waiting && comes_before(&s->sequences[s->heap[child + 1]],
                                                   &s->sequences[s->heap[child]])) {
            child++;
        }
        if (!comes_before(&s->sequences[s->heap[child]], x)) {
            break;
        }
        heap_put(s, at, s->heap[child]);
        at = child;
    }
    heap_put(s, at, ix);
}

static void wait_in_heap(struct nf_llm_scheduler *s, uint32_t ix)
{
    if (s->waiting == s->heap_cap) {
        s->heap_cap = s->heap_cap ? 2 * s->heap_cap : 64;
        s->heap = nf_mem_resize(s->heap, s->heap_cap, sizeof(*s->heap));
    }
    s->sequences[ix].state = NF_LLM_WAITING;
    s->waiting++;
    heap_settle(s, s->waiting - 1, ix);
}

static void leave_heap(struct nf_llm_scheduler *s, uint32_t ix)
{
    uint32_t at = s->sequences[ix].heap_at;
    uint32_t last = s->heap[--s->waiting];
    if (last != ix) {
        heap_settle(s, at, last);
    }
}

/* ---- blocks of a sequence ---- */

static uint32_t blocks_for(const struct nf_llm_scheduler *s, uint32_t tokens)
{
    return (uint32_t)(((uint64_t)tokens + s->spec.block_tokens - 1) /
                      s->spec.block_tokens);
}

/* The name of a sequence's i-th block, whose last token is (i + 1) block_tokens: of the text's names, the first that covers it. What a
 * sequence puts out is like nothing else. */
static uint64_t name_of_block(const struct nf_llm_scheduler *s,
                              const struct nf_llm_sequence *q, uint32_t i)
{
    uint64_t end = (uint64_t)(i + 1) * s->spec.block_tokens;
    uint64_t name = 0;
    if (q->text.names != NULL && end <= q->text.prompt) {
        uint64_t which = (end - 1) / q->text.name_tokens;
        NF_ASSERT(which < q->text.name_count);
        name = nf_hash_mix(q->text.names[which], end);
    } else {
        name = nf_hash_mix(q->own_name, end);
    }
    return name != 0 ? name : 1;
}

static void append_block(struct nf_llm_sequence *q, uint32_t id)
{
    if (q->block_count == q->block_cap) {
        q->block_cap = q->block_cap ? 2 * q->block_cap : 32;
        q->blocks = nf_mem_resize(q->blocks, q->block_cap, sizeof(*q->blocks));
    }
    q->blocks[q->block_count++] = id;
}

static void grow_to(struct nf_llm_scheduler *s, struct nf_llm_sequence *q, uint32_t count)
{
    if (!s->spec.has_prefix_cache) {
        if (count > q->block_count) {
            s->blocks.free_count -= count - q->block_count;
            q->block_count = count;
        }
        return;
    }
    while (q->block_count < count) {
        append_block(q, nf_llm_blocks_take(&s->blocks));
    }
}

static bool can_grow_to(const struct nf_llm_scheduler *s, const struct nf_llm_sequence *q,
                        uint32_t count)
{
    return count <= q->block_count || count - q->block_count <= s->blocks.free_count;
}

/* Back to front, so that the end of a text is forgotten before its start. */
static void free_blocks(struct nf_llm_scheduler *s, struct nf_llm_sequence *q)
{
    if (s->spec.has_prefix_cache) {
        while (q->block_count > 0) {
            nf_llm_blocks_give(&s->blocks, q->blocks[--q->block_count]);
        }
    }
    s->blocks.free_count += q->block_count;
    q->block_count = 0;
    q->named_count = 0;
}

/* Blocks filled by tokens that are no guesses are what they are from now on. */
static void name_full_blocks(struct nf_llm_scheduler *s, struct nf_llm_sequence *q)
{
    uint32_t full = least(q->computed, q->tokens) / s->spec.block_tokens;
    while (q->named_count < full) {
        uint32_t i = q->named_count++;
        nf_llm_blocks_name(&s->blocks, q->blocks[i], name_of_block(s, q, i));
    }
}

/* ---- the running list ---- */

static void run_append(struct nf_llm_scheduler *s, uint32_t ix)
{
    struct nf_llm_sequence *q = &s->sequences[ix];
    q->state = NF_LLM_RUNNING;
    q->run_prev = s->run_tail;
    q->run_next = NONE;
    *(s->run_tail == NONE ? &s->run_head : &s->sequences[s->run_tail].run_next) = ix;
    s->run_tail = ix;
    s->run_count++;
}

static void run_remove(struct nf_llm_scheduler *s, uint32_t ix)
{
    struct nf_llm_sequence *q = &s->sequences[ix];
    *(q->run_prev == NONE ? &s->run_head : &s->sequences[q->run_prev].run_next) =
        q->run_next;
    *(q->run_next == NONE ? &s->run_tail : &s->sequences[q->run_next].run_prev) =
        q->run_prev;
    s->run_count--;
}

/* ---- in and out ---- */

static void grow_sequences(struct nf_llm_scheduler *s)
{
    uint32_t cap = s->cap ? 2 * s->cap : 64;
    s->sequences = nf_mem_resize(s->sequences, cap, sizeof(*s->sequences));
    for (uint32_t i = cap; i-- > s->cap;) {
        s->sequences[i] = (struct nf_llm_sequence){.run_next = s->free_sequence};
        s->free_sequence = i;
    }
    s->cap = cap;
}

uint32_t nf_llm_scheduler_add(struct nf_llm_scheduler *s, const struct nf_llm_text *text)
{
    NF_ASSERT(text->prompt > 0);
    NF_ASSERT(blocks_for(s, text->prompt + text->generated) < s->spec.blocks);
    NF_ASSERT(!s->spec.no_chunks || text->prompt <= s->spec.max_tokens);
    if (s->free_sequence == NONE) {
        grow_sequences(s);
    }
    uint32_t ix = s->free_sequence;
    struct nf_llm_sequence *q = &s->sequences[ix];
    s->free_sequence = q->run_next;
    *q = (struct nf_llm_sequence){.text = *text,
                                  .epoch = q->epoch,
                                  .tokens = text->prompt + text->generated,
                                  .own_name = nf_hash_mix(0x6e66, ++s->added),
                                  .blocks = q->blocks,
                                  .block_cap = q->block_cap};
    if (!s->spec.by_priority) {
        q->text.priority = 0;
    }
    wait_in_heap(s, ix);
    return ix;
}

void nf_llm_scheduler_remove(struct nf_llm_scheduler *s, uint32_t ix)
{
    struct nf_llm_sequence *q = &s->sequences[ix];
    NF_ASSERT(q->state != NF_LLM_NONE);
    if (q->state == NF_LLM_WAITING) {
        leave_heap(s, ix);
    } else {
        run_remove(s, ix);
    }
    free_blocks(s, q);
    q->state = NF_LLM_NONE;
    q->epoch++;
    q->run_next = s->free_sequence;
    s->free_sequence = ix;
}

/* ---- planning ---- */

static void note_preempted(struct nf_llm_plan *p, uint32_t id)
{
    if (p->preempted_count == p->preempted_cap) {
        p->preempted_cap = p->preempted_cap ? 2 * p->preempted_cap : 8;
        p->preempted =
            nf_mem_resize(p->preempted, p->preempted_cap, sizeof(*p->preempted));
    }
    p->preempted[p->preempted_count++] = id;
}

static uint32_t choose_victim(const struct nf_llm_scheduler *s)
{
    uint32_t worst = s->run_tail;
    if (s->spec.by_priority) {
        for (uint32_t ix = s->run_head; ix != NONE; ix = s->sequences[ix].run_next) {
            if (comes_before(&s->sequences[worst], &s->sequences[ix])) {
                worst = ix;
            }
        }
    }
    return worst;
}

/* Returns who it was. Its share of this plan, if it had one, goes back to the budget. */
static uint32_t preempt(struct nf_llm_scheduler *s, struct nf_llm_plan *p)
{
    uint32_t ix = choose_victim(s);
    struct nf_llm_sequence *q = &s->sequences[ix];
    for (uint32_t i = 0; i < p->count; i++) {
        if (p->shares[i].sequence == ix) {
            p->tokens -= p->shares[i].tokens;
            p->count--;
            for (; i < p->count; i++) {
                p->shares[i] = p->shares[i + 1];
            }
        }
    }
    run_remove(s, ix);
    free_blocks(s, q);
    q->computed = 0;
    q->drafts = 0;
    q->is_decoding = false;
    q->epoch++;
    note_preempted(p, q->text.id);
    wait_in_heap(s, ix);
    return ix;
}

static void add_share(struct nf_llm_scheduler *s, struct nf_llm_plan *p, uint32_t ix,
                      uint32_t tokens)
{
    struct nf_llm_sequence *q = &s->sequences[ix];
    if (p->count == p->cap) {
        p->cap = p->cap ? 2 * p->cap : 64;
        p->shares = nf_mem_resize(p->shares, p->cap, sizeof(*p->shares));
    }
    uint32_t end = q->computed + tokens;
    p->shares[p->count++] =
        (struct nf_llm_share){.sequence = ix,
                              .epoch = q->epoch,
                              .tokens = tokens,
                              .context = q->computed,
                              .drafts = end > q->tokens ? end - q->tokens : 0,
                              .is_decode = q->is_decoding,
                              .is_sampled = end >= q->tokens};
    p->tokens += tokens;
}

static uint32_t lacking(const struct nf_llm_scheduler *s, const struct nf_llm_plan *p,
                        uint32_t tokens)
{
    if (s->spec.long_prefill > 0) {
        tokens = least(tokens, s->spec.long_prefill);
    }
    return least(tokens, s->spec.max_tokens - p->tokens);
}

static void plan_running(struct nf_llm_scheduler *s, struct nf_llm_plan *p)
{
    uint32_t next = NONE;
    for (uint32_t ix = s->run_head; ix != NONE && p->tokens < s->spec.max_tokens;
         ix = next) {
        struct nf_llm_sequence *q = &s->sequences[ix];
        uint32_t n = lacking(s, p, q->tokens + q->drafts - q->computed);
        next = q->run_next;
        if (n == 0) {
            continue; /* its last iteration is still under way */
        }
        uint32_t victim = NONE;
        while (victim != ix && !can_grow_to(s, q, blocks_for(s, q->computed + n))) {
            victim = preempt(s, p);
            next = q->run_next;
        }
        if (victim == ix) {
            return;
        }
        grow_to(s, q, blocks_for(s, q->computed + n));
        add_share(s, p, ix, n);
    }
}

/* The blocks at the start of a waiting text that are in the cache: how many, and how many of them are free. All but the last token may
 * be found; that one has to be computed for the next. */
static uint32_t count_hits(const struct nf_llm_scheduler *s,
                           const struct nf_llm_sequence *q, uint32_t *idle)
{
    uint32_t most = (q->tokens - 1) / s->spec.block_tokens, n = 0;
    for (; s->spec.has_prefix_cache && n < most; n++) {
        uint32_t id = nf_llm_blocks_find(&s->blocks, name_of_block(s, q, n));
        if (id == 0) {
            break;
        }
        *idle += s->blocks.block[id].users == 0;
    }
    return n;
}

static void take_hits(struct nf_llm_scheduler *s, struct nf_llm_sequence *q,
                      uint32_t hits)
{
    for (uint32_t i = 0; i < hits; i++) {
        uint32_t id = nf_llm_blocks_find(&s->blocks, name_of_block(s, q, i));
        nf_llm_blocks_share(&s->blocks, id);
        append_block(q, id);
    }
    q->named_count = hits;
    q->computed = hits * s->spec.block_tokens;
    s->asked_tokens += q->tokens;
    s->hit_tokens += q->computed;
}

/* The whole text must fit, though only its first piece gets its blocks now. */
static bool admit(struct nf_llm_scheduler *s, struct nf_llm_plan *p, uint32_t ix)
{
    struct nf_llm_sequence *q = &s->sequences[ix];
    uint32_t idle = 0;
    if (s->blocks.free_count == 0) {
        return false;
    }
    uint32_t hits = count_hits(s, q, &idle);
    uint32_t rest = q->tokens - hits * s->spec.block_tokens;
    uint32_t n = lacking(s, p, rest);
    if ((s->spec.no_chunks && n < rest) ||
        (uint64_t)blocks_for(s, q->tokens) - hits + idle > s->blocks.free_count) {
        return false;
    }
    leave_heap(s, ix);
    run_append(s, ix);
    take_hits(s, q, hits);
    grow_to(s, q, blocks_for(s, q->computed + n));
    add_share(s, p, ix, n);
    p->admitted++;
    return true;
}

void nf_llm_scheduler_plan(struct nf_llm_scheduler *s, struct nf_llm_plan *p)
{
    p->count = p->tokens = p->admitted = p->preempted_count = 0;
    plan_running(s, p);
    while (p->preempted_count == 0 && s->waiting > 0 && p->tokens < s->spec.max_tokens &&
           s->run_count < s->spec.max_sequences && admit(s, p, s->heap[0])) {
    }
    for (uint32_t i = 0; i < p->count; i++) {
        struct nf_llm_sequence *q = &s->sequences[p->shares[i].sequence];
        q->computed += p->shares[i].tokens;
        if (s->spec.has_prefix_cache) {
            name_full_blocks(s, q);
        }
    }
}

/* ---- what comes out ---- */

bool nf_llm_scheduler_is_void(const struct nf_llm_scheduler *s,
                              const struct nf_llm_share *share)
{
    return s->sequences[share->sequence].epoch != share->epoch;
}

bool nf_llm_scheduler_output(struct nf_llm_scheduler *s, const struct nf_llm_share *share,
                             uint32_t sampled, uint32_t drafts)
{
    if (nf_llm_scheduler_is_void(s, share)) {
        return false;
    }
    struct nf_llm_sequence *q = &s->sequences[share->sequence];
    NF_ASSERT(sampled == 0 || (share->is_sampled && sampled <= share->drafts + 1));
    if (sampled > 0) {
        q->computed -= share->drafts - (sampled - 1); /* wrong guesses */
        q->tokens += sampled;
        q->drafts = drafts;
        q->is_decoding = true;
    }
    return true;
}
