/*
 * servers.c - stations whose servers take one request (service distributions) or one batch (DNN) at a time.
 *
 * Batching, as a dynamic batcher does it: a free server takes the waiting requests of one model when they fill a batch, or when the
 * oldest of them has waited for the station's delay; delay 0 means that a free server takes at once whatever is there.
 */
#include "model/world.h"

static bool is_free(const struct nf_station *s, const struct nf_replica *p)
{
    return p->state == NF_REPLICA_READY && p->busy.level < (int64_t)s->spec->servers;
}

/* The first ready replica with a free server, or NF_NONE. */
static inline uint32_t free_replica(const struct nf_station *s)
{
    if (s->busy.level >= (int64_t)s->ready * s->spec->servers && s->draining == 0) {
        return NF_NONE;
    }
    for (uint32_t i = 0; i < s->replica_count; i++) {
        if (is_free(s, &s->replicas[i])) {
            return i;
        }
    }
    return NF_NONE;
}

static inline void occupy(struct nf_world *w, struct nf_station *s, uint32_t replica)
{
    nf_level_up(&s->replicas[replica].busy, w->now);
    nf_level_up(&s->busy, w->now);
}

static inline void vacate(struct nf_world *w, struct nf_station *s, uint32_t replica)
{
    struct nf_replica *p = &s->replicas[replica];
    nf_level_down(&p->busy, w->now);
    nf_level_down(&s->busy, w->now);
    if (NF_UNLIKELY(p->state == NF_REPLICA_DRAINING && p->busy.level == 0)) {
        nf__pool_idle(w, s, replica);
    }
}

/* ---- one request a server ---- */

/* By a server that is occupied already. */
static void serve(struct nf_world *w, struct nf_station *s, struct nf_request *r,
                  uint32_t replica)
{
    nf__station_start(w, s, r);
    r->replica = replica;
    nf_time service = s->spec->speed == 1
                          ? r->service_ns
                          : nf_time_of_s(nf_time_s(r->service_ns) / s->spec->speed);
    nf_time at = service >= NF_TIME_NEVER - w->now ? NF_TIME_NEVER : w->now + service;
    nf__schedule(w, at, NF_EV_SERVICE_END, r->self, s->index);
}

void nf__servers_arrive(struct nf_world *w, struct nf_station *s, struct nf_request *r)
{
    if (s->spec->kind == NF_STATION_BATCH) {
        nf__station_wait(w, s, r, r->hosting);
        nf__batch_dispatch(w, s);
        return;
    }
    uint32_t replica = s->waiting.level == 0 ? free_replica(s) : NF_NONE;
    if (replica != NF_NONE) {
        occupy(w, s, replica);
        serve(w, s, r, replica);
    } else {
        nf__station_wait(w, s, r, 0);
    }
}

/* ---- one batch a server ---- */

static uint32_t slot_new(struct nf_station *s)
{
    if (s->slot_free == NF_NONE) {
        uint32_t old = s->slot_count;
        s->slot_count = old ? 2 * old : 8;
        s->slots = nf_mem_resize(s->slots, s->slot_count, sizeof(*s->slots));
        for (uint32_t i = old; i < s->slot_count; i++) {
            s->slots[i].next_free = i + 1 < s->slot_count ? i + 1 : NF_NONE;
        }
        s->slot_free = old;
    }
    uint32_t slot = s->slot_free;
    s->slot_free = s->slots[slot].next_free;
    return slot;
}

/* When the oldest request of a list has waited enough; NF_TIME_NEVER for an empty list. */
static nf_time due_time(const struct nf_world *w, const struct nf_station *s, size_t list)
{
    const struct nf_wait_list *q = &s->lists[list];
    if (q->head == NF_NONE) {
        return NF_TIME_NEVER;
    }
    if (q->count >= s->spec->batch_max) {
        return w->now;
    }
    nf_time delay = s->spec->batch_delay;
    nf_time entered = nf__request(w, q->head)->entered;
    return delay == NF_TIME_NEVER ? NF_TIME_NEVER : entered + delay;
}

/* The list whose batch may start now, the one with the oldest request first; or NF_NONE, and the time of the next one in *due. */
static uint32_t ready_list(const struct nf_world *w, const struct nf_station *s,
                           nf_time *due)
{
    uint32_t best = NF_NONE;
    *due = NF_TIME_NEVER;
    for (uint32_t i = 0; i < s->spec->hosting_count; i++) {
        nf_time at = due_time(w, s, i);
        *due = at < *due ? at : *due;
        if (at <= w->now &&
            (best == NF_NONE || nf__request(w, s->lists[i].head)->entered <
                                    nf__request(w, s->lists[best].head)->entered)) {
            best = i;
        }
    }
    return best;
}

