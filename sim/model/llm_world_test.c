/* llm_world_test.c - the engine of llm.c: hand-scheduled iterations, and runs of steps against single steps. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/world_fixture.h"

static struct nf_fixture f;
static struct nf_outcome out;

static void setup(void)
{
    nf_fixture_init(&f);
    f.spec.gateway.policy = NF_POLICY_EDGE_ONLY;
    nf_fixture_model(&f, NF_MODEL_LLM);
    nf_fixture_station(&f, NF_STATION_LLM, 0, 0);
    nf_fixture_class(&f, "chat", 0);
}

static void teardown(void)
{
    nf_outcome_fini(&out);
}

TestSuite(llm_world, .init = setup, .fini = teardown);

static const struct nf_llm_cost *cost(void)
{
    return &f.hostings[0].llm;
}

static nf_time step(struct nf_llm_batch b)
{
    return nf_time_of_s(nf_llm_step_s(cost(), &b));
}

/* Prompt 100, 3 tokens out: one prefill step, then two decode steps at contexts 100 and 101. */
Test(llm_world, one_request_takes_its_prefill_and_its_decode_steps)
{
    static const struct nf_trace_row rows[] = {{0, 100, 3}};
    f.hostings[0].llm = nf_fixture_llm(1000, 8, 256);
    nf_fixture_arrivals(&f, 0, rows, 1);
    nf_fixture_run(&f, &out);
    nf_time prefill = step((struct nf_llm_batch){
        .prefill_tokens = 100, .prefill_pairs = 100 * 50.0, .sampled = 1});
    nf_time decode1 = step((struct nf_llm_batch){
        .decode_sequences = 1, .decode_context = 100, .sampled = 1});
    nf_time decode2 = step((struct nf_llm_batch){
        .decode_sequences = 1, .decode_context = 101, .sampled = 1});
    cr_assert(prefill > 0 && decode2 > decode1);
    cr_assert_eq(f.rows[0].ttft, prefill);
    cr_assert_eq(f.rows[0].latency, prefill + decode1 + decode2);
    cr_assert_eq(f.rows[0].tpot, (decode1 + decode2) / 2);
    cr_assert_eq(out.stations[0].iterations, 3);
}

/* 600 prompt tokens under a limit of 256 a step: chunks of 256, 256, 88 at contexts 0, 256, 512. */
Test(llm_world, a_long_prompt_is_prefilled_in_chunks)
{
    static const struct nf_trace_row rows[] = {{0, 600, 1}};
    f.hostings[0].llm = nf_fixture_llm(1000, 8, 256);
    nf_fixture_arrivals(&f, 0, rows, 1);
    nf_fixture_run(&f, &out);
    nf_time t =
        step((struct nf_llm_batch){.prefill_tokens = 256, .prefill_pairs = 256 * 128.0});
    t += step((struct nf_llm_batch){
        .prefill_tokens = 256, .prefill_context = 256, .prefill_pairs = 256 * 384.0});
    t += step((struct nf_llm_batch){.prefill_tokens = 88,
                                    .prefill_context = 512,
                                    .prefill_pairs = 88 * 556.0,
                                    .sampled = 1});
    cr_assert_eq(f.rows[0].latency, t);
    cr_assert_eq(f.rows[0].ttft, t);
}

/* A decodes (prompt 32, 10 out) when B (prompt 300, 1 out) comes during A's second step. B joins at the end of that step: budget 256 - 1
 * leaves 255 tokens, then 45. */
Test(llm_world, a_newcomer_joins_at_the_next_step_beside_decodes)
{
    static struct nf_trace_row rows[] = {{0, 32, 10}, {0, 300, 1}};
    f.hostings[0].llm = nf_fixture_llm(1000, 8, 256);
    nf_time prefill = step((struct nf_llm_batch){
        .prefill_tokens = 32, .prefill_pairs = 32 * 16.0, .sampled = 1});
    nf_time decode = step(
        (struct nf_llm_batch){.decode_sequences = 1, .decode_context = 32, .sampled = 1});
    rows[1].at = prefill + decode / 2;
    nf_fixture_arrivals(&f, 0, rows, 2);
    nf_fixture_run(&f, &out);
    nf_time joined = prefill + decode;
    nf_time first = step((struct nf_llm_batch){.prefill_tokens = 255,
                                               .prefill_pairs = 255 * 127.5,
                                               .decode_sequences = 1,
                                               .decode_context = 33,
                                               .sampled = 1});
    nf_time second = step((struct nf_llm_batch){.prefill_tokens = 45,
                                                .prefill_context = 255,
                                                .prefill_pairs = 45 * (255 + 22.5),
                                                .decode_sequences = 1,
                                                .decode_context = 34,
                                                .sampled = 2});
    cr_assert_eq(f.rows[0].input_tokens, 300);
    cr_assert_eq(f.rows[0].wait, joined - rows[1].at);
    cr_assert_eq(f.rows[0].arrival + f.rows[0].latency, joined + first + second);
}

