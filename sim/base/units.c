/*
 * units.c - one table of units per dimension, the parser and the formatter on it.
 *
 * A unit is 10^shift * mul / div in SI. The power of ten is applied to the digits before they become a double ("0.3ms" is
 * read as 0.3e-3), so it costs no rounding; mul and div are exact doubles, and at most one of them rounds.
 */
#include "base/units.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

/* What the formatter thinks of a unit. */
enum {
    SHOWN = 0,
    ALIAS = 100
}; /* ALIAS: read, never written or listed; else the cost of not being the plain unit */

struct unit {
    const char *name;
    int shift;
    double mul, div;
    int cost;
};

#define KI 1024.0
#define END                                                                              \
    {                                                                                    \
        NULL, 0, 1, 1, SHOWN                                                             \
    }

static const struct unit time_units[] = {
    {"s", 0, 1, 1, SHOWN},          {"ms", -3, 1, 1, SHOWN},
    {"us", -6, 1, 1, SHOWN},        {"ns", -9, 1, 1, SHOWN},
    {"min", 0, 60, 1, SHOWN},       {"h", 0, 3600, 1, SHOWN},
    {"d", 0, 86400, 1, SHOWN},      {"w", 0, 604800, 1, SHOWN},
    {"y", 0, 31536000, 1, SHOWN},   {"\xC2\xB5s", -6, 1, 1, ALIAS},
    {"\xCE\xBCs", -6, 1, 1, ALIAS}, END};
static const struct unit rate_units[] = {
    {"/s", 0, 1, 1, SHOWN},       {"/min", 0, 1, 60, 3},
    {"/h", 0, 1, 3600, 3},        {"/d", 0, 1, 86400, 3},
    {"req/s", 0, 1, 1, ALIAS},    {"req/min", 0, 1, 60, ALIAS},
    {"req/h", 0, 1, 3600, ALIAS}, {"req/d", 0, 1, 86400, ALIAS},
    {"Hz", 0, 1, 1, ALIAS},       END};
static const struct unit byte_units[] = {{"B", 0, 1, 1, SHOWN},
                                         {"kB", 3, 1, 1, SHOWN},
                                         {"MB", 6, 1, 1, SHOWN},
                                         {"GB", 9, 1, 1, SHOWN},
                                         {"TB", 12, 1, 1, SHOWN},
                                         {"KiB", 0, KI, 1, 1},
                                         {"MiB", 0, KI *KI, 1, 1},
                                         {"GiB", 0, KI *KI *KI, 1, 1},
                                         {"TiB", 0, KI *KI *KI *KI, 1, 1},
                                         END};
static const struct unit bandwidth_units[] = {{"B/s", 0, 1, 1, SHOWN},
                                              {"kB/s", 3, 1, 1, SHOWN},
                                              {"MB/s", 6, 1, 1, SHOWN},
                                              {"GB/s", 9, 1, 1, SHOWN},
                                              {"TB/s", 12, 1, 1, SHOWN},
                                              {"bit/s", 0, 1, 8, SHOWN},
                                              {"kbit/s", 3, 1, 8, SHOWN},
                                              {"Mbit/s", 6, 1, 8, SHOWN},
                                              {"Gbit/s", 9, 1, 8, SHOWN},
                                              {"Tbit/s", 12, 1, 8, SHOWN},
                                              END};
static const struct unit power_units[] = {
    {"W", 0, 1, 1, SHOWN}, {"mW", -3, 1, 1, SHOWN}, {"kW", 3, 1, 1, SHOWN}, END};
static const struct unit money_units[] = {{"USD", 0, 1, 1, SHOWN}, END};
static const struct unit money_rate_units[] = {
    {"USD/h", 0, 1, 3600, SHOWN},
    {"USD/s", 0, 1, 1, 1},
    {"USD/month", 0, 1, 2628000, 1}, /* 730 h */
    {"USD/y", 0, 1, 31536000, 1},
    END};
static const struct unit money_byte_units[] = {{"USD/GB", -9, 1, 1, SHOWN},
                                               {"USD/B", 0, 1, 1, 2},
                                               {"USD/GiB", 0, 1, KI *KI *KI, 1},
                                               {"USD/TB", -12, 1, 1, 1},
                                               END};
