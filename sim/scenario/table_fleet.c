/* Where requests are served: edge nodes, cloud pools and their autoscalers, priced endpoints. */
#include "scenario/decl.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NUMBER(dim, least, most)                                                         \
    .kind = NF_FIELD_NUMBER, .dimension = (dim), .low = (least), .high = (most)
#define SECONDS              NUMBER(NF_DIM_TIME, 0, 3.1536e9)
#define INTEGER(least, most) .kind = NF_FIELD_INT, .low = (least), .high = (most)
#define SUBTABLE(t)          .kind = NF_FIELD_MAP, .table = &(t)

/* ---- parts that edge nodes and cloud pools share ---- */

static const char *const when_full[] = {"reject", NULL};
static const struct nf_field queue_fields[] = {
    {.key = "limit",
     INTEGER(0, 1e12),
     .offset = offsetof(struct nf_queue_decl, limit),
     .infinite = "none",
     .fallback = "none",
     .example = "256",
     .help = "Most requests that wait; those in service do not count."},
    {.key = "when_full",
     .kind = NF_FIELD_WORD,
     .words = when_full,
     .offset = offsetof(struct nf_queue_decl, when_full),
     .fallback = "reject",
     .help = "What happens to a request that finds the queue full."},
};
static const struct nf_table queue_table =
    NF_TABLE("queue", "Where requests wait, first come first served.",
             struct nf_queue_decl, queue_fields);

#define SHARED_FIELDS                                                                    \
    {.key = "models",                                                                    \
     .kind = NF_FIELD_LIST,                                                              \
     .table = &nf_table_name,                                                            \
     .flags = NF_REQUIRED | NF_NOT_EMPTY,                                                \
     AT(models),                                                                         \
     .example = "[detector]",                                                            \
     .help = "What it serves: service-time or batched models, or one language model."},  \
        {.key = "device",                                                                \
         .kind = NF_FIELD_NAME,                                                          \
         AT(device),                                                                     \
         .example = "L4",                                                                \
         .help = "GPU type of the catalogue; needed for catalogue models."},             \
        {.key = "calibration",                                                           \
         .kind = NF_FIELD_TEXT,                                                          \
         AT(calibration),                                                                \
         .example = "h200-measured",                                                     \
         .help = "Profile of the device, by name or .yaml file (default: its own)."},    \
        {.key = "speed",                                                                 \
         NUMBER(NF_DIM_NONE, 0, 1e6),                                                    \
         .flags = NF_ABOVE_LOW,                                                          \
         AT(speed),                                                                      \
         .example = "2.5",                                                               \
         .help = "Service times are divided by it (service-time models only; 1)."},      \
        {.key = "batching",                                                              \
         SUBTABLE(nf_table_batching),                                                    \
         AT(batching),                                                                   \
         .help = "How requests share a GPU (batched models only)."},                     \
        {.key = "queue",                                                                 \
         SUBTABLE(queue_table),                                                          \
         AT(queue),                                                                      \
         .fallback = "{}",                                                               \
         .help = "Where requests wait."},                                                \
    {                                                                                    \
        .key = "engine", SUBTABLE(nf_table_engine), AT(engine),                          \
        .help = "The language model engine (language models only)."                      \
    }

/* ---- edge ---- */

#define AT(member) .offset = offsetof(struct nf_edge_cost_decl, member)
static const struct nf_field edge_cost_fields[] = {
    {.key = "purchase",
     NUMBER(NF_DIM_MONEY, 0, 1e12),
     AT(purchase),
     .fallback = "0 USD",
     .example = "2500 USD",
     .help = "Price of the node."},
    {.key = "lifetime",
     SECONDS,
     .flags = NF_ABOVE_LOW,
     AT(lifetime),
     .fallback = "3y",
     .help = "The purchase is spread evenly over it."},
    {.key = "power",
     NUMBER(NF_DIM_POWER, 0, 1e9),
     AT(power),
     .example = "72W",
     .help = "What the node draws; the boards' limit when not given and the device is "
             "known."},
    {.key = "electricity",
     NUMBER(NF_DIM_MONEY_ENERGY, 0, 1),
     AT(electricity),
     .fallback = "0 USD/kWh",
     .example = "0.15 USD/kWh",
     .help = "Price of energy."},
};
#undef AT
static const struct nf_table edge_cost_table = NF_TABLE(
    "edge cost", "What a node costs.", struct nf_edge_cost_decl, edge_cost_fields);