/* 8 usable blocks. A: prompt 60 (4 blocks), B: prompt 60 (4 blocks), both 20 out. After four decode steps both need a fifth block: B, the
 * last admitted, is preempted and starts again when A is done, with its 5 tokens kept. */
Test(llm_world, without_blocks_the_last_sequence_is_preempted_and_recomputed)
{
    static const struct nf_trace_row rows[] = {{0, 60, 20}, {0, 60, 20}};
    f.hostings[0].llm = nf_fixture_llm(9, 8, 256);
    nf_fixture_arrivals(&f, 0, rows, 2);
    nf_fixture_run(&f, &out);
    cr_assert_eq(out.stations[0].preemptions, 1);
    cr_assert_eq(out.classes[0].counts.outcome[NF_COMPLETED], 2);
    cr_assert(f.rows[1].latency > f.rows[0].latency + 15 * NF_SECOND / 1000);
    /* iterations: A's prefill alone (it wakes the idle engine), B's prefill, then decodes of both and of A, B's recompute, its decodes */
    cr_assert_eq(out.stations[0].iterations, 1 + 19 + 1 + 15, "%lu",
                 (unsigned long)out.stations[0].iterations);
}

/* A request that can never fit the cache fails at once; others go on. */
Test(llm_world, a_request_longer_than_the_cache_fails)
{
    static const struct nf_trace_row rows[] = {{0, 200, 1}, {0, 100, 2}};
    f.hostings[0].llm = nf_fixture_llm(9, 8, 256);
    nf_fixture_arrivals(&f, 0, rows, 2);
    nf_fixture_run(&f, &out);
    cr_assert_eq(out.classes[0].counts.outcome[NF_FAILED], 1);
    cr_assert_eq(out.classes[0].counts.outcome[NF_COMPLETED], 1);
}

static uint64_t next(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

static void random_load(struct nf_trace_row *rows, size_t n, uint64_t seed,
                        uint32_t gap_us)
{
    nf_time t = 0;
    for (size_t i = 0; i < n; i++) {
        t += (nf_time)(next(&seed) % (2 * gap_us)) * 1000 + (nf_time)(next(&seed) % 977);
        rows[i] = (struct nf_trace_row){t, (uint32_t)(1 + next(&seed) % 500),
                                        (uint32_t)(1 + next(&seed) % 120)};
    }
}

/* ---- engines of llm_planned.c ---- */

/* Both prompts begin with the same 128 tokens in a cache of 16-token blocks; the second comes when the first is done, and computes 72 of
 * its 200 tokens. */
Test(llm_world, tokens_of_a_known_start_are_not_computed)
{
    static const uint64_t names[] = {71, 72, 73, 74, 71, 72, 75, 76}, first[] = {0, 4, 8};
    static const struct nf_trace_names starts = {names, first, 64};
    static const struct nf_trace_row rows[] = {{0, 200, 1}, {10 * NF_SECOND, 200, 1}};
    f.hostings[0].llm = nf_fixture_llm(1000, 8, 256);
    f.hostings[0].llm.has_prefix_cache = true;
    nf_fixture_arrivals(&f, 0, rows, 2);
    f.sources[0].arrivals.trace_names = &starts;
    nf_fixture_run(&f, &out);
    cr_assert_eq(f.rows[0].ttft,
                 step((struct nf_llm_batch){
                     .prefill_tokens = 200, .prefill_pairs = 200 * 100.0, .sampled = 1}));
    cr_assert_eq(f.rows[1].ttft,
                 step((struct nf_llm_batch){.prefill_tokens = 72,
                                            .prefill_context = 128,
                                            .prefill_pairs = 72 * (128 + 36.0),
                                            .sampled = 1}));
    cr_assert_lt(f.rows[1].ttft, f.rows[0].ttft);
    cr_assert_float_eq(out.stations[0].prefix_hit_rate, 128 / 400.0, 1e-15);
}

/* One sequence at a time. A takes it; of B (no priority), C (3) and D (1), all there when A ends, D goes first and B last. */
Test(llm_world, priorities_decide_who_is_next)
{
    static const struct nf_trace_row late[] = {{1000, 50, 4}};
    static const struct nf_trace_row early[] = {{0, 50, 4}};
    f.hostings[0].llm = nf_fixture_llm(1000, 1, 256);
    f.hostings[0].llm.by_priority = true;
    nf_fixture_class(&f, "none", 0);
    nf_fixture_class(&f, "third", 0)->priority = 3;
    nf_fixture_class(&f, "first", 0)->priority = 1;
    nf_fixture_arrivals(&f, 0, early, 1);
    for (size_t i = 1; i < 4; i++) {
        nf_fixture_arrivals(&f, i, late, 1);
    }
    nf_fixture_run(&f, &out);
    cr_assert_eq(f.row_count, 4);
    static const int order[] = {0, 3, 2, 1};
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(f.rows[i].class_ix, order[i], "row %d is of class %d", i,
                     f.rows[i].class_ix);
    }
}

