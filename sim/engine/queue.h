/*
 * queue.h - the pending-event set of one world, totally ordered by (time, priority, sequence).
 *
 * What:   push, peek and pop. Equal times run in order of priority (lower first), then of scheduling.
 *         The near events stand sorted in a short array, the run: pop takes its head, push inserts from its tail. Events at or
 *         after `limit` wait unsorted in a radix heap (queue.c) that hands the run its next few events when it is used up.
 *         A set that fits the run never touches the radix heap. Pop and push together cost what a replace would: there is none.
 * Why:    chosen by measurement (bench/README.md has the table): it holds its speed from 3 to 100 000 pending events and for
 *         tied, constant, bimodal and exponential increments alike.
 * Cost:   a push into the run moves the events that come after the new one; elsewhere it appends. Memory comes in slabs that
 *         double, to 33 bytes an event of the largest size so far and one partly filled chunk of 1 kB for each bucket in
 *         use; a set that fits the run allocates nothing.
 * Owner:  caller owns struct nf_queue; memory is heap memory until nf_queue_fini.
 * Units:  times are nf_time, never negative.
 * Cancel: none. An event that may become void carries a generation in `arg`, and its handler compares (lazy cancellation).
 * Errors: scheduling before the time of the last popped event is our bug (NF_ASSERT).
 *
 * Invariants:
 *   1. run[head .. tail) is sorted, and all of it comes before `limit`.
 *   2. Every event outside the run is at or after `limit`.
 *   3. While nothing waits outside the run, `limit` is after everything.
 */
#ifndef NF_ENGINE_QUEUE_H
#define NF_ENGINE_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "engine/time.h"

struct nf_event {
    nf_time time;
    /* priority in the top 8 bits, sequence below; filled by nf_queue_push */
    uint64_t order;
    uint32_t kind;   /* what happens: the world's enum */
    uint32_t target; /* to whom: index of source, station, request, ... */
    uint64_t arg;    /* free for the handler (generation, server index) */
};

enum { NF_QUEUE_RUN = 64 };

struct nf_queue_far; /* the radix heap */

struct nf_queue {
    uint32_t head, tail;
    nf_time last; /* time of the last popped event */
    uint64_t sequence;
    /* only its time and order count; times compare as unsigned, and no limit is -1 */
    struct nf_event limit;
    struct nf_queue_far *far; /* NULL until the run overflows for the first time */
    struct nf_event run[NF_QUEUE_RUN];
};

void nf_queue_init(struct nf_queue *q);
void nf_queue_fini(struct nf_queue *q);

/* Events pending. */
uint64_t nf_queue_count(const struct nf_queue *q);

/* The rare halves of push, pop and peek. */
void nf_queue_push_far(struct nf_queue *q,
                       const struct nf_event *e); /* e is at or after `limit` */
void nf_queue_make_room(struct nf_queue *q);      /* the run's array is full to its end */
bool nf_queue_refill(struct nf_queue *q); /* the run is empty; false when it stays so */

/* Does an event at (time, order) come before *b? As one number: a single comparison, a single branch. */
static inline bool nf_queue_is_before(nf_time time, uint64_t order,
                                      const struct nf_event *b)
{
#ifdef __SIZEOF_INT128__
    __extension__ typedef unsigned __int128 wide;
    return ((wide)(uint64_t)time << 64 | order) <
           ((wide)(uint64_t)b->time << 64 | b->order);
#else
    return time != b->time ? (uint64_t)time < (uint64_t)b->time : order < b->order;
#endif
}

static inline void nf_queue_push(struct nf_queue *q, nf_time time, unsigned priority,
                                 uint32_t kind, uint32_t target, uint64_t arg)
{
    NF_ASSERT(time >= q->last && priority < 256);
    uint64_t order = (uint64_t)priority << 56 | q->sequence++;
    if (NF_UNLIKELY(q->tail == NF_QUEUE_RUN)) {
        nf_queue_make_room(q);
    }
    if (!nf_queue_is_before(time, order, &q->limit)) {
        nf_queue_push_far(q, &(struct nf_event){time, order, kind, target, arg});
        return;
    }
    struct nf_event *place = &q->run[q->tail++];
    const struct nf_event *head = &q->run[q->head];
    for (; place > head && nf_queue_is_before(time, order, place - 1); place--) {
        *place = place[-1];
    }
    /* Field by field: a copy made elsewhere first would be read back in wider pieces than it was written, and wait. */
    *place = (struct nf_event){time, order, kind, target, arg};
}

/* The next event; false when the set is empty. */
static inline bool nf_queue_pop(struct nf_queue *q, struct nf_event *out)
{
    if (q->head == q->tail && !nf_queue_refill(q)) {
        return false;
    }
    *out = q->run[q->head++];
    q->last = out->time;
    return true;
}

/* The next event that is not after `until`; false when there is none. */
static inline bool nf_queue_pop_until(struct nf_queue *q, nf_time until,
                                      struct nf_event *out)
{
    if ((q->head == q->tail && !nf_queue_refill(q)) || q->run[q->head].time > until) {
        return false;
    }
    *out = q->run[q->head++];
    q->last = out->time;
    return true;
}

/* Time of the next event, NF_TIME_NEVER when there is none. (Not const: the run may have to be refilled to know.) */
static inline nf_time nf_queue_next_time(struct nf_queue *q)
{
    if (q->head == q->tail && !nf_queue_refill(q)) {
        return NF_TIME_NEVER;
    }
    return q->run[q->head].time;
}

#endif
