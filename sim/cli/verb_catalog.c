/* nearfar catalog: what ships, where each figure comes from, and whether a model fits a device. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "scenario/catalog.h"

static const struct nf_place command_line;

static int fit(struct nf_cli *cli, const struct nf_catalog *catalog, FILE *out)
{
    const struct nf_arguments *a = &cli->args;
    if (a->operand_count != 3) {
        (void)nf_diag_add(&cli->diags, NF_E_USAGE, command_line, "catalog",
                          "nearfar catalog fit llama-3.1-70b-fp8 H200",
                          "fit needs a model and a device");
        return NF_EXIT_INPUT;
    }
    struct nf_catalog_fit found;
    if (nf_catalog_fit(catalog, a->operands[1], a->operands[2], out, &cli->diags,
                       &found) != NF_OK) {
        return nf_cli_status(cli, NF_EXIT_INPUT);
    }
    return found.devices == 1 && found.has_units ? NF_EXIT_DONE : NF_EXIT_NO;
}

static int print(struct nf_cli *cli, const struct nf_catalog *catalog, FILE *out)
{
    const struct nf_arguments *a = &cli->args;
    const char *section = a->operand_count > 0 ? a->operands[0] : NULL;
    const char *name = a->operand_count > 1 ? a->operands[1] : NULL;
    if (section && strcmp(section, "fit") == 0) {
        return fit(cli, catalog, out);
    }
    if (a->operand_count > 2) {
        (void)nf_diag_add(&cli->diags, NF_E_USAGE, command_line, "catalog",
                          "see: nearfar catalog --help", "unexpected argument \"%s\"",
                          a->operands[2]);
        return NF_EXIT_INPUT;
    }
    return nf_catalog_print(catalog, section, name, out, &cli->diags) == NF_OK
               ? NF_EXIT_DONE
               : nf_cli_status(cli, NF_EXIT_INPUT);
}

static int run(struct nf_cli *cli)
{
    const struct nf_catalog *catalog = NULL;
    if (nf_catalog_load(cli->data_root, &cli->arena, &cli->diags, &catalog) != NF_OK) {
        return nf_cli_status(cli, NF_EXIT_INPUT);
    }
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    if (!out) {
        nf_out_of_memory(1);
    }
    int status = print(cli, catalog, out);
    fclose(out);
    nf_text_add_n(&cli->out, text, length);
    nf_mem_free(text);
    return status;
}

const struct nf_verb nf_verb_catalog = {
    .name = "catalog",
    .operands = "[SECTION [NAME]]",
    .sentence =
        "Show devices, models, prices and links that ship, each figure with its source.",
    .examples = {"nearfar catalog devices", "nearfar catalog models llama-3.1-8b-fp8",
                 "nearfar catalog fit llama-3.1-70b-fp8 H200"},
    .notes = "SECTION is devices, models, prices or links; NAME shows every figure of "
             "one entry.\n"
             "fit MODEL DEVICE tells whether the model fits one device (exit status 1: "
             "it does not,\n"
             "or the device lacks the units), how many it needs, what is left, why, and "
             "the predicted\n"
             "times.",
    .operands_max = 3,
    .run = run,
};
