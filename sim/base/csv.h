/*
 * csv.h - a table of text: comma-separated cells under a header line, read whole.
 *
 * What:   RFC 4180: quoted cells with doubled quotes, commas and line ends inside them, CRLF or LF, an optional byte order mark. Columns are
 *         found by name, so that their order and further columns do not matter. Empty lines are skipped.
 * Why:    measured files come from many tools; a mistake is told with the line and the column's name.
 * Cost:   about 40 MB/s; the file and 8 bytes a cell are held in memory.
 * Owner:  everything lives in the arena.
 * Errors: NF_E_IO (not there), NF_E_LIMIT (over 512 MB, 256 columns or 2^31 lines), NF_E_SYNTAX (no header, a column named twice or not named, a
 *         row with another number of cells, text after a closing quote, a quote that does not close).
 */
#ifndef NF_BASE_CSV_H
#define NF_BASE_CSV_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/diag.h"

struct nf_csv {
    const char *file;
    char sha256[65];
    size_t columns, rows;
    const char **names; /* columns, ended by NULL */
    const char **cells; /* row by row, without the header; ended by NUL */
    int *lines;         /* of each row's first cell, from 1 */
};

/* Read `path`, which must outlive the table. `from` is the place that named it (or all zero). */
NF_MUST_CHECK enum nf_status nf_csv_read(const char *path, struct nf_place from,
                                         struct nf_arena *arena, struct nf_diags *diags,
                                         struct nf_csv *out);

/* A table that stands inside a file: `length` bytes at `text`, the first of them in line `line`. out->file and out->sha256 are the
 * caller's. */
NF_MUST_CHECK enum nf_status nf_csv_parse(const char *text, size_t length, int line,
                                          struct nf_arena *arena, struct nf_diags *diags,
                                          struct nf_csv *out);

/* Rows that stand twice, cell by cell: an entry (NF_E_KEY) each, at most 20. False when there are any. */
bool nf_csv_check_repeats(const struct nf_csv *t, struct nf_arena *arena,
                          struct nf_diags *diags);

/* Index of a column, -1 when there is none of this name. */
int nf_csv_column(const struct nf_csv *t, const char *name);

const char *nf_csv_cell(const struct nf_csv *t, size_t row, int column);

struct nf_csv_range {
    double low, high;
};

/* A strict number in [low, high]. False, with an entry (NF_E_TYPE, NF_E_RANGE) that names row and column, otherwise. */
bool nf_csv_number(const struct nf_csv *t, size_t row, int column,
                   struct nf_csv_range range, struct nf_diags *diags, double *out);

/* Add an error about one cell; returns its code. */
enum nf_status nf_csv_error(const struct nf_csv *t, size_t row, int column,
                            enum nf_status code, struct nf_diags *diags,
                            const char *format, ...) NF_PRINTF(6, 7);

#endif
