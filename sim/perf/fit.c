#include "perf/fit.h"

#include <gsl/gsl_blas.h>
#include <gsl/gsl_errno.h>
#include <gsl/gsl_multifit_nlinear.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"

enum {
    PARAMETERS_MAX = 16,
    ROUNDS = 60,
    ROUNDS_AGAIN = 12,
    LEAST_SAMPLES = 40,
    LEAST_MESSAGES = 7
};

#define LOSS_SCALE 0.05
#define AT_BOUND   0.995
#define POOR       0.25

#define CONSTANT(key_, dimension_, bound_, member, start_)                               \
    {                                                                                    \
        .key = (key_), .dimension = (dimension_), .bound = (bound_),                     \
        .offset = offsetof(struct nf_curve, member), .start = (start_)                   \
    }
#define REFINEMENT(key_, dimension_, bound_, member, start_)                             \
    {                                                                                    \
        .key = (key_), .dimension = (dimension_), .bound = (bound_),                     \
        .offset = offsetof(struct nf_curve, member), .start = (start_),                  \
        .is_optional = true                                                              \
    }

static const struct nf_parameter gemm_parameters[] = {
    CONSTANT("t0", NF_DIM_TIME, NF_POSITIVE, t0_s, 3e-6),
    CONSTANT("ec", NF_DIM_NONE, NF_SHARE, ec, 0.8),
    CONSTANT("em", NF_DIM_NONE, NF_SHARE, em, 0.8),
    CONSTANT("p", NF_DIM_NONE, NF_ABOVE_ONE, p, 3),
    REFINEMENT("quantise", NF_DIM_NONE, NF_SHARE, extra, 0.4),
    REFINEMENT("t0_log", NF_DIM_TIME, NF_POSITIVE, t0_log_s, 0.7e-6),
    REFINEMENT("k_fill", NF_DIM_NONE, NF_POSITIVE, k_fill, 100),
    REFINEMENT("k_start", NF_DIM_NONE, NF_POSITIVE, k_start, 40),
    REFINEMENT("n_start", NF_DIM_NONE, NF_POSITIVE, n_start, 200),
    REFINEMENT("tile_fill", NF_DIM_NONE, NF_POSITIVE, tile_fill, 5),
    REFINEMENT("wave", NF_DIM_NONE, NF_SHARE, wave, 0.4),
    REFINEMENT("slowdown", NF_DIM_NONE, NF_POSITIVE, slowdown, 0.03),
    REFINEMENT("reread", NF_DIM_NONE, NF_SHARE, reread, 0.4),
    REFINEMENT("em_drop", NF_DIM_NONE, NF_SHARE, em_drop, 0.08),
    REFINEMENT("p_growth", NF_DIM_NONE, NF_POSITIVE, p_growth, 0.2),
};

static const struct nf_parameter prefill_parameters[] = {
    CONSTANT("t0", NF_DIM_TIME, NF_POSITIVE, t0_s, 11e-6),
    CONSTANT("ec", NF_DIM_NONE, NF_SHARE, ec, 0.7),
    CONSTANT("em", NF_DIM_NONE, NF_SHARE, em, 0.5),
    CONSTANT("p", NF_DIM_NONE, NF_ABOVE_ONE, p, 1.5),
    REFINEMENT("kv_weight", NF_DIM_NONE, NF_POSITIVE, kv_weight, 4),
    REFINEMENT("tile", NF_DIM_TIME, NF_POSITIVE, tile_s, 0.3e-6),
    REFINEMENT("slowdown", NF_DIM_NONE, NF_POSITIVE, slowdown, 0.03),
};

static const struct nf_parameter decode_parameters[] = {
    CONSTANT("t0", NF_DIM_TIME, NF_POSITIVE, t0_s, 11e-6),
    CONSTANT("em", NF_DIM_NONE, NF_SHARE, em, 0.85),
    CONSTANT("p", NF_DIM_NONE, NF_ABOVE_ONE, p, 1.5),
    CONSTANT("per_kv_head", NF_DIM_TIME, NF_POSITIVE, extra, 3.5e-6),
    REFINEMENT("per_query_head", NF_DIM_TIME, NF_POSITIVE, query_head_s, 0.05e-6),
    REFINEMENT("per_doubling", NF_DIM_TIME, NF_POSITIVE, doubling_s, 0.6e-6),
    REFINEMENT("cache_speedup", NF_DIM_NONE, NF_POSITIVE, cache_speedup, 0.5),
};

