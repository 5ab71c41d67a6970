/*
 * samples_part.h - shared by samples*.c.
 */
#ifndef NF_PERF_SAMPLES_PART_H
#define NF_PERF_SAMPLES_PART_H

#include "perf/samples.h"

/* Share of the L2 cache that a benchmark's data may fill and be found there again. */
#define NF__CACHE_SHARE 0.7

enum { NF__MESSAGE_MAX = 1 << 27 }; /* an iteration has no larger all-reduce */

/* nf_samples_check_times over the rows that can be predicted. */
void nf__samples_check_times(struct nf_samples *o, const struct nf_device *device,
                             int column, struct nf_arena *arena, struct nf_diags *diags);

/* One row of a file of nearfar-kernels each. */
enum nf_status nf__samples_of_kernels(const char *path, const struct nf_device *device,
                                      struct nf_arena *arena, struct nf_diags *diags,
                                      struct nf_samples *out);

#endif
