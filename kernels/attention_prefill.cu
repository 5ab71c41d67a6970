/*
 * attention_prefill.cu - attention of many queries over their keys: the prompt of a decoder (causal, with
 * or without a context that is already cached) and the tokens of a picture (not causal); grouped heads.
 *
 * plain  one warp a query and head, key after key, with the online softmax: correct at any length, and
 *        every key is read once for every query.
 * mma    one block of 8 warps a head and 128 queries; tiles of 64 keys come through a ring of two stages.
 *        The scores of a tile never leave the registers: the layout in which mma.sync leaves a 16 x 8
 *        result is the one in which it wants half of a 16 x 16 factor, so the probabilities, rounded to
 *        bf16, go straight into the second product (Dao 2023). Row maximum and sum are kept per query.
 * wgmma  the same for compute capability 9.0, with tensor copies: attention_wgmma.cu.
 *
 * FLOP: 4 dim for every pair of a query and a key it sees. Least bytes: q, k, v and the result once.
 */
#include "sets.cuh"
#include "tensor.cuh"

static const nf_version versions[NF_PREFILL_VERSIONS] = {
    {"plain", "one warp a query", NF_ANY, false},
    {"mma", "128 queries a block, scores stay in registers", NF_ANY, true},
    {"wgmma", "tensor copies, warpgroup products, softmax beside them", NF_NEED_WGMMA,
     true},
};

static constexpr float log2_e = 1.44269504f;

/* --- plain -------------------------------------------------------------------------------------- */

template <int dim> __global__ void prefill_plain(nf_prefill a)
{
    constexpr int part = dim / 32; /* numbers a lane */
    int lane = (int)threadIdx.x % 32;
    int i = (int)(blockIdx.x * 4 + threadIdx.x / 32), h = (int)blockIdx.y,
        batch = (int)blockIdx.z;
    if (i >= a.queries) {
        return;
    }
    int keys = a.context + a.queries, g = h * a.kv_heads / a.heads;
    size_t row = (size_t)batch * (size_t)a.queries + (size_t)i;
    const nf_bf16 *q =
        static_cast<const nf_bf16 *>(a.q) + row * a.q_stride + h * dim + lane * part;
    size_t kv =
        (size_t)batch * (size_t)keys * a.kv_stride + (size_t)(g * dim + lane * part);
    const nf_bf16 *k = static_cast<const nf_bf16 *>(a.k) + kv,
                  *v = static_cast<const nf_bf16 *>(a.v) + kv;
    float query[part], sum[part] = {}, largest = -1e30f, total = 0.0f;
    for (int d = 0; d < part; d++) {
        query[d] = nf_float(q[d]) * (log2_e * rsqrtf((float)dim));
    }
    int seen = a.causal ? a.context + i + 1 : keys;
    for (int j = 0; j < seen; j++, k += a.kv_stride, v += a.kv_stride) {
        float score = 0.0f;
        for (int d = 0; d < part; d++) {
            score += query[d] * nf_float(k[d]);
        }
        score = nf_warp_sum(score);
        float top = fmaxf(largest, score), shrink = nf_exp2(largest - top),
              p = nf_exp2(score - top);
        largest = top;
        total = total * shrink + p;
        for (int d = 0; d < part; d++) {
            sum[d] = sum[d] * shrink + p * nf_float(v[d]);
        }
    }
    nf_bf16 *out = static_cast<nf_bf16 *>(a.out) +
                   (row * (size_t)a.heads + (size_t)h) * dim + (size_t)(lane * part);
    for (int d = 0; d < part; d++) {
        out[d] = nf_round<nf_bf16>(sum[d] / total);
    }
}

/* --- mma ---------------------------------------------------------------------------------------- */

static constexpr int tile_q = 128, tile_k = 64, threads = 256;

template <int dim> struct shape {
    static constexpr int row_bytes = dim * 2, pieces = dim / 8;
    static constexpr int tile_bytes = tile_k * row_bytes;
    static constexpr int shared_bytes =
        4 * tile_bytes; /* K and V, two stages; Q before that */
};

template <int dim> NF_DEV unsigned char *swizzled(unsigned char *base, int row, int piece)
{
    return base + row * shape<dim>::row_bytes + ((piece ^ (row & 7)) << 4);
}

