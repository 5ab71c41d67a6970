/*
 * gelu.cu - the activation of a diffusion transformer's feed-forward part, in the form with tanh (bf16):
 * x / 2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) = x / (1 + exp(-2 sqrt(2/pi) (x + 0.044715 x^3))).
 *
 * plain  one result a thread, tanhf.
 * fast   8 results a thread with 16-byte loads and the hardware's approximate exponential.
 */
#include "device.cuh"
#include "sets.cuh"

static const nf_version versions[NF_GELU_VERSIONS] = {
    {"plain", "one result a thread", NF_ANY, false},
    {"fast", "8 results a thread", NF_ANY, true},
};

__global__ void __launch_bounds__(256) gelu_plain(nf_gelu a)
{
    size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < a.count) {
        float x = nf_float(static_cast<const nf_bf16 *>(a.x)[i]);
        float u = 0.7978845608f * (x + 0.044715f * x * x * x);
        static_cast<nf_bf16 *>(a.out)[i] =
            nf_round<nf_bf16>(0.5f * x * (1.0f + tanhf(u)));
    }
}

__global__ void __launch_bounds__(256) gelu_fast(nf_gelu a)
{
    size_t step = (size_t)gridDim.x * blockDim.x, pieces = a.count / 8;
    for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < pieces;
         i += step) {
        float v[8];
        nf_unpack8<nf_bf16>(nf_load16_once(static_cast<const nf_bf16 *>(a.x) + i * 8), v);
        NF_UNROLL
        for (int e = 0; e < 8; e++) {
            float u = 1.5957691216f * v[e] * (1.0f + 0.044715f * v[e] * v[e]);
            v[e] = __fdividef(v[e], 1.0f + __expf(-u));
        }
        nf_store16(static_cast<nf_bf16 *>(a.out) + i * 8, nf_pack8<nf_bf16>(v));
    }
}

extern "C" void nf_gelu_launch(int version, const nf_gelu *a, nf_stream stream)
{
    if (version == NF_GELU_PLAIN) {
        NF_LAUNCH(gelu_plain, nf_ceil_div(a->count, 256), 256, 0, stream, *a);
    } else {
        unsigned grid = nf_ceil_div(a->count / 8, 256);
        NF_LAUNCH(gelu_fast, grid < 4096u ? grid : 4096u, 256, 0, stream, *a);
    }
}

static void check(nf_bench *b)
{
    const size_t counts[] = {8, 5000};
    for (size_t n : counts) {
        for (int v = 0; v < NF_GELU_VERSIONS; v++) {
            nf_tensor x = nf_tensor_random(b, NF_BF16, n, 11.0f);
            nf_tensor out = nf_tensor_poisoned(b, NF_BF16, n);
            float *want = static_cast<float *>(nf_host_get(b, n * sizeof(float)));
            if (!nf_ok(b)) {
                return;
            }
            nf_gelu_reference(want, x.host, n);
            nf_gelu a = {n, x.dev, out.dev};
            nf_gelu_launch(v, &a, b->stream);
            char what[64], shape[NF_ROWS_TEXT];
            (void)snprintf(what, sizeof what, "gelu %s", versions[v].name);
            nf_shape(shape, "count=%zu", n);
            nf_check_close(b, what, shape, &out, want, nf_bound_of(NF_BF16));
            nf_case_end(b);
        }
    }
}

static void measure(nf_bench *b)
{
    const size_t counts[] = {(size_t)4096 * 12288, (size_t)16384 * 12288};
    for (size_t n : counts) {
        for (int v = 0; v < NF_GELU_VERSIONS; v++) {
            if (!nf_worth(b, &versions[v])) {
                continue;
            }
            double moved = 4.0 * (double)n;
            nf_sets<nf_gelu> sets = {v, nf_gelu_launch, nf_sets_for(b, moved), {}};
            for (int s = 0; s < sets.count && nf_ok(b); s++) {
                void *x = nf_dev_get(b, n * 2);
                nf_dev_random(b, x, NF_BF16, n, 4.0f);
                sets.set[s] = {n, x, nf_dev_get(b, n * 2)};
            }
            nf_measure m = nf_measure_of("gelu", versions[v].name, NF_BF16, 0.0, moved);
            nf_shape(m.row.shape, "count=%zu", n);
            nf_measure_sets(b, &m, &sets, NF_ROTATED);
            nf_case_end(b);
        }
    }
}

extern "C" const nf_op nf_op_gelu = {
    "gelu",    "activation with tanh", versions, NF_GELU_VERSIONS, check, measure, false,
    {0.0, 0.0}};
