#include "experiment/replicate.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "experiment/record.h"
#include "model/world_fixture.h"

enum { REPLICATIONS = 6 };

static struct nf_fixture fixture;
static struct nf_outcome outcomes[REPLICATIONS];
static struct nf_arena arena;
static uint32_t taken[REPLICATIONS];
static uint32_t taken_count;
static uint32_t ended_badly = UINT32_MAX;
static uint32_t refused = UINT32_MAX;

static const struct nf_world_spec *make_world(double duration_s)
{
    nf_fixture_init(&fixture);
    nf_fixture_model(&fixture, NF_MODEL_SERVICE)->service = nf_dist_exponential(0.7919);
    nf_fixture_station(&fixture, NF_STATION_SERVERS, 0, 0.0);
    nf_fixture_class(&fixture, "load", 0)->tokens_from_trace = false;
    fixture.classes[0].input_tokens = nf_dist_constant(1);
    fixture.classes[0].output_tokens = nf_dist_constant(1);
    fixture.sources[0].arrivals =
        (struct nf_arrival_spec){.kind = NF_ARRIVAL_POISSON, .rate = 0.9};
    fixture.spec.gateway.order_count = 1;
    fixture.spec.replications = REPLICATIONS;
    fixture.spec.duration = nf_time_of_s(duration_s);
    return &fixture.spec;
}

static bool end(void *ctx, uint32_t i)
{
    (void)ctx;
    return i != ended_badly;
}

static bool take(void *ctx, uint32_t i, const struct nf_outcome *outcome)
{
    (void)ctx;
    cr_assert(outcome->replication == i);
    taken[taken_count++] = i;
    return i != refused;
}

static void release(void)
{
    for (size_t i = 0; i < REPLICATIONS; i++) {
        nf_outcome_fini(&outcomes[i]);
    }
}

Test(replicate, replications_are_taken_in_order_on_any_number_of_threads)
{
    const struct nf_world_spec *spec = make_world(500.0);
    for (unsigned jobs = 1; jobs <= 9; jobs += 4) {
        taken_count = 0;
        struct nf_replicate run = {.spec = spec, .jobs = jobs, .end = end, .take = take};
        cr_assert(nf_replicate_run(&run, outcomes));
        cr_assert(taken_count == REPLICATIONS);
        for (uint32_t i = 0; i < REPLICATIONS; i++) {
            cr_assert(taken[i] == i);
            cr_assert(i == 0 || outcomes[i].trajectory != outcomes[i - 1].trajectory);
        }
        release();
    }
}

Test(replicate, a_replication_that_ends_badly_is_the_last_one_started_and_still_taken)
{
    const struct nf_world_spec *spec = make_world(50.0);
    ended_badly = 2;
    refused = 2; /* what a writer does with it */
    struct nf_replicate run = {.spec = spec, .jobs = 1, .end = end, .take = take};
    cr_assert(!nf_replicate_run(&run, outcomes));
    cr_assert(taken_count == 3);
    cr_assert(outcomes[3].classes == NULL);
    release();
}

Test(replicate, nothing_is_taken_after_a_refusal)
{
    const struct nf_world_spec *spec = make_world(50.0);
    refused = 1;
    struct nf_replicate run = {.spec = spec, .jobs = 3, .end = end, .take = take};
    cr_assert(!nf_replicate_run(&run, outcomes));
    cr_assert(taken_count == 2);
    release();
}

static void start(void)
{
    nf_arena_init(&arena);
}

static void stop(void)
{
    nf_arena_fini(&arena);
}

TestSuite(record, .init = start, .fini = stop);

static bool folder_has_result(const char *folder)
{
    DIR *d = opendir(folder);
    cr_assert(d != NULL);
    bool found = false;
    for (struct dirent *e = readdir(d); e; e = readdir(d)) {
        found = found || strstr(e->d_name, "full.h5") != NULL;
    }
    closedir(d);
    return found;
}

static enum nf_status record(const char *path, unsigned jobs, const char **message)
{
    static const struct nf_run_inputs inputs = {
        .version = "test", .text = "name: fixture\n", .text_length = 14};
    struct nf_diags diags;
    nf_diags_init(&diags, &arena);
    struct nf_record run = {
        .spec = &fixture.spec, .inputs = &inputs, .path = path, .jobs = jobs};
    enum nf_status s = nf_record_run(&run, outcomes, &arena, &diags);
    cr_assert(s == nf_diags_status(&diags));
    *message = diags.count > 0 ? diags.items[0].message : "";
    release();
    return s;
}

Test(record, an_unwritable_folder_is_found_before_anything_runs)
{
    make_world(1e9); /* would take minutes */
    const char *message = NULL;
    cr_assert(record("/nonexistent/folder/full.h5", 2, &message) == NF_E_IO);
    cr_assert(strlen(message) > 0);
}

Test(record, a_full_disk_leaves_no_file)
{
    make_world(60000.0);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit usual;
    cr_assert(getrlimit(RLIMIT_FSIZE, &usual) == 0);
    struct rlimit limit = {1 << 20, usual.rlim_max};
    cr_assert(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    for (unsigned jobs = 1; jobs <= 3; jobs += 2) {
        const char *message = NULL;
        cr_assert(record("full.h5", jobs, &message) == NF_E_IO, "%u jobs", jobs);
        cr_assert(strlen(message) > 0);
        cr_assert(!folder_has_result("."));
    }
    setrlimit(RLIMIT_FSIZE, &usual);
}
