/*
 * options.h - one table a verb: it parses the command line and prints the help, so that the two cannot differ.
 *
 * What:   options may stand anywhere; `--name value`, `--name=value`, `-o value`, `-ovalue`; `--` ends the options.
 * Why:    a misspelt option gets the nearest right one, and an option given twice is an error, not a silent choice.
 * Owner:  struct nf_arguments points into argv and the caller's arena.
 * Errors: NF_E_USAGE with an entry in diags (exit 2).
 */
#ifndef NF_CLI_OPTIONS_H
#define NF_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/text.h"

struct nf_option {
    const char *name;   /* "--set" */
    const char *letter; /* "-o", or NULL */
    const char *value;  /* "PATH=VALUE"; NULL: a switch */
    const char *help;
    bool repeats; /* may be given more than once */
};

struct nf_cli;

struct nf_verb {
    const char *name;
    const char *operands; /* "SCENARIO", for the usage line */
    const char *sentence; /* what it does, one sentence */
    const char *examples[3];
    const char *notes; /* further lines of the help, or NULL */
    const struct nf_option *options;
    size_t option_count;
    size_t operands_min, operands_max;
    int (*run)(struct nf_cli *cli); /* returns the exit status */
};

struct nf_given {
    const struct nf_option *option;
    const char *value; /* NULL for a switch */
};

struct nf_arguments {
    const char **operands;
    size_t operand_count;
    struct nf_given *given; /* in the order of the command line */
    size_t given_count;
    bool wants_help; /* --help or -h */
};

/* Parse argv[0..argc) (without program and verb). All mistakes are listed. With --help nothing else is checked. */
NF_MUST_CHECK enum nf_status nf_options_parse(const struct nf_verb *verb, int argc,
                                              char *const *argv, struct nf_arena *arena,
                                              struct nf_arguments *out,
                                              struct nf_diags *diags);

bool nf_options_has(const struct nf_arguments *a, const char *name);
/* The value of an option, NULL when it was not given. */
const char *nf_options_value(const struct nf_arguments *a, const char *name);
/* All values of an option that repeats, in order; *count of them. */
const char **nf_options_values(const struct nf_arguments *a, const char *name,
                               struct nf_arena *arena, size_t *count);
/* A whole number in [low, high]. *out stays as it is when the option was not given. False with an entry in diags otherwise. */
bool nf_options_count(const struct nf_arguments *a, const char *name, uint64_t low,
                      uint64_t high, uint64_t *out, struct nf_diags *diags);

/* The help of one verb. */
void nf_options_help(const struct nf_verb *verb, struct nf_text *out);

#endif
