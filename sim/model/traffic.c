/* traffic.c - sources: when requests come, and everything about each of them, drawn at arrival from the source's own streams. */
#include "model/world.h"

#include <math.h>

#include "base/hash.h"

static void drawer_init(struct nf_world *w, struct nf_drawer *d, uint32_t class_ix,
                        uint32_t source, const char *name)
{
    const struct nf_class_spec *c = &w->spec->classes[class_ix];
    struct nf_arena *a = w->arena;
    *d = (struct nf_drawer){.spec = c,
                            .model = &w->spec->models[c->model],
                            .class_ix = class_ix,
                            .source = source,
                            .site = w->spec->sources[source].site};
    uint64_t seed = w->spec->seed;
    nf_stream_init(&d->service, seed, w->replication,
                   nf_arena_printf(a, "%s/service", name));
    nf_stream_init(&d->tokens, seed, w->replication,
                   nf_arena_printf(a, "%s/tokens", name));
    nf_stream_init(&d->stages, seed, w->replication,
                   nf_arena_printf(a, "%s/stages", name));
    d->ahead = nf__gateway_draw(w, d, 0);
    d->followers = NF_NEW_ARRAY(a, c->stage_count, struct nf_drawer);
    for (size_t i = 0; i < c->stage_count; i++) {
        uint32_t stage = c->stages[i].class_ix;
        drawer_init(w, &d->followers[i], stage, source,
                    nf_arena_printf(a, "%s.%s", name, w->spec->classes[stage].name));
    }
}

/* ---- attributes ---- */

static uint32_t whole_tokens(double x)
{
    return x < 1.5 ? 1 : x > 1e9 ? 1000000000u : (uint32_t)(x + 0.5);
}

static void draw_tokens(struct nf_world *w, struct nf_request *r, struct nf_drawer *d,
                        const struct nf_trace_row *row)
{
    const struct nf_class_spec *c = d->spec;
    bool is_recorded = c->tokens_from_trace && row != NULL;
    r->trace_row = is_recorded
                       ? (uint32_t)(row - w->spec->sources[d->source].arrivals.trace)
                       : NF_NONE;
    r->input_tokens = is_recorded
                          ? row->input_tokens
                          : whole_tokens(nf_dist_sample(&c->input_tokens, &d->tokens));
    r->output_tokens = is_recorded
                           ? row->output_tokens
                           : whole_tokens(nf_dist_sample(&c->output_tokens, &d->tokens));
    r->up_bytes += c->bytes_per_token * r->input_tokens;
    r->down_bytes += c->bytes_per_token * r->output_tokens;
}

static void draw_stages(struct nf_world *w, struct nf_drawer *d, struct nf_request *r);

static inline struct nf_request *draw(struct nf_world *w, struct nf_drawer *d,
                                      const struct nf_trace_row *row)
{
    const struct nf_class_spec *c = d->spec;
    struct nf_request *r = nf__request_new(w);
    r->class_ix = d->class_ix;
    r->source = d->source;
    r->site = d->site;
    r->number = d->drawn++;
    r->up_bytes = c->up_bytes;
    r->down_bytes = c->down_bytes;
    if (w->spec->gateway.policy == NF_POLICY_WEIGHTED) {
        /* One ahead, for a block of the generator takes 20 ns until its result is there: work that the processor does beside
         * other work as long as nothing waits for it. */
        r->route_draw = d->ahead;
        d->ahead = nf__gateway_draw(w, d, d->drawn);
    }
    if (d->model->kind == NF_MODEL_SERVICE) {
        r->service_ns = nf_time_of_s(nf_dist_sample(&d->model->service, &d->service));
    } else if (d->model->kind == NF_MODEL_LLM) {
        draw_tokens(w, r, d, row);
    }
    if (c->stage_count > 0) {
        draw_stages(w, d, r);
    }
    return r;
}

