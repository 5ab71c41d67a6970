/*
 * emulate_wmma.h - nvcuda::wmma for the emulator: a fragment holds its whole matrix in every lane.
 */
#ifndef NF_KERNELS_EMULATE_WMMA_H
#define NF_KERNELS_EMULATE_WMMA_H

#include "emulate/emulate_tensor.h"

typedef nf_bf16 __nv_bfloat16;
typedef nf_f16 __half;

namespace wmma
{
struct matrix_a;
struct matrix_b;
struct accumulator;
struct row_major;
struct col_major;
enum layout_t { mem_row_major };

template <class Use, int M, int N, int K, class T, class Layout = void> struct fragment {
    float x[M * N]; /* row-major for A and the sums, [n][k] for B */
};

template <class F, class T> void fill_fragment(F &f, T value)
{
    for (float &x : f.x) {
        x = (float)value;
    }
}
template <class F, class T> void load_matrix_sync(F &f, const T *from, unsigned stride)
{
    for (unsigned i = 0; i < 256; i++) {
        f.x[i] = nf_float(from[i / 16 * stride + i % 16]);
    }
    __syncwarp();
}
template <class D, class A, class B>
void mma_sync(D &d, const A &a, const B &b, const D &c)
{
    D sum = c;
    for (int i = 0; i < 256; i++) {
        for (int k = 0; k < 16; k++) {
            sum.x[i] += a.x[i / 16 * 16 + k] * b.x[i % 16 * 16 + k];
        }
    }
    d = sum;
    __syncwarp();
}
template <class T, class F>
void store_matrix_sync(T *to, const F &f, unsigned stride, layout_t)
{
    for (unsigned i = 0; i < 256; i++) {
        to[i / 16 * stride + i % 16] = (T)f.x[i];
    }
    __syncwarp();
}
} // namespace wmma

#endif
