/*
 * conv2d_cudnn.cu - the convolutions of conv2d.cu through cuDNN, fp16, channels last, with bias, an addition and
 * ReLU in the same call (y = act(conv(x) + z + bias)), float sums on the tensor cores.
 *
 * heuristic  the first algorithm that the library's heuristic names and that fits the workspace.
 * tuned      the fastest that cudnnFindConvolutionForwardAlgorithmEx finds.
 *
 * Without ReLU the library takes one algorithm only (implicit product with precomputed offsets). A convolution
 * without bias gets one of zeros, without an addition a factor of zero on it.
 * Source: cuDNN documentation, legacy API; cudnn_cnn.h. That interface is marked as deprecated, and still the one
 *         that a plain C program without the C++ frontend can use.
 */
#include <cstdlib>
#include <cuda_runtime.h>

#include "conv2d_shapes.h"
#include "library.h"
#include "sets.cuh"

#if __has_include(<cudnn.h>)
#include <cudnn.h>
#define NF_HAVE_DNN 1
#endif

static const nf_version versions[NF_DNN_VERSIONS] = {
    {"heuristic", "the heuristic's first algorithm", NF_ANY, true},
    {"tuned", "the fastest that cuDNN finds by trying", NF_ANY, false},
};

#ifdef NF_HAVE_DNN

static constexpr size_t workspace_bytes = (size_t)64 << 20;
static constexpr int filters_max = 8192;

#define NF_TEXT_OF(x) #x
#define NF_TEXT(x)    NF_TEXT_OF(x)
static const char library_name[] = "libcudnn.so." NF_TEXT(CUDNN_MAJOR);

struct nf_dnn {
    decltype(&cudnnCreate) create;
    decltype(&cudnnDestroy) destroy;
    decltype(&cudnnSetStream) set_stream;
    decltype(&cudnnCreateTensorDescriptor) tensor_create;
    decltype(&cudnnDestroyTensorDescriptor) tensor_destroy;
    decltype(&cudnnSetTensor4dDescriptor) tensor_set;
    decltype(&cudnnCreateFilterDescriptor) filter_create;
    decltype(&cudnnDestroyFilterDescriptor) filter_destroy;
    decltype(&cudnnSetFilter4dDescriptor) filter_set;
    decltype(&cudnnCreateConvolutionDescriptor) convolution_create;
    decltype(&cudnnDestroyConvolutionDescriptor) convolution_destroy;
    decltype(&cudnnSetConvolution2dDescriptor) convolution_set;
    decltype(&cudnnSetConvolutionMathType) convolution_math;
    decltype(&cudnnCreateActivationDescriptor) activation_create;
    decltype(&cudnnDestroyActivationDescriptor) activation_destroy;
    decltype(&cudnnSetActivationDescriptor) activation_set;
    decltype(&cudnnGetConvolutionForwardAlgorithm_v7) heuristic;
    decltype(&cudnnFindConvolutionForwardAlgorithmEx) find;
    decltype(&cudnnGetConvolutionForwardWorkspaceSize) workspace_size;
    decltype(&cudnnConvolutionBiasActivationForward) forward;
    cudnnHandle_t handle;
    nf_stream stream;
    void *workspace, *zeros;
    nf_bench *bench;
    nf_dnn_plan *plans;
    char why[NF_WHY]; /* not empty: cannot be used */
};

struct nf_dnn_plan {
    nf_dnn_plan *next;
    nf_dnn *dnn;
    int version;
    nf_conv2d shape; /* its pointers are unused */
    cudnnTensorDescriptor_t x, y, bias;
    cudnnFilterDescriptor_t w;
    cudnnConvolutionDescriptor_t convolution;
    cudnnActivationDescriptor_t activation;
    cudnnConvolutionFwdAlgo_t algorithm;
    bool usable;
};

