/*
 * dnn.h - what one batch of a detector, classifier or encoder takes on one GPU:
 * T(b) = a + c b, elastic or padded.
 *
 * What:   elastic: a dynamic-shape engine, time grows with the fill; padded: a static-shape
 *         engine, every batch costs a + c B. The two differ by 2-16 in latency at low load,
 *         so the law is a property of the model's entry in the catalogue.
 * Source: a and c from two published anchors of (model, device) where they exist (batch-1
 *         latency, throughput); with one anchor the operation model gives the ratio a : c
 *         and the anchor the scale; with none, the operation model alone (`derived`):
 *             T(b) = t0 + PN(b W/(ec F), (weights + b activations)/(em BW), p)
 *         read at b = 1 and b = B. Of speech models, T(b) is that of speech.h instead.
 * Cost:   one multiply-add a batch.
 * Units:  s, byte, operations (a multiply-add is two).
 */
#ifndef NF_PERF_DNN_H
#define NF_PERF_DNN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "perf/calibration.h"
#include "perf/speech.h"

enum nf_batch_law { NF_BATCH_ELASTIC, NF_BATCH_PADDED };

/* An anchor of one model on one device. */
struct nf_dnn_anchor {
    const char *device;
    double latency_s;  /* one sample alone, device time; 0: not known */
    double throughput; /* samples/s at a full batch; 0: not known */
    unsigned batch;    /* the batch that throughput used;
                        * 0: not known (taken as large: c = 1/throughput) */
    enum nf_provenance provenance;
    const char *source;
};

struct nf_dnn_model {
    const char *name;
    double parameters;
    double work; /* operations a sample */
    double weight_bytes;
    double activation_bytes; /* memory traffic a sample besides weights */
    double input_bytes;
    /* of one sample, at once on the device besides its input; 0: not known */
    double live_bytes;
    enum nf_precision precision;
    enum nf_batch_law law;
    struct nf_speech speech; /* an encoder and a decoder; encoder_layers 0: one network */
    const struct nf_dnn_anchor *anchors;
    size_t anchor_count;
};

struct nf_dnn_cost {
    double fixed_s, per_sample_s; /* a, c: the GPU is held */
    /* Before and after, of one sample; they hold the host's thread and the copy engine of the GPU, so that they overlap with the
     * computation of other batches where more than one is under way. */
    double prepare_s, copy_s, finish_s;
    unsigned batch; /* B: the largest batch, and what a padded engine computes */
    bool is_padded;
    double weight_bytes;
    enum nf_provenance provenance;
    /* Batches between these sizes are inside the profile's valid range; has_range false: it states none, or anchors alone decide. */
    bool has_range;
    unsigned inside_low, inside_high;
};

/* What of a batch of `samples` lies outside the profile's valid range (enum nf_outside). */
static inline unsigned nf_dnn_outside(const struct nf_dnn_cost *c, unsigned samples)
{
    return !c->has_range              ? 0
           : samples < c->inside_low  ? NF_OUTSIDE_BATCH_SHORT
           : samples > c->inside_high ? NF_OUTSIDE_BATCH_LONG
                                      : 0;
}

/* Fills `cost`. Where the host has no calibration, anchors must do.
 * False, with a sentence in `why` (cap bytes), when the model does not fit the device's
 * memory or nothing is known about it there. Requires max_batch >= 1. */
bool nf_dnn_prepare(struct nf_dnn_cost *cost, const struct nf_dnn_model *model,
                    const struct nf_host *host, unsigned max_batch, char *why,
                    size_t cap);

/* Seconds that host, copy engine and GPU take for one batch of `samples` that has them to itself. */
static inline double nf_dnn_alone_s(const struct nf_dnn_cost *c, unsigned samples)
{
    double beside = c->prepare_s + c->copy_s + c->finish_s;
    return beside * (double)samples + c->fixed_s +
           c->per_sample_s * (double)(c->is_padded ? c->batch : samples);
}

/* Seconds that the GPU is held by one batch of `samples`. */
static inline double nf_dnn_batch_s(const struct nf_dnn_cost *c, unsigned samples)
{
    return c->fixed_s + c->per_sample_s * (double)(c->is_padded ? c->batch : samples);
}

#endif
