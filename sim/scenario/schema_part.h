/*
 * schema_part.h - what the files of the loader share (schema_load.c: maps and lists; schema_scalar.c: single values).
 */
#ifndef NF_SCENARIO_SCHEMA_PART_H
#define NF_SCENARIO_SCHEMA_PART_H

#include "scenario/schema.h"

/* Where loading stands: what is filled, from where, and the dimension that parameters of a distribution take. */
struct nf__at {
    struct nf_load *load;
    const struct nf_yaml_node *node;
    struct nf_place place;
    const char *path;
    enum nf_dimension parent;
};

/* Tell a mistake at `at`; always false. */
bool nf__schema_fail(const struct nf__at *at, enum nf_status code, const char *hint,
                     const char *format, ...) NF_PRINTF(4, 5);

/* "key", or "path.key". */
const char *nf__schema_join(struct nf_arena *arena, const char *path, const char *key);

/* The dimension of a field's value here. */
enum nf_dimension nf__schema_dimension(const struct nf__at *at, const struct nf_field *f);

/* The words told as "a, b or c". */
const char *nf__schema_words(struct nf_arena *arena, const char *const *words);

/* A hint with the nearest word, or NULL. */
const char *nf__schema_near(struct nf_arena *arena, const char *word,
                            const char *const *candidates);

/* The keys of case `which` (-1: of all), ended by NULL; how many. `keys` has room for all and the NULL. */
size_t nf__schema_keys(const struct nf_table *table, int which, const char **keys);

/* Tell an unknown key; always false. */
bool nf__schema_unknown(const struct nf__at *at, const struct nf_table *table, int which,
                        const char *key);

/* The map at->node with keys that are near one of the table's, which is not given and whose shape fits the value, under
 * that right name; each is told. So the rest of the file is checked as it was meant, and nothing is called missing that is
 * there under a wrong name. `only`: look for this key alone, NULL: for all. Marks `o` broken. */
const struct nf_yaml_node *nf__schema_correct(const struct nf__at *at,
                                              const struct nf_table *table, int which,
                                              const char *only, struct nf_object *o);

/* Is this a name? Told when not. */
bool nf__schema_check_name(const struct nf__at *at, const char *name);

/* Load at->node into *out, a field of a scalar kind. */
bool nf__schema_load_scalar(const struct nf__at *at, const struct nf_field *f, void *out);

/* A limit of a field in full digits, with its unit: people may copy it. Returns buf (64 bytes are enough). */
char *nf__schema_limit(const struct nf_field *f, double limit, enum nf_dimension dim,
                       char *buf, size_t cap);

#endif
