/*
 * meters.c - from counters and level integrals to the outcome of a replication, and the two checks inside every run.
 *
 * Little's law, exactly: over the measured window the integral of the number inside a station equals the time that requests spent there
 * in the window. With S = sum of entry times of those inside now and N of them:
 *     integral = sum of sojourns of departures + (N t1 - S at t1) - (N t0 - S at t0)
 * All in integer nanoseconds modulo 2^64; the left side comes from the level meters, the right side from each request's own clock.
 */
#include "model/world.h"

#include <math.h>

static const double BATCH_CONFIDENCE = 0.95;
static const double QUANTILES[NF_STATISTICS] = {
    [NF_P50] = 0.5, [NF_P90] = 0.9, [NF_P95] = 0.95, [NF_P99] = 0.99, [NF_P999] = 0.999};

/* ---- start ---- */

void nf__meters_init(struct nf_world *w)
{
    const struct nf_world_spec *spec = w->spec;
    w->meters = NF_NEW_ARRAY(w->arena, spec->class_count, struct nf_class_meter);
    for (size_t c = 0; c < spec->class_count; c++) {
        struct nf_class_meter *m = &w->meters[c];
        const struct nf_class_spec *k = &spec->classes[c];
        m->routes = NF_NEW_ARRAY(w->arena, spec->station_count, uint64_t);
        m->has_target =
            k->target_latency_s > 0 || k->target_ttft_s > 0 || k->target_tpot_s > 0;
        m->time = NF_NEW_ARRAY(w->arena, NF_MEASURES, struct nf_histogram);
        for (int i = 0; i < NF_MEASURES; i++) {
            nf_histogram_init(&m->time[i]);
        }
        if (spec->replications == 1) {
            m->means = NF_NEW_ARRAY(w->arena, NF_MEASURES, struct nf_batch_means);
            for (int i = 0; i < NF_MEASURES; i++) {
                nf_batch_means_init(&m->means[i]);
            }
        }
    }
}

static void levels_advance(struct nf_world *w, struct nf_station *s)
{
    nf_timeavg_advance(&s->capacity_level, w->now);
    nf_timeavg_advance(&s->ready_level, w->now);
    nf_timeavg_advance(&s->billed_level, w->now);
}

/* N now - S: by the requests' own clocks, all that are there. */
static uint64_t inside_time(const struct nf_world *w, uint32_t station)
{
    uint64_t sum = 0;
    for (uint32_t c = 0; c < w->chunk_count; c++) {
        for (const struct nf_request *r = w->chunks[c]; r < w->chunks[c] + NF_CHUNK;
             r++) {
            bool is_there = r->state == NF_R_WAITING || r->state == NF_R_SERVED;
            if (is_there && r->station == station) {
                sum += (uint64_t)(w->now - r->entered);
            }
        }
    }
    return sum;
}

/* One at a time: an event that waits for long stands behind all others in the queue's run, and every push passes it. */
static void schedule_quarter(struct nf_world *w)
{
    nf_time quarter = (w->spec->duration - w->measure_start) / 4;
    if (w->quarter < 4 && quarter > 0) {
        nf_time at = w->measure_start + (w->quarter + 1) * quarter;
        nf__schedule(w, at, NF_EV_QUARTER, 0, 0);
    }
}

void nf__meters_start(struct nf_world *w)
{
    w->is_measuring = true;
    w->measure_start = w->now;
    for (uint32_t i = 0; i < w->spec->station_count; i++) {
        struct nf_station *s = &w->stations[i];
        levels_advance(w, s);
        nf__llm_meters_start(s);
        s->scaler_inside_integral -= nf_level_integral_s(&s->waiting, w->now) +
                                     nf_level_integral_s(&s->in_service, w->now);
        s->series_busy -= nf_level_integral_s(&s->busy, w->now);
        s->series_capacity -= nf_timeavg_integral_s(&s->capacity_level);
        nf_level_reset(&s->waiting, w->now);
        nf_level_reset(&s->in_service, w->now);
        nf_level_reset(&s->busy, w->now);
        nf_timeavg_reset(&s->capacity_level, w->now);
        nf_timeavg_reset(&s->ready_level, w->now);
        nf_timeavg_reset(&s->billed_level, w->now);
        s->series_came -= s->arrivals + s->rejections - s->expired;
        s->expired = 0;
        s->arrivals = s->rejections = s->started = 0;
        s->preemptions = s->iterations = s->batched = s->cold_starts = 0;
        s->outside = s->outside_kinds = 0;
        s->sojourn_ns = s->wait_ns = 0;
        s->inside_before = s->waiting.level + s->in_service.level;
        s->window_before = inside_time(w, i);
        s->replicas_max_seen = s->ready + s->draining;
    }
    schedule_quarter(w);
}

/* ---- on the way ---- */

void nf__meters_quarter(struct nf_world *w)
{
    for (size_t i = 0; i < w->spec->station_count && w->quarter < 4; i++) {
        struct nf_station *s = &w->stations[i];
        double integral = nf_level_integral_s(&s->waiting, w->now);
        s->quarter_queue[w->quarter] = integral - s->quarter_last_integral;
        s->quarter_last_integral = integral;
        s->quarter_arrivals[w->quarter] = s->arrivals;
        s->quarter_inside[w->quarter] = s->waiting.level + s->in_service.level;
    }
    w->quarter++;
    schedule_quarter(w);
}

