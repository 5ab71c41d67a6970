/*
 * hpa.h - the Kubernetes Horizontal Pod Autoscaler (autoscaling/v2): how many replicas it would ask for.
 *
 * What:   nf_hpa_decide is one sync of the controller; below it lie the parts that upstream tests on their own: grouping of pods,
 *         replica count from a metric, stabilization, rate limits, the logs of recommendations and scale events.
 * Why:    decisions of the real controller, integer truncation included, so that a scenario can be compared with a cluster.
 * Model:  rules of Kubernetes >= 1.33 (pkg/controller/podautoscaler: replica_calculator.go, horizontal.go). Utilization is taken as a
 *         Resource metric (integer percent, the readiness rules of cpu), concurrency as a Pods metric (average value), queue
 *         as an External metric (average value of the sum over all samples, `has_metric` or not). A scaler has one metric.
 * Cost:   O(pods + logged recommendations + logged events) a decision; the logs are as long as the windows need.
 * Owner:  caller owns struct nf_hpa; logs grow in the arena given to nf_hpa_init. No world, no clock, no randomness.
 * Units:  nf_time; metric values in thousandths (nf_hpa_milli); utilization in thousandths of a replica.
 * Errors: a metric that cannot be read is a value (enum nf_hpa_error); nf_hpa_decide then keeps the current count.
 *
 * Invariants:
 *   1. min <= max; nf_hpa_decide returns a count in [min, max], or `current` when no metric could be read inside that range, or 0
 *      when current is 0 and min is not (scaling is switched off, as upstream).
 *   2. An event is logged exactly when the returned count differs from `current`; the caller is taken to apply it.
 *   3. Slots of the logs are reused only when they are older than every window that looks at them.
 */
#ifndef NF_MODEL_HPA_H
#define NF_MODEL_HPA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "engine/time.h"
#include "model/spec.h"

/* ---- pods and their metric ---- */

enum nf_pod_phase { NF_POD_PENDING, NF_POD_RUNNING, NF_POD_FAILED };

/* What the controller sees of one replica. The last five fields matter to utilization only. */
struct nf_pod_sample {
    enum nf_pod_phase phase; /* PENDING: not yet on a node, or pulling its image */
    bool deleted;            /* being terminated */
    bool ready;
    bool has_metric;
    int64_t value_m; /* the metric, thousandths */
    /* what `utilization` is a share of; 0: the metric's default request */
    int64_t request_m;
    nf_time started; /* NF_TIME_NEVER: no start time or no Ready condition yet */
    /* last change of `ready`; a pod that was never ready: its start */
    nf_time ready_changed;
    nf_time metric_at; /* end of the metric's sampling window */
    nf_time metric_window;
};

/* Thousandths of x, to nearest, saturated. */
int64_t nf_hpa_milli(double x);

enum nf_hpa_kind {
    NF_HPA_RESOURCE,     /* per pod, as percent of its request */
    NF_HPA_PODS,         /* per pod, as average value */
    NF_HPA_VALUE,        /* one total (object or external) against a value */
    NF_HPA_AVERAGE_VALUE /* one total against a value per pod */
};

struct nf_hpa_metric {
    enum nf_hpa_kind kind;
    bool is_cpu;    /* apply the readiness rules of the cpu resource */
    int64_t target; /* RESOURCE: percent; others: thousandths */
    /* for pods that name none (a LimitRange); 0: such a pod is an error */
    int64_t default_request_m;
    double tolerance_down, tolerance_up;
    nf_time cpu_initialization, readiness_delay;
};

enum nf_pod_group {
    NF_GROUP_IGNORED,
    NF_GROUP_UNREADY,
    NF_GROUP_MISSING,
    NF_GROUP_READY
};
enum nf_pod_group nf_hpa_group(const struct nf_hpa_metric *m, nf_time now,
                               const struct nf_pod_sample *pod);

enum nf_hpa_error {
    NF_HPA_OK,
    NF_HPA_NO_METRICS, /* no pod has a metric at all */
    NF_HPA_NO_PODS,
    NF_HPA_NO_REQUEST,      /* RESOURCE: some pod has no request */
    NF_HPA_NO_READY_METRICS /* all metrics belong to ignored or unready pods */
};

