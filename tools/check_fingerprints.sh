#!/usr/bin/env bash
# check_fingerprints.sh NEARFAR [--update]: do the shipped scenarios still take the trajectories and give the numbers on record?
#
# scenarios/expected/fingerprints.tsv holds, per scenario and options: the number of events, the hash of every event (time, kind, place)
# and three results to 6 digits. A fingerprint says that nothing changed, not that it is right. An intended change is recorded with
# --update in a commit of its own that says what changed and why. Strict on the reference platform (Debian 12, x86-64); elsewhere
# the C library's exp and log may differ in the last bit.
set -u
nearfar=$1
root=$(cd "$(dirname "$0")/.." && pwd)
table=$root/scenarios/expected/fingerprints.tsv
export NEARFAR_DATA=$root
work=$(mktemp -d) || exit 3
trap 'rm -rf "$work"' EXIT

line_of() { # scenario, options: one line of the table, from a run
    local json
    # shellcheck disable=SC2086
    json=$("$nearfar" run "$root/$1" $2 --json) || return 1
    printf '%s\t%s\t%s\n' "$1" "$2" "$(printf '%s' "$json" | sed -n '
        s/^  "events": \([0-9]*\),$/events=\1/p
        s/^  "fingerprint": "\([0-9a-f]*\)",$/hash=\1/p
        s/^    "offered": \([0-9]*\),$/offered=\1/p
        s/^    "completed": \([0-9]*\),$/completed=\1/p' | tr '\n' ' ')"
}

if [ "${2:-}" = --update ]; then
    grep '^#' "$table" > "$work/new"
    grep -v '^#' "$table" | while IFS=$'\t' read -r scenario options _; do
        line_of "$scenario" "$options" || exit 1
    done >> "$work/new" || exit 1
    cp "$work/new" "$table"
    exit 0
fi

failed=0
count=0
while IFS=$'\t' read -r scenario options expected; do
    case $scenario in '#'*) continue ;; esac
    count=$((count + 1))
    got=$(line_of "$scenario" "$options" | cut -f3)
    if [ "$got" != "$expected" ]; then
        printf 'CHANGED %s %s\n  on record %s\n  now       %s\n' "$scenario" "$options" "$expected" "$got"
        failed=1
    fi
done < "$table"
printf '%d fingerprints compared\n' "$count"
[ "$count" -ge 8 ] || exit 1
exit $failed
