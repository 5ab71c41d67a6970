/* nearfar run: play a scenario, print what it came to, keep the result file. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/run_summary.h"
#include "experiment/record.h"
#include "scenario/decl.h"
#include "scenario/scenario.h"

static const struct nf_place command_line;

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- progress, on a terminal only ---- */

static void show_progress(void *ctx, double fraction)
{
    const double *begin = ctx;
    double passed = now_s() - *begin;
    fprintf(stderr, "\r\033[K%3.0f %%", 100.0 * fraction);
    if (passed > 1.0 && fraction > 0.01) {
        fprintf(stderr, ", %.0f s left", passed * (1.0 - fraction) / fraction);
    }
}

/* ---- what the file and the summary say about where the numbers come from ---- */

static struct nf_run_inputs inputs_of(const struct nf_scenario *s, struct nf_arena *arena)
{
    struct nf_input_file *files =
        NF_NEW_ARRAY(arena, s->input_count, struct nf_input_file);
    for (size_t i = 0; i < s->input_count; i++) {
        files[i] = (struct nf_input_file){.role = s->inputs[i].role,
                                          .name = s->inputs[i].name,
                                          .sha256 = s->inputs[i].sha256};
    }
    return (struct nf_run_inputs){
        .version = NF_VERSION,
        .text = s->text,
        .text_length = s->text_length,
        .overrides = s->overrides,
        .override_count = s->override_count,
        .files = files,
        .file_count = s->input_count,
    };
}

static void add_provenance(const struct nf_scenario *s, struct nf_run_facts *facts,
                           struct nf_arena *arena)
{
    const char **lines = NF_NEW_ARRAY(arena, s->calibration_count, const char *);
    for (size_t i = 0; i < s->calibration_count; i++) {
        const struct nf_calibration *c = s->calibrations[i];
        lines[i] = nf_arena_printf(arena, "calibration %s of %s: %s", c->name, c->device,
                                   nf_provenance_name(c->provenance));
    }
    facts->provenance = lines;
    facts->provenance_count = s->calibration_count;
}

/* ---- the run ---- */

/* The answer to a run that went well. */
static int answer(struct nf_cli *cli, const struct nf_scenario *s,
                  const struct nf_outcome *outcomes, const char *result_path,
                  double wall_s)
{
    struct nf_run_facts facts = {
        .description = s->decl->description ? s->decl->description : "",
        .wall_s = wall_s,
        .scenario_path = cli->args.operands[0],
        .result_path = result_path,
        .traces = s->traces,
        .trace_count = s->trace_count,
        .diags = &cli->diags,
    };
    add_provenance(s, &facts, &cli->arena);
    struct nf_report report;
    nf_report_make(&report, &s->world, outcomes, s->world.replications, &cli->arena);
    if (nf_options_has(&cli->args, "--json")) {
        nf_run_json(&report, &facts, &cli->out);
    } else if (!nf_options_has(&cli->args, "--quiet")) {
        nf_run_print(&report, &facts, &cli->arena, &cli->out);
    }
    bool is_no =
        nf_options_has(&cli->args, "--require-sla") && !nf_report_meets_sla(&report);
    return is_no ? NF_EXIT_NO : NF_EXIT_DONE;
}

static int play(struct nf_cli *cli, const struct nf_scenario *s, unsigned jobs)
{
    size_t n = s->world.replications;
    struct nf_outcome *outcomes = NF_NEW_ARRAY(&cli->arena, n, struct nf_outcome);
    struct nf_run_inputs inputs = inputs_of(s, &cli->arena);
    double begin = now_s();
    bool shows = nf_cli_shows_progress(cli);
    struct nf_record record = {
        .spec = &s->world,
        .inputs = &inputs,
        .path = nf_options_value(&cli->args, "--output"),
        .jobs = jobs,
        .progress = shows ? show_progress : NULL,
        .progress_ctx = &begin,
    };
    enum nf_status status = nf_record_run(&record, outcomes, &cli->arena, &cli->diags);
    if (shows) {
        fputs("\r\033[K", stderr);
    }
    int code = status == NF_OK ? answer(cli, s, outcomes, record.path, now_s() - begin)
                               : nf_cli_status(cli, NF_EXIT_ENVIRONMENT);
    for (size_t i = 0; i < n; i++) {
        nf_outcome_fini(&outcomes[i]);
    }
    return code;
}

/* The results are not written over what they are made from. */
static bool is_output_free(struct nf_cli *cli, const struct nf_scenario *s)
{
    bool is_free = nf_cli_guard(cli, "--output", s->path) &&
                   (!s->catalog || nf_cli_guard_catalog(cli, "--output", s->catalog));
    for (size_t i = 0; i < s->input_count && is_free; i++) {
        is_free = nf_cli_guard(cli, "--output", s->inputs[i].path);
    }
    return is_free;
}

static int run(struct nf_cli *cli)
{
    uint64_t jobs = 0;
    (void)nf_options_count(&cli->args, "--jobs", 1, 1024, &jobs, &cli->diags);
    const struct nf_scenario *s = nf_cli_load(cli, cli->args.operands[0]);
    if (s && nf_options_has(&cli->args, "--require-sla") && s->world.sla_count == 0) {
        (void)nf_diag_add(&cli->diags, NF_E_USAGE, command_line, "--require-sla",
                          "see: nearfar schema sla",
                          "the scenario has no objectives (sla)");
    }
    if (!s || !is_output_free(cli, s) || cli->diags.errors > 0) {
        return nf_cli_status(cli, NF_EXIT_INPUT);
    }
    return play(cli, s, (unsigned)jobs);
}

static const struct nf_option options[] = {
    {.name = "--output",
     .letter = "-o",
     .value = "FILE.h5",
     .help = "keep the results in this file"},
    NF_OPTION_SET,
    {.name = "--seed", .value = "N", .help = "another seed than the scenario's"},
    {.name = "--replications", .value = "N", .help = "another number of replications"},
    {.name = "--jobs",
     .letter = "-j",
     .value = "N",
     .help = "threads (default: all processors); results do not depend on it"},
    {.name = "--json", .help = "print one JSON object instead of the summary"},
    {.name = "--quiet", .letter = "-q", .help = "no summary and no progress"},
    {.name = "--require-sla", .help = "exit status 1 when an objective is missed"},
};

const struct nf_verb nf_verb_run = {
    .name = "run",
    .operands = "SCENARIO",
    .sentence = "Play a scenario and print latency, cost and whether objectives are met.",
    .examples =
        {"nearfar run scenarios/article/hybrid-vision.yaml -o hybrid.h5",
         "nearfar run scenarios/examples/mm1.yaml --set traffic.load.arrivals.rate=0.8/s",
         "nearfar run scenarios/examples/recorded-code.yaml --json --require-sla"},
    .notes =
        "Without --output nothing is written. Which rows the file keeps is the "
        "scenario's\n"
        "choice (nearfar schema output). The same scenario and seed give the same file,\n"
        "byte for byte, whatever --jobs says. A link is written through; a file that is\n"
        "read here or write-protected is kept.",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
