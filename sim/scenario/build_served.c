/* Can every class be served? Only what is certain is told: what stands behind another mistake may yet be there. */
#include <math.h>
#include <string.h>

#include "scenario/build.h"

enum obstacle { CAN_SERVE, NOT_HOSTED, NOT_AT_SITE, NO_LINK, OTHER_TIER, NOT_LISTED };

/* Is what the class says about residency, or what the stages before it say, good? */
static bool knows_residency(const struct nf__class *c)
{
    while (c->parent != NULL && !nf_object_has(&c->decl->at, "residency") &&
           !nf_object_is_wrong(&c->decl->at, "residency")) {
        c = c->parent;
    }
    return !nf_object_is_wrong(&c->decl->at, "residency");
}

static bool is_other_tier(enum nf_policy policy, enum nf_tier tier)
{
    return (policy == NF_POLICY_EDGE_ONLY && tier != NF_TIER_EDGE) ||
           (policy == NF_POLICY_CLOUD_ONLY && tier != NF_TIER_CLOUD) ||
           (policy == NF_POLICY_MAAS_ONLY && tier != NF_TIER_MAAS);
}

bool nf__build_is_listed(const struct nf__build *b, const struct nf__group *g)
{
    const struct nf_gateway_spec *gw = &b->world->gateway;
    for (size_t i = 0; i < gw->order_count; i++) {
        if (gw->order[i] == g->first) {
            return true;
        }
    }
    return gw->order_count == 0;
}

/* What keeps a station that hosts the model from serving the class, beyond doubt. */
static enum obstacle obstacle_of(const struct nf__build *b, const struct nf__class *c,
                                 const struct nf__group *g, const int32_t *links)
{
    const struct nf_gateway_spec *gw = &b->world->gateway;
    size_t i = c->site * b->group_count + (size_t)(g - b->groups);
    bool is_elsewhere =
        g->tier != NF_TIER_EDGE || (g->site != c->site && g->site != NF__NONE);
    bool has_region = g->tier == NF_TIER_EDGE || g->decl->region != NULL;
    if (c->decl->residency == NF_RESIDENCY_ON_PREMISES && is_elsewhere &&
        knows_residency(c)) {
        return NOT_AT_SITE;
    }
    if (links[i] < 0 && b->knows_links && has_region) {
        return NO_LINK;
    }
    if (nf_object_is_wrong(&b->decl->gateway.at, "policy")) {
        return CAN_SERVE;
    }
    if (is_other_tier(gw->policy, g->tier)) {
        return OTHER_TIER;
    }
    return b->knows_order && !nf__build_is_listed(b, g) ? NOT_LISTED : CAN_SERVE;
}

static bool hosts(const struct nf__build *b, const struct nf__class *c,
                  const struct nf__group *g)
{
    for (size_t i = 0; i < g->model_count; i++) {
        if (&b->models[g->models[i]] == c->model) {
            return true;
        }
    }
    return false;
}

static const char *explain(struct nf__build *b, const struct nf__class *c,
                           const struct nf__group *g, enum obstacle o)
{
    static const char *const tiers[] = {"an edge node", "a cloud pool",
                                        "a priced endpoint"};
    const char *site = b->sites[c->site].name;
    struct nf_arena *arena = b->load.arena;
    switch (o) {
    case NOT_HOSTED:
        return nf_arena_printf(arena, "does not serve %s", c->model->decl->at.name);
    case NOT_AT_SITE:
        return nf_arena_printf(arena, "is not at site %s, where these requests must stay",
                               site);
    case NO_LINK:
        return nf_arena_printf(arena, "no link leads there from %s", site);
    case OTHER_TIER:
        return nf_arena_printf(arena, "is %s, which the gateway's policy leaves out",
                               tiers[g->tier]);
    default:
        return "is not in the gateway's list";
    }
}

/* Is there a station that serves the class, or may do so? */
static bool may_be_served(const struct nf__build *b, const struct nf__class *c,
                          const int32_t *links)
{
    for (const struct nf__host *h = c->model->hosts; h != NULL; h = h->next) {
        if (obstacle_of(b, c, h->group, links) == CAN_SERVE) {
            return true;
        }
    }
    for (size_t i = 0; i < b->group_count && b->has_unsure; i++) {
        if (b->groups[i].is_unsure &&
            obstacle_of(b, c, &b->groups[i], links) == CAN_SERVE) {
            return true;
        }
    }
    return false;
}

