/*
 * columns.h - columns of text for a terminal: as wide as their widest cell, aligned left or right.
 *
 * Owner:  cells live in the arena given to nf_columns_init. Widths count UTF-8 characters, each taken as one column wide.
 * Errors: none; a row with too many cells is our bug.
 */
#ifndef NF_CLI_COLUMNS_H
#define NF_CLI_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/text.h"

enum { NF_COLUMNS_MAX = 16 };

struct nf_columns {
    struct nf_arena *arena;
    const char *align; /* one letter a column: 'l' or 'r' */
    size_t columns, count, cap;
    const char **cells; /* count of them, row by row */
};

void nf_columns_init(struct nf_columns *t, const char *align, struct nf_arena *arena);
/* The next cell of the current row. */
void nf_columns_cell(struct nf_columns *t, const char *format, ...) NF_PRINTF(2, 3);
/* Append the table, each line after `indent` spaces. A column whose cells below the first row are all "" is left out. */
void nf_columns_print(const struct nf_columns *t, int indent, struct nf_text *out);

#endif