static void draw_stages(struct nf_world *w, struct nf_drawer *d, struct nf_request *r)
{
    const struct nf_class_spec *c = d->spec;
    for (size_t i = c->stage_count; i-- > 0;) {
        if (nf_stream_uniform(&d->stages) < c->stages[i].probability) {
            struct nf_request *follower = draw(w, &d->followers[i], NULL);
            follower->sibling = r->child;
            r->child = follower->self;
        }
    }
}

/* ---- arrival processes: each sets s->ahead to the time of the next arrival, or NF_TIME_NEVER ---- */

static nf_time later(nf_time from, double seconds)
{
    nf_time gap = nf_time_of_s(seconds);
    return gap >= NF_TIME_NEVER - from ? NF_TIME_NEVER : from + gap;
}

/* Markov-modulated Poisson process: within a state of rate r the gaps are exponential; memorylessness allows to drop the draw
 * that crosses the end of the state (Fischer and Meier-Hellstern 1993). */
NF_NOINLINE static nf_time next_mmpp(struct nf_source *s)
{
    const struct nf_arrival_spec *a = &s->spec->arrivals;
    nf_time t = s->ahead;
    for (;;) {
        double rate = a->states[s->position].rate;
        nf_time at = rate > 0 ? later(t, nf_stream_exponential(&s->arrival) / rate)
                              : NF_TIME_NEVER;
        if (at <= s->state_end) {
            return at;
        }
        t = s->state_end;
        if (t == NF_TIME_NEVER) {
            return NF_TIME_NEVER;
        }
        size_t step = a->state_count == 2
                          ? 1
                          : 1 + (size_t)nf_stream_below(&s->arrival, a->state_count - 1);
        s->position = (s->position + step) % a->state_count;
        double dwell = a->states[s->position].dwell_s;
        s->state_end = later(t, nf_stream_exponential(&s->arrival) * dwell);
    }
}

/* Rate at `t_s` inside the segment that starts at profile point p. */
static double rate_at(const struct nf_arrival_spec *a, size_t p, double t_s)
{
    const struct nf_rate_point *from = &a->profile[p];
    const struct nf_rate_point *to = &a->profile[p + 1];
    double x = (t_s - from->at_s) / (to->at_s - from->at_s);
    switch (a->interpolation) {
    case NF_INTERP_STEP:
        return from->rate;
    case NF_INTERP_EXPONENTIAL:
        return from->rate * pow(to->rate / from->rate, x);
    case NF_INTERP_LINEAR:
    default:
        return from->rate + x * (to->rate - from->rate);
    }
}

/* Non-homogeneous Poisson process by thinning (Lewis and Shedler 1979), segment by segment under the larger end rate. A profile
 * that ends before the run gives no more arrivals. */
NF_NOINLINE static nf_time next_nhpp(struct nf_source *s)
{
    const struct nf_arrival_spec *a = &s->spec->arrivals;
    double t = nf_time_s(s->ahead);
    while (s->position + 1 < a->profile_count) {
        const struct nf_rate_point *from = &a->profile[s->position];
        const struct nf_rate_point *to = from + 1;
        t = t < from->at_s ? from->at_s : t;
        double peak =
            a->interpolation == NF_INTERP_STEP ? from->rate : fmax(from->rate, to->rate);
        while (peak > 0 && to->at_s > from->at_s) {
            t += nf_stream_exponential(&s->arrival) / peak;
            if (t >= to->at_s) {
                break;
            }
            if (nf_stream_uniform(&s->arrival) * peak < rate_at(a, s->position, t)) {
                return nf_time_of_s(t);
            }
        }
        t = to->at_s;
        s->position++;
    }
    return NF_TIME_NEVER;
}

