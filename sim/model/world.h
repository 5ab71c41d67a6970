/*
 * world.h - the inside of one simulated world: requests, stations, links, meters (private to sim/model).
 *
 * What:   the life of a request reads from top to bottom of sim/model: traffic.c draws it, gateway.c picks a station, link.c carries
 *         it there, station.c queues it, servers.c / llm.c / priced.c serve it, link.c carries the answer back, request.c records its
 *         one outcome. pool.c starts and stops replicas, meters.c adds everything up, world.c turns the crank.
 * Invariants:
 *   1. A request is in exactly one state; NF_R_ZOMBIE has its outcome already and only waits for an event that still names it.
 *   2. offered = completed + rejected + timed out + failed + inside, per class (checked at the end by counting the slab).
 *   3. Per station, the integral of the number inside equals the sum of the times spent there, to the nanosecond (Little's law
 *      without its expectation; checked at the end).
 *   4. Nothing but slab and table growth allocates while the world runs.
 *   5. A handler that keeps a pointer to a request may create others: slab chunks do not move.
 */
#ifndef NF_MODEL_WORLD_H
#define NF_MODEL_WORLD_H

#include "base/arena.h"
#include "engine/queue.h"
#include "engine/random.h"
#include "model/batcher.h"
#include "model/hpa.h"
#include "model/kpa.h"
#include "model/llm_scheduler.h"
#include "model/outcome.h"
#include "model/spec.h"
#include "model/token_bucket.h"
#include "stats/histogram.h"
#include "stats/interval.h"
#include "stats/tally.h"

#define NF_NONE UINT32_MAX /* no index */

/* Events in order of priority at equal times: what ends comes before what begins, control last. */
enum nf_event_kind {
    NF_EV_WARMUP,      /* statistics start */
    NF_EV_QUARTER,     /* a quarter of the measured time is over */
    NF_EV_STEP_END,    /* target: station; arg: replica and generation */
    NF_EV_SERVICE_END, /* target: request (servers) or batch slot; arg: station */
    NF_EV_PIPE,        /* target: pipe; arg: generation */
    NF_EV_DELIVERED,   /* target: request: the answer is at the client */
    NF_EV_AT_STATION,  /* target: request: it has come up the link */
    NF_EV_PRICED_END,  /* target: request */
    NF_EV_RETRY,       /* target: request */
    NF_EV_TIMEOUT,     /* target: request; arg: its generation */
    NF_EV_ARRIVAL,     /* target: source */
    NF_EV_BATCH_TIMER, /* target: station; arg: generation */
    NF_EV_REPLICA,     /* target: station; arg: replica and generation: start-up done */
    NF_EV_SCALER,      /* target: station */
    NF_EV_SERIES,
    NF_EV_KINDS
};

enum nf_request_state {
    NF_R_FREE,
    NF_R_LATENT,  /* a stage drawn with its parent, not offered yet */
    NF_R_UP,      /* on the link to the station */
    NF_R_WAITING, /* at the station, not started */
    NF_R_SERVED,  /* in service */
    NF_R_DOWN,    /* the answer is on the link */
    NF_R_BACKOFF, /* rejected, waits for its next try */
    NF_R_ZOMBIE
};

/* Fields in order of use: a request without tokens touches the first three cache lines. */
struct nf_request {
    uint32_t self, generation;
    uint32_t prev, next; /* station queue, or free list */
    uint32_t class_ix, source, site;
    uint32_t station, hosting,
        link;         /* of the present try; station and link NF_NONE before the first */
    uint32_t replica; /* LLM: NF_NONE until one has accepted it */
    uint8_t state, tries;
    bool is_measured; /* offered after the warm-up */
    bool is_started;  /* LLM: has been in an iteration */
    nf_time arrival;
    nf_time entered;    /* at the present station */
    nf_time began;      /* present phase: send time or start of service */
    nf_time service_ns; /* drawn demand at speed 1 */
    nf_time wait, network, service;
    nf_time deadline;
    nf_time return_ns;       /* latency of the way back, drawn with the way there */
    uint32_t child, sibling; /* stages drawn with it */
    double up_bytes, down_bytes;
    double usage_usd, egress_usd; /* charged so far; billed with its outcome */
    nf_time first_token;          /* at the client; -1: none */
    uint32_t number;              /* of its drawer: names its own random draws */
    double route_draw;            /* WEIGHTED: uniform, decides its first try */
    /* batch, or replica's own queue; waiting for a batch: its handle there */
    uint32_t chain;
    uint32_t input_tokens, output_tokens;

