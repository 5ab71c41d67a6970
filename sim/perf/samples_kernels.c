/* samples_kernels.c - from the rows of nearfar-kernels to operations that the models have. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "perf/samples_part.h"

const char nf_samples_slowed[] =
    "heat or its hardware held the device back while it was measured";

static const char is_composed[] = "a whole, not an operation: validate composed";
static const char is_load[] = "a second of a sustained load";
static const char is_tuned[] = "tuned, where the library's own choice was measured";
static const char is_slower[] = "a slower version of a shape that is here";
static const char is_library[] = "an own kernel, where the library was measured";
static const char is_alone[] = "launched alone, where launches in a row were measured";
static const char is_in_cache[] = "its data stayed in the L2 cache";
static const char is_resident[] =
    "bound by memory, and its data fit into twice the L2 cache";
static const char is_unknown[] = "nothing that the models have";

/* Prefill may count the diagonal of its mask as half or as whole. */
#define WORK_TOLERANCE 0.02

struct reader {
    const struct nf_kernel_file *f;
    const struct nf_device *device;
    struct nf_diags *diags;
    struct nf_samples *out;
    int shape_column, flop_column;
    const struct nf_kernel_row *row; /* at hand */
    size_t index;
};

/* May be nothing: tokens before the chunk, whether a mask is there, padding. */
static bool may_be_zero(const char *key)
{
    static const char *const keys[] = {"context", "causal", "pad"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (strcmp(keys[i], key) == 0) {
            return true;
        }
    }
    return false;
}

/* The values of the keys; false, with an entry, when one is missing or nothing. */
static bool take(struct reader *r, const char *const *keys, double *values)
{
    for (int i = 0; keys[i]; i++) {
        if (!nf_kernel_number(r->row, keys[i], &values[i])) {
            (void)nf_csv_error(
                &r->f->csv, r->index, r->shape_column, NF_E_TYPE, r->diags,
                "row %zu: %s needs %s=NUMBER in its shape, found \"%.60s\"", r->index + 1,
                r->row->op, keys[i], r->row->shape);
            return false;
        }
        if (values[i] < 1 && !may_be_zero(keys[i])) {
            (void)nf_csv_error(&r->f->csv, r->index, r->shape_column, NF_E_RANGE,
                               r->diags, "row %zu: %s of %s=%g is nothing", r->index + 1,
                               r->row->op, keys[i], values[i]);
            return false;
        }
    }
    return true;
}

/* The work that the writer worked out must be that of the shape; an empty one is unknown. */
static void check_work(struct reader *r, double flop)
{
    if (r->row->flop > 0 && !(fabs(r->row->flop / flop - 1) < WORK_TOLERANCE)) {
        (void)nf_csv_error(&r->f->csv, r->index, r->flop_column, NF_E_RANGE, r->diags,
                           "row %zu: flop = %.4g contradicts the shape, which has %.4g",
                           r->index + 1, r->row->flop, flop);
    }
}

/* A whole number for sorting; products of several sizes may be beyond 64 bits. */
static uint64_t whole(double x)
{
    return x < 1e18 ? (uint64_t)x : UINT64_C(1000000000000000000);
}

static bool find_precision(const char *word, enum nf_precision *out)
{
    for (int p = 0; p < NF_PRECISIONS; p++) {
        if (strcmp(nf_precision_name((enum nf_precision)p), word) == 0) {
            *out = (enum nf_precision)p;
            return true;
        }
    }
    return false;
}

static uint64_t mix(const double *values, int count)
{
    uint64_t h = 0;
    for (int i = 0; i < count; i++) {
        h = nf_hash_mix(h, whole(values[i]));
    }
    return h;
}

/* ---- one function an operation ---- */

static void take_gemm(struct reader *r, struct nf_sample *s)
{
    static const char *const keys[] = {"n", "k", "m", NULL};
    double x[3];
    s->operation = NF_OPERATION_GEMM;
    if (!find_precision(r->row->dtype, &s->precision) ||
        !(r->device->peak[s->precision] > 0)) {
        s->not_predicted = "the device has no units for this precision";
        return;
    }
    if (take(r, keys, x)) {
        s->shape.gemm =
            (struct nf_gemm_shape){.m = x[2],
                                   .n = x[0],
                                   .k = x[1],
                                   .matrices = 1,
                                   .weight_bytes = nf_precision_bytes(s->precision)};
        s->site = mix(x, 2);
        s->order = whole(x[0] * x[1]);
        check_work(r, 2 * x[0] * x[1] * x[2]);
    }
}

