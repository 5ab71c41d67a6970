#!/usr/bin/env bash
# bench/peers/run.sh [REQUESTS [RUNS]]: the two-tier case in nearfar, a bare C loop, SimGrid and SimPy, side by side.
#
# Case: Poisson requests, 166.67 a second; 80 % to one edge server (exponential service, mean 5 ms), 20 % to a cloud
# station of four servers (exponential, mean 60 ms). Theory, mean time in system: M/M/1 15.0 ms and M/M/4 65.2 ms;
# with round trips of 1 ms and 20 ms 16.0 and 85.2 ms. Every program sends the requests and the answers over its own
# links and times only the simulation, not its start. Default: 1 000 000 requests (SimPy a tenth), the best of 3 runs.
# A program that is not installed is named, with the reason. NF_BUILD: build folder (default build).
# NF_PYTHON: a Python that has simpy (default python3).
set -eu
cd "$(dirname "$0")/../.."
requests=${1:-1000000}
runs=${2:-3}
build=${NF_BUILD:-build}
python=${NF_PYTHON:-python3}
out=$build/peers
mkdir -p "$out"
cc=${CC:-cc}

# Erlang C with arrival rate l, service rate m, c servers: mean time in system in ms.
theory() {
    awk -v l="$1" -v m="$2" -v c="$3" -v rtt="$4" 'BEGIN {
        a = l / m; term = 1; sum = 1
        for (k = 1; k < c; k++) { term *= a / k; sum += term }
        last = term * a / c / (1 - a / c)
        printf "%.4f", 1e3 * (last / (sum + last) / (c * m - l) + 1 / m) + rtt
    }'
}

row() { # name requests edge cloud wall theory-edge theory-cloud
    awk -v name="$1" -v n="$2" -v e="$3" -v c="$4" -v w="$5" -v te="$6" -v tc="$7" 'BEGIN {
        printf "%-22s %9d  %8.3f %+6.2f %%  %8.3f %+6.2f %%  %8.3f  %10.0f\n",
            name, n, e, 100 * (e / te - 1), c, 100 * (c / tc - 1), w, n / w
    }'
}

best() { # name theory-edge theory-cloud command...: the run with the least wall time
    local name=$1 te=$2 tc=$3 line="" i; shift 3
    for i in $(seq "$runs"); do
        "$@" 2>"$out/err" >>"$out/lines.$$" || {
            printf '%-22s failed: %s\n' "$name" "$(head -1 "$out/err")"; rm -f "$out/lines.$$"; return 0; }
    done
    line=$(sort -t$'\t' -g -k4 "$out/lines.$$" | head -1)
    rm -f "$out/lines.$$"
    IFS=$'\t' read -r n e c w <<<"$line"
    row "$name" "$n" "$e" "$c" "$w" "$te" "$tc"
}

skip() { printf '%-22s skipped: %s\n' "$1" "$2"; }

# nearfar prints one JSON object; the same four columns from it. Wall time of the simulation, as the others.
nearfar_columns() { # edge-rtt cloud-rtt
    local duration
    duration=$(awk -v n="$requests" 'BEGIN { printf "%.0f", n / 166.66663 }')
    "$build/bin/nearfar" run bench/peers/two-tier.yaml --json --quiet --replications 1 --jobs 1 --set duration="${duration}s" \
        --set "links.lan.rtt=$1ms" --set "links.wan.rtt=$2ms" |
        "$python" -c '
import json, sys
r = json.load(sys.stdin)
mean = {k: v["latency_s"]["mean"]["value"] for k, v in r["classes"].items()}
print(r["requests"]["offered"], 1e3 * mean["edge"], 1e3 * mean["cloud"], r["wall_s"], sep="\t")'
}

have_simgrid=0
if echo '#include <simgrid/s4u.hpp>' | c++ -std=c++17 -x c++ -E - >/dev/null 2>&1; then
    if [ ! "$out/two_tier_simgrid" -nt bench/peers/two_tier_simgrid.cpp ]; then
        c++ -std=c++17 -O2 -o "$out/two_tier_simgrid" bench/peers/two_tier_simgrid.cpp -lsimgrid
    fi
    have_simgrid=1
fi
if [ ! "$out/two_tier_loop" -nt bench/peers/two_tier_loop.c ]; then
    "$cc" -std=c11 -D_POSIX_C_SOURCE=200809L -O2 -o "$out/two_tier_loop" bench/peers/two_tier_loop.c -lm
fi

compare() { # edge-rtt cloud-rtt
    local te tc
    te=$(theory 133.3333 200 1 "$1")
    tc=$(theory 33.33333 16.666667 4 "$2")
    printf '\nround trips %s ms and %s ms; theory: edge %.3f ms, cloud %.3f ms; best of %s runs\n' \
        "$1" "$2" "$te" "$tc" "$runs"
    printf '%-22s %9s  %8s %8s  %8s %8s  %8s  %10s\n' program requests "edge ms" error "cloud ms" error \
        "wall s" requests/s
    if [ ! -x "$build/bin/nearfar" ]; then skip nearfar "no $build/bin/nearfar (tools/bootstrap.sh build)"
    elif ! command -v "$python" >/dev/null; then skip nearfar "no $python to read its JSON"
    else best nearfar "$te" "$tc" nearfar_columns "$1" "$2"; fi
    best "bare C loop" "$te" "$tc" "$out/two_tier_loop" "$requests" "$1" "$2"
    if [ $have_simgrid = 1 ]; then
        best "SimGrid, factor 1" "$te" "$tc" "$out/two_tier_simgrid" "$requests" "$1" "$2" \
            --cfg=network/latency-factor:1 --log=root.thresh:critical
        [ "$1" = 0 ] || best "SimGrid, as shipped" "$te" "$tc" "$out/two_tier_simgrid" "$requests" "$1" "$2" \
            --log=root.thresh:critical
    else
        skip SimGrid "no simgrid/s4u.hpp (Debian: apt-get install libsimgrid-dev)"
    fi
    if "$python" -c 'import simpy' 2>/dev/null; then
        best SimPy "$te" "$tc" "$python" bench/peers/two_tier_simpy.py $((requests / 10)) "$1" "$2"
    else
        skip SimPy "$python has no simpy (pip install simpy, then NF_PYTHON=that python)"
    fi
}

compare 0 0
compare 1 20
