/*
 * hopper.cuh - what compute capability 9.0 adds: mbarriers, tensor copies (TMA), wgmma.
 *
 * What:   thin wrappers, one instruction each, with the emulator's version beside it.
 * wgmma:  four consecutive warps multiply 64 x K by K x N. B lies in shared memory, A there or in
 *         registers; both are named by 64-bit descriptors. Everything here uses the 128-byte swizzle,
 *         which is also how the tensor copy lays the tile down: 16-byte piece c of 128-byte row r
 *         stands at place c ^ (r % 8). Tiles start at multiples of 1024 bytes.
 * Descriptor bits: 0-13 start / 16, 16-29 leading offset / 16, 32-45 stride offset / 16, 62-63 = 1.
 *         K-major (rows of 128 bytes of K): stride = 1024 (from 8 rows to the next 8), leading unused;
 *         the next 32 bytes of K: start + 32.
 *         MN-major (V of attention: rows of 64 numbers of N): leading = from 64 columns to the next
 *         64, stride = 1024 (from 8 of K to the next 8); the next 16 of K: start + 2048.
 * Needs:  sm_90a for wgmma and setmaxnreg; every kernel that uses this file is guarded.
 */
#ifndef NF_KERNELS_HOPPER_CUH
#define NF_KERNELS_HOPPER_CUH

#include "tensor.cuh"

NF_DEV uint64_t nf_wgmma_descriptor(const void *tile, uint32_t leading_bytes,
                                    uint32_t stride_bytes)
{
    return (uint64_t)(nf_shared_address(tile) >> 4 & 0x3fff) |
           (uint64_t)(leading_bytes >> 4) << 16 | (uint64_t)(stride_bytes >> 4) << 32 |
           (uint64_t)1 << 62;
}
NF_DEV uint64_t nf_wgmma_k_major(const void *tile)
{
    return nf_wgmma_descriptor(tile, 16, 1024);
}
/* Moves a descriptor's start by a multiple of 16 bytes. */
NF_DEV uint64_t nf_wgmma_advance(uint64_t descriptor, uint32_t bytes)
{
    return descriptor + (bytes >> 4);
}

#ifdef NF_EMULATE
/* --- emulated ------------------------------------------------------------------------------------ */
NF_DEV void nf_mbarrier_init(uint64_t *b, int count)
{
    nf_emu::mbarrier_init(b, count);
}
NF_DEV void nf_mbarrier_init_done()
{
}
NF_DEV void nf_mbarrier_arrive(uint64_t *b)
{
    nf_emu::mbarrier_arrive(b, 0);
}
NF_DEV void nf_mbarrier_expect(uint64_t *b, int bytes)
{
    nf_emu::mbarrier_arrive(b, bytes);
}
NF_DEV void nf_mbarrier_wait(uint64_t *b, int parity)
{
    nf_emu::mbarrier_wait(b, parity);
}
NF_DEV void nf_tensor_load2(void *shared, const nf_tensor_map *map, uint64_t *b, int x,
                            int y)
{
    int at[2] = {x, y};
    nf_emu::tensor_load(shared, map, b, at);
}
NF_DEV void nf_tensor_load4(void *shared, const nf_tensor_map *map, uint64_t *b,
                            const int (&at)[4])
{
    nf_emu::tensor_load(shared, map, b, at);
}
template <int n> NF_DEV void nf_registers_fewer()
{
}
template <int n> NF_DEV void nf_registers_more()
{
}
NF_DEV void nf_wgmma_fence()
{
}
NF_DEV void nf_wgmma_commit()
{
    nf_emu::commit(nf_emu::products);
}
template <int left> NF_DEV void nf_wgmma_wait()
{
    nf_emu::wait(nf_emu::products, left);
}
template <int n> NF_DEV void nf_wgmma_hold(float (&)[n])
{
}
template <class T>
NF_DEV void nf_wgmma_256(float (&d)[128], uint64_t a, uint64_t b, int accumulate)
{
    nf_emu::wgmma_shared<T, 256>(d, a, b, accumulate != 0);
}
NF_DEV void nf_wgmma_qk(float (&d)[64], uint64_t a, uint64_t b, int accumulate)
{
    nf_emu::wgmma_shared<nf_bf16, 128>(d, a, b, accumulate != 0);
}
NF_DEV void nf_wgmma_pv(float (&d)[64], const uint32_t (&a)[4], uint64_t b)
{
    nf_emu::wgmma_registers<nf_bf16, 128>(d, a, b, true);
}
#elif defined(NF_ARCH_HAS_WGMMA)
/* --- sm_90a -------------------------------------------------------------------------------------- */
NF_DEV void nf_mbarrier_init(uint64_t *b, int count)
{
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(nf_shared_address(b)),
                 "r"(count)
                 : "memory");
}
/* After the inits, before the barrier that shows them to the other threads: the copy engine sees
 * shared memory through another proxy. */
