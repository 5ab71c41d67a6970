/*
 * dist.h - the distributions a scenario may name, each in the parameters people know, sampled from one stream.
 *
 * What:   a tagged value (no heap except tables in the arena given to the maker). nf_dist_sample draws one value.
 * Units:  whatever the scenario says (seconds, tokens, bytes): the same for all parameters of one distribution.
 * Errors: makers return false and a sentence in `why` when parameters are outside their range.
 */
#ifndef NF_ENGINE_DIST_H
#define NF_ENGINE_DIST_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "engine/random.h"

enum nf_dist_kind {
    NF_DIST_CONSTANT,    /* a = value */
    NF_DIST_UNIFORM,     /* a = min, b = max */
    NF_DIST_EXPONENTIAL, /* a = mean */
    NF_DIST_NORMAL, /* a = mean, b = sd; negative draws become 0 (a time or a size cannot be
                                 negative), which .mean takes into account */
    NF_DIST_LOGNORMAL, /* a = mu, b = sigma of the logarithm */
    NF_DIST_GAMMA,     /* a = shape, b = scale */
    NF_DIST_WEIBULL,   /* a = scale, b = shape */
    NF_DIST_PARETO,    /* a = scale (minimum), b = shape */
    NF_DIST_HYPEREXPONENTIAL, /* a = p, b = mean 1, c = mean 2 (balanced means, from mean and cv >= 1) */
    NF_DIST_EMPIRICAL, /* quantile table, piecewise linear inverse CDF */
    NF_DIST_MIXTURE,   /* weighted parts */
    NF_DIST_KINDS
};

struct nf_dist_table {
    size_t count;
    const double *p; /* cumulative probabilities, 0 first, 1 last, increasing */
    const double *x; /* values, not decreasing */
};

struct nf_dist {
    enum nf_dist_kind kind;
    double a, b, c;
    double shift; /* added to every draw; set by nf_dist_shifted; default 0 */
    double mean;  /* exact mean, filled by the makers; +inf when there is none */
    const struct nf_dist_table *table; /* EMPIRICAL */
    const struct nf_dist *parts;       /* MIXTURE */
    const double *weights;             /* MIXTURE: cumulative, last is 1 */
    size_t part_count;
};

/* Makers. NAN for a parameter that was not given. All values finite, scale parameters > 0 (mean 0 allowed for constant).
 * lognormal: exactly one of (mean, cv) or (median, p99). normal: mean with cv or sd. pareto: min and shape, or mean and shape > 1. */
struct nf_dist nf_dist_constant(double value);
struct nf_dist nf_dist_exponential(double mean);
bool nf_dist_uniform(struct nf_dist *d, double min, double max, const char **why);
bool nf_dist_normal(struct nf_dist *d, double mean, double sd, const char **why);
bool nf_dist_lognormal_moments(struct nf_dist *d, double mean, double cv,
                               const char **why);
bool nf_dist_lognormal_quantiles(struct nf_dist *d, double median, double p99,
                                 const char **why);
bool nf_dist_gamma(struct nf_dist *d, double mean, double cv, const char **why);
bool nf_dist_weibull(struct nf_dist *d, double mean, double cv,
                     const char **why); /* shape solved from cv */
bool nf_dist_pareto(struct nf_dist *d, double minimum, double shape, const char **why);
bool nf_dist_hyperexponential(struct nf_dist *d, double mean, double cv,
                              const char **why);
/* pairs (p, x), p strictly increasing in [0, 1], x not decreasing; ends are extended flat to p = 0 and 1. */
bool nf_dist_empirical(struct nf_dist *d, size_t count, const double *p, const double *x,
                       struct nf_arena *arena, const char **why);
bool nf_dist_mixture(struct nf_dist *d, size_t count, const struct nf_dist *parts,
                     const double *weights, struct nf_arena *arena, const char **why);

/* "exponential", ...; NULL-terminated list of all names. */
const char *nf_dist_name(enum nf_dist_kind kind);
const char *const *nf_dist_names(void);

/* The kinds that nf_dist_sample does not draw itself, without the shift. */
double nf_dist_sample_rest(const struct nf_dist *d, struct nf_stream *s);

/* One draw, >= 0 for all kinds with non-negative parameters. The frequent kinds are drawn inline. */
static inline double nf_dist_sample(const struct nf_dist *d, struct nf_stream *s)
{
    double x;
    if (d->kind == NF_DIST_CONSTANT) {
        x = d->a;
    } else if (d->kind == NF_DIST_EXPONENTIAL) {
        x = d->a * nf_stream_exponential(s);
    } else if (d->kind == NF_DIST_LOGNORMAL) {
        x = exp(d->a + d->b * nf_stream_normal(s));
    } else {
        x = nf_dist_sample_rest(d, s);
    }
    return x + d->shift;
}

/* Add `by` to every draw and to the mean. */
struct nf_dist nf_dist_shifted(struct nf_dist d, double by);

/* Multiply a distribution, shift included, by factor > 0 (a server twice as fast: 0.5). */
struct nf_dist nf_dist_scaled(struct nf_dist d, double factor, struct nf_arena *arena);

#endif
