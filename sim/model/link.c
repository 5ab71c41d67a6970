/*
 * link.c - the network between a site and a station.
 *
 * A message first takes its share of the bandwidth, then travels the latency. Transfers of one direction share the bandwidth equally
 * (processor sharing, the max-min fair share of one bottleneck): `served` counts the bytes that each transfer under way has got, a
 * transfer ends when it reaches its own mark, so a start or an end costs one heap operation whatever the number under way.
 *
 * Loss: a message of n = ceil(bytes / 1460) packets loses each with the given probability. A loss early enough to be seen by three
 * duplicate acknowledgements (RFC 5681) costs one round trip, one among the last three packets costs the retransmission time-out,
 * 200 ms (Linux' minimum; RFC 6298 says 1 s) plus a round trip, doubled each time the retransmission is lost too.
 */
#include "model/world.h"

#include <math.h>

#include "base/hash.h"

static const double PACKET_BYTES = 1460;
static const double RETRANSMIT_TIMEOUT_S = 0.2;

/* ---- one direction ---- */

static bool is_before(const struct nf_transfer *a, const struct nf_transfer *b)
{
    return a->finish < b->finish || (a->finish == b->finish && a->order < b->order);
}

static void heap_push(struct nf_pipe *p, struct nf_transfer t)
{
    if (p->count == p->cap) {
        p->cap = p->cap ? 2 * p->cap : 16;
        p->heap = nf_mem_resize(p->heap, p->cap, sizeof(*p->heap));
    }
    uint32_t i = p->count++;
    while (i > 0 && is_before(&t, &p->heap[(i - 1) / 2])) {
        p->heap[i] = p->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    p->heap[i] = t;
}

static struct nf_transfer heap_pop(struct nf_pipe *p)
{
    struct nf_transfer top = p->heap[0];
    struct nf_transfer last = p->heap[--p->count];
    uint32_t i = 0;
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= p->count) {
            break;
        }
        if (child + 1 < p->count && is_before(&p->heap[child + 1], &p->heap[child])) {
            child++;
        }
        if (!is_before(&p->heap[child], &last)) {
            break;
        }
        p->heap[i] = p->heap[child];
        i = child;
    }
    p->heap[i] = last;
    return top;
}

static void pipe_advance(struct nf_pipe *p, nf_time now)
{
    if (p->count == 0) {
        p->served = 0;
        p->started = 0;
    } else {
        p->served += nf_time_s(now - p->updated) * p->bandwidth / p->count;
    }
    p->updated = now;
}

static void pipe_plan(struct nf_world *w, struct nf_pipe *p, uint32_t id)
{
    p->generation++;
    if (p->count > 0) {
        double left_s = (p->heap[0].finish - p->served) * p->count / p->bandwidth;
        nf_time left = (nf_time)ceil(fmin(fmax(left_s, 0), NF_DELAY_MAX_S) * 1e9);
        nf__schedule(w, w->now + left, NF_EV_PIPE, id, p->generation);
    }
}

static void pipe_start(struct nf_world *w, struct nf_pipe *p, uint32_t id,
                       const struct nf_request *r, double bytes)
{
    pipe_advance(p, w->now);
    heap_push(p, (struct nf_transfer){p->served + bytes, r->self, p->started++});
    pipe_plan(w, p, id);
}

/* ---- latency and loss ---- */

/* Extra seconds that lost packets cost a message. */
static double loss_delay_s(const struct nf_link_spec *l, double bytes, double rtt_s,
                           struct nf_stream *draw)
{
    double packets = fmax(1, ceil(bytes / PACKET_BYTES));
    double tail = fmin(packets, 3);
    double delay = 0;
    if (nf_stream_uniform(draw) < -expm1((packets - tail) * log1p(-l->loss))) {
        delay += rtt_s;
    }
    double p_tail = -expm1(tail * log1p(-l->loss));
    double timeout = RETRANSMIT_TIMEOUT_S;
    for (int i = 0; i < 8 && nf_stream_uniform(draw) < (i == 0 ? p_tail : l->loss); i++) {
        delay += timeout + rtt_s;
        timeout *= 2;
    }
    return delay;
}

/* Sets r->began to now, r->return_ns to the latency back; returns the latency there. */
static nf_time draw_latency(struct nf_world *w, struct nf_link *l, struct nf_request *r)
{
    if (l->is_constant) {
        r->return_ns = l->constant_ns;
        return l->constant_ns;
    }
    struct nf_stream draw;
    nf__request_stream(w, r, l->name_hash, &draw);
    double sample = nf_dist_sample(&l->spec->latency, &draw);
    double there = l->spec->is_rtt ? sample / 2 : sample;
    double back = l->spec->is_rtt ? sample / 2 : nf_dist_sample(&l->spec->latency, &draw);
    if (l->spec->loss > 0) {
        double rtt = there + back;
        there += loss_delay_s(l->spec, r->up_bytes, rtt, &draw);
        back += loss_delay_s(l->spec, r->down_bytes, rtt, &draw);
    }
    r->return_ns = nf__delay(back);
    return nf__delay(there);
}

