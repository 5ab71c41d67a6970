/* Sites, links, traffic and cascades. */
#include "scenario/decl.h"
#include "scenario/trace.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- sites and links ---- */

static const struct nf_field site_fields[] = {
    {.key = "count",
     .kind = NF_FIELD_INT,
     .low = 1,
     .high = 10000,
     .fallback = "1",
     .offset = offsetof(struct nf_site_decl, count),
     .example = "10",
     .help = "Copies of the site; each has its own traffic, edge nodes and links."},
};

const struct nf_table nf_table_site =
    NF_TABLE("site", "A place where requests start.", struct nf_site_decl, site_fields);

#define AT(member) .offset = offsetof(struct nf_link_decl, member)
static const struct nf_field link_fields[] = {
    {.key = "from",
     .kind = NF_FIELD_NAME,
     .flags = NF_REQUIRED,
     AT(from),
     .example = "shop",
     .help =
         "The site whose requests take this link; each copy of the site has its own."},
    {.key = "to",
     .kind = NF_FIELD_NAME,
     .flags = NF_REQUIRED,
     AT(to),
     .example = "us-east",
     .help = "An edge node, a cloud pool, an endpoint, or a region with all that stands "
             "in it."},
    {.key = "latency",
     .kind = NF_FIELD_MAP,
     .table = &nf_table_dist,
     .dimension = NF_DIM_TIME,
     AT(latency),
     .example = "0.3ms",
     .help = "Delay one way, drawn for each transfer; or give rtt."},
    {.key = "rtt",
     .kind = NF_FIELD_MAP,
     .table = &nf_table_dist,
     .dimension = NF_DIM_TIME,
     AT(rtt),
     .example = "{distribution: lognormal, median: 30ms, p99: 50ms}",
     .help =
         "Delay there and back, drawn once a request, half each way; or give latency."},
    {.key = "bandwidth",
     .kind = NF_FIELD_NUMBER,
     .dimension = NF_DIM_BANDWIDTH,
     .low = 0,
     .high = 1e15,
     .flags = NF_ABOVE_LOW,
     .infinite = "unlimited",
     AT(bandwidth),
     .example = "200Mbit/s",
     .help = "In each direction, shared equally by the transfers under way."},
    {.key = "bandwidth_up",
     .kind = NF_FIELD_NUMBER,
     .dimension = NF_DIM_BANDWIDTH,
     .low = 0,
     .high = 1e15,
     .flags = NF_ABOVE_LOW,
     .infinite = "unlimited",
     AT(bandwidth_up),
     .example = "20Mbit/s",
     .help = "From the site; bandwidth when not given."},
    {.key = "bandwidth_down",
     .kind = NF_FIELD_NUMBER,
     .dimension = NF_DIM_BANDWIDTH,
     .low = 0,
     .high = 1e15,
     .flags = NF_ABOVE_LOW,
     .infinite = "unlimited",
     AT(bandwidth_down),
     .example = "100Mbit/s",
     .help = "To the site; bandwidth when not given."},
    {.key = "loss",
     .kind = NF_FIELD_NUMBER,
     .dimension = NF_DIM_FRACTION,
     .low = 0,
     .high = 0.5,
     .fallback = "0%",
     AT(loss),
     .example = "0.1%",
     .help =
         "Probability that one packet is lost: a message waits for a round trip, or at "
         "its end for a retransmission time-out; its bandwidth stays."},
    {.key = "egress",
     .kind = NF_FIELD_NUMBER,
     .dimension = NF_DIM_MONEY_BYTES,
     .low = 0,
     .high = 1,
     .fallback = "0 USD/GB",
     AT(egress),
     .example = "0.05 USD/GB",
     .help = "Price of what comes back over the link."},
};
#undef AT

const struct nf_table nf_table_link =
    NF_TABLE("link", "A network path from a site to stations; no path is assumed.",
             struct nf_link_decl, link_fields);

/* ---- arrivals ---- */

#define AT(member)   .offset = offsetof(struct nf_arrivals_decl, member)
#define FOR(process) (1u << NF_PROCESS_##process)

static const char *const processes[] = {
    "poisson", "constant", "renewal", "gamma", "weibull", "mmpp", "nhpp", "trace", NULL};
static const char *const interpolations[] = {"linear", "exponential", "step", NULL};

