#include "scenario/trace.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct nf_arena arena;
static struct nf_diags diags;
static char path[32];

/* Also starts afresh in the middle of a test. */
static void setup(void)
{
    nf_arena_fini(&arena);
    nf_arena_init(&arena);
    nf_diags_init(&diags, &arena);
}

static void teardown(void)
{
    nf_arena_fini(&arena);
    unlink(path);
}

TestSuite(trace, .init = setup, .fini = teardown, .timeout = 60);

static enum nf_status read_text(const char *text, const struct nf_trace_options *o,
                                struct nf_trace *out)
{
    unlink(path);
    (void)snprintf(path, sizeof path, "/tmp/nf_trace_XXXXXX");
    int fd = mkstemp(path);
    cr_assert(fd >= 0);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    return nf_trace_read(path, o, &arena, &diags, out);
}

static const struct nf_trace_options azure = {
    NF_TRACE_AZURE_LLM, 1, 0, NF_TIME_NEVER, {"t.yaml", 3, 5}, "traffic.x.arrivals.file"};
static const struct nf_trace_options csv = {
    NF_TRACE_CSV, 1, 0, NF_TIME_NEVER, {"t.yaml", 3, 5}, "traffic.x.arrivals.file"};

static void expect(int i, int line, int col, const char *part)
{
    cr_assert(i < diags.count);
    cr_assert_eq(diags.items[i].code, NF_E_TRACE);
    cr_assert_eq(diags.items[i].place.line, line, "%s", diags.items[i].message);
    cr_assert_eq(diags.items[i].place.col, col, "%s: col %d", diags.items[i].message,
                 diags.items[i].place.col);
    cr_assert_not_null(strstr(diags.items[i].message, part), "%s",
                       diags.items[i].message);
}

Test(trace, azure_times_are_exact_and_relative_to_the_first_row)
{
    struct nf_trace t;
    cr_assert_eq(read_text("GeneratedTokens,TIMESTAMP,Other,ContextTokens\r\n"
                           "10,2023-12-31 23:59:59.9799600,x,4808\r\n"
                           "8,2024-01-01T00:00:00.0319601Z,y,3180\n"
                           "7,2024-02-29 13:00:00+01:00,z,2\n",
                           &azure, &t),
                 NF_OK);
    cr_assert_eq(t.count, 3);
    cr_assert(t.has_tokens);
    cr_assert_eq(t.rows[0].at, 0);
    cr_assert_eq(t.rows[0].input_tokens, 4808);
    cr_assert_eq(t.rows[1].at, 52000100);
    cr_assert_eq(t.rows[1].output_tokens, 8);
    /* 31 days of January, 28 of February, 12 h, and what was left of December */
    cr_assert_eq(t.rows[2].at, (59 * INT64_C(86400) + 12 * 3600) * NF_SECOND + 20040000);
}

Test(trace, speed_offset_and_end_choose_rows)
{
    struct nf_trace t;
    struct nf_trace_options o = {NF_TRACE_CSV,     2,    1.5, 4 * NF_SECOND,
                                 {"t.yaml", 3, 5}, "a.b"};
    cr_assert_eq(
        read_text("arrival_s\n0.5\n1.9\n2.0\n3\n8.5\n10.000000001\n11\n", &o, &t), NF_OK);
    /* behind 0.5 + 1.5 s: 2.0, 3, 8.5, ...; halved: 0, 0.5, 3.25, 4.0000000005 (too late) */
    cr_assert_eq(t.count, 3);
    cr_assert_eq(t.in_file, 7);
    cr_assert(!t.has_tokens);
    cr_assert_eq(t.rows[0].at, 0);
    cr_assert_eq(t.rows[1].at, NF_SECOND / 2);
    cr_assert_eq(t.rows[2].at, 3250000000);
}

Test(trace, every_wrong_row_is_told_with_its_place)
{
    struct nf_trace t;
    cr_assert_eq(read_text("TIMESTAMP,ContextTokens,GeneratedTokens\n"
                           "2023-11-16 18:17:03.97,5,7\n"
                           "2023-11-31 18:17:03.97,5,7\n"
                           "2023-11-16 18:17:04,5\n"
                           "2023-11-16 18:17:04,-5,7.5\n"
                           "2023-11-16 18:17:02,5,7\n"
                           "garbage\n"
                           "2023-11-16 18:17:05,5,0\n",
                           &azure, &t),
                 NF_E_TRACE);
    cr_assert_eq(diags.errors, 7);
    expect(0, 3, 1, "expected a time such as");
    expect(1, 4, 1, "too few columns");
    expect(2, 5, 21, "number of tokens");
    expect(3, 5, 24, "number of tokens");
    expect(4, 6, 1, "order of time");
    expect(5, 7, 1, "too few columns");
    expect(6, 8, 23, "at least 1");
    cr_assert_str_eq(diags.items[0].path, "traffic.x.arrivals.file");
}

Test(trace, missing_columns_and_empty_files_are_told)
{
    struct nf_trace t;
    cr_assert_eq(read_text("TIMESTAMP,ContextToken,GeneratedTokens\n1,2,3\n", &azure, &t),
                 NF_E_TRACE);
    expect(0, 1, 1, "needs the column \"ContextTokens\"");
    cr_assert_str_eq(diags.items[0].hint, "the header has \"ContextToken\"");
    setup();
    cr_assert_eq(read_text("arrival_s\n", &csv, &t), NF_E_TRACE);
    expect(0, 1, 1, "no rows");
    setup();
    cr_assert_eq(read_text("", &csv, &t), NF_E_TRACE);
    expect(0, 1, 1, "no rows");
}

