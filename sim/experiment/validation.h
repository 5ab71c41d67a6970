/*
 * validation.h - the simulator against queueing theory: which scenarios, which formulas, and did they meet.
 *
 * What:   each case is a scenario file scenarios/validation/NAME.yaml and a function that reads the rates out of its spec and
 *         asks theory.h what must come out. nf_validation_run simulates it and compares.
 * Verdict of one row, over the replications of the file:
 *   inside   theory lies in the 99.9 % Student interval of the replications' mean. For percentiles the interval is widened by
 *            1/2048 of the value, the resolution of the histogram they are read from (stats/histogram.h).
 *   narrow   the interval, end to end, is below `precision` (2 %) of the value: a wide interval would prove nothing.
 *            A theoretical value of 0 (a percentile that nobody waits for) must come out as exactly 0.
 *   One row in a thousand misses by chance; seeds are fixed in the files, so a miss is a change of the program.
 * Owner:  the caller's arena.
 * Errors: none; the caller has loaded and checked the scenario.
 */
#ifndef NF_EXPERIMENT_VALIDATION_H
#define NF_EXPERIMENT_VALIDATION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "model/spec.h"
#include "stats/interval.h"

struct nf_validation_row {
    const char *subject; /* "load", "node": class or station */
    const char *metric;  /* "wait p99", "utilization" */
    double theory;
    struct nf_estimate simulated; /* mean over replications, 99.9 % */
    bool is_time;                 /* seconds; else a plain number */
    bool is_inside, is_narrow;
};

struct nf_expectations;
struct nf_validation_case {
    const char *name;  /* "mm1-90" */
    const char *title; /* "M/M/1, rho = 0.9" */
    const char *source;
    void (*expect)(const struct nf_world_spec *spec, struct nf_expectations *list);
};

struct nf_validation_result {
    struct nf_validation_row *rows;
    size_t row_count;
    size_t missed;    /* rows that are not inside or not narrow */
    uint64_t offered; /* requests simulated, warm-up left out */
};

/* All cases in the order of the table; *count of them. */
const struct nf_validation_case *nf_validation_cases(size_t *count);

/* `precision`: wanted width of the interval, end to end, a fraction. The file's duration is made for 2 %; another precision stretches the measured
 * time by (2 % / precision)^2. jobs as in replicate.h. */
void nf_validation_run(const struct nf_validation_case *which,
                       const struct nf_world_spec *spec, double precision, unsigned jobs,
                       struct nf_arena *arena, struct nf_validation_result *result);

#endif
