/* load.c - a scenario from the command line; see cli.h. */
#include "cli/cli.h"
#include "scenario/scenario.h"

enum { REPLICATIONS_MAX = 100000 };

const struct nf_scenario *nf_cli_load(struct nf_cli *cli, const char *path)
{
    struct nf_scenario_options options = {.data_root = cli->data_root};
    options.overrides =
        nf_options_values(&cli->args, "--set", &cli->arena, &options.override_count);
    options.has_seed = nf_options_has(&cli->args, "--seed");
    options.has_replications = nf_options_has(&cli->args, "--replications");
    uint64_t replications = 1;
    bool is_good =
        nf_options_count(&cli->args, "--seed", 0, INT64_MAX, &options.seed, &cli->diags);
    is_good = nf_options_count(&cli->args, "--replications", 1, REPLICATIONS_MAX,
                               &replications, &cli->diags) &&
              is_good;
    if (!is_good) {
        return NULL;
    }
    options.replications = (unsigned)replications;
    const struct nf_scenario *scenario = NULL;
    if (nf_scenario_load(path, &options, &cli->arena, &cli->diags, &scenario) != NF_OK) {
        return NULL;
    }
    return scenario;
}