static void travel_up(struct nf_world *w, struct nf_request *r)
{
    nf_time latency = draw_latency(w, &w->links[r->link], r);
    latency += w->stations[r->station].front_end_ns;
    if (latency == 0) {
        nf__link_arrived(w, r);
    } else {
        nf__schedule(w, w->now + latency, NF_EV_AT_STATION, r->self, 0);
    }
}

void nf__link_arrived(struct nf_world *w, struct nf_request *r)
{
    if (r->state == NF_R_ZOMBIE) {
        nf__request_free(w, r);
        return;
    }
    nf_time front_end = w->stations[r->station].front_end_ns;
    r->service += front_end;
    r->network += w->now - r->began - front_end;
    nf__station_arrive(w, r);
}

void nf__link_up(struct nf_world *w, struct nf_request *r)
{
    struct nf_link *l = &w->links[r->link];
    r->state = NF_R_UP;
    r->began = w->now;
    if (l->pipe[0].bandwidth > 0 && r->up_bytes > 0) {
        pipe_start(w, &l->pipe[0], 2 * r->link, r, r->up_bytes);
    } else {
        travel_up(w, r);
    }
}

/* Nothing else happens to it on the way, so its end can be recorded ahead of time. */
static bool can_fold(const struct nf_world *w, const struct nf_request *r, nf_time at)
{
    return r->child == NF_NONE && r->deadline == NF_TIME_NEVER && at <= w->spec->duration;
}

static void travel_down(struct nf_world *w, struct nf_request *r)
{
    nf_time at = w->now + r->return_ns;
    r->network += at - r->began;
    if (r->return_ns == 0) {
        nf__request_complete(w, r, w->now);
    } else if (can_fold(w, r, at)) {
        nf__request_complete(w, r, at);
    } else {
        nf__schedule(w, at, NF_EV_DELIVERED, r->self, 0);
    }
}

void nf__link_down(struct nf_world *w, struct nf_request *r)
{
    struct nf_link *l = &w->links[r->link];
    if (l->is_wire) {
        nf__request_complete(w, r, w->now);
        return;
    }
    r->state = NF_R_DOWN;
    r->began = w->now;
    r->egress_usd = r->down_bytes * l->spec->egress_usd_per_byte;
    if (l->pipe[1].bandwidth > 0 && r->down_bytes > 0) {
        pipe_start(w, &l->pipe[1], 2 * r->link + 1, r, r->down_bytes);
    } else {
        travel_down(w, r);
    }
}

void nf__link_pipe(struct nf_world *w, uint32_t pipe, uint64_t generation)
{
    struct nf_pipe *p = &w->links[pipe / 2].pipe[pipe % 2];
    if (generation != p->generation) {
        return;
    }
    pipe_advance(p, w->now);
    /* rounding of a whole run up to here is far below a byte per nanosecond-rounded event */
    double mark = p->served + 1e-6 + p->bandwidth * 1e-9;
    do {
        struct nf_request *r = nf__request(w, heap_pop(p).request);
        if (r->state == NF_R_ZOMBIE) {
            nf__request_free(w, r);
        } else if (pipe % 2 == 0) {
            travel_up(w, r);
        } else {
            travel_down(w, r);
        }
    } while (p->count > 0 && p->heap[0].finish <= mark);
    pipe_plan(w, p, pipe);
}

void nf__link_init(struct nf_world *w)
{
    w->links = NF_NEW_ARRAY(w->arena, w->spec->link_count, struct nf_link);
    for (size_t i = 0; i < w->spec->link_count; i++) {
        struct nf_link *l = &w->links[i];
        l->spec = &w->spec->links[i];
        l->name_hash =
            nf_hash_name(nf_arena_printf(w->arena, "links.%s/latency", l->spec->name));
        l->is_constant = l->spec->latency.kind == NF_DIST_CONSTANT && l->spec->loss == 0;
        double one_way = l->spec->latency.a / (l->spec->is_rtt ? 2 : 1);
        l->constant_ns = l->is_constant ? nf_time_of_s(one_way) : 0;
        l->pipe[0].bandwidth = l->spec->bandwidth_up;
        l->pipe[1].bandwidth = l->spec->bandwidth_down;
        l->is_wire = l->is_constant && l->constant_ns == 0 && l->pipe[0].bandwidth == 0 &&
                     l->pipe[1].bandwidth == 0 && l->spec->egress_usd_per_byte == 0;
    }
}

void nf__link_fini(struct nf_world *w)
{
    for (size_t i = 0; i < w->spec->link_count; i++) {
        nf_mem_free(w->links[i].pipe[0].heap);
        nf_mem_free(w->links[i].pipe[1].heap);
    }
}
