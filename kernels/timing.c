#include "timing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double at(const double *sorted, size_t n, double p)
{
    double position = p * (double)(n - 1);
    size_t below = (size_t)position;
    size_t above = below + 1 < n ? below + 1 : below;
    return sorted[below] + (position - (double)below) * (sorted[above] - sorted[below]);
}

struct nf_quartiles nf_quartiles_of(double *v, size_t n)
{
    qsort(v, n, sizeof *v, ascending);
    return (struct nf_quartiles){at(v, n, 0.25), at(v, n, 0.5), at(v, n, 0.75)};
}

const char *nf_stop_name(enum nf_stop stop)
{
    static const char *const names[] = {"running", "steady", "settled", "time", "room"};
    return names[stop];
}

static double spread_of(const double *samples, size_t n)
{
    double copy[NF_SAMPLES_MAX];
    memcpy(copy, samples, n * sizeof *copy);
    struct nf_quartiles q = nf_quartiles_of(copy, n);
    return q.median > 0.0 ? (q.q3 - q.q1) / q.median : (double)INFINITY;
}

size_t nf_samples_of_one_clock(const double *samples, const double *mhz, size_t n,
                               double *kept, double *clock_mhz)
{
    double clocks[NF_SAMPLES_MAX];
    size_t count = 0;
    memcpy(clocks, mhz, n * sizeof *clocks);
    double middle = n > 0 ? nf_quartiles_of(clocks, n).median : 0.0;
    for (size_t i = 0; i < n; i++) {
        if (fabs(mhz[i] - middle) <= 0.05 * middle) {
            clocks[count] = mhz[i];
            kept[count++] = samples[i];
        }
    }
    *clock_mhz = count > 0 ? nf_quartiles_of(clocks, count).median : middle;
    return count;
}

enum nf_stop nf_sampling_stop(const struct nf_sampling *rule, const double *samples,
                              size_t n, double elapsed_s)
{
    if (n < rule->least) {
        return n >= rule->most ? NF_STOP_ROOM : NF_STOP_NOT;
    }
    double spread = spread_of(samples, n);
    if (spread <= rule->spread) {
        return NF_STOP_STEADY;
    }
    /* Twice the least number has to be there before "no longer shrinking" means something. */
    if (n >= 2 * rule->least) {
        double before = spread_of(samples, n / 2);
        if (fabs(spread - before) <= rule->settled * before) {
            return NF_STOP_SETTLED;
        }
    }
    if (n >= rule->most) {
        return NF_STOP_ROOM;
    }
    return elapsed_s >= rule->limit_s ? NF_STOP_TIME : NF_STOP_NOT;
}
