/*
 * attention_decode.cu - attention of one new query a sequence over its cached keys and values, which lie in
 * pages of 16 tokens anywhere in memory (a table names the pages of a sequence); grouped heads, dim 128.
 *
 * The work is reading the cache once: 4 dim bytes a token and key head, against 4 dim operations for each
 * query head of the group. Everything is arranged so that enough reads are under way.
 *
 * plain  one warp a query head, token after token. Each cached number is read once for every query head of
 *        the group, and a batch of a few sequences leaves most of the device idle.
 * split  one block a sequence, key head and part of the sequence, for all query heads of the group at once:
 *        a cached number is read once. 16 lanes share a token, 16 bytes each; 8 tokens a block at a time.
 *        A second kernel joins the parts by their maxima and sums.
 * mma    the same parts, but each of a block's four warps walks pages of its own through a private ring of
 *        three stages in shared memory (24 KB a warp under way, no block barrier), and the arithmetic
 *        goes to the tensor cores: the group's heads are the 16 rows of Q, a page is 16 columns. Rows
 *        without a head are zero; the tensor cores are idle otherwise, the arithmetic units are not.
 */
#include "sets.cuh"
#include "tensor.cuh"

extern "C" const nf_version nf_decode_versions[NF_DECODE_VERSIONS];
const nf_version nf_decode_versions[NF_DECODE_VERSIONS] = {
    {"plain", "one warp a query head", NF_ANY, false},
    {"split", "parts of the sequence, all heads of a group together", NF_ANY, false},
    {"mma", "a ring of pages a warp, scores on the tensor cores", NF_ANY, true},
};

static constexpr int dim = 128, group_max = 16, threads = 128, warps = 4;
static constexpr float score_scale =
    1.44269504f * 0.08838834764f; /* log2(e) / sqrt(128) */
static constexpr float nothing = -1e30f;

/* Results of a part: for each head the maximum and the sum, then dim unscaled outputs. */
static constexpr int part_floats = dim + 2;
NF_DEV float *part_of(const nf_decode &a, int batch, int head, int split)
{
    return a.work + (((size_t)batch * (size_t)a.heads + (size_t)head) * (size_t)a.splits +
                     (size_t)split) *
                        part_floats;
}
NF_DEV const nf_bf16 *query_of(const nf_decode &a, int batch, int head)
{
    return static_cast<const nf_bf16 *>(a.q) + (size_t)batch * a.q_stride +
           (size_t)(head * dim);
}
NF_DEV nf_bf16 *out_of(const nf_decode &a, int batch, int head)
{
    return static_cast<nf_bf16 *>(a.out) +
           ((size_t)batch * (size_t)a.heads + (size_t)head) * (size_t)dim;
}
/* First number of a page of one key head. */
NF_DEV size_t page_at(const nf_decode &a, int batch, int page, int group)
{
    size_t number = (size_t)a.table[(size_t)batch * (size_t)a.table_width + (size_t)page];
    return (number * (size_t)a.kv_heads + (size_t)group) * (NF_PAGE * dim);
}

/* --- plain -------------------------------------------------------------------------------------- */

__global__ void __launch_bounds__(threads) decode_plain(nf_decode a)
{
    int lane = (int)threadIdx.x % 32, head = (int)(blockIdx.x * warps + threadIdx.x / 32);
    int batch = (int)blockIdx.y;
    if (head >= a.heads) {
        return;
    }
    int group = head * a.kv_heads / a.heads, length = a.lengths[batch];
    const nf_bf16 *q = query_of(a, batch, head) + lane * 4;
    float query[4], sum[4] = {}, largest = nothing, total = 0.0f;
    for (int d = 0; d < 4; d++) {
        query[d] = nf_float(q[d]) * score_scale;
    }
    for (int j = 0; j < length; j++) {
        size_t at = page_at(a, batch, j / NF_PAGE, group) +
                    (size_t)(j % NF_PAGE * dim + lane * 4);
        const nf_bf16 *k = static_cast<const nf_bf16 *>(a.keys) + at;
        const nf_bf16 *v = static_cast<const nf_bf16 *>(a.values) + at;
        float score = 0.0f;
        for (int d = 0; d < 4; d++) {
            score += query[d] * nf_float(k[d]);
        }
        score = nf_warp_sum(score);
        float top = fmaxf(largest, score), shrink = nf_exp2(largest - top),
              p = nf_exp2(score - top);
        largest = top;
        total = total * shrink + p;
        for (int d = 0; d < 4; d++) {
            sum[d] = sum[d] * shrink + p * nf_float(v[d]);
        }
    }
    for (int d = 0; d < 4; d++) {
        out_of(a, batch, head)[lane * 4 + d] = nf_round<nf_bf16>(sum[d] / total);
    }
}

