/* Distributions: parameters as declared to what the engine draws. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/hash.h"
#include "scenario/build.h"

enum {
    SAMPLES_BYTES_MAX = 64 * 1024 * 1024,
    SAMPLES_MAX = 1000000,
    WRONG_LINES_MAX = 100
};

static bool refuse(struct nf__build *b, struct nf_dist_decl *d, const char *key,
                   const char *why)
{
    (void)nf_object_error(&b->load, &d->at, key, NF_E_RANGE, NULL, "%s", why);
    return false;
}

static bool wrong_keys(struct nf__build *b, struct nf_dist_decl *d, const char *expected)
{
    (void)nf_object_error(&b->load, &d->at, "", NF_E_KEY, NULL, "expected %s", expected);
    return false;
}

/* Is this key given? A key that nobody can tell about counts as not, and *is_unsure is set. */
static bool given(const struct nf_dist_decl *d, const char *key, bool *is_unsure)
{
    int known = nf__build_given(&d->at, key);
    *is_unsure = *is_unsure || known < 0;
    return known > 0;
}

static bool make_lognormal(struct nf__build *b, struct nf_dist_decl *d,
                           struct nf_dist *out)
{
    const char *why = "";
    bool is_unsure = false;
    bool mean = given(d, "mean", &is_unsure), cv = given(d, "cv", &is_unsure);
    bool median = given(d, "median", &is_unsure), p99 = given(d, "p99", &is_unsure);
    bool has_moments = mean && cv && !median && !p99;
    bool has_quantiles = !mean && !cv && median && p99;
    if (!has_moments && !has_quantiles) {
        return !is_unsure && wrong_keys(b, d, "either mean and cv, or median and p99");
    }
    if (NF_IS_WRONG(&d->at, "mean", "cv", "median", "p99")) {
        return false;
    }
    return (has_moments ? nf_dist_lognormal_moments(out, d->mean, d->cv, &why)
                        : nf_dist_lognormal_quantiles(out, d->median, d->p99, &why)) ||
           refuse(b, d, "", why);
}

static bool make_pareto(struct nf__build *b, struct nf_dist_decl *d, struct nf_dist *out)
{
    const char *why = "";
    bool is_unsure = false, ok = true;
    if (given(d, "min", &is_unsure) == given(d, "mean", &is_unsure) && !is_unsure) {
        ok = wrong_keys(b, d, "either min or mean, beside shape");
    }
    if (d->shape <= 1) { /* false for NAN: not read */
        ok = refuse(b, d, "shape",
                    "a pareto distribution has a mean only for a shape above 1");
    }
    if (!ok || NF_IS_WRONG(&d->at, "min", "mean", "shape")) {
        return false;
    }
    double min = isnan(d->min) ? d->mean * (d->shape - 1) / d->shape : d->min;
    return nf_dist_pareto(out, min, d->shape, &why) || refuse(b, d, "", why);
}

