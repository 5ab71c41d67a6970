/*
 * gemm_lt.cu - matrix products through cuBLASLt, in the way serving systems use it.
 *
 * heuristic  the first algorithm that the library's heuristic names for the shape, given 32 MiB of workspace:
 *            what a framework gets without tuning.
 * tuned      the fastest of the first eight, timed on the buffers at hand.
 * precise    fp8 alone: as `heuristic`, but with sums that are carried on in float.
 *
 * Layout: the library thinks in columns. Our c[m][n] row by row is its n x m matrix D, our weights b[n][k]
 *         are its A (k x n, transposed), our a[m][k] is its B (k x m, as it stands): the "TN" layout, the
 *         one that fp8 and int8 products need.
 * Types:  bf16 and fp16 with float sums; fp8 (e4m3) with a scale for each factor read from device memory and
 *         results in bf16; its sums are the tensor cores' own of about 14 bits ("fast accumulation", as serving
 *         systems run it), in `precise` carried on in float; int8 with int32 sums and results.
 * Source: cuBLAS documentation, cublasLtMatmul; cublasLt.h.
 */
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <cuda_runtime.h>

#include "gpu.h"
#include "library.h"
#include "sets.cuh"

#if __has_include(<cublasLt.h>)
#include <cublasLt.h>
#define NF_HAVE_LT 1
#endif

static const nf_version versions[NF_LT_VERSIONS] = {
    {"heuristic", "the heuristic's first algorithm, 32 MiB of workspace", NF_ANY, true},
    {"tuned", "the fastest of the heuristic's first eight", NF_ANY, false},
    {"precise", "fp8 without fast accumulation, the heuristic's first algorithm",
     NF_NEED_FP8, false},
};

#ifdef NF_HAVE_LT

static constexpr size_t workspace_bytes = (size_t)32 << 20;
static constexpr int candidates = 8;

#define NF_TEXT_OF(x) #x
#define NF_TEXT(x)    NF_TEXT_OF(x)
static const char library_name[] = "libcublasLt.so." NF_TEXT(CUBLAS_VER_MAJOR);

struct nf_lt {
    decltype(&cublasLtCreate) create;
    decltype(&cublasLtDestroy) destroy;
    decltype(&cublasLtMatmul) matmul;
    decltype(&cublasLtMatmulDescCreate) desc_create;
    decltype(&cublasLtMatmulDescDestroy) desc_destroy;
    decltype(&cublasLtMatmulDescSetAttribute) desc_set;
    decltype(&cublasLtMatrixLayoutCreate) layout_create;
    decltype(&cublasLtMatrixLayoutDestroy) layout_destroy;
    decltype(&cublasLtMatmulPreferenceCreate) preference_create;
    decltype(&cublasLtMatmulPreferenceDestroy) preference_destroy;
    decltype(&cublasLtMatmulPreferenceSetAttribute) preference_set;
    decltype(&cublasLtMatmulAlgoGetHeuristic) heuristic;
    cublasLtHandle_t handle;
    void *workspace;
    float *scales; /* device: of our a, of our b */
    nf_bench *bench;
    nf_lt_plan *plans;
    char why[NF_WHY]; /* not empty: cannot be used */
};

struct nf_lt_plan {
    nf_lt_plan *next;
    nf_lt *lt;
    int version, m, n, k;
    nf_dtype type;
    cublasLtMatmulDesc_t operation;
    cublasLtMatrixLayout_t weights, tokens, out;
    cublasLtMatmulAlgo_t algorithm;
    bool usable;
};

