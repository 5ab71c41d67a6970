/* output.c - a file that is written may not be one that is read; see cli.h. */
#include <string.h>

#include "base/file.h"
#include "cli/cli.h"
#include "scenario/catalog.h"

static const struct nf_place command_line;

bool nf_cli_guard(struct nf_cli *cli, const char *option, const char *input)
{
    const char *output = nf_options_value(&cli->args, option);
    if (!output || !nf_file_is_same(output, input)) {
        return true;
    }
    const char *what = strcmp(output, input) == 0
                           ? "it is read here, and would be lost"
                           : nf_arena_printf(&cli->arena,
                                             "it is the same file as \"%s\", which is "
                                             "read here and would be lost",
                                             input);
    (void)nf_diag_add(&cli->diags, NF_E_USAGE, command_line, option,
                      "give the output another name", "cannot write \"%s\": %s", output,
                      what);
    return false;
}

bool nf_cli_guard_catalog(struct nf_cli *cli, const char *option,
                          const struct nf_catalog *catalog)
{
    size_t n = 0;
    const struct nf_catalog_file *files = nf_catalog_files(catalog, &n);
    if (!nf_options_has(&cli->args, option)) {
        return true;
    }
    for (size_t i = 0; i < n; i++) {
        const char *path =
            nf_arena_printf(&cli->arena, "%s/%s", cli->data_root, files[i].path);
        if (!nf_cli_guard(cli, option, path)) {
            return false;
        }
    }
    return true;
}
