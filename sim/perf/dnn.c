#include "perf/dnn.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "perf/operator.h"

struct line {
    double fixed_s, per_sample_s;
};

static const struct nf_dnn_anchor *find_anchor(const struct nf_dnn_model *model,
                                               const char *device)
{
    for (size_t i = 0; i < model->anchor_count; i++) {
        if (strcmp(model->anchors[i].device, device) == 0) {
            return &model->anchors[i];
        }
    }
    return NULL;
}

/* Both anchors: a + c = latency and (a + c B)/B = 1/throughput. An unknown B is large, so c = 1/throughput.
 * A device whose throughput engine is no faster per sample than its latency engine gives a < 0 by measurement
 * noise; then a = 0 and the throughput, the better-founded of the two, decides. */
static struct line line_of_anchors(const struct nf_dnn_anchor *k, double latency_s)
{
    double each = 1 / k->throughput;
    double c = each;
    if (k->batch > 1) {
        double n = (double)k->batch;
        c = (n * each - latency_s) / (n - 1);
    }
    if (!(c > 0) || latency_s < c) {
        return (struct line){0, each};
    }
    return (struct line){latency_s - c, c};
}

/* Share of a link's data-sheet rate that copies reach. */
static const double LINK_EFFICIENCY = 0.8;

/* One sample's input to the GPU, as measured where it was; devices that share the host's memory have no link. */
static double copy_s(const struct nf_dnn_model *m, const struct nf_host *host)
{
    const struct nf_device *d = host->device;
    const struct nf_calibration *cal = host->calibration;
    if (cal && cal->copy[NF_COPY_TO_DEVICE].bus_bandwidth > 0) {
        return nf_copy_s(&cal->copy[NF_COPY_TO_DEVICE], m->input_bytes);
    }
    return d->pcie_bandwidth > 0 ? m->input_bytes / (LINK_EFFICIENCY * d->pcie_bandwidth)
                                 : 0;
}

/* What the GPU has of a published latency: one sample's copy is in it, and was not hidden. At least half is the GPU's. */
static double latency_on_gpu_s(const struct nf_dnn_anchor *k, double copy)
{
    double rest = k->latency_s - copy;
    return rest > k->latency_s / 2 ? rest : k->latency_s / 2;
}

/* The operation model at batch b; see dnn.h. */
static double modelled_s(const struct nf_dnn_model *m, const struct nf_device *d,
                         const struct nf_curve *g, double b)
{
    double compute = b * m->work / (g->ec * d->peak[m->precision]);
    double memory = (m->weight_bytes + b * m->activation_bytes) / (g->em * d->bandwidth);
    return g->t0_s + pow(pow(compute, g->p) + pow(memory, g->p), 1 / g->p);
}

/* The operation model at batches of one and of `n`; `tokens`: of a model of speech. */
static bool two_times(const struct nf_dnn_model *m, const struct nf_host *host,
                      double tokens, double n, double at[2])
{
    const struct nf_device *d = host->device;
    const struct nf_calibration *cal = host->calibration;
    if (m->speech.encoder_layers > 0 &&
        nf_speech_batch_s(&m->speech, host, 1, tokens, &at[0])) {
        return nf_speech_batch_s(&m->speech, host, n, tokens, &at[1]);
    }
    if (!cal || !(cal->network.em > 0) || !(cal->network.ec > 0) ||
        !(d->peak[m->precision] > 0) || !(m->work > 0)) {
        return false;
    }
    at[0] = modelled_s(m, d, &cal->network, 1);
    at[1] = modelled_s(m, d, &cal->network, n);
    return true;
}

static bool line_of_model(struct line *line, const struct nf_dnn_model *m,
                          const struct nf_host *host, double tokens, unsigned batch)
{
    double n = batch > 1 ? (double)batch : 2.0, at[2];
    if (!two_times(m, host, tokens, n, at)) {
        return false;
    }
    line->per_sample_s = (at[1] - at[0]) / (n - 1);
    line->fixed_s = at[0] - line->per_sample_s;
    if (line->fixed_s <
        0) { /* PN is convex: the chord may start below zero by rounding */
        line->fixed_s = 0;
    }
    return true;
}

