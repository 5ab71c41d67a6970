/*
 * theory.h - what queueing theory says about a station: the yardstick of `nearfar validate theory`.
 *
 * What:   closed forms of the classical queues, first come first served, in steady state: means and quantiles of the wait and
 *         of the time in system, utilization, mean number waiting, loss. A field is NAN where no formula is used.
 * Why:    an engine that misses a formula is wrong whatever else it can do.
 * Source: named at each function. Gross: Gross, Shortle, Thompson, Harris, Fundamentals of Queueing Theory, 4th ed. (2008).
 *         Kleinrock: Queueing Systems, volume 1 (1975). Tijms: A First Course in Stochastic Models (2003).
 * Units:  seconds and 1/s. A quantile that falls into an atom at 0 ("does not wait") is 0; one that is closer to such an atom
 *         than 0.1 (or half of 1 - q) in probability is NAN, because a simulation cannot tell on which side of it it falls.
 * Errors: parameters outside the stated range are our bug (NF_ASSERT).
 */
#ifndef NF_EXPERIMENT_THEORY_H
#define NF_EXPERIMENT_THEORY_H

struct nf_theory {
    double wait_mean, wait_p50, wait_p99; /* of served requests */
    double time_mean, time_p50, time_p99; /* wait and service, of served requests */
    double utilization;                   /* busy share of the servers */
    double queue_mean;                    /* requests that wait, time average */
    double loss; /* share of offered requests that found no room */
};

/* M/M/c, c >= 1, lambda < c mu. Gross 2.3; wait and sojourn distributions: Gross 2.3.1 and problem 2.27. */
struct nf_theory nf_theory_mmc(double lambda, double mu, unsigned servers);

/* M/M/c/K: at most `room` >= servers requests inside; room == servers is Erlang's loss system. Any lambda > 0.
 * Gross 2.4 and 2.5; the wait of an accepted request is a mixture of Erlang times (Gross 2.4.1). */
struct nf_theory nf_theory_mmck(double lambda, double mu, unsigned servers,
                                unsigned room);

/* M/D/1. Mean: Pollaczek-Khinchine. Distribution of the wait: Erlang 1909 (Tijms 9.5.1 with c = 1). */
struct nf_theory nf_theory_md1(double lambda, double service);

/* M/G/1: means only, Pollaczek-Khinchine (Kleinrock 5.6). `cv`: coefficient of variation of the service time. */
struct nf_theory nf_theory_mg1(double lambda, double mean, double cv);

/* D/M/1: an arrival every `gap`. GI/M/1 with the root sigma of sigma = exp(-mu gap (1 - sigma)) (Kleinrock 6.3-6.4). */
struct nf_theory nf_theory_dm1(double gap, double mu);

/* Poisson requests served in batches of exactly `batch`, one batch after the other, each taking `service`: a request waits
 * for its batch to fill, (batch - 1) / (2 lambda) on average, and then as a customer of E_batch/D/1, whose mean wait is
 *     sum over m >= 1 of  D P(N(mD) >= m b) - (b / lambda) P(N(mD) >= m b + 1),   N Poisson of rate lambda
 * by Spitzer's identity for the waiting time of a GI/G/1 queue (Kleinrock 8.2; it is also Crommelin's M/D/b, Tijms 9.6.2). */
struct nf_theory nf_theory_fixed_batch(double lambda, unsigned batch, double service);

/* Parts, public for their tests. */
double nf_theory_erlang_b(double offered, unsigned servers); /* offered = lambda / mu */
double nf_theory_erlang_c(double offered, unsigned servers); /* offered < servers */
double nf_theory_md1_wait_tail(double lambda, double service,
                               double t); /* P(W > t), t <= 30 services */
double nf_theory_batch_wait_mean(double lambda, unsigned batch,
                                 double service); /* of a full batch */

#endif
