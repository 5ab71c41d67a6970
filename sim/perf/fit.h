/*
 * fit.h - the constants of a class of operations from measured times.
 *
 * What:   bounded, robust least squares of the logarithm of predicted over measured time on the samples that are not held out. A refinement of
 *         operator.h that does not pay for itself (Bayesian information criterion) is left out again, the least useful first.
 * How:    Levenberg-Marquardt (GSL's gsl_multifit_nlinear). Bounds by parametrisation: efficiencies and shares are logistic in (0, 1),
 *         p = 1 + e^x, times and lengths e^x. Loss: soft L1, 2 s^2 (sqrt(1 + (r/s)^2) - 1) with s = 0.05. No randomness: the same
 *         samples give the same constants.
 * Cost:   7 200 products in 1 to 3 s.
 * Units:  s; errors are fractions of the measured time.
 * Errors: false and a sentence when there are too few samples, or when an efficiency runs into its bound of 1 and the fit is poor.
 */
#ifndef NF_PERF_FIT_H
#define NF_PERF_FIT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/units.h"
#include "perf/samples.h"

/* One constant of a curve: its key in a profile and its place in struct nf_curve. */
struct nf_parameter {
    const char *key;
    enum nf_dimension dimension;
    enum { NF_SHARE, NF_ABOVE_ONE, NF_POSITIVE } bound;
    size_t offset;
    double start;
    bool is_optional;
};

/* The constants that a class of operations may have; *count of them. */
const struct nf_parameter *nf_parameters(enum nf_operation operation, size_t *count);

double *nf_parameter_of(struct nf_curve *c, const struct nf_parameter *p);

struct nf_error {
    size_t rows;
    double median, p90, bias; /* bias: median of signed errors; all NAN without rows */
};

struct nf_fit {
    struct nf_curve curve;
    size_t sites, held_out_sites;
    struct nf_error fitted, held_out;
    bool is_at_bound; /* an efficiency is 1: the device runs at or above its data sheet */
    double shortest_s, longest_s; /* measured times that were fitted: the valid range */
};

/* Predicted seconds of a sample; MIXED needs `beside` and mixed_factor. */
double nf_sample_s(const struct nf_sample *s, const struct nf_device *device,
                   const struct nf_calibration *calibration);

/* Rows of one operation (and precision) of one device. */
struct nf_fit_rows {
    struct nf_sample *const *samples;
    size_t count;
    const struct nf_device *device;
    /* few shapes, each the median of many executions: below 40 rows are fitted, too, without refinements */
    bool is_few;
};

/* Fit them; rows in the cache, held out or not predicted take no part. False, with a sentence in `why` (cap bytes), otherwise. */
bool nf_fit_curve(const struct nf_fit_rows *rows, struct nf_arena *arena,
                  struct nf_fit *out, char *why, size_t cap);

/* Of relative errors; sorts them. */
struct nf_error nf_error_of(double *errors, size_t count);

#endif
