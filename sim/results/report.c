/*
 * report.c - aggregation: one gatherer reads a metric of one replication, one loop turns it into an estimate.
 *
 * A metric is a function of (outcome, index): `estimate` calls it for every replication in index order. So the rule "mean
 * over replications, Student interval" stands in one place, and a new metric is one line.
 */
#include "results/report.h"

#include <math.h>
#include <string.h>

#include "base/hash.h"

#define CONFIDENCE 0.95

struct group_metric;

/* What a gatherer may look at. `ix`: which class, group or objective. */
struct gather {
    const struct nf_world_spec *spec;
    const struct nf_outcome *outcomes;
    size_t n;
    const uint32_t *group_of;
    double *samples; /* n of them, scratch */
    size_t ix;
    int measure, statistic;
    const struct group_metric *metric;
    size_t offset; /* of a double in an outcome */
};

typedef double (*metric_of)(const struct gather *g, const struct nf_outcome *o);

static struct nf_estimate estimate(const struct gather *g, metric_of metric)
{
    for (size_t r = 0; r < g->n; r++) {
        g->samples[r] = metric(g, &g->outcomes[r]);
    }
    return nf_interval_mean(g->samples, g->n, CONFIDENCE);
}

/* ---- classes ---- */

static double class_time(const struct gather *g, const struct nf_outcome *o)
{
    return o->classes[g->ix].time_s[g->measure][g->statistic];
}

static double class_target_met(const struct gather *g, const struct nf_outcome *o)
{
    return o->classes[g->ix].target_met;
}

static double class_availability(const struct gather *g, const struct nf_outcome *o)
{
    return o->classes[g->ix].availability;
}

static void add_counts(struct nf_counts *into, const struct nf_counts *from)
{
    into->offered += from->offered;
    into->inside += from->inside;
    for (int k = 0; k < NF_OUTCOMES; k++) {
        into->outcome[k] += from->outcome[k];
    }
}

static void make_times(struct nf_class_report *c, struct gather *g)
{
    for (int m = 0; m < NF_MEASURES; m++) {
        for (int s = 0; s < NF_STATISTICS; s++) {
            g->measure = m;
            g->statistic = s;
            c->time_s[m][s] = estimate(g, class_time);
        }
        if (g->n == 1) {
            c->time_s[m][NF_MEAN].half_width =
                g->outcomes[0].classes[g->ix].mean_half_width_s[m];
        }
    }
}

static struct nf_bins make_bins(const struct gather *g, enum nf_measure measure,
                                struct nf_arena *arena)
{
    struct nf_histogram all;
    nf_histogram_init(&all);
    for (size_t r = 0; r < g->n; r++) {
        nf_histogram_merge(&all, &g->outcomes[r].classes[g->ix].times[measure]);
    }
    uint64_t cursor = 0;
    uint64_t n;
    double value;
    struct nf_bins bins = {0};
    while (nf_histogram_next(&all, &cursor, &value, &n)) {
        bins.count++;
    }
    double *values = NF_NEW_ARRAY(arena, bins.count, double);
    uint64_t *counts = NF_NEW_ARRAY(arena, bins.count, uint64_t);
    cursor = 0;
    for (size_t i = 0; i < bins.count; i++) {
        (void)nf_histogram_next(&all, &cursor, &values[i], &counts[i]);
    }
    bins.value_ns = values;
    bins.n = counts;
    nf_histogram_fini(&all);
    return bins;
}

