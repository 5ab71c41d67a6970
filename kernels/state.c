/* Errors and the clock of a benchmark: what the program needs with and without a GPU. */
#include "harness.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

bool nf_ok(const struct nf_bench *b)
{
    return b->error[0] == '\0';
}

bool nf_fail(struct nf_bench *b, const char *format, ...)
{
    if (nf_ok(b)) {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(b->error, sizeof b->error, format, args);
        va_end(args);
    }
    return false;
}

void nf_left_out(const char *what, const char *why)
{
    (void)fprintf(stderr, "%s: left out: %s\n", what, why);
}

double nf_now_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
