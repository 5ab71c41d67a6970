#include "scenario/yaml.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/text.h"
#include "scenario/utf8.h"

struct anchor {
    const char *name;
    struct nf_yaml_node *node; /* NULL while it is still being read */
};

/* Where libyaml's character columns lie in bytes. Marks come in rising order, so one cursor that only moves forward serves
 * them all in linear time. */
struct cursor {
    size_t offset, line, column, line_start;
};

struct composer {
    yaml_parser_t parser;
    const char *file;
    const char *text;
    size_t length;
    bool is_ascii;
    struct cursor cursor;
    struct nf_arena *arena;
    struct nf_diags *diags;
    size_t nodes;
    struct anchor anchors[NF_YAML_ANCHORS_MAX];
    size_t anchor_count;
    struct nf_yaml_item *stack; /* children of the open maps and lists, innermost last */
    size_t stack_count, stack_cap;
};

static struct nf_place place_of(struct composer *c, yaml_mark_t mark)
{
    struct nf_place p = {c->file, (int)mark.line + 1, (int)mark.column + 1};
    if (c->is_ascii) {
        return p;
    }
    struct cursor *k = &c->cursor;
    if (mark.line < k->line || (mark.line == k->line && mark.column < k->column)) {
        *k = (struct cursor){0, 0, 0, 0};
    }
    while (k->offset < c->length && k->line < mark.line) {
        k->offset += nf_utf8_line(c->text + k->offset, c->length - k->offset);
        k->line++;
        k->column = 0;
        k->line_start = k->offset;
    }
    while (k->offset < c->length && k->column < mark.column) {
        k->offset += nf_utf8_width((unsigned char)c->text[k->offset]);
        k->column++;
    }
    p.col = (int)(k->offset - k->line_start) + 1;
    return p;
}

/* What libyaml says, the place that it blames and what people can do about it. */
static const struct {
    const char *problem, *context; /* "": any */
    bool is_at_context;            /* the mistake is where the context began */
    const char *message, *hint;    /* message NULL: libyaml's */
} explanations[] = {
    {"mapping values are not allowed", "", false, NULL,
     "check the indentation, and quote a text that contains \": \""},
    {"did not find expected ',' or '}'", "flow mapping", true,
     "the { that opens here is not closed", "close it, or look for a missing comma"},
    {"did not find expected ',' or ']'", "flow sequence", true,
     "the [ that opens here is not closed", "close it, or look for a missing comma"},
    {"did not find expected key", "", false, NULL,
     "keys of one map start in the same column"},
    {"could not find expected ':'", "simple key", true, "this is not a key with a value",
     "a key is followed by a colon and a blank"},
    {"found unexpected", "quoted scalar", true,
     "the quoted text that starts here has no end", "close the quotes"},
    {"found unknown escape character", "", false, NULL,
     "write \\\\ for a backslash, or use single quotes"},
    {"found character that cannot start any token", "", false, NULL,
     "quote a text that starts with %, @ or `"},
};

/* The row of that problem; -1: none. A context that began on the same line is no better place. */
static int explanation_of(const yaml_parser_t *p)
{
    for (int i = 0;
         p->problem != NULL && i < (int)(sizeof explanations / sizeof explanations[0]);
         i++) {
        const char *context = p->context != NULL ? p->context : "";
        if (strstr(p->problem, explanations[i].problem) != NULL &&
            strstr(context, explanations[i].context) != NULL) {
            return i;
        }
    }
    return -1;
}

static void syntax_error(struct composer *c)
{
    const yaml_parser_t *p = &c->parser;
    struct nf_place at = place_of(c, p->problem_mark);
    size_t offset = c->is_ascii ? p->problem_mark.index : c->cursor.offset;
    int which = explanation_of(p);
    const char *hint = which >= 0 ? explanations[which].hint : NULL;
    const char *problem = p->problem != NULL ? p->problem : "cannot be read";
    if (offset < c->length && c->text[offset] == '\t') {
        hint = "indent with spaces; YAML does not allow tabs";
    }
    bool has_context = p->context != NULL && p->context_mark.line != p->problem_mark.line;
    if (has_context && which >= 0 && explanations[which].is_at_context) {
        (void)nf_diag_add(c->diags, NF_E_SYNTAX, place_of(c, p->context_mark), NULL, hint,
                          "not valid YAML: %s (seen at line %d, column %d)",
                          explanations[which].message, at.line, at.col);
    } else if (has_context) {
        (void)nf_diag_add(c->diags, NF_E_SYNTAX, at, NULL, hint,
                          "not valid YAML: %s %s that starts at line %d", problem,
                          p->context, (int)p->context_mark.line + 1);
    } else {
        (void)nf_diag_add(c->diags, NF_E_SYNTAX, at, NULL, hint, "not valid YAML: %s",
                          problem);
    }
}