/* `rows` rows of one head from row `first` of `limit`, zeros beyond. */
template <int dim>
NF_DEV void load_rows(unsigned char *base, const nf_bf16 *matrix, int rows, int first,
                      int limit, size_t stride)
{
    for (int j = (int)threadIdx.x; j < rows * shape<dim>::pieces; j += threads) {
        int row = j / shape<dim>::pieces, piece = j % shape<dim>::pieces;
        bool valid = first + row < limit;
        const nf_bf16 *from =
            valid ? matrix + (size_t)(first + row) * stride + piece * 8 : matrix;
        nf_copy_async16(swizzled<dim>(base, row, piece), from, valid);
    }
}

/* What a thread knows of its two rows (g and g + 8 of its warp's 16). */
struct rows_state {
    float largest[2], total[2];
};

/* Scores to probabilities in place; sums rescaled where the maximum grew. `limit`: first key that row 0
 * must not see, or large; row 1 sees 8 more in causal attention. */
template <int dim>
NF_DEV void soften(float (&s)[tile_k / 8][4], float (&out)[dim / 8][4], rows_state &r,
                   const int (&limit)[2], int first_key)
{
    int t = (int)threadIdx.x % 4;
    NF_UNROLL
    for (int h = 0; h < 2; h++) {
        float top = r.largest[h];
        NF_UNROLL
        for (int j = 0; j < tile_k / 8; j++) {
            NF_UNROLL
            for (int e = 0; e < 2; e++) {
                float &x = s[j][2 * h + e];
                x = first_key + 8 * j + 2 * t + e < limit[h] ? x : -1e30f;
                top = fmaxf(top, x);
            }
        }
        top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, 1));
        top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, 2));
        /* The scale goes into the exponent: 2^(x c - top c). */
        float c = log2_e * rsqrtf((float)dim), shrink = nf_exp2((r.largest[h] - top) * c),
              sum = 0.0f;
        r.largest[h] = top;
        NF_UNROLL
        for (int j = 0; j < tile_k / 8; j++) {
            NF_UNROLL
            for (int e = 0; e < 2; e++) {
                s[j][2 * h + e] = nf_exp2(s[j][2 * h + e] * c - top * c);
                sum += s[j][2 * h + e];
            }
        }
        r.total[h] = r.total[h] * shrink + sum;
        NF_UNROLL
        for (int j = 0; j < dim / 8; j++) {
            out[j][2 * h] *= shrink;
            out[j][2 * h + 1] *= shrink;
        }
    }
}

/* s = Q K^T for 16 queries and a tile of keys. */
template <int dim>
NF_DEV void scores(float (&s)[tile_k / 8][4], const uint32_t (&q)[dim / 16][4],
                   unsigned char *k)
{
    int lane = (int)threadIdx.x % 32;
    NF_UNROLL
    for (int j = 0; j < tile_k / 16; j++) {
        NF_UNROLL
        for (int e = 0; e < 4; e++) {
            s[2 * j][e] = 0.0f;
            s[2 * j + 1][e] = 0.0f;
        }
        NF_UNROLL
        for (int step = 0; step < dim / 16; step++) {
            uint32_t b[4];
            int row = 16 * j + lane % 8 + lane / 16 * 8;
            nf_ldmatrix4(b, swizzled<dim>(k, row, 2 * step + lane / 8 % 2));
            nf_mma<nf_bf16>(s[2 * j], q[step], b[0], b[1]);
            nf_mma<nf_bf16>(s[2 * j + 1], q[step], b[2], b[3]);
        }
    }
}

/* out += P V, P from the registers that the scores were in. */
template <int dim>
NF_DEV void weigh(float (&out)[dim / 8][4], const float (&s)[tile_k / 8][4],
                  unsigned char *v)
{
    int lane = (int)threadIdx.x % 32;
    NF_UNROLL
    for (int step = 0; step < tile_k / 16; step++) {
        const uint32_t p[4] = {nf_pack2<nf_bf16>(s[2 * step][0], s[2 * step][1]),
                               nf_pack2<nf_bf16>(s[2 * step][2], s[2 * step][3]),
                               nf_pack2<nf_bf16>(s[2 * step + 1][0], s[2 * step + 1][1]),
                               nf_pack2<nf_bf16>(s[2 * step + 1][2], s[2 * step + 1][3])};
        NF_UNROLL
        for (int j = 0; j < dim / 16; j++) {
            uint32_t b[4];
            nf_ldmatrix4_transposed(
                b, swizzled<dim>(v, 16 * step + lane % 16, 2 * j + lane / 16));
            nf_mma<nf_bf16>(out[2 * j], p, b[0], b[1]);
            nf_mma<nf_bf16>(out[2 * j + 1], p, b[2], b[3]);
        }
    }
}

