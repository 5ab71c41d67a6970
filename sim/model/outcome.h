/*
 * outcome.h - what one replication of a world came to, and the rows it streams out on the way.
 *
 * Units:  seconds, USD, fractions; NAN where a metric does not exist (no request completed, no tokens).
 * Scope:  every statistic covers the time from the end of the warm-up to the end of the run. A request belongs to it when it was
 *         offered after the warm-up. `inside`: offered after the warm-up and without an outcome at the end.
 */
#ifndef NF_MODEL_OUTCOME_H
#define NF_MODEL_OUTCOME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "model/spec.h"
#include "stats/histogram.h"

enum nf_request_outcome {
    NF_COMPLETED,
    NF_REJECTED,
    NF_TIMED_OUT,
    NF_FAILED,
    NF_OUTCOMES
};

/* The times a request may have. */
enum nf_measure {
    NF_LATENCY, /* client's send to last byte */
    NF_WAIT,    /* in queues and batches forming, not in service */
    NF_NETWORK, /* on links */
    NF_TTFT,    /* client's send to first token */
    NF_TPOT, /* (latency - ttft) / (output tokens - 1); requests of at least 2 tokens */
    NF_MEASURES
};

enum nf_statistic {
    NF_MEAN,
    NF_P50,
    NF_P90,
    NF_P95,
    NF_P99,
    NF_P999,
    NF_MAX,
    NF_STATISTICS
};

struct nf_counts {
    uint64_t offered, inside;
    uint64_t outcome[NF_OUTCOMES];
};

struct nf_class_outcome {
    struct nf_counts counts;
    double time_s[NF_MEASURES][NF_STATISTICS]; /* of completed requests */
    double mean_half_width_s
        [NF_MEASURES]; /* 95 %, batch means inside this replication; NAN */
    /* completed within all targets / (offered - inside); NAN without a target */
    double target_met;
    double availability; /* completed / (offered - inside) */
    uint64_t *routes;    /* completed requests by station, station_count entries */
    uint64_t retries;
    /* owned by the outcome's arena until nf_outcome_fini; for pictures of runs without rows */
    struct nf_histogram *latency;
    /* all NF_MEASURES of them, for objectives on other quantiles than the kept ones; latency is &times[NF_LATENCY] */
    struct nf_histogram *times;
};

struct nf_station_outcome {
    double utilization;    /* busy server time / available server time */
    double queue_mean;     /* requests that wait, time average */
    double in_system_mean; /* waiting or in service */
    double wait_mean_s;    /* of what went into service, not of what gave up */
    double sojourn_mean_s; /* at the station, of those that left it */
    /* samples a batch; sequences an iteration; NAN for plain servers */
    double batch_mean;
    bool is_saturated; /* the queue grew to the end: see station.c for the rule */
    double replicas_mean;
    unsigned replicas_max;
    double gpu_hours;
    /* share of the prompts' tokens that the prefix cache had; NAN without one */
    double prefix_hit_rate;
    uint64_t cold_starts;
    uint64_t arrivals, rejections, departures, preemptions, iterations;
    /* Iterations or batches with an operation outside the valid range of the profile that priced them; NAN: it states none. */
    double outside_range;
    unsigned outside_kinds; /* enum nf_outside, of all of them */
    double energy_kwh;
    double little_gap; /* L - lambda W relative to L: 0 up to edge effects */
    double cost_usd;
};

struct nf_cost {
    double edge, cloud, maas, network, total, per_1000_requests;
};

struct nf_outcome {
    uint32_t replication;
    uint64_t seed;
    uint64_t events;
    double simulated_s, measured_s; /* whole run; without warm-up */
    struct nf_counts counts;
    size_t class_count;
    struct nf_class_outcome *classes;    /* class_count */
    struct nf_station_outcome *stations; /* station_count */
    struct nf_cost cost;
    double energy_kwh;
    struct nf_arena arena;
    /* hash of (time, kind, target) of every event: the fingerprint of the run */
    uint64_t trajectory;
};

/* One request's row. Times in ns. Only requests offered after the warm-up that reached an outcome have a row, in the order of their
 * outcomes. */
struct nf_row {
    nf_time arrival;
    uint16_t class_ix, site, outcome;
    int16_t station; /* that completed it, or saw it last; -1: none did */
    uint16_t tries;
    uint32_t input_tokens, output_tokens;
    nf_time wait, network,
        service; /* latency = wait + network + service + backoff, to the ns, for completed ones */
    nf_time ttft, tpot; /* -1: none */
    nf_time latency;
    /* what the request itself was charged: tokens, requests, egress; the bill's usage is the sum of the rows */
    double cost_usd;
};

/* One station at one tick of the series. */
struct nf_series_point {
    nf_time at;
    uint32_t station;
    double offered_rate;        /* requests/s that came since the last tick */
    uint32_t queue, in_service; /* now */
    uint32_t replicas_ready, replicas_starting;
    double utilization; /* since the last tick */
};

/* Where rows go. Either may be NULL. The pointed-to row dies with the call. */
struct nf_sinks {
    void (*row)(void *ctx, const struct nf_row *row);
    void (*point)(void *ctx, const struct nf_series_point *point);
    void (*progress)(void *ctx, double fraction); /* now and then */
    void *ctx;
};

/* Simulate one replication. Allocates in its own arena; `out` is the caller's and freed by nf_outcome_fini.
 * Aborts (NF_ASSERT) when conservation or Little's law is violated. */
void nf_world_run(const struct nf_world_spec *spec, uint32_t replication,
                  const struct nf_sinks *sinks, struct nf_outcome *out);
void nf_outcome_fini(struct nf_outcome *out);

const char *nf_measure_name(enum nf_measure m);         /* "latency_s", ... */
const char *nf_statistic_name(enum nf_statistic s);     /* "mean", "p50", ... */
const char *nf_outcome_name(enum nf_request_outcome o); /* "completed", ... */

#endif
