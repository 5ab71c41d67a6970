/*
 * llm.c - a continuously batching engine, one iteration at a time, in the order of vLLM's V1 scheduler: running sequences first,
 * preemption from the tail, then admission, and no admission in an iteration that preempted.
 *
 * Invariants of one engine:
 *   1. Every decoding sequence gets one token in every step, so `clock` (decode steps done) describes all of them: a sequence's length
 *      is computed + clock - decode_start, and it is finished when clock == finish_clock.
 *   2. Prefilling sequences are a suffix of the running list: one is admitted only when all before it have got their whole chunk.
 *   3. A sequence of length n holds ceil(n / block_tokens) blocks; decoding ones that open a block at clock c are counted in
 *      phase[c % block_tokens], so a decode step costs the same for 1 and for 256 sequences.
 *   4. Steps without prefill are alike but for the growing context. Up to NF_RUN_STEPS of them are priced at once and become one event;
 *      an arrival cuts the run at the end of the step under way. Results equal those of single steps to the nanosecond.
 *
 * Engines with prefix caching, speculation, pipeline stages or priorities are llm_planned.c's; so is the general rule that this file
 * follows by shorter ways (llm_scheduler.h). A test lets both serve the same loads.
 */
#include "model/world.h"

static struct nf_llm_engine_state *engine_of(struct nf_station *s, uint32_t replica)
{
    return s->replicas[replica].llm;
}

static uint32_t blocks_for(const struct nf_llm_engine_state *e, uint32_t tokens)
{
    return (tokens + e->cost->block_tokens - 1) / e->cost->block_tokens;
}

/* ---- decoding sequences by their last step ---- */

static bool ends_before(const struct nf_heap_entry *a, const struct nf_heap_entry *b)
{
    return a->clock < b->clock || (a->clock == b->clock && a->order < b->order);
}

static void finish_push(struct nf_llm_engine_state *e, struct nf_heap_entry x)
{
    if (e->finish_count == e->finish_cap) {
        e->finish_cap = e->finish_cap ? 2 * e->finish_cap : 64;
        e->finish = nf_mem_resize(e->finish, e->finish_cap, sizeof(*e->finish));
    }
    uint32_t i = e->finish_count++;
    while (i > 0 && ends_before(&x, &e->finish[(i - 1) / 2])) {
        e->finish[i] = e->finish[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    e->finish[i] = x;
}

static void finish_pop(struct nf_llm_engine_state *e)
{
    struct nf_heap_entry last = e->finish[--e->finish_count];
    uint32_t i = 0;
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= e->finish_count) {
            break;
        }
        if (child + 1 < e->finish_count &&
            ends_before(&e->finish[child + 1], &e->finish[child])) {
            child++;
        }
        if (!ends_before(&e->finish[child], &last)) {
            break;
        }
        e->finish[i] = e->finish[child];
        i = child;
    }
    e->finish[i] = last;
}

/* An entry is void when its sequence was preempted or cancelled since. */
static bool is_valid(const struct nf_world *w, const struct nf_heap_entry *x)
{
    const struct nf_request *r = nf__request(w, x->request);
    return r->generation == x->generation && r->finish_clock == x->clock;
}

static uint64_t next_finish(const struct nf_world *w, struct nf_llm_engine_state *e)
{
    while (e->finish_count > 0 && !is_valid(w, &e->finish[0])) {
        finish_pop(e);
    }
    return e->finish_count > 0 ? e->finish[0].clock : UINT64_MAX;
}

/* ---- in and out of the running list ---- */

static void run_append(struct nf_world *w, struct nf_llm_engine_state *e,
                       struct nf_request *r)
{
    r->run_prev = e->run_tail;
    r->run_next = NF_NONE;
    if (e->run_tail == NF_NONE) {
        e->run_head = r->self;
    } else {
        nf__request(w, e->run_tail)->run_next = r->self;
    }
    e->run_tail = r->self;
    e->run_count++;
}

static uint32_t *phase_of(struct nf_llm_engine_state *e, const struct nf_request *r)
{
    uint64_t block = e->cost->block_tokens;
    uint64_t offset = r->decode_start % block + block - r->computed % block;
    return &e->phase[offset % block];
}

