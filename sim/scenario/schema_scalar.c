#include "scenario/schema_part.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* No time in a file is longer (100 years): sums of many still fit int64 nanoseconds (292 years). */
#define LONGEST_TIME_S 3.1536e9

bool nf__schema_fail(const struct nf__at *at, enum nf_status code, const char *hint,
                     const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = nf_arena_vprintf(at->load->arena, format, args);
    va_end(args);
    (void)nf_diag_add(at->load->diags, code, at->place, at->path, hint, "%s", text);
    return false;
}

const char *nf__schema_join(struct nf_arena *arena, const char *path, const char *key)
{
    return path[0] == '\0' ? nf_arena_strdup(arena, key)
                           : nf_arena_printf(arena, "%s.%s", path, key);
}

enum nf_dimension nf__schema_dimension(const struct nf__at *at, const struct nf_field *f)
{
    return (f->flags & NF_OF_PARENT) != 0 ? at->parent : f->dimension;
}

static const char *such_as(const struct nf__at *at, const struct nf_field *f)
{
    return f->example != NULL
               ? nf_arena_printf(at->load->arena, " such as %s", f->example)
               : "";
}

/* The words of a list, told as "a, b or c". */
const char *nf__schema_words(struct nf_arena *arena, const char *const *words)
{
    const char *all = words[0];
    for (size_t i = 1; words[i] != NULL; i++) {
        all = nf_arena_printf(arena, words[i + 1] == NULL ? "%s or %s" : "%s, %s", all,
                              words[i]);
    }
    return all;
}

const char *nf__schema_near(struct nf_arena *arena, const char *word,
                            const char *const *candidates)
{
    const char *near = strlen(word) <= 64 ? nf_text_nearest(word, candidates) : NULL;
    return near != NULL ? nf_arena_printf(arena, "did you mean \"%s\"?", near) : NULL;
}

/* ---- scalars ---- */

static bool looks_not_finite(const char *s)
{
    static const char *const words[] = {"nan",   ".nan", "inf",   ".inf",     "-inf",
                                        "-.inf", "+inf", "+.inf", "infinity", NULL};
    for (size_t i = 0; words[i] != NULL; i++) {
        if (strcasecmp(s, words[i]) == 0) {
            return true;
        }
    }
    return false;
}

char *nf__schema_limit(const struct nf_field *f, double limit, enum nf_dimension dim,
                       char *buf, size_t cap)
{
    if (f->kind != NF_FIELD_INT) {
        return nf_units_format(limit, dim, true, buf, cap);
    }
    /* 2^63 stands for the largest int64, which is no double. */
    int64_t whole = limit >= 0x1p63 ? INT64_MAX : (int64_t)limit;
    snprintf(buf, cap, "%" PRId64, whole);
    return buf;
}

static bool check_range(const struct nf__at *at, const struct nf_field *f, double v)
{
    enum nf_dimension dim =
        f->kind == NF_FIELD_INT ? NF_DIM_NONE : nf__schema_dimension(at, f);
    char low[64], high[64];
    if (!isfinite(v)) {
        return nf__schema_fail(at, NF_E_RANGE, NULL, "%s is not a finite number",
                               at->node->text);
    }
    if (dim == NF_DIM_TIME && fabs(v) > LONGEST_TIME_S) {
        return nf__schema_fail(at, NF_E_RANGE, NULL, "%s is longer than 100 years",
                               at->node->text);
    }
    if ((f->low == 0 && f->high == 0) ||
        (v <= f->high && ((f->flags & NF_ABOVE_LOW) != 0 ? v > f->low : v >= f->low))) {
        return true;
    }
    /* exact: a limit is a round number, and people may copy it */
    nf__schema_limit(f, f->low, dim, low, sizeof low);
    nf__schema_limit(f, f->high, dim, high, sizeof high);
    if (f->low == f->high) { /* the version of a format */
        return nf__schema_fail(
            at, NF_E_RANGE,
            nf_arena_printf(at->load->arena,
                            "write %s: %s; a later version needs a later "
                            "nearfar",
                            at->path, high),
            "this program reads version %s, found version %s", high, at->node->text);
    }
    if (v > f->high) {
        return nf__schema_fail(at, NF_E_RANGE, NULL, "%s is more than %s", at->node->text,
                               high);
    }
    return nf__schema_fail(at, NF_E_RANGE, NULL,
                           (f->flags & NF_ABOVE_LOW) != 0 ? "%s: expected more than %s"
                                                          : "%s is less than %s",
                           at->node->text, low);
}

