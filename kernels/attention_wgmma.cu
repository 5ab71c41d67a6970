/*
 * attention_wgmma.cu - the wgmma version of attention_prefill.cu, for compute capability 9.0 (sm_90a).
 *
 * One block a head and 128 queries: a producer warp asks the copy engine for Q once and for tiles of 128
 * keys and values into rings of two stages; two warpgroups keep 64 queries each. The tensor cores are kept
 * busy during the softmax: the scores of tile j + 1 and the output of tile j are issued together, and the
 * softmax of the scores runs while the output product is still under way (the overlap within a warpgroup
 * of FlashAttention-3, Shah et al. 2024):
 *     S(0) = Q K(0);  P = soften(S(0))
 *     j = 1...: issue S = Q K(j);  issue O += P V(j-1);  wait S;  soften S;  wait O;  rescale O;  P = S
 *     O += P V(last)
 * Head dimension 128: a tile is two halves of 64 numbers, each a row of 128 bytes, because the swizzle
 * works on rows of 128 bytes. Q and K are read with K along the head dimension (K-major); V has its keys
 * down the rows, so it is the MN-major factor of the second product.
 */
#include "hopper.cuh"
#include "ops.h"

static constexpr int tile = 128, dim = 128, threads = 384, stages = 2;
static constexpr int half_bytes = tile * 128, tile_bytes = 2 * half_bytes;
static constexpr int barrier_count = 1 + 4 * stages;
static constexpr int shared_bytes = (1 + 2 * stages) * tile_bytes + barrier_count * 8;

#ifdef NF_ARCH_HAS_WGMMA

static constexpr float log2_e = 1.44269504f;
static constexpr int consumer_warps = 8;

struct layout {
    unsigned char *q, *k, *v; /* k, v: `stages` tiles each */
    uint64_t *q_full, *k_full, *k_empty, *v_full, *v_empty;
};
NF_DEV layout layout_of(unsigned char *shared)
{
    uint64_t *b = reinterpret_cast<uint64_t *>(shared + (1 + 2 * stages) * tile_bytes);
    return {shared,
            shared + tile_bytes,
            shared + (1 + stages) * tile_bytes,
            b,
            b + 1,
            b + 1 + stages,
            b + 1 + 2 * stages,
            b + 1 + 3 * stages};
}

struct place {
    int first, head, group, batch, tiles; /* first query; tiles of keys to see */
};

/* Both halves of a tile of rows into shared memory. */
NF_DEV void load_tile(unsigned char *to, const nf_tensor_map *map, uint64_t *full,
                      int head, int row, int batch)
{
    const int low[4] = {0, head, row, batch}, high[4] = {64, head, row, batch};
    nf_mbarrier_expect(full, tile_bytes);
    nf_tensor_load4(to, map, full, low);
    nf_tensor_load4(to + half_bytes, map, full, high);
}

NF_DEV void produce(const nf_prefill &a, const layout &s, const place &p)
{
    load_tile(s.q, &a.q_map, s.q_full, p.head, p.first, p.batch);
    for (int j = 0; j < p.tiles; j++) {
        int stage = j % stages, parity = j / stages % 2;
        nf_mbarrier_wait(&s.k_empty[stage], parity ^ 1);
        load_tile(s.k + stage * tile_bytes, &a.k_map, &s.k_full[stage], p.group, j * tile,
                  p.batch);
        nf_mbarrier_wait(&s.v_empty[stage], parity ^ 1);
        load_tile(s.v + stage * tile_bytes, &a.v_map, &s.v_full[stage], p.group, j * tile,
                  p.batch);
    }
}

NF_DEV void release(uint64_t *empty)
{
    __syncwarp();
    if (threadIdx.x % 32 == 0) {
        nf_mbarrier_arrive(empty);
    }
}

/* S = Q K^T: eight steps of 16 along the head dimension, four in each half. */
NF_DEV void issue_scores(float (&s)[64], const unsigned char *q, const unsigned char *k)
{
    NF_UNROLL
    for (int step = 0; step < 8; step++) {
        int offset = step / 4 * half_bytes;
        uint64_t a =
            nf_wgmma_advance(nf_wgmma_k_major(q + offset), (uint32_t)(step % 4 * 32));
        uint64_t b =
            nf_wgmma_advance(nf_wgmma_k_major(k + offset), (uint32_t)(step % 4 * 32));
        nf_wgmma_qk(s, a, b, step > 0);
    }
    nf_wgmma_commit();
}

/* O += P V: eight steps of 16 keys; the 128 columns of V lie in two halves. */
NF_DEV void issue_output(float (&o)[64], const uint32_t (&p)[8][4],
                         const unsigned char *v)
{
    uint64_t b = nf_wgmma_descriptor(v, half_bytes, 1024);
    NF_UNROLL
    for (int step = 0; step < 8; step++) {
        nf_wgmma_pv(o, p[step], nf_wgmma_advance(b, (uint32_t)(step * 2048)));
    }
    nf_wgmma_commit();
}

