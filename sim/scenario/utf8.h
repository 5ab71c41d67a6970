/*
 * utf8.h - is this text? Finds what YAML may not contain (NUL, control characters, broken UTF-8) and tells where.
 *
 * Why:    libyaml tells such a byte by its offset only; people need line and column.
 * Errors: NF_E_SYNTAX; at most one entry a line, and a single one for a file with NUL bytes (it is binary).
 */
#ifndef NF_SCENARIO_UTF8_H
#define NF_SCENARIO_UTF8_H

#include <stdbool.h>
#include <stddef.h>

#include "base/diag.h"

/* True when text[0..length) may go to libyaml. *is_ascii: every byte is below 128. */
bool nf_utf8_check(const char *file, const char *text, size_t length,
                   struct nf_diags *diags, bool *is_ascii);

/* Bytes of the character that starts with `first` (valid text assumed). */
size_t nf_utf8_width(unsigned char first);

/* Bytes up to and including the first line end in s[0..n), n when there is none. */
size_t nf_utf8_line(const char *s, size_t n);

/* The longest prefix of s of at most n bytes that does not cut a character. */
size_t nf_utf8_cut(const char *s, size_t n);

#endif
