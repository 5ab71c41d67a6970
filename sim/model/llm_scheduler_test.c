/* The scheduler of language model engines: vLLM's own test cases, and what they leave out, worked out by hand. */
#include "model/llm_scheduler.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/conformance_test.h"

enum { CASES = 7, MOST = 32, CALLS = 8 };

/* ---- vectors ---- */

struct play {
    const char *id;
    struct nf_llm_scheduler s;
    const char *names[MOST];
    uint32_t handle[MOST], count;
    struct nf_llm_plan plans[CALLS];
    uint32_t calls;
};

static void read_case(struct play *p, const struct nf_vectors *v)
{
    memset(p, 0, sizeof *p);
    p->id = nf_vectors_text(v, "id");
    struct nf_llm_scheduler_spec spec = {
        .max_sequences = (uint32_t)nf_vectors_integer(v, "max_sequences"),
        .max_tokens = (uint32_t)nf_vectors_integer(v, "max_tokens"),
        .block_tokens = (uint32_t)nf_vectors_integer(v, "block_tokens"),
        .blocks = (uint32_t)nf_vectors_integer(v, "blocks"),
        .by_priority = nf_vectors_integer(v, "by_priority") != 0,
        .no_chunks = nf_vectors_integer(v, "chunks") == 0,
        .long_prefill = (uint32_t)nf_vectors_integer(v, "long_prefill")};
    nf_llm_scheduler_init(&p->s, &spec);
}

static void add(struct play *p, const struct nf_vectors *v)
{
    cr_assert(p->count < MOST);
    double arrival = nf_vectors_number(v, "arrival");
    p->names[p->count] = nf_vectors_text(v, "id");
    struct nf_llm_text text = {.id = p->count,
                               .prompt = (uint32_t)nf_vectors_integer(v, "prompt"),
                               .priority = (int32_t)nf_vectors_integer(v, "priority"),
                               .order = (uint64_t)(arrival * 1000) * MOST + p->count};
    p->handle[p->count++] = nf_llm_scheduler_add(&p->s, &text);
}

static uint32_t find(const struct play *p, const char *name, size_t length)
{
    for (uint32_t i = 0; i < p->count; i++) {
        if (strlen(p->names[i]) == length && strncmp(p->names[i], name, length) == 0) {
            return i;
        }
    }
    cr_assert(false, "%s: no sequence \"%.*s\"", p->id, (int)length, name);
    return 0;
}

/* "a,b" to their numbers; with `counts`, "a:10,b:3". */
static uint32_t read_list(const struct play *p, const char *text, uint32_t *ids,
                          uint32_t *counts)
{
    uint32_t n = 0;
    while (*text) {
        size_t length = strcspn(text, ":,");
        cr_assert(n < MOST);
        ids[n] = find(p, text, length);
        text += length;
        if (counts != NULL) {
            cr_assert(*text == ':');
            char *end = NULL;
            counts[n] = (uint32_t)strtoul(text + 1, &end, 10);
            text = end;
        }
        n++;
        text += *text == ',';
    }
    return n;
}

static uint32_t running(const struct nf_llm_scheduler *s, uint32_t *ids)
{
    uint32_t n = 0;
    for (uint32_t ix = s->run_head; ix != UINT32_MAX; ix = s->sequences[ix].run_next) {
        ids[n++] = s->sequences[ix].text.id;
    }
    return n;
}

static bool is_before(const struct nf_llm_sequence *a, const struct nf_llm_sequence *b)
{
    return a->text.priority < b->text.priority ||
           (a->text.priority == b->text.priority && a->text.order < b->text.order);
}

/* In the order in which they would be admitted. */
static uint32_t waiting(const struct nf_llm_scheduler *s, uint32_t *ids)
{
    uint32_t order[MOST];
    memcpy(order, s->heap, s->waiting * sizeof *order);
    for (uint32_t i = 0; i < s->waiting; i++) {
        for (uint32_t k = i + 1; k < s->waiting; k++) {
            if (is_before(&s->sequences[order[k]], &s->sequences[order[i]])) {
                uint32_t swap = order[i];
                order[i] = order[k];
                order[k] = swap;
            }
        }
        ids[i] = s->sequences[order[i]].text.id;
    }
    return s->waiting;
}

static void expect_ids(const struct play *p, const struct nf_vectors *v, const char *key,
                       const uint32_t *got, uint32_t got_count)
{
    uint32_t want[MOST];
    if (!nf_vectors_has(v, key)) {
        return;
    }
    uint32_t n = read_list(p, nf_vectors_text(v, key), want, NULL);
    cr_assert_eq(n, got_count, "%s line %d: %u in %s, expected %u", p->id, v->line,
                 got_count, key, n);
    for (uint32_t i = 0; i < n; i++) {
        cr_assert_eq(want[i], got[i], "%s line %d: %s", p->id, v->line, key);
    }
}

