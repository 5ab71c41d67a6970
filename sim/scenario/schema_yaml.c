/* The effective file: what was loaded, as YAML that loads to the same again. */
#include <math.h>
#include <string.h>

#include "scenario/schema.h"

struct writer {
    struct nf_text *out;
    enum nf_dimension parent; /* the dimension that parameters of a distribution take */
};

static void write_flow(struct writer *w, const struct nf_table *table,
                       const void *object);

static enum nf_dimension dimension_of(const struct writer *w, const struct nf_field *f)
{
    return (f->flags & NF_OF_PARENT) != 0 ? w->parent : f->dimension;
}

static bool is_absent(const struct nf_field *f, const void *value)
{
    switch (f->kind) {
    case NF_FIELD_NUMBER:
        return isnan(*(const double *)value);
    case NF_FIELD_INT:
        return *(const int64_t *)value == NF_INT_ABSENT;
    case NF_FIELD_WORD:
        return *(const int *)value < 0;
    case NF_FIELD_BOOL:
        return false;
    case NF_FIELD_MAP:
        return f->fallback == NULL && ((const struct nf_object *)value)->node == NULL;
    case NF_FIELD_LIST:
    case NF_FIELD_NAMED:
        return f->fallback == NULL && ((const struct nf_list *)value)->count == 0;
    default:
        return *(const char *const *)value == NULL;
    }
}

/* Plain when nobody could read it as something else, else in double quotes. */
static void write_text(struct nf_text *out, const char *s)
{
    static const char *const plain =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
        "0123456789_./+-%";
    static const char *const letters =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
        "0123456789";
    if (s[0] != '\0' && strspn(s, plain) == strlen(s) && strchr(letters, s[0]) != NULL &&
        strcmp(s, "null") != 0) {
        nf_text_add(out, s);
        return;
    }
    nf_text_add(out, "\"");
    for (; *s != '\0'; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\') {
            nf_text_printf(out, "\\%c", c);
        } else if (c < 0x20 || c == 0x7F) {
            nf_text_printf(out, "\\x%02X", c);
        } else {
            nf_text_add_n(out, s, 1);
        }
    }
    nf_text_add(out, "\"");
}

static void write_number(struct writer *w, const struct nf_field *f, double v)
{
    char buf[64];
    if (isinf(v) && f->infinite != NULL) {
        nf_text_add(w->out, f->infinite);
        return;
    }
    nf_text_add(w->out, nf_units_format(v, dimension_of(w, f), true, buf, sizeof buf));
}

static void write_scalar(struct writer *w, const struct nf_field *f, const void *value)
{
    switch (f->kind) {
    case NF_FIELD_NUMBER:
        write_number(w, f, *(const double *)value);
        break;
    case NF_FIELD_INT:
        if (*(const int64_t *)value == INT64_MAX && f->infinite != NULL) {
            nf_text_add(w->out, f->infinite);
        } else {
            nf_text_printf(w->out, "%lld", (long long)*(const int64_t *)value);
        }
        break;
    case NF_FIELD_WORD:
        nf_text_add(w->out, f->words[*(const int *)value]);
        break;
    case NF_FIELD_BOOL:
        nf_text_add(w->out, *(const bool *)value ? "true" : "false");
        break;
    default:
        write_text(w->out, *(const char *const *)value);
        break;
    }
}

/* A field's value on one line. */
static void write_value(struct writer *w, const struct nf_field *f, const void *value)
{
    struct writer inner = {w->out, dimension_of(w, f)};
    if (f->kind == NF_FIELD_MAP) {
        write_flow(&inner, f->table, value);
    } else if (f->kind == NF_FIELD_LIST || f->kind == NF_FIELD_NAMED) {
        const struct nf_list *list = value;
        bool is_named = f->kind == NF_FIELD_NAMED;
        nf_text_add(w->out, is_named ? "{" : "[");
        for (size_t i = 0; i < list->count; i++) {
            const char *item = (const char *)list->items + i * f->table->size;
            nf_text_add(w->out, i > 0 ? ", " : "");
            if (is_named) {
                write_text(w->out, ((const struct nf_object *)item)->name);
                nf_text_add(w->out, ": ");
            }
            write_flow(&inner, f->table, item);
        }
        nf_text_add(w->out, is_named ? "}" : "]");
    } else {
        write_scalar(w, f, value);
    }
}

