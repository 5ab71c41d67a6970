/* Errors and the clock of a benchmark: what the program needs with and without a GPU. */
#include "harness.h"

#include <signal.h>
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

/* Held back and asked for, not caught: a handler would need a variable that outlives every call. */
static void signals_that_stop(sigset_t *set)
{
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGTERM);
    (void)sigaddset(set, SIGINT);
}

void nf_stop_by_signal(void)
{
    sigset_t set;
    signals_that_stop(&set);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
}

bool nf_stop_wanted(void)
{
    sigset_t waiting;
    return sigpending(&waiting) == 0 &&
           (sigismember(&waiting, SIGTERM) == 1 || sigismember(&waiting, SIGINT) == 1);
}

double nf_now_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
