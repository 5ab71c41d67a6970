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

static void start_object(const struct nf__at *at, const char *name, void *out)
{
    *(struct nf_object *)out = (struct nf_object){
        .node = at->node, .place = at->place, .path = at->path, .name = name};
}

/* Every field absent or at its default: of something that cannot be read. */
static bool leave_unread(const struct nf__at *at, const struct nf_table *table, void *out)
{
    for (size_t i = 0; i < table->field_count; i++) {
        set_absent(&table->fields[i], (char *)out + table->fields[i].offset);
    }
    for (size_t i = 0; i < table->field_count && table->shape == NF_SHAPE_MAP; i++) {
        const struct nf_field *f = &table->fields[i];
        if (f->cases == 0) {
            load_default(at, f, (char *)out + f->offset);
        }
    }
    struct nf_object *o = out;
    o->is_broken = o->is_unread = true;
    return false;
}

static bool load_scalar_object(const struct nf__at *at, const struct nf_table *table,
                               void *out)
{
    const struct nf_field *f = &table->fields[0];
    set_absent(f, (char *)out + f->offset);
    struct nf__at inner = *at;
    inner.place = at->node->place;
    bool ok = load_field(&inner, f, (char *)out + f->offset);
    struct nf_object *o = out;
    o->is_broken = o->is_unread = !ok;
    return ok;
}

static bool refuse_tuple(const struct nf__at *at, const struct nf_table *table, void *out)
{
    const char **keys =
        NF_NEW_ARRAY(at->load->arena, table->field_count + 1, const char *);
    const char *all = keys[nf__schema_keys(table, -1, keys) - 1];
    for (size_t i = table->field_count - 1; i-- > 0;) {
        all = nf_arena_printf(at->load->arena, "%s, %s", keys[i], all);
    }
    (void)nf__schema_fail(
        at, NF_E_TYPE, NULL, "expected [%s], found %s", all,
        at->node->kind == NF_YAML_LIST
            ? nf_arena_printf(at->load->arena, "a list of %zu", at->node->count)
            : nf_yaml_describe(at->node, at->load->arena));
    return leave_unread(at, table, out);
}

static bool load_tuple(const struct nf__at *at, const struct nf_table *table, void *out)
{
    bool ok = true;
    if (at->node->kind != NF_YAML_LIST || at->node->count != table->field_count) {
        return refuse_tuple(at, table, out);
    }
    for (size_t i = 0; i < table->field_count; i++) {
        const struct nf_field *f = &table->fields[i];
        struct nf__at inner = *at;
        inner.node = at->node->items[i].value;
        inner.place = inner.node->place;
        set_absent(f, (char *)out + f->offset);
        if (!load_field(&inner, f, (char *)out + f->offset)) {
            (void)nf_object_mark_wrong(at->load, out, f->key);
            ok = false;
        }
    }
    return ok;
}

/* The map that a plain scalar stands for. */
static const struct nf_yaml_node *expand_shorthand(const struct nf__at *at,
                                                   const struct nf_table *table)
{
    struct nf_yaml_node *map = nf_yaml_new_map(at->node->place, at->load->arena);
    map->is_shorthand = true;
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
    NF_ASSERT(at->node != NULL); /* it has the item */
    inner.node = item->value;
    inner.place = item->value->place;
    inner.path = at->node->is_shorthand
                     ? at->path
                     : nf__schema_join(at->load->arena, at->path, f->key);
    return load_field(&inner, f, (char *)out + f->offset);
}

/* The word that a wrong one is near: its index, or -1. */
static int guess_word(const struct nf_field *f, const struct nf_yaml_node *node)
{
    const char *near = node->kind == NF_YAML_SCALAR && strlen(node->text) <= 64
                           ? nf_text_nearest(node->text, f->words)
                           : NULL;
    for (int i = 0; near != NULL && f->words[i] != NULL; i++) {
        if (f->words[i] == near) {
            return i;
        }
    }
    return -1;
}

