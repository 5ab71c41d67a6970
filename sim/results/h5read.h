/*
 * h5read.h - internal to sim/results: the few HDF5 calls that the reader needs, with one sticky error.
 *
 * Owner:  what is read is copied into the arena. Errors: the first one sets `failed` and `why`; later calls do nothing and
 *         return 0, NULL or "".
 */
#ifndef NF_RESULTS_H5READ_H
#define NF_RESULTS_H5READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "results/h5.h"

struct nf_h5_input {
    int64_t file;
    struct nf_arena *arena;
    bool failed;
    char why[256];
};

bool nf__h5_is_hdf5(const char *path);
void nf__h5_open_file(struct nf_h5_input *in, const char *path, struct nf_arena *arena);
void nf__h5_close_input(struct nf_h5_input *in);

/* `path` from the root: "scenario", "summary/classes/time". */
bool nf__h5_has(struct nf_h5_input *in, const char *path);
bool nf__h5_has_attr(struct nf_h5_input *in, const char *object, const char *name);
uint64_t nf__h5_get_u64(struct nf_h5_input *in, const char *object, const char *name);
double nf__h5_get_f64(struct nf_h5_input *in, const char *object, const char *name);
const char *nf__h5_get_text(struct nf_h5_input *in, const char *object, const char *name);

/* How many values the dataset holds. */
size_t nf__h5_length(struct nf_h5_input *in, const char *path);
/* All values, converted to `type`; the dataset must hold exactly `expected` of them. */
void *nf__h5_get(struct nf_h5_input *in, const char *path, enum nf_h5_type type,
                 size_t expected);

#endif
