/*
 * llm_part.h - what llm.c and llm_fold.c share (private to them).
 */
#ifndef NF_PERF_LLM_PART_H
#define NF_PERF_LLM_PART_H

#include "perf/llm.h"

int nf__llm_ranks_log2(unsigned ranks);
enum nf_precision nf__llm_compute_precision(const struct nf_device *device,
                                            enum nf_precision weights);
/* NULL: the profile has none. */
const struct nf_curve *nf__llm_gemm_curve(const struct nf_calibration *cal,
                                          enum nf_precision p);

/* Times into a cost whose other fields are filled in; everything has been checked. */
void nf__llm_fold(struct nf_llm_cost *cost, const struct nf_llm_arch *arch,
                  const struct nf_host *host, const struct nf_llm_engine *engine);

#endif
