/*
 * backoff.h - how long to wait before the next try.
 *
 * What:   Envoy's two randomised rules and the fixed one, as pure functions of the try and one random number.
 * Cost:   O(1). Owner: plain data.
 * Units:  the caller's (base, max and result alike); Envoy counts whole milliseconds.
 * Source: Envoy source/common/common/backoff_strategy.cc (commit 0b83af5f), checked by its test vectors.
 */
#ifndef NF_MODEL_BACKOFF_H
#define NF_MODEL_BACKOFF_H

#include <stdint.h>

enum nf_backoff_kind {
    NF_BACKOFF_FIXED,       /* base */
    NF_BACKOFF_EXPONENTIAL, /* uniform below base, doubled each try, at most max */
    NF_BACKOFF_LOWER_BOUND  /* base plus uniform below base / 2 */
};

struct nf_backoff {
    enum nf_backoff_kind kind;
    uint64_t base, max; /* > 0; max: EXPONENTIAL only, >= base */
};

/* Wait before retry number `tries` (0: the first); `random` is any uniform 64-bit number. */
static inline uint64_t nf_backoff_wait(const struct nf_backoff *b, unsigned tries,
                                       uint64_t random)
{
    if (b->kind == NF_BACKOFF_FIXED) {
        return b->base;
    }
    if (b->kind == NF_BACKOFF_LOWER_BOUND) {
        return b->base + (b->base > 1 ? random % (b->base / 2) : 0);
    }
    uint64_t interval = b->base;
    for (unsigned i = 0; i < tries && interval < b->max; i++) {
        interval = interval > b->max / 2 ? b->max : interval * 2;
    }
    return random % interval;
}

#endif
