#include "scenario/schema_part.h"

#include <math.h>
#include <string.h>

/* Names are looked up one by one. */
enum { NAMES_MAX = 4096 };

static bool load_object(const struct nf__at *at, const struct nf_table *table,
                        const char *name, void *out);
static bool load_field(const struct nf__at *at, const struct nf_field *f, void *out);

static void set_absent(const struct nf_field *f, void *out)
{
    switch (f->kind) {
    case NF_FIELD_NUMBER:
        *(double *)out = NAN;
        break;
    case NF_FIELD_INT:
        *(int64_t *)out = NF_INT_ABSENT;
        break;
    case NF_FIELD_WORD:
        *(int *)out = -1;
        break;
    default: /* the arena's zeros say "absent" */
        break;
    }
}

/* The text of a default as a tree. Most are single words, which need no parser. */
static struct nf_yaml_node *parse_default(const struct nf__at *at, const char *text)
{
    struct nf_yaml_node *node = NULL;
    if (strcmp(text, "{}") == 0) {
        return nf_yaml_new_map(at->place, at->load->arena);
    }
    if (strpbrk(text, "[{\"'#:") == NULL) {
        node = NF_NEW(at->load->arena, struct nf_yaml_node);
        node->text = text;
        node->place = at->place;
        return node;
    }
    enum nf_status s =
        nf_yaml_parse(NULL, text, strlen(text), at->load->arena, at->load->diags, &node);
    NF_ASSERT(s == NF_OK && node != NULL);
    return node;
}

/* A mistake that comes to light in a default is told where the default applies. */
static void stamp(struct nf_yaml_node *node, struct nf_place place)
{
    node->place = place;
    for (size_t i = 0; i < node->count; i++) {
        node->items[i].place = place;
        stamp(node->items[i].value, place);
    }
}

/* Fill in the default of one field. It is our own text, so it must load. */
static void load_default(const struct nf__at *at, const struct nf_field *f, void *out)
{
    struct nf__at inner = *at;
    set_absent(f, out);
    if (f->kind == NF_FIELD_MAP || f->kind == NF_FIELD_LIST ||
        f->kind == NF_FIELD_NAMED) {
        inner.path = nf__schema_join(at->load->arena, at->path, f->key);
    }
    if (f->fallback != NULL) {
        struct nf_yaml_node *node = parse_default(at, f->fallback);
        stamp(node, at->place);
        inner.node = node;
        bool ok = load_field(&inner, f, out);
        NF_ASSERT(ok);
    }
    if (f->kind == NF_FIELD_MAP) {
        struct nf_object *o = out;
        o->path = inner.path;
        o->name = "";
        o->place = at->place;
        o->node = NULL;
    }
}

static size_t collect_keys(const struct nf_table *table, int which, const char **keys)
{
    size_t n = 0;
    for (size_t i = 0; i < table->field_count; i++) {
        const struct nf_field *f = &table->fields[i];
        if (which < 0 || f->cases == 0 || (f->cases >> which & 1) != 0) {
            keys[n++] = f->key;
        }
    }
    keys[n] = NULL;
    return n;
}

static const char *case_word(const struct nf_table *table, int which)
{
    return nf_table_field(table, table->tag, -1)->words[which];
}

static bool tell_unknown_key(const struct nf__at *at, const struct nf_table *table,
                             int which, const char *key)
{
    struct nf_arena *arena = at->load->arena;
    if (at->load->diags->count == NF_DIAGS_MAX) {
        return nf__schema_fail(at, NF_E_KEY, NULL, "unknown key \"%s\"",
                               key); /* only counted */
    }
    const char **keys = NF_NEW_ARRAY(arena, table->field_count + 1, const char *);
    size_t n = collect_keys(table, which, keys);
    if (which >= 0 && nf_table_field(table, key, -1) != NULL) {
        return nf__schema_fail(
            at, NF_E_KEY, NULL, "key \"%s\" does not go with %s \"%s\", which takes %s",
            key, table->tag, case_word(table, which), nf__schema_words(arena, keys));
    }
    const char *hint = nf__schema_near(arena, key, keys);
    if (hint == NULL && n <= 12) {
        hint =
            nf_arena_printf(arena, "the keys here are %s", nf__schema_words(arena, keys));
    }
    return nf__schema_fail(at, NF_E_KEY, hint, "unknown key \"%s\"", key);
}

static void start_object(const struct nf__at *at, const char *name, void *out)
{
    *(struct nf_object *)out = (struct nf_object){
        .node = at->node, .place = at->place, .path = at->path, .name = name};
}

static bool load_scalar_object(const struct nf__at *at, const struct nf_table *table,
                               const char *name, void *out)
{
    const struct nf_field *f = &table->fields[0];
    start_object(at, name, out);
    set_absent(f, (char *)out + f->offset);
    struct nf__at inner = *at;
    inner.place = at->node->place;
    bool ok = load_field(&inner, f, (char *)out + f->offset);
    ((struct nf_object *)out)->is_broken = !ok;
    return ok;
}