static void expect_tokens(const struct play *p, const struct nf_vectors *v,
                          const struct nf_llm_plan *plan)
{
    uint32_t want[MOST], tokens[MOST];
    if (!nf_vectors_has(v, "tokens")) {
        return;
    }
    uint32_t n = read_list(p, nf_vectors_text(v, "tokens"), want, tokens);
    cr_assert_eq(n, plan->count, "%s line %d", p->id, v->line);
    for (uint32_t i = 0; i < n; i++) {
        const struct nf_llm_share *x = &plan->shares[i];
        cr_assert_eq(p->s.sequences[x->sequence].text.id, want[i], "%s line %d", p->id,
                     v->line);
        cr_assert_eq(x->tokens, tokens[i], "%s line %d", p->id, v->line);
    }
}

static void schedule(struct play *p, const struct nf_vectors *v)
{
    uint32_t ids[MOST];
    cr_assert(p->calls < CALLS);
    struct nf_llm_plan *plan = &p->plans[p->calls++];
    nf_llm_scheduler_plan(&p->s, plan);
    expect_tokens(p, v, plan);
    expect_ids(p, v, "running", ids, running(&p->s, ids));
    expect_ids(p, v, "waiting", ids, waiting(&p->s, ids));
    expect_ids(p, v, "preempted", plan->preempted, plan->preempted_count);
    if (nf_vectors_has(v, "num_new")) {
        cr_assert_eq(plan->admitted, nf_vectors_integer(v, "num_new"), "%s line %d",
                     p->id, v->line);
    }
    if (nf_vectors_has(v, "free_blocks")) {
        cr_assert_eq(p->s.blocks.free_count, nf_vectors_integer(v, "free_blocks"),
                     "%s line %d", p->id, v->line);
    }
}

static void output(struct play *p, const struct nf_vectors *v)
{
    uint32_t ids[MOST], tokens[MOST];
    const struct nf_llm_plan *plan = &p->plans[nf_vectors_integer(v, "call")];
    uint32_t n = read_list(p, nf_vectors_text(v, "tokens"), ids, tokens);
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t k = 0; k < plan->count; k++) {
            if (plan->shares[k].sequence == p->handle[ids[i]]) {
                (void)nf_llm_scheduler_output(&p->s, &plan->shares[k], tokens[i], 0);
            }
        }
    }
}

static void end_case(struct play *p)
{
    for (uint32_t i = 0; i < CALLS; i++) {
        nf_llm_plan_fini(&p->plans[i]);
    }
    nf_llm_scheduler_fini(&p->s);
}

Test(llm_scheduler, vllm_schedules_the_same)
{
    struct nf_vectors v;
    struct play p = {0};
    int cases = 0;
    for (nf_vectors_open(&v, "vllm_scheduler"); nf_vectors_at(&v, "case"); cases++) {
        read_case(&p, &v);
        for (nf_vectors_next(&v); !nf_vectors_at(&v, "case") && !nf_vectors_at(&v, "end");
             nf_vectors_next(&v)) {
            if (nf_vectors_at(&v, "add")) {
                add(&p, &v);
            } else if (nf_vectors_at(&v, "schedule")) {
                schedule(&p, &v);
            } else if (nf_vectors_at(&v, "output")) {
                output(&p, &v);
            } else {
                cr_assert(false, "line %d: unknown record %s", v.line, v.word);
            }
        }
        end_case(&p);
    }
    cr_assert_eq(cases, CASES);
    nf_vectors_close(&v, cases);
}

/* ---- by hand ---- */

static struct nf_llm_scheduler s;
static struct nf_llm_plan plan;

static void setup(struct nf_llm_scheduler_spec spec)
{
    nf_llm_scheduler_init(&s, &spec);
}

static void teardown(void)
{
    nf_llm_plan_fini(&plan);
    nf_llm_scheduler_fini(&s);
}

static uint32_t come(uint32_t id, uint32_t prompt)
{
    return nf_llm_scheduler_add(
        &s, &(struct nf_llm_text){.id = id, .prompt = prompt, .order = id});
}

static void all_out(uint32_t drafts)
{
    for (uint32_t i = 0; i < plan.count; i++) {
        (void)nf_llm_scheduler_output(&s, &plan.shares[i], plan.shares[i].is_sampled,
                                      drafts);
    }
}

