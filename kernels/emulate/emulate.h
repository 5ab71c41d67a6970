/*
 * emulate.h - runs our kernels on the CPU, thread by thread, to test their logic without a GPU.
 *
 * What:   grids, blocks, warps and shared memory on fibers; __syncthreads, shuffles, ldmatrix,
 *         mma.sync, cp.async, mbarriers, tensor copies and wgmma with the meaning that the PTX
 *         manual gives them (fragment layouts, descriptors, swizzles).
 * Why:    an index error, a missing barrier or a wrong fragment shows up on any machine, under
 *         AddressSanitizer. It says nothing about speed, and it is as right as our reading of the
 *         manual: a GPU has the last word.
 * How:    one fiber a thread, switched only at barriers. Two dials make mistakes visible:
 *         - the order in which the threads of a block run (ascending, descending, shuffled): a
 *           missing barrier is right in one order and wrong in another;
 *         - when an asynchronous copy or product happens: as early as it may (at its issue) or as
 *           late (when somebody waits for it).
 * Bounds: blocks run one after the other; a grid-wide barrier would hang and is reported as such.
 *         A block whose threads all wait is a deadlock: printed, and the program aborts.
 */
#ifndef NF_KERNELS_EMULATE_H
#define NF_KERNELS_EMULATE_H

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>

#include "numbers.h"

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_)
    {
    }
};

extern dim3 threadIdx, blockIdx, blockDim, gridDim;

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __shared__      static
#define __launch_bounds__(...)
#define __grid_constant__
#define __restrict__ __restrict

namespace nf_emu
{

enum class order { ascending, descending, shuffled };
struct dials {
    order threads;
    bool late; /* asynchronous work happens at the wait, not at the issue */
    uint64_t seed;
};
dials &settings();

void launch(dim3 grid, dim3 block, size_t smem_bytes, const std::function<void()> &body);
unsigned char *dynamic_shared();
int thread_index(); /* within the block */
inline int lane()
{
    return thread_index() % 32;
}

/* Gives the other threads of the block a turn. `progress`: something changed for them. */
void yield(bool progress);
/* Waits until `count` threads of the block are at barrier `id`. */
void block_barrier(int id, int count);

/* One collective operation of a warp: every lane hands in `bytes`; the last to arrive runs `work` on
 * the 32 slots (slot_bytes apart), then all go on, each reading what it wants. Returns the slots. All lanes have to
 * call from one place of the program, as a shuffle of the full mask wants it: two branches that both shuffle are a fault.
 * What stands between a kernel and this call is therefore inlined always. */
enum { slot_bytes = 64 };
unsigned char *collect(const void *data, size_t bytes,
                       const std::function<void(unsigned char *slots)> &work = nullptr);

#define NF_INLINED __attribute__((always_inline)) inline

template <class T> NF_INLINED T exchange(T value, int source)
{
    T result;
    unsigned char *slots = collect(&value, sizeof value);
    std::memcpy(&result, slots + source * slot_bytes, sizeof result);
    return result;
}

/* Per-thread queue of asynchronous work in committed groups (cp.async; wgmma has its own). */
enum queue { copies, products };
void defer(queue q, std::function<void()> work);
void commit(queue q);
void wait(queue q, int groups_left);

[[noreturn]] void fault(const char *what);

} // namespace nf_emu

/* --- the parts of CUDA C++ that the kernels use ------------------------------------------------ */

inline void __syncthreads()
{
    nf_emu::block_barrier(0, (int)(blockDim.x * blockDim.y * blockDim.z));
}
NF_INLINED void __syncwarp()
{
    int nothing = 0;
    nf_emu::collect(&nothing, sizeof nothing);
}
template <class T> NF_INLINED T __shfl_xor_sync(unsigned, T v, int mask)
{
    return nf_emu::exchange(v, nf_emu::lane() ^ mask);
}
template <class T> NF_INLINED T __shfl_sync(unsigned, T v, int source)
{
    return nf_emu::exchange(v, source & 31);
}
NF_INLINED unsigned __ballot_sync(unsigned, int predicate)
{
    unsigned bits = 0;
    unsigned char *slots = nf_emu::collect(&predicate, sizeof predicate);
    for (int i = 0; i < 32; i++) {
        int p;
        std::memcpy(&p, slots + i * nf_emu::slot_bytes, sizeof p);
        bits |= (p != 0 ? 1u : 0u) << i;
    }
    return bits;
}
template <class T> T atomicAdd(T *at, T v)
{
    T old = *at;
    *at += v;
    return old;
}
inline float __expf(float x)
{
    return std::exp(x);
}
inline float exp2f_fast(float x)
{
    return std::exp2(x);
}
inline float rsqrtf(float x)
{
    return 1.0f / std::sqrt(x);
}
inline void __sincosf(float x, float *s, float *c)
{
    *s = std::sin(x);
    *c = std::cos(x);
}
inline float __fdividef(float a, float b)
{
    return a / b;
}
inline float __saturatef(float x)
{
    return x < 0.0f ? 0.0f : x > 1.0f ? 1.0f : x;
}
inline int __float2int_rn(float x)
{
    return (int)std::nearbyint(x);
}
inline int __ffs(int x)
{
    return __builtin_ffs(x);
}
inline int __popc(unsigned x)
{
    return __builtin_popcount(x);
}
template <class T> T min(T a, T b)
{
    return b < a ? b : a;
}
template <class T> T max(T a, T b)
{
    return a < b ? b : a;
}

#endif
