/* The decisions of kpa.h: rates, panic, delay, and the rule around zero. */
#include "model/kpa.h"

#include <math.h>

#include "base/status.h"

static const double TARGET_MIN = 0.01;
static const double INTERVAL_S = 2;
static const double PROGRESS_DEADLINE_S = 600;
static const double ACTIVATION_BUFFER_S = 30;
static const double PROXY_AGAIN_S = 3;

static int32_t saturate(double x)
{
    if (!(x < (double)INT32_MAX)) {
        return INT32_MAX;
    }
    return x > (double)INT32_MIN ? (int32_t)x : INT32_MIN;
}

static nf_time max_time(nf_time a, nf_time b)
{
    return a > b ? a : b;
}

struct nf_kpa_target nf_kpa_resolve_target(bool is_rate, double container_limit,
                                           double annotation, double default_total,
                                           double utilization)
{
    double total = default_total;
    bool has_limit = !is_rate && container_limit > 0;
    if (annotation > 0) {
        total = has_limit ? fmin(annotation, container_limit) : annotation;
    } else if (has_limit) {
        total = container_limit;
    }
    return (struct nf_kpa_target){fmax(TARGET_MIN, total * utilization), total};
}

/* Cochran's sample size with correction for a finite population: z = 1.96, sigma^2 = 100, error 5. */
unsigned nf_kpa_sample_size(unsigned pods)
{
    if (pods <= 3) {
        return pods;
    }
    const double unbounded = 1.96 * 1.96 * 100.0 / (5.0 * 5.0);
    double n = (double)pods;
    return (unsigned)ceil(n * unbounded / (n + unbounded - 1));
}

struct nf_kpa_panic nf_kpa_panic_at_start(nf_time now, int32_t ready)
{
    return (struct nf_kpa_panic){.is_on = ready > 1, .since = now, .max_pods = ready};
}

void nf_kpa_init(struct nf_kpa *k, const struct nf_scaler_spec *spec, unsigned min,
                 unsigned max, struct nf_arena *arena)
{
    NF_ASSERT(spec->target > 0 && spec->max_scale_up_rate >= 1 &&
              spec->max_scale_down_rate >= 1);
    NF_ASSERT((max == 0 || min <= max) && max <= (unsigned)INT32_MAX);
    double share = spec->target_utilization > 0 ? spec->target_utilization : 1;
    double deadline_s =
        spec->progress_deadline_s > 0 ? spec->progress_deadline_s : PROGRESS_DEADLINE_S;
    struct nf_kpa_target t = nf_kpa_resolve_target(false, 0, spec->target, 0, share);
    *k = (struct nf_kpa){
        .interval = nf_time_of_s(spec->interval_s > 0 ? spec->interval_s : INTERVAL_S),
        .config = {.target = t.target,
                   .total = t.total,
                   .panic_threshold = spec->panic_threshold,
                   .max_up_rate = spec->max_scale_up_rate,
                   .max_down_rate = spec->max_scale_down_rate,
                   .stable_window = nf_time_of_s(spec->stable_window_s),
                   .activation_scale = saturate((double)spec->activation_scale),
                   .is_reachable = true},
        .zero = {.min = (int32_t)min,
                 .max = (int32_t)max,
                 .initial_scale = 1,
                 .is_initialized = true,
                 .is_reachable = true,
                 .is_enabled = true,
                 .probe_ok = true,
                 .stable_window = nf_time_of_s(spec->stable_window_s),
                 .grace = nf_time_of_s(spec->zero_grace_s),
                 .retention = nf_time_of_s(spec->zero_retention_s),
                 .activation_timeout = nf_time_of_s(deadline_s + ACTIVATION_BUFFER_S)},
    };
    /* Whole seconds, at least one: the panic window is no shorter than a bucket. */
    nf_time panic_window = nf_time_of_s(fmax(round(spec->panic_window_s), 1));
    nf_kpa_buckets_init(&k->stable_load, k->config.stable_window, NF_SECOND,
                        spec->weighted_average, arena);
    nf_kpa_buckets_init(&k->panic_load, panic_window, NF_SECOND, spec->weighted_average,
                        arena);
    nf_time delay = nf_time_of_s(spec->scale_down_delay_s);
    if (delay > 0) {
        k->has_delay = true;
        nf_kpa_peak_init(&k->delay, (delay - 1) / k->interval + 1, arena);
    }
    nf_kpa_start(k, 0, min);
}