static bool find_functions(nf_lt *lt)
{
    void *library = nf_library_open(library_name, &lt->why);
    return library && nf_library_find(library, "cublasLtCreate", &lt->create, &lt->why) &&
           nf_library_find(library, "cublasLtDestroy", &lt->destroy, &lt->why) &&
           nf_library_find(library, "cublasLtMatmul", &lt->matmul, &lt->why) &&
           nf_library_find(library, "cublasLtMatmulDescCreate", &lt->desc_create,
                           &lt->why) &&
           nf_library_find(library, "cublasLtMatmulDescDestroy", &lt->desc_destroy,
                           &lt->why) &&
           nf_library_find(library, "cublasLtMatmulDescSetAttribute", &lt->desc_set,
                           &lt->why) &&
           nf_library_find(library, "cublasLtMatrixLayoutCreate", &lt->layout_create,
                           &lt->why) &&
           nf_library_find(library, "cublasLtMatrixLayoutDestroy", &lt->layout_destroy,
                           &lt->why) &&
           nf_library_find(library, "cublasLtMatmulPreferenceCreate",
                           &lt->preference_create, &lt->why) &&
           nf_library_find(library, "cublasLtMatmulPreferenceDestroy",
                           &lt->preference_destroy, &lt->why) &&
           nf_library_find(library, "cublasLtMatmulPreferenceSetAttribute",
                           &lt->preference_set, &lt->why) &&
           nf_library_find(library, "cublasLtMatmulAlgoGetHeuristic", &lt->heuristic,
                           &lt->why);
}

static bool set_scales(nf_lt *lt, float a, float b)
{
    const float scales[2] = {a, b};
    return cudaMemcpyAsync(lt->scales, scales, sizeof scales, cudaMemcpyHostToDevice,
                           lt->bench->stream) == cudaSuccess;
}

/* Opens the library once; afterwards the reason of a failure is repeated. */
static nf_lt *library_of(nf_bench *b)
{
    if (b->lt || !nf_ok(b)) {
        return b->lt;
    }
    nf_lt *lt = static_cast<nf_lt *>(std::calloc(1, sizeof *lt));
    if (!lt) {
        nf_fail(b, "no memory");
        return nullptr;
    }
    b->lt = lt;
    lt->bench = b;
    if (!find_functions(lt)) {
        return lt;
    }
    cublasStatus_t status = lt->create(&lt->handle);
    if (status != CUBLAS_STATUS_SUCCESS) {
        (void)std::snprintf(lt->why, sizeof lt->why,
                            "cublasLtCreate fails with status %d", (int)status);
    } else if (cudaMalloc(&lt->workspace, workspace_bytes) != cudaSuccess ||
               cudaMalloc(&lt->scales, 2 * sizeof(float)) != cudaSuccess ||
               !set_scales(lt, 1.0f, 1.0f)) {
        (void)std::snprintf(lt->why, sizeof lt->why, "no device memory for cuBLASLt");
    }
    return lt;
}

extern "C" bool nf_lt_there(nf_bench *b, char (*why)[NF_WHY])
{
    nf_lt *lt = library_of(b);
    bool there = lt && lt->why[0] == '\0';
    if (!there) {
        (void)std::snprintf(*why, sizeof *why, "%.150s", lt ? lt->why : b->error);
    }
    return there;
}

/* --- plans ------------------------------------------------------------------------------------------ */

static void drop_plan(nf_lt *lt, nf_lt_plan *p)
{
    if (p->operation) {
        (void)lt->desc_destroy(p->operation);
    }
    const cublasLtMatrixLayout_t layouts[] = {p->weights, p->tokens, p->out};
    for (cublasLtMatrixLayout_t layout : layouts) {
        if (layout) {
            (void)lt->layout_destroy(layout);
        }
    }
    std::free(p);
}

extern "C" void nf_lt_close(nf_bench *b)
{
    nf_lt *lt = b->lt;
    if (!lt) {
        return;
    }
    while (lt->plans) {
        nf_lt_plan *next = lt->plans->next;
        drop_plan(lt, lt->plans);
        lt->plans = next;
    }
    if (lt->handle) {
        (void)lt->destroy(lt->handle);
    }
    (void)cudaFree(lt->workspace);
    (void)cudaFree(lt->scales);
    std::free(lt);
    b->lt = nullptr;
}

static cudaDataType_t cuda_type(nf_dtype type)
{
    switch (type) {
    case NF_BF16:
        return CUDA_R_16BF;
    case NF_F16:
        return CUDA_R_16F;
    case NF_E4M3:
        return CUDA_R_8F_E4M3;
    case NF_S8:
        return CUDA_R_8I;
    case NF_S32:
        return CUDA_R_32I;
    default:
        return CUDA_R_32F;
    }
}

