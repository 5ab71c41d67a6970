/*
 * conv2d.cu - 2-D convolution, fp16, channels last, with bias, an addition and ReLU in the same pass.
 *
 * plain  one result a thread: nine times a channel count of loads for one store.
 * mma    implicit matrix product: the rows of the left factor are output pixels, its columns the K =
 *        kernel x kernel x channels inputs under a pixel, never written out: a thread that fetches a
 *        16-byte piece (8 channels) works out which input pixel it comes from, and fetches zeros outside
 *        the picture. Tiles of 128 pixels x 64 filters and 64 of K, three stages of cp.async, as in
 *        gemm.cu. Channels are a multiple of 8 (pictures are padded from 3 to 8 by resize.cu), so a piece
 *        never straddles two input pixels.
 *
 * FLOP: 2 pixels filters kernel^2 channels. Least bytes: input, weights, result (and addition) once.
 * cuDNN's convolution at the same shapes: conv2d_cudnn.cu.
 */
#include "conv2d_shapes.h"
#include "sets.cuh"
#include "tensor.cuh"

static const nf_version versions[NF_CONV2D_VERSIONS] = {
    {"plain", "one result a thread", NF_ANY, false},
    {"mma", "implicit matrix product, bias, addition and ReLU fused", NF_ANY, true},
};

struct sizes {
    int out_height, out_width, pixels, depth; /* pixels: of the whole batch; depth: K */
};
NF_DEV sizes sizes_of(const nf_conv2d &a)
{
    int height = (a.height + 2 * a.pad - a.kernel) / a.stride + 1;
    int width = (a.width + 2 * a.pad - a.kernel) / a.stride + 1;
    return {height, width, a.batch * height * width, a.kernel * a.kernel * a.channels};
}

NF_DEV float finish(const nf_conv2d &a, float v, size_t pixel, int filter)
{
    size_t at = pixel * (size_t)a.filters + (size_t)filter;
    v += a.bias ? nf_float(static_cast<const nf_f16 *>(a.bias)[filter]) : 0.0f;
    v += a.add ? nf_float(static_cast<const nf_f16 *>(a.add)[at]) : 0.0f;
    return a.relu ? fmaxf(v, 0.0f) : v;
}

/* --- plain -------------------------------------------------------------------------------------- */

__global__ void __launch_bounds__(128) conv2d_plain(nf_conv2d a)
{
    sizes n = sizes_of(a);
    size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= (size_t)n.pixels * (size_t)a.filters) {
        return;
    }
    int filter = (int)(i % (size_t)a.filters), pixel = (int)(i / (size_t)a.filters);
    int q = pixel % n.out_width, p = pixel / n.out_width % n.out_height;
    int picture = pixel / (n.out_width * n.out_height);
    const nf_f16 *w = static_cast<const nf_f16 *>(a.w) + (size_t)filter * (size_t)n.depth;
    float sum = 0.0f;
    for (int r = 0; r < a.kernel; r++) {
        for (int s = 0; s < a.kernel; s++, w += a.channels) {
            int y = p * a.stride + r - a.pad, x = q * a.stride + s - a.pad;
            if (y < 0 || y >= a.height || x < 0 || x >= a.width) {
                continue;
            }
            const nf_f16 *from =
                static_cast<const nf_f16 *>(a.x) +
                (((size_t)picture * (size_t)a.height + (size_t)y) * (size_t)a.width +
                 (size_t)x) *
                    (size_t)a.channels;
            for (int c = 0; c < a.channels; c++) {
                sum += nf_float(from[c]) * nf_float(w[c]);
            }
        }
    }
    static_cast<nf_f16 *>(a.out)[i] =
        nf_round<nf_f16>(finish(a, sum, (size_t)pixel, filter));
}

/* --- mma ---------------------------------------------------------------------------------------- */

static constexpr int tile_m = 128, tile_n = 64, row_bytes = 128, stages = 3,
                     threads = 256;
static constexpr int a_bytes = tile_m * row_bytes, b_bytes = tile_n * row_bytes;
static constexpr int mma_shared = stages * (a_bytes + b_bytes);

