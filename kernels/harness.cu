/*
 * harness.cu - the harness on a GPU: memory, random fill, tensor maps, timing.
 *
 * Timing: hot and rotated samples are one replay of a graph of many launches, divided by their number, so
 * that the gap between launches is the device's own and not the host's. Cold samples are one launch
 * each, behind a write of more than the whole L2. Times come from device events. The clock is read
 * between samples; samples taken 5 % or more below the best clock of the row are dropped and mark it.
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

/* One sample in us for one launch. */
static double sample(nf_bench *b, const nf_measure *m, nf_cache cache, stopwatch *w)
{
    float ms = 0.0f;
    if (m->clock != NF_EVENTS) {
        return sample_by_host(b, m, w->launches);
    }
    if (cache == NF_COLD) {
        NF_CUDA(b, cudaMemsetAsync(b->flush, 0x5a, b->flush_bytes, b->stream));
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
    double us[NF_SAMPLES_MAX], mhz[NF_SAMPLES_MAX];
    size_t count;
    enum nf_stop stop;
    nf_clock_reading last;
    bool throttled;
};

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
        s->us[s->count] = sample(b, m, cache, w);
        if (s->count % 10 == 0) {
            s->last = nf_clocks_read(b->clocks);
            s->throttled = s->throttled || s->last.throttled;
        }
        s->mhz[s->count++] = s->last.sm_mhz;
        double elapsed = nf_now_s() - start;
        s->stop = s->count % 10 == 0 || s->count == NF_SAMPLES_MAX
                      ? nf_sampling_stop(&rule, s->us, s->count, elapsed)
                      : NF_STOP_NOT;
        /* Thirty samples of something very slow are not worth the whole run. */
        if (s->count >= 5 && elapsed > 10.0 * limit) {
            s->stop = NF_STOP_TIME;
        }
    }
}

/* Drops the samples below 95 % of the row's best clock; returns how many. */
static size_t drop_slow_clocks(series *s)
{
    double best = 0.0;
    size_t kept = 0, all = s->count;
    for (size_t i = 0; i < all; i++) {
        best = s->mhz[i] > best ? s->mhz[i] : best;
    }
    for (size_t i = 0; i < all; i++) {
        if (s->mhz[i] >= 0.95 * best) {
            s->us[kept++] = s->us[i];
        }
    }
    s->count = kept;
    return all - kept;
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
    if (cache == NF_COLD || m->clock != NF_EVENTS) {
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
        size_t dropped = drop_slow_clocks(s);
        nf_quartiles q = nf_quartiles_of(s->us, s->count);
        nf_row *row = &m->row;
        row->cache = names[cache];
        row->samples = s->count;
        row->median_us = q.median;
        row->q1_us = q.q1;
        row->q3_us = q.q3;
        double footprint = m->footprint > 0.0 ? m->footprint : row->bytes;
        nf_row_flag(row, nf_stop_name(s->stop));
        if (cache == NF_ROTATED && footprint * m->sets < 2.0 * b->facts.l2_bytes) {
            nf_row_flag(row, "l2_resident");
        }
        if (dropped > 0) {
            nf_row_flag(row, "clock_drop");
        }
        if (s->throttled) {
            nf_row_flag(row, "throttled");
        }
        if (!b->clocks) {
            nf_row_flag(row, "no_clocks");
        }
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

/* --- the device -------------------------------------------------------------------------------------------- */

static bool refuse(char *why, size_t cap, const char *text, const char *detail)
{
    (void)snprintf(why, cap, "%s%s%s", text, detail ? ": " : "", detail ? detail : "");
    return false;
}

static void fill_facts(nf_bench *b, const cudaDeviceProp *p, int driver)
{
    nf_facts *f = &b->facts;
    (void)snprintf(f->device, sizeof f->device, "%.95s", p->name);
    f->compute_capability = p->major * 10 + p->minor;
    b->capability = b->capability > 0 && b->capability < f->compute_capability
                        ? b->capability
                        : f->compute_capability;
    f->sm_count = p->multiProcessorCount;
    f->l2_bytes = p->l2CacheSize;
    f->memory_bytes = (double)p->totalGlobalMem;
    f->smem_optin_bytes = (int)p->sharedMemPerBlockOptin;
    (void)snprintf(f->toolkit, sizeof f->toolkit, "%d.%d", CUDART_VERSION / 1000,
                   CUDART_VERSION % 1000 / 10);
    if (!nf_clocks_driver(b->clocks, f->driver, sizeof f->driver)) {
        (void)snprintf(f->driver, sizeof f->driver, "CUDA %d.%d", driver / 1000,
                       driver % 1000 / 10);
    }
    f->max_sm_mhz = nf_clocks_max_sm_mhz(b->clocks);
    b->peak = nf_peak_of(f->device);
    f->sheet_gbps = b->peak->gbps;
}

extern "C" bool nf_gpu_open(nf_bench *b, char *why, size_t cap)
{
    int driver = 0, devices = 0;
    cudaDeviceProp properties;
    if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0) {
        return refuse(why, cap,
                      "this machine has no NVIDIA driver, so no GPU can be used",
                      nullptr);
    }
    cudaError_t e = cudaGetDeviceCount(&devices);
    if (e != cudaSuccess || devices == 0) {
        return refuse(why, cap, "no usable GPU",
                      e == cudaSuccess ? nullptr : cudaGetErrorString(e));
    }
    e = cudaGetDeviceProperties(&properties, 0);
    if (e == cudaSuccess && properties.major < 8) {
        return refuse(why, cap, "the GPU is older than compute capability 8.0",
                      properties.name);
    }
    char bus_id[32] = "";
    e = e == cudaSuccess ? cudaDeviceGetPCIBusId(bus_id, sizeof bus_id, 0) : e;
    e = e == cudaSuccess ? cudaStreamCreateWithFlags(&b->stream, cudaStreamNonBlocking)
                         : e;
    if (e != cudaSuccess) {
        return refuse(why, cap, "the GPU cannot be opened", cudaGetErrorString(e));
    }
    b->clocks = static_cast<nf_clocks *>(std::calloc(1, sizeof *b->clocks));
    if (b->clocks && !nf_clocks_open(b->clocks, bus_id)) {
        std::free(b->clocks);
        b->clocks = nullptr;
    }
    fill_facts(b, &properties, driver);
    b->flush_bytes = (size_t)(2.5 * b->facts.l2_bytes);
    e = cudaMalloc(&b->flush, b->flush_bytes);
    return e == cudaSuccess ||
           refuse(why, cap, "no device memory", cudaGetErrorString(e));
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

extern "C" void nf_gpu_close(nf_bench *b)
{
    nf_case_end(b);
    nf_lt_close(b);
    nf_dnn_close(b);
    (void)cudaFree(b->flush);
    (void)cudaStreamDestroy(b->stream);
    if (b->clocks) {
        nf_clocks_close(b->clocks);
        std::free(b->clocks);
        b->clocks = nullptr;
    }
}
