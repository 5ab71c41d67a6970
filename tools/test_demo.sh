#!/usr/bin/env bash
# test_demo.sh NEARFAR: the demo draws its pictures, and every command that it suggests is worth typing.
#
# The suggestions follow from the verdicts that the summaries show. After a miss, the suggested change makes the objectives met; after
# a success, it is a run that works. All are played as printed.
# Exit status 0: so it is; 1: not; 77: no gnuplot.
set -u
nearfar=$(realpath "$1")
cd "$(dirname "$0")/.." || exit 1
NEARFAR_DATA=$PWD
export NEARFAR_DATA
command -v gnuplot >/dev/null || { echo "skipped: gnuplot is not installed (Debian: gnuplot-nox)"; exit 77; }
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failures=0
fail() { echo "FAILED: $*"; failures=$((failures + 1)); }

# The commands of a text, one a line: comments left out, continued lines joined, the tree's program in place of build/bin/nearfar.
commands() { grep -v '^ *#' | sed -e ':a' -e '/\\$/{N;s/\\\n//;ba' -e '}' | sed -n "s|^  build/bin/nearfar |$nearfar |p"; }

for scenario in recorded-code hybrid-vision; do
    for verdict in missed met; do
        tools/demo.sh --next $scenario $verdict | commands >"$work/commands" || fail "no suggestion for $scenario $verdict"
        [ "$(wc -l <"$work/commands")" = 1 ] || fail "$scenario $verdict: not one command"
        while read -r command; do
            [ $verdict = met ] || command="$command --require-sla"
            bash -c "$command" >"$work/out" 2>&1 || { fail "$command: status $?"; tail -12 "$work/out"; }
        done <"$work/commands"
    done
done
if tools/demo.sh --next mm1 met >/dev/null 2>&1; then fail "a suggestion for a scenario that is not played"; fi

tools/demo.sh "$nearfar" "$work/results" >"$work/out" 2>&1 || { fail "the demo ends with $?"; tail -5 "$work/out"; }
for file in recorded-code.h5 recorded-code.png hybrid-vision.h5 hybrid-vision.png; do
    [ -s "$work/results/$file" ] || fail "no $file"
done
for scenario in recorded-code hybrid-vision; do
    summary=$(sed -n "/^$scenario:/,/^Written/p" "$work/out")
    [ -n "$summary" ] || fail "no summary of $scenario"
    word=keeps
    case $summary in *"  ttft_p99 "*MISSED* | *"cameras   p99 "*MISSED*) word=misses ;; esac
    grep -q "^  # $scenario $word " "$work/out" || fail "the suggestion does not follow from the summary of $scenario"
done
sed -n '/^What to try next/,$p' "$work/out" | commands | grep -v 'validate theory' | while read -r command; do
    bash -c "$command" >"$work/try" 2>&1 || echo "$command"
done >"$work/wrong"
[ ! -s "$work/wrong" ] || fail "does not work: $(cat "$work/wrong")"
echo "$failures failures"
[ $failures = 0 ]
