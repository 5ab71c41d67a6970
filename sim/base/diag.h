/*
 * diag.h - what went wrong, where, and what would have been right: all mistakes of one input at once.
 *
 * What:   a list of at most NF_DIAGS_MAX entries; later ones are counted, not kept.
 * Why:    a user mends a file in one go when every mistake is told with file, line, column and a hint.
 * Owner:  the caller owns struct nf_diags; texts are copied into its arena.
 * Units:  line and column count from 1, column in bytes; 0 means "unknown".
 * Errors: never fails (memory: nf_out_of_memory).
 */
#ifndef NF_BASE_DIAG_H
#define NF_BASE_DIAG_H

#include <stdbool.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/status.h"

enum { NF_DIAGS_MAX = 20 };

struct nf_place {
    /* not copied: must outlive the list; NULL: the command line or the environment */
    const char *file;
    int line, col;
};

struct nf_diag {
    enum nf_status code;
    bool is_warning;
    struct nf_place place;
    /* dotted path inside the file ("edge.shop-gpu.queue.limit"), or "" */
    const char *path;
    const char *message; /* what was wrong and what was expected */
    const char *hint;    /* the nearest right word or the next step, or "" */
};

struct nf_diags {
    struct nf_arena *arena;
    struct nf_diag items[NF_DIAGS_MAX];
    int count;    /* entries kept */
    int errors;   /* errors seen, kept or not */
    int warnings; /* warnings seen, kept or not */
    bool is_cut;  /* a reader gave up early: there may be more errors than are counted */
};

void nf_diags_init(struct nf_diags *d, struct nf_arena *arena);

/* Add an error and return its code, so that a failing function ends with `return nf_diag_add(...)`.
 * `path` and `hint` may be NULL. Entries stay sorted by file, line and column when printed, not when added. */
enum nf_status nf_diag_add(struct nf_diags *d, enum nf_status code, struct nf_place place,
                           const char *path, const char *hint, const char *format, ...)
    NF_PRINTF(6, 7);

/* The same for a warning: printed, but not an error. */
void nf_diag_warn(struct nf_diags *d, struct nf_place place, const char *path,
                  const char *format, ...) NF_PRINTF(4, 5);

/* Reading stopped after many errors; the last line then says "at least N errors". */
void nf_diags_cut(struct nf_diags *d);

/* First error's status in order of addition, NF_OK when there is none. An environment error (exit 3) wins. */
enum nf_status nf_diags_status(const struct nf_diags *d);

/* Print all entries, sorted by place, each as
 *     file:line:col: error: path: message  [code]
 *        14 |     the source line (only when the file can be read again)
 *           |     ^
 *     hint: ...
 * and a last line that counts them. */
void nf_diags_print(const struct nf_diags *d, FILE *out);

#endif
