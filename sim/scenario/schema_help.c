/* `nearfar schema PATH`: what a key means, told from the tables. */
#include <string.h>

#include "scenario/schema_part.h"

static void add_words(struct nf_text *out, const char *const *words)
{
    for (size_t i = 0; words[i] != NULL; i++) {
        nf_text_printf(out, "%s%s",
                       i == 0                 ? ""
                       : words[i + 1] == NULL ? " or "
                                              : ", ",
                       words[i]);
    }
}

static void add_range(struct nf_text *out, const struct nf_field *f)
{
    char low[64], high[64];
    enum nf_dimension dim = f->kind == NF_FIELD_INT ? NF_DIM_NONE : f->dimension;
    if ((f->low == 0 && f->high == 0) || (f->flags & NF_OF_PARENT) != 0) {
        return;
    }
    nf__schema_limit(f, f->low, dim, low, sizeof low);
    nf__schema_limit(f, f->high, dim, high, sizeof high);
    if (f->low == f->high) {
        nf_text_printf(out, ", always %s", low);
    } else if ((f->flags & NF_ABOVE_LOW) != 0) {
        nf_text_printf(out, ", above %s, at most %s", low, high);
    } else {
        nf_text_printf(out, ", %s to %s", low, high);
    }
}

static void add_kind(struct nf_text *out, const struct nf_field *f)
{
    switch (f->kind) {
    case NF_FIELD_WORD:
        add_words(out, f->words);
        break;
    case NF_FIELD_NUMBER:
        if ((f->flags & NF_OF_PARENT) != 0) {
            nf_text_add(out, "number with the unit of what is drawn");
        } else if (nf_units_list(f->dimension)[0] == '\0') {
            nf_text_add(out, nf_units_name(f->dimension));
        } else {
            nf_text_printf(out, "%s (%s%s)", nf_units_name(f->dimension),
                           nf_units_list(f->dimension),
                           f->dimension == NF_DIM_FRACTION ? "; 0.7 is 70%" : "");
        }
        add_range(out, f);
        break;
    case NF_FIELD_INT:
        nf_text_add(out, "whole number");
        add_range(out, f);
        break;
    case NF_FIELD_MAP:
        if (f->table->shorthand != NULL) {
            nf_text_printf(out, "%s or ", nf_units_name(f->dimension));
        }
        nf_text_printf(out, "map (%s)", f->table->name);
        break;
    case NF_FIELD_LIST:
        nf_text_printf(out, "list (%s)", f->table->name);
        break;
    case NF_FIELD_NAMED:
        nf_text_printf(out, "map from names (%s)", f->table->name);
        break;
    default:
        nf_text_add(out, f->kind == NF_FIELD_BOOL   ? "true or false"
                         : f->kind == NF_FIELD_NAME ? "name"
                                                    : "text");
        break;
    }
    if (f->infinite != NULL) {
        nf_text_printf(out, ", or %s", f->infinite);
    }
}

static void add_cases(struct nf_text *out, const struct nf_table *table,
                      const struct nf_field *f)
{
    const char *const *words = nf_table_field(table, table->tag, -1)->words;
    const char *separator = "";
    nf_text_printf(out, "; with %s ", table->tag);
    for (size_t i = 0; words[i] != NULL; i++) {
        if ((f->cases >> i & 1) != 0) {
            nf_text_printf(out, "%s%s", separator, words[i]);
            separator = ", ";
        }
    }
}

static void add_field(struct nf_text *out, const struct nf_table *table,
                      const struct nf_field *f)
{
    nf_text_printf(out, "  %s: ", f->key);
    add_kind(out, f);
    if ((f->flags & NF_REQUIRED) != 0) {
        nf_text_add(out, "; required");
    } else if (f->fallback != NULL && strcmp(f->fallback, "{}") != 0) {
        nf_text_printf(out, "; default %s", f->fallback);
    }
    if (f->cases != 0) {
        add_cases(out, table, f);
    }
    nf_text_printf(out, "\n      %s", f->help);
    if (f->example != NULL) {
        nf_text_printf(out, " Example: %s", f->example);
    }
    nf_text_add(out, "\n");
}

/* The next element of a path into name (cap bytes), list indices dropped; what follows it. */
static const char *next_element(const char *path, char *name, size_t cap)
{
    size_t n = strcspn(path, ".");
    size_t kept = strcspn(path, ".[");
    kept = kept < cap ? kept : cap - 1;
    memcpy(name, path, kept);
    name[kept] = '\0';
    return path[n] == '.' ? path + n + 1 : path + n;
}

static const char *nearest_key(const struct nf_table *table, const char *word)
{
    const char *keys[96];
    size_t n = 0;
    for (size_t i = 0; i < table->field_count && n < 95; i++) {
        keys[n++] = table->fields[i].key;
    }
    keys[n] = NULL;
    return nf_text_nearest(word, keys);
}

/* All rows of one key: cases of a union may have their own. */
static void add_key(struct nf_text *out, const struct nf_table *table, const char *key)
{
    for (size_t i = 0; i < table->field_count; i++) {
        if (strcmp(table->fields[i].key, key) == 0) {
            add_field(out, table, &table->fields[i]);
        }
    }
}

/* What follows in a path behind a map from names: a name may stand there, or be left out. */
static const char *skip_name(const struct nf_table *table, const char *rest)
{
    char name[128];
    const char *after = next_element(rest, name, sizeof name);
    return nf_table_field(table, name, -1) == NULL ? after : rest;
}

static void add_table(struct nf_text *out, const struct nf_table *table, const char *path)
{
    nf_text_printf(out, "%s%s%s: %s\n\n", path, path[0] != '\0' ? ", " : "", table->name,
                   table->help);
    for (size_t i = 0; i < table->field_count; i++) {
        add_field(out, table, &table->fields[i]);
    }
}

bool nf_schema_write_help(const struct nf_table *root, const char *path,
                          struct nf_text *out, const char **hint)
{
    const struct nf_table *table = root;
    const char *rest = path;
    *hint = NULL;
    while (rest[0] != '\0') {
        char name[128];
        rest = next_element(rest, name, sizeof name);
        const struct nf_field *f = nf_table_field(table, name, -1);
        if (f == NULL) {
            *hint = nearest_key(table, name);
            return false;
        }
        bool is_leaf = f->table == NULL || f->table->shape == NF_SHAPE_SCALAR;
        if (is_leaf && rest[0] != '\0' && f->table == NULL) {
            return false;
        }
        if (is_leaf) {
            add_key(out, table, name);
            return true;
        }
        table = f->table;
        if (f->kind == NF_FIELD_NAMED && rest[0] != '\0') {
            rest = skip_name(table, rest);
        }
    }
    add_table(out, table, path);
    return true;
}
