#include "engine/goodness_test.h"

#include <criterion/criterion.h>
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_sort.h>
#include <math.h>

#include "base/arena.h"
#include "engine/random.h"

/* Asymptotic tail of the Kolmogorov distribution with Stephens' correction for finite n (Stephens 1970, J. R. Stat. Soc. B 32). */
static double kolmogorov_tail(double distance, double n)
{
    double t = distance * (sqrt(n) + 0.12 + 0.11 / sqrt(n)), sum = 0;
    for (int k = 1; k <= 100; k++) {
        sum += (k % 2 == 1 ? 2 : -2) * exp(-2 * k * k * t * t);
    }
    return t < 0.2 ? 1 : sum;
}

double nf_goodness_ks(double *x, size_t n, nf_cdf cdf, const void *parameters)
{
    double distance = 0;
    gsl_sort(x, 1, n);
    for (size_t i = 0; i < n; i++) {
        double p = cdf(x[i], parameters);
        distance = fmax(distance, p - (double)i / (double)n);
        distance = fmax(distance, (double)(i + 1) / (double)n - p);
    }
    return kolmogorov_tail(distance, (double)n);
}

double nf_goodness_equal(const double *counts, size_t cells)
{
    double total = 0, chi2 = 0;
    for (size_t i = 0; i < cells; i++) {
        total += counts[i];
    }
    double expected = total / (double)cells;
    for (size_t i = 0; i < cells; i++) {
        chi2 += (counts[i] - expected) * (counts[i] - expected) / expected;
    }
    return gsl_cdf_chisq_Q(chi2, (double)cells - 1);
}

double nf_goodness_chi2(const double *x, size_t n, size_t cells, nf_cdf cdf,
                        const void *parameters)
{
    double *counts = nf_mem_resize(NULL, cells, sizeof *counts);
    for (size_t i = 0; i < cells; i++) {
        counts[i] = 0;
    }
    for (size_t i = 0; i < n; i++) {
        size_t cell = (size_t)(cdf(x[i], parameters) * (double)cells);
        counts[cell < cells ? cell : cells - 1]++;
    }
    double p = nf_goodness_equal(counts, cells);
    nf_mem_free(counts);
    return p;
}

static double uniform_cdf(double x, const void *parameters)
{
    (void)parameters;
    return x;
}

Test(goodness, rejects_a_sample_that_is_off_by_half_a_percent)
{
    enum { N = 200000 };
    struct nf_stream s;
    double *x = nf_mem_resize(NULL, N, sizeof *x);
    nf_stream_init(&s, 17, 0, "goodness");
    for (int i = 0; i < N; i++) {
        x[i] = pow(nf_stream_uniform(&s), 1.015); /* the CDF moves by up to 0.0055 */
    }
    cr_assert(nf_goodness_chi2(x, N, 50, uniform_cdf, NULL) < P_MIN);
    cr_assert(nf_goodness_ks(x, N, uniform_cdf, NULL) < P_MIN);
    nf_mem_free(x);
}