template <int dim>
NF_DEV void store_rows(const nf_prefill &a, const float (&out)[dim / 8][4],
                       const rows_state &r, int first_query, int head, int batch)
{
    int t = (int)threadIdx.x % 4;
    NF_UNROLL
    for (int h = 0; h < 2; h++) {
        float total = r.total[h];
        total += __shfl_xor_sync(0xffffffffu, total, 1);
        total += __shfl_xor_sync(0xffffffffu, total, 2);
        int i = first_query + 8 * h;
        if (i >= a.queries) {
            continue;
        }
        size_t row = (size_t)batch * (size_t)a.queries + (size_t)i;
        nf_bf16 *to =
            static_cast<nf_bf16 *>(a.out) + (row * (size_t)a.heads + (size_t)head) * dim;
        NF_UNROLL
        for (int j = 0; j < dim / 8; j++) {
            uint32_t pair =
                nf_pack2<nf_bf16>(out[j][2 * h] / total, out[j][2 * h + 1] / total);
            *reinterpret_cast<uint32_t *>(to + 8 * j + 2 * t) = pair;
        }
    }
}

template <int dim> __global__ void __launch_bounds__(threads) prefill_mma(nf_prefill a)
{
    NF_DYNAMIC_SHARED(unsigned char, shared);
    int first = ((int)gridDim.x - 1 - (int)blockIdx.x) *
                tile_q; /* the longest rows start first */
    int head = (int)blockIdx.y, batch = (int)blockIdx.z, g = head * a.kv_heads / a.heads;
    int keys = a.context + a.queries, lane = (int)threadIdx.x % 32,
        warp = (int)threadIdx.x / 32;
    size_t kv = (size_t)batch * (size_t)keys * a.kv_stride + (size_t)(g * dim);
    const nf_bf16 *k = static_cast<const nf_bf16 *>(a.k) + kv,
                  *v = static_cast<const nf_bf16 *>(a.v) + kv;
    const nf_bf16 *q = static_cast<const nf_bf16 *>(a.q) +
                       (size_t)batch * (size_t)a.queries * a.q_stride +
                       (size_t)(head * dim);

    load_rows<dim>(shared, q, tile_q, first, a.queries, a.q_stride);
    nf_copy_async_commit();
    nf_copy_async_wait<0>();
    __syncthreads();
    uint32_t factor[dim / 16][4];
    NF_UNROLL
    for (int step = 0; step < dim / 16; step++) {
        nf_ldmatrix4(factor[step],
                     swizzled<dim>(shared, warp * 16 + lane % 16, 2 * step + lane / 16));
    }
    __syncthreads(); /* the ring now takes Q's place */

    int seen = a.causal ? min(keys, a.context + first + tile_q) : keys;
    int tiles = (seen + tile_k - 1) / tile_k, row = first + warp * 16 + lane / 4;
    const int limit[2] = {a.causal ? min(keys, a.context + row + 1) : keys,
                          a.causal ? min(keys, a.context + row + 9) : keys};
    auto fetch = [&](int tile) {
        if (tile < tiles) {
            unsigned char *stage = shared + tile % 2 * 2 * shape<dim>::tile_bytes;
            load_rows<dim>(stage, k, tile_k, tile * tile_k, keys, a.kv_stride);
            load_rows<dim>(stage + shape<dim>::tile_bytes, v, tile_k, tile * tile_k, keys,
                           a.kv_stride);
        }
        nf_copy_async_commit();
    };
    float out[dim / 8][4] = {};
    rows_state r = {{-1e30f, -1e30f}, {0.0f, 0.0f}};
    fetch(0);
    for (int tile = 0; tile < tiles; tile++) {
        fetch(tile + 1);
        nf_copy_async_wait<1>();
        __syncthreads();
        unsigned char *stage = shared + tile % 2 * 2 * shape<dim>::tile_bytes;
        float s[tile_k / 8][4];
        scores<dim>(s, factor, stage);
        soften<dim>(s, out, r, limit, tile * tile_k);
        weigh<dim>(out, s, stage + shape<dim>::tile_bytes);
        __syncthreads(); /* before the next fetch overwrites this stage */
    }
    store_rows<dim>(a, out, r, row, head, batch);
}

/* --- launches ------------------------------------------------------------------------------------- */

