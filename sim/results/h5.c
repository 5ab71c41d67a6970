/*
 * h5.c - see h5.h. Every HDF5 call that can fail passes through `ok`, which keeps the first failure.
 */
#include "results/h5.h"

#include <hdf5.h>
#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "results/h5file.h"

_Static_assert(sizeof(hid_t) == sizeof(int64_t), "ids are passed as int64_t");
_Static_assert(sizeof(hobj_ref_t) == sizeof(uint64_t), "references are kept as uint64_t");
_Static_assert(sizeof(hsize_t) == sizeof(uint64_t), "shapes are passed as uint64_t");

/* ---- errors ---- */

static herr_t keep_innermost(unsigned n, const H5E_error2_t *e, void *ctx)
{
    if (n == 0) {
        *(const char **)ctx = e->desc;
    }
    return 0;
}

/* HDF5 1.10.8 closes what it thinks is still open when the program exits, and crashes there after a file whose close failed
 * (disk full); we close everything ourselves. H5dont_atexit works only before the library's first use and complains later. */
void nf__h5_quiet(void)
{
    (void)H5dont_atexit();
    (void)H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

void nf__h5_message(char *why, size_t cap)
{
    const char *desc = NULL;
    (void)H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_innermost, &desc);
    (void)snprintf(why, cap, "%s", desc ? desc : "");
}

/* The operating system's reason, where it was one. */
static void fail(struct nf_h5 *h)
{
    if (!h->failed) {
        h->failed = true;
        if (h->error == 0 || strerror_r(h->error, h->why, sizeof h->why) != 0) {
            nf__h5_message(h->why, sizeof h->why);
        }
    }
}

/* True when `result` (an id or a herr_t) is a success, and so was what it made the file driver do. */
static bool ok(struct nf_h5 *h, int64_t result)
{
    if (result < 0 || h->error != 0) {
        fail(h);
    }
    return result >= 0;
}

/* ---- types ---- */

static hid_t type_of(enum nf_h5_type type)
{
    switch (type) {
    case NF_H5_U8:
        return H5T_NATIVE_UINT8;
    case NF_H5_U16:
        return H5T_NATIVE_UINT16;
    case NF_H5_I16:
        return H5T_NATIVE_INT16;
    case NF_H5_U32:
        return H5T_NATIVE_UINT32;
    case NF_H5_U64:
        return H5T_NATIVE_UINT64;
    case NF_H5_I64:
        return H5T_NATIVE_INT64;
    case NF_H5_F64:
        return H5T_NATIVE_DOUBLE;
    case NF_H5_TEXT:
    case NF_H5_TYPES:
        break;
    }
    return H5I_INVALID_HID;
}

size_t nf__h5_size(enum nf_h5_type type)
{
    static const size_t sizes[NF_H5_TYPES] = {1, 2, 2, 4, 8, 8, 8, sizeof(char *)};
    return sizes[type];
}

/* A type the caller closes: texts need one of their own, the others get a copy. */
static hid_t open_type(enum nf_h5_type type)
{
    if (type != NF_H5_TEXT) {
        return H5Tcopy(type_of(type));
    }
    hid_t t = H5Tcopy(H5T_C_S1);
    if (t >= 0 &&
        (H5Tset_size(t, H5T_VARIABLE) < 0 || H5Tset_cset(t, H5T_CSET_UTF8) < 0)) {
        (void)H5Tclose(t);
        t = H5I_INVALID_HID;
    }
    return t;
}

/* ---- file and groups ---- */

static hid_t ordered_plist(hid_t class)
{
    hid_t p = H5Pcreate(class);
    if (p >= 0 && (H5Pset_obj_track_times(p, 0) < 0 ||
                   H5Pset_link_creation_order(p, H5P_CRT_ORDER_TRACKED |
                                                     H5P_CRT_ORDER_INDEXED) < 0)) {
        (void)H5Pclose(p);
        p = H5I_INVALID_HID;
    }
    return p;
}

void nf__h5_create_file(struct nf_h5 *h, const char *path, unsigned deflate)
{
    memset(h, 0, sizeof *h);
    h->file = H5I_INVALID_HID;
    h->deflate = deflate;
    nf__h5_quiet();
    hid_t create = ordered_plist(H5P_FILE_CREATE);
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    if (ok(h, create) && ok(h, access) && ok(h, nf__h5_use_driver(access, &h->error)) &&
        ok(h, H5Pset_fclose_degree(access, H5F_CLOSE_STRONG))) {
        h->file = H5Fcreate(path, H5F_ACC_EXCL, create, access);
        (void)ok(h, h->file);
    }
    (void)H5Pclose(create);
    (void)H5Pclose(access);
}

