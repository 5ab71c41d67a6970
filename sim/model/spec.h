/*
 * spec.h - a simulated world as plain data: everything named is an index, every default is filled in, every number is SI.
 *
 * What:   what sim/scenario builds from a checked file and sim/model simulates. Copies of a site ("shop: {count: 10}") are expanded:
 *         shop[0] .. shop[9] each have their own sources, edge nodes and links. `group` names what the file called them.
 * Owner:  one arena (the scenario's); read-only while worlds run, so any number of threads may share it.
 * Invariants (sim/scenario guarantees them, nf_world_new asserts some):
 *   1. Every index is in range; route_link is -1 where no link leads from the site to the station.
 *   2. Every class can be served: at least one station hosts its model, is reachable from its site and obeys its residency.
 *   3. All models of one station are of the kind that the station's kind serves.
 *   4. Cascades are acyclic: a stage's class index is larger than its parent's.
 */
#ifndef NF_MODEL_SPEC_H
#define NF_MODEL_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/dist.h"
#include "engine/time.h"
#include "model/batcher.h"
#include "perf/dnn.h"
#include "perf/llm.h"

/* ---- models and where they run ---- */

enum nf_model_kind { NF_MODEL_SERVICE, NF_MODEL_DNN, NF_MODEL_LLM };

struct nf_model_spec {
    const char *name;
    enum nf_model_kind kind;
    struct nf_dist service; /* NF_MODEL_SERVICE: seconds on a server of speed 1 */
    double parameters;      /* 0 where it means nothing */
};

/* One model on one station, its costs folded. */
struct nf_hosting {
    uint32_t model;
    struct nf_dnn_cost dnn; /* NF_MODEL_DNN */
    struct nf_llm_cost llm; /* NF_MODEL_LLM */
};

/* ---- stations ---- */

enum nf_tier { NF_TIER_EDGE, NF_TIER_CLOUD, NF_TIER_MAAS };

enum nf_station_kind {
    NF_STATION_SERVERS, /* service distributions: each server takes one request at a time */
    NF_STATION_BATCH,   /* batched DNN: each server (GPU) takes one batch at a time */
    NF_STATION_LLM,     /* each replica is one continuously batching engine */
    NF_STATION_PRICED   /* an API: unlimited servers behind rate and concurrency limits */
};

enum nf_scaler_policy { NF_SCALER_NONE, NF_SCALER_HPA, NF_SCALER_KPA };
enum nf_scaler_metric {
    NF_METRIC_UTILIZATION, /* share of time that a replica's GPUs executed something, averaged over ready replicas */
    NF_METRIC_CONCURRENCY, /* requests inside the station per ready replica */
    NF_METRIC_QUEUE        /* requests that wait, per ready replica */
};

/* One rule of an HPA behaviour section: at most `amount` replicas or percent in `period_s`. */
struct nf_scale_rule {
    bool is_percent;
    double amount;
    double period_s;
};

enum { NF_SCALE_RULES_MAX = 4 };
enum nf_scale_select { NF_SELECT_MAX, NF_SELECT_MIN, NF_SELECT_DISABLED };
struct nf_scale_direction {
    double stabilization_s;
    struct nf_scale_rule rules[NF_SCALE_RULES_MAX];
    int rule_count; /* 0: Kubernetes' default rules of this direction */
    enum nf_scale_select select;
    bool has_tolerance; /* its own tolerance instead of the scaler's */
    double tolerance;
};

struct nf_scaler_spec {
    enum nf_scaler_policy policy;
    enum nf_scaler_metric metric;
    double target;                      /* fraction, requests */
    double interval_s;                  /* HPA 15, KPA 2 */
    double tolerance;                   /* HPA 0.1 */
    struct nf_scale_direction up, down; /* HPA */
    double stable_window_s, panic_window_s,
        panic_threshold; /* KPA 60, 6, 2.0 (= 200 %) */
    double max_scale_up_rate, max_scale_down_rate,
        scale_down_delay_s; /* KPA 1000, 2, 0 */
    /* HPA without a behaviour section: at most max(2 x current, 4), only scale-down stabilized */
    bool no_behavior;
    /* HPA utilization: pods this young need a fresh metric; 0 selects 300 */
    double cpu_initialization_s;
    /* HPA utilization: never ready since start + this: unready; 0 selects 30 */
    double readiness_delay_s;
    /* KPA: share of `target` that is aimed at (Knative's default is 0.7); 0: all of it */
    double target_utilization;
    /* KPA: replicas to start at least when any are needed; 0 or 1: off */
    unsigned activation_scale;
    /* KPA: exponentially weighted windows instead of plain means */
    bool weighted_average;
    /* KPA, replicas_min 0: idle time before the last replica goes (Knative 30) */
    double zero_grace_s;
    /* KPA, replicas_min 0: least time that the last replica is kept (Knative 0) */
    double zero_retention_s;
    /* KPA: an activation longer than this + 30 s is given up; 0 selects 600 */
    double progress_deadline_s;
};