/* The next event; false after a syntax error, which is then told. */
static bool next_event(struct composer *c, yaml_event_t *event)
{
    if (yaml_parser_parse(&c->parser, event) == 1) {
        return true;
    }
    syntax_error(c);
    return false;
}

static bool charge(struct composer *c, size_t nodes, struct nf_place at)
{
    if (nodes <= NF_YAML_NODES_MAX - c->nodes) {
        c->nodes += nodes;
        return true;
    }
    (void)nf_diag_add(c->diags, NF_E_LIMIT, at, NULL, NULL,
                      "more than %d values (an alias counts as all that it stands for)",
                      NF_YAML_NODES_MAX);
    return false;
}

static void push(struct composer *c, struct nf_yaml_item item)
{
    if (c->stack_count == c->stack_cap) {
        c->stack_cap = c->stack_cap == 0 ? 64 : 2 * c->stack_cap;
        c->stack = nf_mem_resize(c->stack, c->stack_cap, sizeof *c->stack);
    }
    c->stack[c->stack_count++] = item;
}

static void refuse_tag(struct composer *c, const yaml_char_t *tag, struct nf_place at)
{
    if (tag != NULL && strcmp((const char *)tag, "!") != 0) {
        (void)nf_diag_add(c->diags, NF_E_UNSUPPORTED, at, NULL, "remove it",
                          "tag \"%s\": the key alone decides what its value means",
                          (const char *)tag);
    }
}

static bool note_anchor(struct composer *c, const yaml_char_t *name, struct nf_place at,
                        size_t *index)
{
    *index = SIZE_MAX;
    if (name == NULL) {
        return true;
    }
    if (c->anchor_count == NF_YAML_ANCHORS_MAX) {
        (void)nf_diag_add(c->diags, NF_E_LIMIT, at, NULL, NULL, "more than %d anchors",
                          NF_YAML_ANCHORS_MAX);
        return false;
    }
    *index = c->anchor_count++;
    c->anchors[*index] =
        (struct anchor){nf_arena_strdup(c->arena, (const char *)name), NULL};
    return true;
}

static struct nf_yaml_node *new_node(struct composer *c, enum nf_yaml_kind kind,
                                     struct nf_place at)
{
    struct nf_yaml_node *n = NF_NEW(c->arena, struct nf_yaml_node);
    n->kind = kind;
    n->place = at;
    n->text = "";
    n->weight = 1;
    n->height = 1;
    return n;
}

/* Stands where nothing could be composed, for a reason that was told. */
static struct nf_yaml_node *new_told_node(struct composer *c, struct nf_place at)
{
    struct nf_yaml_node *n = new_node(c, NF_YAML_SCALAR, at);
    n->is_told = true;
    return n;
}

static struct nf_yaml_node *compose_alias(struct composer *c, const yaml_event_t *event,
                                          int depth)
{
    const char *name = (const char *)event->data.alias.anchor;
    struct nf_place at = place_of(c, event->start_mark);
    for (size_t i = c->anchor_count; i-- > 0;) {
        if (strcmp(c->anchors[i].name, name) != 0) {
            continue;
        }
        struct nf_yaml_node *target = c->anchors[i].node;
        if (target == NULL) {
            (void)nf_diag_add(c->diags, NF_E_REFERENCE, at, NULL, NULL,
                              "alias *%s stands inside what it refers to", name);
            return new_told_node(c, at);
        }
        if (depth + target->height - 1 > NF_YAML_DEPTH_MAX) {
            (void)nf_diag_add(c->diags, NF_E_LIMIT, at, NULL, NULL,
                              "nested more than %d levels deep, alias *%s included",
                              NF_YAML_DEPTH_MAX, name);
            return NULL;
        }
        if (!charge(c, target->weight, at)) {
            return NULL;
        }
        struct nf_yaml_node *copy = NF_NEW(c->arena, struct nf_yaml_node);
        *copy = *target;
        copy->place = at;
        return copy;
    }
    const char *names[NF_YAML_ANCHORS_MAX + 1] = {NULL};
    for (size_t i = 0; i < c->anchor_count; i++) {
        names[i] = c->anchors[i].name;
    }
    const char *near = nf_text_nearest(name, names);
    (void)nf_diag_add(c->diags, NF_E_REFERENCE, at, NULL,
                      near != NULL ? nf_arena_printf(c->arena, "did you mean *%s?", near)
                                   : NULL,
                      "alias *%s: no anchor &%s stands before it", name, name);
    return new_told_node(c, at);
}

