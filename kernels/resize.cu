/*
 * resize.cu - a camera picture to a network's input: bilinear resize, scale to [0, 1], normalise, fp16.
 *
 * plain  one number of the output a thread.
 * fast   one output pixel a thread: the four weights are worked out once for its three channels, and the
 *        result is written as one 16-byte word when it is padded to 8 channels.
 * Bytes counted: the whole input picture once (a large reduction touches less of it) and the output once.
 */
#include "device.cuh"
#include "sets.cuh"

static const nf_version versions[NF_RESIZE_VERSIONS] = {
    {"plain", "one number a thread", NF_ANY, false},
    {"fast", "one pixel a thread", NF_ANY, true},
};

struct sample {
    size_t corner[4]; /* offsets of the four pixels */
    float weight[4];
};
NF_DEV sample sample_of(const nf_resize &a, size_t pixel)
{
    int q = (int)(pixel % (size_t)a.out_width);
    int p = (int)(pixel / (size_t)a.out_width % (size_t)a.out_height);
    size_t picture = pixel / ((size_t)a.out_width * (size_t)a.out_height);
    float y = ((float)p + 0.5f) * (float)a.in_height / (float)a.out_height - 0.5f;
    float x = ((float)q + 0.5f) * (float)a.in_width / (float)a.out_width - 0.5f;
    float top = floorf(y), left = floorf(x), dy = y - top, dx = x - left;
    sample s;
    NF_UNROLL
    for (int i = 0; i < 4; i++) {
        int row = min(max((int)top + i / 2, 0), a.in_height - 1);
        int column = min(max((int)left + i % 2, 0), a.in_width - 1);
        s.corner[i] =
            ((picture * (size_t)a.in_height + (size_t)row) * (size_t)a.in_width +
             (size_t)column) *
            3;
        s.weight[i] = (i / 2 ? dy : 1.0f - dy) * (i % 2 ? dx : 1.0f - dx);
    }
    return s;
}
NF_DEV float channel_of(const nf_resize &a, const sample &s, int c)
{
    float v = 0.0f;
    NF_UNROLL
    for (int i = 0; i < 4; i++) {
        v += s.weight[i] * (float)a.x[s.corner[i] + (size_t)c];
    }
    float mean = c == 0 ? 0.485f : c == 1 ? 0.456f : 0.406f;
    float deviation = c == 0 ? 0.229f : c == 1 ? 0.224f : 0.225f;
    return (v * (1.0f / 255.0f) - mean) / deviation;
}

__global__ void __launch_bounds__(128) resize_plain(nf_resize a, size_t outs)
{
    size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < outs) {
        int c = (int)(i % (size_t)a.out_channels);
        sample s = sample_of(a, i / (size_t)a.out_channels);
        static_cast<nf_f16 *>(a.out)[i] =
            nf_round<nf_f16>(c < 3 ? channel_of(a, s, c) : 0.0f);
    }
}

__global__ void __launch_bounds__(128) resize_fast(nf_resize a, size_t pixels)
{
    size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= pixels) {
        return;
    }
    sample s = sample_of(a, i);
    nf_f16 *out = static_cast<nf_f16 *>(a.out) + i * (size_t)a.out_channels;
    float v[8] = {channel_of(a, s, 0), channel_of(a, s, 1), channel_of(a, s, 2)};
    if (a.out_channels == 8) {
        nf_store16(out, nf_pack8<nf_f16>(v));
        return;
    }
    NF_UNROLL
    for (int c = 0; c < 3; c++) {
        out[c] = nf_round<nf_f16>(v[c]);
    }
}

extern "C" void nf_resize_launch(int version, const nf_resize *a, nf_stream stream)
{
    size_t pixels = (size_t)a->batch * (size_t)a->out_height * (size_t)a->out_width;
    size_t outs = pixels * (size_t)a->out_channels;
    if (version == NF_RESIZE_PLAIN) {
        NF_LAUNCH(resize_plain, nf_ceil_div(outs, 128), 128, 0, stream, *a, outs);
    } else {
        NF_LAUNCH(resize_fast, nf_ceil_div(pixels, 128), 128, 0, stream, *a, pixels);
    }
}

