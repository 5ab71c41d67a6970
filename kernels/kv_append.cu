/*
 * kv_append.cu - the keys and values of new tokens into the paged cache, bf16: what stands between the projection
 * of a decoder layer and its attention.
 *
 * plain  one number a thread.
 * fast   16 bytes a thread, keys and values together.
 *
 * Every token's place in the cache comes from a list (page times 16 plus row), as a serving system keeps it.
 * Bytes: keys and values read once and written once, and the list.
 */
#include "device.cuh"
#include "sets.cuh"

static const nf_version versions[NF_KV_APPEND_VERSIONS] = {
    {"plain", "one number a thread", NF_ANY, false},
    {"fast", "16 bytes a thread", NF_ANY, true},
};

/* First number of a token's head in the cache. */
NF_DEV size_t place_of(const nf_kv_append &a, int token, int head)
{
    size_t slot = (size_t)a.slots[token], page = slot / NF_PAGE, row = slot % NF_PAGE;
    return ((page * (size_t)a.kv_heads + (size_t)head) * NF_PAGE + row) * (size_t)a.dim;
}

__global__ void __launch_bounds__(256) kv_append_plain(nf_kv_append a)
{
    size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    size_t width = (size_t)a.kv_heads * (size_t)a.dim;
    if (i >= (size_t)a.tokens * width) {
        return;
    }
    int token = (int)(i / width), head = (int)(i % width / (size_t)a.dim);
    size_t d = i % (size_t)a.dim, from = (size_t)token * a.stride + i % width;
    size_t to = place_of(a, token, head) + d;
    static_cast<nf_bf16 *>(a.keys)[to] = static_cast<const nf_bf16 *>(a.k)[from];
    static_cast<nf_bf16 *>(a.values)[to] = static_cast<const nf_bf16 *>(a.v)[from];
}

__global__ void __launch_bounds__(256) kv_append_fast(nf_kv_append a)
{
    size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    size_t pieces = (size_t)a.dim / 8, width = (size_t)a.kv_heads * pieces;
    if (i >= (size_t)a.tokens * width) {
        return;
    }
    int token = (int)(i / width), head = (int)(i % width / pieces);
    size_t from = (size_t)token * a.stride + i % width * 8;
    size_t to = place_of(a, token, head) + i % pieces * 8;
    nf_b128 k = nf_load16(static_cast<const nf_bf16 *>(a.k) + from);
    nf_b128 v = nf_load16(static_cast<const nf_bf16 *>(a.v) + from);
    nf_store16(static_cast<nf_bf16 *>(a.keys) + to, k);
    nf_store16(static_cast<nf_bf16 *>(a.values) + to, v);
}

extern "C" void nf_kv_append_launch(int version, const nf_kv_append *a, nf_stream stream)
{
    size_t numbers = (size_t)a->tokens * (size_t)a->kv_heads * (size_t)a->dim;
    if (version == NF_KV_APPEND_PLAIN) {
        NF_LAUNCH(kv_append_plain, nf_ceil_div(numbers, 256), 256, 0, stream, *a);
    } else {
        NF_LAUNCH(kv_append_fast, nf_ceil_div(numbers / 8, 256), 256, 0, stream, *a);
    }
}

/* Different places for `tokens` tokens among `slots`: steps of a prime number. */
static void scatter(int *list, int tokens, int slots)
{
    for (int t = 0; t < tokens; t++) {
        list[t] = (int)((size_t)t * 7919 % (size_t)slots);
    }
}