/* Two stages. A's prefill of 100 tokens takes 2 e, e in each; B's starts when the first stage is free and leaves the second e after A's. Then
 * each decodes in its own iterations. */
Test(llm_world, pipeline_stages_overlap_iterations)
{
    static const struct nf_trace_row rows[] = {{0, 100, 2}, {0, 100, 2}};
    f.hostings[0].llm = nf_fixture_llm(1000, 8, 256);
    f.hostings[0].llm.stages = 2;
    nf_fixture_arrivals(&f, 0, rows, 2);
    nf_fixture_run(&f, &out);
    struct nf_llm_batch prefill = {
        .prefill_tokens = 100, .prefill_pairs = 100 * 50.0, .sampled = 1};
    struct nf_llm_batch decode = {
        .decode_sequences = 1, .decode_context = 100, .sampled = 1};
    nf_time e = step(prefill) / 2, d = step(decode) / 2;
    cr_assert(d < e);
    cr_assert_eq(f.rows[0].ttft, 2 * e);
    cr_assert_eq(f.rows[1].ttft, 3 * e);
    cr_assert_eq(f.rows[0].latency, 3 * e + d, "it waits for B in the second stage");
    cr_assert_eq(f.rows[1].latency, 3 * e + 2 * d);
    cr_assert_eq(out.stations[0].iterations, 4);
}

/* Tight memory and time-outs with three stages: everything ends, and nothing is served twice (checked by every run). */
Test(llm_world, pipelines_survive_preemption_and_timeouts)
{
    static struct nf_trace_row rows[600];
    random_load(rows, 600, 50021, 6000);
    f.hostings[0].llm = nf_fixture_llm(70, 16, 256);
    f.hostings[0].llm.stages = 3;
    f.hostings[0].llm.has_prefix_cache = true;
    f.spec.gateway.timeout = 2 * NF_SECOND;
    nf_fixture_arrivals(&f, 0, rows, 600);
    nf_fixture_run(&f, &out);
    cr_assert_eq(f.row_count, 600);
    cr_assert(out.stations[0].preemptions > 0);
    cr_assert(out.classes[0].counts.outcome[NF_TIMED_OUT] > 0);
    cr_assert(out.classes[0].counts.outcome[NF_COMPLETED] > 100);
}

static uint64_t iterations_with_guesses(unsigned tokens, double acceptance)
{
    static const struct nf_trace_row rows[] = {{0, 10, 20001}};
    f.hostings[0].llm = nf_fixture_llm(3000, 8, 256);
    f.hostings[0].llm.draft_tokens = tokens;
    f.hostings[0].llm.draft_acceptance = acceptance;
    nf_fixture_arrivals(&f, 0, rows, 1);
    nf_fixture_run(&f, &out);
    cr_assert_eq(out.classes[0].counts.outcome[NF_COMPLETED], 1);
    uint64_t n = out.stations[0].iterations;
    nf_outcome_fini(&out);
    return n;
}

/* (1 - a^(k+1))/(1 - a) tokens an iteration (Leviathan et al. 2023); 3 standard errors of 9191 iterations are 1.9 %. */
Test(llm_world, speculation_gives_the_expected_tokens_an_iteration, .fini = NULL)
{
    cr_assert_eq(iterations_with_guesses(3, 0), 1 + 20000);
    cr_assert_eq(iterations_with_guesses(3, 1), 1 + 20000 / 4);
    double a = 0.6, expected = (1 - a * a * a * a) / (1 - a);
    double got = 20000.0 / (double)(iterations_with_guesses(3, a) - 1);
    cr_assert(got > 0.98 * expected && got < 1.02 * expected, "%g for %g", got, expected);
}

/* No more than max_sequences run; the others wait in the station's queue, in order. */
Test(llm_world, the_sequence_limit_holds)
{
    static struct nf_trace_row rows[12];
    for (int i = 0; i < 12; i++) {
        rows[i] = (struct nf_trace_row){i, 16, 50};
    }
    f.hostings[0].llm = nf_fixture_llm(1000, 3, 256);
    nf_fixture_arrivals(&f, 0, rows, 12);
    nf_fixture_run(&f, &out);
    cr_assert_eq(out.classes[0].counts.outcome[NF_COMPLETED], 12);
    cr_assert(out.stations[0].batch_mean <= 3 && out.stations[0].batch_mean > 2.3);
    for (int i = 1; i < 12; i++) {
        cr_assert(f.rows[i].arrival > f.rows[i - 1].arrival);
    }
}

