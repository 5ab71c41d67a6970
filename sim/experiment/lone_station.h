/*
 * lone_station.h - a world of one station, one class and one source, without network: what measured systems are held against.
 *
 * Owner:  the caller's struct, which holds all that its spec points to: not to be copied or moved after nf_lone_station_init.
 */
#ifndef NF_EXPERIMENT_LONE_STATION_H
#define NF_EXPERIMENT_LONE_STATION_H

#include "model/spec.h"

struct nf_lone_station {
    struct nf_world_spec spec;
    struct nf_model_spec model;
    struct nf_hosting hosting; /* the caller puts its cost here */
    struct nf_station_spec station;
    struct nf_class_spec class_spec;
    struct nf_source_spec source; /* the caller sets its arrivals */
    struct nf_link_spec link;
    const char *site;
    int32_t route;
    uint32_t order;
};

/* One replica with one server that nothing limits; seed, duration and arrivals are still to be set. */
void nf_lone_station_init(struct nf_lone_station *l, enum nf_model_kind model,
                          enum nf_station_kind kind);

#endif