static const struct nf_field state_fields[] = {
    {.key = "rate",
     .kind = NF_FIELD_NUMBER,
     .dimension = NF_DIM_RATE,
     .low = 0,
     .high = 1e9,
     .flags = NF_REQUIRED,
     .offset = offsetof(struct nf_state_decl, rate),
     .example = "1800/min",
     .help = "Poisson rate while in this state."},
    {.key = "dwell",
     .kind = NF_FIELD_NUMBER,
     .dimension = NF_DIM_TIME,
     .low = 0,
     .high = 3.1536e9,
     .flags = NF_REQUIRED | NF_ABOVE_LOW,
     .offset = offsetof(struct nf_state_decl, dwell),
     .example = "8s",
     .help = "Mean time in this state, exponential."},
};
static const struct nf_table state_table = {.name = "mmpp state",
                                            .help = "A state of the modulating chain.",
                                            .size = sizeof(struct nf_state_decl),
                                            .fields = state_fields,
                                            .field_count = COUNT(state_fields),
                                            .is_inline = true};

static const struct nf_field point_fields[] = {
    {.key = "time",
     .kind = NF_FIELD_NUMBER,
     .dimension = NF_DIM_TIME,
     .low = 0,
     .high = 3.1536e9,
     .offset = offsetof(struct nf_point_decl, time),
     .example = "30min",
     .help = "Simulated time."},
    {.key = "rate",
     .kind = NF_FIELD_NUMBER,
     .dimension = NF_DIM_RATE,
     .low = 0,
     .high = 1e9,
     .offset = offsetof(struct nf_point_decl, rate),
     .example = "10/min",
     .help = "Rate then."},
};
static const struct nf_table point_table = {.name = "profile point",
                                            .help = "A point of the rate profile.",
                                            .shape = NF_SHAPE_TUPLE,
                                            .size = sizeof(struct nf_point_decl),
                                            .fields = point_fields,
                                            .field_count = COUNT(point_fields)};

static const struct nf_field arrivals_fields[] = {
    {.key = "process",
     .kind = NF_FIELD_WORD,
     .words = processes,
     .flags = NF_REQUIRED,
     AT(process),
     .example = "poisson",
     .help = "How requests come."},
    {.key = "rate",
     .kind = NF_FIELD_NUMBER,
     .dimension = NF_DIM_RATE,
     .low = 0,
     .high = 1e9,
     .flags = NF_REQUIRED | NF_ABOVE_LOW,
     AT(rate),
     .example = "0.9/s",
     .cases = FOR(POISSON) | FOR(CONSTANT) | FOR(GAMMA) | FOR(WEIBULL),
     .help = "Mean rate."},
    {.key = "cv",
     .kind = NF_FIELD_NUMBER,
     .low = 0.01,
     .high = 100,
     .flags = NF_REQUIRED,
     AT(cv),
     .cases = FOR(GAMMA) | FOR(WEIBULL),
     .example = "2",
     .help = "Coefficient of variation of the gaps; 1 is Poisson, more is burstier."},
    {.key = "gap",
     .kind = NF_FIELD_MAP,
     .table = &nf_table_dist,
     .dimension = NF_DIM_TIME,
     .flags = NF_REQUIRED,
     AT(gap),
     .cases = FOR(RENEWAL),
     .example = "{distribution: lognormal, mean: 2s, cv: 3}",
     .help = "Time from one request to the next, independent draws."},
    {.key = "states",
     .kind = NF_FIELD_LIST,
     .table = &state_table,
     .flags = NF_REQUIRED | NF_NOT_EMPTY,
     AT(states),
     .cases = FOR(MMPP),
     .example = "[{rate: 60/min, dwell: 40s}, {rate: 1800/min, dwell: 8s}]",
     .help = "Poisson rates that take turns: two alternate, of more each next is equally "
             "likely."},
    {.key = "interpolation",
     .kind = NF_FIELD_WORD,
     .words = interpolations,
     .fallback = "linear",
     AT(interpolation),
     .cases = FOR(NHPP),
     .help = "Between points: straight, straight on a logarithmic axis, or constant up "
             "to the next."},
    {.key = "profile",
     .kind = NF_FIELD_LIST,
     .table = &point_table,
     .flags = NF_REQUIRED | NF_NOT_EMPTY,
     AT(profile),
     .cases = FOR(NHPP),
     .example = "[[0min, 10/min], [30min, 600/min]]",
     .help = "Poisson rate over time as [time, rate]; the first time is 0, the last rate "
             "stays."},
    {.key = "file",
     .kind = NF_FIELD_TEXT,
     .flags = NF_REQUIRED,
     AT(file),
     .cases = FOR(TRACE),
     .example = "traces/azure_llm_2023_code.csv",
     .help = "Recorded requests; looked for beside the scenario, then in scenarios/."},
    {.key = "format",
     .kind = NF_FIELD_WORD,
     .words = nf_trace_formats,
     .flags = NF_REQUIRED,
     AT(format),
     .cases = FOR(TRACE),
     .example = "azure-llm",
     .help = "What wrote the file."},
    {.key = "speed",
     .kind = NF_FIELD_NUMBER,
     .low = 1e-6,
     .high = 1e6,
     .fallback = "1",
     AT(speed),
     .cases = FOR(TRACE),
     .example = "2.0",
     .help = "Replayed so many times faster."},
    {.key = "offset",
     .kind = NF_FIELD_NUMBER,
     .dimension = NF_DIM_TIME,
     .low = 0,
     .high = 3.1536e9,
     .fallback = "0s",
     AT(offset),
     .cases = FOR(TRACE),
     .example = "10min",
     .help = "Recorded time that is skipped at the start (before speed)."},
};
#undef AT
#undef FOR

