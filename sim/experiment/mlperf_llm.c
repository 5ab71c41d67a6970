#include "experiment/mlperf_llm.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/status.h"
#include "experiment/llm_replica.h"

enum { SEED = 20260821 };
enum { SEQUENCES = 1024, ROOM = 64, ROUNDS = 6, SERVER_REQUESTS = 12000, HALVINGS = 9 };

/* One group of GPUs that holds the model. */
struct group {
    const struct nf_mlperf_language *what;
    struct nf_llm_cost cost;
    unsigned gpus;
};

static bool prepare(struct group *g, const struct nf_catalog *catalog,
                    const struct nf_host *one_gpu, char *why, size_t cap)
{
    const struct nf_llm_arch *found = nf_catalog_llm(catalog, g->what->arch);
    struct nf_llm_engine engine = nf_llm_engine_defaults();
    /* The beams of a request share its prompt. */
    double tokens = (g->what->input + g->what->output * g->what->beams) * ROOM;
    if (!found) {
        (void)snprintf(why, cap, "the catalogue has no %s", g->what->arch);
        return false;
    }
    struct nf_llm_arch arch = *found;
    arch.kv = NF_FP8;
    if (!(one_gpu->device->peak[NF_FP8] > 0)) {
        (void)snprintf(why, cap, "%s has no FP8 units", one_gpu->device->name);
        return false;
    }
    engine.max_sequences = SEQUENCES;
    for (g->gpus = 1; g->gpus <= 8; g->gpus *= 2) {
        struct nf_host host = *one_gpu;
        host.ranks = g->gpus;
        if (nf_llm_prepare(&g->cost, &arch, &host, &engine, why, cap) &&
            (double)(g->cost.kv_blocks * g->cost.block_tokens) >= tokens) {
            return true;
        }
    }
    return false;
}

static struct nf_dist tokens_dist(double mean, double cv)
{
    struct nf_dist d;
    const char *why;
    bool is_spread = cv > 0 && nf_dist_lognormal_moments(&d, mean, cv, &why);
    return is_spread ? d : nf_dist_constant(mean);
}

static struct nf_llm_load load_of(const struct group *g, size_t requests)
{
    return (struct nf_llm_load){
        .cost = &g->cost,
        .input_tokens = tokens_dist(g->what->input, g->what->input_cv),
        .output_tokens = tokens_dist(g->what->output, g->what->output_cv),
        .seed = SEED,
        .requests = requests};
}

/* Tokens of the answers that ended while all clients were at work, over that time: neither the beginning, when all prompts come
 * at once, nor the emptying end after the last request has come. */
static double closed_loop(const struct group *g, double clients, struct nf_arena *arena)
{
    static const double BEGINNING = 0.2;
    struct nf_llm_load load = load_of(g, (size_t)(ROUNDS * clients));
    load.arrivals = (struct nf_arrival_spec){.kind = NF_ARRIVAL_CLOSED,
                                             .clients = (uint32_t)clients,
                                             .requests = load.requests};
    load.arrivals.think = nf_dist_constant(0);
    struct nf_llm_served served;
    nf_llm_replica_run(&load, arena, &served);
    nf_time last = 0;
    for (size_t i = 0; i < served.count; i++) {
        last = served.rows[i].arrival > last ? served.rows[i].arrival : last;
    }
    double to = nf_time_s(last), from = BEGINNING * to;
    double tokens = 0;
    for (size_t i = 0; i < served.count; i++) {
        double end = nf_time_s(served.rows[i].arrival + served.rows[i].latency);
        if (end > from && end <= to) {
            tokens += served.rows[i].output_tokens;
        }
    }
    return to > 0 ? tokens / (to - from) : 0;
}

/* As submitters do, the number of requests that run at once is tuned: too many overflow the KV cache and are computed again. */
static double offline(const struct group *g, struct nf_arena *arena)
{
    static const double shares[] = {0.5, 0.7, 0.85, 1, 1.2};
    double fits = (double)(g->cost.kv_blocks * g->cost.block_tokens) /
                  (g->what->input + g->what->output);
    double best = 0;
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        double clients = floor(fmin(SEQUENCES, fmax(1, fits * shares[i])));
        best = fmax(best, closed_loop(g, clients, arena));
    }
    return best;
}

static int by_value(const void *a, const void *b)
{
    nf_time x = *(const nf_time *)a, y = *(const nf_time *)b;
    return (x > y) - (x < y);
}

/* loadgen's percentile: sorted[floor(0.99 n)]. */
static double p99_s(nf_time *values, size_t n)
{
    qsort(values, n, sizeof *values, by_value);
    return n > 0 ? nf_time_s(values[n * 99 / 100]) : 0;
}

