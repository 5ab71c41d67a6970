#include "experiment/validation.h"

#include <math.h>
#include <string.h>

#include "experiment/replicate.h"
#include "experiment/theory.h"
#include "model/outcome.h"
#include "stats/histogram.h"

static const double confidence = 0.999;
static const double file_precision = 0.02;
static const double percentile_resolution = 1.0 / 2048.0;

enum { ROWS_MAX = 32, STATIONS_MAX = 8 };

enum quantity {
    CLASS_TIME,      /* class, measure, statistic */
    CLASS_LOSS,      /* rejected / offered */
    ROUTE_LATENCY,   /* mean time in system of the requests that one station served */
    STATION_BUSY,    /* utilization */
    STATION_QUEUE,   /* mean number waiting */
    STATION_SOJOURN, /* mean time at the station */
};

struct expectation {
    const char *subject, *metric;
    enum quantity quantity;
    size_t index; /* class or station */
    enum nf_measure measure;
    enum nf_statistic statistic;
    double theory;
};

struct nf_expectations {
    struct expectation items[ROWS_MAX];
    size_t count;
};

/* ---- what theory says about each scenario ---- */

static void add(struct nf_expectations *list, struct expectation e)
{
    if (isnan(e.theory)) {
        return;
    }
    NF_ASSERT(list->count < ROWS_MAX);
    list->items[list->count++] = e;
}

static void add_times(const struct nf_world_spec *spec, size_t class_ix,
                      const struct nf_theory *t, struct nf_expectations *list)
{
    const char *name = spec->classes[class_ix].name;
    const struct expectation rows[] = {
        {name, "wait mean", CLASS_TIME, class_ix, NF_WAIT, NF_MEAN, t->wait_mean},
        {name, "wait p50", CLASS_TIME, class_ix, NF_WAIT, NF_P50, t->wait_p50},
        {name, "wait p99", CLASS_TIME, class_ix, NF_WAIT, NF_P99, t->wait_p99},
        {name, "time mean", CLASS_TIME, class_ix, NF_LATENCY, NF_MEAN, t->time_mean},
        {name, "time p50", CLASS_TIME, class_ix, NF_LATENCY, NF_P50, t->time_p50},
        {name, "time p99", CLASS_TIME, class_ix, NF_LATENCY, NF_P99, t->time_p99},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        add(list, rows[i]);
    }
    if (t->loss > 0.0) {
        add(list, (struct expectation){.subject = name,
                                       .metric = "loss",
                                       .quantity = CLASS_LOSS,
                                       .index = class_ix,
                                       .theory = t->loss});
    }
}

static void add_station(const struct nf_world_spec *spec, size_t station,
                        const struct nf_theory *t, struct nf_expectations *list)
{
    const char *name = spec->stations[station].name;
    add(list, (struct expectation){.subject = name,
                                   .metric = "utilization",
                                   .quantity = STATION_BUSY,
                                   .index = station,
                                   .theory = t->utilization});
    add(list, (struct expectation){.subject = name,
                                   .metric = "queue mean",
                                   .quantity = STATION_QUEUE,
                                   .index = station,
                                   .theory = t->queue_mean});
}

static void add_all(const struct nf_world_spec *spec, struct nf_theory t,
                    struct nf_expectations *list)
{
    add_times(spec, 0, &t, list);
    add_station(spec, 0, &t, list);
}

static double rate(const struct nf_world_spec *spec)
{
    return spec->sources[0].arrivals.rate;
}

/* Mean service time of the first model that a station hosts. */
static double service_mean(const struct nf_world_spec *spec, size_t station)
{
    const struct nf_station_spec *s = &spec->stations[station];
    return spec->models[s->hostings[0].model].service.mean / s->speed;
}

static unsigned servers(const struct nf_world_spec *spec, size_t station)
{
    const struct nf_station_spec *s = &spec->stations[station];
    return s->servers * s->replicas_initial;
}

static void expect_mmc(const struct nf_world_spec *spec, struct nf_expectations *list)
{
    add_all(spec,
            nf_theory_mmc(rate(spec), 1.0 / service_mean(spec, 0), servers(spec, 0)),
            list);
}

static void expect_mmck(const struct nf_world_spec *spec, struct nf_expectations *list)
{
    unsigned c = servers(spec, 0);
    unsigned room = c + (unsigned)spec->stations[0].queue_limit;
    add_all(spec, nf_theory_mmck(rate(spec), 1.0 / service_mean(spec, 0), c, room), list);
}

static void expect_md1(const struct nf_world_spec *spec, struct nf_expectations *list)
{
    add_all(spec, nf_theory_md1(rate(spec), service_mean(spec, 0)), list);
}

static void expect_mg1(const struct nf_world_spec *spec, struct nf_expectations *list)
{
    const struct nf_dist *service = &spec->models[0].service;
    NF_ASSERT(service->kind == NF_DIST_LOGNORMAL && service->shift == 0.0);
    double cv = sqrt(expm1(service->b * service->b));
    add_all(spec, nf_theory_mg1(rate(spec), service_mean(spec, 0), cv), list);
}

