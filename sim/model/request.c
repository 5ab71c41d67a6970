/* request.c - the life cycle of a request: slab, offer, delivery, the one outcome. */
#include "model/world.h"

#include "base/hash.h"

static void chunk_add(struct nf_world *w)
{
    w->chunks = nf_mem_resize(w->chunks, w->chunk_count + 1, sizeof(*w->chunks));
    struct nf_request *chunk = nf_mem_resize(NULL, NF_CHUNK, sizeof(*chunk));
    uint32_t base = w->chunk_count << NF_CHUNK_BITS;
    for (uint32_t i = 0; i < NF_CHUNK; i++) {
        chunk[i] = (struct nf_request){.self = base + i,
                                       .next = i + 1 < NF_CHUNK ? base + i + 1 : NF_NONE};
    }
    w->chunks[w->chunk_count++] = chunk;
    w->free_request = base;
}

struct nf_request *nf__request_new(struct nf_world *w)
{
    if (w->free_request == NF_NONE) {
        chunk_add(w);
    }
    struct nf_request *r = nf__request(w, w->free_request);
    w->free_request = r->next;
    w->request_count++;
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
    r->cost_usd = 0;
    return r;
}

void nf__request_free(struct nf_world *w, struct nf_request *r)
{
    uint32_t child = r->child;
    while (child != NF_NONE) {
        struct nf_request *c = nf__request(w, child);
        child = c->sibling;
        nf__request_free(w, c);
    }
    r->state = NF_R_FREE;
    r->generation++;
    r->next = w->free_request;
    w->free_request = r->self;
    w->request_count--;
}

void nf__request_stream(const struct nf_world *w, const struct nf_request *r,
                        uint64_t entity, struct nf_stream *out)
{
    out->key[0] = w->gateway_stream.key[0];
    out->key[1] = w->gateway_stream.key[1];
    out->name[0] = entity;
    out->name[1] = nf_hash_mix(((uint64_t)r->class_ix << 32) | r->source, r->number);
    nf_stream_seek(out, (uint64_t)r->tries << 32);
}

void nf__request_offer(struct nf_world *w, struct nf_request *r)
{
    struct nf_class_meter *m = &w->meters[r->class_ix];
    r->arrival = w->now;
    r->is_measured = w->is_measuring;
    m->total.offered++;
    m->measured.offered += r->is_measured;
    if (w->spec->gateway.timeout != NF_TIME_NEVER) {
        r->deadline = w->now + w->spec->gateway.timeout;
        nf__schedule(w, r->deadline, NF_EV_TIMEOUT, r->self, r->generation);
    }
    nf__gateway_route(w, r);
}

/* The times of a completed request; -1 where it has none. */
static void times_of(const struct nf_request *r, nf_time at, nf_time time[NF_MEASURES])
{
    nf_time latency = at - r->arrival;
    nf_time ttft = r->first_token >= 0 ? r->first_token - r->arrival : -1;
    time[NF_LATENCY] = latency;
    time[NF_WAIT] = r->wait;
    time[NF_NETWORK] = r->network;
    time[NF_TTFT] = ttft;
    time[NF_TPOT] = ttft >= 0 && r->output_tokens > 1
                        ? (latency - ttft) / (r->output_tokens - 1)
                        : -1;
}

static bool is_within_targets(const struct nf_class_spec *c,
                              const nf_time time[NF_MEASURES])
{
    const double target[NF_MEASURES] = {[NF_LATENCY] = c->target_latency_s,
                                        [NF_TTFT] = c->target_ttft_s,
                                        [NF_TPOT] = c->target_tpot_s};
    for (int i = 0; i < NF_MEASURES; i++) {
        if (target[i] > 0 && time[i] >= 0 && time[i] > nf_time_of_s(target[i])) {
            return false;
        }
    }
    return true;
}

static void record_completed(struct nf_world *w, const struct nf_request *r,
                             const nf_time time[NF_MEASURES])
{
    struct nf_class_meter *m = &w->meters[r->class_ix];
    int measures =
        r->first_token >= 0 ? NF_MEASURES : NF_TTFT; /* the last two need tokens */
    for (int i = 0; i < measures; i++) {
        if (time[i] >= 0) {
            nf_histogram_add(&m->time[i], time[i]);
        }
    }
    for (int i = 0; i < measures && m->means != NULL; i++) {
        if (time[i] >= 0) {
            nf_batch_means_add(&m->means[i], (double)time[i]);
        }
    }
    m->routes[r->station]++;
    if (m->has_target) {
        m->target_met += is_within_targets(&w->spec->classes[r->class_ix], time);
    }
}

static void write_row(struct nf_world *w, const struct nf_request *r,
                      enum nf_request_outcome outcome, const nf_time time[NF_MEASURES])
{
    struct nf_row row = {.arrival = r->arrival,
                         .class_ix = (uint16_t)r->class_ix,
                         .site = (uint16_t)r->site,
                         .outcome = (uint16_t)outcome,
                         .station = r->station == NF_NONE ? -1 : (int16_t)r->station,
                         .tries = r->tries,
                         .input_tokens = r->input_tokens,
                         .output_tokens = r->output_tokens,
                         .wait = r->wait,
                         .network = r->network,
                         .service = r->service,
                         .ttft = time[NF_TTFT],
                         .tpot = time[NF_TPOT],
                         .latency = time[NF_LATENCY],
                         .cost_usd = r->cost_usd};
    w->sinks->row(w->sinks->ctx, &row);
}

void nf__request_end(struct nf_world *w, struct nf_request *r,
                     enum nf_request_outcome outcome, nf_time at)
{
    struct nf_class_meter *m = &w->meters[r->class_ix];
    m->total.outcome[outcome]++;
    if (!r->is_measured) {
        return;
    }
    m->measured.outcome[outcome]++;
    nf_time time[NF_MEASURES];
    times_of(r, at, time);
    if (outcome == NF_COMPLETED) {
        record_completed(w, r, time);
    }
    if (w->spec->write_requests && w->sinks->row != NULL) {
        write_row(w, r, outcome, time);
    }
}

void nf__request_deliver(struct nf_world *w, struct nf_request *r)
{
    nf__request_end(w, r, NF_COMPLETED, w->now);
    uint32_t child = r->child;
    r->child = NF_NONE;
    while (child != NF_NONE) {
        struct nf_request *c = nf__request(w, child);
        child = c->sibling;
        c->sibling = NF_NONE;
        nf__request_offer(w, c);
    }
    nf__request_free(w, r);
}

void nf__request_timeout(struct nf_world *w, uint32_t ix, uint32_t generation)
{
    struct nf_request *r = nf__request(w, ix);
    if (r->generation != generation || r->state == NF_R_FREE || r->state == NF_R_ZOMBIE) {
        return;
    }
    enum nf_request_state was = (enum nf_request_state)r->state;
    nf_time spent = w->now - (was == NF_R_WAITING ? r->entered : r->began);
    if (was == NF_R_WAITING) {
        r->wait += spent;
    } else if (was == NF_R_SERVED) {
        r->service += spent;
    } else if (was == NF_R_UP || was == NF_R_DOWN) {
        r->network += spent;
    }
    nf__request_end(w, r, NF_TIMED_OUT, w->now);
    r->state = NF_R_ZOMBIE;
    if (was == NF_R_WAITING || was == NF_R_SERVED) {
        nf__station_cancel(w, r);
    }
    /* on a link or in back-off, the event under way frees it */
}
