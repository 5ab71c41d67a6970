/* file.c - see file.h. */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

static enum nf_status add_errno(struct nf_diags *diags, struct nf_place from, int error,
                                const char *what, const char *path)
{
    char text[128];
    if (strerror_r(error, text, sizeof text) != 0) {
        text[0] = '\0';
    }
    return nf_diag_add(diags, NF_E_IO, from, NULL, NULL, "cannot %s \"%s\": %s", what,
                       path, text);
}

static enum nf_status add_too_large(struct nf_diags *diags, struct nf_place from,
                                    const char *path, size_t max_bytes)
{
    enum { MIB = 1 << 20 };
    bool is_round = max_bytes >= MIB && max_bytes % MIB == 0;
    return nf_diag_add(diags, NF_E_LIMIT, from, NULL, NULL,
                       "\"%s\" is too large: at most %zu %s are read", path,
                       is_round ? max_bytes / MIB : max_bytes,
                       is_round ? "MiB" : "bytes");
}

/* Does a writer come to a named pipe that nobody has opened yet? A pipe whose writer is done answers at once. */
static bool gets_writer(int fd)
{
    enum { PATIENCE_MS = 300 };
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, PATIENCE_MS) != 0;
}

/* Up to cap bytes from fd (not blocking), fewer only at the end. How many, or -1 with errno set. */
static ssize_t read_up_to(int fd, char *to, size_t cap)
{
    size_t n = 0;
    while (n < cap) {
        ssize_t got = read(fd, to + n, cap - n);
        if (got == 0) {
            break;
        }
        if (got < 0 && errno == EAGAIN) {
            struct pollfd p = {.fd = fd, .events = POLLIN};
            (void)poll(&p, 1, -1);
        } else if (got < 0 && errno != EINTR) {
            return -1;
        }
        n += got > 0 ? (size_t)got : 0;
    }
    return (ssize_t)n;
}

/* A file whose size is known, straight into the arena. 0 or errno. */
static int read_sized(int fd, size_t size, struct nf_arena *arena,
                      struct nf_file_bytes *out)
{
    char *to = nf_arena_alloc(arena, size + 1);
    ssize_t n = read_up_to(fd, to, size);
    if (n < 0) {
        return errno;
    }
    *out = (struct nf_file_bytes){to, (size_t)n};
    return 0;
}

/* All that a pipe or a device gives, up to max_bytes + 1 bytes. 0 or errno; EPIPE: no writer, EFBIG: there is more. */
static int read_stream(int fd, size_t max_bytes, struct nf_arena *arena,
                       struct nf_file_bytes *out)
{
    enum { PIECE = 1 << 16 };
    char *buffer = NULL;
    size_t cap = 0, length = 0;
    bool is_asked = false;
    int error = 0;
    for (bool is_done = false; error == 0 && !is_done;) {
        if (length == cap) {
            cap = cap == 0 ? PIECE : 2 * cap;
            buffer = nf_mem_resize(buffer, cap, 1);
        }
        ssize_t n = read_up_to(fd, buffer + length, cap - length);
        bool is_silent = n == 0 && length == 0 && !is_asked;
        is_asked = true;
        length += n > 0 ? (size_t)n : 0;
        if (n < 0) {
            error = errno;
        } else if (is_silent) {
            error = gets_writer(fd) ? 0 : EPIPE;
        } else if (length > max_bytes) {
            error = EFBIG;
        } else {
            is_done = length < cap;
        }
    }
    if (error == 0) {
        *out = (struct nf_file_bytes){nf_arena_strndup(arena, buffer, length), length};
    }
    nf_mem_free(buffer);
    return error;
}

enum nf_status nf_file_read(const char *path, size_t max_bytes, struct nf_place from,
                            struct nf_arena *arena, struct nf_diags *diags,
                            struct nf_file_bytes *out)
{
    /* Opening a named pipe must not wait for a writer that may never come. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return add_errno(diags, from, errno, "open", path);
    }
    struct stat st;
    bool is_sized = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0;
    int error = 0;
    if (is_sized && (uintmax_t)st.st_size > max_bytes) {
        error = EFBIG;
    } else if (is_sized) {
        error = read_sized(fd, (size_t)st.st_size, arena, out);
    } else { /* also files of /proc, which say 0 */
        error = read_stream(fd, max_bytes, arena, out);
    }
    close(fd);
    switch (error) {
    case 0:
        return NF_OK;
    case EPIPE:
        return nf_diag_add(diags, NF_E_USAGE, from, NULL, NULL,
                           "\"%s\" is a pipe, and nobody writes into it", path);
    case EFBIG:
        return add_too_large(diags, from, path, max_bytes);
    default:
        return add_errno(diags, from, error, "read", path);
    }
}

static char *folder_of(const char *path, struct nf_arena *arena)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        return nf_arena_strdup(arena, ".");
    }
    return nf_arena_strndup(arena, path, slash == path ? 1 : (size_t)(slash - path));
}

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

