/*
 * quantize.cu - dynamic quantisation of activations, row by row: bf16 to fp8 (e4m3) or int8.
 *
 * plain  one warp a row: a pass for the largest magnitude, a pass for the result.
 * fast   one block a row, 16 numbers a thread in registers between the two steps: the row is read once;
 *        a thread writes its 16 results as one 16-byte word.
 * Division by the scale is multiplication by its inverse in the fast version; where x / scale lies on a
 * tie the two may differ by one step, which the error bound allows.
 */
#include "device.cuh"
#include "sets.cuh"

static const nf_version versions[NF_QUANTIZE_VERSIONS] = {
    {"plain", "one warp a row, two passes", NF_ANY, false},
    {"fast", "one block a row, the row in registers", NF_ANY, true},
};

template <class T> NF_DEV float largest_of()
{
    return sizeof(T) == 1 && nf_type_of<T>::value == NF_S8 ? 127.0f : 448.0f;
}

template <class T> __global__ void quantize_plain(nf_quantize a)
{
    int row = (int)(blockIdx.x * blockDim.x + threadIdx.x) / 32,
        lane = (int)threadIdx.x % 32;
    if (row >= a.rows) {
        return;
    }
    const nf_bf16 *x = static_cast<const nf_bf16 *>(a.x) + (size_t)row * (size_t)a.width;
    T *out = static_cast<T *>(a.out) + (size_t)row * (size_t)a.width;
    float largest = 0.0f;
    for (int i = lane; i < a.width; i += 32) {
        largest = fmaxf(largest, fabsf(nf_float(x[i])));
    }
    largest = nf_warp_max(largest);
    float scale = largest > 0.0f ? largest / largest_of<T>() : 1.0f;
    if (lane == 0) {
        a.scale[row] = scale;
    }
    for (int i = lane; i < a.width; i += 32) {
        out[i] = nf_round<T>(nf_float(x[i]) / scale);
    }
}

template <class T> __global__ void __launch_bounds__(1024) quantize_fast(nf_quantize a)
{
    __shared__ float scratch[32];
    bool mine = (int)threadIdx.x * 16 < a.width;
    size_t at = (size_t)blockIdx.x * (size_t)a.width + threadIdx.x * 16;
    const nf_bf16 *x = static_cast<const nf_bf16 *>(a.x) + at;
    float v[16], largest = 0.0f;
    if (mine) {
        nf_b128 first = nf_load16_once(x), second = nf_load16_once(x + 8);
        nf_unpack8<nf_bf16>(first, v);
        nf_unpack8<nf_bf16>(second, v + 8);
        NF_UNROLL
        for (int e = 0; e < 16; e++) {
            largest = fmaxf(largest, fabsf(v[e]));
        }
    }
    largest = nf_block_reduce<true>(largest, scratch);
    float scale = largest > 0.0f ? largest / largest_of<T>() : 1.0f;
    if (threadIdx.x == 0) {
        a.scale[blockIdx.x] = scale;
    }
    if (!mine) {
        return;
    }
    float inverse = 1.0f / scale;
    nf_b128 packed;
    NF_UNROLL
    for (int w = 0; w < 4; w++) {
        packed.w[w] = 0;
        NF_UNROLL
        for (int e = 0; e < 4; e++) {
            T q = nf_round<T>(v[4 * w + e] * inverse);
            uint8_t byte;
            memcpy(&byte, &q, 1);
            packed.w[w] |= (uint32_t)byte << (8 * e);
        }
    }
    nf_store16(static_cast<T *>(a.out) + at, packed);
}

template <class T>
static void launch_as(int version, const nf_quantize *a, nf_stream stream)
{
    if (version == NF_QUANTIZE_PLAIN) {
        NF_LAUNCH(quantize_plain<T>, nf_ceil_div((size_t)a->rows, 4), 128, 0, stream, *a);
    } else {
        unsigned threads = nf_ceil_div((size_t)a->width, 16 * 32) * 32;
        NF_LAUNCH(quantize_fast<T>, (unsigned)a->rows, threads, 0, stream, *a);
    }
}

extern "C" void nf_quantize_launch(int version, const nf_quantize *a, nf_stream stream)
{
    if (a->type == NF_S8) {
        launch_as<int8_t>(version, a, stream);
    } else {
        launch_as<nf_e4m3>(version, a, stream);
    }
}

static void check_one(nf_bench *b, int version, nf_dtype type, int rows, int width)
{
    size_t n = (size_t)rows * (size_t)width;
    nf_tensor x = nf_tensor_random(b, NF_BF16, n, 5.0f);
    nf_tensor out = nf_tensor_poisoned(b, type, n);
    nf_tensor scale = nf_tensor_poisoned(b, NF_F32, (size_t)rows);
    float *want = static_cast<float *>(nf_host_get(b, n * sizeof(float)));
    float *scales = static_cast<float *>(nf_host_get(b, (size_t)rows * sizeof(float)));
    if (!nf_ok(b)) {
        return;
    }
    nf_quantize a = {rows, width, type, x.dev, out.dev, static_cast<float *>(scale.dev)};
    nf_quantize_reference(want, scales, x.host, &a);
    nf_quantize_launch(version, &a, b->stream);
    char what[64], shape[NF_ROWS_TEXT];
    (void)snprintf(what, sizeof what, "quantize %s %s", versions[version].name,
                   nf_dtype_name(type));
    nf_shape(shape, "rows=%d width=%d", rows, width);
    nf_check_close(b, what, shape, &out, want, nf_bound_of(type));
    nf_check_close(b, "quantize's scale", shape, &scale, scales, nf_bound_of(NF_F32));
    nf_case_end(b);
}

static void check(nf_bench *b)
{
    for (int v = 0; v < NF_QUANTIZE_VERSIONS; v++) {
        check_one(b, v, NF_E4M3, 5, 4096);
        check_one(b, v, NF_E4M3, 11, 144);
        check_one(b, v, NF_S8, 7, 1040);
    }
}

static void measure_one(nf_bench *b, int version, int rows, int width)
{
    size_t n = (size_t)rows * (size_t)width;
    double moved = 3.0 * (double)n + 4.0 * rows;
    nf_sets<nf_quantize> sets = {version, nf_quantize_launch, nf_sets_for(b, moved), {}};
    for (int s = 0; s < sets.count; s++) {
        void *x = nf_dev_get(b, n * 2);
        nf_dev_random(b, x, NF_BF16, n, 1.0f);
        void *scale = nf_dev_get(b, (size_t)rows * 4);
        sets.set[s] = {
            rows, width, NF_E4M3, x, nf_dev_get(b, n), static_cast<float *>(scale)};
    }
    nf_measure m = nf_measure_of("quantize", versions[version].name, NF_E4M3, 0.0, moved);
    nf_shape(m.row.shape, "rows=%d width=%d", rows, width);
    nf_measure_sets(b, &m, &sets, NF_ROTATED);
    nf_case_end(b);
}

static void measure(nf_bench *b)
{
    const int rows[] = {1, 64, 1024, 8192}, widths[] = {4096, 14336};
    for (int width : widths) {
        for (int r : rows) {
            for (int v = 0; v < NF_QUANTIZE_VERSIONS; v++) {
                if (nf_worth(b, &versions[v])) {
                    measure_one(b, v, r, width);
                }
            }
        }
    }
}

extern "C" const nf_op nf_op_quantize = {
    "quantize", "activations to fp8 or int8, row by row",
    versions,   NF_QUANTIZE_VERSIONS,
    check,      measure,
    false,      {0.0, 0.0}};
