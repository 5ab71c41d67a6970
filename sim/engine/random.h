/*
 * random.h - named random streams: a counter-based generator whose sequence depends on its name, not on creation order.
 *
 * What:   Philox4x64-10 (Salmon et al., SC'11). Key = (master seed, replication), so no two pairs share a key; the upper counter
 *         words = 128 hash bits of the stream's name ("traffic.cameras[3]/arrival"); the lowest word counts blocks of four
 *         64-bit outputs.
 * Why:    adding an entity changes nobody else's draws, and any stream can be replayed alone; GSL's own generators keep only
 *         32 seed bits.
 * Cost:   see bench/README.md (about 3 ns a u64, 5 ns an exponential).
 * Owner:  the entity embeds its streams, one per purpose. Nobody else draws from them.
 * Errors: none.
 */
#ifndef NF_ENGINE_RANDOM_H
#define NF_ENGINE_RANDOM_H

#include <gsl/gsl_rng.h>
#include <stdint.h>

#include "base/status.h"

enum { NF_STREAM_BUFFER = 16 }; /* outputs made at once (a multiple of 4): lets the compiler overlap blocks */

struct nf_stream {
    uint64_t key[2];
    uint64_t name[2]; /* upper counter words */
    uint64_t block;   /* next block number */
    uint64_t buffer[NF_STREAM_BUFFER];
    unsigned next; /* index into buffer; NF_STREAM_BUFFER when used up */
};

void nf_stream_init(struct nf_stream *s, uint64_t seed, uint32_t replication, const char *name);

/* Makes the next NF_STREAM_BUFFER outputs. Called by the inline functions below. */
void nf_stream_refill(struct nf_stream *s);

static inline uint64_t nf_stream_u64(struct nf_stream *s)
{
    if (NF_UNLIKELY(s->next == NF_STREAM_BUFFER)) {
        nf_stream_refill(s);
    }
    return s->buffer[s->next++];
}

/* In the open interval (0, 1): 52 bits and a half. */
static inline double nf_stream_uniform(struct nf_stream *s)
{
    return ((double)(nf_stream_u64(s) >> 12) + 0.5) * 0x1p-52;
}

/* Unit exponential and standard normal. */
double nf_stream_exponential(struct nf_stream *s);
double nf_stream_normal(struct nf_stream *s);

/* Integer in [0, n) without bias (Lemire 2019). Requires n > 0. */
uint64_t nf_stream_below(struct nf_stream *s, uint64_t n);

/* One block of the generator: ten rounds over `counter` under `key`. */
void nf_philox4x64(const uint64_t key[2], const uint64_t counter[4], uint64_t out[4]);

/* The same generator for gsl_ran_*: state is one struct nf_stream. gsl_rng_set(r, seed) gives stream "gsl" of that seed. */
extern const gsl_rng_type *const nf_rng_type;

/* A gsl_rng that draws from *s (no allocation): view->state points at s. */
static inline gsl_rng nf_stream_gsl(struct nf_stream *s)
{
    gsl_rng r = {nf_rng_type, s};
    return r;
}

#endif
