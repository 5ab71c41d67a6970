/*
 * conv2d_shapes.h - the convolutions of ResNet-50 (224 x 224) and RetinaNet (800 x 800), each once.
 *
 * Source: ResNet-50 from He et al. 2015, table 1, with the stride in the 3 x 3 convolution as torchvision
 *         has it; RetinaNet's pyramid and heads from Lin et al. 2017 (256 channels, strides 8 to 128, 9
 *         anchors) with the 264 classes of MLPerf's OpenImages variant. MLPerf's backbone is ResNeXt-50,
 *         whose 3 x 3 convolutions come in 32 groups; ours has no groups, so the backbone's shapes here
 *         are those of ResNet-50 at 800 x 800. Most of RetinaNet's work lies in the heads.
 */
#ifndef NF_KERNELS_CONV2D_SHAPES_H
#define NF_KERNELS_CONV2D_SHAPES_H

#include "ops.h"

#ifdef __cplusplus
extern "C" {
#endif

struct nf_conv2d_shape {
    int size, channels, filters, kernel, stride,
        pad;    /* size: height and width of the input */
    int times;  /* how often ResNet-50 has it; 0: RetinaNet */
    bool quick; /* measured in --quick */
};
const struct nf_conv2d_shape *nf_conv2d_shapes(int *count);
struct nf_conv2d nf_conv2d_of(const struct nf_conv2d_shape *shape, int batch);

#ifdef __cplusplus
}
#endif
#endif
