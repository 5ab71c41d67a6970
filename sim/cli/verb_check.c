/* nearfar check: everything that a run would refuse, without running. */
#include "cli/cli.h"
#include "cli/run_summary.h"
#include "scenario/scenario.h"

static void say_what_it_is(struct nf_cli *cli, const char *path,
                           const struct nf_world_spec *w)
{
    nf_text_printf(&cli->out,
                   "%s: good. %s: %zu station%s, %zu class%s, %zu source%s, %zu link%s, "
                   "%u replication%s\n",
                   path, w->name, w->station_count, w->station_count == 1 ? "" : "s",
                   w->class_count, w->class_count == 1 ? "" : "es", w->source_count,
                   w->source_count == 1 ? "" : "s", w->link_count,
                   w->link_count == 1 ? "" : "s", w->replications,
                   w->replications == 1 ? "" : "s");
}

static int run(struct nf_cli *cli)
{
    bool shows_all = nf_options_has(&cli->args, "--effective");
    size_t n = cli->args.operand_count;
    for (size_t i = 0; i < n; i++) {
        const char *path = cli->args.operands[i];
        const struct nf_scenario *s = nf_cli_load(cli, path);
        if (!s) {
            continue;
        }
        if (!shows_all) {
            say_what_it_is(cli, path, &s->world);
            nf_run_print_traces(s->traces, s->trace_count, "  ", &cli->out);
            continue;
        }
        if (n > 1) {
            nf_text_printf(&cli->out, "%s# %s\n", i > 0 ? "---\n" : "", path);
        }
        nf_scenario_write_effective(s, &cli->out);
    }
    return nf_cli_status(cli, NF_EXIT_DONE);
}

static const struct nf_option options[] = {
    {.name = "--effective", .help = "print the scenario with every default written out"},
    NF_OPTION_SET,
};

const struct nf_verb nf_verb_check = {
    .name = "check",
    .operands = "SCENARIO...",
    .sentence = "Check scenario files and list all their mistakes, without running them.",
    .examples = {"nearfar check scenarios/examples/mm1.yaml",
                 "nearfar check scenarios/examples/*.yaml",
                 "nearfar check scenarios/examples/mm1.yaml --effective"},
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .operands_min = 1,
    .operands_max = 100000,
    .run = run,
};
