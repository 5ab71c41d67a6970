/*
 * summary_fields.c - which numbers of a report stand in /summary, under which name. Writer and reader share these tables, so
 * what is written is what is read. results/README.md repeats them.
 */
#include "results/summary.h"

#define COUNT(struct_name, field, name, text)                                            \
    {                                                                                    \
        name, text, "1", NF_FIELD_U64, offsetof(struct struct_name, field), false        \
    }
#define ESTIMATE(struct_name, field, text, units)                                        \
    {                                                                                    \
#field, text, units, NF_FIELD_ESTIMATE, offsetof(struct struct_name, field),     \
            false                                                                        \
    }

static const struct nf_field run_fields[] = {
    COUNT(nf_report, events, "events", "simulated events"),
    COUNT(nf_report, fingerprint, "fingerprint",
          "hash of every event's time, kind and place"),
    COUNT(nf_report, counts.offered, "offered", "requests offered"),
    COUNT(nf_report, counts.outcome[NF_COMPLETED], "completed", "requests completed"),
    COUNT(nf_report, counts.outcome[NF_REJECTED], "rejected", "requests rejected"),
    COUNT(nf_report, counts.outcome[NF_TIMED_OUT], "timed_out", "requests timed out"),
    COUNT(nf_report, counts.outcome[NF_FAILED], "failed", "requests failed"),
    COUNT(nf_report, counts.inside, "inside", "requests without an outcome at the end"),
    ESTIMATE(nf_report, energy_kwh, "energy of all stations", "kWh"),
    {"cost_per_1000_requests", "total cost per 1000 completed requests", "USD",
     NF_FIELD_ESTIMATE, offsetof(struct nf_report, cost.per_1000_requests), false},
};

static const struct nf_field class_fields[] = {
    COUNT(nf_class_report, counts.offered, "offered", "requests offered"),
    COUNT(nf_class_report, counts.outcome[NF_COMPLETED], "completed",
          "requests completed"),
    COUNT(nf_class_report, counts.outcome[NF_REJECTED], "rejected", "requests rejected"),
    COUNT(nf_class_report, counts.outcome[NF_TIMED_OUT], "timed_out",
          "requests timed out"),
    COUNT(nf_class_report, counts.outcome[NF_FAILED], "failed", "requests failed"),
    COUNT(nf_class_report, counts.inside, "inside",
          "requests without an outcome at the end"),
    COUNT(nf_class_report, retries, "retries", "further tries after a rejection"),
    {"time", "times of completed requests", "s", NF_FIELD_TIMES,
     offsetof(struct nf_class_report, time_s), false},
    ESTIMATE(nf_class_report, target_met,
             "completed within all targets, of the requests with an outcome", "1"),
    ESTIMATE(nf_class_report, availability, "completed, of the requests with an outcome",
             "1"),
    {"target_latency", "target of the latency; 0: none", "s", NF_FIELD_DOUBLE,
     offsetof(struct nf_class_report, target_latency_s), true},
    {"target_ttft", "target of the time to first token; 0: none", "s", NF_FIELD_DOUBLE,
     offsetof(struct nf_class_report, target_ttft_s), true},
    {"target_tpot", "target of the time per output token; 0: none", "s", NF_FIELD_DOUBLE,
     offsetof(struct nf_class_report, target_tpot_s), true},
};

static const struct nf_field station_fields[] = {
    {"tier", "0: edge, 1: cloud, 2: priced endpoint", "1", NF_FIELD_UNSIGNED,
     offsetof(struct nf_group_report, tier), true},
    {"copies", "edge nodes of this name; 1 in a region", "1", NF_FIELD_UNSIGNED,
     offsetof(struct nf_group_report, copies), true},
    {"saturated", "1: the queue grew to the end", "1", NF_FIELD_BOOL,
     offsetof(struct nf_group_report, is_saturated), false},
    ESTIMATE(nf_group_report, utilization, "busy over available server time", "1"),
    ESTIMATE(nf_group_report, queue_mean, "requests that wait, time average, per copy",
             "1"),
    ESTIMATE(nf_group_report, in_system_mean,
             "requests that wait or are served, time average, per copy", "1"),
    ESTIMATE(nf_group_report, batch_mean, "samples a batch, or sequences an iteration",
             "1"),
    {"wait_mean", "wait of requests that came into service", "s", NF_FIELD_ESTIMATE,
     offsetof(struct nf_group_report, wait_mean_s), false},
    {"sojourn_mean", "time at the station of requests that left it", "s",
     NF_FIELD_ESTIMATE, offsetof(struct nf_group_report, sojourn_mean_s), false},
    ESTIMATE(nf_group_report, replicas_mean, "replicas, time average, per copy", "1"),
    ESTIMATE(nf_group_report, replicas_max, "most replicas of a copy", "1"),
    {"gpu_time", "GPU time paid for, all copies, in GPU hours", "h", NF_FIELD_ESTIMATE,
     offsetof(struct nf_group_report, gpu_hours), false},
    ESTIMATE(nf_group_report, prefix_hit_rate,
             "share of the prompts' tokens that the prefix cache had; NaN without one",
             "1"),
    ESTIMATE(
        nf_group_report, outside_range,
        "iterations or batches outside the valid range of the calibration profile, all "
        "copies; NaN where none is stated",
        "1"),
    ESTIMATE(nf_group_report, outside_share,
             "their share of all iterations or batches; NaN where no range is stated",
             "1"),
    {"outside_kinds", "which operations, one bit each: results/README.md", "1",
     NF_FIELD_UNSIGNED, offsetof(struct nf_group_report, outside_kinds), false},
    ESTIMATE(nf_group_report, cold_starts, "replicas started, all copies", "1"),
    {"energy", "energy, all copies", "kWh", NF_FIELD_ESTIMATE,
     offsetof(struct nf_group_report, energy_kwh), false},
    {"cost", "cost, all copies", "USD", NF_FIELD_ESTIMATE,
     offsetof(struct nf_group_report, cost_usd), false},
};

