#!/usr/bin/env bash
# test_parallel_run.sh NEARFAR: the same scenario and seed give the same bytes on one, two and four threads, and twice
# in a row. Under ThreadSanitizer a race ends the program with status 66, which fails the test as well.
set -eu
nearfar=$1
cd "$(dirname "$0")/.."
out=$(mktemp -d); trap 'rm -rf "$out"' EXIT

compare() { # scenario options...
    local scenario=$1 jobs; shift
    for jobs in 1 2 4 4; do
        "$nearfar" run "$scenario" "$@" --jobs $jobs --quiet -o "$out/new.h5" </dev/null >/dev/null
        if [ $jobs = 1 ]; then
            mv "$out/new.h5" "$out/first.h5"
        else
            cmp "$out/first.h5" "$out/new.h5" || { echo "$scenario: --jobs $jobs differs from --jobs 1"; exit 1; }
        fi
    done
    "$nearfar" run "$scenario" "$@" --seed 7919 --jobs 4 --quiet -o "$out/new.h5" >/dev/null
    if cmp -s "$out/first.h5" "$out/new.h5"; then echo "$scenario: another seed gave the same file"; exit 1; fi
    echo "$scenario: equal on 1, 2 and 4 threads; another seed differs"
}

compare scenarios/examples/mm1.yaml --replications 5 --set duration=4000s --set warmup=200s
compare scenarios/article/hybrid-vision.yaml --replications 4 --set duration=120s --set warmup=10s
