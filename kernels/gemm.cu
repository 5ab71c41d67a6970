/*
 * gemm.cu - c[m][n] = scale sum_k a[m][k] b[n][k] in bf16, fp16, fp8 (e4m3) and int8.
 *
 * plain  one result a thread, every number read from memory as often as it is used.
 * wmma   the tensor cores through CUDA's own C++ interface: gemm_wmma.cu.
 * mma    tiles of 128 x 128 results and 128 bytes of K a block of 8 warps (64 x 32 results each).
 *        cp.async fills a ring of three stages in shared memory two tiles ahead of the products;
 *        ldmatrix reads it without bank conflicts, because 16-byte piece c of row r lies at place
 *        c ^ (r % 8). The same code serves all four types: a product step takes 32 bytes of K.
 * wgmma  tiles of 128 x 256, tensor copies and warpgroup products of compute capability 9.0:
 *        gemm_wgmma.cu.
 *
 * FLOP: 2 m n k. Least bytes: a and b once, c once.
 */
#include "sets.cuh"
#include "tensor.cuh"

static const nf_version versions[NF_GEMM_VERSIONS] = {
    {"plain", "one result a thread", NF_ANY, false},
    {"wmma", "tensor cores through nvcuda::wmma", NF_ANY, false},
    {"mma", "mma.sync, cp.async ring of three stages, swizzled tiles", NF_ANY, true},
    {"wgmma", "tensor copies, warpgroup products, producer and consumers", NF_NEED_WGMMA,
     true},
};

extern "C" void nf_gemm_wmma_launch(const nf_gemm *g, nf_stream stream);

/* --- plain -------------------------------------------------------------------------------------- */

template <class T> __global__ void gemm_plain(nf_gemm g)
{
    int column = (int)(blockIdx.x * blockDim.x + threadIdx.x), row = (int)blockIdx.y;
    if (column >= g.n) {
        return;
    }
    const T *a = static_cast<const T *>(g.a) + (size_t)row * (size_t)g.k;
    const T *b = static_cast<const T *>(g.b) + (size_t)column * (size_t)g.k;
    size_t at = (size_t)row * (size_t)g.n + (size_t)column;
    if constexpr (nf_type_of<T>::value == NF_S8) {
        int32_t sum = 0;
        for (int k = 0; k < g.k; k++) {
            sum += (int32_t)a[k] * (int32_t)b[k];
        }
        static_cast<int32_t *>(g.c)[at] = sum;
    } else {
        float sum = 0.0f;
        for (int k = 0; k < g.k; k++) {
            sum += nf_float(a[k]) * nf_float(b[k]);
        }
        sum *= g.scale;
        if constexpr (nf_type_of<T>::value == NF_F16) {
            static_cast<nf_f16 *>(g.c)[at] = nf_round<nf_f16>(sum);
        } else {
            static_cast<nf_bf16 *>(g.c)[at] = nf_round<nf_bf16>(sum);
        }
    }
}

/* --- mma ---------------------------------------------------------------------------------------- */

static constexpr int tile = 128, row_bytes = 128, stages = 3, mma_threads = 256;
static constexpr int tile_bytes = tile * row_bytes; /* of one factor */
static constexpr int mma_shared = stages * 2 * tile_bytes;

/* Address of 16-byte piece `piece` of row `row` in a tile. */
NF_DEV unsigned char *swizzled(unsigned char *base, int row, int piece)
{
    return base + row * row_bytes + ((piece ^ (row & 7)) << 4);
}

/* One factor's tile: 128 rows of 8 pieces, four pieces a thread; zeros beyond the matrix. */
NF_DEV void load_tile(unsigned char *base, const unsigned char *matrix, int first_row,
                      int rows, size_t byte, size_t width_bytes)
{
    NF_UNROLL
    for (int i = 0; i < tile * 8 / mma_threads; i++) {
        int j = (int)threadIdx.x + i * mma_threads, row = j / 8, piece = j % 8;
        size_t from = byte + (size_t)piece * 16;
        bool valid = first_row + row < rows && from < width_bytes;
        const unsigned char *source =
            valid ? matrix + (size_t)(first_row + row) * width_bytes + from : matrix;
        nf_copy_async16(swizzled(base, row, piece), source, valid);
    }
}

