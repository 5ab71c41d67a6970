/*
 * calibration.h - a device's measured behaviour: a few constants per class of operation.
 *
 * What:   time of an operation with W operations and B bytes:
 *             t = t0 + [ (W/(ec F))^p + (B/(em BW))^p ]^(1/p)
 *         with the data-sheet peaks F and BW of the device and efficiencies
 *         0 < ec, em <= 1. What counts as W and B of each class stands in README.md here.
 * Source: the constants and their origin stand in results/calibration/NAME.yaml; the file's
 *         SHA-256 is kept in every result.
 * Units:  s, byte/s; efficiencies and exponents have none.
 */
#ifndef NF_PERF_CALIBRATION_H
#define NF_PERF_CALIBRATION_H

#include "perf/device.h"

struct nf_curve {
    double t0_s;
    double ec; /* 0: no compute term */
    double em; /* 0: the profile does not have this class */
    double p;
    double extra; /* gemm: q of the activations' quantise pass, 0: none;
                   * decode attention: c1 in s; else 0 */
};

enum { NF_RANKS_MAX_LOG2 = 3 }; /* all-reduce constants for 2, 4 and 8 ranks */

struct nf_allreduce {
    double t0_s, bus_bandwidth; /* byte/s; 0: not known */
};

struct nf_calibration {
    const char *name;                    /* profile name */
    const char *device;                  /* device it belongs to */
    const char *sha256;                  /* identity of the file */
    enum nf_provenance provenance;       /* the weakest of the profile's figures */
    struct nf_curve gemm[NF_PRECISIONS]; /* of language models */
    struct nf_curve
        network; /* whole engines (convolutions, encoders), at any precision */
    struct nf_curve prefill_attention;
    struct nf_curve decode_attention;
    struct nf_curve elementwise; /* t0_s per fused pass, em */
    struct nf_allreduce allreduce[NF_RANKS_MAX_LOG2];
    double mixed_factor; /* mu: decode attention inside a step that also prefills */
};

/* Where work runs: devices of one kind that share it, and what was measured on one of them. */
struct nf_host {
    const struct nf_device *device;
    const struct nf_calibration *calibration; /* NULL: none */
    unsigned ranks; /* tensor-parallel devices; 1 for networks */
};

#endif
