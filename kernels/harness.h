/*
 * harness.h - what every operation of this folder is checked and measured with.
 *
 * What:   device memory that dies with the case, random inputs, poisoned outputs, comparison with a
 *         reference, timing with device events, one row of the file for each measurement.
 * Why:    an operation's file then holds only the operation: its idea, its versions, its shapes.
 * Owner:  the caller of nf_run owns struct nf_bench; nf_dev_* and nf_host_* memory belongs to the
 *         case and is gone after nf_case_end.
 * Errors: the first failure (a CUDA call, no memory) is kept in nf_bench.error with its place, and
 *         everything after it does nothing; nf_ok says whether all is well. Nothing here exits.
 * Worlds: harness.cu implements it on a GPU, harness_emulate.cpp on the emulator (checks only).
 * Units:  bytes, FLOP, microseconds in rows, seconds elsewhere.
 */
#ifndef NF_KERNELS_HARNESS_H
#define NF_KERNELS_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "numbers.h"
#include "peaks.h"
#include "rows.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct CUstream_st *nf_stream; /* cudaStream_t */

enum nf_scope { NF_QUICK, NF_FULL }; /* which shapes, and how long each may take */

struct nf_allocation;
struct nf_clocks;
struct nf_lt;
struct nf_dnn;

struct nf_bench {
    struct nf_facts facts;
    const struct nf_peak *peak;
    struct nf_rows *rows; /* NULL: checks only */
    enum nf_scope scope;
    bool emulated;  /* check only what fits the emulator */
    int capability; /* kernels for newer devices than this are not used; the device's, or less by --capability */
    uint64_t seed;  /* of random inputs; printed with every failure */
    uint64_t drawn;
    bool plain_turn;   /* --full: after the fast versions, the others; see nf_worth */
    double deadline_s; /* nf_now_s() after which no case starts; 0: none */
    nf_stream stream;
    struct nf_allocation *allocations;
    struct nf_clocks *clocks;
    struct nf_lt *lt;   /* opened at the first use */
    struct nf_dnn *dnn; /* likewise */
    void *flush;        /* its halves fill the L2 each: one is written, one read */
    size_t flush_bytes;
    int checked, failed; /* comparisons */
    char error[256];
};

bool nf_ok(const struct nf_bench *b);
/* Keeps the first message. Returns false. */
bool nf_fail(struct nf_bench *b, const char *format, ...);
/* Says on stderr that something of this run is left out, and why. */
void nf_left_out(const char *what, const char *why);
/* The reason where the sets of buffers do not fit. */
#define NF_TOO_LARGE "its buffers do not fit into the free memory of the device"
double nf_now_s(void);
/* From here on SIGTERM and SIGINT end nothing: nf_stop_wanted says that one has come. */
void nf_stop_by_signal(void);
bool nf_stop_wanted(void);

/* --- memory of one case --------------------------------------------------------------------------- */
void *nf_dev_get(struct nf_bench *b, size_t bytes); /* NULL after an error */
void nf_dev_put(struct nf_bench *b, void *dev, const void *host, size_t bytes);
void nf_dev_fetch(struct nf_bench *b, void *host, const void *dev, size_t bytes);
void nf_dev_set(struct nf_bench *b, void *dev, int byte, size_t bytes);
void *nf_host_get(struct nf_bench *b, size_t bytes);
/* Uniform random numbers in [-scale, scale) (int8: whole numbers), made on the device. */
void nf_dev_random(struct nf_bench *b, void *dev, enum nf_dtype type, size_t count,
                   float scale);
void nf_case_end(struct nf_bench *b);
size_t nf_dev_free_bytes(struct nf_bench *b);

struct nf_tensor {
    enum nf_dtype type;
    size_t count;
    void *dev;
    /* inputs: the values as rounded to `type`; outputs: after nf_tensor_fetch */
    float *host;
};
/* Fresh random values every time, in [-scale, scale). */
struct nf_tensor nf_tensor_random(struct nf_bench *b, enum nf_dtype type, size_t count,
                                  float scale);
/* Filled with 0xff bytes: NaN in every float format, -1 in the integers. */
struct nf_tensor nf_tensor_poisoned(struct nf_bench *b, enum nf_dtype type, size_t count);
const float *nf_tensor_fetch(struct nf_bench *b, struct nf_tensor *t);
/* Host values into the tensor's type and to the device. */
void nf_tensor_put(struct nf_bench *b, struct nf_tensor *t);

/* --- checks --------------------------------------------------------------------------------------- */
/* An element is wrong beyond absolute + relative |want|; the whole beyond norm ||want||. */
struct nf_bound {
    double absolute, relative, norm;
};
/* The usual bound where results are rounded to `type` and sums run in float. */
struct nf_bound nf_bound_of(enum nf_dtype type);
/* Counts, prints what differs (first three) with the shape and the seed. NaN never passes. */
bool nf_check_close(struct nf_bench *b, const char *what, const char *shape,
                    struct nf_tensor *got, const float *want, struct nf_bound bound);
