#!/usr/bin/env bash
# check.sh PROGRAM [--update]: run every wrong scenario of this folder, and some that are made here because they are too large or
# too odd to be kept, and hold the program to what it has to say.
#
# For each NAME.yaml: exit status 2, on standard error exactly NAME.diag, nothing on standard output, no file made, no control
# character on the way to the terminal, a place with line and column in every message, an answer within a second (five on a busy
# machine). --update writes the .diag files anew; read the difference before committing it.
set -u

limit_ms=5000
least=60
here=$(cd "$(dirname "$0")" && pwd)
nearfar=$(realpath "$1")
update=0
[ "${2:-}" = --update ] && update=1
export LC_ALL=C
NEARFAR_DATA=$(cd "$here/../.." && pwd)
export NEARFAR_DATA

scratch=$(mktemp -d)
trap 'chmod -R u+rwx "$scratch"; rm -rf "$scratch"' EXIT
cp -r "$here" "$scratch/bad"
cd "$scratch/bad" || exit 1

failures=0
slowest_ms=0
slowest=none
fail() { # what is wrong with the case
    echo "$case: $1"
    failures=$((failures + 1))
}

# Run one scenario path and check what holds for all of them; its messages are then in $scratch/err.
play() { # path [exit status]
    case=$1
    local before after start status=0 ms
    before=$(ls -A)
    start=${EPOCHREALTIME/./}
    timeout 60 "$nearfar" run "$1" -o out.h5 </dev/null >"$scratch/out" 2>"$scratch/err" || status=$?
    ms=$(((${EPOCHREALTIME/./} - start) / 1000))
    after=$(ls -A)
    [ $status = "${2:-2}" ] || fail "exit status $status, not ${2:-2}"
    [ ! -s "$scratch/out" ] || fail "wrote to standard output"
    [ "$before" = "$after" ] || { fail "made or removed files: $(ls -A | tr '\n' ' ')"; rm -f out.h5 .out.h5.*; }
    [ $ms -le $limit_ms ] || fail "took $ms ms"
    if [ $ms -gt $slowest_ms ]; then slowest_ms=$ms; slowest=$1; fi
    ! grep -qP '[\x00-\x09\x0b-\x1f\x7f]' "$scratch/err" || fail "a raw control character in a message"
    tail -n 1 "$scratch/err" | grep -qE '^(at least )?[0-9]+ errors?(, [0-9]+ warnings?)?(; nothing was run|$)' ||
        fail "the last line does not count the errors"
}

# Every message has file, line and column.
has_places() {
    ! grep -E ': (error|warning): ' "$scratch/err" | grep -qvE '^[^: ]+:[0-9]+:[0-9]+: (error|warning): ' ||
        fail "a message without line and column"
}

# A case made here: the messages contain what is given.
expect() { # path words [exit status]
    play "$1" "${3:-2}"
    grep -qF -e "$2" "$scratch/err" || fail "expected \"$2\", found: $(head -c 300 "$scratch/err")"
}

count=0
for file in *.yaml; do
    play "$file"
    has_places
    count=$((count + 1))
    if [ $update = 1 ]; then
        cp "$scratch/err" "$here/${file%.yaml}.diag"
    elif ! diff -u --label "${file%.yaml}.diag" --label now "${file%.yaml}.diag" "$scratch/err"; then
        fail "other messages"
    fi
done
shopt -s nullglob
for file in *.diag; do
    [ -e "${file%.diag}.yaml" ] || { case=$file; fail "has no scenario"; }
done
case=corpus
[ $count -ge $least ] || fail "$count files, expected at least $least"

# ---- made here; a file that the system does not let us read is the environment's failure (3) ----
repeat() { # text count: the text so many times, on one line
    awk -v s="$1" -v n="$2" 'BEGIN { for (i = 0; i < n; i++) printf "%s", s }'
}
head -c 104857600 /dev/zero | tr '\0' '#' >100-megabytes.yaml
expect 100-megabytes.yaml 'is too large'
rm 100-megabytes.yaml
repeat '[' 50000 >brackets.yaml
expect brackets.yaml 'brackets.yaml:1:65: error: nested more than 64 levels deep'
repeat '{a: ' 50000 >braces.yaml
expect braces.yaml 'nested more than 64 levels deep'
repeat '- ' 50000 >dashes.yaml
expect dashes.yaml 'nested more than 64 levels deep'
repeat '? ' 50000 >marks.yaml
expect marks.yaml 'nested more than 64 levels deep'
{ echo 'nearfar: 1'; awk 'BEGIN { for (i = 0; i < 99000; i++) print "k" i ": 1" }'; } >keys.yaml
expect keys.yaml 'keys.yaml:2:1: error: unknown key "k0"'
{ echo 'nearfar: 1'; awk 'BEGIN { for (i = 0; i < 90000; i++) print "nearfar: 1" }'; } >twice.yaml
expect twice.yaml 'key "nearfar" is given twice'
{ printf 'name: ['; repeat 'x,' 300000; echo ']'; } >values.yaml
expect values.yaml 'more than 200000 values'
{ printf 'name: "'; repeat 'long ' 200000; echo '"'; } >text.yaml
expect text.yaml 'a name is made of'
{ printf 'name: "'; repeat 'long ' 200000; echo; } >quote.yaml
expect quote.yaml 'the quoted text that starts here has no end'
{ printf 'name: "'; repeat 'long ' 3000000; echo; } >quote-15-megabytes.yaml
expect quote-15-megabytes.yaml 'is too large: at most 1 MiB are read'
rm ./{brackets,braces,dashes,marks,keys,twice,values,text,quote,quote-15-megabytes}.yaml
expect no-such-file.yaml 'there is no file "no-such-file.yaml"'
expect . '"." is a folder'
expect /dev/null 'the file is empty'
expect /dev/zero 'is too large'
mkfifo pipe.yaml
expect pipe.yaml 'nobody writes into it'
rm pipe.yaml
# traces that are none, or far too large to look at whole
trace() { # file words: a scenario with that trace
    sed "s|{process: poisson, rate: 10/s}|{process: trace, file: $1, format: csv}|" warmup.yaml |
        sed 's/^warmup:.*/warmup: 1s/' >trace-made.yaml
    expect trace-made.yaml "$2"
}
trace /dev/zero '"/dev/zero" is a pipe or a device, not a file'
trace . '"." is a folder'
mkfifo pipe.csv
trace pipe.csv '"pipe.csv" is a pipe or a device, not a file'
rm pipe.csv
{ echo arrival_s; head -c 100000000 /dev/zero | tr '\0' 1; echo; } >made.csv
trace made.csv 'made.csv:2:1: error: traffic.load.arrivals.file: expected seconds'
{ echo arrival_s; yes fast | head -n 10000000; } >made.csv
trace made.csv 'at least 1000 errors; nothing was run (980 more not shown)'
rm made.csv trace-made.yaml
ln -s loop.yaml loop.yaml
expect loop.yaml 'cannot open "loop.yaml"' 3
rm loop.yaml
printf 'nearfar: 1\n' >secret.yaml
chmod 000 secret.yaml
if [ ! -r secret.yaml ]; then
    expect secret.yaml 'cannot open "secret.yaml": Permission denied' 3
fi
rm -f secret.yaml

echo "$count wrong scenarios; the slowest took $slowest_ms ms ($slowest); $failures failures"
[ $failures = 0 ]
