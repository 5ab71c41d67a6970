/* The whole file: models, gateway, service levels, output. */
#include "scenario/decl.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- models ---- */

#define AT(member) .offset = offsetof(struct nf_model_decl, member)
static const char *const model_kinds[] = {"dnn", "llm", NULL}; /* from NF_MODEL_DNN on */
static const char *const batch_laws[] = {"elastic", "padded", NULL};
static const char *const precisions[] = {"fp32", "tf32", "fp16", "bf16",
                                         "fp8",  "int8", "int4", NULL};
static const struct nf_field model_fields[] = {
    {.key = "service",
     .kind = NF_FIELD_MAP,
     .table = &nf_table_dist,
     .dimension = NF_DIM_TIME,
     AT(service),
     .example = "{distribution: exponential, mean: 1s}",
     .help = "Time of one request on a server of speed 1; or give catalog."},
    {.key = "catalog",
     .kind = NF_FIELD_NAME,
     AT(catalog),
     .example = "llama-3.1-8b-fp8",
     .help = "A model of the catalogue (`nearfar catalog models`)."},
    {.key = "kind",
     .kind = NF_FIELD_WORD,
     .words = model_kinds,
     AT(kind),
     .help = "Only for a model known by name alone, which priced endpoints may serve."},
    {.key = "parameters",
     .kind = NF_FIELD_NUMBER,
     .dimension = NF_DIM_COUNT_OF,
     .low = 0,
     .high = 1e16,
     AT(parameters),
     .example = "7B",
     .help = "Size, for the gateway's decision; the catalogue's when not given."},
    {.key = "batch_law",
     .kind = NF_FIELD_WORD,
     .words = batch_laws,
     AT(batch_law),
     .help = "Instead of the catalogue's: time grows with the batch, or every batch is a "
             "full one."},
    {.key = "weights",
     .kind = NF_FIELD_WORD,
     .words = precisions,
     AT(weights),
     .example = "fp8",
     .help = "Instead of the catalogue's: precision of a language model's weights."},
    {.key = "kv",
     .kind = NF_FIELD_WORD,
     .words = precisions,
     AT(kv),
     .example = "fp8",
     .help =
         "Instead of the catalogue's: precision of its key-value cache, bf16 or fp8."},
    {.key = "host",
     .kind = NF_FIELD_MAP,
     .table = &nf_table_host,
     AT(host),
     .help = "Batched models: host work on each request, beside the GPU."},
    {.key = "generate",
     .kind = NF_FIELD_MAP,
     .table = &nf_table_generate,
     AT(generate),
     .help = "Models that generate pictures: what each request makes."},
    {.key = "transcribe",
     .kind = NF_FIELD_MAP,
     .table = &nf_table_transcribe,
     AT(transcribe),
     .help = "Models of speech: what each request, one window of sound, puts out."},
};
#undef AT
const struct nf_table nf_table_model =
    NF_TABLE("model", "Something that requests ask.", struct nf_model_decl, model_fields);

/* ---- gateway ---- */

#define AT(member) .offset = offsetof(struct nf_gateway_decl, member)
static const char *const policies[] = {"edge-only",          "cloud-only",   "maas-only",
                                       "decision-framework", "spillover",    "weighted",
                                       "round-robin",        "least-loaded", NULL};

static const struct nf_field spill_fields[] = {
    {.key = "queue_delay",
     .kind = NF_FIELD_NUMBER,
     .dimension = NF_DIM_TIME,
     .low = 0,
     .high = 3.1536e9,
     .flags = NF_ABOVE_LOW,
     .example = "500ms",
     .offset = offsetof(struct nf_spill_decl, queue_delay),
     .help = "The oldest waiting request waits longer."},
    {.key = "queue_length",
     .kind = NF_FIELD_NUMBER,
     .low = 0,
     .high = 1e12,
     .flags = NF_ABOVE_LOW,
     .example = "100",
     .offset = offsetof(struct nf_spill_decl, queue_length),
     .help = "So many requests wait."},
    {.key = "utilization",
     .kind = NF_FIELD_NUMBER,
     .dimension = NF_DIM_FRACTION,
     .low = 0,
     .high = 1,
     .flags = NF_ABOVE_LOW,
     .example = "90%",
     .offset = offsetof(struct nf_spill_decl, utilization),
     .help = "So many servers are busy (language models: running over most sequences)."},
};
static const struct nf_table spill_table =
    NF_TABLE("spill when", "When a station counts as full; one is enough.",
             struct nf_spill_decl, spill_fields);

