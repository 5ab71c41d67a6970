/* folder_test.c - see folder_test.h. */
#include "results/folder_test.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"

void folder_make(struct folder *f)
{
    (void)snprintf(f->path, sizeof f->path, "/tmp/nearfar-test-XXXXXX");
    NF_ASSERT(mkdtemp(f->path) != NULL);
    (void)snprintf(f->file, sizeof f->file, "%s/run.h5", f->path);
}

static int walk(const struct folder *f, int remove)
{
    int n = 0;
    DIR *d = opendir(f->path);
    NF_ASSERT(d != NULL);
    for (struct dirent *e = readdir(d); e; e = readdir(d)) {
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
            n++;
            if (remove) {
                (void)unlinkat(dirfd(d), e->d_name, 0);
            }
        }
    }
    (void)closedir(d);
    return n;
}

int folder_count(const struct folder *f)
{
    return walk(f, 0);
}

void folder_remove(const struct folder *f)
{
    (void)walk(f, 1);
    (void)rmdir(f->path);
}

char *folder_bytes(const char *path, size_t *n)
{
    struct stat st;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &st) != 0) {
        return NULL;
    }
    *n = (size_t)st.st_size;
    char *bytes = nf_mem_resize(NULL, *n + 1, 1);
    size_t got = 0;
    for (ssize_t k = 1; got < *n && k > 0; got += (size_t)k) {
        k = read(fd, bytes + got, *n - got);
        NF_ASSERT(k >= 0);
    }
    (void)close(fd);
    NF_ASSERT(got == *n);
    return bytes;
}
