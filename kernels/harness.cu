/*
 * harness.cu - the harness on a GPU: memory, random fill, tensor maps, timing.
 *
 * Timing: hot and rotated samples are one replay of a graph of many launches, divided by their number, so
 * that the gap between launches is the device's own and not the host's. Cold samples are one launch
 * each, behind a write and then a read of more than the whole L2 each: the read leaves clean lines, so that no
 * write-back is charged to the launch. Times come from device events. The clock is read between samples; samples
 * taken more than 5 % off the row's median clock are dropped and mark it.
 */
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <cuda.h>
#include <cuda_runtime.h>

#include "device.cuh"
#include "gpu.h"
#include "nvml.h"
#include "ops.h"
#include "timing.h"

struct nf_allocation {
    nf_allocation *next;
    void *dev, *host;
};

#define NF_CUDA(b, call)                                                                 \
    do {                                                                                 \
        cudaError_t nf_error = (call);                                                   \
        if (nf_error != cudaSuccess) {                                                   \
            nf_fail((b), "%s:%d: %s", __FILE__, __LINE__, cudaGetErrorString(nf_error)); \
        }                                                                                \
    } while (0)

/* --- memory ----------------------------------------------------------------------------------------- */

static bool keep(nf_bench *b, void *dev, void *host)
{
    nf_allocation *a = static_cast<nf_allocation *>(std::malloc(sizeof *a));
    if (!a) {
        return nf_fail(b, "no memory");
    }
    *a = nf_allocation{b->allocations, dev, host};
    b->allocations = a;
    return true;
}

extern "C" void *nf_dev_get(nf_bench *b, size_t bytes)
{
    void *dev = nullptr;
    if (!nf_ok(b)) {
        return nullptr;
    }
    NF_CUDA(b, cudaMalloc(&dev, bytes ? bytes : 1));
    return nf_ok(b) && keep(b, dev, nullptr) ? dev : nullptr;
}

extern "C" void *nf_host_get(nf_bench *b, size_t bytes)
{
    if (!nf_ok(b)) {
        return nullptr;
    }
    void *host = nullptr; /* structures with tensor maps want 64 bytes */
    if (posix_memalign(&host, 64, bytes ? bytes : 1) != 0) {
        nf_fail(b, "no memory for %zu bytes", bytes);
        return nullptr;
    }
    return keep(b, nullptr, host) ? host : nullptr;
}

extern "C" void nf_dev_put(nf_bench *b, void *dev, const void *host, size_t bytes)
{
    if (nf_ok(b)) {
        NF_CUDA(b, cudaMemcpyAsync(dev, host, bytes, cudaMemcpyHostToDevice, b->stream));
        NF_CUDA(b, cudaStreamSynchronize(b->stream));
    }
}

extern "C" void nf_dev_fetch(nf_bench *b, void *host, const void *dev, size_t bytes)
{
    if (nf_ok(b)) {
        NF_CUDA(b, cudaGetLastError()); /* a launch that was refused */
        NF_CUDA(b, cudaMemcpyAsync(host, dev, bytes, cudaMemcpyDeviceToHost, b->stream));
        NF_CUDA(b, cudaStreamSynchronize(b->stream));
    }
}

extern "C" void nf_dev_set(nf_bench *b, void *dev, int byte, size_t bytes)
{
    if (nf_ok(b)) {
        NF_CUDA(b, cudaMemsetAsync(dev, byte, bytes, b->stream));
    }
}

extern "C" void nf_case_end(nf_bench *b)
{
    (void)cudaStreamSynchronize(b->stream);
    while (b->allocations) {
        nf_allocation *next = b->allocations->next;
        (void)cudaFree(b->allocations->dev);
        std::free(b->allocations->host);
        std::free(b->allocations);
        b->allocations = next;
    }
}

extern "C" size_t nf_dev_free_bytes(nf_bench *b)
{
    size_t free_bytes = 0, total = 0;
    NF_CUDA(b, cudaMemGetInfo(&free_bytes, &total));
    return free_bytes;
}

/* --- random inputs ------------------------------------------------------------------------------------ */

__device__ static float random_at(uint64_t seed, uint64_t counter)
{
    uint64_t z = seed + (counter + 1) * 0x9e3779b97f4a7c15u; /* as nf_mix */
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return (float)(int32_t)(z >> 40) * 0x1p-23f - 1.0f;
}

