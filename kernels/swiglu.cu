/*
 * swiglu.cu - silu(gate) up, the activation between a decoder's two feed-forward products (bf16).
 *
 * plain  one result a thread, 2 bytes a load.
 * fast   8 results a thread with 16-byte loads. The exponential is the approximate one of the hardware:
 *        its error (2 units in the last place of a float) vanishes in the rounding to bf16.
 */
#include "device.cuh"
#include "sets.cuh"

static const nf_version versions[NF_SWIGLU_VERSIONS] = {
    {"plain", "one result a thread", NF_ANY, false},
    {"fast", "8 results a thread", NF_ANY, true},
};

__global__ void swiglu_plain(nf_swiglu a)
{
    size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x, width = (size_t)a.width;
    if (i >= (size_t)a.rows * width) {
        return;
    }
    const nf_bf16 *x =
        static_cast<const nf_bf16 *>(a.x) + i / width * 2 * width + i % width;
    float gate = nf_float(x[0]), up = nf_float(x[width]);
    static_cast<nf_bf16 *>(a.out)[i] =
        nf_round<nf_bf16>(gate / (1.0f + expf(-gate)) * up);
}

__global__ void __launch_bounds__(256) swiglu_fast(nf_swiglu a)
{
    size_t pieces = (size_t)a.width / 8, all = (size_t)a.rows * pieces;
    size_t step = (size_t)gridDim.x * blockDim.x;
    for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < all; i += step) {
        size_t row = i / pieces, at = i % pieces * 8;
        const nf_bf16 *x =
            static_cast<const nf_bf16 *>(a.x) + row * 2 * (size_t)a.width + at;
        nf_b128 gates = nf_load16_once(x), ups = nf_load16_once(x + a.width);
        float gate[8], up[8];
        nf_unpack8<nf_bf16>(gates, gate);
        nf_unpack8<nf_bf16>(ups, up);
        NF_UNROLL
        for (int e = 0; e < 8; e++) {
            up[e] *= __fdividef(gate[e], 1.0f + __expf(-gate[e]));
        }
        nf_store16(static_cast<nf_bf16 *>(a.out) + row * (size_t)a.width + at,
                   nf_pack8<nf_bf16>(up));
    }
}

extern "C" void nf_swiglu_launch(int version, const nf_swiglu *a, nf_stream stream)
{
    size_t n = (size_t)a->rows * (size_t)a->width;
    if (version == NF_SWIGLU_PLAIN) {
        NF_LAUNCH(swiglu_plain, nf_ceil_div(n, 256), 256, 0, stream, *a);
    } else {
        unsigned grid = nf_ceil_div(n / 8, 256);
        NF_LAUNCH(swiglu_fast, grid < 4096u ? grid : 4096u, 256, 0, stream, *a);
    }
}

static void check(nf_bench *b)
{
    const int shapes[][2] = {{3, 1024}, {19, 88}};
    for (const int(&s)[2] : shapes) {
        for (int v = 0; v < NF_SWIGLU_VERSIONS; v++) {
            size_t n = (size_t)s[0] * (size_t)s[1];
            nf_tensor x = nf_tensor_random(b, NF_BF16, 2 * n, 9.0f);
            nf_tensor out = nf_tensor_poisoned(b, NF_BF16, n);
            float *want = static_cast<float *>(nf_host_get(b, n * sizeof(float)));
            if (!nf_ok(b)) {
                return;
            }
            nf_swiglu_reference(want, x.host, s[0], s[1]);
            nf_swiglu a = {s[0], s[1], x.dev, out.dev};
            nf_swiglu_launch(v, &a, b->stream);
            char what[64], shape[NF_ROWS_TEXT];
            (void)snprintf(what, sizeof what, "swiglu %s", versions[v].name);
            nf_shape(shape, "rows=%d width=%d", s[0], s[1]);
            nf_check_close(b, what, shape, &out, want, nf_bound_of(NF_BF16));
            nf_case_end(b);
        }
    }
}

static void measure(nf_bench *b)
{
    const int rows[] = {1, 64, 1024, 8192}, width = 14336; /* Llama-3.1-8B */
    for (int r : rows) {
        for (int v = 0; v < NF_SWIGLU_VERSIONS; v++) {
            if (!nf_worth(b, &versions[v])) {
                continue;
            }
            size_t n = (size_t)r * (size_t)width;
            double moved = 2.0 * 3.0 * (double)n;
            nf_sets<nf_swiglu> sets = {v, nf_swiglu_launch, nf_sets_for(b, moved), {}};
            for (int s = 0; s < sets.count; s++) {
                void *x = nf_dev_get(b, n * 4);
                nf_dev_random(b, x, NF_BF16, n * 2, 4.0f);
                sets.set[s] = {r, width, x, nf_dev_get(b, n * 2)};
            }
            nf_measure m = nf_measure_of("swiglu", versions[v].name, NF_BF16, 0.0, moved);
            nf_shape(m.row.shape, "rows=%d width=%d", r, width);
            nf_measure_sets(b, &m, &sets, NF_ROTATED);
            nf_case_end(b);
        }
    }
}

extern "C" const nf_op nf_op_swiglu = {
    "swiglu", "gated activation", versions, NF_SWIGLU_VERSIONS, check, measure,
    false,    {0.0, 0.0}};