static void expect_dm1(const struct nf_world_spec *spec, struct nf_expectations *list)
{
    add_all(spec, nf_theory_dm1(1.0 / rate(spec), 1.0 / service_mean(spec, 0)), list);
}

/* What leaves an M/M/c queue is again Poisson, and the times in the two stations are independent (Burke 1956, Reich 1957). */
static void expect_tandem(const struct nf_world_spec *spec, struct nf_expectations *list)
{
    for (size_t i = 0; i < 2; i++) {
        struct nf_theory t =
            nf_theory_mmc(rate(spec), 1.0 / service_mean(spec, i), servers(spec, i));
        add_times(spec, i, &t, list);
        add_station(spec, i, &t, list);
    }
}

/* A cascade that visits station 0, station 1 and station 0 again, with one mean service time a station: a network of product form
 * whose arrivals, those that return as well, see M/M/c queues (Jackson 1957; Baskett et al. 1975). */
static void expect_return(const struct nf_world_spec *spec, struct nf_expectations *list)
{
    static const size_t visited[] = {0, 1, 0};
    for (size_t i = 0; i < 2; i++) {
        double visits = i == 0 ? 2.0 : 1.0;
        struct nf_theory t = nf_theory_mmc(rate(spec) * visits,
                                           1.0 / service_mean(spec, i), servers(spec, i));
        for (size_t stage = 0; stage < 3; stage++) {
            if (visited[stage] == i) {
                add_times(spec, stage, &t, list);
            }
        }
        add_station(spec, i, &t, list);
    }
}

static void expect_fixed_batch(const struct nf_world_spec *spec,
                               struct nf_expectations *list)
{
    const struct nf_station_spec *s = &spec->stations[0];
    double service = nf_dnn_alone_s(&s->hostings[0].dnn, s->batch_max);
    add_all(spec, nf_theory_fixed_batch(rate(spec), s->batch_max, service), list);
}

/* Mean round trip of the link that leads from the only site to a station. */
static double round_trip(const struct nf_world_spec *spec, size_t station)
{
    const struct nf_link_spec *link = &spec->links[spec->route_link[station]];
    return link->latency.mean * (link->is_rtt ? 1.0 : 2.0);
}

/* A Poisson stream split by independent coin flips is two Poisson streams. */
static void expect_two_tier(const struct nf_world_spec *spec,
                            struct nf_expectations *list)
{
    const struct nf_gateway_spec *g = &spec->gateway;
    NF_ASSERT(g->order_count == 2 && spec->station_count == 2);
    double sum = g->weights[0] + g->weights[1];
    for (size_t i = 0; i < 2; i++) {
        size_t station = g->order[i];
        struct nf_theory t =
            nf_theory_mmc(rate(spec) * g->weights[i] / sum,
                          1.0 / service_mean(spec, station), servers(spec, station));
        const char *name = spec->stations[station].name;
        add(list,
            (struct expectation){.subject = name,
                                 .metric = "time mean",
                                 .quantity = ROUTE_LATENCY,
                                 .index = station,
                                 .theory = t.time_mean + round_trip(spec, station)});
        add(list, (struct expectation){.subject = name,
                                       .metric = "at station mean",
                                       .quantity = STATION_SOJOURN,
                                       .index = station,
                                       .theory = t.time_mean});
        add_station(spec, station, &t, list);
    }
}

static const struct nf_validation_case cases[] = {
    {"mm1-50", "M/M/1, rho = 0.5", "Gross et al. 2.2", expect_mmc},
    {"mm1-90", "M/M/1, rho = 0.9", "Gross et al. 2.2", expect_mmc},
    {"mm4-50", "M/M/4, rho = 0.5", "Gross et al. 2.3", expect_mmc},
    {"mm4-90", "M/M/4, rho = 0.9", "Gross et al. 2.3", expect_mmc},
    {"mm16-50", "M/M/16, rho = 0.5", "Gross et al. 2.3", expect_mmc},
    {"mm16-90", "M/M/16, rho = 0.9", "Gross et al. 2.3", expect_mmc},
    {"md1", "M/D/1, rho = 0.7", "Erlang 1909; Tijms 9.5.1", expect_md1},
    {"mg1-lognormal", "M/G/1, lognormal service, cv 2, rho = 0.5",
     "Pollaczek-Khinchine; Kleinrock I 5.6", expect_mg1},
    {"mmck", "M/M/3/8, offered 1.05 per server", "Gross et al. 2.4", expect_mmck},
    {"erlang-b", "M/M/8/8, offered 7.3 Erlang", "Gross et al. 2.5", expect_mmck},
    {"dm1", "D/M/1, rho = 0.8", "Kleinrock I 6.4", expect_dm1},
    {"tandem", "two M/M/1 in a row", "Burke 1956; Reich 1957", expect_tandem},
    {"there-and-back", "a cascade that returns to its first station",
     "Jackson 1957; Baskett et al. 1975", expect_return},
    {"fixed-batch", "full batches of 4, rho = 0.7", "Spitzer; Tijms 9.6.2",
     expect_fixed_batch},
    {"two-tier", "edge M/M/1 and cloud M/M/4", "Gross et al. 2.2, 2.3", expect_two_tier},
    {"two-tier-links", "the same behind links of 1 and 20 ms", "Gross et al. 2.2, 2.3",
     expect_two_tier},
};