NF_DEV void nf_mbarrier_init_done()
{
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
NF_DEV void nf_mbarrier_arrive(uint64_t *b)
{
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(nf_shared_address(b))
                 : "memory");
}
NF_DEV void nf_mbarrier_expect(uint64_t *b, int bytes)
{
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(
                     nf_shared_address(b)),
                 "r"(bytes)
                 : "memory");
}
/* Returns once the phase of this parity is over. */
NF_DEV void nf_mbarrier_wait(uint64_t *b, int parity)
{
    asm volatile("{\n"
                 ".reg .pred done;\n"
                 "again:\n"
                 "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
                 "@done bra over;\n"
                 "bra again;\n"
                 "over:\n"
                 "}" ::"r"(nf_shared_address(b)),
                 "r"(parity)
                 : "memory");
}
NF_DEV void nf_tensor_load2(void *shared, const nf_tensor_map *map, uint64_t *b, int x,
                            int y)
{
    asm volatile(
        "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes"
        " [%0], [%1, {%3, %4}], [%2];" ::"r"(nf_shared_address(shared)),
        "l"(map), "r"(nf_shared_address(b)), "r"(x), "r"(y)
        : "memory");
}
NF_DEV void nf_tensor_load4(void *shared, const nf_tensor_map *map, uint64_t *b,
                            const int (&at)[4])
{
    asm volatile(
        "cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes"
        " [%0], [%1, {%3, %4, %5, %6}], [%2];" ::"r"(nf_shared_address(shared)),
        "l"(map), "r"(nf_shared_address(b)), "r"(at[0]), "r"(at[1]), "r"(at[2]),
        "r"(at[3])
        : "memory");
}
/* A warpgroup that only issues copies gives registers to those that multiply. */
template <int n> NF_DEV void nf_registers_fewer()
{
    asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(n));
}
template <int n> NF_DEV void nf_registers_more()
{
    asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(n));
}
NF_DEV void nf_wgmma_fence()
{
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
NF_DEV void nf_wgmma_commit()
{
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
template <int left> NF_DEV void nf_wgmma_wait()
{
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(left) : "memory");
}
/* Keeps the compiler from moving reads or writes of accumulators across the asynchronous products. */
template <int n> NF_DEV void nf_wgmma_hold(float (&d)[n])
{
    NF_UNROLL
    for (int i = 0; i < n; i++) {
        asm volatile("" : "+f"(d[i])::"memory");
    }
}

#define NF_D4(i)  "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define NF_D16(i) NF_D4(i), NF_D4(i + 4), NF_D4(i + 8), NF_D4(i + 12)
#define NF_D64(i) NF_D16(i), NF_D16(i + 16), NF_D16(i + 32), NF_D16(i + 48)
// clang-format off
#define NF_OUT_64 \
    "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15," \
    "%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31," \
    "%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47," \
    "%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63"
#define NF_OUT_128 \
    "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15," \
    "%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31," \
    "%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47," \
    "%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63," \
    "%64,%65,%66,%67,%68,%69,%70,%71,%72,%73,%74,%75,%76,%77,%78,%79," \
    "%80,%81,%82,%83,%84,%85,%86,%87,%88,%89,%90,%91,%92,%93,%94,%95," \
    "%96,%97,%98,%99,%100,%101,%102,%103,%104,%105,%106,%107,%108,%109,%110,%111," \
    "%112,%113,%114,%115,%116,%117,%118,%119,%120,%121,%122,%123,%124,%125,%126,%127"
// clang-format on

/* d (64 x 256) (+)= A B, both in shared memory, K-major, 32 bytes of K. */
template <class T>
NF_DEV void nf_wgmma_256(float (&d)[128], uint64_t a, uint64_t b, int accumulate);

#define NF_WGMMA_256(type, shape, name, transposes)                                      \
    template <>                                                                          \
    __device__ __forceinline__ void nf_wgmma_256<type>(float(&d)[128], uint64_t a,       \
                                                       uint64_t b, int accumulate)       \
    {                                                                                    \
        asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %130, 0;\n"                       \
                     "wgmma.mma_async.sync.aligned." shape ".f32." name "." name         \
                     " {" NF_OUT_128 "}, %128, %129, p, 1, 1" transposes ";\n}\n"        \
                     : NF_D64(0), NF_D64(64)                                             \
                     : "l"(a), "l"(b), "r"(accumulate));                                 \
    }
NF_WGMMA_256(nf_bf16, "m64n256k16", "bf16", ", 0, 0")
NF_WGMMA_256(nf_f16, "m64n256k16", "f16", ", 0, 0")
NF_WGMMA_256(nf_e4m3, "m64n256k32", "e4m3", "")

/* Scores: d (64 x 128) (+)= Q K^T, both in shared memory. */
NF_DEV void nf_wgmma_qk(float (&d)[64], uint64_t a, uint64_t b, int accumulate)
{
    asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %66, 0;\n"
                 "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {" NF_OUT_64
                 "}, %64, %65, p, 1, 1, 0, 0;\n}\n"
                 : NF_D64(0)
                 : "l"(a), "l"(b), "r"(accumulate));
}
/* Output: d (64 x 128) += P V, P in registers, V with its 128 columns contiguous (MN-major). */
NF_DEV void nf_wgmma_pv(float (&d)[64], const uint32_t (&a)[4], uint64_t b)
{
    asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, 1, 0;\n"
                 "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {" NF_OUT_64
                 "}, {%64,%65,%66,%67}, %68, p, 1, 1, 1;\n}\n"
                 : NF_D64(0)
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
}
#endif

/* A barrier of `count` threads among the block's 16; 0 is __syncthreads. */
NF_DEV void nf_named_barrier(int id, int count)
{
#ifdef NF_EMULATE
    nf_emu::block_barrier(id, count);
#else
    asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(count) : "memory");
#endif
}

#endif
