/* number.c - strict numbers of text.h, in and out. The program never calls setlocale, so strtod reads a point. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const char *skip_digits(const char *s)
{
    while (is_digit(*s)) {
        s++;
    }
    return s;
}

/* The digits before the point: "0" or no leading zero. NULL when there are none. */
static const char *skip_integer(const char *s)
{
    if (*s == '+' || *s == '-') {
        s++;
    }
    if (!is_digit(*s) || (*s == '0' && is_digit(s[1]))) {
        return NULL;
    }
    return skip_digits(s);
}

/* The end of sign, integer and fraction; NULL when they are not a strict number. */
static const char *skip_mantissa(const char *s)
{
    const char *p = skip_integer(s);
    if (p == NULL) {
        return NULL;
    }
    if (*p == '.') {
        return is_digit(p[1]) ? skip_digits(p + 1) : NULL;
    }
    bool is_zero = p[-1] == '0' && (p - s == 1 || !is_digit(p[-2]));
    return is_zero && (*p == 'x' || *p == 'X') ? NULL : p;
}

size_t nf_text_number_span(const char *s)
{
    const char *p = skip_mantissa(s);
    if (p == NULL) {
        return 0;
    }
    if (*p == 'e' || *p == 'E') {
        const char *digits = p + (p[1] == '+' || p[1] == '-' ? 2 : 1);
        if (is_digit(*digits)) {
            p = skip_digits(digits);
        }
    }
    return (size_t)(p - s);
}

/* The exponent behind the mantissa that ends at p, cut off far outside the range of doubles. */
static long exponent(const char *p, const char *end)
{
    if (p == end) {
        return 0;
    }
    bool negative = p[1] == '-';
    long value = 0;
    for (p++; p < end; p++) {
        if (is_digit(*p) && value < 100000) {
            value = value * 10 + (*p - '0');
        }
    }
    return negative ? -value : value;
}

bool nf_text_number_shifted(const char *s, size_t n, int shift, double *out)
{
    char buf[432];
    const char *mantissa_end = skip_mantissa(s);
    if (n > 400 || mantissa_end == NULL) {
        return false;
    }
    size_t m = (size_t)(mantissa_end - s);
    NF_ASSERT(m <= n);
    memcpy(buf, s, m);
    snprintf(buf + m, sizeof buf - m, "e%ld", exponent(mantissa_end, s + n) + shift);
    double x = strtod(buf, NULL);
    buf[m] = '\0';
    bool has_digit = strpbrk(buf, "123456789") != NULL;
    if (!isfinite(x) || (x == 0 && has_digit)) {
        return false;
    }
    *out = x;
    return true;
}

bool nf_text_double(const char *s, double *out)
{
    size_t n = nf_text_number_span(s);
    return n > 0 && s[n] == '\0' && nf_text_number_shifted(s, n, 0, out);
}

/* Digits to an unsigned number; false when they do not fit. */
static bool read_digits(const char *s, const char *end, uint64_t *out)
{
    uint64_t value = 0;
    for (; s < end; s++) {
        uint64_t digit = (uint64_t)(*s - '0');
        if (value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

bool nf_text_uint64(const char *s, uint64_t *out)
{
    const char *end = skip_integer(s);
    if (end == NULL || *end != '\0' || *s == '-') {
        return false;
    }
    return read_digits(*s == '+' ? s + 1 : s, end, out);
}

bool nf_text_int64(const char *s, int64_t *out)
{
    const char *end = skip_integer(s);
    uint64_t size = 0;
    if (end == NULL || *end != '\0' ||
        !read_digits(is_digit(*s) ? s : s + 1, end, &size)) {
        return false;
    }
    if (*s == '-') {
        if (size > (uint64_t)INT64_MAX + 1) {
            return false;
        }
        *out = size > (uint64_t)INT64_MAX ? INT64_MIN : -(int64_t)size;
        return true;
    }
    if (size > (uint64_t)INT64_MAX) {
        return false;
    }
    *out = (int64_t)size;
    return true;
}

char *nf_text_of_double(double x, char *buf)
{
    /* A decimal of up to 15 digits survives the way through a normal double, so if one reads back as x, %.15g prints it;
     * subnormal numbers hold fewer digits and are tried from one digit upwards. */
    int digits = fabs(x) < DBL_MIN ? 1 : 15;
    for (;; digits++) {
        snprintf(buf, 32, "%.*g", digits, x);
        if (digits >= 17 || isnan(x) || strtod(buf, NULL) == x) {
            return buf;
        }
    }
}

char *nf_text_of_count(uint64_t n, char *buf)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);
    size_t at = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) {
            buf[at++] = ',';
        }
        buf[at++] = digits[i];
    }
    buf[at] = '\0';
    return buf;
}