    /* LLM only, set when it arrives there, but for its row of the trace */
    uint32_t trace_row; /* NF_NONE: none, or its lengths are drawn */
    /* tokens in the KV cache while prefilling; prompt length when decoding began */
    uint32_t computed;
    uint32_t generated;
    uint32_t blocks; /* llm_planned.c: the handle of its sequence */
    uint32_t run_prev, run_next;
    uint64_t decode_start; /* engine clock when decoding began */
    /* engine clock at which its last token is out; 0: not decoding */
    uint64_t finish_clock;
};

enum { NF_CHUNK_BITS = 10, NF_CHUNK = 1 << NF_CHUNK_BITS };

/* ---- traffic ---- */

/* Draws the attributes of one class at one source, and of the stages that follow it. */
struct nf_drawer {
    const struct nf_class_spec *spec;
    const struct nf_model_spec *model;
    uint32_t class_ix, source, site;
    uint32_t drawn;
    double ahead; /* WEIGHTED: the draw that will route the next request's first try */
    struct nf_stream service, tokens, stages;
    struct nf_drawer *followers; /* one a stage of the class */
};

struct nf_source {
    const struct nf_source_spec *spec;
    struct nf_drawer drawer;
    struct nf_stream arrival;
    size_t position;   /* MMPP state, NHPP segment, trace row */
    nf_time state_end; /* MMPP */
    nf_time ahead;     /* time of the last arrival drawn: the one after the next */
    size_t arrived;    /* trace rows */
    uint64_t asked;    /* CLOSED: requests brought so far */
    double mean_gap_s; /* POISSON */
};

/* ---- network ---- */

struct nf_transfer {
    double finish; /* virtual bytes */
    uint32_t request;
    uint32_t order; /* ties in order of start */
};

/* One direction of a link: transfers under way share its bandwidth equally. */
struct nf_pipe {
    double bandwidth; /* byte/s; 0: unlimited */
    /* virtual bytes every transfer under way has got since the pipe was last idle */
    double served;
    nf_time updated;
    struct nf_transfer *heap;
    uint32_t count, cap, started;
    uint64_t generation;
};

struct nf_link {
    const struct nf_link_spec *spec;
    uint64_t name_hash;
    struct nf_pipe pipe[2]; /* up, down */
    bool is_constant;
    bool is_wire;        /* takes no time and costs nothing: not simulated */
    nf_time constant_ns; /* one way */
    double egress_usd;   /* measured requests that reached an outcome */
};

/* ---- stations ---- */

enum nf_replica_state {
    NF_REPLICA_OFF,
    NF_REPLICA_STARTING,
    NF_REPLICA_READY,
    NF_REPLICA_DRAINING
};

enum { NF_RUN_STEPS = 64 };

struct nf_heap_entry {
    uint64_t clock, order; /* ties end in the order in which they began to decode */
    uint32_t request, generation;
};

/* One continuously batching engine (llm.c has its invariants). */
struct nf_llm_engine_state {
    const struct nf_llm_cost *cost;
    uint32_t queue_head, queue_tail, queue_count; /* accepted, not running */
    uint32_t run_head, run_tail, run_count;       /* running, in order of admission */
    uint32_t decode_count;
    uint64_t clock;          /* decode steps done by this engine */
    uint64_t decode_context; /* sum of lengths of decoding sequences */
    uint64_t free_blocks;
    /* sequences whose next token opens a block when clock % block_tokens is the index */
    uint32_t *phase;
    /* binary heap of decoding sequences by their last step */
    struct nf_heap_entry *finish;
    uint32_t finish_count, finish_cap;
    uint64_t decodes_begun;
    uint32_t *chunk_request, *chunk_tokens;
    uint32_t chunk_count, chunk_cap;
    nf_time run_end[NF_RUN_STEPS];
    uint32_t run_steps; /* steps under way; 0: idle */
    /* Of these, the first `run_short` and those from `run_long` on are outside the profile's range: times of a run only grow. */
    uint32_t run_short, run_long;
    unsigned run_kinds; /* of a step with chunks */
    /* inside the end of a step: the next one is planned when it is over */
    bool is_closing;
    uint32_t aborted; /* zombies among the running, to be removed at the step's end */
};

