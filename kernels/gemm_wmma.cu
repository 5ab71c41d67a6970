/*
 * gemm_wmma.cu - the wmma version of gemm.cu: tensor cores the way CUDA's C++ interface offers them.
 *
 * A block of four warps computes 64 x 64 results, each warp 32 x 32 as 2 x 2 fragments of 16 x 16. The
 * fragments are loaded straight from global memory, so neighbouring warps fetch the same numbers again
 * (the L1 catches part of it); fragments are opaque, so nothing can be fused into them. It is the
 * shortest tensor-core GEMM there is, and the distance to the mma version shows what staging through
 * shared memory is worth. wmma has no fp8.
 */
#include "ops.h"
#include "tensor.cuh"

#ifdef NF_EMULATE
#include "emulate/emulate_wmma.h"
#else
#include <mma.h>
namespace wmma = nvcuda::wmma;
#endif

template <class T> struct element;
template <> struct element<nf_bf16> {
    typedef __nv_bfloat16 in;
    typedef float sum;
};
template <> struct element<nf_f16> {
    typedef __half in;
    typedef float sum;
};
template <> struct element<int8_t> {
    typedef signed char in;
    typedef int sum;
};

NF_DEV void put(float x, float scale, nf_bf16 *c)
{
    *c = nf_round<nf_bf16>(x * scale);
}
NF_DEV void put(float x, float scale, nf_f16 *c)
{
    *c = nf_round<nf_f16>(x * scale);
}
NF_DEV void put(int x, float, int32_t *c)
{
    *c = x;
}

template <class T, class Out> __global__ void __launch_bounds__(128) gemm_wmma(nf_gemm g)
{
    typedef typename element<T>::in in;
    typedef typename element<T>::sum sum_type;
    __shared__ sum_type results[4][16 * 16];
    int warp = (int)threadIdx.x / 32;
    int row = (int)blockIdx.x * 64 + warp / 2 * 32,
        column = (int)blockIdx.y * 64 + warp % 2 * 32;
    const in *a = static_cast<const in *>(g.a) + (size_t)row * (size_t)g.k;
    const in *b = static_cast<const in *>(g.b) + (size_t)column * (size_t)g.k;
    unsigned k = (unsigned)g.k;
    wmma::fragment<wmma::accumulator, 16, 16, 16, sum_type> sum[2][2];
    NF_UNROLL
    for (int i = 0; i < 4; i++) {
        wmma::fill_fragment(sum[i / 2][i % 2], sum_type(0));
    }
    for (unsigned at = 0; at < k; at += 16) {
        wmma::fragment<wmma::matrix_a, 16, 16, 16, in, wmma::row_major> fa[2];
        wmma::fragment<wmma::matrix_b, 16, 16, 16, in, wmma::col_major> fb[2];
        NF_UNROLL
        for (int i = 0; i < 2; i++) {
            wmma::load_matrix_sync(fa[i], a + (size_t)(16 * i) * k + at, k);
            wmma::load_matrix_sync(fb[i], b + (size_t)(16 * i) * k + at, k);
        }
        NF_UNROLL
        for (int i = 0; i < 4; i++) {
            wmma::mma_sync(sum[i / 2][i % 2], fa[i / 2], fb[i % 2], sum[i / 2][i % 2]);
        }
    }
    Out *c = static_cast<Out *>(g.c);
    for (int i = 0; i < 4; i++) {
        /* Fragments hide their layout: rounding goes through shared memory. */
        wmma::store_matrix_sync(results[warp], sum[i / 2][i % 2], 16,
                                wmma::mem_row_major);
        __syncwarp();
        for (int j = (int)threadIdx.x % 32; j < 256; j += 32) {
            size_t r = (size_t)(row + i / 2 * 16 + j / 16),
                   q = (size_t)(column + i % 2 * 16 + j % 16);
            put(results[warp][j], g.scale, c + r * (size_t)g.n + q);
        }
        __syncwarp();
    }
}

extern "C" void nf_gemm_wmma_launch(const nf_gemm *g, nf_stream stream)
{
    dim3 grid((unsigned)g->m / 64, (unsigned)g->n / 64);
    if (g->type == NF_BF16) {
        NF_LAUNCH((gemm_wmma<nf_bf16, nf_bf16>), grid, 128, 0, stream, *g);
    } else if (g->type == NF_F16) {
        NF_LAUNCH((gemm_wmma<nf_f16, nf_f16>), grid, 128, 0, stream, *g);
    } else {
        NF_LAUNCH((gemm_wmma<int8_t, int32_t>), grid, 128, 0, stream, *g);
    }
}
