/*
 * decl.h - a scenario file as typed data: one struct a kind of map, filled by the schema tables (table_*.c).
 *
 * What:   numbers are SI, words are enums, names are still names. Nothing is expanded or looked up yet.
 * Why:    between the tree (yaml.h) and the world (model/spec.h): what `check --effective` prints and what build_*.c reads.
 * Owner:  everything lives in the scenario's arena.
 * Units:  SI. NAN, NF_INT_ABSENT, NULL and -1 mean "not given" (schema.h); INFINITY and INT64_MAX mean "no limit".
 */
#ifndef NF_SCENARIO_DECL_H
#define NF_SCENARIO_DECL_H

#include <stdint.h>

#include "model/spec.h"
#include "scenario/schema.h"

struct nf_dist_decl {
    struct nf_object at;
    int kind; /* enum nf_dist_kind */
    double value, min, max, mean, cv, sd, median, p99, shape, shift;
    const char *file;
    struct nf_list quantiles; /* struct nf_quantile_decl */
    struct nf_list parts;     /* struct nf_part_decl */
};

struct nf_quantile_decl {
    struct nf_object at;
    double p, value;
};

struct nf_part_decl {
    struct nf_object at;
    double weight;
    struct nf_dist_decl of;
};

/* A name that refers to something declared elsewhere. */
struct nf_name_decl {
    struct nf_object at;
    const char *text;
};

/* What the host does with a sample before and after the GPU. */
struct nf_host_decl {
    struct nf_object at;
    double before, after;
};

/* What a generating model makes; absent keys: the catalogue's usual job. */
struct nf_generate_decl {
    struct nf_object at;
    int64_t width, height, frames, steps, forwards, gpus;
    int offload; /* 0, 1; -1: the catalogue's */
};

/* What a model of speech puts out for each request; absent keys: the catalogue's. */
struct nf_transcribe_decl {
    struct nf_object at;
    double tokens;
};

struct nf_model_decl {
    struct nf_object at;
    struct nf_dist_decl service;
    const char *catalog;
    int kind; /* enum nf_model_kind less NF_MODEL_DNN, -1: follows from the other keys */
    double parameters;
    int batch_law;   /* enum nf_batch_law, -1: the catalogue's */
    int weights, kv; /* enum nf_precision, -1: the catalogue's */
    struct nf_host_decl host;
    struct nf_generate_decl generate;
    struct nf_transcribe_decl transcribe;
};

/* A whole number in a list. */
struct nf_count_decl {
    struct nf_object at;
    int64_t value;
};

struct nf_batching_level_decl {
    struct nf_object at;
    int64_t limit;
    double time_limit;
    int when_late; /* enum nf_batch_action */
};

struct nf_batching_decl {
    struct nf_object at;
    int64_t max_size, streams, priorities, default_priority;
    double max_delay, time_limit;
    int when_late;            /* enum nf_batch_action */
    struct nf_list preferred; /* struct nf_count_decl */
    struct nf_list levels;    /* struct nf_batching_level_decl */
};

struct nf_queue_decl {
    struct nf_object at;
    int64_t limit;
    int when_full;
};

/* Guessed tokens that an iteration checks. */
struct nf_speculation_decl {
    struct nf_object at;
    int64_t tokens;
    double acceptance, draft_cost;
};

struct nf_engine_decl {
    struct nf_object at;
    int64_t max_sequences, max_batched_tokens, block_tokens, kv_blocks;
    double kv_memory, step_overhead, sequence_overhead, request_overhead;
    int64_t tensor_parallel, pipeline_parallel;
    bool expert_parallel, prefix_caching, async_scheduling;
    struct nf_speculation_decl speculation;
    int scheduling; /* 0: first come first served, 1: by priority */
};

struct nf_edge_cost_decl {
    struct nf_object at;
    double purchase, lifetime, power, electricity;
};

struct nf_replicas_decl {
    struct nf_object at;
    int64_t min, max, initial;
};

struct nf_startup_decl {
    struct nf_object at;
    struct nf_dist_decl provision, image_pull;
    double load_bandwidth;
};

struct nf_rule_decl {
    struct nf_object at;
    double replicas, percent, period;
};

struct nf_direction_decl {
    struct nf_object at;
    double stabilization;
    int select;           /* enum nf_scale_select */
    struct nf_list rules; /* struct nf_rule_decl */
};

struct nf_scaler_decl {
    struct nf_object at;
    int policy; /* enum nf_scaler_policy */
    int metric; /* enum nf_scaler_metric */
    const char *target;
    double interval, tolerance;
    struct nf_direction_decl up, down;
    double stable_window, panic_window, panic_threshold;
    double max_scale_up_rate, max_scale_down_rate, scale_down_delay;
};

struct nf_token_price_decl {
    struct nf_object at;
    double input, output, request;
};

struct nf_api_service_decl {
    struct nf_object at;
    struct nf_dist_decl ttft, tpot;
};

struct nf_api_limit_decl {
    struct nf_object at;
    double requests, burst;
    int64_t concurrency;
};