static void check(nf_bench *b)
{
    const nf_resize cases[] = {{2, 37, 53, 16, 21, 8, nullptr, nullptr},
                               {1, 11, 9, 19, 30, 3, nullptr, nullptr}};
    for (nf_resize a : cases) {
        size_t ins = (size_t)(a.batch * a.in_height * a.in_width * 3);
        size_t outs = (size_t)(a.batch * a.out_height * a.out_width * a.out_channels);
        unsigned char *host = static_cast<unsigned char *>(nf_host_get(b, ins));
        void *dev = nf_dev_get(b, ins);
        float *want = static_cast<float *>(nf_host_get(b, outs * sizeof(float)));
        if (!nf_ok(b)) {
            return;
        }
        for (size_t i = 0; i < ins; i++) {
            host[i] = (unsigned char)(nf_mix(b->seed, b->drawn++) & 255);
        }
        nf_dev_put(b, dev, host, ins);
        nf_resize_reference(want, &a, host);
        for (int v = 0; v < NF_RESIZE_VERSIONS; v++) {
            nf_tensor out = nf_tensor_poisoned(b, NF_F16, outs);
            a.x = static_cast<unsigned char *>(dev);
            a.out = out.dev;
            nf_resize_launch(v, &a, b->stream);
            char what[64], shape[NF_ROWS_TEXT];
            (void)snprintf(what, sizeof what, "resize %s", versions[v].name);
            nf_shape(shape, "batch=%d in=%dx%d out=%dx%d channels=%d", a.batch,
                     a.in_height, a.in_width, a.out_height, a.out_width, a.out_channels);
            nf_check_close(b, what, shape, &out, want, nf_bound_of(NF_F16));
        }
        nf_case_end(b);
    }
}

static void measure(nf_bench *b)
{
    const nf_resize shapes[] = {{1, 1080, 1920, 800, 800, 8, nullptr, nullptr},
                                {16, 1080, 1920, 800, 800, 8, nullptr, nullptr},
                                {16, 480, 640, 224, 224, 8, nullptr, nullptr}};
    for (nf_resize a : shapes) {
        size_t ins = (size_t)a.batch * (size_t)(a.in_height * a.in_width * 3);
        size_t outs =
            (size_t)a.batch * (size_t)(a.out_height * a.out_width * a.out_channels);
        double moved = (double)ins + 2.0 * (double)outs;
        for (int v = 0; v < NF_RESIZE_VERSIONS; v++) {
            if (!nf_worth(b, &versions[v])) {
                continue;
            }
            nf_sets<nf_resize> sets = {v, nf_resize_launch, nf_sets_for(b, moved), {}};
            for (int s = 0; s < sets.count; s++) {
                void *x = nf_dev_get(b, ins);
                nf_dev_random(b, x, NF_U8, ins, 1.0f);
                a.x = static_cast<unsigned char *>(x);
                a.out = nf_dev_get(b, outs * 2);
                sets.set[s] = a;
            }
            nf_measure m = nf_measure_of("resize", versions[v].name, NF_F16, 0.0, moved);
            nf_shape(m.row.shape, "batch=%d in=%dx%d out=%dx%d channels=%d", a.batch,
                     a.in_height, a.in_width, a.out_height, a.out_width, a.out_channels);
            nf_measure_sets(b, &m, &sets, NF_ROTATED);
            nf_case_end(b);
        }
    }
}

extern "C" const nf_op nf_op_resize = {"resize", "picture to network input",
                                       versions, NF_RESIZE_VERSIONS,
                                       check,    measure,
                                       false,    {0.0, 0.0}};