static const struct unit money_token_units[] = {{"USD/Mtoken", -6, 1, 1, SHOWN},
                                                {"USD/token", 0, 1, 1, 1},
                                                {"USD/ktoken", -3, 1, 1, 1},
                                                END};
static const struct unit money_request_units[] = {{"USD/request", 0, 1, 1, SHOWN},
                                                  {"USD/krequest", -3, 1, 1, SHOWN},
                                                  {"USD/Mrequest", -6, 1, 1, SHOWN},
                                                  END};
static const struct unit money_energy_units[] = {{"USD/kWh", 0, 1, 3.6e6, SHOWN},
                                                 {"USD/MWh", 0, 1, 3.6e9, 8},
                                                 {"USD/J", 0, 1, 1, 12},
                                                 END};
static const struct unit fraction_units[] = {
    {"%", -2, 1, 1, SHOWN}, {"", 0, 1, 1, ALIAS}, END};
static const struct unit flops_units[] = {{"TFLOPS", 12, 1, 1, SHOWN},
                                          {"GFLOPS", 9, 1, 1, SHOWN},
                                          {"PFLOPS", 15, 1, 1, SHOWN},
                                          {"TOPS", 12, 1, 1, ALIAS},
                                          END};
static const struct unit work_units[] = {{"GFLOP", 9, 1, 1, SHOWN},
                                         {"MFLOP", 6, 1, 1, SHOWN},
                                         {"TFLOP", 12, 1, 1, SHOWN},
                                         END};
static const struct unit count_units[] = {{"", 0, 1, 1, SHOWN}, {"k", 3, 1, 1, 3},
                                          {"M", 6, 1, 1, 3},    {"B", 9, 1, 1, 3},
                                          {"T", 12, 1, 1, 3},   END};
static const struct unit no_units[] = {{"", 0, 1, 1, SHOWN}, END};

struct dimension {
    const char *name, *example, *list;
    const struct unit *units;
};

static const struct dimension dimensions[] = {
    [NF_DIM_NONE] = {"number", "1.5", "", no_units},
    [NF_DIM_TIME] = {"time", "10ms", "ns, us, ms, s, min, h, d, w, y", time_units},
    [NF_DIM_RATE] = {"rate", "0.9/s", "/s, /min, /h, /d, req/s, Hz", rate_units},
    [NF_DIM_BYTES] = {"size", "200kB", "B, kB, MB, GB, TB, KiB, MiB, GiB, TiB",
                      byte_units},
    [NF_DIM_BANDWIDTH] =
        {"bandwidth", "1Gbit/s",
         "bit/s, kbit/s, Mbit/s, Gbit/s, Tbit/s, B/s, kB/s, MB/s, GB/s, TB/s",
         bandwidth_units},
    [NF_DIM_POWER] = {"power", "72W", "mW, W, kW", power_units},
    [NF_DIM_MONEY] = {"sum of money", "2500 USD", "USD", money_units},
    [NF_DIM_MONEY_RATE] = {"price of time", "2.60 USD/h",
                           "USD/s, USD/h, USD/month, USD/y", money_rate_units},
    [NF_DIM_MONEY_BYTES] = {"price of data", "0.05 USD/GB",
                            "USD/B, USD/GB, USD/GiB, USD/TB", money_byte_units},
    [NF_DIM_MONEY_TOKEN] = {"price of tokens", "0.10 USD/Mtoken",
                            "USD/token, USD/ktoken, USD/Mtoken", money_token_units},
    [NF_DIM_MONEY_REQUEST] = {"price of requests", "0.20 USD/Mrequest",
                              "USD/request, USD/krequest, USD/Mrequest",
                              money_request_units},
    [NF_DIM_MONEY_ENERGY] = {"price of energy", "0.15 USD/kWh", "USD/J, USD/kWh, USD/MWh",
                             money_energy_units},
    [NF_DIM_FRACTION] = {"fraction", "70%", "%", fraction_units},
    [NF_DIM_FLOPS] = {"compute speed", "120TFLOPS", "GFLOPS, TFLOPS, PFLOPS, TOPS",
                      flops_units},
    [NF_DIM_WORK] = {"amount of computation", "4.1GFLOP", "MFLOP, GFLOP, TFLOP",
                     work_units},
    [NF_DIM_COUNT_OF] = {"count", "7B", "k, M, B, T", count_units},
};
enum { DIMENSIONS = sizeof dimensions / sizeof dimensions[0], MOST_UNITS = 16 };

