#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "bench/bench.h"

static const struct nf_bench_command commands[] = {
    {"engine", "event queue and random draws, ns per operation", nf_bench_engine},
    {"bare", "the loops of M/M/1 and of the two-tier case without a simulator around",
     nf_bench_bare},
    {"world",
     "the whole simulator beside the bare loops, with and without request rows; peak "
     "memory",
     nf_bench_world},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static void print_help(FILE *out)
{
    fprintf(out,
            "nearfar-bench measures how fast the simulator is.\n\n"
            "  nearfar-bench engine\n"
            "  nearfar-bench --json engine > engine.jsonl\n"
            "  nearfar-bench --repetitions 31 world FOLDER\n\n"
            "Usage: nearfar-bench [--json] [--repetitions N] COMMAND [ARGUMENT]...\n\n");
    for (int i = 0; i < COMMANDS; i++) {
        fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].help);
    }
    fprintf(out,
            "\n  --json           one JSON object a line instead of a table\n"
            "  --repetitions N  timed repetitions, 5 to %d (default %d)\n",
            NF_BENCH_MAX_REPETITIONS, NF_BENCH_REPETITIONS);
}

static int refuse(const char *mistake, const char *word)
{
    fprintf(stderr, "nearfar-bench: %s%s (see nearfar-bench --help)\n", mistake, word);
    return 2;
}

int main(int argc, char **argv)
{
    struct nf_bench bench = {.repetitions = NF_BENCH_REPETITIONS};
    int i = 1;
    for (; i < argc && nf_text_starts_with(argv[i], "-"); i++) {
        int64_t n = 0;
        if (strcmp(argv[i], "--help") == 0) {
            print_help(stdout);
            return 0;
        }
        if (strcmp(argv[i], "--json") == 0) {
            bench.json = true;
        } else if (strcmp(argv[i], "--repetitions") == 0) {
            if (i + 1 == argc || !nf_text_int64(argv[i + 1], &n) || n < 5 ||
                n > NF_BENCH_MAX_REPETITIONS) {
                return refuse("--repetitions needs a number from 5 to 1000", "");
            }
            bench.repetitions = (int)n;
            i++;
        } else {
            return refuse("unknown option ", argv[i]);
        }
    }
    if (i == argc) {
        print_help(stderr);
        return 2;
    }
    for (int c = 0; c < COMMANDS; c++) {
        if (strcmp(argv[i], commands[c].name) == 0) {
            nf_bench_print_machine(&bench);
            return commands[c].run(&bench, argc - i - 1, argv + i + 1);
        }
    }
    return refuse("unknown command ", argv[i]);
}
