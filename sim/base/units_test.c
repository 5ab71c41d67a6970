/* units_test.c - what people write, what is refused and in which words, and the way there and back. */
#include "base/units.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

struct quantity {
    const char *text;
    enum nf_dimension dim;
    double si;
};

static void check_all(const struct quantity *q, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double x = -77;
        char why[300] = "";
        cr_assert(nf_units_parse(q[i].text, q[i].dim, &x, why, sizeof why), "%s: %s",
                  q[i].text, why);
        cr_assert(x == q[i].si, "%s gave %.17g, not %.17g", q[i].text, x, q[i].si);
    }
}
#define CHECK_ALL(table) check_all(table, sizeof table / sizeof table[0])

Test(units, times)
{
    static const struct quantity q[] = {
        {"10ms", NF_DIM_TIME, 0.01},       {"10 ms", NF_DIM_TIME, 0.01},
        {"300ms", NF_DIM_TIME, 0.3},       {"0.1ms", NF_DIM_TIME, 1e-4},
        {"0.3ms", NF_DIM_TIME, 3e-4},      {"7us", NF_DIM_TIME, 7e-6},
        {"7\xC2\xB5s", NF_DIM_TIME, 7e-6}, {"13ns", NF_DIM_TIME, 13e-9},
        {"200000s", NF_DIM_TIME, 200000},  {"2h", NF_DIM_TIME, 7200},
        {"1.5min", NF_DIM_TIME, 90},       {"3d", NF_DIM_TIME, 259200},
        {"1w", NF_DIM_TIME, 604800},       {"3y", NF_DIM_TIME, 94608000},
        {"1e-3 s", NF_DIM_TIME, 1e-3},     {"1.7e3\tms", NF_DIM_TIME, 1.7},
        {"-5 ms", NF_DIM_TIME, -0.005},    {"0", NF_DIM_TIME, 0},
        {"0.0", NF_DIM_TIME, 0},           {"0ms", NF_DIM_TIME, 0}};
    CHECK_ALL(q);
}

Test(units, rates_sizes_and_bandwidths)
{
    static const struct quantity q[] = {{"0.9/s", NF_DIM_RATE, 0.9},
                                        {"600/min", NF_DIM_RATE, 10},
                                        {"7/h", NF_DIM_RATE, 7.0 / 3600},
                                        {"10000 /min", NF_DIM_RATE, 10000.0 / 60},
                                        {"3req/s", NF_DIM_RATE, 3},
                                        {"60 req/min", NF_DIM_RATE, 1},
                                        {"50Hz", NF_DIM_RATE, 50},
                                        {"200kB", NF_DIM_BYTES, 200000},
                                        {"24GiB", NF_DIM_BYTES, 25769803776},
                                        {"1.1TB", NF_DIM_BYTES, 1.1e12},
                                        {"3KiB", NF_DIM_BYTES, 3072},
                                        {"17B", NF_DIM_BYTES, 17},
                                        {"2 MiB", NF_DIM_BYTES, 2097152},
                                        {"1TiB", NF_DIM_BYTES, 1099511627776},
                                        {"1Gbit/s", NF_DIM_BANDWIDTH, 125e6},
                                        {"200Mbit/s", NF_DIM_BANDWIDTH, 25e6},
                                        {"2GB/s", NF_DIM_BANDWIDTH, 2e9},
                                        {"56kbit/s", NF_DIM_BANDWIDTH, 7000},
                                        {"3.35TB/s", NF_DIM_BANDWIDTH, 3.35e12}};
    CHECK_ALL(q);
}

Test(units, prices_power_and_computation)
{
    static const struct quantity q[] = {
        {"2500 USD", NF_DIM_MONEY, 2500},
        {"2.60 USD/h", NF_DIM_MONEY_RATE, 2.6 / 3600},
        {"1460 USD/month", NF_DIM_MONEY_RATE, 2.0 / 3600},
        {"0.05 USD/GB", NF_DIM_MONEY_BYTES, 5e-11},
        {"1 USD/GiB", NF_DIM_MONEY_BYTES, 1.0 / 1073741824},
        {"0.10 USD/Mtoken", NF_DIM_MONEY_TOKEN, 1e-7},
        {"0.3 USD/ktoken", NF_DIM_MONEY_TOKEN, 3e-4},
        {"0.20 USD/Mrequest", NF_DIM_MONEY_REQUEST, 2e-7},
        {"0.15 USD/kWh", NF_DIM_MONEY_ENERGY, 0.15 / 3.6e6},
        {"72W", NF_DIM_POWER, 72},
        {"350mW", NF_DIM_POWER, 0.35},
        {"120TFLOPS", NF_DIM_FLOPS, 120e12},
        {"242TOPS", NF_DIM_FLOPS, 242e12},
        {"4.1GFLOP", NF_DIM_WORK, 4.1e9}};
    CHECK_ALL(q);
}