struct nf_station_spec {
    const char *name;  /* "shop-gpu[3]" */
    const char *group; /* "shop-gpu" */
    const char *place; /* site or region, for people */
    int32_t site;      /* index of the site it stands in (edge), -1 for regions */
    enum nf_tier tier;
    enum nf_station_kind kind;
    const struct nf_hosting *hostings;
    size_t hosting_count;

    int64_t queue_limit; /* requests that wait; INT64_MAX: none. A full queue rejects. */
    double speed;        /* NF_STATION_SERVERS: service times are divided by it */

    unsigned servers;          /* SERVERS and BATCH: per replica */
    unsigned gpus_per_replica; /* for price and power */
    unsigned batch_max;        /* BATCH */
    /* BATCH: batches under way on a GPU at once, so that copies and host work of one overlap with the computation of another;
     * 0 selects 1 */
    unsigned batch_streams;
    /* BATCH: preferred sizes, priorities, time limits; NULL: batch_max and batch_delay say all */
    const struct nf_batcher_spec *batcher;
    /* BATCH: an unfull batch waits at most so long after its oldest request came; NF_TIME_NEVER: until full */
    nf_time batch_delay;

    unsigned replicas_min, replicas_max, replicas_initial; /* edge: all 1 */
    struct nf_dist startup_provision, startup_image_pull;  /* seconds */
    double startup_load_s; /* weights over load bandwidth */
    struct nf_scaler_spec scaler;

    double price_usd_per_gpu_s;      /* cloud */
    double purchase_usd, lifetime_s; /* edge, whole node */
    double power_w,
        electricity_usd_per_joule; /* power of one replica (edge: the node) while it is on */
    /* priced endpoint */
    double usd_per_input_token, usd_per_output_token, usd_per_request;
    struct nf_dist ttft,
        tpot; /* seconds; kind CONSTANT 0 for non-token models, whose whole service is `ttft` */
    double rate_limit;         /* requests/s as a token bucket; 0: none */
    double rate_burst;         /* bucket size, requests */
    int64_t concurrency_limit; /* INT64_MAX: none */
};

/* ---- network ---- */

struct nf_link_spec {
    const char *name, *group;
    bool is_rtt; /* latency holds round-trip times: one draw a request, half each way */
    struct nf_dist latency; /* seconds */
    double bandwidth_up,
        bandwidth_down; /* byte/s, shared equally by the transfers under way; 0: unlimited */
    double loss;        /* probability that one packet is lost */
    double egress_usd_per_byte; /* on bytes that leave the station's side (down) */
};

/* ---- traffic ---- */

enum nf_arrival_kind {
    NF_ARRIVAL_POISSON,
    NF_ARRIVAL_CONSTANT, /* every 1/rate */
    NF_ARRIVAL_RENEWAL,  /* gaps from a distribution */
    NF_ARRIVAL_MMPP,
    NF_ARRIVAL_NHPP,
    NF_ARRIVAL_TRACE,
    NF_ARRIVAL_CLOSED /* clients that wait for their answer before they ask again */
};

struct nf_mmpp_state {
    double rate;    /* 1/s */
    double dwell_s; /* mean, exponential */
};

enum nf_interpolation { NF_INTERP_LINEAR, NF_INTERP_EXPONENTIAL, NF_INTERP_STEP };
struct nf_rate_point {
    double at_s, rate;
};

/* One recorded request; times start at 0 for the first kept row and are already divided by `speed`. */
struct nf_trace_row {
    nf_time at;
    uint32_t input_tokens, output_tokens;
};

/* What the prompts of a trace's rows begin with. Row r has the names[first[r]] .. names[first[r + 1] - 1]: the i-th stands for all tokens
 * up to (i + 1) `tokens` of its prompt, the last for the whole of it. */
struct nf_trace_names {
    const uint64_t *names, *first;
    uint32_t tokens;
};

struct nf_arrival_spec {
    enum nf_arrival_kind kind;
    double rate;        /* POISSON, CONSTANT */
    struct nf_dist gap; /* RENEWAL, seconds */
    /* MMPP: cyclic for two, uniform jump to one of the others for more */
    const struct nf_mmpp_state *states;
    size_t state_count;
    enum nf_interpolation interpolation; /* NHPP */
    const struct nf_rate_point *profile;
    size_t profile_count;
    const struct nf_trace_row *trace; /* TRACE */
    size_t trace_count;
    const struct nf_trace_names *trace_names; /* TRACE; NULL: no row has any */
    uint32_t clients; /* CLOSED: all ask for the first time at time 0 */
    /* CLOSED: seconds from any outcome to the client's next request */
    struct nf_dist think;
    uint64_t requests; /* CLOSED: of all clients together; 0: no limit */
};

