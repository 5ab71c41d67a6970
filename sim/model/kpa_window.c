/* The sliding windows of kpa.h: bucket sums for averages, and a running maximum for the scale-down delay. */
#include <math.h>
#include <string.h>

#include "base/status.h"
#include "model/kpa.h"

static const double WEIGHT_COVERED =
    0.9999; /* share of the weights that the window holds */
static const double SMOOTHING_MIN = 0.2;
static const double AVERAGE_DIGITS =
    1e6; /* averages are rounded to 6 digits, as upstream */

static int64_t granule(const struct nf_kpa_buckets *b, nf_time t)
{
    int64_t q = t / b->granularity;
    return t % b->granularity < 0 ? q - 1 : q;
}

static int64_t slot(const struct nf_kpa_buckets *b, int64_t index)
{
    int64_t r = index % b->count;
    return r < 0 ? r + b->count : r;
}

double nf_kpa_smoothing(double n)
{
    return fmax(1 - pow(1 - WEIGHT_COVERED, 1 / n), SMOOTHING_MIN);
}

void nf_kpa_buckets_init(struct nf_kpa_buckets *b, nf_time window, nf_time granularity,
                         bool is_weighted, struct nf_arena *arena)
{
    NF_ASSERT(window > 0 && granularity > 0);
    int64_t count = (window - 1) / granularity + 1;
    *b = (struct nf_kpa_buckets){
        .values = NF_NEW_ARRAY(arena, (size_t)count, double),
        .count = count,
        .window = window,
        .granularity = granularity,
        .is_weighted = is_weighted,
        .smoothing = nf_kpa_smoothing((double)count),
    };
}

/* Make granule `at` the latest, with everything between it and the last write empty. */
static void advance(struct nf_kpa_buckets *b, int64_t at)
{
    if (!b->has_data || (at - b->last) * b->granularity >= b->window) {
        memset(b->values, 0, (size_t)b->count * sizeof *b->values);
        b->total = 0;
        b->first = at;
    } else {
        for (int64_t i = b->last + 1; i <= at; i++) {
            b->total -= b->values[slot(b, i)];
            b->values[slot(b, i)] = 0;
        }
    }
    b->has_data = true;
    b->last = at;
}

void nf_kpa_buckets_record(struct nf_kpa_buckets *b, nf_time at, double value)
{
    int64_t index = granule(b, at);
    if (!b->has_data || index > b->last) {
        advance(b, index);
    } else if ((b->last - index) * b->granularity >= b->window) {
        return;
    } else if (index < b->first) {
        b->first = index;
    }
    b->values[slot(b, index)] += value;
    b->total += value;
}

bool nf_kpa_buckets_is_empty(const struct nf_kpa_buckets *b, nf_time now)
{
    return !b->has_data || (granule(b, now) - b->last) * b->granularity > b->window;
}

double nf_kpa_buckets_sum(const struct nf_kpa_buckets *b, nf_time now)
{
    int64_t at = granule(b, now);
    if (!b->has_data || (at - b->last) * b->granularity >= b->window) {
        return 0;
    }
    double sum = b->total;
    for (int64_t i = b->last + 1; i <= at; i++) {
        sum -= b->values[slot(b, i)];
    }
    return sum;
}

static double weighted_average(const struct nf_kpa_buckets *b, nf_time now)
{
    if (nf_kpa_buckets_is_empty(b, now)) {
        return 0;
    }
    int64_t silent = granule(b, now) - b->last;
    silent = silent > 0 ? silent : 0;
    double weight = b->smoothing * pow(1 - b->smoothing, (double)silent);
    double sum = 0;
    for (int64_t i = 0; i < b->count - silent; i++) {
        sum += weight * b->values[slot(b, b->last - i)];
        weight *= 1 - b->smoothing;
    }
    return sum;
}

double nf_kpa_buckets_average(const struct nf_kpa_buckets *b, nf_time now)
{
    if (b->is_weighted) {
        return weighted_average(b, now);
    }
    int64_t silent = granule(b, now) - b->last;
    if (!b->has_data || silent * b->granularity >= b->window) {
        return 0;
    }
    int64_t written = b->last - b->first + 1;
    int64_t room = b->count - (silent > 0 ? silent : 0);
    double mean = nf_kpa_buckets_sum(b, now) / (double)(written < room ? written : room);
    return round(mean * AVERAGE_DIGITS) / AVERAGE_DIGITS;
}

void nf_kpa_peak_init(struct nf_kpa_peak *p, int64_t size, struct nf_arena *arena)
{
    NF_ASSERT(size > 0);
    *p = (struct nf_kpa_peak){
        .values = NF_NEW_ARRAY(arena, (size_t)size, int32_t),
        .indices = NF_NEW_ARRAY(arena, (size_t)size, int64_t),
        .size = size,
    };
}

/* Ascending minima turned round: a value is dropped once a later one is as large, so the first is always the largest. */
int32_t nf_kpa_peak_record(struct nf_kpa_peak *p, int64_t index, int32_t value)
{
    while (p->length > 0 && value >= p->values[(p->first + p->length - 1) % p->size]) {
        p->length--;
    }
    while (p->length > 0 && index - p->indices[p->first] >= p->size) {
        p->first = (p->first + 1) % p->size;
        p->length--;
    }
    int64_t newest = (p->first + p->length - 1) % p->size;
    if (p->length == 0 || p->indices[newest] != index) {
        int64_t next = (p->first + p->length) % p->size;
        p->values[next] = value;
        p->indices[next] = index;
        p->length++;
    }
    NF_ASSERT(p->length <= p->size);
    return p->values[p->first];
}
