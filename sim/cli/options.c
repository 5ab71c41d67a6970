#include "cli/options.h"

#include <string.h>

static const struct nf_place command_line;

static bool is_name(const struct nf_option *o, const char *s, size_t length)
{
    return (strlen(o->name) == length && strncmp(o->name, s, length) == 0) ||
           (o->letter && strlen(o->letter) == length &&
            strncmp(o->letter, s, length) == 0);
}

static const struct nf_option *find_option(const struct nf_verb *verb, const char *s,
                                           size_t length)
{
    for (size_t i = 0; i < verb->option_count; i++) {
        if (is_name(&verb->options[i], s, length)) {
            return &verb->options[i];
        }
    }
    return NULL;
}

static void say_unknown(const struct nf_verb *verb, const char *word,
                        struct nf_arena *arena, struct nf_diags *diags)
{
    const char **names = NF_NEW_ARRAY(arena, verb->option_count + 2, const char *);
    size_t n = 0;
    for (; n < verb->option_count; n++) {
        names[n] = verb->options[n].name;
    }
    names[n] = "--help";
    const char *nearest = nf_text_nearest(word, names);
    const char *hint = nearest
                           ? nf_arena_printf(arena, "did you mean %s?", nearest)
                           : nf_arena_printf(arena, "see: nearfar %s --help", verb->name);
    (void)nf_diag_add(diags, NF_E_USAGE, command_line, verb->name, hint,
                      "unknown option %s", word);
}

/* One argument that starts with '-': *i is at it and moves past its value. */
static void take_option(const struct nf_verb *verb, int argc, char *const *argv, int *i,
                        struct nf_arguments *out, struct nf_diags *diags)
{
    const char *word = argv[*i];
    const char *equals = strchr(word, '=');
    size_t length = equals ? (size_t)(equals - word) : strlen(word);
    const char *value = equals ? equals + 1 : NULL;
    if (word[1] != '-' && length > 2) { /* -oFILE */
        value = word + 2;
        length = 2;
    }
    const struct nf_option *o = find_option(verb, word, length);
    if (!o) {
        say_unknown(verb, nf_arena_strndup(diags->arena, word, length), diags->arena,
                    diags);
        return;
    }
    if (!o->value && value) {
        (void)nf_diag_add(diags, NF_E_USAGE, command_line, verb->name, NULL,
                          "%s takes no value", o->name);
        return;
    }
    if (o->value && !value) {
        if (*i + 1 >= argc) {
            (void)nf_diag_add(diags, NF_E_USAGE, command_line, verb->name, NULL,
                              "%s needs a value: %s", o->name, o->value);
            return;
        }
        value = argv[++*i];
    }
    if (value && value[0] == '\0') {
        (void)nf_diag_add(diags, NF_E_USAGE, command_line, verb->name, NULL,
                          "%s needs a value: %s; found an empty one", o->name, o->value);
        return;
    }
    if (!o->repeats && nf_options_has(out, o->name)) {
        (void)nf_diag_add(diags, NF_E_USAGE, command_line, verb->name, NULL,
                          "%s is given twice", o->name);
        return;
    }
    out->given[out->given_count++] = (struct nf_given){o, value};
}

static void check_operands(const struct nf_verb *verb, const struct nf_arguments *out,
                           struct nf_diags *diags)
{
    if (out->operand_count < verb->operands_min) {
        (void)nf_diag_add(
            diags, NF_E_USAGE, command_line, verb->name,
            nf_arena_printf(diags->arena, "see: nearfar %s --help", verb->name),
            "%s is missing", verb->operands);
    } else if (out->operand_count > verb->operands_max) {
        (void)nf_diag_add(
            diags, NF_E_USAGE, command_line, verb->name,
            nf_arena_printf(diags->arena, "see: nearfar %s --help", verb->name),
            "unexpected argument \"%s\"", out->operands[verb->operands_max]);
    }
}

