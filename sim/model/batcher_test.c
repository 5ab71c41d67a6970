/* Dynamic batching: Triton's own test cases on a small driver, and what they leave out. */
#include "model/batcher.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/conformance_test.h"

enum { MOST = 16, SIZES = 128, CASES = 11, MORE_CASES = 23 };

static const nf_time US = NF_SECOND / 1000000;

struct sent {
    struct nf_batch_item item;
    nf_time at, done;
    double low_ms, high_ms;
    const char *result, *got;
    bool was_slow;
};

/* One case: what is sent, the servers, what came out. */
struct play {
    const char *id;
    struct nf_batcher_spec spec;
    uint32_t preferred[8];
    struct nf_batch_level_policy policies[2];
    struct sent sent[MOST];
    uint32_t sent_count, starts_after, instances;
    nf_time exec, free_at[4];
    int64_t slow_factor; /* of the last server's time */
    int expected[SIZES], batches[SIZES];
    int64_t least, most; /* executions; most 0: any number */
    int64_t
        after_slow; /* responses of other servers later than those of the last; -1: any number */
};

static uint64_t big(const struct nf_vectors *v, const char *key)
{
    return strtoull(nf_vectors_text(v, key), NULL, 10);
}

static struct nf_batch_policy read_policy(const struct nf_vectors *v)
{
    return (struct nf_batch_policy){
        .max_queue = (uint32_t)nf_vectors_integer(v, "max_queue"),
        .timeout = nf_vectors_integer(v, "timeout_us") * US,
        .action = nf_vectors_is(v, "action", "delay") ? NF_BATCH_DELAY : NF_BATCH_REJECT,
        .allow_override = nf_vectors_integer(v, "override") != 0};
}

static void read_case(struct play *p, const struct nf_vectors *v)
{
    *p = (struct play){.id = nf_vectors_text(v, "id"),
                       .starts_after = (uint32_t)nf_vectors_integer(v, "starts_after"),
                       .instances = (uint32_t)nf_vectors_integer(v, "instances"),
                       .exec = nf_vectors_integer(v, "exec_ms") * 1000 * US,
                       .slow_factor = nf_vectors_has(v, "slow_factor")
                                          ? nf_vectors_integer(v, "slow_factor")
                                          : 1,
                       .after_slow = -1};
    p->spec = (struct nf_batcher_spec){
        .max_batch = (uint32_t)nf_vectors_integer(v, "max_batch"),
        .preferred = p->preferred,
        .delay = nf_vectors_integer(v, "delay_us") * US,
        .equal_shapes = nf_vectors_integer(v, "equal_shape") != 0,
        .levels = big(v, "levels"),
        .default_level = big(v, "default_level"),
        .policy = read_policy(v),
        .level_policy = p->policies};
    if (nf_vectors_has(v, "preferred")) {
        const char *text = nf_vectors_text(v, "preferred");
        for (char *end = NULL; *text; text = *end == ',' ? end + 1 : end) {
            p->preferred[p->spec.preferred_count++] = (uint32_t)strtoul(text, &end, 10);
        }
    }
}

static void read_request(struct play *p, const struct nf_vectors *v)
{
    struct sent *s = &p->sent[p->sent_count];
    cr_assert(p->sent_count < MOST);
    *s = (struct sent){
        .item = {.id = p->sent_count,
                 .size = (uint32_t)nf_vectors_integer(v, "batch"),
                 .shape = big(v, "shape"),
                 .priority = nf_vectors_has(v, "priority") ? big(v, "priority") : 0,
                 .timeout = nf_vectors_integer(v, "timeout_us") * US},
        .at = nf_vectors_integer(v, "at_us") * US,
        .low_ms = nf_vectors_has(v, "low_ms") ? nf_vectors_number(v, "low_ms") : 0,
        .high_ms = nf_vectors_has(v, "high_ms") ? nf_vectors_number(v, "high_ms") : 1e9,
        .result = nf_vectors_text(v, "result")};
    p->sent_count++;
}

static void read_records(struct play *p, struct nf_vectors *v)
{
    for (nf_vectors_next(v); !nf_vectors_at(v, "case") && !nf_vectors_at(v, "end");
         nf_vectors_next(v)) {
        if (nf_vectors_at(v, "request")) {
            read_request(p, v);
        } else if (nf_vectors_at(v, "policy")) {
            p->policies[p->spec.level_policy_count++] =
                (struct nf_batch_level_policy){big(v, "level"), read_policy(v)};
        } else if (nf_vectors_at(v, "executions")) {
            p->least = nf_vectors_integer(v, "least");
            p->most = nf_vectors_integer(v, "most");
        } else if (nf_vectors_at(v, "after_slow")) {
            p->after_slow = nf_vectors_integer(v, "count");
        } else {
            cr_assert(nf_vectors_at(v, "batch"), "line %d", v->line);
            p->expected[nf_vectors_integer(v, "size")] =
                (int)nf_vectors_integer(v, "count");
        }
    }
}

