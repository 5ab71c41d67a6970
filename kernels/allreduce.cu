/*
 * allreduce.cu - the sum over all GPUs of one machine, through NCCL, as between the halves of a tensor-parallel
 * layer (bf16).
 *
 * One process drives all devices; one call a device inside a group starts the operation on all of them.
 * Events on the first device time launches in a row: every device has to take part in each before the next
 * can end. With one GPU, or without NCCL, the operation is left out and says so.
 */
#include <cstdlib>
#include <cuda_runtime.h>

#include "library.h"
#include "sets.cuh"

#if __has_include(<nccl.h>)
#include <nccl.h>
#define NF_HAVE_NCCL 1
#endif

static const nf_version versions[1] = {
    {"nccl", "ncclAllReduce, one process", NF_ANY, true}};

#ifdef NF_HAVE_NCCL

enum { RANKS_MAX = 8 };

struct group {
    decltype(&ncclCommInitAll) open;
    decltype(&ncclCommDestroy) close;
    decltype(&ncclAllReduce) all_reduce;
    decltype(&ncclGroupStart) start;
    decltype(&ncclGroupEnd) end;
    int ranks;
    ncclComm_t comm[RANKS_MAX];
    cudaStream_t stream[RANKS_MAX]; /* the first is the bench's */
    void *from[RANKS_MAX], *to[RANKS_MAX];
    size_t count; /* numbers of an operation */
    ncclResult_t result;
    char why[NF_WHY];
};

static bool find_functions(group *g)
{
    void *library = nf_library_open("libnccl.so.2", &g->why);
    return library && nf_library_find(library, "ncclCommInitAll", &g->open, &g->why) &&
           nf_library_find(library, "ncclCommDestroy", &g->close, &g->why) &&
           nf_library_find(library, "ncclAllReduce", &g->all_reduce, &g->why) &&
           nf_library_find(library, "ncclGroupStart", &g->start, &g->why) &&
           nf_library_find(library, "ncclGroupEnd", &g->end, &g->why);
}

static void close_group(group *g)
{
    for (int r = 0; r < g->ranks; r++) {
        (void)cudaSetDevice(r);
        if (g->comm[r]) {
            (void)g->close(g->comm[r]);
        }
        (void)cudaFree(g->from[r]);
        (void)cudaFree(g->to[r]);
        if (r > 0 && g->stream[r]) {
            (void)cudaStreamDestroy(g->stream[r]);
        }
    }
    (void)cudaSetDevice(0);
}

/* Buffers of `bytes` and a communicator on the first `ranks` devices. */
static bool open_group(nf_bench *b, group *g, int ranks, size_t bytes)
{
    int devices[RANKS_MAX];
    cudaError_t e = cudaSuccess;
    g->ranks = ranks;
    for (int r = 0; r < ranks && e == cudaSuccess; r++) {
        devices[r] = r;
        e = cudaSetDevice(r);
        if (r == 0) {
            g->stream[r] = b->stream;
        } else if (e == cudaSuccess) {
            e = cudaStreamCreateWithFlags(&g->stream[r], cudaStreamNonBlocking);
        }
        e = e == cudaSuccess ? cudaMalloc(&g->from[r], bytes) : e;
        e = e == cudaSuccess ? cudaMalloc(&g->to[r], bytes) : e;
        e = e == cudaSuccess ? cudaMemset(g->from[r], 0, bytes) : e;
        e = e == cudaSuccess ? cudaDeviceSynchronize() : e;
    }
    (void)cudaSetDevice(0);
    if (e != cudaSuccess) {
        return nf_fail(b, "allreduce: %s", cudaGetErrorString(e));
    }
    ncclResult_t result = g->open(g->comm, ranks, devices);
    return result == ncclSuccess ||
           nf_fail(b, "ncclCommInitAll fails with %d", (int)result);
}

static void launch(const void *p, int, nf_stream)
{
    /* Only `result` changes: the first failure of the operations enqueued. */
    group *g = static_cast<group *>(const_cast<void *>(p));
    ncclResult_t result = g->start();
    for (int r = 0; r < g->ranks && result == ncclSuccess; r++) {
        result = g->all_reduce(g->from[r], g->to[r], g->count, ncclBfloat16, ncclSum,
                               g->comm[r], g->stream[r]);
    }
    ncclResult_t end = g->end();
    result = result == ncclSuccess ? end : result;
    g->result = g->result == ncclSuccess ? result : g->result;
}

