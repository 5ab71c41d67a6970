/*
 * schema.h - one table says what a file may contain; loader, help text, editor schema and effective file all read it.
 *
 * What:   a struct nf_table lists the fields of one kind of map: key, kind, dimension, place in a C struct, default, range, help.
 * Why:    what is accepted, what is documented and what is printed back cannot drift apart.
 * Owner:  tables are constant data. Loaded objects, texts and lists live in the arena of struct nf_load.
 * Units:  numbers are SI after loading (base/units.h).
 * Errors: nf_schema_load adds one entry for each mistake and goes on; a wrong field keeps its default. Every object around
 *         it is marked is_broken: it cannot be used. A later check must not be hidden by that, only by mistakes in the
 *         keys that it looks at: it asks nf_object_is_wrong for those and checks on.
 *
 * How to declare a table (the catalogue and the calibration files do the same):
 *
 *     struct fan { struct nf_object at; double power; struct nf_list blades; };          the head `at` comes first
 *
 *     static const struct nf_field fan_fields[] = {
 *         {.key = "power", .kind = NF_FIELD_NUMBER, .dimension = NF_DIM_POWER, .offset = offsetof(struct fan, power),
 *          .low = 0, .high = 1e6, .flags = NF_REQUIRED, .help = "What the fan draws.", .example = "70W"},
 *         {.key = "blades", .kind = NF_FIELD_LIST, .table = &blade_table, .offset = offsetof(struct fan, blades),
 *          .fallback = "[]", .help = "Its blades."},
 *     };
 *     const struct nf_table fan_table = NF_TABLE("fan", "A fan.", struct fan, fan_fields);
 *
 * Defaults (`fallback`) are YAML text and go through the same loader, so they are printed as a user would write them. A field
 * with neither fallback nor NF_REQUIRED may be absent: a number is then NAN, an int NF_INT_ABSENT, a text NULL, a word -1, a
 * map has at.node NULL (its fields hold their own defaults), a list is empty.
 */
#ifndef NF_SCENARIO_SCHEMA_H
#define NF_SCENARIO_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/text.h"
#include "base/units.h"
#include "scenario/yaml.h"

enum nf_field_kind {
    NF_FIELD_TEXT,   /* const char * */
    NF_FIELD_NAME,   /* const char *: letters, digits and - _ . / + only */
    NF_FIELD_BOOL,   /* bool */
    NF_FIELD_INT,    /* int64_t */
    NF_FIELD_NUMBER, /* double of `dimension` */
    NF_FIELD_WORD,   /* int: index into `words` */
    NF_FIELD_MAP,    /* an object of `table`, embedded */
    NF_FIELD_LIST,   /* struct nf_list of objects of `table` */
    NF_FIELD_NAMED   /* struct nf_list, from a map from names to objects of `table` */
};

enum {
    NF_REQUIRED = 1,
    NF_ABOVE_LOW = 2, /* the lower end of the range is excluded */
    NF_OF_PARENT =
        4, /* the dimension is the enclosing MAP field's (parameters of a distribution) */
    NF_NOT_EMPTY = 8,  /* LIST, NAMED: at least one entry */
    NF_FOR_PEOPLE = 16 /* TEXT: description, source: not part of what is simulated */
};

#define NF_INT_ABSENT INT64_MIN

struct nf_table;

struct nf_field {
    const char *key;
    enum nf_field_kind kind;
    enum nf_dimension dimension;
    size_t offset;
    double low, high; /* both 0: any finite number */
    unsigned flags;
    /* in a union: bit i set when the field belongs to case i; 0: to all */
    uint32_t cases;
    const char *infinite;     /* a word that stands for "no limit": INFINITY, INT64_MAX */
    const char *const *words; /* ends with NULL */
    const struct nf_table *table;
    const char *fallback;
    const char *help;
    const char *example;
};

enum nf_shape {
    NF_SHAPE_MAP,
    NF_SHAPE_TUPLE, /* a list with exactly one value a field: [time, rate] */
    NF_SHAPE_SCALAR /* the one field's value stands for the object */
};

