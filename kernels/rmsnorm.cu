/*
 * rmsnorm.cu - residual add and root-mean-square norm of rows, bf16, as between a decoder's blocks.
 *
 * plain  one thread a row: correct, and reads with a stride of a whole row between neighbours.
 * fast   one block a row, 8 numbers (16 bytes) a thread: the row is read once, stays in registers while
 *        the block sums its squares, and is written once. Adding the residual in the same pass saves two
 *        of five passes over memory. Bytes: x, residual twice, out, and the weight once.
 */
#include "device.cuh"
#include "sets.cuh"

static const nf_version versions[NF_RMSNORM_VERSIONS] = {
    {"plain", "one thread a row", NF_ANY, false},
    {"fast", "one block a row, the row in registers, residual fused", NF_ANY, true},
};

__global__ void rmsnorm_plain(nf_rmsnorm a)
{
    int row = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (row >= a.rows) {
        return;
    }
    const nf_bf16 *x = static_cast<const nf_bf16 *>(a.x) + (size_t)row * (size_t)a.width;
    nf_bf16 *residual =
        a.residual ? static_cast<nf_bf16 *>(a.residual) + (size_t)row * (size_t)a.width
                   : nullptr;
    const nf_bf16 *weight = static_cast<const nf_bf16 *>(a.weight);
    nf_bf16 *out = static_cast<nf_bf16 *>(a.out) + (size_t)row * (size_t)a.width;
    float squares = 0.0f;
    for (int i = 0; i < a.width; i++) {
        float v = nf_float(x[i]);
        if (residual) {
            residual[i] = nf_round<nf_bf16>(v + nf_float(residual[i]));
            v = nf_float(residual[i]);
        }
        squares += v * v;
    }
    float scale = rsqrtf(squares / (float)a.width + a.epsilon);
    const nf_bf16 *from = residual ? residual : x;
    for (int i = 0; i < a.width; i++) {
        out[i] = nf_round<nf_bf16>(nf_float(from[i]) * scale * nf_float(weight[i]));
    }
}

__global__ void __launch_bounds__(1024) rmsnorm_fast(nf_rmsnorm a)
{
    __shared__ float scratch[32];
    size_t at = (size_t)blockIdx.x * (size_t)a.width + threadIdx.x * 8;
    bool mine = (int)threadIdx.x * 8 < a.width;
    float v[8], w[8];
    NF_UNROLL
    for (int i = 0; i < 8; i++) {
        v[i] = 0.0f;
        w[i] = 0.0f;
    }
    float squares = 0.0f;
    if (mine) {
        nf_b128 x = nf_load16_once(static_cast<const nf_bf16 *>(a.x) + at);
        nf_b128 weight =
            nf_load16(static_cast<const nf_bf16 *>(a.weight) + threadIdx.x * 8);
        nf_unpack8<nf_bf16>(x, v);
        nf_unpack8<nf_bf16>(weight, w);
        if (a.residual) {
            nf_bf16 *residual = static_cast<nf_bf16 *>(a.residual) + at;
            float r[8];
            nf_unpack8<nf_bf16>(nf_load16(residual), r);
            NF_UNROLL
            for (int i = 0; i < 8; i++) {
                r[i] += v[i];
            }
            nf_b128 sum = nf_pack8<nf_bf16>(r);
            nf_store16(residual, sum);
            nf_unpack8<nf_bf16>(sum, v);
        }
        NF_UNROLL
        for (int i = 0; i < 8; i++) {
            squares += v[i] * v[i];
        }
    }
    squares = nf_block_reduce<false>(squares, scratch);
    float scale = rsqrtf(squares / (float)a.width + a.epsilon);
    if (mine) {
        NF_UNROLL
        for (int i = 0; i < 8; i++) {
            v[i] *= scale * w[i];
        }
        nf_store16(static_cast<nf_bf16 *>(a.out) + at, nf_pack8<nf_bf16>(v));
    }
}

