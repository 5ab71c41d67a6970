/* interval.c - see interval.h. */
#include "stats/interval.h"

#include <gsl/gsl_cdf.h>
#include <math.h>
#include <string.h>

#include "base/status.h"

/* t * s / sqrt(n) for the sum of squares of n values around their mean. */
static double student_half_width(double squares, size_t n, double confidence)
{
    NF_ASSERT(confidence > 0 && confidence < 1);
    if (n < 2) {
        return (double)NAN;
    }
    double freedom = (double)(n - 1);
    return gsl_cdf_tdist_Pinv(0.5 + confidence / 2, freedom) *
           sqrt(squares / freedom / (double)n);
}

struct nf_estimate nf_interval_mean(const double *x, size_t n, double confidence)
{
    size_t used = 0;
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        if (!isnan(x[i])) {
            sum += x[i];
            used++;
        }
    }
    if (used == 0) {
        return (struct nf_estimate){(double)NAN, (double)NAN};
    }
    double mean = sum / (double)used, squares = 0;
    for (size_t i = 0; i < n; i++) {
        if (!isnan(x[i])) {
            squares += (x[i] - mean) * (x[i] - mean);
        }
    }
    return (struct nf_estimate){mean, student_half_width(squares, used, confidence)};
}

void nf_batch_means_init(struct nf_batch_means *b)
{
    memset(b, 0, sizeof *b);
    b->length = 1;
}

/* Neighbours become one batch of twice the length; an odd last one is dropped. Returns the new number. */
static int pair_up(double *sum, int n)
{
    for (int i = 0; i < n / 2; i++) {
        sum[i] = sum[2 * i] + sum[2 * i + 1];
    }
    return n / 2;
}

void nf_batch_means_close(struct nf_batch_means *b)
{
    b->sum[b->filled++] = b->open_sum;
    b->open_sum = 0;
    b->in_last = 0;
    if (b->filled == NF_BATCHES) {
        b->filled = pair_up(b->sum, NF_BATCHES);
        b->length *= 2;
    }
}

double nf_batch_means_half_width(const struct nf_batch_means *b, double confidence)
{
    enum { FEWEST = 20, MOST = 2 * FEWEST };
    double batch[NF_BATCHES];
    double length = (double)b->length;
    int n = b->filled;
    memcpy(batch, b->sum, sizeof batch);
    if (n >= MOST) {
        /* Longer batches are less correlated, and more than 20 to 30 of them buy little (Law, section 9.5.3). */
        n = pair_up(batch, n);
        length *= 2;
    }
    if (n < FEWEST) {
        return (double)NAN;
    }
    double mean = 0;
    for (int i = 0; i < n; i++) {
        batch[i] /= length;
        mean += batch[i] / n;
    }
    double squares = 0, lagged = 0;
    for (int i = 0; i < n; i++) {
        double d = batch[i] - mean;
        squares += d * d;
        lagged += i > 0 ? d * (batch[i - 1] - mean) : 0;
    }
    if (lagged > 0.2 * squares) {
        return (double)NAN;
    }
    return student_half_width(squares, (size_t)n, confidence);
}
