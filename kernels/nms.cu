/*
 * nms.cu - greedy non-maximum suppression of boxes sorted by falling score.
 *
 * plain  one block; the boxes are taken in order, and a kept one is compared with all later ones in
 *        parallel: one barrier a box.
 * fast   the comparisons do not depend on what is kept, so all of them run at once, into a bit matrix (64
 *        boxes by 64 boxes a block, its upper half only); then one warp walks down the boxes and ORs the
 *        rows of the kept ones into the set of removed ones, 64 boxes a lane.
 * Bytes counted: boxes once, marks once. The time is that of the walk: it is a chain.
 */
#include <cmath>

#include "device.cuh"
#include "sets.cuh"

static constexpr float checked_threshold = 0.47f;

static const nf_version versions[NF_NMS_VERSIONS] = {
    {"plain", "one block, box after box", NF_ANY, false},
    {"fast", "all pairs into a bit matrix, then one warp", NF_ANY, true},
};

NF_DEV float overlap(const float *a, const float *b)
{
    float width = fminf(a[2], b[2]) - fmaxf(a[0], b[0]),
          height = fminf(a[3], b[3]) - fmaxf(a[1], b[1]);
    float both = fmaxf(width, 0.0f) * fmaxf(height, 0.0f);
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both);
}

__global__ void __launch_bounds__(256) nms_plain(nf_nms a)
{
    for (int i = (int)threadIdx.x; i < a.boxes; i += (int)blockDim.x) {
        a.keep[i] = 1;
    }
    for (int i = 0; i < a.boxes; i++) {
        __syncthreads();
        if (!a.keep[i]) {
            continue;
        }
        for (int j = i + 1 + (int)threadIdx.x; j < a.boxes; j += (int)blockDim.x) {
            if (overlap(a.corners + 4 * i, a.corners + 4 * j) > a.threshold) {
                a.keep[j] = 0;
            }
        }
    }
}

__global__ void __launch_bounds__(64) nms_matrix(nf_nms a)
{
    __shared__ float columns[64 * 4];
    int words = (a.boxes + 63) / 64, first = (int)blockIdx.x * 64,
        row = (int)(blockIdx.y * 64 + threadIdx.x);
    if (blockIdx.x < blockIdx.y) {
        return; /* earlier boxes are not removed by later ones */
    }
    for (int c = 0; c < 4; c++) {
        int box = first + (int)threadIdx.x;
        columns[threadIdx.x * 4 + c] = box < a.boxes ? a.corners[box * 4 + c] : 0.0f;
    }
    __syncthreads();
    if (row >= a.boxes) {
        return;
    }
    uint64_t bits = 0;
    for (int j = 0; j < 64 && first + j < a.boxes; j++) {
        bool later = first + j > row;
        if (later && overlap(a.corners + 4 * row, columns + 4 * j) > a.threshold) {
            bits |= (uint64_t)1 << j;
        }
    }
    a.work[(size_t)row * (size_t)words + blockIdx.x] = bits;
}

static constexpr int words_a_lane = 8; /* 32 lanes x 8 words x 64 boxes = 16384 boxes */

__global__ void __launch_bounds__(32) nms_walk(nf_nms a)
{
    int lane = (int)threadIdx.x, words = (a.boxes + 63) / 64;
    uint64_t removed[words_a_lane] = {}; /* word w belongs to lane w % 32, place w / 32 */
    for (int i = 0; i < a.boxes; i++) {
        int word = i / 64;
        uint64_t mine = 0;
        NF_UNROLL
        for (int k = 0; k < words_a_lane; k++) {
            /* A mask, not a choice: a choice the compiler turns into an index, and the array
             * into local memory. */
            mine |= removed[k] & (0 - (uint64_t)(k == word / 32));
        }
        bool gone = (__shfl_sync(0xffffffffu, mine, word % 32) >> (i % 64) & 1) != 0;
        if (lane == 0) {
            a.keep[i] = gone ? 0 : 1;
        }
        if (gone) {
            continue;
        }
        NF_UNROLL
        for (int k = 0; k < words_a_lane; k++) {
            int w = k * 32 + lane;
            if (w >= word && w < words) {
                removed[k] |= a.work[(size_t)i * (size_t)words + (size_t)w];
            }
        }
    }
}

extern "C" void nf_nms_launch(int version, const nf_nms *a, nf_stream stream)
{
    unsigned words = nf_ceil_div((size_t)a->boxes, 64);
    if (version == NF_NMS_PLAIN) {
        NF_LAUNCH(nms_plain, 1, 256, 0, stream, *a);
    } else {
        NF_LAUNCH(nms_matrix, dim3(words, words), 64, 0, stream, *a);
        NF_LAUNCH(nms_walk, 1, 32, 0, stream, *a);
    }
}

/* Whether box i overlaps an earlier one by so nearly a threshold in use that the order of roundings decides: the device
 * may join a product and a sum in one rounding, the reference works in double. Float's error is below 1e-6 here. */
