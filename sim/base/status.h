/*
 * status.h - the result of every function that can fail, and the two ways out for errors that are not the user's.
 *
 * What:   enum nf_status is returned by value; 0 is success. A function that returns one also adds an entry to the
 *         caller's struct nf_diags (diag.h) unless its comment says otherwise.
 * Why:    three classes of error, three treatments: the user's input (NF_E_SYNTAX .. NF_E_USAGE, exit 2), the
 *         environment (NF_E_IO .. NF_E_NOMEM, exit 3), and our own bug (NF_ASSERT: prints what it knows and aborts).
 * Units:  none. Errors: none.
 */
#ifndef NF_BASE_STATUS_H
#define NF_BASE_STATUS_H

#include <stddef.h>

#define NF_STATUS_LIST(X)                                                                \
    X(NF_OK, "ok")                                                                       \
    X(NF_E_SYNTAX, "syntax")           /* not YAML, not CSV */                           \
    X(NF_E_KEY, "key")                 /* unknown, duplicate or missing key */           \
    X(NF_E_TYPE, "type")               /* a map where a text was expected, ... */        \
    X(NF_E_UNIT, "unit")               /* number without its unit, wrong unit */         \
    X(NF_E_RANGE, "range")             /* outside the allowed range, NaN, overflow */    \
    X(NF_E_REFERENCE, "reference")     /* a name that nothing bears */                   \
    X(NF_E_IMPOSSIBLE, "impossible")   /* each part is fine, together they cannot be */  \
    X(NF_E_UNSUPPORTED, "unsupported") /* understood, but not modelled */                \
    X(NF_E_LIMIT, "limit")             /* too deep, too large, too many */               \
    X(NF_E_TRACE, "trace")             /* a row of a recorded file is wrong */           \
    X(NF_E_USAGE, "usage")             /* command line */                                \
    X(NF_E_IO, "io")                   /* file missing, unreadable, disk full */         \
    X(NF_E_NOMEM, "memory")

enum nf_status {
#define NF_STATUS_ENUM(name, text) name,
    NF_STATUS_LIST(NF_STATUS_ENUM)
#undef NF_STATUS_ENUM
};

#if defined(__GNUC__)
#define NF_MUST_CHECK   __attribute__((warn_unused_result))
#define NF_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define NF_NORETURN     __attribute__((noreturn))
/* rare or long: its registers stay out of a short caller */
#define NF_NOINLINE    __attribute__((noinline))
#define NF_LIKELY(x)   __builtin_expect(!!(x), 1)
#define NF_UNLIKELY(x) __builtin_expect(!!(x), 0)
#else
#define NF_MUST_CHECK
#define NF_PRINTF(f, a)
#define NF_NORETURN
#define NF_NOINLINE
#define NF_LIKELY(x)   (x)
#define NF_UNLIKELY(x) (x)
#endif

/* The short word of a status ("range"); never NULL. */
const char *nf_status_text(enum nf_status s);

/* The process exit status that belongs to s: 0, 2 (user's input) or 3 (environment). */
int nf_status_exit(enum nf_status s);

/* Called by NF_ASSERT. Prints condition, place and, if set, the context line of nf_bug_context, then aborts. */
NF_NORETURN void nf_bug(const char *condition, const char *file, int line);

/* What a bug report should name (scenario, seed, replication, simulated time): `print` writes it to stderr.
 * One per thread; NULL clears it. */
void nf_bug_context(void (*print)(void *ctx), void *ctx);

/* Memory is gone: says so on stderr and exits with 3. Arenas and slabs call it, so their callers need no check. */
NF_NORETURN void nf_out_of_memory(size_t wanted_bytes);

#define NF_ASSERT(cond)                                                                  \
    ((void)(NF_LIKELY(cond) || (nf_bug(#cond, __FILE__, __LINE__), 0)))

#endif