static void make_class(struct nf_class_report *c, struct gather *g, size_t group_count,
                       struct nf_arena *arena)
{
    const struct nf_class_spec *spec = &g->spec->classes[g->ix];
    c->name = nf_arena_strdup(arena, spec->name);
    c->target_latency_s = spec->target_latency_s;
    c->target_ttft_s = spec->target_ttft_s;
    c->target_tpot_s = spec->target_tpot_s;
    uint64_t *routes = NF_NEW_ARRAY(arena, group_count, uint64_t);
    for (size_t r = 0; r < g->n; r++) {
        const struct nf_class_outcome *o = &g->outcomes[r].classes[g->ix];
        add_counts(&c->counts, &o->counts);
        c->retries += o->retries;
        for (size_t s = 0; s < g->spec->station_count; s++) {
            routes[g->group_of[s]] += o->routes[s];
        }
    }
    c->routes = routes;
    make_times(c, g);
    c->target_met = estimate(g, class_target_met);
    c->availability = estimate(g, class_availability);
    c->latency = make_bins(g, NF_LATENCY, arena);
    c->ttft = make_bins(g, NF_TTFT, arena);
}

/* ---- station groups ---- */

/* How the copies of one replication make one number. */
enum combine { PER_COPY, SUMMED };

/* The double-valued metrics of a station: where they stand in an outcome and in the report. */
static const struct group_metric {
    size_t from, to;
    enum combine combine;
} group_metrics[] = {
#define GROUP_METRIC(field, how)                                                         \
    {                                                                                    \
        offsetof(struct nf_station_outcome, field),                                      \
            offsetof(struct nf_group_report, field), how                                 \
    }
    GROUP_METRIC(utilization, PER_COPY),     GROUP_METRIC(queue_mean, PER_COPY),
    GROUP_METRIC(in_system_mean, PER_COPY),  GROUP_METRIC(batch_mean, PER_COPY),
    GROUP_METRIC(wait_mean_s, PER_COPY),     GROUP_METRIC(sojourn_mean_s, PER_COPY),
    GROUP_METRIC(replicas_mean, PER_COPY),   GROUP_METRIC(gpu_hours, SUMMED),
    GROUP_METRIC(energy_kwh, SUMMED),        GROUP_METRIC(cost_usd, SUMMED),
    GROUP_METRIC(prefix_hit_rate, PER_COPY), GROUP_METRIC(outside_range, SUMMED),
#undef GROUP_METRIC
};

static double double_at(const void *object, size_t offset)
{
    double x;
    memcpy(&x, (const char *)object + offset, sizeof x);
    return x;
}

/* Copies without the metric (NAN) are left out; NAN when no copy has it. */
static double group_double(const struct gather *g, const struct nf_outcome *o)
{
    double sum = 0;
    unsigned copies = 0;
    for (size_t s = 0; s < g->spec->station_count; s++) {
        double x = double_at(&o->stations[s], g->metric->from);
        if (g->group_of[s] == g->ix && !isnan(x)) {
            sum += x;
            copies++;
        }
    }
    if (copies == 0) {
        return (double)NAN;
    }
    return g->metric->combine == SUMMED ? sum : sum / copies;
}

/* Of all iterations and batches of copies with a range; NAN when there was none. */
static double group_outside_share(const struct gather *g, const struct nf_outcome *o)
{
    double outside = 0, all = 0;
    for (size_t s = 0; s < g->spec->station_count; s++) {
        const struct nf_station_outcome *x = &o->stations[s];
        if (g->group_of[s] == g->ix && !isnan(x->outside_range)) {
            outside += x->outside_range;
            all += (double)x->iterations;
        }
    }
    return all > 0 ? outside / all : (double)NAN;
}

static double group_cold_starts(const struct gather *g, const struct nf_outcome *o)
{
    uint64_t sum = 0;
    for (size_t s = 0; s < g->spec->station_count; s++) {
        sum += g->group_of[s] == g->ix ? o->stations[s].cold_starts : 0;
    }
    return (double)sum;
}

static double group_replicas_max(const struct gather *g, const struct nf_outcome *o)
{
    unsigned max = 0;
    for (size_t s = 0; s < g->spec->station_count; s++) {
        if (g->group_of[s] == g->ix && o->stations[s].replicas_max > max) {
            max = o->stations[s].replicas_max;
        }
    }
    return max;
}