/* 7 sequences want 37 tokens each, of which one iteration has 100: 37, 37, 26, then the last one's other 11 come first. */
Test(llm_scheduler, the_token_budget_is_shared_in_order)
{
    setup((struct nf_llm_scheduler_spec){
        .max_sequences = 8, .max_tokens = 100, .block_tokens = 16, .blocks = 1000});
    for (uint32_t i = 0; i < 7; i++) {
        (void)come(i, 37);
    }
    nf_llm_scheduler_plan(&s, &plan);
    cr_assert_eq(plan.count, 3);
    cr_assert_eq(plan.tokens, 100);
    cr_assert(plan.shares[1].is_sampled && !plan.shares[2].is_sampled);
    cr_assert_eq(plan.shares[2].tokens, 26);
    all_out(0);
    nf_llm_scheduler_plan(&s, &plan);
    cr_assert_eq(plan.shares[0].tokens, 1);
    cr_assert(plan.shares[0].is_decode && plan.shares[0].context == 37);
    cr_assert_eq(plan.shares[2].tokens, 11);
    cr_assert(!plan.shares[2].is_decode && plan.shares[2].context == 26);
    cr_assert_eq(plan.shares[3].tokens, 37);
    teardown();
}

Test(llm_scheduler, long_prompts_get_no_more_than_their_limit)
{
    setup((struct nf_llm_scheduler_spec){.max_sequences = 8,
                                         .max_tokens = 100,
                                         .block_tokens = 16,
                                         .blocks = 1000,
                                         .long_prefill = 40});
    (void)come(0, 300);
    (void)come(1, 30);
    nf_llm_scheduler_plan(&s, &plan);
    cr_assert_eq(plan.count, 2);
    cr_assert_eq(plan.shares[0].tokens, 40);
    cr_assert_eq(plan.shares[1].tokens, 30);
    teardown();
}

/* A plan that is still under way leaves nothing to plan; its output is void when the sequence went away meanwhile. */
Test(llm_scheduler, a_sequence_under_way_is_passed_over)
{
    setup((struct nf_llm_scheduler_spec){
        .max_sequences = 8, .max_tokens = 100, .block_tokens = 16, .blocks = 1000});
    uint32_t a = come(0, 40);
    nf_llm_scheduler_plan(&s, &plan);
    struct nf_llm_share share = plan.shares[0];
    nf_llm_scheduler_plan(&s, &plan);
    cr_assert_eq(plan.count, 0);
    nf_llm_scheduler_remove(&s, a);
    cr_assert_not(nf_llm_scheduler_output(&s, &share, 1, 0));
    uint32_t b = come(1, 40);
    cr_assert_eq(a, b, "the handle is used again");
    cr_assert_not(nf_llm_scheduler_output(&s, &share, 1, 0));
    cr_assert_eq(s.blocks.free_count, 999);
    teardown();
}

/* Four guesses of which two are right: three tokens, and the next iteration starts behind them. */
Test(llm_scheduler, wrong_guesses_are_computed_again)
{
    setup((struct nf_llm_scheduler_spec){
        .max_sequences = 8, .max_tokens = 100, .block_tokens = 16, .blocks = 1000});
    (void)come(0, 30);
    nf_llm_scheduler_plan(&s, &plan);
    all_out(4);
    nf_llm_scheduler_plan(&s, &plan);
    cr_assert_eq(plan.shares[0].tokens, 5);
    cr_assert_eq(plan.shares[0].drafts, 4);
    cr_assert(nf_llm_scheduler_output(&s, &plan.shares[0], 3, 4));
    nf_llm_scheduler_plan(&s, &plan);
    cr_assert_eq(plan.shares[0].context, 33);
    cr_assert_eq(plan.shares[0].tokens, 5);
    teardown();
}

/* ---- prefix cache: blocks of 16, names for 64 tokens each ---- */

static uint32_t come_named(uint32_t id, uint32_t prompt, const uint64_t *names,
                           uint32_t n)
{
    return nf_llm_scheduler_add(&s, &(struct nf_llm_text){.id = id,
                                                          .prompt = prompt,
                                                          .order = id,
                                                          .names = names,
                                                          .name_count = n,
                                                          .name_tokens = 64});
}

static const struct nf_llm_scheduler_spec caching = {.max_sequences = 8,
                                                     .max_tokens = 1000,
                                                     .block_tokens = 16,
                                                     .blocks = 41,
                                                     .has_prefix_cache = true};