static const struct nf_table arrivals_table = {.name = "arrivals",
                                               .help = "How requests come.",
                                               .size = sizeof(struct nf_arrivals_decl),
                                               .fields = arrivals_fields,
                                               .field_count = COUNT(arrivals_fields),
                                               .tag = "process",
                                               .is_inline = true};

/* ---- what a request is ---- */

static const struct nf_field tokens_fields[] = {
    {.key = "input",
     .kind = NF_FIELD_MAP,
     .table = &nf_table_dist,
     .flags = NF_REQUIRED,
     .offset = offsetof(struct nf_tokens_decl, input),
     .example = "{distribution: lognormal, median: 400, p99: 4000}",
     .help = "Tokens of the prompt, rounded, at least 1."},
    {.key = "output",
     .kind = NF_FIELD_MAP,
     .table = &nf_table_dist,
     .flags = NF_REQUIRED,
     .offset = offsetof(struct nf_tokens_decl, output),
     .example = "{distribution: lognormal, median: 150, p99: 800}",
     .help = "Tokens of the answer, rounded, at least 1."},
};
static const struct nf_table tokens_table = NF_TABLE(
    "tokens", "Token counts of a request.", struct nf_tokens_decl, tokens_fields);

#define BYTES .kind = NF_FIELD_NUMBER, .dimension = NF_DIM_BYTES, .low = 0, .high = 1e15
static const struct nf_field payload_fields[] = {
    {.key = "up",
     BYTES,
     .fallback = "0 B",
     .offset = offsetof(struct nf_payload_decl, up),
     .example = "200kB",
     .help = "Bytes of a request."},
    {.key = "down",
     BYTES,
     .fallback = "0 B",
     .offset = offsetof(struct nf_payload_decl, down),
     .example = "2kB",
     .help = "Bytes of an answer."},
    {.key = "per_token",
     BYTES,
     .offset = offsetof(struct nf_payload_decl, per_token),
     .example = "4B",
     .help =
         "Bytes that each input token adds upwards and each output token downwards; 4 B "
         "(about four characters) for a language model whose payload has no up or down, "
         "else 0."},
};
static const struct nf_field stage_payload_fields[] = {
    {.key = "up",
     BYTES,
     .offset = offsetof(struct nf_payload_decl, up),
     .example = "20kB",
     .help = "Bytes of a request; as the stage before when not given."},
    {.key = "down",
     BYTES,
     .offset = offsetof(struct nf_payload_decl, down),
     .example = "4kB",
     .help = "Bytes of an answer; as the stage before when not given."},
    {.key = "per_token",
     BYTES,
     .offset = offsetof(struct nf_payload_decl, per_token),
     .example = "4B",
     .help = "Bytes of a token; 4 B for a language model without up or down, else 0."},
};
static const struct nf_table payload_table =
    NF_TABLE("payload", "Bytes on the network.", struct nf_payload_decl, payload_fields);
static const struct nf_table stage_payload_table =
    NF_TABLE("stage payload", "Bytes on the network.", struct nf_payload_decl,
             stage_payload_fields);

#define BOUND                                                                            \
    .kind = NF_FIELD_NUMBER, .dimension = NF_DIM_TIME, .low = 0, .high = 3.1536e9,       \
    .flags = NF_ABOVE_LOW
static const struct nf_field target_fields[] = {
    {.key = "latency",
     BOUND,
     .offset = offsetof(struct nf_target_decl, latency),
     .example = "10ms",
     .help = "From sending the request to the last byte of the answer."},
    {.key = "ttft",
     BOUND,
     .offset = offsetof(struct nf_target_decl, ttft),
     .example = "500ms",
     .help = "To the first token of the answer."},
    {.key = "tpot",
     BOUND,
     .offset = offsetof(struct nf_target_decl, tpot),
     .example = "50ms",
     .help = "From token to token after the first."},
};
static const struct nf_table target_table = NF_TABLE(
    "target", "What each request should keep.", struct nf_target_decl, target_fields);

/* ---- traffic and stages ---- */

#define AT(member) .offset = offsetof(struct nf_class_decl, member)
static const char *const residencies[] = {"any", "on-premises", NULL};
static const struct nf_table stage_table;