static bool belongs(const struct nf_field *f, int which, const void *object)
{
    return (which < 0 || f->cases == 0 || (f->cases >> which & 1) != 0) &&
           !is_absent(f, (const char *)object + f->offset);
}

static void write_flow(struct writer *w, const struct nf_table *table, const void *object)
{
    int which = nf_table_case(table, object);
    bool is_map = table->shape == NF_SHAPE_MAP;
    bool is_first = true;
    if (table->shape != NF_SHAPE_SCALAR) {
        nf_text_add(w->out, is_map ? "{" : "[");
    }
    for (size_t i = 0; i < table->field_count; i++) {
        const struct nf_field *f = &table->fields[i];
        if (!belongs(f, which, object)) {
            continue;
        }
        nf_text_add(w->out, is_first ? "" : ", ");
        is_first = false;
        if (is_map) {
            nf_text_printf(w->out, "%s: ", f->key);
        }
        write_value(w, f, (const char *)object + f->offset);
    }
    if (table->shape != NF_SHAPE_SCALAR) {
        nf_text_add(w->out, is_map ? "}" : "]");
    }
}

static void write_block(struct writer *w, const struct nf_table *table,
                        const void *object, int indent);

static void write_named(struct writer *w, const struct nf_field *f,
                        const struct nf_list *list, int indent)
{
    for (size_t i = 0; i < list->count; i++) {
        const char *item = (const char *)list->items + i * f->table->size;
        nf_text_printf(w->out, "\n%*s", indent, "");
        write_text(w->out, ((const struct nf_object *)item)->name);
        nf_text_add(w->out, ":");
        if (f->table->shape == NF_SHAPE_SCALAR || f->table->is_inline) {
            nf_text_add(w->out, " ");
            write_flow(w, f->table, item);
        } else {
            write_block(w, f->table, item, indent + 2);
        }
    }
}

/* The fields of an object, one a line, each line begun by a line end; " {}" when there is none. */
static void write_block(struct writer *w, const struct nf_table *table,
                        const void *object, int indent)
{
    int which = nf_table_case(table, object);
    bool is_empty = true;
    for (size_t i = 0; i < table->field_count; i++) {
        const struct nf_field *f = &table->fields[i];
        const void *value = (const char *)object + f->offset;
        if (!belongs(f, which, object)) {
            continue;
        }
        is_empty = false;
        nf_text_printf(w->out, "\n%*s%s:", indent, "", f->key);
        struct writer inner = {w->out, dimension_of(w, f)};
        if (f->kind == NF_FIELD_MAP && !f->table->is_inline) {
            write_block(&inner, f->table, value, indent + 2);
        } else if (f->kind == NF_FIELD_NAMED &&
                   ((const struct nf_list *)value)->count > 0) {
            write_named(&inner, f, value, indent + 2);
        } else {
            nf_text_add(w->out, " ");
            write_value(w, f, value);
        }
    }
    if (is_empty) {
        nf_text_add(w->out, " {}");
    }
}

void nf_schema_write_yaml(const struct nf_table *table, const void *object,
                          struct nf_text *out)
{
    struct nf_text body = {0};
    struct writer w = {&body, NF_DIM_NONE};
    write_block(&w, table, object, 0);
    nf_text_add(out, body.data[0] == '\n' ? body.data + 1 : body.data);
    nf_text_add(out, "\n");
    nf_text_fini(&body);
}