/* One anchor fixes the scale of the modelled line. */
static double scale_of_anchor(const struct nf_dnn_anchor *k, const struct line *line,
                              unsigned batch, double copy)
{
    if (k->latency_s > 0) {
        return latency_on_gpu_s(k, copy) / (line->fixed_s + line->per_sample_s);
    }
    double n = k->batch > 0 ? (double)k->batch : (double)batch;
    return n / k->throughput / (line->fixed_s + line->per_sample_s * n);
}

static bool check_memory(const struct nf_dnn_model *m, const struct nf_device *d,
                         unsigned batch, char *why, size_t cap)
{
    double need = m->weight_bytes + (m->input_bytes + m->live_bytes) * (double)batch;
    double have = d->memory_bytes - d->memory_reserve_bytes;
    if (need <= have) {
        return true;
    }
    snprintf(
        why, cap,
        "%s needs %.1f GB (weights %.1f GB, the rest for a batch of %u), %s offers %.1f "
        "GB (%.1f GB less a reserve of %.1f GB)",
        m->name, need / 1e9, m->weight_bytes / 1e9, batch, d->name, have / 1e9,
        d->memory_bytes / 1e9, d->memory_reserve_bytes / 1e9);
    return false;
}

/* The operation model holds for engines that take as long as those that it was fitted to. */
static void mark_range(struct nf_dnn_cost *cost, const struct nf_curve *g)
{
    cost->has_range = g->longest_s > 0;
    cost->inside_high = UINT_MAX;
    for (unsigned n = 1; n <= cost->batch && cost->has_range; n++) {
        double t = nf_dnn_batch_s(cost, n);
        if (nf_is_shorter(t, g->shortest_s)) {
            cost->inside_low = n + 1;
        }
        if (nf_is_longer(t, g->longest_s) && n <= cost->inside_high) {
            cost->inside_high = n - 1;
        }
    }
}

bool nf_dnn_prepare(struct nf_dnn_cost *cost, const struct nf_dnn_model *model,
                    const struct nf_host *host, unsigned max_batch, char *why, size_t cap)
{
    const struct nf_device *device = host->device;
    NF_ASSERT(max_batch >= 1);
    if (!check_memory(model, device, max_batch, why, cap)) {
        return false;
    }
    const struct nf_dnn_anchor *k = find_anchor(model, device->name);
    struct line line = {0, 0};
    double copy = copy_s(model, host);
    enum nf_provenance provenance = NF_DERIVED;
    bool is_modelled = false;
    bool is_speech = model->speech.encoder_layers > 0;
    if (k && k->latency_s > 0 && k->throughput > 0 && !is_speech) {
        line = line_of_anchors(k, latency_on_gpu_s(k, copy));
        provenance = k->provenance;
    } else if (line_of_model(&line, model, host, model->speech.tokens, max_batch)) {
        struct line there; /* as the published figures were measured */
        is_modelled = !is_speech;
        if (k && line_of_model(&there, model, host, model->speech.published_tokens,
                               max_batch)) {
            double scale = scale_of_anchor(k, &there, max_batch, copy);
            line.fixed_s *= scale;
            line.per_sample_s *= scale;
        } else if (host->calibration->provenance > provenance) {
            provenance = host->calibration->provenance;
        }
    } else if (
        k) { /* one figure and no model of the rest: all of it grows with the batch */
        line.per_sample_s =
            k->latency_s > 0 ? latency_on_gpu_s(k, copy) : 1 / k->throughput;
    } else {
        snprintf(
            why, cap,
            "nothing is known about %s on %s: the catalogue has no published latency "
            "or throughput, and %s has no %s units or no profile",
            model->name, device->name, device->name, nf_precision_name(model->precision));
        return false;
    }
    *cost = (struct nf_dnn_cost){.fixed_s = line.fixed_s,
                                 .per_sample_s = line.per_sample_s,
                                 .copy_s = copy,
                                 .batch = max_batch,
                                 .is_padded = model->law == NF_BATCH_PADDED,
                                 .weight_bytes = model->weight_bytes,
                                 .provenance = provenance};
    if (is_modelled) {
        mark_range(cost, &host->calibration->network);
    }
    return true;
}
