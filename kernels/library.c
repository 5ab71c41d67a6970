#include "library.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef NF_LIBRARY_FOLDERS
#define NF_LIBRARY_FOLDERS ""
#endif

static void *open_in(const char *folder, size_t length, const char *below,
                     const char *name)
{
    char path[1024];
    int n = snprintf(path, sizeof path, "%.*s%s/%s", (int)length, folder, below, name);
    return length > 0 && n > 0 && n < (int)sizeof path
               ? dlopen(path, RTLD_NOW | RTLD_LOCAL)
               : NULL;
}

void *nf_library_open(const char *name, char (*why)[NF_WHY])
{
    void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    for (const char *at = NF_LIBRARY_FOLDERS; !library && *at;) {
        size_t length = strcspn(at, ":");
        library = open_in(at, length, "", name);
        at += length + (at[length] == ':');
    }
    const char *home = getenv("CUDA_HOME");
    if (!library && home) {
        library = open_in(home, strlen(home), "/lib64", name);
    }
    if (!library) {
        (void)snprintf(*why, sizeof *why, "%s cannot be loaded on this machine", name);
    }
    return library;
}

bool nf_library_find(void *library, const char *symbol, void *function,
                     char (*why)[NF_WHY])
{
    void *address = library ? dlsym(library, symbol) : NULL;
    /* POSIX guarantees that a function's address fits; memcpy says so without a cast unknown to ISO C. */
    memcpy(function, &address, sizeof address);
    if (!address && library) {
        (void)snprintf(*why, sizeof *why, "the library has no function %s", symbol);
    }
    return address != NULL;
}