/* Read the tag first: it decides which other keys belong here. A wrong word counts as the one that it is near; *which is -1
 * when the case cannot be known. */
static bool load_case(const struct nf__at *at, const struct nf_table *table,
                      struct nf_object *o, int *which)
{
    const struct nf_field *tag = nf_table_field(table, table->tag, -1);
    const struct nf_yaml_item *item = nf_yaml_item(at->node, table->tag);
    int *value = (int *)((char *)o + tag->offset);
    bool ok = true;
    load_default(at, tag, value);
    if (item == NULL && (tag->flags & NF_REQUIRED) != 0) {
        ok = nf_object_is_wrong(o, tag->key)
                 ? false
                 : nf__schema_fail(
                       at, NF_E_KEY,
                       nf_arena_printf(at->load->arena, "it is %s",
                                       nf__schema_words(at->load->arena, tag->words)),
                       "key \"%s\" is missing", tag->key);
    } else if (item != NULL && !load_key(at, tag, item, o)) {
        *value = guess_word(tag, item->value);
        ok = false;
    }
    *which = *value;
    if (!ok) {
        (void)nf_object_mark_wrong(at->load, o, tag->key);
    }
    return ok;
}

static bool tell_missing(const struct nf__at *at, const struct nf_field *f)
{
    return nf__schema_fail(
        at, NF_E_KEY,
        f->example != NULL
            ? nf_arena_printf(at->load->arena, "for example %s: %s", f->key, f->example)
            : NULL,
        "key \"%s\" is missing", f->key);
}

/* When the case is not known: does the key mean the same in all cases that have it? */
static bool means_one_thing(const struct nf_table *table, const struct nf_field *f)
{
    for (size_t i = 0; i < table->field_count; i++) {
        const struct nf_field *g = &table->fields[i];
        if (strcmp(f->key, g->key) == 0 &&
            (f->kind != g->kind || f->dimension != g->dimension || f->low != g->low ||
             f->high != g->high || f->table != g->table || f->words != g->words ||
             f->infinite != g->infinite || f->offset != g->offset ||
             ((f->flags ^ g->flags) & (NF_ABOVE_LOW | NF_OF_PARENT)) != 0)) {
            return false;
        }
    }
    return nf_table_field(table, f->key, -1) == f; /* once */
}

static bool load_one_key(const struct nf__at *at, const struct nf_table *table, int which,
                         const struct nf_field *f, struct nf_object *o)
{
    bool is_unsure = table->tag != NULL && which < 0;
    const struct nf_yaml_item *item = nf_yaml_item(at->node, f->key);
    if (is_unsure) {
        return item == NULL || !means_one_thing(table, f) || load_key(at, f, item, o);
    }
    load_default(at, f, (char *)o + f->offset);
    if (item != NULL) {
        return load_key(at, f, item, o);
    }
    if ((f->flags & NF_REQUIRED) == 0) {
        return true;
    }
    if (f->kind == NF_FIELD_MAP) {
        struct nf_object *missing = (struct nf_object *)((char *)o + f->offset);
        missing->is_broken = missing->is_unread = true;
    }
    return !nf_object_is_wrong(o, f->key) && tell_missing(at, f);
}

/* Values of keys that were given again: not used, but what is wrong in them is told. */
static bool check_repeated(const struct nf__at *at, const struct nf_table *table,
                           int which)
{
    const struct nf_yaml_node *map = at->node;
    if (map == NULL || map->repeated_count == 0) {
        return true;
    }
    void *unused = nf_arena_alloc(at->load->arena, table->size);
    for (size_t i = 0; i < map->repeated_count; i++) {
        const struct nf_field *f = nf_table_field(table, map->repeated[i].key, which);
        if (f != NULL && (which >= 0 || table->tag == NULL)) {
            (void)load_key(at, f, &map->repeated[i], unused);
        }
    }
    return false;
}