enum nf_status nf_options_parse(const struct nf_verb *verb, int argc, char *const *argv,
                                struct nf_arena *arena, struct nf_arguments *out,
                                struct nf_diags *diags)
{
    *out = (struct nf_arguments){
        .operands = NF_NEW_ARRAY(arena, (size_t)argc + 1, const char *),
        .given = NF_NEW_ARRAY(arena, (size_t)argc + 1, struct nf_given),
    };
    bool ended = false;
    int errors = diags->errors;
    for (int i = 0; i < argc; i++) {
        const char *word = argv[i];
        if (ended || word[0] != '-' || word[1] == '\0') {
            out->operands[out->operand_count++] = word;
        } else if (strcmp(word, "--") == 0) {
            ended = true;
        } else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
            out->wants_help = true;
            return NF_OK;
        } else {
            take_option(verb, argc, argv, &i, out, diags);
        }
    }
    if (diags->errors ==
        errors) { /* the value of an unknown option would pass for an operand */
        check_operands(verb, out, diags);
    }
    return diags->errors > errors ? NF_E_USAGE : NF_OK;
}

bool nf_options_has(const struct nf_arguments *a, const char *name)
{
    for (size_t i = 0; i < a->given_count; i++) {
        if (strcmp(a->given[i].option->name, name) == 0) {
            return true;
        }
    }
    return false;
}

const char *nf_options_value(const struct nf_arguments *a, const char *name)
{
    for (size_t i = 0; i < a->given_count; i++) {
        if (strcmp(a->given[i].option->name, name) == 0) {
            return a->given[i].value;
        }
    }
    return NULL;
}

const char **nf_options_values(const struct nf_arguments *a, const char *name,
                               struct nf_arena *arena, size_t *count)
{
    const char **values = NF_NEW_ARRAY(arena, a->given_count + 1, const char *);
    *count = 0;
    for (size_t i = 0; i < a->given_count; i++) {
        if (strcmp(a->given[i].option->name, name) == 0) {
            values[(*count)++] = a->given[i].value;
        }
    }
    return values;
}

bool nf_options_count(const struct nf_arguments *a, const char *name, uint64_t low,
                      uint64_t high, uint64_t *out, struct nf_diags *diags)
{
    const char *text = nf_options_value(a, name);
    if (!text) {
        return true;
    }
    uint64_t value;
    if (nf_text_uint64(text, &value) && value >= low && value <= high) {
        *out = value;
        return true;
    }
    (void)nf_diag_add(diags, NF_E_USAGE, command_line, name, NULL,
                      "expected a whole number from %llu to %llu, not \"%s\"",
                      (unsigned long long)low, (unsigned long long)high, text);
    return false;
}

static void help_line(const struct nf_option *o, struct nf_text *out)
{
    struct nf_text left = {0};
    nf_text_printf(&left, "%s%s%s%s%s", o->letter ? o->letter : "", o->letter ? ", " : "",
                   o->name, o->value ? " " : "", o->value ? o->value : "");
    nf_text_printf(out, "  %-22s %s%s\n", left.data, o->help,
                   o->repeats ? " (may be repeated)" : "");
    nf_text_fini(&left);
}

void nf_options_help(const struct nf_verb *verb, struct nf_text *out)
{
    nf_text_printf(out, "%s\n\nUsage: nearfar %s%s%s%s\n\nExamples:\n", verb->sentence,
                   verb->name, verb->operands[0] ? " " : "", verb->operands,
                   " [OPTIONS]");
    for (size_t i = 0; i < 3 && verb->examples[i]; i++) {
        nf_text_printf(out, "  %s\n", verb->examples[i]);
    }
    nf_text_add(out, "\nOptions:\n");
    for (size_t i = 0; i < verb->option_count; i++) {
        help_line(&verb->options[i], out);
    }
    static const struct nf_option help = {"--help", "-h", NULL, "this text", false};
    help_line(&help, out);
    if (verb->notes) {
        nf_text_printf(out, "\n%s\n", verb->notes);
    }
    nf_text_add(out,
                "\nExit status: 0 done; 1 done and the answer is no; 2 wrong usage or "
                "input, nothing was\nrun or written; 3 the environment failed.\n");
}