static const struct nf_field traffic_fields[] = {
    {.key = "site",
     .kind = NF_FIELD_NAME,
     .flags = NF_REQUIRED,
     AT(site),
     .example = "shop",
     .help = "Where the requests start; every copy of the site has this traffic."},
    {.key = "model",
     .kind = NF_FIELD_NAME,
     .flags = NF_REQUIRED,
     AT(model),
     .example = "detector",
     .help = "The model they ask."},
    {.key = "arrivals",
     .kind = NF_FIELD_MAP,
     .table = &arrivals_table,
     .flags = NF_REQUIRED,
     AT(arrivals),
     .example = "{process: poisson, rate: 0.9/s}",
     .help = "How they come."},
    {.key = "tokens",
     .kind = NF_FIELD_MAP,
     .table = &tokens_table,
     AT(tokens),
     .help = "Token counts; language models need them unless a trace has them."},
    {.key = "payload",
     .kind = NF_FIELD_MAP,
     .table = &payload_table,
     AT(payload),
     .fallback = "{}",
     .help = "Bytes on the network."},
    {.key = "priority",
     .kind = NF_FIELD_INT,
     .low = 0,
     .high = 1000,
     AT(priority),
     .fallback = "0",
     .example = "1",
     .help =
         "Where batches or engines go by priority: 1 is served first; 0: the station's "
         "default."},
    {.key = "queue_time",
     .kind = NF_FIELD_NUMBER,
     .dimension = NF_DIM_TIME,
     .low = 0,
     .high = 3.1536e9,
     .flags = NF_ABOVE_LOW,
     AT(queue_time),
     .infinite = "none",
     .fallback = "none",
     .example = "50ms",
     .help = "Longest time in a batching queue, where shorter than the station's "
             "time_limit."},
    {.key = "residency",
     .kind = NF_FIELD_WORD,
     .words = residencies,
     AT(residency),
     .fallback = "any",
     .help = "on-premises: only an edge node at the request's own site may see it."},
    {.key = "target",
     .kind = NF_FIELD_MAP,
     .table = &target_table,
     AT(target),
     .help = "What each request should keep."},
    {.key = "then",
     .kind = NF_FIELD_NAMED,
     .table = &stage_table,
     AT(then),
     .help =
         "Stages that follow some of the answers, by name; each is a class of its own."},
};

static const struct nf_field stage_fields[] = {
    {.key = "probability",
     .kind = NF_FIELD_NUMBER,
     .dimension = NF_DIM_FRACTION,
     .low = 0,
     .high = 1,
     .flags = NF_ABOVE_LOW,
     .fallback = "100%",
     AT(probability),
     .example = "5%",
     .help = "Share of the answers that go on to this stage."},
    {.key = "model",
     .kind = NF_FIELD_NAME,
     AT(model),
     .example = "analyst",
     .help = "The model asked; that of the stage before when not given."},
    {.key = "tokens",
     .kind = NF_FIELD_MAP,
     .table = &tokens_table,
     AT(tokens),
     .help = "Token counts; those of the stage before when not given."},
    {.key = "payload",
     .kind = NF_FIELD_MAP,
     .table = &stage_payload_table,
     AT(payload),
     .fallback = "{}",
     .help = "Bytes on the network."},
    {.key = "priority",
     .kind = NF_FIELD_INT,
     .low = 0,
     .high = 1000,
     AT(priority),
     .fallback = "0",
     .example = "1",
     .help =
         "Where batches or engines go by priority: 1 is served first; 0: the station's "
         "default."},
    {.key = "queue_time",
     .kind = NF_FIELD_NUMBER,
     .dimension = NF_DIM_TIME,
     .low = 0,
     .high = 3.1536e9,
     .flags = NF_ABOVE_LOW,
     AT(queue_time),
     .infinite = "none",
     .fallback = "none",
     .example = "50ms",
     .help = "Longest time in a batching queue, where shorter than the station's "
             "time_limit."},
    {.key = "residency",
     .kind = NF_FIELD_WORD,
     .words = residencies,
     AT(residency),
     .help = "As in traffic; that of the stage before when not given."},
    {.key = "target",
     .kind = NF_FIELD_MAP,
     .table = &target_table,
     AT(target),
     .help = "What each request of this stage should keep."},
    {.key = "then",
     .kind = NF_FIELD_NAMED,
     .table = &stage_table,
     AT(then),
     .help = "Stages that follow this one."},
};
#undef AT

static const struct nf_table stage_table = NF_TABLE(
    "stage", "A request that follows an answer.", struct nf_class_decl, stage_fields);

const struct nf_table nf_table_traffic = NF_TABLE(
    "traffic", "A stream of requests of one kind.", struct nf_class_decl, traffic_fields);
