/*
 * gemm_wgmma.cu - the wgmma version of gemm.cu, for compute capability 9.0 (sm_90a).
 *
 * Three warpgroups a block, one block a multiprocessor, each block working through tiles of 128 x 256
 * results. One warp of the first group asks the copy engine for slabs of 128 bytes of K into a ring of
 * four stages (48 KB each); the other two groups multiply 64 x 256 each, straight from shared memory.
 * Two mbarriers a stage pass it to and fro:
 *     producer: wait empty -> announce bytes, two tensor copies -> (copy engine) full
 *     consumer: wait full -> four products of 32 bytes of K -> when they are done, arrive at empty
 * A consumer leaves one group of products in flight and frees the stage before it. The producer gives
 * its registers away (setmaxnreg): 128 sums and the addresses do not fit into an even share of 168.
 * Tiles are walked in columns of eight tile rows, so that the blocks that run together share slabs of
 * both factors in the L2.
 */
#include "hopper.cuh"
#include "ops.h"

static constexpr int tile_m = 128, tile_n = 256, row_bytes = 128, stages = 4;
static constexpr int a_bytes = tile_m * row_bytes, b_bytes = tile_n * row_bytes;
static constexpr int stage_bytes = a_bytes + b_bytes, threads = 384;
static constexpr int shared_bytes = stages * stage_bytes + 2 * stages * 8;

#ifdef NF_ARCH_HAS_WGMMA

static constexpr int consumer_warps = 8, group_m = 8;

struct ring {
    int stage, phase;
};
NF_DEV void advance(ring &r)
{
    if (++r.stage == stages) {
        r.stage = 0;
        r.phase ^= 1;
    }
}

/* Tile number to tile row and column: down eight tile rows, then to the next column. */
NF_DEV void place(int number, int tiles_m, int tiles_n, int &row, int &column)
{
    int per_group = group_m * tiles_n, group = number / per_group;
    int rows = min(group_m, tiles_m - group * group_m);
    row = group * group_m + number % per_group % rows;
    column = number % per_group / rows;
}

NF_DEV void produce(const nf_gemm &g, unsigned char *shared, uint64_t *full,
                    uint64_t *empty, int slabs, int tiles_m, int tiles_n)
{
    int numbers_a_slab = row_bytes / (g.type == NF_E4M3 ? 1 : 2);
    ring r = {0, 0};
    for (int t = (int)blockIdx.x; t < tiles_m * tiles_n; t += (int)gridDim.x) {
        int row, column;
        place(t, tiles_m, tiles_n, row, column);
        for (int slab = 0; slab < slabs; slab++, advance(r)) {
            nf_mbarrier_wait(&empty[r.stage], r.phase ^ 1);
            nf_mbarrier_expect(&full[r.stage], stage_bytes);
            unsigned char *stage = shared + r.stage * stage_bytes;
            nf_tensor_load2(stage, &g.a_map, &full[r.stage], slab * numbers_a_slab,
                            row * tile_m);
            nf_tensor_load2(stage + a_bytes, &g.b_map, &full[r.stage],
                            slab * numbers_a_slab, column * tile_n);
        }
    }
}

template <class T>
NF_DEV void store(const nf_gemm &g, const float (&sum)[128], int row, int column)
{
    int lane = (int)threadIdx.x % 32;
    row += (int)threadIdx.x / 32 % 4 * 16 + lane / 4;
    column += lane % 4 * 2;
    T *c = static_cast<T *>(g.c);
    NF_UNROLL
    for (int half = 0; half < 2; half++) {
        if (row + 8 * half >= g.m) {
            continue;
        }
        T *line = c + (size_t)(row + 8 * half) * (size_t)g.n;
        NF_UNROLL
        for (int j = 0; j < 32; j++) {
            if (column + 8 * j < g.n) {
                uint32_t pair = nf_pack2<T>(sum[4 * j + 2 * half] * g.scale,
                                            sum[4 * j + 2 * half + 1] * g.scale);
                *reinterpret_cast<uint32_t *>(line + column + 8 * j) = pair;
            }
        }
    }
}

/* Frees a stage: one arrival a warp, after all its lanes have seen the products finished. */
NF_DEV void release(uint64_t *empty)
{
    __syncwarp();
    if (threadIdx.x % 32 == 0) {
        nf_mbarrier_arrive(empty);
    }
}

