#include "cli/run_summary.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "cli/columns.h"

static struct nf_arena arena;

static void start(void)
{
    nf_arena_init(&arena);
}

static void stop(void)
{
    nf_arena_fini(&arena);
}

TestSuite(columns, .init = start, .fini = stop);
TestSuite(run_summary, .init = start, .fini = stop);

Test(columns, cells_line_up_and_unused_columns_go)
{
    struct nf_columns t;
    nf_columns_init(&t, "lrrl", &arena);
    static const char *const cells[] = {"name", "n",  "gone", "text", "a", "12 \u00b1 3",
                                        "",     "xy", "long", "7",    "",  ""};
    for (size_t i = 0; i < 12; i++) {
        nf_columns_cell(&t, "%s", cells[i]);
    }
    struct nf_text out = {0};
    nf_columns_print(&t, 2, &out);
    cr_assert_str_eq(out.data, "  name       n  text\n"
                               "  a     12 \u00b1 3  xy\n"
                               "  long       7\n");
    nf_text_fini(&out);
}

static void expect_time(double value, double half, const char *text)
{
    const char *got = nf_run_time((struct nf_estimate){value, half}, &arena);
    cr_assert(strcmp(got, text) == 0, "%g +- %g is shown as \"%s\", expected \"%s\"",
              value, half, got, text);
}

Test(run_summary, times_have_the_unit_of_their_size_and_the_digits_of_their_half_width)
{
    expect_time(10.0234, 0.1134, "10.02 \u00b1 0.11 s");
    expect_time(0.0652178, 0.000123, "65.22 \u00b1 0.12 ms");
    expect_time(0.0652178, (double)NAN, "65.22 ms");
    expect_time(4.25e-6, (double)NAN, "4.250 us");
    expect_time(0.9013e-9, (double)NAN, "0.9013 ns");
    expect_time(999.4e-9, (double)NAN, "999.4 ns");
    expect_time(1234.56, (double)NAN, "1235 s");
    expect_time(1234.56, 98.7, "1235 \u00b1 99 s");
    expect_time(0.0, 0.0, "0 s");
    expect_time(0.0, (double)NAN, "0 s");
    expect_time((double)NAN, (double)NAN, "-");
}

Test(run_summary, counts_are_grouped_by_thousands)
{
    cr_assert_str_eq(nf_run_count(0, &arena), "0");
    cr_assert_str_eq(nf_run_count(999, &arena), "999");
    cr_assert_str_eq(nf_run_count(1000, &arena), "1,000");
    cr_assert_str_eq(nf_run_count(12345678901, &arena), "12,345,678,901");
}

/* The summary of a run of one pool. */
static bool says_hunts(double cold_starts, double replicas_max)
{
    const struct nf_estimate none = {(double)NAN, (double)NAN};
    struct nf_group_report pool = {.name = "pool",
                                   .tier = NF_TIER_CLOUD,
                                   .copies = 1,
                                   .cold_starts = {cold_starts, (double)NAN},
                                   .replicas_max = {replicas_max, (double)NAN},
                                   .prefix_hit_rate = none};
    struct nf_report report = {
        .scenario = "s", .replications = 1, .group_count = 1, .groups = &pool};
    struct nf_run_facts facts = {.description = "", .scenario_path = "s.yaml"};
    struct nf_text out = {0};
    nf_run_print(&report, &facts, &arena, &out);
    bool says = strstr(out.data, "pool hunts: ") != NULL;
    nf_text_fini(&out);
    return says;
}

Test(run_summary, a_pool_that_starts_its_replicas_again_and_again_is_told)
{
    cr_assert(says_hunts(115, 17));
    cr_assert(says_hunts(34, 17));
    cr_assert(!says_hunts(33, 17)); /* grew once, and once in part */
    cr_assert(!says_hunts(15, 13));
    cr_assert(!says_hunts(0, 4));
    cr_assert(!says_hunts(40, 1)); /* scales to zero and back */
}
