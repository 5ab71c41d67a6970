#!/usr/bin/env bash
# check_tidy.sh BUILD [FILE...]: clang-tidy over every C file of ours in BUILD/compile_commands.json, with .clang-tidy.
# A file that was clean and has not changed since (itself, any header of the tree, the configuration, its compile
# command, the tool) is not looked at again; the notes lie in BUILD/tidy. Status 77 when clang-tidy is missing.
set -eu
build=$(cd "$1" && pwd); shift
cd "$(dirname "$0")/.."
tidy=$(command -v clang-tidy-14 || command -v clang-tidy) ||
    { echo "skipped: no clang-tidy (Debian: apt-get install clang-tidy)"; exit 77; }
[ -f "$build/compile_commands.json" ] || { echo "no $build/compile_commands.json" >&2; exit 2; }
mkdir -p "$build/tidy"
common=$( { "$tidy" --version; cat .clang-tidy; find sim bench -name '*.h' -print0 | LC_ALL=C sort -z |
    xargs -0 cat; } | sha256sum | cut -c1-64)
export common tidy build

one() {
    local key note out less=
    key=$( { echo "$common"; grep -F "/$1\"" "$build/compile_commands.json"; cat "$1"; } | sha256sum | cut -c1-64)
    note=$build/tidy/$(printf '%s' "$1" | tr / _)
    [ -f "$note" ] && [ "$(cat "$note")" = "$key" ] && return 0
    case $1 in *_test.c) less='--checks=-readability-function-size,-clang-analyzer-*' ;; esac
    if out=$("$tidy" -p "$build" --quiet ${less:+"$less"} --extra-arg=-Wno-unknown-warning-option --extra-arg=-D__NO_CTYPE "$1" 2>/dev/null); then
        echo "$key" >"$note"
    else
        printf '%s\n' "$out"
        return 1
    fi
}
export -f one

if [ $# -gt 0 ]; then
    files=$(printf '%s\n' "$@")
else
    files=$(sed -n 's/^ *"file": "\(.*\)",\{0,1\}$/\1/p' "$build/compile_commands.json" |
        sed -n "s|^$PWD/||p" | grep -v '^build' | LC_ALL=C sort -u)
fi
[ -n "$files" ] || { echo "no C file of ours in $build/compile_commands.json" >&2; exit 2; }
printf '%s\n' "$files" | xargs -P "$(nproc)" -I{} bash -c 'one {}' ||
    { echo "tidy: see above"; exit 1; }
echo "tidy: $(printf '%s\n' "$files" | wc -l) files clean"
