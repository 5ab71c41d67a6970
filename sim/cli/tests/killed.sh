#!/usr/bin/env bash
# killed.sh PROGRAM [TIMES [SEED]]: SIGKILL at random moments of a run that replaces a result file: under its name there is always the
# complete old file or the complete new one, and the next run sweeps up what the killed ones left.
set -eu
nearfar=$(realpath "$1"); times=${2:-50}; seed=${3:-7919}
here=$(cd "$(dirname "$0")" && pwd)
out=$(mktemp -d); trap 'rm -rf "$out"' EXIT
cd "$out"
cp "$here/files/small.yaml" .
RANDOM=$seed
long=(--set duration=40000s --replications 6 --quiet)

"$nearfar" run small.yaml "${long[@]}" --seed 1 -o old.h5
begin=$(date +%s%N)
"$nearfar" run small.yaml "${long[@]}" --seed 2 -o new.h5
took=$((($(date +%s%N) - begin) / 1000)) # microseconds
if cmp -s old.h5 new.h5; then echo "both seeds give the same file"; exit 1; fi

kept=0; replaced=0
for i in $(seq "$times"); do
    cp old.h5 result.h5
    "$nearfar" run small.yaml "${long[@]}" --seed 2 -o result.h5 &
    pid=$!
    # Up to a tenth longer than a whole run, so that some are killed at the very end and some not at all.
    wait_us=$(((RANDOM * 32768 + RANDOM) % (took * 11 / 10 + 1)))
    sleep "$(printf '%d.%06d' $((wait_us / 1000000)) $((wait_us % 1000000)))"
    kill -KILL $pid 2>/dev/null || true
    wait $pid 2>/dev/null || true
    if cmp -s result.h5 old.h5; then
        kept=$((kept + 1))
    elif cmp -s result.h5 new.h5; then
        replaced=$((replaced + 1))
    else
        echo "kill $i after $wait_us us (seed $seed): neither the old nor the new file"; exit 1
    fi
done
"$nearfar" run small.yaml "${long[@]}" --seed 2 -o result.h5
left=$(ls -A | grep -v -e '^old.h5$' -e '^new.h5$' -e '^result.h5$' -e '^small.yaml$' || true)
[ -z "$left" ] || { echo "left behind: $left"; exit 1; }
echo "$times kills: $kept left the old file, $replaced the new one"
[ $kept -gt 0 ] || { echo "no run was killed before its end"; exit 1; }