static void take_prefill(struct reader *r, struct nf_sample *s)
{
    static const char *const keys[] = {"queries", "context", "heads",  "kv_heads",
                                       "dim",     "batch",   "causal", NULL};
    double x[7];
    s->operation = NF_OPERATION_PREFILL;
    if (!take(r, keys, x)) {
        return;
    }
    double tokens = x[5] * x[0];
    bool is_causal = x[6] > 0;
    s->operation = is_causal ? NF_OPERATION_PREFILL : NF_OPERATION_ENCODER;
    s->shape.prefill = (struct nf_prefill_shape){
        .pairs = tokens * (x[1] + (is_causal ? x[0] / 2 : x[0])),
        .tokens = tokens,
        .context = x[5] * x[1],
        .longest = x[1] + x[0],
        .heads = x[2],
        .kv_heads = x[3],
        .head_dim = x[4],
        .kv_bytes = 2};
    s->site = mix(x, 5);
    s->order = whole(x[0] * (x[1] + x[0]) * x[2]);
    check_work(r,
               4 * tokens * x[2] * x[4] * (x[1] + (is_causal ? (x[0] + 1) / 2 : x[0])));
}

/* A new token looks at itself at least. */
static bool has_context(struct reader *r, double context)
{
    if (context < 1) {
        (void)nf_csv_error(&r->f->csv, r->index, r->shape_column, NF_E_RANGE, r->diags,
                           "row %zu: %s of context=0 is nothing", r->index + 1,
                           r->row->op);
    }
    return context >= 1;
}

static void take_decode(struct reader *r, struct nf_sample *s)
{
    static const char *const keys[] = {"context", "heads", "kv_heads",
                                       "dim",     "batch", NULL};
    double x[5];
    s->operation = NF_OPERATION_DECODE;
    if (take(r, keys, x) && has_context(r, x[0])) {
        s->shape.decode = (struct nf_decode_shape){.sequences = x[4],
                                                   .context = x[4] * x[0],
                                                   .heads = x[1],
                                                   .kv_heads = x[2],
                                                   .head_dim = x[3],
                                                   .kv_bytes = 2};
        s->site = mix(x, 4);
        s->order = whole(x[0] * x[2]);
        check_work(r, 4 * x[4] * x[0] * x[1] * x[3]);
    }
}

static void take_pass(struct reader *r, struct nf_sample *s)
{
    double width = 0;
    s->operation = strcmp(r->row->op, "quantize") == 0 ? NF_OPERATION_QUANTIZE
                                                       : NF_OPERATION_ELEMENTWISE;
    s->shape.pass = (struct nf_pass_shape){r->row->bytes, false};
    (void)nf_kernel_number(r->row, "width", &width);
    s->site = nf_hash_mix(nf_hash_name(r->row->op), whole(width));
    if (!(r->row->bytes > 0)) {
        s->not_predicted = "it does not say how many bytes it moves";
    }
}

static void take_convolution(struct reader *r, struct nf_sample *s)
{
    static const char *const keys[] = {"height", "channels", "filters",
                                       "kernel", "stride",   "batch",
                                       "width",  "pad",      NULL};
    double x[8];
    s->operation = NF_OPERATION_CONVOLUTION;
    if (take(r, keys, x)) {
        s->shape.work = (struct nf_work_shape){r->row->flop, r->row->bytes};
        s->site = mix(x, 5);
        s->order = whole(x[1] * x[2] * x[3] * x[3]);
        double rows = floor((x[0] + 2 * x[7] - x[3]) / x[4]) + 1;
        double columns = floor((x[6] + 2 * x[7] - x[3]) / x[4]) + 1;
        check_work(r, 2 * x[5] * rows * columns * x[2] * x[3] * x[3] * x[1]);
        s->not_predicted = r->row->flop > 0 && r->row->bytes > 0
                               ? NULL
                               : "it does not say its work and bytes";
    }
}

static void take_allreduce(struct reader *r, struct nf_sample *s)
{
    static const char *const keys[] = {"ranks", "bytes", NULL};
    double x[2];
    s->operation = NF_OPERATION_ALLREDUCE;
    if (take(r, keys, x)) {
        s->ranks = x[0] <= 8 ? (unsigned)x[0] : 0;
        s->shape.bytes = x[1];
        s->site = whole(x[1]);
        s->not_predicted =
            x[0] != 2 && x[0] != 4 && x[0] != 8 ? "2, 4 and 8 devices are modelled"
            : x[1] > NF__MESSAGE_MAX            ? "a larger message than an iteration has"
                                                : NULL;
    }
}

