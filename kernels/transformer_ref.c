/* References of what a transformer's block needs beside rows_ref.c and attention_ref.c. */
#include "ops.h"

#include <math.h>

void nf_kv_append_reference(float *keys, float *values, const float *const from[2],
                            const struct nf_kv_append *a)
{
    size_t dim = (size_t)a->dim;
    for (size_t t = 0; t < (size_t)a->tokens; t++) {
        size_t page = (size_t)a->slots[t] / NF_PAGE, row = (size_t)a->slots[t] % NF_PAGE;
        for (size_t h = 0; h < (size_t)a->kv_heads; h++) {
            size_t to = ((page * (size_t)a->kv_heads + h) * NF_PAGE + row) * dim;
            for (size_t d = 0; d < dim; d++) {
                keys[to + d] = from[0][t * a->stride + h * dim + d];
                values[to + d] = from[1][t * a->stride + h * dim + d];
            }
        }
    }
}

static void modulate_row(float *out, const float *x, const struct nf_modulate_host *h,
                         const struct nf_modulate *a)
{
    size_t n = (size_t)a->width;
    double mean = 0.0, squares = 0.0;
    for (size_t i = 0; i < n; i++) {
        mean += (double)x[i] / a->width;
    }
    for (size_t i = 0; i < n; i++) {
        squares += ((double)x[i] - mean) * ((double)x[i] - mean);
    }
    double inverse = 1.0 / sqrt(squares / a->width + (double)a->epsilon);
    for (size_t i = 0; i < n; i++) {
        double v = ((double)x[i] - mean) * inverse;
        out[i] = (float)(v * (1.0 + (double)h->scale[i]) + (double)h->shift[i]);
    }
}

void nf_modulate_reference(float *out, float *x, const struct nf_modulate_host *h,
                           const struct nf_modulate *a)
{
    size_t n = (size_t)a->width;
    for (size_t r = 0; r < (size_t)a->rows; r++) {
        float *row = x + r * n;
        for (size_t i = 0; h->y && i < n; i++) {
            /* The sum is kept in bf16; the norm reads what is kept. */
            row[i] = nf_bf16_to_float(
                nf_bf16_from_float(row[i] + h->gate[i] * h->y[r * n + i]));
        }
        if (out) {
            modulate_row(out + r * n, row, h, a);
        }
    }
}

void nf_gelu_reference(float *out, const float *x, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double v = (double)x[i];
        double u = 0.79788456080286536 * (v + 0.044715 * v * v * v);
        out[i] = (float)(0.5 * v * (1.0 + tanh(u)));
    }
}