/* An engine of llm_planned.c: up to one plan a pipeline stage is under way, in a ring. */
struct nf_llm_planned {
    struct nf_llm_scheduler scheduler;
    struct nf_llm_plan *plans; /* one a stage */
    unsigned *outside;         /* of each, what the profile does not cover */
    uint32_t stages, oldest, under_way;
    nf_time *stage_free; /* when each stage has done all that it was given */
    bool is_closing;
    uint32_t aborted; /* zombies among the running */
    uint64_t accepted;
    uint64_t asked_before, hit_before; /* the scheduler's, when the meters started */
};

struct nf_replica {
    uint8_t state;
    uint32_t generation;
    /* requests or batches in service (servers, batch); accepted requests (LLM) */
    uint32_t inside;
    nf_time started;
    struct nf_llm_engine_state *llm;
    struct nf_llm_planned *planned; /* instead of llm */
    struct nf_level busy;           /* servers busy, or engine iterating; from time 0 */
};

/* A batch under way. */
struct nf_batch_slot {
    uint32_t first, count, replica, gpu, next_free;
    /* host work after the computation, which holds no GPU; -1: under way */
    nf_time finish_ns;
};

/* What one GPU of a BATCH station is busy with: its batches pass host, copy engine and GPU one after the other, each one batch at a time. */
struct nf_batch_gpu {
    uint32_t in_flight;
    nf_time host_free, copy_free, compute_free;
};

struct nf_station {
    const struct nf_station_spec *spec;
    uint64_t name_hash;
    uint32_t index;
    /* LLM: host work before the engine sees a request; it holds no GPU */
    nf_time front_end_ns;
    /* waiting requests in order of arrival; BATCH: one list a hosting */
    struct nf_wait_list {
        uint32_t head, tail, count;
    } * lists;
    uint32_t first_unassigned; /* LLM: first in lists[0] that no replica has accepted */
    /* measured from the end of the warm-up */
    struct nf_level waiting, in_service; /* requests */
    struct nf_level busy;                /* servers, or engines iterating */
    uint64_t arrivals, started;
    uint64_t sojourn_ns, wait_ns; /* of those that left, that started: sums modulo 2^64 */
    /* replicas */
    struct nf_replica *replicas;
    /* places: replicas_max, twice as many where a scaler lets replicas drain */
    uint32_t replica_count;
    uint32_t replica_end; /* all from here on are off */
    uint32_t ready, starting, draining;
    uint64_t starts; /* replicas ever started: names their start-up draws */
    /* batches */
    struct nf_batch_slot *slots;
    uint32_t slot_count, slot_free;
    struct nf_batcher *batchers;      /* one a hosting */
    struct nf_batch_gpu *gpus;        /* spec->servers of each replica */
    int64_t in_flight, in_flight_max; /* batches; of one replica */
    bool has_time_limits;             /* some requests may wait only so long */
    uint64_t expired;                 /* of the rejections: requests that had come in */
    uint64_t timer_generation;
    nf_time timer_at;
    /* priced endpoint */
    struct nf_token_bucket bucket;
    /* scaler */
    struct nf_hpa *hpa;
    struct nf_kpa *kpa;
    struct nf_pod_sample *pods;
    double scaler_inside_integral; /* of `inside` at the last KPA second */
    uint32_t scaler_ticks;
    double *pod_busy; /* busy integral of each replica at the last HPA tick */
    /* meters, from the end of the warm-up */
    struct nf_timeavg capacity_level, ready_level, billed_level;
    uint64_t rejections, preemptions, iterations, batched, cold_starts;
    uint64_t outside; /* iterations or batches that the profile does not cover ... */
    unsigned outside_kinds; /* ... and in which way */
    int64_t inside_before;  /* when the meters started */
    uint64_t window_before; /* modulo 2^64: see meters.c */
    uint32_t replicas_max_seen;
    double usage_usd; /* priced: of measured requests that reached an outcome */
    double quarter_queue[4];
    uint64_t quarter_arrivals[4];
    int64_t quarter_inside[4];
    double quarter_last_integral;
    /* series */
    uint64_t series_came; /* arrivals and rejections at the last tick, modulo 2^64 */
    double series_busy, series_capacity;
};

