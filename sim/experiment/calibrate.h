/*
 * calibrate.h - from files of measured operations to a calibration profile.
 *
 * What:   reads the files (perf/samples.h; those of nearfar-kernels among them), fits every class of operations that they hold (perf/fit.h), takes the decode factor of mixed steps
 *         from rows that hold both, and writes a profile in the format of results/calibration. What the files do not measure is
 *         copied from a base profile, with its sources.
 * Owner:  everything lives in the caller's arena.
 * Errors: those of samples.h; NF_E_IMPOSSIBLE when a class cannot be fitted; NF_E_USAGE.
 */
#ifndef NF_EXPERIMENT_CALIBRATE_H
#define NF_EXPERIMENT_CALIBRATE_H

#include "base/arena.h"
#include "base/diag.h"
#include "base/text.h"
#include "experiment/measured.h"
#include "perf/fit.h"
#include "scenario/catalog.h"

struct nf_calibrate {
    const struct nf_catalog *catalog;
    const struct nf_device *device;
    const struct nf_llm_arch *arch; /* of LLMServingSim tables; NULL: none */
    const char *const *files;
    size_t file_count;
    const char *source; /* where the files come from; NULL: they were measured here */
    const char *date;   /* YYYY-MM-DD; NULL: that of the newest file */
    const char *base;   /* profile file whose other classes are copied; NULL: none */
    const char *verb;   /* "calibrate fit", "calibrate import": stands in the profile */
};

/* One class that was fitted. */
struct nf_calibrated {
    enum nf_operation operation;
    enum nf_precision precision; /* GEMM */
    unsigned ranks;              /* ALLREDUCE */
    unsigned which;              /* COPY, LAUNCH */
    size_t rows;                 /* all rows of this class */
    struct nf_fit fit;
};

struct nf_calibration_fit {
    struct nf_calibrated *classes;
    size_t class_count;
    double mixed_factor; /* NAN: not measured */
    size_t mixed_rows;
    size_t rows; /* of all files */
    /* that take part: at the power cap; without samples at another clock */
    size_t capped, dropped;
    /* why rows took no part, most frequent first; ended by count 0 */
    struct nf_measured_reason *left_out;
    bool is_synthetic; /* made by a formula: its figures are assumed */
};

/* "gemm bf16", "prefill", "allreduce 4", "copy to_host", "launch graph". */
const char *nf_calibrated_name(const struct nf_calibrated *k, struct nf_arena *arena);

/* Fit the files and append the profile to `out`. Classes that cannot be fitted are warnings when the base has them, else errors. */
NF_MUST_CHECK enum nf_status nf_calibrate_run(const struct nf_calibrate *c,
                                              struct nf_arena *arena,
                                              struct nf_diags *diags,
                                              struct nf_calibration_fit *result,
                                              struct nf_text *out);

/* The device whose name `text` starts with ("h100_sxm_gemm.csv": H100; case and - or _ do not matter), the longest of several; NULL: none. */
const struct nf_device *nf_calibrate_device(const struct nf_catalog *c, const char *text);

/* The device that a file was measured on: by the rows of a file of nearfar-kernels, by the name of another one. NULL: none, or the file is
 * wrong (told in `diags`). */
const struct nf_device *nf_calibrate_device_of(const struct nf_catalog *c,
                                               const char *path, struct nf_arena *arena,
                                               struct nf_diags *diags);

/* The language model whose catalogue name starts with a part of the path ("Llama-3.1-8B": llama-3.1-8b-bf16); NULL: none. */
const struct nf_llm_arch *nf_calibrate_model(const struct nf_catalog *c,
                                             const char *path);

#endif