/* The records are the estimates of struct nf_cost_report themselves: the parts, then the total. */
static const struct nf_field cost_fields[] = {
    {"cost", "cost of the measured time", "USD", NF_FIELD_ESTIMATE, 0, false},
};
_Static_assert(offsetof(struct nf_cost_report, total) ==
                   NF_COST_PARTS * sizeof(struct nf_estimate),
               "parts and total are consecutive estimates");

static const struct nf_field sla_fields[] = {
    {"class", "traffic class", NULL, NF_FIELD_TEXT,
     offsetof(struct nf_sla_report, class_name), true},
    {"objective", "what is bounded", NULL, NF_FIELD_TEXT,
     offsetof(struct nf_sla_report, text), true},
    {"is_time",
     "1: value and bound are seconds, the bound is an upper one; 0: shares, lower", "1",
     NF_FIELD_BOOL, offsetof(struct nf_sla_report, is_time), true},
    {"bound", "bound of the value", NULL, NF_FIELD_DOUBLE,
     offsetof(struct nf_sla_report, bound), true},
    {"value", "mean over replications", NULL, NF_FIELD_ESTIMATE,
     offsetof(struct nf_sla_report, value), false},
    {"met", "1: the value keeps the bound", "1", NF_FIELD_BOOL,
     offsetof(struct nf_sla_report, is_met), false},
};

_Static_assert(sizeof(enum nf_tier) == sizeof(unsigned), "a tier is read as unsigned");

#define FIELDS(list) (list), sizeof(list) / sizeof((list)[0])

const struct nf_field_table nf__summary_tables[NF_SUMMARY_TABLES] = {
    [NF_SUMMARY_RUN] = {"run", NULL, FIELDS(run_fields), sizeof(struct nf_report)},
    [NF_SUMMARY_CLASSES] = {"classes", "class", FIELDS(class_fields),
                            sizeof(struct nf_class_report)},
    [NF_SUMMARY_STATIONS] = {"stations", "station", FIELDS(station_fields),
                             sizeof(struct nf_group_report)},
    [NF_SUMMARY_COST] = {"cost", "component", FIELDS(cost_fields),
                         sizeof(struct nf_estimate)},
    [NF_SUMMARY_SLA] = {"sla", "sla", FIELDS(sla_fields), sizeof(struct nf_sla_report)},
};

void *nf__summary_records(enum nf_summary_table table, struct nf_report *report,
                          size_t *n)
{
    switch (table) {
    case NF_SUMMARY_RUN:
        *n = 1;
        return report;
    case NF_SUMMARY_CLASSES:
        *n = report->class_count;
        return report->classes;
    case NF_SUMMARY_STATIONS:
        *n = report->group_count;
        return report->groups;
    case NF_SUMMARY_COST:
        *n = NF_COST_PARTS + 1;
        return &report->cost;
    case NF_SUMMARY_SLA:
        *n = report->sla_count;
        return report->sla;
    case NF_SUMMARY_TABLES:
        break;
    }
    *n = 0;
    return NULL;
}

enum nf_h5_type nf__field_type(enum nf_field_kind kind)
{
    switch (kind) {
    case NF_FIELD_U64:
        return NF_H5_U64;
    case NF_FIELD_UNSIGNED:
        return NF_H5_U32;
    case NF_FIELD_BOOL:
        return NF_H5_U8;
    case NF_FIELD_TEXT:
        return NF_H5_TEXT;
    case NF_FIELD_ESTIMATE:
    case NF_FIELD_TIMES:
    case NF_FIELD_DOUBLE:
        break;
    }
    return NF_H5_F64;
}
