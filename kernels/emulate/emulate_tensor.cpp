#include "emulate/emulate_tensor.h"

#include <vector>

namespace nf_emu
{
namespace
{
struct pending_copy {
    uint64_t *barrier;
    std::function<void()> work;
};
std::vector<pending_copy> pending;

mbarrier *state(uint64_t *at)
{
    return reinterpret_cast<mbarrier *>(at);
}
int phase_of(const mbarrier *b)
{
    return (int)((uint32_t)b->bytes_and_phase >> 31);
}
/* Bytes can be counted before they are announced: a signed 31-bit count. */
int bytes_of(const mbarrier *b)
{
    return (int32_t)((uint32_t)b->bytes_and_phase << 1) >> 1;
}
void set(mbarrier *b, int phase, int bytes)
{
    b->bytes_and_phase =
        (int32_t)((uint32_t)phase << 31 | ((uint32_t)bytes & 0x7fffffffu));
    if (b->pending == 0 && bytes == 0) {
        b->pending = b->expected;
        b->bytes_and_phase = (int32_t)((uint32_t)(phase ^ 1) << 31);
    }
}
} // namespace

uint32_t shared_address(const void *p)
{
    return (uint32_t)(static_cast<const unsigned char *>(p) - dynamic_shared());
}

unsigned char *shared_pointer(uint32_t address)
{
    return dynamic_shared() + address;
}

void ldmatrix(uint32_t (&r)[4], const void *row, bool transposed)
{
    /* The last lane to arrive reads for all: the instruction is one step for the whole warp. */
    unsigned char *slots = collect(&row, sizeof row, [=](unsigned char *s) {
        uint16_t rows[32][8];
        for (int i = 0; i < 32; i++) {
            const void *from;
            std::memcpy(&from, s + i * slot_bytes, sizeof from);
            std::memcpy(rows[i], from, 16);
        }
        for (int l = 0; l < 32; l++) {
            uint32_t out[4];
            for (int i = 0; i < 4; i++) {
                int g = l / 4, t = l % 4;
                uint32_t low =
                    transposed ? rows[8 * i + 2 * t][g] : rows[8 * i + g][2 * t];
                uint32_t high =
                    transposed ? rows[8 * i + 2 * t + 1][g] : rows[8 * i + g][2 * t + 1];
                out[i] = high << 16 | low;
            }
            std::memcpy(s + l * slot_bytes, out, sizeof out);
        }
    });
    std::memcpy(r, slots + lane() * slot_bytes, sizeof r);
}

void mbarrier_init(uint64_t *at, int count)
{
    *state(at) = mbarrier{(uint16_t)count, (uint16_t)count, 0};
}

void mbarrier_arrive(uint64_t *at, int expect_bytes)
{
    mbarrier *b = state(at);
    if (b->pending == 0) {
        fault("more arrivals at an mbarrier than it was made for");
    }
    b->pending--;
    set(b, phase_of(b), bytes_of(b) + expect_bytes);
    yield(true);
}

void mbarrier_wait(uint64_t *at, int parity)
{
    while (phase_of(state(at)) == parity) {
        std::vector<pending_copy> now;
        for (size_t i = 0; i < pending.size();) {
            if (pending[i].barrier == at) {
                now.push_back(std::move(pending[i]));
                pending.erase(pending.begin() + (long)i);
            } else {
                i++;
            }
        }
        for (const pending_copy &c : now) {
            c.work();
        }
        if (phase_of(state(at)) == parity) {
            yield(!now.empty());
        }
    }
}

void forget_copies()
{
    pending.clear();
}

void tensor_load(void *shared, const nf_tensor_map *map, uint64_t *barrier, const int *at)
{
    tensor_view v;
    std::memcpy(&v, map, sizeof v);
    int c[4] = {0, 0, 0, 0};
    for (int i = 0; i < v.rank; i++) {
        c[i] = at[i];
    }
    auto work = [=] {
        unsigned char *out = static_cast<unsigned char *>(shared);
        uint32_t address = shared_address(shared);
        if (address % 1024 != 0) {
            fault("a swizzled tensor copy needs a destination aligned to 1024 bytes");
        }
        uint32_t bytes = 0;
        for (uint32_t i3 = 0; i3 < v.box[3]; i3++) {
            for (uint32_t i2 = 0; i2 < v.box[2]; i2++) {
                for (uint32_t i1 = 0; i1 < v.box[1]; i1++) {
                    uint32_t row = (i3 * v.box[2] + i2) * v.box[1] + i1;
                    for (uint32_t b = 0; b < 128; b++, bytes++) {
                        int64_t x[4] = {c[0] + (int64_t)(b / (uint32_t)v.element_bytes),
                                        (int64_t)c[1] + i1, (int64_t)c[2] + i2,
                                        (int64_t)c[3] + i3};
                        const unsigned char *from =
                            v.base + b % (uint32_t)v.element_bytes;
                        bool inside = true;
                        for (int d = 0; d < 4; d++) {
                            inside = inside && x[d] >= 0 && x[d] < (int64_t)v.extent[d];
                            from += x[d] * (int64_t)v.stride_bytes[d];
                        }
                        out[(row * 128 + b) ^ ((row & 7) << 4)] = inside ? *from : 0;
                    }
                }
            }
        }
        mbarrier *m = state(barrier);
        set(m, phase_of(m), bytes_of(m) - (int)bytes);
    };
    if (settings().late) {
        pending.push_back({barrier, work});
    } else {
        work();
    }
}

} // namespace nf_emu

/* The tensor map of the emulated world; harness.cu has the one of the driver. */
extern "C" int nf_tensor_map_make(struct nf_bench *, struct nf_tensor_map *map,
                                  const struct nf_tensor_shape *shape)
{
    nf_emu::tensor_view v = {};
    v.base = static_cast<const unsigned char *>(shape->base);
    v.rank = shape->rank;
    v.element_bytes = (int)nf_dtype_bytes(shape->type);
    for (int i = 0; i < 4; i++) {
        bool used = i < shape->rank;
        v.extent[i] = used ? shape->extent[i] : 1;
        v.box[i] = used ? shape->box[i] : 1;
        v.stride_bytes[i] = i == 0 ? (uint64_t)v.element_bytes
                            : used ? shape->stride_bytes[i - 1]
                                   : 0;
        if (i > 0 && used && (v.stride_bytes[i] % 16 != 0 || v.box[i] > 256)) {
            return 0;
        }
    }
    if (v.box[0] * (uint32_t)v.element_bytes != 128 || (uintptr_t)v.base % 16 != 0) {
        return 0;
    }
    std::memcpy(map, &v, sizeof v);
    return 1;
}