void nf__h5_close_file(struct nf_h5 *h)
{
    if (h->file < 0) {
        return;
    }
    if (!h->failed) {
        (void)ok(h, H5Fflush(h->file, H5F_SCOPE_LOCAL));
    }
    (void)ok(h, H5Fclose(h->file));
    if (h->error != 0) {
        fail(h);
    }
    h->file = H5I_INVALID_HID;
}

int64_t nf__h5_group(struct nf_h5 *h, int64_t parent, const char *name)
{
    if (h->failed) {
        return H5I_INVALID_HID;
    }
    hid_t create = ordered_plist(H5P_GROUP_CREATE);
    hid_t group = H5Gcreate2(parent, name, H5P_DEFAULT, create, H5P_DEFAULT);
    (void)ok(h, group);
    (void)H5Pclose(create);
    return group;
}

void nf__h5_group_close(struct nf_h5 *h, int64_t group)
{
    if (group >= 0) {
        (void)ok(h, H5Gclose(group));
    }
}

/* ---- attributes ---- */

static void write_attr(struct nf_h5 *h, hid_t object, const char *name, hid_t type,
                       hid_t space, const void *value)
{
    hid_t attr = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    if (ok(h, attr)) {
        (void)ok(h, H5Awrite(attr, type, value));
        (void)ok(h, H5Aclose(attr));
    }
}

void nf__h5_attr(struct nf_h5 *h, int64_t object, const char *name, enum nf_h5_type type,
                 const void *value, size_t n)
{
    if (h->failed) {
        return;
    }
    hsize_t dims[1] = {n};
    hid_t space = n == 1 ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, dims, NULL);
    hid_t t = open_type(type);
    if (ok(h, space) && ok(h, t)) {
        write_attr(h, object, name, t, space, value);
    }
    (void)H5Tclose(t);
    (void)H5Sclose(space);
}

void nf__h5_attr_text(struct nf_h5 *h, int64_t object, const char *name,
                      const char *value)
{
    nf__h5_attr(h, object, name, NF_H5_TEXT, &value, 1);
}

void nf__h5_attr_u64(struct nf_h5 *h, int64_t object, const char *name, uint64_t value)
{
    nf__h5_attr(h, object, name, NF_H5_U64, &value, 1);
}

void nf__h5_attr_f64(struct nf_h5 *h, int64_t object, const char *name, double value)
{
    nf__h5_attr(h, object, name, NF_H5_F64, &value, 1);
}

/* The specification's own attributes are fixed-length strings. */
static void attr_fixed(struct nf_h5 *h, hid_t object, const char *name, const char *value)
{
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t t = H5Tcopy(H5T_C_S1);
    if (ok(h, space) && ok(h, t) && ok(h, H5Tset_size(t, strlen(value) + 1))) {
        write_attr(h, object, name, t, space, value);
    }
    (void)H5Tclose(t);
    (void)H5Sclose(space);
}

/* ---- columns ---- */

static void set_layout(struct nf_h5 *h, const struct nf_h5_column *c, hid_t create)
{
    hsize_t chunk[NF_H5_RANK];
    bool grows = false;
    for (int i = 0; i < c->rank; i++) {
        grows |= c->scales[i]->chunk > 0;
        chunk[i] = c->scales[i]->chunk ? c->scales[i]->chunk : c->scales[i]->length;
    }
    if (grows) {
        (void)ok(h, H5Pset_chunk(create, c->rank, chunk));
        (void)ok(h, H5Pset_alloc_time(create, H5D_ALLOC_TIME_INCR));
        if (h->deflate) {
            (void)ok(h, H5Pset_shuffle(create));
            (void)ok(h, H5Pset_deflate(create, h->deflate));
        }
    }
    if (c->fill) {
        (void)ok(h, H5Pset_fill_value(create, type_of(c->type), c->fill));
    }
}

static hid_t open_space(const struct nf_h5_column *c)
{
    hsize_t shape[NF_H5_RANK];
    hsize_t limit[NF_H5_RANK];
    if (c->rank == 0) {
        return H5Screate(H5S_SCALAR);
    }
    for (int i = 0; i < c->rank; i++) {
        shape[i] = c->scales[i]->length;
        limit[i] = c->scales[i]->chunk ? H5S_UNLIMITED : shape[i];
    }
    return H5Screate_simple(c->rank, shape, limit);
}

