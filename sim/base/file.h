/*
 * file.h - whole files in, whole files out: read a file with a size limit; publish a file only when it is complete.
 *
 * Why:    a killed program must leave the old complete file or nothing (write a temporary name in the same folder,
 *         fsync, rename, fsync the folder).
 * Errors: status plus an entry in diags with errno's text.
 */
#ifndef NF_BASE_FILE_H
#define NF_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/diag.h"

/* What a file holds: data[0..length), and a NUL behind it. */
struct nf_file_bytes {
    const char *data;
    size_t length;
};

/* Read all of `path` into the arena. Larger than `max_bytes`: NF_E_LIMIT. Not there or unreadable: NF_E_IO. A named pipe
 * without a writer: NF_E_USAGE after 0.3 s. `from` is the place that named the file (or all zero). *out is set only when
 * the status is NF_OK. A file that grows meanwhile is read as long as it was at the start. */
NF_MUST_CHECK enum nf_status nf_file_read(const char *path, size_t max_bytes,
                                          struct nf_place from, struct nf_arena *arena,
                                          struct nf_diags *diags,
                                          struct nf_file_bytes *out);

/* Do both names lead to the same file, links followed? False when one of them leads nowhere. */
bool nf_file_is_same(const char *a, const char *b);

/* Where a file written to `path` goes: `path`, or the end of the symbolic links that it is. What ends nowhere may be made there. */
const char *nf_file_target(const char *path, struct nf_arena *arena);

/* Can nf_file_publish put a file at `path`? NF_E_IO when its folder is missing or not writable, when a file there is
 * write-protected (also for root: who took the permission away wants to keep it), or when something other than a regular
 * file stands there (/dev/null must not be replaced). Asked before hours of simulation, not after. */
NF_MUST_CHECK enum nf_status nf_file_check_target(const char *path,
                                                  struct nf_diags *diags);

/* The temporary name to write instead of `path`: folder of its target, hidden, with process id and host. Also removes such
 * temporaries of the same `path` and host whose process is gone. */
char *nf_file_temporary(const char *path, struct nf_arena *arena);

/* fsync `temporary`, rename it to the target of `path` (a symbolic link stays one), fsync the folder. On failure the temporary is
 * removed. */
NF_MUST_CHECK enum nf_status nf_file_publish(const char *temporary, const char *path,
                                             struct nf_diags *diags);

#endif
