/*
 * softmax.cu - softmax of rows, bf16: the probabilities over a vocabulary before sampling.
 *
 * plain  one warp a row, three passes: maximum, sum, result.
 * fast   one block a row and one pass for maximum and sum together: each thread keeps a running maximum
 *        and rescales its running sum when it grows (online softmax, Milakov and Gimelshein 2018). The
 *        second pass finds the row in the L2. 16-byte loads. Bytes counted: the row once in, once out.
 */
#include "device.cuh"
#include "sets.cuh"

static const nf_version versions[NF_SOFTMAX_VERSIONS] = {
    {"plain", "one warp a row, three passes", NF_ANY, false},
    {"fast", "one block a row, maximum and sum in one pass", NF_ANY, true},
};

__global__ void softmax_plain(nf_softmax a)
{
    int row = (int)(blockIdx.x * blockDim.x + threadIdx.x) / 32,
        lane = (int)threadIdx.x % 32;
    if (row >= a.rows) {
        return;
    }
    const nf_bf16 *x = static_cast<const nf_bf16 *>(a.x) + (size_t)row * (size_t)a.width;
    nf_bf16 *out = static_cast<nf_bf16 *>(a.out) + (size_t)row * (size_t)a.width;
    float largest = -1e30f, total = 0.0f;
    for (int i = lane; i < a.width; i += 32) {
        largest = fmaxf(largest, nf_float(x[i]));
    }
    largest = nf_warp_max(largest);
    for (int i = lane; i < a.width; i += 32) {
        total += expf(nf_float(x[i]) - largest);
    }
    total = nf_warp_sum(total);
    for (int i = lane; i < a.width; i += 32) {
        out[i] = nf_round<nf_bf16>(expf(nf_float(x[i]) - largest) / total);
    }
}

static constexpr float log2_e = 1.44269504f;

__global__ void __launch_bounds__(512) softmax_fast(nf_softmax a)
{
    __shared__ float scratch[32];
    const nf_bf16 *x =
        static_cast<const nf_bf16 *>(a.x) + (size_t)blockIdx.x * (size_t)a.width;
    nf_bf16 *out = static_cast<nf_bf16 *>(a.out) + (size_t)blockIdx.x * (size_t)a.width;
    int pieces = a.width / 8;
    float largest = -1e30f, total = 0.0f, v[8];
    for (int i = (int)threadIdx.x; i < pieces; i += (int)blockDim.x) {
        nf_unpack8<nf_bf16>(nf_load16(x + 8 * i), v);
        float top = v[0];
        NF_UNROLL
        for (int e = 1; e < 8; e++) {
            top = fmaxf(top, v[e]);
        }
        if (top > largest) {
            total *= nf_exp2((largest - top) * log2_e);
            largest = top;
        }
        NF_UNROLL
        for (int e = 0; e < 8; e++) {
            total += nf_exp2((v[e] - largest) * log2_e);
        }
    }
    float all = nf_block_reduce<true>(largest, scratch);
    total = nf_block_reduce<false>(total * nf_exp2((largest - all) * log2_e), scratch);
    float inverse = 1.0f / total;
    for (int i = (int)threadIdx.x; i < pieces; i += (int)blockDim.x) {
        nf_unpack8<nf_bf16>(nf_load16(x + 8 * i), v);
        NF_UNROLL
        for (int e = 0; e < 8; e++) {
            v[e] = nf_exp2((v[e] - all) * log2_e) * inverse;
        }
        nf_store16_once(out + 8 * i, nf_pack8<nf_bf16>(v));
    }
}

extern "C" void nf_softmax_launch(int version, const nf_softmax *a, nf_stream stream)
{
    if (version == NF_SOFTMAX_PLAIN) {
        NF_LAUNCH(softmax_plain, nf_ceil_div((size_t)a->rows, 4), 128, 0, stream, *a);
    } else {
        NF_LAUNCH(softmax_fast, (unsigned)a->rows, 512, 0, stream, *a);
    }
}

static void check(nf_bench *b)
{
    const int shapes[][2] = {{5, 4104}, {9, 64}};
    for (const int(&s)[2] : shapes) {
        for (int v = 0; v < NF_SOFTMAX_VERSIONS; v++) {
            size_t n = (size_t)s[0] * (size_t)s[1];
            nf_tensor x = nf_tensor_random(b, NF_BF16, n, 11.0f);
            nf_tensor out = nf_tensor_poisoned(b, NF_BF16, n);
            float *want = static_cast<float *>(nf_host_get(b, n * sizeof(float)));
            if (!nf_ok(b)) {
                return;
            }
            nf_softmax_reference(want, x.host, s[0], s[1]);
            nf_softmax a = {s[0], s[1], x.dev, out.dev};
            nf_softmax_launch(v, &a, b->stream);
            char what[64], shape[NF_ROWS_TEXT];
            (void)snprintf(what, sizeof what, "softmax %s", versions[v].name);
            nf_shape(shape, "rows=%d width=%d", s[0], s[1]);
            /* Probabilities are small: only the relative part of the bound means anything. */
            nf_check_close(b, what, shape, &out, want, {1e-6, 1.6e-2, 6e-3});
            nf_case_end(b);
        }
    }
}

static void measure(nf_bench *b)
{
    const int rows[] = {1, 16, 64, 256}, width = 128256; /* Llama-3.1's vocabulary */
    for (int r : rows) {
        for (int v = 0; v < NF_SOFTMAX_VERSIONS; v++) {
            if (!nf_worth(b, &versions[v])) {
                continue;
            }
            size_t n = (size_t)r * (size_t)width;
            double moved = 4.0 * (double)n;
            nf_sets<nf_softmax> sets = {v, nf_softmax_launch, nf_sets_for(b, moved), {}};
            for (int s = 0; s < sets.count; s++) {
                void *x = nf_dev_get(b, n * 2);
                nf_dev_random(b, x, NF_BF16, n, 8.0f);
                sets.set[s] = {r, width, x, nf_dev_get(b, n * 2)};
            }
            nf_measure m =
                nf_measure_of("softmax", versions[v].name, NF_BF16, 0.0, moved);
            nf_shape(m.row.shape, "rows=%d width=%d", r, width);
            nf_measure_sets(b, &m, &sets, NF_ROTATED);
            nf_case_end(b);
        }
    }
}

extern "C" const nf_op nf_op_softmax = {
    "softmax", "softmax of rows", versions, NF_SOFTMAX_VERSIONS,
    check,     measure,           false,    {0.0, 0.0}};
