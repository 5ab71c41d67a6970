/*
 * station.c - what all stations share: the queue with its limit, and the meters at its door.
 *
 * A request at a station is waiting (in a list, in order of arrival) or in service. The queue limit counts those that wait. Who may
 * start is the business of servers.c, llm.c and priced.c.
 */
#include "model/world.h"

#include "base/hash.h"

double nf__station_load(const struct nf_station *s)
{
    double servers =
        s->spec->kind == NF_STATION_PRICED ? 1 : (double)s->ready * s->spec->servers;
    return (double)(s->waiting.level + s->in_service.level) /
           (servers > 0 ? servers : 1e-9);
}

/* ---- meters at the door ---- */

static void enter(struct nf_world *w, struct nf_station *s, struct nf_request *r)
{
    r->entered = w->now;
    s->arrivals++;
}

/* ---- in and out ---- */

static bool is_full(const struct nf_station *s)
{
    return s->waiting.level >= s->spec->queue_limit;
}

/* Could it start at once? Then the queue's limit does not matter. */
static bool has_free_server(const struct nf_station *s)
{
    if (s->spec->kind == NF_STATION_PRICED) {
        return true;
    }
    if (s->waiting.level > 0 || s->ready == 0 || s->spec->kind == NF_STATION_LLM) {
        return false;
    }
    if (s->spec->kind == NF_STATION_BATCH) {
        return nf__batch_has_room(s);
    }
    return s->busy.level < (int64_t)s->ready * s->spec->servers;
}

static void reject(struct nf_world *w, struct nf_station *s, struct nf_request *r)
{
    s->rejections++;
    nf__gateway_rejected(w, r);
}

void nf__station_arrive(struct nf_world *w, struct nf_request *r)
{
    struct nf_station *s = &w->stations[r->station];
    if (NF_UNLIKELY(s->waiting.level >= s->spec->queue_limit) && is_full(s) &&
        !has_free_server(s)) {
        reject(w, s, r);
        return;
    }
    if (s->spec->kind == NF_STATION_PRICED &&
        (s->in_service.level >= s->spec->concurrency_limit ||
         (s->spec->rate_limit > 0 &&
          nf_token_bucket_take(&s->bucket, w->now, 1, false) < 1))) {
        reject(w, s, r);
        return;
    }
    enter(w, s, r);
    switch (s->spec->kind) {
    case NF_STATION_SERVERS:
        nf__servers_arrive(w, s, r);
        break;
    case NF_STATION_BATCH:
        nf__batch_arrive(w, s, r);
        break;
    case NF_STATION_LLM:
        nf__llm_arrive(w, s, r);
        break;
    case NF_STATION_PRICED:
    default:
        nf__priced_arrive(w, s, r);
        break;
    }
}

void nf__station_done(struct nf_world *w, struct nf_station *s, struct nf_request *r)
{
    r->service += w->now - r->began;
    nf_level_down(&s->in_service, w->now);
    nf__station_leave(w, s, r);
    nf__link_down(w, r);
}

void nf__station_fail(struct nf_world *w, struct nf_station *s, struct nf_request *r)
{
    nf__station_leave(w, s, r);
    nf__request_end(w, r, NF_FAILED, w->now + r->return_ns);
    nf__request_free(w, r);
}

/* The client gave up (the request is a zombie with its outcome recorded): it leaves the station's books now. A waiting request is
 * gone; one in service keeps its server busy until the end (servers, batches) or the end of the iteration (LLM). */
void nf__station_cancel(struct nf_world *w, struct nf_request *r)
{
    struct nf_station *s = &w->stations[r->station];
    bool was_waiting = r->prev != NF_NONE || r->next != NF_NONE;
    uint32_t list = s->spec->kind == NF_STATION_BATCH ? r->hosting : 0;
    if (s->spec->kind != NF_STATION_PRICED) {
        was_waiting |= s->lists[list].head == r->self;
    }
    nf__station_leave(w, s, r);
    if (!was_waiting) {
        nf_level_down(&s->in_service, w->now);
    } else {
        nf__station_unwait(w, s, r, list);
        if (s->spec->kind == NF_STATION_BATCH) {
            nf__batch_forget(s, r);
        }
    }
    if (s->spec->kind == NF_STATION_LLM) {
        nf__llm_cancel(w, s, r);
    } else if (was_waiting) {
        nf__request_free(w, r);
    }
}

void nf__station_capacity_changed(struct nf_world *w, struct nf_station *s)
{
    if (s->spec->kind == NF_STATION_LLM) {
        nf__llm_assign(w, s);
    } else if (s->spec->kind == NF_STATION_BATCH) {
        nf__batch_dispatch(w, s);
    } else {
        nf__servers_fill(w, s);
    }
}

void nf__station_init(struct nf_world *w)
{
    w->stations = NF_NEW_ARRAY(w->arena, w->spec->station_count, struct nf_station);
    for (uint32_t i = 0; i < w->spec->station_count; i++) {
        struct nf_station *s = &w->stations[i];
        s->spec = &w->spec->stations[i];
        s->index = i;
        s->name_hash =
            nf_hash_name(nf_arena_printf(w->arena, "stations.%s", s->spec->name));
        size_t lists = s->spec->kind == NF_STATION_BATCH ? s->spec->hosting_count : 1;
        s->lists = NF_NEW_ARRAY(w->arena, lists, struct nf_wait_list);
        for (size_t k = 0; k < lists; k++) {
            s->lists[k] = (struct nf_wait_list){NF_NONE, NF_NONE, 0};
        }
        s->first_unassigned = NF_NONE;
        s->slot_free = NF_NONE;
        nf__pool_init(w, s);
        if (s->spec->kind == NF_STATION_BATCH) {
            nf__batch_init(w, s);
        }
        if (s->spec->kind == NF_STATION_PRICED && s->spec->rate_limit > 0) {
            nf_token_bucket_init(&s->bucket, s->spec->rate_burst, s->spec->rate_limit, 0);
        }
    }
}