/* ---- gateway ---- */

struct nf_route {
    uint32_t station, hosting, link;
    bool is_direct; /* neither link nor front end takes time or costs anything */
    double cumulative_weight; /* WEIGHTED */
};

/* The stations that a class at a site may use, in order of preference. */
struct nf_choice {
    struct nf_route *routes;
    uint32_t count, turn; /* turn: ROUND_ROBIN */
};

/* ---- meters ---- */

struct nf_class_meter {
    struct nf_counts counts[2]; /* offered during the warm-up, after it */
    uint64_t without_network;  /* completed, measured: added to the histogram in one go */
    struct nf_histogram *time; /* NF_MEASURES of them */
    /* NF_MEASURES; NULL unless it is the only replication */
    struct nf_batch_means *means;
    uint64_t target_met, retries;
    uint64_t *routes;
    bool has_target;
};

struct nf_world {
    const struct nf_world_spec *spec;
    const struct nf_sinks *sinks;
    uint32_t replication;
    nf_time now;
    uint64_t events, trajectory;
    bool is_measuring, writes_rows;
    bool has_clients; /* a source is CLOSED */
    nf_time measure_start;
    uint32_t quarter;

    struct nf_request **chunks;
    uint32_t chunk_count, free_request;

    struct nf_source *sources;
    struct nf_station *stations;
    struct nf_link *links;
    struct nf_choice *choices; /* [class * site_count + site] */
    struct nf_stream gateway_stream;
    uint64_t weighted_hash; /* entity of the weighted policy's draws */
    struct nf_class_meter *meters;
    double maas_usd;
    struct nf_arena *arena; /* the outcome's */
    struct nf_queue queue;  /* last, for it is large */
};

static inline struct nf_request *nf__request(const struct nf_world *w, uint32_t ix)
{
    return &w->chunks[ix >> NF_CHUNK_BITS][ix & (NF_CHUNK - 1)];
}

/* 90 years: see nf__delay. */
#define NF_DELAY_MAX_S 2.8e9

/* A drawn delay. Heavy tails have draws beyond what time can count: 90 years stand for all longer ones, so that the present (at most 100
 * years) plus two delays stays below the end of nf_time. */
static inline nf_time nf__delay(double seconds)
{
    return nf_time_of_s(seconds < NF_DELAY_MAX_S ? seconds : NF_DELAY_MAX_S);
}

static inline void nf__schedule(struct nf_world *w, nf_time at, enum nf_event_kind kind,
                                uint32_t target, uint64_t arg)
{
    nf_queue_push(&w->queue, at, (unsigned)kind, (uint32_t)kind, target, arg);
}

/* request.c: life cycle and outcome. */
void nf__request_grow(struct nf_world *w); /* the slab by one chunk */
void nf__request_free(struct nf_world *w, struct nf_request *r);
/* The answer is at the client at `at`: the stages drawn with it are offered (then `at` is now), and it is freed. */
void nf__request_complete(struct nf_world *w, struct nf_request *r, nf_time at);
/* Another outcome than completed; the caller frees it or makes it a zombie. */
void nf__request_end(struct nf_world *w, struct nf_request *r,
                     enum nf_request_outcome outcome, nf_time at);
void nf__request_timeout(struct nf_world *w, uint32_t ix, uint32_t generation);
/* A stream of this request's own for draws that a station or link makes: equal whatever the policy. */
void nf__request_stream(const struct nf_world *w, const struct nf_request *r,
                        uint64_t entity, struct nf_stream *out);

/* traffic.c */
void nf__traffic_init(struct nf_world *w);
void nf__traffic_arrive(struct nf_world *w, uint32_t source);
void nf__traffic_answered(struct nf_world *w, const struct nf_request *r,
                          nf_time at); /* CLOSED: a client has its outcome */

/* gateway.c */
void nf__gateway_init(struct nf_world *w);
/* WEIGHTED: the uniform number that decides the first try of a drawer's request. */
double nf__gateway_draw(const struct nf_world *w, const struct nf_drawer *d,
                        uint32_t number);
