/* arena.c - see arena.h. A list of blocks; the head is the one being filled. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define NF_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define NF_ASAN 1
#endif
#endif

#if defined(NF_ASAN)
#include <sanitizer/asan_interface.h>
enum { RED_ZONE = 32 };
#define POISON(p, n)   __asan_poison_memory_region((p), (n))
#define UNPOISON(p, n) __asan_unpoison_memory_region((p), (n))
#else
enum { RED_ZONE = 0 };
#define POISON(p, n)   ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#endif

enum { ALIGN = 16, FIRST_BLOCK = 4096, LARGEST_BLOCK = 1 << 20 };

struct nf_arena_block {
    struct nf_arena_block *next;
    size_t size, used; /* of the bytes behind this header */
    size_t unused;     /* keeps the header a multiple of ALIGN */
};
_Static_assert(sizeof(struct nf_arena_block) % ALIGN == 0,
               "objects behind the header must be aligned");

static char *block_bytes(struct nf_arena_block *b)
{
    return (char *)(b + 1);
}

void nf_arena_init(struct nf_arena *a)
{
    a->head = NULL;
    a->total_bytes = 0;
}

void nf_arena_fini(struct nf_arena *a)
{
    struct nf_arena_block *b = a->head;
    while (b != NULL) {
        struct nf_arena_block *next = b->next;
        UNPOISON(block_bytes(b), b->size);
        free(b);
        b = next;
    }
    nf_arena_init(a);
}

/* A block with room for `need` bytes. calloc, so that fresh blocks cost no clearing of their own. */
static struct nf_arena_block *block_new(struct nf_arena *a, size_t need, size_t wanted)
{
    size_t size = need > wanted ? need : wanted;
    size_t total = sizeof(struct nf_arena_block) + size;
    struct nf_arena_block *b = calloc(1, total);
    if (b == NULL) {
        nf_out_of_memory(total);
    }
    b->size = size;
    a->total_bytes += total;
    POISON(block_bytes(b), size);
    return b;
}

static struct nf_arena_block *block_with_room(struct nf_arena *a, size_t need)
{
    struct nf_arena_block *head = a->head;
    if (head != NULL && head->size - head->used >= need) {
        return head;
    }
    size_t wanted = head == NULL ? FIRST_BLOCK : 2 * head->size;
    if (wanted > LARGEST_BLOCK) {
        wanted = LARGEST_BLOCK;
    }
    struct nf_arena_block *b = block_new(a, need, wanted);
    if (head != NULL && need > wanted) {
        /* One large object fills its own block; the head still has room for small ones. */
        b->next = head->next;
        head->next = b;
    } else {
        b->next = head;
        a->head = b;
    }
    return b;
}

void *nf_arena_alloc(struct nf_arena *a, size_t size)
{
    if (size > SIZE_MAX / 4) {
        nf_out_of_memory(size);
    }
    size_t need = (size + (ALIGN - 1)) & ~(size_t)(ALIGN - 1);
    if (need == 0) {
        need = ALIGN;
    }
    need += RED_ZONE;
    struct nf_arena_block *b = block_with_room(a, need);
    char *p = block_bytes(b) + b->used;
    b->used += need;
    UNPOISON(p, size);
    return p;
}

void *nf_arena_array(struct nf_arena *a, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size) {
        nf_out_of_memory(SIZE_MAX);
    }
    return nf_arena_alloc(a, count * size);
}

char *nf_arena_strndup(struct nf_arena *a, const char *s, size_t n)
{
    char *copy = nf_arena_alloc(a, n + 1);
    if (n > 0) {
        memcpy(copy, s, n);
    }
    return copy;
}

char *nf_arena_strdup(struct nf_arena *a, const char *s)
{
    return nf_arena_strndup(a, s, strlen(s));
}

char *nf_arena_vprintf(struct nf_arena *a, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    NF_ASSERT(n >= 0);
    char *text = nf_arena_alloc(a, (size_t)n + 1);
    vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    return text;
}

char *nf_arena_printf(struct nf_arena *a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = nf_arena_vprintf(a, format, args);
    va_end(args);
    return text;
}

void *nf_mem_resize(void *old, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size) {
        nf_out_of_memory(SIZE_MAX);
    }
    size_t bytes = count * size;
    void *p = realloc(old, bytes == 0 ? 1 : bytes);
    if (p == NULL) {
        nf_out_of_memory(bytes);
    }
    return p;
}

void nf_mem_free(void *p)
{
    free(p);
}