/* What people write instead; told as the right unit. */
static const struct {
    const char *wrong, *right;
} misnomers[] = {{"sec", "s"},           {"secs", "s"},
                 {"second", "s"},        {"seconds", "s"},
                 {"msec", "ms"},         {"usec", "us"},
                 {"nsec", "ns"},         {"m", "min"},
                 {"mins", "min"},        {"minute", "min"},
                 {"minutes", "min"},     {"hr", "h"},
                 {"hrs", "h"},           {"hour", "h"},
                 {"hours", "h"},         {"day", "d"},
                 {"days", "d"},          {"week", "w"},
                 {"weeks", "w"},         {"year", "y"},
                 {"years", "y"},         {"yr", "y"},
                 {"rps", "/s"},          {"qps", "/s"},
                 {"rpm", "/min"},        {"bps", "bit/s"},
                 {"kbps", "kbit/s"},     {"Mbps", "Mbit/s"},
                 {"Gbps", "Gbit/s"},     {"K", "k"},
                 {"percent", "%"},       {"$", "USD"},
                 {"$/h", "USD/h"},       {"USD/hr", "USD/h"},
                 {"USD/hour", "USD/h"},  {"byte", "B"},
                 {"bytes", "B"},         {"G", "GB"},
                 {"/sec", "/s"},         {"/second", "/s"},
                 {"per second", "/s"},   {"per minute", "/min"},
                 {"/minute", "/min"},    {"per hour", "/h"},
                 {"/hour", "/h"},        {"hertz", "Hz"},
                 {"msecs", "ms"},        {"millisecond", "ms"},
                 {"milliseconds", "ms"}, {"microseconds", "us"},
                 {"nanoseconds", "ns"},  {"Watt", "W"},
                 {"watts", "W"},         {"USD per hour", "USD/h"}};

enum { MISNOMERS = sizeof misnomers / sizeof misnomers[0] };

static const struct dimension *dimension_of(enum nf_dimension dim)
{
    NF_ASSERT((size_t)dim < DIMENSIONS);
    return &dimensions[dim];
}

const char *nf_units_name(enum nf_dimension dim)
{
    return dimension_of(dim)->name;
}

const char *nf_units_list(enum nf_dimension dim)
{
    return dimension_of(dim)->list;
}

static const struct unit *find_unit(const struct dimension *d, const char *name)
{
    for (const struct unit *u = d->units; u->name != NULL; u++) {
        if (strcmp(u->name, name) == 0) {
            return u;
        }
    }
    return NULL;
}

static const char *article(const struct dimension *d)
{
    return strchr("aeiou", d->name[0]) != NULL ? "an" : "a";
}

/* The right unit for a wrong one, or NULL. */
static const char *nearest_unit(const struct dimension *d, const char *wrong)
{
    const char *names[MOST_UNITS + 1], *words[MISNOMERS + 1], *rights[MISNOMERS];
    size_t n = 0, m = 0;
    for (size_t i = 0; i < MISNOMERS; i++) {
        if (find_unit(d, misnomers[i].right) == NULL) {
            continue;
        }
        if (strcmp(misnomers[i].wrong, wrong) == 0) {
            return misnomers[i].right;
        }
        /* only what is long enough to be recognized with a slip in it */
        if (strlen(misnomers[i].wrong) >= 4) {
            words[m] = misnomers[i].wrong;
            rights[m++] = misnomers[i].right;
        }
    }
    for (const struct unit *u = d->units; u->name != NULL; u++) {
        NF_ASSERT(n < MOST_UNITS);
        names[n++] = u->name;
    }
    names[n] = words[m] = NULL;
    const char *near = nf_text_nearest(wrong, names);
    const char *word = near == NULL ? nf_text_nearest(wrong, words) : NULL;
    for (size_t i = 0; word != NULL && i < m; i++) {
        if (words[i] == word) {
            near = rights[i];
        }
    }
    return near;
}

/* A comma or a second number behind the first: no unit is meant. */
static bool is_no_unit(const char *rest, struct nf_text *t)
{
    if (rest[0] == ',' && rest[1] >= '0' && rest[1] <= '9') {
        nf_text_add(t, "a number has no comma; its decimal sign is a point");
        return true;
    }
    if (strpbrk(rest, "0123456789") != NULL) {
        nf_text_add(t, "more than one number; a quantity is one number and one unit");
        return true;
    }
    return false;
}

