#include "base/csv.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct nf_arena arena;
static struct nf_diags diags;
static char path[64];

static void set_up(void)
{
    nf_arena_init(&arena);
    nf_diags_init(&diags, &arena);
}

static void tear_down(void)
{
    (void)remove(path);
    nf_arena_fini(&arena);
}

static enum nf_status read_text(const char *text, size_t n, struct nf_csv *t)
{
    snprintf(path, sizeof path, "csv_test_%ld.csv",
             (long)getpid()); /* a process a test */
    FILE *f = fopen(path, "wb");
    cr_assert_not_null(f);
    cr_assert_eq(fwrite(text, 1, n, f), n);
    cr_assert_eq(fclose(f), 0);
    return nf_csv_read(path, (struct nf_place){NULL, 0, 0}, &arena, &diags, t);
}

static struct nf_csv good(const char *text)
{
    struct nf_csv t;
    cr_assert_eq(read_text(text, strlen(text), &t), NF_OK);
    return t;
}

static const struct nf_diag *bad(const char *text, enum nf_status code)
{
    struct nf_csv t;
    cr_assert_eq(read_text(text, strlen(text), &t), code);
    cr_assert(diags.count > 0);
    return &diags.items[0];
}

#define CSV_TEST(name) Test(csv, name, .init = set_up, .fini = tear_down)

CSV_TEST(columns_are_found_by_name_whatever_their_order)
{
    struct nf_csv t = good("m,n,latency_us\n1,512,3.5\n16384,7168,91.25\n");
    cr_assert_eq(t.rows, 2);
    cr_assert_eq(nf_csv_column(&t, "latency_us"), 2);
    cr_assert_eq(nf_csv_column(&t, "k"), -1);
    cr_assert_str_eq(nf_csv_cell(&t, 1, 1), "7168");
    double x = 0;
    cr_assert(nf_csv_number(&t, 1, 2, (struct nf_csv_range){0, 1e9}, &diags, &x));
    cr_assert_eq(x, 91.25);
}

CSV_TEST(quotes_hold_commas_quotes_and_line_ends)
{
    struct nf_csv t = good("a,\"b,\"\"c\"\nx,\"1,\n2\"\n\n\"\",\"\"\"\"\n");
    cr_assert_str_eq(t.names[1], "b,\"c");
    cr_assert_eq(t.rows, 2);
    cr_assert_str_eq(nf_csv_cell(&t, 0, 1), "1,\n2");
    cr_assert_str_eq(nf_csv_cell(&t, 1, 0), "");
    cr_assert_str_eq(nf_csv_cell(&t, 1, 1), "\"");
    cr_assert_eq(t.lines[0], 2);
    cr_assert_eq(t.lines[1], 5);
}

CSV_TEST(line_ends_marks_and_missing_last_ends_do_not_matter)
{
    struct nf_csv t = good("\xef\xbb\xbf"
                           "a,b\r\n1,\"2\"\r\n3,");
    cr_assert_str_eq(t.names[0], "a");
    cr_assert_str_eq(t.names[1], "b");
    cr_assert_eq(t.rows, 2);
    cr_assert_str_eq(nf_csv_cell(&t, 0, 1), "2");
    cr_assert_str_eq(nf_csv_cell(&t, 1, 1), "");
    cr_assert_eq(strlen(t.sha256), 64);
}

CSV_TEST(a_header_alone_has_no_rows)
{
    struct nf_csv t = good("a,b\n");
    cr_assert_eq(t.rows, 0);
}

CSV_TEST(what_is_wrong_is_told_with_its_line)
{
    cr_assert_eq(bad("", NF_E_SYNTAX)->place.line, 0);
    tear_down();
    set_up();
    cr_assert(strstr(bad("a,b,a\n", NF_E_SYNTAX)->message, "two columns"), "%s",
              diags.items[0].message);
    tear_down();
    set_up();
    cr_assert_eq(bad("a,b\n1,2\n\n3\n", NF_E_SYNTAX)->place.line, 4);
    tear_down();
    set_up();
    cr_assert_eq(bad("a,b\n1,2\n3,\"x\n\n", NF_E_SYNTAX)->place.line, 3);
    tear_down();
    set_up();
    cr_assert_eq(bad("a,b\n1,\"2\"3\n", NF_E_SYNTAX)->place.line, 2);
    tear_down();
    set_up();
    struct nf_csv t;
    cr_assert_eq(read_text("a,b\n1,\0\n", 9, &t), NF_E_SYNTAX);
}

CSV_TEST(a_file_that_is_not_there_is_an_io_error)
{
    struct nf_csv t;
    cr_assert_eq(nf_csv_read("no/such/file.csv", (struct nf_place){NULL, 0, 0}, &arena,
                             &diags, &t),
                 NF_E_IO);
}

CSV_TEST(rows_that_stand_twice_are_told)
{
    struct nf_csv t = good("m,s\n7,a\n7,b\n8,a\n7,a\n77,\n7,7\n7,a\n");
    cr_assert(!nf_csv_check_repeats(&t, &arena, &diags));
    cr_assert_eq(diags.errors, 2);
    cr_assert_eq(diags.items[0].place.line, 5);
    cr_assert_str_eq(diags.items[0].message, "row 4: row 1 again");
    cr_assert_str_eq(diags.items[1].message, "row 7: row 4 again");
    t = good("m,s\n1,\n,1\n");
    cr_assert(nf_csv_check_repeats(&t, &arena, &diags));
}

CSV_TEST(numbers_are_strict_and_bounded)
{
    struct nf_csv t = good("m,latency_us\n7,nan\n8,-1\n9,\n10,1e3\n");
    double x = 0;
    cr_assert(!nf_csv_number(&t, 0, 1, (struct nf_csv_range){0, 1e6}, &diags, &x));
    cr_assert_eq(diags.items[0].code, NF_E_TYPE);
    cr_assert_str_eq(diags.items[0].path, "latency_us");
    cr_assert_eq(diags.items[0].place.line, 2);
    cr_assert(!nf_csv_number(&t, 1, 1, (struct nf_csv_range){0, 1e6}, &diags, &x));
    cr_assert_eq(diags.items[1].code, NF_E_RANGE);
    cr_assert(!nf_csv_number(&t, 2, 1, (struct nf_csv_range){0, 1e6}, &diags, &x));
    cr_assert(nf_csv_number(&t, 3, 1, (struct nf_csv_range){0, 1e6}, &diags, &x));
    cr_assert_eq(x, 1000);
}