static bool is_close_call(const float *corners, int i)
{
    const float *a = corners + 4 * i;
    for (int j = 0; j < i; j++) {
        const float *c = corners + 4 * j;
        double width = std::fmin((double)a[2], c[2]) - std::fmax((double)a[0], c[0]),
               height = std::fmin((double)a[3], c[3]) - std::fmax((double)a[1], c[1]);
        double both = std::fmax(width, 0.0) * std::fmax(height, 0.0);
        double own = ((double)a[2] - a[0]) * ((double)a[3] - a[1]),
               other = ((double)c[2] - c[0]) * ((double)c[3] - c[1]);
        double share = both / (own + other - both);
        if (std::fabs(share - (double)checked_threshold) < 1e-5) {
            return true;
        }
    }
    return false;
}

/* Boxes in clusters, so that many overlap, and none nearly by the threshold. */
static void make_boxes(nf_bench *b, float *corners, int boxes)
{
    for (int i = 0; i < boxes; i++) {
        do {
            float u[4];
            for (float &x : u) {
                x = nf_uniform(b->seed, b->drawn++);
            }
            float x = 400.0f + 100.0f * (float)(i % 4) + 30.0f * u[0],
                  y = 400.0f + 30.0f * u[1];
            corners[4 * i] = x;
            corners[4 * i + 1] = y;
            corners[4 * i + 2] = x + 40.0f + 20.0f * u[2];
            corners[4 * i + 3] = y + 40.0f + 20.0f * u[3];
        } while (is_close_call(corners, i));
    }
}

static void check(nf_bench *b)
{
    const int counts[] = {1, 63, 200, 1000};
    for (int boxes : counts) {
        size_t n = (size_t)boxes;
        nf_tensor corners = nf_tensor_random(b, NF_F32, 4 * n, 1.0f);
        unsigned char *marks = static_cast<unsigned char *>(nf_host_get(b, n));
        float *want = static_cast<float *>(nf_host_get(b, n * sizeof(float)));
        if (!nf_ok(b) || (b->emulated && boxes > 200)) {
            break;
        }
        make_boxes(b, corners.host, boxes);
        nf_tensor_put(b, &corners);
        nf_nms_reference(marks, corners.host, boxes, checked_threshold);
        for (size_t i = 0; i < n; i++) {
            want[i] = marks[i];
        }
        for (int v = 0; v < NF_NMS_VERSIONS; v++) {
            nf_tensor keep = nf_tensor_poisoned(b, NF_U8, n);
            size_t work = n * ((n + 63) / 64) * sizeof(uint64_t);
            nf_nms a = {boxes, checked_threshold, static_cast<float *>(corners.dev),
                        static_cast<unsigned char *>(keep.dev),
                        static_cast<uint64_t *>(nf_dev_get(b, work))};
            nf_dev_set(b, a.work, 0xff, work);
            if (!nf_ok(b)) {
                return;
            }
            nf_nms_launch(v, &a, b->stream);
            char what[64], shape[NF_ROWS_TEXT];
            (void)snprintf(what, sizeof what, "nms %s", versions[v].name);
            nf_shape(shape, "boxes=%d", boxes);
            nf_check_close(b, what, shape, &keep, want, {0.0, 0.0, 0.0});
        }
        nf_case_end(b);
    }
    nf_case_end(b);
}

static void measure(nf_bench *b)
{
    const int counts[] = {1000, 4000};
    for (int boxes : counts) {
        for (int v = 0; v < NF_NMS_VERSIONS; v++) {
            if (!nf_worth(b, &versions[v])) {
                continue;
            }
            size_t n = (size_t)boxes, work = n * ((n + 63) / 64) * sizeof(uint64_t);
            nf_tensor corners = nf_tensor_random(b, NF_F32, 4 * n, 1.0f);
            void *keep = nf_dev_get(b, n), *matrix = nf_dev_get(b, work);
            if (!nf_ok(b)) {
                return;
            }
            make_boxes(b, corners.host, boxes);
            nf_tensor_put(b, &corners);
            nf_sets<nf_nms> sets = {v, nf_nms_launch, 1, {}};
            sets.set[0] = {boxes, 0.5f, static_cast<float *>(corners.dev),
                           static_cast<unsigned char *>(keep),
                           static_cast<uint64_t *>(matrix)};
            nf_measure m =
                nf_measure_of("nms", versions[v].name, NF_F32, 0.0, 17.0 * boxes);
            nf_shape(m.row.shape, "boxes=%d", boxes);
            nf_measure_sets(b, &m, &sets, NF_HOT);
            nf_case_end(b);
        }
    }
}

extern "C" const nf_op nf_op_nms = {"nms",    "non-maximum suppression",
                                    versions, NF_NMS_VERSIONS,
                                    check,    measure,
                                    false,    {0.0, 0.0}};
