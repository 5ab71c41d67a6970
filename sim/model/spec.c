/* spec.c - the plainest station, from which worlds that are not read from a file start. */
#include "model/spec.h"

struct nf_station_spec nf_station_spec_plain(const char *name, enum nf_station_kind kind,
                                             const struct nf_hosting *hosting)
{
    struct nf_station_spec s = {.name = name,
                                .group = name,
                                .place = "here",
                                .tier = NF_TIER_EDGE,
                                .kind = kind,
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
