/*
 * record.h - run all replications of a world and keep the result file: the threads of replicate.h joined to the writer of results.
 *
 * Why:    `run`, and later sweeps, must find an unwritable output before they simulate and must publish a file only when it is
 *         complete; that order of steps stands here once.
 * Owner:  the caller owns the outcomes (see replicate.h).
 * Errors: NF_E_IO from the writer; the outcomes are then incomplete and no file is left.
 */
#ifndef NF_EXPERIMENT_RECORD_H
#define NF_EXPERIMENT_RECORD_H

#include "base/arena.h"
#include "base/diag.h"
#include "model/outcome.h"
#include "model/spec.h"
#include "results/writer.h"

struct nf_record {
    const struct nf_world_spec *spec;
    const struct nf_run_inputs *inputs;
    const char *path; /* NULL: keep no file */
    unsigned jobs;    /* 0: all processors */
    void (*progress)(void *ctx, double fraction);
    void *progress_ctx;
};

NF_MUST_CHECK enum nf_status nf_record_run(const struct nf_record *record,
                                           struct nf_outcome *outcomes,
                                           struct nf_arena *arena,
                                           struct nf_diags *diags);

#endif
