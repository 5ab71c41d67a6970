/* Keys that a table does not have: told with the nearest right one, and taken for it where that one is not given. */
#include <string.h>

#include "scenario/schema_part.h"

size_t nf__schema_keys(const struct nf_table *table, int which, const char **keys)
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

bool nf__schema_unknown(const struct nf__at *at, const struct nf_table *table, int which,
                        const char *key)
{
    struct nf_arena *arena = at->load->arena;
    if (at->load->diags->count == NF_DIAGS_MAX) {
        return nf__schema_fail(at, NF_E_KEY, NULL, "unknown key \"%s\"",
                               key); /* only counted */
    }
    const char **keys = NF_NEW_ARRAY(arena, table->field_count + 1, const char *);
    size_t n = nf__schema_keys(table, which, keys);
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

/* Could this be a value of the field? Only its shape is looked at. */
static bool has_shape(const struct nf_field *f, const struct nf_yaml_node *value)
{
    bool is_text = value->kind == NF_YAML_SCALAR && !nf_yaml_is_null(value);
    switch (f->kind) {
    case NF_FIELD_MAP:
        return value->kind == NF_YAML_MAP || (f->table->shorthand != NULL && is_text);
    case NF_FIELD_NAMED:
        return value->kind == NF_YAML_MAP;
    case NF_FIELD_LIST:
        return value->kind == NF_YAML_LIST;
    default:
        return is_text;
    }
}

static struct nf_yaml_node *copy_map(const struct nf_yaml_node *map,
                                     struct nf_arena *arena)
{
    struct nf_yaml_node *copy = NF_NEW(arena, struct nf_yaml_node);
    *copy = *map;
    copy->items = NF_NEW_ARRAY(arena, map->count, struct nf_yaml_item);
    memcpy(copy->items, map->items, map->count * sizeof *map->items);
    return copy;
}

const struct nf_yaml_node *nf__schema_correct(const struct nf__at *at,
                                              const struct nf_table *table, int which,
                                              const char *only, struct nf_object *o)
{
    struct nf_arena *arena = at->load->arena;
    const struct nf_yaml_node *map = at->node;
    struct nf_yaml_node *copy = NULL;
    const char **keys = NULL;
    size_t unknown = 0;
    /* what is not told any more need not be understood */
    for (size_t i = 0; i < map->count && unknown < NF_DIAGS_MAX; i++) {
        const struct nf_yaml_item *item = &map->items[i];
        if (nf_table_field(table, item->key, -1) != NULL) {
            continue;
        }
        if (keys == NULL) {
            keys = NF_NEW_ARRAY(arena, table->field_count + 1, const char *);
            (void)nf__schema_keys(table, which, keys);
        }
        unknown++;
        const char *near =
            strlen(item->key) <= 64 ? nf_text_nearest(item->key, keys) : NULL;
        if (near == NULL || (only != NULL && strcmp(near, only) != 0) ||
            nf_yaml_item(copy != NULL ? copy : map, near) != NULL) {
            continue;
        }
        if (!has_shape(nf_table_field(table, near, which), item->value)) {
            (void)nf_object_mark_wrong(at->load, o, near);
            continue;
        }
        struct nf__at here = *at;
        here.place = item->place;
        (void)nf__schema_unknown(&here, table, which, item->key);
        o->is_broken = true;
        copy = copy != NULL ? copy : copy_map(map, arena);
        copy->items[i].key = near;
    }
    return copy != NULL ? copy : map;
}
