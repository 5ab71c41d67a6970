/* nearfar plot: pictures of a result file. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "results/plot.h"

static const struct nf_place command_line;

static bool choose_kind(struct nf_cli *cli, enum nf_plot_kind *kind)
{
    const char *word = nf_options_value(&cli->args, "--kind");
    *kind = NF_PLOT_OVERVIEW;
    if (!word || nf_plot_kind_of(word, kind)) {
        return true;
    }
    const char *const *names = nf_plot_kind_names();
    struct nf_text list = {0};
    for (size_t i = 0; names[i]; i++) {
        nf_text_printf(&list, "%s%s", i > 0 ? ", " : "", names[i]);
    }
    const char *nearest = nf_text_nearest(word, names);
    const char *hint = nearest ? nf_arena_printf(&cli->arena, "did you mean %s?", nearest)
                               : nf_arena_printf(&cli->arena, "kinds: %s", list.data);
    (void)nf_diag_add(&cli->diags, NF_E_USAGE, command_line, "--kind", hint,
                      "no kind \"%s\"", word);
    nf_text_fini(&list);
    return false;
}

/* results/hybrid.h5 -> results/hybrid.png, or results/hybrid-cdf.png for a kind that was asked for. */
static const char *default_image(struct nf_cli *cli, const char *file,
                                 enum nf_plot_kind kind)
{
    size_t length = strlen(file);
    if (length > 3 && strcmp(file + length - 3, ".h5") == 0) {
        length -= 3;
    }
    bool is_plain = kind == NF_PLOT_OVERVIEW;
    return nf_arena_printf(&cli->arena, "%.*s%s%s.png", (int)length, file,
                           is_plain ? "" : "-", is_plain ? "" : nf_plot_kind_name(kind));
}

static int run(struct nf_cli *cli)
{
    enum nf_plot_kind kind;
    if (!choose_kind(cli, &kind)) {
        return NF_EXIT_INPUT;
    }
    const char *file = cli->args.operands[0];
    if (access(file, F_OK) != 0 &&
        errno == ENOENT) { /* a wrong name, not a failing disk */
        (void)nf_diag_add(&cli->diags, NF_E_USAGE, command_line, NULL, NULL,
                          "there is no file \"%s\"", file);
        return NF_EXIT_INPUT;
    }
    const char *image = nf_options_value(&cli->args, "--output");
    if (!nf_cli_guard(cli, "--output", file)) {
        return NF_EXIT_INPUT;
    }
    if (!image) {
        image = default_image(cli, file, kind);
    }
    if (nf_plot(file, kind, image, cli->data_root, &cli->diags) != NF_OK) {
        return nf_cli_status(cli, NF_EXIT_ENVIRONMENT);
    }
    nf_text_printf(&cli->out, "Drawn     %s\n", image);
    return NF_EXIT_DONE;
}

static const struct nf_option options[] = {
    {.name = "--kind",
     .value = "KIND",
     .help = "overview (default), cdf, timeline or cost"},
    {.name = "--output",
     .letter = "-o",
     .value = "IMAGE",
     .help = "the picture: .png, .svg or .pdf (default: beside FILE, .png)"},
};

const struct nf_verb nf_verb_plot = {
    .name = "plot",
    .operands = "FILE.h5",
    .sentence = "Draw a result file: latency, load over time, cost.",
    .examples = {"nearfar plot hybrid.h5",
                 "nearfar plot hybrid.h5 --kind cdf -o latency.pdf",
                 "nearfar plot hybrid.h5 --kind timeline -o load.svg"},
    .notes =
        "A timeline needs a series in the file (nearfar schema output). gnuplot draws.",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
