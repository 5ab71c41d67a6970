#include "experiment/dnn_system.h"

#include "experiment/lone_station.h"
#include "model/outcome.h"

void nf_dnn_system_run(const struct nf_dnn_load *load, struct nf_dnn_served *out)
{
    static const double WARMUP_SHARE = 0.1;
    struct nf_lone_station lone;
    nf_lone_station_init(&lone, NF_MODEL_DNN, NF_STATION_BATCH);
    lone.hosting.dnn = load->cost;
    lone.station.servers = load->gpus;
    lone.station.gpus_per_replica = load->gpus;
    lone.station.batch_max = load->max_batch;
    lone.station.batch_streams = load->streams;
    lone.station.batch_delay = load->delay;
    lone.source.arrivals =
        (struct nf_arrival_spec){.kind = NF_ARRIVAL_POISSON, .rate = load->rate};
    lone.spec.seed = load->seed;
    lone.spec.duration = nf_time_of_s(load->seconds);
    lone.spec.warmup = nf_time_of_s(load->seconds * WARMUP_SHARE);
    struct nf_sinks sinks = {0};
    struct nf_outcome outcome;
    nf_world_run(&lone.spec, 0, &sinks, &outcome);
    const struct nf_class_outcome *c = &outcome.classes[0];
    *out = (struct nf_dnn_served){.mean_s = nf_histogram_mean(c->latency) * 1e-9,
                                  .p99_s = nf_histogram_quantile(c->latency, 0.99) * 1e-9,
                                  .completed = c->counts.outcome[NF_COMPLETED],
                                  .is_saturated = outcome.stations[0].is_saturated};
    nf_outcome_fini(&outcome);
}