/* One entry of edge, cloud or maas; each table fills its part. */
struct nf_station_decl {
    struct nf_object at;
    const char *site, *region, *device;
    const char *calibration; /* NULL: the device's own profile */
    struct nf_list models;   /* struct nf_name_decl */
    int64_t gpus;            /* edge: of the node; cloud: of one replica */
    double speed;
    struct nf_batching_decl batching;
    struct nf_queue_decl queue;
    struct nf_engine_decl engine;
    struct nf_edge_cost_decl cost;
    double price, power, electricity;
    struct nf_replicas_decl replicas;
    struct nf_startup_decl startup;
    struct nf_scaler_decl scaler;
    struct nf_token_price_decl token_price;
    struct nf_api_service_decl service;
    struct nf_api_limit_decl limit;
};

struct nf_site_decl {
    struct nf_object at;
    int64_t count;
};

struct nf_link_decl {
    struct nf_object at;
    const char *from, *to;
    struct nf_dist_decl latency, rtt;
    double bandwidth, bandwidth_up, bandwidth_down, loss, egress;
};

struct nf_state_decl {
    struct nf_object at;
    double rate, dwell;
};

struct nf_point_decl {
    struct nf_object at;
    double time, rate;
};

enum nf_process {
    NF_PROCESS_POISSON,
    NF_PROCESS_CONSTANT,
    NF_PROCESS_RENEWAL,
    NF_PROCESS_GAMMA,
    NF_PROCESS_WEIBULL,
    NF_PROCESS_MMPP,
    NF_PROCESS_NHPP,
    NF_PROCESS_TRACE
};

struct nf_arrivals_decl {
    struct nf_object at;
    int process; /* enum nf_process */
    double rate, cv;
    struct nf_dist_decl gap;
    struct nf_list states;  /* struct nf_state_decl */
    int interpolation;      /* enum nf_interpolation */
    struct nf_list profile; /* struct nf_point_decl */
    const char *file;
    int format; /* enum nf_trace_format (trace.h) */
    double speed, offset;
};

struct nf_tokens_decl {
    struct nf_object at;
    struct nf_dist_decl input, output;
};

struct nf_payload_decl {
    struct nf_object at;
    double up, down, per_token;
};

struct nf_target_decl {
    struct nf_object at;
    double latency, ttft, tpot;
};

/* A traffic entry, or a stage of a cascade (no site and arrivals, but a probability). */
struct nf_class_decl {
    struct nf_object at;
    const char *site, *model;
    struct nf_arrivals_decl arrivals;
    double probability;
    struct nf_tokens_decl tokens;
    struct nf_payload_decl payload;
    int residency; /* enum nf_residency, -1: the stage before decides */
    int64_t priority;
    double queue_time;
    struct nf_target_decl target;
    struct nf_list then; /* struct nf_class_decl */
};

struct nf_weight_decl {
    struct nf_object at;
    double weight;
};

struct nf_spill_decl {
    struct nf_object at;
    double queue_delay, queue_length, utilization;
};

struct nf_retry_decl {
    struct nf_object at;
    int64_t attempts;
    double backoff;
};

struct nf_gateway_decl {
    struct nf_object at;
    int policy;             /* enum nf_policy */
    struct nf_list order;   /* struct nf_name_decl */
    struct nf_list weights; /* struct nf_weight_decl */
    struct nf_spill_decl spill_when;
    double edge_max_parameters, edge_latency;
    double timeout;
    struct nf_retry_decl retry;
};

/* Times that an objective may bound, and what of them: the keys are "p99", "ttft_p95", "wait_mean", ... */
enum { NF_SLA_MEASURES = 4, NF_SLA_STATISTICS = 8 };

struct nf_sla_decl {
    struct nf_object at;
    const char *class_name;
    double times[NF_SLA_MEASURES * NF_SLA_STATISTICS];
    double availability, target_met;
};

struct nf_output_decl {
    struct nf_object at;
    int requests; /* 0: none, 1: all */
    double series;
};

struct nf_scenario_decl {
    struct nf_object at;
    int64_t version, seed, replications;
    const char *name, *description;
    double duration, warmup;
    struct nf_list models;            /* struct nf_model_decl */
    struct nf_list sites;             /* struct nf_site_decl */
    struct nf_list edge, cloud, maas; /* struct nf_station_decl */
    struct nf_list links;             /* struct nf_link_decl */
    struct nf_list traffic;           /* struct nf_class_decl */
    struct nf_gateway_decl gateway;
    struct nf_list sla; /* struct nf_sla_decl */
    struct nf_output_decl output;
};

extern const struct nf_table nf_table_dist;
extern const struct nf_table nf_table_name;
extern const struct nf_table nf_table_model;
extern const struct nf_table nf_table_batching;
extern const struct nf_table nf_table_host, nf_table_generate, nf_table_transcribe;
extern const struct nf_table nf_table_engine;
extern const struct nf_table nf_table_edge;
extern const struct nf_table nf_table_cloud;
extern const struct nf_table nf_table_maas;
extern const struct nf_table nf_table_site;
extern const struct nf_table nf_table_link;
extern const struct nf_table nf_table_traffic;
extern const struct nf_table nf_table_gateway;
extern const struct nf_table nf_table_sla;
extern const struct nf_table nf_table_scenario;

/* "p99", "ttft_p95", ...: the key of times[i] in struct nf_sla_decl; its quantile, < 0 for the mean. */
const char *nf_sla_key(size_t i);
double nf_sla_quantile(size_t i);

#endif
