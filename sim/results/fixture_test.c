/* fixture_test.c - see fixture.h. */
#include "results/fixture.h"

#include <math.h>
#include <string.h>

#include "base/hash.h"

enum { STATIONS = 4, CLASSES = 2 };

struct nf_world_spec *fixture_spec(unsigned replications, struct nf_arena *arena)
{
    static const char *const sites[] = {"shop[0]", "shop[1]"};
    struct nf_world_spec *spec = NF_NEW(arena, struct nf_world_spec);
    struct nf_station_spec *stations =
        NF_NEW_ARRAY(arena, STATIONS, struct nf_station_spec);
    struct nf_class_spec *classes = NF_NEW_ARRAY(arena, CLASSES, struct nf_class_spec);
    struct nf_sla_spec *slas = NF_NEW_ARRAY(arena, 4, struct nf_sla_spec);
    stations[0] = (struct nf_station_spec){.name = "shop-gpu[0]",
                                           .group = "shop-gpu",
                                           .place = "shop[0]",
                                           .tier = NF_TIER_EDGE};
    stations[1] = (struct nf_station_spec){.name = "shop-gpu[1]",
                                           .group = "shop-gpu",
                                           .place = "shop[1]",
                                           .tier = NF_TIER_EDGE};
    stations[2] = (struct nf_station_spec){
        .name = "pool", .group = "pool", .place = "us-east", .tier = NF_TIER_CLOUD};
    stations[3] = (struct nf_station_spec){
        .name = "api", .group = "api", .place = "us-west", .tier = NF_TIER_MAAS};
    classes[0] = (struct nf_class_spec){.name = "cameras", .target_latency_s = 0.010};
    classes[1] = (struct nf_class_spec){
        .name = "analysis", .target_ttft_s = 1.5, .is_stage = true};
    slas[0] = (struct nf_sla_spec){0, "p99", NF_OBJECTIVE_LATENCY, 0.99, 0.010};
    slas[1] =
        (struct nf_sla_spec){0, "availability", NF_OBJECTIVE_AVAILABILITY, -1, 0.97};
    slas[2] = (struct nf_sla_spec){1, "ttft_p97", NF_OBJECTIVE_TTFT, 0.97, 1.5};
    slas[3] = (struct nf_sla_spec){1, "target_met", NF_OBJECTIVE_TARGET_MET, -1, 0.5};
    *spec = (struct nf_world_spec){.name = "made-up",
                                   .seed = 7919,
                                   .replications = replications,
                                   .duration = 3600 * NF_SECOND,
                                   .warmup = 60 * NF_SECOND,
                                   .sites = sites,
                                   .site_count = 2,
                                   .stations = stations,
                                   .station_count = STATIONS,
                                   .classes = classes,
                                   .class_count = CLASSES,
                                   .slas = slas,
                                   .sla_count = 4,
                                   .write_requests = true,
                                   .series_interval = NF_SECOND};
    return spec;
}

struct nf_run_inputs fixture_inputs(void)
{
    static const char text[] =
        "nearfar: 1\nname: made-up\ndescription: \"caf\xc3\xa9\"\n";
    static const char *const overrides[] = {"seed=7919"};
    static const struct nf_input_file files[] = {
        {"calibration", "h100",
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}};
    return (struct nf_run_inputs){.version = "0.1.0",
                                  .text = text,
                                  .text_length = sizeof text - 1,
                                  .overrides = overrides,
                                  .override_count = 1,
                                  .files = files,
                                  .file_count = 1};
}

/* Uniform in (0, 1) from (replication, row, purpose). */
static double uniform(uint32_t replication, uint64_t i, unsigned purpose)
{
    uint64_t h = nf_hash_mix(nf_hash_mix(replication, i), purpose);
    return ((double)(h >> 12) + 0.5) * 0x1p-52;
}