static void check_one(nf_bench *b, int version, int tokens, int kv_heads, int dim)
{
    int slots = (tokens + 21) / NF_PAGE * NF_PAGE + NF_PAGE;
    size_t stride = (size_t)((kv_heads * 2 + 3) * dim);
    size_t cache = (size_t)slots * (size_t)(kv_heads * dim);
    nf_tensor qkv = nf_tensor_random(b, NF_BF16, (size_t)tokens * stride, 2.0f);
    nf_tensor keys = nf_tensor_random(b, NF_BF16, cache, 1.0f);
    nf_tensor values = nf_tensor_random(b, NF_BF16, cache, 1.0f);
    float *want_keys = static_cast<float *>(nf_host_get(b, cache * sizeof(float)));
    float *want_values = static_cast<float *>(nf_host_get(b, cache * sizeof(float)));
    int *list = static_cast<int *>(nf_host_get(b, (size_t)tokens * sizeof(int)));
    void *dev_list = nf_dev_get(b, (size_t)tokens * sizeof(int));
    if (!nf_ok(b)) {
        return;
    }
    scatter(list, tokens, slots);
    nf_dev_put(b, dev_list, list, (size_t)tokens * sizeof(int));
    memcpy(want_keys, keys.host, cache * sizeof(float));
    memcpy(want_values, values.host, cache * sizeof(float));
    size_t k_at = (size_t)(3 * dim), v_at = (size_t)((3 + kv_heads) * dim);
    nf_kv_append a = {tokens,  kv_heads, dim,     stride, nullptr,
                      nullptr, list,     nullptr, nullptr};
    const float *const from[2] = {qkv.host + k_at, qkv.host + v_at};
    nf_kv_append_reference(want_keys, want_values, from, &a);
    a.slots = static_cast<int *>(dev_list);
    a.k = static_cast<uint16_t *>(qkv.dev) + k_at;
    a.v = static_cast<uint16_t *>(qkv.dev) + v_at;
    a.keys = keys.dev;
    a.values = values.dev;
    nf_kv_append_launch(version, &a, b->stream);
    char what[64], shape[NF_ROWS_TEXT];
    (void)snprintf(what, sizeof what, "kv_append %s", versions[version].name);
    nf_shape(shape, "tokens=%d kv_heads=%d dim=%d", tokens, kv_heads, dim);
    nf_check_close(b, what, shape, &keys, want_keys, {0.0, 0.0, 0.0});
    nf_check_close(b, what, shape, &values, want_values, {0.0, 0.0, 0.0});
    nf_case_end(b);
}

static void check(nf_bench *b)
{
    for (int v = 0; v < NF_KV_APPEND_VERSIONS; v++) {
        check_one(b, v, 1, 8, 128);
        check_one(b, v, 43, 3, 64);
    }
}

static void measure(nf_bench *b)
{
    const int tokens[] = {1, 64, 1024, 8192}, kv_heads = 8, dim = 128;
    const size_t stride = 48 * 128; /* Llama-3.1-8B */
    for (int t : tokens) {
        for (int v = 0; v < NF_KV_APPEND_VERSIONS; v++) {
            if (!nf_worth(b, &versions[v])) {
                continue;
            }
            int slots = (t / NF_PAGE + 1) * NF_PAGE;
            size_t cache = (size_t)slots * (size_t)(kv_heads * dim);
            double moved = 4.0 * 2.0 * t * kv_heads * dim + 4.0 * t;
            nf_sets<nf_kv_append> sets = {
                v, nf_kv_append_launch, nf_sets_for(b, moved), {}};
            int *list = static_cast<int *>(nf_host_get(b, (size_t)t * sizeof(int)));
            void *dev_list = nf_dev_get(b, (size_t)t * sizeof(int));
            if (!nf_ok(b)) {
                return;
            }
            scatter(list, t, slots);
            nf_dev_put(b, dev_list, list, (size_t)t * sizeof(int));
            for (int s = 0; s < sets.count && nf_ok(b); s++) {
                void *qkv = nf_dev_get(b, (size_t)t * stride * 2);
                nf_dev_random(b, qkv, NF_BF16, (size_t)t * stride, 1.0f);
                const uint16_t *rows = static_cast<uint16_t *>(qkv);
                void *keys = nf_dev_get(b, cache * 2);
                sets.set[s] = {t,
                               kv_heads,
                               dim,
                               stride,
                               rows + 32 * 128,
                               rows + 40 * 128,
                               static_cast<int *>(dev_list),
                               keys,
                               nf_dev_get(b, cache * 2)};
            }
            nf_measure m =
                nf_measure_of("kv_append", versions[v].name, NF_BF16, 0.0, moved);
            nf_shape(m.row.shape, "tokens=%d kv_heads=%d dim=%d page=%d", t, kv_heads,
                     dim, NF_PAGE);
            nf_measure_sets(b, &m, &sets, NF_ROTATED);
            nf_case_end(b);
        }
    }
}

extern "C" const nf_op nf_op_kv_append = {
    "kv_append", "new keys and values into the paged cache",
    versions,    NF_KV_APPEND_VERSIONS,
    check,       measure,
    false,       {0.0, 0.0}};
