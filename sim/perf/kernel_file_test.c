#include "perf/kernel_file.h"

#include <criterion/criterion.h>
#include <math.h>

static const struct nf_device h200 = {
    .name = "H200", .memory_bytes = 141e9, .multiprocessors = 132};

Test(kernel_file, sizes_are_read_from_a_shape)
{
    struct nf_kernel_row r = {.shape = "m=128 nn=3 n=4096 k=1e3 model=llama-3.1-8b x=-4"};
    struct nf_arena arena;
    double v = 0;
    nf_arena_init(&arena);
    cr_assert(nf_kernel_number(&r, "m", &v));
    cr_assert_eq(v, 128);
    cr_assert(nf_kernel_number(&r, "n", &v)); /* not nn */
    cr_assert_eq(v, 4096);
    cr_assert(nf_kernel_number(&r, "k", &v));
    cr_assert_eq(v, 1000);
    cr_assert_not(nf_kernel_number(&r, "x", &v)); /* no size is negative */
    cr_assert_not(nf_kernel_number(&r, "model", &v));
    cr_assert_not(nf_kernel_number(&r, "del", &v));
    cr_assert_str_eq(nf_kernel_word(&r, "model", &arena), "llama-3.1-8b");
    cr_assert_null(nf_kernel_word(&r, "llama", &arena));
    nf_arena_fini(&arena);
}

/* kernels/samples/good.csv: 31 rows of a made-up device. */
Test(kernel_file, a_whole_file_is_read_and_belongs_to_its_device_only)
{
    struct nf_arena arena;
    struct nf_diags diags;
    struct nf_kernel_file f;
    const char *path = NF_SOURCE_DIR "/kernels/samples/good.csv";
    nf_arena_init(&arena);
    nf_diags_init(&diags, &arena);
    cr_assert(nf_kernel_file_is(path));
    cr_assert_not(nf_kernel_file_is(NF_SOURCE_DIR "/README.md"));
    cr_assert_eq(nf_kernel_file_read(path, &arena, &diags, &f), NF_OK);
    cr_assert_eq(f.csv.rows, 31);
    cr_assert_str_eq(f.rows[2].shape, "m=1 n=28672 k=4096");
    cr_assert_float_eq(f.rows[2].seconds, 142.581e-6, 1e-15);
    cr_assert_not(f.rows[2].is_composed || f.rows[2].is_slowed || f.rows[2].is_hot);
    cr_assert(f.rows[30].is_composed);
    cr_assert_eq(nf_kernel_file_check_device(&f, &h200, &diags), NF_E_REFERENCE);
    struct nf_device a = {
        .name = "Sample-GPU-A", .memory_bytes = 6e10, .multiprocessors = 100};
    cr_assert_eq(nf_kernel_file_check_device(&f, &a, &diags), NF_OK);
    a.multiprocessors = 50;
    cr_assert_eq(nf_kernel_file_check_device(&f, &a, &diags), NF_E_IMPOSSIBLE);
    nf_arena_fini(&arena);
}
