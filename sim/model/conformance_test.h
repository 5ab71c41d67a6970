/*
 * conformance_test.h - reads the tables in sim/model/conformance: a word and tab-separated key=value fields a line.
 *
 * Why:    other projects' test vectors run from data, and every one is counted: nf_vectors_open aborts on a table that was cut off.
 * Owner:  the caller's struct; texts live in its arena until nf_vectors_close.
 */
#ifndef NF_MODEL_CONFORMANCE_TEST_H
#define NF_MODEL_CONFORMANCE_TEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "engine/time.h"

enum { NF_VECTOR_FIELDS = 32 };

struct nf_vectors {
    struct nf_arena arena;
    char *next;
    int line;
    const char *word; /* of the current record; "end" on the last */
    int field_count;
    const char *keys[NF_VECTOR_FIELDS];
    const char *values[NF_VECTOR_FIELDS];
};

/* Open conformance/NAME.tsv at its first record. */
void nf_vectors_open(struct nf_vectors *v, const char *name);
/* At the end the table's own count must equal the cases that the test ran. */
void nf_vectors_close(struct nf_vectors *v, int cases_run);
/* Move to the next record. */
void nf_vectors_next(struct nf_vectors *v);
/* The current record is called so. */
bool nf_vectors_at(const struct nf_vectors *v, const char *word);

bool nf_vectors_has(const struct nf_vectors *v, const char *key);
/* A field that must be there. */
const char *nf_vectors_text(const struct nf_vectors *v, const char *key);
bool nf_vectors_is(const struct nf_vectors *v, const char *key, const char *value);
double nf_vectors_number(const struct nf_vectors *v, const char *key);
int64_t nf_vectors_integer(const struct nf_vectors *v, const char *key);
/* Seconds, negative ones too. */
nf_time nf_vectors_time(const struct nf_vectors *v, const char *key);

#endif
