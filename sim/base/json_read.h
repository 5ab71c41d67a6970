/*
 * json_read.h - a JSON text to a tree of values.
 *
 * What:   RFC 8259, strictly; keys are found by name; a key that stands twice, and what follows the value, are errors.
 * Why:    measured runs of other tools come as JSON and JSON lines. Scenarios are YAML and have their own reader.
 * Cost:   about 50 MB/s; depth at most 64.
 * Owner:  values and texts live in the arena.
 * Errors: NULL and a sentence in `why` with the byte at which it went wrong.
 */
#ifndef NF_BASE_JSON_READ_H
#define NF_BASE_JSON_READ_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

enum nf_json_kind {
    NF_JSON_NULL,
    NF_JSON_BOOL,
    NF_JSON_NUMBER,
    NF_JSON_STRING,
    NF_JSON_ARRAY,
    NF_JSON_OBJECT
};

struct nf_json_value {
    enum nf_json_kind kind;
    const char *key; /* in an object */
    double number;   /* NUMBER; BOOL: 0 or 1 */
    const char *text;
    const struct nf_json_value *first, *next; /* members; the next member of the parent */
};

const struct nf_json_value *nf_json_parse(const char *text, size_t length,
                                          struct nf_arena *arena, char *why, size_t cap);

/* A member of an object; NULL when v is NULL, no object or has no such key. */
const struct nf_json_value *nf_json_get(const struct nf_json_value *v, const char *key);

#endif