static struct nf_yaml_node *compose_scalar(struct composer *c, const yaml_event_t *event)
{
    struct nf_place at = place_of(c, event->start_mark);
    struct nf_yaml_node *n = new_node(c, NF_YAML_SCALAR, at);
    const char *text = (const char *)event->data.scalar.value;
    size_t anchor;
    n->text = nf_arena_strndup(c->arena, text, event->data.scalar.length);
    n->is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (strlen(text) != event->data.scalar.length) {
        (void)nf_diag_add(c->diags, NF_E_SYNTAX, at, NULL, NULL,
                          "a text that contains \"\\0\"");
        n->is_told = true;
    }
    refuse_tag(c, event->data.scalar.tag, at);
    if (!charge(c, 1, at) || !note_anchor(c, event->data.scalar.anchor, at, &anchor)) {
        return NULL;
    }
    if (anchor != SIZE_MAX) {
        c->anchors[anchor].node = n;
    }
    return n;
}

static int compare_items(const void *left, const void *right)
{
    const struct nf_yaml_item *a = *(struct nf_yaml_item *const *)left;
    const struct nf_yaml_item *b = *(struct nf_yaml_item *const *)right;
    int order = strcmp(a->key, b->key);
    return order != 0 ? order : (a > b) - (a < b);
}

static void drop_duplicates(struct composer *c, struct nf_yaml_node *map, bool is_told);

static bool are_maps(struct nf_yaml_item *const *same, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (same[i]->value->kind != NF_YAML_MAP) {
            return false;
        }
    }
    return true;
}

/* A key given several times. Its maps become one with the entries of all: so the names in each are known, and what is wrong
 * in each is told. Of other values the first counts, and a list may not be whole. True when they were joined. */
static bool join_values(struct composer *c, struct nf_yaml_item *const *same,
                        size_t count)
{
    struct nf_yaml_node *all = NF_NEW(c->arena, struct nf_yaml_node);
    bool is_joined = are_maps(same, count);
    size_t total = 0, n = 0;
    *all = *same[0]->value; /* an alias shares it */
    for (size_t i = 0; i < count && is_joined; i++) {
        total += same[i]->value->count;
        all->is_partial = all->is_partial || same[i]->value->is_partial;
    }
    if (is_joined) {
        all->items = NF_NEW_ARRAY(c->arena, total, struct nf_yaml_item);
        for (size_t i = 0; i < count; i++) {
            const struct nf_yaml_node *from = same[i]->value;
            if (from->count > 0) {
                memcpy(all->items + n, from->items, from->count * sizeof *from->items);
            }
            n += from->count;
        }
        all->count = n;
        drop_duplicates(c, all, true);
    } else {
        all->is_partial = true;
    }
    same[0]->value = all;
    return is_joined;
}

static void tell_repeated(struct composer *c, struct nf_yaml_item *const *same,
                          size_t count)
{
    for (size_t i = 1; i < count; i++) {
        (void)nf_diag_add(c->diags, NF_E_KEY, same[i]->place, NULL,
                          nf_arena_printf(c->arena, "it was first given at line %d",
                                          same[0]->place.line),
                          "key \"%s\" is given twice", same[0]->key);
    }
}

