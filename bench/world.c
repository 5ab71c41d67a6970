/*
 * The whole simulator on one thread, end to end through nf_world_run, beside the bare loop, and with all request rows written to an
 * HDF5 file. What is compared is measured alternately in the same run, so that slow and fast spells of the machine hit both alike; the time
 * of the core leaves out what other processes took from it, the clock on the wall has what the disk took.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/bare_loop.h"
#include "bench/bench.h"
#include "bench/world_case.h"
#include "results/writer.h"

enum { FEW = 100000, SOME = 2000000, MANY = 10000000 };

struct system {
    const char *name;
    void (*make)(struct nf_bench_world *b, uint64_t requests);
    struct nf_bare_result (*bare)(uint64_t requests, uint64_t seed);
};

static const struct system systems[] = {
    {"mm1", nf_bench_world_mm1, nf_bare_mm1},
    {"two_tier", nf_bench_world_two_tier, nf_bare_two_tier}};
enum { SYSTEMS = sizeof systems / sizeof *systems };

/* What one timed call does: the bare loop, a world, or a world that writes its rows to `path`. */
struct job {
    const struct system *system;
    enum job_kind { BARE, WORLD, ROWS } kind;
    uint64_t requests;
    const char *path;
};

static void run_rows(struct nf_bench_world *b, const char *path)
{
    struct nf_arena arena;
    struct nf_diags diags;
    struct nf_writer *writer;
    struct nf_outcome out;
    const struct nf_run_inputs inputs = {.version = "", .text = ""};
    nf_arena_init(&arena);
    nf_diags_init(&diags, &arena);
    b->spec.write_requests = true;
    enum nf_status s = nf_writer_open(&writer, path, &b->spec, &inputs, &arena, &diags);
    if (s == NF_OK) {
        struct nf_row_spool *spool = nf_row_spool_new(writer, 0, true);
        struct nf_sinks sinks = nf_row_spool_sinks(spool);
        nf_world_run(&b->spec, 0, &sinks, &out);
        nf_row_spool_close(spool);
        s = nf_writer_take(writer, spool, &out, &diags);
        if (s == NF_OK) {
            s = nf_writer_finish(writer, &out, 1, &diags);
        } else {
            nf_writer_abandon(writer);
        }
        nf_outcome_fini(&out);
    }
    if (s != NF_OK) {
        nf_diags_print(&diags, stderr);
        exit(nf_status_exit(s));
    }
    (void)unlink(path);
    nf_arena_fini(&arena);
}

static void do_job(const struct job *job)
{
    struct nf_bench_world b;
    if (job->kind == BARE) {
        job->system->bare(job->requests, 7);
        return;
    }
    job->system->make(&b, job->requests);
    if (job->kind == ROWS) {
        run_rows(&b, job->path);
    } else {
        struct nf_outcome out;
        nf_world_run(&b.spec, 0, NULL, &out);
        nf_outcome_fini(&out);
    }
}

/* Nanoseconds a request, of the clock on the wall and of this process on its core. */
struct cost {
    double wall, core;
};

static struct cost cost_of(const struct job *job)
{
    double per = 1e9 / (double)job->requests;
    double wall = nf_bench_now_s(), core = nf_bench_core_s();
    do_job(job);
    return (struct cost){per * (nf_bench_now_s() - wall),
                         per * (nf_bench_core_s() - core)};
}

static const char *job_text(const struct job *job, char text[64])
{
    static const char *const kinds[] = {"bare loop", "no rows", "all rows written"};
    (void)snprintf(text, 64, "%s, %g million", kinds[job->kind],
                   1e-6 * (double)job->requests);
    return text;
}