#define AT(member) .offset = offsetof(struct nf_station_decl, member)
static const struct nf_field edge_fields[] = {
    {.key = "site",
     .kind = NF_FIELD_NAME,
     .flags = NF_REQUIRED,
     AT(site),
     .example = "shop",
     .help = "Where it stands; one at every copy of the site."},
    {.key = "gpus",
     INTEGER(1, 100000),
     AT(gpus),
     .fallback = "1",
     .help = "Servers that share the node's one queue; a language model runs on all of "
             "them."},
    SHARED_FIELDS,
    {.key = "cost",
     SUBTABLE(edge_cost_table),
     AT(cost),
     .fallback = "{}",
     .help = "What a node costs."},
};
const struct nf_table nf_table_edge = NF_TABLE(
    "edge node", "A machine that stands at a site.", struct nf_station_decl, edge_fields);

/* ---- autoscalers ---- */

static const char *const selects[] = {"max", "min", "disabled", NULL};
static const struct nf_field rule_fields[] = {
    {.key = "replicas",
     NUMBER(NF_DIM_NONE, 0, 1e6),
     .flags = NF_ABOVE_LOW,
     .offset = offsetof(struct nf_rule_decl, replicas),
     .example = "4",
     .help = "Most replicas of change in a period; or give percent."},
    {.key = "percent",
     NUMBER(NF_DIM_FRACTION, 0, 1000),
     .flags = NF_ABOVE_LOW,
     .offset = offsetof(struct nf_rule_decl, percent),
     .example = "100%",
     .help = "Most change in a period, of the replicas at its start."},
    {.key = "period",
     NUMBER(NF_DIM_TIME, 1, 1800),
     .flags = NF_REQUIRED,
     .offset = offsetof(struct nf_rule_decl, period),
     .example = "15s",
     .help = "The period."},
};
static const struct nf_table rule_table = {.name = "scaling rule",
                                           .help = "A limit on the speed of scaling.",
                                           .size = sizeof(struct nf_rule_decl),
                                           .fields = rule_fields,
                                           .field_count = COUNT(rule_fields),
                                           .is_inline = true};

#define DIRECTION_FIELDS(window, default_rules)                                          \
    {.key = "stabilization",                                                             \
     NUMBER(NF_DIM_TIME, 0, 3600),                                                       \
     .offset = offsetof(struct nf_direction_decl, stabilization),                        \
     .fallback = (window),                                                               \
     .help = "The most cautious recommendation of this long counts."},                   \
        {.key = "select",                                                                \
         .kind = NF_FIELD_WORD,                                                          \
         .words = selects,                                                               \
         .fallback = "max",                                                              \
         .offset = offsetof(struct nf_direction_decl, select),                           \
         .help = "Which rule counts: the one that allows most, least, or no change at "  \
                 "all."},                                                                \
    {                                                                                    \
        .key = "rules", .kind = NF_FIELD_LIST, .table = &rule_table,                     \
        .offset = offsetof(struct nf_direction_decl, rules),                             \
        .fallback = (default_rules),                                                     \
        .help = "Limits on the speed of scaling, at most four."                          \
    }
static const struct nf_field up_fields[] = {
    DIRECTION_FIELDS("0s", "[{replicas: 4, period: 15s}, {percent: 100%, period: 15s}]")};
static const struct nf_field down_fields[] = {
    DIRECTION_FIELDS("300s", "[{percent: 100%, period: 15s}]")};
static const struct nf_table up_table = NF_TABLE(
    "scale up", "How fast replicas are added.", struct nf_direction_decl, up_fields);
static const struct nf_table down_table =
    NF_TABLE("scale down", "How fast replicas are taken away.", struct nf_direction_decl,
             down_fields);