/* The first of the items counts; the others lose their value, and the caller takes them out of the map. */
static void repeat_key(struct composer *c, struct nf_yaml_item *const *same, size_t count,
                       struct nf_yaml_node *map)
{
    bool is_joined = join_values(c, same, count);
    for (size_t i = 1; i < count; i++) {
        if (!is_joined) {
            map->repeated[map->repeated_count++] = *same[i];
        }
        same[i]->value = NULL;
    }
}

/* Tell every key given twice, unless that follows from what is_told. Sorting keeps this from being quadratic. */
static void drop_duplicates(struct composer *c, struct nf_yaml_node *map, bool is_told)
{
    if (map->count < 2) {
        return;
    }
    struct nf_yaml_item **sorted = nf_mem_resize(NULL, map->count, sizeof *sorted);
    for (size_t i = 0; i < map->count; i++) {
        sorted[i] = &map->items[i];
    }
    qsort(sorted, map->count, sizeof *sorted, compare_items);
    bool has_repeated = false;
    for (size_t i = 0, end; i < map->count; i = end) {
        end = i + 1;
        while (end < map->count && strcmp(sorted[end]->key, sorted[i]->key) == 0) {
            end++;
        }
        if (end - i > 1 && !has_repeated) {
            has_repeated = true;
            map->repeated = NF_NEW_ARRAY(c->arena, map->count, struct nf_yaml_item);
            map->repeated_count = 0;
        }
        if (end - i > 1 && !is_told) {
            tell_repeated(c, sorted + i, end - i);
        }
        if (end - i > 1) {
            repeat_key(c, sorted + i, end - i, map);
        }
    }
    nf_mem_free(sorted);
    size_t kept = 0;
    for (size_t i = 0; i < map->count && has_repeated; i++) {
        if (map->items[i].value != NULL) {
            map->items[kept++] = map->items[i];
        }
    }
    map->count = has_repeated ? kept : map->count;
}

static struct nf_yaml_node *compose(struct composer *c, yaml_event_t *event, int depth);

/* The text of a key, NULL for one that is no plain text, which is told. */
static const char *key_of(struct composer *c, const struct nf_yaml_node *node)
{
    if (node->is_told) {
        return NULL;
    }
    if (node->kind != NF_YAML_SCALAR) {
        (void)nf_diag_add(c->diags, NF_E_SYNTAX, node->place, NULL, NULL,
                          "a key must be a text, not %s",
                          nf_yaml_describe(node, c->arena));
    } else if (node->is_plain && strcmp(node->text, "<<") == 0) {
        (void)nf_diag_add(c->diags, NF_E_UNSUPPORTED, node->place, NULL,
                          "write the keys out, or use an alias for a whole value",
                          "merge key \"<<\" (YAML 1.2 has none)");
    } else {
        return node->text;
    }
    return NULL;
}

static struct nf_yaml_node *compose_children(struct composer *c, struct nf_yaml_node *n,
                                             yaml_event_type_t end, int depth)
{
    size_t base = c->stack_count;
    for (;;) {
        yaml_event_t event;
        struct nf_yaml_item item = {NULL, {NULL, 0, 0}, NULL};
        bool is_kept = true;
        if (!next_event(c, &event)) {
            return NULL;
        }
        if (event.type == end) {
            yaml_event_delete(&event);
            break;
        }
        if (n->kind == NF_YAML_MAP) {
            struct nf_yaml_node *key = compose(c, &event, depth + 1);
            if (key == NULL || !next_event(c, &event)) {
                return NULL;
            }
            item.key = key_of(c, key);
            item.place = key->place;
            is_kept = item.key != NULL;
            n->is_partial = n->is_partial || !is_kept;
        }
        item.value = compose(c, &event, depth + 1);
        if (item.value == NULL) {
            return NULL;
        }
        if (n->kind == NF_YAML_LIST) {
            item.place = item.value->place;
        }
        if (is_kept) {
            push(c, item);
            n->weight += item.value->weight + (item.key != NULL);
            n->height =
                item.value->height >= n->height ? item.value->height + 1 : n->height;
        }
    }
    n->count = c->stack_count - base;
    n->items = NF_NEW_ARRAY(c->arena, n->count, struct nf_yaml_item);
    if (n->count > 0) {
        memcpy(n->items, c->stack + base, n->count * sizeof *n->items);
    }
    c->stack_count = base;
    if (n->kind == NF_YAML_MAP) {
        drop_duplicates(c, n, false);
    }
    return n;
}

