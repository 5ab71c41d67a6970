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

static inline void start(struct nf_queue *queue, struct tier *t, nf_time now,
                         uint32_t tier, uint64_t arrival)
{
    nf_queue_push(queue, now + exponential(&t->services, t->service_ns), 0, DONE, tier,
                  arrival);
}

struct nf_bare_result nf_bare_two_tier(uint64_t requests, uint64_t seed)
{
    const double gap_ns = 1e9 / 166.67;
    struct nf_stream gaps, choices;
    struct nf_queue queue;
    struct nf_event e;
    struct tier tiers[2];
    uint64_t arrived = 0;
    nf_stream_init(&gaps, seed, 0, "bare.two_tier/gap");
    nf_stream_init(&choices, seed, 0, "bare.two_tier/choice");
    nf_stream_init(&tiers[0].services, seed, 0, "bare.two_tier/edge");
    nf_stream_init(&tiers[1].services, seed, 0, "bare.two_tier/cloud");
    tier_init(&tiers[0], 1, NF_SECOND / 2000, 5e6);
    tier_init(&tiers[1], 4, NF_SECOND / 100, 60e6);
    nf_queue_init(&queue);
    nf_queue_push(&queue, exponential(&gaps, gap_ns), 0, ARRIVAL, 0, 0);
    while (nf_queue_pop(&queue, &e)) {
        struct tier *t = &tiers[e.target];
        switch (e.kind) {
        case ARRIVAL: {
            uint32_t to = nf_stream_uniform(&choices) < 0.8 ? 0 : 1;
            nf_queue_push(&queue, e.time + tiers[to].one_way, 0, AT_STATION, to,
                          (uint64_t)e.time);
            if (++arrived < requests) {
                nf_queue_push(&queue, e.time + exponential(&gaps, gap_ns), 0, ARRIVAL, 0,
                              0);
            }
            break;
        }
        case AT_STATION:
            if (t->idle > 0) {
                t->idle--;
                start(&queue, t, e.time, e.target, e.arg);
            } else {
                ring_push(&t->ring, (nf_time)e.arg);
            }
            break;
        case DONE:
            nf_queue_push(&queue, e.time + t->one_way, 0, BACK, e.target, e.arg);
            if (t->ring.tail != t->ring.head) {
                start(&queue, t, e.time, e.target, (uint64_t)ring_pop(&t->ring));
            } else {
                t->idle++;
            }
            break;
        default:
            nf_histogram_add(&t->times, e.time - (nf_time)e.arg);
            break;
        }
    }
    struct nf_bare_result result = {.simulated_s = nf_time_s(queue.last)};
    for (int i = 0; i < 2; i++) {
        result.count[i] = tiers[i].times.count;
        result.requests += tiers[i].times.count;
        result.mean_s[i] = 1e-9 * nf_histogram_mean(&tiers[i].times);
        nf_histogram_fini(&tiers[i].times);
        nf_mem_free(tiers[i].ring.at);
    }
    nf_queue_fini(&queue);
    return result;
}