/* ---- runs of steps against single steps ---- */

static bool is_equal(const struct nf_row *a, const struct nf_row *b)
{
    return a->arrival == b->arrival && a->outcome == b->outcome && a->wait == b->wait &&
           a->service == b->service && a->latency == b->latency && a->ttft == b->ttft &&
           a->tpot == b->tpot;
}

static void compare_with_expected(const struct nf_row *expected, size_t n,
                                  const char *what, size_t c, uint64_t seed)
{
    for (size_t i = 0; i < n; i++) {
        cr_assert(is_equal(&expected[i], &f.rows[i]), "%s: case %zu seed %lu row %zu",
                  what, c, (unsigned long)seed, i);
    }
}

/* A range that decode attention leaves at both ends: contexts of 100 to 1000 tokens are inside. */
static void state_range(struct nf_llm_cost *c)
{
    c->has_range = true;
    c->products.high = c->head.high = UINT32_MAX;
    c->prefill_span.high_s = 1;
    c->decode_span =
        (struct nf_llm_span){100 * c->decode_context_s, 1000 * c->decode_context_s};
}

/* Tight memory (preemptions), time-outs (aborts) and three replicas: rows must agree to the nanosecond, also with those of the general
 * scheduler. */
Test(llm_world, runs_of_steps_equal_single_steps_and_planned_ones)
{
    static struct nf_trace_row rows[600];
    static struct nf_row expected[600];
    struct {
        uint32_t gap_us;
        uint64_t blocks;
        nf_time timeout;
    } const cases[] = {{40000, 400, NF_TIME_NEVER},
                       {12000, 60, NF_TIME_NEVER},
                       {9000, 70, 2 * NF_SECOND},
                       {150000, 64, 300000000},
                       {2000, 500, 900000000}};
    for (size_t c = 0; c < sizeof(cases) / sizeof(*cases); c++) {
        uint64_t seed = 104729 + c;
        random_load(rows, 600, seed, cases[c].gap_us);
        f.hostings[0].llm = nf_fixture_llm(cases[c].blocks, 16, 256);
        state_range(&f.hostings[0].llm);
        f.spec.gateway.timeout = cases[c].timeout;
        f.stations[0].replicas_max = f.stations[0].replicas_initial = c == 4 ? 3 : 1;
        nf_fixture_arrivals(&f, 0, rows, 600);
        f.spec.llm_run_steps = 1;
        nf_fixture_run(&f, &out);
        uint64_t steps = out.stations[0].iterations;
        uint64_t preemptions = out.stations[0].preemptions;
        uint64_t events = out.events;
        double outside = out.stations[0].outside_range;
        unsigned kinds = out.stations[0].outside_kinds;
        cr_assert(outside > 0 && outside < (double)steps, "%g of %lu", outside,
                  (unsigned long)steps);
        memcpy(expected, f.rows, sizeof(expected));
        nf_outcome_fini(&out);
        f.spec.llm_planned = true;
        nf_fixture_run(&f, &out);
        cr_assert_eq(f.row_count, 600);
        compare_with_expected(expected, 600, "planned", c, seed);
        cr_assert_eq(out.stations[0].iterations, steps);
        cr_assert_eq(out.stations[0].preemptions, preemptions);
        cr_assert_eq(out.stations[0].outside_range, outside);
        cr_assert_eq(out.stations[0].outside_kinds, kinds);
        nf_outcome_fini(&out);
        f.spec.llm_planned = false;
        f.spec.llm_run_steps = 0;
        nf_fixture_run(&f, &out);
        printf("case %zu seed %lu: %lu iterations, %lu preemptions, %lu events, %lu in "
               "runs\n",
               c, (unsigned long)seed, (unsigned long)steps, (unsigned long)preemptions,
               (unsigned long)events, (unsigned long)out.events);
        cr_assert_eq(f.row_count, 600);
        cr_assert_eq(out.stations[0].iterations, steps);
        cr_assert_eq(out.stations[0].preemptions, preemptions);
        cr_assert_eq(out.stations[0].outside_range, outside, "case %zu: %g, not %g", c,
                     out.stations[0].outside_range, outside);
        cr_assert_eq(out.stations[0].outside_kinds, kinds);
        compare_with_expected(expected, 600, "runs", c, seed);
        cr_assert(out.events < events);
        cr_assert(c != 1 || preemptions > 0);
        if (c + 1 < sizeof(cases) / sizeof(*cases)) {
            nf_outcome_fini(&out);
        }
    }
}
