/*
 * fixture.h - for the tests of sim/results: a small world's spec, and replications made up by a counter instead of simulated.
 *
 * What:   two copies of an edge node, a pool that scales, a priced endpoint; a class with a latency target and its stage with a
 *         time-to-first-token target. Rows, series and outcomes belong together: an outcome is what its rows say.
 * Owner:  the caller's arena; fixture_outcome's result ends with nf_outcome_fini.
 */
#ifndef NF_RESULTS_FIXTURE_H
#define NF_RESULTS_FIXTURE_H

#include "model/outcome.h"
#include "results/writer.h"

/* replications as given; rows and a series are asked for. */
struct nf_world_spec *fixture_spec(unsigned replications, struct nf_arena *arena);
struct nf_run_inputs fixture_inputs(void);

/* Row i of a replication. */
struct nf_row fixture_row(uint32_t replication, uint64_t i);
/* Send n rows and `ticks` ticks to the sinks (either may be NULL) and sum them up. */
void fixture_run(const struct nf_world_spec *spec, uint32_t replication, uint64_t n,
                 unsigned ticks, const struct nf_sinks *sinks, struct nf_outcome *out);

/* A whole result file: replications one after the other; `is_direct` as the writer means it. */
enum nf_status fixture_write(const char *path, const struct nf_world_spec *spec,
                             uint64_t n, bool is_direct, unsigned deflate,
                             struct nf_diags *diags);

#endif
