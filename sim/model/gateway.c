/* gateway.c - which station serves a request: hard filters once, then the policy's choice; retries after a rejection. */
#include "model/world.h"

#include "base/hash.h"

/* ---- the stations a class at a site may use, in the policy's order ---- */

static uint32_t hosting_of(const struct nf_station_spec *s, uint32_t model)
{
    for (uint32_t i = 0; i < s->hosting_count; i++) {
        if (s->hostings[i].model == model) {
            return i;
        }
    }
    return NF_NONE;
}

/* The article's three variables in its order: residency (a hard rule, filtered before), model size, latency target. */
static enum nf_tier framework_tier(const struct nf_world_spec *spec,
                                   const struct nf_class_spec *c)
{
    const struct nf_gateway_spec *g = &spec->gateway;
    if (spec->models[c->model].parameters > g->edge_max_parameters) {
        return NF_TIER_CLOUD;
    }
    bool is_urgent = c->target_latency_s > 0 && c->target_latency_s <= g->edge_latency_s;
    is_urgent |= c->target_ttft_s > 0 && c->target_ttft_s <= g->edge_latency_s;
    return is_urgent ? NF_TIER_EDGE : NF_TIER_CLOUD;
}

/* Rank of a station under the policy: lower is preferred, negative means "not used". */
static int rank_of(const struct nf_world_spec *spec, const struct nf_class_spec *c,
                   uint32_t station)
{
    enum nf_tier tier = spec->stations[station].tier;
    const struct nf_gateway_spec *g = &spec->gateway;
    switch (g->policy) {
    case NF_POLICY_EDGE_ONLY:
        return tier == NF_TIER_EDGE ? 0 : -1;
    case NF_POLICY_CLOUD_ONLY:
        return tier == NF_TIER_CLOUD ? 0 : -1;
    case NF_POLICY_MAAS_ONLY:
        return tier == NF_TIER_MAAS ? 0 : -1;
    case NF_POLICY_DECISION_FRAMEWORK:
        if (framework_tier(spec, c) == NF_TIER_EDGE) {
            return (int)tier; /* edge, cloud, maas */
        }
        return tier == NF_TIER_CLOUD ? 0 : tier == NF_TIER_MAAS ? 1 : 2;
    case NF_POLICY_SPILLOVER:
    case NF_POLICY_WEIGHTED:
        for (size_t i = 0; i < g->order_count; i++) {
            if (g->order[i] == station) {
                return (int)i;
            }
        }
        return -1;
    case NF_POLICY_ROUND_ROBIN:
    case NF_POLICY_LEAST_LOADED:
    default:
        return 0;
    }
}

static double weight_of(const struct nf_gateway_spec *g, uint32_t station)
{
    for (size_t i = 0; i < g->order_count && g->policy == NF_POLICY_WEIGHTED; i++) {
        if (g->order[i] == station) {
            return g->weights[i];
        }
    }
    return 0;
}

static bool is_allowed(const struct nf_world_spec *spec, const struct nf_class_spec *c,
                       uint32_t site, uint32_t station)
{
    const struct nf_station_spec *s = &spec->stations[station];
    bool is_here = s->site >= 0 && (uint32_t)s->site == site;
    return hosting_of(s, c->model) != NF_NONE &&
           spec->route_link[site * spec->station_count + station] >= 0 &&
           (c->residency == NF_RESIDENCY_ANY || is_here);
}

