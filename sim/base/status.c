/* status.c - words and exit statuses of enum nf_status; the two ways out for errors that are not the user's. */
#include "base/status.h"

#include <stdio.h>
#include <stdlib.h>

const char *nf_status_text(enum nf_status s)
{
    static const char *const words[] = {
#define NF_STATUS_WORD(name, text) text,
        NF_STATUS_LIST(NF_STATUS_WORD)
#undef NF_STATUS_WORD
    };
    size_t i = (size_t)s;
    return i < sizeof words / sizeof words[0] ? words[i] : "unknown status";
}

int nf_status_exit(enum nf_status s)
{
    switch (s) {
    case NF_OK:
        return 0;
    case NF_E_IO:
    case NF_E_NOMEM:
        return 3;
    default:
        return 2;
    }
}

/* The one piece of mutable state outside a world: a bug report must name the world that its thread was playing, and
 * NF_ASSERT, far below, cannot be handed a pointer to it. */
static _Thread_local struct {
    void (*print)(void *ctx);
    void *ctx;
} bug_context;

void nf_bug_context(void (*print)(void *ctx), void *ctx)
{
    bug_context.print = print;
    bug_context.ctx = ctx;
}

void nf_bug(const char *condition, const char *file, int line)
{
    fprintf(stderr, "nearfar: a bug in nearfar: %s does not hold (%s:%d)\n", condition,
            file, line);
    /* Cleared first: the report itself may hit a bug, and must not be entered twice. */
    void (*print)(void *) = bug_context.print;
    bug_context.print = NULL;
    if (print != NULL) {
        print(bug_context.ctx);
    }
    fflush(stderr);
    abort();
}

void nf_out_of_memory(size_t wanted_bytes)
{
    fprintf(stderr, "nearfar: out of memory (%zu bytes were asked for)\n", wanted_bytes);
    fflush(stderr);
    /* Not exit(): other threads may be inside libraries whose exit handlers would pull the floor from under them. */
    _Exit(nf_status_exit(NF_E_NOMEM));
}
