/*
 * timing.h - what to make of a row of time samples: quartiles, and when to stop taking more.
 *
 * Why:    a mean hides a clock drop and a fixed count either wastes the device or stops in the noise.
 * Rule:   at least `least` samples; then stop as soon as the quartile spread is small against the
 *         median (NF_STOP_STEADY), or it has stopped shrinking (NF_STOP_SETTLED: more samples would
 *         not narrow it), or the time or the room for samples is used up. The row says which.
 * Units:  samples in any one unit; spreads are fractions of the median; time in s.
 */
#ifndef NF_KERNELS_TIMING_H
#define NF_KERNELS_TIMING_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct nf_quartiles {
    double q1, median, q3;
};

/* Linear interpolation between order statistics (position p (n - 1)). Sorts `v`. n >= 1. */
struct nf_quartiles nf_quartiles_of(double *v, size_t n);

enum nf_stop { NF_STOP_NOT, NF_STOP_STEADY, NF_STOP_SETTLED, NF_STOP_TIME, NF_STOP_ROOM };
const char *nf_stop_name(enum nf_stop stop);

struct nf_sampling {
    size_t least, most; /* samples; most <= NF_SAMPLES_MAX */
    double spread;      /* (q3 - q1) / median that counts as steady */
    double settled;     /* relative change of the spread that counts as none */
    double limit_s;
};

enum { NF_SAMPLES_MAX = 1024 };

/* Copies to `kept` the samples that were taken within 5 % of the series' median clock, on either side; returns how
 * many, and in *clock_mhz the median of their clocks. The median, not the best: under a power cap the first samples
 * run at a boost clock that the device does not keep, and they are the odd ones. n <= NF_SAMPLES_MAX. */
size_t nf_samples_of_one_clock(const double *samples, const double *mhz, size_t n,
                               double *kept, double *clock_mhz);

/* Looks at the first n samples, taken in elapsed_s. */
enum nf_stop nf_sampling_stop(const struct nf_sampling *rule, const double *samples,
                              size_t n, double elapsed_s);

#ifdef __cplusplus
}
#endif
#endif
