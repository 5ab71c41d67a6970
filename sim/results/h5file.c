/* h5file.c - see h5file.h. */
#include "results/h5file.h"

#include <errno.h>
#include <fcntl.h>
#include <hdf5.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"

/* Property of the access list. */
struct settings {
    int *error;
};

struct file {
    H5FD_t base; /* the library's part comes first */
    int fd;
    haddr_t eoa; /* end of the space that the library has given out */
    haddr_t eof; /* end of what is in the file, or would be */
    int *error;
};

static H5FD_t *open_file(const char *name, unsigned flags, hid_t access, haddr_t max)
{
    (void)max;
    const struct settings *settings = H5Pget_driver_info(access);
    int mode = flags & H5F_ACC_RDWR ? O_RDWR : O_RDONLY;
    mode |= flags & H5F_ACC_TRUNC ? O_TRUNC : 0;
    mode |= flags & H5F_ACC_CREAT ? O_CREAT : 0;
    mode |= flags & H5F_ACC_EXCL ? O_EXCL : 0;
    struct stat st;
    int fd = open(name, mode | O_CLOEXEC, 0666);
    if (fd < 0 || fstat(fd, &st) != 0) {
        *settings->error = errno;
        return NULL;
    }
    struct file *f = nf_mem_resize(NULL, 1, sizeof *f);
    memset(f, 0, sizeof *f);
    f->fd = fd;
    f->eof = (haddr_t)st.st_size;
    f->error = settings->error;
    return &f->base;
}

static herr_t close_file(H5FD_t *base)
{
    struct file *f = (struct file *)base;
    if (close(f->fd) != 0 && *f->error == 0) {
        *f->error = errno;
    }
    nf_mem_free(f);
    return 0;
}

static herr_t query(const H5FD_t *base, unsigned long *flags)
{
    (void)base;
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA |
             H5FD_FEAT_DATA_SIEVE | H5FD_FEAT_AGGREGATE_SMALLDATA |
             H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
    return 0;
}

static haddr_t get_eoa(const H5FD_t *base, H5FD_mem_t type)
{
    (void)type;
    return ((const struct file *)base)->eoa;
}

static herr_t set_eoa(H5FD_t *base, H5FD_mem_t type, haddr_t at)
{
    (void)type;
    ((struct file *)base)->eoa = at;
    return 0;
}

static haddr_t get_eof(const H5FD_t *base, H5FD_mem_t type)
{
    (void)type;
    return ((const struct file *)base)->eof;
}

/* What lies behind the end of the file reads as zeros. */
static herr_t read_file(H5FD_t *base, H5FD_mem_t type, hid_t transfer, haddr_t at,
                        size_t size, void *buffer)
{
    (void)type;
    (void)transfer;
    struct file *f = (struct file *)base;
    char *to = buffer;
    while (size > 0) {
        ssize_t n = pread(f->fd, to, size, (off_t)at);
        if (n < 0 && errno != EINTR) {
            *f->error = *f->error ? *f->error : errno;
            return -1;
        }
        if (n == 0) {
            memset(to, 0, size);
            return 0;
        }
        if (n > 0) {
            to += n;
            at += (haddr_t)n;
            size -= (size_t)n;
        }
    }
    return 0;
}

static herr_t write_file(H5FD_t *base, H5FD_mem_t type, hid_t transfer, haddr_t at,
                         size_t size, const void *buffer)
{
    (void)type;
    (void)transfer;
    struct file *f = (struct file *)base;
    const char *from = buffer;
    if (at + size > f->eof) {
        f->eof = at + size;
    }
    while (size > 0 && *f->error == 0) {
        ssize_t n = pwrite(f->fd, from, size, (off_t)at);
        if (n < 0 && errno != EINTR) {
            *f->error = errno;
        }
        if (n > 0) {
            from += n;
            at += (haddr_t)n;
            size -= (size_t)n;
        }
    }
    return 0;
}

static herr_t truncate_file(H5FD_t *base, hid_t transfer, hbool_t closing)
{
    (void)transfer;
    (void)closing;
    struct file *f = (struct file *)base;
    if (f->eoa != f->eof && *f->error == 0 && ftruncate(f->fd, (off_t)f->eoa) != 0) {
        *f->error = errno;
    }
    f->eof = f->eoa;
    return 0;
}

int nf__h5_use_driver(int64_t access_list, int *error)
{
    static const H5FD_class_t driver = {
#ifdef H5FD_CLASS_VERSION
        .version = H5FD_CLASS_VERSION,
        .value = H5_VFD_RESERVED,
#endif
        .name = "nearfar",
        .maxaddr = (haddr_t)INT64_MAX,
        .fc_degree = H5F_CLOSE_STRONG,
        .fapl_size = sizeof(struct settings),
        .open = open_file,
        .close = close_file,
        .query = query,
        .get_eoa = get_eoa,
        .set_eoa = set_eoa,
        .get_eof = get_eof,
        .read = read_file,
        .write = write_file,
        .truncate = truncate_file,
        .fl_map = H5FD_FLMAP_DICHOTOMY,
    };
    struct settings settings = {error};
    hid_t id = H5FDregister(&driver);
    herr_t status = id < 0 ? -1 : H5Pset_driver(access_list, id, &settings);
    if (id >= 0) {
        (void)H5FDunregister(id); /* the list holds it from here on */
    }
    return status;
}
