/*
 * mlperf_server.h - one MLPerf Server run of a batched network: how NVIDIA's harness forms batches, and at which load submitters run it.
 *
 * What:   Harness (read in mlcommons/inference_results_v4.1, closed/NVIDIA/code/harness).
 *         Images (lwis.cpp): one queue; a batch goes out when it is full or a time-out is over, to a GPU with a free copy stream; copies of
 *         one batch overlap with the computation of another.
 *         Text (bert_server.cc, bert_core_vs.cc): each inference stream of each GPU takes what is there, up to the batch size, as soon
 *         as it may. It holds two batches: one computes, the other has been taken and waits for the lock that the response thread keeps while
 *         it waits for the first. Its engines take any fill (a + c b).
 *         Load. Submitters raise the rate until a limit on the 99th percentile binds, so a run stands at the edge of its capacity, where
 *         one per cent of capacity doubles the wait: no figure of capacity is exact enough. Text: capacity is the Offline figure of the
 *         system times the usual ratio of Server to Offline rate of other systems with that GPU, over USUAL_LOAD; as fast as the limit asks
 *         at least. Images: the capacity at which the 99th percentile is the usual share of the limit.
 * Cost:   one to thirteen simulations of 100 000 requests and more, 0.1 to 1 s.
 * Units:  s, requests/s.
 */
#ifndef NF_EXPERIMENT_MLPERF_SERVER_H
#define NF_EXPERIMENT_MLPERF_SERVER_H

#include "experiment/dnn_system.h"
#include "experiment/mlperf.h"

struct nf_mlperf_server_run {
    const struct nf_dnn_model *network;
    const struct nf_host *host; /* one GPU of it */
    struct nf_mlperf_setting setting;
    double gpus, rate, offline;
    double limit_s;      /* of the rules on the 99th percentile */
    double usual_ratio;  /* of Server to Offline rate */
    double usual_margin; /* 99th percentile as a share of the limit */
};

void nf_mlperf_serve(const struct nf_mlperf_server_run *run, struct nf_dnn_served *out);

#endif
