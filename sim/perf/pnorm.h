/*
 * pnorm.h - PN(a, b, p) = (a^p + b^p)^(1/p) for a fixed p, without pow in the hot path.
 *
 * What:   how compute time a and memory time b of one operation combine: p = 1 adds them,
 *         p -> infinity takes the larger one, measured operations lie between.
 *         With r = min/max in [0, 1]: PN = max * g(r), g(r) = (1 + r^p)^(1/p). g is kept at
 *         129 points and joined by straight lines.
 * Why:    a step of an LLM has six of them: 82 ns with pow, 7 ns with the table (README.md).
 * Error:  at most 2.5e-4 of the value for 1 <= p <= 20 (test), against the 5-15 % by which
 *         the model itself misses single measurements.
 * Cost:   one division, one multiply-add; 1 kB a table.
 * Source: form and exponents: the calibration profiles, results/calibration/README.md.
 */
#ifndef NF_PERF_PNORM_H
#define NF_PERF_PNORM_H

enum { NF_PNORM_CELLS = 128 };

struct nf_pnorm {
    double g[NF_PNORM_CELLS + 2]; /* the last one repeats: r = 1 has a cell, too */
};

/* Requires p >= 1. */
void nf_pnorm_init(struct nf_pnorm *n, double p);

/* Requires a, b >= 0. */
static inline double nf_pnorm(const struct nf_pnorm *n, double a, double b)
{
    double high = a > b ? a : b;
    double low = a > b ? b : a;
    if (!(high > 0)) {
        return 0;
    }
    double x = low / high * NF_PNORM_CELLS;
    int cell = (int)x;
    return high * (n->g[cell] + (x - cell) * (n->g[cell + 1] - n->g[cell]));
}

#endif