void nf_kpa_start(struct nf_kpa *k, nf_time now, unsigned ready)
{
    NF_ASSERT(ready <= (unsigned)INT32_MAX);
    k->replicas = (int32_t)ready;
    k->panic = nf_kpa_panic_at_start(now, k->replicas);
    k->zero.status = ready > 0 ? NF_KPA_ACTIVE : NF_KPA_INACTIVE;
    k->status_since = now;
}

void nf_kpa_record(struct nf_kpa *k, nf_time now, double load)
{
    nf_kpa_buckets_record(&k->stable_load, now, load);
    nf_kpa_buckets_record(&k->panic_load, now, load);
}

static int32_t excess_capacity(const struct nf_kpa_config *c, struct nf_kpa_load load)
{
    if (c->burst_capacity == 0) {
        return 0;
    }
    if (c->burst_capacity < 0) {
        return -1;
    }
    return saturate(
        floor((double)load.ready * c->total - c->burst_capacity - load.panic));
}

/* What a window's load asks for, between the two rates. */
static int32_t within_rates(const struct nf_kpa_config *c, double wanted, double ready)
{
    /* Rounded so that at least one replica can come or go whatever the rate. */
    double most = ceil(c->max_up_rate * ready);
    double least = c->is_reachable ? floor(ready / c->max_down_rate) : 0;
    int32_t count = saturate(fmin(fmax(wanted, least), most));
    bool is_lifted = c->activation_scale > 1 && wanted > 0 && c->activation_scale > count;
    return is_lifted ? c->activation_scale : count;
}

struct nf_kpa_wish nf_kpa_scale(struct nf_kpa *k, nf_time now, struct nf_kpa_load load)
{
    const struct nf_kpa_config *c = &k->config;
    struct nf_kpa_panic *panic = &k->panic;
    double ready = load.ready > 1 ? (double)load.ready : 1;
    double wanted_stable = ceil(load.stable / c->target);
    double wanted_panic = ceil(load.panic / c->target);
    int32_t stable = within_rates(c, wanted_stable, ready);
    int32_t urgent = within_rates(c, wanted_panic, ready);

    if (wanted_panic / ready >= c->panic_threshold) {
        panic->is_on = true;
        panic->since = now;
    } else if (panic->is_on && now - panic->since > c->stable_window) {
        panic->is_on = false;
        panic->max_pods = 0;
    }
    int32_t desired = stable;
    if (panic->is_on) {
        int32_t larger = stable > urgent ? stable : urgent;
        panic->max_pods = panic->max_pods > larger ? panic->max_pods : larger;
        desired = panic->max_pods;
    }
    if (k->has_delay && c->is_reachable) {
        desired = nf_kpa_peak_record(&k->delay, now / k->interval, desired);
    }
    return (struct nf_kpa_wish){.desired = desired, .excess = excess_capacity(c, load)};
}

/* ---- around zero ---- */

static struct nf_kpa_verdict verdict_inactive(const struct nf_kpa_zero *z)
{
    /* With an unlimited burst the activator is in the path anyway; else it must have answered. */
    if (!z->is_burst_unlimited && !z->probe_ok) {
        return (struct nf_kpa_verdict){.desired = 0, .probe = true};
    }
    if (z->in_status >= max_time(z->grace, z->retention)) {
        return (struct nf_kpa_verdict){.desired = 0, .apply = true};
    }
    if (z->in_status < z->retention) {
        return (struct nf_kpa_verdict){.desired = 0,
                                       .again_after = z->retention - z->in_status};
    }
    if (z->proxy_for >= z->grace) {
        return (struct nf_kpa_verdict){.desired = 0, .apply = true};
    }
    return (struct nf_kpa_verdict){.desired = 0, .again_after = z->grace - z->proxy_for};
}