template <class T, class Out>
NF_DEV void consume(const nf_gemm &g, unsigned char *shared, uint64_t *full,
                    uint64_t *empty, int slabs, int tiles_m, int tiles_n)
{
    int group = (int)threadIdx.x / 128 - 1;
    ring r = {0, 0};
    float sum[128];
    for (int t = (int)blockIdx.x; t < tiles_m * tiles_n; t += (int)gridDim.x) {
        int last = 0;
        for (int slab = 0; slab < slabs; slab++, advance(r)) {
            nf_mbarrier_wait(&full[r.stage], r.phase);
            const unsigned char *stage = shared + r.stage * stage_bytes;
            uint64_t a = nf_wgmma_k_major(stage + group * 64 * row_bytes);
            uint64_t b = nf_wgmma_k_major(stage + a_bytes);
            nf_wgmma_hold(sum);
            nf_wgmma_fence();
            NF_UNROLL
            for (uint32_t step = 0; step < 4; step++) {
                nf_wgmma_256<T>(sum, nf_wgmma_advance(a, 32 * step),
                                nf_wgmma_advance(b, 32 * step), slab > 0 || step > 0);
            }
            nf_wgmma_commit();
            nf_wgmma_hold(sum);
            nf_wgmma_wait<1>();
            if (slab > 0) {
                release(&empty[last]);
            }
            last = r.stage;
        }
        nf_wgmma_wait<0>();
        nf_wgmma_hold(sum);
        release(&empty[last]);
        int row, column;
        place(t, tiles_m, tiles_n, row, column);
        store<Out>(g, sum, row * tile_m + group * 64, column * tile_n);
    }
}

#endif

template <class T, class Out>
__global__ void __launch_bounds__(threads, 1)
    gemm_wgmma(const __grid_constant__ nf_gemm g)
{
#ifdef NF_ARCH_HAS_WGMMA
    NF_DYNAMIC_SHARED(unsigned char, shared);
    uint64_t *full = reinterpret_cast<uint64_t *>(shared + stages * stage_bytes);
    uint64_t *empty = full + stages;
    int tiles_m = (g.m + tile_m - 1) / tile_m, tiles_n = (g.n + tile_n - 1) / tile_n;
    int slabs = (int)(((size_t)g.k * sizeof(T) + row_bytes - 1) / row_bytes);
    if (threadIdx.x == 0) {
        for (int i = 0; i < stages; i++) {
            nf_mbarrier_init(&full[i], 1);
            nf_mbarrier_init(&empty[i], consumer_warps);
        }
        nf_mbarrier_init_done();
    }
    __syncthreads();
    if (threadIdx.x < 128) {
        nf_registers_fewer<40>();
        if (threadIdx.x == 0) {
            produce(g, shared, full, empty, slabs, tiles_m, tiles_n);
        }
    } else {
        nf_registers_more<232>();
        consume<T, Out>(g, shared, full, empty, slabs, tiles_m, tiles_n);
    }
#endif
}

template <class T, class Out> static void launch_as(const nf_gemm *g, nf_stream stream)
{
    unsigned tiles =
        nf_ceil_div((size_t)g->m, tile_m) * nf_ceil_div((size_t)g->n, tile_n);
    unsigned blocks =
        132; /* multiprocessors of an H100 or H200; more or fewer are right as well */
    NF_ALLOW_SHARED((gemm_wgmma<T, Out>), shared_bytes);
    NF_LAUNCH((gemm_wgmma<T, Out>), tiles < blocks ? tiles : blocks, threads,
              shared_bytes, stream, *g);
}

extern "C" void nf_gemm_wgmma_launch(const nf_gemm *g, nf_stream stream)
{
    if (g->type == NF_BF16) {
        launch_as<nf_bf16, nf_bf16>(g, stream);
    } else if (g->type == NF_F16) {
        launch_as<nf_f16, nf_f16>(g, stream);
    } else {
        launch_as<nf_e4m3, nf_bf16>(g, stream);
    }
}

extern "C" bool nf_gemm_maps(nf_bench *b, nf_gemm *g)
{
    size_t bytes = nf_dtype_bytes(g->type);
    uint64_t k = (uint64_t)g->k;
    nf_tensor_shape a = {g->type, g->a, 2, {k, (uint64_t)g->m}, {k * bytes}, {0, tile_m}};
    nf_tensor_shape w = {g->type, g->b, 2, {k, (uint64_t)g->n}, {k * bytes}, {0, tile_n}};
    a.box[0] = w.box[0] = (uint32_t)(row_bytes / bytes);
    return nf_tensor_map_make(b, &g->a_map, &a) && nf_tensor_map_make(b, &g->b_map, &w);
}