bool nf_file_is_same(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev &&
           x.st_ino == y.st_ino;
}

const char *nf_file_target(const char *path, struct nf_arena *arena)
{
    enum { LINKS_MAX = 40 }; /* as many as Linux follows */
    char to[4096];
    for (int i = 0; i < LINKS_MAX; i++) {
        ssize_t n = readlink(path, to, sizeof to - 1);
        if (n <= 0) {
            break; /* no link, or nothing there */
        }
        to[n] = '\0';
        path = to[0] == '/' ? nf_arena_strdup(arena, to)
                            : nf_arena_printf(arena, "%s/%s", folder_of(path, arena), to);
    }
    return path;
}

/* Remove files "PREFIX<pid>SUFFIX" in the folder whose process is gone. */
static void remove_stale(const char *folder, const char *prefix, const char *suffix)
{
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        return;
    }
    size_t np = strlen(prefix), ns = strlen(suffix);
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        size_t n = strlen(e->d_name);
        char number[24];
        if (n <= np + ns || n - np - ns >= sizeof number ||
            !nf_text_starts_with(e->d_name, prefix) ||
            strcmp(e->d_name + n - ns, suffix) != 0) {
            continue;
        }
        memcpy(number, e->d_name + np, n - np - ns);
        number[n - np - ns] = '\0';
        int64_t pid = 0;
        if (nf_text_int64(number, &pid) && pid > 0 && pid <= INT32_MAX &&
            kill((pid_t)pid, 0) != 0 && errno == ESRCH) {
            unlinkat(dirfd(dir), e->d_name, 0);
        }
    }
    closedir(dir);
}

char *nf_file_temporary(const char *path, struct nf_arena *arena)
{
    /* The host is part of the name: in a shared folder another host's process ids say nothing here. */
    char host[64] = "";
    if (gethostname(host, sizeof host - 1) != 0) {
        host[0] = '\0';
    }
    path = nf_file_target(path, arena);
    char *folder = folder_of(path, arena);
    char *prefix = nf_arena_printf(arena, ".%s.", base_of(path));
    char *suffix = nf_arena_printf(arena, "@%s.part", host);
    remove_stale(folder, prefix, suffix);
    return nf_arena_printf(arena, "%s/%s%ld%s", folder, prefix, (long)getpid(), suffix);
}

enum nf_status nf_file_check_target(const char *path, struct nf_diags *diags)
{
    struct nf_place nowhere = {0};
    struct stat st;
    bool is_there = stat(path, &st) == 0;
    if (!is_there && errno == ELOOP) {
        return add_errno(diags, nowhere, ELOOP, "write", path);
    }
    if (is_there && !S_ISREG(st.st_mode)) {
        return nf_diag_add(diags, NF_E_IO, nowhere, NULL, NULL,
                           "cannot write \"%s\": it exists and is not a regular file",
                           path);
    }
    if (is_there && ((st.st_mode & 0222) == 0 || access(path, W_OK) != 0)) {
        return nf_diag_add(diags, NF_E_IO, nowhere, NULL,
                           "chmod +w allows it to be replaced",
                           "cannot write \"%s\": it exists and is write-protected", path);
    }
    struct nf_arena scratch;
    nf_arena_init(&scratch);
    const char *target = nf_file_target(path, &scratch);
    const char *folder = folder_of(target, &scratch);
    enum nf_status status = NF_OK;
    if (base_of(target)[0] == '\0') {
        status = add_errno(diags, nowhere, EISDIR, "write", path);
    } else if (access(folder, W_OK | X_OK) != 0) {
        status = add_errno(diags, nowhere, errno, "write into the folder", folder);
    }
    nf_arena_fini(&scratch);
    return status;
}

/* fsync of a file or folder by name. 0 or errno. */
static int sync_path(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno;
    }
    /* EINVAL: a file system that cannot sync such an object (some do not sync folders). */
    int error = fsync(fd) != 0 && errno != EINVAL ? errno : 0;
    close(fd);
    return error;
}

enum nf_status nf_file_publish(const char *temporary, const char *path,
                               struct nf_diags *diags)
{
    struct nf_place nowhere = {0};
    enum nf_status status = nf_file_check_target(path, diags);
    if (status != NF_OK) {
        unlink(temporary);
        return status;
    }
    struct nf_arena scratch;
    nf_arena_init(&scratch);
    const char *target = nf_file_target(path, &scratch);
    const char *folder = folder_of(target, &scratch);
    int error = sync_path(temporary);
    if (error == 0 && rename(temporary, target) != 0) {
        error = errno;
    }
    if (error != 0) {
        unlink(temporary);
        status = add_errno(diags, nowhere, error, "write", path);
    } else if ((error = sync_path(folder)) != 0) {
        status = add_errno(diags, nowhere, error, "sync the folder", folder);
    }
    nf_arena_fini(&scratch);
    return status;
}
