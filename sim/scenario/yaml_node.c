/* Trees at hand: looking up, describing, building. */
#include <string.h>

#include "scenario/utf8.h"
#include "scenario/yaml.h"

struct nf_yaml_item *nf_yaml_item(const struct nf_yaml_node *node, const char *key)
{
    if (node == NULL || node->kind != NF_YAML_MAP) {
        return NULL;
    }
    for (size_t i = 0; i < node->count; i++) {
        if (strcmp(node->items[i].key, key) == 0) {
            return &node->items[i];
        }
    }
    return NULL;
}

struct nf_yaml_node *nf_yaml_get(const struct nf_yaml_node *node, const char *key)
{
    const struct nf_yaml_item *item = nf_yaml_item(node, key);
    return item != NULL ? item->value : NULL;
}

bool nf_yaml_is_null(const struct nf_yaml_node *node)
{
    return node->kind == NF_YAML_SCALAR && node->is_plain &&
           (node->text[0] == '\0' || strcmp(node->text, "~") == 0 ||
            strcmp(node->text, "null") == 0);
}

const char *nf_yaml_describe(const struct nf_yaml_node *node, struct nf_arena *arena)
{
    if (node->kind != NF_YAML_SCALAR) {
        return node->kind == NF_YAML_MAP ? "a map" : "a list";
    }
    if (nf_yaml_is_null(node)) {
        return "nothing";
    }
    size_t length = strlen(node->text);
    return length <= 40 ? nf_arena_printf(arena, "\"%s\"", node->text)
                        : nf_arena_printf(arena, "\"%.*s...\"",
                                          (int)nf_utf8_cut(node->text, 37), node->text);
}

struct nf_yaml_node *nf_yaml_new_map(struct nf_place place, struct nf_arena *arena)
{
    struct nf_yaml_node *n = NF_NEW(arena, struct nf_yaml_node);
    n->kind = NF_YAML_MAP;
    n->place = place;
    n->text = "";
    n->weight = 1;
    n->height = 1;
    return n;
}

void nf_yaml_put(struct nf_yaml_node *map, const char *key, struct nf_yaml_node *value,
                 struct nf_arena *arena)
{
    struct nf_yaml_item *item = nf_yaml_item(map, key);
    if (item == NULL) {
        struct nf_yaml_item *items =
            NF_NEW_ARRAY(arena, map->count + 1, struct nf_yaml_item);
        if (map->count > 0) {
            memcpy(items, map->items, map->count * sizeof *items);
        }
        map->items = items;
        item = &items[map->count++];
        item->key = nf_arena_strdup(arena, key);
    }
    item->place = value->place;
    item->value = value;
}
