/*
 * world_case.h - M/M/1 and the two-tier case as worlds of the simulator, filled in by hand.
 *
 * What:   the same systems as bare_loop.h, as a struct nf_world_spec: what sim/scenario would build from a file.
 * Owner:  struct nf_bench_world is the caller's storage and must not move while worlds run on its spec.
 * Errors: none.
 */
#ifndef NF_BENCH_WORLD_CASE_H
#define NF_BENCH_WORLD_CASE_H

#include <stdint.h>

#include "model/spec.h"

enum { NF_BENCH_STATIONS = 2 };

struct nf_bench_world {
    struct nf_world_spec spec;
    struct nf_model_spec model;
    struct nf_hosting hosting;
    struct nf_station_spec stations[NF_BENCH_STATIONS];
    struct nf_link_spec links[NF_BENCH_STATIONS];
    int32_t route_link[NF_BENCH_STATIONS];
    uint32_t order[NF_BENCH_STATIONS];
    double weights[NF_BENCH_STATIONS];
    struct nf_class_spec class_spec;
    struct nf_source_spec source;
    const char *site;
};

/* Long enough for about `requests` arrivals, without warm-up, without rows, one replication of several (so without the batch means
 * that a lone replication keeps). */
void nf_bench_world_mm1(struct nf_bench_world *b, uint64_t requests);
void nf_bench_world_two_tier(struct nf_bench_world *b, uint64_t requests);

#endif
