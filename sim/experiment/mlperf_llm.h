/*
 * mlperf_llm.h - tokens per second of a language benchmark on a number of GPUs, from sim/perf/llm.h and the engine of sim/model.
 *
 * What:   the GPUs are shared out in the smallest groups (1, 2, 4, 8) whose KV cache holds 64 requests of mean length; one group is
 *         simulated, with FP8 KV cache and otherwise the engine's defaults but for 1024 sequences.
 *         Offline: a closed loop keeps the engine full, with the number of requests at once that is best. Server: the highest Poisson rate
 *         whose 99th percentiles of TTFT and TPOT keep the benchmark's limits, found by bisection.
 *         Requests that decode several beams side by side have no place in the engine: their throughput is the steady state of steps of
 *         full batches, in closed form, for both.
 * Cost:   Offline 0.1 s, Server 1 s.
 */
#ifndef NF_EXPERIMENT_MLPERF_LLM_H
#define NF_EXPERIMENT_MLPERF_LLM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "experiment/mlperf.h"

struct nf_mlperf_run {
    const struct nf_mlperf_language *what;
    const struct nf_catalog *catalog;
    const struct nf_host *one_gpu; /* device and profile */
    bool is_server;
};

/* Output tokens/s of one GPU; 0, and a sentence in `why` (cap bytes), when it cannot be. */
double nf_mlperf_tokens_per_s(const struct nf_mlperf_run *run, struct nf_arena *arena,
                              char *why, size_t cap);

#endif
