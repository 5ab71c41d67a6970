/*
 * servers.c - stations whose servers take one request at a time, for a drawn time.
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
    for (uint32_t i = 0; i < s->replica_end; i++) {
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
    uint32_t replica = s->waiting.level == 0 ? free_replica(s) : NF_NONE;
    if (replica != NF_NONE) {
        occupy(w, s, replica);
        serve(w, s, r, replica);
    } else {
        nf__station_wait(w, s, r, 0);
    }
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
        nf__batch_end(w, s, target);
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
