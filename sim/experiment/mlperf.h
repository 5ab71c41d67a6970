/*
 * mlperf.h - what MLPerf tables call devices, benchmarks and systems, and what published submissions used.
 *
 * What:   names to the catalogue; per system the Offline throughput and the settings of its Server run.
 * Files:  results (one row a result: mlperf_results.csv) and settings (mlperf_server_configs.csv) are looked for beside the file that is
 *         validated, then in bench/data below the data root.
 * Owner:  everything lives in the caller's arena.
 */
#ifndef NF_EXPERIMENT_MLPERF_H
#define NF_EXPERIMENT_MLPERF_H

#include "base/csv.h"
#include "scenario/catalog.h"

/* The catalogue's device of an accelerator ("L4-24GB"); NULL: none. */
const struct nf_device *nf_mlperf_device(const struct nf_catalog *c, const char *name);

/* The catalogue's network of a benchmark ("retinanet") on a device; NULL: none. */
const struct nf_dnn_model *nf_mlperf_network(const struct nf_catalog *c,
                                             const char *benchmark,
                                             const struct nf_device *device);

/* The rules' limit on the 99th percentile of a Server run, s; 0: not known. */
double nf_mlperf_limit_s(const char *benchmark);

/* A language benchmark: the catalogue's model and what its requests look like. */
struct nf_mlperf_language {
    const char *prefix;   /* of the benchmark's name */
    const char *arch;     /* in the catalogue */
    double input, output; /* mean tokens */
    double input_cv, output_cv;
    unsigned beams; /* sequences that a request decodes side by side */
    double ttft_s,
        tpot_s; /* limits on the 99th percentiles of a Server run; 0: none that matters */
};
/* NULL: not one whose requests are known. */
const struct nf_mlperf_language *nf_mlperf_language(const char *benchmark);

struct nf_mlperf_system {
    const char *round, *submitter, *platform, *accelerator, *benchmark;
};

struct nf_mlperf_tables {
    struct nf_csv results, settings;
    int result_column[8], setting_column[10];
};

/* The files that nf_mlperf_read reads: i = 0: results, 1: settings; NULL after them. */
const char *nf_mlperf_file(size_t i, const char *beside, const char *data_root,
                           struct nf_arena *arena);

NF_MUST_CHECK enum nf_status nf_mlperf_read(const char *beside, const char *data_root,
                                            struct nf_arena *arena,
                                            struct nf_diags *diags,
                                            struct nf_mlperf_tables *out);

/* Samples/s of the system's Offline run; 0: not in the table. */
double nf_mlperf_offline(const struct nf_mlperf_tables *t,
                         const struct nf_mlperf_system *s);

/* The system's own settings, else those that NVIDIA used in the nearest round for one such GPU. False: none. */
struct nf_mlperf_setting {
    double batch;
    unsigned copy_streams, inference_streams;
    double timeout_s; /* an unfull batch waits at most so long */
    bool takes_any;   /* a batch is what is there, up to its size, at once */
    /* share of the requests that the harness keeps to the end of the run */
    double held_back;
    bool is_own;
};
bool nf_mlperf_setting(const struct nf_mlperf_tables *t, const struct nf_mlperf_system *s,
                       struct nf_mlperf_setting *out);

#endif