static const struct nf_parameter allreduce_parameters[] = {
    CONSTANT("t0", NF_DIM_TIME, NF_POSITIVE, t0_s, 5e-6),
    CONSTANT("bus_bandwidth", NF_DIM_BANDWIDTH, NF_POSITIVE, bus_bandwidth, 200e9),
    REFINEMENT("two_shot", NF_DIM_TIME, NF_POSITIVE, two_shot_s, 3e-6),
};

static const struct nf_parameter elementwise_parameters[] = {
    CONSTANT("t0", NF_DIM_TIME, NF_POSITIVE, t0_s, 2e-6),
    CONSTANT("em", NF_DIM_NONE, NF_SHARE, em, 0.8),
    REFINEMENT("cache_speedup", NF_DIM_NONE, NF_POSITIVE, cache_speedup, 0.5),
};

static const struct nf_parameter convolution_parameters[] = {
    CONSTANT("t0", NF_DIM_TIME, NF_POSITIVE, t0_s, 3e-6),
    CONSTANT("ec", NF_DIM_NONE, NF_SHARE, ec, 0.6),
    CONSTANT("em", NF_DIM_NONE, NF_SHARE, em, 0.7),
    CONSTANT("p", NF_DIM_NONE, NF_ABOVE_ONE, p, 2),
};

static const struct nf_parameter quantize_parameters[] = {
    CONSTANT("t0", NF_DIM_TIME, NF_POSITIVE, t0_s, 2e-6),
    CONSTANT("em", NF_DIM_NONE, NF_SHARE, em, 0.7),
};

static const struct nf_parameter copy_parameters[] = {
    CONSTANT("t0", NF_DIM_TIME, NF_POSITIVE, t0_s, 10e-6),
    CONSTANT("bandwidth", NF_DIM_BANDWIDTH, NF_POSITIVE, bus_bandwidth, 20e9),
};

static const struct nf_parameter launch_parameters[] = {
    CONSTANT("t0", NF_DIM_TIME, NF_POSITIVE, t0_s, 5e-6),
    CONSTANT("each", NF_DIM_TIME, NF_POSITIVE, each_s, 1e-6),
};

#define LIST(a) *count = sizeof(a) / sizeof((a)[0]), (a)

const struct nf_parameter *nf_parameters(enum nf_operation operation, size_t *count)
{
    switch (operation) {
    case NF_OPERATION_GEMM:
        return LIST(gemm_parameters);
    case NF_OPERATION_PREFILL:
    case NF_OPERATION_ENCODER:
        return LIST(prefill_parameters);
    case NF_OPERATION_ALLREDUCE:
        return LIST(allreduce_parameters);
    case NF_OPERATION_DECODE:
        return LIST(decode_parameters);
    case NF_OPERATION_ELEMENTWISE:
        return LIST(elementwise_parameters);
    case NF_OPERATION_QUANTIZE:
        return LIST(quantize_parameters);
    case NF_OPERATION_CONVOLUTION:
        return LIST(convolution_parameters);
    case NF_OPERATION_COPY:
        return LIST(copy_parameters);
    case NF_OPERATION_LAUNCH:
        return LIST(launch_parameters);
    case NF_OPERATION_MIXED:
    case NF_OPERATION_OTHER:
    case NF_OPERATIONS:
        break;
    }
    *count = 0;
    return NULL;
}

double *nf_parameter_of(struct nf_curve *c, const struct nf_parameter *p)
{
    return (double *)(void *)((char *)c + p->offset);
}

/* ---- prediction ---- */

