#include "scenario/override.h"

#include <string.h>

#include "base/text.h"

struct walk {
    struct nf_place place; /* of the override */
    struct nf_arena *arena;
    struct nf_diags *diags;
};

static enum nf_status refuse(struct walk *w, const char *path, const char *message)
{
    return nf_diag_add(w->diags, NF_E_USAGE, w->place, path, NULL, "%s", message);
}

/* Every place inside an override is the override itself: it has no lines. */
static void stamp(struct nf_yaml_node *node, struct nf_place place)
{
    node->place = place;
    for (size_t i = 0; i < node->count; i++) {
        node->items[i].place = place;
        stamp(node->items[i].value, place);
    }
}

/* Length of the first name of `path`: a key of the map that fits (the longest, as names may contain dots), or up to the next
 * "." or "[". */
static size_t name_length(const struct nf_yaml_node *map, const char *path)
{
    size_t best = 0;
    for (size_t i = 0; map != NULL && map->kind == NF_YAML_MAP && i < map->count; i++) {
        size_t n = strlen(map->items[i].key);
        if (n > best && strncmp(map->items[i].key, path, n) == 0 &&
            (path[n] == '\0' || path[n] == '.' || path[n] == '[')) {
            best = n;
        }
    }
    return best > 0 ? best : strcspn(path, ".[");
}

/* "[3]" at *path: the item of the list, NULL when told. */
static struct nf_yaml_item *list_item(struct walk *w, struct nf_yaml_node *node,
                                      const char **path)
{
    size_t digits = strspn(*path + 1, "0123456789");
    char number[20];
    uint64_t index;
    if (digits == 0 || digits >= sizeof number || (*path)[1 + digits] != ']') {
        (void)refuse(w, *path, "expected a place in a list such as [0]");
        return NULL;
    }
    memcpy(number, *path + 1, digits);
    number[digits] = '\0';
    if (node->kind != NF_YAML_LIST || !nf_text_uint64(number, &index) ||
        index >= node->count) {
        (void)refuse(w, *path,
                     node->kind != NF_YAML_LIST
                         ? "there is no list here"
                         : nf_arena_printf(w->arena,
                                           "the list has only %zu entries (from [0])",
                                           node->count));
        return NULL;
    }
    *path += digits + 2;
    return &node->items[index];
}

static enum nf_status put(struct walk *w, struct nf_yaml_node *root, const char *path,
                          struct nf_yaml_node *value)
{
    struct nf_yaml_node *node = root;
    const char *rest = path;
    for (;;) {
        struct nf_yaml_item *item;
        if (rest[0] == '[') {
            item = list_item(w, node, &rest);
            if (item == NULL) {
                return NF_E_USAGE;
            }
        } else {
            size_t n = name_length(node, rest);
            if (n == 0) {
                return refuse(w, path, "expected a path such as edge.node.gpus");
            }
            if (node->kind != NF_YAML_MAP) {
                return refuse(w, path,
                              nf_arena_printf(w->arena, "\"%.*s\" is not inside a map",
                                              (int)n, rest));
            }
            const char *key = nf_arena_strndup(w->arena, rest, n);
            rest += n;
            item = nf_yaml_item(node, key);
            if (item == NULL) {
                nf_yaml_put(node, key, nf_yaml_new_map(w->place, w->arena), w->arena);
                item = nf_yaml_item(node, key);
            }
        }
        if (rest[0] == '\0') {
            item->value = value;
            item->place = w->place;
            return NF_OK;
        }
        /* what an alias stands for is shared: change a copy */
        struct nf_yaml_node *copy = NF_NEW(w->arena, struct nf_yaml_node);
        *copy = *item->value;
        copy->items = NF_NEW_ARRAY(w->arena, copy->count, struct nf_yaml_item);
        if (copy->count > 0) {
            memcpy(copy->items, item->value->items, copy->count * sizeof *copy->items);
        }
        item->value = copy;
        node = copy;
        rest += rest[0] == '.';
    }
}

enum nf_status nf_override_apply(struct nf_yaml_node *root, const char *override,
                                 struct nf_arena *arena, struct nf_diags *diags)
{
    const char *label = nf_arena_printf(arena, "--set %s", override);
    struct walk w = {{label, 0, 0}, arena, diags};
    const char *equals = strchr(override, '=');
    if (equals == NULL || equals == override) {
        return nf_diag_add(diags, NF_E_USAGE, w.place, NULL,
                           "for example edge.node.gpus=2", "expected PATH=VALUE");
    }
    if (equals[1] == '\0') {
        return refuse(&w, NULL, "no value after \"=\"");
    }
    struct nf_yaml_node *value;
    enum nf_status s =
        nf_yaml_parse(label, equals + 1, strlen(equals + 1), arena, diags, &value);
    if (s != NF_OK) {
        return s;
    }
    stamp(value, w.place);
    return put(&w, root, nf_arena_strndup(arena, override, (size_t)(equals - override)),
               value);
}
