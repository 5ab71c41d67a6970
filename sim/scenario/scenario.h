/*
 * scenario.h - a scenario file to a checked world: the one way in for every verb of the program.
 *
 * What:   YAML text + overrides -> typed data (decl.h) -> struct nf_world_spec, with every default filled in, every name looked
 *         up, every copy of a site expanded, every model's cost on its device worked out.
 * Why:    what nf_scenario_load accepts can be simulated; what it refuses it explains, all mistakes at once.
 * Cost:   under 20 ms for the shipped examples, traces included; any input is refused or accepted within a second.
 * Owner:  everything lives in the arena given; read-only afterwards, so many threads may share it.
 * Units:  SI.
 * Errors: those of yaml.h, schema.h, trace.h and catalog.h, and NF_E_REFERENCE (a name that nothing bears), NF_E_IMPOSSIBLE
 *         (parts that cannot be together), NF_E_UNSUPPORTED (understood, but not modelled), NF_E_LIMIT.
 */
#ifndef NF_SCENARIO_SCENARIO_H
#define NF_SCENARIO_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/text.h"
#include "model/spec.h"

struct nf_scenario_decl;
struct nf_catalog;

struct nf_scenario_options {
    const char *const *overrides; /* "gateway.timeout=5s", in order; see override.h */
    size_t override_count;
    bool has_seed,
        has_replications; /* the two that have options of their own, applied last */
    uint64_t seed;
    unsigned replications;
    const char *data_root; /* the folder that holds scenarios/ and results/ */
};

/* A file that the world was made from besides the scenario's own. */
struct nf_scenario_input {
    const char *role;   /* "trace", "samples", "calibration", "catalog" */
    const char *name;   /* as the scenario or the catalogue calls it */
    const char *path;   /* where it was read */
    const char *sha256; /* of its bytes */
};

/* What a run plays of a trace. rows = played + those before the offset + those after the end. */
struct nf_scenario_trace {
    const char *class_name, *file; /* of the traffic entry; as the scenario calls it */
    size_t rows, played;
    size_t too_late; /* left out: the run ends first */
    double last_s;   /* simulated time of the last row that is played */
};

struct nf_scenario {
    const char *path, *text; /* the file as it was read */
    size_t text_length;
    char sha256[65];
    const char *const
        *overrides; /* all that were applied, seed and replications included */
    size_t override_count;
    const struct nf_calibration *const
        *calibrations; /* profiles that the world's costs rest on, each once */
    size_t calibration_count;
    const struct nf_catalog *catalog; /* NULL: not read */
    /* in the order in which they were used, each once */
    const struct nf_scenario_input *inputs;
    size_t input_count;
    const struct nf_scenario_trace *traces; /* one a traffic entry that replays one */
    size_t trace_count;
    struct nf_scenario_decl *decl;
    struct nf_world_spec world;
};

/* Load and check a file. *out is NULL unless the status is NF_OK. There may be warnings in diags either way. */
NF_MUST_CHECK enum nf_status nf_scenario_load(const char *path,
                                              const struct nf_scenario_options *options,
                                              struct nf_arena *arena,
                                              struct nf_diags *diags,
                                              const struct nf_scenario **out);

/* Text that is at hand; `path` names it in messages, and its folder is where traces are looked for. */
struct nf_scenario_source {
    const char *path, *text;
    size_t length;
};

/* The same as nf_scenario_load for such a text. */
NF_MUST_CHECK enum nf_status nf_scenario_parse(const struct nf_scenario_source *source,
                                               const struct nf_scenario_options *options,
                                               struct nf_arena *arena,
                                               struct nf_diags *diags,
                                               const struct nf_scenario **out);

/* The effective scenario: YAML with every default written out that loads to the same world (beside the original, where its
 * traces are found). */
void nf_scenario_write_effective(const struct nf_scenario *s, struct nf_text *out);

/* `nearfar schema [PATH]` and `nearfar schema --json-schema`: see schema.h. */
NF_MUST_CHECK bool nf_scenario_write_help(const char *path, struct nf_text *out,
                                          const char **hint);
void nf_scenario_write_json_schema(struct nf_text *out);

#endif
