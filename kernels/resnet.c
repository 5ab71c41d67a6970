/* ResNet-50's forward pass: launches, check on a small network, measurement. */
#include "resnet.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct nf_version versions[] = {
    {"cudnn", "convolutions by cuDNN", NF_ANY, true},
    {"own", "everything ours", NF_ANY, true},
};
enum { CUDNN, OWN, VERSIONS };

void nf_resnet_launch(const struct nf_resnet *net, nf_stream stream)
{
    for (int i = 0; i < net->count; i++) {
        const struct nf_resnet_step *s = &net->steps[i];
        if (s->kind == NF_RESNET_POOL) {
            nf_pool2d_launch(NF_POOL2D_FAST, &s->pool, stream);
        } else if (s->plan) {
            nf_dnn_launch(s->plan, &s->conv, stream);
        } else {
            nf_conv2d_launch(NF_CONV2D_MMA, &s->conv, stream);
        }
    }
}

/* Random numbers in [-scale, scale), with host values where a check wants them. */
static struct nf_tensor numbers(struct nf_bench *b, size_t count, double scale, bool host)
{
    if (host) {
        return nf_tensor_random(b, NF_F16, count, (float)scale);
    }
    struct nf_tensor t = {.type = NF_F16, .count = count};
    t.dev = nf_dev_get(b, count * 2);
    nf_dev_random(b, t.dev, NF_F16, count, (float)scale);
    return t;
}

/* Weights and pointers; `buffers` as in nf_resnet_reference, on the device. */
static bool build(struct nf_bench *b, struct nf_resnet *net, void *const buffers[6],
                  int version, bool host)
{
    for (int i = 0; i < net->count && nf_ok(b); i++) {
        struct nf_resnet_step *s = &net->steps[i];
        if (s->kind == NF_RESNET_POOL) {
            s->pool.x = buffers[s->from];
            s->pool.out = buffers[s->to];
            continue;
        }
        struct nf_conv2d *a = &s->conv;
        size_t depth = (size_t)a->kernel * (size_t)a->kernel * (size_t)a->channels;
        /* Keeps the size of what passes through; the blocks' last convolution adds less than it finds. */
        double scale = sqrt(6.0 / (double)depth) * (s->add == NF_RESNET_NONE ? 1.0 : 0.4);
        s->weights = numbers(b, (size_t)a->filters * depth, scale, host);
        s->bias = numbers(b, (size_t)a->filters, 0.1, host);
        a->x = buffers[s->from];
        a->w = s->weights.dev;
        a->bias = s->bias.dev;
        a->add = s->add == NF_RESNET_NONE ? NULL : buffers[s->add];
        a->out = buffers[s->to];
        s->plan = version == CUDNN ? nf_dnn_plan_for(b, NF_DNN_HEURISTIC, a) : NULL;
    }
    return nf_ok(b);
}

static size_t picture_of(const struct nf_resnet_shape *s)
{
    return (size_t)s->batch * (size_t)s->size * (size_t)s->size * 8;
}

/* --- check --------------------------------------------------------------------------------------------- */

static void check_one(struct nf_bench *b, const struct nf_resnet_shape *shape,
                      int version)
{
    struct nf_resnet net;
    nf_resnet_plan(&net, shape);
    size_t buffer = nf_resnet_buffer(shape),
           results = (size_t)shape->batch * (size_t)shape->classes;
    struct nf_tensor picture = nf_tensor_random(b, NF_F16, picture_of(shape), 2.0f);
    struct nf_tensor logits = nf_tensor_poisoned(b, NF_F16, results);
    void *on_device[6] = {NULL, NULL, NULL, NULL, picture.dev, logits.dev};
    float *on_host[6] = {NULL, NULL, NULL, NULL, picture.host, NULL};
    for (int i = 0; i < 4; i++) {
        on_device[i] = nf_dev_get(b, buffer * 2);
        nf_dev_set(b, on_device[i], version == CUDNN ? 0 : 0xff, buffer * 2);
        on_host[i] = nf_host_get(b, buffer * sizeof(float));
    }
    on_host[NF_RESNET_LOGITS] = nf_host_get(b, results * sizeof(float));
    if (version == CUDNN) {
        nf_dev_set(b, logits.dev, 0,
                   results * 2); /* it may read what it multiplies by 0 */
    }
    if (!build(b, &net, on_device, version, true)) {
        return;
    }
    nf_resnet_reference(&net, on_host);
    nf_resnet_launch(&net, b->stream);
    char shape_text[NF_ROWS_TEXT], what[64];
    (void)snprintf(what, sizeof what, "resnet50 %s", versions[version].name);
    (void)snprintf(shape_text, sizeof shape_text,
                   "batch=%d size=%d width=%d blocks=%d,%d,%d,%d", shape->batch,
                   shape->size, shape->width, shape->blocks[0], shape->blocks[1],
                   shape->blocks[2], shape->blocks[3]);
    const struct nf_bound bound = {2e-2, 2e-2, 5e-3};
    (void)nf_check_close(b, what, shape_text, &logits, on_host[NF_RESNET_LOGITS], bound);
    nf_case_end(b);
}

