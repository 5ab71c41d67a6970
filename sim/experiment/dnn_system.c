#include "experiment/dnn_system.h"

#include "model/outcome.h"
#include "model/spec.h"

static struct nf_station_spec station_of(const struct nf_dnn_load *load,
                                         const struct nf_hosting *hosting)
{
    struct nf_station_spec s = {.name = "server",
                                .group = "server",
                                .place = "here",
                                .tier = NF_TIER_EDGE,
                                .kind = NF_STATION_BATCH,
                                .hostings = hosting,
                                .hosting_count = 1,
                                .queue_limit = INT64_MAX,
                                .concurrency_limit = INT64_MAX,
                                .speed = 1,
                                .servers = load->gpus,
                                .gpus_per_replica = load->gpus,
                                .batch_max = load->max_batch,
                                .batch_streams = load->streams,
                                .replicas_min = 1,
                                .replicas_max = 1,
                                .replicas_initial = 1};
    s.startup_provision = nf_dist_constant(0);
    s.startup_image_pull = nf_dist_constant(0);
    s.ttft = nf_dist_constant(0);
    s.tpot = nf_dist_constant(0);
    return s;
}

void nf_dnn_system_run(const struct nf_dnn_load *load, struct nf_dnn_served *out)
{
    static const char *const here = "here";
    static const int32_t route = 0;
    static const uint32_t order = 0;
    static const double WARMUP_SHARE = 0.1;
    struct nf_model_spec model = {.name = "network", .kind = NF_MODEL_DNN};
    model.service = nf_dist_constant(0);
    struct nf_hosting hosting = {.dnn = load->cost};
    struct nf_station_spec station = station_of(load, &hosting);
    struct nf_link_spec link = {.name = "wire", .group = "wire"};
    link.latency = nf_dist_constant(0);
    struct nf_class_spec class_spec = {.name = "load"};
    class_spec.input_tokens = nf_dist_constant(0);
    class_spec.output_tokens = nf_dist_constant(0);
    struct nf_source_spec source = {
        .name = "load", .arrivals = {.kind = NF_ARRIVAL_POISSON, .rate = load->rate}};
    struct nf_world_spec spec = {.name = "system",
                                 .seed = load->seed,
                                 .replications = 1,
                                 .duration = nf_time_of_s(load->seconds),
                                 .warmup = nf_time_of_s(load->seconds * WARMUP_SHARE),
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
                                             .timeout = NF_TIME_NEVER}};
    struct nf_sinks sinks = {0};
    struct nf_outcome outcome;
    nf_world_run(&spec, 0, &sinks, &outcome);
    const struct nf_class_outcome *c = &outcome.classes[0];
    *out = (struct nf_dnn_served){.mean_s = nf_histogram_mean(c->latency) * 1e-9,
                                  .p99_s = nf_histogram_quantile(c->latency, 0.99) * 1e-9,
                                  .completed = c->counts.outcome[NF_COMPLETED],
                                  .is_saturated = outcome.stations[0].is_saturated};
    nf_outcome_fini(&outcome);
}
