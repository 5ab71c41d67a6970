/*
 * batcher.h - which waiting requests form the next batch: preferred sizes, delay, priorities, time limits in the queue.
 *
 * What:   the rules of Triton's dynamic batcher, as decisions about a queue; it knows no servers, events or models. The caller puts
 *         items in, asks for the next batch when a server is free, and takes as many items as the answer says.
 *         A batch goes out when it has a preferred size, cannot grow (largest size, another shape), or its oldest item has waited
 *         for the delay. Preferred sizes are looked for from the front: the largest that the waiting items reach wins.
 * Why:    what a batch waits for decides the latency of an edge detector more than the device does.
 * States of an item: queued -> (its time limit is over) delayed, behind the queued ones of its level, or expired -> gone; queued or
 *         delayed -> taken.
 * Invariants:
 *   1. A batch is a prefix of the order: levels rising, queued before delayed, each in order of arrival (delayed: of delaying).
 *   2. With neither priorities nor time limits the order is that of arrival.
 *   3. `count` is the number of queued and delayed items of all levels.
 *   4. The expiry list holds exactly the queued items that a level with NF_BATCH_REJECT gave a time limit, soonest first.
 * Cost:   put, remove, take O(1) (a put that overtakes other time limits walks past them); next O(items of the batch).
 * Owner:  the caller's struct; spec and its arrays must outlive it; nf_batcher_fini frees what it grew.
 * Units:  nf_time; sizes in samples.
 * Source: triton-inference-server/core@73aad7c, src/dynamic_batch_scheduler.cc and scheduler_utils.cc. Not imitated: batches that are
 *         prepared while all servers are busy (there a batch that reached a preferred size early is closed early), periodic polling
 *         (time limits act when they end, not at the next poll), tensors to compare beyond their shapes.
 */
#ifndef NF_MODEL_BATCHER_H
#define NF_MODEL_BATCHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/time.h"

#define NF_BATCHER_NONE UINT32_MAX

enum nf_batch_action { NF_BATCH_REJECT, NF_BATCH_DELAY };

struct nf_batch_policy {
    uint32_t max_queue; /* items of the level; 0: no limit */
    nf_time timeout;    /* in the queue; 0: none */
    enum nf_batch_action action;
    bool allow_override; /* an item may bring a shorter limit */
};

struct nf_batch_level_policy {
    uint64_t level;
    struct nf_batch_policy policy;
};

struct nf_batcher_spec {
    uint32_t max_batch;
    const uint32_t *preferred; /* none: max_batch */
    size_t preferred_count;
    /* 0: take what is there; NF_TIME_NEVER: wait until full or preferred */
    nf_time delay;
    bool equal_shapes;
    uint64_t levels, default_level; /* 0: no priorities; 1 is served first */
    struct nf_batch_policy policy;  /* of levels without one of their own */
    const struct nf_batch_level_policy *level_policy; /* level_policy_count of them */
    size_t level_policy_count;
};

struct nf_batch_item {
    uint32_t id;       /* the caller's */
    uint32_t size;     /* samples, at least 1 */
    uint64_t shape;    /* compared when equal_shapes */
    uint64_t priority; /* 0 or above `levels`: the default level */
    nf_time timeout;   /* its own limit, 0: none */
};

/* count 0: nothing to send. wake: ask again then, even when nothing changed; NF_TIME_NEVER: only when something did. */
struct nf_batch_choice {
    uint32_t count, size;
    nf_time wake;
};

struct nf_batcher_entry;
struct nf_batcher_level;

struct nf_batcher {
    const struct nf_batcher_spec *spec;
    struct nf_batcher_entry *entries;
    uint32_t entry_count, free_entry;
    struct nf_batcher_level *levels;
    uint32_t level_count, first_level;
    uint32_t expiry_head, expiry_tail;
    uint32_t count;
    uint32_t max_preferred;
};

void nf_batcher_init(struct nf_batcher *b, const struct nf_batcher_spec *spec);
void nf_batcher_fini(struct nf_batcher *b);

/* Puts a copy in; returns its handle, NF_BATCHER_NONE when its level is full. */
uint32_t nf_batcher_put(struct nf_batcher *b, nf_time now,
                        const struct nf_batch_item *item);

/* The item is gone (its client gave up). */
void nf_batcher_remove(struct nf_batcher *b, uint32_t handle);

/* Takes out one item whose time limit is over and whose level rejects; NF_BATCHER_NONE when there is none. Call it until then before
 * nf_batcher_next. */
uint32_t nf_batcher_expire(struct nf_batcher *b, nf_time now);

/* When nf_batcher_expire will have something, NF_TIME_NEVER: never. */
nf_time nf_batcher_expiry(const struct nf_batcher *b);

/* A server is free: what to start. */
struct nf_batch_choice nf_batcher_next(struct nf_batcher *b, nf_time now);

/* The level that is served next; 0 when nothing waits or there are no priorities. */
uint64_t nf_batcher_level(const struct nf_batcher *b);

/* Takes out the front item of the order and returns its id; `count` times after a choice. */
uint32_t nf_batcher_take(struct nf_batcher *b);

#endif
