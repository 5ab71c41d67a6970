/*
 * spool.h - internal to sim/results: blocks of replications that wait for their turn, in one unlinked temporary file.
 *
 * What:   the file is a set of slots, each as large as the largest block. A block takes a slot; the slot is free again once the
 *         block was copied. So one file descriptor serves any number of replications, and the file is as large as the most
 *         blocks that ever waited.
 * Threads: nf__spool_put from any thread; the free list has a lock, the bytes do not need one (slots are disjoint).
 * Errors: errno; 0 is success.
 */
#ifndef NF_RESULTS_SPOOL_H
#define NF_RESULTS_SPOOL_H

#include <stdint.h>

#include "results/table.h"

struct nf_spool;

/* `path`: of the file, made and unlinked when the first block comes; it lives as long as the spool. Heap until nf__spool_free. */
struct nf_spool *nf__spool_new(const char *path, size_t slot_bytes);
void nf__spool_free(struct nf_spool *s);
/* Write the block into a slot. */
int nf__spool_put(struct nf_spool *s, const struct nf_block *b, uint32_t *slot);
/* Read `count` records of a slot back into a block of the same kind. */
int nf__spool_get(struct nf_spool *s, uint32_t slot, uint32_t count, struct nf_block *b);
void nf__spool_release(struct nf_spool *s, uint32_t slot);

#endif
