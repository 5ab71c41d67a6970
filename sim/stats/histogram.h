/*
 * histogram.h - every observation of a duration, kept to three significant digits, in memory that does not grow.
 *
 * What:   log-linear bins over int64 nanoseconds: values below 2^11 exactly, above that 1024 bins an octave, so a bin is never
 *         wider than 1/1024 of its value. Octaves are allocated at first touch.
 * Percentile, the one written definition of nearfar: the q-quantile of n observations is the observation of rank
 *         max(1, ceil(q n)) (nearest rank, inverted CDF), told as the representative of its bin: the bin's midpoint, or its
 *         value where the bin holds one integer. It is never told as less than the smallest observation or more than the
 *         largest, which are known exactly. So a percentile differs from the exact order statistic by at most 1/2048 of it.
 * Owner:  caller owns; nf_histogram_fini frees the octaves.
 * Errors: negative values are our bug.
 */
#ifndef NF_STATS_HISTOGRAM_H
#define NF_STATS_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

enum { NF_HIST_BITS = 10, NF_HIST_OCTAVES = 54 };

struct nf_histogram {
    /* NULL until touched; [0] has 2^11 bins of one, the others 2^10 bins. */
    uint64_t *octave[NF_HIST_OCTAVES];
    uint64_t count;
    int64_t min, max; /* INT64_MAX and INT64_MIN when empty */
    /* Nanoseconds, 128 bits: exact, so that merging in any order gives the same mean. */
    uint64_t sum_low, sum_high;
};

void nf_histogram_init(struct nf_histogram *h);
void nf_histogram_fini(struct nf_histogram *h);
/* Warm-up: forget all, keep the memory. */
void nf_histogram_clear(struct nf_histogram *h);
/* Allocate one octave. */
void nf_histogram_touch(struct nf_histogram *h, unsigned octave);
void nf_histogram_merge(struct nf_histogram *into, const struct nf_histogram *from);

/* Octave and bin of a value >= 0. */
static inline unsigned nf_histogram_octave(int64_t v)
{
    unsigned top = 63u - (unsigned)__builtin_clzll((uint64_t)v | 1u);
    return top <= NF_HIST_BITS ? 0 : top - NF_HIST_BITS;
}

static inline void nf_histogram_add(struct nf_histogram *h, int64_t v)
{
    unsigned o = nf_histogram_octave(v);
    if (__builtin_expect(h->octave[o] == NULL, 0)) {
        nf_histogram_touch(h, o);
    }
    uint64_t bin =
        o == 0 ? (uint64_t)v : ((uint64_t)v >> o) - (UINT64_C(1) << NF_HIST_BITS);
    h->octave[o][bin]++;
    h->count++;
    h->sum_low += (uint64_t)v;
    h->sum_high += h->sum_low < (uint64_t)v;
    if (v > h->max) {
        h->max = v;
    }
    if (v < h->min) {
        h->min = v;
    }
}

/* The same observation n times. */
void nf_histogram_add_n(struct nf_histogram *h, int64_t v, uint64_t n);

/* The rank max(1, ceil(q n)) of the q-quantile among n >= 1 observations, at most n. q is the decimal that a person wrote
 * (0.07, not the double beside it): a product within 4 ulp of a whole number counts as that number. */
uint64_t nf_quantile_rank(double q, uint64_t n);

/* The q-quantile in nanoseconds (see the definition above); NAN when empty. q in [0, 1]. */
double nf_histogram_quantile(const struct nf_histogram *h, double q);
/* Mean of the exact sum, ns; NAN when empty. */
double nf_histogram_mean(const struct nf_histogram *h);
double nf_histogram_sum(const struct nf_histogram *h); /* ns */
/* The representative of v's bin: what nf_histogram_quantile returns for an order statistic v, unless that is beyond an extreme. */
double nf_histogram_representative(int64_t v);
/* Number of observations <= v up to bin resolution (whole bins below and including v's). */
uint64_t nf_histogram_count_to(const struct nf_histogram *h, int64_t v);

/* Walk the filled bins upwards: *cursor starts at 0; returns 0 at the end, else 1 with the bin's representative and count. */
int nf_histogram_next(const struct nf_histogram *h, uint64_t *cursor, double *value_ns,
                      uint64_t *count);

#endif
