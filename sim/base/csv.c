#include "base/csv.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"

enum { BYTES_MAX = 512 * 1024 * 1024, COLUMNS_MAX = 256, WRONG_ROWS_MAX = 20 };

struct reader {
    struct nf_csv *t;
    struct nf_arena *arena;
    struct nf_diags *diags;
    char *at, *end; /* cells are unquoted and ended where they stand */
    int line;
    const char *row[COLUMNS_MAX];
    const char **cells; /* heap */
    int *lines;         /* heap */
    size_t cell_cap, row_cap;
    int wrong;
};

static bool fail(struct reader *r, enum nf_status code, int line, const char *format, ...)
    NF_PRINTF(4, 5);
static bool fail(struct reader *r, enum nf_status code, int line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *message = nf_arena_vprintf(r->arena, format, args);
    va_end(args);
    r->wrong++;
    (void)nf_diag_add(r->diags, code, (struct nf_place){r->t->file, line, 0}, "", NULL,
                      "%s", message);
    return false;
}

/* At the opening quote: the cell's text, with r->at behind the closing quote. */
static bool quoted(struct reader *r, char **text)
{
    int opened = r->line;
    char *to = ++r->at;
    *text = to;
    while (r->at < r->end) {
        if (*r->at == '"') {
            if (r->at + 1 == r->end || r->at[1] != '"') {
                break;
            }
            r->at++;
        }
        r->line += *r->at == '\n';
        *to++ = *r->at++;
    }
    if (r->at == r->end) {
        return fail(r, NF_E_SYNTAX, opened, "this quote is never closed");
    }
    r->at++;
    bool is_end = r->at == r->end || *r->at == ',' || *r->at == '\n' ||
                  (*r->at == '\r' && r->at + 1 < r->end && r->at[1] == '\n');
    if (!is_end) {
        return fail(r, NF_E_SYNTAX, r->line, "text follows a closing quote");
    }
    /* The place of the closing quote is free for the NUL, and what follows it is still to be read. */
    *to = '\0';
    return true;
}

/* Reads one cell. *is_last: the line ends after it. */
static bool next_cell(struct reader *r, const char **cell, bool *is_last)
{
    char *text = r->at;
    char *stop = NULL;
    if (r->at < r->end && *r->at == '"') {
        if (!quoted(r, &text)) {
            return false;
        }
    } else {
        while (r->at < r->end && *r->at != ',' && *r->at != '\n') {
            r->at++;
        }
        stop = r->at;
        if (stop > text && stop < r->end && *stop == '\n' && stop[-1] == '\r') {
            stop--;
        }
    }
    if (r->at < r->end && *r->at == '\r') {
        r->at++;
    }
    *is_last = r->at == r->end || *r->at == '\n';
    r->line += r->at < r->end && *r->at == '\n';
    if (r->at < r->end) {
        r->at++;
    }
    if (stop) {
        *stop = '\0';
    }
    *cell = text;
    return true;
}

/* The next line that is not empty into r->row: its number of cells; 0 at the end or after a mistake. */
static size_t next_row(struct reader *r, int *line)
{
    while (r->at < r->end && (*r->at == '\n' || *r->at == '\r')) {
        r->line += *r->at++ == '\n';
    }
    *line = r->line;
    size_t n = 0;
    bool is_last = r->at == r->end;
    while (!is_last) {
        if (n == COLUMNS_MAX) {
            (void)fail(r, NF_E_LIMIT, *line, "more than %d columns", COLUMNS_MAX);
            return 0;
        }
        if (!next_cell(r, &r->row[n++], &is_last)) {
            return 0;
        }
    }
    return n;
}

static bool read_header(struct reader *r)
{
    int line;
    size_t n = next_row(r, &line);
    if (n == 0) {
        return r->wrong > 0
                   ? false
                   : fail(r, NF_E_SYNTAX, 0, "the file is empty; expected a header line");
    }
    r->t->columns = n;
    r->t->names = NF_NEW_ARRAY(r->arena, n + 1, const char *);
    for (size_t i = 0; i < n; i++) {
        r->t->names[i] = r->row[i];
        if (r->row[i][0] == '\0') {
            return fail(r, NF_E_SYNTAX, line, "column %zu has no name", i + 1);
        }
        if (nf_csv_column(r->t, r->row[i]) != (int)i) {
            return fail(r, NF_E_SYNTAX, line, "two columns are called \"%s\"", r->row[i]);
        }
    }
    return true;
}

static void keep_row(struct reader *r, int line)
{
    struct nf_csv *t = r->t;
    if (t->rows == r->row_cap) {
        r->row_cap = r->row_cap ? 2 * r->row_cap : 256;
        r->lines = nf_mem_resize(r->lines, r->row_cap, sizeof *r->lines);
        r->cells = nf_mem_resize(r->cells, r->row_cap * t->columns, sizeof *r->cells);
    }
    memcpy(r->cells + t->rows * t->columns, r->row, t->columns * sizeof *r->cells);
    r->lines[t->rows++] = line;
}

static void read_rows(struct reader *r)
{
    int line;
    for (size_t n; (n = next_row(r, &line)) > 0;) {
        if (n != r->t->columns) {
            (void)fail(r, NF_E_SYNTAX, line, "%zu cells under %zu columns", n,
                       r->t->columns);
        } else {
            keep_row(r, line);
        }
        if (r->wrong >= WRONG_ROWS_MAX || r->line == INT_MAX) {
            return;
        }
    }
}