static void take_copy(struct reader *r, struct nf_sample *s)
{
    static const char *const keys[] = {"bytes", NULL};
    s->operation = NF_OPERATION_COPY;
    if (take(r, keys, &s->shape.bytes)) {
        bool to_host = strstr(r->row->op, "d2h") != NULL;
        bool is_pageable = strstr(r->row->version, "pageable") != NULL;
        s->which =
            (to_host ? NF_COPY_TO_HOST : NF_COPY_TO_DEVICE) + (is_pageable ? 2U : 0U);
        s->site = s->order = whole(s->shape.bytes);
    }
}

static void take_launch(struct reader *r, struct nf_sample *s)
{
    static const char *const keys[] = {"kernels", NULL};
    static const struct {
        const char *op, *version;
        enum nf_launch which;
    } ways[] = {{"launch", "kernel", NF_LAUNCH_KERNELS},
                {"launch", "graph", NF_LAUNCH_GRAPH},
                {"launch_host", "kernel_enqueue", NF_LAUNCH_KERNELS_ENQUEUE},
                {"launch_host", "graph_enqueue", NF_LAUNCH_GRAPH_ENQUEUE},
                {"launch_host", "kernel_roundtrip", NF_LAUNCH_KERNELS_ROUND_TRIP},
                {"launch_host", "graph_roundtrip", NF_LAUNCH_GRAPH_ROUND_TRIP}};
    s->operation = NF_OPERATION_LAUNCH;
    s->not_predicted = is_unknown;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        if (strcmp(ways[i].op, r->row->op) == 0 &&
            strcmp(ways[i].version, r->row->version) == 0) {
            s->which = ways[i].which;
            s->not_predicted = NULL;
        }
    }
    if (take(r, keys, &s->shape.kernels)) {
        s->site = s->order = whole(s->shape.kernels);
    }
}

static const struct {
    const char *op;
    void (*take)(struct reader *r, struct nf_sample *s);
} operations[] = {{"gemm", take_gemm},           {"gemm_lt", take_gemm},
                  {"prefill", take_prefill},     {"decode", take_decode},
                  {"rmsnorm", take_pass},        {"rotary", take_pass},
                  {"swiglu", take_pass},         {"residual", take_pass},
                  {"modulate", take_pass},       {"gelu", take_pass},
                  {"kv_append", take_pass},      {"quantize", take_pass},
                  {"conv2d", take_convolution},  {"conv2d_cudnn", take_convolution},
                  {"allreduce", take_allreduce}, {"pcie_h2d", take_copy},
                  {"pcie_d2h", take_copy},       {"launch", take_launch},
                  {"launch_host", take_launch}};

/* By the roofline of the data sheet: work in the precision of the units over its peak, bytes over the bandwidth. */
static bool is_bound_by_memory(const struct reader *r, const struct nf_sample *s)
{
    enum nf_precision p =
        s->operation == NF_OPERATION_GEMM ? s->precision : nf_device_half(r->device);
    double work = r->row->flop > 0 ? r->row->flop / r->device->peak[p] : 0;
    return work < r->row->bytes / r->device->bandwidth;
}

static void take_row(struct reader *r, struct nf_sample *s)
{
    *s = (struct nf_sample){.operation = NF_OPERATION_OTHER,
                            .seconds = r->row->seconds,
                            .row = r->index,
                            .line = r->f->csv.lines[r->index],
                            .not_predicted = is_unknown};
    if (r->row->is_composed || r->row->is_load) {
        s->not_predicted = r->row->is_composed ? is_composed : is_load;
        return;
    }
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        if (strcmp(operations[i].op, r->row->op) == 0) {
            s->not_predicted = NULL;
            operations[i].take(r, s);
        }
    }
    if (r->row->is_hot && !s->not_predicted) {
        s->not_predicted = is_in_cache;
    }
    if (r->row->is_resident && !s->not_predicted && is_bound_by_memory(r, s)) {
        s->not_predicted = is_resident;
    }
    if (r->row->is_throttled && s->not_predicted != is_unknown) {
        s->not_predicted = nf_samples_slowed;
    }
}

/* ---- one row for each shape ---- */

static bool is_library_row(const struct nf_kernel_row *k)
{
    return strcmp(k->op, "gemm_lt") == 0 || strcmp(k->op, "conv2d_cudnn") == 0;
}

/* Engines take what the library's heuristic proposes; its tuned algorithms are faster than what they get. */
static bool is_heuristic(const struct nf_kernel_row *k)
{
    return strcmp(k->version, "heuristic") == 0;
}

/* A row in the order of what it measured: all of one operation and data type stand together, and in these all of one shape. */
struct place {
    uint64_t operation, shape;
    size_t row;
};

static int by_place(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->operation != y->operation) {
        return x->operation < y->operation ? -1 : 1;
    }
    if (x->shape != y->shape) {
        return x->shape < y->shape ? -1 : 1;
    }
    return (x->row > y->row) - (x->row < y->row);
}

