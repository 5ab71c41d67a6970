/*
 * sustained.cu - the device under full load for 30 s (--quick: 5 s): does it keep its clock?
 *
 * One matrix product after the other, bf16, 8192 in each direction (smaller where memory is short), through
 * cuBLASLt or, without it, our fastest. Chunks of about 50 ms are timed with device events; after each, clock,
 * power, temperature and the reasons of a slowdown are read. One row a second: quartiles of its chunks, and the
 * mean of what NVML said. Rows are of the kind `load` and never feed a fit: they tell whether the other rows,
 * measured in bursts, hold for an hour of work.
 */
#include <cstring>
#include <cuda_runtime.h>

#include "nvml.h"
#include "sets.cuh"
#include "timing.h"

static const nf_version versions[1] = {
    {"gemm", "products without a pause, a row a second", NF_ANY, true}};

enum { CHUNKS_MAX = 64 };

struct load {
    nf_product product;
    cudaEvent_t begin, end;
    int launches; /* a chunk */
};

/* Microseconds of one product in a chunk of them. */
static double chunk(nf_bench *b, const load *l)
{
    float ms = 0.0f;
    cudaError_t e = cudaEventRecord(l->begin, b->stream);
    for (int i = 0; i < l->launches && e == cudaSuccess; i++) {
        nf_product_launch(&l->product, b->stream);
    }
    e = e == cudaSuccess ? cudaGetLastError() : e;
    e = e == cudaSuccess ? cudaEventRecord(l->end, b->stream) : e;
    e = e == cudaSuccess ? cudaEventSynchronize(l->end) : e;
    e = e == cudaSuccess ? cudaEventElapsedTime(&ms, l->begin, l->end) : e;
    if (e != cudaSuccess) {
        nf_fail(b, "sustained: %s", cudaGetErrorString(e));
    }
    return 1e3 * (double)ms / l->launches;
}

struct second {
    double us[CHUNKS_MAX];
    nf_clock_reading sum;
    char reasons[48];
    int chunks;
};

static void take_second(nf_bench *b, const load *l, second *s)
{
    double start = nf_now_s();
    while (nf_ok(b) && s->chunks < CHUNKS_MAX &&
           (s->chunks < 4 || nf_now_s() - start < 1.0)) {
        s->us[s->chunks++] = chunk(b, l);
        nf_clock_reading now = nf_clocks_read(b->clocks);
        s->sum.sm_mhz += now.sm_mhz;
        s->sum.mem_mhz += now.mem_mhz;
        s->sum.power_w += now.power_w;
        s->sum.temperature_c += now.temperature_c;
        s->sum.throttled = s->sum.throttled || now.throttled;
        s->sum.power_cap = s->sum.power_cap || now.power_cap;
        if (now.throttled) {
            (void)std::snprintf(s->reasons, sizeof s->reasons, "%s", now.reasons);
        }
    }
}

static void put_second(nf_bench *b, nf_row row, second *s, int number, int size)
{
    nf_quartiles q = nf_quartiles_of(s->us, (size_t)s->chunks);
    nf_shape(row.shape, "second=%d m=%d n=%d k=%d", number, size, size, size);
    row.samples = (size_t)s->chunks;
    row.median_us = q.median;
    row.q1_us = q.q1;
    row.q3_us = q.q3;
    nf_clock_reading mean = s->sum;
    mean.sm_mhz /= s->chunks;
    mean.mem_mhz /= s->chunks;
    mean.power_w /= s->chunks;
    mean.temperature_c /= s->chunks;
    if (s->sum.throttled) {
        nf_row_flag(&row, "throttled");
        s->reasons[std::strlen(s->reasons) - 1] = '\0'; /* each reason ends in a space */
        nf_row_flag(&row, s->reasons);
    }
    if (s->sum.power_cap) {
        nf_row_flag(&row, "power_cap");
    }
    if (!b->clocks) {
        nf_row_flag(&row, "no_clocks");
    }
    nf_row_write(b, &row, NF_BF16, &mean);
}

static void measure(nf_bench *b)
{
    int size = 8192;
    while (size > 1024 && 6.0 * size * size > 0.4 * (double)nf_dev_free_bytes(b)) {
        size /= 2;
    }
    size_t numbers = (size_t)size * (size_t)size;
    load l = {};
    void *a = nf_dev_get(b, numbers * 2), *w = nf_dev_get(b, numbers * 2);
    nf_dev_random(b, a, NF_BF16, numbers, 1.0f);
    nf_dev_random(b, w, NF_BF16, numbers, 1.0f);
    nf_gemm g = {size, size, size, NF_BF16, a, w, nf_dev_get(b, numbers * 2),
                 1.0f, {},   {}};
    if (!nf_ok(b) || !nf_product_prepare(b, &l.product, &g, true) ||
        cudaEventCreate(&l.begin) != cudaSuccess ||
        cudaEventCreate(&l.end) != cudaSuccess) {
        return;
    }
    l.launches = 3;
    double us = chunk(b, &l), flop = 2.0 * size * (double)size * size;
    l.launches = us > 1.0 ? (int)(50000.0 / us) + 1 : 1;
    nf_measure m =
        nf_measure_of("sustained", "gemm", NF_BF16, flop, 6.0 * (double)numbers);
    m.row.kind = "load";
    m.row.cache = "none";
    int seconds = b->scope == NF_FULL ? 30 : 5;
    for (int i = 1; i <= seconds && nf_ok(b) && nf_time_left(b); i++) {
        second s = {};
        take_second(b, &l, &s);
        if (nf_ok(b)) {
            put_second(b, m.row, &s, i, size);
        }
    }
    (void)cudaEventDestroy(l.begin);
    (void)cudaEventDestroy(l.end);
    nf_case_end(b);
}

extern "C" const nf_op nf_op_sustained = {
    "sustained", "full load, second by second", versions, 1, nullptr, measure, false,
    {6.0, 32.0}};
