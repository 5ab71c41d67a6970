#include "bench/world_case.h"

enum { REPLICATIONS = 8 };

static void init(struct nf_bench_world *b, const char *name, double rate,
                 uint64_t requests)
{
    *b = (struct nf_bench_world){.site = "here"};
    b->model = (struct nf_model_spec){.name = "job", .kind = NF_MODEL_SERVICE};
    b->class_spec = (struct nf_class_spec){.name = "load"};
    b->source = (struct nf_source_spec){.name = "load"};
    b->source.arrivals =
        (struct nf_arrival_spec){.kind = NF_ARRIVAL_POISSON, .rate = rate};
    b->spec = (struct nf_world_spec){.name = name,
                                     .seed = 7,
                                     .replications = REPLICATIONS,
                                     .duration = nf_time_of_s((double)requests / rate),
                                     .models = &b->model,
                                     .model_count = 1,
                                     .sites = &b->site,
                                     .site_count = 1,
                                     .stations = b->stations,
                                     .links = b->links,
                                     .route_link = b->route_link,
                                     .classes = &b->class_spec,
                                     .class_count = 1,
                                     .sources = &b->source,
                                     .source_count = 1};
    b->spec.gateway = (struct nf_gateway_spec){.policy = NF_POLICY_EDGE_ONLY,
                                               .order = b->order,
                                               .weights = b->weights,
                                               .timeout = NF_TIME_NEVER};
}

static struct nf_station_spec *add_station(struct nf_bench_world *b, const char *name,
                                           double latency_s, double weight)
{
    size_t ix = b->spec.station_count++;
    b->spec.link_count = b->spec.gateway.order_count = b->spec.station_count;
    b->links[ix] = (struct nf_link_spec){
        .name = name, .group = name, .latency = nf_dist_constant(latency_s)};
    b->route_link[ix] = (int32_t)ix;
    b->order[ix] = (uint32_t)ix;
    b->weights[ix] = weight;
    struct nf_station_spec *s = &b->stations[ix];
    *s = nf_station_spec_plain(name, NF_STATION_SERVERS, &b->hosting);
    return s;
}

void nf_bench_world_mm1(struct nf_bench_world *b, uint64_t requests)
{
    init(b, "mm1", 0.9, requests);
    b->model.service = nf_dist_exponential(1);
    add_station(b, "node", 0, 1);
}

void nf_bench_world_two_tier(struct nf_bench_world *b, uint64_t requests)
{
    init(b, "two-tier", 166.67, requests);
    b->spec.gateway.policy = NF_POLICY_WEIGHTED;
    b->model.service = nf_dist_exponential(5e-3);
    add_station(b, "edge", 0.5e-3, 0.8);
    struct nf_station_spec *cloud = add_station(b, "cloud", 10e-3, 0.2);
    cloud->tier = NF_TIER_CLOUD;
    cloud->site = -1;
    cloud->servers = 4;
    cloud->speed = 1.0 / 12;
}
