/* world.c - turns the crank: one world, one replication, from the first event to the outcome. */
#include "model/world.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/hash.h"

enum { PROGRESS_EVENTS = 1 << 18 };

static void handle(struct nf_world *w, const struct nf_event *e)
{
    switch ((enum nf_event_kind)e->kind) {
    case NF_EV_ARRIVAL:
        nf__traffic_arrive(w, e->target);
        break;
    case NF_EV_SERVICE_END:
        nf__servers_end(w, (uint32_t)e->arg, e->target);
        break;
    case NF_EV_AT_STATION:
        nf__link_arrived(w, nf__request(w, e->target));
        break;
    case NF_EV_DELIVERED: {
        struct nf_request *r = nf__request(w, e->target);
        if (r->state == NF_R_ZOMBIE) {
            nf__request_free(w, r);
        } else {
            nf__request_complete(w, r, w->now);
        }
        break;
    }
    case NF_EV_STEP_END:
        nf__llm_step_end(w, e->target, e->arg);
        break;
    case NF_EV_PIPE:
        nf__link_pipe(w, e->target, e->arg);
        break;
    case NF_EV_PRICED_END:
        nf__priced_end(w, e->target);
        break;
    case NF_EV_RETRY: {
        struct nf_request *r = nf__request(w, e->target);
        if (r->state == NF_R_ZOMBIE) {
            nf__request_free(w, r);
        } else {
            nf__gateway_route(w, r);
        }
        break;
    }
    case NF_EV_TIMEOUT:
        nf__request_timeout(w, e->target, (uint32_t)e->arg);
        break;
    case NF_EV_BATCH_TIMER: {
        struct nf_station *s = &w->stations[e->target];
        if (e->arg == s->timer_generation) {
            s->timer_at = NF_TIME_NEVER;
            nf__batch_dispatch(w, s);
        }
        break;
    }
    case NF_EV_REPLICA:
        nf__pool_replica_ready(w, e->target, e->arg);
        break;
    case NF_EV_SCALER:
        nf__pool_tick(w, e->target);
        break;
    case NF_EV_SERIES:
        nf__meters_series(w);
        break;
    case NF_EV_WARMUP:
        nf__meters_start(w);
        break;
    case NF_EV_QUARTER:
        nf__meters_quarter(w);
        break;
    case NF_EV_KINDS:
    default:
        nf_bug("an event kind of the world", __FILE__, __LINE__);
    }
}

static void run(struct nf_world *w)
{
    nf_time end = w->spec->duration;
    uint64_t events = 0, trajectory = 0;
    struct nf_event e;
    while (nf_queue_pop_until(&w->queue, end, &e)) {
        w->now = e.time;
        events++;
        uint64_t what =
            (uint64_t)e.time ^ ((uint64_t)e.kind << 56) ^ ((uint64_t)e.target << 32);
        trajectory = (trajectory ^ what) * UINT64_C(0x9e3779b97f4a7c15);
        trajectory ^= trajectory >> 29;
        handle(w, &e);
        if (NF_UNLIKELY(events % PROGRESS_EVENTS == 0) && w->sinks->progress != NULL) {
            w->sinks->progress(w->sinks->ctx, (double)w->now / (double)end);
        }
    }
    w->now = end;
    w->events = events;
    w->trajectory = trajectory;
}

static void print_context(void *ctx)
{
    const struct nf_world *w = ctx;
    fprintf(stderr,
            "scenario %s, seed %" PRIu64 ", replication %" PRIu32
            ", simulated time %" PRId64 " ns\n",
            w->spec->name, w->spec->seed, w->replication, w->now);
}

static void init(struct nf_world *w)
{
    nf_queue_init(&w->queue);
    nf__meters_init(w);
    nf__link_init(w);
    nf__station_init(w);
    nf__gateway_init(w);
    nf__traffic_init(w);
    if (w->spec->warmup > 0) {
        nf__schedule(w, w->spec->warmup, NF_EV_WARMUP, 0, 0);
    } else {
        nf__meters_start(w);
    }
    if (w->spec->series_interval > 0) {
        nf__schedule(w, w->spec->series_interval, NF_EV_SERIES, 0, 0);
    }
}

/* Everything but the arena, which the outcome keeps. */
static void fini(struct nf_world *w)
{
    for (size_t i = 0; i < w->spec->station_count; i++) {
        nf__llm_fini(&w->stations[i]);
        nf__batch_fini(&w->stations[i]);
    }
    nf__link_fini(w);
    for (uint32_t i = 0; i < w->chunk_count; i++) {
        nf_mem_free(w->chunks[i]);
    }
    nf_mem_free(w->chunks);
    nf_queue_fini(&w->queue);
}

void nf_world_run(const struct nf_world_spec *spec, uint32_t replication,
                  const struct nf_sinks *sinks, struct nf_outcome *out)
{
    static const struct nf_sinks no_sinks = {0};
    *out = (struct nf_outcome){0};
    nf_arena_init(&out->arena);
    struct nf_world w = {.spec = spec,
                         .sinks = sinks != NULL ? sinks : &no_sinks,
                         .replication = replication,
                         .free_request = NF_NONE,
                         .arena = &out->arena};
    w.writes_rows = spec->write_requests && w.sinks->row != NULL;
    nf_bug_context(print_context, &w);
    init(&w);
    run(&w);
    nf__meters_finish(&w, out);
    out->class_count = spec->class_count;
    fini(&w);
    nf_bug_context(NULL, NULL);
}

void nf_outcome_fini(struct nf_outcome *out)
{
    for (size_t c = 0; c < out->class_count; c++) {
        for (int i = 0; i < NF_MEASURES; i++) {
            nf_histogram_fini(&out->classes[c].times[i]);
        }
    }
    nf_arena_fini(&out->arena);
}

const char *nf_measure_name(enum nf_measure m)
{
    static const char *const names[NF_MEASURES] = {"latency_s", "wait_s", "network_s",
                                                   "ttft_s", "tpot_s"};
    return names[m];
}

const char *nf_statistic_name(enum nf_statistic s)
{
    static const char *const names[NF_STATISTICS] = {"mean", "p50",  "p90", "p95",
                                                     "p99",  "p999", "max"};
    return names[s];
}

const char *nf_outcome_name(enum nf_request_outcome o)
{
    static const char *const names[NF_OUTCOMES] = {"completed", "rejected", "timed_out",
                                                   "failed"};
    return names[o];
}
