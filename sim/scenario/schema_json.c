/* A draft-07 JSON schema from the tables, for editors (yaml-language-server reads schema 7 and below). */
#include <ctype.h>
#include <string.h>

#include "base/json.h"
#include "scenario/schema.h"

enum { DEFINITIONS_MAX = 128 };

/* What the loader reads: nf_text_number_span, nf_text_int64, nf__schema_check_name. */
#define WHOLE_PATTERN  "[-+]?(0|[1-9][0-9]*)"
#define NUMBER_PATTERN WHOLE_PATTERN "(\\.[0-9]+)?([eE][-+]?[0-9]+)?"
#define NAME_PATTERN   "^[-A-Za-z0-9_./+]{1,100}$"

/* A table is defined once for each dimension that its NF_OF_PARENT fields take. */
struct definition {
    const struct nf_table *table;
    enum nf_dimension parent;
};

struct definitions {
    struct definition items[DEFINITIONS_MAX];
    size_t count;
};

/* Does the table, or a table in it, take its dimension from outside? */
static bool takes_parent(const struct nf_table *table)
{
    for (size_t i = 0; i < table->field_count; i++) {
        if ((table->fields[i].flags & NF_OF_PARENT) != 0) {
            return true;
        }
    }
    return false;
}

static void definition_name(const struct definition *d, char *name, size_t cap)
{
    struct nf_text t = {0};
    nf_text_add(&t, d->table->name);
    if (takes_parent(d->table)) {
        nf_text_printf(&t, " of %s", nf_units_name(d->parent));
    }
    size_t n = t.length < cap ? t.length : cap - 1;
    for (size_t i = 0; i < n; i++) {
        name[i] = t.data[i];
        if (name[i] == ' ') {
            name[i] = '-';
        }
    }
    name[n] = '\0';
    nf_text_fini(&t);
}

static void add_reference(struct nf_json *j, const char *key, struct definitions *all,
                          const struct nf_table *table, enum nf_dimension parent)
{
    struct definition d = {table, takes_parent(table) ? parent : NF_DIM_NONE};
    size_t i = 0;
    while (i < all->count &&
           (all->items[i].table != d.table || all->items[i].parent != d.parent)) {
        i++;
    }
    if (i == all->count) {
        NF_ASSERT(all->count < DEFINITIONS_MAX);
        all->items[all->count++] = d;
    }
    char name[128], ref[160] = "#/definitions/";
    definition_name(&d, name, sizeof name);
    memcpy(ref + strlen(ref), name, strlen(name) + 1);
    nf_json_object(j, key);
    nf_json_string(j, "$ref", ref);
    nf_json_end(j);
}

/* A regular expression for a quantity: a number and one of the units. */
static void add_pattern(struct nf_json *j, enum nf_dimension dim)
{
    struct nf_text t = {0};
    const char *list = dim == NF_DIM_RATE ? "(req)?/s, (req)?/min, (req)?/h, (req)?/d, Hz"
                                          : nf_units_list(dim);
    nf_text_add(&t, "^" NUMBER_PATTERN "[ \\t]*(");
    for (const char *s = list; *s != '\0'; s++) {
        if (s[0] == ',' && s[1] == ' ') {
            nf_text_add(&t, "|");
            s++;
        } else {
            nf_text_add_n(&t, s, 1);
        }
    }
    nf_text_add(&t, dim == NF_DIM_TIME ? "|\xC2\xB5s|\xCE\xBCs" : ""); /* two mu */
    nf_text_add(&t, dim == NF_DIM_FRACTION || dim == NF_DIM_COUNT_OF ? ")?$" : ")$");
    nf_json_string(j, "type", "string");
    nf_json_string(j, "pattern", t.data);
    nf_text_fini(&t);
}

/* One more form among those of an "anyOf". */
static void add_text_form(struct nf_json *j, const char *pattern)
{
    nf_json_object(j, NULL);
    nf_json_string(j, "type", "string");
    nf_json_string(j, "pattern", pattern);
    nf_json_end(j);
}

static void add_infinite_form(struct nf_json *j, const struct nf_field *f)
{
    if (f->infinite != NULL) {
        nf_json_object(j, NULL);
        nf_json_string(j, "const", f->infinite);
        nf_json_end(j);
    }
}