/* Chunks are written whole, so a cache of them would only copy: none. */
static hid_t make_dataset(struct nf_h5 *h, hid_t group, const struct nf_h5_column *c,
                          hid_t type)
{
    hid_t id = H5I_INVALID_HID;
    hid_t create = H5Pcreate(H5P_DATASET_CREATE);
    hid_t access = H5Pcreate(H5P_DATASET_ACCESS);
    hid_t space = open_space(c);
    if (ok(h, create) && ok(h, access) && ok(h, space) &&
        ok(h, H5Pset_obj_track_times(create, 0)) &&
        ok(h, H5Pset_chunk_cache(access, 0, 0, 1.0))) {
        set_layout(h, c, create);
        id = H5Dcreate2(group, c->name, type, space, H5P_DEFAULT, create, access);
        (void)ok(h, id);
    }
    (void)H5Sclose(space);
    (void)H5Pclose(access);
    (void)H5Pclose(create);
    return id;
}

static void describe(struct nf_h5 *h, hid_t id, const struct nf_h5_column *c)
{
    if (c->long_name) {
        nf__h5_attr_text(h, id, "long_name", c->long_name);
    }
    if (c->units) {
        nf__h5_attr_text(h, id, "units", c->units);
    }
    if (c->fill_is_absent) {
        hsize_t one[1] = {1};
        hid_t space = H5Screate_simple(1, one, NULL);
        if (ok(h, space)) {
            write_attr(h, id, "_FillValue", type_of(c->type), space, c->fill);
        }
        (void)H5Sclose(space);
    }
}

/* DIMENSION_LIST of a column, and a note in each scale for its REFERENCE_LIST. */
static void attach(struct nf_h5 *h, hid_t group, hid_t id, const struct nf_h5_column *c)
{
    hvl_t list[NF_H5_RANK];
    hobj_ref_t refs[NF_H5_RANK];
    hobj_ref_t self;
    if (!ok(h, H5Rcreate(&self, group, c->name, H5R_OBJECT, -1))) {
        return;
    }
    memset(list, 0, sizeof list);
    for (int i = 0; i < c->rank; i++) {
        struct nf_h5_scale *s = c->scales[i];
        (void)ok(h, H5Rcreate(&refs[i], s->id, ".", H5R_OBJECT, -1));
        list[i].len = 1;
        list[i].p = &refs[i];
        NF_ASSERT(s->use_count < NF_H5_USES);
        s->uses[s->use_count].object = self;
        s->uses[s->use_count++].dim = (unsigned)i;
    }
    hsize_t dims[1] = {(hsize_t)c->rank};
    hid_t space = H5Screate_simple(1, dims, NULL);
    hid_t type = H5Tvlen_create(H5T_STD_REF_OBJ);
    if (ok(h, space) && ok(h, type) && !h->failed) {
        write_attr(h, id, "DIMENSION_LIST", type, space, list);
    }
    (void)H5Tclose(type);
    (void)H5Sclose(space);
}

int64_t nf__h5_column(struct nf_h5 *h, int64_t group, const struct nf_h5_column *column)
{
    if (h->failed) {
        return H5I_INVALID_HID;
    }
    hid_t type = open_type(column->type);
    hid_t id = ok(h, type) ? make_dataset(h, group, column, type) : H5I_INVALID_HID;
    (void)H5Tclose(type);
    if (!h->failed) {
        describe(h, id, column);
        if (column->rank > 0) {
            attach(h, group, id, column);
        }
    }
    return id;
}

void nf__h5_column_close(struct nf_h5 *h, int64_t id)
{
    if (id >= 0) {
        (void)ok(h, H5Dclose(id));
    }
}

static void write_space(struct nf_h5 *h, hid_t id, enum nf_h5_type type, hid_t memory,
                        hid_t space, const void *values)
{
    hid_t t = open_type(type);
    if (ok(h, t)) {
        (void)ok(h, H5Dwrite(id, t, memory, space, H5P_DEFAULT, values));
    }
    (void)H5Tclose(t);
}

void nf__h5_write(struct nf_h5 *h, int64_t id, enum nf_h5_type type, const void *values)
{
    if (!h->failed) {
        write_space(h, id, type, H5S_ALL, H5S_ALL, values);
    }
}

void nf__h5_write_part(struct nf_h5 *h, int64_t id, enum nf_h5_type type,
                       const uint64_t *start, const uint64_t *count, const void *values)
{
    hsize_t from[NF_H5_RANK];
    hsize_t n[NF_H5_RANK];
    if (h->failed) {
        return;
    }
    hid_t space = H5Dget_space(id);
    if (!ok(h, space)) {
        return;
    }
    int rank = H5Sget_simple_extent_ndims(space);
    NF_ASSERT(rank >= 1 && rank <= NF_H5_RANK);
    for (int i = 0; i < rank; i++) {
        from[i] = start[i];
        n[i] = count[i];
    }
    hid_t memory = H5Screate_simple(rank, n, NULL);
    if (ok(h, memory) &&
        ok(h, H5Sselect_hyperslab(space, H5S_SELECT_SET, from, NULL, n, NULL))) {
        write_space(h, id, type, memory, space, values);
    }
    (void)H5Sclose(memory);
    (void)H5Sclose(space);
}

