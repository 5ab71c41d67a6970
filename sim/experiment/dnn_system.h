/*
 * dnn_system.h - one server of some GPUs that computes batches, alone under Poisson load: a world of one station, without network.
 *
 * Cost:   about 60 ns a request.
 * Units:  s, requests/s.
 */
#ifndef NF_EXPERIMENT_DNN_SYSTEM_H
#define NF_EXPERIMENT_DNN_SYSTEM_H

#include <stdint.h>

#include "engine/time.h"
#include "perf/dnn.h"

struct nf_dnn_load {
    struct nf_dnn_cost cost;
    unsigned gpus, streams, max_batch;
    nf_time delay; /* an unfull batch waits at most so long */
    double rate;
    double seconds; /* simulated; a tenth of it is warm-up */
    uint64_t seed;
};

struct nf_dnn_served {
    double mean_s, p99_s;
    uint64_t completed;
    bool is_saturated; /* the queue grew to the end */
};

void nf_dnn_system_run(const struct nf_dnn_load *load, struct nf_dnn_served *out);

#endif
