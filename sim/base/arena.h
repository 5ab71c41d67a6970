/*
 * arena.h - bump allocation: many small objects that die together.
 *
 * What:   blocks of growing size; an allocation moves a pointer; all memory goes at once with nf_arena_fini.
 * Why:    no ownership questions inside one lifetime (program, scenario, one simulated world).
 * Cost:   a few ns an allocation; memory is zeroed.
 * Owner:  caller owns struct nf_arena. Under AddressSanitizer each object has a red zone.
 * Errors: never returns NULL (nf_out_of_memory).
 */
#ifndef NF_BASE_ARENA_H
#define NF_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

#include "base/status.h"

struct nf_arena_block;
struct nf_arena {
    struct nf_arena_block *head;
    size_t total_bytes; /* asked from the system so far */
};

void nf_arena_init(struct nf_arena *a);
void nf_arena_fini(struct nf_arena *a);

/* `size` bytes, zeroed, aligned for any object (16). size 0 gives a valid unique pointer. */
void *nf_arena_alloc(struct nf_arena *a, size_t size);

/* count * size bytes, zeroed; the product is checked for overflow. */
void *nf_arena_array(struct nf_arena *a, size_t count, size_t size);

/* A copy of the first n bytes of s, ended by NUL; and of a whole string; and a formatted text. */
char *nf_arena_strndup(struct nf_arena *a, const char *s, size_t n);
char *nf_arena_strdup(struct nf_arena *a, const char *s);
char *nf_arena_printf(struct nf_arena *a, const char *format, ...) NF_PRINTF(2, 3);
char *nf_arena_vprintf(struct nf_arena *a, const char *format, va_list args)
    NF_PRINTF(2, 0);

/* NF_NEW(arena, struct x): one zeroed object. */
#define NF_NEW(arena, type) ((type *)nf_arena_alloc((arena), sizeof(type)))
#define NF_NEW_ARRAY(arena, count, type)                                                 \
    ((type *)nf_arena_array((arena), (count), sizeof(type)))

/* Growable heap memory outside an arena (buffers, tables): as realloc/free, but never NULL. */
void *nf_mem_resize(void *old, size_t count, size_t size);
void nf_mem_free(void *p);

#endif
