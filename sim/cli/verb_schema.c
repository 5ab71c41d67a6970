/* nearfar schema: what a scenario file may say, from the table that the loader reads. */
#include "cli/cli.h"
#include "scenario/scenario.h"

static int run(struct nf_cli *cli)
{
    if (nf_options_has(&cli->args, "--json-schema")) {
        if (cli->args.operand_count > 0) {
            (void)nf_diag_add(&cli->diags, NF_E_USAGE, (struct nf_place){0}, "schema",
                              NULL,
                              "--json-schema describes the whole file and takes no path");
            return NF_EXIT_INPUT;
        }
        nf_scenario_write_json_schema(&cli->out);
        return NF_EXIT_DONE;
    }
    const char *path = cli->args.operand_count > 0 ? cli->args.operands[0] : "";
    const char *nearest = NULL;
    if (nf_scenario_write_help(path, &cli->out, &nearest)) {
        return NF_EXIT_DONE;
    }
    const char *hint = nearest
                           ? nf_arena_printf(&cli->arena, "did you mean \"%s\"?", nearest)
                           : "nearfar schema lists the keys of the whole file";
    (void)nf_diag_add(&cli->diags, NF_E_KEY, (struct nf_place){0}, "schema", hint,
                      "a scenario has no key \"%s\"", path);
    return NF_EXIT_INPUT;
}

static const struct nf_option options[] = {
    {.name = "--json-schema", .help = "a JSON schema (draft 07) for editors"},
};

const struct nf_verb nf_verb_schema = {
    .name = "schema",
    .operands = "[PATH]",
    .sentence = "Explain the keys of a scenario file: units, ranges, defaults.",
    .examples = {"nearfar schema", "nearfar schema cloud.autoscaler",
                 "nearfar schema --json-schema > nearfar.schema.json"},
    .notes = "PATH is a dotted path; names that you choose may be left out "
             "(cloud.queue for cloud.my-pool.queue).",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .operands_max = 1,
    .run = run,
};