static double curve_s(const struct nf_sample *s, const struct nf_device *device,
                      const struct nf_curve *c)
{
    struct nf_silicon half = nf_silicon_of(device, nf_device_half(device));
    switch (s->operation) {
    case NF_OPERATION_GEMM: {
        struct nf_silicon own = nf_silicon_of(device, s->precision);
        return nf_gemm_s(c, &own, &s->shape.gemm);
    }
    case NF_OPERATION_PREFILL:
    case NF_OPERATION_ENCODER:
        return nf_prefill_s(c, &half, &s->shape.prefill);
    case NF_OPERATION_ALLREDUCE: {
        struct nf_allreduce a = {.t0_s = c->t0_s,
                                 .bus_bandwidth = c->bus_bandwidth,
                                 .two_shot_s = c->two_shot_s};
        return nf_allreduce_s(&a, s->ranks, s->shape.bytes);
    }
    case NF_OPERATION_DECODE:
        return nf_decode_s(c, &half, &s->shape.decode);
    case NF_OPERATION_QUANTIZE:
        return nf_pass_s(c, &half, s->shape.pass.bytes);
    case NF_OPERATION_CONVOLUTION:
        return nf_convolution_s(c, &half, &s->shape.work);
    case NF_OPERATION_COPY:
        return nf_copy_s(c, s->shape.bytes);
    case NF_OPERATION_LAUNCH:
        return nf_launch_s(c, s->shape.kernels);
    default:
        return c->t0_s + s->shape.pass.bytes /
                             (c->em * half.bandwidth *
                              (s->shape.pass.is_cached ? 1 + c->cache_speedup : 1));
    }
}

/* As an iteration prices it (llm.h): prefill in full, decode without its start-up, times the factor. */
static double mixed_s(const struct nf_sample *s, const struct nf_device *device,
                      const struct nf_calibration *k)
{
    struct nf_silicon half = nf_silicon_of(device, nf_device_half(device));
    double decode = nf_decode_s(&k->decode_attention, &half, &s->beside);
    return nf_prefill_s(&k->prefill_attention, &half, &s->shape.prefill) +
           k->mixed_factor * (decode - k->decode_attention.t0_s);
}

double nf_sample_s(const struct nf_sample *s, const struct nf_device *device,
                   const struct nf_calibration *k)
{
    switch (s->operation) {
    case NF_OPERATION_GEMM:
        return curve_s(s, device, &k->gemm[s->precision]);
    case NF_OPERATION_PREFILL:
        return curve_s(s, device, &k->prefill_attention);
    case NF_OPERATION_DECODE:
        return curve_s(s, device, &k->decode_attention);
    case NF_OPERATION_ENCODER:
        return curve_s(s, device, &k->encoder_attention);
    case NF_OPERATION_ALLREDUCE:
        return nf_allreduce_s(nf_calibration_allreduce(k, s->ranks), s->ranks,
                              s->shape.bytes);
    case NF_OPERATION_ELEMENTWISE:
        return curve_s(s, device, &k->elementwise);
    case NF_OPERATION_QUANTIZE:
        return curve_s(s, device, &k->quantize);
    case NF_OPERATION_CONVOLUTION:
        return curve_s(s, device, &k->convolution);
    case NF_OPERATION_COPY:
        return curve_s(s, device, &k->copy[s->which]);
    case NF_OPERATION_LAUNCH:
        return curve_s(s, device, &k->launch[s->which]);
    default:
        return mixed_s(s, device, k);
    }
}

/* ---- least squares ---- */

struct problem {
    const struct nf_sample **samples;
    size_t count;
    const struct nf_device *device;
    const struct nf_parameter *parameters;
    size_t parameter_count;
    bool is_used[PARAMETERS_MAX];
    double x[PARAMETERS_MAX]; /* of used and unused ones */
};

static double bounded(const struct nf_parameter *p, double x)
{
    switch (p->bound) {
    case NF_SHARE:
        return 1 / (1 + exp(-x));
    case NF_ABOVE_ONE:
        return 1 + exp(x < 3 ? x : 3); /* p up to 21: as good as the larger of the two */
    default:
        return exp(x);
    }
}

static double unbounded(const struct nf_parameter *p, double value)
{
    switch (p->bound) {
    case NF_SHARE:
        return log(value / (1 - value));
    case NF_ABOVE_ONE:
        return log(value - 1);
    default:
        return log(value);
    }
}

static struct nf_curve curve_at(const struct problem *q, const gsl_vector *x)
{
    struct nf_curve c = {.p = 1};
    size_t k = 0;
    for (size_t i = 0; i < q->parameter_count; i++) {
        if (q->is_used[i]) {
            double v = x ? gsl_vector_get(x, k++) : q->x[i];
            *nf_parameter_of(&c, &q->parameters[i]) = bounded(&q->parameters[i], v);
        }
    }
    return c;
}

/* Half the square of this is the soft L1 loss of r. */
static double softened(double r)
{
    double z = r / LOSS_SCALE;
    double rho = 2 * (sqrt(1 + z * z) - 1);
    return copysign(LOSS_SCALE * sqrt(rho), r);
}