#undef AT

#define AT(member) .offset = offsetof(struct nf_scaler_decl, member)
#define HPA        .cases = 1u << NF_SCALER_HPA
#define KPA        .cases = 1u << NF_SCALER_KPA
static const char *const policies[] = {"none", "hpa", "kpa", NULL};
static const char *const metrics[] = {"utilization", "concurrency", "queue", NULL};
static const struct nf_field scaler_fields[] = {
    {.key = "policy",
     .kind = NF_FIELD_WORD,
     .words = policies,
     .flags = NF_REQUIRED,
     AT(policy),
     .example = "hpa",
     .help = "Kubernetes' horizontal pod autoscaler, Knative's, or none."},
    {.key = "metric",
     .kind = NF_FIELD_WORD,
     .words = metrics,
     HPA,
     AT(metric),
     .fallback = "utilization",
     .help = "Share of busy time, requests inside, or requests waiting, for each ready "
             "replica."},
    {.key = "metric",
     .kind = NF_FIELD_WORD,
     .words = metrics,
     KPA,
     AT(metric),
     .fallback = "concurrency",
     .help = "Knative's scales on concurrency: requests inside."},
    {.key = "target",
     .kind = NF_FIELD_TEXT,
     HPA,
     AT(target),
     .example = "70%",
     .help = "A share for utilization (80 % when not given), a number of requests "
             "otherwise."},
    {.key = "target",
     .kind = NF_FIELD_TEXT,
     KPA,
     AT(target),
     .fallback = "70",
     .example = "64",
     .help = "Requests inside for each ready replica (70 % of 100 as in Knative)."},
    {.key = "interval",
     NUMBER(NF_DIM_TIME, 1, 3600),
     HPA,
     AT(interval),
     .fallback = "15s",
     .help = "Time between two decisions."},
    {.key = "interval",
     NUMBER(NF_DIM_TIME, 1, 3600),
     KPA,
     AT(interval),
     .fallback = "2s",
     .help = "Time between two decisions."},
    {.key = "tolerance",
     NUMBER(NF_DIM_FRACTION, 0, 1),
     HPA,
     AT(tolerance),
     .fallback = "10%",
     .help = "Distance from the target that changes nothing."},
    {.key = "scale_up",
     SUBTABLE(up_table),
     HPA,
     AT(up),
     .fallback = "{}",
     .help = "How fast replicas are added."},
    {.key = "scale_down",
     SUBTABLE(down_table),
     HPA,
     AT(down),
     .fallback = "{}",
     .help = "How fast replicas are taken away."},
    {.key = "stable_window",
     NUMBER(NF_DIM_TIME, 6, 3600),
     KPA,
     AT(stable_window),
     .fallback = "60s",
     .help = "The load is averaged over it."},
    {.key = "panic_window",
     NUMBER(NF_DIM_TIME, 1, 3600),
     KPA,
     AT(panic_window),
     .example = "6s",
     .help = "A sudden load is averaged over it; a tenth of the stable window when not "
             "given."},
    {.key = "panic_threshold",
     NUMBER(NF_DIM_FRACTION, 1, 10),
     KPA,
     AT(panic_threshold),
     .fallback = "200%",
     .help = "Load over capacity at which panic begins."},
    {.key = "max_scale_up_rate",
     NUMBER(NF_DIM_NONE, 1, 1e6),
     .flags = NF_ABOVE_LOW,
     KPA,
     AT(max_scale_up_rate),
     .fallback = "1000",
     .help = "Most growth in one decision."},
    {.key = "max_scale_down_rate",
     NUMBER(NF_DIM_NONE, 1, 1e6),
     .flags = NF_ABOVE_LOW,
     KPA,
     AT(max_scale_down_rate),
     .fallback = "2",
     .help = "Most shrinkage in one decision."},
    {.key = "scale_down_delay",
     NUMBER(NF_DIM_TIME, 0, 3600),
     KPA,
     AT(scale_down_delay),
     .fallback = "0s",
     .help = "The largest wish of this long counts."},
};
static const struct nf_table scaler_table = {
    .name = "autoscaler",
    .help = "Who decides how many replicas there are.",
    .size = sizeof(struct nf_scaler_decl),
    .fields = scaler_fields,
    .field_count = COUNT(scaler_fields),
    .tag = "policy",
    .shorthand = NULL,
};
#undef AT

