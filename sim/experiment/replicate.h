/*
 * replicate.h - run the replications of one world on threads; what comes out does not depend on how many.
 *
 * What:   workers take replication numbers from a queue and run nf_world_run; outcomes[i] is replication i whatever thread ran it.
 *         What must happen in order (writing a file) happens in `take`, on the caller's thread, replication by replication.
 * Why:    replications are independent (their random streams are named by number), so they need no order while they run.
 * Cost:   one thread a job (one job runs on the caller's own thread); a lock taken twice a replication and at each report.
 * Owner:  the caller owns the outcomes and calls nf_outcome_fini on each of them, also after a failure (unused ones are zero).
 * Threads: with several jobs `begin` and `end` run on workers, one replication at a time each, different replications at the
 *         same time. `take` and `progress` run on the caller's thread. The spec is only read.
 * Errors: none of its own; it stops early when a hook says so.
 */
#ifndef NF_EXPERIMENT_REPLICATE_H
#define NF_EXPERIMENT_REPLICATE_H

#include <stdbool.h>
#include <stdint.h>

#include "model/outcome.h"
#include "model/spec.h"

struct nf_replicate {
    const struct nf_world_spec *spec;
    unsigned jobs; /* threads; 0: as many as the machine has processors */
    /* All may be NULL. */
    /* Before replication i: fill sinks->row, ->point and ->ctx (zero at entry). `is_next`: it runs on the caller's thread and
     * all before it have been taken. */
    void (*begin)(void *ctx, uint32_t i, bool is_next, struct nf_sinks *sinks);
    /* After it, on the same thread. False: start no further one; this one and those before it are still taken. */
    bool (*end)(void *ctx, uint32_t i);
    /* In the order 0, 1, 2, ... False: start and take no further one. */
    bool (*take)(void *ctx, uint32_t i, const struct nf_outcome *outcome);
    /* Share of all simulated time that is done, 0 to 1, about five times a second. */
    void (*progress)(void *ctx, double fraction);
    void *ctx;
};

/* Run replications 0 .. spec->replications - 1 into outcomes[]. True when all ran and no hook said false. */
bool nf_replicate_run(const struct nf_replicate *r, struct nf_outcome *outcomes);

/* Processors of this machine that a run may use, at least 1. */
unsigned nf_replicate_processors(void);

#endif