static void wrong_unit(const struct dimension *d, const char *unit, struct nf_text *t)
{
    if (is_no_unit(unit, t)) {
        return;
    }
    for (size_t i = 0; i < DIMENSIONS; i++) {
        if (find_unit(&dimensions[i], unit) != NULL) {
            nf_text_printf(t, "\"%s\" is a unit for %s %s", unit, article(&dimensions[i]),
                           dimensions[i].name);
            return;
        }
    }
    nf_text_printf(t, "unknown unit \"%.40s\"", unit);
    const char *near = nearest_unit(d, unit);
    if (near != NULL) {
        nf_text_printf(t, ", did you mean %s?", near);
    }
}

/* Why `s` was refused, into the caller's buffer; always false. */
static bool refuse(const struct dimension *d, const char *s, struct nf_text *reason,
                   char *why, size_t cap)
{
    struct nf_text t = {0};
    nf_text_printf(&t, "\"%.60s\"%s: %s (expected %s %s such as %s", s,
                   strlen(s) > 60 ? "..." : "", reason->data, article(d), d->name,
                   d->example);
    if (d->list[0] != '\0') {
        nf_text_printf(&t, "; units: %s%s", d->list,
                       d->units == count_units ? ", or none" : "");
    }
    nf_text_add(&t, ")");
    if (cap > 0) {
        snprintf(why, cap, "%s", t.data);
    }
    nf_text_fini(&t);
    nf_text_fini(reason);
    return false;
}

static void not_a_number(const char *s, struct nf_text *t)
{
    const char *digits = s + (*s == '-' || *s == '+');
    if (*s == '\0') {
        nf_text_add(t, "empty");
    } else if (digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9') {
        nf_text_add(t, "a number does not start with a needless 0");
    } else if (digits[0] == '.') {
        nf_text_add(t, "a digit is missing before the point");
    } else if (*s == '$') {
        nf_text_add(t, "the currency stands behind the number, as USD");
    } else {
        nf_text_add(t, "does not start with a plain decimal number");
    }
}

bool nf_units_parse(const char *s, enum nf_dimension dim, double *out, char *why,
                    size_t cap)
{
    const struct dimension *d = dimension_of(dim);
    struct nf_text reason = {0};
    size_t n = nf_text_number_span(s);
    if (n == 0) {
        not_a_number(s, &reason);
        return refuse(d, s, &reason, why, cap);
    }
    const char *name = s + n;
    while (*name == ' ' || *name == '\t') {
        name++;
    }
    const struct unit *u = find_unit(d, name);
    bool is_bare = s[n] == '\0';
    double x = 0;
    if (u == NULL && is_bare && nf_text_double(s, &x) && x == 0) {
        *out = x;
        return true;
    }
    if (u == NULL || (*name == '\0' && !is_bare)) {
        if (*name == '\0') {
            nf_text_add(&reason, is_bare ? "a unit is missing" : "blanks at the end");
        } else {
            wrong_unit(d, name, &reason);
        }
        return refuse(d, s, &reason, why, cap);
    }
    if (nf_text_number_shifted(s, n, u->shift, &x)) {
        double value = x * u->mul / u->div;
        if (isfinite(value) && (value != 0 || x == 0)) {
            if (dim == NF_DIM_FRACTION && is_bare && fabs(value) > 1) {
                nf_text_printf(&reason, "above 1; as a percentage write %.*s%%",
                               (int)(n < 40 ? n : 40), s);
                return refuse(d, s, &reason, why, cap);
            }
            *out = value;
            return true;
        }
    }
    nf_text_add(&reason, n > 400 ? "too many digits" : "outside the range of numbers");
    return refuse(d, s, &reason, why, cap);
}

/* Rounded, for people and for choosing a unit only. */
static double value_in(const struct unit *u, double value)
{
    return value * u->div / u->mul * pow(10, -u->shift);
}