/* --- parts and their joining ---------------------------------------------------------------------- */

struct range {
    int first_page, end_page, length;
};
NF_DEV range part_range(const nf_decode &a, int batch, int split)
{
    int length = a.lengths[batch], pages = (length + NF_PAGE - 1) / NF_PAGE;
    int each = (pages + a.splits - 1) / a.splits;
    return {min(pages, split * each), min(pages, (split + 1) * each), length};
}

/* Joins the parts of one head: out = sum_s o_s 2^(m_s - m) / sum_s l_s 2^(m_s - m). */
__global__ void __launch_bounds__(dim) decode_join(nf_decode a)
{
    int head = (int)blockIdx.x, batch = (int)blockIdx.y, d = (int)threadIdx.x;
    float largest = nothing, total = 0.0f, sum = 0.0f;
    for (int s = 0; s < a.splits; s++) {
        largest = fmaxf(largest, part_of(a, batch, head, s)[0]);
    }
    for (int s = 0; s < a.splits; s++) {
        const float *part = part_of(a, batch, head, s);
        float weight = nf_exp2(part[0] - largest);
        total += weight * part[1];
        sum += weight * part[2 + d];
    }
    out_of(a, batch, head)[d] = nf_round<nf_bf16>(sum / total);
}

/* Writes a finished head: the result itself when there is one part only. */
NF_DEV void put_part(const nf_decode &a, int batch, int head, int split, int d, float sum,
                     float largest, float total)
{
    if (a.splits == 1) {
        out_of(a, batch, head)[d] = nf_round<nf_bf16>(sum / total);
        return;
    }
    float *part = part_of(a, batch, head, split);
    part[2 + d] = sum;
    if (d == 0) {
        part[0] = largest;
        part[1] = total;
    }
}

/* --- split -------------------------------------------------------------------------------------- */

