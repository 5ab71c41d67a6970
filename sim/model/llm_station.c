/*
 * llm_station.c - from the station's queue to the engines of its replicas: which replica accepts a request, and what it is at the door.
 */
#include "model/world.h"

void nf__llm_set_busy(struct nf_world *w, struct nf_station *s, uint32_t replica,
                      bool is_busy)
{
    struct nf_replica *p = &s->replicas[replica];
    if (is_busy && p->busy.level == 0) {
        nf_level_up(&s->busy, w->now);
        nf_level_up(&p->busy, w->now);
    } else if (!is_busy && p->busy.level > 0) {
        nf_level_down(&s->busy, w->now);
        nf_level_down(&p->busy, w->now);
    }
}

/* The ready replica with the fewest requests that has room for one more sequence. Where priorities decide, every request has to be known
 * to the scheduler of an engine. */
static uint32_t best_replica(const struct nf_station *s)
{
    const struct nf_llm_cost *cost = &s->spec->hostings[0].llm;
    uint32_t best = NF_NONE;
    uint32_t fewest = cost->by_priority ? UINT32_MAX : cost->max_sequences;
    for (uint32_t i = 0; i < s->replica_end; i++) {
        const struct nf_replica *p = &s->replicas[i];
        if (p->state == NF_REPLICA_READY && p->inside < fewest) {
            best = i;
            fewest = p->inside;
        }
    }
    return best;
}

void nf__llm_assign(struct nf_world *w, struct nf_station *s)
{
    while (s->first_unassigned != NF_NONE) {
        uint32_t replica = best_replica(s);
        if (replica == NF_NONE) {
            return;
        }
        struct nf_request *r = nf__request(w, s->first_unassigned);
        s->first_unassigned = r->next;
        r->replica = replica;
        s->replicas[replica].inside++;
        if (s->replicas[replica].planned != NULL) {
            nf__llm_planned_accept(w, s, replica, r);
        } else {
            nf__llm_plain_accept(w, s, replica, r);
        }
    }
}

void nf__llm_arrive(struct nf_world *w, struct nf_station *s, struct nf_request *r)
{
    const struct nf_llm_cost *cost = &s->spec->hostings[r->hosting].llm;
    uint64_t tokens = (uint64_t)r->input_tokens + r->output_tokens;
    if (tokens > (cost->kv_blocks - 1) * cost->block_tokens) {
        nf__station_fail(w, s, r); /* longer than the whole KV cache */
        return;
    }
    r->replica = NF_NONE;
    r->is_started = false;
    r->computed = r->generated = r->blocks = 0;
    r->decode_start = r->finish_clock = 0;
    nf__station_wait(w, s, r, 0);
    if (s->first_unassigned == NF_NONE) {
        s->first_unassigned = r->self;
    }
    nf__llm_assign(w, s);
}

void nf__llm_cancel(struct nf_world *w, struct nf_station *s, struct nf_request *r)
{
    if (r->replica == NF_NONE) {
        nf__request_free(w, r);
        return;
    }
    struct nf_replica *p = &s->replicas[r->replica];
    if (p->planned != NULL ? nf__llm_planned_cancel(w, s, r)
                           : nf__llm_plain_cancel(w, s, r)) {
        p->inside--;
        nf__request_free(w, r);
        nf__llm_assign(w, s);
    }
}

void nf__llm_step_end(struct nf_world *w, uint32_t station, uint64_t arg)
{
    struct nf_station *s = &w->stations[station];
    uint32_t replica = (uint32_t)(arg >> 32);
    if (s->replicas[replica].planned != NULL) {
        nf__llm_planned_step_end(w, s, replica, (uint32_t)arg);
    } else {
        nf__llm_plain_step_end(w, s, replica, (uint32_t)arg);
    }
}

/* ---- meters ---- */

void nf__llm_meters_start(struct nf_station *s)
{
    for (uint32_t i = 0; i < s->replica_count && s->spec->kind == NF_STATION_LLM; i++) {
        struct nf_llm_planned *p = s->replicas[i].planned;
        if (p != NULL) {
            p->asked_before = p->scheduler.asked_tokens;
            p->hit_before = p->scheduler.hit_tokens;
        }
    }
}

bool nf__llm_prefix_tokens(const struct nf_station *s, uint64_t *asked, uint64_t *hit)
{
    *asked = *hit = 0;
    if (s->spec->kind != NF_STATION_LLM || !s->spec->hostings[0].llm.has_prefix_cache) {
        return false;
    }
    for (uint32_t i = 0; i < s->replica_count; i++) {
        const struct nf_llm_planned *p = s->replicas[i].planned;
        *asked += p->scheduler.asked_tokens - p->asked_before;
        *hit += p->scheduler.hit_tokens - p->hit_before;
    }
    return true;
}

/* ---- engines ---- */

static bool needs_plans(const struct nf_world *w, const struct nf_llm_cost *c)
{
    return w->spec->llm_planned || c->has_prefix_cache || c->by_priority ||
           c->stages > 1 || c->draft_tokens > 0;
}

void nf__llm_init(struct nf_world *w, struct nf_station *s)
{
    const struct nf_llm_cost *cost = &s->spec->hostings[0].llm;
    NF_ASSERT(cost->kv_blocks > 1);
    s->front_end_ns = nf_time_of_s(cost->request_overhead_s);
    for (uint32_t i = 0; i < s->replica_count; i++) {
        if (needs_plans(w, cost)) {
            nf__llm_planned_init(w, s, i);
        } else {
            nf__llm_plain_init(w, s, i);
        }
    }
}

void nf__llm_fini(struct nf_station *s)
{
    for (uint32_t i = 0; i < s->replica_count && s->spec->kind == NF_STATION_LLM; i++) {
        struct nf_replica *p = &s->replicas[i];
        if (p->planned != NULL) {
            nf__llm_planned_fini(p);
        } else {
            nf__llm_plain_fini(p);
        }
    }
}
