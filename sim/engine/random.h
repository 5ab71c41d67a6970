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

enum {
    NF_STREAM_BUFFER = 16
}; /* outputs made at once (a multiple of 4): lets the compiler overlap blocks */

struct nf_stream {
    uint64_t key[2];
    uint64_t name[2]; /* upper counter words */
    uint64_t block;   /* next block number */
    uint64_t buffer[NF_STREAM_BUFFER];
    unsigned next; /* index into buffer; NF_STREAM_BUFFER when used up */
};

void nf_stream_init(struct nf_stream *s, uint64_t seed, uint32_t replication,
                    const char *name);

/* Makes the next NF_STREAM_BUFFER outputs. Called by the inline functions below. */
void nf_stream_refill(struct nf_stream *s);

/* Go to `block`, making only its four outputs now: for the few draws of a stream that names one request. */
void nf_stream_seek(struct nf_stream *s, uint64_t block);

static inline uint64_t nf_stream_u64(struct nf_stream *s)
{
    if (NF_UNLIKELY(s->next == NF_STREAM_BUFFER)) {
        nf_stream_refill(s);
    }
    return s->buffer[s->next++];
}

/* An output as a number in the open interval (0, 1): the odd multiples of 2^-53. */
static inline double nf_uniform_of_u64(uint64_t u)
{
    return (double)(int64_t)((u >> 11) | 1) * 0x1p-53;
}

static inline double nf_stream_uniform(struct nf_stream *s)
{
    return nf_uniform_of_u64(nf_stream_u64(s));
}

/* The ziggurat method (Marsaglia and Tsang 2000, J. Stat. Softw. 5(8)) with 256 layers under the density exp(-x) or
 * exp(-x^2/2). The low 8 bits of a draw choose the layer, its 53 high bits (for the normal: 52 and the sign) an odd integer j;
 * layer[i].scale * j is uniform up to the layer's right edge, and j below layer[i].accept lies under the density for sure.
 * density[i] is the density at the right edge of layer i (density[256] = 1 at 0); layer 0 holds the tail beyond `edge`.
 * The tables are constants, made by tools/generate_ziggurat.py. */
struct nf_ziggurat {
    double edge;
    struct {
        int64_t accept;
        double scale;
    } layer[256];
    double density[257];
};
extern const struct nf_ziggurat nf_ziggurat_exponential, nf_ziggurat_normal;

/* What is left of the method when the first draw `u` was not accepted at once (2 % and 1 % of the draws). */
double nf_stream_exponential_rest(struct nf_stream *s, uint64_t u);
double nf_stream_normal_rest(struct nf_stream *s, uint64_t u);

/* Unit exponential, > 0. */
static inline double nf_stream_exponential(struct nf_stream *s)
{
    uint64_t u = nf_stream_u64(s);
    int64_t j = (int64_t)(u >> 11) | 1;
    unsigned i = (unsigned)u & 255;
    if (NF_LIKELY(j < nf_ziggurat_exponential.layer[i].accept)) {
        return (double)j * nf_ziggurat_exponential.layer[i].scale;
    }
    return nf_stream_exponential_rest(s, u);
}

/* Standard normal. */
static inline double nf_stream_normal(struct nf_stream *s)
{
    uint64_t u = nf_stream_u64(s);
    int64_t j = ((int64_t)u >> 11) | 1;
    unsigned i = (unsigned)u & 255;
    int64_t accept = nf_ziggurat_normal.layer[i].accept;
    if (NF_LIKELY(-accept < j && j < accept)) {
        return (double)j * nf_ziggurat_normal.layer[i].scale;
    }
    return nf_stream_normal_rest(s, u);
}

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
