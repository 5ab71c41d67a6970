/*
 * emulate_tensor.h - tensor-core instructions of the emulator, after the PTX manual's layouts.
 *
 * What:   ldmatrix, mma.sync; mbarriers, tensor copies with 128-byte swizzle, wgmma descriptors.
 * Source: PTX ISA 9.0: "Matrix Fragments for mma.m16n8k16", "... m16n8k32", "ldmatrix",
 *         "Asynchronous Warpgroup Level Matrix Shared Memory Layout", "Matrix Descriptor Format",
 *         "Tensor Swizzling Modes". Written from memory of those pages: a GPU has the last word.
 */
#ifndef NF_KERNELS_EMULATE_TENSOR_H
#define NF_KERNELS_EMULATE_TENSOR_H

#include "device.cuh"

namespace nf_emu
{

/* Offset within the block's dynamic shared memory; other shared memory has no address here. */
uint32_t shared_address(const void *p);
unsigned char *shared_pointer(uint32_t address);

void ldmatrix(uint32_t (&r)[4], const void *row, bool transposed);

inline float decode(nf_bf16, const unsigned char *p)
{
    return nf_number_get(NF_BF16, p, 0);
}
inline float decode(nf_f16, const unsigned char *p)
{
    return nf_number_get(NF_F16, p, 0);
}
inline float decode(nf_e4m3, const unsigned char *p)
{
    return nf_e4m3_to_float(*p);
}
inline int32_t decode(int8_t, const unsigned char *p)
{
    return (int8_t)*p;
}

template <class T, class Sum>
void mma(Sum (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1)
{
    uint32_t mine[6] = {a[0], a[1], a[2], a[3], b0, b1};
    const unsigned char *slots = collect(mine, sizeof mine);
    /* Byte `k` of row r of A lies in lane (r % 8) * 4 + k % 16 / 4, register (k / 16) * 2 + r / 8. */
    auto a_byte = [&](int r, int k) {
        return slots + ((r % 8) * 4 + k % 16 / 4) * slot_bytes +
               ((k / 16) * 2 + r / 8) * 4 + k % 4;
    };
    auto b_byte = [&](int n, int k) {
        return slots + (n * 4 + k % 16 / 4) * slot_bytes + (4 + k / 16) * 4 + k % 4;
    };
    int g = lane() / 4, t = lane() % 4;
    for (int i = 0; i < 4; i++) {
        int row = g + (i / 2) * 8, column = 2 * t + i % 2;
        Sum sum = 0;
        for (int k = 0; k < 32; k += (int)sizeof(T)) {
            sum += decode(T(), a_byte(row, k)) * decode(T(), b_byte(column, k));
        }
        c[i] += sum;
    }
}

/* --- sm_90 --------------------------------------------------------------------------------------- */

/* The state of an mbarrier in its own 8 bytes. */
struct mbarrier {
    uint16_t expected, pending;
    int32_t bytes_and_phase; /* bit 31: phase; the rest: bytes still to come */
};
static_assert(sizeof(mbarrier) == 8, "an mbarrier is one 64-bit word");
void mbarrier_init(uint64_t *at, int count);
void mbarrier_arrive(uint64_t *at, int expect_bytes);
void mbarrier_wait(uint64_t *at, int parity);
void forget_copies();

/* What a tensor map says, as the emulator keeps it in the map's 128 bytes. */
struct tensor_view {
    const unsigned char *base;
    int rank, element_bytes;
    uint64_t extent[4], stride_bytes[4];
    uint32_t box[4];
};
static_assert(sizeof(tensor_view) <= 128, "fits into a tensor map");
void tensor_load(void *shared, const nf_tensor_map *map, uint64_t *barrier,
                 const int *at);

/* Address of a byte of an operand in shared memory. K-major: rows of K, 128 bytes each. */
inline const unsigned char *wgmma_byte(uint64_t descriptor, int row, int k_byte,
                                       bool mn_major)
{
    uint32_t start = (uint32_t)(descriptor & 0x3fff) << 4;
    uint32_t leading = (uint32_t)(descriptor >> 16 & 0x3fff) << 4;
    uint32_t stride = (uint32_t)(descriptor >> 32 & 0x3fff) << 4;
    if (descriptor >> 62 != 1) {
        fault("only the 128-byte swizzle is known here");
    }
    uint32_t linear;
    if (mn_major) { /* two-byte numbers: atoms of 64 rows by 8 of K, K outside */
        int k = k_byte / 2;
        linear = start + (uint32_t)(row / 64) * leading + (uint32_t)(k / 8) * stride +
                 (uint32_t)(k % 8) * 128 + (uint32_t)(row % 64) * 2 +
                 (uint32_t)(k_byte % 2);
    } else {
        linear = start + (uint32_t)(row / 8) * stride + (uint32_t)(row % 8) * 128 +
                 (uint32_t)k_byte;
    }
    return shared_pointer(linear ^ ((linear >> 7 & 7) << 4));
}

/* d (+)= A B for this thread's part of 64 x N. `a_at(r, k)`: address of byte k of row r of A. */
template <class T, int N, class A>
void wgmma_sum(float (&d)[N / 2], A a_at, uint64_t b, bool b_mn_major, bool accumulate)
{
    int warp = thread_index() / 32 % 4, g = lane() / 4, t = lane() % 4;
    for (int i = 0; i < N / 2; i++) {
        int row = warp * 16 + g + (i / 2 % 2) * 8, column = i / 4 * 8 + 2 * t + i % 2;
        float sum = 0.0f;
        for (int k = 0; k < 32; k += (int)sizeof(T)) {
            sum += decode(T(), a_at(row, k)) *
                   decode(T(), wgmma_byte(b, column, k, b_mn_major));
        }
        d[i] = accumulate ? d[i] + sum : sum;
    }
}

template <class T, int N>
void wgmma_shared(float (&d)[N / 2], uint64_t a, uint64_t b, bool accumulate)
{
    float(*out)[N / 2] = &d;
    defer(products, [=] {
        wgmma_sum<T, N>(
            *out, [=](int r, int k) { return wgmma_byte(a, r, k, false); }, b, false,
            accumulate);
    });
}

template <class T, int N>
void wgmma_registers(float (&d)[N / 2], const uint32_t (&a)[4], uint64_t b,
                     bool accumulate)
{
    float(*out)[N / 2] = &d;
    const uint32_t(*in)[4] = &a;
    defer(products, [=] {
        unsigned char copy[32 * slot_bytes];
        std::memcpy(copy, collect(*in, sizeof *in), sizeof copy);
        auto at = [&](int r, int k) {
            r %= 16;
            return copy + ((r % 8) * 4 + k % 16 / 4) * slot_bytes +
                   ((k / 16) * 2 + r / 8) * 4 + k % 4;
        };
        wgmma_sum<T, N>(*out, at, b, true, accumulate);
    });
}

} // namespace nf_emu

static inline uint32_t nf_shared_address(const void *p)
{
    return nf_emu::shared_address(p);
}

#endif
