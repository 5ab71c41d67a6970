#include "engine/queue.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>

#include "base/arena.h"
#include "engine/random.h"

/* What the queue must equal: a set that is searched from end to end. */
struct reference {
    struct nf_event *events;
    size_t count, cap;
};

static bool comes_before(const struct nf_event *a, const struct nf_event *b)
{
    return a->time < b->time || (a->time == b->time && a->order < b->order);
}

static size_t first_of(const struct reference *r)
{
    size_t best = 0;
    for (size_t i = 1; i < r->count; i++) {
        best = comes_before(&r->events[i], &r->events[best]) ? i : best;
    }
    return best;
}

static void push_both(struct nf_queue *q, struct reference *r, nf_time time,
                      unsigned priority)
{
    uint64_t sequence = q->sequence;
    uint32_t kind = (uint32_t)(sequence % 7919), target = (uint32_t)(sequence >> 3);
    if (r->count == r->cap) {
        r->cap = r->cap == 0 ? 64 : 2 * r->cap;
        r->events = nf_mem_resize(r->events, r->cap, sizeof *r->events);
    }
    r->events[r->count++] = (struct nf_event){time, (uint64_t)priority << 56 | sequence,
                                              kind, target, ~sequence};
    nf_queue_push(q, time, priority, kind, target, ~sequence);
}

/* Pops from both and compares every field; returns the time. */
static nf_time pop_both(struct nf_queue *q, struct reference *r)
{
    size_t best = first_of(r);
    struct nf_event expected = r->events[best], got;
    r->events[best] = r->events[--r->count];
    cr_assert(nf_queue_pop(q, &got));
    cr_assert_eq(got.time, expected.time, "time %lld, expected %lld", (long long)got.time,
                 (long long)expected.time);
    cr_assert_eq(got.order, expected.order);
    cr_assert_eq(got.kind, expected.kind);
    cr_assert_eq(got.target, expected.target);
    cr_assert_eq(got.arg, expected.arg);
    return got.time;
}

enum shape { EXPONENTIAL, FEW_TICKS, TWO_VALUES, ALL_SCALES, BIMODAL, SHAPES };

static nf_time increment(enum shape shape, struct nf_stream *s)
{
    switch (shape) {
    case EXPONENTIAL:
        return nf_time_of_s(nf_stream_exponential(s));
    case FEW_TICKS:
        return (nf_time)nf_stream_below(s, 4);
    case TWO_VALUES:
        return 1009 * (nf_time)nf_stream_below(s, 2);
    case ALL_SCALES:
        return (nf_time)(nf_stream_u64(s) >> (14 + nf_stream_below(s, 50)));
    default:
        return nf_stream_below(s, 3) == 0 ? NF_SECOND : (nf_time)nf_stream_below(s, 97);
    }
}

/* A set that swells to `size` and shrinks again, with bursts, random priorities and peeks. */
static void compare_with_reference(enum shape shape, uint64_t size, uint64_t seed)
{
    struct nf_stream s;
    struct nf_queue q;
    struct reference r = {0};
    nf_time now = 0;
    nf_stream_init(&s, seed, 0, "queue_test");
    nf_queue_init(&q);
    for (int step = 0; step < 6000; step++) {
        uint64_t wanted = step / 600 % 2 == 0 ? size : size / 9;
        bool grow = (r.count < wanted) == (nf_stream_below(&s, 4) != 0);
        if (grow || r.count == 0) {
            uint64_t burst = nf_stream_below(&s, 100) == 0 ? 101 : 1;
            for (uint64_t i = 0; i < burst; i++) {
                unsigned priority = (unsigned)(nf_stream_below(&s, 3) * 101);
                push_both(&q, &r, now + increment(shape, &s), priority);
            }
        } else {
            now = pop_both(&q, &r);
        }
        cr_assert_eq(nf_queue_count(&q), r.count);
        if (r.count > 0 && nf_stream_below(&s, 20) == 0) {
            cr_assert_eq(nf_queue_next_time(&q), r.events[first_of(&r)].time);
        }
    }
    while (r.count > 0) {
        pop_both(&q, &r);
    }
    nf_queue_fini(&q);
    nf_mem_free(r.events);
}

Test(queue, pops_in_total_order_whatever_the_increments_and_the_size)
{
    static const uint64_t sizes[] = {2, 5, 31, 64, 97, 701};
    const uint64_t seed = 20231;
    printf("seed %llu and following\n", (unsigned long long)seed);
    for (int shape = 0; shape < SHAPES; shape++) {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            compare_with_reference((enum shape)shape, sizes[i], seed + i);
        }
    }
}

/* Too many to search from end to end: the order of successive pops, and that nothing is lost or doubled. */
Test(queue, keeps_a_hundred_thousand_in_order)
{
    enum { PENDING = 100000, HOLDS = 400000 };
    struct nf_stream s;
    struct nf_queue q;
    struct nf_event e, before = {.time = 0};
    uint64_t pushed = 0, popped = 0;
    nf_stream_init(&s, 31, 0, "queue_test");
    nf_queue_init(&q);
    for (int i = 0; i < PENDING + HOLDS; i++) {
        if (i >= PENDING) {
            cr_assert(nf_queue_pop(&q, &e));
            cr_assert(comes_before(&before, &e) || i == PENDING);
            popped += e.arg;
            before = e;
        }
        uint64_t value = nf_stream_u64(&s);
        enum shape shape = value % 7 == 0 ? FEW_TICKS : EXPONENTIAL;
        nf_queue_push(&q, before.time + increment(shape, &s), 1, 0, 0, value);
        pushed += value;
    }
    cr_assert_eq(nf_queue_count(&q), PENDING);
    while (nf_queue_pop(&q, &e)) {
        cr_assert(comes_before(&before, &e));
        popped += e.arg;
        before = e;
    }
    cr_assert_eq(pushed, popped);
    nf_queue_fini(&q);
}

