/* writer_test.c - the result file: equal bytes whatever the threads, every row, nothing half-written. */
#include "results/writer.h"

#include <criterion/criterion.h>
#include <hdf5.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "results/fixture.h"
#include "results/folder_test.h"
#include "results/h5read.h"
#include "results/reader.h"

enum { MANY_ROWS = 70001, REPLICATIONS = 4 }; /* more than a block */

static struct folder folder;
static struct nf_arena arena;
static struct nf_diags diags;

static void setup(void)
{
    folder_make(&folder);
    nf_arena_init(&arena);
    nf_diags_init(&diags, &arena);
}

static void teardown(void)
{
    nf_arena_fini(&arena);
    folder_remove(&folder);
}

TestSuite(writer, .init = setup, .fini = teardown);

static void expect_same_bytes(const char *a, const char *b)
{
    size_t na;
    size_t nb;
    char *x = folder_bytes(a, &na);
    char *y = folder_bytes(b, &nb);
    cr_assert(x && y);
    cr_assert_eq(na, nb, "%zu and %zu bytes", na, nb);
    cr_assert(memcmp(x, y, na) == 0, "bytes differ");
    nf_mem_free(x);
    nf_mem_free(y);
}

static char *name(const char *what)
{
    return nf_arena_printf(&arena, "%s/%s", folder.path, what);
}

/* ---- threads ---- */

struct job {
    struct nf_writer *writer;
    const struct nf_world_spec *spec;
    struct nf_row_spool *spool;
    struct nf_outcome outcome;
    uint32_t replication;
};

static void *run_job(void *arg)
{
    struct job *j = arg;
    j->spool = nf_row_spool_new(j->writer, j->replication, false);
    struct nf_sinks sinks = nf_row_spool_sinks(j->spool);
    fixture_run(j->spec, j->replication, MANY_ROWS, 3600, &sinks, &j->outcome);
    nf_row_spool_close(j->spool);
    return NULL;
}

static void write_with_threads(const char *path, const struct nf_world_spec *spec)
{
    struct nf_writer *w;
    struct nf_run_inputs inputs = fixture_inputs();
    struct job jobs[REPLICATIONS];
    pthread_t threads[REPLICATIONS];
    struct nf_outcome outcomes[REPLICATIONS];
    cr_assert_eq(nf_writer_open(&w, path, spec, &inputs, &arena, &diags), NF_OK);
    for (uint32_t r = 0; r < REPLICATIONS; r++) {
        jobs[r] = (struct job){.writer = w, .spec = spec, .replication = r};
        cr_assert_eq(pthread_create(&threads[r], NULL, run_job, &jobs[r]), 0);
    }
    for (uint32_t r = 0; r < REPLICATIONS; r++) {
        cr_assert_eq(pthread_join(threads[r], NULL), 0);
        outcomes[r] = jobs[r].outcome;
        cr_assert_eq(nf_writer_take(w, jobs[r].spool, &outcomes[r], &diags), NF_OK);
    }
    cr_assert_eq(nf_writer_finish(w, outcomes, REPLICATIONS, &diags), NF_OK);
    for (uint32_t r = 0; r < REPLICATIONS; r++) {
        nf_outcome_fini(&outcomes[r]);
    }
}

Test(writer, bytes_do_not_depend_on_who_carried_the_rows)
{
    struct nf_world_spec *spec = fixture_spec(REPLICATIONS, &arena);
    const char *direct = name("direct.h5");
    const char *spooled = name("spooled.h5");
    const char *threads = name("threads.h5");
    cr_assert_eq(fixture_write(direct, spec, MANY_ROWS, true, 0, &diags), NF_OK);
    cr_assert_eq(fixture_write(spooled, spec, MANY_ROWS, false, 0, &diags), NF_OK);
    write_with_threads(threads, spec);
    expect_same_bytes(direct, spooled);
    expect_same_bytes(direct, threads);
    cr_assert_eq(folder_count(&folder), 3, "no temporary is left");
}

static herr_t expect_no_time(hid_t object, const char *path, const H5O_info_t *info,
                             void *ctx)
{
    (void)object;
    ++*(int *)ctx;
    cr_assert(info->atime == 0 && info->mtime == 0 && info->ctime == 0, "%s", path);
    return 0;
}

/* Two runs within one second would have equal times by chance, so the times are looked for. */
Test(writer, no_object_carries_a_time)
{
    int seen = 0;
    cr_assert_eq(fixture_write(folder.file, fixture_spec(2, &arena), 11, true, 0, &diags),
                 NF_OK);
    hid_t file = H5Fopen(folder.file, H5F_ACC_RDONLY, H5P_DEFAULT);
    cr_assert(file >= 0);
    cr_assert(H5Ovisit2(file, H5_INDEX_NAME, H5_ITER_NATIVE, expect_no_time, &seen,
                        H5O_INFO_TIME) >= 0);
    cr_assert_gt(seen, 100);
    (void)H5Fclose(file);
}