static bool make_normal(struct nf__build *b, struct nf_dist_decl *d, struct nf_dist *out)
{
    const char *why = "";
    bool is_unsure = false;
    if (given(d, "sd", &is_unsure) == given(d, "cv", &is_unsure)) {
        return !is_unsure && wrong_keys(b, d, "either sd or cv, beside mean");
    }
    if (NF_IS_WRONG(&d->at, "mean", "sd", "cv")) {
        return false;
    }
    return nf_dist_normal(out, d->mean, isnan(d->sd) ? d->cv * d->mean : d->sd, &why) ||
           refuse(b, d, "", why);
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* One observed value of the file. */
static bool read_sample(struct nf__build *b, struct nf_place at, enum nf_dimension dim,
                        const char *line, double *out)
{
    char why[256] = "";
    if (!nf_units_parse(line, dim, out, why, sizeof why) || *out < 0) {
        (void)nf_diag_add(b->load.diags, NF_E_TRACE, at, NULL, NULL, "%s",
                          why[0] != '\0' ? why : "a value may not be negative");
        return false;
    }
    return true;
}

static double *read_samples(struct nf__build *b, const char *path, enum nf_dimension dim,
                            const char *text, size_t *count)
{
    struct nf_place at = {path, 0, 1};
    double *values = NULL;
    size_t filled = 0, cap = 0;
    int wrong = 0;
    for (const char *s = text;
         *s != '\0' && wrong < WRONG_LINES_MAX && filled < SAMPLES_MAX;) {
        char line[128];
        size_t n = strcspn(s, "\n");
        size_t kept = n > 0 && s[n - 1] == '\r' ? n - 1 : n;
        kept = kept < sizeof line ? kept : sizeof line - 1;
        memcpy(line, s, kept);
        line[kept] = '\0';
        s += n + (s[n] == '\n');
        at.line++;
        if (line[0] == '\0' || line[0] == '#') {
            continue;
        }
        if (filled == cap) {
            cap = cap == 0 ? 1024 : 2 * cap;
            values = nf_mem_resize(values, cap, sizeof *values);
        }
        if (read_sample(b, at, dim, line, &values[filled])) {
            filled++;
        } else {
            wrong++;
        }
    }
    *count = filled;
    return values;
}

/* Observations as an inverse distribution function: the i-th of n in order at i / (n - 1). */
static bool make_observed(struct nf__build *b, struct nf_dist_decl *d,
                          enum nf_dimension dim, struct nf_dist *out)
{
    const char *path = nf__build_file(b, d->file);
    struct nf_file_bytes bytes;
    const char *why = "";
    size_t n = 0;
    struct stat st = {0};
    struct nf_place from = nf_object_place(&d->at, "file");
    int errors = b->load.diags->errors;
    if (nf__build_is_bad_file(b, path, NF__NONE)) {
        return false;
    }
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode)) {
        (void)nf_object_error(&b->load, &d->at, "file", NF_E_REFERENCE, NULL,
                              "there is no file \"%s\"", path);
        return false;
    }
    if (nf_file_read(path, SAMPLES_BYTES_MAX, from, b->load.arena, b->load.diags,
                     &bytes) != NF_OK) {
        return false;
    }
    char sha256[65];
    nf_sha256_of(bytes.data, bytes.length, sha256);
    nf__build_used(b, (struct nf_scenario_input){"samples", d->file, path,
                                                 nf_arena_strdup(b->load.arena, sha256)});
    double *values = read_samples(b, path, dim, bytes.data, &n);
    bool ok = b->load.diags->errors == errors;
    if (!ok) {
        nf__build_add_bad_file(b, path, NF__NONE);
    }
    if (ok && n < 2) {
        ok = refuse(b, d, "file", "expected at least two values in the file");
    }
    if (ok) {
        double *p = nf_mem_resize(NULL, n, sizeof *p);
        qsort(values, n, sizeof *values, compare_doubles);
        for (size_t i = 0; i < n; i++) {
            p[i] = (double)i / (double)(n - 1);
        }
        ok = nf_dist_empirical(out, n, p, values, b->load.arena, &why) ||
             refuse(b, d, "file", why);
        nf_mem_free(p);
    }
    nf_mem_free(values);
    return ok;
}

static bool make_empirical(struct nf__build *b, struct nf_dist_decl *d,
                           enum nf_dimension dim, struct nf_dist *out)
{
    const struct nf_quantile_decl *q = d->quantiles.items;
    size_t n = d->quantiles.count;
    const char *why = "";
    bool is_unsure = false;
    if (given(d, "quantiles", &is_unsure) == given(d, "file", &is_unsure)) {
        return !is_unsure && wrong_keys(b, d, "either quantiles or file");
    }
    if (NF_IS_WRONG(&d->at, "quantiles", "file")) {
        return false;
    }
    if (d->file != NULL) {
        return make_observed(b, d, dim, out);
    }
    if (n > 0 && (q[0].p > 0 || q[n - 1].p < 1)) {
        return refuse(b, d, "quantiles",
                      "begin with the least value, 0%, and end with the largest, 100%");
    }
    double *p = NF_NEW_ARRAY(b->load.arena, n, double);
    double *x = NF_NEW_ARRAY(b->load.arena, n, double);
    for (size_t i = 0; i < n; i++) {
        p[i] = q[i].p;
        x[i] = q[i].value;
    }
    return nf_dist_empirical(out, n, p, x, b->load.arena, &why) ||
           refuse(b, d, "quantiles", why);
}