static void choice_init(struct nf_world *w, uint32_t class_ix, uint32_t site)
{
    const struct nf_world_spec *spec = w->spec;
    const struct nf_class_spec *c = &spec->classes[class_ix];
    struct nf_choice *choice = &w->choices[class_ix * spec->site_count + site];
    choice->routes = NF_NEW_ARRAY(w->arena, spec->station_count, struct nf_route);
    int *ranks = NF_NEW_ARRAY(w->arena, spec->station_count, int);
    for (uint32_t station = 0; station < spec->station_count; station++) {
        int rank = rank_of(spec, c, station);
        if (rank < 0 || !is_allowed(spec, c, site, station)) {
            continue;
        }
        uint32_t at = choice->count++;
        while (at > 0 && ranks[at - 1] > rank) {
            choice->routes[at] = choice->routes[at - 1];
            ranks[at] = ranks[at - 1];
            at--;
        }
        ranks[at] = rank;
        uint32_t link = (uint32_t)spec->route_link[site * spec->station_count + station];
        choice->routes[at] =
            (struct nf_route){.station = station,
                              .hosting = hosting_of(&spec->stations[station], c->model),
                              .link = link,
                              .is_direct = w->links[link].is_wire &&
                                           w->stations[station].front_end_ns == 0};
    }
    if (spec->gateway.policy == NF_POLICY_DECISION_FRAMEWORK && choice->count > 0) {
        /* only the best tier that exists: the framework decides by class, not by load */
        uint32_t same = 1;
        while (same < choice->count && ranks[same] == ranks[0]) {
            same++;
        }
        choice->count = same;
    }
    double total = 0;
    for (uint32_t i = 0; i < choice->count; i++) {
        total += weight_of(&spec->gateway, choice->routes[i].station);
        choice->routes[i].cumulative_weight = total;
    }
}

void nf__gateway_init(struct nf_world *w)
{
    const struct nf_world_spec *spec = w->spec;
    nf_stream_init(&w->gateway_stream, spec->seed, w->replication, "gateway");
    w->weighted_hash = nf_hash_name("gateway/weighted");
    w->choices =
        NF_NEW_ARRAY(w->arena, spec->class_count * spec->site_count, struct nf_choice);
    for (uint32_t c = 0; c < spec->class_count; c++) {
        for (uint32_t site = 0; site < spec->site_count; site++) {
            choice_init(w, c, site);
        }
    }
}

/* ---- the choice ---- */

static uint32_t least_loaded(const struct nf_world *w, const struct nf_choice *choice)
{
    uint32_t best = 0;
    double best_load = nf__station_load(&w->stations[choice->routes[0].station]);
    for (uint32_t i = 1; i < choice->count; i++) {
        double load = nf__station_load(&w->stations[choice->routes[i].station]);
        if (load < best_load) {
            best = i;
            best_load = load;
        }
    }
    return best;
}

static double utilization_now(const struct nf_station *s)
{
    double capacity = (double)s->ready * s->spec->servers;
    if (s->spec->kind == NF_STATION_LLM) {
        capacity = (double)s->ready * s->spec->hostings[0].llm.max_sequences;
    }
    return capacity > 0           ? (double)s->in_service.level / capacity
           : s->waiting.level > 0 ? 1
                                  : 0;
}

static bool is_over(const struct nf_world *w, const struct nf_station *s)
{
    const struct nf_gateway_spec *g = &w->spec->gateway;
    if (s->spec->kind == NF_STATION_PRICED) {
        return s->in_service.level >= s->spec->concurrency_limit;
    }
    if (s->waiting.level >= s->spec->queue_limit) {
        return true;
    }
    if (g->spill_queue_length > 0 && (double)s->waiting.level >= g->spill_queue_length) {
        return true;
    }
    if (g->spill_utilization > 0 && utilization_now(s) >= g->spill_utilization) {
        return true;
    }
    if (g->spill_queue_delay_s > 0 && s->waiting.level > 0) {
        nf_time oldest = w->now;
        size_t lists = s->spec->kind == NF_STATION_BATCH ? s->spec->hosting_count : 1;
        for (size_t i = 0; i < lists; i++) {
            if (s->lists[i].head != NF_NONE) {
                nf_time entered = nf__request(w, s->lists[i].head)->entered;
                oldest = entered < oldest ? entered : oldest;
            }
        }
        return nf_time_s(w->now - oldest) > g->spill_queue_delay_s;
    }
    return false;
}

/* First station below the thresholds; when all are over, the last. */
static uint32_t spillover(const struct nf_world *w, const struct nf_choice *choice)
{
    for (uint32_t i = 0; i < choice->count; i++) {
        if (!is_over(w, &w->stations[choice->routes[i].station])) {
            return i;
        }
    }
    return choice->count - 1;
}