struct rows_state {
    float largest[2], total[2], shrink[2];
};

/* Scores to probabilities in place. masked: this tile has keys that some row must not see. */
template <bool masked>
NF_DEV void soften(float (&s)[64], rows_state &r, const int (&limit)[2], int first_key)
{
    const float c = log2_e * 0.08838834764f; /* 1 / sqrt(128) */
    int t = (int)threadIdx.x % 4;
    NF_UNROLL
    for (int h = 0; h < 2; h++) {
        float top = r.largest[h];
        NF_UNROLL
        for (int j = 0; j < 16; j++) {
            NF_UNROLL
            for (int e = 0; e < 2; e++) {
                float &x = s[4 * j + 2 * h + e];
                if (masked && first_key + 8 * j + 2 * t + e >= limit[h]) {
                    x = -1e30f;
                }
                top = fmaxf(top, x);
            }
        }
        top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, 1));
        top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, 2));
        float sum = 0.0f, offset = top * c;
        r.shrink[h] = nf_exp2((r.largest[h] - top) * c);
        r.largest[h] = top;
        NF_UNROLL
        for (int j = 0; j < 16; j++) {
            NF_UNROLL
            for (int e = 0; e < 2; e++) {
                float &x = s[4 * j + 2 * h + e];
                x = nf_exp2(x * c - offset);
                sum += x;
            }
        }
        r.total[h] = r.total[h] * r.shrink[h] + sum;
    }
}

NF_DEV void soften_tile(float (&s)[64], rows_state &r, const int (&limit)[2],
                        int first_key)
{
    /* The lanes' limits differ, and softening exchanges values between them: the whole warp goes by its first row,
     * which is lane 0's and has the smallest limit. */
    if (first_key + tile > __shfl_sync(0xffffffffu, limit[0], 0)) {
        soften<true>(s, r, limit, first_key);
    } else {
        soften<false>(s, r, limit, first_key);
    }
}

NF_DEV void pack(uint32_t (&p)[8][4], const float (&s)[64])
{
    NF_UNROLL
    for (int step = 0; step < 8; step++) {
        NF_UNROLL
        for (int i = 0; i < 4; i++) {
            p[step][i] = nf_pack2<nf_bf16>(s[8 * step + 2 * i], s[8 * step + 2 * i + 1]);
        }
    }
}

NF_DEV void store(const nf_prefill &a, const float (&o)[64], const rows_state &r,
                  const place &p, int row)
{
    int t = (int)threadIdx.x % 4;
    NF_UNROLL
    for (int h = 0; h < 2; h++) {
        float total = r.total[h];
        total += __shfl_xor_sync(0xffffffffu, total, 1);
        total += __shfl_xor_sync(0xffffffffu, total, 2);
        int i = row + 8 * h;
        if (i >= a.queries) {
            continue;
        }
        float inverse = 1.0f / total;
        size_t at = (size_t)p.batch * (size_t)a.queries + (size_t)i;
        nf_bf16 *to =
            static_cast<nf_bf16 *>(a.out) + (at * (size_t)a.heads + (size_t)p.head) * dim;
        NF_UNROLL
        for (int j = 0; j < 16; j++) {
            uint32_t pair = nf_pack2<nf_bf16>(o[4 * j + 2 * h] * inverse,
                                              o[4 * j + 2 * h + 1] * inverse);
            *reinterpret_cast<uint32_t *>(to + 8 * j + 2 * t) = pair;
        }
    }
}