void nf__gateway_offer(struct nf_world *w,
                       struct nf_request *r); /* it arrives, now, and is counted */
void nf__gateway_route(struct nf_world *w, struct nf_request *r); /* each try */
void nf__gateway_rejected(struct nf_world *w,
                          struct nf_request *r); /* by its station: retry or end */

/* link.c */
void nf__link_init(struct nf_world *w);
void nf__link_fini(struct nf_world *w);
void nf__link_up(struct nf_world *w, struct nf_request *r);
void nf__link_down(struct nf_world *w, struct nf_request *r);
void nf__link_pipe(struct nf_world *w, uint32_t pipe, uint64_t generation);
void nf__link_arrived(struct nf_world *w,
                      struct nf_request *r); /* latency of the way there is over */

/* station.c */
void nf__station_init(struct nf_world *w);
void nf__station_arrive(struct nf_world *w, struct nf_request *r);
void nf__station_done(struct nf_world *w, struct nf_station *s,
                      struct nf_request *r); /* leaves with its answer */
void nf__station_fail(struct nf_world *w, struct nf_station *s,
                      struct nf_request *r); /* can never be served */
void nf__station_cancel(struct nf_world *w,
                        struct nf_request *r); /* client gave up: waiting or in service */
void nf__station_capacity_changed(struct nf_world *w,
                                  struct nf_station *s); /* a replica became ready */
double nf__station_load(const struct nf_station *s);     /* inside per ready server */

/* servers.c: one request at a time a server */
void nf__servers_arrive(struct nf_world *w, struct nf_station *s, struct nf_request *r);
void nf__servers_end(struct nf_world *w, uint32_t station, uint32_t target);
void nf__servers_fill(struct nf_world *w, struct nf_station *s);

/* batches.c: batches of requests, one or more under way on each GPU */
void nf__batch_init(struct nf_world *w, struct nf_station *s);
void nf__batch_fini(struct nf_station *s);
void nf__batch_arrive(struct nf_world *w, struct nf_station *s, struct nf_request *r);
void nf__batch_dispatch(struct nf_world *w, struct nf_station *s);
void nf__batch_end(struct nf_world *w, struct nf_station *s, uint32_t slot);
void nf__batch_forget(struct nf_station *s, const struct nf_request *r);
bool nf__batch_has_room(const struct nf_station *s);

/* llm_station.c: from the station's queue to the engines of its replicas */
void nf__llm_init(struct nf_world *w, struct nf_station *s);
void nf__llm_fini(struct nf_station *s);
void nf__llm_arrive(struct nf_world *w, struct nf_station *s, struct nf_request *r);
void nf__llm_assign(struct nf_world *w, struct nf_station *s);
void nf__llm_step_end(struct nf_world *w, uint32_t station, uint64_t arg);
void nf__llm_cancel(struct nf_world *w, struct nf_station *s, struct nf_request *r);
void nf__llm_set_busy(struct nf_world *w, struct nf_station *s, uint32_t replica,
                      bool is_busy);
void nf__llm_meters_start(struct nf_station *s); /* end of the warm-up */
/* Tokens of the texts admitted since then, and how many of them the prefix cache had; false where there is none. */
bool nf__llm_prefix_tokens(const struct nf_station *s, uint64_t *asked, uint64_t *hit);

/* llm.c and llm_planned.c. A cancelled request is gone (true), or leaves at the end of its iteration. */
void nf__llm_plain_init(struct nf_world *w, struct nf_station *s, uint32_t replica);
void nf__llm_plain_fini(struct nf_replica *p);
void nf__llm_plain_accept(struct nf_world *w, struct nf_station *s, uint32_t replica,
                          struct nf_request *r);
bool nf__llm_plain_cancel(struct nf_world *w, struct nf_station *s, struct nf_request *r);
void nf__llm_plain_step_end(struct nf_world *w, struct nf_station *s, uint32_t replica,
                            uint32_t generation);
void nf__llm_planned_init(struct nf_world *w, struct nf_station *s, uint32_t replica);
void nf__llm_planned_fini(struct nf_replica *p);
void nf__llm_planned_accept(struct nf_world *w, struct nf_station *s, uint32_t replica,
                            struct nf_request *r);
bool nf__llm_planned_cancel(struct nf_world *w, struct nf_station *s,
                            struct nf_request *r);
