/*
 * rotary.cu - rotary position embedding, in place, on the heads of each token (bf16).
 *
 * plain  one pair a thread, its angle from powf and sincosf: the special functions cost more than the
 *        memory, and their slow path for large angles spills.
 * fast   one block a token. The frequencies (in turns a position, split into two floats so that a
 *        position of 100 000 loses nothing) come with the kernel's parameters, and each pair's cosine and
 *        sine are worked out once and shared by all heads; then 8 pairs a thread, 16 bytes a load.
 */
#include <cmath>

#include "device.cuh"
#include "sets.cuh"

static const nf_version versions[NF_ROTARY_VERSIONS] = {
    {"plain", "one pair a thread, angles from powf and sincosf", NF_ANY, false},
    {"fast", "one block a token, angles shared by the heads", NF_ANY, true},
};

enum { HALF_MAX = 128 }; /* head dimension up to 256 */
struct frequencies {
    float high[HALF_MAX], low[HALF_MAX]; /* turns a position: high + low */
};

__global__ void rotary_plain(nf_rotary a)
{
    int half = a.dim / 2;
    size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    size_t per_token = (size_t)a.heads * (size_t)half;
    if (i >= per_token * (size_t)a.tokens) {
        return;
    }
    size_t token = i / per_token, head = i % per_token / (size_t)half,
           pair = i % (size_t)half;
    nf_bf16 *x =
        static_cast<nf_bf16 *>(a.x) + token * a.stride + head * (size_t)a.dim + pair;
    float angle =
        (float)a.positions[token] * powf(a.theta, -2.0f * (float)pair / (float)a.dim);
    float s = sinf(angle), c = cosf(angle);
    float low = nf_float(x[0]), high = nf_float(x[half]);
    x[0] = nf_round<nf_bf16>(low * c - high * s);
    x[half] = nf_round<nf_bf16>(high * c + low * s);
}

__global__ void __launch_bounds__(256)
    rotary_fast(nf_rotary a, const __grid_constant__ frequencies turns)
{
    __shared__ float cosine[HALF_MAX], sine[HALF_MAX];
    int half = a.dim / 2;
    float position = (float)a.positions[blockIdx.x];
    for (int i = (int)threadIdx.x; i < half; i += (int)blockDim.x) {
        /* The product's rounding error is recovered exactly by the second fma. */
        float whole = position * turns.high[i];
        float rest = fmaf(position, turns.high[i], -whole) + position * turns.low[i];
        float part = whole - rintf(whole) + rest;
        __sincosf(6.283185307f * part, &sine[i], &cosine[i]);
    }
    __syncthreads();
    nf_bf16 *x = static_cast<nf_bf16 *>(a.x) + blockIdx.x * a.stride;
    int pieces = half / 8;
    for (int j = (int)threadIdx.x; j < a.heads * pieces; j += (int)blockDim.x) {
        int first = j % pieces * 8;
        nf_bf16 *low_at = x + (size_t)(j / pieces) * (size_t)a.dim + first,
                *high_at = low_at + half;
        float low[8], high[8];
        nf_unpack8<nf_bf16>(nf_load16(low_at), low);
        nf_unpack8<nf_bf16>(nf_load16(high_at), high);
        NF_UNROLL
        for (int e = 0; e < 8; e++) {
            float c = cosine[first + e], s = sine[first + e], l = low[e];
            low[e] = l * c - high[e] * s;
            high[e] = high[e] * c + l * s;
        }
        nf_store16(low_at, nf_pack8<nf_bf16>(low));
        nf_store16(high_at, nf_pack8<nf_bf16>(high));
    }
}

extern "C" void nf_rotary_launch(int version, const nf_rotary *a, nf_stream stream)
{
    if (version == NF_ROTARY_PLAIN) {
        size_t pairs = (size_t)a->tokens * (size_t)a->heads * (size_t)a->dim / 2;
        NF_LAUNCH(rotary_plain, nf_ceil_div(pairs, 128), 128, 0, stream, *a);
        return;
    }
    frequencies turns = {};
    for (int i = 0; i < a->dim / 2; i++) {
        double f = std::pow((double)a->theta, -2.0 * i / a->dim) / 6.283185307179586;
        turns.high[i] = (float)f;
        turns.low[i] = (float)(f - (double)turns.high[i]);
    }
    NF_LAUNCH(rotary_fast, (unsigned)a->tokens, 256, 0, stream, *a, turns);
}

