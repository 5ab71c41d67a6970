/* text_test.c - buffer, escapes, nearest word, strict numbers. */
#include "base/text.h"

#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

Test(text, grows_and_stays_terminated)
{
    struct nf_text t = {0};
    for (int i = 0; i < 1000; i++) {
        nf_text_add(&t, "abc");
        nf_text_printf(&t, "%d,", i);
    }
    cr_assert_eq(t.length, strlen(t.data));
    cr_assert_eq(t.length, 3000u + 10 * 2 + 90 * 3 + 900 * 4);
    nf_text_add_n(&t, "xyz", 1);
    cr_assert_eq(t.data[t.length - 1], 'x');
    nf_text_fini(&t);
    cr_assert_null(t.data);
}

static void check_escaped(const char *raw, size_t n, const char *expected)
{
    struct nf_text t = {0};
    nf_text_add_escaped(&t, raw, n);
    cr_assert_str_eq(t.data, expected);
    nf_text_fini(&t);
}

Test(text, escapes_what_a_terminal_should_not_see)
{
    check_escaped("plain \xC3\xA9 \xE2\x82\xAC", 12, "plain \xC3\xA9 \xE2\x82\xAC");
    check_escaped("\x1B[31m\n\t\r\0z", 10, "\\x1B[31m\\n\\t\\r\\x00z");
    check_escaped("\xC2\x9B", 2, "\\u{009B}");           /* C1: CSI in one character */
    check_escaped("\xE2\x80\xAE", 3, "\\u{202E}");       /* right-to-left override */
    check_escaped("\xFF\xC3", 2, "\\xFF\\xC3");          /* not UTF-8 */
    check_escaped("\xC0\xAF", 2, "\\xC0\\xAF");          /* overlong */
    check_escaped("\xED\xA0\x80", 3, "\\xED\\xA0\\x80"); /* surrogate */
    check_escaped("", 0, "");
}

Test(text, utf8_lengths)
{
    uint32_t c = 0;
    cr_assert_eq(nf_text_utf8("\xF0\x9F\x98\x80", 4, &c), 4);
    cr_assert_eq(c, 0x1F600);
    cr_assert_eq(nf_text_utf8("\xF0\x9F\x98\x80", 3, &c), 0);
    cr_assert_eq(nf_text_utf8("\xF4\x90\x80\x80", 4, &c), 0);
    cr_assert_eq(nf_text_utf8("\xE0\x80\x80", 3, &c), 0);
    cr_assert_eq(nf_text_utf8("", 0, &c), 0);
}

static const char *const policies[] = {"edge-only", "cloud-only", "spillover",
                                       "least-queue", NULL};
static const char *const units[] = {"ns", "us", "ms", "s", "min", "mW", NULL};

Test(text, nearest_word_is_found)
{
    cr_assert_str_eq(nf_text_nearest("egde-only", policies), "edge-only");
    cr_assert_str_eq(nf_text_nearest("Spilover", policies), "spillover");
    cr_assert_str_eq(nf_text_nearest("leastqueue", policies), "least-queue");
    cr_assert_str_eq(nf_text_nearest("mni", units), "min");
    cr_assert_str_eq(nf_text_nearest("MS", units), "ms");
    cr_assert_str_eq(nf_text_nearest("MW", units), "mW");
}

Test(text, nothing_is_suggested_for_a_foreign_word)
{
    cr_assert_null(nf_text_nearest("round-robin", policies));
    cr_assert_null(nf_text_nearest("x", units));
    cr_assert_null(nf_text_nearest("", units));
    char word[300];
    memset(word, 's', sizeof word - 1);
    word[sizeof word - 1] = '\0';
    cr_assert_null(nf_text_nearest(word, units));
}

Test(text, strict_doubles)
{
    static const char *const good[] = {"0",   "-0",   "1",       "+1.5",  "0.25",
                                       "1e3", "1E-3", "12.5e+2", "1e-320"};
    static const double value[] = {0, 0, 1, 1.5, 0.25, 1000, 0.001, 1250, 1e-320};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        double x = 99;
        cr_assert(nf_text_double(good[i], &x), "%s", good[i]);
        cr_assert_eq(x, value[i], "%s", good[i]);
    }
    static const char *const bad[] = {
        "",        " 1",    "1 ",   "010", "00",    "-01",    "0x10",   "0X1p3",
        "inf",     "nan",   "-inf", "1e",  "1e+",   ".5",     "1.",     "1..2",
        "1,5",     "1_000", "--1",  "+",   "1e999", "-1e999", "1e-999", "1e99999999999",
        "Infinity"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        double x = 99;
        cr_assert(!nf_text_double(bad[i], &x), "\"%s\"", bad[i]);
        cr_assert_eq(x, 99, "\"%s\" changed the result", bad[i]);
    }
}

