/* A file as text and tree. */
#include <errno.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/hash.h"
#include "scenario/yaml.h"

enum nf_status nf_yaml_read(const char *path, struct nf_place from,
                            struct nf_arena *arena, struct nf_diags *diags,
                            struct nf_yaml_file *out)
{
    *out = (struct nf_yaml_file){.path = nf_arena_strdup(arena, path)};
    struct stat st = {0};
    if (from.line == 0) {
        from.file = out->path;
    }
    if (stat(path, &st) != 0 && (errno == ENOENT || errno == ENOTDIR)) {
        return nf_diag_add(diags, NF_E_USAGE, from, NULL, NULL, "there is no file \"%s\"",
                           path);
    }
    if (S_ISDIR(st.st_mode)) {
        return nf_diag_add(diags, NF_E_USAGE, from, NULL, NULL, "\"%s\" is a folder",
                           path);
    }
    struct nf_file_bytes file;
    enum nf_status s = nf_file_read(path, NF_YAML_BYTES_MAX, from, arena, diags, &file);
    if (s != NF_OK) {
        return s;
    }
    out->text = file.data;
    out->length = file.length;
    struct nf_sha256 h;
    nf_sha256_init(&h);
    nf_sha256_add(&h, out->text, out->length);
    nf_sha256_hex(&h, out->sha256);
    return nf_yaml_parse(out->path, out->text, out->length, arena, diags, &out->root);
}
