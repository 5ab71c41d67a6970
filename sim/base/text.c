/* text.c - the growing buffer and its escapes; nearest word. Numbers are in number.c. */
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"

void nf_text_fini(struct nf_text *t)
{
    nf_mem_free(t->data);
    t->data = NULL;
    t->length = t->cap = 0;
}

/* Room for n more bytes and the NUL. */
static void reserve(struct nf_text *t, size_t n)
{
    NF_ASSERT(n < SIZE_MAX / 4 && t->length < SIZE_MAX / 4);
    size_t need = t->length + n + 1;
    if (need <= t->cap) {
        return;
    }
    size_t cap = t->cap < 64 ? 64 : t->cap;
    while (cap < need) {
        cap *= 2;
    }
    t->data = nf_mem_resize(t->data, cap, 1);
    t->cap = cap;
}

void nf_text_add_n(struct nf_text *t, const char *s, size_t n)
{
    reserve(t, n);
    if (n > 0) {
        memcpy(t->data + t->length, s, n);
    }
    t->length += n;
    t->data[t->length] = '\0';
}

void nf_text_add(struct nf_text *t, const char *s)
{
    nf_text_add_n(t, s, strlen(s));
}

void nf_text_printf(struct nf_text *t, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    NF_ASSERT(n >= 0);
    reserve(t, (size_t)n);
    vsnprintf(t->data + t->length, (size_t)n + 1, format, again);
    va_end(again);
    t->length += (size_t)n;
}

size_t nf_text_utf8(const char *s, size_t n, uint32_t *code)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *u = (const unsigned char *)s;
    if (n == 0) {
        return 0;
    }
    if (u[0] < 0x80) {
        *code = u[0];
        return 1;
    }
    size_t length = u[0] >= 0xF0 ? 4 : u[0] >= 0xE0 ? 3 : 2;
    if (u[0] < 0xC2 || u[0] > 0xF4 || n < length) {
        return 0;
    }
    uint32_t c = u[0] & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((u[i] & 0xC0u) != 0x80) {
            return 0;
        }
        c = c << 6 | (u[i] & 0x3Fu);
    }
    if (c < smallest[length] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) {
        return 0;
    }
    *code = c;
    return length;
}

bool nf_text_is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x200E || c == 0x200F ||
           c == 0x2028 || c == 0x2029 || (c >= 0x202A && c <= 0x202E) ||
           (c >= 0x2066 && c <= 0x2069) || c == 0xFEFF;
}

static void add_control(struct nf_text *t, uint32_t c)
{
    switch (c) {
    case '\n':
        nf_text_add(t, "\\n");
        break;
    case '\r':
        nf_text_add(t, "\\r");
        break;
    case '\t':
        nf_text_add(t, "\\t");
        break;
    default:
        nf_text_printf(t, c < 0x80 ? "\\x%02X" : "\\u{%04X}", (unsigned)c);
    }
}

void nf_text_add_escaped(struct nf_text *t, const char *s, size_t n)
{
    for (size_t i = 0; i < n;) {
        uint32_t code = 0;
        size_t length = nf_text_utf8(s + i, n - i, &code);
        if (length == 0) {
            nf_text_printf(t, "\\x%02X", (unsigned)(unsigned char)s[i]);
            length = 1;
        } else if (nf_text_is_control(code)) {
            add_control(t, code);
        } else {
            nf_text_add_n(t, s + i, length);
        }
        i += length;
    }
    nf_text_add_n(t, "", 0);
}

/* ASCII only, so that no locale can change what is suggested. */
static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

enum { LONGEST_WORD = 63 };

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Optimal string alignment distance (Damerau-Levenshtein without edits of a transposed pair), case ignored. */
static unsigned distance(const char *a, size_t na, const char *b, size_t nb)
{
    unsigned rows[3][LONGEST_WORD + 1];
    for (size_t j = 0; j <= nb; j++) {
        rows[0][j] = (unsigned)j;
    }
    for (size_t i = 1; i <= na; i++) {
        const unsigned *above = rows[(i - 1) % 3], *above2 = rows[(i + 1) % 3];
        unsigned *row = rows[i % 3];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= nb; j++) {
            char x = lower(a[i - 1]), y = lower(b[j - 1]);
            unsigned best =
                least(least(above[j], row[j - 1]) + 1, above[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == lower(b[j - 2]) && lower(a[i - 2]) == y) {
                best = least(best, above2[j - 2] + 1);
            }
            row[j] = best;
        }
    }
    return rows[na % 3][nb];
}

/* Bytes of `a` that stand in `b` at the same place with the same case. */
static unsigned same_case(const char *a, const char *b)
{
    unsigned same = 0;
    for (; *a != '\0' && *b != '\0'; a++, b++) {
        same += *a == *b;
    }
    return same;
}

const char *nf_text_nearest(const char *word, const char *const *candidates)
{
    size_t n = strlen(word);
    if (n > LONGEST_WORD) {
        return NULL;
    }
    unsigned limit = n / 3 > 2 ? (unsigned)(n / 3) : 2;
    const char *best = NULL;
    unsigned best_distance = 0, best_case = 0;
    for (; *candidates != NULL; candidates++) {
        size_t m = strlen(*candidates);
        if (m > LONGEST_WORD) {
            continue;
        }
        unsigned d = distance(word, n, *candidates, m), c = same_case(word, *candidates);
        if (d > limit || d >= (n > m ? n : m)) {
            continue;
        }
        if (best == NULL || d < best_distance || (d == best_distance && c > best_case)) {
            best = *candidates;
            best_distance = d;
            best_case = c;
        }
    }
    return best;
}

bool nf_text_starts_with(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}