struct nf_hpa_count {
    enum nf_hpa_error error; /* the rest is 0 unless NF_HPA_OK */
    int32_t replicas;
    int64_t utilization_pct; /* RESOURCE */
    /* average a pod (RESOURCE, PODS, AVERAGE_VALUE) or total (VALUE), before missing pods are filled in */
    int64_t usage_m;
};

/* Kinds RESOURCE and PODS. */
struct nf_hpa_count nf_hpa_per_pod(const struct nf_hpa_metric *m, nf_time now,
                                   int32_t current, const struct nf_pod_sample *pods,
                                   size_t n);
/* Kinds VALUE and AVERAGE_VALUE. `usage_m` is the total; the pods count only as running and ready. */
struct nf_hpa_count nf_hpa_total(const struct nf_hpa_metric *m, int32_t current,
                                 int64_t usage_m, const struct nf_pod_sample *pods,
                                 size_t n);
/* Sum of two totals, saturated at INT64_MAX. Requires a, b >= 0. */
int64_t nf_hpa_add(int64_t a, int64_t b);

/* ---- the scaler ---- */

struct nf_hpa_recommendation {
    nf_time at;
    int32_t replicas;
};

struct nf_hpa_event {
    nf_time at;
    int32_t change; /* > 0 in both logs */
    /* older than every period of the direction when the last event was stored */
    bool outdated;
};

struct nf_hpa_events {
    struct nf_hpa_event *items;
    size_t count, cap;
};

struct nf_hpa {
    struct nf_arena *arena;
    int32_t min, max;
    bool no_behavior;
    struct nf_hpa_metric metric;
    struct nf_scale_direction up, down; /* default rules filled in */
    struct nf_hpa_recommendation *recommendations;
    size_t recommendation_count, recommendation_cap;
    struct nf_hpa_events added, removed;
};

/* Requires spec->target > 0. `spec` is copied; the arena must outlive h. */
void nf_hpa_init(struct nf_hpa *h, const struct nf_scaler_spec *spec, unsigned min,
                 unsigned max, struct nf_arena *arena);

/* One sync: the number of replicas wanted. `current` is the count asked for so far (ready or not); `pods` holds a sample a replica,
 * and replicas that are going away may be in it with `deleted` set. Call every spec->interval_s. */
unsigned nf_hpa_decide(struct nf_hpa *h, nf_time now, unsigned current,
                       const struct nf_pod_sample *pods, size_t n);

/* ---- parts of a decision, in their order ---- */

/* Damp `desired` by the recommendations of the windows and log it. */
int32_t nf_hpa_stabilize(struct nf_hpa *h, nf_time now, int32_t current, int32_t desired);

enum nf_hpa_condition {
    NF_HPA_WITHIN_RANGE,
    NF_HPA_TOO_FEW,  /* raised to min */
    NF_HPA_TOO_MANY, /* cut to max */
    NF_HPA_UP_LIMIT, /* cut by the rules of a direction */
    NF_HPA_DOWN_LIMIT
};
struct nf_hpa_limited {
    int32_t replicas;
    enum nf_hpa_condition condition;
};
/* Cut `desired` to what the rules and [min, max] allow. */
struct nf_hpa_limited nf_hpa_limit(const struct nf_hpa *h, nf_time now, int32_t current,
                                   int32_t desired);
/* Most and fewest replicas that the rules alone allow now. */
int32_t nf_hpa_up_limit(const struct nf_hpa *h, nf_time now, int32_t current);
int32_t nf_hpa_down_limit(const struct nf_hpa *h, nf_time now, int32_t current);

/* Sum of the changes that are younger than period_s. */
int32_t nf_hpa_change_in(const struct nf_hpa_events *events, nf_time now,
                         double period_s);
/* Log that the count goes from `before` to `after` now. */
void nf_hpa_store_event(struct nf_hpa *h, nf_time now, int32_t before, int32_t after);

#endif