template <class T>
__global__ void fill_random(T *to, size_t count, float scale, uint64_t seed)
{
    size_t step = (size_t)gridDim.x * blockDim.x;
    for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += step) {
        to[i] = nf_round<T>(scale * random_at(seed, i));
    }
}
__global__ void fill_bytes(uint8_t *to, size_t count, uint64_t seed)
{
    size_t step = (size_t)gridDim.x * blockDim.x;
    for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += step) {
        to[i] = (uint8_t)(127.5f * (random_at(seed, i) + 1.0f));
    }
}

extern "C" void nf_dev_random(nf_bench *b, void *dev, nf_dtype type, size_t count,
                              float scale)
{
    if (!nf_ok(b) || count == 0) {
        return;
    }
    uint64_t seed = nf_mix(b->seed, b->drawn++);
    unsigned blocks = nf_ceil_div(count, 256);
    dim3 grid(blocks < 4096u ? blocks : 4096u);
    switch (type) {
    case NF_F32:
        fill_random<<<grid, 256, 0, b->stream>>>(static_cast<float *>(dev), count, scale,
                                                 seed);
        break;
    case NF_BF16:
        fill_random<<<grid, 256, 0, b->stream>>>(static_cast<nf_bf16 *>(dev), count,
                                                 scale, seed);
        break;
    case NF_F16:
        fill_random<<<grid, 256, 0, b->stream>>>(static_cast<nf_f16 *>(dev), count, scale,
                                                 seed);
        break;
    case NF_E4M3:
        fill_random<<<grid, 256, 0, b->stream>>>(static_cast<nf_e4m3 *>(dev), count,
                                                 scale, seed);
        break;
    case NF_S8:
        fill_random<<<grid, 256, 0, b->stream>>>(static_cast<int8_t *>(dev), count, scale,
                                                 seed);
        break;
    case NF_U8:
        fill_bytes<<<grid, 256, 0, b->stream>>>(static_cast<uint8_t *>(dev), count, seed);
        break;
    case NF_S32:
    case NF_DTYPES:
        nf_fail(b, "no random values of this type");
        break;
    }
    NF_CUDA(b, cudaGetLastError());
}

/* --- tensor maps ---------------------------------------------------------------------------------------- */

typedef CUresult (*encode_function)(CUtensorMap *, CUtensorMapDataType, cuuint32_t,
                                    void *, const cuuint64_t *, const cuuint64_t *,
                                    const cuuint32_t *, const cuuint32_t *,
                                    CUtensorMapInterleave, CUtensorMapSwizzle,
                                    CUtensorMapL2promotion, CUtensorMapFloatOOBfill);

extern "C" int nf_tensor_map_make(nf_bench *b, nf_tensor_map *map,
                                  const nf_tensor_shape *s)
{
    static_assert(sizeof(CUtensorMap) == sizeof map->opaque, "a tensor map is 128 bytes");
    void *function = nullptr;
    cudaDriverEntryPointQueryResult found = cudaDriverEntryPointSymbolNotFound;
#if CUDART_VERSION >= 12050
    NF_CUDA(b, cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function,
                                                12000, cudaEnableDefault, &found));
#else
    NF_CUDA(b, cudaGetDriverEntryPoint("cuTensorMapEncodeTiled", &function,
                                       cudaEnableDefault, &found));
#endif
    if (!nf_ok(b) || found != cudaDriverEntryPointSuccess || !function) {
        return nf_fail(b, "the driver has no cuTensorMapEncodeTiled");
    }
    cuuint64_t extent[4], stride[3];
    cuuint32_t box[4], one[4] = {1, 1, 1, 1};
    for (int i = 0; i < 4; i++) {
        extent[i] = s->extent[i];
        box[i] = s->box[i];
    }
    for (int i = 0; i < 3; i++) {
        stride[i] = s->stride_bytes[i];
    }
    CUtensorMapDataType type = s->type == NF_BF16  ? CU_TENSOR_MAP_DATA_TYPE_BFLOAT16
                               : s->type == NF_F16 ? CU_TENSOR_MAP_DATA_TYPE_FLOAT16
                                                   : CU_TENSOR_MAP_DATA_TYPE_UINT8;
    CUresult result = reinterpret_cast<encode_function>(function)(
        reinterpret_cast<CUtensorMap *>(map->opaque), type, (cuuint32_t)s->rank,
        const_cast<void *>(s->base), extent, stride, box, one,
        CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
        CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
    return result == CUDA_SUCCESS
               ? 1
               : nf_fail(b, "the driver refuses a tensor map (%d)", (int)result);
}

/* --- timing --------------------------------------------------------------------------------------------- */

