#include "experiment/theory.h"

#include <math.h>
#include <stddef.h>

#include "base/status.h"

/* P(X > t) of a time X >= 0 whose parameters stand in `ctx`; not increasing in t. */
typedef double (*nf_tail_fn)(const void *ctx, double t);

/* The q-quantile of the time whose tail is given; `scale` is any typical value of it. */
static double quantile(nf_tail_fn tail, const void *ctx, double q, double scale)
{
    double at_zero = 1.0 - tail(ctx, 0.0);
    double margin = fmin(0.1, 0.5 * (1.0 - q));
    if (at_zero >= q + margin) {
        return 0.0;
    }
    if (at_zero > q - margin) {
        return (double)NAN;
    }
    double low = 0.0;
    double high = scale;
    while (tail(ctx, high) > 1.0 - q) {
        low = high;
        high *= 2.0;
    }
    for (int i = 0; i < 200 && high - low > 1e-13 * high; i++) {
        double middle = 0.5 * (low + high);
        if (tail(ctx, middle) > 1.0 - q) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return 0.5 * (low + high);
}

static struct nf_theory nothing_known(void)
{
    return (struct nf_theory){(double)NAN, (double)NAN, (double)NAN,
                              (double)NAN, (double)NAN, (double)NAN,
                              (double)NAN, (double)NAN, 0.0};
}

/* The recurrence B(n) = a B(n-1) / (n + a B(n-1)) (Gross 2.5) is stable for any size. */
double nf_theory_erlang_b(double offered, unsigned servers)
{
    double b = 1.0;
    for (unsigned n = 1; n <= servers; n++) {
        b = offered * b / ((double)n + offered * b);
    }
    return b;
}

double nf_theory_erlang_c(double offered, unsigned servers)
{
    double c = (double)servers;
    NF_ASSERT(offered < c);
    double b = nf_theory_erlang_b(offered, servers);
    return c * b / (c - offered * (1.0 - b));
}

/* ---- M/M/c ---- */

struct mmc {
    double lambda, mu, c;
    double waits; /* P(W > 0) */
};

static double mmc_wait_tail(const void *ctx, double t)
{
    const struct mmc *m = ctx;
    return m->waits * exp(-(m->c * m->mu - m->lambda) * t);
}

/* P(T > t) = e^(-mu t) [1 + C (1 - e^(-mu t d)) / d] with d = c - 1 - a; the quotient tends to mu t as d goes to 0. */
static double mmc_time_tail(const void *ctx, double t)
{
    const struct mmc *m = ctx;
    double d = m->c - 1.0 - m->lambda / m->mu;
    double x = m->mu * t;
    double quotient = fabs(d) < 1e-9 ? x : -expm1(-x * d) / d;
    return exp(-x) * (1.0 + m->waits * quotient);
}

struct nf_theory nf_theory_mmc(double lambda, double mu, unsigned servers)
{
    double c = (double)servers;
    NF_ASSERT(lambda > 0.0 && lambda < c * mu);
    struct mmc m = {lambda, mu, c, nf_theory_erlang_c(lambda / mu, servers)};
    struct nf_theory r = nothing_known();
    r.wait_mean = m.waits / (c * mu - lambda);
    r.wait_p50 = quantile(mmc_wait_tail, &m, 0.50, 1.0 / mu);
    r.wait_p99 = quantile(mmc_wait_tail, &m, 0.99, 1.0 / mu);
    r.time_mean = r.wait_mean + 1.0 / mu;
    r.time_p50 = quantile(mmc_time_tail, &m, 0.50, 1.0 / mu);
    r.time_p99 = quantile(mmc_time_tail, &m, 0.99, 1.0 / mu);
    r.utilization = lambda / (c * mu);
    r.queue_mean = lambda * r.wait_mean;
    return r;
}

/* ---- M/M/c/K ---- */

enum { ROOM_MAX = 256 };

struct mmck {
    double mu, c;
    unsigned servers, room;
    double seen[ROOM_MAX + 1]; /* probability that an accepted request finds n inside */
};

/* P(Erlang(stages, rate) > t), where x = rate t: the first `stages` terms of a Poisson distribution. */
static double erlang_tail(unsigned stages, double x)
{
    double term = exp(-x);
    double sum = 0.0;
    for (unsigned i = 0; i < stages; i++) {
        sum += term;
        term *= x / (double)(i + 1);
    }
    return sum;
}

/* P(Poisson(mean) >= n), summed from n upwards: all terms are positive, so that small values keep their digits. */
static double poisson_at_least(double mean, unsigned n)
{
    double term = exp((double)n * log(mean) - mean - lgamma((double)n + 1.0));
    double sum = 0.0;
    for (unsigned j = n; term > 1e-18 * sum; j++) {
        sum += term;
        term *= mean / (double)(j + 1);
    }
    return sum;
}

static double mmck_wait_tail(const void *ctx, double t)
{
    const struct mmck *m = ctx;
    double tail = 0.0;
    for (unsigned n = m->servers; n < m->room; n++) {
        tail += m->seen[n] * erlang_tail(n - m->servers + 1, m->c * m->mu * t);
    }
    return tail;
}

/* A request that finds n >= c inside stays an Erlang(n - c + 1, c mu) wait and an exponential service. Their sum exceeds t when
 * the wait alone does, or when it ends at x < t and the service lasts t - x:
 *     Q(k, alpha t) + e^(-mu t) (alpha / (alpha - mu))^k P(N >= k),  alpha = c mu, N Poisson of mean (alpha - mu) t. */
static double mmck_time_tail(const void *ctx, double t)
{
    const struct mmck *m = ctx;
    double tail = 0.0;
    double alpha = m->c * m->mu;
    for (unsigned n = 0; n < m->room; n++) {
        if (n < m->servers) {
            tail += m->seen[n] * exp(-m->mu * t);
            continue;
        }
        unsigned k = n - m->servers + 1;
        if (m->servers == 1) {
            tail += m->seen[n] * erlang_tail(k + 1, m->mu * t);
            continue;
        }
        double ends = t > 0.0 ? poisson_at_least((alpha - m->mu) * t, k) : 0.0;
        double factor = pow(alpha / (alpha - m->mu), (double)k);
        tail +=
            m->seen[n] * (erlang_tail(k, alpha * t) + exp(-m->mu * t) * factor * ends);
    }
    return tail;
}

struct nf_theory nf_theory_mmck(double lambda, double mu, unsigned servers, unsigned room)
{
    NF_ASSERT(lambda > 0.0 && servers >= 1 && room >= servers && room <= ROOM_MAX);
    struct mmck m = {.mu = mu, .c = (double)servers, .servers = servers, .room = room};
    double p[ROOM_MAX + 1];
    double sum = 1.0;
    p[0] = 1.0;
    for (unsigned n = 1; n <= room; n++) {
        p[n] = p[n - 1] * lambda / (mu * (double)(n < servers ? n : servers));
        sum += p[n];
    }
    double waiting = 0.0;
    for (unsigned n = 0; n <= room; n++) {
        p[n] /= sum;
        waiting += n > servers ? p[n] * (double)(n - servers) : 0.0;
    }
    for (unsigned n = 0; n < room; n++) {
        m.seen[n] = p[n] / (1.0 - p[room]);
    }
    struct nf_theory r = nothing_known();
    double accepted = lambda * (1.0 - p[room]);
    r.loss = p[room];
    r.queue_mean = waiting;
    r.wait_mean = waiting / accepted;
    r.time_mean = r.wait_mean + 1.0 / mu;
    r.utilization = accepted / (m.c * mu);
    r.wait_p50 = quantile(mmck_wait_tail, &m, 0.50, 1.0 / mu);
    r.wait_p99 = quantile(mmck_wait_tail, &m, 0.99, 1.0 / mu);
    r.time_p50 = quantile(mmck_time_tail, &m, 0.50, 1.0 / mu);
    r.time_p99 = quantile(mmck_time_tail, &m, 0.99, 1.0 / mu);
    return r;
}

/* ---- single servers with other laws ---- */

struct md1 {
    double lambda, service;
};

/* Erlang: P(W <= t) = (1 - rho) sum over j <= t/D of (-x)^j / j! e^x with x = lambda (t - j D). The signs alternate, and the
 * largest term grows with t; in long double the result keeps 9 digits up to t = 30 D at the utilizations tested. */
double nf_theory_md1_wait_tail(double lambda, double service, double t)
{
    NF_ASSERT(lambda * service < 1.0 && t <= 30.0 * service);
    long double sum = 0.0L;
    unsigned last = (unsigned)floor(t / service);
    for (unsigned j = 0; j <= last; j++) {
        long double x = (long double)lambda *
                        ((long double)t - (long double)j * (long double)service);
        long double term = expl(x);
        for (unsigned i = 1; i <= j; i++) {
            term *= -x / (long double)i;
        }
        sum += term;
    }
    return (double)(1.0L - (1.0L - (long double)lambda * (long double)service) * sum);
}

static double md1_wait_tail(const void *ctx, double t)
{
    const struct md1 *m = ctx;
    return nf_theory_md1_wait_tail(m->lambda, m->service, t);
}

struct nf_theory nf_theory_md1(double lambda, double service)
{
    struct md1 m = {lambda, service};
    struct nf_theory r = nf_theory_mg1(lambda, service, 0.0);
    r.wait_p50 = quantile(md1_wait_tail, &m, 0.50, service);
    r.wait_p99 = quantile(md1_wait_tail, &m, 0.99, service);
    r.time_p50 = service + r.wait_p50;
    r.time_p99 = service + r.wait_p99;
    return r;
}

struct nf_theory nf_theory_mg1(double lambda, double mean, double cv)
{
    double rho = lambda * mean;
    NF_ASSERT(rho > 0.0 && rho < 1.0);
    struct nf_theory r = nothing_known();
    r.wait_mean = rho * mean * (1.0 + cv * cv) / (2.0 * (1.0 - rho));
    r.time_mean = r.wait_mean + mean;
    r.utilization = rho;
    r.queue_mean = lambda * r.wait_mean;
    return r;
}

struct nf_theory nf_theory_dm1(double gap, double mu)
{
    NF_ASSERT(mu * gap > 1.0);
    /* Newton from 0 on the convex f(s) = exp(-mu gap (1 - s)) - s rises to the root below 1 and cannot pass it. */
    double sigma = 0.0;
    for (int i = 0; i < 100; i++) {
        double e = exp(-mu * gap * (1.0 - sigma));
        sigma += (e - sigma) / (1.0 - mu * gap * e);
    }
    /* Wait and time in system have M/M/1's form with sigma in the place of rho. */
    struct mmc m = {.lambda = sigma * mu, .mu = mu, .c = 1.0, .waits = sigma};
    struct nf_theory r = nothing_known();
    r.wait_mean = sigma / (mu * (1.0 - sigma));
    r.wait_p50 = quantile(mmc_wait_tail, &m, 0.50, 1.0 / mu);
    r.wait_p99 = quantile(mmc_wait_tail, &m, 0.99, 1.0 / mu);
    r.time_mean = r.wait_mean + 1.0 / mu;
    r.time_p50 = quantile(mmc_time_tail, &m, 0.50, 1.0 / mu);
    r.time_p99 = quantile(mmc_time_tail, &m, 0.99, 1.0 / mu);
    r.utilization = 1.0 / (mu * gap);
    r.queue_mean = r.wait_mean / gap;
    return r;
}

/* ---- batches ---- */

double nf_theory_batch_wait_mean(double lambda, unsigned batch, double service)
{
    double b = (double)batch;
    NF_ASSERT(batch >= 1 && lambda * service < b);
    double mean = 0.0;
    for (unsigned m = 1; m < 100000; m++) {
        double n = (double)m * lambda * service;
        double term = service * poisson_at_least(n, m * batch) -
                      b / lambda * poisson_at_least(n, m * batch + 1);
        mean += term;
        if (term < 1e-15 * mean || mean <= 0.0) {
            break;
        }
    }
    return mean;
}

struct nf_theory nf_theory_fixed_batch(double lambda, unsigned batch, double service)
{
    double b = (double)batch;
    struct nf_theory r = nothing_known();
    r.wait_mean =
        (b - 1.0) / (2.0 * lambda) + nf_theory_batch_wait_mean(lambda, batch, service);
    r.time_mean = r.wait_mean + service;
    r.utilization = lambda * service / b;
    r.queue_mean = lambda * r.wait_mean;
    return r;
}
