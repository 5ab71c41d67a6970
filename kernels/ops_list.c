/* The operations in the order in which they run. Those that call the runtime or a vendor's library are not for
 * the emulator. */
#include "harness.h"

extern const struct nf_op nf_op_copy, nf_op_rmsnorm, nf_op_rotary, nf_op_swiglu,
    nf_op_softmax, nf_op_residual, nf_op_quantize, nf_op_gemm, nf_op_prefill,
    nf_op_decode, nf_op_conv2d, nf_op_pool2d, nf_op_resize, nf_op_nms, nf_op_kv_append,
    nf_op_modulate, nf_op_gelu, nf_op_decoder_layer, nf_op_decoder, nf_op_resnet50,
    nf_op_diffusion_block;
#ifndef NF_EMULATE
extern const struct nf_op nf_op_gemm_lt, nf_op_pcie, nf_op_launch, nf_op_allreduce,
    nf_op_sustained, nf_op_conv2d_cudnn;
#endif

static const struct nf_op *const ops[] = {
    &nf_op_copy,          &nf_op_rmsnorm,  &nf_op_rotary,    &nf_op_swiglu,
    &nf_op_softmax,       &nf_op_residual, &nf_op_quantize,  &nf_op_kv_append,
    &nf_op_modulate,      &nf_op_gelu,
#ifndef NF_EMULATE
    &nf_op_gemm_lt,
#endif
    &nf_op_gemm,          &nf_op_prefill,  &nf_op_decode,    &nf_op_conv2d,
#ifndef NF_EMULATE
    &nf_op_conv2d_cudnn,
#endif
    &nf_op_pool2d,        &nf_op_resize,   &nf_op_nms,
#ifndef NF_EMULATE
    &nf_op_pcie,          &nf_op_launch,   &nf_op_allreduce, &nf_op_sustained,
#endif
    &nf_op_decoder_layer, &nf_op_decoder,  &nf_op_resnet50,  &nf_op_diffusion_block,
};

const struct nf_op *const *nf_ops(int *count)
{
    *count = (int)(sizeof ops / sizeof *ops);
    return ops;
}
