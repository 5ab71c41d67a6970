/* priced.c - an API of somebody else: as many servers as requests, behind a rate limit and a concurrency limit, paid by use. */
#include "model/world.h"

void nf__priced_arrive(struct nf_world *w, struct nf_station *s, struct nf_request *r)
{
    struct nf_stream draw;
    nf__request_stream(w, r, s->name_hash, &draw);
    double ttft = nf_dist_sample(&s->spec->ttft, &draw);
    double tpot = nf_dist_sample(&s->spec->tpot, &draw);
    nf__station_start(w, s, r);
    nf_level_up(&s->busy, w->now);
    r->usage_usd = s->spec->usd_per_request +
                   s->spec->usd_per_input_token * r->input_tokens +
                   s->spec->usd_per_output_token * r->output_tokens;
    double generation = r->output_tokens > 1 ? tpot * (r->output_tokens - 1) : 0;
    if (r->output_tokens > 0) {
        r->first_token = w->now + nf__delay(ttft) + r->return_ns;
    }
    nf__schedule(w, w->now + nf__delay(ttft + generation), NF_EV_PRICED_END, r->self, 0);
}

void nf__priced_end(struct nf_world *w, uint32_t request)
{
    struct nf_request *r = nf__request(w, request);
    struct nf_station *s = &w->stations[r->station];
    nf_level_down(&s->busy, w->now);
    if (r->state == NF_R_ZOMBIE) {
        nf__request_free(w, r);
    } else {
        nf__station_done(w, s, r);
    }
}
