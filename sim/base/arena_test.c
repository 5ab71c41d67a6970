/* arena_test.c - alignment, zeroes, growth, texts; under AddressSanitizer also the red zones. */
#include "base/arena.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

Test(arena, objects_are_aligned_zeroed_and_apart)
{
    struct nf_arena a;
    nf_arena_init(&a);
    unsigned char *last = NULL;
    size_t last_size = 0;
    for (size_t size = 0; size < 3000; size += 37) {
        unsigned char *p = nf_arena_alloc(&a, size);
        cr_assert_eq((uintptr_t)p % 16, 0, "size %zu", size);
        cr_assert(p != last);
        for (size_t i = 0; i < size; i++) {
            cr_assert_eq(p[i], 0, "byte %zu of %zu", i, size);
        }
        memset(p, 0xA5, size);
        for (size_t i = 0; i < last_size; i++) {
            cr_assert_eq(last[i], 0xA5, "the object before was written over");
        }
        last = p;
        last_size = size;
    }
    nf_arena_fini(&a);
    cr_assert_null(a.head);
    cr_assert_eq(a.total_bytes, 0);
}

Test(arena, a_large_object_does_not_end_the_current_block)
{
    struct nf_arena a;
    nf_arena_init(&a);
    nf_arena_alloc(
        &a,
        4000); /* a block behind the current one: under LeakSanitizer its loss would show */
    char *before = nf_arena_alloc(&a, 240);
    size_t first = a.total_bytes;
    char *large = nf_arena_alloc(&a, 5000000);
    large[4999999] = 'x';
    char *after = nf_arena_alloc(&a, 24);
    cr_assert(after > before && after - before < 4096, "small objects stay together");
    cr_assert(a.total_bytes >= first + 5000000);
    nf_arena_fini(&a);
}

Test(arena, many_objects_need_few_blocks)
{
    struct nf_arena a;
    nf_arena_init(&a);
    for (int i = 0; i < 100000; i++) {
        *(int *)nf_arena_alloc(&a, 48) = i;
    }
    cr_assert(a.total_bytes < 3u * 100000u * 80u, "%zu bytes", a.total_bytes);
    nf_arena_fini(&a);
}

Test(arena, texts_are_copied_and_formatted)
{
    struct nf_arena a;
    nf_arena_init(&a);
    cr_assert_str_eq(nf_arena_strdup(&a, "edge"), "edge");
    cr_assert_str_eq(nf_arena_strndup(&a, "edge-node", 4), "edge");
    cr_assert_str_eq(nf_arena_strndup(&a, NULL, 0), "");
    cr_assert_str_eq(nf_arena_printf(&a, "%s[%d]", "shop", 7), "shop[7]");
    char *long_text = nf_arena_printf(&a, "%0*d", 9001, 5);
    cr_assert_eq(strlen(long_text), 9001);
    nf_arena_fini(&a);
}

Test(arena, resize_keeps_the_content)
{
    int *p = nf_mem_resize(NULL, 3, sizeof *p);
    p[0] = 13;
    p[2] = 37;
    p = nf_mem_resize(p, 30000, sizeof *p);
    cr_assert_eq(p[0] + p[2], 50);
    p = nf_mem_resize(p, 0, sizeof *p);
    cr_assert_not_null(p);
    nf_mem_free(p);
    nf_mem_free(NULL);
}

#if defined(__SANITIZE_ADDRESS__)
Test(arena, bytes_around_an_object_are_poisoned)
{
    struct nf_arena a;
    nf_arena_init(&a);
    char *p = nf_arena_alloc(&a, 21);
    char *q = nf_arena_alloc(&a, 5);
    cr_assert(!__asan_address_is_poisoned(p + 20));
    cr_assert(__asan_address_is_poisoned(p + 21));
    cr_assert(__asan_address_is_poisoned(q - 1));
    cr_assert(__asan_address_is_poisoned(q + 5));
    cr_assert(__asan_address_is_poisoned(q + 60));
    nf_arena_fini(&a);
}
#endif