static bool find_functions(nf_dnn *d)
{
    void *library = nf_library_open(library_name, &d->why);
    struct {
        const char *name;
        void *function;
    } const wanted[] = {
        {"cudnnCreate", &d->create},
        {"cudnnDestroy", &d->destroy},
        {"cudnnSetStream", &d->set_stream},
        {"cudnnCreateTensorDescriptor", &d->tensor_create},
        {"cudnnDestroyTensorDescriptor", &d->tensor_destroy},
        {"cudnnSetTensor4dDescriptor", &d->tensor_set},
        {"cudnnCreateFilterDescriptor", &d->filter_create},
        {"cudnnDestroyFilterDescriptor", &d->filter_destroy},
        {"cudnnSetFilter4dDescriptor", &d->filter_set},
        {"cudnnCreateConvolutionDescriptor", &d->convolution_create},
        {"cudnnDestroyConvolutionDescriptor", &d->convolution_destroy},
        {"cudnnSetConvolution2dDescriptor", &d->convolution_set},
        {"cudnnSetConvolutionMathType", &d->convolution_math},
        {"cudnnCreateActivationDescriptor", &d->activation_create},
        {"cudnnDestroyActivationDescriptor", &d->activation_destroy},
        {"cudnnSetActivationDescriptor", &d->activation_set},
        {"cudnnGetConvolutionForwardAlgorithm_v7", &d->heuristic},
        {"cudnnFindConvolutionForwardAlgorithmEx", &d->find},
        {"cudnnGetConvolutionForwardWorkspaceSize", &d->workspace_size},
        {"cudnnConvolutionBiasActivationForward", &d->forward},
    };
    bool all = library != nullptr;
    for (const auto &w : wanted) {
        all = all && nf_library_find(library, w.name, w.function, &d->why);
    }
    return all;
}

static nf_dnn *library_of(nf_bench *b)
{
    if (b->dnn || !nf_ok(b)) {
        return b->dnn;
    }
    nf_dnn *d = static_cast<nf_dnn *>(std::calloc(1, sizeof *d));
    if (!d) {
        nf_fail(b, "no memory");
        return nullptr;
    }
    b->dnn = d;
    d->bench = b;
    d->stream = b->stream;
    if (!find_functions(d)) {
        return d;
    }
    cudnnStatus_t status = d->create(&d->handle);
    status =
        status == CUDNN_STATUS_SUCCESS ? d->set_stream(d->handle, b->stream) : status;
    if (status != CUDNN_STATUS_SUCCESS) {
        (void)std::snprintf(d->why, sizeof d->why, "cudnnCreate fails with status %d",
                            (int)status);
    } else if (cudaMalloc(&d->workspace, workspace_bytes) != cudaSuccess ||
               cudaMalloc(&d->zeros, filters_max * 2) != cudaSuccess ||
               cudaMemsetAsync(d->zeros, 0, filters_max * 2, b->stream) != cudaSuccess) {
        (void)std::snprintf(d->why, sizeof d->why, "no device memory for cuDNN");
    }
    return d;
}

extern "C" bool nf_dnn_there(nf_bench *b, char (*why)[NF_WHY])
{
    nf_dnn *d = library_of(b);
    bool there = d && d->why[0] == '\0';
    if (!there) {
        (void)std::snprintf(*why, sizeof *why, "%.150s", d ? d->why : b->error);
    }
    return there;
}

/* --- plans ------------------------------------------------------------------------------------------ */

static void drop_plan(nf_dnn *d, nf_dnn_plan *p)
{
    const cudnnTensorDescriptor_t tensors[] = {p->x, p->y, p->bias};
    for (cudnnTensorDescriptor_t t : tensors) {
        if (t) {
            (void)d->tensor_destroy(t);
        }
    }
    if (p->w) {
        (void)d->filter_destroy(p->w);
    }
    if (p->convolution) {
        (void)d->convolution_destroy(p->convolution);
    }
    if (p->activation) {
        (void)d->activation_destroy(p->activation);
    }
    std::free(p);
}

extern "C" void nf_dnn_close(nf_bench *b)
{
    nf_dnn *d = b->dnn;
    if (!d) {
        return;
    }
    while (d->plans) {
        nf_dnn_plan *next = d->plans->next;
        drop_plan(d, d->plans);
        d->plans = next;
    }
    if (d->handle) {
        (void)d->destroy(d->handle);
    }
    (void)cudaFree(d->workspace);
    (void)cudaFree(d->zeros);
    std::free(d);
    b->dnn = nullptr;
}

