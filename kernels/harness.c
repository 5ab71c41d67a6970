/* The part of the harness that knows no device: errors, comparison, tensors. */
#include "harness.h"

#include <math.h>
#include <stdio.h>

bool nf_time_left(const struct nf_bench *b)
{
    return nf_ok(b) && !nf_stop_wanted() &&
           (b->deadline_s <= 0.0 || nf_now_s() < b->deadline_s);
}

bool nf_main_turn(const struct nf_bench *b)
{
    return !b->plain_turn && nf_time_left(b);
}

struct nf_bound nf_bound_of(enum nf_dtype type)
{
    switch (type) {
    case NF_BF16: /* 8 significant bits: half a unit is 2^-9 = 0.2 % */
        return (struct nf_bound){4e-3, 1.6e-2, 6e-3};
    case NF_F16: /* 11 bits */
        return (struct nf_bound){1e-3, 3e-3, 1.5e-3};
    case NF_E4M3: /* 4 bits: half a unit is 6 % */
        return (struct nf_bound){4e-3, 0.13, 0.05};
    case NF_F32:
        return (struct nf_bound){1e-5, 1e-4, 1e-5};
    case NF_S8:
    case NF_U8: /* a tie may round to either neighbour */
        return (struct nf_bound){1.0, 0.0, 0.02};
    case NF_S32:
    case NF_DTYPES:
        break;
    }
    return (struct nf_bound){0.0, 0.0, 0.0};
}

bool nf_check_that(struct nf_bench *b, const char *what, const char *shape, bool ok)
{
    b->checked++;
    if (!ok) {
        b->failed++;
        (void)fprintf(stderr, "WRONG %s %s (seed %llu)\n", what, shape,
                      (unsigned long long)b->seed);
    }
    return ok;
}

bool nf_check_close(struct nf_bench *b, const char *what, const char *shape,
                    struct nf_tensor *got, const float *want, struct nf_bound bound)
{
    const float *have = nf_tensor_fetch(b, got);
    if (!nf_ok(b) || !have) {
        return false;
    }
    double error2 = 0.0, want2 = 0.0;
    size_t wrong = 0;
    for (size_t i = 0; i < got->count; i++) {
        double w = (double)want[i], difference = (double)have[i] - w;
        error2 += difference * difference;
        want2 += w * w;
        /* Written so that NaN is wrong. */
        if (!(fabs(difference) <= bound.absolute + bound.relative * fabs(w))) {
            if (wrong++ < 3) {
                (void)fprintf(stderr, "  %s [%zu]: %g, should be %g\n", what, i,
                              (double)have[i], w);
            }
        }
    }
    bool ok = wrong == 0 && sqrt(error2) <= bound.norm * sqrt(want2) + 1e-30;
    if (!ok) {
        (void)fprintf(stderr, "  %zu of %zu elements, error norm %.3g of %.3g\n", wrong,
                      got->count, sqrt(error2), sqrt(want2));
    }
    return nf_check_that(b, what, shape, ok);
}

bool nf_version_runs(const struct nf_bench *b, const struct nf_version *v)
{
    int cc = b->capability;
    switch (v->need) {
    case NF_ANY:
        return true;
    case NF_NEED_FP8:
        return cc >= 89;
    case NF_NEED_WGMMA:
        return cc == 90;
    }
    return false;
}

int nf_sets_for(const struct nf_bench *b, double bytes)
{
    double sets = bytes > 0.0 ? ceil(2.2 * b->facts.l2_bytes / bytes) + 1.0 : 2.0;
    return sets < 2.0 ? 2 : sets > 64.0 ? 64 : (int)sets;
}

/* --- tensors -------------------------------------------------------------------------------------- */

/* Bytes beyond the end that no kernel may touch. */
enum { GUARD = 64 };

static struct nf_tensor tensor(struct nf_bench *b, enum nf_dtype type, size_t count)
{
    struct nf_tensor t = {type, count, NULL, NULL};
    size_t bytes = count * nf_dtype_bytes(type);
    t.dev = nf_dev_get(b, bytes + (b->emulated ? 0 : GUARD));
    t.host = nf_host_get(b, (count + 1) * sizeof *t.host);
    nf_dev_set(b, t.dev, 0xff, bytes + (b->emulated ? 0 : GUARD));
    return t;
}

struct nf_tensor nf_tensor_poisoned(struct nf_bench *b, enum nf_dtype type, size_t count)
{
    return tensor(b, type, count);
}

void nf_tensor_put(struct nf_bench *b, struct nf_tensor *t)
{
    void *raw = nf_host_get(b, t->count * nf_dtype_bytes(t->type));
    if (!nf_ok(b)) {
        return;
    }
    for (size_t i = 0; i < t->count; i++) {
        nf_number_set(t->type, raw, i, t->host[i]);
        t->host[i] = nf_number_get(t->type, raw, i);
    }
    nf_dev_put(b, t->dev, raw, t->count * nf_dtype_bytes(t->type));
}

struct nf_tensor nf_tensor_random(struct nf_bench *b, enum nf_dtype type, size_t count,
                                  float scale)
{
    struct nf_tensor t = tensor(b, type, count);
    if (nf_ok(b)) {
        for (size_t i = 0; i < count; i++) {
            t.host[i] = scale * nf_uniform(b->seed, b->drawn++);
        }
        nf_tensor_put(b, &t);
    }
    return t;
}

const float *nf_tensor_fetch(struct nf_bench *b, struct nf_tensor *t)
{
    size_t bytes = t->count * nf_dtype_bytes(t->type);
    unsigned char *raw = nf_host_get(b, bytes + GUARD);
    if (!nf_ok(b)) {
        return NULL;
    }
    nf_dev_fetch(b, raw, t->dev, bytes + (b->emulated ? 0 : GUARD));
    for (size_t i = bytes; !b->emulated && i < bytes + GUARD; i++) {
        if (raw[i] != 0xff) {
            (void)nf_fail(b, "a kernel wrote past the end of its output of %zu bytes",
                          bytes);
            return NULL;
        }
    }
    for (size_t i = 0; i < t->count; i++) {
        t->host[i] = nf_number_get(t->type, raw, i);
    }
    return nf_ok(b) ? t->host : NULL;
}