NF_DEV unsigned char *swizzled(unsigned char *base, int row, int piece)
{
    return base + row * row_bytes + ((piece ^ (row & 7)) << 4);
}

/* A thread fetches the same four tile rows in every slab: their pixels are worked out once. */
struct corner {
    int y,
        x; /* upper left input pixel; y far outside when there is no such output pixel */
    size_t base; /* first number of the picture */
};
NF_DEV corner corner_of(const nf_conv2d &a, const sizes &n, int pixel)
{
    if (pixel >= n.pixels) {
        return {-0x40000000, 0, 0};
    }
    int q = pixel % n.out_width, p = pixel / n.out_width % n.out_height;
    size_t picture = (size_t)(pixel / (n.out_width * n.out_height));
    return {p * a.stride - a.pad, q * a.stride - a.pad,
            picture * (size_t)a.height * (size_t)a.width * (size_t)a.channels};
}

/* Slab of the left factor: rows (threadIdx.x / 8 + 32 i), piece threadIdx.x % 8. */
NF_DEV void load_pixels(unsigned char *base, const nf_conv2d &a, const sizes &n,
                        const corner (&corners)[4], int slab)
{
    int piece = (int)threadIdx.x % 8, k = slab * 64 + piece * 8;
    int tap = k / a.channels, c = k % a.channels, r = tap / a.kernel, s = tap % a.kernel;
    const nf_f16 *x = static_cast<const nf_f16 *>(a.x);
    NF_UNROLL
    for (int i = 0; i < 4; i++) {
        int y = corners[i].y + r, column = corners[i].x + s;
        bool valid =
            k < n.depth && y >= 0 && y < a.height && column >= 0 && column < a.width;
        size_t at = corners[i].base +
                    ((size_t)y * (size_t)a.width + (size_t)column) * (size_t)a.channels +
                    (size_t)c;
        nf_copy_async16(swizzled(base, (int)threadIdx.x / 8 + 32 * i, piece),
                        valid ? x + at : x, valid);
    }
}

NF_DEV void load_filters(unsigned char *base, const nf_conv2d &a, const sizes &n,
                         int first, int slab)
{
    int piece = (int)threadIdx.x % 8, k = slab * 64 + piece * 8;
    const nf_f16 *w = static_cast<const nf_f16 *>(a.w);
    NF_UNROLL
    for (int i = 0; i < 2; i++) {
        int row = (int)threadIdx.x / 8 + 32 * i, filter = first + row;
        bool valid = k < n.depth && filter < a.filters;
        size_t at = (size_t)filter * (size_t)n.depth + (size_t)k;
        nf_copy_async16(swizzled(base, row, piece), valid ? w + at : w, valid);
    }
}

/* Eight warps: 4 rows of 32 pixels, 2 columns of 32 filters. */
NF_DEV void multiply_slab(float (&sum)[2][4][4], unsigned char *pixels,
                          unsigned char *filters, int warp)
{
    int lane = (int)threadIdx.x % 32;
    NF_UNROLL
    for (int step = 0; step < 4; step++) {
        uint32_t x[2][4], w[2][4];
        NF_UNROLL
        for (int i = 0; i < 2; i++) {
            int row = warp / 2 * 32 + 16 * i + lane % 16;
            nf_ldmatrix4(x[i], swizzled(pixels, row, 2 * step + lane / 16));
            row = warp % 2 * 32 + 16 * i + lane % 8 + lane / 16 * 8;
            nf_ldmatrix4(w[i], swizzled(filters, row, 2 * step + lane / 8 % 2));
        }
        NF_UNROLL
        for (int i = 0; i < 2; i++) {
            NF_UNROLL
            for (int j = 0; j < 4; j++) {
                nf_mma<nf_f16>(sum[i][j], x[i], w[j / 2][j % 2 * 2],
                               w[j / 2][j % 2 * 2 + 1]);
            }
        }
    }
}

