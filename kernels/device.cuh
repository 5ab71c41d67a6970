/*
 * device.cuh - the small language that the kernels are written in.
 *
 * What:   number types with conversions, 16-byte loads and stores, warp reductions, launches.
 * Why:    one spelling for what every kernel needs, on the GPU (nvcc) and, with NF_EMULATE, on the
 *         CPU (emulate.h), where the same sources are tested without a GPU.
 * Note:   no cuda_fp16.h and relatives: the few conversions used here are one PTX instruction each,
 *         and leaving those headers out halves the compile time.
 */
#ifndef NF_KERNELS_DEVICE_CUH
#define NF_KERNELS_DEVICE_CUH

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "harness.h"

#ifdef NF_EMULATE
#include "emulate/emulate.h"
#define NF_LAUNCH(kernel, grid, block, smem, stream, ...)                                \
    ((void)(stream), nf_emu::launch(grid, block, smem, [=] { (kernel)(__VA_ARGS__); }))
#define NF_DYNAMIC_SHARED(type, name)                                                    \
    type *name = reinterpret_cast<type *>(nf_emu::dynamic_shared())
#define NF_ALLOW_SHARED(kernel, bytes) ((void)0)
#define NF_ARCH_HAS_FP8                1
#define NF_ARCH_HAS_WGMMA              1
#define NF_UNROLL
#else
#define NF_LAUNCH(kernel, grid, block, smem, stream, ...)                                \
    (kernel)<<<grid, block, smem, stream>>>(__VA_ARGS__)
#define NF_DYNAMIC_SHARED(type, name)                                                    \
    extern __shared__ __align__(1024) unsigned char nf_dynamic_shared[];                 \
    type *name = reinterpret_cast<type *>(nf_dynamic_shared)
/* A block gets more than 48 KB only after this; the error, if any, shows at the launch. */
#define NF_ALLOW_SHARED(kernel, bytes)                                                   \
    (void)cudaFuncSetAttribute(reinterpret_cast<const void *>(kernel),                   \
                               cudaFuncAttributeMaxDynamicSharedMemorySize,              \
                               (int)(bytes))
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 890
#define NF_ARCH_HAS_FP8 1
#endif
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define NF_ARCH_HAS_WGMMA 1
#endif
#define NF_UNROLL _Pragma("unroll")
#endif

#define NF_DEV static __device__ __forceinline__

struct nf_bf16 {
    uint16_t bits;
};
struct nf_f16 {
    uint16_t bits;
};
struct nf_e4m3 {
    uint8_t bits;
};
struct alignas(16) nf_b128 {
    uint32_t w[4];
};

template <class T> struct nf_type_of;
template <> struct nf_type_of<float> {
    static constexpr nf_dtype value = NF_F32;
};
template <> struct nf_type_of<nf_bf16> {
    static constexpr nf_dtype value = NF_BF16;
};
template <> struct nf_type_of<nf_f16> {
    static constexpr nf_dtype value = NF_F16;
};
template <> struct nf_type_of<nf_e4m3> {
    static constexpr nf_dtype value = NF_E4M3;
};
template <> struct nf_type_of<int8_t> {
    static constexpr nf_dtype value = NF_S8;
};

/* --- conversions -------------------------------------------------------------------------------- */

NF_DEV float nf_float(float x)
{
    return x;
}
NF_DEV float nf_float(nf_bf16 x)
{
#ifdef NF_EMULATE
    return nf_bf16_to_float(x.bits);
#else
    return __uint_as_float((uint32_t)x.bits << 16);
#endif
}
NF_DEV float nf_float(nf_f16 x)
{
#ifdef NF_EMULATE
    return nf_f16_to_float(x.bits);
#else
    float y;
    asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits));
    return y;
#endif
}
/* e4m3: its bits moved into half precision are 2^-8 of its value; only 0x7f and 0xff are NaN. */
NF_DEV float nf_float(nf_e4m3 x)
{
    if ((x.bits & 0x7f) == 0x7f) {
        return NAN;
    }
    nf_f16 h = {(uint16_t)((x.bits & 0x80) << 8 | (x.bits & 0x7f) << 7)};
    return nf_float(h) * 256.0f;
}
NF_DEV float nf_float(int8_t x)
{
    return (float)x;
}

/* Two numbers in one register, `low` in the lower half: what mma fragments and wide stores hold. */
template <class T> NF_DEV uint32_t nf_pack2(float low, float high);
template <> __device__ __forceinline__ uint32_t nf_pack2<nf_bf16>(float low, float high)
{
#ifdef NF_EMULATE
    return (uint32_t)nf_bf16_from_float(high) << 16 | nf_bf16_from_float(low);
#else
    uint32_t r;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low));
    return r;
#endif
}
template <> __device__ __forceinline__ uint32_t nf_pack2<nf_f16>(float low, float high)
{
#ifdef NF_EMULATE
    return (uint32_t)nf_f16_from_float(high) << 16 | nf_f16_from_float(low);
#else
    uint32_t r;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low));
    return r;
#endif
}
template <class T> NF_DEV float nf_low(uint32_t pair)
{
    T x;
    x.bits = (uint16_t)(pair & 0xffffu);
    return nf_float(x);
}
template <class T> NF_DEV float nf_high(uint32_t pair)
{
    T x;
    x.bits = (uint16_t)(pair >> 16);
    return nf_float(x);
}

