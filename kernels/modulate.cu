/*
 * modulate.cu - between the halves of a diffusion transformer's block (bf16): x += gate y, then the layer norm of x
 * without weights of its own, times (1 + scale), plus shift. gate, scale and shift are one vector a picture
 * (Peebles and Xie 2023, adaLN).
 *
 * plain  one thread a row, three passes over it.
 * fast   one block a row, 8 numbers a thread: the row is read once and stays in registers through the sum for the
 *        mean and the sum for the variance about it.
 *
 * Bytes: x twice and y if there is a y, the result if there is one; the vectors stay in the cache.
 */
#include "device.cuh"
#include "sets.cuh"

static const nf_version versions[NF_MODULATE_VERSIONS] = {
    {"plain", "one thread a row", NF_ANY, false},
    {"fast", "one block a row, the row in registers", NF_ANY, true},
};

__global__ void __launch_bounds__(64) modulate_plain(nf_modulate a)
{
    int row = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (row >= a.rows) {
        return;
    }
    size_t at = (size_t)row * (size_t)a.width;
    nf_bf16 *x = static_cast<nf_bf16 *>(a.x) + at;
    const nf_bf16 *gate = static_cast<const nf_bf16 *>(a.gate);
    const nf_bf16 *scale = static_cast<const nf_bf16 *>(a.scale);
    const nf_bf16 *shift = static_cast<const nf_bf16 *>(a.shift);
    float mean = 0.0f, squares = 0.0f;
    for (int i = 0; i < a.width; i++) {
        if (a.y) {
            const nf_bf16 *y = static_cast<const nf_bf16 *>(a.y) + at;
            x[i] = nf_round<nf_bf16>(nf_float(x[i]) + nf_float(gate[i]) * nf_float(y[i]));
        }
        mean += nf_float(x[i]);
    }
    mean /= (float)a.width;
    for (int i = 0; i < a.width; i++) {
        float d = nf_float(x[i]) - mean;
        squares += d * d;
    }
    float inverse = rsqrtf(squares / (float)a.width + a.epsilon);
    for (int i = 0; i < a.width && a.out; i++) {
        float v = (nf_float(x[i]) - mean) * inverse;
        static_cast<nf_bf16 *>(a.out)[at + (size_t)i] =
            nf_round<nf_bf16>(v * (1.0f + nf_float(scale[i])) + nf_float(shift[i]));
    }
}

NF_DEV void load8(float (&v)[8], const void *from, size_t at)
{
    nf_unpack8<nf_bf16>(nf_load16(static_cast<const nf_bf16 *>(from) + at), v);
}

__global__ void __launch_bounds__(1024) modulate_fast(nf_modulate a)
{
    __shared__ float scratch[32];
    size_t column = threadIdx.x * 8, at = (size_t)blockIdx.x * (size_t)a.width + column;
    bool mine = (int)column < a.width;
    float v[8] = {}, y[8], g[8];
    if (mine) {
        load8(v, a.x, at);
        if (a.y) {
            load8(y, a.y, at);
            load8(g, a.gate, column);
            NF_UNROLL
            for (int i = 0; i < 8; i++) {
                v[i] += g[i] * y[i];
            }
            nf_b128 sum = nf_pack8<nf_bf16>(v);
            nf_store16(static_cast<nf_bf16 *>(a.x) + at, sum);
            nf_unpack8<nf_bf16>(sum, v);
        }
    }
    if (!a.out) {
        return;
    }
    float total = 0.0f, squares = 0.0f;
    NF_UNROLL
    for (int i = 0; i < 8; i++) {
        total += v[i];
    }
    float mean = nf_block_reduce<false>(total, scratch) / (float)a.width;
    NF_UNROLL
    for (int i = 0; i < 8; i++) {
        squares += mine ? (v[i] - mean) * (v[i] - mean) : 0.0f;
    }
    squares = nf_block_reduce<false>(squares, scratch);
    float inverse = rsqrtf(squares / (float)a.width + a.epsilon);
    if (mine) {
        load8(y, a.scale, column);
        load8(g, a.shift, column);
        NF_UNROLL
        for (int i = 0; i < 8; i++) {
            v[i] = (v[i] - mean) * inverse * (1.0f + y[i]) + g[i];
        }
        nf_store16(static_cast<nf_bf16 *>(a.out) + at, nf_pack8<nf_bf16>(v));
    }
}