template <int dim>
static void launch_dim(int version, const nf_prefill *a, nf_stream stream)
{
    unsigned heads = (unsigned)a->heads, batch = (unsigned)a->batch;
    if (version == NF_PREFILL_PLAIN) {
        dim3 grid(nf_ceil_div((size_t)a->queries, 4), heads, batch);
        NF_LAUNCH(prefill_plain<dim>, grid, 128, 0, stream, *a);
    } else {
        dim3 grid(nf_ceil_div((size_t)a->queries, tile_q), heads, batch);
        NF_ALLOW_SHARED(prefill_mma<dim>, shape<dim>::shared_bytes);
        NF_LAUNCH(prefill_mma<dim>, grid, threads, shape<dim>::shared_bytes, stream, *a);
    }
}

extern "C" void nf_prefill_launch(int version, const nf_prefill *given, nf_stream stream)
{
    nf_prefill a = *given;
    a.q_stride = a.q_stride ? a.q_stride : (size_t)a.heads * (size_t)a.dim;
    a.kv_stride = a.kv_stride ? a.kv_stride : (size_t)a.kv_heads * (size_t)a.dim;
    if (version == NF_PREFILL_WGMMA) {
        nf_prefill_wgmma_launch(&a, stream);
    } else if (a.dim == 64) {
        launch_dim<64>(version, &a, stream);
    } else {
        launch_dim<128>(version, &a, stream);
    }
}

extern "C" bool nf_prefill_takes(const nf_bench *b, int version, const nf_prefill *a)
{
    if (version == NF_PREFILL_WGMMA) {
        return a->dim == 128 && b->capability == 90;
    }
    return a->dim == 64 || a->dim == 128;
}

/* --- check ---------------------------------------------------------------------------------------- */

static void check_one(nf_bench *b, nf_prefill a)
{
    int keys = a.context + a.queries;
    size_t outs = (size_t)a.batch * (size_t)a.queries * (size_t)a.heads * (size_t)a.dim;
    size_t ins = (size_t)a.batch * (size_t)keys * (size_t)a.kv_heads * (size_t)a.dim;
    nf_tensor q = nf_tensor_random(b, NF_BF16, outs, 3.0f);
    nf_tensor k = nf_tensor_random(b, NF_BF16, ins, 1.0f),
              v = nf_tensor_random(b, NF_BF16, ins, 1.0f);
    float *want = static_cast<float *>(nf_host_get(b, outs * sizeof(float)));
    if (!nf_ok(b)) {
        return;
    }
    nf_prefill_reference(want, &a, q.host, k.host, v.host);
    a.q = q.dev;
    a.k = k.dev;
    a.v = v.dev;
    for (int version = 0; version < NF_PREFILL_VERSIONS; version++) {
        if (!nf_prefill_takes(b, version, &a)) {
            continue;
        }
        nf_tensor out = nf_tensor_poisoned(b, NF_BF16, outs);
        a.out = out.dev;
        if (version == NF_PREFILL_WGMMA && !nf_prefill_maps(b, &a)) {
            return;
        }
        nf_prefill_launch(version, &a, b->stream);
        char what[64], shape_text[NF_ROWS_TEXT];
        (void)snprintf(what, sizeof what, "prefill %s", versions[version].name);
        nf_shape(shape_text,
                 "batch=%d queries=%d context=%d heads=%d kv_heads=%d dim=%d causal=%d",
                 a.batch, a.queries, a.context, a.heads, a.kv_heads, a.dim, a.causal);
        /* The probabilities are rounded to bf16 before the second product. */
        nf_check_close(b, what, shape_text, &out, want, {1e-2, 2e-2, 8e-3});
    }
    nf_case_end(b);
}

static nf_prefill shape_of(int batch, int queries, int context, int heads, int kv_heads,
                           int dim, bool causal)
{
    nf_prefill a = {};
    a.batch = batch;
    a.queries = queries;
    a.context = context;
    a.heads = heads;
    a.kv_heads = kv_heads;
    a.dim = dim;
    a.causal = causal;
    return a;
}

static void check(nf_bench *b)
{
    check_one(b, shape_of(1, 150, 0, 2, 1, 128, true));
    check_one(b, shape_of(2, 37, 101, 1, 1, 128, true));
    check_one(b, shape_of(1, 130, 0, 2, 2, 64, false));
    /* A tile of keys ends inside a warp's sixteen rows: some of its lanes mask, others would not have to. */
    check_one(b, shape_of(1, 70, 104, 1, 1, 128, true));
    if (!b->emulated) {
        check_one(b, shape_of(1, 300, 213, 8, 2, 128, true));
        check_one(b, shape_of(2, 257, 0, 4, 4, 128, false));
    }
}

