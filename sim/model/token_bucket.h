/*
 * token_bucket.h - a rate limit: tokens fill at a steady rate up to a maximum, and each request takes some.
 *
 * What:   refill on use from the time gone by since the last use. Taking whole tokens only if all are there, or as many as there
 *         are, or unconditionally, which may leave a debt.
 * Why:    how priced endpoints and proxies limit requests per minute; the conformance vectors are Envoy's. One difference:
 *         Envoy's plain bucket does not note the time of a use that finds it full, so the use after that is refilled for the
 *         idle time too; here a full bucket gains nothing, as in Envoy's lock-free bucket.
 * Cost:   O(1), no allocation.
 * Owner:  caller owns struct nf_token_bucket.
 * Units:  tokens, tokens/s, nf_time.
 * Errors: none. Requires that times do not go back.
 */
#ifndef NF_MODEL_TOKEN_BUCKET_H
#define NF_MODEL_TOKEN_BUCKET_H

#include <math.h>
#include <stdbool.h>

#include "engine/time.h"

#define NF_TOKEN_RATE_MIN                                                                \
    (1.0 / 31536000.0) /* one a year: the slowest rate that Envoy accepts */

struct nf_token_bucket {
    double max, rate, tokens; /* tokens <= max; below 0 after a forced take */
    nf_time last;
};

/* Starts full. */
static inline void nf_token_bucket_init(struct nf_token_bucket *b, double max,
                                        double rate, nf_time now)
{
    *b = (struct nf_token_bucket){max, fmax(fabs(rate), NF_TOKEN_RATE_MIN), max, now};
}

/* Division, not a factor of 1e-9: whole seconds stay whole. */
static inline void nf_token_bucket_refill(struct nf_token_bucket *b, nf_time now)
{
    b->tokens = fmin(b->max, b->tokens + (double)(now - b->last) / 1e9 * b->rate);
    b->last = now;
}

/* Take n tokens, or none when fewer are there; partial: as many whole tokens as there are. Returns how many. Times are whole
 * nanoseconds, so a token that is due within one counts as there: requests that come exactly at the rate all pass. */
static inline double nf_token_bucket_take(struct nf_token_bucket *b, nf_time now,
                                          double n, bool partial)
{
    nf_token_bucket_refill(b, now);
    double there = b->tokens + b->rate * 1e-9;
    double taken = partial ? fmin(n, floor(fmax(there, 0))) : n;
    if (taken <= 0 || there < taken) {
        return 0;
    }
    b->tokens = fmax(b->tokens - taken, 0);
    return taken;
}

/* Take n tokens whatever is there (n < 0 gives back). Returns what is left, below 0: a debt. */
static inline double nf_token_bucket_force(struct nf_token_bucket *b, nf_time now,
                                           double n)
{
    nf_token_bucket_refill(b, now);
    b->tokens = fmin(b->max, b->tokens - n);
    return b->tokens;
}

/* Set the fill. */
static inline void nf_token_bucket_reset(struct nf_token_bucket *b, nf_time now, double n)
{
    b->tokens = fmin(b->max, n);
    b->last = now;
}

/* When to come again, as Envoy tells it: 0 when a token is there, else the time of one whole token in whole milliseconds; an upper
 * bound on the wait unless there is a debt. */
static inline nf_time nf_token_bucket_retry_after(const struct nf_token_bucket *b)
{
    return b->tokens >= 1 ? 0 : nf_time_of_s(ceil(1000 / b->rate) * 1e-3);
}

#endif
