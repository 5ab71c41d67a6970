/*
 * pcie.cu - copies between the host's memory and the device's, both ways, 4 KB to 256 MB.
 *
 * pinned    from page-locked memory: the copy engine reads it itself.
 * pageable  from ordinary memory: the driver copies it into page-locked buffers on the way.
 *
 * One copy at a time, by the host's clock from the call until it is done: what a request waits for. A small
 * copy shows the latency, a large one the bandwidth. Bytes: moved once.
 */
#include <cstdlib>
#include <cstring>
#include <cuda_runtime.h>

#include "sets.cuh"

enum { PINNED, PAGEABLE, VERSIONS };
static const nf_version versions[VERSIONS] = {
    {"pinned", "page-locked host memory", NF_ANY, true},
    {"pageable", "ordinary host memory", NF_ANY, true},
};

struct copy_arguments {
    void *to;
    const void *from;
    size_t bytes;
    cudaMemcpyKind kind;
};

static void launch(const void *p, int, nf_stream stream)
{
    const copy_arguments *a = static_cast<const copy_arguments *>(p);
    (void)cudaMemcpyAsync(a->to, a->from, a->bytes, a->kind, stream);
}

/* Host memory of either sort, every page touched. */
static void *host_get(nf_bench *b, int version, size_t bytes)
{
    void *host = nullptr;
    if (version == PINNED) {
        cudaError_t e = cudaHostAlloc(&host, bytes, cudaHostAllocDefault);
        if (e != cudaSuccess) {
            nf_fail(b, "no page-locked memory: %s", cudaGetErrorString(e));
            return nullptr;
        }
    } else {
        host = std::malloc(bytes);
        if (!host) {
            nf_fail(b, "no memory for %zu bytes", bytes);
            return nullptr;
        }
    }
    std::memset(host, 0x5a, bytes);
    return host;
}

static void host_put(int version, void *host)
{
    if (version == PINNED) {
        (void)cudaFreeHost(host);
    } else {
        std::free(host);
    }
}

static void check(nf_bench *b)
{
    const size_t bytes = 100003;
    for (int v = 0; v < VERSIONS; v++) {
        unsigned char *host = static_cast<unsigned char *>(host_get(b, v, 2 * bytes));
        void *dev = nf_dev_get(b, bytes);
        if (host && nf_ok(b)) {
            for (size_t i = 0; i < bytes; i++) {
                host[i] = (unsigned char)nf_mix(b->seed, i);
            }
            copy_arguments there = {dev, host, bytes, cudaMemcpyHostToDevice};
            copy_arguments back = {host + bytes, dev, bytes, cudaMemcpyDeviceToHost};
            launch(&there, 0, b->stream);
            launch(&back, 0, b->stream);
            bool done = cudaStreamSynchronize(b->stream) == cudaSuccess;
            nf_check_that(b, versions[v].name, "there and back",
                          done && std::memcmp(host, host + bytes, bytes) == 0);
        }
        host_put(v, host);
        nf_case_end(b);
    }
}

static void measure(nf_bench *b)
{
    const size_t all[] = {4096,  65536,  1 << 20, 16 << 20, (size_t)256 << 20,
                          16384, 262144, 4 << 20, 64 << 20};
    size_t count = b->scope == NF_FULL ? sizeof all / sizeof *all : 5;
    const size_t largest = (size_t)256 << 20;
    void *dev = nf_dev_get(b, largest);
    for (int v = 0; v < VERSIONS; v++) {
        void *host = nf_ok(b) ? host_get(b, v, largest) : nullptr;
        for (size_t i = 0; i < count; i++) {
            for (int to_host = 0; to_host < 2; to_host++) {
                if (!nf_ok(b) || !nf_time_left(b)) {
                    continue;
                }
                copy_arguments a = {to_host ? host : dev, to_host ? dev : host, all[i],
                                    to_host ? cudaMemcpyDeviceToHost
                                            : cudaMemcpyHostToDevice};
                nf_measure m =
                    nf_measure_of(to_host ? "pcie_d2h" : "pcie_h2d", versions[v].name,
                                  NF_U8, 0.0, (double)all[i]);
                m.launch = launch;
                m.arguments = &a;
                m.clock = NF_HOST_WAIT;
                nf_shape(m.row.shape, "bytes=%zu", all[i]);
                nf_measure_run(b, &m, NF_UNCACHED);
            }
        }
        host_put(v, host);
    }
    nf_case_end(b);
}

extern "C" const nf_op nf_op_pcie = {"pcie",   "copies between host and device",
                                     versions, VERSIONS,
                                     check,    measure,
                                     false,    {0.0, 0.0}};