/* ---- content ---- */

static const double *column(struct nf_h5_input *in, const char *which)
{
    const double *values =
        nf__h5_get(in, nf_arena_printf(&arena, "replication/001/requests/%s", which),
                   NF_H5_F64, MANY_ROWS);
    cr_assert(values != NULL, "%s", in->why);
    return values;
}

/* All values are whole numbers below 2^53, so doubles hold them exactly. */
#define SAME(col, field)                                                                 \
    do {                                                                                 \
        const double *values = column(&in, col);                                         \
        for (uint64_t i = 0; i < MANY_ROWS; i++) {                                       \
            cr_assert(values[i] == (double)fixture_row(1, i).field, "%s of row %d", col, \
                      (int)i);                                                           \
        }                                                                                \
    } while (0)

Test(writer, every_row_is_in_the_file_in_order)
{
    struct nf_h5_input in;
    struct nf_world_spec *spec = fixture_spec(2, &arena);
    for (unsigned deflate = 0; deflate <= 1; deflate++) {
        cr_assert_eq(fixture_write(folder.file, spec, MANY_ROWS, true, deflate, &diags),
                     NF_OK);
        nf__h5_open_file(&in, folder.file, &arena);
        cr_assert(!in.failed, "%s", in.why);
        SAME("arrival", arrival);
        SAME("class", class_ix);
        SAME("site", site);
        SAME("station", station);
        SAME("outcome", outcome);
        SAME("tries", tries);
        SAME("input_tokens", input_tokens);
        SAME("output_tokens", output_tokens);
        SAME("wait", wait);
        SAME("network", network);
        SAME("service", service);
        SAME("ttft", ttft);
        SAME("tpot", tpot);
        SAME("latency", latency);
        SAME("cost", cost_usd);
        nf__h5_close_input(&in);
    }
}

static size_t size_of(const char *path)
{
    size_t n = 0;
    nf_mem_free(folder_bytes(path, &n));
    return n;
}

Test(writer, a_column_of_nothing_takes_no_space)
{
    struct nf_world_spec *spec = fixture_spec(1, &arena);
    struct nf_run_inputs inputs = fixture_inputs();
    struct nf_writer *w;
    struct nf_outcome out;
    spec->series_interval = 0;
    cr_assert_eq(nf_writer_open(&w, folder.file, spec, &inputs, &arena, &diags), NF_OK);
    struct nf_row_spool *s = nf_row_spool_new(w, 0, true);
    struct nf_sinks none = {0};
    fixture_run(spec, 0, 10, 0, &none, &out);
    cr_assert(nf_row_spool_sinks(s).point == NULL && nf_row_spool_sinks(s).row != NULL);
    for (int i = 0; i < 50000; i++) {
        struct nf_row row = {.tries = 1, .ttft = -1, .tpot = -1, .latency = i};
        nf_row_spool_row(s, &row);
    }
    nf_row_spool_close(s);
    cr_assert_eq(nf_writer_take(w, s, &out, &diags), NF_OK);
    cr_assert_eq(nf_writer_finish(w, &out, 1, &diags), NF_OK);
    nf_outcome_fini(&out);
    /* Only the latency is stored: 8 bytes a row and the file's own. */
    cr_assert_lt(size_of(folder.file), 50000 * 8 + 120000);
}

Test(writer, a_run_without_rows_has_tables_without_rows)
{
    struct nf_result result;
    struct nf_world_spec *spec = fixture_spec(2, &arena);
    cr_assert_eq(fixture_write(folder.file, spec, 0, true, 0, &diags), NF_OK);
    cr_assert_eq(nf_result_read(folder.file, &result, &arena, &diags), NF_OK);
    cr_assert(result.has_requests && result.has_series);
    cr_assert_eq(result.report.counts.offered, 12);
}

/* ---- failures ---- */

static void expect_old_file(const char *old, size_t old_size)
{
    size_t n;
    char *now = folder_bytes(folder.file, &n);
    cr_assert(now && n == old_size && memcmp(now, old, n) == 0, "the old file is intact");
    nf_mem_free(now);
    cr_assert_eq(folder_count(&folder), 1, "no temporary is left");
}

static bool told(const char *part)
{
    return diags.count > 0 && strstr(diags.items[diags.count - 1].message, part) != NULL;
}