/* Starts what may start now; returns when to look again. */
static nf_time dispatch(struct play *p, struct nf_batcher *b, nf_time now)
{
    for (uint32_t id; (id = nf_batcher_expire(b, now)) != NF_BATCHER_NONE;) {
        p->sent[id].got = "Request timeout expired";
        p->sent[id].done = now;
    }
    if (b->count < p->starts_after) {
        return NF_TIME_NEVER;
    }
    p->starts_after = 0;
    nf_time wake = nf_batcher_expiry(b);
    for (uint32_t i = 0; i < p->instances; i++) {
        if (p->free_at[i] > now) {
            wake = p->free_at[i] < wake ? p->free_at[i] : wake;
            continue;
        }
        struct nf_batch_choice c = nf_batcher_next(b, now);
        if (c.count == 0) {
            return c.wake < wake ? c.wake : wake;
        }
        bool is_last = i > 0 && i + 1 == p->instances;
        p->free_at[i] = now + p->exec * (is_last ? p->slow_factor : 1);
        p->batches[c.size]++;
        for (uint32_t k = 0; k < c.count; k++) {
            struct sent *s = &p->sent[nf_batcher_take(b)];
            s->got = "ok";
            s->done = p->free_at[i];
            s->was_slow = is_last;
        }
        i--; /* a server that takes no time is free again */
    }
    return wake;
}

static void run(struct play *p)
{
    struct nf_batcher b;
    nf_batcher_init(&b, &p->spec);
    nf_time wake = NF_TIME_NEVER;
    for (uint32_t next = 0; next < p->sent_count || wake != NF_TIME_NEVER;) {
        nf_time now = wake;
        if (next < p->sent_count && p->sent[next].at <= wake) {
            struct sent *s = &p->sent[next++];
            now = s->at;
            if (nf_batcher_put(&b, now, &s->item) == NF_BATCHER_NONE) {
                s->got = "Exceeds maximum queue size";
                s->done = now;
            }
        }
        wake = dispatch(p, &b, now);
    }
    cr_assert_eq(b.count, 0, "%s: %u left", p->id, b.count);
    nf_batcher_fini(&b);
}

/* How many responses of the other servers came after the last one of the slow server. */
static int64_t count_after_slow(const struct play *p)
{
    nf_time last = 0;
    int64_t count = 0;
    for (uint32_t i = 0; i < p->sent_count; i++) {
        const struct sent *s = &p->sent[i];
        last = s->was_slow && s->done > last ? s->done : last;
    }
    for (uint32_t i = 0; i < p->sent_count; i++) {
        count += !p->sent[i].was_slow && p->sent[i].done > last;
    }
    return count;
}

static void check_batches(const struct play *p)
{
    bool is_listed = false;
    int64_t executions = 0;
    for (int i = 0; i < SIZES; i++) {
        is_listed = is_listed || p->expected[i] > 0;
        executions += p->batches[i];
    }
    for (int i = 0; i < SIZES && is_listed; i++) {
        cr_assert_eq(p->batches[i], p->expected[i], "%s: %d batches of %d", p->id,
                     p->batches[i], i);
    }
    cr_assert(p->most == 0 || (executions >= p->least && executions <= p->most),
              "%s: %" PRId64 " executions", p->id, executions);
    cr_assert(p->after_slow < 0 || count_after_slow(p) == p->after_slow, "%s", p->id);
}

/* Upstream's lower bounds are exclusive, but its clock also measures the client and the transport: here a wait may equal the bound. */
static void check(const struct play *p)
{
    for (uint32_t i = 0; i < p->sent_count; i++) {
        const struct sent *s = &p->sent[i];
        cr_assert_str_eq(s->got, s->result, "%s request %u: %s", p->id, i, s->got);
        double ms = (double)(s->done - s->at) / 1e6;
        cr_assert(ms >= s->low_ms && ms < s->high_ms, "%s request %u: %g ms", p->id, i,
                  ms);
    }
    check_batches(p);
}

static int run_table(const char *name)
{
    struct nf_vectors v;
    int count = 0;
    for (nf_vectors_open(&v, name); nf_vectors_at(&v, "case"); count++) {
        struct play p;
        read_case(&p, &v);
        p.spec.preferred = p.preferred;
        p.spec.level_policy = p.policies;
        read_records(&p, &v);
        run(&p);
        check(&p);
    }
    nf_vectors_close(&v, count);
    return count;
}

Test(batcher, agrees_with_upstream_vectors)
{
    cr_assert_eq(run_table("triton_dynamic_batcher"), CASES);
    cr_assert_eq(run_table("triton_batcher_more"), MORE_CASES);
}

/* ---- what upstream's cases leave out ---- */