static const struct nf_field retry_fields[] = {
    {.key = "attempts",
     .kind = NF_FIELD_INT,
     .low = 0,
     .high = 16,
     .fallback = "0",
     .offset = offsetof(struct nf_retry_decl, attempts),
     .example = "2",
     .help = "Tries after the first, when a station rejects."},
    {.key = "backoff",
     .kind = NF_FIELD_NUMBER,
     .dimension = NF_DIM_TIME,
     .low = 0,
     .high = 3600,
     .fallback = "25ms",
     .offset = offsetof(struct nf_retry_decl, backoff),
     .example = "200ms",
     .help = "Pause before the first retry, doubled each time (Envoy's base interval)."},
};
static const struct nf_table retry_table =
    NF_TABLE("retry", "What follows a rejection.", struct nf_retry_decl, retry_fields);

static const struct nf_field weight_fields[] = {
    {.key = "weight",
     .kind = NF_FIELD_NUMBER,
     .dimension = NF_DIM_FRACTION,
     .low = 0,
     .high = 1,
     .offset = offsetof(struct nf_weight_decl, weight),
     .help = "Share of the requests.",
     .example = "80%"},
};
static const struct nf_table weight_table = {.name = "weight",
                                             .help = "Share of the requests.",
                                             .shape = NF_SHAPE_SCALAR,
                                             .size = sizeof(struct nf_weight_decl),
                                             .fields = weight_fields,
                                             .field_count = 1};

static const struct nf_field gateway_fields[] = {
    {.key = "policy",
     .kind = NF_FIELD_WORD,
     .words = policies,
     .flags = NF_REQUIRED,
     AT(policy),
     .example = "edge-only",
     .help = "How a station is chosen among those that may serve."},
    {.key = "edge_max_parameters",
     .kind = NF_FIELD_NUMBER,
     .dimension = NF_DIM_COUNT_OF,
     .low = 0,
     .high = 1e16,
     .cases = 1u << NF_POLICY_DECISION_FRAMEWORK,
     AT(edge_max_parameters),
     .fallback = "7B",
     .help = "Larger models go to the cloud."},
    {.key = "edge_latency",
     .kind = NF_FIELD_NUMBER,
     .dimension = NF_DIM_TIME,
     .low = 0,
     .high = 3.1536e9,
     .cases = 1u << NF_POLICY_DECISION_FRAMEWORK,
     AT(edge_latency),
     .fallback = "20ms",
     .help = "Classes with a target up to it stay at the edge."},
    {.key = "order",
     .kind = NF_FIELD_LIST,
     .table = &nf_table_name,
     .flags = NF_REQUIRED | NF_NOT_EMPTY,
     .cases = 1u << NF_POLICY_SPILLOVER,
     AT(order),
     .example = "[h100-pool, overflow-api]",
     .help = "Stations, the preferred first."},
    {.key = "spill_when",
     .kind = NF_FIELD_MAP,
     .table = &spill_table,
     .flags = NF_REQUIRED,
     .cases = 1u << NF_POLICY_SPILLOVER,
     AT(spill_when),
     .example = "{queue_delay: 500ms}",
     .help = "When a station is passed over; one with a full queue always is."},
    {.key = "weights",
     .kind = NF_FIELD_NAMED,
     .table = &weight_table,
     .flags = NF_REQUIRED | NF_NOT_EMPTY,
     .cases = 1u << NF_POLICY_WEIGHTED,
     AT(weights),
     .example = "{node: 80%, pool: 20%}",
     .help = "Shares by station; each copy of an edge node has the share of its group."},
    {.key = "timeout",
     .kind = NF_FIELD_NUMBER,
     .dimension = NF_DIM_TIME,
     .low = 0,
     .high = 3.1536e9,
     .flags = NF_ABOVE_LOW,
     .infinite = "none",
     AT(timeout),
     .fallback = "none",
     .example = "60s",
     .help = "From sending a request to its last byte, over all tries."},
    {.key = "retry",
     .kind = NF_FIELD_MAP,
     .table = &retry_table,
     AT(retry),
     .fallback = "{}",
     .help = "What follows a rejection."},
};
#undef AT
const struct nf_table nf_table_gateway = {.name = "gateway",
                                          .help = "Which station serves a request.",
                                          .size = sizeof(struct nf_gateway_decl),
                                          .fields = gateway_fields,
                                          .field_count = COUNT(gateway_fields),
                                          .tag = "policy"};