/* --- measure -------------------------------------------------------------------------------------- */

static void measure_one(nf_bench *b, int version, nf_prefill a)
{
    size_t outs = (size_t)a.batch * (size_t)a.queries * (size_t)a.heads * (size_t)a.dim;
    size_t keys = (size_t)a.context + (size_t)a.queries;
    size_t ins = (size_t)a.batch * keys * (size_t)a.kv_heads * (size_t)a.dim;
    double moved = 4.0 * (double)outs + 4.0 * (double)ins;
    nf_sets<nf_prefill> sets = {version, nf_prefill_launch, nf_sets_for(b, moved), {}};
    for (int s = 0; s < sets.count; s++) {
        void *q = nf_dev_get(b, outs * 2), *k = nf_dev_get(b, ins * 2),
             *v = nf_dev_get(b, ins * 2);
        nf_dev_random(b, q, NF_BF16, outs, 1.0f);
        nf_dev_random(b, k, NF_BF16, ins, 1.0f);
        nf_dev_random(b, v, NF_BF16, ins, 1.0f);
        a.q = q;
        a.k = k;
        a.v = v;
        a.out = nf_dev_get(b, outs * 2);
        if (version == NF_PREFILL_WGMMA && !nf_prefill_maps(b, &a)) {
            return;
        }
        sets.set[s] = a;
    }
    nf_measure m = nf_measure_of("prefill", versions[version].name, NF_BF16,
                                 nf_prefill_flop(&a), moved);
    nf_shape(m.row.shape,
             "batch=%d queries=%d context=%d heads=%d kv_heads=%d dim=%d causal=%d",
             a.batch, a.queries, a.context, a.heads, a.kv_heads, a.dim, a.causal);
    nf_measure_sets(b, &m, &sets, NF_ROTATED);
    nf_case_end(b);
}

static void measure(nf_bench *b)
{
    const nf_prefill quick[] = {
        shape_of(1, 8192, 0, 32, 8, 128, true),
        shape_of(1, 128, 0, 32, 8, 128, true),
        shape_of(1, 512, 0, 32, 8, 128, true),
        shape_of(1, 2048, 0, 32, 8, 128, true),
        shape_of(1, 16384, 0, 32, 8, 128, true),
        shape_of(4, 1024, 0, 32, 8, 128, true),
        shape_of(1, 512, 7680, 32, 8, 128, true),
        shape_of(1, 4096, 0, 24, 24, 128, false),
        shape_of(1, 2048, 0, 8, 1, 128, true),
    };
    const nf_prefill full[] = {
        shape_of(1, 256, 0, 32, 8, 128, true),
        shape_of(1, 1024, 0, 32, 8, 128, true),
        shape_of(1, 4096, 0, 32, 8, 128, true),
        shape_of(8, 512, 0, 32, 8, 128, true),
        shape_of(1, 2048, 6144, 32, 8, 128, true),
        shape_of(1, 512, 1536, 32, 8, 128, true),
        shape_of(1, 4096, 0, 64, 8, 128, true),
        shape_of(1, 4096, 0, 32, 32, 128, true),
        shape_of(1, 16384, 0, 24, 24, 128, false),
        shape_of(1, 32768, 0, 24, 24, 128, false),
        shape_of(1, 65536, 0, 24, 24, 128, false),
        shape_of(1, 4096, 0, 16, 16, 64, true),
    };
    for (int pass = 0; pass < (b->scope == NF_FULL ? 2 : 1); pass++) {
        const nf_prefill *list = pass ? full : quick;
        size_t count = pass ? sizeof full / sizeof *full : sizeof quick / sizeof *quick;
        for (size_t i = 0; i < count; i++) {
            for (int v = 0; v < NF_PREFILL_VERSIONS; v++) {
                bool short_enough =
                    v != NF_PREFILL_PLAIN || nf_prefill_flop(&list[i]) < 1e11;
                if (short_enough && nf_worth(b, &versions[v]) &&
                    nf_prefill_takes(b, v, &list[i])) {
                    measure_one(b, v, list[i]);
                }
            }
        }
    }
}

extern "C" const nf_op nf_op_prefill = {"prefill", "attention of many queries",
                                        versions,  NF_PREFILL_VERSIONS,
                                        check,     measure,
                                        false,     {0.0, 0.0}};