static bool load_number(const struct nf__at *at, const struct nf_field *f, double *out)
{
    char why[256] = "";
    double v;
    const char *text = at->node->text;
    if (f->infinite != NULL && strcmp(text, f->infinite) == 0) {
        *out = INFINITY;
        return true;
    }
    if (looks_not_finite(text)) {
        return nf__schema_fail(
            at, NF_E_RANGE,
            f->infinite != NULL
                ? nf_arena_printf(at->load->arena, "for no limit write %s", f->infinite)
                : NULL,
            "%s is not a finite number", text);
    }
    if (!nf_units_parse(text, nf__schema_dimension(at, f), &v, why, sizeof why)) {
        enum nf_status code = strstr(why, "outside the range") != NULL     ? NF_E_RANGE
                              : nf__schema_dimension(at, f) == NF_DIM_NONE ? NF_E_TYPE
                                                                           : NF_E_UNIT;
        return nf__schema_fail(at, code, NULL, "%s%s%s", why,
                               f->infinite != NULL ? ", or " : "",
                               f->infinite != NULL ? f->infinite : "");
    }
    if (!check_range(at, f, v)) {
        return false;
    }
    *out = v;
    return true;
}

static bool load_int(const struct nf__at *at, const struct nf_field *f, int64_t *out)
{
    int64_t v;
    double d;
    if (f->infinite != NULL && strcmp(at->node->text, f->infinite) == 0) {
        *out = INT64_MAX;
        return true;
    }
    if (looks_not_finite(at->node->text)) {
        return nf__schema_fail(at, NF_E_RANGE, NULL, "%s is not a finite number",
                               at->node->text);
    }
    if (!nf_text_int64(at->node->text, &v)) {
        bool is_huge = nf_text_double(at->node->text, &d) && fabs(d) >= 0x1p63;
        if (is_huge && !check_range(at, f, d)) {
            return false;
        }
        if (is_huge) {
            return nf__schema_fail(at, NF_E_RANGE, NULL, "%s is more than %" PRId64,
                                   at->node->text, INT64_MAX);
        }
        return nf__schema_fail(at, NF_E_TYPE, NULL,
                               "expected a whole number%s%s%s, found %s", such_as(at, f),
                               f->infinite != NULL ? " or " : "",
                               f->infinite != NULL ? f->infinite : "",
                               nf_yaml_describe(at->node, at->load->arena));
    }
    if (!check_range(at, f, (double)v)) {
        return false;
    }
    *out = v;
    return true;
}

static bool load_word(const struct nf__at *at, const struct nf_field *f, int *out)
{
    for (int i = 0; f->words[i] != NULL; i++) {
        if (strcmp(at->node->text, f->words[i]) == 0) {
            *out = i;
            return true;
        }
    }
    return nf__schema_fail(
        at, NF_E_KEY, nf__schema_near(at->load->arena, at->node->text, f->words),
        "expected %s, found %s", nf__schema_words(at->load->arena, f->words),
        nf_yaml_describe(at->node, at->load->arena));
}

bool nf__schema_check_name(const struct nf__at *at, const char *name)
{
    static const char *const allowed =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
        "0123456789-_./+";
    size_t length = strspn(name, allowed);
    if (name[0] == '\0') {
        return nf__schema_fail(at, NF_E_TYPE, NULL, "a name may not be empty");
    }
    if (name[length] != '\0') {
        return nf__schema_fail(
            at, NF_E_TYPE, NULL,
            "a name is made of letters, digits, \"-\", \"_\", \".\", \"/\" and \"+\"");
    }
    return length <= 100 ||
           nf__schema_fail(at, NF_E_LIMIT, NULL, "a name has at most 100 characters");
}

static bool load_bool(const struct nf__at *at, bool *out)
{
    bool is_true = strcmp(at->node->text, "true") == 0;
    if (!is_true && strcmp(at->node->text, "false") != 0) {
        return nf__schema_fail(at, NF_E_TYPE, NULL, "expected true or false, found %s",
                               nf_yaml_describe(at->node, at->load->arena));
    }
    *out = is_true;
    return true;
}

static const char *kind_text(enum nf_field_kind kind)
{
    static const char *const texts[] = {"a text",   "a name",   "true or false",
                                        "a number", "a number", "a word"};
    return texts[kind];
}

bool nf__schema_load_scalar(const struct nf__at *at, const struct nf_field *f, void *out)
{
    if (at->node->kind != NF_YAML_SCALAR || nf_yaml_is_null(at->node)) {
        const char *words =
            f->kind == NF_FIELD_WORD ? nf__schema_words(at->load->arena, f->words) : NULL;
        return nf__schema_fail(at, NF_E_TYPE, NULL, "expected %s%s, found %s",
                               words != NULL ? words : kind_text(f->kind),
                               words != NULL ? "" : such_as(at, f),
                               nf_yaml_describe(at->node, at->load->arena));
    }
    switch (f->kind) {
    case NF_FIELD_NUMBER:
        return load_number(at, f, out);
    case NF_FIELD_INT:
        return load_int(at, f, out);
    case NF_FIELD_WORD:
        return load_word(at, f, out);
    case NF_FIELD_BOOL:
        return load_bool(at, out);
    case NF_FIELD_NAME:
        if (!nf__schema_check_name(at, at->node->text)) {
            return false;
        }
        break;
    default:
        break;
    }
    *(const char **)out = at->node->text;
    return true;
}