/* ---- service levels ---- */

#define BOUND(name, row, column, what)                                                   \
    {                                                                                    \
        .key = (name), .kind = NF_FIELD_NUMBER, .dimension = NF_DIM_TIME, .low = 0,      \
        .high = 3.1536e9, .flags = NF_ABOVE_LOW,                                         \
        .offset = offsetof(struct nf_sla_decl, times) +                                  \
                  ((row)*NF_SLA_STATISTICS + (column)) * sizeof(double),                 \
        .help = (what)                                                                   \
    }
#define BOUNDS(prefix, row, what)                                                        \
    BOUND(prefix "mean", row, 0, "Mean of " what " is at most this."),                   \
        BOUND(prefix "p50", row, 1, "50 % of " what " are at most this."),               \
        BOUND(prefix "p75", row, 2, "75 % of " what " are at most this."),               \
        BOUND(prefix "p90", row, 3, "90 % of " what " are at most this."),               \
        BOUND(prefix "p95", row, 4, "95 % of " what " are at most this."),               \
        BOUND(prefix "p99", row, 5, "99 % of " what " are at most this."),               \
        BOUND(prefix "p999", row, 6, "99.9 % of " what " are at most this."),            \
        BOUND(prefix "p9999", row, 7, "99.99 % of " what " are at most this.")

static const struct nf_field sla_fields[] = {
    {.key = "class",
     .kind = NF_FIELD_NAME,
     .flags = NF_REQUIRED,
     .offset = offsetof(struct nf_sla_decl, class_name),
     .example = "cameras",
     .help = "A traffic entry or a stage."},
    BOUNDS("", 0, "the latencies"),
    BOUNDS("ttft_", 1, "the times to first token"),
    BOUNDS("tpot_", 2, "the times per output token"),
    BOUNDS("wait_", 3, "the waiting times"),
    {.key = "availability",
     .kind = NF_FIELD_NUMBER,
     .dimension = NF_DIM_FRACTION,
     .low = 0,
     .high = 1,
     .flags = NF_ABOVE_LOW,
     .offset = offsetof(struct nf_sla_decl, availability),
     .example = "99.9%",
     .help = "At least this share of the requests is completed."},
    {.key = "target_met",
     .kind = NF_FIELD_NUMBER,
     .dimension = NF_DIM_FRACTION,
     .low = 0,
     .high = 1,
     .flags = NF_ABOVE_LOW,
     .offset = offsetof(struct nf_sla_decl, target_met),
     .example = "95%",
     .help = "At least this share completes within all targets of its class."},
};
const struct nf_table nf_table_sla = {.name = "sla",
                                      .help = "What the system promises for one class.",
                                      .size = sizeof(struct nf_sla_decl),
                                      .fields = sla_fields,
                                      .field_count = COUNT(sla_fields),
                                      .is_inline = true};

const char *nf_sla_key(size_t i)
{
    return sla_fields[i + 1].key; /* after class */
}

double nf_sla_quantile(size_t i)
{
    static const double quantiles[NF_SLA_STATISTICS] = {-1,   0.5,  0.75,  0.9,
                                                        0.95, 0.99, 0.999, 0.9999};
    return quantiles[i % NF_SLA_STATISTICS];
}

/* ---- output ---- */

static const char *const request_words[] = {"none", "all", NULL};
static const struct nf_field output_fields[] = {
    {.key = "requests",
     .kind = NF_FIELD_WORD,
     .words = request_words,
     .fallback = "none",
     .offset = offsetof(struct nf_output_decl, requests),
     .help = "Rows of single requests in the result file."},
    {.key = "series",
     .kind = NF_FIELD_NUMBER,
     .dimension = NF_DIM_TIME,
     .low = 1e-3,
     .high = 3.1536e9,
     .infinite = "none",
     .offset = offsetof(struct nf_output_decl, series),
     .example = "1s",
     .help =
         "Time between two points of each station's series; about a thousandth of the "
         "duration, at least 1 s, when not given."},
};
static const struct nf_table output_table =
    NF_TABLE("output", "What the result file holds besides statistics.",
             struct nf_output_decl, output_fields);

/* ---- the file ---- */