static bool describe(nf_lt *lt, nf_lt_plan *p)
{
    bool whole = p->type == NF_S8;
    cudaDataType_t in = cuda_type(p->type), out = cuda_type(nf_gemm_out(p->type));
    uint64_t m = (uint64_t)p->m, n = (uint64_t)p->n, k = (uint64_t)p->k;
    const cublasOperation_t transposed = CUBLAS_OP_T, plain = CUBLAS_OP_N;
    bool ok =
        lt->desc_create(&p->operation, whole ? CUBLAS_COMPUTE_32I : CUBLAS_COMPUTE_32F,
                        whole ? CUDA_R_32I : CUDA_R_32F) == CUBLAS_STATUS_SUCCESS &&
        lt->desc_set(p->operation, CUBLASLT_MATMUL_DESC_TRANSA, &transposed,
                     sizeof transposed) == CUBLAS_STATUS_SUCCESS &&
        lt->desc_set(p->operation, CUBLASLT_MATMUL_DESC_TRANSB, &plain, sizeof plain) ==
            CUBLAS_STATUS_SUCCESS &&
        lt->layout_create(&p->weights, in, k, n, (int64_t)k) == CUBLAS_STATUS_SUCCESS &&
        lt->layout_create(&p->tokens, in, k, m, (int64_t)k) == CUBLAS_STATUS_SUCCESS &&
        lt->layout_create(&p->out, out, n, m, (int64_t)n) == CUBLAS_STATUS_SUCCESS;
    if (ok && p->type == NF_E4M3) {
        const void *of_weights = lt->scales + 1, *of_tokens = lt->scales;
        const int8_t fast_sums = p->version != NF_LT_PRECISE;
        ok = lt->desc_set(p->operation, CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, &of_weights,
                          sizeof of_weights) == CUBLAS_STATUS_SUCCESS &&
             lt->desc_set(p->operation, CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, &of_tokens,
                          sizeof of_tokens) == CUBLAS_STATUS_SUCCESS &&
             lt->desc_set(p->operation, CUBLASLT_MATMUL_DESC_FAST_ACCUM, &fast_sums,
                          sizeof fast_sums) == CUBLAS_STATUS_SUCCESS;
    }
    return ok;
}

static cublasStatus_t enqueue(const nf_lt_plan *p, const nf_gemm *g, nf_stream stream)
{
    const nf_lt *lt = p->lt;
    const float scale = g->scale, zero = 0.0f;
    const int32_t one = 1, nothing = 0;
    bool whole = p->type == NF_S8;
    const void *alpha = whole ? static_cast<const void *>(&one) : &scale;
    const void *beta = whole ? static_cast<const void *>(&nothing) : &zero;
    return lt->matmul(lt->handle, p->operation, alpha, g->b, p->weights, g->a, p->tokens,
                      beta, g->c, p->out, g->c, p->out, &p->algorithm, lt->workspace,
                      workspace_bytes, stream);
}

/* Milliseconds of five launches after one to warm up; huge if the algorithm fails. */
static float time_of(nf_lt_plan *p, const nf_gemm *g, nf_stream stream)
{
    cudaEvent_t begin = nullptr, end = nullptr;
    float ms = 1e30f;
    bool ok = cudaEventCreate(&begin) == cudaSuccess &&
              cudaEventCreate(&end) == cudaSuccess &&
              enqueue(p, g, stream) == CUBLAS_STATUS_SUCCESS &&
              cudaEventRecord(begin, stream) == cudaSuccess;
    for (int i = 0; ok && i < 5; i++) {
        ok = enqueue(p, g, stream) == CUBLAS_STATUS_SUCCESS;
    }
    if (ok && cudaEventRecord(end, stream) == cudaSuccess &&
        cudaEventSynchronize(end) == cudaSuccess &&
        cudaEventElapsedTime(&ms, begin, end) != cudaSuccess) {
        ms = 1e30f;
    }
    if (begin) {
        (void)cudaEventDestroy(begin);
    }
    if (end) {
        (void)cudaEventDestroy(end);
    }
    return ms;
}