enum nf_residency { NF_RESIDENCY_ANY, NF_RESIDENCY_ON_PREMISES };

struct nf_stage_link {
    uint32_t class_ix;
    double probability;
};

/* What all requests of one class share. A stage of a cascade is a class too. */
struct nf_class_spec {
    const char *name;
    uint32_t model;
    struct nf_dist input_tokens,
        output_tokens; /* LLM and token-priced; rounded to whole tokens, at least 1 */
    bool tokens_from_trace;
    double up_bytes, down_bytes,
        bytes_per_token; /* payload = up + per_token * input tokens, ... */
    enum nf_residency residency;
    /* BATCH stations with priorities: 1 is served first; 0: the station's default */
    unsigned priority;
    /* BATCH stations that allow it: at most so long in the queue; 0: the station's */
    double queue_timeout_s;
    double target_latency_s, target_ttft_s, target_tpot_s; /* 0: no target */
    /* what follows a completed request; draws are independent */
    const struct nf_stage_link *stages;
    size_t stage_count;
    bool is_stage;
};

/* One source of requests: one class at one site. */
struct nf_source_spec {
    /* "cameras[3]": its streams are "traffic.cameras[3]/arrival", ... */
    const char *name;
    uint32_t class_ix;
    uint32_t site;
    struct nf_arrival_spec arrivals;
};

/* ---- gateway, targets, output ---- */

enum nf_policy {
    NF_POLICY_EDGE_ONLY,
    NF_POLICY_CLOUD_ONLY,
    NF_POLICY_MAAS_ONLY,
    NF_POLICY_DECISION_FRAMEWORK, /* residency, then model size, then latency target */
    NF_POLICY_SPILLOVER, /* first station of `order` that is below the spill thresholds */
    NF_POLICY_WEIGHTED,  /* random split by weight */
    NF_POLICY_ROUND_ROBIN,
    NF_POLICY_LEAST_LOADED /* fewest requests inside per server, ties to the first */
};

struct nf_gateway_spec {
    enum nf_policy policy;
    /* SPILLOVER, WEIGHTED: stations; copies of a group follow one another */
    const uint32_t *order;
    const double *weights; /* WEIGHTED, one a station in `order` */
    size_t order_count;
    double spill_queue_delay_s; /* 0: not used. The age of the oldest waiting request */
    double spill_queue_length;  /* 0: not used. Waiting requests */
    /* 0: not used. Busy servers (LLM: running / max sequences) */
    double spill_utilization;
    double edge_max_parameters; /* DECISION_FRAMEWORK: larger models go to the cloud */
    double edge_latency_s; /* DECISION_FRAMEWORK: targets below this stay at the edge */
    /* from the client's send to its last byte, over all tries; NF_TIME_NEVER: none */
    nf_time timeout;
    unsigned retries; /* further tries after a rejection */
    nf_time backoff;  /* before the first retry, doubled each time */
};

enum nf_objective {
    NF_OBJECTIVE_LATENCY, /* quantile or mean of ... */
    NF_OBJECTIVE_TTFT,
    NF_OBJECTIVE_TPOT,
    NF_OBJECTIVE_WAIT,
    NF_OBJECTIVE_AVAILABILITY, /* completed / offered */
    NF_OBJECTIVE_TARGET_MET /* share of offered requests that completed within the class's targets */
};

struct nf_sla_spec {
    uint32_t class_ix;
    const char *text; /* "p99", "ttft_p95", "availability": as the file says it */
    enum nf_objective objective;
    double quantile; /* of a time; < 0: the mean */
    double bound;    /* upper for times, lower for fractions */
};

struct nf_world_spec {
    const char *name;
    uint64_t seed;
    unsigned replications;
    nf_time duration, warmup;

    const struct nf_model_spec *models;
    size_t model_count;
    const char *const *sites; /* expanded names */
    size_t site_count;
    const struct nf_station_spec *stations;
    size_t station_count;
    const struct nf_link_spec *links;
    size_t link_count;
    const int32_t *route_link; /* [site * station_count + station] */
    const struct nf_class_spec *classes;
    size_t class_count;
    const struct nf_source_spec *sources;
    size_t source_count;
    struct nf_gateway_spec gateway;
    const struct nf_sla_spec *slas;
    size_t sla_count;

    bool write_requests;
    nf_time series_interval; /* 0: no series */
    /* decode-only iterations jumped over at once; 0: the default, 1: step by step (same results) */
    unsigned llm_run_steps;
    bool llm_planned; /* all engines by the general scheduler (same results, slower) */
};

/* A station at the edge with one replica of one server that nothing limits, ready at once, for the one model of `hosting` (borrowed). */
struct nf_station_spec nf_station_spec_plain(const char *name, enum nf_station_kind kind,
                                             const struct nf_hosting *hosting);

#endif
