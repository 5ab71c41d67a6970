#include "perf/operator.h"

#include <math.h>

#include "base/status.h"

const char *const nf_copy_names[NF_COPIES + 1] = {
    "to_device", "to_host", "to_device_pageable", "to_host_pageable", NULL};
const char *const nf_launch_names[NF_LAUNCHES + 1] = {
    "kernels",          "graph", "kernels_enqueue", "graph_enqueue", "kernels_round_trip",
    "graph_round_trip", NULL};

const char *const nf_outside_names[NF_OUTSIDE_KINDS] = {
    "products, passes or all-reduces shorter",
    "products, passes or all-reduces longer",
    "output head shorter",
    "output head longer",
    "prefill attention shorter",
    "prefill attention longer",
    "decode attention shorter",
    "decode attention longer",
    "batches shorter",
    "batches longer"};

enum { TILE = 128, LONG_TILE = 256, FIRST_K = 1024 };

static double pn(double a, double b, double p)
{
    double high = a > b ? a : b, low = a > b ? b : a;
    return high > 0 ? high * pow(1 + pow(low / high, p), 1 / p) : 0;
}

struct nf_silicon nf_silicon_of(const struct nf_device *device, enum nf_precision p)
{
    return (struct nf_silicon){device->peak[p], device->bandwidth,
                               device->multiprocessors};
}

/* Output tiles of the larger kind a multiprocessor, laid the way that needs fewer. */
static double tiles_each(const struct nf_gemm_shape *g, double rows, double processors)
{
    double a = ceil(rows / TILE) * ceil(g->n / LONG_TILE);
    double b = ceil(rows / LONG_TILE) * ceil(g->n / TILE);
    return g->matrices * (a < b ? a : b) / processors;
}

static double gemm_compute_s(const struct nf_curve *c, const struct nf_silicon *s,
                             const struct nf_gemm_shape *g)
{
    double work = 2 * g->m * g->n * g->k;
    double rows = g->m / g->matrices;
    double t = work / (c->ec * s->peak) * (1 + c->k_fill / g->k);
    if (c->tile_fill > 0) {
        t *= 1 + c->tile_fill / (g->matrices * ceil(rows / TILE) * g->n / TILE);
    }
    if (c->wave > 0) {
        double x = tiles_each(g, rows, s->multiprocessors);
        t *= x > 1 ? pow(ceil(x) / x, c->wave) : 1;
    }
    if (c->slowdown > 0) {
        t *= pow(1 + work / (s->peak * NF_SLOWDOWN_S), c->slowdown);
    }
    return t;
}

static double gemm_memory_s(const struct nf_curve *c, const struct nf_silicon *s,
                            const struct nf_gemm_shape *g)
{
    double rows = g->m / g->matrices;
    double weights = g->weight_bytes * g->matrices * g->n * g->k *
                     (1 + c->k_start / g->k) * (1 + c->n_start / g->n);
    if (g->is_cached) {
        weights /= 1 + c->cache_speedup;
    }
    double again = 0;
    if (c->reread > 0) {
        double x = tiles_each(g, fmin(rows, NF_GEMM_ROWS_MEASURED), s->multiprocessors);
        again = x > 1 ? c->reread * (x - 1) : 0;
    }
    double reach = rows > 1 ? log2(rows) / 6 : 0;
    double em = c->em * (1 - c->em_drop * (reach < 1 ? reach : 1));
    return (weights + 2 * g->m * (g->k * (1 + again) + g->n)) / (em * s->bandwidth);
}

double nf_gemm_s(const struct nf_curve *c, const struct nf_silicon *s,
                 const struct nf_gemm_shape *g)
{
    NF_ASSERT(c->em > 0 && c->ec > 0);
    double t = c->t0_s;
    if (c->t0_log_s > 0 && g->k > FIRST_K) {
        t += c->t0_log_s * log(g->k / FIRST_K);
    }
    if (c->extra > 0) {
        t += 3 * g->m * g->k / (c->extra * s->bandwidth);
    }
    double p = c->p;
    if (c->p_growth > 0) {
        p = 1 + (c->p - 1) * pow(g->n * g->k / 16777216.0, c->p_growth);
    }
    return t + pn(gemm_compute_s(c, s, g), gemm_memory_s(c, s, g), p);
}

double nf_prefill_s(const struct nf_curve *c, const struct nf_silicon *s,
                    const struct nf_prefill_shape *g)
{
    NF_ASSERT(c->em > 0 && c->ec > 0);
    double ideal = 4 * g->pairs * g->heads * g->head_dim / s->peak;
    double work = ideal / c->ec;
    if (c->slowdown > 0) {
        work *= pow(1 + ideal / NF_SLOWDOWN_S, c->slowdown);
    }
    double weight = c->kv_weight > 0 ? c->kv_weight : 2;
    double bytes = 2 * g->tokens * g->head_dim * (2 * g->heads + weight * g->kv_heads) +
                   2 * g->kv_bytes * g->context * g->kv_heads * g->head_dim;
    double spread = work + bytes / (c->em * s->bandwidth);
    double one = c->tile_s * ceil(g->longest / TILE);
    return pn(c->t0_s, cbrt(spread * spread * spread + one * one * one), c->p);
}

double nf_doublings(double x)
{
    if (!(x > 1)) {
        return 0;
    }
    int e = 0;
    double half = frexp(x, &e); /* x = half 2^e, half in [0.5, 1) */
    return e - 1 + 2 * half - 1;
}

double nf_decode_s(const struct nf_curve *c, const struct nf_silicon *s,
                   const struct nf_decode_shape *g)
{
    NF_ASSERT(c->em > 0);
    double memory =
        2 * g->kv_bytes * g->context * g->kv_heads * g->head_dim / (c->em * s->bandwidth);
    if (g->is_cached) {
        memory /= 1 + c->cache_speedup;
    }
    double each =
        (c->extra * g->kv_heads + c->query_head_s * g->heads) / s->multiprocessors;
    return c->t0_s + pn(memory, g->sequences * each, c->p) +
           c->doubling_s * nf_doublings(g->context / g->sequences / 256);
}

double nf_pass_s(const struct nf_curve *c, const struct nf_silicon *s, double bytes)
{
    return c->t0_s + bytes / (c->em * s->bandwidth);
}

double nf_convolution_s(const struct nf_curve *c, const struct nf_silicon *s,
                        const struct nf_work_shape *g)
{
    return c->t0_s +
           pn(g->work / (c->ec * s->peak), g->bytes / (c->em * s->bandwidth), c->p);
}

double nf_copy_s(const struct nf_curve *c, double bytes)
{
    return c->t0_s + bytes / c->bus_bandwidth;
}

double nf_launch_s(const struct nf_curve *c, double kernels)
{
    return c->t0_s + kernels * c->each_s;
}

double nf_allreduce_s(const struct nf_allreduce *a, unsigned ranks, double bytes)
{
    double scattered = 2.0 * (ranks - 1) / ranks * bytes / a->bus_bandwidth;
    double direct = (ranks - 1) * bytes / a->bus_bandwidth;
    double through = a->two_shot_s + scattered;
    return a->t0_s + (a->two_shot_s > 0 && direct < through ? direct : through);
}