static void decode_begin(struct nf_llm_engine_state *e, struct nf_request *r)
{
    r->decode_start = e->clock;
    r->finish_clock = e->clock + (r->output_tokens - r->generated);
    e->decode_count++;
    e->decode_context += r->computed;
    ++*phase_of(e, r);
    finish_push(e, (struct nf_heap_entry){r->finish_clock, e->decodes_begun++, r->self,
                                          r->generation});
}

/* Brings r's own numbers up to the clock and takes it out of the decoding set. */
static void decode_stop(struct nf_llm_engine_state *e, struct nf_request *r)
{
    uint32_t steps = (uint32_t)(e->clock - r->decode_start);
    --*phase_of(e, r);
    r->generated = r->output_tokens - (uint32_t)(r->finish_clock - e->clock);
    r->computed += steps;
    r->blocks = blocks_for(e, r->computed);
    r->finish_clock = 0;
    e->decode_count--;
    e->decode_context -= r->computed;
}

/* Out of the running list, its blocks free. */
static void run_remove(struct nf_world *w, struct nf_llm_engine_state *e,
                       struct nf_request *r)
{
    if (r->finish_clock != 0) {
        decode_stop(e, r);
    }
    e->free_blocks += r->blocks;
    r->blocks = 0;
    if (r->run_prev == NF_NONE) {
        e->run_head = r->run_next;
    } else {
        nf__request(w, r->run_prev)->run_next = r->run_next;
    }
    if (r->run_next == NF_NONE) {
        e->run_tail = r->run_prev;
    } else {
        nf__request(w, r->run_next)->run_prev = r->run_prev;
    }
    e->run_count--;
}

/* ---- the engine's own queue ---- */

static void queue_append(struct nf_world *w, struct nf_llm_engine_state *e,
                         struct nf_request *r)
{
    r->chain = NF_NONE;
    if (e->queue_tail == NF_NONE) {
        e->queue_head = r->self;
    } else {
        nf__request(w, e->queue_tail)->chain = r->self;
    }
    e->queue_tail = r->self;
    e->queue_count++;
}

static void queue_prepend(struct nf_llm_engine_state *e, struct nf_request *r)
{
    r->chain = e->queue_head;
    e->queue_head = r->self;
    if (e->queue_tail == NF_NONE) {
        e->queue_tail = r->self;
    }
    e->queue_count++;
}

static void queue_pop(struct nf_llm_engine_state *e, struct nf_request *head)
{
    e->queue_head = head->chain;
    if (e->queue_head == NF_NONE) {
        e->queue_tail = NF_NONE;
    }
    head->chain = NF_NONE;
    e->queue_count--;
}

static bool queue_remove(struct nf_world *w, struct nf_llm_engine_state *e,
                         struct nf_request *r)
{
    uint32_t before = NF_NONE;
    for (uint32_t ix = e->queue_head; ix != NF_NONE; ix = nf__request(w, ix)->chain) {
        if (ix == r->self) {
            if (before == NF_NONE) {
                queue_pop(e, r);
                return true;
            }
            nf__request(w, before)->chain = r->chain;
            if (e->queue_tail == ix) {
                e->queue_tail = before;
            }
            e->queue_count--;
            return true;
        }
        before = ix;
    }
    return false;
}

/* ---- planning a step ---- */

/* Recompute preemption: everything of the last running sequence is forgotten but the tokens it has put out. */
static void preempt_last(struct nf_world *w, struct nf_station *s,
                         struct nf_llm_engine_state *e)
{
    struct nf_request *r = nf__request(w, e->run_tail);
    run_remove(w, e, r);
    r->computed = 0;
    queue_prepend(e, r);
    s->preemptions++;
}

