/*
 * llm_planned.c - engines that keep a prefix cache, guess tokens, work in pipeline stages or obey priorities: one iteration at a time, as
 * llm_scheduler.c plans it.
 *
 * Pipeline: with p stages up to p iterations are under way, in the order of their plans (vLLM's batch queue): the next is planned when one
 * comes out of the last stage, and waits for the first stage if another is there. A sequence is in one of them at a time, so that those that
 * were planned together stay together. Stages have equal shares of the layers; the last one has the head, too.
 * Speculation: each iteration checks the draft tokens guessed after the last one; guess i is right when all before it are and with the
 * stated probability, independently (Leviathan et al. 2023, "Fast inference from transformers via speculative decoding": an iteration
 * gives (1 - a^(k+1))/(1 - a) tokens on average). The draws are the request's own.
 */
#include "model/world.h"

#include <math.h>

#include "base/hash.h"

/* ---- the times of a plan ---- */

static struct nf_llm_batch batch_of(const struct nf_llm_plan *plan)
{
    struct nf_llm_batch b = {0};
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct nf_llm_share *x = &plan->shares[i];
        b.sampled += x->is_sampled;
        if (x->is_decode) {
            b.decode_sequences++;
            b.decode_context += x->context;
            b.draft_tokens += x->drafts;
            continue;
        }
        b.prefill_tokens += x->tokens;
        b.prefill_context += x->context;
        b.prefill_pairs += x->tokens * (x->context + x->tokens / 2.0);
        if (x->context + x->tokens > b.prefill_longest) {
            b.prefill_longest = x->context + x->tokens;
        }
    }
    return b;
}

/* When an iteration that starts now leaves the last stage. No later one overtakes it. */
static nf_time through_stages(struct nf_llm_planned *e, const struct nf_llm_cost *c,
                              const struct nf_llm_batch *b, uint32_t slot, nf_time now)
{
    nf_time whole = nf_time_of_s(nf_llm_priced_s(c, b, &e->outside[slot]));
    if (e->stages == 1) {
        e->stage_free[0] = now + whole;
        return now + whole;
    }
    nf_time head = nf_time_of_s(nf_llm_head_s(c, b));
    nf_time each = (whole - head) / e->stages, at = now;
    for (unsigned i = 0; i < e->stages; i++) {
        at = (at > e->stage_free[i] ? at : e->stage_free[i]) + each;
        at += i + 1 == e->stages ? head : 0;
        e->stage_free[i] = at;
    }
    return at;
}

/* ---- planning ---- */

static void start_new(struct nf_world *w, struct nf_station *s,
                      const struct nf_llm_planned *e, const struct nf_llm_plan *plan)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        uint32_t id = e->scheduler.sequences[plan->shares[i].sequence].text.id;
        struct nf_request *r = nf__request(w, id);
        if (!r->is_started) {
            r->is_started = true;
            nf__station_unwait(w, s, r, 0);
            nf__station_start(w, s, r);
            r->prev = NF_NONE;
            r->next = NF_NONE;
        }
    }
}

static void plan(struct nf_world *w, struct nf_station *s, uint32_t replica)
{
    struct nf_llm_planned *e = s->replicas[replica].planned;
    const struct nf_llm_cost *c = &s->spec->hostings[0].llm;
    while (e->under_way < e->stages) {
        uint32_t slot = (e->oldest + e->under_way) % e->stages;
        struct nf_llm_plan *p = &e->plans[slot];
        nf_llm_scheduler_plan(&e->scheduler, p);
        s->preemptions += p->preempted_count;
        if (p->count == 0) {
            break;
        }
        start_new(w, s, e, p);
        struct nf_llm_batch b = batch_of(p);
        nf_time end = through_stages(e, c, &b, slot, w->now);
        e->under_way++;
        nf__schedule(w, end, NF_EV_STEP_END, s->index, nf__replica_arg(replica, slot));
    }
    nf__llm_set_busy(w, s, replica, e->under_way > 0);
    NF_ASSERT(e->under_way > 0 ||
              (e->scheduler.waiting == 0 && e->scheduler.run_count == 0));
}

void nf__llm_planned_accept(struct nf_world *w, struct nf_station *s, uint32_t replica,
                            struct nf_request *r)
{
    struct nf_llm_planned *e = s->replicas[replica].planned;
    const struct nf_source_spec *source = &w->spec->sources[r->source];
    unsigned priority = w->spec->classes[r->class_ix].priority;
    struct nf_llm_text text = {.id = r->self,
                               .prompt = r->input_tokens,
                               .priority = priority > 0 ? (int32_t)priority : INT32_MAX,
                               .order = ++e->accepted};
    const struct nf_trace_names *names = source->arrivals.trace_names;
    if (names != NULL && r->trace_row != NF_NONE) {
        const uint64_t *first = &names->first[r->trace_row];
        text.names = first[1] > first[0] ? names->names + first[0] : NULL;
        text.name_count = (uint32_t)(first[1] - first[0]);
        text.name_tokens = names->tokens;
    }
    r->blocks = nf_llm_scheduler_add(&e->scheduler, &text);
    if (!e->is_closing) {
        plan(w, s, replica);
    }
}

/* ---- the end of an iteration ---- */

/* How many of `drafts` guesses are right: at least j with probability a^j. */
static uint32_t accepted_drafts(const struct nf_world *w, const struct nf_station *s,
                                const struct nf_request *r, uint32_t drafts)
{
    double a = s->spec->hostings[0].llm.draft_acceptance;
    struct nf_stream stream;
    if (drafts == 0 || !(a > 0) || a >= 1) {
        return a >= 1 ? drafts : 0;
    }
    nf__request_stream(w, r, s->name_hash, &stream);
    nf_stream_seek(&stream,
                   ((uint64_t)r->tries << 32) | (UINT64_C(1) << 31) | r->generated);
    double n = floor(log(nf_stream_uniform(&stream)) / log(a));
    return n < drafts ? (uint32_t)n : drafts;
}