/* 200 tokens are 13 blocks, 12 of them full; the second text shares its first 128 tokens = 8 blocks. */
Test(llm_scheduler, a_known_start_is_not_computed_again)
{
    static const uint64_t first[] = {11, 12, 13, 14}, second[] = {11, 12, 99, 98};
    setup(caching);
    (void)come_named(0, 200, first, 4);
    nf_llm_scheduler_plan(&s, &plan);
    all_out(0);
    cr_assert_eq(s.blocks.free_count, 40 - 13);
    (void)come_named(1, 210, second, 4);
    nf_llm_scheduler_plan(&s, &plan);
    cr_assert_eq(plan.count, 2);
    cr_assert_eq(plan.shares[1].context, 128);
    cr_assert_eq(plan.shares[1].tokens, 82);
    cr_assert_eq(s.hit_tokens, 128);
    cr_assert_eq(s.asked_tokens, 410);
    cr_assert_eq(s.blocks.free_count, 40 - 13 - 6, "8 of 14 blocks are shared");
    teardown();
}

/* The same text of exactly 4 blocks: the last block's tokens are computed again, for the next token follows from them. */
Test(llm_scheduler, the_last_token_is_always_computed)
{
    static const uint64_t names[] = {5};
    setup(caching);
    uint32_t a = come_named(0, 64, names, 1);
    nf_llm_scheduler_plan(&s, &plan);
    nf_llm_scheduler_remove(&s, a);
    (void)come_named(1, 64, names, 1);
    nf_llm_scheduler_plan(&s, &plan);
    cr_assert_eq(plan.shares[0].context, 48);
    cr_assert_eq(plan.shares[0].tokens, 16);
    teardown();
}

static uint32_t come_and_go(uint32_t id, uint32_t prompt, const uint64_t *names,
                            uint32_t n)
{
    uint32_t q = come_named(id, prompt, names, n);
    nf_llm_scheduler_plan(&s, &plan);
    nf_llm_scheduler_remove(&s, q);
    return plan.shares[0].context;
}

/* 40 blocks. A (10 blocks), B (10) and C (12) are done. D takes 24 of its own: the 8 never used, A's 10, and 6 of B's from its end; B's
 * first four and all of C stay known. C comes again and finds 11 of its 12 blocks; the twelfth is computed in the next free one, which
 * was B's fourth. */
Test(llm_scheduler, the_longest_unused_end_is_forgotten_first)
{
    static const uint64_t a[] = {1, 2, 3}, b[] = {4, 5, 6}, c[] = {7, 8, 9},
                          d[] = {90, 91, 92, 93, 94, 95};
    setup(caching);
    (void)come_and_go(0, 160, a, 3);
    (void)come_and_go(1, 160, b, 3);
    (void)come_and_go(2, 192, c, 3);
    cr_assert_eq(come_and_go(3, 384, d, 6), 0);
    cr_assert_eq(come_and_go(4, 192, c, 3), 176);
    cr_assert_eq(come_and_go(5, 160, b, 3), 48);
    cr_assert_eq(come_and_go(6, 160, a, 3), 0);
    teardown();
}

/* Random comings and goings: no block is lost, none has two owners, and what is shared has the same name. */
Test(llm_scheduler, blocks_are_neither_lost_nor_doubled)
{
    static uint64_t names[16][8];
    uint64_t seed = 7919;
    printf("seed %lu\n", (unsigned long)seed);
    for (uint32_t i = 0; i < 16; i++) {
        for (uint32_t k = 0; k < 8; k++) {
            names[i][k] = k < i % 5 ? 1000 + k : 5000 + 8 * i + k;
        }
    }
    struct nf_llm_scheduler_spec spec = caching;
    spec.max_tokens = 150;
    spec.blocks = 90;
    setup(spec);
    uint64_t state = seed;
    uint32_t preemptions = 0;
    for (uint32_t step = 0; step < 20000; step++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint32_t r = (uint32_t)(state >> 33);
        if (r % 3 == 0 && s.waiting < 10) {
            uint32_t which = r / 3 % 16;
            (void)come_named(step, 1 + r / 64 % 500, names[which], 8);
        }
        nf_llm_scheduler_plan(&s, &plan);
        preemptions += plan.preempted_count;
        all_out(0);
        for (uint32_t i = 0; i < plan.count; i++) {
            struct nf_llm_share x = plan.shares[i];
            uint32_t length = s.sequences[x.sequence].tokens;
            if (x.is_sampled && (r % 29 == i || length > 900)) {
                nf_llm_scheduler_remove(&s, x.sequence);
            }
        }
        uint32_t used = 0;
        for (uint32_t i = 1; i < spec.blocks; i++) {
            used += s.blocks.block[i].users > 0;
        }
        cr_assert_eq(used + s.blocks.free_count, spec.blocks - 1, "step %u", step);
    }
    cr_assert(preemptions > 100 && s.hit_tokens > 10000);
    while (s.run_head != UINT32_MAX) {
        nf_llm_scheduler_remove(&s, s.run_head);
    }
    cr_assert_eq(s.blocks.free_count, spec.blocks - 1);
    teardown();
}
