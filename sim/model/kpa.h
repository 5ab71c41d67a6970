/*
 * kpa.h - the Knative Pod Autoscaler: replicas from a stable and a panic window of concurrency.
 *
 * What:   nf_kpa_record takes the load of one second; nf_kpa_decide is one tick (every 2 s) of the autoscaler and of the rule that
 *         lets the last replica go. Below them lie the parts that upstream tests on their own.
 * Why:    decisions of the real autoscaler, so that a scenario can be compared with a cluster.
 * Model:  knative/serving 98e5ef90 (2026-08-21), pkg/autoscaler/scaling, pkg/autoscaler/aggregation, pkg/reconciler/autoscaling/kpa.
 *         The station's queue plays the activator: while there are no replicas requests wait there, and the probe that upstream
 *         sends before it scales to zero always succeeds.
 * Cost:   record O(1) amortised, decide O(1) (weighted windows: O(seconds of the window)).
 * Owner:  caller owns struct nf_kpa; buckets live in the arena given to nf_kpa_init. No world, no clock, no randomness.
 * Units:  nf_time; load is requests inside the station (all replicas together), or requests/s for a rate target.
 * Errors: none. Without data in the stable window nothing changes, as upstream.
 *
 * Invariants:
 *   1. Panic never lowers the count: while panicking the answer is the largest wanted since panic began.
 *   2. Panic ends only when no tick was over the threshold for longer than the stable window.
 *   3. nf_kpa_decide returns a count in [min, max]; below 1 only if min is 0 and the scaler was idle long enough.
 */
#ifndef NF_MODEL_KPA_H
#define NF_MODEL_KPA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "engine/time.h"
#include "model/spec.h"

/* ---- windows ---- */

/* Sums a bucket over a sliding window; bucket i holds the granule with index i modulo count. */
struct nf_kpa_buckets {
    double *values;
    int64_t count; /* window / granularity, rounded up */
    nf_time window, granularity;
    bool is_weighted;
    double smoothing; /* weight of the newest bucket, weighted windows */
    bool has_data;    /* anything was ever recorded */
    int64_t first,
        last; /* granules of the first write (since the last silence of a window) and the latest */
    double total;
};

void nf_kpa_buckets_init(struct nf_kpa_buckets *b, nf_time window, nf_time granularity,
                         bool is_weighted, struct nf_arena *arena);
/* Adds to the bucket of `at`; values older than a window before the latest are dropped. */
void nf_kpa_buckets_record(struct nf_kpa_buckets *b, nf_time at, double value);
/* Mean a bucket from the first write or the window's start to the last write; 0 without data. */
double nf_kpa_buckets_average(const struct nf_kpa_buckets *b, nf_time now);
double nf_kpa_buckets_sum(const struct nf_kpa_buckets *b, nf_time now);
/* Nothing recorded for longer than the window. */
bool nf_kpa_buckets_is_empty(const struct nf_kpa_buckets *b, nf_time now);
/* Weight of the newest of n buckets: max(1 - (1 - 0.9999)^(1/n), 0.2). */
double nf_kpa_smoothing(double n);

/* Largest value of the last `size` indices. */
struct nf_kpa_peak {
    int32_t *values; /* falling values at rising indices, a ring of `size` */
    int64_t *indices;
    int64_t size, first, length;
};

void nf_kpa_peak_init(struct nf_kpa_peak *p, int64_t size, struct nf_arena *arena);
/* Requires index >= every index before. Returns the largest value of the window that ends at index. */
int32_t nf_kpa_peak_record(struct nf_kpa_peak *p, int64_t index, int32_t value);

/* ---- one tick ---- */

struct nf_kpa_config {
    double target;          /* load a replica that is aimed at, > 0 */
    double total;           /* load a replica can take; burst capacity only */
    double burst_capacity;  /* 0: excess is not computed; < 0: unlimited */
    double panic_threshold; /* panic from this ratio of wanted to ready replicas */
    double max_up_rate, max_down_rate;
    nf_time stable_window;
    int32_t activation_scale;
    bool is_reachable; /* false: old version without traffic, may shrink at any rate */
};

