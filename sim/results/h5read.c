/* h5read.c - see h5read.h. */
#include "results/h5read.h"

#include <hdf5.h>
#include <stdio.h>
#include <string.h>

/* Nothing that is read at once is larger; a damaged file must not ask for all memory. */
enum { VALUES_MAX = 1 << 28 };

static void fail(struct nf_h5_input *in, const char *path, const char *what)
{
    char inner[160];
    if (in->failed) {
        return;
    }
    in->failed = true;
    if (what) {
        (void)snprintf(in->why, sizeof in->why, "%s: %s", path, what);
    } else {
        nf__h5_message(inner, sizeof inner);
        (void)snprintf(in->why, sizeof in->why, "%s: %s", path, inner);
    }
}

static bool ok(struct nf_h5_input *in, const char *path, int64_t result)
{
    if (result < 0) {
        fail(in, path, NULL);
    }
    return result >= 0;
}

bool nf__h5_is_hdf5(const char *path)
{
    nf__h5_quiet();
    return H5Fis_hdf5(path) > 0;
}

void nf__h5_open_file(struct nf_h5_input *in, const char *path, struct nf_arena *arena)
{
    memset(in, 0, sizeof *in);
    in->arena = arena;
    nf__h5_quiet();
    in->file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    (void)ok(in, "file", in->file);
}

void nf__h5_close_input(struct nf_h5_input *in)
{
    if (in->file >= 0) {
        (void)H5Fclose(in->file);
    }
}

/* H5Lexists fails on a path whose parents are missing, which is a plain "no" here. */
bool nf__h5_has(struct nf_h5_input *in, const char *path)
{
    char part[256];
    if (in->failed) {
        return false;
    }
    for (size_t n = 0; path[n] != '\0' && n < sizeof part - 1; n++) {
        part[n] = path[n];
        part[n + 1] = '\0';
        bool is_end = path[n + 1] == '\0' || path[n + 1] == '/';
        if (is_end && H5Lexists(in->file, part, H5P_DEFAULT) <= 0) {
            return false;
        }
    }
    return true;
}

bool nf__h5_has_attr(struct nf_h5_input *in, const char *object, const char *name)
{
    return !in->failed && H5Aexists_by_name(in->file, object, name, H5P_DEFAULT) > 0;
}

static hid_t memory_type(enum nf_h5_type type)
{
    switch (type) {
    case NF_H5_U8:
        return H5Tcopy(H5T_NATIVE_UINT8);
    case NF_H5_U32:
        return H5Tcopy(H5T_NATIVE_UINT32);
    case NF_H5_U64:
        return H5Tcopy(H5T_NATIVE_UINT64);
    case NF_H5_F64:
        return H5Tcopy(H5T_NATIVE_DOUBLE);
    case NF_H5_TEXT: {
        hid_t t = H5Tcopy(H5T_C_S1);
        (void)H5Tset_size(t, H5T_VARIABLE);
        (void)H5Tset_cset(t, H5T_CSET_UTF8);
        return t;
    }
    case NF_H5_U16:
    case NF_H5_I16:
    case NF_H5_I64:
    case NF_H5_TYPES:
        break;
    }
    return H5I_INVALID_HID;
}

/* One value of an attribute of exactly one value. Texts: *value is a char * that the library allocated. */
static void get_attr(struct nf_h5_input *in, const char *object, const char *name,
                     enum nf_h5_type type, void *value)
{
    if (in->failed) {
        return;
    }
    hid_t attr = H5Aopen_by_name(in->file, object, name, H5P_DEFAULT, H5P_DEFAULT);
    if (!ok(in, name, attr)) {
        return;
    }
    hid_t t = memory_type(type);
    hid_t space = H5Aget_space(attr);
    if (H5Sget_simple_extent_npoints(space) != 1) {
        fail(in, name, "expected one value");
    } else {
        (void)ok(in, name, H5Aread(attr, t, value));
    }
    (void)H5Sclose(space);
    (void)H5Tclose(t);
    (void)H5Aclose(attr);
}

uint64_t nf__h5_get_u64(struct nf_h5_input *in, const char *object, const char *name)
{
    uint64_t value = 0;
    get_attr(in, object, name, NF_H5_U64, &value);
    return in->failed ? 0 : value;
}

double nf__h5_get_f64(struct nf_h5_input *in, const char *object, const char *name)
{
    double value = 0;
    get_attr(in, object, name, NF_H5_F64, &value);
    return in->failed ? 0 : value;
}

const char *nf__h5_get_text(struct nf_h5_input *in, const char *object, const char *name)
{
    char *value = NULL;
    get_attr(in, object, name, NF_H5_TEXT, &value);
    if (in->failed || !value) {
        return "";
    }
    const char *copy = nf_arena_strdup(in->arena, value);
    (void)H5free_memory(value);
    return copy;
}

size_t nf__h5_length(struct nf_h5_input *in, const char *path)
{
    hssize_t n = 0;
    if (in->failed) {
        return 0;
    }
    hid_t id = H5Dopen2(in->file, path, H5P_DEFAULT);
    if (ok(in, path, id)) {
        hid_t space = H5Dget_space(id);
        n = H5Sget_simple_extent_npoints(space);
        (void)ok(in, path, n);
        (void)H5Sclose(space);
        (void)H5Dclose(id);
    }
    if (n > VALUES_MAX) {
        fail(in, path, "is too large");
    }
    return in->failed ? 0 : (size_t)n;
}

/* The library's texts into the arena; a text that was never written is "". */
static void own_texts(struct nf_h5_input *in, char **texts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char *from_library = texts[i];
        texts[i] = nf_arena_strdup(in->arena, from_library ? from_library : "");
        (void)H5free_memory(from_library);
    }
}

void *nf__h5_get(struct nf_h5_input *in, const char *path, enum nf_h5_type type,
                 size_t expected)
{
    size_t n = nf__h5_length(in, path);
    if (!in->failed && n != expected) {
        fail(in, path, "has an unexpected size");
    }
    if (in->failed) {
        return NULL;
    }
    void *values = nf_arena_array(in->arena, n, nf__h5_size(type));
    hid_t id = H5Dopen2(in->file, path, H5P_DEFAULT);
    hid_t t = memory_type(type);
    if (ok(in, path, id) && ok(in, path, t)) {
        (void)ok(in, path, H5Dread(id, t, H5S_ALL, H5S_ALL, H5P_DEFAULT, values));
    }
    if (type == NF_H5_TEXT && !in->failed) {
        own_texts(in, values, n);
    }
    (void)H5Tclose(t);
    (void)H5Dclose(id);
    return in->failed ? NULL : values;
}
