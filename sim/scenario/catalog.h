/*
 * catalog.h - what ships: devices, models, prices, links and calibration profiles, each figure with its origin.
 *
 * What:   reads DATA_ROOT/scenarios/catalog/{devices,models,prices,links}.yaml and every profile in
 *         DATA_ROOT/results/calibration/ into the structs of sim/perf; keeps value, unit, origin, source and date of every
 *         figure for printing.
 * Why:    a scenario says "device: L4" and "{catalog: llama-3.1-8b-fp8}"; whoever reads the result must be able to see
 *         where the numbers behind these names come from.
 * Cost:   about 4 ms for everything (17 files).
 * Owner:  the catalogue lives in the arena it was loaded into and is read-only afterwards.
 * Units:  SI, as in sim/perf.
 * Errors: those of schema.h, and NF_E_REFERENCE (a source or device that is not listed), NF_E_IMPOSSIBLE (figures that
 *         contradict each other), NF_E_IO.
 */
#ifndef NF_SCENARIO_CATALOG_H
#define NF_SCENARIO_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/diag.h"
#include "perf/diffusion.h"
#include "perf/dnn.h"
#include "perf/llm.h"

struct nf_catalog;

/* Load everything. `data_root` is the folder that holds scenarios/ and results/. *out is set only when there was no error. */
NF_MUST_CHECK enum nf_status nf_catalog_load(const char *data_root,
                                             struct nf_arena *arena,
                                             struct nf_diags *diags,
                                             const struct nf_catalog **out);

/* By name; NULL when nothing bears it. */
const struct nf_device *nf_catalog_device(const struct nf_catalog *c, const char *name);
const struct nf_dnn_model *nf_catalog_dnn(const struct nf_catalog *c, const char *name);
const struct nf_llm_arch *nf_catalog_llm(const struct nf_catalog *c, const char *name);

/* A generating model and, in *job (may be NULL), what it usually makes. */
const struct nf_diffusion_model *nf_catalog_diffusion(const struct nf_catalog *c,
                                                      const char *name,
                                                      struct nf_diffusion_job *job);

/* The profile of a device; of several, the one with its name. NULL when it has none. */
const struct nf_calibration *nf_catalog_calibration(const struct nf_catalog *c,
                                                    const char *device);

/* A profile by its own name ("h100") or its device's ("H100"); NULL: none. */
const struct nf_calibration *nf_catalog_profile(const struct nf_catalog *c,
                                                const char *name);

/* A profile that does not ship, from its file, for a device of the catalogue. `from` is the place that named it (or all zero). */
NF_MUST_CHECK enum nf_status
nf_catalog_read_profile(const struct nf_catalog *c, const char *path,
                        struct nf_place from, struct nf_arena *arena,
                        struct nf_diags *diags, struct nf_calibration *out);

/* The names of a section ("devices", "models", "prices", "links") or of the profiles ("profiles"), ended by NULL; NULL for another word. For suggestions
 * with nf_text_nearest, and for completion. */
const char *const *nf_catalog_names(const struct nf_catalog *c, const char *section);

/* Every file that was read, for the identity of a result. */
struct nf_catalog_file {
    const char *path; /* below data_root */
    const char *sha256;
};
const struct nf_catalog_file *nf_catalog_files(const struct nf_catalog *c, size_t *count);

/* `nearfar catalog`: section and name NULL: what there is; name NULL: one line an entry; else every figure of the entry with value,
 * unit, origin, source and date (a device: its calibration profile, too). An unknown word: NF_E_REFERENCE with a suggestion. */
NF_MUST_CHECK enum nf_status nf_catalog_print(const struct nf_catalog *c,
                                              const char *section, const char *name,
                                              FILE *out, struct nf_diags *diags);

/* What `nearfar catalog fit` found out. Memory first: the smallest group that holds the model; then what its devices can compute. */
struct nf_catalog_fit {
    unsigned devices;  /* 1, 2, 4, 8; 0: no group that can be made holds it */
    bool has_units;    /* the device computes in the model's precision */
    bool is_timed;     /* the catalogue can tell how long it takes on that group */
    double room_bytes; /* of one device, for weights and all else */
    /* on each device of the group, of one device where none holds it */
    double device_weight_bytes;
    uint64_t kv_tokens; /* language models: in the cache of the group */
    uint64_t batch;     /* networks: samples at once; 0: not known */
};

/* `nearfar catalog fit MODEL DEVICE`: whether it fits, on how many, what is left for KV cache or batch, why, and the predicted times.
 * Unknown names: NF_E_REFERENCE. */
NF_MUST_CHECK enum nf_status nf_catalog_fit(const struct nf_catalog *c, const char *model,
                                            const char *device, FILE *out,
                                            struct nf_diags *diags,
                                            struct nf_catalog_fit *fit);

#endif
