/*
 * measured.h - the models against measured rows: operations, LLM serving, a recorded replay.
 *
 * What:   each reader takes a file, predicts every row from its inputs alone, and returns predicted and measured values side by side; groups, errors
 *         and subtotals follow from the rows. A row that cannot be predicted stays, with the reason.
 * Errors of a group: relative, predicted/measured - 1; median and 90th percentile of their size (sorted[floor(0.9 n)]) and their median with
 *         the sign (bias).
 * Owner:  everything lives in the caller's arena.
 * Errors: the readers' diagnostics (wrong columns, not a number, ...); a measured value is never looked at to predict.
 */
#ifndef NF_EXPERIMENT_MEASURED_H
#define NF_EXPERIMENT_MEASURED_H

#include "base/arena.h"
#include "base/diag.h"
#include "perf/fit.h"
#include "scenario/catalog.h"

enum { NF_MEASURED_METRICS = 8 };

/* What errors of a group may be at most, relative. */
struct nf_measured_bound {
    double median, p90; /* 0: none */
};

struct nf_measured_row {
    const char *group, *subtotal; /* subtotal: NULL where there is none */
    const char *name;
    int line;
    const char *skipped;                   /* why it has no prediction; NULL: it has */
    const struct nf_measured_bound *bound; /* of its group; NULL: none */
    double predicted[NF_MEASURED_METRICS],
        measured[NF_MEASURED_METRICS]; /* s; NAN: none */
};

struct nf_measured {
    const char *kind;
    const char *metrics[NF_MEASURED_METRICS];
    size_t metric_count;
    const char *assumptions; /* what the prediction takes for granted */
    struct nf_measured_row *rows;
    size_t count;
    /* figures of the run as a whole, not of a row; NULL: none */
    const struct nf_measured_row *whole;
};

struct nf_measured_group {
    const char *name;
    size_t rows, skipped;
    struct nf_error error[NF_MEASURED_METRICS];
    /* on the errors of the first metric; NULL: none, or not that of all rows */
    const struct nf_measured_bound *bound;
};

/* Whether the errors keep to the bound; false when nothing was compared. */
bool nf_measured_is_met(const struct nf_measured_group *g);

/* Groups in order of their first rows. */
struct nf_measured_group *nf_measured_groups(const struct nf_measured *m,
                                             struct nf_arena *arena, size_t *count);
/* The same by subtotal. */
struct nf_measured_group *nf_measured_subtotals(const struct nf_measured *m,
                                                struct nf_arena *arena, size_t *count);
struct nf_measured_group nf_measured_all(const struct nf_measured *m,
                                         struct nf_arena *arena);

/* How often each reason for skipping came up, most frequent first; ended by an entry with count 0. */
struct nf_measured_reason {
    const char *text;
    size_t count;
};
struct nf_measured_reason *nf_measured_count_reasons(const char *const *reasons,
                                                     size_t count,
                                                     struct nf_arena *arena);
struct nf_measured_reason *nf_measured_reasons(const struct nf_measured *m,
                                               struct nf_arena *arena);

/* What is validated with. */
struct nf_measured_with {
    const struct nf_catalog *catalog;
    /* of the files, or the profile's; NULL: from the file's name or column */
    const struct nf_device *device;
    const struct nf_calibration *profile; /* NULL: the device's own */
    /* operators of one model's layers; NULL: from the path */
    const struct nf_llm_arch *arch;
    unsigned jobs; /* threads; 0: all processors */
    /* dnn: of bench/data, for what stands beside the file elsewhere */
    const char *data_root;
};

struct nf_measured_files {
    const char *const *paths;
    size_t count;
};

NF_MUST_CHECK enum nf_status nf_measured_operators(const struct nf_measured_with *with,
                                                   const struct nf_measured_files *files,
                                                   struct nf_arena *arena,
                                                   struct nf_diags *diags,
                                                   struct nf_measured *out);

/* A table of serving runs (aiconfigurator's silicon rows): model, device, precision, tensor parallelism, lengths, concurrency; TTFT and TPOT. */
NF_MUST_CHECK enum nf_status nf_measured_serving(const struct nf_measured_with *with,
                                                 const char *file, struct nf_arena *arena,
                                                 struct nf_diags *diags,
                                                 struct nf_measured *out);

/* Rows of kind composed of a file of nearfar-kernels (kernels/README.md): decoder layers, a small decoder, ResNet-50, a block of a diffusion
 * transformer, each put together from the profile's operations. NF_E_RANGE, with row and column: a size that no such whole has, a time that the
 * device cannot reach at its peaks, times in another unit. */
NF_MUST_CHECK enum nf_status nf_measured_composed(const struct nf_measured_with *with,
                                                  const char *file,
                                                  struct nf_arena *arena,
                                                  struct nf_diags *diags,
                                                  struct nf_measured *out);

/* A folder with requests.jsonl and meta.json of one engine (LLMServingSim's bench): times of each request. */
NF_MUST_CHECK enum nf_status nf_measured_replay(const struct nf_measured_with *with,
                                                const char *folder,
                                                struct nf_arena *arena,
                                                struct nf_diags *diags,
                                                struct nf_measured *out);

/* MLPerf results or latencies, or generation times (columns of bench/data): networks, language models, diffusion. Rows of other scenarios
 * and benchmarks are skipped. */
NF_MUST_CHECK enum nf_status nf_measured_dnn(const struct nf_measured_with *with,
                                             const char *file, struct nf_arena *arena,
                                             struct nf_diags *diags,
                                             struct nf_measured *out);

#endif
