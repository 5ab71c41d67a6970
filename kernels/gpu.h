/*
 * gpu.h - the device behind a run: opened by gpu.cu, or absent with a reason (no_gpu.c).
 */
#ifndef NF_KERNELS_GPU_H
#define NF_KERNELS_GPU_H

#include "harness.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Opens device 0 and fills b->facts. False: `why` says in one sentence what is missing. */
bool nf_gpu_open(struct nf_bench *b, char *why, size_t cap);
/* One device-to-device copy of the runtime, the yardstick of every row: fills facts.copy_gbps. */
void nf_gpu_yardstick(struct nf_bench *b);
/* After an error: frees the case and forgets the error. False: the device is lost to this process. */
bool nf_gpu_recover(struct nf_bench *b);
void nf_gpu_close(struct nf_bench *b);

#ifdef __cplusplus
}
#endif
#endif