/* Requests for the ten minutes that loadgen asks for at least: in a shorter run too high a rate only fills the batch. Poisson
 * arrivals at one request a second, with the tokens of each; other rates squeeze the times. */
static struct nf_trace_row *draw_requests(const struct group *g, struct nf_arena *arena)
{
    struct nf_stream stream;
    nf_stream_init(&stream, SEED, 0, "mlperf/server");
    struct nf_dist input = tokens_dist(g->what->input, g->what->input_cv);
    struct nf_dist output = tokens_dist(g->what->output, g->what->output_cv);
    struct nf_trace_row *rows = NF_NEW_ARRAY(arena, SERVER_REQUESTS, struct nf_trace_row);
    double at = 0;
    for (size_t i = 0; i < SERVER_REQUESTS; i++) {
        at += nf_stream_exponential(&stream);
        double in = nf_dist_sample(&input, &stream);
        double out = nf_dist_sample(&output, &stream);
        rows[i] = (struct nf_trace_row){.at = nf_time_of_s(at),
                                        .input_tokens = (uint32_t)fmax(1, in + 0.5),
                                        .output_tokens = (uint32_t)fmax(1, out + 0.5)};
    }
    return rows;
}

static bool keeps_limits(const struct group *g, const struct nf_trace_row *unit,
                         double rate, struct nf_arena *arena)
{
    struct nf_llm_load load = load_of(g, SERVER_REQUESTS);
    struct nf_trace_row *rows = NF_NEW_ARRAY(arena, SERVER_REQUESTS, struct nf_trace_row);
    for (size_t i = 0; i < SERVER_REQUESTS; i++) {
        rows[i] = unit[i];
        rows[i].at = (nf_time)((double)unit[i].at / rate);
    }
    load.arrivals = (struct nf_arrival_spec){
        .kind = NF_ARRIVAL_TRACE, .trace = rows, .trace_count = SERVER_REQUESTS};
    struct nf_llm_served served;
    nf_llm_replica_run(&load, arena, &served);
    nf_time *ttft = NF_NEW_ARRAY(arena, SERVER_REQUESTS, nf_time);
    nf_time *tpot = NF_NEW_ARRAY(arena, SERVER_REQUESTS, nf_time);
    for (size_t i = 0; i < served.count; i++) {
        ttft[i] = served.rows[i].ttft;
        tpot[i] = served.rows[i].tpot;
    }
    return served.count == SERVER_REQUESTS &&
           p99_s(ttft, served.count) <= g->what->ttft_s &&
           p99_s(tpot, served.count) <= g->what->tpot_s;
}

/* The highest rate that keeps the limits, between nothing and what the full engine does. */
static double server(const struct group *g, struct nf_arena *arena)
{
    const struct nf_trace_row *unit = draw_requests(g, arena);
    double low = 0, high = 1.2 * offline(g, arena) / g->what->output;
    for (int i = 0; i < HALVINGS; i++) {
        double middle = (low + high) / 2;
        *(keeps_limits(g, unit, middle, arena) ? &low : &high) = middle;
    }
    return low * g->what->output;
}

/* Steady state of full batches: while each request of the batch decodes its tokens, as many others are prefilled. Beams of a request keep
 * one copy of its prompt, whose keys and values come from memory once for all of them. */
static double steady(const struct group *g)
{
    const struct nf_mlperf_language *w = g->what;
    double own = w->beams * w->output;
    double fits = (double)(g->cost.kv_blocks * g->cost.block_tokens) / (w->input + own);
    double requests = floor(fmin(fits, (double)SEQUENCES / w->beams));
    double sequences = requests * w->beams;
    struct nf_llm_batch decode = {.decode_sequences = (uint32_t)sequences,
                                  .sampled = (uint32_t)sequences,
                                  .decode_context =
                                      (uint64_t)(requests * (w->input + own / 2))};
    struct nf_llm_batch prefill = {.prefill_tokens = (uint32_t)(8 * w->input),
                                   .sampled = 8,
                                   .prefill_pairs = 8 * w->input * w->input / 2};
    double each = nf_llm_step_s(&g->cost, &prefill) / 8;
    double round = w->output * nf_llm_step_s(&g->cost, &decode) + requests * each;
    return requests * w->output / round;
}

double nf_mlperf_tokens_per_s(const struct nf_mlperf_run *run, struct nf_arena *arena,
                              char *why, size_t cap)
{
    struct group *g = NF_NEW(arena, struct group);
    g->what = run->what;
    if (!prepare(g, run->catalog, run->one_gpu, why, cap)) {
        return 0;
    }
    double tokens = g->what->beams > 1 ? steady(g)
                    : run->is_server   ? server(g, arena)
                                       : offline(g, arena);
    if (!(tokens > 0)) {
        (void)snprintf(why, cap, "no rate keeps the limits");
        return 0;
    }
    return tokens / g->gpus;
}