Test(queue, is_empty_at_first_and_again_after_the_last_pop)
{
    struct nf_queue q;
    struct nf_event e;
    nf_queue_init(&q);
    cr_assert(!nf_queue_pop(&q, &e));
    cr_assert_eq(nf_queue_next_time(&q), NF_TIME_NEVER);
    nf_queue_push(&q, 7919, 3, 11, 13, 17);
    cr_assert_eq(nf_queue_count(&q), 1);
    cr_assert_eq(nf_queue_next_time(&q), 7919);
    cr_assert(nf_queue_pop(&q, &e));
    cr_assert(e.time == 7919 && e.kind == 11 && e.target == 13 && e.arg == 17);
    cr_assert(!nf_queue_pop(&q, &e));
    cr_assert_eq(nf_queue_next_time(&q), NF_TIME_NEVER);
    nf_queue_fini(&q);
}

Test(queue, runs_equal_times_by_priority_then_in_scheduling_order)
{
    enum { EVENTS = 3001 };
    struct nf_queue q;
    struct nf_event e;
    nf_queue_init(&q);
    for (uint32_t i = 0; i < EVENTS; i++) {
        nf_queue_push(&q, 2385, i % 3, 0, i, 0);
    }
    uint32_t next = 0, priority = 0;
    for (int popped = 0; popped < EVENTS; popped++) {
        if (next >= EVENTS) {
            next = ++priority;
        }
        cr_assert(nf_queue_pop(&q, &e));
        cr_assert_eq(e.target, next, "got %u, expected %u", e.target, next);
        next += 3;
    }
    nf_queue_fini(&q);
}

/* The order of equal times is not a promise about what was popped before: a low number pushed now still goes first. */
Test(queue, lets_an_urgent_event_of_the_present_overtake_those_that_wait)
{
    struct nf_queue q;
    struct nf_event e;
    nf_queue_init(&q);
    for (uint32_t i = 0; i < 500; i++) {
        nf_queue_push(&q, 77, 5, 0, i, 0);
    }
    cr_assert(nf_queue_pop(&q, &e));
    for (uint32_t i = 0; i < 200; i++) {
        nf_queue_push(&q, 77, 1, 0, 1000 + i, 0);
    }
    for (uint32_t i = 0; i < 699; i++) {
        cr_assert(nf_queue_pop(&q, &e));
        cr_assert_eq(e.target, i < 200 ? 1000 + i : i - 199);
    }
    cr_assert(!nf_queue_pop(&q, &e));
    nf_queue_fini(&q);
}

/* The events of the highest priorities are the last bucket that one time can have: the limit behind it is the next nanosecond. */
Test(queue, inserts_among_the_last_events_of_an_instant)
{
    struct nf_queue q;
    struct reference r = {0};
    nf_queue_init(&q);
    for (int i = 0; i < 160; i++) {
        push_both(&q, &r, i < 120 ? 77 : 78, i < 100 || i >= 120 ? 0 : 255);
    }
    for (int i = 0; i < 101; i++) {
        pop_both(&q, &r);
    }
    push_both(&q, &r, 77, 250);
    while (r.count > 0) {
        pop_both(&q, &r);
    }
    nf_queue_fini(&q);
    nf_mem_free(r.events);
}

/* A peek makes the next distant events the run; pushes before them must still come first, however many. */
Test(queue, takes_many_events_before_those_it_has_already_looked_at)
{
    enum { FAR_EVENTS = 200, NEAR_EVENTS = 150 };
    struct nf_queue q;
    struct reference r = {0};
    nf_queue_init(&q);
    for (nf_time i = 0; i < FAR_EVENTS; i++) {
        push_both(&q, &r, 0x100000 + 31 * i, 0);
    }
    push_both(&q, &r, 5, 0);
    cr_assert_eq(pop_both(&q, &r), 5);
    for (int i = 0; i < 64; i++) {
        pop_both(&q, &r);
    }
    nf_time now = q.last;
    cr_assert(nf_queue_next_time(&q) > now);
    for (nf_time i = 0; i < NEAR_EVENTS; i++) {
        push_both(&q, &r, now + i % 31, (unsigned)i % 2);
    }
    while (r.count > 0) {
        pop_both(&q, &r);
    }
    nf_queue_fini(&q);
    nf_mem_free(r.events);
}

Test(queue, keeps_its_order_at_the_end_of_time)
{
    struct nf_queue q;
    struct reference r = {0};
    nf_queue_init(&q);
    for (nf_time i = 0; i < 300; i++) {
        push_both(&q, &r, NF_TIME_NEVER - i * i * i % 401, 255);
        push_both(&q, &r, i, 0);
    }
    while (r.count > 0) {
        pop_both(&q, &r);
    }
    nf_queue_fini(&q);
    nf_mem_free(r.events);
}

Test(queue, refuses_an_event_in_the_past, .signal = SIGABRT)
{
    struct nf_queue q;
    struct nf_event e;
    nf_queue_init(&q);
    nf_queue_push(&q, 2385, 0, 0, 0, 0);
    nf_queue_pop(&q, &e);
    nf_queue_push(&q, 2384, 0, 0, 0, 0);
}
