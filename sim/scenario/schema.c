#include "scenario/schema_part.h"

#include <stdarg.h>
#include <string.h>

struct nf_place nf_object_place(const struct nf_object *o, const char *key)
{
    const struct nf_yaml_node *value = nf_yaml_get(o->node, key);
    return value != NULL ? value->place : o->place;
}

bool nf_object_has(const struct nf_object *o, const char *key)
{
    return nf_yaml_item(o->node, key) != NULL;
}

static struct nf_wrong *find_wrong(const struct nf_object *o, const char *key)
{
    struct nf_wrong *w = o->wrong;
    while (w != NULL && strcmp(w->key, key) != 0) {
        w = w->next;
    }
    return w;
}

bool nf_object_is_wrong(const struct nf_object *o, const char *key)
{
    return find_wrong(o, key) != NULL || o->is_unread ||
           (o->node != NULL && o->node->is_partial && !nf_object_has(o, key));
}

bool nf_object_any_wrong(const struct nf_object *o, const char *const *keys)
{
    for (; *keys != NULL; keys++) {
        if (nf_object_is_wrong(o, *keys)) {
            return true;
        }
    }
    return false;
}

bool nf_object_is_whole(const struct nf_object *o, const char *key)
{
    const struct nf_yaml_node *value = nf_yaml_get(o->node, key);
    if (value == NULL) {
        return !nf_object_is_wrong(o, key);
    }
    const struct nf_wrong *w = find_wrong(o, key);
    return !o->is_unread && !value->is_partial && (w == NULL || !w->is_unread);
}

struct nf_wrong *nf_object_mark_wrong(struct nf_load *load, struct nf_object *o,
                                      const char *key)
{
    struct nf_wrong *w = find_wrong(o, key);
    o->is_broken = true;
    if (w == NULL) {
        w = NF_NEW(load->arena, struct nf_wrong);
        *w = (struct nf_wrong){.key = key, .next = o->wrong};
        o->wrong = w;
    }
    return w;
}

enum nf_status nf_object_error(struct nf_load *load, struct nf_object *o, const char *key,
                               enum nf_status code, const char *hint, const char *format,
                               ...)
{
    va_list args;
    va_start(args, format);
    const char *text = nf_arena_vprintf(load->arena, format, args);
    va_end(args);
    o->is_broken = true;
    if (key[0] != '\0') {
        (void)nf_object_mark_wrong(load, o, key);
    }
    const char *path = key[0] == '\0' ? o->path
                       : o->path[0] == '\0'
                           ? key
                           : nf_arena_printf(load->arena, "%s.%s", o->path, key);
    return nf_diag_add(load->diags, code, nf_object_place(o, key), path, hint, "%s",
                       text);
}

const struct nf_field *nf_table_field(const struct nf_table *table, const char *key,
                                      int which)
{
    for (size_t i = 0; i < table->field_count; i++) {
        const struct nf_field *f = &table->fields[i];
        if (strcmp(f->key, key) == 0 &&
            (which < 0 || f->cases == 0 || (f->cases >> which & 1) != 0)) {
            return f;
        }
    }
    return NULL;
}

int nf_table_case(const struct nf_table *table, const void *object)
{
    if (table->tag == NULL) {
        return -1;
    }
    const struct nf_field *tag = nf_table_field(table, table->tag, -1);
    return *(const int *)((const char *)object + tag->offset);
}