static void check(struct nf_bench *b)
{
    const struct nf_resnet_shape small = {2, 37, 8, 10, {2, 1, 2, 1}};
    char why[NF_WHY];
    check_one(b, &small, OWN);
    if (!b->emulated && nf_dnn_there(b, &why)) {
        check_one(b, &small, CUDNN);
    }
}

/* --- measure ------------------------------------------------------------------------------------------- */

enum { SETS_MAX = 8 };

static void launch(const void *p, int set, nf_stream stream)
{
    const struct nf_resnet *nets = p;
    nf_resnet_launch(&nets[set], stream);
}

/* Networks of their own weights, over the same activations, so that no weights wait in the L2. */
static void measure_one(struct nf_bench *b, int batch, int version)
{
    const struct nf_resnet_shape shape = {batch, 224, 64, 1000, {3, 4, 6, 3}};
    struct nf_resnet *nets = nf_host_get(b, SETS_MAX * sizeof *nets);
    if (!nf_ok(b)) {
        return;
    }
    nf_resnet_plan(&nets[0], &shape);
    double weights = 2.0 * (double)nf_resnet_weights(&nets[0]);
    int sets = nf_sets_for(b, weights);
    sets = sets > SETS_MAX ? SETS_MAX : sets;
    size_t buffer = nf_resnet_buffer(&shape);
    void *buffers[6] = {NULL};
    for (int i = 0; i < 4; i++) {
        buffers[i] = nf_dev_get(b, buffer * 2);
        nf_dev_set(b, buffers[i], 0, buffer * 2);
    }
    buffers[NF_RESNET_PICTURE] = numbers(b, picture_of(&shape), 2.0, false).dev;
    buffers[NF_RESNET_LOGITS] = nf_dev_get(b, (size_t)batch * 1000 * 2);
    nf_dev_set(b, buffers[NF_RESNET_LOGITS], 0, (size_t)batch * 1000 * 2);
    for (int i = 0; i < sets; i++) {
        nf_resnet_plan(&nets[i], &shape);
        if (!build(b, &nets[i], buffers, version, false)) {
            return;
        }
    }
    struct nf_measure m = {.row = {.kind = "composed",
                                   .op = "resnet50",
                                   .version = versions[version].name,
                                   .dtype = nf_dtype_name(NF_F16),
                                   .flop = nf_resnet_flop(&nets[0]),
                                   .bytes = nf_resnet_bytes(&nets[0])},
                           .type = NF_F16,
                           .launch = launch,
                           .arguments = nets,
                           .sets = sets,
                           .footprint = weights};
    (void)snprintf(m.row.shape, sizeof m.row.shape, "batch=%d", batch);
    (void)nf_measure_run(b, &m, NF_ROTATED);
    nf_case_end(b);
}

static void measure(struct nf_bench *b)
{
    const int batches[] = {1, 8, 64, 2, 4, 16, 32};
    size_t count = b->scope == NF_FULL ? sizeof batches / sizeof *batches : 3;
    char why[NF_WHY];
    bool library = nf_dnn_there(b, &why);
    if (!library) {
        nf_left_out("resnet50 by cuDNN", why);
    }
    for (size_t i = 0; i < count && nf_ok(b) && nf_time_left(b); i++) {
        measure_one(b, batches[i], library ? CUDNN : OWN);
    }
}

const struct nf_op nf_op_resnet50 = {.name = "resnet50",
                                     .title = "forward pass of a network for pictures",
                                     .versions = versions,
                                     .version_count = VERSIONS,
                                     .check = check,
                                     .measure = measure,
                                     .composed = true};
