#include "scenario/schema.h"

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

enum nf_status nf_object_error(struct nf_load *load, struct nf_object *o, const char *key,
                               enum nf_status code, const char *hint, const char *format,
                               ...)
{
    va_list args;
    va_start(args, format);
    const char *text = nf_arena_vprintf(load->arena, format, args);
    va_end(args);
    o->is_broken = true;
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
