/* The gateway, what the system promises, and what the result file holds. */
#include <math.h>
#include <string.h>

#include "scenario/build.h"

/* The group that a name in the gateway's list means. */
static const struct nf__group *find_listed(struct nf__build *b, struct nf_object *at,
                                           const char *name)
{
    uint32_t g = nf__build_find_group(b, name);
    b->knows_order = b->knows_order && g != NF__NONE;
    if (g == NF__NONE && !b->knows_stations) {
        return NULL;
    }
    if (g == NF__NONE) {
        (void)nf_object_error(&b->load, at, "", NF_E_REFERENCE,
                              nf__build_near(b, name, nf__build_group_names(b)),
                              "no edge node, pool or endpoint \"%s\"", name);
        return NULL;
    }
    return &b->groups[g];
}

struct entry {
    struct nf_object *at;
    const char *name;
    double weight;
};

/* Stations in the order of the list; the copies of a group follow one another. */
static void fill_order(struct nf__build *b, const struct entry *entries, size_t count,
                       struct nf_gateway_spec *out)
{
    size_t total = 0, n = 0;
    bool *is_listed = NF_NEW_ARRAY(b->load.arena, b->group_count, bool);
    const struct nf__group **groups =
        NF_NEW_ARRAY(b->load.arena, count, const struct nf__group *);
    for (size_t i = 0; i < count; i++) {
        const struct nf__group *g = entries[i].name != NULL
                                        ? find_listed(b, entries[i].at, entries[i].name)
                                        : NULL;
        b->knows_order = b->knows_order && g != NULL;
        if (g != NULL && is_listed[g - b->groups]) {
            (void)nf_object_error(&b->load, entries[i].at, "", NF_E_KEY, NULL,
                                  "%s is given twice", entries[i].name);
        } else if (g != NULL) {
            is_listed[g - b->groups] = true;
            groups[i] = g;
            total += g->count;
        }
    }
    uint32_t *order = NF_NEW_ARRAY(b->load.arena, total, uint32_t);
    double *weights = NF_NEW_ARRAY(b->load.arena, total, double);
    for (size_t i = 0; i < count; i++) {
        for (uint32_t k = 0; groups[i] != NULL && k < groups[i]->count; k++) {
            order[n] = groups[i]->first + k;
            weights[n++] = entries[i].weight;
        }
    }
    out->order = order;
    out->weights = weights;
    out->order_count = n;
}

static void fill_spillover(struct nf__build *b, struct nf_gateway_decl *d,
                           struct nf_gateway_spec *out)
{
    struct nf_name_decl *names = d->order.items;
    struct entry *entries = NF_NEW_ARRAY(b->load.arena, d->order.count, struct entry);
    struct nf_spill_decl *s = &d->spill_when;
    for (size_t i = 0; i < d->order.count; i++) {
        entries[i] = (struct entry){&names[i].at, names[i].text, 0};
    }
    fill_order(b, entries, d->order.count, out);
    if (isnan(s->queue_delay) && isnan(s->queue_length) && isnan(s->utilization) &&
        s->at.node != NULL &&
        !NF_IS_WRONG(&s->at, "queue_delay", "queue_length", "utilization")) {
        (void)nf_object_error(&b->load, &s->at, "", NF_E_KEY,
                              "for example {queue_delay: 500ms}",
                              "expected queue_delay, queue_length or utilization");
    }
    out->spill_queue_delay_s = isnan(s->queue_delay) ? 0 : s->queue_delay;
    out->spill_queue_length = isnan(s->queue_length) ? 0 : s->queue_length;
    out->spill_utilization = isnan(s->utilization) ? 0 : s->utilization;
}

static void fill_weighted(struct nf__build *b, struct nf_gateway_decl *d,
                          struct nf_gateway_spec *out)
{
    struct nf_weight_decl *weights = d->weights.items;
    struct entry *entries = NF_NEW_ARRAY(b->load.arena, d->weights.count, struct entry);
    double sum = 0;
    bool has_sum = nf_object_is_whole(&d->at, "weights");
    for (size_t i = 0; i < d->weights.count; i++) {
        entries[i] =
            (struct entry){&weights[i].at, weights[i].at.name, weights[i].weight};
        sum += weights[i].weight;
        has_sum = has_sum && !weights[i].at.is_unread;
    }
    fill_order(b, entries, d->weights.count, out);
    if (has_sum && fabs(sum - 1) > 1e-9) {
        (void)nf_object_error(&b->load, &d->at, "weights", NF_E_RANGE, NULL,
                              "the weights make %.6g %%, expected 100 %%", sum * 100);
    }
}

void nf__build_gateway(struct nf__build *b)
{
    struct nf_gateway_decl *d = &b->decl->gateway;
    struct nf_gateway_spec *out = &b->world->gateway;
    if (d->at.is_unread) {
        return;
    }
    b->knows_order =
        nf_object_is_whole(&d->at, "order") && nf_object_is_whole(&d->at, "weights");
    out->policy = (enum nf_policy)d->policy;
    out->timeout = isinf(d->timeout) ? NF_TIME_NEVER : nf_time_of_s(d->timeout);
    out->retries = (unsigned)d->retry.attempts;
    out->backoff = nf_time_of_s(d->retry.backoff);
    /* lists of a policy that cannot be known are checked, too */
    if (d->policy == NF_POLICY_SPILLOVER || (d->policy < 0 && d->order.count > 0)) {
        fill_spillover(b, d, out);
    }
    if (d->policy == NF_POLICY_WEIGHTED || (d->policy < 0 && d->weights.count > 0)) {
        fill_weighted(b, d, out);
    }
    if (d->policy == NF_POLICY_DECISION_FRAMEWORK) {
        out->edge_max_parameters = d->edge_max_parameters;
        out->edge_latency_s = d->edge_latency;
    }
}

