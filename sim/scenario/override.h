/*
 * override.h - "--set PATH=VALUE": replace or add one value of a scenario before it is checked.
 *
 * What:   PATH is dotted, list places in brackets ("traffic.cameras.arrivals.states[1].rate"); VALUE is YAML ("5/s", "{a: 1}").
 *         Names that contain dots are found when they are in the file.
 * Why:    an override goes through the same checks as the file, and a mistake in it is told by its own text.
 * Errors: NF_E_USAGE; the place of a value from an override is the override itself.
 */
#ifndef NF_SCENARIO_OVERRIDE_H
#define NF_SCENARIO_OVERRIDE_H

#include "scenario/yaml.h"

/* Apply one override to the tree. `root` must be a map. */
NF_MUST_CHECK enum nf_status nf_override_apply(struct nf_yaml_node *root,
                                               const char *override,
                                               struct nf_arena *arena,
                                               struct nf_diags *diags);

#endif