/* Saturated: the mean queue grew in every quarter of the measured time, and over its second half the station kept more than 2 % of
 * what arrived (and more than 10 requests): service cannot follow the load, so times depend on how long one simulates. */
static bool is_saturated(const struct nf_station *s)
{
    const double *q = s->quarter_queue;
    double kept = (double)(s->quarter_inside[3] - s->quarter_inside[1]);
    double came = (double)(s->quarter_arrivals[3] - s->quarter_arrivals[1]);
    return q[0] < q[1] && q[1] < q[2] && q[2] < q[3] && kept > 10 && kept > 0.02 * came;
}

/* A share of two sums that round apart: what is above 1 by rounding alone is 1. */
static double share(double x)
{
    return x > 1 && x < 1 + 1e-6 ? 1 : x;
}

void nf__meters_series(struct nf_world *w)
{
    double interval_s = nf_time_s(w->spec->series_interval);
    for (uint32_t i = 0; i < w->spec->station_count; i++) {
        struct nf_station *s = &w->stations[i];
        levels_advance(w, s);
        uint64_t came = s->arrivals + s->rejections - s->expired;
        double busy = nf_level_integral_s(&s->busy, w->now);
        double capacity = nf_timeavg_integral_s(&s->capacity_level);
        double available = capacity - s->series_capacity;
        struct nf_series_point p = {
            .at = w->now,
            .station = i,
            .offered_rate = (double)(came - s->series_came) / interval_s,
            .queue = (uint32_t)s->waiting.level,
            .in_service = (uint32_t)s->in_service.level,
            .replicas_ready = s->ready,
            .replicas_starting = s->starting,
            .utilization =
                available > 0 ? share((busy - s->series_busy) / available) : 0};
        s->series_came = came;
        s->series_busy = busy;
        s->series_capacity = capacity;
        if (w->sinks->point != NULL) {
            w->sinks->point(w->sinks->ctx, &p);
        }
    }
    nf__schedule(w, w->now + w->spec->series_interval, NF_EV_SERIES, 0, 0);
}

/* ---- the end ---- */

static double ratio(double a, double b)
{
    return b > 0 ? a / b : (double)NAN;
}

static void check_little(struct nf_world *w, struct nf_station *s)
{
    uint64_t levels = nf_level_integral_ns(&s->waiting, w->now) +
                      nf_level_integral_ns(&s->in_service, w->now);
    uint64_t clocks = s->sojourn_ns + inside_time(w, s->index) - s->window_before;
    NF_ASSERT(levels == clocks);
}

static void station_cost(struct nf_world *w, struct nf_station *s,
                         struct nf_station_outcome *o)
{
    const struct nf_station_spec *k = s->spec;
    double window_s = nf_time_s(w->now - w->measure_start);
    double billed_s = nf_timeavg_integral_s(&s->billed_level);
    o->gpu_hours = billed_s * k->gpus_per_replica / 3600;
    double joules = billed_s * k->power_w;
    o->energy_kwh = joules / 3.6e6;
    o->cost_usd = billed_s * k->gpus_per_replica * k->price_usd_per_gpu_s +
                  joules * k->electricity_usd_per_joule + s->usage_usd;
    if (k->lifetime_s > 0) {
        o->cost_usd += k->purchase_usd * window_s / k->lifetime_s;
    }
}

/* Does a profile that prices the station's work state its valid range? */
static bool has_range(const struct nf_station_spec *spec)
{
    for (size_t i = 0; i < spec->hosting_count; i++) {
        const struct nf_hosting *h = &spec->hostings[i];
        if ((spec->kind == NF_STATION_LLM && h->llm.has_range) ||
            (spec->kind == NF_STATION_BATCH && h->dnn.has_range)) {
            return true;
        }
    }
    return false;
}

static void station_finish(struct nf_world *w, struct nf_station *s,
                           struct nf_station_outcome *o)
{
    levels_advance(w, s);
    check_little(w, s);
    double window_s = nf_time_s(w->now - w->measure_start);
    uint64_t departures = s->arrivals + (uint64_t)s->inside_before -
                          (uint64_t)(s->waiting.level + s->in_service.level);
    double capacity = nf_timeavg_integral_s(&s->capacity_level);
    o->utilization = share(ratio(nf_level_integral_s(&s->busy, w->now), capacity));
    o->queue_mean = ratio(nf_level_integral_s(&s->waiting, w->now), window_s);
    o->in_system_mean =
        o->queue_mean + ratio(nf_level_integral_s(&s->in_service, w->now), window_s);
    o->wait_mean_s = ratio((double)s->wait_ns * 1e-9, (double)s->started);
    o->sojourn_mean_s = ratio((double)s->sojourn_ns * 1e-9, (double)departures);
    o->batch_mean = ratio((double)s->batched, (double)s->iterations);
    o->is_saturated = is_saturated(s);
    o->replicas_mean = ratio(nf_timeavg_integral_s(&s->ready_level), window_s);
    o->replicas_max = s->replicas_max_seen;
    o->cold_starts = s->cold_starts;
    o->arrivals = s->arrivals;
    o->departures = departures;
    o->rejections = s->rejections;
    o->preemptions = s->preemptions;
    o->iterations = s->iterations;
    o->outside_range = has_range(s->spec) ? (double)s->outside : (double)NAN;
    o->outside_kinds = s->outside_kinds;
    uint64_t asked, hit;
    o->prefix_hit_rate = nf__llm_prefix_tokens(s, &asked, &hit)
                             ? ratio((double)hit, (double)asked)
                             : (double)NAN;
    double lambda_w = (double)s->arrivals / window_s * o->sojourn_mean_s;
    o->little_gap =
        o->in_system_mean > 0 ? (o->in_system_mean - lambda_w) / o->in_system_mean : 0;
    station_cost(w, s, o);
}

