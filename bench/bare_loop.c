#include "bench/bare_loop.h"

#include "base/arena.h"
#include "engine/queue.h"
#include "engine/random.h"
#include "stats/histogram.h"

/* Arrival times of those that wait, first come first served; the size is a power of two. */
struct ring {
    nf_time *at;
    uint64_t head, tail, size;
};

static void ring_init(struct ring *r)
{
    *r = (struct ring){.size = 1024};
    r->at = nf_mem_resize(NULL, r->size, sizeof *r->at);
}

static void ring_grow(struct ring *r)
{
    nf_time *at = nf_mem_resize(NULL, 2 * r->size, sizeof *at);
    for (uint64_t i = r->head; i < r->tail; i++) {
        at[i & (2 * r->size - 1)] = r->at[i & (r->size - 1)];
    }
    nf_mem_free(r->at);
    r->at = at;
    r->size *= 2;
}

static inline void ring_push(struct ring *r, nf_time at)
{
    if (NF_UNLIKELY(r->tail - r->head == r->size)) {
        ring_grow(r);
    }
    r->at[r->tail++ & (r->size - 1)] = at;
}

static inline nf_time ring_pop(struct ring *r)
{
    return r->at[r->head++ & (r->size - 1)];
}

static const double TWO_TIER_GAP_NS = 1e9 / 166.67;

enum event { ARRIVAL, AT_STATION, DONE, BACK };

static inline nf_time exponential(struct nf_stream *s, double mean_ns)
{
    return (nf_time)(mean_ns * nf_stream_exponential(s) + 0.5);
}

struct nf_bare_result nf_bare_mm1(uint64_t requests, uint64_t seed)
{
    const double gap_ns = 1e9 / 0.9, service_ns = 1e9;
    struct nf_stream gaps, services;
    struct nf_queue queue;
    struct nf_histogram times;
    struct ring ring;
    struct nf_event e = {0};
    uint64_t arrived = 0;
    nf_stream_init(&gaps, seed, 0, "bare.mm1/gap");
    nf_stream_init(&services, seed, 0, "bare.mm1/service");
    nf_queue_init(&queue);
    nf_histogram_init(&times);
    ring_init(&ring);
    nf_queue_push(&queue, exponential(&gaps, gap_ns), 0, ARRIVAL, 0, 0);
    while (nf_queue_pop(&queue, &e)) {
        if (e.kind == ARRIVAL) {
            ring_push(&ring, e.time); /* the head is the request in service */
            if (ring.tail - ring.head == 1) {
                nf_queue_push(&queue, e.time + exponential(&services, service_ns), 0,
                              DONE, 0, 0);
            }
            if (++arrived < requests) {
                nf_queue_push(&queue, e.time + exponential(&gaps, gap_ns), 0, ARRIVAL, 0,
                              0);
            }
        } else {
            nf_histogram_add(&times, e.time - ring_pop(&ring));
            if (ring.tail != ring.head) {
                nf_queue_push(&queue, e.time + exponential(&services, service_ns), 0,
                              DONE, 0, 0);
            }
        }
    }
    struct nf_bare_result result = {.requests = times.count,
                                    .mean_s = {1e-9 * nf_histogram_mean(&times)},
                                    .count = {times.count},
                                    .simulated_s = nf_time_s(queue.last)};
    nf_mem_free(ring.at);
    nf_histogram_fini(&times);
    nf_queue_fini(&queue);
    return result;
}

struct tier {
    struct ring ring;
    uint64_t idle; /* servers */
    nf_time one_way;
    double service_ns;
    struct nf_stream services;
    struct nf_histogram times;
};

static void tier_init(struct tier *t, uint64_t servers, nf_time one_way,
                      double service_ns)
{
    t->idle = servers;
    t->one_way = one_way;
    t->service_ns = service_ns;
    ring_init(&t->ring);
    nf_histogram_init(&t->times);
}

struct two_tier {
    struct nf_queue queue;
    struct nf_stream gaps, choices;
    struct tier tiers[2];
    uint64_t arrived, requests;
};

static inline void start(struct two_tier *w, uint32_t tier, nf_time now, uint64_t arrival)
{
    struct tier *t = &w->tiers[tier];
    nf_queue_push(&w->queue, now + exponential(&t->services, t->service_ns), 0, DONE,
                  tier, arrival);
}

static inline void arrive(struct two_tier *w, nf_time now)
{
    uint32_t to = nf_stream_uniform(&w->choices) < 0.8 ? 0 : 1;
    nf_queue_push(&w->queue, now + w->tiers[to].one_way, 0, AT_STATION, to,
                  (uint64_t)now);
    if (++w->arrived < w->requests) {
        nf_queue_push(&w->queue, now + exponential(&w->gaps, TWO_TIER_GAP_NS), 0, ARRIVAL,
                      0, 0);
    }
}

static inline void leave(struct two_tier *w, uint32_t tier, nf_time now, uint64_t arrival)
{
    struct tier *t = &w->tiers[tier];
    nf_queue_push(&w->queue, now + t->one_way, 0, BACK, tier, arrival);
    if (t->ring.tail != t->ring.head) {
        start(w, tier, now, (uint64_t)ring_pop(&t->ring));
    } else {
        t->idle++;
    }
}

static void run_two_tier(struct two_tier *w)
{
    struct nf_event e;
    nf_queue_push(&w->queue, exponential(&w->gaps, TWO_TIER_GAP_NS), 0, ARRIVAL, 0, 0);
    while (nf_queue_pop(&w->queue, &e)) {
        struct tier *t = &w->tiers[e.target];
        switch (e.kind) {
        case ARRIVAL:
            arrive(w, e.time);
            break;
        case AT_STATION:
            if (t->idle > 0) {
                t->idle--;
                start(w, e.target, e.time, e.arg);
            } else {
                ring_push(&t->ring, (nf_time)e.arg);
            }
            break;
        case DONE:
            leave(w, e.target, e.time, e.arg);
            break;
        default:
            nf_histogram_add(&t->times, e.time - (nf_time)e.arg);
            break;
        }
    }
}

struct nf_bare_result nf_bare_two_tier(uint64_t requests, uint64_t seed)
{
    struct two_tier w = {.requests = requests};
    nf_stream_init(&w.gaps, seed, 0, "bare.two_tier/gap");
    nf_stream_init(&w.choices, seed, 0, "bare.two_tier/choice");
    nf_stream_init(&w.tiers[0].services, seed, 0, "bare.two_tier/edge");
    nf_stream_init(&w.tiers[1].services, seed, 0, "bare.two_tier/cloud");
    tier_init(&w.tiers[0], 1, NF_SECOND / 2000, 5e6);
    tier_init(&w.tiers[1], 4, NF_SECOND / 100, 60e6);
    nf_queue_init(&w.queue);
    run_two_tier(&w);
    struct nf_bare_result result = {.simulated_s = nf_time_s(w.queue.last)};
    for (int i = 0; i < 2; i++) {
        struct nf_histogram *times = &w.tiers[i].times;
        result.count[i] = times->count;
        result.requests += times->count;
        result.mean_s[i] = 1e-9 * nf_histogram_mean(times);
        nf_histogram_fini(times);
        nf_mem_free(w.tiers[i].ring.at);
    }
    nf_queue_fini(&w.queue);
    return result;
}
