"""The two-tier case in SimPy: one process a request, one Resource a station.

Usage:  two_tier_simpy.py REQUESTS EDGE_RTT_MS CLOUD_RTT_MS
Prints: requests, edge mean ms, cloud mean ms, wall seconds (one line, tab-separated).
"""
import random
import sys
import time

import simpy

EDGE, CLOUD = 0, 1
SERVICE_MEAN_S = (0.005, 0.060)
SERVERS = (1, 4)


def main():
    requests = int(float(sys.argv[1]))
    round_trip = (float(sys.argv[2]) / 1e3, float(sys.argv[3]) / 1e3)
    rng = random.Random(7919)
    env = simpy.Environment()
    stations = [simpy.Resource(env, capacity=n) for n in SERVERS]
    total, count = [0.0, 0.0], [0, 0]

    def request(tier):
        start, half = env.now, round_trip[tier] / 2
        if half:
            yield env.timeout(half)
        with stations[tier].request() as turn:
            yield turn
            yield env.timeout(rng.expovariate(1 / SERVICE_MEAN_S[tier]))
        if half:
            yield env.timeout(half)
        total[tier] += env.now - start
        count[tier] += 1

    def source():
        for _ in range(requests):
            yield env.timeout(rng.expovariate(1 / 0.006))
            env.process(request(EDGE if rng.random() < 0.8 else CLOUD))

    start = time.perf_counter()
    env.process(source())
    env.run()
    wall = time.perf_counter() - start
    print(f"{requests}\t{1e3 * total[0] / count[0]:.4f}\t{1e3 * total[1] / count[1]:.4f}\t{wall:.4f}")


if __name__ == "__main__":
    main()
