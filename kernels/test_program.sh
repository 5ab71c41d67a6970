#!/usr/bin/env bash
# test_program.sh PROGRAM: what nearfar-kernels says and how it exits, with or without a GPU.
set -u
program=$1
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
failed=0
# expect STATUS STDOUT-PATTERN STDERR-PATTERN ARGUMENT...; an empty pattern wants an empty stream, "*" anything.
expect() {
    local status=$1 out=$2 err=$3 got
    shift 3
    "$program" "$@" >"$dir/out" 2>"$dir/err"; got=$?
    [ "$got" = "$status" ] || { echo "$*: exit status $got, should be $status"; cat "$dir/err"; failed=1; }
    matches "$out" "$dir/out" "$*: stdout"
    matches "$err" "$dir/err" "$*: stderr"
}
matches() {
    case $1 in
    '*') ;;
    '') [ ! -s "$2" ] || { echo "$3 should be empty: $(head -c 200 "$2")"; failed=1; } ;;
    *) grep -Eq -- "$1" "$2" || { echo "$3 has no match for $1: $(head -c 300 "$2")"; failed=1; } ;;
    esac
}

expect 0 '^nearfar-kernels measures' '' --help
expect 0 '^nearfar-kernels ' '' --version
expect 2 '' 'a command is missing'
expect 2 '' 'unknown command: fly' fly
expect 2 '' 'unknown option.*--fast' run --fast -o "$dir/x.csv"
expect 2 '' '80, 87, 89 or 90' check --capability 85
expect 2 '' 'positive number.*--budget' run --budget none -o "$dir/x.csv"
expect 2 '' 'inspect takes one file' inspect
expect 2 '' 'merge takes files' merge -o "$dir/x.csv"
expect 2 '' 'cannot read|no file' merge "$dir/missing.csv" -o "$dir/x.csv"
good=$(dirname "$0")/samples/good.csv
cp "$good" "$dir/own.csv"
expect 2 '' 'a part and the result at once' merge "$dir/own.csv" -o "$dir/own.csv"
cmp -s "$good" "$dir/own.csv" || { echo "merge onto its own part changed it"; failed=1; }
mkfifo "$dir/pipe"
expect 2 '' 'no regular file' merge "$good" -o "$dir/pipe"
[ -p "$dir/pipe" ] || { echo "merge replaced a pipe by a file"; failed=1; }
expect 2 '' 'there twice' merge "$good" "$dir/own.csv" -o "$dir/x.csv"
expect 0 '' '' merge "$good" -o "$dir/x.csv"
cmp -s "$good" "$dir/x.csv" || { echo "a file merged alone is another file"; failed=1; }
rm "$dir/x.csv"
expect 2 '' 'cannot read' inspect "$dir/missing.csv"

if "$program" device >"$dir/out" 2>"$dir/err"; then
    echo "skipped: there is a GPU, so its absence cannot be tested; the rest: $([ $failed = 0 ] && echo right || echo wrong)"
    [ $failed = 0 ] && exit 77
    exit 1
fi
expect 3 '' '^nearfar-kernels: .*\.$' device
[ "$(wc -l <"$dir/err")" = 1 ] || { echo "device: more than one sentence"; failed=1; }
expect 3 '^references: ([0-9]+) of \1 claims hold$' '^nearfar-kernels: .*\.$' check
expect 3 '' '^nearfar-kernels: .*\.$' run --quick -o "$dir/x.csv"
if "$program" list >/dev/null 2>&1; then # built with kernels
    expect 2 '' 'compose measures: decoder' run decoder -o "$dir/x.csv"
    expect 2 '' 'run measures: copy' compose copy -o "$dir/x.csv"
fi
if [ -e "$dir/x.csv" ] || [ -e "$dir/x.csv.part" ]; then echo "run left a file behind"; failed=1; fi
expect 2 '' 'need -o FILE.csv' run
exit $failed
