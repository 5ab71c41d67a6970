#include "experiment/llm_replica.h"

#include "base/status.h"

struct keeper {
    struct nf_llm_served *out;
    size_t cap;
};

static void keep(void *ctx, const struct nf_row *row)
{
    struct keeper *k = ctx;
    if (row->outcome == NF_COMPLETED && k->out->count < k->cap) {
        k->out->rows[k->out->count++] = *row;
        double end = nf_time_s(row->arrival + row->latency);
        k->out->seconds = end > k->out->seconds ? end : k->out->seconds;
    }
}

static struct nf_station_spec replica(const struct nf_hosting *hosting)
{
    struct nf_station_spec s = {.name = "engine",
                                .group = "engine",
                                .place = "here",
                                .tier = NF_TIER_EDGE,
                                .kind = NF_STATION_LLM,
                                .hostings = hosting,
                                .hosting_count = 1,
                                .queue_limit = INT64_MAX,
                                .concurrency_limit = INT64_MAX,
                                .speed = 1,
                                .servers = 1,
                                .gpus_per_replica = 1,
                                .batch_max = 1,
                                .replicas_min = 1,
                                .replicas_max = 1,
                                .replicas_initial = 1};
    s.startup_provision = nf_dist_constant(0);
    s.startup_image_pull = nf_dist_constant(0);
    s.ttft = nf_dist_constant(0);
    s.tpot = nf_dist_constant(0);
    return s;
}

void nf_llm_replica_run(const struct nf_llm_load *load, struct nf_arena *arena,
                        struct nf_llm_served *out)
{
    static const char *const here = "here";
    static const int32_t route = 0;
    static const uint32_t order = 0;
    bool is_trace = load->arrivals.kind == NF_ARRIVAL_TRACE;
    struct nf_model_spec model = {.name = "llm", .kind = NF_MODEL_LLM};
    model.service = nf_dist_constant(0);
    struct nf_hosting hosting = {.llm = *load->cost};
    struct nf_station_spec station = replica(&hosting);
    struct nf_link_spec link = {.name = "wire", .group = "wire"};
    link.latency = nf_dist_constant(0);
    struct nf_class_spec class_spec = {.name = "load", .tokens_from_trace = is_trace};
    class_spec.input_tokens = load->input_tokens;
    class_spec.output_tokens = load->output_tokens;
    struct nf_source_spec source = {.name = "load", .arrivals = load->arrivals};
    struct nf_world_spec spec = {.name = "replica",
                                 .seed = load->seed,
                                 .replications = 1,
                                 .duration = 1000000 * NF_SECOND,
                                 .models = &model,
                                 .model_count = 1,
                                 .sites = &here,
                                 .site_count = 1,
                                 .stations = &station,
                                 .station_count = 1,
                                 .links = &link,
                                 .link_count = 1,
                                 .route_link = &route,
                                 .classes = &class_spec,
                                 .class_count = 1,
                                 .sources = &source,
                                 .source_count = 1,
                                 .gateway = {.policy = NF_POLICY_EDGE_ONLY,
                                             .order = &order,
                                             .order_count = 1,
                                             .timeout = NF_TIME_NEVER},
                                 .write_requests = true};
    *out = (struct nf_llm_served){0};
    out->rows = NF_NEW_ARRAY(arena, load->requests, struct nf_row);
    struct keeper keeper = {out, load->requests};
    struct nf_sinks sinks = {.row = keep, .ctx = &keeper};
    struct nf_outcome outcome;
    nf_world_run(&spec, 0, &sinks, &outcome);
    out->failed = outcome.counts.outcome[NF_FAILED];
    out->preemptions = outcome.stations[0].preemptions;
    out->iterations = outcome.stations[0].iterations;
    nf_outcome_fini(&outcome);
}
