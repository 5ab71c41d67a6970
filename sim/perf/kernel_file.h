/*
 * kernel_file.h - the measurement file of nearfar-kernels: rows as they stand in it.
 *
 * What:   a CSV file with a line before it that names the format and one after it that counts the rows and carries the FNV-1a hash of
 *         everything before. kernels/README.md describes its columns.
 * Why:    kernels/ and sim/ share no code; the file is all that passes between them, so that everything that can be wrong with one is
 *         found here: a file cut in half or changed by hand, several devices, another device, figures that are none, times in another unit.
 * Owner:  everything lives in the arena.
 * Units:  s.
 * Cost:   n log n in the rows.
 * Errors: NF_E_SYNTAX (another format, cut off, changed, a shape that is not written key=value), NF_E_KEY (columns, a row measured twice, a
 *         key that stands twice, no driver or toolkit), NF_E_TYPE, NF_E_RANGE (not a number; time and rate of a row contradict each other;
 *         quartiles on the wrong side of the median, fewer than two samples, sizes that are not whole or beyond 1e15), NF_E_REFERENCE
 *         (devices), each with row and column.
 */
#ifndef NF_PERF_KERNEL_FILE_H
#define NF_PERF_KERNEL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/csv.h"
#include "perf/device.h"

struct nf_kernel_row {
    const char *op, *version, *dtype, *shape, *cache;
    bool is_composed;  /* a whole: never for fits */
    bool is_load;      /* one second of a sustained load: never for fits */
    bool is_throttled; /* held back by heat or by its hardware */
    /* at the power cap, where large products normally run */
    bool is_capped;
    /* samples at another clock were dropped; the others count */
    bool has_dropped;
    bool is_hot;      /* its data stayed in the L2 cache */
    bool is_resident; /* rotated, yet all sets together fit into twice the L2 */
    double seconds, flop, bytes;
    uint64_t shape_hash; /* the same whatever the order of the keys */
};

struct nf_kernel_file {
    struct nf_csv csv;
    struct nf_kernel_row *rows; /* csv.rows */
    const char *device, *driver, *toolkit, *code;
    double multiprocessors, memory_bytes;
    bool is_synthetic; /* made by a formula: says so in its flags */
};

/* Whether the file at `path` says that it is one (false, too, when it cannot be read). */
bool nf_kernel_file_is(const char *path);

NF_MUST_CHECK enum nf_status nf_kernel_file_read(const char *path, struct nf_arena *arena,
                                                 struct nf_diags *diags,
                                                 struct nf_kernel_file *out);

/* Was it measured on this device? NF_E_REFERENCE (its name) or NF_E_IMPOSSIBLE (multiprocessors, memory) otherwise. */
NF_MUST_CHECK enum nf_status nf_kernel_file_check_device(const struct nf_kernel_file *f,
                                                         const struct nf_device *device,
                                                         struct nf_diags *diags);

/* The value of `key` in a row's shape ("m=128 n=4096"): a number; false when there is none. */
bool nf_kernel_number(const struct nf_kernel_row *r, const char *key, double *out);
/* The same as text; NULL: none. */
const char *nf_kernel_word(const struct nf_kernel_row *r, const char *key,
                           struct nf_arena *arena);

#endif
