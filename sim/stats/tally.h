/*
 * tally.h - mean and variance of observations, and of values that hold over time.
 *
 * What:   nf_tally: Welford's recurrence (Welford 1962) with minimum and maximum; nf_timeavg: integral of a step function.
 * Units:  the caller's; time in nanoseconds.
 */
#ifndef NF_STATS_TALLY_H
#define NF_STATS_TALLY_H

#include <stdint.h>

struct nf_tally {
    uint64_t count;
    double mean, m2, min, max;
};

static inline void nf_tally_add(struct nf_tally *t, double x)
{
    double delta = x - t->mean;
    t->count++;
    t->mean += delta / (double)t->count;
    t->m2 += delta * (x - t->mean);
    if (t->count == 1 || x < t->min) {
        t->min = x;
    }
    if (t->count == 1 || x > t->max) {
        t->max = x;
    }
}

/* Unbiased; 0 for fewer than two observations. */
double nf_tally_variance(const struct nf_tally *t);
/* As if b's observations had been added to a (Chan et al. 1979). */
void nf_tally_merge(struct nf_tally *a, const struct nf_tally *b);

/* Time average of an integer level that changes at events. Starts when nf_timeavg_reset is called. The integral is exact
 * (128-bit would be needed only beyond level * ns = 2^63; __int128 is avoided by splitting seconds and nanoseconds). */
struct nf_timeavg {
    int64_t start_ns, last_ns;
    int64_t level, max;
    int64_t whole, rest; /* integral in level-seconds and level-nanoseconds (rest < 10^9) */
};

void nf_timeavg_reset(struct nf_timeavg *a, int64_t now_ns); /* keeps the level */
static inline void nf_timeavg_advance(struct nf_timeavg *a, int64_t now_ns)
{
    a->rest += a->level * (now_ns - a->last_ns);
    a->last_ns = now_ns;
    if (__builtin_expect(a->rest >= (INT64_C(1) << 61), 0)) {
        a->whole += a->rest / INT64_C(1000000000);
        a->rest %= INT64_C(1000000000);
    }
}
static inline void nf_timeavg_set(struct nf_timeavg *a, int64_t now_ns, int64_t level)
{
    nf_timeavg_advance(a, now_ns);
    a->level = level;
    if (level > a->max) {
        a->max = level;
    }
}
static inline void nf_timeavg_step(struct nf_timeavg *a, int64_t now_ns, int64_t by)
{
    nf_timeavg_set(a, now_ns, a->level + by);
}
double nf_timeavg_integral_s(const struct nf_timeavg *a); /* level-seconds up to the last change */
double nf_timeavg_mean(const struct nf_timeavg *a, int64_t now_ns);

#endif