static void check_one(nf_bench *b, int version, int tokens, int heads, int dim)
{
    size_t stride = (size_t)(heads + 3) * (size_t)dim, n = (size_t)tokens * stride;
    nf_tensor x = nf_tensor_random(b, NF_BF16, n, 2.0f);
    float *want = static_cast<float *>(nf_host_get(b, n * sizeof(float)));
    int *positions = static_cast<int *>(nf_host_get(b, (size_t)tokens * sizeof(int)));
    void *dev_positions = nf_dev_get(b, (size_t)tokens * sizeof(int));
    if (!nf_ok(b)) {
        return;
    }
    for (int t = 0; t < tokens; t++) {
        positions[t] =
            t * 7919 % 32768; /* far positions are where float angles go wrong */
    }
    nf_dev_put(b, dev_positions, positions, (size_t)tokens * sizeof(int));
    nf_rotary a = {tokens,    heads, dim, stride, static_cast<int *>(dev_positions),
                   500000.0f, x.dev};
    memcpy(want, x.host, n * sizeof(float));
    nf_rotary_reference(want, positions, &a);
    nf_rotary_launch(version, &a, b->stream);
    char what[64], shape[NF_ROWS_TEXT];
    (void)snprintf(what, sizeof what, "rotary %s", versions[version].name);
    nf_shape(shape, "tokens=%d heads=%d dim=%d", tokens, heads, dim);
    /* The plain version's angle has the error of one float product: 32768 radians x 2^-24. */
    nf_bound bound = nf_bound_of(NF_BF16);
    bound.absolute = version == NF_ROTARY_PLAIN ? 2e-2 : bound.absolute;
    bound.norm = version == NF_ROTARY_PLAIN ? 1e-2 : bound.norm;
    nf_check_close(b, what, shape, &x, want, bound);
    nf_case_end(b);
}

static void check(nf_bench *b)
{
    for (int v = 0; v < NF_ROTARY_VERSIONS; v++) {
        check_one(b, v, 9, 10, 128);
        check_one(b, v, 4, 3, 64);
    }
}

static void measure(nf_bench *b)
{
    const int tokens[] = {1, 64, 1024, 8192};
    const int heads = 40, dim = 128; /* 32 query and 8 key heads of Llama-3.1-8B */
    size_t stride = 48 * 128;
    for (int t : tokens) {
        for (int v = 0; v < NF_ROTARY_VERSIONS; v++) {
            if (!nf_worth(b, &versions[v])) {
                continue;
            }
            double moved = 2.0 * 2.0 * t * heads * dim;
            double footprint = moved / 2.0; /* in place */
            nf_sets<nf_rotary> sets = {
                v, nf_rotary_launch, nf_sets_for(b, footprint), {}};
            int *positions = static_cast<int *>(nf_dev_get(b, (size_t)t * sizeof(int)));
            nf_dev_set(b, positions, 0, (size_t)t * sizeof(int));
            for (int s = 0; s < sets.count; s++) {
                void *x = nf_dev_get(b, (size_t)t * stride * 2);
                nf_dev_random(b, x, NF_BF16, (size_t)t * stride, 1.0f);
                sets.set[s] = {t, heads, dim, stride, positions, 500000.0f, x};
            }
            nf_measure m = nf_measure_of("rotary", versions[v].name, NF_BF16, 0.0, moved);
            m.footprint = footprint;
            nf_shape(m.row.shape, "tokens=%d heads=%d dim=%d", t, heads, dim);
            nf_measure_sets(b, &m, &sets, NF_ROTATED);
            nf_case_end(b);
        }
    }
}

extern "C" const nf_op nf_op_rotary = {"rotary", "rotary position embedding",
                                       versions, NF_ROTARY_VERSIONS,
                                       check,    measure,
                                       false,    {0.0, 0.0}};
