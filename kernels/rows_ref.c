/* References of the row-wise and element-wise operations. */
#include "ops.h"

#include <math.h>

void nf_rmsnorm_reference(float *out, float *residual, const float *x,
                          const float *weight, const struct nf_rmsnorm *a)
{
    size_t n = (size_t)a->width;
    for (size_t r = 0; r < (size_t)a->rows; r++) {
        double squares = 0.0;
        for (size_t i = 0; i < n; i++) {
            float v = x[r * n + i];
            if (residual) {
                /* The sum is kept in bf16 between layers; the norm reads what is kept. */
                v = nf_bf16_to_float(nf_bf16_from_float(v + residual[r * n + i]));
                residual[r * n + i] = v;
            }
            squares += (double)v * (double)v;
        }
        double scale = 1.0 / sqrt(squares / a->width + (double)a->epsilon);
        const float *from = residual ? residual : x;
        for (size_t i = 0; i < n; i++) {
            out[r * n + i] = (float)((double)from[r * n + i] * scale * (double)weight[i]);
        }
    }
}

void nf_rotary_reference(float *x, const int *positions, const struct nf_rotary *a)
{
    int half = a->dim / 2;
    for (size_t t = 0; t < (size_t)a->tokens; t++) {
        for (int h = 0; h < a->heads; h++) {
            float *head = x + t * a->stride + (size_t)h * (size_t)a->dim;
            for (int i = 0; i < half; i++) {
                double angle = positions[t] * pow((double)a->theta, -2.0 * i / a->dim);
                double c = cos(angle), s = sin(angle);
                double low = (double)head[i], high = (double)head[i + half];
                head[i] = (float)(low * c - high * s);
                head[i + half] = (float)(high * c + low * s);
            }
        }
    }
}

void nf_swiglu_reference(float *out, const float *x, int rows, int width)
{
    size_t n = (size_t)width;
    for (size_t r = 0; r < (size_t)rows; r++) {
        for (size_t i = 0; i < n; i++) {
            double gate = (double)x[r * 2 * n + i], up = (double)x[r * 2 * n + n + i];
            out[r * n + i] = (float)(gate / (1.0 + exp(-gate)) * up);
        }
    }
}

void nf_softmax_reference(float *out, const float *x, int rows, int width)
{
    size_t n = (size_t)width;
    for (size_t r = 0; r < (size_t)rows; r++) {
        double largest = -INFINITY, total = 0.0;
        for (size_t i = 0; i < n; i++) {
            largest = fmax(largest, (double)x[r * n + i]);
        }
        for (size_t i = 0; i < n; i++) {
            total += exp((double)x[r * n + i] - largest);
        }
        for (size_t i = 0; i < n; i++) {
            out[r * n + i] = (float)(exp((double)x[r * n + i] - largest) / total);
        }
    }
}

void nf_residual_reference(float *out, const float *x, const float *y, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        out[i] = x[i] + y[i];
    }
}

void nf_quantize_reference(float *out, float *scale, const float *x,
                           const struct nf_quantize *a)
{
    size_t n = (size_t)a->width;
    float largest_value = a->type == NF_S8 ? 127.0f : 448.0f;
    for (size_t r = 0; r < (size_t)a->rows; r++) {
        float largest = 0.0f;
        for (size_t i = 0; i < n; i++) {
            largest = fmaxf(largest, fabsf(x[r * n + i]));
        }
        scale[r] = largest > 0.0f ? largest / largest_value : 1.0f;
        for (size_t i = 0; i < n; i++) {
            unsigned char raw[4];
            nf_number_set(a->type, raw, 0, x[r * n + i] / scale[r]);
            out[r * n + i] = nf_number_get(a->type, raw, 0);
        }
    }
}