static int residuals(const gsl_vector *x, void *data, gsl_vector *f)
{
    const struct problem *q = data;
    struct nf_curve c = curve_at(q, x);
    for (size_t i = 0; i < q->count; i++) {
        double t = curve_s(q->samples[i], q->device, &c);
        double r = log(t / q->samples[i]->seconds);
        gsl_vector_set(f, i, isfinite(r) ? softened(r) : 1e3);
    }
    return GSL_SUCCESS;
}

/* Improves q->x and returns the loss. */
static double solve(struct problem *q, size_t rounds)
{
    size_t n = 0;
    double start[PARAMETERS_MAX];
    for (size_t i = 0; i < q->parameter_count; i++) {
        if (q->is_used[i]) {
            start[n++] = q->x[i];
        }
    }
    gsl_multifit_nlinear_parameters how = gsl_multifit_nlinear_default_parameters();
    how.scale = gsl_multifit_nlinear_scale_levenberg;
    gsl_multifit_nlinear_fdf f = {.f = residuals, .n = q->count, .p = n, .params = q};
    gsl_multifit_nlinear_workspace *w =
        gsl_multifit_nlinear_alloc(gsl_multifit_nlinear_trust, &how, q->count, n);
    if (!w) {
        nf_out_of_memory(q->count * n * sizeof(double));
    }
    gsl_vector_view x = gsl_vector_view_array(start, n);
    int info = 0;
    /* A stop without progress is as good as convergence here: what counts is the loss. */
    (void)gsl_multifit_nlinear_init(&x.vector, &f, w);
    (void)gsl_multifit_nlinear_driver(rounds, 1e-7, 1e-10, 1e-10, NULL, NULL, &info, w);
    const gsl_vector *at = gsl_multifit_nlinear_position(w);
    const gsl_vector *r = gsl_multifit_nlinear_residual(w);
    double loss = 0;
    gsl_blas_ddot(r, r, &loss);
    size_t k = 0;
    for (size_t i = 0; i < q->parameter_count; i++) {
        if (q->is_used[i]) {
            q->x[i] = gsl_vector_get(at, k++);
        }
    }
    gsl_multifit_nlinear_free(w);
    return loss;
}

/* Leave out what does not pay, the least useful first. Bayesian information criterion (Schwarz 1978): one more constant must lower
 * n ln(loss) by more than ln(n). */
static void prune(struct problem *q, double loss)
{
    double n = (double)q->count;
    double worth = exp(log(n) / n);
    for (;;) {
        struct problem best = *q;
        double least = (double)INFINITY;
        for (size_t i = 0; i < q->parameter_count; i++) {
            if (!q->is_used[i] || !q->parameters[i].is_optional) {
                continue;
            }
            struct problem without = *q;
            without.is_used[i] = false;
            double l = solve(&without, ROUNDS_AGAIN);
            if (l < least) {
                least = l;
                best = without;
            }
        }
        if (!(least < loss * worth)) {
            return;
        }
        *q = best;
        loss = least;
    }
}

