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

/* The candidate nearest to `word` (Damerau-Levenshtein distance, case ignored), or NULL when none is within a third of
 * its length (at least 2 edits are allowed). `candidates` ends with NULL. */
const char *nf_text_nearest(const char *word, const char *const *candidates);

/* Strict numbers: the whole string must be a plain decimal number (optional sign, digits, fraction, exponent); no
 * leading zeros like 010, no hex, no inf or nan, no surrounding space. False leaves *out alone. */
bool nf_text_double(const char *s, double *out);
bool nf_text_int64(const char *s, int64_t *out);
bool nf_text_uint64(const char *s, uint64_t *out);

/* Shortest decimal text that reads back as exactly x ("0.1", "1e-09"); buf has at least 32 bytes. Returns buf. */
char *nf_text_of_double(double x, char *buf);

bool nf_text_starts_with(const char *s, const char *prefix);

#endif
