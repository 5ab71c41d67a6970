/*
 * pool2d.cu - maximum over windows and mean over a picture, fp16, channels last: what a ResNet needs beside
 * its convolutions.
 *
 * plain  one channel of one output pixel a thread.
 * fast   8 channels a thread, 16-byte loads.
 */
#include "device.cuh"
#include "sets.cuh"

static const nf_version versions[NF_POOL2D_VERSIONS] = {
    {"plain", "one channel a thread", NF_ANY, false},
    {"fast", "8 channels a thread", NF_ANY, true},
};

/* Reduces `n` channels from `c` of output pixel `pixel` into v. */
template <int n>
NF_DEV void reduce(float (&v)[n], const nf_pool2d &a, size_t pixel, int c)
{
    int out_height = a.size ? (a.height + 2 * a.pad - a.size) / a.stride + 1 : 1;
    int out_width = a.size ? (a.width + 2 * a.pad - a.size) / a.stride + 1 : 1;
    int q = (int)(pixel % (size_t)out_width),
        p = (int)(pixel / (size_t)out_width % (size_t)out_height);
    size_t picture = pixel / (size_t)(out_width * out_height);
    int rows = a.size ? a.size : a.height, columns = a.size ? a.size : a.width;
    NF_UNROLL
    for (int e = 0; e < n; e++) {
        v[e] = a.size ? -65504.0f : 0.0f;
    }
    for (int r = 0; r < rows; r++) {
        for (int s = 0; s < columns; s++) {
            int y = p * a.stride + r - a.pad, x = q * a.stride + s - a.pad;
            if (y < 0 || y >= a.height || x < 0 || x >= a.width) {
                continue;
            }
            size_t at =
                ((picture * (size_t)a.height + (size_t)y) * (size_t)a.width + (size_t)x) *
                    (size_t)a.channels +
                (size_t)c;
            const nf_f16 *from = static_cast<const nf_f16 *>(a.x) + at;
            float u[8];
            if constexpr (n == 8) {
                nf_unpack8<nf_f16>(nf_load16(from), u);
            } else {
                u[0] = nf_float(from[0]);
            }
            NF_UNROLL
            for (int e = 0; e < n; e++) {
                v[e] = a.size ? fmaxf(v[e], u[e]) : v[e] + u[e];
            }
        }
    }
    NF_UNROLL
    for (int e = 0; e < n; e++) {
        v[e] = a.size ? v[e] : v[e] / (float)(a.height * a.width);
    }
}

__global__ void __launch_bounds__(128) pool2d_plain(nf_pool2d a, size_t outs)
{
    size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < outs) {
        float v[1];
        reduce<1>(v, a, i / (size_t)a.channels, (int)(i % (size_t)a.channels));
        static_cast<nf_f16 *>(a.out)[i] = nf_round<nf_f16>(v[0]);
    }
}

__global__ void __launch_bounds__(128) pool2d_fast(nf_pool2d a, size_t outs)
{
    size_t i = ((size_t)blockIdx.x * blockDim.x + threadIdx.x) * 8;
    if (i < outs) {
        float v[8];
        reduce<8>(v, a, i / (size_t)a.channels, (int)(i % (size_t)a.channels));
        nf_store16(static_cast<nf_f16 *>(a.out) + i, nf_pack8<nf_f16>(v));
    }
}

extern "C" void nf_pool2d_launch(int version, const nf_pool2d *a, nf_stream stream)
{
    size_t outs = (size_t)a->batch * (size_t)nf_pool2d_out(a->height, a) *
                  (size_t)nf_pool2d_out(a->width, a) * (size_t)a->channels;
    if (version == NF_POOL2D_PLAIN) {
        NF_LAUNCH(pool2d_plain, nf_ceil_div(outs, 128), 128, 0, stream, *a, outs);
    } else {
        NF_LAUNCH(pool2d_fast, nf_ceil_div(outs, 1024), 128, 0, stream, *a, outs);
    }
}

static void check(nf_bench *b)
{
    const nf_pool2d cases[] = {{2, 13, 9, 24, 3, 2, 1, nullptr, nullptr},
                               {3, 7, 7, 40, 0, 1, 0, nullptr, nullptr}};
    for (nf_pool2d a : cases) {
        size_t ins = (size_t)(a.batch * a.height * a.width * a.channels);
        size_t outs = (size_t)(a.batch * nf_pool2d_out(a.height, &a) *
                               nf_pool2d_out(a.width, &a) * a.channels);
        nf_tensor x = nf_tensor_random(b, NF_F16, ins, 4.0f);
        float *want = static_cast<float *>(nf_host_get(b, outs * sizeof(float)));
        if (!nf_ok(b)) {
            return;
        }
        nf_pool2d_reference(want, &a, x.host);
        for (int v = 0; v < NF_POOL2D_VERSIONS; v++) {
            nf_tensor out = nf_tensor_poisoned(b, NF_F16, outs);
            a.x = x.dev;
            a.out = out.dev;
            nf_pool2d_launch(v, &a, b->stream);
            char what[64], shape[NF_ROWS_TEXT];
            (void)snprintf(what, sizeof what, "pool2d %s", versions[v].name);
            nf_shape(shape, "batch=%d height=%d width=%d channels=%d size=%d", a.batch,
                     a.height, a.width, a.channels, a.size);
            nf_check_close(b, what, shape, &out, want, nf_bound_of(NF_F16));
        }
        nf_case_end(b);
    }
}

static void measure(nf_bench *b)
{
    const nf_pool2d shapes[] = {{16, 112, 112, 64, 3, 2, 1, nullptr, nullptr},
                                {16, 7, 7, 2048, 0, 1, 0, nullptr, nullptr}};
    for (nf_pool2d a : shapes) {
        size_t ins = (size_t)(a.batch * a.height * a.width * a.channels);
        size_t outs = (size_t)(a.batch * nf_pool2d_out(a.height, &a) *
                               nf_pool2d_out(a.width, &a) * a.channels);
        double moved = 2.0 * (double)(ins + outs);
        for (int v = 0; v < NF_POOL2D_VERSIONS; v++) {
            if (!nf_worth(b, &versions[v])) {
                continue;
            }
            nf_sets<nf_pool2d> sets = {v, nf_pool2d_launch, nf_sets_for(b, moved), {}};
            for (int s = 0; s < sets.count; s++) {
                void *x = nf_dev_get(b, ins * 2);
                nf_dev_random(b, x, NF_F16, ins, 1.0f);
                a.x = x;
                a.out = nf_dev_get(b, outs * 2);
                sets.set[s] = a;
            }
            nf_measure m = nf_measure_of("pool2d", versions[v].name, NF_F16, 0.0, moved);
            nf_shape(m.row.shape,
                     "batch=%d height=%d width=%d channels=%d size=%d stride=%d", a.batch,
                     a.height, a.width, a.channels, a.size, a.stride);
            nf_measure_sets(b, &m, &sets, NF_ROTATED);
            nf_case_end(b);
        }
    }
}

extern "C" const nf_op nf_op_pool2d = {"pool2d", "maximum and mean of pictures",
                                       versions, NF_POOL2D_VERSIONS,
                                       check,    measure,
                                       false,    {0.0, 0.0}};