/* ---- cloud ---- */

#define AT(member) .offset = offsetof(struct nf_replicas_decl, member)
static const struct nf_field replicas_fields[] = {
    {.key = "min",
     INTEGER(0, 100000),
     AT(min),
     .fallback = "1",
     .help = "Fewest replicas."},
    {.key = "max",
     INTEGER(1, 100000),
     AT(max),
     .example = "20",
     .help = "Most replicas; as many as there are at the start when not given."},
    {.key = "initial",
     INTEGER(0, 100000),
     AT(initial),
     .example = "1",
     .help = "Replicas ready at the start; min when not given."},
};
#undef AT
static const struct nf_table replicas_table =
    NF_TABLE("replicas", "How many there are.", struct nf_replicas_decl, replicas_fields);

#define AT(member) .offset = offsetof(struct nf_startup_decl, member)
static const struct nf_field startup_fields[] = {
    {.key = "provision",
     SUBTABLE(nf_table_dist),
     .dimension = NF_DIM_TIME,
     AT(provision),
     .fallback = "0s",
     .example = "90s",
     .help = "Until the machine is there."},
    {.key = "image_pull",
     SUBTABLE(nf_table_dist),
     .dimension = NF_DIM_TIME,
     AT(image_pull),
     .fallback = "0s",
     .example = "30s",
     .help = "Until the software is there."},
    {.key = "load_bandwidth",
     NUMBER(NF_DIM_BANDWIDTH, 0, 1e15),
     .flags = NF_ABOVE_LOW,
     .infinite = "unlimited",
     AT(load_bandwidth),
     .fallback = "unlimited",
     .example = "2GB/s",
     .help = "At which the weights are loaded."},
};
#undef AT
static const struct nf_table startup_table =
    NF_TABLE("startup", "What a new replica does before it serves.",
             struct nf_startup_decl, startup_fields);

#define AT(member) .offset = offsetof(struct nf_station_decl, member)
static const struct nf_field cloud_fields[] = {
    {.key = "region",
     .kind = NF_FIELD_NAME,
     .flags = NF_REQUIRED,
     AT(region),
     .example = "us-east",
     .help = "Where it stands; links may lead to it."},
    {.key = "gpus_per_replica",
     INTEGER(1, 1024),
     AT(gpus),
     .fallback = "1",
     .example = "2",
     .help = "A language model is split over them (tensor parallel); for others they are "
             "servers."},
    SHARED_FIELDS,
    {.key = "price",
     NUMBER(NF_DIM_MONEY_RATE, 0, 1e3),
     AT(price),
     .fallback = "0 USD/h",
     .example = "2.60 USD/h",
     .help = "Of one GPU, from the order of a replica to its end."},
    {.key = "power",
     NUMBER(NF_DIM_POWER, 0, 1e9),
     AT(power),
     .example = "700W",
     .help = "What one replica draws; the boards' limit when not given and the device is "
             "known."},
    {.key = "replicas",
     SUBTABLE(replicas_table),
     AT(replicas),
     .fallback = "{}",
     .help = "How many there are."},
    {.key = "startup",
     SUBTABLE(startup_table),
     AT(startup),
     .fallback = "{}",
     .help = "What a new replica does before it serves."},
    {.key = "autoscaler",
     SUBTABLE(scaler_table),
     AT(scaler),
     .fallback = "{policy: none}",
     .help = "Who decides how many replicas there are."},
};
const struct nf_table nf_table_cloud =
    NF_TABLE("cloud pool", "Equal replicas behind one queue in a region.",
             struct nf_station_decl, cloud_fields);
#undef AT

/* ---- priced endpoints ---- */