/* Guesses for a sequence that lacks `left` tokens: the next iteration gives one by itself. */
static uint32_t drafts_for(const struct nf_station *s, uint32_t left)
{
    uint32_t most = s->spec->hostings[0].llm.draft_tokens;
    return left == 0 ? 0 : left - 1 < most ? left - 1 : most;
}

static void leave(struct nf_world *w, struct nf_station *s, struct nf_request *r)
{
    struct nf_replica *p = &s->replicas[r->replica];
    nf_llm_scheduler_remove(&p->planned->scheduler, r->blocks);
    p->inside--;
    if (r->state == NF_R_ZOMBIE) {
        p->planned->aborted--;
        nf__request_free(w, r);
    } else {
        nf__station_done(w, s, r);
    }
}

static void finish_share(struct nf_world *w, struct nf_station *s,
                         struct nf_llm_planned *e, const struct nf_llm_share *share)
{
    if (nf_llm_scheduler_is_void(&e->scheduler, share)) {
        return;
    }
    struct nf_request *r =
        nf__request(w, e->scheduler.sequences[share->sequence].text.id);
    uint32_t sampled = 0, drafts = 0;
    if (share->is_sampled) {
        sampled = 1 + accepted_drafts(w, s, r, share->drafts);
        drafts = drafts_for(s, r->output_tokens - r->generated - sampled);
        if (r->generated == 0 && r->state != NF_R_ZOMBIE) {
            r->first_token = w->now + r->return_ns;
        }
        r->generated += sampled;
    }
    (void)nf_llm_scheduler_output(&e->scheduler, share, sampled, drafts);
    if (r->generated == r->output_tokens) {
        leave(w, s, r);
    }
}

static void remove_aborted(struct nf_world *w, struct nf_station *s,
                           struct nf_llm_planned *e)
{
    const struct nf_llm_scheduler *x = &e->scheduler;
    for (uint32_t ix = x->run_head; ix != NF_NONE && e->aborted > 0;) {
        struct nf_request *r = nf__request(w, x->sequences[ix].text.id);
        ix = x->sequences[ix].run_next;
        if (r->state == NF_R_ZOMBIE) {
            leave(w, s, r);
        }
    }
}

void nf__llm_planned_step_end(struct nf_world *w, struct nf_station *s, uint32_t replica,
                              uint32_t what)
{
    struct nf_replica *p = &s->replicas[replica];
    struct nf_llm_planned *e = p->planned;
    NF_ASSERT(what == e->oldest && e->under_way > 0);
    const struct nf_llm_plan *done = &e->plans[what];
    e->is_closing = true;
    s->iterations++;
    s->batched += done->count;
    s->outside += e->outside[what] != 0;
    s->outside_kinds |= e->outside[what];
    for (uint32_t i = 0; i < done->count; i++) {
        finish_share(w, s, e, &done->shares[i]);
    }
    remove_aborted(w, s, e);
    e->oldest = what + 1 < e->stages ? what + 1 : 0;
    e->under_way--;
    if (p->state == NF_REPLICA_READY) {
        nf__llm_assign(w, s);
    }
    e->is_closing = false;
    plan(w, s, replica);
    if (p->state == NF_REPLICA_DRAINING && p->inside == 0) {
        nf__pool_idle(w, s, replica);
    }
}

/* A sequence that waits, preempted or not yet started, is gone at once; one that was preempted while it was a zombie has been counted. */
bool nf__llm_planned_cancel(struct nf_world *w, struct nf_station *s,
                            struct nf_request *r)
{
    (void)w;
    struct nf_llm_planned *e = s->replicas[r->replica].planned;
    if (e->scheduler.sequences[r->blocks].state == NF_LLM_WAITING) {
        nf_llm_scheduler_remove(&e->scheduler, r->blocks);
        return true;
    }
    e->aborted++;
    return false;
}

void nf__llm_planned_init(struct nf_world *w, struct nf_station *s, uint32_t replica)
{
    const struct nf_llm_cost *c = &s->spec->hostings[0].llm;
    NF_ASSERT(c->kv_blocks < UINT32_MAX);
    struct nf_llm_planned *e = NF_NEW(w->arena, struct nf_llm_planned);
    e->stages = c->stages > 1 ? c->stages : 1;
    nf_llm_scheduler_init(&e->scheduler, &(struct nf_llm_scheduler_spec){
                                             .max_sequences = c->max_sequences,
                                             .max_tokens = c->max_batched_tokens,
                                             .block_tokens = c->block_tokens,
                                             .blocks = (uint32_t)c->kv_blocks,
                                             .by_priority = c->by_priority,
                                             .has_prefix_cache = c->has_prefix_cache});
    e->plans = NF_NEW_ARRAY(w->arena, e->stages, struct nf_llm_plan);
    e->outside = NF_NEW_ARRAY(w->arena, e->stages, unsigned);
    e->stage_free = NF_NEW_ARRAY(w->arena, e->stages, nf_time);
    s->replicas[replica].planned = e;
}

void nf__llm_planned_fini(struct nf_replica *p)
{
    for (uint32_t i = 0; i < p->planned->stages; i++) {
        nf_llm_plan_fini(&p->planned->plans[i]);
    }
    nf_llm_scheduler_fini(&p->planned->scheduler);
}