void nf__llm_planned_step_end(struct nf_world *w, struct nf_station *s, uint32_t replica,
                              uint32_t what);

/* priced.c */
void nf__priced_arrive(struct nf_world *w, struct nf_station *s, struct nf_request *r);
void nf__priced_end(struct nf_world *w, uint32_t request);

/* pool.c */
void nf__pool_init(struct nf_world *w, struct nf_station *s);
void nf__pool_tick(struct nf_world *w, uint32_t station);
void nf__pool_replica_ready(struct nf_world *w, uint32_t station, uint64_t arg);
void nf__pool_set(struct nf_world *w, struct nf_station *s, uint32_t desired);
void nf__pool_idle(struct nf_world *w, struct nf_station *s,
                   uint32_t replica); /* a draining one is empty */

/* meters.c */
void nf__meters_init(struct nf_world *w);
void nf__meters_start(struct nf_world *w); /* end of the warm-up */
void nf__meters_quarter(struct nf_world *w);
void nf__meters_series(struct nf_world *w);
void nf__meters_finish(struct nf_world *w, struct nf_outcome *out);

static inline uint64_t nf__replica_arg(uint32_t replica, uint32_t generation)
{
    return ((uint64_t)replica << 32) | generation;
}

/* ---- a new request, all fields at rest that its drawer does not set ---- */

static inline struct nf_request *nf__request_new(struct nf_world *w)
{
    if (NF_UNLIKELY(w->free_request == NF_NONE)) {
        nf__request_grow(w);
    }
    struct nf_request *r = nf__request(w, w->free_request);
    w->free_request = r->next;
    r->state = NF_R_LATENT;
    r->tries = 0;
    r->is_measured = false;
    r->station = NF_NONE;
    r->link = NF_NONE;
    r->prev = NF_NONE;
    r->next = NF_NONE;
    r->child = NF_NONE;
    r->sibling = NF_NONE;
    r->input_tokens = 0;
    r->output_tokens = 0;
    r->wait = 0;
    r->network = 0;
    r->service = 0;
    r->first_token = -1;
    r->deadline = NF_TIME_NEVER;
    r->usage_usd = 0;
    r->egress_usd = 0;
    return r;
}

/* ---- at the station's door: what every station does with every request ---- */

static inline void nf__station_wait(struct nf_world *w, struct nf_station *s,
                                    struct nf_request *r, uint32_t list)
{
    struct nf_wait_list *q = &s->lists[list];
    r->state = NF_R_WAITING;
    r->prev = q->tail;
    r->next = NF_NONE;
    if (q->tail == NF_NONE) {
        q->head = r->self;
    } else {
        nf__request(w, q->tail)->next = r->self;
    }
    q->tail = r->self;
    q->count++;
    nf_level_up(&s->waiting, w->now);
    if (NF_UNLIKELY(s->ready + s->starting == 0)) {
        nf__pool_set(w, s, 1); /* from zero at once, not at the scaler's next tick */
    }
}

static inline void nf__station_unwait(struct nf_world *w, struct nf_station *s,
                                      struct nf_request *r, uint32_t list)
{
    struct nf_wait_list *q = &s->lists[list];
    if (s->first_unassigned == r->self) {
        s->first_unassigned = r->next;
    }
    if (r->prev == NF_NONE) {
        q->head = r->next;
    } else {
        nf__request(w, r->prev)->next = r->next;
    }
    if (r->next == NF_NONE) {
        q->tail = r->prev;
    } else {
        nf__request(w, r->next)->prev = r->prev;
    }
    q->count--;
    nf_level_down(&s->waiting, w->now);
}

/* Into service, from a list (after nf__station_unwait) or straight from the door. */
static inline void nf__station_start(struct nf_world *w, struct nf_station *s,
                                     struct nf_request *r)
{
    nf_time waited = w->now - r->entered;
    r->state = NF_R_SERVED;
    r->began = w->now;
    r->wait += waited;
    s->wait_ns += (uint64_t)waited;
    s->started++;
    nf_level_up(&s->in_service, w->now);
}

static inline void nf__station_leave(struct nf_world *w, struct nf_station *s,
                                     struct nf_request *r)
{
    s->sojourn_ns += (uint64_t)(w->now - r->entered);
}

#endif
