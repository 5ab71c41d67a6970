/*
 * calibration.h - a device's measured behaviour: a few constants per class of operation.
 *
 * What:   time of an operation with W operations and B bytes:
 *             t = t0 + [ (W/(ec F))^p + (B/(em BW))^p ]^(1/p)
 *         with the data-sheet peaks F and BW of the device and efficiencies 0 < ec, em <= 1.
 * Source: ../shared reference "inference models" section 6; the constants and their origin stand in results/calibration/NAME.yaml,
 *         whose SHA-256 is kept in every result.
 */
#ifndef NF_PERF_CALIBRATION_H
#define NF_PERF_CALIBRATION_H

#include "perf/device.h"

struct nf_curve {
    double t0_s;
    double ec; /* 0: no compute term */
    double em;
    double p;
    double extra; /* gemm fp8: q of the quantise pass (0: none); decode attention: c1 in s; else 0 */
};

enum { NF_RANKS_MAX_LOG2 = 3 }; /* all-reduce constants for 2, 4 and 8 ranks */

struct nf_allreduce {
    double t0_s, bus_bandwidth; /* byte/s; 0: not known */
};

struct nf_calibration {
    const char *name;   /* profile name */
    const char *device; /* device it belongs to */
    const char *sha256; /* identity of the file */
    enum nf_provenance provenance;
    struct nf_curve gemm[NF_PRECISIONS]; /* em == 0: not in the profile */
    struct nf_curve prefill_attention;
    struct nf_curve decode_attention;
    struct nf_curve elementwise; /* t0_s per fused pass, em */
    struct nf_allreduce allreduce[NF_RANKS_MAX_LOG2];
    double mixed_factor; /* mu: decode attention inside a step that also prefills */
};

#endif
