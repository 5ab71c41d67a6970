/*
 * launch.cu - what it costs to start kernels that do nothing, one by one and as one graph.
 *
 * kernel  N launches by the host. The device runs an empty kernel faster than the host can start the next,
 *         so this is the host's pace.
 * graph   N kernels recorded once into a graph and started by one call: the device's own pace.
 *
 * Rows `launch`: device time of N in a row, as the mean of many such rows back to back, so what it takes to begin is
 * hidden behind the row before. Rows `launch_alone`: the same on an idle device, one row of N a sample; what it takes
 * to begin is launch_alone's time less N times the slope of `launch`. Rows `launch_host`: what the host spends, until the call returns
 * (enqueue) or until the work is done (roundtrip: what a step of an engine cannot be shorter than).
 */
#include <cuda_runtime.h>

#include "sets.cuh"

enum { KERNEL, GRAPH, VERSIONS };
static const nf_version versions[VERSIONS] = {
    {"kernel", "launched one by one", NF_ANY, true},
    {"graph", "launched as one graph", NF_ANY, true},
};

__global__ void launch_empty()
{
}
__global__ void launch_count(int *at)
{
    *at += 1; /* in a stream, kernels run one after the other */
}

struct launch_arguments {
    int kernels;
    int *counter; /* NULL: empty kernels */
    cudaGraphExec_t graph;
};

static void enqueue(const launch_arguments *a, nf_stream stream)
{
    for (int i = 0; i < a->kernels; i++) {
        if (a->counter) {
            launch_count<<<1, 1, 0, stream>>>(a->counter);
        } else {
            launch_empty<<<1, 32, 0, stream>>>();
        }
    }
}

static void launch(const void *p, int, nf_stream stream)
{
    const launch_arguments *a = static_cast<const launch_arguments *>(p);
    if (a->graph) {
        (void)cudaGraphLaunch(a->graph, stream);
    } else {
        enqueue(a, stream);
    }
}

/* Records a's kernels into a.graph. */
static bool record(nf_bench *b, launch_arguments *a)
{
    cudaGraph_t graph = nullptr;
    cudaError_t e = cudaStreamBeginCapture(b->stream, cudaStreamCaptureModeThreadLocal);
    if (e == cudaSuccess) {
        enqueue(a, b->stream);
        e = cudaStreamEndCapture(b->stream, &graph);
    }
    e = e == cudaSuccess ? cudaGraphInstantiate(&a->graph, graph, 0) : e;
    if (graph) {
        (void)cudaGraphDestroy(graph);
    }
    return e == cudaSuccess ||
           nf_fail(b, "a graph cannot be made: %s", cudaGetErrorString(e));
}

static void check(nf_bench *b)
{
    for (int v = 0; v < VERSIONS; v++) {
        int count = -1;
        launch_arguments a = {37, static_cast<int *>(nf_dev_get(b, sizeof count)),
                              nullptr};
        nf_dev_set(b, a.counter, 0, sizeof count);
        if (!nf_ok(b) || (v == GRAPH && !record(b, &a))) {
            return;
        }
        launch(&a, 0, b->stream);
        launch(&a, 0, b->stream);
        nf_dev_fetch(b, &count, a.counter, sizeof count);
        nf_check_that(b, "launch", versions[v].name, count == 2 * a.kernels);
        if (a.graph) {
            (void)cudaGraphExecDestroy(a.graph);
        }
        nf_case_end(b);
    }
}

static void measure_one(nf_bench *b, int version, int kernels)
{
    static const struct {
        const char *op, *version[VERSIONS];
        nf_clock clock;
        bool alone;
    } rows[] = {
        {"launch", {"kernel", "graph"}, NF_EVENTS, false},
        {"launch_alone", {"kernel", "graph"}, NF_EVENTS, true},
        {"launch_host", {"kernel_enqueue", "graph_enqueue"}, NF_HOST_ENQUEUE, true},
        {"launch_host", {"kernel_roundtrip", "graph_roundtrip"}, NF_HOST_WAIT, true},
    };
    launch_arguments a = {kernels, nullptr, nullptr};
    if (version == GRAPH && !record(b, &a)) {
        return;
    }
    for (const auto &r : rows) {
        nf_measure m = nf_measure_of(r.op, r.version[version], NF_U8, 0.0, 0.0);
        m.launch = launch;
        m.arguments = &a;
        m.no_graph = true;
        m.clock = r.clock;
        m.alone = r.alone;
        nf_shape(m.row.shape, "kernels=%d", kernels);
        nf_measure_run(b, &m, NF_UNCACHED);
    }
    if (a.graph) {
        (void)cudaGraphExecDestroy(a.graph);
    }
}

static void measure(nf_bench *b)
{
    const int counts[] = {1, 10, 100, 500};
    for (int version = 0; version < VERSIONS; version++) {
        for (int kernels : counts) {
            if (nf_ok(b) && nf_time_left(b)) {
                measure_one(b, version, kernels);
            }
        }
    }
}

extern "C" const nf_op nf_op_launch = {
    "launch",  "starting kernels and graphs", versions, VERSIONS, check, measure, false,
    {0.0, 0.0}};
