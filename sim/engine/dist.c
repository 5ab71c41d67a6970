#include "engine/dist.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_randist.h>
#include <gsl/gsl_sf_gamma.h>
#include <math.h>

static const double Z_P99 = 2.3263478740408408; /* standard normal quantile of 0.99 */

static const char *const names[] = {
    "constant", "uniform", "exponential",      "normal",    "lognormal", "gamma",
    "weibull",  "pareto",  "hyperexponential", "empirical", "mixture",   NULL,
};
_Static_assert(sizeof names / sizeof *names == NF_DIST_KINDS + 1, "a name for each kind");

const char *nf_dist_name(enum nf_dist_kind kind)
{
    NF_ASSERT((unsigned)kind < NF_DIST_KINDS);
    return names[kind];
}

const char *const *nf_dist_names(void)
{
    return names;
}

static bool refuse(const char **why, const char *reason)
{
    *why = reason;
    return false;
}

static bool is_positive(double x)
{
    return isfinite(x) && x > 0;
}

struct nf_dist nf_dist_constant(double value)
{
    NF_ASSERT(isfinite(value));
    return (struct nf_dist){.kind = NF_DIST_CONSTANT, .a = value, .mean = value};
}

struct nf_dist nf_dist_exponential(double mean)
{
    NF_ASSERT(isfinite(mean) && mean >= 0);
    return (struct nf_dist){.kind = NF_DIST_EXPONENTIAL, .a = mean, .mean = mean};
}

bool nf_dist_uniform(struct nf_dist *d, double min, double max, const char **why)
{
    if (!isfinite(min) || !isfinite(max) || !isfinite(max - min)) {
        return refuse(why, "a uniform distribution needs a finite min and max");
    }
    if (min > max) {
        return refuse(why, "min must not exceed max");
    }
    *d = (struct nf_dist){
        .kind = NF_DIST_UNIFORM, .a = min, .b = max, .mean = min + (max - min) / 2};
    return true;
}

/* Mean of max(0, X) for X normal: m Phi(m/s) + s phi(m/s). */
bool nf_dist_normal(struct nf_dist *d, double mean, double sd, const char **why)
{
    if (!isfinite(mean)) {
        return refuse(why, "a normal distribution needs a finite mean");
    }
    if (!is_positive(sd)) {
        return refuse(why, "the standard deviation must be above 0");
    }
    double z = mean / sd;
    *d = (struct nf_dist){.kind = NF_DIST_NORMAL,
                          .a = mean,
                          .b = sd,
                          .mean = mean * gsl_cdf_ugaussian_P(z) +
                                  sd * gsl_ran_ugaussian_pdf(z)};
    return true;
}

/* sigma^2 = ln(1 + cv^2), mu = ln(mean) - sigma^2 / 2. */
bool nf_dist_lognormal_moments(struct nf_dist *d, double mean, double cv,
                               const char **why)
{
    if (!is_positive(mean) || !is_positive(cv) || !isfinite(cv * cv)) {
        return refuse(why, "a lognormal distribution needs a mean and a cv above 0");
    }
    double variance = log1p(cv * cv);
    *d = (struct nf_dist){.kind = NF_DIST_LOGNORMAL,
                          .a = log(mean) - variance / 2,
                          .b = sqrt(variance),
                          .mean = mean};
    return true;
}

bool nf_dist_lognormal_quantiles(struct nf_dist *d, double median, double p99,
                                 const char **why)
{
    if (!is_positive(median) || !is_positive(p99)) {
        return refuse(why, "a lognormal distribution needs a median and a p99 above 0");
    }
    if (p99 <= median) {
        return refuse(why, "p99 must be above the median");
    }
    double mu = log(median), sigma = log(p99 / median) / Z_P99;
    double mean = exp(mu + sigma * sigma / 2);
    if (!isfinite(mean)) {
        return refuse(why, "p99 is too far above the median: the mean overflows");
    }
    *d = (struct nf_dist){.kind = NF_DIST_LOGNORMAL, .a = mu, .b = sigma, .mean = mean};
    return true;
}

bool nf_dist_gamma(struct nf_dist *d, double mean, double cv, const char **why)
{
    if (!is_positive(mean) || !is_positive(cv)) {
        return refuse(why, "a gamma distribution needs a mean and a cv above 0");
    }
    double shape = 1 / (cv * cv);
    if (!(shape >= 1e-4 && shape <= 1e12)) {
        return refuse(why, "the cv of a gamma distribution must be between 1e-6 and 100");
    }
    *d = (struct nf_dist){
        .kind = NF_DIST_GAMMA, .a = shape, .b = mean / shape, .mean = mean};
    return true;
}

/* ln(1 + cv^2) of a Weibull distribution with the given shape: ln Gamma(1 + 2/k) - 2 ln Gamma(1 + 1/k). */
static double weibull_log_spread(double shape)
{
    return gsl_sf_lngamma(1 + 2 / shape) - 2 * gsl_sf_lngamma(1 + 1 / shape);
}