extern "C" void nf_modulate_launch(int version, const nf_modulate *a, nf_stream stream)
{
    if (version == NF_MODULATE_PLAIN) {
        NF_LAUNCH(modulate_plain, nf_ceil_div((size_t)a->rows, 64), 64, 0, stream, *a);
    } else {
        unsigned threads = nf_ceil_div((size_t)a->width, 8 * 32) * 32;
        NF_LAUNCH(modulate_fast, (unsigned)a->rows, threads, 0, stream, *a);
    }
}

static void check_one(nf_bench *b, int version, int rows, int width, bool gated)
{
    size_t n = (size_t)rows * (size_t)width, w = (size_t)width;
    nf_tensor x = nf_tensor_random(b, NF_BF16, n, 2.3f),
              y = nf_tensor_random(b, NF_BF16, n, 1.1f);
    nf_tensor gate = nf_tensor_random(b, NF_BF16, w, 1.3f),
              scale = nf_tensor_random(b, NF_BF16, w, 0.7f),
              shift = nf_tensor_random(b, NF_BF16, w, 0.9f);
    nf_tensor out = nf_tensor_poisoned(b, NF_BF16, n);
    float *want = static_cast<float *>(nf_host_get(b, n * sizeof(float)));
    float *sum = static_cast<float *>(nf_host_get(b, n * sizeof(float)));
    if (!nf_ok(b)) {
        return;
    }
    memcpy(sum, x.host, n * sizeof(float));
    nf_modulate a = {rows,     width,     x.dev,     gated ? y.dev : nullptr,
                     gate.dev, scale.dev, shift.dev, out.dev,
                     1e-6f};
    const nf_modulate_host h = {gated ? y.host : nullptr, gate.host, scale.host,
                                shift.host};
    nf_modulate_reference(want, sum, &h, &a);
    nf_modulate_launch(version, &a, b->stream);
    char what[64], shape[NF_ROWS_TEXT];
    (void)snprintf(what, sizeof what, "modulate %s", versions[version].name);
    nf_shape(shape, "rows=%d width=%d gated=%d", rows, width, gated);
    nf_check_close(b, what, shape, &out, want, nf_bound_of(NF_BF16));
    nf_check_close(b, "modulate's sum", shape, &x, sum, nf_bound_of(NF_BF16));
    nf_case_end(b);
}

static void check(nf_bench *b)
{
    for (int v = 0; v < NF_MODULATE_VERSIONS; v++) {
        check_one(b, v, 3, 3072, true);
        check_one(b, v, 5, 264, true);
        check_one(b, v, 2, 1152, false);
    }
}

static void measure(nf_bench *b)
{
    const int rows[] = {4096, 16384}, width = 3072;
    for (int r : rows) {
        for (int v = 0; v < NF_MODULATE_VERSIONS; v++) {
            if (!nf_worth(b, &versions[v])) {
                continue;
            }
            size_t n = (size_t)r * (size_t)width;
            double moved = 4.0 * 2.0 * (double)n + 3.0 * 2.0 * width;
            double footprint = moved - 2.0 * (double)n; /* the sum is in place */
            nf_sets<nf_modulate> sets = {
                v, nf_modulate_launch, nf_sets_for(b, footprint), {}};
            void *vectors = nf_dev_get(b, (size_t)width * 6);
            nf_dev_random(b, vectors, NF_BF16, (size_t)width * 3, 0.1f);
            const uint16_t *vector = static_cast<uint16_t *>(vectors);
            for (int s = 0; s < sets.count && nf_ok(b); s++) {
                void *x = nf_dev_get(b, n * 2), *y = nf_dev_get(b, n * 2);
                nf_dev_random(b, x, NF_BF16, n, 1.0f);
                nf_dev_random(b, y, NF_BF16, n, 1.0f);
                sets.set[s] = {r,
                               width,
                               x,
                               y,
                               vector,
                               vector + width,
                               vector + 2 * width,
                               nf_dev_get(b, n * 2),
                               1e-6f};
            }
            nf_measure m =
                nf_measure_of("modulate", versions[v].name, NF_BF16, 0.0, moved);
            m.footprint = footprint;
            nf_shape(m.row.shape, "rows=%d width=%d gated=1", r, width);
            nf_measure_sets(b, &m, &sets, NF_ROTATED);
            nf_case_end(b);
        }
    }
}

extern "C" const nf_op nf_op_modulate = {
    "modulate", "gated residual, layer norm, scale and shift",
    versions,   NF_MODULATE_VERSIONS,
    check,      measure,
    false,      {0.0, 0.0}};
