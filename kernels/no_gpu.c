/* Stands in for harness.cu and the operations where no CUDA toolkit was found. */
#include "gpu.h"
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>

static const char reason[] =
    "this nearfar-kernels was built without a CUDA toolkit (no nvcc was found), "
    "so it cannot use a GPU";

bool nf_gpu_open(struct nf_bench *b, char *why, size_t cap)
{
    (void)b;
    (void)snprintf(why, cap, "%s", reason);
    return false;
}

void nf_gpu_yardstick(struct nf_bench *b)
{
    (void)b;
}

void nf_case_end(struct nf_bench *b)
{
    (void)b;
}

bool nf_time_left(const struct nf_bench *b)
{
    (void)b;
    return false;
}

bool nf_gpu_recover(struct nf_bench *b)
{
    (void)b;
    return false;
}

void nf_gpu_close(struct nf_bench *b)
{
    (void)b;
}

const struct nf_op *const *nf_ops(int *count)
{
    *count = 0;
    return NULL;
}
