/* The harness on the emulator: memory is the process's own, exact to the byte, so that
 * AddressSanitizer sees a kernel step out of it. Nothing is timed. */
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "ops.h"

struct nf_allocation {
    nf_allocation *next;
    void *memory;
};

static void *keep(nf_bench *b, size_t bytes)
{
    nf_allocation *a = static_cast<nf_allocation *>(std::malloc(sizeof *a));
    void *memory = nullptr;
    if (!a || posix_memalign(&memory, 256, bytes ? bytes : 1) != 0) {
        std::free(a);
        nf_fail(b, "no memory");
        return nullptr;
    }
    *a = nf_allocation{b->allocations, memory};
    b->allocations = a;
    return memory;
}

extern "C" {

void *nf_dev_get(nf_bench *b, size_t bytes)
{
    return nf_ok(b) ? keep(b, bytes) : nullptr;
}
void *nf_host_get(nf_bench *b, size_t bytes)
{
    return nf_ok(b) ? keep(b, bytes) : nullptr;
}
void nf_dev_put(nf_bench *b, void *dev, const void *host, size_t bytes)
{
    if (nf_ok(b)) {
        std::memcpy(dev, host, bytes);
    }
}
void nf_dev_fetch(nf_bench *b, void *host, const void *dev, size_t bytes)
{
    if (nf_ok(b)) {
        std::memcpy(host, dev, bytes);
    }
}
void nf_dev_set(nf_bench *b, void *dev, int byte, size_t bytes)
{
    if (nf_ok(b)) {
        std::memset(dev, byte, bytes);
    }
}
void nf_dev_random(nf_bench *b, void *dev, nf_dtype type, size_t count, float scale)
{
    for (size_t i = 0; nf_ok(b) && i < count; i++) {
        nf_number_set(type, dev, i, scale * nf_uniform(b->seed, b->drawn++));
    }
}
void nf_case_end(nf_bench *b)
{
    while (b->allocations) {
        nf_allocation *next = b->allocations->next;
        std::free(b->allocations->memory);
        std::free(b->allocations);
        b->allocations = next;
    }
}
size_t nf_dev_free_bytes(nf_bench *)
{
    return size_t(1) << 30;
}
double nf_measure_run(nf_bench *b, nf_measure *, nf_cache)
{
    nf_fail(b, "the emulator measures nothing");
    return 0.0;
}
void nf_run_as_graph(nf_bench *b, nf_launch launch, const void *arguments)
{
    launch(arguments, 0, b->stream);
}
void nf_row_write(nf_bench *, nf_row *, nf_dtype, const nf_clock_reading *)
{
}

/* No vendor's library runs on the emulator. */
bool nf_lt_there(nf_bench *, char (*why)[NF_WHY])
{
    (void)std::snprintf(*why, sizeof *why, "the emulator runs our own kernels alone");
    return false;
}
const nf_lt_plan *nf_lt_plan_for(nf_bench *, int, const nf_gemm *)
{
    return nullptr;
}
void nf_lt_launch(const nf_lt_plan *, const nf_gemm *, nf_stream)
{
}
bool nf_dnn_there(nf_bench *, char (*why)[NF_WHY])
{
    return nf_lt_there(nullptr, why);
}
const nf_dnn_plan *nf_dnn_plan_for(nf_bench *, int, const nf_conv2d *)
{
    return nullptr;
}
void nf_dnn_launch(const nf_dnn_plan *, const nf_conv2d *, nf_stream)
{
}
}