/* The key decides what a value means, so "3" in quotes is the number 3 as well. */
static void add_number(struct nf_json *j, const struct nf_field *f, enum nf_dimension dim)
{
    nf_json_array(j, "anyOf");
    nf_json_object(j, NULL);
    if (dim == NF_DIM_NONE || dim == NF_DIM_COUNT_OF || dim == NF_DIM_FRACTION) {
        nf_json_string(j, "type", "number");
        if (f->low != 0 || f->high != 0) {
            nf_json_double(
                j, (f->flags & NF_ABOVE_LOW) != 0 ? "exclusiveMinimum" : "minimum",
                f->low);
            nf_json_double(j, "maximum",
                           dim == NF_DIM_FRACTION && f->high > 1 ? 1 : f->high);
        }
    } else {
        nf_json_int(j, "const", 0);
    }
    nf_json_end(j);
    if (dim != NF_DIM_NONE) {
        nf_json_object(j, NULL);
        add_pattern(j, dim);
        nf_json_end(j);
    } else {
        add_text_form(j, "^" NUMBER_PATTERN "$");
    }
    add_infinite_form(j, f);
    nf_json_end(j);
}

static void add_int(struct nf_json *j, const struct nf_field *f)
{
    nf_json_array(j, "anyOf");
    nf_json_object(j, NULL);
    nf_json_string(j, "type", "integer");
    if (f->low != 0 || f->high != 0) {
        nf_json_double(j, "minimum", f->low);
        nf_json_double(j, "maximum", f->high);
    }
    nf_json_end(j);
    add_text_form(j, "^" WHOLE_PATTERN "$");
    add_infinite_form(j, f);
    nf_json_end(j);
}

static void add_words(struct nf_json *j, const char *key, const char *const *words)
{
    nf_json_array(j, key);
    for (size_t i = 0; words[i] != NULL; i++) {
        nf_json_string(j, NULL, words[i]);
    }
    nf_json_end(j);
}

/* A name such as 7 is a number to an editor, and one such as true a boolean. */
static void add_text_type(struct nf_json *j)
{
    static const char *const types[] = {"string", "number", "boolean", NULL};
    add_words(j, "type", types);
}

/* What may stand for the field, inside an object that the caller opened. */
static void add_kind(struct nf_json *j, struct definitions *all, const struct nf_field *f,
                     enum nf_dimension parent)
{
    enum nf_dimension dim = (f->flags & NF_OF_PARENT) != 0 ? parent : f->dimension;
    switch (f->kind) {
    case NF_FIELD_NUMBER:
        add_number(j, f, dim);
        break;
    case NF_FIELD_INT:
        add_int(j, f);
        break;
    case NF_FIELD_WORD:
        add_words(j, "enum", f->words);
        break;
    case NF_FIELD_BOOL:
        nf_json_string(j, "type", "boolean");
        break;
    case NF_FIELD_NAME:
        add_text_type(j);
        nf_json_string(j, "pattern", NAME_PATTERN);
        break;
    case NF_FIELD_MAP: /* draft 07 ignores what stands beside $ref */
        nf_json_array(j, "allOf");
        add_reference(j, NULL, all, f->table, dim);
        nf_json_end(j);
        break;
    case NF_FIELD_LIST:
        nf_json_string(j, "type", "array");
        if ((f->flags & NF_NOT_EMPTY) != 0) {
            nf_json_int(j, "minItems", 1);
        }
        add_reference(j, "items", all, f->table, dim);
        break;
    case NF_FIELD_NAMED:
        nf_json_string(j, "type", "object");
        if ((f->flags & NF_NOT_EMPTY) != 0) {
            nf_json_int(j, "minProperties", 1);
        }
        nf_json_object(j, "propertyNames");
        nf_json_string(j, "pattern", NAME_PATTERN);
        nf_json_end(j);
        add_reference(j, "additionalProperties", all, f->table, dim);
        break;
    default:
        add_text_type(j);
        break;
    }
}

static void add_field(struct nf_json *j, const char *key, struct definitions *all,
                      const struct nf_field *f, enum nf_dimension parent)
{
    nf_json_object(j, key);
    nf_json_string(j, "description", f->help);
    if (f->fallback != NULL && f->fallback[0] != '{' && f->fallback[0] != '[') {
        nf_json_string(j, "default", f->fallback);
    }
    if (f->example != NULL && f->example[0] != '{' && f->example[0] != '[') {
        nf_json_array(j, "examples");
        nf_json_string(j, NULL, f->example);
        nf_json_end(j);
    }
    add_kind(j, all, f, parent);
    nf_json_end(j);
}