static bool make_mixture(struct nf__build *b, struct nf_dist_decl *d,
                         enum nf_dimension dim, struct nf_dist *out)
{
    struct nf_part_decl *parts = d->parts.items;
    size_t n = d->parts.count;
    const char *why = "";
    double sum = 0;
    bool ok = nf_object_is_whole(&d->at, "parts"), has_sum = ok;
    double *weights = NF_NEW_ARRAY(b->load.arena, n, double);
    struct nf_dist *dists = NF_NEW_ARRAY(b->load.arena, n, struct nf_dist);
    for (size_t i = 0; i < n; i++) {
        weights[i] = parts[i].weight;
        sum += weights[i];
        has_sum = has_sum && !nf_object_is_wrong(&parts[i].at, "weight");
        ok = nf__build_dist(b, &parts[i].of, dim, &dists[i]) && ok;
    }
    if (has_sum && fabs(sum - 1) > 1e-9) {
        (void)nf_object_error(&b->load, &d->at, "parts", NF_E_RANGE, NULL,
                              "the weights make %.6g %%, expected 100 %%", sum * 100);
        return false;
    }
    return ok && has_sum &&
           (nf_dist_mixture(out, n, dists, weights, b->load.arena, &why) ||
            refuse(b, d, "parts", why));
}

/* Those of mean and cv. */
static bool make_moments(struct nf__build *b, struct nf_dist_decl *d, struct nf_dist *out)
{
    const char *why = "";
    if (NF_IS_WRONG(&d->at, "mean", "cv")) {
        return false;
    }
    bool ok = d->kind == NF_DIST_GAMMA ? nf_dist_gamma(out, d->mean, d->cv, &why)
              : d->kind == NF_DIST_WEIBULL
                  ? nf_dist_weibull(out, d->mean, d->cv, &why)
                  : nf_dist_hyperexponential(out, d->mean, d->cv, &why);
    return ok || refuse(b, d, "", why);
}

static bool make(struct nf__build *b, struct nf_dist_decl *d, enum nf_dimension dim,
                 struct nf_dist *out)
{
    const char *why = "";
    switch (d->kind) {
    case NF_DIST_CONSTANT:
        if (nf_object_is_wrong(&d->at, "value")) {
            return false;
        }
        *out = nf_dist_constant(d->value);
        return true;
    case NF_DIST_UNIFORM:
        return !NF_IS_WRONG(&d->at, "min", "max") &&
               (nf_dist_uniform(out, d->min, d->max, &why) || refuse(b, d, "", why));
    case NF_DIST_EXPONENTIAL:
        if (nf_object_is_wrong(&d->at, "mean")) {
            return false;
        }
        if (!(d->mean > 0)) {
            return refuse(b, d, "mean", "the mean must be above 0");
        }
        *out = nf_dist_exponential(d->mean);
        return true;
    case NF_DIST_NORMAL:
        return make_normal(b, d, out);
    case NF_DIST_LOGNORMAL:
        return make_lognormal(b, d, out);
    case NF_DIST_PARETO:
        return make_pareto(b, d, out);
    case NF_DIST_EMPIRICAL:
        return make_empirical(b, d, dim, out);
    case NF_DIST_MIXTURE:
        return make_mixture(b, d, dim, out);
    default:
        return make_moments(b, d, out);
    }
}

bool nf__build_dist(struct nf__build *b, struct nf_dist_decl *decl, enum nf_dimension dim,
                    struct nf_dist *out)
{
    if (decl->at.is_unread || decl->kind < 0 || !make(b, decl, dim, out)) {
        return false;
    }
    if (!isfinite(out->mean)) {
        return refuse(b, decl, "", "this distribution has no finite mean");
    }
    if (decl->shift > 0) {
        *out = nf_dist_shifted(*out, decl->shift);
    }
    return !decl->at.is_broken;
}