#define AT(member) .offset = offsetof(struct nf_scenario_decl, member)
static const struct nf_field scenario_fields[] = {
    {.key = "nearfar",
     .kind = NF_FIELD_INT,
     .low = 1,
     .high = 1,
     .flags = NF_REQUIRED,
     AT(version),
     .example = "1",
     .help = "Version of this file format."},
    {.key = "name",
     .kind = NF_FIELD_NAME,
     .flags = NF_REQUIRED,
     AT(name),
     .example = "mm1",
     .help = "Name of the scenario."},
    {.key = "description",
     .kind = NF_FIELD_TEXT,
     .flags = NF_FOR_PEOPLE,
     AT(description),
     .help = "One line for people."},
    {.key = "seed",
     .kind = NF_FIELD_INT,
     .low = 0,
     .high = 0x1p63, /* all of int64 */
     .fallback = "1",
     AT(seed),
     .help = "Of all random draws: the same seed gives the same results."},
    {.key = "duration",
     .kind = NF_FIELD_NUMBER,
     .dimension = NF_DIM_TIME,
     .low = 0,
     .high = 3.1536e9,
     .flags = NF_REQUIRED | NF_ABOVE_LOW,
     AT(duration),
     .example = "1h",
     .help = "Simulated time, warm-up included."},
    {.key = "warmup",
     .kind = NF_FIELD_NUMBER,
     .dimension = NF_DIM_TIME,
     .low = 0,
     .high = 3.1536e9,
     .fallback = "0s",
     AT(warmup),
     .example = "5min",
     .help = "Left out of every statistic."},
    {.key = "replications",
     .kind = NF_FIELD_INT,
     .low = 1,
     .high = 100000,
     .fallback = "1",
     AT(replications),
     .example = "8",
     .help = "Independent runs; intervals need at least 2."},
    {.key = "models",
     .kind = NF_FIELD_NAMED,
     .table = &nf_table_model,
     .flags = NF_REQUIRED | NF_NOT_EMPTY,
     AT(models),
     .example = "{job: {service: {distribution: exponential, mean: 1s}}}",
     .help = "What requests may ask, by name."},
    {.key = "sites",
     .kind = NF_FIELD_NAMED,
     .table = &nf_table_site,
     AT(sites),
     .example = "{shop: {count: 10}}",
     .help = "Sites that stand for several; sites not named here stand for one."},
    {.key = "edge",
     .kind = NF_FIELD_NAMED,
     .table = &nf_table_edge,
     AT(edge),
     .help = "Machines that stand at sites, by name."},
    {.key = "cloud",
     .kind = NF_FIELD_NAMED,
     .table = &nf_table_cloud,
     AT(cloud),
     .help = "Pools of equal replicas in a region, by name."},
    {.key = "maas",
     .kind = NF_FIELD_NAMED,
     .table = &nf_table_maas,
     AT(maas),
     .help = "Priced endpoints, by name."},
    {.key = "links",
     .kind = NF_FIELD_NAMED,
     .table = &nf_table_link,
     .flags = NF_REQUIRED | NF_NOT_EMPTY,
     AT(links),
     .example = "{wire: {from: here, to: node, latency: 0ms}}",
     .help = "Network paths, by name; none is assumed."},
    {.key = "traffic",
     .kind = NF_FIELD_NAMED,
     .table = &nf_table_traffic,
     .flags = NF_REQUIRED | NF_NOT_EMPTY,
     AT(traffic),
     .example =
         "{load: {site: here, model: job, arrivals: {process: poisson, rate: 0.9/s}}}",
     .help = "Streams of requests, by name."},
    {.key = "gateway",
     .kind = NF_FIELD_MAP,
     .table = &nf_table_gateway,
     .flags = NF_REQUIRED,
     AT(gateway),
     .example = "{policy: edge-only}",
     .help = "Which station serves a request."},
    {.key = "sla",
     .kind = NF_FIELD_LIST,
     .table = &nf_table_sla,
     AT(sla),
     .example = "[{class: load, p99: 50ms}]",
     .help = "What the system promises."},
    {.key = "output",
     .kind = NF_FIELD_MAP,
     .table = &output_table,
     AT(output),
     .fallback = "{}",
     .help = "What the result file holds besides statistics."},
};
const struct nf_table nf_table_scenario = NF_TABLE(
    "scenario", "A scenario file of nearfar.", struct nf_scenario_decl, scenario_fields);
