/*
 * sample_main.c - writes a result file of made-up replications (fixture.h): for the reader test in Python, and to measure the
 * writer alone.
 *
 *     nf_results_sample FILE [ROWS [REPLICATIONS [direct|spool [DEFLATE]]]]
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "results/fixture.h"

static double seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static uint64_t number(int argc, char **argv, int i, uint64_t otherwise)
{
    uint64_t n = otherwise;
    if (i < argc && !nf_text_uint64(argv[i], &n)) {
        (void)fprintf(stderr, "not a number: %s\n", argv[i]);
    }
    return n;
}

int main(int argc, char **argv)
{
    struct nf_arena arena;
    struct nf_diags diags;
    if (argc < 2) {
        (void)fprintf(stderr,
                      "usage: %s FILE [ROWS [REPLICATIONS [direct|spool "
                      "[DEFLATE]]]]\n",
                      argv[0]);
        return 2;
    }
    nf_arena_init(&arena);
    nf_diags_init(&diags, &arena);
    uint64_t rows = number(argc, argv, 2, 20011);
    struct nf_world_spec *spec = fixture_spec((unsigned)number(argc, argv, 3, 3), &arena);
    bool is_direct = argc <= 4 || strcmp(argv[4], "spool") != 0;
    struct nf_sinks none = {0};
    double start = seconds();
    for (uint32_t r = 0; r < spec->replications; r++) {
        struct nf_outcome out;
        fixture_run(spec, r, rows, 0, &none, &out);
        nf_outcome_fini(&out);
    }
    double without = seconds() - start;
    start = seconds();
    enum nf_status status = fixture_write(argv[1], spec, rows, is_direct,
                                          (unsigned)number(argc, argv, 5, 0), &diags);
    double with = seconds() - start;
    nf_diags_print(&diags, stderr);
    (void)printf("%.1f ns a row to make it up, %.1f ns a row to write it\n",
                 without / (double)(rows * spec->replications) * 1e9,
                 (with - without) / (double)(rows * spec->replications) * 1e9);
    nf_arena_fini(&arena);
    return nf_status_exit(status);
}
