/* The device: what it is, opened and closed. */
#include <cstdio>
#include <cstdlib>
#include <cuda_runtime.h>

#include "gpu.h"
#include "nvml.h"
#include "ops.h"

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
    b->flush_bytes = 2 * ((size_t)(2.5 * b->facts.l2_bytes) / 256 * 256);
    e = cudaMalloc(&b->flush, b->flush_bytes);
    e = e == cudaSuccess ? cudaMemsetAsync(b->flush, 0, b->flush_bytes, b->stream) : e;
    return e == cudaSuccess ||
           refuse(why, cap, "no device memory", cudaGetErrorString(e));
}

extern "C" bool nf_gpu_recover(nf_bench *b)
{
    nf_case_end(b);
    (void)cudaGetLastError(); /* forgets a refused call, but not a fault of a kernel */
    if (cudaStreamSynchronize(b->stream) != cudaSuccess) {
        return false;
    }
    b->error[0] = '\0';
    return true;
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