/* One head at a time over the part: simple, and the part stays in the L2 for the group's other heads. */
__global__ void __launch_bounds__(threads) decode_split(nf_decode a)
{
    __shared__ float maxima[8], sums[8], outs[8][dim];
    int group = (int)blockIdx.x, batch = (int)blockIdx.y, split = (int)blockIdx.z;
    int heads = a.heads / a.kv_heads, share = (int)threadIdx.x / 16,
        piece = (int)threadIdx.x % 16;
    range r = part_range(a, batch, split);
    int end = min(r.length, r.end_page * NF_PAGE);
    for (int h = 0; h < heads; h++) {
        int head = group * heads + h;
        float query[8], k[8], v[8], sum[8] = {}, largest = nothing, total = 0.0f;
        nf_unpack8<nf_bf16>(nf_load16(query_of(a, batch, head) + piece * 8), query);
        /* Every lane takes every turn, because the shuffle needs all of them. */
        for (int base = r.first_page * NF_PAGE; base < end; base += 8) {
            int j = base + share;
            bool there = j < end;
            size_t at = page_at(a, batch, base / NF_PAGE, group) +
                        (size_t)(j % NF_PAGE * dim + piece * 8);
            nf_unpack8<nf_bf16>(nf_load16(static_cast<const nf_bf16 *>(a.keys) + at), k);
            nf_unpack8<nf_bf16>(nf_load16(static_cast<const nf_bf16 *>(a.values) + at),
                                v);
            float score = 0.0f;
            NF_UNROLL
            for (int d = 0; d < 8; d++) {
                score += query[d] * k[d];
            }
            NF_UNROLL
            for (int offset = 8; offset > 0; offset /= 2) {
                score += __shfl_xor_sync(0xffffffffu, score, offset);
            }
            score = there ? score * score_scale : nothing;
            float top = fmaxf(largest, score), shrink = nf_exp2(largest - top);
            float p = there ? nf_exp2(score - top) : 0.0f;
            largest = top;
            total = total * shrink + p;
            NF_UNROLL
            for (int d = 0; d < 8; d++) {
                sum[d] = sum[d] * shrink + (there ? p * v[d] : 0.0f);
            }
        }
        maxima[share] = largest;
        sums[share] = total;
        NF_UNROLL
        for (int d = 0; d < 8; d++) {
            outs[share][piece * 8 + d] = sum[d];
        }
        __syncthreads();
        float all = nothing, whole = 0.0f, out = 0.0f;
        for (int s = 0; s < 8; s++) {
            all = fmaxf(all, maxima[s]);
        }
        for (int s = 0; s < 8; s++) {
            float weight = nf_exp2(maxima[s] - all);
            whole += weight * sums[s];
            out += weight * outs[s][threadIdx.x];
        }
        put_part(a, batch, head, split, (int)threadIdx.x, out, all, whole);
        __syncthreads();
    }
}

/* --- mma ---------------------------------------------------------------------------------------- */

static constexpr int stages = 3, page_bytes = NF_PAGE * dim * 2,
                     ring_bytes = stages * 2 * page_bytes;
static constexpr int mma_shared = warps * ring_bytes;

NF_DEV unsigned char *swizzled(unsigned char *page, int row, int piece)
{
    return page + row * (dim * 2) + ((piece ^ (row & 7)) << 4);
}

/* A page of keys or values: 256 pieces of 16 bytes, 8 a lane, contiguous in memory. Rows past the end of
 * the sequence become zeros: what lies there may be NaN, and 0 x NaN is not 0. */
NF_DEV void fetch_page(unsigned char *to, const void *cache, size_t at, int rows)
{
    int lane = (int)threadIdx.x % 32;
    const unsigned char *from = static_cast<const unsigned char *>(cache) + at * 2;
    NF_UNROLL
    for (int i = 0; i < 8; i++) {
        int j = lane + 32 * i;
        nf_copy_async16(swizzled(to, j / 16, j % 16), from + j * 16, j / 16 < rows);
    }
}

/* The group's queries as the 16-row factor of the first product; rows without a head are zero. */
NF_DEV void load_queries(uint32_t (&q)[8][4], const nf_decode &a, int batch,
                         int first_head, int heads)
{
    int lane = (int)threadIdx.x % 32, g = lane / 4, t = lane % 4;
    NF_UNROLL
    for (int step = 0; step < 8; step++) {
        NF_UNROLL
        for (int i = 0; i < 4; i++) {
            int row = g + i % 2 * 8, column = step * 16 + i / 2 * 8 + 2 * t;
            q[step][i] = 0;
            if (row < heads) {
                const nf_bf16 *from = query_of(a, batch, first_head + row) + column;
                q[step][i] = *reinterpret_cast<const uint32_t *>(from);
            }
        }
    }
}

struct rows_state {
    float largest[2], total[2];
};