static void add_chunk(struct nf_llm_engine_state *e, struct nf_llm_batch *b,
                      struct nf_request *r, uint32_t tokens)
{
    if (e->chunk_count == e->chunk_cap) {
        e->chunk_cap = e->chunk_cap ? 2 * e->chunk_cap : 16;
        e->chunk_request =
            nf_mem_resize(e->chunk_request, e->chunk_cap, sizeof(uint32_t));
        e->chunk_tokens = nf_mem_resize(e->chunk_tokens, e->chunk_cap, sizeof(uint32_t));
    }
    e->chunk_request[e->chunk_count] = r->self;
    e->chunk_tokens[e->chunk_count++] = tokens;
    uint32_t need = blocks_for(e, r->computed + tokens) - r->blocks;
    r->blocks += need;
    e->free_blocks -= need;
    b->prefill_tokens += tokens;
    b->prefill_context += r->computed;
    b->prefill_pairs += tokens * (r->computed + tokens / 2.0);
    if (r->computed + tokens > b->prefill_longest) {
        b->prefill_longest = r->computed + tokens;
    }
    b->sampled += r->computed + tokens == r->input_tokens + r->generated;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Prefilling sequences go on, in order; returns whether one had to be preempted. */
static bool plan_running(struct nf_world *w, struct nf_station *s,
                         struct nf_llm_engine_state *e, struct nf_llm_batch *b,
                         uint32_t *budget)
{
    bool has_preempted = false;
    uint32_t decode_blocks = e->phase[e->clock % e->cost->block_tokens];
    while (e->free_blocks < decode_blocks && e->run_count > 0) {
        preempt_last(w, s, e);
        has_preempted = true;
        decode_blocks = e->phase[e->clock % e->cost->block_tokens];
    }
    b->decode_sequences = e->decode_count;
    b->decode_context = e->decode_context;
    b->sampled = e->decode_count;
    *budget = e->cost->max_batched_tokens - e->decode_count;
    e->free_blocks -=
        decode_blocks; /* given back below: the step's end takes them for good */
    uint32_t first = NF_NONE;
    for (uint32_t ix = e->run_tail; ix != NF_NONE; ix = nf__request(w, ix)->run_prev) {
        if (nf__request(w, ix)->finish_clock != 0) {
            break;
        }
        first = ix;
    }
    for (uint32_t ix = first; ix != NF_NONE && *budget > 0;) {
        struct nf_request *r = nf__request(w, ix);
        uint32_t n = least(r->input_tokens + r->generated - r->computed, *budget);
        uint32_t need = blocks_for(e, r->computed + n) - r->blocks;
        bool is_gone = false;
        while (e->free_blocks < need && !is_gone) {
            is_gone = e->run_tail == ix;
            preempt_last(w, s, e);
            has_preempted = true;
        }
        if (is_gone) {
            break;
        }
        add_chunk(e, b, r, n);
        *budget -= n;
        ix = r->run_next;
    }
    e->free_blocks += decode_blocks;
    return has_preempted;
}

static void plan_admission(struct nf_world *w, struct nf_station *s,
                           struct nf_llm_engine_state *e, struct nf_llm_batch *b,
                           uint32_t budget)
{
    uint32_t reserved = e->phase[e->clock % e->cost->block_tokens];
    while (e->queue_head != NF_NONE && budget > 0 &&
           e->run_count < e->cost->max_sequences) {
        struct nf_request *r = nf__request(w, e->queue_head);
        uint32_t total = r->input_tokens + r->generated;
        if (blocks_for(e, total) + reserved > e->free_blocks) {
            break;
        }
        queue_pop(e, r);
        if (!r->is_started) {
            r->is_started = true;
            nf__station_unwait(w, s, r, 0);
            nf__station_start(w, s, r);
            r->prev = NF_NONE;
            r->next = NF_NONE;
        }
        run_append(w, e, r);
        uint32_t n = least(total, budget);
        add_chunk(e, b, r, n);
        budget -= n;
    }
}

/* Step number `step` of the run lies outside the profile's range. */
static void note_outside(struct nf_llm_engine_state *e, uint32_t step)
{
    if (e->run_short == step) {
        e->run_short++;
    } else if (e->run_long > step) {
        e->run_long = step;
    }
}

/* Prices decode-only steps until one finishes a sequence, runs out of blocks or the run is long enough. */
static void price_run(struct nf_world *w, struct nf_llm_engine_state *e,
                      struct nf_llm_batch *b)
{
    uint64_t limit = next_finish(w, e) - e->clock;
    uint64_t most = w->spec->llm_run_steps ? w->spec->llm_run_steps : NF_RUN_STEPS;
    limit = limit < most ? limit : most;
    limit = limit < NF_RUN_STEPS ? limit : NF_RUN_STEPS;
    uint64_t free_blocks = e->free_blocks;
    nf_time at = w->now;
    uint32_t steps = 0;
    while (steps < limit) {
        uint32_t need = e->phase[(e->clock + steps) % e->cost->block_tokens];
        if (need > free_blocks) {
            break;
        }
        free_blocks -= need;
        unsigned outside;
        at += nf_time_of_s(nf_llm_priced_s(e->cost, b, &outside));
        if (outside != 0) {
            note_outside(e, steps);
        }
        e->run_end[steps++] = at;
        b->decode_context += e->decode_count;
    }
    e->run_steps = steps;
}

static void plan(struct nf_world *w, struct nf_station *s, uint32_t replica)
{
    struct nf_llm_engine_state *e = engine_of(s, replica);
    struct nf_llm_batch b = {0};
    uint32_t budget = 0;
    e->chunk_count = 0;
    e->run_steps = 0;
    e->run_short = e->run_kinds = 0;
    e->run_long = NF_RUN_STEPS;
    if (!plan_running(w, s, e, &b, &budget)) {
        plan_admission(w, s, e, &b, budget);
    }
    if (e->chunk_count == 0 && b.decode_sequences == 0) {
        NF_ASSERT(e->queue_count == 0 && e->run_count == 0);
        nf__llm_set_busy(w, s, replica, false);
        return;
    }
    if (e->chunk_count == 0) {
        price_run(w, e, &b);
    } else {
        e->run_end[0] =
            w->now + nf_time_of_s(nf_llm_priced_s(e->cost, &b, &e->run_kinds));
        e->run_steps = 1;
        e->run_short = e->run_kinds != 0;
    }
    NF_ASSERT(e->run_steps > 0);
    nf__llm_set_busy(w, s, replica, true);
    nf__schedule(w, e->run_end[e->run_steps - 1], NF_EV_STEP_END, s->index,
                 nf__replica_arg(replica, ++s->replicas[replica].generation));
}

/* Something changed that the next step should see: the run under way ends with its present step. */
static void cut_run(struct nf_world *w, struct nf_station *s, uint32_t replica)
{
    struct nf_llm_engine_state *e = engine_of(s, replica);
    uint32_t steps = 1;
    while (steps < e->run_steps && e->run_end[steps - 1] <= w->now) {
        steps++;
    }
    if (steps < e->run_steps) {
        e->run_steps = steps;
        nf__schedule(w, e->run_end[steps - 1], NF_EV_STEP_END, s->index,
                     nf__replica_arg(replica, ++s->replicas[replica].generation));
    }
}

static void wake(struct nf_world *w, struct nf_station *s, uint32_t replica)
{
    struct nf_llm_engine_state *e = engine_of(s, replica);
    if (e->is_closing) {
        return;
    }
    if (e->run_steps == 0) {
        plan(w, s, replica);
    } else {
        cut_run(w, s, replica);
    }
}

/* ---- the end of a step ---- */

static void finish_chunks(struct nf_world *w, struct nf_station *s,
                          struct nf_llm_engine_state *e)
{
    for (uint32_t i = 0; i < e->chunk_count; i++) {
        struct nf_request *r = nf__request(w, e->chunk_request[i]);
        r->computed += e->chunk_tokens[i];
        if (r->state == NF_R_ZOMBIE || r->computed < r->input_tokens + r->generated) {
            continue;
        }
        if (r->generated++ == 0) {
            r->first_token = w->now + r->return_ns;
        }
        if (r->generated < r->output_tokens) {
            decode_begin(e, r);
        } else {
            run_remove(w, e, r);
            s->replicas[r->replica].inside--;
            nf__station_done(w, s, r);
        }
    }
    e->chunk_count = 0;
}

static void finish_decodes(struct nf_world *w, struct nf_station *s,
                           struct nf_llm_engine_state *e)
{
    while (next_finish(w, e) <= e->clock) {
        struct nf_request *r = nf__request(w, e->finish[0].request);
        finish_pop(e);
        run_remove(w, e, r);
        s->replicas[r->replica].inside--;
        if (r->state == NF_R_ZOMBIE) {
            e->aborted--;
            nf__request_free(w, r);
        } else {
            nf__station_done(w, s, r);
        }
    }
}

static void remove_aborted(struct nf_world *w, struct nf_station *s,
                           struct nf_llm_engine_state *e)
{
    for (uint32_t ix = e->run_head; ix != NF_NONE && e->aborted > 0;) {
        struct nf_request *r = nf__request(w, ix);
        ix = r->run_next;
        if (r->state == NF_R_ZOMBIE) {
            run_remove(w, e, r);
            s->replicas[r->replica].inside--;
            e->aborted--;
            nf__request_free(w, r);
        }
    }
}

static unsigned kinds_of_step(const struct nf_llm_engine_state *e, uint32_t step)
{
    unsigned outside;
    struct nf_llm_batch b = {.decode_sequences = e->decode_count,
                             .sampled = e->decode_count,
                             .decode_context =
                                 e->decode_context + (uint64_t)step * e->decode_count};
    (void)nf_llm_priced_s(e->cost, &b, &outside);
    return outside;
}

/* Before the run's tokens are taken over. Decode attention only grows, so that its first and last step tell what lies outside. */
static void count_outside(struct nf_station *s, const struct nf_llm_engine_state *e)
{
    uint32_t n = e->run_steps;
    if (e->run_short == 0 && e->run_long >= n) {
        return;
    }
    s->outside += n < e->run_short ? n : e->run_short;
    s->outside += n > e->run_long ? n - e->run_long : 0;
    s->outside_kinds |=
        e->chunk_count > 0 ? e->run_kinds : kinds_of_step(e, 0) | kinds_of_step(e, n - 1);
}

void nf__llm_plain_step_end(struct nf_world *w, struct nf_station *s, uint32_t replica,
                            uint32_t generation)
{
    struct nf_replica *p = &s->replicas[replica];
    if (generation != p->generation) {
        return;
    }
    struct nf_llm_engine_state *e = p->llm;
    e->is_closing = true;
    s->iterations += e->run_steps;
    s->batched += (uint64_t)e->run_steps * e->decode_count + e->chunk_count;
    count_outside(s, e);
    for (uint32_t i = 0; i < e->run_steps; i++) {
        e->free_blocks -= e->phase[e->clock % e->cost->block_tokens];
        e->decode_context += e->decode_count;
        e->clock++;
    }
    finish_decodes(w, s, e);
    finish_chunks(w, s, e);
    remove_aborted(w, s, e);
    e->run_steps = 0;
    if (p->state == NF_REPLICA_READY) {
        nf__llm_assign(w, s);
    }
    e->is_closing = false;
    plan(w, s, replica);
    if (p->state == NF_REPLICA_DRAINING && p->inside == 0) {
        nf__pool_idle(w, s, replica);
    }
}

/* ---- what llm_station.c asks for ---- */

void nf__llm_plain_accept(struct nf_world *w, struct nf_station *s, uint32_t replica,
                          struct nf_request *r)
{
    struct nf_llm_engine_state *e = engine_of(s, replica);
    bool was_empty = e->queue_count == 0;
    queue_append(w, e, r);
    if (was_empty) {
        wake(w, s, replica);
    }
}

bool nf__llm_plain_cancel(struct nf_world *w, struct nf_station *s, struct nf_request *r)
{
    struct nf_llm_engine_state *e = engine_of(s, r->replica);
    if (queue_remove(w, e, r)) {
        return true;
    }
    e->aborted++;
    wake(w, s, r->replica);
    return false;
}

void nf__llm_plain_init(struct nf_world *w, struct nf_station *s, uint32_t replica)
{
    const struct nf_llm_cost *cost = &s->spec->hostings[0].llm;
    struct nf_llm_engine_state *e = NF_NEW(w->arena, struct nf_llm_engine_state);
    NF_ASSERT(cost->max_sequences <= cost->max_batched_tokens);
    e->cost = cost;
    e->queue_head = e->queue_tail = e->run_head = e->run_tail = NF_NONE;
    e->free_blocks = cost->kv_blocks - 1; /* one null block */
    e->phase = NF_NEW_ARRAY(w->arena, cost->block_tokens, uint32_t);
    s->replicas[replica].llm = e;
}

void nf__llm_plain_fini(struct nf_replica *p)
{
    nf_mem_free(p->llm->finish);
    nf_mem_free(p->llm->chunk_request);
    nf_mem_free(p->llm->chunk_tokens);
}