static bool describe_tensor(nf_dnn *d, cudnnTensorDescriptor_t *t, int n, int c, int h,
                            int w)
{
    return d->tensor_create(t) == CUDNN_STATUS_SUCCESS &&
           d->tensor_set(*t, CUDNN_TENSOR_NHWC, CUDNN_DATA_HALF, n, c, h, w) ==
               CUDNN_STATUS_SUCCESS;
}

static bool describe(nf_dnn *d, nf_dnn_plan *p)
{
    const nf_conv2d &a = p->shape;
    int height = nf_conv2d_out(a.height, &a), width = nf_conv2d_out(a.width, &a);
    return a.filters <= filters_max &&
           describe_tensor(d, &p->x, a.batch, a.channels, a.height, a.width) &&
           describe_tensor(d, &p->y, a.batch, a.filters, height, width) &&
           describe_tensor(d, &p->bias, 1, a.filters, 1, 1) &&
           d->filter_create(&p->w) == CUDNN_STATUS_SUCCESS &&
           d->filter_set(p->w, CUDNN_DATA_HALF, CUDNN_TENSOR_NHWC, a.filters, a.channels,
                         a.kernel, a.kernel) == CUDNN_STATUS_SUCCESS &&
           d->convolution_create(&p->convolution) == CUDNN_STATUS_SUCCESS &&
           d->convolution_set(p->convolution, a.pad, a.pad, a.stride, a.stride, 1, 1,
                              CUDNN_CROSS_CORRELATION,
                              CUDNN_DATA_FLOAT) == CUDNN_STATUS_SUCCESS &&
           d->convolution_math(p->convolution, CUDNN_TENSOR_OP_MATH) ==
               CUDNN_STATUS_SUCCESS &&
           d->activation_create(&p->activation) == CUDNN_STATUS_SUCCESS &&
           d->activation_set(p->activation,
                             a.relu ? CUDNN_ACTIVATION_RELU : CUDNN_ACTIVATION_IDENTITY,
                             CUDNN_PROPAGATE_NAN, 0.0) == CUDNN_STATUS_SUCCESS;
}

static bool fits(nf_dnn *d, const nf_dnn_plan *p, cudnnConvolutionFwdAlgo_t algorithm)
{
    size_t bytes = 0;
    return d->workspace_size(d->handle, p->x, p->w, p->convolution, p->y, algorithm,
                             &bytes) == CUDNN_STATUS_SUCCESS &&
           bytes <= workspace_bytes;
}

static void choose(nf_dnn *d, nf_dnn_plan *p, const nf_conv2d *a)
{
    cudnnConvolutionFwdAlgoPerf_t found[CUDNN_CONVOLUTION_FWD_ALGO_COUNT];
    int count = 0;
    p->algorithm = CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM;
    if (!a->relu) {
        p->usable = fits(d, p, p->algorithm);
        return;
    }
    cudnnStatus_t status =
        p->version == NF_DNN_TUNED
            ? d->find(d->handle, p->x, a->x, p->w, a->w, p->convolution, p->y, a->out,
                      CUDNN_CONVOLUTION_FWD_ALGO_COUNT, &count, found, d->workspace,
                      workspace_bytes)
            : d->heuristic(d->handle, p->x, p->w, p->convolution, p->y,
                           CUDNN_CONVOLUTION_FWD_ALGO_COUNT, &count, found);
    (void)cudaGetLastError(); /* of candidates that could not run */
    for (int i = 0; status == CUDNN_STATUS_SUCCESS && i < count && !p->usable; i++) {
        p->algorithm = found[i].algo;
        p->usable = found[i].status == CUDNN_STATUS_SUCCESS && fits(d, p, p->algorithm);
    }
}

static bool same_shape(const nf_conv2d &a, const nf_conv2d &b)
{
    return a.batch == b.batch && a.height == b.height && a.width == b.width &&
           a.channels == b.channels && a.filters == b.filters && a.kernel == b.kernel &&
           a.stride == b.stride && a.pad == b.pad && a.relu == b.relu;
}

