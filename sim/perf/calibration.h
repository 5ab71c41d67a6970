/*
 * calibration.h - a device's measured behaviour: a few constants per class of operation.
 *
 * What:   time of an operation with W operations and B bytes, in essence
 *             t = t0 + [ (W/(ec F))^p + (B/(em BW))^p ]^(1/p)
 *         with the data-sheet peaks F and BW of the device and efficiencies
 *         0 < ec, em <= 1. operator.h evaluates it, with the refinements of each class.
 * Source: the constants and their origin stand in results/calibration/NAME.yaml; the file's
 *         SHA-256 is kept in every result.
 * Units:  s, byte/s; efficiencies and exponents have none.
 */
#ifndef NF_PERF_CALIBRATION_H
#define NF_PERF_CALIBRATION_H

#include <stdbool.h>
#include <stddef.h>

#include "perf/device.h"

/* A class of operations. The first four numbers are the model; the others refine it where measurements ask for it and are 0 where they
 * do not. operator.h has the formula of each class. */
struct nf_curve {
    double t0_s;
    double ec; /* 0: no compute term */
    double em; /* 0: the profile does not have this class */
    double p;
    double extra; /* gemm: q of the activations' quantise pass, 0: none;
                   * decode attention: c1 in s; else 0 */
    /* gemm */
    double t0_log_s; /* more start-up time for each e-fold of k beyond 1024 */
    double k_fill;   /* columns of k that every output tile computes besides its own */
    double k_start;  /* columns of k that it reads besides its own */
    double n_start;  /* rows of weights that are read besides n */
    /* output tiles of 128 x 128 missing before all multiprocessors work */
    double tile_fill;
    double wave; /* 0 to 1: how much of the last wave's idle share is felt */
    /* 0 to 1: share of the activations that each further wave of tiles reads * from memory again */
    double reread;
    double slowdown; /* exponent by which long operations slow down; prefill, too */
    double em_drop;  /* 0 to 1: share of em lost from m = 1 to m = 64 */
    double p_growth; /* of ln(p - 1) for each e-fold of the matrix */
    /* prefill attention */
    /* times 2 d bytes a token and KV head; 0: 2, keys and values once */
    double kv_weight;
    double tile_s; /* of the longest sequence, for each 128 tokens */
    /* decode attention */
    double query_head_s; /* beside c1, for each query head */
    double doubling_s;   /* for each doubling of the mean length beyond 256 */
    /* all-reduce (see struct nf_allreduce) and copies over PCIe */
    double bus_bandwidth, two_shot_s;
    double each_s; /* launches: for each kernel */
    /* what the benchmark saw when its data stayed in the L2 cache: memory is 1 + this times as fast. Serving reads other layers'
     * data in between and never sees it. */
    double cache_speedup;
    /* Valid range: the shortest and the longest measured time that was fitted; 0, 0: not known. */
    double shortest_s, longest_s;
};

enum { NF_RANKS_MAX_LOG2 = 3 }; /* all-reduce constants for 2, 4 and 8 ranks */

struct nf_allreduce {
    double t0_s, bus_bandwidth; /* byte/s; 0: not known */
    double two_shot_s; /* what scattering first costs more; 0: it always scatters */
    double shortest_s, longest_s; /* valid range; 0, 0: not known */
};

/* Copies over PCIe: t = t0 + bytes/bus_bandwidth. Pinned: from or to page-locked memory of the host. */
enum nf_copy {
    NF_COPY_TO_DEVICE,
    NF_COPY_TO_HOST,
    NF_COPY_TO_DEVICE_PAGEABLE,
    NF_COPY_TO_HOST_PAGEABLE,
    NF_COPIES
};
/* "to_device", "to_host_pageable", ...: the keys of a profile. */
extern const char *const nf_copy_names[NF_COPIES + 1];