static void choose(nf_lt *lt, nf_lt_plan *p, const nf_gemm *g)
{
    cublasLtMatmulPreference_t preference = nullptr;
    cublasLtMatmulHeuristicResult_t found[candidates];
    int wanted = p->version == NF_LT_TUNED ? candidates : 1, count = 0;
    const uint64_t most = workspace_bytes;
    if (lt->preference_create(&preference) == CUBLAS_STATUS_SUCCESS &&
        lt->preference_set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &most,
                           sizeof most) == CUBLAS_STATUS_SUCCESS &&
        lt->heuristic(lt->handle, p->operation, p->weights, p->tokens, p->out, p->out,
                      preference, wanted, found, &count) != CUBLAS_STATUS_SUCCESS) {
        count = 0;
    }
    float best = 1e30f;
    for (int i = 0; i < count; i++) {
        if (found[i].state != CUBLAS_STATUS_SUCCESS) {
            continue;
        }
        cublasLtMatmulAlgo_t before = p->algorithm;
        p->algorithm = found[i].algo;
        float ms = p->version == NF_LT_TUNED ? time_of(p, g, lt->bench->stream) : 0.0f;
        p->algorithm = ms < best ? found[i].algo : before;
        p->usable = p->usable || ms < best;
        best = ms < best ? ms : best;
    }
    (void)cudaGetLastError(); /* of candidates that could not run */
    if (preference) {
        (void)lt->preference_destroy(preference);
    }
}

extern "C" const nf_lt_plan *nf_lt_plan_for(nf_bench *b, int version, const nf_gemm *g)
{
    nf_lt *lt = library_of(b);
    if (!lt || lt->why[0] != '\0') {
        return nullptr;
    }
    for (nf_lt_plan *p = lt->plans; p; p = p->next) {
        if (p->version == version && p->type == g->type && p->m == g->m && p->n == g->n &&
            p->k == g->k) {
            return p->usable ? p : nullptr;
        }
    }
    nf_lt_plan *p = static_cast<nf_lt_plan *>(std::calloc(1, sizeof *p));
    if (!p) {
        nf_fail(b, "no memory");
        return nullptr;
    }
    p->next = lt->plans;
    lt->plans = p;
    p->lt = lt;
    p->version = version;
    p->type = g->type;
    p->m = g->m;
    p->n = g->n;
    p->k = g->k;
    if (describe(lt, p)) {
        choose(lt, p, g);
    }
    return p->usable ? p : nullptr;
}

extern "C" void nf_lt_launch(const nf_lt_plan *p, const nf_gemm *g, nf_stream stream)
{
    cublasStatus_t status = enqueue(p, g, stream);
    if (status != CUBLAS_STATUS_SUCCESS) {
        nf_fail(p->lt->bench, "cublasLtMatmul m=%d n=%d k=%d %s: status %d", g->m, g->n,
                g->k, nf_dtype_name(g->type), (int)status);
    }
}

#else

extern "C" bool nf_lt_there(nf_bench *, char (*why)[NF_WHY])
{
    (void)std::snprintf(*why, sizeof *why, "built without cublasLt.h");
    return false;
}
extern "C" const nf_lt_plan *nf_lt_plan_for(nf_bench *, int, const nf_gemm *)
{
    return nullptr;
}
extern "C" void nf_lt_launch(const nf_lt_plan *, const nf_gemm *, nf_stream)
{
}
extern "C" void nf_lt_close(nf_bench *)
{
}
static bool set_scales(nf_lt *, float, float)
{
    return false;
}

#endif

/* --- check and measure -------------------------------------------------------------------------------- */

/* A device without the type's tensor cores is not asked. */
static bool must_have(const nf_bench *b, nf_dtype type)
{
    return type != NF_E4M3 || b->facts.compute_capability >= 89;
}

/* Only fp8 has sums of two kinds. */
static bool has_version(int version, nf_dtype type)
{
    return version != NF_LT_PRECISE || type == NF_E4M3;
}

/* The tensor cores of 9.0 keep about 14 bits of an fp8 product's sum (DeepSeek-V3 technical report, 2024, section
 * 3.3.2): every step of 32 along k may lose 2^-13 of the sum so far, whose size grows with the root of k. */
static nf_bound bound_of(nf_dtype type, int version, int k)
{
    nf_bound bound = nf_bound_of(nf_gemm_out(type));
    bound.absolute *= type == NF_S8 ? 1.0 : std::sqrt((double)k);
    if (type == NF_E4M3 && version != NF_LT_PRECISE) {
        double lost = std::ceil((double)k / 32.0) * 0x1p-13;
        bound.absolute += 2.0 * lost * std::sqrt((double)k);
        bound.norm += lost;
    }
    return bound;
}

