/*
 * threads_main.c - the result file does not depend on how many threads made it: a small world on 1, 2 and 4 threads, twice
 * on 4, and with another seed.
 *
 * Why a plain program: libcriterion 2.4.1 does not start under ThreadSanitizer. A race ends the program with the sanitizer's
 * own status, a difference with 1.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "experiment/record.h"
#include "model/world_fixture.h"

enum { REPLICATIONS = 7, FILE_MAX = 64 << 20 };

static struct nf_fixture fixture;

/* Two classes on a shared pair of servers and an edge batcher: rows, series, rejections. */
static const struct nf_world_spec *make_world(void)
{
    nf_fixture_init(&fixture);
    nf_fixture_model(&fixture, NF_MODEL_SERVICE)->service = nf_dist_exponential(0.0237);
    struct nf_station_spec *s =
        nf_fixture_station(&fixture, NF_STATION_SERVERS, 0, 0.0013);
    s->servers = 2;
    s->queue_limit = 5;
    static const char *const names[] = {"steady", "bursty"};
    for (size_t i = 0; i < 2; i++) {
        nf_fixture_class(&fixture, names[i], 0)->tokens_from_trace = false;
        fixture.classes[i].input_tokens = nf_dist_constant(1);
        fixture.classes[i].output_tokens = nf_dist_constant(1);
        fixture.sources[i].arrivals = (struct nf_arrival_spec){
            .kind = NF_ARRIVAL_POISSON, .rate = 31.0 + 7.0 * (double)i};
    }
    fixture.spec.gateway.order_count = 1;
    fixture.spec.replications = REPLICATIONS;
    fixture.spec.duration = 211 * NF_SECOND;
    fixture.spec.warmup = 11 * NF_SECOND;
    fixture.spec.series_interval = NF_SECOND;
    return &fixture.spec;
}

static void ignore_progress(void *ctx, double fraction)
{
    double *last = ctx;
    if (fraction < 0.0 || fraction > 1.0) {
        fprintf(stderr, "progress of %g\n", fraction);
        exit(1);
    }
    *last = fraction;
}

/* The bytes of the result file, read back. */
static const char *record(const struct nf_world_spec *spec, unsigned jobs, size_t *length,
                          struct nf_arena *arena)
{
    static const struct nf_run_inputs inputs = {
        .version = "test", .text = "name: fixture\n", .text_length = 14};
    char *path = nf_arena_printf(arena, "threads.%ld.%u.h5", (long)getpid(), jobs);
    struct nf_diags diags;
    nf_diags_init(&diags, arena);
    struct nf_outcome outcomes[REPLICATIONS];
    double last = 0.0;
    struct nf_record run = {.spec = spec,
                            .inputs = &inputs,
                            .path = path,
                            .jobs = jobs,
                            .progress = ignore_progress,
                            .progress_ctx = &last};
    struct nf_file_bytes file;
    if (nf_record_run(&run, outcomes, arena, &diags) != NF_OK ||
        nf_file_read(path, FILE_MAX, (struct nf_place){0}, arena, &diags, &file) !=
            NF_OK) {
        nf_diags_print(&diags, stderr);
        exit(3);
    }
    for (size_t i = 0; i < REPLICATIONS; i++) {
        nf_outcome_fini(&outcomes[i]);
    }
    unlink(path);
    *length = file.length;
    return file.data;
}

int main(void)
{
    struct nf_arena arena;
    nf_arena_init(&arena);
    const struct nf_world_spec *spec = make_world();
    size_t want_length = 0;
    const char *want = record(spec, 1, &want_length, &arena);
    static const unsigned jobs[] = {2, 4, 4};
    int bad = 0;
    for (size_t i = 0; i < 3; i++) {
        size_t length = 0;
        const char *data = record(spec, jobs[i], &length, &arena);
        if (length != want_length || memcmp(data, want, length) != 0) {
            fprintf(stderr, "%u jobs: another file than with one\n", jobs[i]);
            bad = 1;
        }
    }
    fixture.spec.seed++;
    size_t length = 0;
    const char *other = record(spec, 4, &length, &arena);
    if (length == want_length && memcmp(other, want, length) == 0) {
        fprintf(stderr, "another seed gave the same file\n");
        bad = 1;
    }
    printf("%zu bytes, %s on 1, 2 and 4 threads\n", want_length,
           bad ? "not equal" : "equal");
    nf_arena_fini(&arena);
    return bad;
}