/* So many kernels in a row, one by one or as one graph: t = t0 + n each. */
/* Of n kernels, one by one or as one graph: time on the device, of the host until the call returns, of the host until all is done. */
enum nf_launch {
    NF_LAUNCH_KERNELS,
    NF_LAUNCH_GRAPH,
    NF_LAUNCH_KERNELS_ENQUEUE,
    NF_LAUNCH_GRAPH_ENQUEUE,
    NF_LAUNCH_KERNELS_ROUND_TRIP,
    NF_LAUNCH_GRAPH_ROUND_TRIP,
    NF_LAUNCHES
};
extern const char *const nf_launch_names[NF_LAUNCHES + 1];

struct nf_calibration {
    const char *name;   /* profile name */
    const char *device; /* device it belongs to */
    const char *sha256; /* identity of the file */
    bool is_own; /* called as its device: the one that counts unless another is named */
    enum nf_provenance provenance;       /* the weakest of the profile's figures */
    struct nf_curve gemm[NF_PRECISIONS]; /* of language models */
    /* whole engines (convolutions, encoders), at any precision */
    struct nf_curve network;
    struct nf_curve prefill_attention;
    struct nf_curve decode_attention;
    struct nf_curve encoder_attention; /* not causal: encoders, diffusion */
    struct nf_curve elementwise;       /* t0_s per fused pass, em */
    struct nf_curve quantize; /* the pass before an 8-bit product, where the product's own
                                  * constants do not hold it (its `extra`) */
    struct nf_curve convolution; /* one layer, 16 bits */
    struct nf_curve copy[NF_COPIES];
    struct nf_curve launch[NF_LAUNCHES];
    /* over tens of thousands of tokens, none masked; 0: not known */
    double long_attention_ec;
    struct nf_allreduce allreduce[NF_RANKS_MAX_LOG2];
    double mixed_factor; /* mu: decode attention inside a step that also prefills */
};

/* A profile holds for operations that take as long as those that it was fitted to, and this much less or more. */
#define NF_RANGE_MARGIN 0.1

/* Work outside that range, one bit each; 0: none. What states no range is never outside. */
enum nf_outside {
    NF_OUTSIDE_LAYERS_SHORT = 1 << 0, /* products, passes and all-reduces, by tokens */
    NF_OUTSIDE_LAYERS_LONG = 1 << 1,
    NF_OUTSIDE_HEAD_SHORT = 1 << 2,
    NF_OUTSIDE_HEAD_LONG = 1 << 3,
    NF_OUTSIDE_PREFILL_SHORT = 1 << 4,
    NF_OUTSIDE_PREFILL_LONG = 1 << 5,
    NF_OUTSIDE_DECODE_SHORT = 1 << 6,
    NF_OUTSIDE_DECODE_LONG = 1 << 7,
    NF_OUTSIDE_BATCH_SHORT = 1 << 8, /* of a network, or a generated picture's block */
    NF_OUTSIDE_BATCH_LONG = 1 << 9
};
enum { NF_OUTSIDE_KINDS = 10 };
extern const char
    *const nf_outside_names[NF_OUTSIDE_KINDS]; /* "decode attention longer" */

static inline bool nf_is_shorter(double seconds, double shortest_s)
{
    return seconds * (1 + NF_RANGE_MARGIN) < shortest_s;
}

static inline bool nf_is_longer(double seconds, double longest_s)
{
    return longest_s > 0 && seconds > longest_s * (1 + NF_RANGE_MARGIN);
}

/* Where work runs: devices of one kind that share it, and what was measured on one of them. */
/* The all-reduce of 2, 4 or 8 ranks; NULL for another number. */
static inline const struct nf_allreduce *
nf_calibration_allreduce(const struct nf_calibration *c, unsigned ranks)
{
    return ranks == 2 || ranks == 4 || ranks == 8 ? &c->allreduce[ranks >> 2] : NULL;
}

struct nf_host {
    const struct nf_device *device;
    const struct nf_calibration *calibration; /* NULL: none */
    unsigned ranks; /* tensor-parallel devices; 1 for networks */
};

#endif
