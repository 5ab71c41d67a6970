/* Rows of traces that are JSON lines. */
#include <math.h>
#include <stdio.h>

#include "base/hash.h"
#include "base/json_read.h"
#include "scenario/trace_part.h"

static bool whole(const struct nf_json_value *v, double least, double most, double *out)
{
    if (v == NULL || v->kind != NF_JSON_NUMBER || v->number < least || v->number > most ||
        v->number != floor(v->number)) {
        return false;
    }
    *out = v->number;
    return true;
}

static void put_name(struct nf__trace_reader *r, uint64_t name)
{
    if (r->name_count == r->name_cap) {
        r->name_cap = r->name_cap == 0 ? 16384 : 2 * r->name_cap;
        r->names = nf_mem_resize(r->names, r->name_cap, sizeof *r->names);
    }
    r->names[r->name_count++] = name;
}

/* Checks the list, and puts its names down for the row just kept. Names of two files are never equal. */
static bool count_names(const struct nf_json_value *list, double input, size_t *count)
{
    double id;
    *count = 0;
    for (const struct nf_json_value *v = list->first; v != NULL; v = v->next) {
        if (!whole(v, 0, 9e15, &id)) {
            return false;
        }
        ++*count;
    }
    return list->kind == NF_JSON_ARRAY &&
           (double)*count == ceil(input / NF_TRACE_NAME_TOKENS);
}

static void keep_names(struct nf__trace_reader *r, const struct nf_json_value *list)
{
    uint64_t file = nf_hash_name(r->file);
    if (r->count > r->first_cap) {
        r->first_cap = r->first_cap == 0 ? 4096 : 2 * r->first_cap;
        r->first_name = nf_mem_resize(r->first_name, r->first_cap, sizeof *r->first_name);
    }
    r->first_name[r->count - 1] = r->name_count;
    for (const struct nf_json_value *v = list != NULL ? list->first : NULL; v != NULL;
         v = v->next) {
        put_name(r, nf_hash_mix(file, (uint64_t)v->number));
    }
}

static void read_object(struct nf__trace_reader *r, struct nf__trace_cell line,
                        const struct nf_json_value *object)
{
    const struct nf_json_value *time = nf_json_get(object, "timestamp");
    const struct nf_json_value *names = nf_json_get(object, "hash_ids");
    double input, output;
    size_t count;
    if (object->kind != NF_JSON_OBJECT || time == NULL || time->kind != NF_JSON_NUMBER ||
        !(time->number >= 0 && time->number < 9e12)) {
        (void)nf__trace_wrong(r, line,
                              "expected an object with \"timestamp\" in milliseconds");
    } else if (!whole(nf_json_get(object, "input_length"), 1, 1e9, &input) ||
               !whole(nf_json_get(object, "output_length"), 1, 1e9, &output)) {
        (void)nf__trace_wrong(r, line,
                              "expected \"input_length\" and \"output_length\", whole "
                              "numbers from 1 to 1000000000");
    } else if (names != NULL && !count_names(names, input, &count)) {
        (void)nf__trace_wrong(r, line,
                              "expected \"hash_ids\" to be whole numbers, one for each "
                              "512 tokens of input begun");
    } else if (nf__trace_keep(r, line, (int64_t)(time->number * 1e6 + 0.5),
                              (uint32_t)input, (uint32_t)output)) {
        keep_names(r, names);
    }
}

void nf__trace_json_row(struct nf__trace_reader *r, const char *start, const char *end)
{
    struct nf__trace_cell line = {start, (size_t)(end - start)};
    struct nf_arena scratch;
    char why[160] = "", what[200];
    nf_arena_init(&scratch);
    const struct nf_json_value *object =
        nf_json_parse(start, line.length, &scratch, why, sizeof why);
    if (object == NULL) {
        (void)snprintf(what, sizeof what, "a line that is not JSON (%s)", why);
        (void)nf__trace_wrong(r, line, what);
    } else {
        read_object(r, line, object);
    }
    nf_arena_fini(&scratch);
}
