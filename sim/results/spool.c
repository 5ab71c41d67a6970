/* spool.c - see spool.h. */
#include "results/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"

struct nf_spool {
    const char *path;
    size_t slot_bytes;
    pthread_mutex_t lock; /* guards what follows; the bytes in the slots need no guard */
    int fd;               /* -1 until the first block comes */
    uint32_t *free_slots;
    uint32_t free_count, slot_count;
};

struct nf_spool *nf__spool_new(const char *path, size_t slot_bytes)
{
    struct nf_spool *s = nf_mem_resize(NULL, 1, sizeof *s);
    memset(s, 0, sizeof *s);
    s->path = path;
    s->slot_bytes = slot_bytes;
    s->fd = -1;
    NF_ASSERT(pthread_mutex_init(&s->lock, NULL) == 0);
    return s;
}

void nf__spool_free(struct nf_spool *s)
{
    if (s->fd >= 0) {
        (void)close(s->fd);
    }
    nf_mem_free(s->free_slots);
    (void)pthread_mutex_destroy(&s->lock);
    nf_mem_free(s);
}

/* Under the lock: the file exists from the first block on, and has no name from then on. */
static int open_file(struct nf_spool *s)
{
    if (s->fd < 0) {
        s->fd = open(s->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (s->fd < 0 || unlink(s->path) != 0) {
            return errno;
        }
    }
    return 0;
}

static int take_slot(struct nf_spool *s, uint32_t *slot)
{
    (void)pthread_mutex_lock(&s->lock);
    int error = open_file(s);
    if (error == 0 && s->free_count > 0) {
        *slot = s->free_slots[--s->free_count];
    } else if (error == 0) {
        *slot = s->slot_count++;
        s->free_slots =
            nf_mem_resize(s->free_slots, s->slot_count, sizeof *s->free_slots);
    }
    (void)pthread_mutex_unlock(&s->lock);
    return error;
}

void nf__spool_release(struct nf_spool *s, uint32_t slot)
{
    (void)pthread_mutex_lock(&s->lock);
    s->free_slots[s->free_count++] = slot;
    (void)pthread_mutex_unlock(&s->lock);
}

static int write_all(int fd, const char *data, size_t n, off_t at)
{
    while (n > 0) {
        ssize_t done = pwrite(fd, data, n, at);
        if (done < 0 && errno != EINTR) {
            return errno;
        }
        if (done > 0) {
            data += done;
            n -= (size_t)done;
            at += done;
        }
    }
    return 0;
}

static int read_all(int fd, char *data, size_t n, off_t at)
{
    while (n > 0) {
        ssize_t done = pread(fd, data, n, at);
        if (done == 0) {
            return EIO;
        }
        if (done < 0 && errno != EINTR) {
            return errno;
        }
        if (done > 0) {
            data += done;
            n -= (size_t)done;
            at += done;
        }
    }
    return 0;
}

int nf__spool_put(struct nf_spool *s, const struct nf_block *b, uint32_t *slot)
{
    int error = take_slot(s, slot);
    off_t base = error ? 0 : (off_t)*slot * (off_t)s->slot_bytes;
    for (int c = 0; error == 0 && c < nf__table_columns(b->kind); c++) {
        error = write_all(s->fd, b->column[c], nf__block_column_bytes(b, c, b->count),
                          base + (b->column[c] - b->memory));
    }
    return error;
}

int nf__spool_get(struct nf_spool *s, uint32_t slot, uint32_t count, struct nf_block *b)
{
    int error = 0;
    off_t base = (off_t)slot * (off_t)s->slot_bytes;
    b->count = count;
    for (int c = 0; error == 0 && c < nf__table_columns(b->kind); c++) {
        error = read_all(s->fd, b->column[c], nf__block_column_bytes(b, c, count),
                         base + (b->column[c] - b->memory));
    }
    return error;
}