static void begin_batch(struct nf_world *w, struct nf_station *s, uint32_t list,
                        uint32_t replica)
{
    uint32_t slot = slot_new(s);
    struct nf_wait_list *q = &s->lists[list];
    uint32_t count = 0;
    uint32_t first = q->head;
    uint32_t last = NF_NONE;
    while (q->head != NF_NONE && count < s->spec->batch_max) {
        struct nf_request *r = nf__request(w, q->head);
        nf__station_unwait(w, s, r, list);
        nf__station_start(w, s, r);
        r->prev = NF_NONE;
        r->next = NF_NONE;
        r->chain = NF_NONE;
        if (last != NF_NONE) {
            nf__request(w, last)->chain = r->self;
        }
        last = r->self;
        count++;
    }
    s->slots[slot] = (struct nf_batch_slot){first, count, replica, NF_NONE};
    s->iterations++;
    s->batched += count;
    occupy(w, s, replica);
    double seconds = nf_dnn_batch_s(&s->spec->hostings[list].dnn, count) / s->spec->speed;
    nf__schedule(w, w->now + nf_time_of_s(seconds), NF_EV_SERVICE_END, slot, s->index);
}

void nf__batch_dispatch(struct nf_world *w, struct nf_station *s)
{
    nf_time due = NF_TIME_NEVER;
    while (s->waiting.level > 0) {
        uint32_t replica = free_replica(s);
        if (replica == NF_NONE) {
            return; /* the next free server comes back here */
        }
        uint32_t list = ready_list(w, s, &due);
        if (list == NF_NONE) {
            break;
        }
        begin_batch(w, s, list, replica);
    }
    if (s->waiting.level > 0 && due != NF_TIME_NEVER && due != s->timer_at) {
        s->timer_at = due;
        nf__schedule(w, due, NF_EV_BATCH_TIMER, s->index, ++s->timer_generation);
    }
}

static void end_batch(struct nf_world *w, struct nf_station *s, uint32_t slot)
{
    struct nf_batch_slot b = s->slots[slot];
    s->slots[slot].next_free = s->slot_free;
    s->slot_free = slot;
    vacate(w, s, b.replica);
    for (uint32_t ix = b.first; ix != NF_NONE;) {
        struct nf_request *r = nf__request(w, ix);
        ix = r->chain;
        if (r->state == NF_R_ZOMBIE) {
            nf__request_free(w, r);
        } else {
            nf__station_done(w, s, r);
        }
    }
    nf__batch_dispatch(w, s);
}

/* ---- ends, and what a free server does next ---- */

/* As nf__station_unwait, of the oldest. */
static inline struct nf_request *next_waiting(struct nf_world *w, struct nf_station *s)
{
    struct nf_wait_list *q = &s->lists[0];
    struct nf_request *r = nf__request(w, q->head);
    q->head = r->next;
    if (r->next == NF_NONE) {
        q->tail = NF_NONE;
    } else {
        nf__request(w, r->next)->prev = NF_NONE;
    }
    r->next = NF_NONE;
    q->count--;
    nf_level_down(&s->waiting, w->now);
    return r;
}

void nf__servers_fill(struct nf_world *w, struct nf_station *s)
{
    if (s->spec->kind == NF_STATION_BATCH) {
        nf__batch_dispatch(w, s);
        return;
    }
    while (s->waiting.level > 0) {
        uint32_t replica = free_replica(s);
        if (replica == NF_NONE) {
            return;
        }
        occupy(w, s, replica);
        serve(w, s, next_waiting(w, s), replica);
    }
}

/* While one waits no ready server is free, so this one stays occupied and takes the oldest. Who waits is asked before the request
 * leaves: stages that it offers may come straight back and take the server, or wait. */
void nf__servers_end(struct nf_world *w, uint32_t station, uint32_t target)
{
    struct nf_station *s = &w->stations[station];
    if (s->spec->kind == NF_STATION_BATCH) {
        end_batch(w, s, target);
        return;
    }
    struct nf_request *r = nf__request(w, target);
    uint32_t replica = r->replica;
    bool is_next = s->waiting.level > 0 && s->replicas[replica].state == NF_REPLICA_READY;
    if (!is_next) {
        vacate(w, s, replica);
    }
    if (NF_UNLIKELY(r->state == NF_R_ZOMBIE)) {
        nf__request_free(w, r);
    } else {
        nf__station_done(w, s, r);
    }
    if (is_next) {
        serve(w, s, next_waiting(w, s), replica);
    }
}