extern "C" const nf_dnn_plan *nf_dnn_plan_for(nf_bench *b, int version,
                                              const nf_conv2d *a)
{
    nf_dnn *d = library_of(b);
    if (!d || d->why[0] != '\0') {
        return nullptr;
    }
    for (nf_dnn_plan *p = d->plans; p; p = p->next) {
        if (p->version == version && same_shape(p->shape, *a)) {
            return p->usable ? p : nullptr;
        }
    }
    nf_dnn_plan *p = static_cast<nf_dnn_plan *>(std::calloc(1, sizeof *p));
    if (!p) {
        nf_fail(b, "no memory");
        return nullptr;
    }
    p->next = d->plans;
    d->plans = p;
    p->dnn = d;
    p->version = version;
    p->shape = *a;
    if (describe(d, p)) {
        choose(d, p, a);
    }
    return p->usable ? p : nullptr;
}

extern "C" void nf_dnn_launch(const nf_dnn_plan *p, const nf_conv2d *a, nf_stream stream)
{
    nf_dnn *d = p->dnn;
    const float one = 1.0f, addition = a->add ? 1.0f : 0.0f;
    cudnnStatus_t status = CUDNN_STATUS_SUCCESS;
    if (stream != d->stream) {
        status = d->set_stream(d->handle, stream);
        d->stream = stream;
    }
    if (status == CUDNN_STATUS_SUCCESS) {
        status = d->forward(d->handle, &one, p->x, a->x, p->w, a->w, p->convolution,
                            p->algorithm, d->workspace, workspace_bytes, &addition, p->y,
                            a->add ? a->add : a->out, p->bias,
                            a->bias ? a->bias : d->zeros, p->activation, p->y, a->out);
    }
    if (status != CUDNN_STATUS_SUCCESS) {
        nf_fail(d->bench, "cuDNN's convolution fails with status %d", (int)status);
    }
}

#else

extern "C" bool nf_dnn_there(nf_bench *, char (*why)[NF_WHY])
{
    (void)std::snprintf(*why, sizeof *why, "built without cudnn.h");
    return false;
}
extern "C" const nf_dnn_plan *nf_dnn_plan_for(nf_bench *, int, const nf_conv2d *)
{
    return nullptr;
}
extern "C" void nf_dnn_launch(const nf_dnn_plan *, const nf_conv2d *, nf_stream)
{
}
extern "C" void nf_dnn_close(nf_bench *)
{
}

#endif

/* --- check and measure ------------------------------------------------------------------------------ */

static void say_no_plan(const char *what, const char *shape)
{
    char which[NF_ROWS_TEXT + 64];
    (void)std::snprintf(which, sizeof which, "%s %s", what, shape);
    nf_left_out(which, "the library has no algorithm for it that fits its workspace");
}

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
    char what[64], shape[NF_ROWS_TEXT];
    nf_shape(shape,
             "batch=%d height=%d channels=%d filters=%d kernel=%d stride=%d relu=%d",
             a.batch, a.height, a.channels, a.filters, a.kernel, a.stride, a.relu);
    for (int v = 0; v < NF_DNN_VERSIONS; v++) {
        nf_tensor out = nf_tensor_poisoned(b, NF_F16, outs);
        a.x = x.dev;
        a.w = w.dev;
        a.bias = bias.dev;
        a.add = with_add ? add.dev : nullptr;
        a.out = out.dev;
        const nf_dnn_plan *plan = nf_dnn_plan_for(b, v, &a);
        (void)std::snprintf(what, sizeof what, "conv2d_cudnn %s", versions[v].name);
        if (!plan) {
            say_no_plan(what, shape);
            continue;
        }
        /* Tuning has written results; zeros, not NaN, because a factor of 0 on NaN is NaN. */
        nf_dev_set(b, out.dev, with_add ? 0xff : 0, outs * 2);
        nf_dnn_launch(plan, &a, b->stream);
        nf_bound bound = nf_bound_of(NF_F16);
        bound.absolute = 1e-2;
        nf_check_close(b, what, shape, &out, want, bound);
    }
    nf_case_end(b);
}