static bool load_tuple(const struct nf__at *at, const struct nf_table *table, void *out)
{
    bool ok = true;
    start_object(at, "", out);
    if (at->node->kind != NF_YAML_LIST || at->node->count != table->field_count) {
        const char **keys =
            NF_NEW_ARRAY(at->load->arena, table->field_count + 1, const char *);
        const char *all = keys[collect_keys(table, -1, keys) - 1];
        for (size_t i = table->field_count - 1; i-- > 0;) {
            all = nf_arena_printf(at->load->arena, "%s, %s", keys[i], all);
        }
        return nf__schema_fail(
            at, NF_E_TYPE, NULL, "expected [%s], found %s", all,
            at->node->kind == NF_YAML_LIST
                ? nf_arena_printf(at->load->arena, "a list of %zu", at->node->count)
                : nf_yaml_describe(at->node, at->load->arena));
    }
    for (size_t i = 0; i < table->field_count; i++) {
        struct nf__at inner = *at;
        inner.node = at->node->items[i].value;
        inner.place = inner.node->place;
        ok = load_field(&inner, &table->fields[i],
                        (char *)out + table->fields[i].offset) &&
             ok;
    }
    ((struct nf_object *)out)->is_broken = !ok;
    return ok;
}

/* The map that a plain scalar stands for. */
static const struct nf_yaml_node *expand_shorthand(const struct nf__at *at,
                                                   const struct nf_table *table)
{
    struct nf_yaml_node *map = nf_yaml_new_map(at->node->place, at->load->arena);
    if (table->tag != NULL) {
        struct nf_yaml_node *word = NF_NEW(at->load->arena, struct nf_yaml_node);
        word->kind = NF_YAML_SCALAR;
        word->place = at->node->place;
        word->text = table->shorthand_case;
        nf_yaml_put(map, table->tag, word, at->load->arena);
    }
    struct nf_yaml_node *value = NF_NEW(at->load->arena, struct nf_yaml_node);
    *value = *at->node;
    nf_yaml_put(map, table->shorthand, value, at->load->arena);
    return map;
}

static bool load_key(const struct nf__at *at, const struct nf_field *f,
                     const struct nf_yaml_item *item, void *out)
{
    struct nf__at inner = *at;
    inner.node = item->value;
    inner.place = item->value->place;
    inner.path = nf__schema_join(at->load->arena, at->path, f->key);
    return load_field(&inner, f, (char *)out + f->offset);
}

/* Read the tag first: it decides which other keys belong here. False when there is no valid case. */
static bool load_case(const struct nf__at *at, const struct nf_table *table, void *out,
                      int *which)
{
    const struct nf_field *tag = nf_table_field(table, table->tag, -1);
    const struct nf_yaml_item *item = nf_yaml_item(at->node, table->tag);
    load_default(at, tag, (char *)out + tag->offset);
    if (item == NULL && (tag->flags & NF_REQUIRED) != 0) {
        return nf__schema_fail(
            at, NF_E_KEY,
            nf_arena_printf(at->load->arena, "it is %s",
                            nf__schema_words(at->load->arena, tag->words)),
            "key \"%s\" is missing", tag->key);
    }
    bool ok = item == NULL || load_key(at, tag, item, out);
    *which = *(int *)((char *)out + tag->offset);
    return ok && *which >= 0;
}

/* All keys of a map whose case is known. */
static bool load_keys(const struct nf__at *at, const struct nf_table *table, int which,
                      void *out)
{
    bool ok = true;
    for (size_t i = 0; i < table->field_count; i++) {
        const struct nf_field *f = &table->fields[i];
        if (table->tag == NULL || strcmp(f->key, table->tag) != 0) {
            set_absent(f, (char *)out + f->offset); /* cases may share a place */
        }
    }
    for (size_t i = 0; i < table->field_count; i++) {
        const struct nf_field *f = &table->fields[i];
        void *to = (char *)out + f->offset;
        bool is_tag = table->tag != NULL && strcmp(f->key, table->tag) == 0;
        bool belongs = which < 0 || f->cases == 0 || (f->cases >> which & 1) != 0;
        if (is_tag || !belongs) {
            continue;
        }
        load_default(at, f, to);
        const struct nf_yaml_item *item = nf_yaml_item(at->node, f->key);
        if (item != NULL) {
            ok = load_key(at, f, item, out) && ok;
        } else if ((f->flags & NF_REQUIRED) != 0) {
            ok =
                nf__schema_fail(at, NF_E_KEY,
                                f->example != NULL ? nf_arena_printf(at->load->arena,
                                                                     "for example %s: %s",
                                                                     f->key, f->example)
                                                   : NULL,
                                "key \"%s\" is missing", f->key);
        }
    }
    for (size_t i = 0; at->node != NULL && i < at->node->count; i++) {
        const struct nf_yaml_item *item = &at->node->items[i];
        if (nf_table_field(table, item->key, which) == NULL) {
            struct nf__at inner = *at;
            inner.place = item->place;
            ok = tell_unknown_key(&inner, table, which, item->key);
        }
    }
    return ok;
}

