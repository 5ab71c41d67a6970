#!/usr/bin/env bash
# demo.sh NEARFAR FOLDER: two scenarios played and drawn into FOLDER, then what to look at and what to try next.
# demo.sh --next SCENARIO met|missed: only what to try next after that scenario met or missed its objectives.
#
# What is suggested follows from the verdicts of the runs; tools/test_demo.sh plays every suggestion.
# Exit status: 0 done, 1 a run or a picture failed, 2 bad usage.
set -euo pipefail
cd "$(dirname "$0")/.."
nearfar=build/bin/nearfar # as the reader types it, in the root of the tree

# Commands, each under a line that says why.
next() { # scenario verdict
    case $1-$2 in
    recorded-code-missed)
        cat <<TEXT
  # recorded-code misses its 500 ms to the first token in the bursts. Do four times as many replicas keep it, and at what cost?
  $nearfar run scenarios/examples/recorded-code.yaml --set cloud.pool.replicas.max=16 \\
      --set cloud.pool.replicas.min=16 --set cloud.pool.replicas.initial=16
TEXT
        ;;
    recorded-code-met)
        cat <<TEXT
  # recorded-code keeps its 500 ms to the first token. Does half the pool keep it as well?
  $nearfar run scenarios/examples/recorded-code.yaml --set cloud.pool.replicas.min=2 \\
      --set cloud.pool.replicas.initial=2 --set cloud.pool.replicas.max=2
TEXT
        ;;
    hybrid-vision-missed)
        cat <<TEXT
  # hybrid-vision misses its 10 ms for camera frames. Do a second GPU, a faster network and no waiting for batches keep it?
  $nearfar run scenarios/article/hybrid-vision.yaml --set edge.shop-gpu.gpus=2 \\
      --set links.lan.bandwidth=10Gbit/s --set edge.shop-gpu.batching.max_delay=0ms
TEXT
        ;;
    hybrid-vision-met)
        cat <<TEXT
  # hybrid-vision keeps its 10 ms for camera frames. Does an older T4 in every shop keep it as well?
  $nearfar run scenarios/article/hybrid-vision.yaml --set edge.shop-gpu.device=T4
TEXT
        ;;
    *) echo "demo.sh: nothing is known to follow when $1 is $2" >&2; exit 2 ;;
    esac
}

if [ "${1:-}" = --next ] && [ $# = 3 ]; then
    next "$2" "$3"
    exit
fi
if [ $# != 2 ]; then
    sed -n '2,3s/^# //p' "$0" >&2
    exit 2
fi
program=$1
folder=$2

play() { # scenario objective: run and draw it; verdict is then whether the objective is met or missed
    local name=${1#*/} summary
    printf '\n== %s run scenarios/%s.yaml -o %s/%s.h5\n' "$program" "$1" "$folder" "$name"
    summary=$("$program" run "scenarios/$1.yaml" -o "$folder/$name.h5") || { echo "demo.sh: $name did not run" >&2; exit 1; }
    printf '%s\n' "$summary"
    if grep -qE "^  $2 .* MISSED" <<<"$summary"; then verdict=missed; else verdict=met; fi
    "$program" plot "$folder/$name.h5" -o "$folder/$name.png" ||
        { echo "demo.sh: $name could not be drawn" >&2; exit 1; }
}

mkdir -p "$folder"
play examples/recorded-code 'editors  ttft_p99'
recorded=$verdict
play article/hybrid-vision 'cameras   p99'
hybrid=$verdict
cat <<TEXT

What to look at
  $folder/recorded-code.png   a recorded hour of code completion, played twice as fast on four H100 replicas:
                              time to first token against its 500 ms target, queue and utilization over time
  $folder/hybrid-vision.png   ten shops that look at camera frames on their own L4, and ask a large model on H200s
                              in the cloud about one frame in twenty: both latencies, the pool growing, the cost
  $folder/*.h5                everything behind the pictures, one row a request (h5ls -r, h5py, xarray)

What to try next
$(next recorded-code "$recorded")
$(next hybrid-vision "$hybrid")
  # every default that was used; what an edge node can be; the models against queueing formulas (two minutes on two cores)
  $nearfar check --effective scenarios/article/hybrid-vision.yaml
  $nearfar schema edge
  $nearfar validate theory
TEXT