Test(units, fractions_counts_and_plain_numbers)
{
    static const struct quantity q[] = {
        {"99.9%", NF_DIM_FRACTION, 0.999}, {"0.1%", NF_DIM_FRACTION, 0.001},
        {"0.7", NF_DIM_FRACTION, 0.7},     {"1", NF_DIM_FRACTION, 1},
        {"200 %", NF_DIM_FRACTION, 2},     {"7B", NF_DIM_COUNT_OF, 7e9},
        {"1.1B", NF_DIM_COUNT_OF, 1.1e9},  {"8k", NF_DIM_COUNT_OF, 8000},
        {"8192", NF_DIM_COUNT_OF, 8192},   {"1.5T", NF_DIM_COUNT_OF, 1.5e12},
        {"-2.5", NF_DIM_NONE, -2.5},       {"1e3", NF_DIM_NONE, 1000}};
    CHECK_ALL(q);
}

Test(units, wrong_texts_are_refused)
{
    static const char *const bad[] = {"",        " ",       "ms",
                                      "10",      "10 ",     "10ms ",
                                      " 10ms",   "10  ",    "010ms",
                                      "0x10ms",  "0x10",    "nan",
                                      "nanms",   "inf s",   "infs",
                                      "1e999s",  "1e999",   "-1e312ms",
                                      "1e-999s", "10mss",   "10ms/s",
                                      "10 m s",  "1,5ms",   "1 000ms",
                                      ".5s",     "5.s",     "--5s",
                                      "5kB",     "5 MS",    "5e s",
                                      "1e308y",  "1_000ms", "1e400000000000000000000ms",
                                      "\xFFms",  "5\nms",   "5\xC2\xA0ms"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        double x = 42;
        char why[300] = "";
        cr_assert(!nf_units_parse(bad[i], NF_DIM_TIME, &x, why, sizeof why),
                  "\"%s\" gave %g", bad[i], x);
        cr_assert_eq(x, 42, "\"%s\" changed the result", bad[i]);
        cr_assert_not_null(strstr(why, "expected a time such as 10ms; units: ns, us, ms"),
                           "%s", why);
    }
}

static void check_why(const char *s, enum nf_dimension dim, const char *part)
{
    double x = 0;
    char why[300] = "";
    cr_assert(!nf_units_parse(s, dim, &x, why, sizeof why), "%s", s);
    cr_assert_not_null(strstr(why, part), "\"%s\" should say: %s", why, part);
}

Test(units, the_reason_names_what_would_be_right)
{
    check_why("10msec", NF_DIM_TIME,
              "\"10msec\": unknown unit \"msec\", did you mean ms?");
    check_why("10 Ms", NF_DIM_TIME, "did you mean ms?");
    check_why("5m", NF_DIM_TIME, "did you mean min?");
    check_why("10", NF_DIM_TIME, "a unit is missing");
    check_why("10kB", NF_DIM_TIME, "\"kB\" is a unit for a size");
    check_why("1Gbps", NF_DIM_BANDWIDTH, "did you mean Gbit/s?");
    check_why("1Gb/s", NF_DIM_BANDWIDTH, "did you mean GB/s?");
    check_why("2 USD/hour", NF_DIM_MONEY_RATE, "did you mean USD/h?");
    check_why("0.1 USD/Mtok", NF_DIM_MONEY_TOKEN, "did you mean USD/Mtoken?");
    check_why("70", NF_DIM_FRACTION, "write 70%");
    check_why("1.01", NF_DIM_FRACTION, "above 1");
    check_why("010", NF_DIM_NONE, "needless 0");
    check_why("1e999 s", NF_DIM_TIME, "outside the range");
    check_why("10 minuts", NF_DIM_TIME, "did you mean min?");
    check_why("10 per second", NF_DIM_RATE, "did you mean /s?");
    check_why("20,5ms", NF_DIM_TIME, "a number has no comma");
    check_why("1h30min", NF_DIM_TIME, "one number and one unit");
    check_why("$2500", NF_DIM_MONEY, "the currency stands behind the number");
    check_why("7G", NF_DIM_COUNT_OF, "units: k, M, B, T, or none");
}

