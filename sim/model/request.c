/* request.c - the life cycle of a request: slab, the one outcome. */
#include "model/world.h"

#include "base/hash.h"

void nf__request_grow(struct nf_world *w)
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

static inline void give_back(struct nf_world *w, struct nf_request *r)
{
    r->state = NF_R_FREE;
    r->generation++;
    r->next = w->free_request;
    w->free_request = r->self;
}

void nf__request_free(struct nf_world *w, struct nf_request *r)
{
    uint32_t child = r->child;
    while (child != NF_NONE) {
        struct nf_request *c = nf__request(w, child);
        child = c->sibling;
        nf__request_free(w, c);
    }
    give_back(w, r);
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

/* ---- the outcome ---- */

static nf_time ttft_of(const struct nf_request *r)
{
    return r->first_token >= 0 ? r->first_token - r->arrival : -1;
}

static nf_time tpot_of(const struct nf_request *r, nf_time latency)
{
    return r->first_token >= 0 && r->output_tokens > 1
               ? (latency - ttft_of(r)) / (r->output_tokens - 1)
               : -1;
}

static bool is_within(nf_time time, double target_s)
{
    return target_s <= 0 || time <= nf_time_of_s(target_s);
}

static bool is_within_targets(const struct nf_class_spec *c, const struct nf_request *r,
                              nf_time latency)
{
    return is_within(latency, c->target_latency_s) &&
           is_within(ttft_of(r), c->target_ttft_s) &&
           is_within(tpot_of(r, latency), c->target_tpot_s);
}

static void record_tokens(struct nf_class_meter *m, const struct nf_request *r,
                          nf_time latency)
{
    nf_histogram_add(&m->time[NF_TTFT], ttft_of(r));
    if (r->output_tokens > 1) {
        nf_histogram_add(&m->time[NF_TPOT], tpot_of(r, latency));
    }
}

/* For the interval of a lone replication. */
static void record_means(struct nf_class_meter *m, const struct nf_request *r,
                         nf_time latency)
{
    nf_batch_means_add(&m->means[NF_LATENCY], (double)latency);
    nf_batch_means_add(&m->means[NF_WAIT], (double)r->wait);
    nf_batch_means_add(&m->means[NF_NETWORK], (double)r->network);
    if (r->first_token >= 0) {
        nf_batch_means_add(&m->means[NF_TTFT], (double)ttft_of(r));
    }
    if (r->first_token >= 0 && r->output_tokens > 1) {
        nf_batch_means_add(&m->means[NF_TPOT], (double)tpot_of(r, latency));
    }
}

static inline void record_completed(const struct nf_world *w, const struct nf_request *r,
                                    nf_time latency)
{
    struct nf_class_meter *m = &w->meters[r->class_ix];
    nf_histogram_add(&m->time[NF_LATENCY], latency);
    nf_histogram_add(&m->time[NF_WAIT], r->wait);
    if (r->network == 0) {
        m->without_network++;
    } else {
        nf_histogram_add(&m->time[NF_NETWORK], r->network);
    }
    if (r->first_token >= 0) {
        record_tokens(m, r, latency);
    }
    if (m->means != NULL) {
        record_means(m, r, latency);
    }
    if (m->has_target) {
        m->target_met += is_within_targets(&w->spec->classes[r->class_ix], r, latency);
    }
    m->routes[r->station]++;
}

NF_NOINLINE static void write_row(const struct nf_world *w, const struct nf_request *r,
                                  enum nf_request_outcome outcome, nf_time latency)
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
                         .ttft = ttft_of(r),
                         .tpot = tpot_of(r, latency),
                         .latency = latency,
                         .cost_usd = r->usage_usd + r->egress_usd};
    w->sinks->row(w->sinks->ctx, &row);
}

/* What a request is charged is billed with its outcome, so that the totals are the sum of the rows. Only its last try, the one
 * that a station accepted, is ever charged. */
static void bill(struct nf_world *w, const struct nf_request *r)
{
    if (r->usage_usd > 0) {
        w->stations[r->station].usage_usd += r->usage_usd;
    }
    if (r->egress_usd > 0) {
        w->links[r->link].egress_usd += r->egress_usd;
    }
}

void nf__request_end(struct nf_world *w, struct nf_request *r,
                     enum nf_request_outcome outcome, nf_time at)
{
    w->meters[r->class_ix].counts[r->is_measured].outcome[outcome]++;
    if (r->is_measured) {
        bill(w, r);
        if (w->writes_rows) {
            write_row(w, r, outcome, at - r->arrival);
        }
    }
    if (NF_UNLIKELY(w->has_clients)) {
        nf__traffic_answered(w, r, at);
    }
}

NF_NOINLINE static void offer_stages(struct nf_world *w, struct nf_request *r)
{
    uint32_t child = r->child;
    r->child = NF_NONE;
    while (child != NF_NONE) {
        struct nf_request *c = nf__request(w, child);
        child = c->sibling;
        c->sibling = NF_NONE;
        nf__gateway_offer(w, c);
    }
}

void nf__request_complete(struct nf_world *w, struct nf_request *r, nf_time at)
{
    if (NF_LIKELY(r->is_measured)) {
        record_completed(w, r, at - r->arrival);
    }
    nf__request_end(w, r, NF_COMPLETED, at);
    if (r->child != NF_NONE) {
        offer_stages(w, r);
    }
    give_back(w, r);
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