static int device_count()
{
    int devices = 0;
    return cudaGetDeviceCount(&devices) != cudaSuccess ? 0
           : devices > RANKS_MAX                       ? (int)RANKS_MAX
                                                       : devices;
}

/* The library and more than one device; else says what is missing. */
static group *group_of(nf_bench *b)
{
    int devices = device_count();
    if (devices < 2) {
        nf_left_out("allreduce", "there is one GPU only");
        return nullptr;
    }
    group *g = static_cast<group *>(std::calloc(1, sizeof *g));
    if (!g) {
        nf_fail(b, "no memory");
    } else if (!find_functions(g)) {
        nf_left_out("allreduce", g->why);
        std::free(g);
        g = nullptr;
    }
    return g;
}

static void check(nf_bench *b)
{
    const size_t count = 5003;
    group *g = group_of(b);
    if (!g) {
        return;
    }
    int ranks = device_count();
    uint16_t *host = static_cast<uint16_t *>(nf_host_get(b, count * 2));
    bool right = host && open_group(b, g, ranks, count * 2);
    for (int r = 0; r < ranks && right; r++) {
        for (size_t i = 0; i < count; i++) {
            /* Whole numbers below 256: their sums are exact in bf16 up to 256. */
            host[i] = nf_bf16_from_float((float)(i % 16 + (size_t)r));
        }
        right = cudaSetDevice(r) == cudaSuccess &&
                cudaMemcpy(g->from[r], host, count * 2, cudaMemcpyHostToDevice) ==
                    cudaSuccess &&
                cudaDeviceSynchronize() == cudaSuccess;
    }
    (void)cudaSetDevice(0);
    if (right) {
        g->count = count;
        launch(g, 0, b->stream);
        right = g->result == ncclSuccess;
    }
    for (int r = 0; r < ranks && right; r++) {
        right =
            cudaSetDevice(r) == cudaSuccess &&
            cudaStreamSynchronize(g->stream[r]) == cudaSuccess &&
            cudaMemcpy(host, g->to[r], count * 2, cudaMemcpyDeviceToHost) == cudaSuccess;
        for (size_t i = 0; i < count && right; i++) {
            size_t want = i % 16 * (size_t)ranks + (size_t)(ranks * (ranks - 1) / 2);
            right = nf_bf16_to_float(host[i]) == (float)want;
        }
    }
    nf_check_that(b, "allreduce nccl", "count=5003", right);
    close_group(g);
    std::free(g);
    nf_case_end(b);
}

static void measure(nf_bench *b)
{
    const size_t largest = (size_t)256 << 20;
    const size_t sizes[] = {8192,    65536,    262144,   1 << 20,
                            4 << 20, 16 << 20, 64 << 20, largest};
    for (int ranks = 2; ranks <= device_count() || ranks == 2; ranks *= 2) {
        group *g = nf_ok(b) && nf_time_left(b) ? group_of(b) : nullptr;
        if (!g) {
            return;
        }
        bool open = open_group(b, g, ranks, largest);
        for (size_t bytes : sizes) {
            if (!open || !nf_ok(b) || !nf_time_left(b)) {
                continue;
            }
            g->count = bytes / 2;
            nf_measure m =
                nf_measure_of("allreduce", "nccl", NF_BF16, 0.0, (double)bytes);
            m.launch = launch;
            m.arguments = g;
            m.no_graph = true;
            nf_shape(m.row.shape, "ranks=%d bytes=%zu", ranks, bytes);
            nf_measure_run(b, &m, NF_UNCACHED);
            if (g->result != ncclSuccess) {
                nf_fail(b, "ncclAllReduce fails with %d", (int)g->result);
            }
        }
        close_group(g);
        std::free(g);
    }
}

#else

static void left_out(nf_bench *)
{
    nf_left_out("allreduce", "built without nccl.h");
}
static void check(nf_bench *b)
{
    left_out(b);
}
static void measure(nf_bench *b)
{
    left_out(b);
}

#endif

extern "C" const nf_op nf_op_allreduce = {
    "allreduce", "sum over GPUs, NCCL", versions, 1, check, measure, false, {0.0, 0.0}};