NF_DEV void consume(const nf_prefill &a, const layout &l, const place &p)
{
    int group = (int)threadIdx.x / 128 - 1, lane = (int)threadIdx.x % 32;
    int row = p.first + group * 64 + (int)threadIdx.x / 32 % 4 * 16 + lane / 4;
    int keys = a.context + a.queries;
    const int limit[2] = {a.causal ? min(keys, a.context + row + 1) : keys,
                          a.causal ? min(keys, a.context + row + 9) : keys};
    const unsigned char *q = l.q + group * 64 * 128;
    float s[64], o[64];
    uint32_t probabilities[8][4];
    rows_state r = {{-1e30f, -1e30f}, {0.0f, 0.0f}, {1.0f, 1.0f}};
    NF_UNROLL
    for (int i = 0; i < 64; i++) {
        o[i] = 0.0f;
    }
    nf_mbarrier_wait(l.q_full, 0);
    nf_mbarrier_wait(&l.k_full[0], 0);
    nf_wgmma_hold(s);
    nf_wgmma_fence();
    issue_scores(s, q, l.k);
    nf_wgmma_wait<0>();
    nf_wgmma_hold(s);
    release(&l.k_empty[0]);
    soften_tile(s, r, limit, 0);
    pack(probabilities, s);
    for (int j = 1; j < p.tiles; j++) {
        int stage = j % stages, before = (j - 1) % stages;
        nf_mbarrier_wait(&l.k_full[stage], j / stages % 2);
        nf_wgmma_hold(s);
        nf_wgmma_hold(o);
        nf_wgmma_fence();
        issue_scores(s, q, l.k + stage * tile_bytes);
        nf_mbarrier_wait(&l.v_full[before], (j - 1) / stages % 2);
        nf_wgmma_fence();
        issue_output(o, probabilities, l.v + before * tile_bytes);
        nf_wgmma_wait<1>(); /* the scores are there, the output is under way */
        nf_wgmma_hold(s);
        release(&l.k_empty[stage]);
        soften_tile(s, r, limit, j * tile);
        nf_wgmma_wait<0>();
        nf_wgmma_hold(o);
        release(&l.v_empty[before]);
        NF_UNROLL
        for (int i = 0; i < 64; i++) {
            o[i] *= r.shrink[i / 2 % 2];
        }
        pack(probabilities, s);
    }
    int last = (p.tiles - 1) % stages;
    nf_mbarrier_wait(&l.v_full[last], (p.tiles - 1) / stages % 2);
    nf_wgmma_hold(o);
    nf_wgmma_fence();
    issue_output(o, probabilities, l.v + last * tile_bytes);
    nf_wgmma_wait<0>();
    nf_wgmma_hold(o);
    store(a, o, r, p, row);
}

#endif

__global__ void __launch_bounds__(threads, 1)
    prefill_wgmma(const __grid_constant__ nf_prefill a)
{
#ifdef NF_ARCH_HAS_WGMMA
    NF_DYNAMIC_SHARED(unsigned char, shared);
    layout l = layout_of(shared);
    if (threadIdx.x == 0) {
        nf_mbarrier_init(l.q_full, 1);
        for (int i = 0; i < stages; i++) {
            nf_mbarrier_init(&l.k_full[i], 1);
            nf_mbarrier_init(&l.v_full[i], 1);
            nf_mbarrier_init(&l.k_empty[i], consumer_warps);
            nf_mbarrier_init(&l.v_empty[i], consumer_warps);
        }
        nf_mbarrier_init_done();
    }
    __syncthreads();
    place p;
    p.first =
        ((int)gridDim.x - 1 - (int)blockIdx.x) * tile; /* the longest rows start first */
    p.head = (int)blockIdx.y;
    p.group = p.head * a.kv_heads / a.heads;
    p.batch = (int)blockIdx.z;
    int keys = a.context + a.queries;
    p.tiles =
        ((a.causal ? min(keys, a.context + p.first + tile) : keys) + tile - 1) / tile;
    if (threadIdx.x < 128) {
        nf_registers_fewer<40>();
        if (threadIdx.x == 0) {
            produce(a, l, p);
        }
    } else {
        nf_registers_more<232>();
        consume(a, l, p);
    }
#endif
}

extern "C" void nf_prefill_wgmma_launch(const nf_prefill *a, nf_stream stream)
{
    dim3 grid(nf_ceil_div((size_t)a->queries, tile), (unsigned)a->heads,
              (unsigned)a->batch);
    NF_ALLOW_SHARED(prefill_wgmma, shared_bytes);
    NF_LAUNCH(prefill_wgmma, grid, threads, shared_bytes, stream, *a);
}

extern "C" bool nf_prefill_maps(nf_bench *b, nf_prefill *a)
{
    uint64_t q_stride = a->q_stride ? a->q_stride : (uint64_t)a->heads * dim;
    uint64_t kv_stride = a->kv_stride ? a->kv_stride : (uint64_t)a->kv_heads * dim;
    uint64_t queries = (uint64_t)a->queries, keys = queries + (uint64_t)a->context;
    uint64_t batch = (uint64_t)a->batch;
    nf_tensor_shape q = {NF_BF16,
                         a->q,
                         4,
                         {dim, (uint64_t)a->heads, queries, batch},
                         {dim * 2, q_stride * 2, queries * q_stride * 2},
                         {64, 1, tile, 1}};
    nf_tensor_shape k = {NF_BF16,
                         a->k,
                         4,
                         {dim, (uint64_t)a->kv_heads, keys, batch},
                         {dim * 2, kv_stride * 2, keys * kv_stride * 2},
                         {64, 1, tile, 1}};
    nf_tensor_shape v = k;
    v.base = a->v;
    return nf_tensor_map_make(b, &a->q_map, &q) && nf_tensor_map_make(b, &a->k_map, &k) &&
           nf_tensor_map_make(b, &a->v_map, &v);
}