template <class T> NF_DEV T nf_round(float x)
{
    T y;
    y.bits = (uint16_t)(nf_pack2<T>(x, 0.0f) & 0xffffu);
    return y;
}
template <> __device__ __forceinline__ float nf_round<float>(float x)
{
    return x;
}
/* e4m3, nearest even, saturating at 448: the instruction from sm_89 on, arithmetic before it. */
template <> __device__ __forceinline__ nf_e4m3 nf_round<nf_e4m3>(float x)
{
    nf_e4m3 y;
#ifdef NF_EMULATE
    y.bits = nf_e4m3_from_float(x);
#elif defined(NF_ARCH_HAS_FP8)
    uint16_t r;
    asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(r) : "f"(0.0f), "f"(x));
    y.bits = (uint8_t)r;
#else
    uint32_t sign = __float_as_uint(x) >> 31;
    float m = fminf(fabsf(x), 448.0f);
    int exponent = (int)(__float_as_uint(m) >> 23) - 127;
    int step = max(exponent, -6) - 3; /* spacing of the format at m is 2^step */
    int count = __float2int_rn(ldexpf(m, -step));
    /* Normal numbers count from 8 to 16 in steps; the subnormals of exponent -6 from 0 to 8. */
    uint32_t body = (uint32_t)((max(exponent, -6) + 6) * 8 + count);
    y.bits = (uint8_t)(x != x ? 0x7fu : sign << 7 | body);
#endif
    return y;
}
template <> __device__ __forceinline__ int8_t nf_round<int8_t>(float x)
{
    int i = __float2int_rn(x);
    return (int8_t)(i < -128 ? -128 : i > 127 ? 127 : i);
}

/* --- memory ------------------------------------------------------------------------------------- */

NF_DEV nf_b128 nf_load16(const void *p)
{
    return *static_cast<const nf_b128 *>(p);
}
NF_DEV void nf_store16(void *p, nf_b128 v)
{
    *static_cast<nf_b128 *>(p) = v;
}
/* Data that is read once or written once: it should not push others out of the L2. */
NF_DEV nf_b128 nf_load16_once(const void *p)
{
#ifdef NF_EMULATE
    return nf_load16(p);
#else
    nf_b128 v;
    asm volatile("ld.global.nc.L1::no_allocate.L2::256B.v4.u32 {%0,%1,%2,%3}, [%4];"
                 : "=r"(v.w[0]), "=r"(v.w[1]), "=r"(v.w[2]), "=r"(v.w[3])
                 : "l"(p));
    return v;
#endif
}
NF_DEV void nf_store16_once(void *p, nf_b128 v)
{
#ifdef NF_EMULATE
    nf_store16(p, v);
#else
    asm volatile("st.global.cs.v4.u32 [%0], {%1,%2,%3,%4};" ::"l"(p), "r"(v.w[0]),
                 "r"(v.w[1]), "r"(v.w[2]), "r"(v.w[3])
                 : "memory");
#endif
}

/* The eight 16-bit numbers of one 16-byte word. */
template <class T> NF_DEV void nf_unpack8(nf_b128 v, float *x)
{
    NF_UNROLL
    for (int i = 0; i < 4; i++) {
        x[2 * i] = nf_low<T>(v.w[i]);
        x[2 * i + 1] = nf_high<T>(v.w[i]);
    }
}
template <class T> NF_DEV nf_b128 nf_pack8(const float *x)
{
    nf_b128 v;
    NF_UNROLL
    for (int i = 0; i < 4; i++) {
        v.w[i] = nf_pack2<T>(x[2 * i], x[2 * i + 1]);
    }
    return v;
}

/* --- reductions --------------------------------------------------------------------------------- */

NF_DEV float nf_warp_sum(float x)
{
    NF_UNROLL
    for (int offset = 16; offset > 0; offset /= 2) {
        x += __shfl_xor_sync(0xffffffffu, x, offset);
    }
    return x;
}
NF_DEV float nf_warp_max(float x)
{
    NF_UNROLL
    for (int offset = 16; offset > 0; offset /= 2) {
        x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, offset));
    }
    return x;
}
/* Sum (or maximum) over a block of whole warps; every thread gets it. `scratch`: 32 floats in shared
 * memory; safe to call twice in a row with the same scratch. */
template <bool maximum> NF_DEV float nf_block_reduce(float x, float *scratch)
{
    int warp = (int)threadIdx.x / 32, warps = (int)blockDim.x / 32;
    x = maximum ? nf_warp_max(x) : nf_warp_sum(x);
    __syncthreads();
    if (threadIdx.x % 32 == 0) {
        scratch[warp] = x;
    }
    __syncthreads();
    float total = scratch[0];
    for (int i = 1; i < warps; i++) {
        total = maximum ? fmaxf(total, scratch[i]) : total + scratch[i];
    }
    return total;
}

NF_DEV float nf_exp2(float x)
{
#ifdef NF_EMULATE
    return exp2f_fast(x);
#else
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
#endif
}

static inline unsigned nf_ceil_div(size_t a, size_t b)
{
    return (unsigned)((a + b - 1) / b);
}

#endif
