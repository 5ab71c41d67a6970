/* tally.c - see tally.h. */
#include "stats/tally.h"

double nf_tally_variance(const struct nf_tally *t)
{
    return t->count < 2 ? 0 : t->m2 / (double)(t->count - 1);
}

/* Chan, Golub, LeVeque: Updating formulae and a pairwise algorithm for computing sample variances (1979), eq. 1.5. */
void nf_tally_merge(struct nf_tally *a, const struct nf_tally *b)
{
    if (b->count == 0) {
        return;
    }
    if (a->count == 0) {
        *a = *b;
        return;
    }
    double na = (double)a->count, nb = (double)b->count, delta = b->mean - a->mean;
    a->count += b->count;
    a->mean += delta * (nb / (na + nb));
    a->m2 += b->m2 + delta * delta * (na / (na + nb)) * nb;
    a->min = b->min < a->min ? b->min : a->min;
    a->max = b->max > a->max ? b->max : a->max;
}

void nf_timeavg_reset(struct nf_timeavg *a, int64_t now_ns)
{
    a->start_ns = a->last_ns = now_ns;
    a->max = a->level;
    a->low = 0;
    a->high = 0;
}

void nf_timeavg_advance_wide(struct nf_timeavg *a, int64_t now_ns)
{
    NF_ASSERT(now_ns >= a->last_ns && "time does not run backwards");
    NF_ASSERT(a->last_ns >= 0 || now_ns < INT64_MAX + a->last_ns);
    /* Schoolbook product of |level| and the time in 32-bit halves: 64 x 64 -> 128 bits without a wider type. */
    uint64_t x = a->level < 0 ? 0 - (uint64_t)a->level : (uint64_t)a->level;
    uint64_t y = (uint64_t)(now_ns - a->last_ns);
    uint64_t x0 = x & UINT32_MAX, x1 = x >> 32, y0 = y & UINT32_MAX, y1 = y >> 32;
    uint64_t middle = x1 * y0 + (x0 * y0 >> 32);
    uint64_t cross = x0 * y1 + (middle & UINT32_MAX);
    uint64_t high = x1 * y1 + (middle >> 32) + (cross >> 32);
    uint64_t low = x * y;
    if (a->level < 0) {
        low = 0 - low;
        high = ~high + (low == 0);
    }
    a->low += low;
    a->high = (int64_t)((uint64_t)a->high + high + (a->low < low));
    a->last_ns = now_ns;
}

/* The integral in level-nanoseconds. The sign is taken off first: -1 * 2^64 + (2^64 - 1) would lose all its digits. */
static double integral_ns(const struct nf_timeavg *a)
{
    uint64_t high = (uint64_t)a->high, low = a->low;
    if (a->high < 0) {
        low = 0 - low;
        high = ~high + (low == 0);
    }
    double size = (double)high * 0x1p64 + (double)low;
    return a->high < 0 ? -size : size;
}

double nf_timeavg_integral_s(const struct nf_timeavg *a)
{
    return integral_ns(a) / 1e9;
}

double nf_timeavg_mean(const struct nf_timeavg *a, int64_t now_ns)
{
    struct nf_timeavg until_now = *a;
    nf_timeavg_advance(&until_now, now_ns);
    int64_t span = now_ns - a->start_ns;
    return span == 0 ? (double)a->level : integral_ns(&until_now) / (double)span;
}

/* What the level adds to (high, low) when it is looked at: level * now. */
static struct nf_timeavg at_time(const struct nf_level *l, int64_t now_ns)
{
    struct nf_timeavg a = {.level = l->level, .low = l->low, .high = (int64_t)l->high};
    nf_timeavg_advance(&a, now_ns);
    return a;
}

void nf_level_reset(struct nf_level *l, int64_t now_ns)
{
    l->low = l->high = 0;
    struct nf_timeavg a = at_time(l, now_ns);
    l->low = 0 - a.low;
    l->high = ~(uint64_t)a.high + (l->low == 0);
}

double nf_level_integral_s(const struct nf_level *l, int64_t now_ns)
{
    struct nf_timeavg a = at_time(l, now_ns);
    return nf_timeavg_integral_s(&a);
}