NF_DEV void store_sums(const nf_conv2d &a, const sizes &n, const float (&sum)[2][4][4],
                       int warp)
{
    int lane = (int)threadIdx.x % 32;
    NF_UNROLL
    for (int i = 0; i < 2; i++) {
        NF_UNROLL
        for (int h = 0; h < 2; h++) {
            int pixel =
                (int)blockIdx.x * tile_m + warp / 2 * 32 + 16 * i + lane / 4 + 8 * h;
            NF_UNROLL
            for (int j = 0; j < 4; j++) {
                int filter =
                    (int)blockIdx.y * tile_n + warp % 2 * 32 + 8 * j + lane % 4 * 2;
                if (pixel < n.pixels && filter < a.filters) { /* filters is even */
                    float low = finish(a, sum[i][j][2 * h], (size_t)pixel, filter);
                    float high =
                        finish(a, sum[i][j][2 * h + 1], (size_t)pixel, filter + 1);
                    nf_f16 *to = static_cast<nf_f16 *>(a.out) +
                                 (size_t)pixel * (size_t)a.filters + (size_t)filter;
                    *reinterpret_cast<uint32_t *>(to) = nf_pack2<nf_f16>(low, high);
                }
            }
        }
    }
}

__global__ void __launch_bounds__(threads) conv2d_mma(nf_conv2d a)
{
    NF_DYNAMIC_SHARED(unsigned char, shared);
    sizes n = sizes_of(a);
    int slabs = (n.depth + 63) / 64, warp = (int)threadIdx.x / 32;
    corner corners[4];
    NF_UNROLL
    for (int i = 0; i < 4; i++) {
        corners[i] =
            corner_of(a, n, (int)blockIdx.x * tile_m + (int)threadIdx.x / 8 + 32 * i);
    }
    float sum[2][4][4] = {};
    auto fetch = [&](int slab) {
        if (slab < slabs) {
            unsigned char *stage = shared + slab % stages * (a_bytes + b_bytes);
            load_pixels(stage, a, n, corners, slab);
            load_filters(stage + a_bytes, a, n, (int)blockIdx.y * tile_n, slab);
        }
        nf_copy_async_commit();
    };
    for (int slab = 0; slab < stages - 1; slab++) {
        fetch(slab);
    }
    for (int slab = 0; slab < slabs; slab++) {
        nf_copy_async_wait<stages - 2>();
        __syncthreads();
        fetch(slab + stages - 1);
        unsigned char *stage = shared + slab % stages * (a_bytes + b_bytes);
        multiply_slab(sum, stage, stage + a_bytes, warp);
    }
    store_sums(a, n, sum, warp);
}

extern "C" void nf_conv2d_launch(int version, const nf_conv2d *a, nf_stream stream)
{
    size_t pixels = (size_t)a->batch * (size_t)nf_conv2d_out(a->height, a) *
                    (size_t)nf_conv2d_out(a->width, a);
    if (version == NF_CONV2D_PLAIN) {
        unsigned grid = nf_ceil_div(pixels * (size_t)a->filters, 128);
        NF_LAUNCH(conv2d_plain, grid, 128, 0, stream, *a);
    } else {
        dim3 grid(nf_ceil_div(pixels, tile_m), nf_ceil_div((size_t)a->filters, tile_n));
        NF_ALLOW_SHARED(conv2d_mma, mma_shared);
        NF_LAUNCH(conv2d_mma, grid, threads, mma_shared, stream, *a);
    }
}

/* --- check and measure ---------------------------------------------------------------------------- */