/* The keys of a case, and which of them it needs. Where the tag may be left out, its default case is the one meant. */
static void add_case(struct nf_json *j, const struct nf_table *table, const char *word,
                     int which)
{
    nf_json_object(j, NULL);
    nf_json_object(j, "if");
    nf_json_object(j, "properties");
    nf_json_object(j, table->tag);
    nf_json_string(j, "const", word);
    nf_json_end(j);
    nf_json_end(j);
    const char *fallback = nf_table_field(table, table->tag, -1)->fallback;
    if (fallback == NULL || strcmp(fallback, word) != 0) {
        nf_json_array(j, "required");
        nf_json_string(j, NULL, table->tag);
        nf_json_end(j);
    }
    nf_json_end(j);
    nf_json_object(j, "then");
    nf_json_object(j, "propertyNames");
    nf_json_array(j, "enum");
    for (size_t i = 0; i < table->field_count; i++) {
        if (nf_table_field(table, table->fields[i].key, which) == &table->fields[i]) {
            nf_json_string(j, NULL, table->fields[i].key);
        }
    }
    nf_json_end(j);
    nf_json_end(j);
    nf_json_array(j, "required");
    for (size_t i = 0; i < table->field_count; i++) {
        const struct nf_field *f = &table->fields[i];
        if (nf_table_field(table, f->key, which) == f && (f->flags & NF_REQUIRED) != 0) {
            nf_json_string(j, NULL, f->key);
        }
    }
    nf_json_end(j);
    nf_json_end(j);
    nf_json_end(j);
}

/* A table of shape MAP, inside an object that the caller opened. */
static void add_map(struct nf_json *j, struct definitions *all,
                    const struct definition *d)
{
    const struct nf_table *t = d->table;
    nf_json_string(j, "type", "object");
    nf_json_bool(j, "additionalProperties", false);
    nf_json_object(j, "properties");
    for (size_t i = 0; i < t->field_count; i++) {
        if (nf_table_field(t, t->fields[i].key, -1) == &t->fields[i]) {
            add_field(j, t->fields[i].key, all, &t->fields[i], d->parent);
        }
    }
    nf_json_end(j);
    nf_json_array(j, "required");
    for (size_t i = 0; i < t->field_count; i++) {
        if (t->fields[i].cases == 0 && (t->fields[i].flags & NF_REQUIRED) != 0) {
            nf_json_string(j, NULL, t->fields[i].key);
        }
    }
    nf_json_end(j);
    if (t->tag != NULL) {
        const char *const *words = nf_table_field(t, t->tag, -1)->words;
        nf_json_array(j, "allOf");
        for (int i = 0; words[i] != NULL; i++) {
            add_case(j, t, words[i], i);
        }
        nf_json_end(j);
    }
}

static void add_table(struct nf_json *j, struct definitions *all,
                      const struct definition *d)
{
    const struct nf_table *t = d->table;
    nf_json_string(j, "description", t->help);
    if (t->shape == NF_SHAPE_SCALAR) {
        add_kind(j, all, &t->fields[0], d->parent);
    } else if (t->shape == NF_SHAPE_TUPLE) {
        nf_json_string(j, "type", "array");
        nf_json_int(j, "minItems", (int64_t)t->field_count);
        nf_json_int(j, "maxItems", (int64_t)t->field_count);
        nf_json_array(j, "items");
        for (size_t i = 0; i < t->field_count; i++) {
            add_field(j, NULL, all, &t->fields[i], d->parent);
        }
        nf_json_end(j);
    } else if (t->shorthand != NULL) {
        nf_json_array(j, "anyOf");
        nf_json_object(j, NULL);
        add_kind(j, all, nf_table_field(t, t->shorthand, -1), d->parent);
        nf_json_end(j);
        nf_json_object(j, NULL);
        add_map(j, all, d);
        nf_json_end(j);
        nf_json_end(j);
    } else {
        add_map(j, all, d);
    }
}

void nf_schema_write_json(const struct nf_table *root, struct nf_text *out)
{
    struct nf_json j;
    struct definitions all = {.count = 0};
    struct definition d = {root, NF_DIM_NONE};
    nf_json_init(&j, out, true);
    nf_json_object(&j, NULL);
    nf_json_string(&j, "$schema", "http://json-schema.org/draft-07/schema#");
    nf_json_string(&j, "title", root->name);
    add_table(&j, &all, &d);
    nf_json_object(&j, "definitions");
    for (size_t i = 0; i < all.count;
         i++) { /* grows while definitions name further tables */
        char name[128];
        definition_name(&all.items[i], name, sizeof name);
        nf_json_object(&j, name);
        struct definition item = all.items[i];
        add_table(&j, &all, &item);
        nf_json_end(&j);
    }
    nf_json_end(&j);
    nf_json_end(&j);
    nf_text_add(out, "\n");
}