static uint32_t put(struct nf_batcher *b, nf_time now, uint32_t id, uint64_t priority,
                    nf_time timeout)
{
    struct nf_batch_item item = {
        .id = id, .size = 1, .priority = priority, .timeout = timeout};
    return nf_batcher_put(b, now, &item);
}

Test(batcher, removed_items_leave_every_list)
{
    struct nf_batcher_spec spec = {
        .max_batch = 4,
        .policy = {.timeout = 50, .action = NF_BATCH_REJECT, .allow_override = true}};
    struct nf_batcher b;
    nf_batcher_init(&b, &spec);
    uint32_t handles[5];
    for (uint32_t i = 0; i < 5; i++) {
        handles[i] = put(&b, 0, i, 0, i == 3 ? 7 : 0);
    }
    cr_assert_eq(nf_batcher_expiry(&b), 7);
    nf_batcher_remove(&b, handles[3]);
    nf_batcher_remove(&b, handles[0]);
    nf_batcher_remove(&b, handles[4]);
    cr_assert_eq(nf_batcher_expiry(&b), 50);
    struct nf_batch_choice c = nf_batcher_next(&b, 1);
    cr_assert_eq(c.count, 2);
    cr_assert_eq(nf_batcher_take(&b), 1);
    cr_assert_eq(nf_batcher_take(&b), 2);
    cr_assert_eq(nf_batcher_expiry(&b), NF_TIME_NEVER);
    c = nf_batcher_next(&b, 1);
    cr_assert_eq(c.count, 0);
    nf_batcher_fini(&b);
}

Test(batcher, each_level_has_its_own_limit)
{
    struct nf_batch_level_policy own = {3, {.max_queue = 1}};
    struct nf_batcher_spec spec = {.max_batch = 8,
                                   .delay = NF_TIME_NEVER,
                                   .levels = 3,
                                   .default_level = 2,
                                   .policy = {.max_queue = 2},
                                   .level_policy = &own,
                                   .level_policy_count = 1};
    struct nf_batcher b;
    nf_batcher_init(&b, &spec);
    cr_assert_neq(put(&b, 0, 10, 3, 0), NF_BATCHER_NONE);
    cr_assert_eq(put(&b, 0, 11, 3, 0), NF_BATCHER_NONE);
    cr_assert_neq(put(&b, 0, 12, 0, 0), NF_BATCHER_NONE);
    cr_assert_neq(put(&b, 0, 13, 99, 0), NF_BATCHER_NONE);
    cr_assert_eq(put(&b, 0, 14, 2, 0), NF_BATCHER_NONE);
    cr_assert_neq(put(&b, 0, 15, 1, 0), NF_BATCHER_NONE);
    struct nf_batch_choice c = nf_batcher_next(&b, 1000);
    cr_assert_eq(c.count, 0, "an unfull batch waits for ever");
    cr_assert_eq(c.wake, NF_TIME_NEVER);
    static const uint32_t order[] = {15, 12, 13, 10};
    for (size_t i = 0; i < 4; i++) {
        cr_assert_eq(nf_batcher_take(&b), order[i], "%zu", i);
    }
    nf_batcher_fini(&b);
}

/* A queue with neither preferences nor limits sends when full or due, oldest first: the rule in two lines, on a random history. */
Test(batcher, plain_queue_is_full_or_due)
{
    enum { STEPS = 20000, MAX = 5, DELAY = 37 };
    struct nf_batcher_spec spec = {.max_batch = MAX, .delay = DELAY};
    struct nf_batcher b;
    nf_batcher_init(&b, &spec);
    static nf_time entered[STEPS];
    uint32_t head = 0, tail = 0;
    uint64_t x = 20260731;
    nf_time now = 0;
    for (int i = 0; i < STEPS; i++) {
        x = x * 6364136223846793005ULL + 1442695040888963407ULL;
        now += (nf_time)(x >> 60);
        if (x >> 33 & 1) {
            entered[tail] = now;
            cr_assert_neq(put(&b, now, tail++, 0, 0), NF_BATCHER_NONE);
        }
        struct nf_batch_choice c = nf_batcher_next(&b, now);
        uint32_t waiting = tail - head;
        bool is_due = waiting > 0 && entered[head] + DELAY <= now;
        uint32_t expected = waiting >= MAX ? MAX : is_due ? waiting : 0;
        cr_assert_eq(c.count, expected, "step %d: %u of %u", i, c.count, waiting);
        cr_assert_eq(c.wake, expected == 0 && waiting > 0 ? entered[head] + DELAY
                                                          : NF_TIME_NEVER);
        for (uint32_t k = 0; k < c.count; k++) {
            cr_assert_eq(nf_batcher_take(&b), head++);
        }
    }
    cr_assert(head > STEPS / 4);
    nf_batcher_fini(&b);
}