static bool load_object(const struct nf__at *at, const struct nf_table *table,
                        const char *name, void *out)
{
    struct nf__at here = *at;
    int which = -1;
    NF_ASSERT(at->node != NULL || table->shape == NF_SHAPE_MAP);
    if (table->shape == NF_SHAPE_SCALAR) {
        return load_scalar_object(at, table, name, out);
    }
    if (table->shape == NF_SHAPE_TUPLE) {
        return load_tuple(at, table, out);
    }
    if (at->node != NULL && table->shorthand != NULL &&
        at->node->kind == NF_YAML_SCALAR && !nf_yaml_is_null(at->node)) {
        here.node = expand_shorthand(at, table);
    }
    start_object(&here, name, out);
    struct nf_object *o = out;
    if (here.node != NULL && here.node->kind != NF_YAML_MAP) {
        o->is_broken = true;
        const char **keys =
            NF_NEW_ARRAY(at->load->arena, table->field_count + 1, const char *);
        (void)collect_keys(table, -1, keys);
        const char *all =
            table->field_count <= 12 ? nf__schema_words(at->load->arena, keys) : NULL;
        return nf__schema_fail(at, NF_E_TYPE, NULL, "expected a map (%s)%s%s, found %s",
                               table->name, all != NULL ? " with keys " : "",
                               all != NULL ? all : "",
                               nf_yaml_describe(here.node, at->load->arena));
    }
    bool ok = table->tag == NULL || load_case(&here, table, out, &which);
    if (ok) {
        ok = load_keys(&here, table, which, out);
    }
    o->is_broken = !ok;
    return ok;
}

/* ---- lists and maps of named objects ---- */

static bool load_items(const struct nf__at *at, const struct nf_field *f,
                       struct nf_list *out)
{
    bool is_named = f->kind == NF_FIELD_NAMED;
    bool ok = true;
    if (at->node->kind != (is_named ? NF_YAML_MAP : NF_YAML_LIST)) {
        return nf__schema_fail(at, NF_E_TYPE,
                               f->example != NULL ? nf_arena_printf(at->load->arena,
                                                                    "for example %s: %s",
                                                                    f->key, f->example)
                                                  : NULL,
                               "expected %s, found %s",
                               is_named ? "a map from names to what they are" : "a list",
                               nf_yaml_describe(at->node, at->load->arena));
    }
    if (at->node->count == 0 && (f->flags & NF_NOT_EMPTY) != 0) {
        return nf__schema_fail(at, NF_E_TYPE, NULL, "expected at least one entry");
    }
    if (is_named && at->node->count > NAMES_MAX) {
        return nf__schema_fail(at, NF_E_LIMIT, NULL,
                               "%zu entries; at most %d are allowed", at->node->count,
                               NAMES_MAX);
    }
    out->count = at->node->count;
    out->items = nf_arena_array(at->load->arena, out->count, f->table->size);
    for (size_t i = 0; i < out->count; i++) {
        const struct nf_yaml_item *item = &at->node->items[i];
        struct nf__at inner = *at;
        inner.node = item->value;
        inner.place = item->place;
        inner.path = is_named ? nf__schema_join(at->load->arena, at->path, item->key)
                              : nf_arena_printf(at->load->arena, "%s[%zu]", at->path, i);
        bool name_ok = !is_named || nf__schema_check_name(&inner, item->key);
        void *to = (char *)out->items + i * f->table->size;
        ok = load_object(&inner, f->table, is_named ? item->key : "", to) && ok;
        if (!name_ok) {
            ((struct nf_object *)to)->is_broken = true;
            ok = false;
        }
    }
    return ok;
}

static bool load_field(const struct nf__at *at, const struct nf_field *f, void *out)
{
    struct nf__at inner = *at;
    inner.parent = nf__schema_dimension(at, f);
    switch (f->kind) {
    case NF_FIELD_MAP:
        return load_object(&inner, f->table, "", out);
    case NF_FIELD_LIST:
    case NF_FIELD_NAMED:
        return load_items(&inner, f, out);
    default:
        return nf__schema_load_scalar(at, f, out);
    }
}

enum nf_status nf_schema_load(struct nf_load *load, const struct nf_table *table,
                              const struct nf_yaml_node *node, const char *path,
                              void *out)
{
    int errors = load->diags->errors;
    struct nf__at at = {.load = load, .node = node, .path = path};
    if (node != NULL) {
        at.place = node->place;
    }
    (void)load_object(&at, table, "", out);
    return load->diags->errors == errors ? NF_OK : nf_diags_status(load->diags);
}