/* The cv falls as the shape grows: bisection on the logarithm of the shape, down to neighbouring doubles. */
bool nf_dist_weibull(struct nf_dist *d, double mean, double cv, const char **why)
{
    if (!is_positive(mean) || !is_positive(cv)) {
        return refuse(why, "a weibull distribution needs a mean and a cv above 0");
    }
    double low = log(0.1), high = log(1000.0), wanted = log1p(cv * cv);
    if (wanted > weibull_log_spread(exp(low)) || wanted < weibull_log_spread(exp(high))) {
        return refuse(why,
                      "the cv of a weibull distribution must be between 0.0013 and 429");
    }
    for (int i = 0; i < 64; i++) {
        double middle = low + (high - low) / 2;
        if (weibull_log_spread(exp(middle)) > wanted) {
            low = middle;
        } else {
            high = middle;
        }
    }
    double shape = exp(low);
    *d = (struct nf_dist){.kind = NF_DIST_WEIBULL,
                          .a = mean / gsl_sf_gamma(1 + 1 / shape),
                          .b = shape,
                          .mean = mean};
    return true;
}

bool nf_dist_pareto(struct nf_dist *d, double minimum, double shape, const char **why)
{
    if (!is_positive(minimum) || !is_positive(shape)) {
        return refuse(why, "a pareto distribution needs a minimum and a shape above 0");
    }
    *d = (struct nf_dist){.kind = NF_DIST_PARETO,
                          .a = minimum,
                          .b = shape,
                          .mean = shape > 1 ? minimum * shape / (shape - 1) : HUGE_VAL};
    return true;
}

/* Two phases with balanced means, p m1 = (1 - p) m2 (Tijms, A First Course in Stochastic Models, appendix B). */
bool nf_dist_hyperexponential(struct nf_dist *d, double mean, double cv, const char **why)
{
    if (!is_positive(mean)) {
        return refuse(why, "a hyperexponential distribution needs a mean above 0");
    }
    if (!isfinite(cv * cv) || cv < 1) {
        return refuse(why,
                      "the cv of a hyperexponential distribution must be at least 1");
    }
    double c2 = cv * cv,
           rare = 1 / (c2 + 1 + sqrt(c2 * c2 - 1)); /* 1 - p without cancellation */
    *d = (struct nf_dist){.kind = NF_DIST_HYPEREXPONENTIAL,
                          .a = 1 - rare,
                          .b = mean / (2 * (1 - rare)),
                          .c = mean / (2 * rare),
                          .mean = mean};
    return true;
}

static bool check_quantiles(size_t count, const double *p, const double *x,
                            const char **why)
{
    if (count < 2) {
        return refuse(why, "an empirical distribution needs at least two quantiles");
    }
    for (size_t i = 0; i < count; i++) {
        if (!(p[i] >= 0 && p[i] <= 1)) {
            return refuse(why, "probabilities must lie between 0 and 1");
        }
        if (!isfinite(x[i])) {
            return refuse(why, "quantiles must be finite");
        }
        if (i > 0 && p[i] <= p[i - 1]) {
            return refuse(why, "probabilities must increase");
        }
        if (i > 0 && x[i] < x[i - 1]) {
            return refuse(why, "quantiles must not decrease");
        }
    }
    return true;
}

bool nf_dist_empirical(struct nf_dist *d, size_t count, const double *p, const double *x,
                       struct nf_arena *arena, const char **why)
{
    if (!check_quantiles(count, p, x, why)) {
        return false;
    }
    double *tp = NF_NEW_ARRAY(arena, count + 2, double);
    double *tx = NF_NEW_ARRAY(arena, count + 2, double);
    size_t n = 0;
    if (p[0] > 0) {
        tx[n++] = x[0]; /* tp[0] is 0 already */
    }
    for (size_t i = 0; i < count; i++) {
        tp[n] = p[i];
        tx[n++] = x[i];
    }
    if (p[count - 1] < 1) {
        tp[n] = 1;
        tx[n++] = x[count - 1];
    }
    double mean = 0;
    for (size_t i = 1; i < n; i++) {
        mean += (tp[i] - tp[i - 1]) * (tx[i] / 2 + tx[i - 1] / 2);
    }
    struct nf_dist_table *table = NF_NEW(arena, struct nf_dist_table);
    *table = (struct nf_dist_table){n, tp, tx};
    *d = (struct nf_dist){.kind = NF_DIST_EMPIRICAL, .mean = mean, .table = table};
    return true;
}