#define AT(member) .offset = offsetof(struct nf_token_price_decl, member)
static const struct nf_field price_fields[] = {
    {.key = "input",
     NUMBER(NF_DIM_MONEY_TOKEN, 0, 1),
     AT(input),
     .fallback = "0 USD/Mtoken",
     .example = "0.10 USD/Mtoken",
     .help = "Of input tokens."},
    {.key = "output",
     NUMBER(NF_DIM_MONEY_TOKEN, 0, 1),
     AT(output),
     .fallback = "0 USD/Mtoken",
     .example = "0.20 USD/Mtoken",
     .help = "Of output tokens."},
    {.key = "request",
     NUMBER(NF_DIM_MONEY_REQUEST, 0, 1e6),
     AT(request),
     .fallback = "0 USD/request",
     .example = "0.001 USD/request",
     .help = "Of one request."},
};
#undef AT
static const struct nf_table price_table = NF_TABLE(
    "endpoint price", "What use costs.", struct nf_token_price_decl, price_fields);

static const struct nf_field api_fields[] = {
    {.key = "ttft",
     SUBTABLE(nf_table_dist),
     .dimension = NF_DIM_TIME,
     .flags = NF_REQUIRED,
     .offset = offsetof(struct nf_api_service_decl, ttft),
     .example = "{distribution: lognormal, median: 400ms, p99: 2s}",
     .help = "To the first token; of a model without tokens, the whole service."},
    {.key = "tpot",
     SUBTABLE(nf_table_dist),
     .dimension = NF_DIM_TIME,
     .fallback = "0s",
     .offset = offsetof(struct nf_api_service_decl, tpot),
     .example = "15ms",
     .help = "From token to token, drawn once a request."},
};
static const struct nf_table api_table = NF_TABLE(
    "endpoint service", "How fast it answers.", struct nf_api_service_decl, api_fields);

#define AT(member) .offset = offsetof(struct nf_api_limit_decl, member)
static const struct nf_field api_limit_fields[] = {
    {.key = "requests",
     NUMBER(NF_DIM_RATE, 0, 1e9),
     .flags = NF_ABOVE_LOW,
     .infinite = "none",
     AT(requests),
     .fallback = "none",
     .example = "3000/min",
     .help = "Requests a second as a token bucket; what is above is rejected."},
    {.key = "burst",
     NUMBER(NF_DIM_NONE, 1, 1e12),
     AT(burst),
     .example = "50",
     .help = "Size of the bucket in requests; one second of the rate when not given, at "
             "least 1."},
    {.key = "concurrency",
     INTEGER(1, 1e12),
     .infinite = "none",
     AT(concurrency),
     .fallback = "none",
     .example = "400",
     .help = "Requests inside at once; what is above is rejected."},
};
#undef AT
static const struct nf_table api_limit_table = NF_TABLE(
    "endpoint limit", "What it refuses.", struct nf_api_limit_decl, api_limit_fields);

#define AT(member) .offset = offsetof(struct nf_station_decl, member)
static const struct nf_field maas_fields[] = {
    {.key = "region",
     .kind = NF_FIELD_NAME,
     .flags = NF_REQUIRED,
     AT(region),
     .example = "us-west",
     .help = "Where it stands; links may lead to it."},
    {.key = "models",
     .kind = NF_FIELD_LIST,
     .table = &nf_table_name,
     .flags = NF_REQUIRED | NF_NOT_EMPTY,
     AT(models),
     .example = "[chat]",
     .help = "What it serves."},
    {.key = "price",
     SUBTABLE(price_table),
     AT(token_price),
     .fallback = "{}",
     .help = "What use costs."},
    {.key = "service",
     SUBTABLE(api_table),
     .flags = NF_REQUIRED,
     AT(service),
     .example = "{ttft: 400ms, tpot: 15ms}",
     .help = "How fast it answers."},
    {.key = "limit",
     SUBTABLE(api_limit_table),
     AT(limit),
     .fallback = "{}",
     .help = "What it refuses."},
};
const struct nf_table nf_table_maas = NF_TABLE("endpoint", "Somebody else's priced API.",
                                               struct nf_station_decl, maas_fields);
