/*
 * sets.cuh - one operation on several sets of buffers, for measuring.
 *
 * Why:    a weight or a KV cache that a serving system reads has not been touched since the last
 *         iteration. Launches that go round over sets of buffers of more than twice the L2 see the
 *         same; launches over one set measure the cache.
 */
#ifndef NF_KERNELS_SETS_CUH
#define NF_KERNELS_SETS_CUH

#include <cstdarg>
#include <cstdio>

#include "ops.h"

enum { NF_SETS_MAX = 64 };

template <class Arguments> struct nf_sets {
    int version;
    void (*launch)(int version, const Arguments *arguments, nf_stream stream);
    int count;
    Arguments set[NF_SETS_MAX];
};

template <class Arguments> void nf_sets_launch(const void *p, int set, nf_stream stream)
{
    const nf_sets<Arguments> *sets = static_cast<const nf_sets<Arguments> *>(p);
    sets->launch(sets->version, &sets->set[set], stream);
}

/* Fills in what every operation fills in alike. */
static inline nf_measure nf_measure_of(const char *op, const char *version,
                                       enum nf_dtype type, double flop, double bytes)
{
    nf_measure m = {};
    m.row.kind = "op";
    m.row.op = op;
    m.row.version = version;
    m.row.dtype = nf_dtype_name(type);
    m.row.flop = flop;
    m.row.bytes = bytes;
    m.type = type;
    m.sets = 1;
    return m;
}

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static inline void
nf_shape(char (&shape)[NF_ROWS_TEXT], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(shape, sizeof shape, format, args);
    va_end(args);
}

template <class Arguments>
double nf_measure_sets(nf_bench *b, nf_measure *m, const nf_sets<Arguments> *sets,
                       enum nf_cache cache)
{
    m->launch = nf_sets_launch<Arguments>;
    m->arguments = sets;
    m->sets = sets->count;
    return nf_measure_run(b, m, cache);
}

/* Whether a version is worth its time now: the fast ones first, the others only in --full, in a turn of their
 * own, so that a short budget loses the plain ones. */
static inline bool nf_worth(const nf_bench *b, const nf_version *v)
{
    return nf_version_runs(b, v) && v->fast != b->plain_turn && nf_time_left(b);
}

#endif
