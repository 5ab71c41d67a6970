#!/usr/bin/env bash
# transcripts.sh [--update] PROGRAM [NAME...]: play the command lines of NAME.transcript (all when none is named) and compare what
# the program says, where it says it and its exit status with what the file says. --update writes the files anew.
#
# A transcript holds comments (#), command lines ($), and for each of these what it printed: "| " standard output, "! " standard
# error, "= N" the exit status. A command line may use $NEARFAR (the program) and runs in a scratch copy of files/.
# What differs from run to run is masked: wall times, and the path of the tree.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
tree=$(cd "$here/../../.." && pwd)
update=0
if [ "${1:-}" = --update ]; then update=1; shift; fi
NEARFAR=$(realpath "$1"); shift
export NEARFAR NEARFAR_DATA=$tree LC_ALL=C
names=("$@")
if [ ${#names[@]} -eq 0 ]; then
    for f in "$here"/*.transcript; do names+=("$(basename "$f" .transcript)"); done
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

mask() {
    sed -e 's/\(events in\) [0-9.]* s/\1 TIME s/' -e 's/"wall_s": [0-9][0-9.e+-]*/"wall_s": TIME/' \
        -e "s|$tree|TREE|g" -e "s|$scratch|SCRATCH|g" -e 's/requests in [0-9.]* s/requests in TIME s/'
}

play() { # file: its text with fresh answers
    local line status
    while IFS= read -r line || [ -n "$line" ]; do
        case $line in
            '$ '*)
                printf '%s\n' "$line"
                status=0
                (PATH=$(dirname "$NEARFAR"):$PATH; eval "${line#\$ }") >"$scratch/out" 2>"$scratch/err" </dev/null ||
                    status=$?
                mask <"$scratch/out" | sed 's/^/| /; s/ $//'
                mask <"$scratch/err" | sed 's/^/! /; s/ $//'
                printf '= %s\n' "$status"
                ;;
            '| '* | '|' | '! '* | '!' | '= '*) ;;
            *) printf '%s\n' "$line" ;;
        esac
    done <"$1"
}

bad=0
for name in "${names[@]}"; do
    rm -rf "$scratch/work"
    cp -r "$here/files" "$scratch/work"
    (cd "$scratch/work" && play "$here/$name.transcript") >"$scratch/fresh"
    if [ $update = 1 ]; then
        cp "$scratch/fresh" "$here/$name.transcript"
    elif ! diff -u --label "$name.transcript" --label "now" "$here/$name.transcript" "$scratch/fresh"; then
        bad=1
    fi
done
[ $bad = 0 ] || echo "transcripts differ; if the change is meant: sim/cli/tests/transcripts.sh --update PROGRAM" >&2
exit $bad
