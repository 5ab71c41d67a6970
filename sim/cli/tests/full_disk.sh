#!/usr/bin/env bash
# full_disk.sh PROGRAM: a disk that fills up in the middle of a run or of a picture ends it with status 3 and the reason, and leaves
# no file.
# Needs a file system of its own, so it is skipped (77) where none may be mounted.
set -eu
nearfar=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)
if [ "${2:-}" != inside ]; then
    unshare --user --map-root-user --mount true 2>/dev/null || { echo "skipped: no mount namespace here"; exit 77; }
    exec unshare --user --map-root-user --mount "$0" "$nearfar" inside
fi
out=$(mktemp -d); trap 'cd /; umount "$out" 2>/dev/null || true; rmdir "$out"' EXIT
mount -t tmpfs -o size=600k none "$out" 2>/dev/null || { echo "skipped: no tmpfs may be mounted"; exit 77; }
cd "$out"
cp "$here/files/small.yaml" .
for jobs in 1 3; do
    status=0
    "$nearfar" run small.yaml --set duration=60000s --jobs $jobs --quiet -o result.h5 2>message || status=$?
    cat message
    [ $status = 3 ] || { echo "--jobs $jobs: exit status $status, not 3"; exit 1; }
    grep -q "No space left on device" message || { echo "--jobs $jobs: the reason is not told"; exit 1; }
    left=$(ls -A | grep -v -e '^small.yaml$' -e '^message$' || true)
    [ -z "$left" ] || { echo "--jobs $jobs: left behind: $left"; exit 1; }
done

command -v gnuplot >/dev/null || exit 0
result=$(mktemp --suffix .h5)
trap 'cd /; rm -f "$result" message; umount "$out" 2>/dev/null || true; rmdir "$out"' EXIT
"$nearfar" run small.yaml --quiet -o "$result"
head -c 1M /dev/zero >fill 2>/dev/null || true
truncate -s -8K fill
for format in png svg pdf; do
    status=0
    "$nearfar" plot "$result" -o "picture.$format" 2>"$result.message" || status=$?
    cat "$result.message"
    [ $status = 3 ] || { echo "$format: exit status $status, not 3"; exit 1; }
    grep -q "No space left on device" "$result.message" || { echo "$format: the reason is not told"; exit 1; }
    ! ls -A | grep -q -e picture -e part || { echo "$format: left behind: $(ls -A)"; exit 1; }
done
rm -f "$result.message"
