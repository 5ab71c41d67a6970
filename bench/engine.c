/*
 * The queue by the hold model (Jones 1986, An empirical comparison of priority-queue and event-set implementations, CACM 29(4)): a
 * set of constant size, each operation pops the first event and pushes it again later. Increments are drawn beforehand, so that a
 * hold is timed without its draw.
 */
#include <math.h>
#include <stdio.h>

#include "bench/bench.h"
#include "engine/dist.h"
#include "engine/queue.h"

enum { INCREMENTS = 1 << 15 };

enum shape { EXPONENTIAL, CONSTANT, BIMODAL, TIED, SHAPES };
static const char *const shape_names[SHAPES] = {"exponential", "constant", "bimodal",
                                                "tied"};

struct hold {
    struct nf_queue queue;
    uint64_t next;
    nf_time increment[INCREMENTS];
};

/* Mean 1 s each. Bimodal: nine of ten have a mean of 0.1 s, the tenth 9.1 s. Tied: whole seconds from 0 to 2. */
static double draw_increment(enum shape shape, struct nf_stream *s)
{
    switch (shape) {
    case EXPONENTIAL:
        return nf_stream_exponential(s);
    case CONSTANT:
        return 1;
    case BIMODAL:
        return nf_stream_exponential(s) * (nf_stream_uniform(s) < 0.9 ? 0.1 : 9.1);
    default:
        return (double)nf_stream_below(s, 3);
    }
}

static void hold(void *state, uint64_t count)
{
    struct hold *h = state;
    struct nf_event e;
    for (uint64_t i = 0; i < count && nf_queue_pop(&h->queue, &e); i++) {
        nf_time later = e.time + h->increment[h->next++ % INCREMENTS];
        nf_queue_push(&h->queue, later, 0, e.kind, e.target, e.arg);
    }
}

static void measure_queue(const struct nf_bench *bench, struct hold *h, enum shape shape,
                          uint64_t pending)
{
    struct nf_stream s;
    char parameters[64];
    nf_stream_init(&s, 7, 0, shape_names[shape]);
    for (int i = 0; i < INCREMENTS; i++) {
        h->increment[i] = nf_time_of_s(draw_increment(shape, &s));
    }
    nf_queue_init(&h->queue);
    for (uint64_t i = 0; i < pending; i++) {
        double part = shape == TIED ? 1 : nf_stream_uniform(&s);
        nf_time first = nf_time_of_s(part * draw_increment(shape, &s));
        nf_queue_push(&h->queue, first, 0, (uint32_t)i, 0, 0);
    }
    snprintf(parameters, sizeof parameters, "%s, %llu pending", shape_names[shape],
             (unsigned long long)pending);
    uint64_t count = 4 * pending < 300000 ? 300000 : 4 * pending;
    struct nf_bench_case c = {"queue.hold", parameters, hold, h, count};
    nf_bench_measure(bench, &c);
    nf_queue_fini(&h->queue);
}

struct draws {
    struct nf_stream stream;
    struct nf_dist dist;
    volatile double kept; /* so that no draw is optimised away */
};

static void draw_u64(void *state, uint64_t count)
{
    struct draws *d = state;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < count; i++) {
        sum ^= nf_stream_u64(&d->stream);
    }
    d->kept = (double)sum;
}

static void draw_uniform(void *state, uint64_t count)
{
    struct draws *d = state;
    double sum = 0;
    for (uint64_t i = 0; i < count; i++) {
        sum += nf_stream_uniform(&d->stream);
    }
    d->kept = sum;
}

static void draw_exponential(void *state, uint64_t count)
{
    struct draws *d = state;
    double sum = 0;
    for (uint64_t i = 0; i < count; i++) {
        sum += nf_stream_exponential(&d->stream);
    }
    d->kept = sum;
}

static void draw_normal(void *state, uint64_t count)
{
    struct draws *d = state;
    double sum = 0;
    for (uint64_t i = 0; i < count; i++) {
        sum += nf_stream_normal(&d->stream);
    }
    d->kept = sum;
}

static void draw_dist(void *state, uint64_t count)
{
    struct draws *d = state;
    double sum = 0;
    for (uint64_t i = 0; i < count; i++) {
        sum += nf_dist_sample(&d->dist, &d->stream);
    }
    d->kept = sum;
}

static void measure_draws(const struct nf_bench *bench)
{
    enum { DRAWS = 2000000 };
    static const struct {
        const char *name;
        void (*body)(void *state, uint64_t count);
    } plain[] = {
        {"u64", draw_u64},
        {"uniform", draw_uniform},
        {"exponential", draw_exponential},
        {"normal", draw_normal},
    };
    struct draws d = {.dist = {0}};
    const char *why = NULL;
    nf_stream_init(&d.stream, 7, 0, "bench");
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        struct nf_bench_case c = {"random.draw", plain[i].name, plain[i].body, &d, DRAWS};
        nf_bench_measure(bench, &c);
    }
    struct nf_dist dists[3] = {nf_dist_exponential(2.385)};
    if (!nf_dist_lognormal_moments(&dists[1], 2.385, 0.7, &why) ||
        !nf_dist_gamma(&dists[2], 2.385, 0.7, &why)) {
        NF_ASSERT(why == NULL);
    }
    for (int i = 0; i < 3; i++) {
        d.dist = dists[i];
        struct nf_bench_case c = {"dist.sample", nf_dist_name(dists[i].kind), draw_dist,
                                  &d, DRAWS};
        nf_bench_measure(bench, &c);
    }
}

int nf_bench_engine(const struct nf_bench *bench, int argc, char **argv)
{
    static const uint64_t pending[] = {3, 10, 100, 1000, 10000, 100000};
    if (argc > 0) {
        fprintf(stderr, "nearfar-bench engine: unknown argument %s\n", argv[0]);
        return 2;
    }
    struct hold *h = nf_mem_resize(NULL, 1, sizeof *h);
    h->next = 0;
    for (int shape = 0; shape < SHAPES; shape++) {
        for (size_t i = 0; i < sizeof pending / sizeof *pending; i++) {
            measure_queue(bench, h, (enum shape)shape, pending[i]);
        }
    }
    nf_mem_free(h);
    measure_draws(bench);
    return 0;
}
