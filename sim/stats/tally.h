/*
 * tally.h - mean and variance of observations, and of values that hold over time.
 *
 * What:   nf_tally: Welford's recurrence (Welford 1962) with minimum and maximum; nf_timeavg: integral of a step function.
 * Units:  the caller's; time in nanoseconds.
 */
#ifndef NF_STATS_TALLY_H
#define NF_STATS_TALLY_H

#include <stdint.h>

#include "base/status.h"

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

/*
 * Time average of an integer level that changes at events. Starts when nf_timeavg_reset is called.
 * Cost: one multiplication, an add with carry, two branches that are never taken; no call.
 * Invariants:
 *  1. (high, low) is the integral of the level from start_ns to last_ns, exactly, as a 128-bit two's complement number of
 *     level-nanoseconds: it cannot overflow (|level| < 2^63, time < 2^63 ns).
 *  2. start_ns <= last_ns; time never runs backwards (our bug).
 *  3. max is the largest level since the reset, the level at the reset included.
 */
struct nf_timeavg {
    int64_t start_ns, last_ns;
    int64_t level, max;
    uint64_t low;
    int64_t high;
};

void nf_timeavg_reset(struct nf_timeavg *a, int64_t now_ns); /* keeps the level */
/* The rare rest of nf_timeavg_advance: a product beyond 64 bits, or time that ran backwards. */
void nf_timeavg_advance_wide(struct nf_timeavg *a, int64_t now_ns);

static inline void nf_timeavg_advance(struct nf_timeavg *a, int64_t now_ns)
{
    int64_t area;
    if (NF_UNLIKELY(now_ns < a->last_ns ||
                    __builtin_mul_overflow(a->level, now_ns - a->last_ns, &area))) {
        nf_timeavg_advance_wide(a, now_ns);
        return;
    }
    a->low += (uint64_t)area;
    a->high += (int64_t)(a->low < (uint64_t)area) - (int64_t)(area < 0);
    a->last_ns = now_ns;
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

/* Level-nanoseconds up to the last change, modulo 2^64: for checks of identities between integrals. */
static inline uint64_t nf_timeavg_integral_ns(const struct nf_timeavg *a)
{
    return a->low;
}

/* Level-seconds up to the last change; within 2 ulp. */
double nf_timeavg_integral_s(const struct nf_timeavg *a);
/* Mean level from the reset to now_ns >= last_ns; the level itself when no time has passed. */
double nf_timeavg_mean(const struct nf_timeavg *a, int64_t now_ns);

/*
 * The same integral for a level that goes up and down by one, where a change is far more frequent than a look at the integral:
 *     integral from start to t = level(t) * t - level(start) * start - (sum of the times of steps up) + (sum of the times of steps down)
 * Cost: a change is one 128-bit addition, without multiplication or branch. The time of a change is not checked against the last.
 * Invariant: (high, low) + level * t is the integral from the reset to t, exactly, as a 128-bit two's complement number.
 * A struct of zeros is a level of 0 that starts at time 0.
 */
struct nf_level {
    int64_t level;
    uint64_t low, high;
};

static inline void nf_level_up(struct nf_level *l, int64_t now_ns)
{
    l->level++;
    l->high -= __builtin_sub_overflow(l->low, (uint64_t)now_ns, &l->low);
}

static inline void nf_level_down(struct nf_level *l, int64_t now_ns)
{
    l->level--;
    l->high += __builtin_add_overflow(l->low, (uint64_t)now_ns, &l->low);
}

void nf_level_reset(struct nf_level *l, int64_t now_ns); /* keeps the level */
/* Level-nanoseconds up to now_ns, modulo 2^64. */
static inline uint64_t nf_level_integral_ns(const struct nf_level *l, int64_t now_ns)
{
    return l->low + (uint64_t)l->level * (uint64_t)now_ns;
}
/* Level-seconds up to now_ns, as nf_timeavg_integral_s would tell them. */
double nf_level_integral_s(const struct nf_level *l, int64_t now_ns);

#endif