bool nf_check_that(struct nf_bench *b, const char *what, const char *shape, bool ok);

/* --- versions ------------------------------------------------------------------------------------- */
enum nf_need { NF_ANY = 0, NF_NEED_FP8 = 89, NF_NEED_WGMMA = 90 };
struct nf_version {
    const char *name, *idea;
    enum nf_need need;
    bool fast; /* part of --quick, and may not spill registers */
};
/* Whether this device can run it: fp8 tensor cores from 8.9, wgmma on 9.0 alone. */
bool nf_version_runs(const struct nf_bench *b, const struct nf_version *v);

/* --- tensor maps (9.0) ---------------------------------------------------------------------------- */
#ifdef __cplusplus
#define NF_ALIGN_64 alignas(64)
#else
#define NF_ALIGN_64 _Alignas(64)
#endif
struct nf_tensor_map {
    NF_ALIGN_64 unsigned char opaque[128];
};
struct nf_tensor_shape {
    enum nf_dtype type;
    const void *base;
    int rank;                 /* 2 to 4 */
    uint64_t extent[4];       /* innermost first */
    uint64_t stride_bytes[3]; /* of dimensions 1, 2, 3 */
    uint32_t box[4];          /* box[0] is 128 bytes wide: the swizzle's row */
};
/* 0: the driver refuses the shape (see nf_bench.error). */
int nf_tensor_map_make(struct nf_bench *b, struct nf_tensor_map *map,
                       const struct nf_tensor_shape *shape);

/* --- timing --------------------------------------------------------------------------------------- */
enum nf_cache {
    NF_HOT,      /* one set of buffers, launches back to back */
    NF_COLD,     /* the L2 is overwritten before each launch */
    NF_ROTATED,  /* launches back to back over sets that fill the L2 more than twice */
    NF_UNCACHED, /* "none": the L2 plays no part */
};
enum nf_clock {
    NF_EVENTS,       /* of the device */
    NF_HOST_WAIT,    /* the host's: one execution, from the call until it is done */
    NF_HOST_ENQUEUE, /* the host's: until the call returns */
};
/* Enqueues one execution on set `set` of the buffers. */
typedef void (*nf_launch)(const void *arguments, int set, nf_stream stream);
struct nf_measure {
    /* op, version, dtype, shape, flop, bytes filled in by the caller */
    struct nf_row row;
    enum nf_dtype type;
    nf_launch launch;
    const void *arguments;
    int sets; /* sets of buffers there are; 1 if the cache is not NF_ROTATED */
    /* different bytes that one execution touches; 0: row.bytes. Less where something is read and then written in
     * place. Decides the number of sets (nf_sets_for) and the flag l2_resident */
    double footprint;
    bool alone;    /* a sample is one launch on an idle device, not many in a row */
    bool no_graph; /* the work cannot be captured (copies from pageable memory, NCCL) */
    enum nf_clock clock;
    double limit_s; /* 0: by scope */
};
/* Times it and writes the row. Returns the median in us, 0 after an error. */
double nf_measure_run(struct nf_bench *b, struct nf_measure *m, enum nf_cache cache);
/* One execution, recorded into a graph and replayed, as it is when it is timed. For checks. */
void nf_run_as_graph(struct nf_bench *b, nf_launch launch, const void *arguments);
/* Number of sets of `bytes` different bytes that fill the L2 more than twice; at least 2, at most 64. */
int nf_sets_for(const struct nf_bench *b, double bytes);
/* A row measured elsewhere, under the clocks of `reading`: completes and writes it. */
struct nf_clock_reading;
void nf_row_write(struct nf_bench *b, struct nf_row *row, enum nf_dtype type,
                  const struct nf_clock_reading *reading);
/* Neither past the deadline, nor after an error or a signal. */
bool nf_time_left(const struct nf_bench *b);
/* The same, but false in the turn of the plain versions: for rows that belong to no version of ours. */
bool nf_main_turn(const struct nf_bench *b);

/* --- operations ----------------------------------------------------------------------------------- */
struct nf_op {
    const char *name, *title;
    const struct nf_version *versions;
    int version_count;
    void (*check)(struct nf_bench *b);
    void (*measure)(struct nf_bench *b); /* twice in --full where a version is not fast */
    bool composed;                       /* its rows test the fits and never feed them */
    /* time that the operations before it must leave: --quick, --full */
    double reserve_s[2];
};
const struct nf_op *const *nf_ops(int *count);

#ifdef __cplusplus
}
#endif
#endif
