/*
 * h5.h - internal to sim/results: the few HDF5 calls that the writer needs, with one sticky error and equal bytes.
 *
 * What:   files, groups, attributes, columns and dimension scales; ids are int64_t so that no HDF5 type leaves h5.c.
 * Equal bytes: object times are off, creation order is tracked, and dimension scales are attached here by hand (the
 *         "HDF5 Dimension Scale Specification": CLASS, NAME, DIMENSION_LIST, REFERENCE_LIST) from zeroed memory.
 * Readers: texts are variable-length UTF-8; a scale's NAME is its dataset's name, or netCDF's "dimension without a variable"
 *         sentence; so h5py, netCDF-4 and xarray see named dimensions.
 * Errors: the first failing call sets `failed` and `why` (errno's text, else HDF5's innermost message); later calls do nothing.
 * Threads: HDF5 is called from one thread at a time, the writer's.
 */
#ifndef NF_RESULTS_H5_H
#define NF_RESULTS_H5_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum nf_h5_type {
    NF_H5_U8,
    NF_H5_U16,
    NF_H5_I16,
    NF_H5_U32,
    NF_H5_U64,
    NF_H5_I64,
    NF_H5_F64,
    NF_H5_TEXT, /* const char * */
    NF_H5_TYPES
};

struct nf_h5 {
    int64_t file;
    /* 0: no filter; else shuffle + deflate at this level on columns that grow */
    unsigned deflate;
    int error; /* errno of the first failing read or write of the file */
    bool failed;
    char why[256];
};

enum { NF_H5_RANK = 4, NF_H5_USES = 96 };

/* A dimension of one group: its scale's dataset, and the columns that it was given to. */
struct nf_h5_scale {
    int64_t id;
    uint64_t length;
    uint64_t chunk; /* 0: fixed length; else it grows in such steps */
    unsigned use_count;
    struct {
        uint64_t object;
        unsigned dim;
    } uses[NF_H5_USES];
};

/* A dataset to be made. The scales give its shape. */
struct nf_h5_column {
    const char *name, *long_name;
    const char *units; /* NULL: none */
    enum nf_h5_type type;
    int rank;
    struct nf_h5_scale *scales[NF_H5_RANK];
    const void *fill;    /* value of what is never written; NULL: 0 */
    bool fill_is_absent; /* tell readers that `fill` means "no value" (_FillValue) */
};

/* Bytes of one value in memory. */
size_t nf__h5_size(enum nf_h5_type type);

/* Create `path`; it must not exist. h must stay where it is until the file is closed. */
void nf__h5_create_file(struct nf_h5 *h, const char *path, unsigned deflate);
/* Flush and close. After a failure too: then the file's content is worthless. */
void nf__h5_close_file(struct nf_h5 *h);

int64_t nf__h5_group(struct nf_h5 *h, int64_t parent, const char *name);
void nf__h5_group_close(struct nf_h5 *h, int64_t group);

void nf__h5_attr_text(struct nf_h5 *h, int64_t object, const char *name,
                      const char *value);
/* n > 1 or not scalar: a 1-D attribute. */
void nf__h5_attr(struct nf_h5 *h, int64_t object, const char *name, enum nf_h5_type type,
                 const void *value, size_t n);
void nf__h5_attr_u64(struct nf_h5 *h, int64_t object, const char *name, uint64_t value);
void nf__h5_attr_f64(struct nf_h5 *h, int64_t object, const char *name, double value);

/* Scales: of texts; of numbers that are there; one that grows and has a coordinate (append to s->id); a bare dimension without
 * values. Each must be closed with nf__h5_scale_close after its last use. */
void nf__h5_scale_text(struct nf_h5 *h, int64_t group, struct nf_h5_scale *s,
                       const char *name, const char *const *values, size_t n);
void nf__h5_scale_column(struct nf_h5 *h, int64_t group, struct nf_h5_scale *s,
                         const struct nf_h5_column *column, const void *values);
void nf__h5_scale_bare(struct nf_h5 *h, int64_t group, struct nf_h5_scale *s,
                       const char *name);
void nf__h5_scale_close(struct nf_h5 *h, struct nf_h5_scale *s);

int64_t nf__h5_column(struct nf_h5 *h, int64_t group, const struct nf_h5_column *column);
void nf__h5_column_close(struct nf_h5 *h, int64_t id);
/* All values at once. */
void nf__h5_write(struct nf_h5 *h, int64_t id, enum nf_h5_type type, const void *values);
/* The hyperslab start[rank], count[rank]. */
void nf__h5_write_part(struct nf_h5 *h, int64_t id, enum nf_h5_type type,
                       const uint64_t *start, const uint64_t *count, const void *values);
/* Let a growing column have `shape` (rank values). */
void nf__h5_extend(struct nf_h5 *h, int64_t id, const uint64_t *shape);
/* Column made, written and closed in one call. */
void nf__h5_table(struct nf_h5 *h, int64_t group, const struct nf_h5_column *column,
                  const void *values);

/* HDF5's innermost message for the last failed call on this thread; "" when there is none. */
void nf__h5_message(char *why, size_t cap);
/* No stack print on stderr from now on. */
void nf__h5_quiet(void);

#endif