Test(units, the_reason_fits_any_buffer)
{
    double x = 0;
    char why[8] = "1234567";
    cr_assert(!nf_units_parse("10 parsecs", NF_DIM_TIME, &x, why, sizeof why));
    cr_assert_eq(strlen(why), 7);
    cr_assert(!nf_units_parse("10 parsecs", NF_DIM_TIME, &x, NULL, 0));
}

Test(units, numbers_are_written_as_people_write_them)
{
    static const struct quantity q[] = {
        {"300 ms", NF_DIM_TIME, 0.3},
        {"30 min", NF_DIM_TIME, 1800},
        {"2 h", NF_DIM_TIME, 7200},
        {"200000 s", NF_DIM_TIME, 200000},
        {"0 s", NF_DIM_TIME, 0},
        {"0.9/s", NF_DIM_RATE, 0.9},
        {"10/min", NF_DIM_RATE, 10.0 / 60},
        {"24 GiB", NF_DIM_BYTES, 25769803776},
        {"200 kB", NF_DIM_BYTES, 2e5},
        {"1 Gbit/s", NF_DIM_BANDWIDTH, 125e6},
        {"2 GB/s", NF_DIM_BANDWIDTH, 2e9},
        {"2.6 USD/h", NF_DIM_MONEY_RATE, 2.6 / 3600},
        {"0.1 USD/Mtoken", NF_DIM_MONEY_TOKEN, 1e-7},
        {"0.15 USD/kWh", NF_DIM_MONEY_ENERGY, 0.15 / 3.6e6},
        {"99.9%", NF_DIM_FRACTION, 0.999},
        {"7B", NF_DIM_COUNT_OF, 7e9},
        {"8192", NF_DIM_COUNT_OF, 8192},
        {"-1.5 ms", NF_DIM_TIME, -0.0015}};
    for (size_t i = 0; i < sizeof q / sizeof q[0]; i++) {
        char buf[64];
        cr_assert_str_eq(nf_units_format(q[i].si, q[i].dim, true, buf, sizeof buf),
                         q[i].text);
    }
}

Test(units, rounded_texts_have_four_digits)
{
    char buf[64];
    cr_assert_str_eq(nf_units_format(10.0248312, NF_DIM_TIME, false, buf, sizeof buf),
                     "10.02 s");
    cr_assert_str_eq(nf_units_format(0.00123456, NF_DIM_TIME, false, buf, sizeof buf),
                     "1.235 ms");
    cr_assert_str_eq(nf_units_format(0.666666, NF_DIM_FRACTION, false, buf, sizeof buf),
                     "66.67%");
    cr_assert_str_eq(nf_units_format(1e-320, NF_DIM_TIME, false, buf, sizeof buf),
                     "1e-320 s");
    cr_assert_str_eq(nf_units_format(HUGE_VAL, NF_DIM_TIME, false, buf, sizeof buf),
                     "inf");
}

static uint64_t next(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state ^ *state >> 31;
}

Test(units, exact_texts_read_back_as_the_same_double)
{
    uint64_t state = 733041;
    for (int i = 0; i < 30000; i++) {
        enum nf_dimension dim = (enum nf_dimension)(i % (NF_DIM_COUNT_OF + 1));
        uint64_t bits = next(&state);
        double x = 0, back = 0;
        if (i % 3 == 0) {
            memcpy(&x, &bits, sizeof x);
        } else {
            x = ldexp((double)(bits >> 11), -40 - (int)(bits % 50));
        }
        char buf[64], why[300] = "";
        if (!isfinite(x) || (dim == NF_DIM_FRACTION && fabs(x) > 1e300)) {
            continue;
        }
        nf_units_format(x, dim, true, buf, sizeof buf);
        cr_assert(nf_units_parse(buf, dim, &back, why, sizeof why),
                  "%.17g: %s (seed 733041, draw %d)", x, why, i);
        cr_assert(back == x, "%s gave %.17g, not %.17g (seed 733041, draw %d)", buf, back,
                  x, i);
    }
}

Test(units, every_listed_unit_is_read)
{
    for (int dim = 0; dim <= NF_DIM_COUNT_OF; dim++) {
        const char *list = nf_units_list((enum nf_dimension)dim);
        cr_assert(nf_units_name((enum nf_dimension)dim)[0] != '\0');
        while (*list != '\0') {
            size_t n = strcspn(list, ",");
            char text[40] = "3 ", why[300] = "";
            double x = 0;
            memcpy(text + 2, list, n);
            cr_assert(nf_units_parse(text, (enum nf_dimension)dim, &x, why, sizeof why),
                      "%s", why);
            list += n + strspn(list + n, ", ");
        }
    }
}
