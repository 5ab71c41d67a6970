/* load.c - a scenario from the command line; see cli.h. */
#include "cli/cli.h"

#include <string.h>
#include <unistd.h>

#include "scenario/scenario.h"

enum { REPLICATIONS_MAX = 100000 };

/* The shipped scenario of that name, with or without its ending; NULL when there is none. */
static const char *shipped(struct nf_cli *cli, const char *name)
{
    static const char *const folders[] = {"examples", "article", "validation"};
    const char *ending = strstr(name, ".yaml") ? "" : ".yaml";
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        const char *path =
            nf_arena_printf(&cli->arena, "scenarios/%s/%s%s", folders[i], name, ending);
        if (access(path, R_OK) == 0) {
            return path;
        }
        path = nf_arena_printf(&cli->arena, "%s/%s", cli->data_root, path);
        if (access(path, R_OK) == 0) {
            return path;
        }
    }
    return NULL;
}

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
    const char *meant =
        access(path, F_OK) == 0 || strchr(path, '/') ? NULL : shipped(cli, path);
    if (meant) {
        const char *hint = nf_arena_printf(&cli->arena, "did you mean %s?", meant);
        (void)nf_diag_add(&cli->diags, NF_E_USAGE, (struct nf_place){.file = path}, "",
                          hint, "there is no file \"%s\"", path);
        return NULL;
    }
    const struct nf_scenario *scenario = NULL;
    if (nf_scenario_load(path, &options, &cli->arena, &cli->diags, &scenario) != NF_OK) {
        return NULL;
    }
    return scenario;
}