static const char no_plan[] = "the library has no algorithm for it";

static void say_left_out(const char *what, const char *shape, const char *why)
{
    char which[NF_ROWS_TEXT + 96];
    (void)std::snprintf(which, sizeof which, "%s %s", what, shape);
    nf_left_out(which, why);
}

static void check_one(nf_bench *b, nf_dtype type, int m, int n, int k)
{
    const float a_scale = 0.75f, b_scale = 1.5f;
    float range = type == NF_S8 ? 127.0f : 1.0f;
    nf_tensor x = nf_tensor_random(b, type, (size_t)m * (size_t)k, range);
    nf_tensor w = nf_tensor_random(b, type, (size_t)n * (size_t)k, range);
    size_t results = (size_t)m * (size_t)n;
    float *want = static_cast<float *>(nf_host_get(b, results * sizeof(float)));
    if (!nf_ok(b)) {
        return;
    }
    nf_gemm_reference(want, x.host, w.host, m, n, k);
    float scale = type == NF_S8 ? 1.0f : 1.25f;
    for (size_t i = 0; i < results; i++) {
        want[i] *= scale * (type == NF_E4M3 ? a_scale * b_scale : 1.0f);
    }
    char what[64], shape[NF_ROWS_TEXT];
    nf_shape(shape, "m=%d n=%d k=%d", m, n, k);
    for (int v = 0; v < NF_LT_VERSIONS; v++) {
        if (!has_version(v, type)) {
            continue;
        }
        nf_tensor out = nf_tensor_poisoned(b, nf_gemm_out(type), results);
        nf_gemm g = {m, n, k, type, x.dev, w.dev, out.dev, scale, {}, {}};
        const nf_lt_plan *plan = nf_lt_plan_for(b, v, &g);
        (void)std::snprintf(what, sizeof what, "gemm_lt %s %s", versions[v].name,
                            nf_dtype_name(type));
        if (!plan) {
            say_left_out(what, shape, no_plan);
            continue;
        }
        /* Tuning has written results: poison them again. */
        nf_dev_set(b, out.dev, 0xff, results * nf_dtype_bytes(out.type));
        set_scales(b->lt, a_scale, b_scale);
        nf_lt_launch(plan, &g, b->stream);
        nf_check_close(b, what, shape, &out, want, bound_of(type, v, k));
        set_scales(b->lt, 1.0f, 1.0f);
    }
    nf_case_end(b);
}

static const nf_dtype types[] = {NF_BF16, NF_F16, NF_E4M3, NF_S8};

static void check(nf_bench *b)
{
    char why[NF_WHY];
    if (!nf_lt_there(b, &why)) {
        nf_left_out("gemm_lt", why);
        return;
    }
    for (nf_dtype type : types) {
        if (!must_have(b, type)) {
            continue;
        }
        check_one(b, type, 48, 64, 144);
        check_one(b, type, 1, 128, 640);
        check_one(b, type, 512, 768, 1088);
    }
}

struct lt_arguments {
    const nf_lt_plan *plan;
    nf_gemm g;
};

static void launch(int, const lt_arguments *a, nf_stream stream)
{
    nf_lt_launch(a->plan, &a->g, stream);
}

