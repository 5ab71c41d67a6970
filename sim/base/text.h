/*
 * text.h - strings: a growing buffer, the nearest word for a misspelt one, strict numbers.
 *
 * Owner:  struct nf_text owns heap memory until nf_text_fini.
 * Errors: never fails except where a bool says so.
 */
#ifndef NF_BASE_TEXT_H
#define NF_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct nf_text {
    char *data; /* always NUL-terminated once something was added; NULL before */
    size_t length, cap;
};

void nf_text_fini(struct nf_text *t);
void nf_text_add(struct nf_text *t, const char *s);
void nf_text_add_n(struct nf_text *t, const char *s, size_t n);
void nf_text_printf(struct nf_text *t, const char *format, ...) NF_PRINTF(2, 3);

/* Length in bytes of the UTF-8 character at s (1..4, at most n) and its code point; 0 when the bytes are not UTF-8. */
size_t nf_text_utf8(const char *s, size_t n, uint32_t *code);

/* True for characters that a terminal should not be sent: controls (C0, DEL, C1) and those that turn the direction of
 * the text (U+200E.., U+202A.., U+2066..). */
bool nf_text_is_control(uint32_t code);

/* Add n bytes that came from a user so that they can be shown: \n, \t, \r, \xNN and \u{N} stand for control characters
 * and for bytes that are not UTF-8. */
void nf_text_add_escaped(struct nf_text *t, const char *s, size_t n);

/* The candidate nearest to `word` (Damerau-Levenshtein distance, case ignored; between equals the one whose case fits
 * better, then the first), or NULL when none is within a third of its length (at least 2 edits are allowed) or when none
 * shares a letter with it. `candidates` ends with NULL. */
const char *nf_text_nearest(const char *word, const char *const *candidates);

/* Strict numbers: the whole string must be a plain decimal number (optional sign, digits, fraction, exponent); no
 * leading zeros like 010, no hex, no inf or nan, no surrounding space. False leaves *out alone. */
bool nf_text_double(
    const char *s,
    double *out); /* false also for overflow, and for digits too small for a double */
bool nf_text_int64(const char *s, int64_t *out);
bool nf_text_uint64(const char *s, uint64_t *out);

/* Bytes of the strict number that s starts with; 0 when there is none ("10ms" has 2, "010" and "0x10" have none). */
size_t nf_text_number_span(const char *s);

/* The first n bytes of s, a strict number as nf_text_number_span delimits it, times 10^shift, rounded once. False for
 * overflow, for a nonzero number that underflows to 0, and for numbers of more than 400 characters. */
bool nf_text_number_shifted(const char *s, size_t n, int shift, double *out);

/* Shortest decimal text that reads back as exactly x ("0.1", "1e-09"); buf has at least 32 bytes. Returns buf. */
char *nf_text_of_double(double x, char *buf);

/* A whole number for people ("1,019,950"); buf has at least 32 bytes. Returns buf. */
char *nf_text_of_count(uint64_t n, char *buf);

bool nf_text_starts_with(const char *s, const char *prefix);

#endif
