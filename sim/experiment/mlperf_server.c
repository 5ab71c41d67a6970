#include "experiment/mlperf_server.h"

#include <math.h>
#include <string.h>

enum { REQUESTS = 100000, BATCHES = 1500, HALVINGS = 11 };
enum { IN_HAND = 2 }; /* batches that an inference stream of the text harness holds */

/* A call of cudaMemcpyAsync for each sample: time on the copy stream besides the bytes. */
static const double COPY_CALL_S = 2e-6;

/* Load at which the text harness ran on average in the Server runs of A100, H200 and T4 (which are not among the rows that are held
 * against measurements), see bench/validation-dnn.md. */
static const double USUAL_LOAD = 0.96;

/* What a batch of the text engine takes besides its samples, mostly the launches of 24 layers: published single-stream latency less one
 * sample's share of Offline. */
static double text_fixed_s(const struct nf_device *d)
{
    static const struct {
        const char *device;
        double seconds;
    } published[] = {{"A100", 1.25e-3},      /* MLPerf v2.1, H3C R5500G5 */
                     {"A100-PCIe", 1.26e-3}, /* v2.1, NVIDIA */
                     {"H100-PCIe", 1.18e-3}, /* v3.0, Supermicro SYS-221HE */
                     {"L40S", 0.82e-3},      /* v4.1, Lenovo SR650 */
                     {"L4", 1.48e-3}};       /* v3.1, Dell XR4520c */
    for (size_t i = 0; i < sizeof published / sizeof published[0]; i++) {
        if (strcmp(published[i].device, d->name) == 0) {
            return published[i].seconds;
        }
    }
    return 1.2e-3; /* between the faster ones */
}

static struct nf_dnn_load load_of(const struct nf_mlperf_server_run *run, double capacity)
{
    const struct nf_mlperf_setting *g = &run->setting;
    const struct nf_device *d = run->host->device;
    double each = run->gpus / capacity;
    double fixed = g->takes_any ? fmin(text_fixed_s(d), 0.5 * g->batch * each) : 0;
    double copy =
        d->pcie_bandwidth > 0 ? run->network->input_bytes / (0.8 * d->pcie_bandwidth) : 0;
    return (struct nf_dnn_load){
        .cost = {.fixed_s = fixed,
                 .per_sample_s = each - fixed / g->batch,
                 .copy_s = g->takes_any ? copy : copy + COPY_CALL_S,
                 .batch = (unsigned)g->batch},
        .gpus = (unsigned)run->gpus,
        .streams = g->takes_any ? IN_HAND * g->inference_streams : g->copy_streams,
        .max_batch = (unsigned)g->batch,
        .delay = g->takes_any ? 0 : nf_time_of_s(g->timeout_s),
        .rate = run->rate,
        .seconds = fmax(REQUESTS / run->rate, BATCHES * g->batch / run->rate),
        .seed = 20260821};
}

/* The least capacity from `low` on whose 99th percentile is within `limit_s`. */
static struct nf_dnn_served least(const struct nf_mlperf_server_run *run, double low,
                                  double limit_s)
{
    struct nf_dnn_served served, best;
    double high = 4 * fmax(run->rate, low);
    struct nf_dnn_load load = load_of(run, high);
    nf_dnn_system_run(&load, &best);
    for (int i = 0; i < HALVINGS; i++) {
        double middle = sqrt(low * high);
        load = load_of(run, middle);
        nf_dnn_system_run(&load, &served);
        if (served.p99_s <= limit_s) {
            high = middle;
            best = served;
        } else {
            low = middle;
        }
    }
    return best;
}

void nf_mlperf_serve(const struct nf_mlperf_server_run *run, struct nf_dnn_served *out)
{
    if (!run->setting.takes_any) {
        *out = least(run, 0.95 * run->rate, run->usual_margin * run->limit_s);
        return;
    }
    double capacity = run->offline * run->usual_ratio / USUAL_LOAD;
    struct nf_dnn_load load = load_of(run, capacity);
    nf_dnn_system_run(&load, out);
    if (run->limit_s > 0 && out->p99_s > run->limit_s) {
        *out = least(run, capacity, run->limit_s);
    }
}