static void tell_unserved(struct nf__build *b, struct nf__class *c, const int32_t *links)
{
    enum { TOLD_MAX = 8 };
    const char *reasons = "";
    for (size_t i = 0; i < b->group_count && i < TOLD_MAX; i++) {
        const struct nf__group *g = &b->groups[i];
        enum obstacle o =
            hosts(b, c, g) || g->is_unsure ? obstacle_of(b, c, g, links) : NOT_HOSTED;
        reasons = nf_arena_printf(b->load.arena, "%s%s %s: %s", reasons, i > 0 ? ";" : "",
                                  g->decl->at.name, explain(b, c, g, o));
    }
    if (b->group_count > TOLD_MAX) {
        reasons = nf_arena_printf(b->load.arena, "%s; and %zu more", reasons,
                                  b->group_count - TOLD_MAX);
    }
    (void)nf_object_error(&b->load, &c->decl->at, "", NF_E_IMPOSSIBLE, NULL,
                          "no station can serve %s from site %s:%s", c->decl->at.name,
                          b->sites[c->site].name, reasons);
}

/* What the stations that serve a class make of its priority and its time in the queue. */
struct queueing {
    int64_t levels; /* most priorities; INT64_MAX: any */
    bool has_batches;
};

static struct queueing queueing_of(const struct nf__class *c)
{
    struct queueing q = {0};
    for (const struct nf__host *h = c->model->hosts; h != NULL; h = h->next) {
        const struct nf_station_decl *d = h->group->decl;
        int64_t levels = 0;
        if (NF_IS_WRONG(&d->at, "batching", "engine") ||
            nf_object_is_wrong(&d->batching.at, "priorities") ||
            nf_object_is_wrong(&d->engine.at, "scheduling")) {
            return (struct queueing){INT64_MAX, true};
        }
        if (h->group->kind == NF_STATION_LLM && d->engine.scheduling == 1) {
            levels = INT64_MAX;
        } else if (h->group->kind == NF_STATION_BATCH && d->batching.at.node != NULL) {
            levels = d->batching.priorities;
            q.has_batches = true;
        }
        q.levels = levels > q.levels ? levels : q.levels;
    }
    return q;
}

/* A key that no station heeds would be ignored without a word. */
static void check_queueing(struct nf__build *b, struct nf__class *c)
{
    struct nf_object *at = &c->decl->at;
    struct queueing q = queueing_of(c);
    const char *model = c->model->decl->at.name;
    if (nf_object_has(at, "priority") && c->decl->priority > 0 && q.levels == 0) {
        (void)nf_object_error(&b->load, at, "priority", NF_E_KEY,
                              "remove it; batching and engine have priorities",
                              "no station that serves %s tells requests by priority",
                              model);
    } else if (nf_object_has(at, "priority") && c->decl->priority > q.levels) {
        (void)nf_object_error(
            &b->load, at, "priority", NF_E_RANGE, NULL,
            "level %lld, but stations that serve %s have %lld priorities",
            (long long)c->decl->priority, model, (long long)q.levels);
    }
    if (nf_object_has(at, "queue_time") && isfinite(c->decl->queue_time) &&
        !q.has_batches) {
        (void)nf_object_error(&b->load, at, "queue_time", NF_E_KEY, "remove it",
                              "no station that serves %s forms batches", model);
    }
}

void nf__build_check_served(struct nf__build *b, const int32_t *links)
{
    for (size_t i = 0; i < b->group_count; i++) {
        b->has_unsure = b->has_unsure || b->groups[i].is_unsure;
    }
    for (size_t i = 0; i < b->class_count; i++) {
        struct nf__class *c = b->classes[i];
        if (c->model == NULL || c->site == NF__NONE) {
            continue;
        }
        c->model->is_asked = true;
        if (b->knows_stations && !b->has_unsure && c->model->hosts != NULL) {
            check_queueing(b, c);
        }
        if (b->knows_stations && b->group_count > 0 && !may_be_served(b, c, links)) {
            tell_unserved(b, c, links);
        }
    }
}