/* One page: scores, softmax over what has been seen so far, output. `valid`: tokens of the page. */
NF_DEV void take_page(float (&out)[16][4], rows_state &r, const uint32_t (&q)[8][4],
                      unsigned char *keys, unsigned char *values, int valid)
{
    int lane = (int)threadIdx.x % 32, t = lane % 4;
    float s[2][4] = {};
    NF_UNROLL
    for (int step = 0; step < 8; step++) {
        uint32_t b[4];
        nf_ldmatrix4(b,
                     swizzled(keys, lane % 8 + lane / 16 * 8, 2 * step + lane / 8 % 2));
        nf_mma<nf_bf16>(s[0], q[step], b[0], b[1]);
        nf_mma<nf_bf16>(s[1], q[step], b[2], b[3]);
    }
    NF_UNROLL
    for (int h = 0; h < 2; h++) {
        float top = r.largest[h];
        NF_UNROLL
        for (int i = 0; i < 4; i++) {
            float &x = s[i / 2][2 * h + i % 2];
            x = i / 2 * 8 + 2 * t + i % 2 < valid ? x * score_scale : nothing;
            top = fmaxf(top, x);
        }
        top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, 1));
        top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, 2));
        float shrink = nf_exp2(r.largest[h] - top), sum = 0.0f;
        r.largest[h] = top;
        NF_UNROLL
        for (int i = 0; i < 4; i++) {
            float &x = s[i / 2][2 * h + i % 2];
            x = nf_exp2(x - top);
            sum += x;
        }
        r.total[h] = r.total[h] * shrink + sum;
        NF_UNROLL
        for (int j = 0; j < 16; j++) {
            out[j][2 * h] *= shrink;
            out[j][2 * h + 1] *= shrink;
        }
    }
    const uint32_t p[4] = {
        nf_pack2<nf_bf16>(s[0][0], s[0][1]), nf_pack2<nf_bf16>(s[0][2], s[0][3]),
        nf_pack2<nf_bf16>(s[1][0], s[1][1]), nf_pack2<nf_bf16>(s[1][2], s[1][3])};
    NF_UNROLL
    for (int j = 0; j < 8; j++) {
        uint32_t b[4];
        nf_ldmatrix4_transposed(b, swizzled(values, lane % 16, 2 * j + lane / 16));
        nf_mma<nf_bf16>(out[2 * j], p, b[0], b[1]);
        nf_mma<nf_bf16>(out[2 * j + 1], p, b[2], b[3]);
    }
}

/* The four warps' rows into one: maxima, then weighted sums in turn. `shared`: the rings, now free. */
NF_DEV void join_warps(unsigned char *shared, const nf_decode &a, float (&out)[16][4],
                       rows_state &r, int batch, int first_head, int heads, int split)
{
    float *sum = reinterpret_cast<float *>(shared), *maxima = sum + group_max * dim;
    float *totals = maxima + warps * group_max;
    int lane = (int)threadIdx.x % 32, warp = (int)threadIdx.x / 32, g = lane / 4,
        t = lane % 4;
    NF_UNROLL
    for (int h = 0; h < 2; h++) {
        r.total[h] += __shfl_xor_sync(0xffffffffu, r.total[h], 1);
        r.total[h] += __shfl_xor_sync(0xffffffffu, r.total[h], 2);
        if (t == 0) {
            maxima[warp * group_max + g + 8 * h] = r.largest[h];
            totals[warp * group_max + g + 8 * h] = r.total[h];
        }
    }
    for (int turn = 0; turn < warps; turn++) {
        __syncthreads();
        if (turn != warp) {
            continue;
        }
        NF_UNROLL
        for (int h = 0; h < 2; h++) {
            int row = g + 8 * h;
            float all = nothing;
            for (int w = 0; w < warps; w++) {
                all = fmaxf(all, maxima[w * group_max + row]);
            }
            float weight = nf_exp2(r.largest[h] - all);
            NF_UNROLL
            for (int i = 0; i < 32; i++) {
                float *to = sum + row * dim + i / 2 * 8 + 2 * t + i % 2;
                float mine = out[i / 2][2 * h + i % 2] * weight;
                *to = turn == 0 ? mine : *to + mine;
            }
        }
    }
    __syncthreads();
    for (int row = 0; row < heads; row++) {
        float all = nothing, total = 0.0f;
        for (int w = 0; w < warps; w++) {
            all = fmaxf(all, maxima[w * group_max + row]);
        }
        for (int w = 0; w < warps; w++) {
            total +=
                totals[w * group_max + row] * nf_exp2(maxima[w * group_max + row] - all);
        }
        int d = (int)threadIdx.x;
        put_part(a, batch, first_head + row, split, d, sum[row * dim + d], all, total);
    }
}

