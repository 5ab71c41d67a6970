/*
 * operator.h - the time of one operation of a language model on one device: matrix product, prefill attention, decode attention.
 *
 * What:   one formula a class, the same for fitting it to measurements, for holding it against them and for folding it into the price of
 *         an iteration (llm.h). PN(a, b, p) = (a^p + b^p)^(1/p), ln+ and log2+ are 0 below 1.
 *
 *         product y[m, n] = x[m, k] W[k, n], weights of w bytes an element:
 *             t = t0 + t0_log ln+(k/1024) [+ 3 m k/(q BW)] + PN(C, M, P)
 *             C = 2 m n k/(ec F) (1 + k_fill/k) (1 + tile_fill/tiles) waves^wave (1 + 2 m n k/(F 30 us))^slowdown
 *             M = (w n k (1 + k_start/k) (1 + n_start/n) + 2 m k (1 + reread max(0, r - 1)) + 2 m n)/
 *                 (em (1 - em_drop min(1, log2(m)/6)) BW)
 *             P = 1 + (p - 1) (n k/2^24)^p_growth
 *             tiles = ceil(m/128) n/128; x = output tiles of 128 x 256 a multiprocessor; waves = ceil(x)/x for x > 1, else 1
 *             r = x of at most 16 384 rows, the longest measured: beyond them a row costs what it costs there
 *             q: 8-bit products whose activations are quantised first, 3 bytes an element.
 *         prefill attention of A query-key pairs, P new tokens after K cached ones, the longest sequence L tokens long, h heads, g KV heads of
 *         size d:
 *             t = PN(t0, PN(C + M, tile ceil(L/128), 3), p)
 *             C = 4 A h d/(ec F) (1 + 4 A h d/(F 30 us))^slowdown
 *             M = (2 P d (2 h + kv_weight g) + 2 b K g d)/(em BW)
 *         decode attention of N sequences of total length S, KV cache of b bytes an element:
 *             t = t0 + PN(2 b S g d/(em BW), N (c1 g + query_head h)/SM, p) + doubling log2+(S/N/256)
 *         encoder attention: as prefill attention, with all pairs of a sequence.
 *         all-reduce of B bytes on n devices: everybody sends everything, or scatters first and gathers after, whichever is faster:
 *             t = t0 + min((n - 1) B/bus, two_shot + 2 (n - 1)/n B/bus)      two_shot 0: always scatters
 *         element-wise and quantising pass over B bytes: t = t0 + B/(em BW)
 *         convolution of W operations and B bytes: t = t0 + PN(W/(ec F), B/(em BW), p)
 *         copy of B bytes over PCIe: t = t0 + B/bus; n launches: t = t0 + n each
 * Why:    refinements are there where held-out shapes of several devices demand them; bench/validation.md has what each buys.
 * Cost:   0.2 us a product (three powers); callers in the event loop use the folded form of llm.h.
 * Units:  s, byte, byte/s, operations/s.
 * Errors: none; a curve without em, or without ec where it is needed, is our bug.
 */
#ifndef NF_PERF_OPERATOR_H
#define NF_PERF_OPERATOR_H

#include <stdbool.h>

#include "perf/calibration.h"

/* A device as one precision sees it. */
struct nf_silicon {
    double peak, bandwidth, multiprocessors;
};
struct nf_silicon nf_silicon_of(const struct nf_device *device, enum nf_precision p);

/* `m` rows in all, spread evenly over `matrices` of n x k (experts; 1 for a plain product). */
struct nf_gemm_shape {
    double m, n, k;
    double matrices;
    double weight_bytes; /* an element */
    bool is_cached;      /* weights in the L2 cache: benchmarks of small matrices only */
};
/* The longest products in the rows that profiles are fitted to (bench/data/aiconfigurator). */
enum { NF_GEMM_ROWS_MEASURED = 16384 };

double nf_gemm_s(const struct nf_curve *c, const struct nf_silicon *s,
                 const struct nf_gemm_shape *g);

struct nf_prefill_shape {
    double pairs, tokens, context, longest;
    double heads, kv_heads, head_dim, kv_bytes;
};
double nf_prefill_s(const struct nf_curve *c, const struct nf_silicon *s,
                    const struct nf_prefill_shape *g);

struct nf_decode_shape {
    double sequences, context;
    double heads, kv_heads, head_dim, kv_bytes;
    bool is_cached;
};
double nf_decode_s(const struct nf_curve *c, const struct nf_silicon *s,
                   const struct nf_decode_shape *g);

double nf_pass_s(const struct nf_curve *c, const struct nf_silicon *s, double bytes);

/* `work` operations on `bytes` of memory. */
struct nf_work_shape {
    double work, bytes;
};
double nf_convolution_s(const struct nf_curve *c, const struct nf_silicon *s,
                        const struct nf_work_shape *g);
double nf_copy_s(const struct nf_curve *c, double bytes);
double nf_launch_s(const struct nf_curve *c, double kernels);

double nf_allreduce_s(const struct nf_allreduce *a, unsigned ranks, double bytes);

/* log2 of x, joined by straight lines between powers of two; 0 below 1. Off by at most 0.086. */
double nf_doublings(double x);

/* The operation time beyond which long operations slow down. */
#define NF_SLOWDOWN_S 30e-6

#endif