bool nf_dist_mixture(struct nf_dist *d, size_t count, const struct nf_dist *parts,
                     const double *weights, struct nf_arena *arena, const char **why)
{
    double total = 0;
    if (count == 0) {
        return refuse(why, "a mixture needs at least one part");
    }
    for (size_t i = 0; i < count; i++) {
        if (!is_positive(weights[i])) {
            return refuse(why, "the weights of a mixture must be above 0");
        }
        total += weights[i];
    }
    if (!isfinite(total)) {
        return refuse(why, "the weights of a mixture are too large");
    }
    double *cumulative = NF_NEW_ARRAY(arena, count, double);
    struct nf_dist *copies = NF_NEW_ARRAY(arena, count, struct nf_dist);
    double sum = 0, mean = 0;
    for (size_t i = 0; i < count; i++) {
        sum += weights[i] / total;
        cumulative[i] = sum;
        mean += weights[i] / total * parts[i].mean;
        copies[i] = parts[i];
    }
    cumulative[count - 1] = 1;
    *d = (struct nf_dist){.kind = NF_DIST_MIXTURE,
                          .mean = mean,
                          .parts = copies,
                          .weights = cumulative,
                          .part_count = count};
    return true;
}

/* Marsaglia and Tsang (2000), A simple method for generating gamma variables; unit scale. */
static double sample_gamma(double shape, struct nf_stream *s)
{
    if (shape < 1) {
        double power = exp(-nf_stream_exponential(s) / shape);
        return sample_gamma(shape + 1, s) * power;
    }
    double d = shape - 1.0 / 3.0, c = 1 / (3 * sqrt(d));
    for (;;) {
        double x = nf_stream_normal(s), v = 1 + c * x;
        if (v <= 0) {
            continue;
        }
        v = v * v * v;
        double u = nf_stream_uniform(s), x2 = x * x;
        if (u < 1 - 0.0331 * x2 * x2 || log(u) < 0.5 * x2 + d * (1 - v + log(v))) {
            return d * v;
        }
    }
}

static double sample_table(const struct nf_dist_table *t, double u)
{
    size_t low = 0, high = t->count - 1; /* p[low] <= u < p[high] */
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (t->p[middle] <= u) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return t->x[low] +
           (t->x[high] - t->x[low]) * ((u - t->p[low]) / (t->p[high] - t->p[low]));
}

static double sample_mixture(const struct nf_dist *d, struct nf_stream *s)
{
    double u = nf_stream_uniform(s);
    size_t i = 0;
    while (i + 1 < d->part_count && u >= d->weights[i]) {
        i++;
    }
    return nf_dist_sample(&d->parts[i], s);
}

double nf_dist_sample_rest(const struct nf_dist *d, struct nf_stream *s)
{
    switch (d->kind) {
    case NF_DIST_UNIFORM:
        return d->a + (d->b - d->a) * nf_stream_uniform(s);
    case NF_DIST_NORMAL:
        return fmax(0, d->a + d->b * nf_stream_normal(s));
    case NF_DIST_GAMMA:
        return d->b * sample_gamma(d->a, s);
    case NF_DIST_WEIBULL:
        return d->a * pow(nf_stream_exponential(s), 1 / d->b);
    case NF_DIST_PARETO:
        return d->a * exp(nf_stream_exponential(s) / d->b);
    case NF_DIST_HYPEREXPONENTIAL:
        return (nf_stream_uniform(s) < d->a ? d->b : d->c) * nf_stream_exponential(s);
    case NF_DIST_EMPIRICAL:
        return sample_table(d->table, nf_stream_uniform(s));
    case NF_DIST_MIXTURE:
        return sample_mixture(d, s);
    default:
        NF_ASSERT(d->kind >= NF_DIST_KINDS); /* nf_dist_sample draws the others itself */
        return 0;
    }
}

struct nf_dist nf_dist_shifted(struct nf_dist d, double by)
{
    NF_ASSERT(isfinite(by));
    d.shift += by;
    d.mean += by;
    return d;
}

struct nf_dist nf_dist_scaled(struct nf_dist d, double factor, struct nf_arena *arena)
{
    NF_ASSERT(is_positive(factor));
    d.mean *= factor;
    d.shift *= factor;
    switch (d.kind) {
    case NF_DIST_LOGNORMAL:
        d.a += log(factor);
        break;
    case NF_DIST_GAMMA:
        d.b *= factor;
        break;
    case NF_DIST_HYPEREXPONENTIAL:
        d.b *= factor;
        d.c *= factor;
        break;
    case NF_DIST_UNIFORM:
    case NF_DIST_NORMAL:
        d.b *= factor;
        d.a *= factor;
        break;
    case NF_DIST_EMPIRICAL: {
        double *x = NF_NEW_ARRAY(arena, d.table->count, double);
        for (size_t i = 0; i < d.table->count; i++) {
            x[i] = factor * d.table->x[i];
        }
        struct nf_dist_table *table = NF_NEW(arena, struct nf_dist_table);
        *table = (struct nf_dist_table){d.table->count, d.table->p, x};
        d.table = table;
        break;
    }
    case NF_DIST_MIXTURE: {
        struct nf_dist *parts = NF_NEW_ARRAY(arena, d.part_count, struct nf_dist);
        for (size_t i = 0; i < d.part_count; i++) {
            parts[i] = nf_dist_scaled(d.parts[i], factor, arena);
        }
        d.parts = parts;
        break;
    }
    default: /* constant, exponential, weibull, pareto: `a` is the scale */
        d.a *= factor;
        break;
    }
    return d;
}
