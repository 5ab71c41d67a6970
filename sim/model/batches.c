/*
 * batches.c - stations whose GPUs compute batches of requests.
 *
 * batcher.h says which waiting requests form the next batch. A batch goes through three engines of its GPU, each of which works on one
 * batch at a time: the host prepares it, the copy engine moves its inputs, the GPU computes; at last the host finishes it, beside
 * everything else. With one batch under way a GPU (streams 1) these times add up; with more, they overlap.
 */
#include "model/world.h"

/* ---- which GPU ---- */

/* Where a batch runs: GPU `gpu` of the station, which belongs to `replica`. */
struct place {
    uint32_t replica, gpu;
};

bool nf__batch_has_room(const struct nf_station *s)
{
    return s->in_flight < (int64_t)s->ready * s->in_flight_max;
}

/* The GPU of a ready replica with the fewest batches under way, the first of equals. False when all have as many as they may. */
static bool find_gpu(const struct nf_station *s, struct place *out)
{
    uint32_t servers = s->spec->servers;
    uint32_t best = (uint32_t)(s->in_flight_max / servers);
    bool is_found = false;
    if (!nf__batch_has_room(s) && s->draining == 0) {
        return false;
    }
    for (uint32_t i = 0; i < s->replica_end; i++) {
        if (s->replicas[i].state != NF_REPLICA_READY) {
            continue;
        }
        for (uint32_t k = i * servers; k < (i + 1) * servers; k++) {
            if (s->gpus[k].in_flight >= best) {
                continue;
            }
            *out = (struct place){i, k};
            is_found = true;
            best = s->gpus[k].in_flight;
            if (best == 0) {
                return true;
            }
        }
    }
    return is_found;
}

static void occupy(struct nf_world *w, struct nf_station *s, struct place at)
{
    s->in_flight++;
    if (s->gpus[at.gpu].in_flight++ == 0) {
        nf_level_up(&s->replicas[at.replica].busy, w->now);
        nf_level_up(&s->busy, w->now);
    }
}

static void vacate(struct nf_world *w, struct nf_station *s, struct place at)
{
    struct nf_replica *p = &s->replicas[at.replica];
    s->in_flight--;
    if (--s->gpus[at.gpu].in_flight > 0) {
        return;
    }
    nf_level_down(&p->busy, w->now);
    nf_level_down(&s->busy, w->now);
    if (NF_UNLIKELY(p->state == NF_REPLICA_DRAINING && p->busy.level == 0)) {
        nf__pool_idle(w, s, at.replica);
    }
}

/* ---- who waits ---- */

/* It came in, and is turned away. */
static void turn_away(struct nf_world *w, struct nf_station *s, struct nf_request *r)
{
    r->wait += w->now - r->entered;
    r->prev = NF_NONE;
    r->next = NF_NONE;
    nf__station_leave(w, s, r);
    s->rejections++;
    s->expired++;
    nf__gateway_rejected(w, r);
}

static void turn_away_late(struct nf_world *w, struct nf_station *s)
{
    for (uint32_t i = 0; i < s->spec->hosting_count; i++) {
        for (uint32_t ix;
             (ix = nf_batcher_expire(&s->batchers[i], w->now)) != NF_BATCHER_NONE;) {
            struct nf_request *r = nf__request(w, ix);
            nf__station_unwait(w, s, r, i);
            turn_away(w, s, r);
        }
    }
}

void nf__batch_arrive(struct nf_world *w, struct nf_station *s, struct nf_request *r)
{
    const struct nf_class_spec *c = &w->spec->classes[r->class_ix];
    struct nf_batch_item item = {.id = r->self,
                                 .size = 1,
                                 .priority = c->priority,
                                 .timeout = nf_time_of_s(c->queue_timeout_s)};
    uint32_t handle = nf_batcher_put(&s->batchers[r->hosting], w->now, &item);
    if (handle == NF_BATCHER_NONE) {
        turn_away(w, s, r);
        return;
    }
    nf__station_wait(w, s, r, r->hosting);
    r->chain = handle;
    nf__batch_dispatch(w, s);
}

void nf__batch_forget(struct nf_station *s, const struct nf_request *r)
{
    nf_batcher_remove(&s->batchers[r->hosting], r->chain);
}

/* ---- a batch under way ---- */

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

/* An engine that is free at *free takes the batch at `from` for `seconds`; returns when it is through. */
static nf_time pass(nf_time *free, nf_time from, double seconds)
{
    nf_time start = *free > from ? *free : from;
    *free = seconds > 0 ? start + nf_time_of_s(seconds) : start;
    return *free;
}

static void begin_batch(struct nf_world *w, struct nf_station *s, uint32_t list,
                        uint32_t count, struct place at)
{
    const struct nf_dnn_cost *cost = &s->spec->hostings[list].dnn;
    struct nf_batch_gpu *gpu = &s->gpus[at.gpu];
    uint32_t slot = slot_new(s);
    uint32_t first = NF_NONE, last = NF_NONE;
    for (uint32_t i = 0; i < count; i++) {
        struct nf_request *r = nf__request(w, nf_batcher_take(&s->batchers[list]));
        nf__station_unwait(w, s, r, list);
        nf__station_start(w, s, r);
        r->prev = NF_NONE;
        r->next = NF_NONE;
        r->chain = NF_NONE;
        if (last == NF_NONE) {
            first = r->self;
        } else {
            nf__request(w, last)->chain = r->self;
        }
        last = r->self;
    }
    s->slots[slot] = (struct nf_batch_slot){
        first, count, at.replica, at.gpu, NF_NONE, nf_time_of_s(cost->finish_s * count)};
    s->iterations++;
    s->batched += count;
    unsigned outside = nf_dnn_outside(cost, count);
    s->outside += outside != 0;
    s->outside_kinds |= outside;
    occupy(w, s, at);
    nf_time ready = pass(&gpu->host_free, w->now, cost->prepare_s * count);
    ready = pass(&gpu->copy_free, ready, cost->copy_s * count);
    ready = pass(&gpu->compute_free, ready, nf_dnn_batch_s(cost, count) / s->spec->speed);
    nf__schedule(w, ready, NF_EV_SERVICE_END, slot, s->index);
}