enum nf_status nf_csv_parse(const char *data, size_t length, int line,
                            struct nf_arena *arena, struct nf_diags *diags,
                            struct nf_csv *out)
{
    char *text = nf_arena_strndup(arena, data, length);
    struct reader r = {.t = out,
                       .arena = arena,
                       .diags = diags,
                       .at = text,
                       .end = text + length,
                       .line = line};
    if (memchr(data, '\0', length) != NULL) {
        (void)fail(&r, NF_E_SYNTAX, 0, "not a text file: it holds a zero byte");
    } else if (read_header(&r)) {
        read_rows(&r);
    }
    out->cells = NF_NEW_ARRAY(arena, out->rows * out->columns, const char *);
    out->lines = NF_NEW_ARRAY(arena, out->rows, int);
    if (out->rows > 0) {
        memcpy(out->cells, r.cells, out->rows * out->columns * sizeof *out->cells);
        memcpy(out->lines, r.lines, out->rows * sizeof *out->lines);
    }
    nf_mem_free(r.cells);
    nf_mem_free(r.lines);
    return r.wrong > 0 ? nf_diags_status(diags) : NF_OK;
}

enum nf_status nf_csv_read(const char *path, struct nf_place from, struct nf_arena *arena,
                           struct nf_diags *diags, struct nf_csv *out)
{
    struct nf_file_bytes file;
    *out = (struct nf_csv){.file = path};
    enum nf_status s = nf_file_read(path, BYTES_MAX, from, arena, diags, &file);
    if (s != NF_OK) {
        return s;
    }
    const char *data = file.data;
    size_t length = file.length;
    nf_sha256_of(data, length, out->sha256);
    size_t mark = length >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    return nf_csv_parse(data + mark, length - mark, 1, arena, diags, out);
}

struct row_hash {
    uint64_t hash;
    size_t row;
};

static int by_hash(const void *a, const void *b)
{
    const struct row_hash *x = a, *y = b;
    if (x->hash != y->hash) {
        return x->hash < y->hash ? -1 : 1;
    }
    return (x->row > y->row) - (x->row < y->row);
}

static bool is_same_row(const struct nf_csv *t, size_t a, size_t b)
{
    for (size_t c = 0; c < t->columns; c++) {
        if (strcmp(t->cells[a * t->columns + c], t->cells[b * t->columns + c]) != 0) {
            return false;
        }
    }
    return true;
}

bool nf_csv_check_repeats(const struct nf_csv *t, struct nf_arena *arena,
                          struct nf_diags *diags)
{
    struct row_hash *all = NF_NEW_ARRAY(arena, t->rows, struct row_hash);
    int wrong = 0;
    for (size_t i = 0; i < t->rows; i++) {
        all[i].row = i;
        for (size_t c = 0; c < t->columns; c++) {
            all[i].hash =
                nf_hash_mix(all[i].hash, nf_hash_name(t->cells[i * t->columns + c]));
        }
    }
    if (t->rows > 0) {
        qsort(all, t->rows, sizeof *all, by_hash);
    }
    for (size_t i = 1; i < t->rows && wrong < WRONG_ROWS_MAX; i++) {
        size_t before = all[i - 1].row, row = all[i].row;
        if (all[i].hash == all[i - 1].hash && is_same_row(t, before, row)) {
            wrong++;
            (void)nf_diag_add(diags, NF_E_KEY,
                              (struct nf_place){t->file, t->lines[row], 0}, "", NULL,
                              "row %zu: row %zu again", row + 1, before + 1);
        }
    }
    return wrong == 0;
}

int nf_csv_column(const struct nf_csv *t, const char *name)
{
    for (size_t i = 0; i < t->columns && t->names[i]; i++) {
        if (strcmp(t->names[i], name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

const char *nf_csv_cell(const struct nf_csv *t, size_t row, int column)
{
    NF_ASSERT(row < t->rows && column >= 0 && (size_t)column < t->columns);
    return t->cells[row * t->columns + (size_t)column];
}

enum nf_status nf_csv_error(const struct nf_csv *t, size_t row, int column,
                            enum nf_status code, struct nf_diags *diags,
                            const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *message = nf_arena_vprintf(diags->arena, format, args);
    va_end(args);
    return nf_diag_add(diags, code, (struct nf_place){t->file, t->lines[row], 0},
                       t->names[column], NULL, "%s", message);
}

bool nf_csv_number(const struct nf_csv *t, size_t row, int column,
                   struct nf_csv_range range, struct nf_diags *diags, double *out)
{
    const char *cell = nf_csv_cell(t, row, column);
    if (!nf_text_double(cell, out)) {
        (void)nf_csv_error(t, row, column, NF_E_TYPE, diags,
                           "row %zu: expected a number, found \"%.40s\"", row + 1, cell);
        return false;
    }
    if (!(*out >= range.low && *out <= range.high)) {
        (void)nf_csv_error(t, row, column, NF_E_RANGE, diags,
                           "row %zu: %s is outside %g to %g", row + 1, cell, range.low,
                           range.high);
        return false;
    }
    return true;
}
