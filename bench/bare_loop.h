/*
 * bare_loop.h - the least that any event-driven program must do for M/M/1 and for the two-tier case.
 *
 * What:   the draws, queue operations, first-come-first-served rings and one histogram update a request that the simulator also
 *         needs, in one loop, and nothing else: no stations, classes, outcomes, statistics or checks.
 * Why:    the simulator is compared with it (nearfar-bench world): how much its generality costs.
 * Cost:   allocates the rings and histograms; rings double when a queue outgrows them.
 * Errors: none.
 */
#ifndef NF_BENCH_BARE_LOOP_H
#define NF_BENCH_BARE_LOOP_H

#include <stdint.h>

struct nf_bare_result {
    uint64_t requests; /* all completed */
    /* mean time in system: M/M/1 in [0]; edge in [0] and cloud in [1] */
    double mean_s[2];
    uint64_t count[2]; /* requests behind each mean */
    double simulated_s;
};

/* Poisson arrivals 0.9/s, exponential service with mean 1 s, one server. Theory: 10 s. */
struct nf_bare_result nf_bare_mm1(uint64_t requests, uint64_t seed);

/* Poisson arrivals 166.67/s; 80 % to an edge server (exponential, mean 5 ms; 0.5 ms away), 20 % to a cloud station of four servers
 * (exponential, mean 60 ms; 10 ms away). Each way over a link is an event. Theory (M/M/1, M/M/4 and the links): 16.0 and 85.2 ms. */
struct nf_bare_result nf_bare_two_tier(uint64_t requests, uint64_t seed);

#endif
