/*
 * interval.h - how sure a simulated mean is: Student intervals over replications, and batch means inside one long run.
 *
 * Source: Law, Simulation Modeling and Analysis (5th ed.), chapters 9.4 (replications) and 9.5.3 (batch means).
 */
#ifndef NF_STATS_INTERVAL_H
#define NF_STATS_INTERVAL_H

#include <stddef.h>
#include <stdint.h>

/* A value and the half width of its two-sided interval; half_width is NAN when it cannot be known. */
struct nf_estimate {
    double value, half_width;
};

/* Mean of x[0..n) and t(n-1) half width at `confidence` (0.95). NAN entries are left out (a replication in which the metric
 * does not exist); n < 2 usable entries: half_width NAN; none: value NAN. */
struct nf_estimate nf_interval_mean(const double *x, size_t n, double confidence);

/* Batch means with a fixed number of batches that double in length when full: O(1) memory for any run length. */
enum { NF_BATCHES = 64 };
struct nf_batch_means {
    double sum[NF_BATCHES];
    uint64_t length;  /* observations a batch */
    uint64_t in_last; /* observations in the open batch */
    int filled;       /* complete batches */
    double open_sum;
};
void nf_batch_means_init(struct nf_batch_means *b);
void nf_batch_means_close(
    struct nf_batch_means *b); /* the open batch is full: called by nf_batch_means_add */
static inline void nf_batch_means_add(struct nf_batch_means *b, double x)
{
    b->open_sum += x;
    if (__builtin_expect(++b->in_last == b->length, 0)) {
        nf_batch_means_close(b);
    }
}
/* Half width of the mean at `confidence` from the complete batches (merged down to 32 or so); NAN when there are fewer than
 * 20 batches or when their lag-1 autocorrelation says that batches are still too short (above 0.2). */
double nf_batch_means_half_width(const struct nf_batch_means *b, double confidence);

#endif
