/*
 * samples.h - measured operation times, read from the CSV files that benchmarks write.
 *
 * What:   the kind of a file follows from its columns:
 *           gemm_dtype, m, n, k, latency_us                                     matrix products (aiconfigurator)
 *           num_heads, num_key_value_heads, head_dim, batch_size, ctx, latency_us  attention (aiconfigurator): prefill when the file's name
 *                                                                               has "context" or "prefill" in it, decode when it has
 *                                                                               "generation" or "decode"
 *           num_heads, head_dim, batch_size, isl, latency_us                    encoder attention (aiconfigurator)
 *           system, impl, op, num_gpus, message_bytes, latency_us               collectives (aiconfigurator)
 *           layer, tokens, time_us and layer, sequences, time_us                layers of a model (LLMServingSim dense, per_sequence)
 *           prefill_chunk, kv_prefill, n_decode, kv_decode, time_us             attention of a model (LLMServingSim)
 *         and a file that says so in its first line is one of nearfar-kernels (kernel_file.h): all operations of a device in one file.
 * Why:    fitting and validation read the same rows in the same way, so that a held-out shape is the same in both.
 * Held-out shapes: whole sites ((n, k) of a product; (heads, KV heads) of attention; chunk and sequences of one model's attention, in the
 *         order of a hash; message sizes of all-reduces in their own order; shapes of nearfar-kernels without their batch, by size); every second one
 *         is kept from the fit.
 * Cached: a benchmark that repeats one operation finds its data in the L2 cache when they fit. Products of aiconfigurator: six copies of the
 *         layer ran in turn; their weights are cold when the six exceed twice the cache. Decode attention and element-wise passes: cached when
 *         their data fill at most 70 % of it.
 * Owner:  samples live in the arena.
 * Units:  s.
 * Errors: NF_E_SYNTAX, NF_E_TYPE, NF_E_RANGE (not a number, faster than the device's peak or so slow that the unit must be another),
 *         NF_E_KEY (unknown columns, a shape measured twice), NF_E_REFERENCE (unknown precision), each with row and column.
 */
#ifndef NF_PERF_SAMPLES_H
#define NF_PERF_SAMPLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/csv.h"
#include "perf/kernel_file.h"
#include "perf/llm.h"
#include "perf/operator.h"

enum nf_operation {
    NF_OPERATION_GEMM,
    NF_OPERATION_PREFILL,
    NF_OPERATION_DECODE,
    NF_OPERATION_ENCODER, /* attention that is not causal */
    NF_OPERATION_ALLREDUCE,
    NF_OPERATION_ELEMENTWISE,
    NF_OPERATION_MIXED, /* prefill and decode attention in one step */
    NF_OPERATION_QUANTIZE,
    NF_OPERATION_CONVOLUTION,
    NF_OPERATION_COPY,   /* over PCIe */
    NF_OPERATION_LAUNCH, /* of kernels */
    NF_OPERATION_OTHER,  /* measured, but nothing that the models have */
    NF_OPERATIONS
};

/* An element-wise pass. */
struct nf_pass_shape {
    double bytes;
    bool is_cached;
};

struct nf_sample {
    enum nf_operation operation;
    enum nf_precision precision; /* of a product */
    union {
        struct nf_gemm_shape gemm;
        struct nf_prefill_shape prefill;
        struct nf_decode_shape decode;
        struct nf_pass_shape pass;
        struct nf_work_shape work; /* of a convolution */
        double bytes;              /* of an all-reduce, of a copy */
        double kernels;            /* of a launch */
    } shape;
    unsigned ranks; /* of an all-reduce */
    unsigned which; /* of a copy (enum nf_copy) or a launch (enum nf_launch) */
    struct nf_decode_shape beside; /* MIXED: `shape.prefill` and this */
    double seconds;
    uint64_t site;
    uint64_t order; /* of the sites; 0: that of a hash */
    size_t row;     /* of the file, from 0 */
    int line;
    bool is_held_out;
    const char *not_predicted; /* why it is outside what is modelled; NULL: it is not */
};

struct nf_samples {
    struct nf_csv csv;
    struct nf_sample *items; /* one a row */
    size_t count;
    const struct nf_kernel_file *kernels; /* NULL: another kind of file */
};

/* Why rows of a device that heat or its hardware held back take no part. */
extern const char nf_samples_slowed[];

/* One time, and the least that the device needs at the peaks of its data sheet. */
struct nf_timed {
    size_t row;
    double seconds, least_s;
};

struct nf_timed_rows {
    const struct nf_csv *csv;
    int column; /* of the times */
    const struct nf_timed *times;
    size_t count;
};

/* Single rows may beat the peak a little, a file off by 1000 does it everywhere or, the other way, takes far too long in half of its rows:
 * entries in the column (NF_E_RANGE). */
void nf_samples_check_times(const struct nf_timed_rows *rows,
                            const struct nf_device *device, struct nf_arena *arena,
                            struct nf_diags *diags);

/* `arch`: the model whose layers were measured; needed for LLMServingSim's tables only (NULL otherwise). */
NF_MUST_CHECK enum nf_status
nf_samples_read(const char *path, const struct nf_device *device,
                const struct nf_llm_arch *arch, struct nf_arena *arena,
                struct nf_diags *diags, struct nf_samples *out);

/* Mark every second site of each operation and precision, over all files together. */
void nf_samples_split(struct nf_sample *const *samples, size_t count,
                      struct nf_arena *arena);

/* "gemm", "prefill", "decode", "encoder", "allreduce", .... */
const char *nf_operation_name(enum nf_operation o);

#endif
