#include "resnet.h"

#include <string.h>

/* --- the plan ------------------------------------------------------------------------------------------ */

struct place {
    struct nf_resnet *net;
    int size, channels; /* of what buffer `at` holds */
    int at;
};

static struct nf_resnet_step *next(struct nf_resnet *net, enum nf_resnet_kind kind)
{
    struct nf_resnet_step *s = &net->steps[net->count++];
    memset(s, 0, sizeof *s);
    s->kind = kind;
    s->add = NF_RESNET_NONE;
    return s;
}

struct filter {
    int filters, kernel, stride;
};

static struct nf_resnet_step *convolve(struct nf_resnet *net, int size, int channels,
                                       struct filter f)
{
    struct nf_resnet_step *s = next(net, NF_RESNET_CONVOLUTION);
    s->conv = (struct nf_conv2d){.batch = net->shape.batch,
                                 .height = size,
                                 .width = size,
                                 .channels = channels,
                                 .filters = f.filters,
                                 .kernel = f.kernel,
                                 .stride = f.stride,
                                 .pad = f.kernel / 2,
                                 .relu = true};
    return s;
}

static struct nf_resnet_step *pool(struct nf_resnet *net, const struct place *p, int size)
{
    struct nf_resnet_step *s = next(net, NF_RESNET_POOL);
    s->pool = (struct nf_pool2d){.batch = net->shape.batch,
                                 .height = p->size,
                                 .width = p->size,
                                 .channels = p->channels,
                                 .size = size,
                                 .stride = size ? 2 : 1,
                                 .pad = size ? 1 : 0};
    return s;
}

static void block(struct place *p, int width, int stride, bool shortcut)
{
    struct nf_resnet *net = p->net;
    int a = p->at, b = (a + 1) % 4, c = (a + 2) % 4, d = (a + 3) % 4;
    struct nf_resnet_step *s =
        convolve(net, p->size, p->channels, (struct filter){width, 1, 1});
    s->from = a;
    s->to = b;
    s = convolve(net, p->size, width, (struct filter){width, 3, stride});
    s->from = b;
    s->to = c;
    int size = nf_conv2d_out(p->size, &s->conv);
    if (shortcut) {
        s = convolve(net, p->size, p->channels, (struct filter){4 * width, 1, stride});
        s->conv.relu = false;
        s->from = a;
        s->to = b;
    }
    s = convolve(net, size, width, (struct filter){4 * width, 1, 1});
    s->from = c;
    s->to = d;
    s->add = shortcut ? b : a;
    p->at = d;
    p->size = size;
    p->channels = 4 * width;
}

void nf_resnet_plan(struct nf_resnet *net, const struct nf_resnet_shape *shape)
{
    net->shape = *shape;
    net->count = 0;
    struct nf_resnet_step *s =
        convolve(net, shape->size, 8, (struct filter){shape->width, 7, 2});
    s->from = NF_RESNET_PICTURE;
    s->to = 1;
    struct place p = {net, nf_conv2d_out(shape->size, &s->conv), shape->width, 0};
    s = pool(net, &p, 3);
    s->from = 1;
    s->to = 0;
    p.size = nf_pool2d_out(p.size, &s->pool);
    for (int stage = 0; stage < 4; stage++) {
        for (int i = 0; i < shape->blocks[stage]; i++) {
            block(&p, shape->width << stage, stage > 0 && i == 0 ? 2 : 1, i == 0);
        }
    }
    s = pool(net, &p, 0);
    s->from = p.at;
    s->to = (p.at + 1) % 4;
    int mean = s->to;
    s = convolve(net, 1, p.channels, (struct filter){shape->classes, 1, 1});
    s->conv.relu = false;
    s->from = mean;
    s->to = NF_RESNET_LOGITS;
}

size_t nf_resnet_buffer(const struct nf_resnet_shape *s)
{
    /* After the first convolution, and after the first block's last one. */
    size_t half = ((size_t)s->size + 1) / 2, quarter = (half + 1) / 2;
    size_t first = half * half, block = 4 * quarter * quarter;
    return (size_t)s->batch * (first > block ? first : block) * (size_t)s->width;
}

static size_t weights_of(const struct nf_conv2d *a)
{
    return (size_t)a->filters * (size_t)(a->kernel * a->kernel * a->channels);
}

size_t nf_resnet_weights(const struct nf_resnet *net)
{
    size_t all = 0;
    for (int i = 0; i < net->count; i++) {
        const struct nf_conv2d *a = &net->steps[i].conv;
        all += net->steps[i].kind == NF_RESNET_CONVOLUTION
                   ? weights_of(a) + (size_t)a->filters
                   : 0;
    }
    return all;
}

double nf_resnet_flop(const struct nf_resnet *net)
{
    double flop = 0.0;
    for (int i = 0; i < net->count; i++) {
        struct nf_conv2d a = net->steps[i].conv;
        a.channels = i == 0 ? 3 : a.channels;
        flop += net->steps[i].kind == NF_RESNET_CONVOLUTION ? nf_conv2d_flop(&a) : 0.0;
    }
    return flop;
}

double nf_resnet_bytes(const struct nf_resnet *net)
{
    double bytes = 0.0;
    for (int i = 0; i < net->count; i++) {
        const struct nf_resnet_step *s = &net->steps[i];
        if (s->kind == NF_RESNET_CONVOLUTION) {
            bytes += nf_conv2d_bytes(&s->conv);
        } else {
            double in = (double)s->pool.height * s->pool.width;
            double out = (double)nf_pool2d_out(s->pool.height, &s->pool) *
                         nf_pool2d_out(s->pool.width, &s->pool);
            bytes += 2.0 * s->pool.batch * s->pool.channels * (in + out);
        }
    }
    return bytes;
}

/* --- reference ----------------------------------------------------------------------------------------- */

static void round_all(float *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        v[i] = nf_f16_to_float(nf_f16_from_float(v[i]));
    }
}

void nf_resnet_reference(const struct nf_resnet *net, float *const buffers[6])
{
    for (int i = 0; i < net->count; i++) {
        const struct nf_resnet_step *s = &net->steps[i];
        float *to = buffers[s->to];
        const float *add = s->add == NF_RESNET_NONE ? NULL : buffers[s->add];
        size_t pixels, channels;
        if (s->kind == NF_RESNET_CONVOLUTION) {
            nf_conv2d_reference(to, &s->conv, buffers[s->from], s->weights.host,
                                s->bias.host, add);
            pixels = (size_t)nf_conv2d_out(s->conv.height, &s->conv) *
                     (size_t)nf_conv2d_out(s->conv.width, &s->conv);
            channels = (size_t)s->conv.filters;
        } else {
            nf_pool2d_reference(to, &s->pool, buffers[s->from]);
            pixels = (size_t)nf_pool2d_out(s->pool.height, &s->pool) *
                     (size_t)nf_pool2d_out(s->pool.width, &s->pool);
            channels = (size_t)s->pool.channels;
        }
        round_all(to, (size_t)net->shape.batch * pixels * channels);
    }
}