struct nf_table {
    const char *name; /* for messages and the JSON schema's definitions: unique */
    const char *help;
    enum nf_shape shape;
    size_t size;
    const struct nf_field *fields;
    size_t field_count;
    const char *tag; /* union: the WORD field whose value is the case; NULL: no union */
    /* a plain scalar stands for {tag: shorthand_case, shorthand: scalar}; NULL: not allowed */
    const char *shorthand;
    const char *shorthand_case;
    bool is_inline; /* printed as {...} on one line */
};

#define NF_TABLE(table_name, table_help, type, table_fields)                             \
    {                                                                                    \
        .name = (table_name), .help = (table_help), .size = sizeof(type),                \
        .fields = (table_fields),                                                        \
        .field_count = sizeof(table_fields) / sizeof((table_fields)[0])                  \
    }

struct nf_wrong {
    const char *key;
    bool is_unread; /* LIST, NAMED: no entry could be read */
    struct nf_wrong *next;
};

/* First member of every loaded struct. */
struct nf_object {
    const struct nf_yaml_node *node; /* NULL: not in the file */
    /* of the key that names it, of the value in a list, or of what encloses it */
    struct nf_place place;
    const char *path; /* "edge.shop-gpu.queue" */
    const char *name; /* its key in a NAMED map, else "" */
    bool is_broken;   /* a mistake in it, or in something in it, was told */
    bool is_unread;   /* of another kind than expected (told): no key could be read */
    struct nf_wrong *wrong; /* keys that a mistake was told about */
};

struct nf_list {
    void *items;
    size_t count;
};

struct nf_load {
    struct nf_arena *arena;
    struct nf_diags *diags;
};

/* Load `node` (NULL: everything is default or missing) into *out, a struct of the table's size. `path` is "" for a whole file.
 * Returns the status of the first mistake found here, NF_OK when there was none. */
NF_MUST_CHECK enum nf_status nf_schema_load(struct nf_load *load,
                                            const struct nf_table *table,
                                            const struct nf_yaml_node *node,
                                            const char *path, void *out);

/* Where a key of a loaded object stands: the value's place, or the object's when the key was left to its default. */
struct nf_place nf_object_place(const struct nf_object *o, const char *key);
bool nf_object_has(const struct nf_object *o, const char *key);

/* Was a mistake told about this key, or may it stand where another was told (in a list that is no map, behind a merge key)?
 * Its value is then the default, and says nothing. A key that was told as missing is wrong, too. */
bool nf_object_is_wrong(const struct nf_object *o, const char *key);

/* The same for several keys: NF_IS_WRONG(&d->at, "min", "max"). */
bool nf_object_any_wrong(const struct nf_object *o, const char *const *keys);
#define NF_IS_WRONG(o, ...)                                                              \
    nf_object_any_wrong((o), (const char *const[]){__VA_ARGS__, NULL})

/* Note that a mistake about `key` of `o` was told; nf_object_error does so itself. */
struct nf_wrong *nf_object_mark_wrong(struct nf_load *load, struct nf_object *o,
                                      const char *key);

/* Are all entries of the list or map under this key known (each may have mistakes inside)? If not, a name that seems to
 * be missing may be one that could not be read. */
bool nf_object_is_whole(const struct nf_object *o, const char *key);

/* Tell a mistake about `key` of `o` ("" for the object itself) and mark both. Returns code. */
enum nf_status nf_object_error(struct nf_load *load, struct nf_object *o, const char *key,
                               enum nf_status code, const char *hint, const char *format,
                               ...) NF_PRINTF(6, 7);

/* The field of that key, NULL when there is none. For a union, `which` is the case (-1: any). */
const struct nf_field *nf_table_field(const struct nf_table *table, const char *key,
                                      int which);

/* The case of a loaded union object; -1 for other tables. */
int nf_table_case(const struct nf_table *table, const void *object);

/* ---- what is printed from the tables ---- */

/* The loaded object as YAML that loads to the same object, every default written out. */
void nf_schema_write_yaml(const struct nf_table *table, const void *object,
                          struct nf_text *out);

/* Help for people about `path` ("" for the whole file; names in maps may be left out: "cloud.autoscaler"). False when
 * no such key exists; *hint is then the nearest one or NULL. */
NF_MUST_CHECK bool nf_schema_write_help(const struct nf_table *root, const char *path,
                                        struct nf_text *out, const char **hint);

/* A draft-07 JSON schema for editors. */
void nf_schema_write_json(const struct nf_table *root, struct nf_text *out);

#endif
