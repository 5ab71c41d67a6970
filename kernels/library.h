/*
 * library.h - a vendor's library, opened when the program runs.
 *
 * Why:    the program starts, and says what it leaves out, on machines that lack the library.
 * How:    by its plain name (the loader's own path), then in the folders that the toolkit had when this was
 *         built, then under CUDA_HOME.
 * Errors: false, with a sentence in `why`.
 */
#ifndef NF_KERNELS_LIBRARY_H
#define NF_KERNELS_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { NF_WHY = 160 };

/* NULL with the reason in `why`. The library stays open to the end of the process. */
void *nf_library_open(const char *name, char (*why)[NF_WHY]);

/* Address of `symbol` into the pointer to a function at `function`. */
bool nf_library_find(void *library, const char *symbol, void *function,
                     char (*why)[NF_WHY]);

#ifdef __cplusplus
}
#endif
#endif
