#include "conv2d_shapes.h"

static const struct nf_conv2d_shape shapes[] = {
    /* ResNet-50: the picture comes with 8 channels, of which 5 are zero. */
    {224, 8, 64, 7, 2, 3, 1, true},
    {56, 64, 64, 1, 1, 0, 1, false},
    {56, 64, 64, 3, 1, 1, 3, true},
    {56, 64, 256, 1, 1, 0, 4, true}, /* three expansions and the first shortcut */
    {56, 256, 64, 1, 1, 0, 2, false},
    {56, 256, 128, 1, 1, 0, 1, false},
    {56, 128, 128, 3, 2, 1, 1, false},
    {56, 256, 512, 1, 2, 0, 1, false},
    {28, 128, 512, 1, 1, 0, 4, true},
    {28, 512, 128, 1, 1, 0, 3, false},
    {28, 128, 128, 3, 1, 1, 3, true},
    {28, 512, 256, 1, 1, 0, 1, false},
    {28, 256, 256, 3, 2, 1, 1, false},
    {28, 512, 1024, 1, 2, 0, 1, false},
    {14, 256, 1024, 1, 1, 0, 6, true},
    {14, 1024, 256, 1, 1, 0, 5, false},
    {14, 256, 256, 3, 1, 1, 5, true},
    {14, 1024, 512, 1, 1, 0, 1, false},
    {14, 512, 512, 3, 2, 1, 1, false},
    {14, 1024, 2048, 1, 2, 0, 1, false},
    {7, 512, 2048, 1, 1, 0, 3, true},
    {7, 2048, 512, 1, 1, 0, 2, false},
    {7, 512, 512, 3, 1, 1, 2, true},
    /* RetinaNet at 800 x 800: lateral and smoothing convolutions, the towers at five levels, the ends. */
    {100, 512, 256, 1, 1, 0, 0, false},
    {50, 1024, 256, 1, 1, 0, 0, false},
    {25, 2048, 256, 1, 1, 0, 0, false},
    {100, 256, 256, 3, 1, 1, 0, true},
    {50, 256, 256, 3, 1, 1, 0, false},
    {25, 256, 256, 3, 1, 1, 0, false},
    {13, 256, 256, 3, 1, 1, 0, false},
    {100, 256, 2376, 3, 1, 1, 0, true},
    {100, 256, 36, 3, 1, 1, 0, false},
    /* Its backbone's heaviest at 800 x 800. */
    {200, 64, 64, 3, 1, 1, 0, false},
    {100, 128, 128, 3, 1, 1, 0, false},
    {50, 256, 256, 3, 1, 1, 0, false},
};

const struct nf_conv2d_shape *nf_conv2d_shapes(int *count)
{
    *count = (int)(sizeof shapes / sizeof *shapes);
    return shapes;
}

struct nf_conv2d nf_conv2d_of(const struct nf_conv2d_shape *s, int batch)
{
    return (struct nf_conv2d){.batch = batch,
                              .height = s->size,
                              .width = s->size,
                              .channels = s->channels,
                              .filters = s->filters,
                              .kernel = s->kernel,
                              .stride = s->stride,
                              .pad = s->pad,
                              .relu = true};
}
