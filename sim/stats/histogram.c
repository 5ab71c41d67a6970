/* histogram.c - see histogram.h. */
#include "stats/histogram.h"

#include <math.h>
#include <string.h>

#include "base/arena.h"

enum {
    BINS = 1 << NF_HIST_BITS, /* of every octave but the first, which has twice as many */
    OCTAVES = 53              /* reached by values below 2^63 */
};
_Static_assert((int)NF_HIST_OCTAVES > (int)OCTAVES,
               "one spare octave, where negative values land and are found");

static size_t bins_of(unsigned octave)
{
    return octave == 0 ? 2 * BINS : BINS;
}

static size_t bin_of(int64_t v, unsigned octave)
{
    return octave == 0 ? (size_t)v : (size_t)(v >> octave) - BINS;
}

/* Midpoint of the whole numbers in a bin, or the one number in it. */
static double representative(unsigned octave, size_t bin)
{
    if (octave == 0) {
        return (double)bin;
    }
    uint64_t first = (uint64_t)(bin + BINS) << octave;
    return (double)first + ((double)(UINT64_C(1) << octave) - 1) / 2;
}

void nf_histogram_init(struct nf_histogram *h)
{
    memset(h, 0, sizeof *h);
    h->min = INT64_MAX;
    h->max = INT64_MIN;
}

void nf_histogram_fini(struct nf_histogram *h)
{
    for (size_t o = 0; o < NF_HIST_OCTAVES; o++) {
        nf_mem_free(h->octave[o]);
    }
    nf_histogram_init(h);
}

static void zero_octave(struct nf_histogram *h, unsigned octave)
{
    memset(h->octave[octave], 0, bins_of(octave) * sizeof *h->octave[octave]);
}

void nf_histogram_clear(struct nf_histogram *h)
{
    for (unsigned o = 0; o < OCTAVES; o++) {
        if (h->octave[o] != NULL) {
            zero_octave(h, o);
        }
    }
    h->count = h->sum_low = h->sum_high = 0;
    h->min = INT64_MAX;
    h->max = INT64_MIN;
}

void nf_histogram_touch(struct nf_histogram *h, unsigned octave)
{
    NF_ASSERT(octave < OCTAVES && "an observation is not negative");
    if (h->octave[octave] == NULL) {
        h->octave[octave] =
            nf_mem_resize(NULL, bins_of(octave), sizeof *h->octave[octave]);
        zero_octave(h, octave);
    }
}

void nf_histogram_add_n(struct nf_histogram *h, int64_t v, uint64_t n)
{
    if (n == 0) {
        return;
    }
    unsigned o = nf_histogram_octave(v);
    nf_histogram_touch(h, o);
    h->octave[o][bin_of(v, o)] += n;
    h->count += n;
    /* n * v in 128 bits, by halves */
    uint64_t v0 = (uint64_t)v & UINT32_MAX, v1 = (uint64_t)v >> 32;
    uint64_t n0 = n & UINT32_MAX, n1 = n >> 32;
    uint64_t middle = v1 * n0 + (v0 * n0 >> 32);
    uint64_t cross = v0 * n1 + (middle & UINT32_MAX);
    uint64_t low = (uint64_t)v * n;
    h->sum_low += low;
    h->sum_high += v1 * n1 + (middle >> 32) + (cross >> 32) + (h->sum_low < low);
    h->max = v > h->max ? v : h->max;
    h->min = v < h->min ? v : h->min;
}

void nf_histogram_merge(struct nf_histogram *into, const struct nf_histogram *from)
{
    for (unsigned o = 0; o < OCTAVES; o++) {
        if (from->octave[o] == NULL) {
            continue;
        }
        nf_histogram_touch(into, o);
        for (size_t b = 0; b < bins_of(o); b++) {
            into->octave[o][b] += from->octave[o][b];
        }
    }
    into->count += from->count;
    into->sum_low += from->sum_low;
    into->sum_high += from->sum_high + (into->sum_low < from->sum_low);
    into->min = from->min < into->min ? from->min : into->min;
    into->max = from->max > into->max ? from->max : into->max;
}

uint64_t nf_quantile_rank(double q, uint64_t n)
{
    NF_ASSERT(q >= 0 && q <= 1 && n >= 1);
    double product = q * (double)n;
    double whole = nearbyint(product);
    double rank = fabs(product - whole) <= 0x1p-50 * product ? whole : ceil(product);
    if (rank < 1) {
        return 1;
    }
    return rank >= (double)n ? n : (uint64_t)rank;
}

double nf_histogram_quantile(const struct nf_histogram *h, double q)
{
    if (h->count == 0) {
        return (double)NAN;
    }
    uint64_t left = nf_quantile_rank(q, h->count);
    for (unsigned o = 0; o < OCTAVES; o++) {
        for (size_t b = 0; h->octave[o] != NULL && b < bins_of(o); b++) {
            if (h->octave[o][b] >= left) {
                return fmin(fmax(representative(o, b), (double)h->min), (double)h->max);
            }
            left -= h->octave[o][b];
        }
    }
    nf_bug("the bins hold as many observations as were counted", __FILE__, __LINE__);
}

double nf_histogram_sum(const struct nf_histogram *h)
{
    return (double)h->sum_high * 0x1p64 + (double)h->sum_low;
}

double nf_histogram_mean(const struct nf_histogram *h)
{
    return h->count == 0 ? (double)NAN : nf_histogram_sum(h) / (double)h->count;
}

double nf_histogram_representative(int64_t v)
{
    NF_ASSERT(v >= 0);
    unsigned o = nf_histogram_octave(v);
    return representative(o, bin_of(v, o));
}

uint64_t nf_histogram_count_to(const struct nf_histogram *h, int64_t v)
{
    if (v < 0) {
        return 0;
    }
    unsigned last = nf_histogram_octave(v);
    uint64_t count = 0;
    for (unsigned o = 0; o <= last; o++) {
        size_t end = o == last ? bin_of(v, o) + 1 : bins_of(o);
        for (size_t b = 0; h->octave[o] != NULL && b < end; b++) {
            count += h->octave[o][b];
        }
    }
    return count;
}

int nf_histogram_next(const struct nf_histogram *h, uint64_t *cursor, double *value_ns,
                      uint64_t *count)
{
    /* The cursor numbers all bins of all octaves; octave o > 0 starts at (o + 1) * BINS. */
    while (*cursor < (uint64_t)(OCTAVES + 1) * BINS) {
        unsigned o = *cursor < 2 * BINS ? 0 : (unsigned)(*cursor / BINS) - 1;
        if (h->octave[o] == NULL) {
            *cursor = (uint64_t)(o + 2) * BINS;
            continue;
        }
        size_t b = (size_t)(o == 0 ? *cursor : *cursor % BINS);
        ++*cursor;
        if (h->octave[o][b] != 0) {
            *value_ns = representative(o, b);
            *count = h->octave[o][b];
            return 1;
        }
    }
    return 0;
}