struct stopwatch {
    cudaEvent_t begin, end;
    cudaGraphExec_t graph;
    int launches; /* a sample */
};

static void enqueue(const nf_measure *m, int launches, nf_stream stream)
{
    for (int i = 0; i < launches; i++) {
        m->launch(m->arguments, i % m->sets, stream);
    }
}

static double sample_by_host(nf_bench *b, const nf_measure *m, int launches)
{
    double begin = nf_now_s();
    enqueue(m, launches, b->stream);
    double enqueued = nf_now_s();
    NF_CUDA(b, cudaStreamSynchronize(b->stream));
    double end = m->clock == NF_HOST_WAIT ? nf_now_s() : enqueued;
    return 1e6 * (end - begin) / launches;
}

__global__ void read_through(const uint4 *from, size_t count, unsigned *never)
{
    size_t step = (size_t)gridDim.x * blockDim.x;
    unsigned seen = 0;
    for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += step) {
        uint4 x = from[i];
        seen |= x.x | x.y | x.z | x.w;
    }
    if (seen != 0) { /* the buffer holds zeros; the compiler cannot know */
        *never = seen;
    }
}

/* Displaces what the L2 holds, and then its own dirty lines: a write of the first half of the buffer, a read of the
 * second. */
static void flush(nf_bench *b)
{
    size_t half = b->flush_bytes / 2;
    unsigned *written = static_cast<unsigned *>(b->flush);
    NF_CUDA(b, cudaMemsetAsync(written, 0x5a, half, b->stream));
    read_through<<<4 * (unsigned)b->facts.sm_count, 256, 0, b->stream>>>(
        reinterpret_cast<const uint4 *>(static_cast<char *>(b->flush) + half),
        half / sizeof(uint4), written);
    NF_CUDA(b, cudaGetLastError());
}

/* One sample in us for one launch. */
static double sample(nf_bench *b, const nf_measure *m, nf_cache cache, stopwatch *w)
{
    float ms = 0.0f;
    if (m->clock != NF_EVENTS) {
        return sample_by_host(b, m, w->launches);
    }
    if (cache == NF_COLD) {
        flush(b);
    }
    NF_CUDA(b, cudaEventRecord(w->begin, b->stream));
    if (w->graph) {
        NF_CUDA(b, cudaGraphLaunch(w->graph, b->stream));
    } else {
        enqueue(m, w->launches, b->stream);
    }
    NF_CUDA(b, cudaEventRecord(w->end, b->stream));
    NF_CUDA(b, cudaEventSynchronize(w->end));
    if (nf_ok(b)) {
        NF_CUDA(b, cudaEventElapsedTime(&ms, w->begin, w->end));
    }
    return 1e3 * (double)ms / w->launches;
}

static void capture(nf_bench *b, const nf_measure *m, stopwatch *w)
{
    cudaGraph_t graph = nullptr;
    /* Relaxed: a library may load code at its first call, and there is one thread only. */
    NF_CUDA(b, cudaStreamBeginCapture(b->stream, cudaStreamCaptureModeRelaxed));
    if (!nf_ok(b)) {
        return;
    }
    enqueue(m, w->launches, b->stream);
    NF_CUDA(b, cudaStreamEndCapture(b->stream, &graph));
    if (nf_ok(b)) {
        NF_CUDA(b, cudaGraphInstantiate(&w->graph, graph, 0));
    }
    if (graph) {
        (void)cudaGraphDestroy(graph);
    }
}

extern "C" void nf_run_as_graph(nf_bench *b, nf_launch launch, const void *arguments)
{
    nf_measure m = {};
    m.launch = launch;
    m.arguments = arguments;
    m.sets = 1;
    stopwatch w = {nullptr, nullptr, nullptr, 1};
    capture(b, &m, &w);
    if (nf_ok(b)) {
        NF_CUDA(b, cudaGraphLaunch(w.graph, b->stream));
        NF_CUDA(b, cudaStreamSynchronize(b->stream));
    }
    if (w.graph) {
        (void)cudaGraphExecDestroy(w.graph);
    }
}

struct series {
    double us[NF_SAMPLES_MAX], mhz[NF_SAMPLES_MAX], kept[NF_SAMPLES_MAX];
    size_t count, kept_count;
    double kept_mhz;
    enum nf_stop stop;
    nf_clock_reading last;
    bool throttled, power_cap;
};

