/* inputs_test.c - which files a world was made from, and how much of a trace it plays. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "scenario/scenario.h"

static struct nf_arena arena;
static struct nf_diags diags;
static const char *folder;

static const char *in_folder(const char *name)
{
    return nf_arena_printf(&arena, "%s/%s", folder, name);
}

static void put(const char *name, const char *text)
{
    FILE *f = fopen(in_folder(name), "w");
    cr_assert_not_null(f);
    cr_assert(fputs(text, f) >= 0);
    fclose(f);
}

static void setup(void)
{
    nf_arena_init(&arena);
    nf_diags_init(&diags, &arena);
    folder = mkdtemp(nf_arena_strdup(&arena, "/tmp/nf_inputs_test_XXXXXX"));
    cr_assert_not_null(folder);
}

static void teardown(void)
{
    static const char *const names[] = {"s.yaml", "t.csv", "v.txt", "mine.yaml"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)remove(in_folder(names[i]));
    }
    cr_assert_eq(rmdir(folder), 0);
    nf_arena_fini(&arena);
}

TestSuite(inputs, .init = setup, .fini = teardown, .timeout = 60);

/* One trace in two traffic entries, one file of samples, a catalogue model on a catalogue device. */
static const char scenario_text[] =
    "nearfar: 1\n"
    "name: inputs\n"
    "seed: 3\n"
    "duration: 100s\n"
    "models:\n"
    "  chat: {catalog: llama-3.1-8b-fp8}\n"
    "  job: {service: {distribution: empirical, file: v.txt}}\n"
    "edge:\n"
    "  node: {site: here, gpus: 1, models: [job]}\n"
    "cloud:\n"
    "  pool: {region: far, device: H100, models: [chat]}\n"
    "links:\n"
    "  wire: {from: here, to: node, latency: 0ms}\n"
    "  wan: {from: here, to: far, latency: 5ms}\n"
    "traffic:\n"
    "  a: {site: here, model: chat, tokens: {input: 10, output: 10},\n"
    "      arrivals: {process: trace, file: t.csv, format: csv}}\n"
    "  b: {site: here, model: job, arrivals: {process: trace, file: t.csv, format: "
    "csv}}\n"
    "gateway: {policy: least-loaded}\n";

static const struct nf_scenario *load(const char *overrides[], size_t count)
{
    struct nf_scenario_options options = {
        .data_root = NF_SOURCE_DIR, .overrides = overrides, .override_count = count};
    const struct nf_scenario *s = NULL;
    put("s.yaml", scenario_text);
    put("v.txt", "1s\n2s\n4s\n");
    if (nf_scenario_load(in_folder("s.yaml"), &options, &arena, &diags, &s) != NF_OK) {
        nf_diags_print(&diags, stderr);
    }
    cr_assert_not_null(s);
    return s;
}

static const struct nf_scenario_input *find(const struct nf_scenario *s, const char *role,
                                            const char *name)
{
    const struct nf_scenario_input *found = NULL;
    for (size_t i = 0; i < s->input_count; i++) {
        bool is_it =
            strcmp(s->inputs[i].role, role) == 0 && strcmp(s->inputs[i].name, name) == 0;
        cr_assert(!is_it || found == NULL, "%s %s stands twice", role, name);
        found = is_it ? &s->inputs[i] : found;
    }
    cr_assert_not_null(found, "%s %s is missing", role, name);
    cr_assert_eq(strlen(found->sha256), 64);
    cr_assert_eq(access(found->path, R_OK), 0, "%s", found->path);
    return found;
}

Test(inputs, every_file_that_a_world_was_made_from_is_named_once)
{
    put("t.csv", "arrival_s\n0\n1\n99.5\n");
    const struct nf_scenario *s = load(NULL, 0);
    cr_assert_eq(s->input_count, 5, "%zu", s->input_count);
    (void)find(s, "trace", "t.csv");
    (void)find(s, "catalog", "scenarios/catalog/devices.yaml");
    (void)find(s, "catalog", "scenarios/catalog/models.yaml");
    (void)find(s, "calibration", "h100");
    /* sha256sum of the three lines */
    cr_assert_str_eq(find(s, "samples", "v.txt")->sha256,
                     "2dbe5870ab120b690dc83c416957175d3efaa78f5a3c5306c95104fd94c3cff0");
}