Test(text, a_number_of_any_length_is_read_or_refused_cleanly)
{
    char digits[4000];
    memset(digits, '7', sizeof digits);
    double x = 0;
    digits[300] = '\0';
    cr_assert(nf_text_double(digits, &x));
    cr_assert_float_eq(x / 7.7777777777777777e299, 1, 1e-15);
    digits[300] = '7';
    digits[3999] = '\0';
    cr_assert(!nf_text_double(digits, &x));
}

Test(text, number_span_stops_at_the_unit)
{
    cr_assert_eq(nf_text_number_span("10ms"), 2);
    cr_assert_eq(nf_text_number_span("1.5e3s"), 5);
    cr_assert_eq(nf_text_number_span("1e"), 1);
    cr_assert_eq(nf_text_number_span("10x"), 2);
    cr_assert_eq(nf_text_number_span("-0.5/s"), 4);
    cr_assert_eq(nf_text_number_span("0x10"), 0);
    cr_assert_eq(nf_text_number_span("-0x10"), 0);
    cr_assert_eq(nf_text_number_span("010"), 0);
    cr_assert_eq(nf_text_number_span("ms"), 0);
}

Test(text, strict_integers_at_their_limits)
{
    int64_t i = 0;
    uint64_t u = 0;
    cr_assert(nf_text_int64("9223372036854775807", &i) && i == INT64_MAX);
    cr_assert(nf_text_int64("-9223372036854775808", &i) && i == INT64_MIN);
    cr_assert(nf_text_int64("-0", &i) && i == 0);
    cr_assert(nf_text_int64("+42", &i) && i == 42);
    cr_assert(!nf_text_int64("9223372036854775808", &i));
    cr_assert(!nf_text_int64("-9223372036854775809", &i));
    cr_assert(!nf_text_int64("1e3", &i) && !nf_text_int64("1.0", &i) &&
              !nf_text_int64("", &i));
    cr_assert(!nf_text_int64("007", &i) && !nf_text_int64("0x7", &i) &&
              !nf_text_int64("7 ", &i));
    cr_assert_eq(i, 42);
    cr_assert(nf_text_uint64("18446744073709551615", &u) && u == UINT64_MAX);
    cr_assert(!nf_text_uint64("18446744073709551616", &u));
    cr_assert(!nf_text_uint64("-1", &u) &&
              !nf_text_uint64("99999999999999999999999", &u));
}

Test(text, doubles_read_back_exactly_and_short)
{
    char buf[32];
    cr_assert_str_eq(nf_text_of_double(0.1, buf), "0.1");
    cr_assert_str_eq(nf_text_of_double(1e-9, buf), "1e-09");
    cr_assert_str_eq(nf_text_of_double(200000, buf), "200000");
    cr_assert_str_eq(nf_text_of_double(5e-324, buf), "5e-324");
    cr_assert_str_eq(nf_text_of_double(-0.0, buf), "-0");
    cr_assert_str_eq(nf_text_of_double(1.0 / 3, buf), "0.3333333333333333");
    uint64_t state = 20260427;
    for (int i = 0; i < 20000; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint64_t bits = state ^ state >> 29;
        double x, back = 0;
        memcpy(&x, &bits, sizeof x);
        if (!isfinite(x)) {
            continue;
        }
        cr_assert(nf_text_double(nf_text_of_double(x, buf), &back), "%s", buf);
        cr_assert_eq(back, x, "%s (seed 20260427, draw %d)", buf, i);
        cr_assert(strlen(buf) < 32);
    }
    cr_assert(nf_text_double(nf_text_of_double(DBL_MAX, buf), &(double){0}));
}

Test(text, counts_are_grouped_by_three)
{
    char buf[32];
    cr_assert_str_eq(nf_text_of_count(0, buf), "0");
    cr_assert_str_eq(nf_text_of_count(999, buf), "999");
    cr_assert_str_eq(nf_text_of_count(1000, buf), "1,000");
    cr_assert_str_eq(nf_text_of_count(UINT64_MAX, buf), "18,446,744,073,709,551,615");
}

Test(text, starts_with)
{
    cr_assert(nf_text_starts_with("catalog/x", "catalog/"));
    cr_assert(!nf_text_starts_with("cat", "catalog/"));
    cr_assert(nf_text_starts_with("cat", ""));
}