/* A limit on the size of a file stands for the full disk: HDF5 and the spool meet it as a failing write. */
Test(writer, a_write_that_fails_leaves_the_old_file)
{
    size_t n;
    struct nf_world_spec *spec = fixture_spec(3, &arena);
    cr_assert_eq(fixture_write(folder.file, spec, 11, true, 0, &diags), NF_OK);
    char *old = folder_bytes(folder.file, &n);
    cr_assert(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    for (rlim_t limit = 4096; limit < 8000000; limit = limit * 5 / 2) {
        struct rlimit before;
        cr_assert_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
        struct rlimit small = {limit, before.rlim_max};
        cr_assert_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
        for (int direct = 0; direct <= 1; direct++) {
            enum nf_status s =
                fixture_write(folder.file, spec, MANY_ROWS, direct, 0, &diags);
            cr_assert_eq(s, NF_E_IO, "limit %ld, direct %d", (long)limit, direct);
            cr_assert(told("File too large"), "%s", diags.items[diags.count - 1].message);
            nf_diags_init(&diags, &arena);
        }
        cr_assert_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
        expect_old_file(old, n);
    }
    nf_mem_free(old);
    cr_assert_eq(fixture_write(folder.file, spec, 12, true, 0, &diags), NF_OK,
                 "the next run is not harmed");
}

Test(writer, a_full_disk_is_told_and_leaves_nothing)
{
    struct nf_world_spec *spec = fixture_spec(3, &arena);
    if (mount("tmpfs", folder.path, "tmpfs", 0, "size=3m") != 0) {
        cr_skip("mounting a small tmpfs needs privileges");
    }
    enum nf_status s[2];
    int left[2];
    bool reason[2];
    for (int direct = 0; direct <= 1; direct++) {
        s[direct] = fixture_write(folder.file, spec, MANY_ROWS, direct, 0, &diags);
        reason[direct] = told("No space left on device");
        left[direct] = folder_count(&folder);
    }
    (void)umount(folder.path);
    for (int direct = 0; direct <= 1; direct++) {
        cr_assert_eq(s[direct], NF_E_IO);
        cr_assert(reason[direct]);
        cr_assert_eq(left[direct], 0);
    }
}

Test(writer, a_target_that_cannot_be_written_is_told_at_once)
{
    struct nf_world_spec *spec = fixture_spec(1, &arena);
    struct nf_run_inputs inputs = fixture_inputs();
    struct nf_writer *w;
    const char *bad[] = {folder.path, name("missing/run.h5"), "/proc/run.h5"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_assert_eq(nf_writer_open(&w, bad[i], spec, &inputs, &arena, &diags), NF_E_IO,
                     "%s", bad[i]);
    }
    cr_assert_eq(folder_count(&folder), 0);
}

Test(writer, abandon_leaves_nothing)
{
    struct nf_world_spec *spec = fixture_spec(2, &arena);
    struct nf_run_inputs inputs = fixture_inputs();
    struct nf_outcome out;
    struct nf_writer *w;
    cr_assert_eq(nf_writer_open(&w, folder.file, spec, &inputs, &arena, &diags), NF_OK);
    struct nf_row_spool *s = nf_row_spool_new(w, 0, false);
    struct nf_sinks sinks = nf_row_spool_sinks(s);
    fixture_run(spec, 0, MANY_ROWS, 10, &sinks, &out);
    nf_outcome_fini(&out);
    nf_row_spool_discard(s);
    nf_writer_abandon(w);
    cr_assert_eq(folder_count(&folder), 0);
}

/* ---- killed ---- */

/* Overwrites the file again and again with results of two different seeds. */
static void write_for_ever(void)
{
    struct nf_world_spec *spec = fixture_spec(2, &arena);
    for (uint64_t i = 0;; i++) {
        spec->seed = 1 + i % 2;
        if (fixture_write(folder.file, spec, 3001, i % 3 != 0, 0, &diags) != NF_OK) {
            _exit(1);
        }
    }
}

Test(writer, killed_at_any_moment_leaves_a_complete_file_or_none, .timeout = 120)
{
    uint64_t seed = (uint64_t)getpid();
    int complete = 0;
    int none = 0;
    (void)fprintf(stderr, "moments of this run: seed %llu\n", (unsigned long long)seed);
    for (uint64_t i = 0; i < 50; i++) {
        if (i % 4 == 0) {
            (void)unlink(folder.file); /* once in a while nothing is there yet */
        }
        pid_t child = fork();
        cr_assert(child >= 0);
        if (child == 0) {
            write_for_ever();
        }
        struct timespec moment = {0, (long)(nf_hash_mix(seed, i) % 120000000)};
        (void)nanosleep(&moment, NULL);
        cr_assert_eq(kill(child, SIGKILL), 0);
        cr_assert_eq(waitpid(child, NULL, 0), child);
        if (access(folder.file, F_OK) != 0) {
            none++;
            continue;
        }
        struct nf_result result;
        enum nf_status s = nf_result_read(folder.file, &result, &arena, &diags);
        cr_assert_eq(s, NF_OK, "%s", diags.count ? diags.items[0].message : "");
        cr_assert(result.report.seed == 1 || result.report.seed == 2);
        cr_assert_eq(result.report.counts.offered, 2 * 3001 + 12);
        complete++;
    }
    (void)fprintf(stderr, "%d complete, %d none\n", complete, none);
    cr_assert_eq(fixture_write(folder.file, fixture_spec(1, &arena), 5, true, 0, &diags),
                 NF_OK);
    cr_assert_eq(folder_count(&folder), 1,
                 "the next writer removed what the killed left");
}