/* Counts the slab: what is inside is what has no outcome yet. */
static void count_inside(struct nf_world *w)
{
    for (uint32_t c = 0; c < w->chunk_count; c++) {
        for (uint32_t i = 0; i < NF_CHUNK; i++) {
            const struct nf_request *r = &w->chunks[c][i];
            if (r->state != NF_R_FREE && r->state != NF_R_LATENT &&
                r->state != NF_R_ZOMBIE) {
                w->meters[r->class_ix].counts[r->is_measured].inside++;
            }
        }
    }
}

static void check_conserved(const struct nf_counts *c)
{
    uint64_t ended = 0;
    for (int i = 0; i < NF_OUTCOMES; i++) {
        ended += c->outcome[i];
    }
    NF_ASSERT(c->offered == ended + c->inside);
}

static void class_finish(struct nf_world *w, size_t ix, struct nf_class_outcome *o)
{
    struct nf_class_meter *m = &w->meters[ix];
    check_conserved(&m->counts[0]);
    check_conserved(&m->counts[1]);
    o->counts = m->counts[1];
    nf_histogram_add_n(&m->time[NF_NETWORK], 0, m->without_network);
    o->routes = m->routes;
    o->retries = m->retries;
    o->times = m->time;
    o->latency = &m->time[NF_LATENCY];
    for (int i = 0; i < NF_MEASURES; i++) {
        const struct nf_histogram *h = &m->time[i];
        for (int q = 0; q < NF_STATISTICS; q++) {
            o->time_s[i][q] = nf_histogram_quantile(h, QUANTILES[q]) * 1e-9;
        }
        o->time_s[i][NF_MEAN] = nf_histogram_mean(h) * 1e-9;
        o->time_s[i][NF_MAX] = h->count > 0 ? (double)h->max * 1e-9 : (double)NAN;
        o->mean_half_width_s[i] =
            m->means ? nf_batch_means_half_width(&m->means[i], BATCH_CONFIDENCE) * 1e-9
                     : (double)NAN;
    }
    double decided = (double)(o->counts.offered - o->counts.inside);
    o->availability = ratio((double)o->counts.outcome[NF_COMPLETED], decided);
    o->target_met = m->has_target ? ratio((double)m->target_met, decided) : (double)NAN;
}

static void counts_add(struct nf_counts *sum, const struct nf_counts *c)
{
    sum->offered += c->offered;
    sum->inside += c->inside;
    for (int i = 0; i < NF_OUTCOMES; i++) {
        sum->outcome[i] += c->outcome[i];
    }
}

void nf__meters_finish(struct nf_world *w, struct nf_outcome *out)
{
    const struct nf_world_spec *spec = w->spec;
    out->replication = w->replication;
    out->seed = spec->seed;
    out->events = w->events;
    out->trajectory = w->trajectory;
    out->simulated_s = nf_time_s(w->now);
    out->measured_s = nf_time_s(w->now - w->measure_start);
    out->stations =
        NF_NEW_ARRAY(w->arena, spec->station_count, struct nf_station_outcome);
    out->classes = NF_NEW_ARRAY(w->arena, spec->class_count, struct nf_class_outcome);
    count_inside(w);
    for (size_t i = 0; i < spec->class_count; i++) {
        class_finish(w, i, &out->classes[i]);
        counts_add(&out->counts, &out->classes[i].counts);
    }
    struct nf_cost *cost = &out->cost;
    for (size_t i = 0; i < spec->station_count; i++) {
        station_finish(w, &w->stations[i], &out->stations[i]);
        double *tier[] = {[NF_TIER_EDGE] = &cost->edge,
                          [NF_TIER_CLOUD] = &cost->cloud,
                          [NF_TIER_MAAS] = &cost->maas};
        *tier[spec->stations[i].tier] += out->stations[i].cost_usd;
        out->energy_kwh += out->stations[i].energy_kwh;
    }
    for (size_t i = 0; i < spec->link_count; i++) {
        cost->network += w->links[i].egress_usd;
    }
    cost->total = cost->edge + cost->cloud + cost->maas + cost->network;
    cost->per_1000_requests =
        ratio(1000 * cost->total, (double)out->counts.outcome[NF_COMPLETED]);
}