struct nf_kpa_panic {
    bool is_on;
    nf_time since;    /* last tick over the threshold */
    int32_t max_pods; /* largest count wanted while panicking */
};

/* Panic starts on when more than one replica is ready at the start: there is no history yet. */
struct nf_kpa_panic nf_kpa_panic_at_start(nf_time now, int32_t ready);

/* Load a replica aimed at, and the load it can take. `container_limit` and `annotation` are 0 where not given. */
struct nf_kpa_target {
    double target, total;
};
struct nf_kpa_target nf_kpa_resolve_target(bool is_rate, double container_limit,
                                           double annotation, double default_total,
                                           double utilization);

/* How many of `pods` replicas upstream scrapes for a mean within 5 requests at 95 % confidence. */
unsigned nf_kpa_sample_size(unsigned pods);

/* ---- to zero and back ---- */

enum nf_kpa_status { NF_KPA_ACTIVE, NF_KPA_INACTIVE, NF_KPA_ACTIVATING };

struct nf_kpa_zero {
    int32_t desired, current; /* desired -1: not known */
    enum nf_kpa_status status;
    nf_time in_status;
    int32_t min, max; /* max 0: none */
    int32_t initial_scale;
    bool is_initialized; /* the initial scale was reached once */
    bool is_reachable;
    bool is_enabled; /* may scale to zero */
    nf_time stable_window, grace, retention, activation_timeout;
    bool proxy_mode; /* requests already go through the activator, and for how long */
    nf_time proxy_for;
    bool is_burst_unlimited; /* the activator is always in the path */
    bool probe_ok;
};

struct nf_kpa_verdict {
    int32_t desired;     /* -1: not known, leave the count alone */
    bool apply;          /* set the count to `desired` now */
    bool probe;          /* ask the activator again */
    nf_time again_after; /* look again after this time; 0: at the next tick */
};
struct nf_kpa_verdict nf_kpa_bound(const struct nf_kpa_zero *z);

/* ---- the scaler ---- */

struct nf_kpa {
    struct nf_kpa_config config;
    struct nf_kpa_panic panic;
    struct nf_kpa_buckets stable_load, panic_load;
    bool has_delay;
    struct nf_kpa_peak delay;
    nf_time interval;
    /* its settings; desired, current and times are set by every decision */
    struct nf_kpa_zero zero;
    nf_time status_since;
    int32_t replicas; /* the count decided last */
};

/* Requires spec->target > 0. max 0: unlimited. `spec` is copied; the arena must outlive k. */
void nf_kpa_init(struct nf_kpa *k, const struct nf_scaler_spec *spec, unsigned min,
                 unsigned max, struct nf_arena *arena);
/* `ready` replicas exist when the autoscaler starts. Call once, before the first decision. */
void nf_kpa_start(struct nf_kpa *k, nf_time now, unsigned ready);

/* Load of the whole station in the second that `now` falls into; several records of one second add up. Call once a second. */
void nf_kpa_record(struct nf_kpa *k, nf_time now, double load);

/* The number of replicas wanted. `ready` replicas serve now. Call every spec->interval_s (2 s), after the second's record; and at once
 * when load is recorded while there are no replicas, as upstream does for the first request that the activator holds. */
unsigned nf_kpa_decide(struct nf_kpa *k, nf_time now, unsigned ready);

/* ---- parts of a decision ---- */

struct nf_kpa_load {
    double stable, panic; /* window averages */
    int32_t ready;
};
struct nf_kpa_wish {
    int32_t desired; /* before [min, max] */
    /* excess burst capacity; < 0: the activator should stay in the path */
    int32_t excess;
};
/* Count wanted for a load: rates, panic, scale-down delay. */
struct nf_kpa_wish nf_kpa_scale(struct nf_kpa *k, nf_time now, struct nf_kpa_load load);

#endif
