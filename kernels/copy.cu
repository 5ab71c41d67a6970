/*
 * copy.cu - moving bytes: to = from, and the triad to = from + s from2 in fp32.
 *
 * Every other memory-bound kernel is judged against what this one reaches, so it has to be good.
 *
 * plain     one 4-byte element a thread: how a first kernel looks. Each warp asks for 128 bytes, and the
 *           time goes into waiting: one load in flight a thread.
 * vector    16 bytes a thread, grid-stride: a quarter of the instructions for the same bytes.
 * unrolled  four independent 16-byte loads before the first store: by Little's law a 4.8 TB/s memory
 *           with about 1 us of latency needs some 36 KB in flight on each of 132 multiprocessors, and
 *           2048 threads x 64 bytes are 128 KB. Streaming hints: the data is not read again.
 * runtime   cudaMemcpyAsync, what the others are held against (measured, not checked).
 */
#include "device.cuh"
#include "sets.cuh"

enum { PLAIN, VECTOR, UNROLLED, VERSIONS };
static const nf_version versions[VERSIONS] = {
    {"plain", "4 bytes a thread", NF_ANY, false},
    {"vector", "16 bytes a thread, grid-stride", NF_ANY, false},
    {"unrolled", "four independent 16-byte loads, streaming hints", NF_ANY, true},
};

static constexpr int threads = 256, unroll = 4;

__global__ void copy_plain(float *to, const float *from, size_t n)
{
    size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) {
        to[i] = from[i];
    }
}

__global__ void copy_vector(nf_b128 *to, const nf_b128 *from, size_t n)
{
    size_t step = (size_t)gridDim.x * blockDim.x;
    for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {
        nf_store16(to + i, nf_load16(from + i));
    }
}

/* Element-wise work on 16-byte words, `unroll` independent ones a thread and round. */
template <bool triad>
__global__ void __launch_bounds__(threads)
    stream_unrolled(nf_b128 *to, const nf_b128 *from, const nf_b128 *from2, float scale,
                    size_t n)
{
    size_t base = (size_t)blockIdx.x * threads * unroll + threadIdx.x;
    nf_b128 v[unroll], w[unroll];
    NF_UNROLL
    for (int j = 0; j < unroll; j++) {
        size_t i = base + (size_t)j * threads;
        if (i < n) {
            v[j] = nf_load16_once(from + i);
            if (triad) {
                w[j] = nf_load16_once(from2 + i);
            }
        }
    }
    NF_UNROLL
    for (int j = 0; j < unroll; j++) {
        size_t i = base + (size_t)j * threads;
        if (i >= n) {
            continue;
        }
        if (triad) {
            NF_UNROLL
            for (int e = 0; e < 4; e++) {
                float x, y;
                memcpy(&x, &v[j].w[e], 4);
                memcpy(&y, &w[j].w[e], 4);
                x += scale * y;
                memcpy(&v[j].w[e], &x, 4);
            }
        }
        nf_store16_once(to + i, v[j]);
    }
}

__global__ void triad_plain(float *to, const float *from, const float *from2, float scale,
                            size_t n)
{
    size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) {
        to[i] = from[i] + scale * from2[i];
    }
}

static void launch(int version, const nf_copy *a, nf_stream stream)
{
    size_t words = a->bytes / 16, floats = a->bytes / 4;
    nf_b128 *to = static_cast<nf_b128 *>(a->to);
    const nf_b128 *from = static_cast<const nf_b128 *>(a->from);
    const nf_b128 *from2 = static_cast<const nf_b128 *>(a->from2);
    unsigned plain_grid = nf_ceil_div(floats, threads);
    unsigned unrolled_grid = nf_ceil_div(words, threads * unroll);
    if (version == PLAIN && from2) {
        NF_LAUNCH(triad_plain, plain_grid, threads, 0, stream,
                  static_cast<float *>(a->to), static_cast<const float *>(a->from),
                  static_cast<const float *>(a->from2), a->scale, floats);
    } else if (version == PLAIN) {
        NF_LAUNCH(copy_plain, plain_grid, threads, 0, stream, static_cast<float *>(a->to),
                  static_cast<const float *>(a->from), floats);
    } else if (version == VECTOR) {
        unsigned grid = nf_ceil_div(words, threads);
        NF_LAUNCH(copy_vector, grid < 2048u ? grid : 2048u, threads, 0, stream, to, from,
                  words);
    } else if (from2) {
        NF_LAUNCH(stream_unrolled<true>, unrolled_grid, threads, 0, stream, to, from,
                  from2, a->scale, words);
    } else {
        NF_LAUNCH(stream_unrolled<false>, unrolled_grid, threads, 0, stream, to, from,
                  from2, a->scale, words);
    }
}