Test(inputs, a_profile_beside_the_scenario_is_one)
{
    const char *mine[] = {"cloud.pool.calibration=mine.yaml"};
    struct nf_file_bytes shipped;
    put("t.csv", "arrival_s\n0\n99.5\n");
    cr_assert_eq(nf_file_read(NF_SOURCE_DIR "/results/calibration/h100.yaml", 1 << 20,
                              (struct nf_place){0}, &arena, &diags, &shipped),
                 NF_OK);
    put("mine.yaml", nf_arena_printf(&arena, "# mine\n%s", shipped.data));
    const struct nf_scenario *s = load(mine, 1);
    const struct nf_scenario_input *i = find(s, "calibration", "mine.yaml");
    cr_assert_str_eq(i->path, in_folder("mine.yaml"));
    const struct nf_scenario *shipping = load(NULL, 0);
    cr_assert_str_neq(i->sha256, find(shipping, "calibration", "h100")->sha256);
}

Test(inputs, one_row_of_a_trace_changes_its_identity_alone)
{
    put("t.csv", "arrival_s\n0\n1\n99.5\n");
    const struct nf_scenario *a = load(NULL, 0);
    put("t.csv", "arrival_s\n0\n2\n99.5\n");
    const struct nf_scenario *b = load(NULL, 0);
    cr_assert_eq(a->input_count, b->input_count);
    for (size_t i = 0; i < a->input_count; i++) {
        bool is_trace = strcmp(a->inputs[i].role, "trace") == 0;
        bool is_same = strcmp(a->inputs[i].sha256, b->inputs[i].sha256) == 0;
        cr_assert_eq(is_same, !is_trace, "%s", a->inputs[i].name);
    }
}

Test(inputs, a_trace_that_ends_long_before_the_run_is_warned_of)
{
    const char *longer[] = {"duration=240s"};
    put("t.csv", "arrival_s\n0\n1\n99.5\n");
    (void)load(NULL, 0);
    cr_assert_eq(diags.warnings, 0);
    const struct nf_scenario *s = load(longer, 1);
    cr_assert_eq(diags.warnings, 2); /* one a traffic entry */
    cr_assert_not_null(strstr(diags.items[0].message, "its last row comes at 99.5 s"));
    cr_assert_not_null(strstr(diags.items[0].message, "the run ends at 4 min"));
    cr_assert_str_eq(diags.items[0].path, "traffic.a.arrivals");
    cr_assert_eq(s->trace_count, 2);
    cr_assert_eq(s->traces[1].played, 3);
    cr_assert_eq(s->traces[1].too_late, 0);
}

Test(inputs, a_silence_as_long_as_one_in_the_trace_is_no_end_of_it)
{
    const char *longer[] = {"duration=197s"};
    put("t.csv",
        "arrival_s\n0\n1\n99.5\n"); /* 97.5 s of silence at the end, 98.5 s inside */
    (void)load(longer, 1);
    cr_assert_eq(diags.warnings, 0);
}

Test(inputs, rows_behind_the_end_and_before_the_offset_are_counted)
{
    const char *changes[] = {"traffic.b.arrivals.offset=2s"};
    put("t.csv", "arrival_s\n0\n1\n7\n99.5\n107\n107.5\n");
    const struct nf_scenario *s = load(changes, 1);
    cr_assert_eq(diags.warnings, 0);
    cr_assert_eq(s->traces[0].rows, 6);
    cr_assert_eq(s->traces[0].played, 4);
    cr_assert_eq(s->traces[0].too_late, 2);
    cr_assert_float_eq(s->traces[0].last_s, 99.5, 1e-12);
    cr_assert_str_eq(s->traces[1].class_name, "b");
    cr_assert_str_eq(s->traces[1].file, "t.csv");
    cr_assert_eq(s->traces[1].played, 3); /* 7, 99.5 and 107 s, which is the end */
    cr_assert_eq(s->traces[1].too_late, 1);
    cr_assert_float_eq(s->traces[1].last_s, 100, 1e-12);
}