static void check(nf_bench *b)
{
    char why[NF_WHY];
    if (!nf_dnn_there(b, &why)) {
        nf_left_out("conv2d_cudnn", why);
        return;
    }
    const nf_conv2d cases[] = {
        {2, 9, 11, 16, 24, 3, 1, 1, true, nullptr, nullptr, nullptr, nullptr, nullptr},
        {1, 13, 10, 8, 64, 7, 2, 3, true, nullptr, nullptr, nullptr, nullptr, nullptr},
        {3, 8, 6, 72, 72, 1, 2, 0, false, nullptr, nullptr, nullptr, nullptr, nullptr},
        {2, 8, 8, 64, 128, 1, 1, 0, true, nullptr, nullptr, nullptr, nullptr, nullptr},
    };
    for (const nf_conv2d &a : cases) {
        check_one(b, a, a.kernel == 1);
    }
}

struct dnn_arguments {
    const nf_dnn_plan *plan;
    nf_conv2d a;
};

static void launch(int, const dnn_arguments *x, nf_stream stream)
{
    nf_dnn_launch(x->plan, &x->a, stream);
}

static void measure_one(nf_bench *b, int version, const nf_conv2d_shape *s, int batch)
{
    nf_conv2d a = nf_conv2d_of(s, batch);
    size_t ins = (size_t)batch * (size_t)(a.height * a.width * a.channels);
    size_t weights = (size_t)(a.filters * a.kernel * a.kernel * a.channels);
    size_t outs = (size_t)batch * (size_t)nf_conv2d_out(a.height, &a) *
                  (size_t)nf_conv2d_out(a.width, &a) * (size_t)a.filters;
    double moved = nf_conv2d_bytes(&a);
    nf_sets<dnn_arguments> sets = {version, launch, nf_sets_for(b, moved), {}};
    for (int i = 0; i < sets.count && nf_ok(b); i++) {
        void *x = nf_dev_get(b, ins * 2), *w = nf_dev_get(b, weights * 2);
        nf_dev_random(b, x, NF_F16, ins, 1.0f);
        nf_dev_random(b, w, NF_F16, weights, 0.1f);
        a.x = x;
        a.w = w;
        a.out = nf_dev_get(b, outs * 2);
        nf_dev_set(b, a.out, 0, outs * 2);
        sets.set[i] = {nf_ok(b) ? nf_dnn_plan_for(b, version, &a) : nullptr, a};
        if (!sets.set[i].plan) {
            break;
        }
    }
    if (nf_ok(b) && sets.set[0].plan) {
        nf_measure m = nf_measure_of("conv2d_cudnn", versions[version].name, NF_F16,
                                     nf_conv2d_flop(&a), moved);
        nf_shape(m.row.shape,
                 "batch=%d height=%d width=%d channels=%d filters=%d kernel=%d stride=%d "
                 "pad=%d",
                 batch, a.height, a.width, a.channels, a.filters, a.kernel, a.stride,
                 a.pad);
        nf_measure_sets(b, &m, &sets, NF_ROTATED);
    } else if (nf_ok(b)) {
        char what[64], shape[NF_ROWS_TEXT];
        (void)std::snprintf(what, sizeof what, "conv2d_cudnn %s", versions[version].name);
        nf_shape(shape, "batch=%d height=%d channels=%d filters=%d kernel=%d stride=%d",
                 batch, a.height, a.channels, a.filters, a.kernel, a.stride);
        say_no_plan(what, shape);
    }
    nf_case_end(b);
}

static void measure(nf_bench *b)
{
    char why[NF_WHY];
    if (!nf_dnn_there(b, &why)) {
        nf_left_out("conv2d_cudnn", why);
        return;
    }
    int count;
    const nf_conv2d_shape *shapes = nf_conv2d_shapes(&count);
    for (int i = 0; i < count; i++) {
        for (int v = 0; v < NF_DNN_VERSIONS; v++) {
            bool now = shapes[i].quick || b->scope == NF_FULL;
            if (now && nf_worth(b, &versions[v])) {
                measure_one(b, v, &shapes[i], 1);
                measure_one(b, v, &shapes[i], 16);
            }
        }
    }
}

extern "C" const nf_op nf_op_conv2d_cudnn = {"conv2d_cudnn", "2-D convolution, cuDNN",
                                             versions,       NF_DNN_VERSIONS,
                                             check,          measure,
                                             false,          {0.0, 0.0}};