/* The first output of the stream that nf__request_stream makes, alone. */
double nf__gateway_draw(const struct nf_world *w, const struct nf_drawer *d,
                        uint32_t number)
{
    const uint64_t counter[4] = {
        0, 0, w->weighted_hash,
        nf_hash_mix(((uint64_t)d->class_ix << 32) | d->source, number)};
    uint64_t out[4];
    nf_philox4x64(w->gateway_stream.key, counter, out);
    return nf_uniform_of_u64(out[0]);
}

static uint32_t weighted(const struct nf_world *w, const struct nf_request *r,
                         const struct nf_choice *choice)
{
    double u = r->route_draw;
    if (r->tries > 0) {
        struct nf_stream draw;
        nf__request_stream(w, r, w->weighted_hash, &draw);
        u = nf_stream_uniform(&draw);
    }
    double x = u * choice->routes[choice->count - 1].cumulative_weight;
    uint32_t i = 0;
    while (i + 1 < choice->count && x >= choice->routes[i].cumulative_weight) {
        i++;
    }
    return i;
}

NF_NOINLINE static uint32_t choose(struct nf_world *w, const struct nf_request *r,
                                   struct nf_choice *choice)
{
    NF_ASSERT(choice->count > 0);
    switch (w->spec->gateway.policy) {
    case NF_POLICY_SPILLOVER:
        return spillover(w, choice);
    case NF_POLICY_WEIGHTED:
        return weighted(w, r, choice);
    case NF_POLICY_ROUND_ROBIN: {
        uint32_t turn = choice->turn;
        choice->turn = (turn + 1) % choice->count;
        return turn;
    }
    case NF_POLICY_EDGE_ONLY:
    case NF_POLICY_CLOUD_ONLY:
    case NF_POLICY_MAAS_ONLY:
    case NF_POLICY_DECISION_FRAMEWORK:
    case NF_POLICY_LEAST_LOADED:
    default:
        return least_loaded(w, choice);
    }
}

static inline void route(struct nf_world *w, struct nf_request *r)
{
    struct nf_choice *choice = &w->choices[r->class_ix * w->spec->site_count + r->site];
    const struct nf_route *to = choice->routes;
    if (choice->count != 1) {
        to += choose(w, r, choice);
    }
    r->tries++;
    r->station = to->station;
    r->hosting = to->hosting;
    r->link = to->link;
    if (to->is_direct) {
        r->return_ns = 0;
        nf__station_arrive(w, r);
    } else {
        nf__link_up(w, r);
    }
}

void nf__gateway_route(struct nf_world *w, struct nf_request *r)
{
    route(w, r);
}

NF_NOINLINE static void start_timeout(struct nf_world *w, struct nf_request *r)
{
    r->deadline = w->now + w->spec->gateway.timeout;
    nf__schedule(w, r->deadline, NF_EV_TIMEOUT, r->self, r->generation);
}

void nf__gateway_offer(struct nf_world *w, struct nf_request *r)
{
    r->arrival = w->now;
    r->is_measured = w->is_measuring;
    w->meters[r->class_ix].counts[r->is_measured].offered++;
    if (w->spec->gateway.timeout != NF_TIME_NEVER) {
        start_timeout(w, r);
    }
    route(w, r);
}

void nf__gateway_rejected(struct nf_world *w, struct nf_request *r)
{
    const struct nf_gateway_spec *g = &w->spec->gateway;
    nf_time back = w->now + r->return_ns;
    if (r->tries > g->retries) {
        nf__request_end(w, r, NF_REJECTED, back);
        nf__request_free(w, r);
        return;
    }
    w->meters[r->class_ix].retries += r->is_measured;
    r->network += r->return_ns;
    r->state = NF_R_BACKOFF;
    unsigned doublings = r->tries > 31 ? 30 : (unsigned)r->tries - 1;
    nf__schedule(w, back + (g->backoff << doublings), NF_EV_RETRY, r->self, 0);
}
