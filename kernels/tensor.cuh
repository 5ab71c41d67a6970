/*
 * tensor.cuh - tensor cores and asynchronous copies of compute capability 8.0 and later.
 *
 * What:   ldmatrix, mma.sync (bf16, fp16: 16x8x16; fp8, int8: 16x8x32), cp.async.
 * Idea:   all of them see bytes: a row of K is 32 bytes for one product, whatever the type. A tile of
 *         16 rows is four 8x16-byte matrices, which is what ldmatrix loads; so one GEMM serves four types.
 * Layout: (PTX ISA, "Matrix Fragments for mma.m16n8k16 / k32"), g = lane / 4, t = lane % 4:
 *         A: a0 row g, bytes 4t..4t+3; a1 row g+8; a2 row g, bytes 16+4t..; a3 row g+8, the same.
 *         B: b0 column g, bytes 4t..4t+3 of K; b1 bytes 16+4t...
 *         C: c0 c1 row g, columns 2t, 2t+1; c2 c3 row g+8.
 */
#ifndef NF_KERNELS_TENSOR_CUH
#define NF_KERNELS_TENSOR_CUH

#include "device.cuh"

#ifdef NF_EMULATE
#include "emulate/emulate_tensor.h"
#endif

#ifndef NF_EMULATE
NF_DEV uint32_t nf_shared_address(const void *p)
{
    return (uint32_t)__cvta_generic_to_shared(p);
}
#endif

/* Four 8x8 matrices of 16-bit numbers: lane l gives the address of row l % 8 of matrix l / 8. */
NF_DEV void nf_ldmatrix4(uint32_t (&r)[4], const void *row)
{
#ifdef NF_EMULATE
    nf_emu::ldmatrix(r, row, false);
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(nf_shared_address(row))
                 : "memory");
#endif
}
NF_DEV void nf_ldmatrix4_transposed(uint32_t (&r)[4], const void *row)
{
#ifdef NF_EMULATE
    nf_emu::ldmatrix(r, row, true);
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(nf_shared_address(row))
                 : "memory");
#endif
}

/* c += a b. T: the type of A and B. */
template <class T>
NF_DEV void nf_mma(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1);

#ifdef NF_EMULATE
template <class T>
NF_DEV void nf_mma(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1)
{
    nf_emu::mma<T, float>(c, a, b0, b1);
}
NF_DEV void nf_mma_s8(int32_t (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1)
{
    nf_emu::mma<int8_t, int32_t>(c, a, b0, b1);
}
#else
#define NF_MMA_F32(type, shape, name)                                                    \
    template <>                                                                          \
    __device__ __forceinline__ void nf_mma<type>(float(&c)[4], const uint32_t(&a)[4],    \
                                                 uint32_t b0, uint32_t b1)               \
    {                                                                                    \
        asm volatile("mma.sync.aligned." shape ".row.col.f32." name "." name ".f32 "     \
                     "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"             \
                     : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])                    \
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));    \
    }
NF_MMA_F32(nf_bf16, "m16n8k16", "bf16")
NF_MMA_F32(nf_f16, "m16n8k16", "f16")
#ifdef NF_ARCH_HAS_FP8
NF_MMA_F32(nf_e4m3, "m16n8k32", "e4m3")
#else
/* No fp8 tensor cores: the launchers refuse before this could run. */
template <>
__device__ __forceinline__ void nf_mma<nf_e4m3>(float (&)[4], const uint32_t (&)[4],
                                                uint32_t, uint32_t)
{
    __trap();
}
#endif
NF_DEV void nf_mma_s8(int32_t (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1)
{
    asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 "
                 "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
#endif

/* 16 bytes from global to shared memory, past the registers; zeros when !valid. */
NF_DEV void nf_copy_async16(void *shared, const void *global, bool valid)
{
#ifdef NF_EMULATE
    nf_emu::defer(nf_emu::copies, [=] {
        if (valid) {
            std::memcpy(shared, global, 16);
        } else {
            std::memset(shared, 0, 16);
        }
    });
#else
    int bytes = valid ? 16 : 0;
    asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16, %2;" ::"r"(
                     nf_shared_address(shared)),
                 "l"(global), "r"(bytes)
                 : "memory");
#endif
}
NF_DEV void nf_copy_async_commit()
{
#ifdef NF_EMULATE
    nf_emu::commit(nf_emu::copies);
#else
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}
/* Waits until at most `left` of this thread's groups are unfinished; a barrier has to follow before
 * other threads read. */
template <int left> NF_DEV void nf_copy_async_wait()
{
#ifdef NF_EMULATE
    nf_emu::wait(nf_emu::copies, left);
#else
    asm volatile("cp.async.wait_group %0;" ::"n"(left) : "memory");
#endif
}

#endif