/* All keys of a map. */
static bool load_keys(const struct nf__at *at, const struct nf_table *table, int which,
                      struct nf_object *o)
{
    bool ok = true;
    for (size_t i = 0; i < table->field_count; i++) {
        const struct nf_field *f = &table->fields[i];
        if (table->tag == NULL || strcmp(f->key, table->tag) != 0) {
            set_absent(f, (char *)o + f->offset); /* cases may share a place */
        }
    }
    for (size_t i = 0; i < table->field_count; i++) {
        const struct nf_field *f = &table->fields[i];
        bool is_tag = table->tag != NULL && strcmp(f->key, table->tag) == 0;
        bool belongs = which < 0 || f->cases == 0 || (f->cases >> which & 1) != 0;
        if (!is_tag && belongs && !load_one_key(at, table, which, f, o)) {
            const struct nf_list *list = (const void *)((const char *)o + f->offset);
            bool is_list = f->kind == NF_FIELD_LIST || f->kind == NF_FIELD_NAMED;
            nf_object_mark_wrong(at->load, o, f->key)->is_unread =
                is_list && list->count == 0;
            ok = false;
        }
    }
    for (size_t i = 0; at->node != NULL && i < at->node->count; i++) {
        const struct nf_yaml_item *item = &at->node->items[i];
        if (nf_table_field(table, item->key, which) == NULL) {
            struct nf__at inner = *at;
            inner.place = item->place;
            ok = nf__schema_unknown(&inner, table, which, item->key);
        }
    }
    return check_repeated(at, table, which) && ok;
}

static bool refuse_map(const struct nf__at *at, const struct nf_table *table, void *out)
{
    const char **keys =
        NF_NEW_ARRAY(at->load->arena, table->field_count + 1, const char *);
    (void)nf__schema_keys(table, -1, keys);
    const char *all =
        table->field_count <= 12 ? nf__schema_words(at->load->arena, keys) : NULL;
    (void)nf__schema_fail(at, NF_E_TYPE, NULL, "expected a map (%s)%s%s, found %s",
                          table->name, all != NULL ? " with keys " : "",
                          all != NULL ? all : "",
                          nf_yaml_describe(at->node, at->load->arena));
    return leave_unread(at, table, out);
}

static bool load_map(struct nf__at *at, const struct nf_table *table, void *out)
{
    struct nf_object *o = out;
    int which = -1;
    if (at->node != NULL && table->tag != NULL) {
        at->node = o->node = nf__schema_correct(at, table, -1, table->tag, o);
    }
    bool ok = table->tag == NULL || load_case(at, table, o, &which);
    if (at->node != NULL) {
        at->node = o->node = nf__schema_correct(at, table, which, NULL, o);
    }
    ok = load_keys(at, table, which, o) && ok;
    o->is_broken = o->is_broken || !ok;
    return !o->is_broken;
}

static bool load_object(const struct nf__at *at, const struct nf_table *table,
                        const char *name, void *out)
{
    struct nf__at here = *at;
    NF_ASSERT(at->node != NULL || table->shape == NF_SHAPE_MAP);
    start_object(at, name, out);
    if (at->node != NULL && at->node->is_told) {
        return leave_unread(at, table, out);
    }
    if (table->shape == NF_SHAPE_SCALAR) {
        return load_scalar_object(at, table, out);
    }
    if (table->shape == NF_SHAPE_TUPLE) {
        return load_tuple(at, table, out);
    }
    if (at->node != NULL && table->shorthand != NULL &&
        at->node->kind == NF_YAML_SCALAR && !nf_yaml_is_null(at->node)) {
        here.node = expand_shorthand(at, table);
        start_object(&here, name, out);
    }
    if (here.node != NULL && here.node->kind != NF_YAML_MAP) {
        return refuse_map(&here, table, out);
    }
    return load_map(&here, table, out);
}

/* ---- lists and maps of named objects ---- */

static bool load_items(const struct nf__at *at, const struct nf_field *f,
                       struct nf_list *out)
{
    bool is_named = f->kind == NF_FIELD_NAMED;
    bool ok = true;
    if (at->node->is_told) {
        return false;
    }
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
        return !at->node->is_told && nf__schema_load_scalar(at, f, out);
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