static void check(nf_bench *b)
{
    const size_t counts[] = {4, 1028, 70004};
    for (size_t count : counts) {
        for (int v = 0; v < VERSIONS; v++) {
            for (int triad = 0; triad < 2; triad++) {
                if (triad && v == VECTOR) {
                    continue;
                }
                nf_tensor x = nf_tensor_random(b, NF_F32, count, 2.0f);
                nf_tensor y = nf_tensor_random(b, NF_F32, count, 2.0f);
                nf_tensor out = nf_tensor_poisoned(b, NF_F32, count);
                float *want = static_cast<float *>(nf_host_get(b, count * sizeof(float)));
                if (!nf_ok(b)) {
                    return;
                }
                nf_copy a = {count * 4, out.dev, x.dev, triad ? y.dev : nullptr, 2.385f};
                nf_triad_reference(want, x.host, y.host, triad ? a.scale : 0.0f, count);
                launch(v, &a, b->stream);
                char what[64], shape[NF_ROWS_TEXT];
                (void)snprintf(what, sizeof what, "%s %s", triad ? "triad" : "copy",
                               versions[v].name);
                nf_shape(shape, "bytes=%zu", a.bytes);
                nf_check_close(b, what, shape, &out, want, nf_bound_of(NF_F32));
                nf_case_end(b);
            }
        }
    }
}

#ifndef NF_EMULATE
static void launch_runtime(int, const nf_copy *a, nf_stream stream)
{
    (void)cudaMemcpyAsync(a->to, a->from, a->bytes, cudaMemcpyDeviceToDevice, stream);
}
#else
static void launch_runtime(int, const nf_copy *, nf_stream)
{
}
#endif

static void measure_one(nf_bench *b, size_t bytes, int version, bool triad)
{
    bool runtime = version == VERSIONS;
    nf_sets<nf_copy> sets = {version, runtime ? launch_runtime : launch, 1, {}};
    void *from = nf_dev_get(b, bytes), *from2 = triad ? nf_dev_get(b, bytes) : nullptr;
    nf_dev_random(b, from, NF_F32, bytes / 4, 1.0f);
    if (triad) {
        nf_dev_random(b, from2, NF_F32, bytes / 4, 1.0f);
    }
    sets.set[0] = {bytes, nf_dev_get(b, bytes), from, from2, 2.385f};
    nf_measure m = nf_measure_of(
        triad ? "triad" : "copy", runtime ? "runtime" : versions[version].name, NF_F32,
        triad ? 2.0 * (double)bytes / 4.0 : 0.0, (triad ? 3.0 : 2.0) * (double)bytes);
    nf_shape(m.row.shape, "bytes=%zu", bytes);
    nf_measure_sets(b, &m, &sets, NF_COLD);
    nf_case_end(b);
}

static void measure(nf_bench *b)
{
    size_t largest = nf_dev_free_bytes(b) / 4;
    const size_t sizes[] = {(size_t)1 << 20, (size_t)16 << 20, (size_t)256 << 20,
                            (size_t)1 << 30};
    for (size_t bytes : sizes) {
        if (bytes > largest && nf_main_turn(b)) {
            char what[48];
            (void)std::snprintf(what, sizeof what, "copy bytes=%zu", bytes);
            nf_left_out(what, NF_TOO_LARGE);
        }
        for (int v = 0; v <= VERSIONS && bytes <= largest; v++) {
            if (v < VERSIONS ? nf_worth(b, &versions[v]) : nf_main_turn(b)) {
                measure_one(b, bytes, v, false);
            }
        }
    }
    if (sizes[2] <= largest && nf_main_turn(b)) {
        measure_one(b, sizes[2], UNROLLED, true);
    }
}

extern "C" const nf_op nf_op_copy = {"copy",   "copy and triad in device memory",
                                     versions, VERSIONS,
                                     check,    measure,
                                     false,    {0.0, 0.0}};