/* Between models that share the GPUs, as within one: the higher priority, then the oldest request. */
static bool comes_before(const struct nf_world *w, const struct nf_station *s, uint32_t a,
                         uint32_t b)
{
    uint64_t level_a = nf_batcher_level(&s->batchers[a]);
    uint64_t level_b = nf_batcher_level(&s->batchers[b]);
    return level_a != level_b ? level_a < level_b
                              : nf__request(w, s->lists[a].head)->entered <
                                    nf__request(w, s->lists[b].head)->entered;
}

/* The hosting whose batch starts next; NF_NONE when none may now, and when to look again in *wake. */
static uint32_t ready_list(const struct nf_world *w, struct nf_station *s,
                           uint32_t *count, nf_time *wake)
{
    uint32_t best = NF_NONE;
    *wake = NF_TIME_NEVER;
    for (uint32_t i = 0; i < s->spec->hosting_count; i++) {
        struct nf_batch_choice c = nf_batcher_next(&s->batchers[i], w->now);
        *wake = c.wake < *wake ? c.wake : *wake;
        if (c.count > 0 && (best == NF_NONE || comes_before(w, s, i, best))) {
            best = i;
            *count = c.count;
        }
    }
    return best;
}

static nf_time next_expiry(const struct nf_station *s)
{
    nf_time wake = NF_TIME_NEVER;
    for (uint32_t i = 0; s->has_time_limits && i < s->spec->hosting_count; i++) {
        nf_time at = nf_batcher_expiry(&s->batchers[i]);
        wake = at < wake ? at : wake;
    }
    return wake;
}

void nf__batch_dispatch(struct nf_world *w, struct nf_station *s)
{
    nf_time wake = NF_TIME_NEVER;
    struct place at;
    if (s->has_time_limits) {
        turn_away_late(w, s);
    }
    while (s->waiting.level > 0) {
        uint32_t count = 0;
        if (!find_gpu(s, &at)) {
            wake = next_expiry(s); /* the next free GPU comes back here */
            break;
        }
        uint32_t list = ready_list(w, s, &count, &wake);
        if (list == NF_NONE) {
            break;
        }
        begin_batch(w, s, list, count, at);
    }
    if (s->waiting.level > 0 && wake != NF_TIME_NEVER && wake != s->timer_at) {
        s->timer_at = wake;
        nf__schedule(w, wake, NF_EV_BATCH_TIMER, s->index, ++s->timer_generation);
    }
}

/* The GPU is through; the batch is when the host is, too. */
void nf__batch_end(struct nf_world *w, struct nf_station *s, uint32_t slot)
{
    struct nf_batch_slot b = s->slots[slot];
    bool is_computed = b.finish_ns < 0;
    if (!is_computed) {
        vacate(w, s, (struct place){b.replica, b.gpu});
    }
    if (b.finish_ns > 0) {
        s->slots[slot].finish_ns = -1;
        nf__schedule(w, w->now + b.finish_ns, NF_EV_SERVICE_END, slot, s->index);
    } else {
        s->slots[slot].next_free = s->slot_free;
        s->slot_free = slot;
        for (uint32_t ix = b.first; ix != NF_NONE;) {
            struct nf_request *r = nf__request(w, ix);
            ix = r->chain;
            if (r->state == NF_R_ZOMBIE) {
                nf__request_free(w, r);
            } else {
                nf__station_done(w, s, r);
            }
        }
    }
    if (!is_computed) {
        nf__batch_dispatch(w, s);
    }
}

/* ---- begin and end of a world ---- */

static bool limits_time(const struct nf_batcher_spec *b)
{
    bool is_limited = b->policy.timeout > 0;
    for (size_t i = 0; i < b->level_policy_count; i++) {
        is_limited |= b->level_policy[i].policy.timeout > 0;
    }
    return is_limited;
}

void nf__batch_init(struct nf_world *w, struct nf_station *s)
{
    const struct nf_station_spec *spec = s->spec;
    const struct nf_batcher_spec *rules = spec->batcher;
    if (rules == NULL) {
        struct nf_batcher_spec *plain = NF_NEW(w->arena, struct nf_batcher_spec);
        *plain = (struct nf_batcher_spec){.max_batch = spec->batch_max,
                                          .delay = spec->batch_delay};
        rules = plain;
    }
    s->has_time_limits = limits_time(rules);
    s->batchers = NF_NEW_ARRAY(w->arena, spec->hosting_count, struct nf_batcher);
    for (size_t i = 0; i < spec->hosting_count; i++) {
        nf_batcher_init(&s->batchers[i], rules);
    }
    s->in_flight_max =
        (int64_t)spec->servers * (spec->batch_streams > 0 ? spec->batch_streams : 1);
    s->gpus = NF_NEW_ARRAY(w->arena, (size_t)s->replica_count * spec->servers,
                           struct nf_batch_gpu);
}

void nf__batch_fini(struct nf_station *s)
{
    nf_mem_free(s->slots);
    for (size_t i = 0; s->batchers != NULL && i < s->spec->hosting_count; i++) {
        nf_batcher_fini(&s->batchers[i]);
    }
}