struct nf_row fixture_row(uint32_t replication, uint64_t i)
{
    double u = uniform(replication, i, 0);
    bool is_stage = i % 21 == 20;
    struct nf_row r = {.arrival = (nf_time)i * 2385031 + 60 * NF_SECOND,
                       .class_ix = is_stage,
                       .site = (uint16_t)(i % 2),
                       .outcome = (uint16_t)(u < 0.013  ? NF_REJECTED
                                             : u < 0.02 ? NF_TIMED_OUT
                                                        : NF_COMPLETED),
                       .station = (int16_t)(is_stage ? (u < 0.3 ? 3 : 2) : (int)(i % 2)),
                       .tries = (uint16_t)(u < 0.05 ? 2 : 1),
                       .ttft = -1,
                       .tpot = -1};
    double scale = is_stage ? 1.1e9 : 4.1e6;
    r.wait = (nf_time)(-scale * 0.2 * log(uniform(replication, i, 1)));
    r.network = is_stage ? 41003007 : 611009;
    r.service = (nf_time)(scale * (0.3 - 0.4 * log(uniform(replication, i, 2))));
    r.latency = r.wait + r.network + r.service;
    if (is_stage) {
        r.input_tokens = 800 + (uint32_t)(i % 377);
        r.output_tokens = 40 + (uint32_t)(i % 91);
        r.ttft = r.wait + r.network + r.service / 7;
        r.tpot = (r.latency - r.ttft) / (r.output_tokens - 1);
        r.cost_usd =
            r.station == 3 ? 1e-7 * r.input_tokens + 2e-7 * r.output_tokens : 2e-7;
    }
    if (r.outcome == NF_REJECTED) {
        r.station = -1;
        r.wait = r.service = 0;
    }
    return r;
}

static void add_times(struct nf_class_outcome *c, const struct nf_row *r)
{
    const nf_time times[NF_MEASURES] = {r->latency, r->wait, r->network, r->ttft,
                                        r->tpot};
    for (int m = 0; m < NF_MEASURES; m++) {
        if (times[m] >= 0) {
            nf_histogram_add(&c->times[m], times[m]);
        }
    }
}

static void summarise_class(struct nf_class_outcome *c, uint64_t within)
{
    static const double q[NF_STATISTICS] = {0, 0.5, 0.9, 0.95, 0.99, 0.999, 1};
    double n = (double)(c->counts.offered - c->counts.inside);
    for (int m = 0; m < NF_MEASURES; m++) {
        const struct nf_histogram *h = &c->times[m];
        for (int s = 0; s < NF_STATISTICS; s++) {
            c->time_s[m][s] = nf_histogram_quantile(h, q[s]) * 1e-9;
        }
        c->time_s[m][NF_MEAN] = nf_histogram_mean(h) * 1e-9;
        c->time_s[m][NF_MAX] = h->count ? (double)h->max * 1e-9 : (double)NAN;
        c->mean_half_width_s[m] = 0.0625 * (m + 1);
    }
    c->target_met = (double)within / n;
    c->availability = (double)c->counts.outcome[NF_COMPLETED] / n;
}

static void make_stations(struct nf_outcome *out, const double *charged)
{
    uint32_t r = out->replication;
    for (int s = 0; s < STATIONS; s++) {
        out->stations[s] =
            (struct nf_station_outcome){.utilization = 0.1 * (s + 1) + 0.01 * r,
                                        .queue_mean = 2.5 * s + 0.125 * r,
                                        .in_system_mean = 3.5 * s + 0.125 * r,
                                        .wait_mean_s = 0.001 * (s + 1),
                                        .sojourn_mean_s = 0.004 * (s + 1),
                                        .batch_mean = s == 0   ? 3.0 + r
                                                      : s == 2 ? 17.0
                                                               : (double)NAN,
                                        .is_saturated = s == 2 && r == 1,
                                        .replicas_mean = s == 2 ? 6.25 + r : 1,
                                        .replicas_max = s == 2 ? 9 + r : 1,
                                        .gpu_hours = s == 3 ? 0 : 0.95 * (s + 1),
                                        .cold_starts = s == 2 ? 8 + r : 0,
                                        .energy_kwh = 0.07 * (s + 1),
                                        .cost_usd = 0.2 * (s + 1) + 0.01 * r};
        out->energy_kwh += out->stations[s].energy_kwh;
    }
    out->cost.edge = out->stations[0].cost_usd + out->stations[1].cost_usd;
    out->cost.cloud = out->stations[2].cost_usd;
    out->cost.maas = charged[0];
    out->cost.network = charged[1];
    out->cost.total =
        out->cost.edge + out->cost.cloud + out->cost.maas + out->cost.network;
    out->cost.per_1000_requests =
        out->cost.total / (double)out->counts.outcome[NF_COMPLETED] * 1000;
}

