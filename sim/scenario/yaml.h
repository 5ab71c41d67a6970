/*
 * yaml.h - YAML text to a tree whose every node knows its line and column.
 *
 * What:   a composer over libyaml's events: maps, lists and scalars in an arena. Scalars stay text; the schema (schema.h)
 *         decides what they mean.
 * Why:    libyaml's own documents forget the places of keys, accept a key given twice, and take quadratic time in depth.
 * Cost:   about 1 us a node. Hostile input is bounded: file size, depth, number of nodes after alias expansion, anchors.
 * Owner:  nodes and texts live in the arena given; `file` is not copied and must outlive the tree.
 * Units:  lines and columns count from 1; a column counts bytes.
 * Errors: NF_E_SYNTAX, NF_E_KEY (key given twice), NF_E_LIMIT, NF_E_UNSUPPORTED (tags, merge keys), NF_E_REFERENCE (alias).
 *         Composing goes on after every mistake that leaves the tree whole, so that one run tells them all; what is not
 *         as the file has it is marked, so that nothing is told twice.
 */
#ifndef NF_SCENARIO_YAML_H
#define NF_SCENARIO_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/diag.h"

enum {
    NF_YAML_DEPTH_MAX = 64,
    NF_YAML_NODES_MAX = 200000, /* an alias counts as many nodes as what it stands for */
    NF_YAML_ANCHORS_MAX = 256,
    NF_YAML_BYTES_MAX = 1024 * 1024
};

enum nf_yaml_kind { NF_YAML_SCALAR, NF_YAML_LIST, NF_YAML_MAP };

struct nf_yaml_node;

struct nf_yaml_item {
    const char *key;       /* NULL in a list */
    struct nf_place place; /* of the key; in a list, of the value */
    struct nf_yaml_node *value;
};

struct nf_yaml_node {
    enum nf_yaml_kind kind;
    bool is_plain;         /* a scalar without quotes: only such a one can be null */
    struct nf_place place; /* of an alias: where the alias stands */
    const char *text;      /* SCALAR; never NULL there */
    size_t count;
    struct nf_yaml_item *items; /* LIST, MAP: keys are unique, in the order of the file */
    size_t weight;              /* nodes in here, aliases expanded */
    int height;                 /* levels in here, 1 for a scalar */
    bool is_told; /* it stands for something that could not be composed, which was told */
    bool is_shorthand; /* MAP: made for a scalar that stands for it (schema.h) */
    bool is_partial;   /* entries are missing here: a wrong key, or the same key again */
    /* MAP: keys given again and not joined, in the order of the keys */
    struct nf_yaml_item *repeated;
    size_t repeated_count;
};

/* A file as it was read. */
struct nf_yaml_file {
    const char *path;
    const char *text;
    size_t length;
    char sha256[65];
    struct nf_yaml_node *root;
};

/* Compose one document from text[0..length). *root is NULL when there is no whole tree; it may be set although the status is
 * an error (keys given twice), so that the caller can look for more mistakes. `file` may be NULL (command line). */
NF_MUST_CHECK enum nf_status nf_yaml_parse(const char *file, const char *text,
                                           size_t length, struct nf_arena *arena,
                                           struct nf_diags *diags,
                                           struct nf_yaml_node **root);

/* Read and compose a file of at most NF_YAML_BYTES_MAX bytes. `from` is the place that named it, or all zero. out->text stays
 * NULL when the file cannot be read; out->root as in nf_yaml_parse. */
NF_MUST_CHECK enum nf_status nf_yaml_read(const char *path, struct nf_place from,
                                          struct nf_arena *arena, struct nf_diags *diags,
                                          struct nf_yaml_file *out);

/* The item of that key; NULL when node is NULL, not a map, or has no such key. */
struct nf_yaml_item *nf_yaml_item(const struct nf_yaml_node *node, const char *key);

/* The value of that key, or NULL. */
struct nf_yaml_node *nf_yaml_get(const struct nf_yaml_node *node, const char *key);

/* Nothing written, "~" or "null". */
bool nf_yaml_is_null(const struct nf_yaml_node *node);

/* "a map", "a list", "nothing", or "the text ..." shortened, for messages. */
const char *nf_yaml_describe(const struct nf_yaml_node *node, struct nf_arena *arena);

/* Build trees by hand (overrides): a map without keys, and an item set or added in a map. */
struct nf_yaml_node *nf_yaml_new_map(struct nf_place place, struct nf_arena *arena);
void nf_yaml_put(struct nf_yaml_node *map, const char *key, struct nf_yaml_node *value,
                 struct nf_arena *arena);

#endif
