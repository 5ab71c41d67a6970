#include "cli/columns.h"

#include <stdarg.h>
#include <string.h>

void nf_columns_init(struct nf_columns *t, const char *align, struct nf_arena *arena)
{
    *t = (struct nf_columns){.arena = arena, .align = align, .columns = strlen(align)};
    NF_ASSERT(t->columns > 0 && t->columns <= NF_COLUMNS_MAX);
}

void nf_columns_cell(struct nf_columns *t, const char *format, ...)
{
    if (t->count == t->cap) {
        size_t cap = t->cap ? 2 * t->cap : 64;
        const char **cells = NF_NEW_ARRAY(t->arena, cap, const char *);
        if (t->count > 0) {
            memcpy(cells, t->cells, t->count * sizeof *cells);
        }
        t->cells = cells;
        t->cap = cap;
    }
    va_list args;
    va_start(args, format);
    t->cells[t->count++] = nf_arena_vprintf(t->arena, format, args);
    va_end(args);
}

static size_t width_of(const char *s)
{
    size_t width = 0;
    for (; *s; s++) {
        width += ((unsigned char)*s & 0xc0u) != 0x80u; /* not a continuation byte */
    }
    return width;
}

static void pad(struct nf_text *out, size_t spaces)
{
    nf_text_printf(out, "%*s", (int)spaces, "");
}

/* Width 0: the column is left out. */
static void measure(const struct nf_columns *t, size_t width[NF_COLUMNS_MAX])
{
    for (size_t c = 0; c < t->columns; c++) {
        bool is_used = false;
        width[c] = 0;
        for (size_t i = c; i < t->count; i += t->columns) {
            size_t w = width_of(t->cells[i]);
            width[c] = w > width[c] ? w : width[c];
            is_used = is_used || (i >= t->columns && w > 0);
        }
        width[c] = is_used ? width[c] : 0;
    }
}

void nf_columns_print(const struct nf_columns *t, int indent, struct nf_text *out)
{
    NF_ASSERT(t->count % t->columns == 0);
    size_t width[NF_COLUMNS_MAX];
    measure(t, width);
    for (size_t row = 0; row < t->count; row += t->columns) {
        pad(out, (size_t)indent);
        size_t owed =
            0; /* spaces that only a further cell needs: no line ends in blanks */
        for (size_t c = 0; c < t->columns; c++) {
            if (width[c] == 0) {
                continue;
            }
            const char *cell = t->cells[row + c];
            size_t rest = width[c] - width_of(cell);
            bool is_right = t->align[c] == 'r';
            if (*cell) {
                pad(out, owed + (is_right ? rest : 0));
                nf_text_add(out, cell);
                owed = (is_right ? 0 : rest) + 2;
            } else {
                owed += width[c] + 2;
            }
        }
        nf_text_add(out, "\n");
    }
}
