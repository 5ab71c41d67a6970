/* The controller of hpa.h: stabilization, rate limits and their logs, in the order of horizontal.go. */
#include "model/hpa.h"

#include <math.h>
#include <string.h>

#include "base/status.h"

static const struct nf_scale_rule DEFAULT_UP[] = {
    {.is_percent = false, .amount = 4, .period_s = 15},
    {.is_percent = true, .amount = 100, .period_s = 15},
};
static const struct nf_scale_rule DEFAULT_DOWN[] = {
    {.is_percent = true, .amount = 100, .period_s = 15},
};

static const double CPU_INITIALIZATION_S = 300;
static const double READINESS_DELAY_S = 30;
static const double BUFFER_PODS =
    4; /* without behaviour: growth is allowed to this count at once */

static int32_t min32(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static int32_t max32(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

/* Truncated as Go's conversion does, but saturated. */
static int32_t saturate(double x)
{
    if (!(x < (double)INT32_MAX)) {
        return INT32_MAX;
    }
    return x > (double)INT32_MIN ? (int32_t)x : INT32_MIN;
}

static struct nf_scale_direction with_rules(const struct nf_scale_direction *d,
                                            const struct nf_scale_rule *rules, int count)
{
    NF_ASSERT(d->rule_count <= NF_SCALE_RULES_MAX);
    struct nf_scale_direction out = *d;
    if (out.rule_count == 0) {
        memcpy(out.rules, rules, (size_t)count * sizeof *rules);
        out.rule_count = count;
    }
    return out;
}

static struct nf_hpa_metric metric_of(const struct nf_scaler_spec *s)
{
    struct nf_hpa_metric m = {.target = nf_hpa_milli(s->target)};
    switch (s->metric) {
    case NF_METRIC_UTILIZATION:
        m.kind = NF_HPA_RESOURCE;
        m.is_cpu = true;
        m.target = (int64_t)nearbyint(s->target * 100.0);
        m.default_request_m = 1000;
        break;
    case NF_METRIC_CONCURRENCY:
        m.kind = NF_HPA_PODS;
        break;
    case NF_METRIC_QUEUE:
        m.kind = NF_HPA_AVERAGE_VALUE;
        break;
    }
    m.tolerance_up = s->up.has_tolerance ? s->up.tolerance : s->tolerance;
    m.tolerance_down = s->down.has_tolerance ? s->down.tolerance : s->tolerance;
    double init_s =
        s->cpu_initialization_s > 0 ? s->cpu_initialization_s : CPU_INITIALIZATION_S;
    double delay_s = s->readiness_delay_s > 0 ? s->readiness_delay_s : READINESS_DELAY_S;
    m.cpu_initialization = nf_time_of_s(init_s);
    m.readiness_delay = nf_time_of_s(delay_s);
    return m;
}

void nf_hpa_init(struct nf_hpa *h, const struct nf_scaler_spec *spec, unsigned min,
                 unsigned max, struct nf_arena *arena)
{
    NF_ASSERT(min <= max && max <= (unsigned)INT32_MAX);
    *h = (struct nf_hpa){
        .arena = arena,
        .min = (int32_t)min,
        .max = (int32_t)max,
        .no_behavior = spec->no_behavior,
        .metric = metric_of(spec),
        .up = with_rules(&spec->up, DEFAULT_UP,
                         (int)(sizeof DEFAULT_UP / sizeof *DEFAULT_UP)),
        .down = with_rules(&spec->down, DEFAULT_DOWN,
                           (int)(sizeof DEFAULT_DOWN / sizeof *DEFAULT_DOWN)),
    };
    NF_ASSERT(h->metric.target > 0);
}

/* ---- logs ---- */

/* A copy of `old` with room for twice as many items; the old one stays in the arena until the end. */
static void *grown(struct nf_arena *arena, const void *old, size_t *cap, size_t size)
{
    size_t larger = *cap ? 2 * *cap : 32;
    void *items = nf_arena_array(arena, larger, size);
    if (*cap) {
        memcpy(items, old, *cap * size);
    }
    *cap = larger;
    return items;
}

static void add_recommendation(struct nf_hpa *h, nf_time now, int32_t replicas)
{
    if (h->recommendation_count == h->recommendation_cap) {
        h->recommendations = grown(h->arena, h->recommendations, &h->recommendation_cap,
                                   sizeof *h->recommendations);
    }
    h->recommendations[h->recommendation_count++] =
        (struct nf_hpa_recommendation){.at = now, .replicas = replicas};
}

int32_t nf_hpa_change_in(const struct nf_hpa_events *events, nf_time now, double period_s)
{
    nf_time period = nf_time_of_s(period_s);
    int32_t sum = 0;
    for (size_t i = 0; i < events->count; i++) {
        if (now - events->items[i].at < period) {
            sum += events->items[i].change;
        }
    }
    return sum;
}

static double longest_period_s(const struct nf_scale_direction *d)
{
    double longest = 0;
    for (int i = 0; i < d->rule_count; i++) {
        longest = fmax(longest, d->rules[i].period_s);
    }
    return longest;
}

void nf_hpa_store_event(struct nf_hpa *h, nf_time now, int32_t before, int32_t after)
{
    if (h->no_behavior || before == after) {
        return;
    }
    bool is_up = after > before;
    struct nf_hpa_events *log = is_up ? &h->added : &h->removed;
    nf_time period = nf_time_of_s(longest_period_s(is_up ? &h->up : &h->down));
    struct nf_hpa_event event = {.at = now,
                                 .change = is_up ? after - before : before - after};
    size_t slot = log->count;
    for (size_t i = 0; i < log->count; i++) {
        log->items[i].outdated |= now - log->items[i].at > period;
        if (log->items[i].outdated) {
            slot = i;
        }
    }
    if (slot == log->cap) {
        log->items = grown(h->arena, log->items, &log->cap, sizeof *log->items);
    }
    log->items[slot] = event;
    log->count += slot == log->count;
}

/* ---- stabilization ---- */

/* One window, scale-down only; a recommendation exactly as old as the window still counts, as upstream. */
static int32_t stabilize_down_only(struct nf_hpa *h, nf_time now, int32_t desired)
{
    nf_time window = nf_time_of_s(h->down.stabilization_s);
    int32_t most = desired;
    size_t slot = h->recommendation_count;
    for (size_t i = 0; i < h->recommendation_count; i++) {
        if (now - h->recommendations[i].at > window) {
            slot = i;
        } else {
            most = max32(most, h->recommendations[i].replicas);
        }
    }
    if (slot < h->recommendation_count) {
        h->recommendations[slot] = (struct nf_hpa_recommendation){now, desired};
    } else {
        add_recommendation(h, now, desired);
    }
    return most;
}

int32_t nf_hpa_stabilize(struct nf_hpa *h, nf_time now, int32_t current, int32_t desired)
{
    if (h->no_behavior) {
        return stabilize_down_only(h, now, desired);
    }
    nf_time up_window = nf_time_of_s(h->up.stabilization_s);
    nf_time down_window = nf_time_of_s(h->down.stabilization_s);
    int32_t least = desired;
    int32_t most = desired;
    size_t slot = h->recommendation_count;
    for (size_t i = 0; i < h->recommendation_count; i++) {
        const struct nf_hpa_recommendation *r = &h->recommendations[i];
        nf_time age = now - r->at;
        if (age < up_window) {
            least = min32(least, r->replicas);
        }
        if (age < down_window) {
            most = max32(most, r->replicas);
        }
        if (age > up_window && age > down_window) {
            slot = i;
        }
    }
    if (slot < h->recommendation_count) {
        h->recommendations[slot] = (struct nf_hpa_recommendation){now, desired};
    } else {
        add_recommendation(h, now, desired);
    }
    return min32(max32(current, least), most);
}

/* ---- rate limits ---- */

/* Count at the start of the period: what was added since is taken off, what was removed is put back. */
static int32_t count_before(const struct nf_hpa *h, nf_time now, int32_t current,
                            double period_s)
{
    return current - nf_hpa_change_in(&h->added, now, period_s) +
           nf_hpa_change_in(&h->removed, now, period_s);
}

int32_t nf_hpa_up_limit(const struct nf_hpa *h, nf_time now, int32_t current)
{
    const struct nf_scale_direction *d = &h->up;
    if (d->select == NF_SELECT_DISABLED) {
        return current;
    }
    int32_t limit = d->select == NF_SELECT_MIN ? INT32_MAX : INT32_MIN;
    for (int i = 0; i < d->rule_count; i++) {
        double start = count_before(h, now, current, d->rules[i].period_s);
        double amount = d->rules[i].amount;
        /* Rounded up: a small percentage must not keep a small count for ever. */
        int32_t allowed = saturate(
            d->rules[i].is_percent ? ceil(start * (1 + amount / 100)) : start + amount);
        limit =
            d->select == NF_SELECT_MIN ? min32(limit, allowed) : max32(limit, allowed);
    }
    return limit;
}

int32_t nf_hpa_down_limit(const struct nf_hpa *h, nf_time now, int32_t current)
{
    const struct nf_scale_direction *d = &h->down;
    if (d->select == NF_SELECT_DISABLED) {
        return current;
    }
    int32_t limit = d->select == NF_SELECT_MIN ? INT32_MIN : INT32_MAX;
    for (int i = 0; i < d->rule_count; i++) {
        double start = count_before(h, now, current, d->rules[i].period_s);
        double amount = d->rules[i].amount;
        int32_t allowed = saturate(d->rules[i].is_percent ? start * (1 - amount / 100)
                                                          : start - amount);
        limit =
            d->select == NF_SELECT_MIN ? max32(limit, allowed) : min32(limit, allowed);
    }
    return limit;
}

static struct nf_hpa_limited limit_without_behavior(const struct nf_hpa *h,
                                                    int32_t current, int32_t desired)
{
    int32_t buffer = saturate(fmax(2.0 * (double)current, BUFFER_PODS));
    int32_t most = min32(h->max, buffer);
    if (desired < h->min) {
        return (struct nf_hpa_limited){h->min, NF_HPA_TOO_FEW};
    }
    if (desired > most) {
        return (struct nf_hpa_limited){most, h->max > buffer ? NF_HPA_UP_LIMIT
                                                             : NF_HPA_TOO_MANY};
    }
    return (struct nf_hpa_limited){desired, NF_HPA_WITHIN_RANGE};
}

struct nf_hpa_limited nf_hpa_limit(const struct nf_hpa *h, nf_time now, int32_t current,
                                   int32_t desired)
{
    if (h->no_behavior) {
        return limit_without_behavior(h, current, desired);
    }
    if (desired > current) {
        int32_t limit = max32(nf_hpa_up_limit(h, now, current), current);
        int32_t most = min32(limit, h->max);
        if (desired > most) {
            return (struct nf_hpa_limited){most, h->max > limit ? NF_HPA_UP_LIMIT
                                                                : NF_HPA_TOO_MANY};
        }
    } else if (desired < current) {
        int32_t limit = min32(nf_hpa_down_limit(h, now, current), current);
        int32_t least = max32(limit, h->min);
        if (desired < least) {
            return (struct nf_hpa_limited){least, h->min < limit ? NF_HPA_DOWN_LIMIT
                                                                 : NF_HPA_TOO_FEW};
        }
    }
    return (struct nf_hpa_limited){desired, NF_HPA_WITHIN_RANGE};
}

/* ---- one sync ---- */

static struct nf_hpa_count count_of(const struct nf_hpa *h, nf_time now, int32_t current,
                                    const struct nf_pod_sample *pods, size_t n)
{
    if (h->metric.kind == NF_HPA_RESOURCE || h->metric.kind == NF_HPA_PODS) {
        return nf_hpa_per_pod(&h->metric, now, current, pods, n);
    }
    if (n == 0) {
        return (struct nf_hpa_count){.error = NF_HPA_NO_METRICS};
    }
    /* The total does not come from the pods: whether their own metrics are there does not matter. */
    int64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum = nf_hpa_add(sum, pods[i].value_m);
    }
    return nf_hpa_total(&h->metric, current, sum, pods, n);
}

unsigned nf_hpa_decide(struct nf_hpa *h, nf_time now, unsigned current,
                       const struct nf_pod_sample *pods, size_t n)
{
    NF_ASSERT(current <= (unsigned)INT32_MAX);
    int32_t before = (int32_t)current;
    /* The count at the first sync stands for the time that was not seen. */
    if (h->recommendation_count == 0) {
        add_recommendation(h, now, before);
    }
    if (before == 0 && h->min != 0) {
        return 0;
    }
    int32_t after;
    if (before > h->max) {
        after = h->max;
    } else if (before < h->min) {
        after = h->min;
    } else {
        struct nf_hpa_count wanted = count_of(h, now, before, pods, n);
        if (wanted.error != NF_HPA_OK) {
            return current;
        }
        after = nf_hpa_stabilize(h, now, before, wanted.replicas);
        after = nf_hpa_limit(h, now, before, after).replicas;
    }
    nf_hpa_store_event(h, now, before, after);
    return (unsigned)after;
}