static void make_series(uint32_t replication, unsigned ticks,
                        const struct nf_sinks *sinks)
{
    for (unsigned t = 0; t < ticks; t++) {
        for (unsigned s = 0; s < STATIONS; s++) {
            double load = 1 + sin(t * 0.01 + 0.2 * replication);
            struct nf_series_point p = {
                .at = (nf_time)(t + 1) * NF_SECOND,
                .station = s,
                .offered_rate = 10 * load * (s + 1),
                .queue = (uint32_t)(load * s * 7),
                .in_service = s + 1,
                .replicas_ready = s == 2 ? 1 + (uint32_t)(3 * load) : s < 2,
                .replicas_starting = s == 2 && t % 300 < 90 ? 2 : 0,
                .utilization = 0.45 * load * uniform(replication, t, s)};
            sinks->point(sinks->ctx, &p);
        }
    }
}

static void make_outcome(const struct nf_world_spec *spec, uint32_t replication,
                         uint64_t events, struct nf_outcome *out)
{
    memset(out, 0, sizeof *out);
    nf_arena_init(&out->arena);
    out->replication = replication;
    out->seed = spec->seed;
    out->events = events;
    out->simulated_s = nf_time_s(spec->duration);
    out->measured_s = nf_time_s(spec->duration - spec->warmup);
    out->trajectory = nf_hash_mix(replication, events);
    out->class_count = CLASSES;
    out->classes = NF_NEW_ARRAY(&out->arena, CLASSES, struct nf_class_outcome);
    out->stations = NF_NEW_ARRAY(&out->arena, STATIONS, struct nf_station_outcome);
    for (int c = 0; c < CLASSES; c++) {
        struct nf_class_outcome *class = &out->classes[c];
        class->routes = NF_NEW_ARRAY(&out->arena, STATIONS, uint64_t);
        class->times = NF_NEW_ARRAY(&out->arena, NF_MEASURES, struct nf_histogram);
        class->latency = &class->times[NF_LATENCY];
        for (int m = 0; m < NF_MEASURES; m++) {
            nf_histogram_init(&class->times[m]);
        }
        class->counts.inside = 3;
        class->counts.offered = 3;
        out->counts.inside += 3;
        out->counts.offered += 3;
    }
}

void fixture_run(const struct nf_world_spec *spec, uint32_t replication, uint64_t n,
                 unsigned ticks, const struct nf_sinks *sinks, struct nf_outcome *out)
{
    uint64_t within[CLASSES] = {0};
    double charged[2] = {0};
    make_outcome(spec, replication, 5 * n, out);
    for (uint64_t i = 0; i < n; i++) {
        struct nf_row r = fixture_row(replication, i);
        struct nf_class_outcome *c = &out->classes[r.class_ix];
        c->counts.offered++;
        c->counts.outcome[r.outcome]++;
        out->counts.offered++;
        out->counts.outcome[r.outcome]++;
        c->retries += r.tries - 1u;
        charged[r.station != 3] += r.cost_usd;
        if (r.outcome == NF_COMPLETED) {
            add_times(c, &r);
            c->routes[r.station]++;
            within[r.class_ix] +=
                r.class_ix ? r.ttft <= 1500000000 : r.latency <= 10000000;
        }
        if (sinks->row) {
            sinks->row(sinks->ctx, &r);
        }
    }
    for (int c = 0; c < CLASSES; c++) {
        summarise_class(&out->classes[c], within[c]);
    }
    make_stations(out, charged);
    if (sinks->point) {
        make_series(replication, ticks, sinks);
    }
}

enum nf_status fixture_write(const char *path, const struct nf_world_spec *spec,
                             uint64_t n, bool is_direct, unsigned deflate,
                             struct nf_diags *diags)
{
    struct nf_arena arena;
    struct nf_writer *w;
    struct nf_run_inputs inputs = fixture_inputs();
    inputs.deflate = deflate;
    nf_arena_init(&arena);
    enum nf_status status = nf_writer_open(&w, path, spec, &inputs, &arena, diags);
    if (status != NF_OK) {
        nf_arena_fini(&arena);
        return status;
    }
    struct nf_outcome *out = NF_NEW_ARRAY(&arena, spec->replications, struct nf_outcome);
    for (uint32_t r = 0; r < spec->replications && status == NF_OK; r++) {
        struct nf_row_spool *s = nf_row_spool_new(w, r, is_direct);
        struct nf_sinks sinks = nf_row_spool_sinks(s);
        fixture_run(spec, r, n, 3600, &sinks, &out[r]);
        nf_row_spool_close(s);
        status = nf_writer_take(w, s, &out[r], diags);
    }
    if (status == NF_OK) {
        status = nf_writer_finish(w, out, spec->replications, diags);
    } else {
        nf_writer_abandon(w);
    }
    for (uint32_t r = 0; r < spec->replications; r++) {
        nf_outcome_fini(&out[r]);
    }
    nf_arena_fini(&arena);
    return status;
}
