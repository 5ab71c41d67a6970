/*
 * world_fixture.h - small worlds for tests: one site, a few stations, models and classes, filled in by hand.
 *
 * Owner:  struct nf_fixture is the caller's storage and must not move while worlds run on its spec.
 */
#ifndef NF_MODEL_WORLD_FIXTURE_H
#define NF_MODEL_WORLD_FIXTURE_H

#include "model/outcome.h"

enum { NF_FIXTURE_MAX = 6, NF_FIXTURE_ROWS = 4096 };

struct nf_fixture {
    struct nf_world_spec spec;
    struct nf_model_spec models[NF_FIXTURE_MAX];
    struct nf_hosting hostings[NF_FIXTURE_MAX];
    struct nf_station_spec stations[NF_FIXTURE_MAX];
    struct nf_link_spec links[NF_FIXTURE_MAX];
    int32_t route_link[NF_FIXTURE_MAX];
    struct nf_class_spec classes[NF_FIXTURE_MAX];
    struct nf_source_spec sources[NF_FIXTURE_MAX];
    uint32_t order[NF_FIXTURE_MAX];
    const char *site;
    struct nf_sinks sinks;
    struct nf_row rows[NF_FIXTURE_ROWS];
    size_t row_count;
    struct nf_series_point points[NF_FIXTURE_ROWS];
    size_t point_count;
};

/* An empty world at site "here", 1000 s, seed 7919, rows on, edge-only, no time-out. */
void nf_fixture_init(struct nf_fixture *f);

/* Each adds one and returns it with plain defaults; its index is the number added before. A class comes with its source of the same
 * name; a station hosts every model added so far that is of kind `model` and gets a link of constant one-way latency. */
struct nf_model_spec *nf_fixture_model(struct nf_fixture *f, enum nf_model_kind kind);
struct nf_station_spec *nf_fixture_station(struct nf_fixture *f,
                                           enum nf_station_kind kind, uint32_t model,
                                           double latency_s);
struct nf_class_spec *nf_fixture_class(struct nf_fixture *f, const char *name,
                                       uint32_t model);

/* Requests of class `ix` come at these times (seconds). The arrays must outlive the run. */
void nf_fixture_arrivals(struct nf_fixture *f, size_t ix, const struct nf_trace_row *rows,
                         size_t n);

/* Run replication 0; rows are kept in f->rows in order of their outcomes. */
void nf_fixture_run(struct nf_fixture *f, struct nf_outcome *out);

/* A made-up LLM cost whose step takes 1 ms + 10 us a token + 0.1 us a context token of decoding (1.2 times that beside a prefill):
 * real code, easy numbers. `blocks` KV blocks of 16 tokens, one of them the null block. */
struct nf_llm_cost nf_fixture_llm(uint64_t blocks, unsigned max_sequences,
                                  unsigned max_tokens);

#endif
