#include "ops.h"

enum nf_dtype nf_gemm_out(enum nf_dtype type)
{
    return type == NF_S8 ? NF_S32 : type == NF_E4M3 ? NF_BF16 : type;
}

void nf_gemm_reference(float *c, const float *a, const float *b, int m, int n, int k)
{
    for (size_t i = 0; i < (size_t)m; i++) {
        for (size_t j = 0; j < (size_t)n; j++) {
            double sum = 0.0;
            for (size_t l = 0; l < (size_t)k; l++) {
                sum += (double)a[i * (size_t)k + l] * (double)b[j * (size_t)k + l];
            }
            c[i * (size_t)n + j] = (float)sum;
        }
    }
}