void nf__h5_extend(struct nf_h5 *h, int64_t id, const uint64_t *shape)
{
    if (!h->failed) {
        (void)ok(h, H5Dset_extent(id, (const hsize_t *)shape));
    }
}

void nf__h5_table(struct nf_h5 *h, int64_t group, const struct nf_h5_column *column,
                  const void *values)
{
    int64_t id = nf__h5_column(h, group, column);
    bool is_empty = false;
    for (int i = 0; i < column->rank; i++) {
        is_empty |= column->scales[i]->length == 0;
    }
    if (!is_empty) {
        nf__h5_write(h, id, column->type, values);
    }
    nf__h5_column_close(h, id);
}

/* ---- scales ---- */

static void be_scale(struct nf_h5 *h, hid_t id, const char *name)
{
    if (!h->failed) {
        attr_fixed(h, id, "CLASS", "DIMENSION_SCALE");
        attr_fixed(h, id, "NAME", name);
    }
}

/* The dataset of a scale: one dimension, described by the scale itself, attached to nothing. */
static void make_scale(struct nf_h5 *h, hid_t group, struct nf_h5_scale *s,
                       const struct nf_h5_column *column, const char *scale_name)
{
    struct nf_h5_column c = *column;
    c.rank = 1;
    c.scales[0] = s;
    s->use_count = 0;
    s->id = H5I_INVALID_HID;
    if (h->failed) {
        return;
    }
    hid_t type = c.type == NF_H5_TYPES ? H5Tcopy(H5T_IEEE_F32BE) : open_type(c.type);
    s->id = ok(h, type) ? make_dataset(h, group, &c, type) : H5I_INVALID_HID;
    (void)H5Tclose(type);
    if (!h->failed) {
        describe(h, s->id, &c);
        be_scale(h, s->id, scale_name);
    }
}

void nf__h5_scale_column(struct nf_h5 *h, int64_t group, struct nf_h5_scale *s,
                         const struct nf_h5_column *column, const void *values)
{
    make_scale(h, group, s, column, column->name);
    if (values && s->length > 0) {
        nf__h5_write(h, s->id, column->type, values);
    }
}

void nf__h5_scale_text(struct nf_h5 *h, int64_t group, struct nf_h5_scale *s,
                       const char *name, const char *const *values, size_t n)
{
    struct nf_h5_column c = {.name = name, .type = NF_H5_TEXT};
    s->length = n;
    s->chunk = 0;
    nf__h5_scale_column(h, group, s, &c, values);
}

/* As netCDF-4 writes a dimension that has no coordinate variable: a dataset without storage and this sentence as its name. */
void nf__h5_scale_bare(struct nf_h5 *h, int64_t group, struct nf_h5_scale *s,
                       const char *name)
{
    char sentence[80];
    struct nf_h5_column c = {.name = name, .type = NF_H5_TYPES};
    (void)snprintf(sentence, sizeof sentence, "%s%10d",
                   "This is a netCDF dimension but not a netCDF variable.",
                   (int)s->length);
    make_scale(h, group, s, &c, sentence);
}

void nf__h5_scale_close(struct nf_h5 *h, struct nf_h5_scale *s)
{
    struct use {
        hobj_ref_t object;
        int dim, pad;
    } uses[NF_H5_USES];
    if (s->id < 0) {
        return;
    }
    memset(uses, 0, sizeof uses);
    for (unsigned i = 0; i < s->use_count; i++) {
        uses[i].object = s->uses[i].object;
        uses[i].dim = (int)s->uses[i].dim;
    }
    hsize_t dims[1] = {s->use_count};
    hid_t type = H5Tcreate(H5T_COMPOUND, sizeof(struct use));
    hid_t space = H5Screate_simple(1, dims, NULL);
    if (s->use_count > 0 && !h->failed && ok(h, type) && ok(h, space) &&
        ok(h,
           H5Tinsert(type, "dataset", offsetof(struct use, object), H5T_STD_REF_OBJ)) &&
        ok(h, H5Tinsert(type, "dimension", offsetof(struct use, dim), H5T_NATIVE_INT))) {
        write_attr(h, s->id, "REFERENCE_LIST", type, space, uses);
    }
    (void)H5Tclose(type);
    (void)H5Sclose(space);
    (void)ok(h, H5Dclose(s->id));
    s->id = H5I_INVALID_HID;
}
