#include <stdio.h>
#include <string.h>
#include <time.h>

#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics_double.h>

#include "base/json.h"
#include "bench/bench.h"

static double read_s(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double nf_bench_now_s(void)
{
    return read_s(CLOCK_MONOTONIC);
}

double nf_bench_core_s(void)
{
    return read_s(CLOCK_PROCESS_CPUTIME_ID);
}

struct nf_bench_quartiles nf_bench_quartiles(double *samples, int n)
{
    size_t count = (size_t)n;
    gsl_sort(samples, 1, count);
    return (struct nf_bench_quartiles){
        gsl_stats_quantile_from_sorted_data(samples, 1, count, 0.25),
        gsl_stats_quantile_from_sorted_data(samples, 1, count, 0.5),
        gsl_stats_quantile_from_sorted_data(samples, 1, count, 0.75),
    };
}

static void print_json(const struct nf_bench_case *c, const char *unit,
                       struct nf_bench_quartiles q, const double *samples, int n)
{
    struct nf_text text = {0};
    struct nf_json j;
    nf_json_init(&j, &text, false);
    nf_json_object(&j, NULL);
    nf_json_string(&j, "benchmark", c->name);
    nf_json_string(&j, "parameters", c->parameters);
    nf_json_string(&j, "unit", unit);
    nf_json_double(&j, "median", q.median);
    nf_json_double(&j, "q1", q.q1);
    nf_json_double(&j, "q3", q.q3);
    nf_json_array(&j, "samples");
    for (int i = 0; i < n; i++) {
        nf_json_double(&j, NULL, samples[i]);
    }
    nf_json_end(&j);
    nf_json_end(&j);
    puts(text.data);
    nf_text_fini(&text);
}

void nf_bench_report(const struct nf_bench *bench, const struct nf_bench_case *c,
                     const char *unit, double *samples, int n)
{
    struct nf_bench_quartiles q = nf_bench_quartiles(samples, n);
    if (bench->json) {
        print_json(c, unit, q, samples, n);
    } else {
        printf("%-18s %-30s %-12s %12.4g %12.4g %12.4g\n", c->name, c->parameters, unit,
               q.median, q.q1, q.q3);
    }
    fflush(stdout);
}

struct nf_bench_quartiles nf_bench_measure(const struct nf_bench *bench,
                                           const struct nf_bench_case *c)
{
    double samples[NF_BENCH_MAX_REPETITIONS];
    c->body(c->state, c->count);
    for (int i = 0; i < bench->repetitions; i++) {
        double start = nf_bench_now_s();
        c->body(c->state, c->count);
        samples[i] = 1e9 * (nf_bench_now_s() - start) / (double)c->count;
    }
    nf_bench_report(bench, c, "ns", samples, bench->repetitions);
    return nf_bench_quartiles(samples, bench->repetitions);
}