static void make_group(struct nf_group_report *r, struct gather *g,
                       struct nf_arena *arena)
{
    for (size_t s = 0; s < g->spec->station_count; s++) {
        if (g->group_of[s] != g->ix) {
            continue;
        }
        if (r->copies++ == 0) {
            r->name = nf_arena_strdup(arena, g->spec->stations[s].group);
            r->tier = g->spec->stations[s].tier;
        }
        for (size_t k = 0; k < g->n; k++) {
            r->is_saturated |= g->outcomes[k].stations[s].is_saturated;
            r->outside_kinds |= g->outcomes[k].stations[s].outside_kinds;
        }
    }
    for (size_t i = 0; i < sizeof group_metrics / sizeof group_metrics[0]; i++) {
        g->metric = &group_metrics[i];
        struct nf_estimate e = estimate(g, group_double);
        memcpy((char *)r + g->metric->to, &e, sizeof e);
    }
    r->outside_share = estimate(g, group_outside_share);
    r->cold_starts = estimate(g, group_cold_starts);
    r->replicas_max = estimate(g, group_replicas_max);
}

size_t nf_report_groups(const struct nf_world_spec *spec, uint32_t *group_of)
{
    uint32_t count = 0;
    for (size_t s = 0; s < spec->station_count; s++) {
        size_t first = 0;
        while (strcmp(spec->stations[first].group, spec->stations[s].group) != 0) {
            first++;
        }
        group_of[s] = first == s ? count++ : group_of[first];
    }
    return count;
}

/* ---- cost, energy, objectives ---- */

static double outcome_double(const struct gather *g, const struct nf_outcome *o)
{
    return double_at(o, g->offset);
}

static struct nf_estimate estimate_at(struct gather *g, size_t offset)
{
    g->offset = offset;
    return estimate(g, outcome_double);
}

static void make_cost(struct nf_cost_report *c, struct gather *g)
{
    c->part[NF_COST_EDGE] = estimate_at(g, offsetof(struct nf_outcome, cost.edge));
    c->part[NF_COST_CLOUD] = estimate_at(g, offsetof(struct nf_outcome, cost.cloud));
    c->part[NF_COST_MAAS] = estimate_at(g, offsetof(struct nf_outcome, cost.maas));
    c->part[NF_COST_NETWORK] = estimate_at(g, offsetof(struct nf_outcome, cost.network));
    c->total = estimate_at(g, offsetof(struct nf_outcome, cost.total));
    c->per_1000_requests =
        estimate_at(g, offsetof(struct nf_outcome, cost.per_1000_requests));
}

static bool is_time(enum nf_objective o)
{
    return o != NF_OBJECTIVE_AVAILABILITY && o != NF_OBJECTIVE_TARGET_MET;
}

static enum nf_measure measure_of(enum nf_objective o)
{
    switch (o) {
    case NF_OBJECTIVE_TTFT:
        return NF_TTFT;
    case NF_OBJECTIVE_TPOT:
        return NF_TPOT;
    case NF_OBJECTIVE_WAIT:
        return NF_WAIT;
    case NF_OBJECTIVE_LATENCY:
    case NF_OBJECTIVE_AVAILABILITY:
    case NF_OBJECTIVE_TARGET_MET:
        break;
    }
    return NF_LATENCY;
}

/* The statistic that is kept for quantile q, or -1. */
static int statistic_of(double q)
{
    static const struct {
        double q;
        enum nf_statistic statistic;
    } kept[] = {{0.50, NF_P50}, {0.90, NF_P90},   {0.95, NF_P95},
                {0.99, NF_P99}, {0.999, NF_P999}, {1.0, NF_MAX}};
    if (q < 0) {
        return NF_MEAN;
    }
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        if (fabs(q - kept[i].q) < 1e-12) {
            return (int)kept[i].statistic;
        }
    }
    return -1;
}

