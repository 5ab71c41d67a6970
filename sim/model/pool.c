/*
 * pool.c - replicas of a station: started (and paid) at once, ready after their start-up phases, drained before they stop.
 *
 *   OFF --start--> STARTING --(provision + image pull + weights)--> READY --scale down--> DRAINING --empty--> OFF
 *                     '-----------------scale down-------------------------------------------------------------^
 */
#include "model/world.h"

#include "base/hash.h"

static int64_t units_of(const struct nf_station *s)
{
    return s->spec->kind == NF_STATION_LLM ? 1 : (int64_t)s->spec->servers;
}

/* Bring the meters' levels up to the counts. */
static void levels_changed(struct nf_world *w, struct nf_station *s)
{
    nf_timeavg_set(&s->ready_level, w->now, s->ready);
    nf_timeavg_set(&s->capacity_level, w->now,
                   (int64_t)(s->ready + s->draining) * units_of(s));
    uint32_t billed = s->ready + s->starting + s->draining;
    nf_timeavg_set(&s->billed_level, w->now, billed);
    if (s->ready + s->draining > s->replicas_max_seen) {
        s->replicas_max_seen = s->ready + s->draining;
    }
}

static nf_time draw_startup(struct nf_world *w, struct nf_station *s)
{
    struct nf_stream draw = w->gateway_stream;
    draw.name[0] = s->name_hash;
    draw.name[1] = nf_hash_name("startup");
    draw.block = s->starts++ * NF_STREAM_BUFFER;
    draw.next = NF_STREAM_BUFFER;
    double seconds = nf_dist_sample(&s->spec->startup_provision, &draw) +
                     nf_dist_sample(&s->spec->startup_image_pull, &draw) +
                     s->spec->startup_load_s;
    return nf__delay(seconds);
}

/* The first that is off starts. */
static bool start_one(struct nf_world *w, struct nf_station *s)
{
    uint32_t i = 0;
    while (i < s->replica_end && s->replicas[i].state != NF_REPLICA_OFF) {
        i++;
    }
    if (i == s->replica_count) {
        return false;
    }
    s->replica_end = i == s->replica_end ? i + 1 : s->replica_end;
    struct nf_replica *p = &s->replicas[i];
    p->state = NF_REPLICA_STARTING;
    p->started = w->now;
    p->generation++;
    s->starting++;
    s->cold_starts++;
    nf__schedule(w, w->now + draw_startup(w, s), NF_EV_REPLICA, s->index,
                 nf__replica_arg(i, p->generation));
    return true;
}

static void switch_off(struct nf_station *s, struct nf_replica *p)
{
    p->state = NF_REPLICA_OFF;
    p->generation++;
    while (s->replica_end > 0 &&
           s->replicas[s->replica_end - 1].state == NF_REPLICA_OFF) {
        s->replica_end--;
    }
}

void nf__pool_replica_ready(struct nf_world *w, uint32_t station, uint64_t arg)
{
    struct nf_station *s = &w->stations[station];
    struct nf_replica *p = &s->replicas[arg >> 32];
    if (p->state != NF_REPLICA_STARTING || p->generation != (uint32_t)arg) {
        return;
    }
    p->state = NF_REPLICA_READY;
    p->started = w->now;
    s->starting--;
    s->ready++;
    levels_changed(w, s);
    nf__station_capacity_changed(w, s);
}

static bool is_empty(const struct nf_replica *p)
{
    return p->inside == 0 && p->busy.level == 0;
}

void nf__pool_idle(struct nf_world *w, struct nf_station *s, uint32_t replica)
{
    switch_off(s, &s->replicas[replica]);
    s->draining--;
    levels_changed(w, s);
}

/* The replica to stop: the last one started that is not ready yet, else the ready one with the least to do, the newest of equals. */
static void stop_one(struct nf_world *w, struct nf_station *s)
{
    uint32_t best = NF_NONE;
    for (uint32_t i = 0; i < s->replica_end; i++) {
        const struct nf_replica *p = &s->replicas[i];
        if (p->state != NF_REPLICA_STARTING && p->state != NF_REPLICA_READY) {
            continue;
        }
        const struct nf_replica *b = best == NF_NONE ? NULL : &s->replicas[best];
        bool is_better = b == NULL || p->state < b->state ||
                         (p->state == b->state && p->state == NF_REPLICA_STARTING &&
                          p->started >= b->started) ||
                         (p->state == b->state && p->state == NF_REPLICA_READY &&
                          p->inside + p->busy.level <= b->inside + b->busy.level);
        best = is_better ? i : best;
    }
    NF_ASSERT(best != NF_NONE);
    struct nf_replica *p = &s->replicas[best];
    if (p->state == NF_REPLICA_STARTING) {
        switch_off(s, p);
        s->starting--;
    } else {
        p->state = NF_REPLICA_DRAINING;
        s->ready--;
        s->draining++;
        if (is_empty(p)) {
            nf__pool_idle(w, s, best);
        }
    }
}

void nf__pool_set(struct nf_world *w, struct nf_station *s, uint32_t desired)
{
    while (s->ready + s->starting < desired && start_one(w, s)) {
    }
    while (s->ready + s->starting > desired) {
        stop_one(w, s);
    }
    levels_changed(w, s);
}

/* ---- control loops ---- */