/* Two jobs of one system, in turn: ns a request of each, and the ratio of the second to the first, pair by pair. */
static void compare(const struct nf_bench *bench, const struct job pair[2],
                    const char *ratio_text)
{
    double ns[4][NF_BENCH_MAX_REPETITIONS], ratio[2][NF_BENCH_MAX_REPETITIONS],
        rate[NF_BENCH_MAX_REPETITIONS];
    static const char *const clocks[] = {"core ns", "wall ns"};
    static const char *const ratios[] = {"core ratio", "wall ratio"};
    int n = bench->repetitions;
    char name[32], text[64];
    struct nf_bench_case c = {.name = name};
    do_job(&pair[0]);
    do_job(&pair[1]);
    for (int i = 0; i < n; i++) {
        struct cost a = cost_of(&pair[0]), b = cost_of(&pair[1]);
        ns[0][i] = a.core;
        ns[1][i] = b.core;
        ns[2][i] = a.wall;
        ns[3][i] = b.wall;
        rate[i] = 1e3 / b.core;
        ratio[0][i] = b.core / a.core;
        ratio[1][i] = b.wall / a.wall;
    }
    (void)snprintf(name, sizeof name, "world.%s", pair[0].system->name);
    c.parameters = job_text(&pair[1], text);
    nf_bench_report(bench, &c, "million/s", rate, n);
    for (int clock = 0; clock < 2; clock++) {
        for (int k = 0; k < 2; k++) {
            c.parameters = job_text(&pair[k], text);
            nf_bench_report(bench, &c, clocks[clock], ns[2 * clock + k], n);
        }
        c.parameters = ratio_text;
        nf_bench_report(bench, &c, ratios[clock], ratio[clock], n);
    }
}

/* Peak resident memory of a process that does nothing but the job, in MB; it starts small because this one has done nothing yet. */
static double peak_mb(const struct job *job)
{
    int ends[2];
    struct rusage usage = {0};
    fflush(NULL);
    pid_t child = pipe(ends) == 0 ? fork() : -1;
    if (child == 0) {
        do_job(job);
        getrusage(RUSAGE_SELF, &usage);
        bool is_told = write(ends[1], &usage, sizeof usage) == (ssize_t)sizeof usage;
        _exit(is_told ? 0 : 1);
    }
    int status = 1;
    if (child < 0 || read(ends[0], &usage, sizeof usage) != (ssize_t)sizeof usage ||
        waitpid(child, &status, 0) != child || status != 0) {
        fprintf(stderr, "nearfar-bench world: the measuring process failed\n");
        exit(3);
    }
    close(ends[0]);
    close(ends[1]);
    return (double)usage.ru_maxrss / 1024;
}

static void measure_memory(const struct nf_bench *bench, const struct system *system,
                           const char *path)
{
    char name[32], text[64];
    struct nf_bench_case c = {.name = name};
    (void)snprintf(name, sizeof name, "memory.%s", system->name);
    for (int kind = WORLD; kind <= ROWS; kind++) {
        for (int many = 0; many < 2; many++) {
            struct job job = {system, (enum job_kind)kind, many ? MANY : FEW, path};
            double mb = peak_mb(&job);
            c.parameters = job_text(&job, text);
            nf_bench_report(bench, &c, "MB", &mb, 1);
        }
    }
}

int nf_bench_world(const struct nf_bench *bench, int argc, char **argv)
{
    char path[4096];
    if (argc > 1) {
        fprintf(stderr, "nearfar-bench world: unknown argument %s\n", argv[1]);
        return 2;
    }
    int length = snprintf(path, sizeof path, "%s/nearfar-bench-rows.h5",
                          argc == 1 ? argv[0] : ".");
    if (length < 0 || (size_t)length >= sizeof path) {
        fprintf(stderr, "nearfar-bench world: the folder's name is too long\n");
        return 2;
    }
    for (int i = 0; i < SYSTEMS; i++) {
        measure_memory(bench, &systems[i], path);
    }
    for (int i = 0; i < SYSTEMS; i++) {
        struct job bare[] = {{&systems[i], BARE, SOME, path},
                             {&systems[i], WORLD, SOME, path}};
        struct job rows[] = {{&systems[i], WORLD, MANY, path},
                             {&systems[i], ROWS, MANY, path}};
        compare(bench, bare, "world / bare loop");
        compare(bench, rows, "all rows / no rows");
    }
    return 0;
}