static double objective_value(const struct gather *g, const struct nf_outcome *o)
{
    const struct nf_sla_spec *sla = &g->spec->slas[g->ix];
    const struct nf_class_outcome *c = &o->classes[sla->class_ix];
    if (sla->objective == NF_OBJECTIVE_AVAILABILITY) {
        return c->availability;
    }
    if (sla->objective == NF_OBJECTIVE_TARGET_MET) {
        return c->target_met;
    }
    enum nf_measure measure = measure_of(sla->objective);
    int statistic = statistic_of(sla->quantile);
    if (statistic >= 0) {
        return c->time_s[measure][statistic];
    }
    return nf_histogram_quantile(&c->times[measure], sla->quantile) * 1e-9;
}

static void make_sla(struct nf_report *report, struct gather *g, struct nf_arena *arena)
{
    for (size_t i = 0; i < report->sla_count; i++) {
        const struct nf_sla_spec *spec = &g->spec->slas[i];
        struct nf_sla_report *s = &report->sla[i];
        g->ix = i;
        s->class_name = report->classes[spec->class_ix].name;
        s->text = nf_arena_strdup(arena, spec->text);
        s->is_time = is_time(spec->objective);
        s->bound = spec->bound;
        s->value = estimate(g, objective_value);
        if (g->n == 1 && s->is_time && spec->quantile < 0) {
            s->value = report->classes[spec->class_ix]
                           .time_s[measure_of(spec->objective)][NF_MEAN];
        }
        s->is_met = s->is_time ? s->value.value <= s->bound : s->value.value >= s->bound;
    }
}

/* ---- the whole ---- */

void nf_report_make(struct nf_report *report, const struct nf_world_spec *spec,
                    const struct nf_outcome *outcomes, size_t n, struct nf_arena *arena)
{
    NF_ASSERT(n >= 1);
    memset(report, 0, sizeof *report);
    uint32_t *group_of = NF_NEW_ARRAY(arena, spec->station_count, uint32_t);
    struct gather g = {.spec = spec,
                       .outcomes = outcomes,
                       .n = n,
                       .group_of = group_of,
                       .samples = NF_NEW_ARRAY(arena, n, double)};
    report->scenario = nf_arena_strdup(arena, spec->name);
    report->seed = spec->seed;
    report->replications = n;
    report->simulated_s = nf_time_s(spec->duration);
    report->warmup_s = nf_time_s(spec->warmup);
    for (size_t r = 0; r < n; r++) {
        report->events += outcomes[r].events;
        report->fingerprint = nf_hash_mix(report->fingerprint, outcomes[r].trajectory);
        add_counts(&report->counts, &outcomes[r].counts);
    }
    report->group_count = nf_report_groups(spec, group_of);
    report->groups = NF_NEW_ARRAY(arena, report->group_count, struct nf_group_report);
    report->class_count = spec->class_count;
    report->classes = NF_NEW_ARRAY(arena, spec->class_count, struct nf_class_report);
    for (g.ix = 0; g.ix < spec->class_count; g.ix++) {
        make_class(&report->classes[g.ix], &g, report->group_count, arena);
    }
    for (g.ix = 0; g.ix < report->group_count; g.ix++) {
        make_group(&report->groups[g.ix], &g, arena);
    }
    make_cost(&report->cost, &g);
    report->energy_kwh = estimate_at(&g, offsetof(struct nf_outcome, energy_kwh));
    report->sla_count = spec->sla_count;
    report->sla = NF_NEW_ARRAY(arena, spec->sla_count, struct nf_sla_report);
    make_sla(report, &g, arena);
}

bool nf_report_meets_sla(const struct nf_report *report)
{
    for (size_t i = 0; i < report->sla_count; i++) {
        if (!report->sla[i].is_met) {
            return false;
        }
    }
    return true;
}

const char *nf_cost_part_name(enum nf_cost_part part)
{
    static const char *const names[NF_COST_PARTS] = {"edge", "cloud", "maas", "network"};
    return names[part];
}
