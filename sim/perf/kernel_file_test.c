#include "perf/kernel_file.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

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
    cr_assert_not(f.rows[2].is_composed || f.rows[2].is_throttled || f.rows[2].is_hot);
    cr_assert(f.rows[30].is_composed);
    cr_assert_eq(nf_kernel_file_check_device(&f, &h200, &diags), NF_E_REFERENCE);
    struct nf_device a = {
        .name = "Sample-GPU-A", .memory_bytes = 6e10, .multiprocessors = 100};
    cr_assert_eq(nf_kernel_file_check_device(&f, &a, &diags), NF_OK);
    a.memory_bytes = 6e10 / 1.16; /* as an H100 NVL is beside an H100 */
    cr_assert_eq(nf_kernel_file_check_device(&f, &a, &diags), NF_E_IMPOSSIBLE);
    a.memory_bytes = 6e10 / 0.92; /* as an L4 keeps some for itself */
    cr_assert_eq(nf_kernel_file_check_device(&f, &a, &diags), NF_OK);
    f.memory_bytes = (double)NAN; /* an empty cell */
    cr_assert_eq(nf_kernel_file_check_device(&f, &a, &diags), NF_E_IMPOSSIBLE);
    f.memory_bytes = 6e10;
    a.multiprocessors = 50;
    cr_assert_eq(nf_kernel_file_check_device(&f, &a, &diags), NF_E_IMPOSSIBLE);
    nf_arena_fini(&arena);
}

/* 60 000 rows took 50 s when each was held against all before it. */
Test(kernel_file, many_rows_are_read_in_a_moment_and_one_twice_is_found, .timeout = 20)
{
    struct nf_arena arena;
    struct nf_diags diags;
    struct nf_kernel_file f;
    struct nf_text text = {0};
    enum { ROWS = 60000 };
    const char *path = "kernel_file_test_many.csv";
    nf_arena_init(&arena);
    nf_diags_init(&diags, &arena);
    nf_text_add(&text,
                "# nearfar-kernels measurements 1\nkind,op,version,dtype,shape,cache,"
                "samples,median_us,q1_us,q3_us,flop,bytes,tflops,gbps,flags,device,"
                "sm_count,mem_bytes,driver,toolkit,code\n");
    for (int i = 0; i < ROWS; i++) {
        nf_text_add(&text, "op,gemm,mma,bf16,");
        if (i + 1 < ROWS) {
            nf_text_printf(&text, "m=%d n=7", i);
        } else {
            nf_text_add(&text, "n=7 m=0"); /* the first again */
        }
        nf_text_add(&text, ",rotated,30,5,4,6,,,,,steady,A,1,1e9,1,13.0,x\n");
    }
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < text.length; i++) {
        hash = (hash ^ (unsigned char)text.data[i]) * UINT64_C(0x100000001b3);
    }
    nf_text_printf(&text, "# end rows=%d fnv1a=%016llx\n", ROWS,
                   (unsigned long long)hash);
    FILE *out = fopen(path, "wb");
    cr_assert_not_null(out);
    cr_assert_eq(fwrite(text.data, 1, text.length, out), text.length);
    cr_assert_eq(fclose(out), 0);
    cr_assert_eq(nf_kernel_file_read(path, &arena, &diags, &f), NF_E_KEY);
    cr_assert_eq(diags.errors, 1);
    cr_assert(strstr(diags.items[0].message, "row 60000: the measurement of row 1 again"),
              "%s", diags.items[0].message);
    (void)remove(path);
    nf_text_fini(&text);
    nf_arena_fini(&arena);
}