static void measure_one(nf_bench *b, int version, nf_dtype type, const int (&s)[3])
{
    size_t m = (size_t)s[0], n = (size_t)s[1], k = (size_t)s[2];
    size_t out_bytes = nf_dtype_bytes(nf_gemm_out(type)), in_bytes = nf_dtype_bytes(type);
    double moved = (double)(in_bytes * (m * k + n * k) + out_bytes * m * n);
    nf_sets<lt_arguments> sets = {version, launch, nf_sets_for(b, moved), {}};
    char what[64], shape[NF_ROWS_TEXT];
    nf_shape(shape, "m=%d n=%d k=%d", s[0], s[1], s[2]);
    (void)std::snprintf(what, sizeof what, "gemm_lt %s %s", versions[version].name,
                        nf_dtype_name(type));
    if (moved * sets.count > 0.8 * (double)nf_dev_free_bytes(b)) {
        say_left_out(what, shape, NF_TOO_LARGE);
        return;
    }
    for (int i = 0; i < sets.count && nf_ok(b); i++) {
        float range = type == NF_S8 ? 127.0f : 1.0f;
        void *x = nf_dev_get(b, m * k * in_bytes), *w = nf_dev_get(b, n * k * in_bytes);
        nf_dev_random(b, x, type, m * k, range);
        nf_dev_random(b, w, type, n * k, range);
        nf_gemm g = {s[0], s[1], s[2], type, x, w, nf_dev_get(b, m * n * out_bytes),
                     1.0f, {},   {}};
        sets.set[i] = {nf_ok(b) ? nf_lt_plan_for(b, version, &g) : nullptr, g};
        if (!sets.set[i].plan) {
            break;
        }
    }
    if (nf_ok(b) && sets.set[0].plan) {
        nf_measure m1 = nf_measure_of("gemm_lt", versions[version].name, type,
                                      2.0 * (double)m * (double)n * (double)k, moved);
        (void)std::snprintf(m1.row.shape, sizeof m1.row.shape, "%s", shape);
        nf_measure_sets(b, &m1, &sets, NF_ROTATED);
    } else if (nf_ok(b)) {
        say_left_out(what, shape, no_plan);
    }
    nf_case_end(b);
}

/* n and k of the products of Llama-3.1-8B's layer; then of 70B's on 8 ranks and of a diffusion block. */
static const int weights[][2] = {{6144, 4096},  {4096, 4096},  {28672, 4096},
                                 {4096, 14336}, {1280, 8192},  {8192, 1024},
                                 {7168, 8192},  {8192, 3584},  {9216, 3072},
                                 {3072, 3072},  {12288, 3072}, {3072, 12288}};
enum { OF_8B = 4 };
static const int tokens[] = {1, 16, 128, 1024, 4096, 8, 64, 256, 512, 2048, 8192};
enum { QUICK_TOKENS = 5 };

/* The cube and the shapes of --quick. */
static void measure_first(nf_bench *b, nf_dtype type)
{
    const int cube[3] = {8192, 8192, 8192};
    for (int v = 0; v < NF_LT_VERSIONS && must_have(b, type); v++) {
        if (has_version(v, type) && nf_worth(b, &versions[v])) {
            measure_one(b, v, type, cube);
        }
    }
    for (int w = 0; w < OF_8B; w++) {
        for (int t = 0; t < QUICK_TOKENS && must_have(b, type); t++) {
            const int shape[3] = {tokens[t], weights[w][0], weights[w][1]};
            if (nf_main_turn(b)) {
                measure_one(b, NF_LT_HEURISTIC, type, shape);
            } else if (tokens[t] >= 1024 && has_version(NF_LT_PRECISE, type) &&
                       nf_worth(b, &versions[NF_LT_PRECISE])) {
                measure_one(b, NF_LT_PRECISE, type, shape);
            }
        }
    }
}

static void measure_rest(nf_bench *b, nf_dtype type)
{
    int rows = sizeof tokens / sizeof *tokens, kinds = sizeof weights / sizeof *weights;
    for (int t = 0; t < rows; t++) {
        for (int w = 0; w < kinds && must_have(b, type); w++) {
            const int shape[3] = {tokens[t], weights[w][0], weights[w][1]};
            if ((w >= OF_8B || t >= QUICK_TOKENS) && nf_main_turn(b)) {
                measure_one(b, NF_LT_HEURISTIC, type, shape);
            }
        }
    }
}

/* What serving uses most comes first, so that a short budget loses the least. */
static void measure(nf_bench *b)
{
    char why[NF_WHY];
    if (!nf_lt_there(b, &why)) {
        nf_left_out("gemm_lt", why);
        return;
    }
    measure_first(b, NF_BF16);
    measure_first(b, NF_E4M3);
    if (b->scope == NF_FULL) {
        measure_rest(b, NF_BF16);
        measure_rest(b, NF_E4M3);
        measure_first(b, NF_F16);
        measure_first(b, NF_S8);
    }
}

extern "C" const nf_op nf_op_gemm_lt = {"gemm_lt", "matrix product, cuBLASLt",
                                        versions,  NF_LT_VERSIONS,
                                        check,     measure,
                                        false,     {0.0, 0.0}};
