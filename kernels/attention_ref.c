#include "ops.h"

#include <math.h>

struct head {
    const float *k, *v;
    size_t keys, stride; /* numbers from one key to the next */
    int dim;
};

/* One query: two passes, the largest score first. */
static void attend(float *out, const float *q, const struct head *x)
{
    const float *k = x->k, *v = x->v;
    size_t keys = x->keys, stride = x->stride;
    int dim = x->dim;
    double scale = 1.0 / sqrt((double)dim), largest = -INFINITY, total = 0.0;
    for (size_t j = 0; j < keys; j++) {
        double s = 0.0;
        for (int d = 0; d < dim; d++) {
            s += (double)q[d] * (double)k[j * stride + (size_t)d];
        }
        largest = fmax(largest, s * scale);
    }
    for (int d = 0; d < dim; d++) {
        out[d] = 0.0f;
    }
    for (size_t j = 0; j < keys; j++) {
        double s = 0.0;
        for (int d = 0; d < dim; d++) {
            s += (double)q[d] * (double)k[j * stride + (size_t)d];
        }
        double p = exp(s * scale - largest);
        total += p;
        for (int d = 0; d < dim; d++) {
            out[d] += (float)(p * (double)v[j * stride + (size_t)d]);
        }
    }
    for (int d = 0; d < dim; d++) {
        out[d] = (float)((double)out[d] / total);
    }
}

void nf_prefill_reference(float *out, const struct nf_prefill *a, const float *q,
                          const float *k, const float *v)
{
    size_t dim = (size_t)a->dim, kv_stride = (size_t)a->kv_heads * dim;
    size_t keys = (size_t)a->context + (size_t)a->queries;
    for (size_t b = 0; b < (size_t)a->batch; b++) {
        for (size_t i = 0; i < (size_t)a->queries; i++) {
            for (size_t h = 0; h < (size_t)a->heads; h++) {
                size_t g = h * (size_t)a->kv_heads / (size_t)a->heads;
                size_t at = ((b * (size_t)a->queries + i) * (size_t)a->heads + h) * dim;
                size_t from = (b * keys * (size_t)a->kv_heads + g) * dim;
                size_t seen = a->causal ? (size_t)a->context + i + 1 : keys;
                const struct head x = {k + from, v + from, seen, kv_stride, a->dim};
                attend(out + at, q + at, &x);
            }
        }
    }
}

/* Two products of 2 dim operations for every pair of a query and a key that it sees. */
double nf_prefill_flop(const struct nf_prefill *a)
{
    double n = a->queries, pairs = n * (a->context + n);
    if (a->causal) {
        pairs = n * a->context + n * (n + 1.0) / 2.0;
    }
    return 4.0 * a->batch * a->heads * a->dim * pairs;
}

/* Gathers the pages of one sequence and head, then attends. The gathered rows are attended through a
 * stack window of one page at a time, so the sums are carried between pages. */
static void attend_pages(float *out, const struct nf_decode *a, const int *pages,
                         int length, int g, const float *const kvq[3])
{
    const float *keys = kvq[0], *values = kvq[1], *q = kvq[2];
    double scale = 1.0 / sqrt((double)a->dim), largest = -INFINITY, total = 0.0;
    for (int pass = 0; pass < 2; pass++) {
        for (int j = 0; j < length; j++) {
            size_t page = (size_t)pages[j / NF_PAGE];
            size_t row = (page * (size_t)a->kv_heads + (size_t)g) * NF_PAGE +
                         (size_t)(j % NF_PAGE);
            const float *k = keys + row * (size_t)a->dim,
                        *v = values + row * (size_t)a->dim;
            double s = 0.0;
            for (int d = 0; d < a->dim; d++) {
                s += (double)q[d] * (double)k[d];
            }
            if (pass == 0) {
                largest = fmax(largest, s * scale);
                continue;
            }
            double p = exp(s * scale - largest);
            total += p;
            for (int d = 0; d < a->dim; d++) {
                out[d] = (j == 0 ? 0.0f : out[d]) + (float)(p * (double)v[d]);
            }
        }
    }
    for (int d = 0; d < a->dim; d++) {
        out[d] = (float)((double)out[d] / total);
    }
}

void nf_decode_reference(float *out, const struct nf_decode *a, const float *keys,
                         const float *values, const float *q)
{
    for (int b = 0; b < a->batch; b++) {
        for (int h = 0; h < a->heads; h++) {
            size_t at = ((size_t)b * (size_t)a->heads + (size_t)h) * (size_t)a->dim;
            const float *const kvq[3] = {keys, values, q + at};
            attend_pages(out + at, a, a->table + (size_t)b * (size_t)a->table_width,
                         a->lengths[b], h * a->kv_heads / a->heads, kvq);
        }
    }
}