__global__ void __launch_bounds__(threads) decode_mma(nf_decode a)
{
    NF_DYNAMIC_SHARED(unsigned char, shared);
    int group = (int)blockIdx.x, batch = (int)blockIdx.y, split = (int)blockIdx.z;
    int heads = a.heads / a.kv_heads, warp = (int)threadIdx.x / 32;
    range r = part_range(a, batch, split);
    unsigned char *ring = shared + warp * ring_bytes;
    int next = r.first_page + warp; /* the page to ask for */
    auto fetch = [&](int stage) {
        if (next < r.end_page) {
            size_t at = page_at(a, batch, next, group);
            int rows = r.length - next * NF_PAGE;
            fetch_page(ring + stage * 2 * page_bytes, a.keys, at, rows);
            fetch_page(ring + (stage * 2 + 1) * page_bytes, a.values, at, rows);
        }
        next += warps;
        nf_copy_async_commit();
    };
    for (int stage = 0; stage < stages - 1; stage++) {
        fetch(stage);
    }
    uint32_t q[8][4];
    load_queries(q, a, batch, group * heads, heads);
    float out[16][4] = {};
    rows_state state = {{nothing, nothing}, {0.0f, 0.0f}};
    int stage = 0;
    for (int page = r.first_page + warp; page < r.end_page; page += warps) {
        nf_copy_async_wait<stages - 2>();
        __syncwarp(); /* the page is there for the whole warp, and the stage before it is free */
        fetch((stage + stages - 1) % stages);
        unsigned char *at = ring + stage * 2 * page_bytes;
        take_page(out, state, q, at, at + page_bytes, r.length - page * NF_PAGE);
        stage = (stage + 1) % stages;
    }
    nf_copy_async_wait<0>();
    __syncthreads();
    join_warps(shared, a, out, state, batch, group * heads, heads, split);
}

/* --- launches ------------------------------------------------------------------------------------- */

/* Two blocks fit on a multiprocessor of the larger devices; aim at two rounds of them, with parts of at
 * least 128 tokens. */
extern "C" int nf_decode_splits(const nf_bench *b, const nf_decode *a)
{
    int wanted =
        (int)nf_ceil_div((size_t)b->facts.sm_count * 4, (size_t)(a->batch * a->kv_heads));
    int most = (int)nf_ceil_div((size_t)a->longest, 128);
    int splits = wanted < most ? wanted : most;
    return splits < 1 ? 1 : splits > 64 ? 64 : splits;
}

extern "C" size_t nf_decode_work_bytes(const nf_decode *a)
{
    return (size_t)a->batch * (size_t)a->heads * (size_t)a->splits * part_floats *
           sizeof(float);
}

extern "C" void nf_decode_launch(int version, const nf_decode *given, nf_stream stream)
{
    nf_decode a = *given;
    a.q_stride = a.q_stride ? a.q_stride : (size_t)(a.heads * dim);
    dim3 grid((unsigned)a.kv_heads, (unsigned)a.batch, (unsigned)a.splits);
    if (version == NF_DECODE_PLAIN) {
        dim3 plain(nf_ceil_div((size_t)a.heads, warps), (unsigned)a.batch);
        NF_LAUNCH(decode_plain, plain, threads, 0, stream, a);
        return;
    }
    if (version == NF_DECODE_SPLIT) {
        NF_LAUNCH(decode_split, grid, threads, 0, stream, a);
    } else {
        NF_ALLOW_SHARED(decode_mma, mma_shared);
        NF_LAUNCH(decode_mma, grid, threads, mma_shared, stream, a);
    }
    if (a.splits > 1) {
        dim3 join((unsigned)a.heads, (unsigned)a.batch);
        NF_LAUNCH(decode_join, join, dim, 0, stream, a);
    }
}
