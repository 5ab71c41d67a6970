/*
 * resnet.h - the forward pass of ResNet-50 (fp16, channels last) as a list of convolutions and poolings.
 *
 * What:   a plan of steps for any batch, picture size, width and number of blocks, so that a small network can be
 *         held against the reference; its launches through our kernels or cuDNN.
 * Source: He et al. 2015, table 1, stride in the 3 x 3 convolution as torchvision has it; batch norm is folded into
 *         weights and bias, as every inference engine does. The classifier is a convolution of one pixel.
 * Memory: four buffers of the largest activation. In a block, from buffer A: B = conv1(A), C = conv2(B), then
 *         B = shortcut(A) if there is one, D = conv3(C) + B or + A; D is the next block's A.
 */
#ifndef NF_KERNELS_RESNET_H
#define NF_KERNELS_RESNET_H

#include "ops.h"

#ifdef __cplusplus
extern "C" {
#endif

struct nf_resnet_shape {
    int batch, size; /* of the square picture, with 8 channels of which 3 count */
    int width;       /* filters of the first convolution: 64 */
    int classes;     /* even */
    int blocks[4];   /* 3 4 6 3 */
};
enum {
    NF_RESNET_STEPS = 64,
    NF_RESNET_PICTURE = 4,
    NF_RESNET_LOGITS = 5,
    NF_RESNET_NONE = -1
};
enum nf_resnet_kind { NF_RESNET_CONVOLUTION, NF_RESNET_POOL };

struct nf_resnet_step {
    enum nf_resnet_kind kind;
    struct nf_conv2d conv;
    struct nf_pool2d pool;
    int from, to, add; /* buffers 0 to 3, or the names above */
    struct nf_tensor weights, bias;
    const struct nf_dnn_plan *plan;
};
struct nf_resnet {
    struct nf_resnet_shape shape;
    int count;
    struct nf_resnet_step steps[NF_RESNET_STEPS];
};
/* Shapes and buffers of every step; no pointers. */
void nf_resnet_plan(struct nf_resnet *net, const struct nf_resnet_shape *shape);
size_t nf_resnet_buffer(const struct nf_resnet_shape *shape); /* numbers of one buffer */
size_t nf_resnet_weights(const struct nf_resnet *net);        /* numbers, biases too */
/* Of the convolutions, with 3 channels in the first; bytes: the sum over the steps. */
double nf_resnet_flop(const struct nf_resnet *net);
double nf_resnet_bytes(const struct nf_resnet *net);

/* buffers: 0 to 3, the picture, the logits ([batch][classes]). Weights from the steps' host values. */
void nf_resnet_reference(const struct nf_resnet *net, float *const buffers[6]);
void nf_resnet_launch(const struct nf_resnet *net, nf_stream stream);

#ifdef __cplusplus
}
#endif
#endif