static nf_time next_time(struct nf_source *s)
{
    const struct nf_arrival_spec *a = &s->spec->arrivals;
    if (a->kind == NF_ARRIVAL_POISSON) {
        return later(s->ahead, nf_stream_exponential(&s->arrival) * s->mean_gap_s);
    }
    switch (a->kind) {
    case NF_ARRIVAL_CONSTANT:
        s->position++;
        return nf_time_of_s((double)s->position / a->rate);
    case NF_ARRIVAL_RENEWAL:
        return later(s->ahead, nf_dist_sample(&a->gap, &s->arrival));
    case NF_ARRIVAL_MMPP:
        return next_mmpp(s);
    case NF_ARRIVAL_NHPP:
        return next_nhpp(s);
    case NF_ARRIVAL_CLOSED:
        return NF_TIME_NEVER; /* the answers bring them */
    case NF_ARRIVAL_TRACE:
    default:
        return s->position < a->trace_count ? a->trace[s->position++].at : NF_TIME_NEVER;
    }
}

static void schedule_next(struct nf_world *w, struct nf_source *s, uint32_t ix)
{
    nf_time at = s->ahead;
    if (at <= w->spec->duration) {
        nf__schedule(w, at, NF_EV_ARRIVAL, ix, 0);
        s->ahead = next_time(s);
    }
}

/* ---- clients ---- */

static void clients_init(struct nf_world *w, struct nf_source *s, uint32_t ix)
{
    const struct nf_arrival_spec *a = &s->spec->arrivals;
    NF_ASSERT(a->clients > 0);
    w->has_clients = true;
    for (uint32_t i = 0; i < a->clients && (a->requests == 0 || i < a->requests); i++) {
        nf__schedule(w, 0, NF_EV_ARRIVAL, ix, 0);
        s->asked++;
    }
}

void nf__traffic_answered(struct nf_world *w, const struct nf_request *r, nf_time at)
{
    struct nf_source *s = &w->sources[r->source];
    const struct nf_arrival_spec *a = &s->spec->arrivals;
    if (a->kind != NF_ARRIVAL_CLOSED || r->class_ix != s->drawer.class_ix ||
        (a->requests > 0 && s->asked >= a->requests)) {
        return;
    }
    nf_time next = later(at, nf_dist_sample(&a->think, &s->arrival));
    if (next <= w->spec->duration) {
        s->asked++;
        nf__schedule(w, next, NF_EV_ARRIVAL, r->source, 0);
    }
}

void nf__traffic_init(struct nf_world *w)
{
    w->sources = NF_NEW_ARRAY(w->arena, w->spec->source_count, struct nf_source);
    for (uint32_t i = 0; i < w->spec->source_count; i++) {
        struct nf_source *s = &w->sources[i];
        s->spec = &w->spec->sources[i];
        const char *name = nf_arena_printf(w->arena, "traffic.%s", s->spec->name);
        nf_stream_init(&s->arrival, w->spec->seed, w->replication,
                       nf_arena_printf(w->arena, "%s/arrival", name));
        drawer_init(w, &s->drawer, s->spec->class_ix, i, name);
        if (s->spec->arrivals.kind == NF_ARRIVAL_POISSON) {
            s->mean_gap_s = 1 / s->spec->arrivals.rate;
        }
        if (s->spec->arrivals.kind == NF_ARRIVAL_MMPP) {
            s->state_end = later(0, nf_stream_exponential(&s->arrival) *
                                        s->spec->arrivals.states[0].dwell_s);
        }
        if (s->spec->arrivals.kind == NF_ARRIVAL_CLOSED) {
            clients_init(w, s, i);
        }
        s->ahead = next_time(s);
        schedule_next(w, s, i);
    }
}

void nf__traffic_arrive(struct nf_world *w, uint32_t source)
{
    struct nf_source *s = &w->sources[source];
    const struct nf_arrival_spec *a = &s->spec->arrivals;
    const struct nf_trace_row *row =
        a->kind == NF_ARRIVAL_TRACE ? &a->trace[s->arrived++] : NULL;
    struct nf_request *r = draw(w, &s->drawer, row);
    schedule_next(w, s, source);
    nf__gateway_offer(w, r);
}