static struct nf_yaml_node *compose_collection(struct composer *c,
                                               const yaml_event_t *event, int depth)
{
    bool is_map = event->type == YAML_MAPPING_START_EVENT;
    struct nf_place at = place_of(c, event->start_mark);
    const yaml_char_t *name =
        is_map ? event->data.mapping_start.anchor : event->data.sequence_start.anchor;
    size_t anchor;
    refuse_tag(c, is_map ? event->data.mapping_start.tag : event->data.sequence_start.tag,
               at);
    if (depth > NF_YAML_DEPTH_MAX) {
        (void)nf_diag_add(c->diags, NF_E_LIMIT, at, NULL, NULL,
                          "nested more than %d levels deep", NF_YAML_DEPTH_MAX);
        return NULL;
    }
    if (!charge(c, 1, at) || !note_anchor(c, name, at, &anchor)) {
        return NULL;
    }
    struct nf_yaml_node *n = new_node(c, is_map ? NF_YAML_MAP : NF_YAML_LIST, at);
    n = compose_children(c, n, is_map ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT,
                         depth);
    if (n != NULL && anchor != SIZE_MAX) {
        c->anchors[anchor].node = n;
    }
    return n;
}

/* The node that starts with `event`, which is used up. NULL: there is no tree (told). */
static struct nf_yaml_node *compose(struct composer *c, yaml_event_t *event, int depth)
{
    struct nf_yaml_node *n;
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        n = compose_alias(c, event, depth);
        break;
    case YAML_SCALAR_EVENT:
        n = compose_scalar(c, event);
        break;
    default:
        n = compose_collection(c, event, depth);
        break;
    }
    yaml_event_delete(event);
    return n;
}

/* One document, and nothing after it. */
static struct nf_yaml_node *compose_document(struct composer *c)
{
    struct nf_yaml_node *root = NULL;
    for (;;) {
        yaml_event_t event;
        if (!next_event(c, &event)) {
            return NULL;
        }
        switch (event.type) {
        case YAML_STREAM_START_EVENT:
        case YAML_DOCUMENT_END_EVENT:
            yaml_event_delete(&event);
            break;
        case YAML_DOCUMENT_START_EVENT:
            if (root != NULL) {
                (void)nf_diag_add(c->diags, NF_E_SYNTAX, place_of(c, event.start_mark),
                                  NULL, "put each document into a file of its own",
                                  "a second document starts here");
                yaml_event_delete(&event);
                return root;
            }
            yaml_event_delete(&event);
            break;
        case YAML_STREAM_END_EVENT:
            yaml_event_delete(&event);
            if (root == NULL) {
                (void)nf_diag_add(c->diags, NF_E_SYNTAX, (struct nf_place){c->file, 1, 1},
                                  NULL, NULL,
                                  "the file is empty (nothing but blanks and comments)");
            }
            return root;
        default:
            root = compose(c, &event, 1);
            if (root == NULL) {
                return NULL;
            }
            break;
        }
    }
}

enum nf_status nf_yaml_parse(const char *file, const char *text, size_t length,
                             struct nf_arena *arena, struct nf_diags *diags,
                             struct nf_yaml_node **root)
{
    static const char byte_order_mark[] = "\xEF\xBB\xBF";
    int errors = diags->errors;
    *root = NULL;
    if (length >= 3 && memcmp(text, byte_order_mark, 3) == 0) {
        text += 3; /* libyaml would count it as a column, and refuse the second key */
        length -= 3;
    }
    struct composer c = {
        .file = file, .text = text, .length = length, .arena = arena, .diags = diags};
    if (!nf_utf8_check(file, text, length, diags, &c.is_ascii)) {
        return NF_E_SYNTAX;
    }
    if (yaml_parser_initialize(&c.parser) != 1) {
        nf_out_of_memory(sizeof c.parser);
    }
    yaml_parser_set_encoding(&c.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&c.parser, (const unsigned char *)text, length);
    *root = compose_document(&c);
    yaml_parser_delete(&c.parser);
    nf_mem_free(c.stack);
    return diags->errors == errors ? NF_OK : nf_diags_status(diags);
}