static void read_clock(nf_bench *b, series *s)
{
    s->last = nf_clocks_read(b->clocks);
    s->throttled = s->throttled || s->last.throttled;
    s->power_cap = s->power_cap || s->last.power_cap;
}

/* Only the samples of one clock count, towards the least number too. */
static void decide(series *s, const nf_sampling *rule, double elapsed)
{
    s->kept_count =
        nf_samples_of_one_clock(s->us, s->mhz, s->count, s->kept, &s->kept_mhz);
    s->stop = nf_sampling_stop(rule, s->kept, s->kept_count, elapsed);
    if (s->stop == NF_STOP_NOT && s->count == NF_SAMPLES_MAX) {
        s->stop = NF_STOP_ROOM;
    }
    /* Thirty samples of something very slow are not worth the whole run. */
    if (s->stop == NF_STOP_NOT && s->kept_count >= 5 && elapsed > 10.0 * rule->limit_s) {
        s->stop = NF_STOP_TIME;
    }
}

static void take_samples(nf_bench *b, const nf_measure *m, nf_cache cache, stopwatch *w,
                         series *s)
{
    double limit = m->limit_s > 0.0 ? m->limit_s : b->scope == NF_QUICK ? 0.12 : 0.35;
    double start = nf_now_s();
    /* What has begun before the deadline may end after it, but not by much. */
    if (b->deadline_s > 0.0 && limit > b->deadline_s - start) {
        limit = b->deadline_s - start > 0.02 ? b->deadline_s - start : 0.02;
    }
    nf_sampling rule = {30, NF_SAMPLES_MAX, 0.005, 0.05, limit};
    s->count = 0;
    s->stop = NF_STOP_NOT;
    while (nf_ok(b) && s->stop == NF_STOP_NOT) {
        if (nf_stop_wanted()) {
            nf_fail(b, "stopped by a signal");
            break;
        }
        s->us[s->count] = sample(b, m, cache, w);
        double elapsed = nf_now_s() - start;
        bool slow = elapsed > 10.0 * limit;
        if (s->count % 10 == 0 || slow) {
            read_clock(b, s);
        }
        s->mhz[s->count++] = s->last.sm_mhz;
        if (s->count % 10 == 0 || s->count == NF_SAMPLES_MAX || (slow && s->count >= 5)) {
            decide(s, &rule, elapsed);
        }
    }
}

static void complete(nf_bench *b, nf_row *row, const nf_clock_reading *now, nf_dtype type)
{
    row->sheet_tflops = nf_peak_tflops(b->peak, type);
    row->sm_mhz = now->sm_mhz;
    row->mem_mhz = now->mem_mhz;
    row->power_w = now->power_w;
    row->temperature_c = now->temperature_c;
    if (b->rows && !nf_rows_put(b->rows, row)) {
        nf_fail(b, "%s", b->rows->error);
    }
    double s = row->median_us * 1e-6;
    std::fprintf(stderr,
                 "%-10s %-9s %-5s %-44s %-7s %11.2f us %8.1f GB/s %8.1f TFLOP/s %s\n",
                 row->op, row->version, row->dtype, row->shape, row->cache,
                 row->median_us, s > 0.0 ? row->bytes / s * 1e-9 : 0.0,
                 s > 0.0 ? row->flop / s * 1e-12 : 0.0, row->flags);
}

extern "C" void nf_row_write(nf_bench *b, nf_row *row, nf_dtype type,
                             const nf_clock_reading *reading)
{
    complete(b, row, reading, type);
}

/* Host time of one execution. */
static double once_s(nf_bench *b, const nf_measure *m)
{
    double start = nf_now_s();
    enqueue(m, 1, b->stream);
    NF_CUDA(b, cudaGetLastError());
    NF_CUDA(b, cudaStreamSynchronize(b->stream));
    return nf_now_s() - start;
}

/* Warm-up, and how many launches make a sample long enough for the events' resolution (0.5 us). */
static int launches_for(nf_bench *b, const nf_measure *m, nf_cache cache)
{
    static constexpr double slow_s = 0.05;
    /* The first execution may load code; a second one tells whether the work itself is slow, and then two are
     * warm-up enough. */
    bool slow = once_s(b, m) > slow_s && once_s(b, m) > slow_s;
    if (cache == NF_COLD || m->alone || m->clock != NF_EVENTS) {
        (void)once_s(b, m);
        return 1;
    }
    if (slow || !nf_ok(b)) {
        return m->sets;
    }
    enqueue(m, m->sets < 3 ? 3 : m->sets, b->stream);
    stopwatch w = {nullptr, nullptr, nullptr, m->sets < 4 ? 4 : m->sets};
    NF_CUDA(b, cudaEventCreate(&w.begin));
    NF_CUDA(b, cudaEventCreate(&w.end));
    double us = nf_ok(b) ? sample(b, m, NF_HOT, &w) : 1.0;
    (void)cudaEventDestroy(w.begin);
    (void)cudaEventDestroy(w.end);
    double wanted = std::ceil(300.0 / (us > 0.1 ? us : 0.1));
    int launches = wanted > 256.0 ? 256 : (int)wanted;
    return (launches + m->sets - 1) / m->sets * m->sets; /* every set equally often */
}