/* Does it take part in the choice? */
static bool is_candidate(const struct reader *r, size_t i)
{
    const struct nf_kernel_row *k = &r->f->rows[i];
    return r->out->items[i].not_predicted != nf_samples_slowed && !k->is_composed &&
           !k->is_load;
}

/* Is `j` a better row than `i` of the same shape? Says in which way. */
static const char *better_than(const struct reader *r, size_t i, size_t j)
{
    const struct nf_kernel_row *own = &r->f->rows[i], *other = &r->f->rows[j];
    if (strcmp(own->cache, "cold") == 0 && strcmp(other->cache, "rotated") == 0) {
        return is_alone;
    }
    if (is_library_row(own) && is_heuristic(own) != is_heuristic(other)) {
        return is_heuristic(other) ? is_tuned : NULL;
    }
    bool is_first =
        other->seconds < own->seconds || (other->seconds == own->seconds && j < i);
    return strcmp(own->cache, other->cache) == 0 && is_first ? is_slower : NULL;
}

/* Rows of one operation and data type: where the library was measured, own kernels are not fitted; of a shape, one row is. */
static void choose_of(const struct reader *r, const struct place *p, size_t count,
                      const char **why)
{
    bool has_library = false;
    for (size_t a = 0; a < count; a++) {
        has_library = has_library || (is_library_row(&r->f->rows[p[a].row]) &&
                                      is_candidate(r, p[a].row));
    }
    for (size_t a = 0, first = 0; a < count; a++) {
        size_t i = p[a].row;
        first = p[a].shape == p[first].shape ? first : a;
        if (r->out->items[i].not_predicted) {
            continue;
        }
        if (has_library && !is_library_row(&r->f->rows[i])) {
            why[i] = is_library;
        }
        for (size_t b = first; b < count && p[b].shape == p[a].shape && !why[i]; b++) {
            why[i] =
                b != a && is_candidate(r, p[b].row) ? better_than(r, i, p[b].row) : NULL;
        }
    }
}

static void choose(struct reader *r, struct nf_arena *arena)
{
    size_t n = r->out->count;
    const char **why = NF_NEW_ARRAY(arena, n, const char *);
    struct place *places = NF_NEW_ARRAY(arena, n, struct place);
    for (size_t i = 0; i < n; i++) {
        const struct nf_sample *s = &r->out->items[i];
        uint64_t h =
            nf_hash_mix((uint64_t)s->operation, nf_hash_name(r->f->rows[i].dtype));
        uint64_t shape = r->f->rows[i].shape_hash;
        if (s->operation == NF_OPERATION_ELEMENTWISE) {
            shape = nf_hash_mix(shape, nf_hash_name(r->f->rows[i].op));
        }
        places[i] = (struct place){nf_hash_mix(h, s->which), shape, i};
    }
    qsort(places, n, sizeof *places, by_place);
    for (size_t a = 0; a < n;) {
        size_t b = a;
        while (b < n && places[b].operation == places[a].operation) {
            b++;
        }
        choose_of(r, &places[a], b - a, why);
        a = b;
    }
    for (size_t i = 0; i < n; i++) {
        if (why[i]) {
            r->out->items[i].not_predicted = why[i];
        }
    }
}

enum nf_status nf__samples_of_kernels(const char *path, const struct nf_device *device,
                                      struct nf_arena *arena, struct nf_diags *diags,
                                      struct nf_samples *out)
{
    int errors = diags->errors;
    struct nf_kernel_file *f = NF_NEW(arena, struct nf_kernel_file);
    enum nf_status s = nf_kernel_file_read(path, arena, diags, f);
    if (s == NF_OK) {
        s = nf_kernel_file_check_device(f, device, diags);
    }
    out->csv = f->csv;
    out->kernels = f;
    if (s != NF_OK) {
        return s;
    }
    struct reader r = {.f = f,
                       .device = device,
                       .diags = diags,
                       .out = out,
                       .shape_column = nf_csv_column(&f->csv, "shape"),
                       .flop_column = nf_csv_column(&f->csv, "flop")};
    out->count = f->csv.rows;
    out->items = NF_NEW_ARRAY(arena, out->count, struct nf_sample);
    for (size_t i = 0; i < out->count; i++) {
        r.row = &f->rows[i];
        r.index = i;
        take_row(&r, &out->items[i]);
    }
    if (diags->errors == errors) {
        choose(&r, arena);
        nf__samples_check_times(out, device, nf_csv_column(&f->csv, "median_us"), arena,
                                diags);
    }
    return diags->errors == errors ? NF_OK : nf_diags_status(diags);
}
