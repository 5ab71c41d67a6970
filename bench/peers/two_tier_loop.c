/*
 * two_tier_loop.c - the two-tier case as a bare event loop: what the case costs with no simulator around it.
 *
 * What:   Poisson requests, 80 % to one edge server, 20 % to a cloud station of four; a binary heap of events, one
 *         ring of waiting requests per station, the sum of the times in system. No library, no records, no histogram.
 * Usage:  two_tier_loop REQUESTS EDGE_RTT_MS CLOUD_RTT_MS
 * Prints: requests, edge mean ms, cloud mean ms, wall seconds (one line, tab-separated), as every program here does.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { HEAP_CAP = 1 << 12, RING_CAP = 1 << 20 };

struct event {
    double time;    /* seconds */
    double arrived; /* of the request at the client */
    int kind; /* 0: next arrival; 1 + s: request reaches station s; 3 + s: service ends at station s */
};

struct station {
    double rtt, mean, sum;
    int64_t done, head, tail;
    int free_servers;
    double ring[RING_CAP]; /* arrival times at the client, first come first served */
};

static struct event heap[HEAP_CAP];
static int heap_size;
static struct station stations[2];
static uint64_t rng_state[2] = {0x9E3779B97F4A7C15u, 0xD1B54A32D192ED03u};

/* xoroshiro128+ (Blackman and Vigna 2018), upper 53 bits, never 0. */
static double uniform(void)
{
    uint64_t s0 = rng_state[0], s1 = rng_state[1], sum = s0 + s1;
    s1 ^= s0;
    rng_state[0] = ((s0 << 24) | (s0 >> 40)) ^ s1 ^ (s1 << 16);
    rng_state[1] = (s1 << 37) | (s1 >> 27);
    return ((double)(sum >> 11) + 0.5) * 0x1p-53;
}

static double exponential(double mean)
{
    return -mean * log(uniform());
}

static void push(double time, double arrived, int kind)
{
    int i = heap_size++;
    if (heap_size > HEAP_CAP) {
        fprintf(stderr, "two_tier_loop: more than %d events pending\n", HEAP_CAP);
        exit(3);
    }
    for (; i > 0 && heap[(i - 1) / 2].time > time; i = (i - 1) / 2) {
        heap[i] = heap[(i - 1) / 2];
    }
    heap[i] = (struct event){time, arrived, kind};
}

static struct event pop(void)
{
    struct event top = heap[0], last = heap[--heap_size];
    int i = 0;
    for (;;) {
        int child = 2 * i + 1;
        if (child >= heap_size) {
            break;
        }
        if (child + 1 < heap_size && heap[child + 1].time < heap[child].time) {
            child++;
        }
        if (heap[child].time >= last.time) {
            break;
        }
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = last;
    return top;
}

static void reach_station(int s, double now, double arrived)
{
    struct station *st = &stations[s];
    if (st->free_servers > 0) {
        st->free_servers--;
        push(now + exponential(st->mean), arrived, 3 + s);
    } else {
        st->ring[st->tail++ % RING_CAP] = arrived;
    }
}

static void end_service(int s, double now, double arrived)
{
    struct station *st = &stations[s];
    st->sum += now + st->rtt / 2 - arrived;
    st->done++;
    if (st->head < st->tail) {
        push(now + exponential(st->mean), st->ring[st->head++ % RING_CAP], 3 + s);
    } else {
        st->free_servers++;
    }
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: two_tier_loop REQUESTS EDGE_RTT_MS CLOUD_RTT_MS\n");
        return 2;
    }
    int64_t requests = (int64_t)strtod(argv[1], NULL), sent = 0;
    stations[0].rtt = strtod(argv[2], NULL) / 1e3;
    stations[1].rtt = strtod(argv[3], NULL) / 1e3;
    stations[0].mean = 0.005;
    stations[1].mean = 0.060;
    stations[0].free_servers = 1;
    stations[1].free_servers = 4;

    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    push(exponential(0.006), 0, 0);
    while (heap_size > 0) {
        struct event e = pop();
        if (e.kind == 0) {
            int s = uniform() < 0.8 ? 0 : 1;
            push(e.time + stations[s].rtt / 2, e.time, 1 + s);
            if (++sent < requests) {
                push(e.time + exponential(0.006), 0, 0);
            }
        } else if (e.kind < 3) {
            reach_station(e.kind - 1, e.time, e.arrived);
        } else {
            end_service(e.kind - 3, e.time, e.arrived);
        }
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%lld\t%.4f\t%.4f\t%.4f\n", (long long)requests,
           1e3 * stations[0].sum / (double)stations[0].done,
           1e3 * stations[1].sum / (double)stations[1].done,
           (double)(end.tv_sec - start.tv_sec) +
               1e-9 * (double)(end.tv_nsec - start.tv_nsec));
    return 0;
}
