/*
 * report.h - what a run came to, over all its replications: the numbers that `run` prints, the file keeps and plots show.
 *
 * What:   nf_report_make aggregates the outcomes of n replications of one spec; nf_result_read (reader.h) fills the same
 *         struct from a result file, so everything downstream works on struct nf_report.
 * How a number is made (the written definitions; results/README.md repeats them for readers of the file):
 *   estimate   value = arithmetic mean over the replications in which the metric exists (is not NAN); half_width = 95 %
 *              Student interval of that mean. With one replication the half width of the five mean times is the batch-means
 *              half width inside the replication, and NAN for everything else.
 *   percentile of a replication: nearest rank, told to 1/2048 (stats/histogram.h); the estimate averages the replications'
 *              percentiles, it is not the percentile of the pooled requests. `max` likewise averages the maxima.
 *   count      offered, completed, ..., retries, routes, events: summed over replications.
 *   station    one entry a *group*: the copies of an edge node at all copies of its site. Per copy (mean over copies):
 *              utilization, queue_mean, in_system_mean, batch_mean, wait, sojourn, replicas_mean. Largest of the copies:
 *              replicas_max. Sums over copies: gpu_hours, cold_starts, energy_kwh, cost_usd.
 *              is_saturated: any copy in any replication.
 *   sla        value = mean over replications of the statistic that the objective names; met when value <= bound (times)
 *              or value >= bound (availability, target_met). A value that does not exist (NAN) does not meet its bound.
 * Order:  classes, groups and objectives stand in the order of the spec; sums run over replications, then copies, in index
 *         order, so equal outcomes give equal bits.
 * Owner:  the caller's arena holds everything; the outcomes may go once nf_report_make returns.
 * Units:  seconds, USD, kWh, fractions; histograms in nanoseconds.
 * Errors: none.
 */
#ifndef NF_RESULTS_REPORT_H
#define NF_RESULTS_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "model/outcome.h"
#include "stats/interval.h"

/* Filled bins of a histogram, all replications together, values rising. */
struct nf_bins {
    size_t count;
    const double *value_ns; /* representative of the bin */
    const uint64_t *n;      /* requests in it */
};

struct nf_class_report {
    const char *name;
    double target_latency_s, target_ttft_s, target_tpot_s; /* 0: no target */
    struct nf_counts counts;
    uint64_t retries;
    struct nf_estimate time_s[NF_MEASURES][NF_STATISTICS];
    struct nf_estimate target_met; /* value NAN: the class has no target */
    struct nf_estimate availability;
    const uint64_t *routes; /* completed requests by station group, group_count entries */
    struct nf_bins latency, ttft; /* ttft: empty for classes without tokens */
};

struct nf_group_report {
    const char *name;
    enum nf_tier tier;
    unsigned copies;
    bool is_saturated;
    struct nf_estimate utilization, queue_mean, in_system_mean, batch_mean;
    struct nf_estimate wait_mean_s, sojourn_mean_s;
    struct nf_estimate replicas_mean, replicas_max;
    struct nf_estimate prefix_hit_rate; /* value NAN: no prefix cache */
    /* Iterations or batches outside the valid range of the profile that priced them, all copies, and their share; value NAN: no range
     * is stated. */
    struct nf_estimate outside_range, outside_share;
    unsigned outside_kinds; /* enum nf_outside, of all replications */
    struct nf_estimate gpu_hours, cold_starts, energy_kwh, cost_usd;
};

/* In the order in which the file and the pictures show them. */
enum nf_cost_part {
    NF_COST_EDGE,
    NF_COST_CLOUD,
    NF_COST_MAAS,
    NF_COST_NETWORK,
    NF_COST_PARTS
};

struct nf_cost_report {
    struct nf_estimate part[NF_COST_PARTS], total, per_1000_requests;
};

struct nf_sla_report {
    const char *class_name; /* points into the class's report */
    const char *text;       /* "p99", "ttft_p95", "availability" */
    bool is_time; /* the bound is an upper one in seconds; else a lower one, a fraction */
    double bound;
    struct nf_estimate value;
    bool is_met;
};

struct nf_report {
    const char *scenario;
    uint64_t seed;
    size_t replications;
    double simulated_s, warmup_s; /* one replication, warm-up included; its warm-up */
    uint64_t events;              /* all replications */
    uint64_t fingerprint; /* of every event of every replication: time, kind and place */
    struct nf_counts counts; /* all classes */
    size_t class_count;
    struct nf_class_report *classes;
    size_t group_count;
    struct nf_group_report *groups;
    struct nf_cost_report cost;
    struct nf_estimate energy_kwh;
    size_t sla_count;
    struct nf_sla_report *sla;
};

/* outcomes[0..n), n >= 1, are replications of `spec` in index order. */
void nf_report_make(struct nf_report *report, const struct nf_world_spec *spec,
                    const struct nf_outcome *outcomes, size_t n, struct nf_arena *arena);

/* Every objective met (true when there are none). */
bool nf_report_meets_sla(const struct nf_report *report);

/* "edge", "cloud", "maas", "network". */
const char *nf_cost_part_name(enum nf_cost_part part);

/* The station groups of a spec in order of first mention: group_of[station] is the group's index (station_count entries).
 * Returns how many there are. */
size_t nf_report_groups(const struct nf_world_spec *spec, uint32_t *group_of);

#endif
