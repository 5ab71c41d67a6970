/*
 * bench.h - what the subcommands of nearfar-bench share: repetition, quartiles, output as a table or as JSON lines.
 *
 * What:   a subcommand is one function in the table of bench_main.c. It measures with nf_bench_measure, which times a body several
 *         times and reports the median and the quartiles, and returns the exit status.
 * Why:    a median with quartiles says how sure it is; one timing does not.
 * Output: a table, or with --json one object a line: first {"machine": ...}, then one for each benchmark with its raw samples.
 * Errors: bodies have none; a wrong command line prints its mistake and returns 2.
 */
#ifndef NF_BENCH_BENCH_H
#define NF_BENCH_BENCH_H

#include <stdbool.h>
#include <stdint.h>

enum { NF_BENCH_REPETITIONS = 7, NF_BENCH_MAX_REPETITIONS = 1000 };

struct nf_bench {
    bool json;
    int repetitions; /* at least 5 */
};

struct nf_bench_command {
    const char *name, *help;
    int (*run)(const struct nf_bench *bench, int argc,
               char **argv); /* arguments after the name */
};

/* Subcommands. */
int nf_bench_engine(const struct nf_bench *bench, int argc, char **argv);
int nf_bench_bare(const struct nf_bench *bench, int argc, char **argv);
int nf_bench_world(const struct nf_bench *bench, int argc, char **argv);

/* Seconds of a clock that only goes forward. */
double nf_bench_now_s(void);
/* Seconds that this process has spent on its cores. */
double nf_bench_core_s(void);

struct nf_bench_quartiles {
    double q1, median, q3;
};

/* Of n > 0 samples, which are sorted; linear interpolation between order statistics. */
struct nf_bench_quartiles nf_bench_quartiles(double *samples, int n);

/* A benchmark: `body` does `count` operations. */
struct nf_bench_case {
    const char *name, *parameters; /* "queue.hold", "exponential, 1000 pending" */
    void (*body)(void *state, uint64_t count);
    void *state;
    uint64_t count;
};

/* One untimed call to warm up, then bench->repetitions timed ones; prints nanoseconds per operation; returns the quartiles. */
struct nf_bench_quartiles nf_bench_measure(const struct nf_bench *bench,
                                           const struct nf_bench_case *c);

/* Print samples that were made elsewhere (requests per second, bytes, ...). Sorts them. */
void nf_bench_report(const struct nf_bench *bench, const struct nf_bench_case *c,
                     const char *unit, double *samples, int n);

/* The machine: processor, cores, compiler, flags, version. */
void nf_bench_print_machine(const struct nf_bench *bench);

#endif
