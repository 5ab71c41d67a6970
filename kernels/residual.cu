/*
 * residual.cu - out = x + y, bf16: what an unfused residual costs (rmsnorm.cu has the fused one).
 *
 * plain  one number a thread.
 * fast   16 numbers a thread in two independent 16-byte loads of each input.
 */
#include "device.cuh"
#include "sets.cuh"

static const nf_version versions[NF_RESIDUAL_VERSIONS] = {
    {"plain", "one number a thread", NF_ANY, false},
    {"fast", "16 numbers a thread", NF_ANY, true},
};

__global__ void residual_plain(nf_residual a)
{
    size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < a.count) {
        static_cast<nf_bf16 *>(a.out)[i] =
            nf_round<nf_bf16>(nf_float(static_cast<const nf_bf16 *>(a.x)[i]) +
                              nf_float(static_cast<const nf_bf16 *>(a.y)[i]));
    }
}

__global__ void __launch_bounds__(256) residual_fast(nf_residual a)
{
    const nf_bf16 *x = static_cast<const nf_bf16 *>(a.x),
                  *y = static_cast<const nf_bf16 *>(a.y);
    size_t base = ((size_t)blockIdx.x * 512 + threadIdx.x) * 8;
    nf_b128 v[2], w[2];
    NF_UNROLL
    for (int j = 0; j < 2; j++) {
        size_t i = base + (size_t)j * 2048;
        if (i < a.count) {
            v[j] = nf_load16_once(x + i);
            w[j] = nf_load16_once(y + i);
        }
    }
    NF_UNROLL
    for (int j = 0; j < 2; j++) {
        size_t i = base + (size_t)j * 2048;
        if (i < a.count) {
            float p[8], q[8];
            nf_unpack8<nf_bf16>(v[j], p);
            nf_unpack8<nf_bf16>(w[j], q);
            NF_UNROLL
            for (int e = 0; e < 8; e++) {
                p[e] += q[e];
            }
            nf_store16_once(static_cast<nf_bf16 *>(a.out) + i, nf_pack8<nf_bf16>(p));
        }
    }
}

extern "C" void nf_residual_launch(int version, const nf_residual *a, nf_stream stream)
{
    if (version == NF_RESIDUAL_PLAIN) {
        NF_LAUNCH(residual_plain, nf_ceil_div(a->count, 256), 256, 0, stream, *a);
    } else {
        NF_LAUNCH(residual_fast, nf_ceil_div(a->count, 4096), 256, 0, stream, *a);
    }
}

static void check(nf_bench *b)
{
    const size_t counts[] = {8, 5000, 20008};
    for (size_t n : counts) {
        for (int v = 0; v < NF_RESIDUAL_VERSIONS; v++) {
            nf_tensor x = nf_tensor_random(b, NF_BF16, n, 2.0f);
            nf_tensor y = nf_tensor_random(b, NF_BF16, n, 2.0f);
            nf_tensor out = nf_tensor_poisoned(b, NF_BF16, n);
            float *want = static_cast<float *>(nf_host_get(b, n * sizeof(float)));
            if (!nf_ok(b)) {
                return;
            }
            nf_residual_reference(want, x.host, y.host, n);
            nf_residual a = {n, x.dev, y.dev, out.dev};
            nf_residual_launch(v, &a, b->stream);
            char what[64], shape[NF_ROWS_TEXT];
            (void)snprintf(what, sizeof what, "residual %s", versions[v].name);
            nf_shape(shape, "count=%zu", n);
            nf_check_close(b, what, shape, &out, want, nf_bound_of(NF_BF16));
            nf_case_end(b);
        }
    }
}

static void measure(nf_bench *b)
{
    const size_t counts[] = {(size_t)64 * 4096, (size_t)1024 * 4096,
                             (size_t)16384 * 4096};
    for (size_t n : counts) {
        for (int v = 0; v < NF_RESIDUAL_VERSIONS; v++) {
            if (!nf_worth(b, &versions[v])) {
                continue;
            }
            double moved = 6.0 * (double)n;
            nf_sets<nf_residual> sets = {
                v, nf_residual_launch, nf_sets_for(b, moved), {}};
            for (int s = 0; s < sets.count; s++) {
                void *x = nf_dev_get(b, n * 2), *y = nf_dev_get(b, n * 2);
                nf_dev_random(b, x, NF_BF16, n, 1.0f);
                nf_dev_random(b, y, NF_BF16, n, 1.0f);
                sets.set[s] = {n, x, y, nf_dev_get(b, n * 2)};
            }
            nf_measure m =
                nf_measure_of("residual", versions[v].name, NF_BF16, (double)n, moved);
            nf_shape(m.row.shape, "count=%zu", n);
            nf_measure_sets(b, &m, &sets, NF_ROTATED);
            nf_case_end(b);
        }
    }
}

extern "C" const nf_op nf_op_residual = {"residual", "addition of two tensors",
                                         versions,   NF_RESIDUAL_VERSIONS,
                                         check,      measure,
                                         false,      {0.0, 0.0}};
