/*
 * cli.h - the program `nearfar` around its verbs: what a verb is given, and where its answers go.
 *
 * What:   nf_cli_main picks the verb, parses its options, runs it, prints diagnostics to stderr and the verb's text to stdout.
 * Why:    a verb that only fills cli->out cannot leave half an answer on stdout, and a full disk behind stdout is noticed once,
 *         here.
 * Owner:  everything lives in cli->arena until the program ends.
 * Errors: exit statuses of DESIGN.md section 5: 0 done, 1 the answer is no, 2 usage or input, 3 environment.
 */
#ifndef NF_CLI_CLI_H
#define NF_CLI_CLI_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/text.h"
#include "cli/options.h"

enum { NF_EXIT_DONE = 0, NF_EXIT_NO = 1, NF_EXIT_INPUT = 2, NF_EXIT_ENVIRONMENT = 3 };

struct nf_cli {
    struct nf_arena arena;
    struct nf_diags diags;
    struct nf_text out; /* what goes to stdout */
    const struct nf_verb *verb;
    struct nf_arguments args;
    const char *data_root; /* folder that holds scenarios/ and results/ */
};

/* The whole program. */
int nf_cli_main(int argc, char **argv);

/* Exit status that the diagnostics ask for; `otherwise` when they hold no error. */
int nf_cli_status(const struct nf_cli *cli, int otherwise);

/* Load and check a scenario with the verb's --set, --seed and --replications. NULL: see the diagnostics. */
struct nf_scenario;
const struct nf_scenario *nf_cli_load(struct nf_cli *cli, const char *path);

/* The options that change a scenario before it is checked. */
#define NF_OPTION_SET                                                                    \
    {                                                                                    \
        .name = "--set", .value = "PATH=VALUE", .repeats = true,                         \
        .help = "change a value of the scenario, e.g. traffic.load.arrivals.rate=5/s"    \
    }

/* What the verb writes under `option` must not be a file that it reads, under whatever name or link. False, with NF_E_USAGE in the
 * diagnostics, when it is: nothing may be written then. True when the option is not given. */
bool nf_cli_guard(struct nf_cli *cli, const char *option, const char *input);
struct nf_catalog;
bool nf_cli_guard_catalog(struct nf_cli *cli, const char *option,
                          const struct nf_catalog *catalog);

/* Progress on stderr, only when it is a terminal and --quiet is not given. */
bool nf_cli_shows_progress(const struct nf_cli *cli);

/* nearfar validate KIND FILE for the kinds that hold models against measured rows, and what all of them print. */
struct nf_measured;
int nf_cli_validate_measured(struct nf_cli *cli, const char *kind);
int nf_cli_show_measured(struct nf_cli *cli, const struct nf_measured *m);

/* The verbs, one a file verb_NAME.c. */
extern const struct nf_verb nf_verb_run, nf_verb_check, nf_verb_schema, nf_verb_catalog,
    nf_verb_plot, nf_verb_validate, nf_verb_calibrate;

#endif
