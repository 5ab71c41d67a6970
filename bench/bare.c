#include <stdio.h>

#include "bench/bare_loop.h"
#include "bench/bench.h"

struct loop {
    struct nf_bare_result (*run)(uint64_t requests, uint64_t seed);
    struct nf_bare_result last;
};

static void run_loop(void *state, uint64_t count)
{
    struct loop *l = state;
    l->last = l->run(count, 7);
}

int nf_bench_bare(const struct nf_bench *bench, int argc, char **argv)
{
    enum { REQUESTS = 2000000 };
    if (argc > 0) {
        fprintf(stderr, "nearfar-bench bare: unknown argument %s\n", argv[0]);
        return 2;
    }
    struct loop mm1 = {.run = nf_bare_mm1}, two_tier = {.run = nf_bare_two_tier};
    struct nf_bench_case a = {"bare.mm1", "rho 0.9", run_loop, &mm1, REQUESTS};
    struct nf_bench_case b = {"bare.two_tier", "links as events", run_loop, &two_tier,
                              REQUESTS};
    struct nf_bench_quartiles qa = nf_bench_measure(bench, &a);
    struct nf_bench_quartiles qb = nf_bench_measure(bench, &b);
    if (!bench->json) {
        printf("M/M/1: %.2f million requests/s, mean %.3f s (theory 10)\n",
               1e3 / qa.median, mm1.last.mean_s[0]);
        printf(
            "two-tier: %.2f million requests/s, means %.2f and %.2f ms (theory 16.0 and "
            "85.2)\n",
            1e3 / qb.median, 1e3 * two_tier.last.mean_s[0],
            1e3 * two_tier.last.mean_s[1]);
    }
    return 0;
}