template <class T, class Sum>
NF_DEV void multiply(Sum (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1)
{
    if constexpr (nf_type_of<T>::value == NF_S8) {
        nf_mma_s8(c, a, b0, b1);
    } else {
        nf_mma<T>(c, a, b0, b1);
    }
}

/* The products of one stage: four steps of 32 bytes of K. */
template <class T, class Sum>
NF_DEV void multiply_tile(Sum (&sum)[4][4][4], unsigned char *a_tile,
                          unsigned char *b_tile, int warp_row, int warp_column)
{
    int lane = (int)threadIdx.x % 32;
    NF_UNROLL
    for (int step = 0; step < 4; step++) {
        uint32_t a[4][4], b[2][4];
        NF_UNROLL
        for (int i = 0; i < 4; i++) {
            nf_ldmatrix4(a[i], swizzled(a_tile, warp_row + 16 * i + lane % 16,
                                        2 * step + lane / 16));
        }
        NF_UNROLL
        for (int j = 0; j < 2; j++) {
            int row = warp_column + 16 * j + lane % 8 + lane / 16 * 8;
            nf_ldmatrix4(b[j], swizzled(b_tile, row, 2 * step + lane / 8 % 2));
        }
        NF_UNROLL
        for (int i = 0; i < 4; i++) {
            NF_UNROLL
            for (int j = 0; j < 4; j++) {
                multiply<T, Sum>(sum[i][j], a[i], b[j / 2][j % 2 * 2],
                                 b[j / 2][j % 2 * 2 + 1]);
            }
        }
    }
}

/* Two neighbouring results. n is even, so both or none are inside. */
template <class T, class Sum>
NF_DEV void store_pair(const nf_gemm &g, int row, int column, Sum first, Sum second)
{
    if (row >= g.m || column >= g.n) {
        return;
    }
    size_t at = (size_t)row * (size_t)g.n + (size_t)column;
    if constexpr (nf_type_of<T>::value == NF_S8) {
        int32_t *c = static_cast<int32_t *>(g.c) + at;
        c[0] = first;
        c[1] = second;
    } else if constexpr (nf_type_of<T>::value == NF_F16) {
        uint32_t pair = nf_pack2<nf_f16>(first * g.scale, second * g.scale);
        *reinterpret_cast<uint32_t *>(static_cast<nf_f16 *>(g.c) + at) = pair;
    } else {
        uint32_t pair = nf_pack2<nf_bf16>(first * g.scale, second * g.scale);
        *reinterpret_cast<uint32_t *>(static_cast<nf_bf16 *>(g.c) + at) = pair;
    }
}

template <class T, class Sum>
__global__ void __launch_bounds__(mma_threads) gemm_mma(nf_gemm g)
{
    NF_DYNAMIC_SHARED(unsigned char, shared);
    const unsigned char *a = static_cast<const unsigned char *>(g.a);
    const unsigned char *b = static_cast<const unsigned char *>(g.b);
    int first_row = (int)blockIdx.x * tile, first_column = (int)blockIdx.y * tile;
    size_t width_bytes = (size_t)g.k * sizeof(T);
    int slabs = (int)((width_bytes + row_bytes - 1) / row_bytes);
    int warp = (int)threadIdx.x / 32, warp_row = warp / 4 * 64,
        warp_column = warp % 4 * 32;
    Sum sum[4][4][4] = {};

    auto fetch = [&](int slab) {
        if (slab < slabs) {
            unsigned char *stage = shared + slab % stages * 2 * tile_bytes;
            size_t byte = (size_t)slab * row_bytes;
            load_tile(stage, a, first_row, g.m, byte, width_bytes);
            load_tile(stage + tile_bytes, b, first_column, g.n, byte, width_bytes);
        }
        nf_copy_async_commit(); /* an empty group keeps the count right at the end */
    };
    for (int slab = 0; slab < stages - 1; slab++) {
        fetch(slab);
    }
    for (int slab = 0; slab < slabs; slab++) {
        nf_copy_async_wait<stages - 2>();
        __syncthreads(); /* this slab is there for all, and the stage of the last one is free */
        fetch(slab + stages - 1);
        unsigned char *stage = shared + slab % stages * 2 * tile_bytes;
        multiply_tile<T, Sum>(sum, stage, stage + tile_bytes, warp_row, warp_column);
    }

    int lane = (int)threadIdx.x % 32;
    NF_UNROLL
    for (int i = 0; i < 4; i++) {
        NF_UNROLL
        for (int j = 0; j < 4; j++) {
            int row = first_row + warp_row + 16 * i + lane / 4;
            int column = first_column + warp_column + 8 * j + lane % 4 * 2;
            store_pair<T, Sum>(g, row, column, sum[i][j][0], sum[i][j][1]);
            store_pair<T, Sum>(g, row + 8, column, sum[i][j][2], sum[i][j][3]);
        }
    }
}

/* --- launches ------------------------------------------------------------------------------------- */

template <class T, class Sum>
static void launch_as(int version, const nf_gemm *g, nf_stream stream)
{
    if (version == NF_GEMM_PLAIN) {
        dim3 grid(nf_ceil_div((size_t)g->n, 128), (unsigned)g->m);
        NF_LAUNCH(gemm_plain<T>, grid, 128, 0, stream, *g);
    } else {
        dim3 grid(nf_ceil_div((size_t)g->m, tile), nf_ceil_div((size_t)g->n, tile));
        NF_ALLOW_SHARED((gemm_mma<T, Sum>), mma_shared);
        NF_LAUNCH((gemm_mma<T, Sum>), grid, mma_threads, mma_shared, stream, *g);
    }
}

extern "C" void nf_gemm_launch(int version, const nf_gemm *g, nf_stream stream)
{
    if (version == NF_GEMM_WGMMA) {
        nf_gemm_wgmma_launch(g, stream);
    } else if (version == NF_GEMM_WMMA) {
        nf_gemm_wmma_launch(g, stream);
    } else if (g->type == NF_BF16) {
        launch_as<nf_bf16, float>(version, g, stream);
    } else if (g->type == NF_F16) {
        launch_as<nf_f16, float>(version, g, stream);
    } else if (g->type == NF_E4M3) {
        launch_as<nf_e4m3, float>(version, g, stream);
    } else {
        launch_as<int8_t, int32_t>(version, g, stream);
    }
}

extern "C" bool nf_gemm_takes(const nf_bench *b, int version, const nf_gemm *g)
{
    bool fp8 = g->type == NF_E4M3,
         pieces = (size_t)g->k * nf_dtype_bytes(g->type) % 16 == 0;
    switch (version) {
    case NF_GEMM_PLAIN:
        return g->m <= 65535;
    case NF_GEMM_WMMA:
        return !fp8 && g->m % 64 == 0 && g->n % 64 == 0 && g->k % 32 == 0;
    case NF_GEMM_MMA:
        return pieces && g->n % 2 == 0 && (!fp8 || b->capability >= 89);
    default:
        return pieces && g->n % 2 == 0 && g->type != NF_S8 && b->capability == 90;
    }
}

/* --- check ---------------------------------------------------------------------------------------- */

static void check_one(nf_bench *b, nf_dtype type, int m, int n, int k)
{
    float range = type == NF_S8 ? 127.0f : 1.0f;
    nf_tensor x = nf_tensor_random(b, type, (size_t)m * (size_t)k, range);
    nf_tensor w = nf_tensor_random(b, type, (size_t)n * (size_t)k, range);
    size_t results = (size_t)m * (size_t)n;
    float *want = static_cast<float *>(nf_host_get(b, results * sizeof(float)));
    if (!nf_ok(b)) {
        return;
    }
    nf_gemm_reference(want, x.host, w.host, m, n, k);
    for (int v = 0; v < NF_GEMM_VERSIONS; v++) {
        nf_gemm g = {m, n, k, type, x.dev, w.dev, nullptr, 1.0f, {}, {}};
        if (!nf_gemm_takes(b, v, &g)) {
            continue;
        }
        nf_tensor out = nf_tensor_poisoned(b, nf_gemm_out(type), results);
        g.c = out.dev;
        if (v == NF_GEMM_WGMMA && !nf_gemm_maps(b, &g)) {
            return;
        }
        nf_gemm_launch(v, &g, b->stream);
        char what[64], shape[NF_ROWS_TEXT];
        (void)snprintf(what, sizeof what, "gemm %s %s", versions[v].name,
                       nf_dtype_name(type));
        nf_shape(shape, "m=%d n=%d k=%d", m, n, k);
        /* Sums of k products that cancel: the float sum's own error grows with their magnitude. */
        nf_bound bound = nf_bound_of(nf_gemm_out(type));
        bound.absolute *= type == NF_S8 ? 1.0 : sqrt((double)k);
        nf_check_close(b, what, shape, &out, want, bound);
    }
    nf_case_end(b);
}

static void check(nf_bench *b)
{
    const nf_dtype types[] = {NF_BF16, NF_F16, NF_E4M3, NF_S8};
    for (nf_dtype type : types) {
        check_one(b, type, 37, 26, 144);
        check_one(b, type, 64, 128, 640);
        check_one(b, type, 200, 264, 320);
        if (!b->emulated) {
            check_one(b, type, 512, 768, 1088);
        }
    }
}

/* --- measure -------------------------------------------------------------------------------------- */

static void measure_one(nf_bench *b, int version, nf_dtype type, int m, int n, int k)
{
    size_t out_bytes = nf_dtype_bytes(nf_gemm_out(type)), in_bytes = nf_dtype_bytes(type);
    double moved =
        (double)in_bytes * ((double)m * k + (double)n * k) + (double)out_bytes * m * n;
    nf_sets<nf_gemm> sets = {version, nf_gemm_launch, nf_sets_for(b, moved), {}};
    for (int s = 0; s < sets.count && nf_ok(b); s++) {
        void *x = nf_dev_get(b, (size_t)m * (size_t)k * in_bytes);
        void *w = nf_dev_get(b, (size_t)n * (size_t)k * in_bytes);
        float range = type == NF_S8 ? 127.0f : 1.0f;
        nf_dev_random(b, x, type, (size_t)m * (size_t)k, range);
        nf_dev_random(b, w, type, (size_t)n * (size_t)k, range);
        nf_gemm *g = &sets.set[s];
        *g = {m,    n,  k, type, x, w, nf_dev_get(b, (size_t)m * (size_t)n * out_bytes),
              1.0f, {}, {}};
        if (version == NF_GEMM_WGMMA && !nf_gemm_maps(b, g)) {
            return;
        }
    }
    nf_measure m1 = nf_measure_of("gemm", versions[version].name, type,
                                  2.0 * m * n * (double)k, moved);
    nf_shape(m1.row.shape, "m=%d n=%d k=%d", m, n, k);
    nf_measure_sets(b, &m1, &sets, NF_ROTATED);
    nf_case_end(b);
}

static void measure(nf_bench *b)
{
    const int shapes[][3] = {
        {16, 4096, 4096}, {512, 4096, 4096}, {4096, 4096, 4096}, {8192, 8192, 8192}};
    const nf_dtype types[] = {NF_BF16, NF_F16, NF_E4M3, NF_S8};
    for (nf_dtype type : types) {
        for (const int(&s)[3] : shapes) {
            for (int v = 0; v < NF_GEMM_VERSIONS; v++) {
                nf_gemm g = {s[0],    s[1],    s[2], type, nullptr,
                             nullptr, nullptr, 1.0f, {},   {}};
                bool short_enough = v != NF_GEMM_PLAIN || s[0] <= 512;
                if (short_enough && nf_worth(b, &versions[v]) &&
                    nf_gemm_takes(b, v, &g)) {
                    measure_one(b, v, type, s[0], s[1], s[2]);
                }
            }
        }
    }
}

extern "C" const nf_op nf_op_gemm = {"gemm",   "matrix product, own kernels",
                                     versions, NF_GEMM_VERSIONS,
                                     check,    measure,
                                     false,    {0.0, 0.0}};