/* One message, not one for each column. */
Test(trace, another_kind_of_file_is_told_once)
{
    struct nf_trace t;
    static const struct {
        const char *text, *hint;
    } cases[] = {{"TIMESTAMP;ContextTokens;GeneratedTokens\n2023;5;6\n", "commas"},
                 {"2023-11-16 18:17:03,5,6\n", "names of the columns is missing"},
                 {"a,b\n", ""}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        setup();
        cr_assert_eq(read_text(cases[i].text, &azure, &t), NF_E_TRACE);
        cr_assert_eq(diags.errors, 1);
        expect(0, 1, 1, "TIMESTAMP, ContextTokens and GeneratedTokens; found \"");
        cr_assert_not_null(strstr(diags.items[0].hint, cases[i].hint));
    }
}

Test(trace, an_offset_behind_the_last_row_is_told_where_the_file_is_named)
{
    struct nf_trace t;
    struct nf_trace_options o = csv;
    o.offset_s = 12;
    cr_assert_eq(read_text("arrival_s\n0.5\n3\n", &o, &t), NF_E_IMPOSSIBLE);
    cr_assert_str_eq(diags.items[0].message,
                     "no row of the trace lies behind the offset of 12 s: its last one "
                     "comes after 2.5 s");
    cr_assert_str_eq(diags.items[0].place.file, o.from.file);
    cr_assert_eq(diags.items[0].place.line, o.from.line);
}

Test(trace, a_missing_file_is_told_where_it_is_named)
{
    struct nf_trace t;
    cr_assert_eq(nf_trace_read("/nonexistent.csv", &csv, &arena, &diags, &t),
                 NF_E_REFERENCE);
    cr_assert_eq(diags.items[0].place.line, 3);
    cr_assert_eq(nf_trace_read("/tmp", &csv, &arena, &diags, &t), NF_E_REFERENCE);
}

Test(trace, seconds_may_have_exponents_but_not_signs_or_infinity)
{
    struct nf_trace t;
    cr_assert_eq(
        read_text(
            "arrival_s,input_tokens,output_tokens\n0,1,1\n1.5e1,2,3\n-1,1,1\ninf,1,1\n"
            "1e99,1,1\n,1,1\n",
            &csv, &t),
        NF_E_TRACE);
    cr_assert_eq(diags.errors, 4);
    expect(0, 4, 1, "expected seconds");
}

/* ---- mooncake ---- */

static const struct nf_trace_options mooncake = {
    NF_TRACE_MOONCAKE, 1, 0, NF_TIME_NEVER, {"t.yaml", 3, 5}, "traffic.x.arrivals.file"};

/* The first row is cut off by the offset; the third has no names. */
Test(trace, mooncake_rows_bring_the_names_of_their_starts)
{
    struct nf_trace t;
    struct nf_trace_options o = mooncake;
    o.offset_s = 0.5;
    cr_assert_eq(
        read_text(
            "{\"timestamp\": 0, \"input_length\": 1, \"output_length\": 1, "
            "\"hash_ids\": [3]}\n"
            "{\"output_length\": 52, \"timestamp\": 1500, \"hash_ids\": [7, 8, 9], "
            "\"input_length\": 1025, \"other\": null}\n"
            "{\"timestamp\": 1500.25, \"input_length\": 512, \"output_length\": 2}\n"
            "{\"timestamp\": 2000, \"input_length\": 512, \"output_length\": 2, "
            "\"hash_ids\": [7]}\n",
            &o, &t),
        NF_OK);
    cr_assert_eq(t.count, 3);
    cr_assert_eq(t.in_file, 4);
    cr_assert(t.has_tokens);
    cr_assert_eq(t.rows[1].at, 250000);
    cr_assert_eq(t.rows[0].input_tokens, 1025);
    cr_assert_eq(t.names->tokens, 512);
    cr_assert_eq(t.names->first[0], 0);
    cr_assert_eq(t.names->first[1], 3);
    cr_assert_eq(t.names->first[2], 3);
    cr_assert_eq(t.names->first[3], 4);
    cr_assert_eq(t.names->names[0], t.names->names[3]);
    cr_assert_neq(t.names->names[0], t.names->names[1]);
}

Test(trace, mooncake_mistakes_are_told_by_line)
{
    struct nf_trace t;
    cr_assert_eq(
        read_text("{\"timestamp\": 5, \"input_length\": 513, \"output_length\": 1, "
                  "\"hash_ids\": [3]}\n"
                  "{\"timestamp\": 5, \"input_length\": 0, \"output_length\": 1}\n"
                  "{\"timestamp\": -5, \"input_length\": 1, \"output_length\": 1}\n"
                  "{\"timestamp\": 5, \"input_length\": 1, \"output_length\": 1\n"
                  "{\"timestamp\": 5, \"input_length\": 1, \"output_length\": 1}\n"
                  "{\"timestamp\": 4, \"input_length\": 1, \"output_length\": 1}\n"
                  "timestamp,input_length\n"
                  "{\"timestamp\": 9, \"input_length\": 1, \"output_length\": 1, "
                  "\"hash_ids\": [1.5]}\n",
                  &mooncake, &t),
        NF_E_TRACE);
    expect(0, 1, 1, "one for each 512 tokens");
    expect(1, 2, 1, "\"input_length\"");
    expect(2, 3, 1, "\"timestamp\" in milliseconds");
    expect(3, 4, 1, "not JSON");
    expect(4, 6, 1, "in order of time");
    expect(5, 7, 1, "not JSON");
    expect(6, 8, 1, "whole numbers");
    cr_assert_eq(diags.count, 7);
}