const struct nf_validation_case *nf_validation_cases(size_t *count)
{
    *count = sizeof cases / sizeof cases[0];
    return cases;
}

/* ---- simulation ---- */

/* Latencies by serving station, one a replication. */
struct routes {
    double latency_ns[STATIONS_MAX];
    uint64_t count[STATIONS_MAX];
};

static void add_to_route(void *ctx, const struct nf_row *row)
{
    struct routes *r = ctx;
    if (row->outcome == NF_COMPLETED) {
        r->latency_ns[row->station] += (double)row->latency;
        r->count[row->station]++;
    }
}

static void begin_with_routes(void *ctx, uint32_t i, bool is_next, struct nf_sinks *sinks)
{
    (void)is_next;
    struct routes *all = ctx;
    sinks->row = add_to_route;
    sinks->ctx = &all[i];
}

static double observed(const struct expectation *e, const struct nf_outcome *o,
                       const struct routes *routes)
{
    switch (e->quantity) {
    case CLASS_TIME:
        return o->classes[e->index].time_s[e->measure][e->statistic];
    case CLASS_LOSS: {
        const struct nf_counts *c = &o->classes[e->index].counts;
        return (double)c->outcome[NF_REJECTED] / (double)c->offered;
    }
    case ROUTE_LATENCY:
        return routes->latency_ns[e->index] / (double)routes->count[e->index] * 1e-9;
    case STATION_BUSY:
        return o->stations[e->index].utilization;
    case STATION_QUEUE:
        return o->stations[e->index].queue_mean;
    case STATION_SOJOURN:
        return o->stations[e->index].sojourn_mean_s;
    }
    return (double)NAN;
}

static struct nf_validation_row judge(const struct expectation *e, struct nf_estimate got,
                                      double precision)
{
    struct nf_validation_row row = {
        .subject = e->subject,
        .metric = e->metric,
        .theory = e->theory,
        .simulated = got,
        .is_time = e->quantity == CLASS_TIME || e->quantity == ROUTE_LATENCY ||
                   e->quantity == STATION_SOJOURN,
    };
    if (e->theory == 0.0) {
        row.is_inside = row.is_narrow = got.value == 0.0;
        return row;
    }
    bool is_percentile = e->quantity == CLASS_TIME && e->statistic != NF_MEAN;
    double slack = is_percentile ? e->theory * percentile_resolution : 0.0;
    row.is_inside = fabs(got.value - e->theory) <= got.half_width + slack;
    row.is_narrow = 2 * got.half_width < precision * fabs(got.value);
    return row;
}

void nf_validation_run(const struct nf_validation_case *which,
                       const struct nf_world_spec *spec, double precision, unsigned jobs,
                       struct nf_arena *arena, struct nf_validation_result *result)
{
    struct nf_world_spec stretched = *spec;
    double factor = file_precision / precision;
    stretched.duration =
        spec->warmup +
        nf_time_of_s(nf_time_s(spec->duration - spec->warmup) * factor * factor);
    struct nf_expectations *list = NF_NEW(arena, struct nf_expectations);
    which->expect(spec, list);

    size_t n = spec->replications;
    struct nf_outcome *outcomes = NF_NEW_ARRAY(arena, n, struct nf_outcome);
    struct routes *routes = NF_NEW_ARRAY(arena, n, struct routes);
    bool needs_routes = false;
    for (size_t i = 0; i < list->count; i++) {
        needs_routes = needs_routes || list->items[i].quantity == ROUTE_LATENCY;
    }
    NF_ASSERT(spec->station_count <= STATIONS_MAX);
    stretched.write_requests = needs_routes;
    stretched.series_interval = 0;
    struct nf_replicate run = {
        .spec = &stretched,
        .jobs = jobs,
        .begin = needs_routes ? begin_with_routes : NULL,
        .ctx = routes,
    };
    (void)nf_replicate_run(&run, outcomes);

    double *x = NF_NEW_ARRAY(arena, n, double);
    *result = (struct nf_validation_result){
        .rows = NF_NEW_ARRAY(arena, list->count, struct nf_validation_row),
        .row_count = list->count,
    };
    for (size_t i = 0; i < list->count; i++) {
        for (size_t r = 0; r < n; r++) {
            x[r] = observed(&list->items[i], &outcomes[r], &routes[r]);
        }
        result->rows[i] =
            judge(&list->items[i], nf_interval_mean(x, n, confidence), precision);
        result->missed += !(result->rows[i].is_inside && result->rows[i].is_narrow);
    }
    for (size_t r = 0; r < n; r++) {
        result->offered += outcomes[r].counts.offered;
        nf_outcome_fini(&outcomes[r]);
    }
}