/* ---- results ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct nf_error nf_error_of(double *errors, size_t count)
{
    struct nf_error e = {count, (double)NAN, (double)NAN, (double)NAN};
    if (count == 0) {
        return e;
    }
    qsort(errors, count, sizeof *errors, by_value);
    e.bias = 0.5 * (errors[(count - 1) / 2] + errors[count / 2]);
    for (size_t i = 0; i < count; i++) {
        errors[i] = fabs(errors[i]);
    }
    qsort(errors, count, sizeof *errors, by_value);
    e.median = 0.5 * (errors[(count - 1) / 2] + errors[count / 2]);
    size_t ninth = (size_t)(0.9 * (double)count);
    e.p90 = errors[ninth < count ? ninth : count - 1];
    return e;
}

static struct nf_error error_of(struct nf_sample *const *samples, size_t count,
                                bool held_out, const struct nf_device *device,
                                const struct nf_curve *c, double *room)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        if (samples[i]->is_held_out == held_out) {
            room[n++] = curve_s(samples[i], device, c) / samples[i]->seconds - 1;
        }
    }
    return nf_error_of(room, n);
}

static size_t count_sites(struct nf_sample *const *samples, size_t count, bool held_out,
                          struct nf_arena *arena)
{
    double *sites = NF_NEW_ARRAY(arena, count, double);
    size_t n = 0, distinct = 0;
    for (size_t i = 0; i < count; i++) {
        if (samples[i]->is_held_out == held_out) {
            sites[n++] = (double)(samples[i]->site & ((UINT64_C(1) << 53) - 1));
        }
    }
    qsort(sites, n, sizeof *sites, by_value);
    for (size_t i = 0; i < n; i++) {
        distinct += i == 0 || sites[i] > sites[i - 1];
    }
    return distinct;
}

static bool is_cached(const struct nf_sample *s)
{
    return s->operation == NF_OPERATION_GEMM && s->shape.gemm.is_cached;
}

/* A device may run a little above its data sheet; a unit or a device that is wrong does not fit at all. */
static bool check_bounds(struct nf_fit *f, char *why, size_t cap)
{
    f->is_at_bound = f->curve.ec > AT_BOUND || f->curve.em > AT_BOUND;
    if (!f->is_at_bound || f->fitted.median < POOR) {
        return true;
    }
    snprintf(
        why, cap,
        "an efficiency ran into its bound of 1 (ec %.3f, em %.3f) and the median error "
        "is %.0f %%: the times beat the device's data sheet, or the operation is "
        "another",
        f->curve.ec, f->curve.em, 100 * f->fitted.median);
    return false;
}

/* Messages of all-reduces are always few; where rows may be few, one more than the constants that every fit has (two: none more). */
static size_t least_rows(const struct problem *q, enum nf_operation o, bool is_few)
{
    size_t constants = 0;
    for (size_t i = 0; i < q->parameter_count; i++) {
        constants += !q->parameters[i].is_optional;
    }
    return is_few                        ? constants + (constants > 2)
           : o == NF_OPERATION_ALLREDUCE ? LEAST_MESSAGES
                                         : LEAST_SAMPLES;
}

bool nf_fit_curve(const struct nf_fit_rows *rows, struct nf_arena *arena,
                  struct nf_fit *out, char *why, size_t cap)
{
    struct nf_sample *const *all = rows->samples;
    const struct nf_device *device = rows->device;
    struct nf_sample **samples = NF_NEW_ARRAY(arena, rows->count, struct nf_sample *);
    struct problem q = {.device = device};
    q.samples = NF_NEW_ARRAY(arena, rows->count, const struct nf_sample *);
    *out = (struct nf_fit){.shortest_s = (double)INFINITY};
    size_t n = 0;
    for (size_t i = 0; i < rows->count; i++) {
        if (all[i]->not_predicted || is_cached(all[i])) {
            continue;
        }
        samples[n++] = all[i];
        if (!all[i]->is_held_out) {
            q.samples[q.count++] = all[i];
            out->shortest_s = fmin(out->shortest_s, all[i]->seconds);
            out->longest_s = fmax(out->longest_s, all[i]->seconds);
        }
    }
    q.parameters = nf_parameters(all[0]->operation, &q.parameter_count);
    size_t least = least_rows(&q, all[0]->operation, rows->is_few);
    if (q.count < least) {
        snprintf(why, cap, "%zu rows to fit, at least %zu are needed", q.count, least);
        return false;
    }
    for (size_t i = 0; i < q.parameter_count; i++) {
        const struct nf_parameter *p = &q.parameters[i];
        bool is_quantise = strcmp(p->key, "quantise") == 0;
        bool is_in_rows = all[0]->precision == NF_FP8 && !rows->is_few;
        bool pays =
            q.count >= LEAST_SAMPLES || all[0]->operation == NF_OPERATION_ALLREDUCE;
        q.is_used[i] = !p->is_optional || (pays && (!is_quantise || is_in_rows));
        q.x[i] = unbounded(p, p->start);
    }
    prune(&q, solve(&q, ROUNDS));
    (void)solve(&q, ROUNDS);
    out->curve = curve_at(&q, NULL);
    double *room = NF_NEW_ARRAY(arena, n, double);
    out->fitted = error_of(samples, n, false, device, &out->curve, room);
    out->held_out = error_of(samples, n, true, device, &out->curve, room);
    out->sites = count_sites(samples, n, false, arena);
    out->held_out_sites = count_sites(samples, n, true, arena);
    return check_bounds(out, why, cap);
}