/* ---- service levels ---- */

static const char *const *class_names(struct nf__build *b)
{
    const char **names = NF_NEW_ARRAY(b->load.arena, b->class_count + 1, const char *);
    for (size_t i = 0; i < b->class_count && !nf__build_is_full(b); i++) {
        names[i] = b->classes[i]->decl->at.name;
    }
    return names;
}

static bool has_target(const struct nf__class *c)
{
    const struct nf_target_decl *t = &c->decl->target;
    return t->at.node != NULL &&
           (!isnan(t->latency) || !isnan(t->ttft) || !isnan(t->tpot));
}

/* The objectives of one entry into out (room for all); how many there are. */
static size_t read_sla(struct nf__build *b, struct nf_sla_decl *d,
                       struct nf_sla_spec *out)
{
    size_t n = 0;
    uint32_t ix = nf__build_find_class(b, d->class_name);
    if (ix == NF__NONE && !b->knows_classes) {
        return 0;
    }
    if (ix == NF__NONE) {
        (void)nf_object_error(&b->load, &d->at, "class", NF_E_REFERENCE,
                              nf__build_near(b, d->class_name, class_names(b)),
                              "no traffic and no stage \"%s\"", d->class_name);
        return 0;
    }
    const struct nf__class *c = b->classes[ix];
    bool has_tokens =
        c->model == NULL || !c->model->has_kind || c->model->kind == NF_MODEL_LLM;
    for (size_t i = 0; i < NF_SLA_MEASURES * NF_SLA_STATISTICS; i++) {
        enum nf_objective o = (enum nf_objective)(i / NF_SLA_STATISTICS);
        if (isnan(d->times[i])) {
            continue;
        }
        if (!has_tokens && (o == NF_OBJECTIVE_TTFT || o == NF_OBJECTIVE_TPOT)) {
            (void)nf_object_error(&b->load, &d->at, nf_sla_key(i), NF_E_KEY, NULL,
                                  "class %s has no tokens: its model is %s",
                                  d->class_name, c->decl->model);
            continue;
        }
        out[n++] =
            (struct nf_sla_spec){ix, nf_sla_key(i), o, nf_sla_quantile(i), d->times[i]};
    }
    if (!isnan(d->availability)) {
        out[n++] = (struct nf_sla_spec){ix, "availability", NF_OBJECTIVE_AVAILABILITY, -1,
                                        d->availability};
    }
    if (!isnan(d->target_met)) {
        if (!has_target(c) && !nf_object_is_wrong(&c->decl->at, "target")) {
            (void)nf_object_error(&b->load, &d->at, "target_met", NF_E_IMPOSSIBLE,
                                  "give the class a target", "class %s has no target",
                                  d->class_name);
        }
        out[n++] = (struct nf_sla_spec){ix, "target_met", NF_OBJECTIVE_TARGET_MET, -1,
                                        d->target_met};
    }
    if (n == 0 && !d->at.is_broken) {
        (void)nf_object_error(&b->load, &d->at, "", NF_E_KEY, "for example p99: 50ms",
                              "nothing is promised beside class");
    }
    return n;
}

void nf__build_slas(struct nf__build *b)
{
    enum { EACH = NF_SLA_MEASURES * NF_SLA_STATISTICS + 2 };
    struct nf_sla_decl *decls = b->decl->sla.items;
    struct nf_sla_spec *slas = NULL; /* heap while it grows */
    size_t n = 0, cap = 0;
    for (size_t i = 0; i < b->decl->sla.count; i++) {
        if (n + EACH > cap) {
            cap = 2 * cap + EACH;
            slas = nf_mem_resize(slas, cap, sizeof *slas);
        }
        if (decls[i].class_name != NULL) {
            n += read_sla(b, &decls[i], slas + n);
        }
    }
    struct nf_sla_spec *kept = NF_NEW_ARRAY(b->load.arena, n, struct nf_sla_spec);
    if (n > 0) {
        memcpy(kept, slas, n * sizeof *kept);
    }
    nf_mem_free(slas);
    b->world->slas = kept;
    b->world->sla_count = n;
}

/* ---- output ---- */

/* About a thousand points: the duration's thousandth, rounded up to a time that people read easily. */
static double default_series(double duration)
{
    static const double steps[] = {1,    2,     5,     10,    15,   20,   30,
                                   60,   120,   300,   600,   900,  1800, 3600,
                                   7200, 10800, 21600, 43200, 86400};
    double least = duration / 1000;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        if (steps[i] >= least) {
            return steps[i];
        }
    }
    return ceil(least / 86400) * 86400;
}

void nf__build_output(struct nf__build *b)
{
    struct nf_output_decl *d = &b->decl->output;
    double duration = b->decl->duration;
    char least[64];
    if (!(duration > 0) || nf_object_is_wrong(&d->at, "series")) {
        return;
    }
    if (isnan(d->series)) {
        d->series = default_series(duration);
    }
    if (isfinite(d->series) && duration / d->series > 100000) {
        (void)nf_object_error(
            &b->load, &d->at, "series", NF_E_LIMIT,
            nf_arena_printf(b->load.arena, "use at least %s",
                            nf_units_format(ceil(duration / 1e5 * 1e3) / 1e3, NF_DIM_TIME,
                                            false, least, sizeof least)),
            "the series would have %.0f points; at most 100000 are kept",
            duration / d->series);
    }
    b->world->write_requests = d->requests == 1;
    b->world->series_interval = isinf(d->series) ? 0 : nf_time_of_s(d->series);
}
