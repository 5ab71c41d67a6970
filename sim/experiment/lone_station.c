#include "experiment/lone_station.h"

void nf_lone_station_init(struct nf_lone_station *l, enum nf_model_kind model,
                          enum nf_station_kind kind)
{
    *l = (struct nf_lone_station){.site = "here"};
    l->model = (struct nf_model_spec){
        .name = "model", .kind = model, .service = nf_dist_constant(0)};
    l->station = nf_station_spec_plain("station", kind, &l->hosting);
    l->link = (struct nf_link_spec){
        .name = "wire", .group = "wire", .latency = nf_dist_constant(0)};
    l->class_spec = (struct nf_class_spec){.name = "load",
                                           .input_tokens = nf_dist_constant(0),
                                           .output_tokens = nf_dist_constant(0)};
    l->source = (struct nf_source_spec){.name = "load"};
    l->spec = (struct nf_world_spec){.name = "lone station",
                                     .replications = 1,
                                     .models = &l->model,
                                     .model_count = 1,
                                     .sites = &l->site,
                                     .site_count = 1,
                                     .stations = &l->station,
                                     .station_count = 1,
                                     .links = &l->link,
                                     .link_count = 1,
                                     .route_link = &l->route,
                                     .classes = &l->class_spec,
                                     .class_count = 1,
                                     .sources = &l->source,
                                     .source_count = 1,
                                     .gateway = {.policy = NF_POLICY_EDGE_ONLY,
                                                 .order = &l->order,
                                                 .order_count = 1,
                                                 .timeout = NF_TIME_NEVER}};
}
