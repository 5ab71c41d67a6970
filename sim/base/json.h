/*
 * json.h - a small JSON writer: commas, quotes and escapes are its business, nothing else.
 *
 * What:   writes into a struct nf_text; one call a value. Keys are given with the value inside objects, NULL inside arrays.
 * Errors: nesting mistakes are our bug (NF_ASSERT). Numbers that JSON cannot say (NaN, inf) become null.
 */
#ifndef NF_BASE_JSON_H
#define NF_BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

struct nf_json {
    struct nf_text *out;
    int depth;
    bool has_item[32];
    bool is_array[32];
    bool indent; /* two spaces a level when true */
};

void nf_json_init(struct nf_json *j, struct nf_text *out, bool indent);
void nf_json_object(struct nf_json *j, const char *key);
void nf_json_array(struct nf_json *j, const char *key);
void nf_json_end(struct nf_json *j); /* closes the innermost object or array */
void nf_json_string(struct nf_json *j, const char *key, const char *value);
void nf_json_double(struct nf_json *j, const char *key, double value);
void nf_json_int(struct nf_json *j, const char *key, int64_t value);
void nf_json_bool(struct nf_json *j, const char *key, bool value);
void nf_json_null(struct nf_json *j, const char *key);

#endif
