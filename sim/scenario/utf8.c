#include "scenario/utf8.h"

#include <stdint.h>
#include <string.h>

size_t nf_utf8_width(unsigned char first)
{
    return first < 0xC0 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
}

/* Decode one character of s[0..n), n > 0. Returns its width, 0 when the bytes are not UTF-8 (RFC 3629: shortest form, no
 * surrogates, at most U+10FFFF). */
static size_t decode(const unsigned char *s, size_t n, uint32_t *value)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (s[0] < 0x80) {
        *value = s[0];
        return 1;
    }
    size_t width = nf_utf8_width(s[0]);
    if (s[0] < 0xC2 || s[0] > 0xF4 || width > n) {
        return 0;
    }
    uint32_t v = s[0] & (0xFFu >> (width + 1));
    for (size_t i = 1; i < width; i++) {
        if ((s[i] & 0xC0) != 0x80) {
            return 0;
        }
        v = v << 6 | (s[i] & 0x3Fu);
    }
    if (v < smallest[width] || v > 0x10FFFF || (v >= 0xD800 && v <= 0xDFFF)) {
        return 0;
    }
    *value = v;
    return width;
}

/* YAML 1.2 section 5.1, "c-printable", without the byte order mark (allowed only at the start, where the caller skips it). */
static bool is_printable(uint32_t v)
{
    return v == '\t' || v == '\n' || v == '\r' || (v >= 0x20 && v <= 0x7E) || v == 0x85 ||
           (v >= 0xA0 && v <= 0xD7FF) || (v >= 0xE000 && v <= 0xFFFD && v != 0xFEFF) ||
           v >= 0x10000;
}

/* What a file that is no text is, by its first bytes, and what to do; NULL: unknown. */
static const char *signature_hint(const unsigned char *s, size_t n)
{
    if (n >= 2 && ((s[0] == 0xFF && s[1] == 0xFE) || (s[0] == 0xFE && s[1] == 0xFF))) {
        return "it is UTF-16; save it as UTF-8";
    }
    if (n >= 4 && memcmp(s, "\x89HDF", 4) == 0) {
        return "it is an HDF5 file, as results are; the scenario is inside, at /scenario";
    }
    return NULL;
}

bool nf_utf8_check(const char *file, const char *text, size_t length,
                   struct nf_diags *diags, bool *is_ascii)
{
    const unsigned char *s = (const unsigned char *)text;
    struct nf_place at = {file, 1, 1};
    const unsigned char *nul = length > 0 ? memchr(s, 0, length) : NULL;
    size_t line_start = 0;
    int told_line = 0;
    *is_ascii = true;
    for (size_t i = 0; i < length;) {
        uint32_t v = 0;
        if (s[i] >= 0x20 && s[i] < 0x7F) { /* most of any file */
            i++;
            continue;
        }
        size_t width = decode(s + i, length - i, &v);
        at.col = (int)(i - line_start) + 1;
        if (nul != NULL && s + i == nul) {
            (void)nf_diag_add(diags, NF_E_SYNTAX, at, NULL, signature_hint(s, length),
                              "a NUL byte: this is a binary file, not YAML text");
            return false;
        }
        if (nul == NULL && told_line != at.line && (width == 0 || !is_printable(v))) {
            told_line = at.line;
            if (width == 0) {
                (void)nf_diag_add(diags, NF_E_SYNTAX, at, NULL, "save the file as UTF-8",
                                  "byte 0x%02X is not UTF-8 text", s[i]);
            } else {
                (void)nf_diag_add(diags, NF_E_SYNTAX, at, NULL, "remove it",
                                  "control character U+%04X", (unsigned)v);
            }
        }
        *is_ascii = *is_ascii && s[i] < 0x80;
        i += width > 0 ? width : 1;
        if (v == '\n' && width == 1) {
            at.line++;
            line_start = i;
        }
    }
    return told_line == 0;
}

size_t nf_utf8_line(const char *s, size_t n)
{
    size_t i = 0;
    while (i < n && s[i] != '\n' && s[i] != '\r') {
        i++;
    }
    if (i + 1 < n && s[i] == '\r' && s[i + 1] == '\n') {
        i++;
    }
    return i < n ? i + 1 : n;
}

size_t nf_utf8_cut(const char *s, size_t n)
{
    size_t length = strlen(s);
    if (length <= n) {
        return length;
    }
    while (n > 0 && ((unsigned char)s[n] & 0xC0) == 0x80) {
        n--;
    }
    return n;
}