static void check_one(nf_bench *b, nf_conv2d a, bool with_add)
{
    size_t ins = (size_t)a.batch * (size_t)(a.height * a.width * a.channels);
    size_t weights = (size_t)(a.filters * a.kernel * a.kernel * a.channels);
    size_t outs = (size_t)a.batch * (size_t)nf_conv2d_out(a.height, &a) *
                  (size_t)nf_conv2d_out(a.width, &a) * (size_t)a.filters;
    nf_tensor x = nf_tensor_random(b, NF_F16, ins, 1.0f),
              w = nf_tensor_random(b, NF_F16, weights, 0.3f);
    nf_tensor bias = nf_tensor_random(b, NF_F16, (size_t)a.filters, 1.0f);
    nf_tensor add = nf_tensor_random(b, NF_F16, outs, 1.0f);
    float *want = static_cast<float *>(nf_host_get(b, outs * sizeof(float)));
    if (!nf_ok(b)) {
        return;
    }
    nf_conv2d_reference(want, &a, x.host, w.host, bias.host,
                        with_add ? add.host : nullptr);
    for (int v = 0; v < NF_CONV2D_VERSIONS; v++) {
        nf_tensor out = nf_tensor_poisoned(b, NF_F16, outs);
        a.x = x.dev;
        a.w = w.dev;
        a.bias = bias.dev;
        a.add = with_add ? add.dev : nullptr;
        a.out = out.dev;
        nf_conv2d_launch(v, &a, b->stream);
        char what[64], shape[NF_ROWS_TEXT];
        (void)snprintf(what, sizeof what, "conv2d %s", versions[v].name);
        nf_shape(shape,
                 "batch=%d height=%d width=%d channels=%d filters=%d kernel=%d stride=%d "
                 "pad=%d",
                 a.batch, a.height, a.width, a.channels, a.filters, a.kernel, a.stride,
                 a.pad);
        nf_bound bound = nf_bound_of(NF_F16);
        bound.absolute =
            1e-2; /* sums of a few hundred products of size 0.1 that cancel */
        nf_check_close(b, what, shape, &out, want, bound);
    }
    nf_case_end(b);
}

static void check(nf_bench *b)
{
    const nf_conv2d cases[] = {
        {2, 9, 11, 16, 26, 3, 1, 1, true, nullptr, nullptr, nullptr, nullptr, nullptr},
        {1, 13, 10, 8, 64, 7, 2, 3, true, nullptr, nullptr, nullptr, nullptr, nullptr},
        {3, 8, 6, 72, 70, 1, 2, 0, false, nullptr, nullptr, nullptr, nullptr, nullptr},
    };
    for (const nf_conv2d &a : cases) {
        check_one(b, a, a.kernel == 1);
    }
}

static void measure_one(nf_bench *b, int version, const nf_conv2d_shape *s, int batch)
{
    nf_conv2d a = nf_conv2d_of(s, batch);
    size_t ins = (size_t)batch * (size_t)(a.height * a.width * a.channels);
    size_t weights = (size_t)(a.filters * a.kernel * a.kernel * a.channels);
    size_t outs = (size_t)batch * (size_t)nf_conv2d_out(a.height, &a) *
                  (size_t)nf_conv2d_out(a.width, &a) * (size_t)a.filters;
    double moved = nf_conv2d_bytes(&a);
    nf_sets<nf_conv2d> sets = {version, nf_conv2d_launch, nf_sets_for(b, moved), {}};
    for (int i = 0; i < sets.count; i++) {
        void *x = nf_dev_get(b, ins * 2), *w = nf_dev_get(b, weights * 2);
        nf_dev_random(b, x, NF_F16, ins, 1.0f);
        nf_dev_random(b, w, NF_F16, weights, 0.1f);
        a.x = x;
        a.w = w;
        a.out = nf_dev_get(b, outs * 2);
        sets.set[i] = a;
    }
    nf_measure m = nf_measure_of("conv2d", versions[version].name, NF_F16,
                                 nf_conv2d_flop(&a), moved);
    nf_shape(
        m.row.shape,
        "batch=%d height=%d width=%d channels=%d filters=%d kernel=%d stride=%d pad=%d",
        batch, a.height, a.width, a.channels, a.filters, a.kernel, a.stride, a.pad);
    nf_measure_sets(b, &m, &sets, NF_ROTATED);
    nf_case_end(b);
}

static void measure(nf_bench *b)
{
    int count;
    const nf_conv2d_shape *shapes = nf_conv2d_shapes(&count);
    for (int i = 0; i < count; i++) {
        for (int v = 0; v < NF_CONV2D_VERSIONS; v++) {
            bool now = shapes[i].quick || b->scope == NF_FULL;
            if (now && v != NF_CONV2D_PLAIN && nf_worth(b, &versions[v])) {
                measure_one(b, v, &shapes[i], 1);
                measure_one(b, v, &shapes[i], 16);
            }
        }
    }
}

extern "C" const nf_op nf_op_conv2d = {"conv2d", "2-D convolution, own kernels",
                                       versions, NF_CONV2D_VERSIONS,
                                       check,    measure,
                                       false,    {0.0, 0.0}};