/* What becomes of a wish for no replicas at all. */
static struct nf_kpa_verdict verdict_zero(const struct nf_kpa_zero *z)
{
    if (!z->is_enabled) {
        return (struct nf_kpa_verdict){.desired = 1, .apply = true};
    }
    if (z->status == NF_KPA_INACTIVE) {
        return verdict_inactive(z);
    }
    if (z->status == NF_KPA_ACTIVATING) {
        if (z->in_status > z->activation_timeout) {
            return (struct nf_kpa_verdict){.desired = 0, .apply = true};
        }
        return (struct nf_kpa_verdict){.desired = -1,
                                       .again_after = z->activation_timeout};
    }
    if (z->in_status < z->stable_window) {
        return (struct nf_kpa_verdict){
            .desired = 1, .apply = true, .again_after = z->stable_window - z->in_status};
    }
    /* Wanting 0 without applying it makes the caller mark the scaler inactive. */
    return (struct nf_kpa_verdict){
        .desired = 0, .again_after = z->proxy_mode ? nf_time_of_s(PROXY_AGAIN_S) : 0};
}

struct nf_kpa_verdict nf_kpa_bound(const struct nf_kpa_zero *z)
{
    if (z->desired < 0 && z->status != NF_KPA_ACTIVATING) {
        return (struct nf_kpa_verdict){.desired = z->desired};
    }
    int32_t least = z->is_reachable ? z->min : 0;
    bool is_starting = z->initial_scale > 1 && !z->is_initialized && z->is_reachable;
    if (is_starting && z->initial_scale > least) {
        least = z->initial_scale;
    }
    int32_t desired = z->desired;
    if (desired < least) {
        desired = least;
    } else if (z->max != 0 && desired > z->max) {
        desired = z->max;
    }
    struct nf_kpa_verdict v =
        desired != 0 ? (struct nf_kpa_verdict){.desired = desired, .apply = true}
                     : verdict_zero(z);
    v.apply = v.apply && v.desired != z->current;
    return v;
}

/* The pod autoscaler's Active condition after a decision. */
static enum nf_kpa_status next_status(const struct nf_kpa *k, int32_t wanted,
                                      int32_t ready)
{
    int32_t least = k->zero.min > 1 ? k->zero.min : 1;
    if (wanted == 0) {
        return NF_KPA_INACTIVE;
    }
    if (wanted < 0 && k->zero.status == NF_KPA_INACTIVE) {
        return NF_KPA_INACTIVE;
    }
    return ready < least ? NF_KPA_ACTIVATING : NF_KPA_ACTIVE;
}

unsigned nf_kpa_decide(struct nf_kpa *k, nf_time now, unsigned ready)
{
    struct nf_kpa_zero z = k->zero;
    z.desired = -1;
    if (!nf_kpa_buckets_is_empty(&k->stable_load, now)) {
        struct nf_kpa_load load = {
            .stable = nf_kpa_buckets_average(&k->stable_load, now),
            .panic = nf_kpa_buckets_average(&k->panic_load, now),
            .ready = (int32_t)ready,
        };
        z.desired = nf_kpa_scale(k, now, load).desired;
    }
    z.current = k->replicas;
    z.in_status = now - k->status_since;
    z.proxy_mode = z.status == NF_KPA_INACTIVE;
    z.proxy_for = z.proxy_mode ? z.in_status : 0;
    struct nf_kpa_verdict v = nf_kpa_bound(&z);
    if (v.apply) {
        k->replicas = v.desired;
    }
    enum nf_kpa_status status = next_status(k, v.desired, (int32_t)ready);
    if (status != k->zero.status) {
        k->zero.status = status;
        k->status_since = now;
    }
    return (unsigned)k->replicas;
}