extern "C" void nf_rmsnorm_launch(int version, const nf_rmsnorm *a, nf_stream stream)
{
    if (version == NF_RMSNORM_PLAIN) {
        NF_LAUNCH(rmsnorm_plain, nf_ceil_div((size_t)a->rows, 64), 64, 0, stream, *a);
    } else {
        unsigned threads = nf_ceil_div((size_t)a->width, 8 * 32) * 32;
        NF_LAUNCH(rmsnorm_fast, (unsigned)a->rows, threads, 0, stream, *a);
    }
}

static void check_one(nf_bench *b, int version, int rows, int width, bool with_residual)
{
    size_t n = (size_t)rows * (size_t)width;
    nf_tensor x = nf_tensor_random(b, NF_BF16, n, 1.7f),
              r = nf_tensor_random(b, NF_BF16, n, 3.1f);
    nf_tensor w = nf_tensor_random(b, NF_BF16, (size_t)width, 1.3f);
    nf_tensor out = nf_tensor_poisoned(b, NF_BF16, n);
    float *want = static_cast<float *>(nf_host_get(b, n * sizeof(float)));
    float *sum = static_cast<float *>(nf_host_get(b, n * sizeof(float)));
    if (!nf_ok(b)) {
        return;
    }
    memcpy(sum, r.host, n * sizeof(float));
    nf_rmsnorm a = {rows,  width,   x.dev, with_residual ? r.dev : nullptr,
                    w.dev, out.dev, 1e-5f};
    nf_rmsnorm_reference(want, with_residual ? sum : nullptr, x.host, w.host, &a);
    nf_rmsnorm_launch(version, &a, b->stream);
    char what[64], shape[NF_ROWS_TEXT];
    (void)snprintf(what, sizeof what, "rmsnorm %s", versions[version].name);
    nf_shape(shape, "rows=%d width=%d residual=%d", rows, width, with_residual);
    nf_check_close(b, what, shape, &out, want, nf_bound_of(NF_BF16));
    if (with_residual) {
        nf_check_close(b, "rmsnorm's residual", shape, &r, sum, nf_bound_of(NF_BF16));
    }
    nf_case_end(b);
}

static void check(nf_bench *b)
{
    for (int v = 0; v < NF_RMSNORM_VERSIONS; v++) {
        check_one(b, v, 3, 4096, true);
        check_one(b, v, 67, 264, true);
        check_one(b, v, 5, 8192, false);
    }
}

static void measure(nf_bench *b)
{
    const int rows[] = {1, 64, 1024, 8192}, widths[] = {4096, 8192};
    for (int width : widths) {
        for (int r : rows) {
            for (int v = 0; v < NF_RMSNORM_VERSIONS; v++) {
                if (!nf_worth(b, &versions[v])) {
                    continue;
                }
                size_t bytes = (size_t)r * (size_t)width * 2;
                double moved = 4.0 * (double)bytes + 2.0 * width;
                double footprint = moved - (double)bytes; /* the residual is in place */
                nf_sets<nf_rmsnorm> sets = {
                    v, nf_rmsnorm_launch, nf_sets_for(b, footprint), {}};
                void *weight = nf_dev_get(b, (size_t)width * 2);
                nf_dev_random(b, weight, NF_BF16, (size_t)width, 1.0f);
                for (int s = 0; s < sets.count; s++) {
                    void *x = nf_dev_get(b, bytes), *residual = nf_dev_get(b, bytes);
                    nf_dev_random(b, x, NF_BF16, bytes / 2, 1.0f);
                    nf_dev_random(b, residual, NF_BF16, bytes / 2, 1.0f);
                    sets.set[s] = {r,    width, x, residual, weight, nf_dev_get(b, bytes),
                                   1e-5f};
                }
                nf_measure m =
                    nf_measure_of("rmsnorm", versions[v].name, NF_BF16, 0.0, moved);
                m.footprint = footprint;
                nf_shape(m.row.shape, "rows=%d width=%d residual=1", r, width);
                nf_measure_sets(b, &m, &sets, NF_ROTATED);
                nf_case_end(b);
            }
        }
    }
}

extern "C" const nf_op nf_op_rmsnorm = {"rmsnorm", "residual add and RMS norm",
                                        versions,  NF_RMSNORM_VERSIONS,
                                        check,     measure,
                                        false,     {0.0, 0.0}};
