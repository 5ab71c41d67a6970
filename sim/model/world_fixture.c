/* world_fixture.c - see world_fixture.h. */
#include "model/world_fixture.h"

#include "base/status.h"

static void keep_row(void *ctx, const struct nf_row *row)
{
    struct nf_fixture *f = ctx;
    if (f->row_count < NF_FIXTURE_ROWS) {
        f->rows[f->row_count] = *row;
    }
    f->row_count++;
}

static void keep_point(void *ctx, const struct nf_series_point *point)
{
    struct nf_fixture *f = ctx;
    if (f->point_count < NF_FIXTURE_ROWS) {
        f->points[f->point_count] = *point;
    }
    f->point_count++;
}

void nf_fixture_init(struct nf_fixture *f)
{
    *f = (struct nf_fixture){.site = "here"};
    f->sinks = (struct nf_sinks){.row = keep_row, .point = keep_point, .ctx = f};
    f->spec = (struct nf_world_spec){.name = "fixture",
                                     .seed = 7919,
                                     .replications = 1,
                                     .duration = 1000 * NF_SECOND,
                                     .models = f->models,
                                     .sites = &f->site,
                                     .site_count = 1,
                                     .stations = f->stations,
                                     .links = f->links,
                                     .route_link = f->route_link,
                                     .classes = f->classes,
                                     .sources = f->sources,
                                     .gateway = {.policy = NF_POLICY_EDGE_ONLY,
                                                 .order = f->order,
                                                 .timeout = NF_TIME_NEVER},
                                     .write_requests = true};
}

struct nf_model_spec *nf_fixture_model(struct nf_fixture *f, enum nf_model_kind kind)
{
    NF_ASSERT(f->spec.model_count < NF_FIXTURE_MAX);
    struct nf_model_spec *m = &f->models[f->spec.model_count++];
    *m = (struct nf_model_spec){
        .name = "model", .kind = kind, .service = nf_dist_constant(1)};
    return m;
}

struct nf_station_spec *nf_fixture_station(struct nf_fixture *f,
                                           enum nf_station_kind kind, uint32_t model,
                                           double latency_s)
{
    size_t ix = f->spec.station_count++;
    NF_ASSERT(ix < NF_FIXTURE_MAX);
    static const char *const names[NF_FIXTURE_MAX] = {"s0", "s1", "s2", "s3", "s4", "s5"};
    f->spec.link_count = f->spec.station_count;
    f->links[ix] = (struct nf_link_spec){.name = names[ix], .group = names[ix]};
    f->links[ix].latency = nf_dist_constant(latency_s);
    f->route_link[ix] = (int32_t)ix;
    f->order[ix] = (uint32_t)ix;
    f->hostings[ix].model = model;
    struct nf_station_spec *s = &f->stations[ix];
    *s = nf_station_spec_plain(names[ix], kind, &f->hostings[ix]);
    return s;
}

struct nf_class_spec *nf_fixture_class(struct nf_fixture *f, const char *name,
                                       uint32_t model)
{
    size_t ix = f->spec.class_count++;
    NF_ASSERT(ix < NF_FIXTURE_MAX);
    f->spec.source_count = f->spec.class_count;
    f->sources[ix] = (struct nf_source_spec){.name = name, .class_ix = (uint32_t)ix};
    f->sources[ix].arrivals = (struct nf_arrival_spec){.kind = NF_ARRIVAL_TRACE};
    f->classes[ix] =
        (struct nf_class_spec){.name = name, .model = model, .tokens_from_trace = true};
    return &f->classes[ix];
}

void nf_fixture_arrivals(struct nf_fixture *f, size_t ix, const struct nf_trace_row *rows,
                         size_t n)
{
    f->sources[ix].arrivals.trace = rows;
    f->sources[ix].arrivals.trace_count = n;
}

void nf_fixture_run(struct nf_fixture *f, struct nf_outcome *out)
{
    f->row_count = 0;
    f->point_count = 0;
    f->spec.gateway.order_count = f->spec.station_count;
    nf_world_run(&f->spec, 0, &f->sinks, out);
}

struct nf_llm_cost nf_fixture_llm(uint64_t blocks, unsigned max_sequences,
                                  unsigned max_tokens)
{
    struct nf_llm_cost c = {.step_s = 1e-3,
                            .token_s = 10e-6,
                            .decode_context_s = 1e-7,
                            .mixed_factor = 1.2,
                            .kv_blocks = blocks,
                            .block_tokens = 16,
                            .max_sequences = max_sequences,
                            .max_batched_tokens = max_tokens,
                            .ranks = 1};
    nf_pnorm_init(&c.prefill_norm, 2);
    nf_pnorm_init(&c.decode_norm, 2);
    return c;
}