static void flag_clocks(const nf_bench *b, nf_row *row, const series *s)
{
    if (s->kept_count < s->count) {
        nf_row_flag(row, "clock_drop");
    }
    if (s->throttled) {
        nf_row_flag(row, "throttled");
    }
    if (s->power_cap) {
        nf_row_flag(row, "power_cap");
    }
    if (!b->clocks) {
        nf_row_flag(row, "no_clocks");
    }
}

extern "C" double nf_measure_run(nf_bench *b, nf_measure *m, nf_cache cache)
{
    static const char *const names[] = {"hot", "cold", "rotated", "none"};
    if (!nf_ok(b)) {
        return 0.0;
    }
    series *s = static_cast<series *>(std::calloc(1, sizeof *s));
    if (!s) {
        nf_fail(b, "no memory");
        return 0.0;
    }
    stopwatch w = {nullptr, nullptr, nullptr, launches_for(b, m, cache)};
    NF_CUDA(b, cudaEventCreate(&w.begin));
    NF_CUDA(b, cudaEventCreate(&w.end));
    if (cache != NF_COLD && !m->no_graph && m->clock == NF_EVENTS) {
        capture(b, m, &w);
    }
    if (nf_ok(b)) {
        (void)sample(b, m, cache, &w);
        take_samples(b, m, cache, &w, s);
    }
    if (nf_ok(b)) {
        nf_quartiles q = nf_quartiles_of(s->kept, s->kept_count);
        nf_row *row = &m->row;
        row->cache = names[cache];
        row->samples = s->kept_count;
        row->median_us = q.median;
        row->q1_us = q.q1;
        row->q3_us = q.q3;
        double footprint = m->footprint > 0.0 ? m->footprint : row->bytes;
        nf_row_flag(row, nf_stop_name(s->stop));
        if (cache == NF_ROTATED && footprint * m->sets < 2.0 * b->facts.l2_bytes) {
            nf_row_flag(row, "l2_resident");
        }
        flag_clocks(b, row, s);
        s->last.sm_mhz = s->kept_mhz; /* the clock of the samples that count */
        complete(b, row, &s->last, m->type);
    }
    if (w.graph) {
        (void)cudaGraphExecDestroy(w.graph);
    }
    (void)cudaEventDestroy(w.begin);
    (void)cudaEventDestroy(w.end);
    std::free(s);
    return nf_ok(b) ? m->row.median_us : 0.0;
}

extern "C" void nf_gpu_yardstick(nf_bench *b)
{
    size_t bytes = (size_t)1 << 30;
    while (bytes > nf_dev_free_bytes(b) / 4) {
        bytes /= 2;
    }
    void *from = nf_dev_get(b, bytes), *to = nf_dev_get(b, bytes);
    nf_dev_random(b, from, NF_F32, bytes / 4, 1.0f);
    stopwatch w = {nullptr, nullptr, nullptr, 1};
    NF_CUDA(b, cudaEventCreate(&w.begin));
    NF_CUDA(b, cudaEventCreate(&w.end));
    double us[30];
    for (int i = -3; i < 30 && nf_ok(b); i++) {
        float ms = 0.0f;
        NF_CUDA(b, cudaEventRecord(w.begin, b->stream));
        NF_CUDA(b, cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, b->stream));
        NF_CUDA(b, cudaEventRecord(w.end, b->stream));
        NF_CUDA(b, cudaEventSynchronize(w.end));
        NF_CUDA(b, cudaEventElapsedTime(&ms, w.begin, w.end));
        us[i < 0 ? 0 : i] = 1e3 * (double)ms;
    }
    if (nf_ok(b)) {
        b->facts.copy_gbps = 2e-3 * (double)bytes / nf_quartiles_of(us, 30).median;
    }
    (void)cudaEventDestroy(w.begin);
    (void)cudaEventDestroy(w.end);
    nf_case_end(b);
}