/* `plain`, a text of nf_text_of_double, times 10^shift: the point moves in the text, so nothing is rounded. */
static void shift_digits(const char *plain, int shift, char out[40])
{
    char digits[32] = "";
    int n = 0, whole = -1, exponent = shift;
    const char *p = plain + (plain[0] == '-');
    for (; *p != '\0' && *p != 'e'; p++) {
        if (*p == '.') {
            whole = n;
        } else {
            NF_ASSERT(n < (int)sizeof digits);
            digits[n++] = *p;
        }
    }
    if (*p == 'e') {
        int64_t e = 0;
        const char *q = p + 1 + (p[1] == '+' || p[1] == '-');
        q += *q == '0'; /* printf writes two digits at least */
        NF_ASSERT(nf_text_int64(q, &e));
        exponent += p[1] == '-' ? -(int)e : (int)e;
    }
    exponent += whole < 0 ? n : whole; /* now value = 0.DIGITS * 10^exponent */
    int first = 0;
    while (first < n - 1 && digits[first] == '0') {
        first++;
        exponent--;
    }
    while (n - 1 > first && digits[n - 1] == '0') {
        n--;
    }
    const char *sign = plain[0] == '-' ? "-" : "", *d = digits + first;
    n -= first;
    if (n == 1 && d[0] == '0') {
        snprintf(out, 40, "%s0", sign);
    } else if (exponent > 17 || exponent < -3) {
        snprintf(out, 40, "%s%c%s%.*se%d", sign, d[0], n > 1 ? "." : "", n - 1, d + 1,
                 exponent - 1);
    } else if (exponent <= 0) {
        snprintf(out, 40, "%s0.%.*s%.*s", sign, -exponent, "000", n, d);
    } else if (exponent >= n) {
        snprintf(out, 40, "%s%.*s%.*s", sign, n, d, exponent - n, "00000000000000000");
    } else {
        snprintf(out, 40, "%s%.*s.%.*s", sign, exponent, d, n - exponent, d + exponent);
    }
}

/* The shortest digits of `value` in units of u that the parser reads back as the same double; false when there are none. */
static bool exact_digits(const struct unit *u, double value, char digits[40])
{
    double scaled = value * u->div / u->mul, back = 0;
    double tries[3] = {scaled, nextafter(scaled, HUGE_VAL), nextafter(scaled, -HUGE_VAL)};
    size_t shortest = 40;
    for (size_t i = 0; i < 3; i++) {
        char plain[32], shifted[40];
        if (!isfinite(tries[i])) {
            continue;
        }
        shift_digits(nf_text_of_double(tries[i], plain), -u->shift, shifted);
        if (strlen(shifted) < shortest &&
            nf_text_number_shifted(shifted, strlen(shifted), u->shift, &back) &&
            back * u->mul / u->div == value) {
            shortest = strlen(shifted);
            memcpy(digits, shifted, shortest + 1);
        }
    }
    return shortest < 40;
}

/* How awkward a number in a unit reads: its length, more for fractions below 1, exponents and unusual units. */
static int awkwardness(const struct unit *u, const char *digits, double in_unit)
{
    int cost = (int)strlen(digits) + u->cost;
    cost += fabs(in_unit) < 1 && in_unit != 0 ? 2 : 0;
    cost += strchr(digits, 'e') != NULL ? 8 : 0;
    return cost;
}

char *nf_units_format(double value, enum nf_dimension dim, bool exact, char *buf,
                      size_t cap)
{
    const struct dimension *d = dimension_of(dim);
    const struct unit *best = NULL;
    char best_digits[40] = "";
    int best_cost = 0;
    for (const struct unit *u = d->units; u->name != NULL && isfinite(value); u++) {
        char digits[40];
        if (u->cost >= ALIAS && dim != NF_DIM_FRACTION) {
            continue;
        }
        if (!exact) {
            snprintf(digits, sizeof digits, "%.4g", value_in(u, value));
            if (value != 0 && strcmp(digits, "0") == 0) {
                continue;
            }
        } else if (!exact_digits(u, value, digits)) {
            continue;
        }
        int cost = awkwardness(u, digits, value_in(u, value));
        cost += !exact && fabs(value_in(u, value)) >= 1000 ? 3 : 0;
        if (best == NULL || cost < best_cost) {
            best = u;
            best_cost = cost;
            memcpy(best_digits, digits, sizeof digits);
        }
    }
    if (best == NULL) {
        nf_text_of_double(value, best_digits);
    }
    const char *name = best == NULL ? "" : best->name;
    bool is_word = dim != NF_DIM_RATE && dim != NF_DIM_FRACTION && dim != NF_DIM_COUNT_OF;
    snprintf(buf, cap, "%s%s%s", best_digits, is_word && name[0] != '\0' ? " " : "",
             name);
    return buf;
}
