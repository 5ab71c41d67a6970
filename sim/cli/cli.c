#include "cli/cli.h"

#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stats/setup.h"

static const struct nf_verb *const verbs[] = {
    &nf_verb_run,  &nf_verb_check,    &nf_verb_schema,    &nf_verb_catalog,
    &nf_verb_plot, &nf_verb_validate, &nf_verb_calibrate,
};
enum { VERB_COUNT = sizeof verbs / sizeof verbs[0] };

static const struct nf_place nowhere;

/* ---- where the shipped files are ---- */

static bool holds_catalog(const char *root, struct nf_arena *arena)
{
    struct stat st;
    const char *folder = nf_arena_printf(arena, "%s/scenarios/catalog", root);
    return stat(folder, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The folder two above the one that holds the program (build/bin/nearfar), or NULL. */
static const char *root_of_program(struct nf_arena *arena)
{
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length <= 0) {
        return NULL;
    }
    path[length] = '\0';
    for (int up = 0; up < 3; up++) {
        char *slash = strrchr(path, '/');
        if (!slash || slash == path) {
            return NULL;
        }
        *slash = '\0';
    }
    return nf_arena_strdup(arena, path);
}

static const char *find_data_root(struct nf_cli *cli)
{
    const char *named = getenv("NEARFAR_DATA");
    if (named && *named) {
        if (!holds_catalog(named, &cli->arena)) {
            (void)nf_diag_add(&cli->diags, NF_E_USAGE, nowhere, "NEARFAR_DATA", NULL,
                              "\"%s\" has no folder scenarios/catalog", named);
        }
        return named;
    }
    const char *near_program = root_of_program(&cli->arena);
    return near_program && holds_catalog(near_program, &cli->arena) ? near_program
                                                                    : NF_DATA_DIR;
}

/* ---- help ---- */

static void add_verbs(struct nf_text *out)
{
    for (size_t i = 0; i < VERB_COUNT; i++) {
        nf_text_printf(out, "  %-10s %s\n", verbs[i]->name, verbs[i]->sentence);
    }
}

static void add_program_help(struct nf_text *out)
{
    nf_text_add(out,
                "nearfar simulates AI inference at the edge, in the cloud and in "
                "between: latency, cost "
                "and SLA.\n\n"
                "Examples:\n"
                "  nearfar run scenarios/article/hybrid-vision.yaml -o hybrid.h5\n"
                "  nearfar plot hybrid.h5 -o hybrid.png\n"
                "  nearfar check scenarios/article/hybrid-vision.yaml --effective\n\n"
                "Verbs:\n");
    add_verbs(out);
    nf_text_add(
        out,
        "\n"
        "Options:\n"
        "  --version  print the version\n"
        "  -h, --help this text; nearfar help VERB or nearfar VERB --help for one verb\n"
        "\n"
        "Exit status: 0 done; 1 done and the answer is no; 2 wrong usage or input,\n"
        "nothing was run or written; 3 the environment failed (disk full, no memory).\n");
}

static const struct nf_verb *find_verb(const char *name)
{
    for (size_t i = 0; i < VERB_COUNT; i++) {
        if (strcmp(verbs[i]->name, name) == 0) {
            return verbs[i];
        }
    }
    return NULL;
}

/* What somebody meant who gave a file where a verb belongs; NULL when it is none. */
static const char *verb_for_file(struct nf_cli *cli, const char *word)
{
    const char *dot = strrchr(word, '.');
    bool is_scenario = dot && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
    if (is_scenario || (dot && strcmp(dot, ".h5") == 0)) {
        return nf_arena_printf(&cli->arena, "to %s it: nearfar %s %s",
                               is_scenario ? "play" : "draw",
                               is_scenario ? "run" : "plot", word);
    }
    return NULL;
}

static int say_unknown_verb(struct nf_cli *cli, const char *word)
{
    const char *names[VERB_COUNT + 4] = {"help", "--help",
                                         "--version"}; /* ends with NULL */
    for (size_t i = 0; i < VERB_COUNT; i++) {
        names[i + 3] = verbs[i]->name;
    }
    const char *nearest = nf_text_nearest(word, names);
    const char *hint = verb_for_file(cli, word);
    if (!hint) {
        hint = nearest ? nf_arena_printf(&cli->arena, "did you mean %s?", nearest)
                       : "see: nearfar --help";
    }
    (void)nf_diag_add(&cli->diags, NF_E_USAGE, nowhere, NULL, hint, "unknown %s \"%s\"",
                      word[0] == '-' ? "option" : "verb", word);
    return NF_EXIT_INPUT;
}

/* The verbs go where the message goes: a program that asked for nothing gets nothing on standard output. */
static int say_no_verb(struct nf_cli *cli)
{
    struct nf_text usage = {0};
    nf_text_add(&usage, "Usage: nearfar VERB [ARGUMENTS]\n");
    add_verbs(&usage);
    fputs(usage.data, stderr);
    nf_text_fini(&usage);
    (void)nf_diag_add(&cli->diags, NF_E_USAGE, nowhere, NULL, "see: nearfar --help",
                      "a verb is missing");
    return NF_EXIT_INPUT;
}

static int help_for(struct nf_cli *cli, int argc, char **argv)
{
    if (argc == 0) {
        add_program_help(&cli->out);
        return NF_EXIT_DONE;
    }
    const struct nf_verb *verb = find_verb(argv[0]);
    if (!verb) {
        return say_unknown_verb(cli, argv[0]);
    }
    nf_options_help(verb, &cli->out);
    return NF_EXIT_DONE;
}

/* ---- the way through ---- */

static int run_verb(struct nf_cli *cli, int argc, char **argv)
{
    if (nf_options_parse(cli->verb, argc, argv, &cli->arena, &cli->args, &cli->diags) !=
        NF_OK) {
        return NF_EXIT_INPUT;
    }
    if (cli->args.wants_help) {
        nf_options_help(cli->verb, &cli->out);
        return NF_EXIT_DONE;
    }
    cli->data_root = find_data_root(cli);
    if (cli->diags.errors > 0) {
        return NF_EXIT_INPUT;
    }
    return cli->verb->run(cli);
}

static int dispatch(struct nf_cli *cli, int argc, char **argv)
{
    const char *word = argc > 0 ? argv[0] : "";
    if (argc == 0) {
        return say_no_verb(cli);
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 ||
        strcmp(word, "help") == 0) {
        return help_for(cli, argc - 1, argv + 1);
    }
    if (strcmp(word, "--version") == 0) {
        nf_text_add(&cli->out, "nearfar " NF_VERSION "\n");
        return NF_EXIT_DONE;
    }
    cli->verb = find_verb(word);
    return cli->verb ? run_verb(cli, argc - 1, argv + 1) : say_unknown_verb(cli, word);
}

/* A reader that closed the pipe has seen enough; a disk that is full has lost the answer. */
static int write_out(const struct nf_cli *cli, int status)
{
    if (cli->out.length == 0) {
        return status;
    }
    bool is_good = fwrite(cli->out.data, 1, cli->out.length, stdout) == cli->out.length;
    is_good = fflush(stdout) == 0 && is_good;
    if (is_good || errno == EPIPE) {
        return status;
    }
    fprintf(stderr, "nearfar: error: cannot write to standard output: %s  [io]\n",
            strerror(errno));
    return NF_EXIT_ENVIRONMENT;
}

int nf_cli_status(const struct nf_cli *cli, int otherwise)
{
    enum nf_status s = nf_diags_status(&cli->diags);
    return s == NF_OK ? otherwise : nf_status_exit(s);
}

bool nf_cli_shows_progress(const struct nf_cli *cli)
{
    return isatty(STDERR_FILENO) && !nf_options_has(&cli->args, "--quiet");
}

int nf_cli_main(int argc, char **argv)
{
    nf_stats_setup();
    setlocale(LC_ALL, "C");
    /* A closed summary must not stop a run that writes its file; a limit of file size is told like a full disk. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    struct nf_cli cli = {0};
    nf_arena_init(&cli.arena);
    nf_diags_init(&cli.diags, &cli.arena);
    int status = dispatch(&cli, argc - 1, argv + 1);
    if (cli.diags.count > 0) {
        fflush(stdout);
        nf_diags_print(&cli.diags, stderr);
    }
    status = write_out(&cli, status);
    nf_text_fini(&cli.out);
    nf_arena_fini(&cli.arena);
    return status;
}
