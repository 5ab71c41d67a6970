/*
 * queue.h - the pending-event set of one world, totally ordered by (time, priority, sequence).
 *
 * What:   push, peek and pop. Equal times run in order of priority (lower first), then of scheduling.
 * Why:    chosen by measurement (bench/README.md has the table): the structure must hold its speed from 3 to 100 000 pending
 *         events and for tied, constant, bimodal and exponential increments alike.
 * Cost:   allocates only when the set grows past its largest size so far; nothing on the hot path.
 * Owner:  caller owns struct nf_queue; memory is heap memory until nf_queue_fini.
 * Cancel: none. An event that may become void carries a generation in `arg`, and its handler compares (lazy cancellation).
 * Errors: scheduling before the time of the last popped event is our bug (NF_ASSERT).
 */
#ifndef NF_ENGINE_QUEUE_H
#define NF_ENGINE_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/time.h"

struct nf_event {
    nf_time time;
    uint64_t order; /* priority in the top 8 bits, sequence below; filled by nf_queue_push */
    uint32_t kind;   /* what happens: the world's enum */
    uint32_t target; /* to whom: index of source, station, request, ... */
    uint64_t arg;    /* free for the handler (generation, server index) */
};

struct nf_queue {
    struct nf_event *heap; /* the representation is the queue's own business */
    uint64_t count, cap, sequence;
    nf_time last; /* time of the last popped event */
};

void nf_queue_init(struct nf_queue *q);
void nf_queue_fini(struct nf_queue *q);
void nf_queue_push(struct nf_queue *q, nf_time time, unsigned priority, uint32_t kind,
                   uint32_t target, uint64_t arg);
/* The next event; false when the set is empty. */
bool nf_queue_pop(struct nf_queue *q, struct nf_event *out);
/* Time of the next event, NF_TIME_NEVER when there is none. */
nf_time nf_queue_next_time(const struct nf_queue *q);

#endif
