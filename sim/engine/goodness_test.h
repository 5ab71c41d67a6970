/*
 * goodness_test.h - does a sample follow a distribution? For tests only.
 *
 * What:   two statistics that are compared with their own null distribution: Kolmogorov-Smirnov (shape as a whole) and
 *         chi-square over cells of equal probability (local errors, such as one bad layer of a ziggurat).
 * Use:    seeds are fixed, so a test that passes once passes always; P_MIN says how rare a sample a test still accepts.
 */
#ifndef NF_ENGINE_GOODNESS_TEST_H
#define NF_ENGINE_GOODNESS_TEST_H

#include <stddef.h>

#define P_MIN 0.001

typedef double (*nf_cdf)(double x, const void *parameters);

/* Probability that a sample of the distribution is at least as far from its CDF as x[0..n) is. Sorts x. */
double nf_goodness_ks(double *x, size_t n, nf_cdf cdf, const void *parameters);

/* The same by chi-square over `cells` cells of equal probability. */
double nf_goodness_chi2(const double *x, size_t n, size_t cells, nf_cdf cdf,
                        const void *parameters);

/* The same for counts that should be equal. */
double nf_goodness_equal(const double *counts, size_t cells);

#endif