/* What the metrics pipeline says of replica i at this tick. */
static struct nf_pod_sample sample(struct nf_world *w, struct nf_station *s, uint32_t i)
{
    struct nf_replica *p = &s->replicas[i];
    const struct nf_scaler_spec *k = &s->spec->scaler;
    struct nf_pod_sample pod = {.phase = p->state == NF_REPLICA_STARTING ? NF_POD_PENDING
                                                                         : NF_POD_RUNNING,
                                .deleted = p->state == NF_REPLICA_DRAINING,
                                .ready = p->state == NF_REPLICA_READY,
                                .has_metric = p->state != NF_REPLICA_STARTING,
                                .started = p->started,
                                .ready_changed = p->started,
                                .metric_at = w->now,
                                .metric_window = nf_time_of_s(k->interval_s)};
    double busy = nf_level_integral_s(&p->busy, w->now);
    if (k->metric == NF_METRIC_UTILIZATION) {
        double share = (busy - s->pod_busy[i]) / (k->interval_s * (double)units_of(s));
        pod.value_m = nf_hpa_milli(share);
        pod.request_m = 1000;
    } else {
        pod.value_m = nf_hpa_milli(
            (double)(p->inside +
                     (s->spec->kind == NF_STATION_LLM ? 0 : (uint32_t)p->busy.level)));
    }
    s->pod_busy[i] = busy;
    return pod;
}

static void tick_hpa(struct nf_world *w, struct nf_station *s)
{
    size_t n = 0;
    for (uint32_t i = 0; i < s->replica_end; i++) {
        if (s->replicas[i].state != NF_REPLICA_OFF) {
            s->pods[n++] = sample(w, s, i);
        }
    }
    if (s->spec->scaler.metric == NF_METRIC_QUEUE) {
        for (size_t i = 0; i < n; i++) {
            s->pods[i].value_m = i == 0 ? nf_hpa_milli((double)s->waiting.level) : 0;
        }
    }
    nf__pool_set(w, s, nf_hpa_decide(s->hpa, w->now, s->ready + s->starting, s->pods, n));
}

static double inside_integral_s(const struct nf_world *w, const struct nf_station *s)
{
    return nf_level_integral_s(&s->waiting, w->now) +
           nf_level_integral_s(&s->in_service, w->now);
}

/* Every second the load of that second, every interval a decision. */
static void tick_kpa(struct nf_world *w, struct nf_station *s)
{
    double integral = inside_integral_s(w, s);
    nf_kpa_record(s->kpa, w->now, integral - s->scaler_inside_integral);
    s->scaler_inside_integral = integral;
    s->scaler_ticks++;
    uint32_t every = (uint32_t)(s->spec->scaler.interval_s + 0.5);
    if (s->scaler_ticks % (every > 0 ? every : 1) == 0) {
        nf__pool_set(w, s, nf_kpa_decide(s->kpa, w->now, s->ready));
    }
}

static nf_time tick_interval(const struct nf_station *s)
{
    return s->kpa != NULL ? NF_SECOND : nf_time_of_s(s->spec->scaler.interval_s);
}

void nf__pool_tick(struct nf_world *w, uint32_t station)
{
    struct nf_station *s = &w->stations[station];
    if (s->kpa != NULL) {
        tick_kpa(w, s);
    } else {
        tick_hpa(w, s);
    }
    nf__schedule(w, w->now + tick_interval(s), NF_EV_SCALER, station, 0);
}

static void scaler_init(struct nf_world *w, struct nf_station *s)
{
    const struct nf_station_spec *spec = s->spec;
    if (spec->scaler.policy == NF_SCALER_HPA) {
        s->hpa = NF_NEW(w->arena, struct nf_hpa);
        nf_hpa_init(s->hpa, &spec->scaler, spec->replicas_min, spec->replicas_max,
                    w->arena);
    } else {
        s->kpa = NF_NEW(w->arena, struct nf_kpa);
        nf_kpa_init(s->kpa, &spec->scaler, spec->replicas_min, spec->replicas_max,
                    w->arena);
        nf_kpa_start(s->kpa, 0, s->ready);
    }
    s->pods = NF_NEW_ARRAY(w->arena, s->replica_count, struct nf_pod_sample);
    s->pod_busy = NF_NEW_ARRAY(w->arena, s->replica_count, double);
    nf__schedule(w, tick_interval(s), NF_EV_SCALER, s->index, 0);
}

void nf__pool_init(struct nf_world *w, struct nf_station *s)
{
    const struct nf_station_spec *spec = s->spec;
    if (spec->kind == NF_STATION_PRICED) {
        return;
    }
    bool is_scaled = spec->scaler.policy != NF_SCALER_NONE;
    /* draining replicas keep their place while new ones start */
    s->replica_count = is_scaled ? 2 * spec->replicas_max : spec->replicas_max;
    s->replicas = NF_NEW_ARRAY(w->arena, s->replica_count, struct nf_replica);
    for (uint32_t i = 0; i < spec->replicas_initial; i++) {
        s->replicas[i].state = NF_REPLICA_READY;
        s->ready++;
    }
    s->replica_end = spec->replicas_initial;
    levels_changed(w, s);
    if (spec->kind == NF_STATION_LLM) {
        nf__llm_init(w, s);
    }
    if (is_scaled) {
        scaler_init(w, s);
    }
}
