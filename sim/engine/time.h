/*
 * time.h - simulated time: int64_t nanoseconds since the start of the world (292 years, exact ties, no drift).
 */
#ifndef NF_ENGINE_TIME_H
#define NF_ENGINE_TIME_H

#include <stdint.h>

typedef int64_t nf_time;

#define NF_TIME_NEVER INT64_MAX
#define NF_SECOND     INT64_C(1000000000)

/* Rounded to the nearest nanosecond; seconds that do not fit become NF_TIME_NEVER. Requires s >= 0. */
static inline nf_time nf_time_of_s(double s)
{
    double ns = s * 1e9 + 0.5;
    return ns < 9.2e18 ? (nf_time)ns : NF_TIME_NEVER;
}

static inline double nf_time_s(nf_time t)
{
    return (double)t * 1e-9;
}

#endif
