#!/usr/bin/env bash
# compile_targets.sh [--nvcc NVCC] [--check|--table|--update] [FILE.cu...]
#
# Compiles the kernels for every target that they are built for, with warnings as errors, and reads from `ptxas -v`
# what each kernel needs on each target: registers, and bytes of local memory (spills, stack).
#   --check   (default) fails on a warning, and when a kernel other than a plain one spills
#   --table   prints the table of README.md
#   --update  writes it there
# Status 77: no nvcc.
set -u
here=$(cd "$(dirname "$0")" && pwd)
nvcc=$(command -v nvcc || ls /usr/local/cuda/bin/nvcc 2>/dev/null) mode=check files=()
while [ $# -gt 0 ]; do
    case $1 in
    --nvcc) nvcc=$2; shift ;;
    --check | --table | --update) mode=${1#--} ;;
    *.cu) files+=("$1") ;;
    *) echo "compile_targets.sh: unknown argument $1" >&2; exit 2 ;;
    esac
    shift
done
[ -x "$nvcc" ] || { echo "skipped: no nvcc"; exit 77; }
[ ${#files[@]} -gt 0 ] || mapfile -t files < <(cd "$here" && ls ./*.cu)
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT

# The lists of CMakeLists.txt in nvcc's words.
arch() { printf -- '-gencode arch=compute_%s,code=%s_%s ' "${1%-*}" "$([ "${1#*-}" = real ] && echo sm || echo compute)" "${1%-*}"; }
list() { sed -n "s/^set($1 \([-0-9a-z ]*\).*/\1/p" "$here/CMakeLists.txt" | sed 's/ CACHE.*//; s/)$//'; }
targets=$(list NF_CUDA_TARGETS) wgmma=$(list wgmma_targets)
wgmma_files=$(sed -n 's/^set(wgmma_kernels \(.*\))$/\1/p' "$here/CMakeLists.txt")
if [ -z "$targets" ] || [ -z "$wgmma" ] || [ -z "$wgmma_files" ]; then echo "cannot read CMakeLists.txt" >&2; exit 2; fi

compile() { # FILE LOG
    local flags="" file=$1 log=$2 t
    case " $wgmma_files " in *" $(basename "$file") "*) t=$wgmma ;; *) t=$targets ;; esac
    for t in $t; do flags+=$(arch "$t")' '; done
    # shellcheck disable=SC2086
    (cd "$here" && nice "$nvcc" -std=c++17 -O3 -lineinfo -Werror all-warnings -Xcompiler=-Wall,-Wextra \
        $flags -Xptxas=-v -c -o "$dir/$(basename "$file").o" "$file") >"$log" 2>&1
}
failed=0
for f in "${files[@]}"; do
    log=$dir/$(basename "$f").log
    compile "$f" "$log" || { echo "$f does not compile for all targets:"; grep -v '^ptxas info\|bytes stack frame' "$log" | head -20; failed=1; }
    grep -i 'warning\|(C75' "$log" && failed=1
done
[ $failed = 0 ] || exit 1

# kernel target registers spilled-bytes, one a line, names as in the source.
cat "$dir"/*.log | sed -n "s/.*Compiling entry function '\(.*\)' for '\(.*\)'/K \1 \2/p
    s/ *\([0-9]*\) bytes stack frame, \([0-9]*\) bytes spill stores, \([0-9]*\) bytes spill loads/S \1 \2 \3/p; s/.*Used \([0-9]*\) registers.*/R \1/p" |
    awk '$1 == "K" { k = $2; t = $3; s = 0 } $1 == "S" { s = $2 + $3 + $4 } $1 == "R" { print k, t, $2, s }' |
    c++filt | sed -E 's/signed char/int8/g; s/^(void )?([^ (]*(<.*>)?)\(.*\) (sm_[0-9a]+ )/\2 \4/; s/, /,/g; s/\(([a-z ]+)\)([0-9]+)/\2/g' |
    LC_ALL=C sort >"$dir/all"
[ -s "$dir/all" ] || { echo "no kernel found in the output of ptxas" >&2; exit 1; }

spilling=$(awk '$1 !~ /_plain/ && $4 > 0' "$dir/all")
table() {
    awk '{ reg[$1, $2] = $3 ($4 > 0 ? " (spills " $4 " B)" : ""); if (!($1 in seen)) { seen[$1] = 1; name[++n] = $1 } }
    function cell(k, t) { return (k, t) in reg ? reg[k, t] : "" }
    END {
        print "| kernel | sm_80 | sm_87 | sm_89 | sm_90 | sm_90a |"
        print "|---|---|---|---|---|---|"
        for (i = 1; i <= n; i++)
            printf "| `%s` | %s | %s | %s | %s | %s |\n", name[i], cell(name[i], "sm_80"), cell(name[i], "sm_87"),
                cell(name[i], "sm_89"), cell(name[i], "sm_90"), cell(name[i], "sm_90a")
    }' "$dir/all"
}
case $mode in
check)
    if [ -n "$spilling" ]; then printf 'kernels that spill (name, target, registers, bytes):\n%s\n' "$spilling"; exit 1; fi
    echo "${#files[@]} files, $(cut -d' ' -f1 "$dir/all" | sort -u | wc -l) kernels, $(cut -d' ' -f2 "$dir/all" | sort -u | wc -l) targets: no warning, no spill" ;;
table) table ;;
update)
    { sed '/<!-- registers -->/q' "$here/README.md"; table; sed -n '/<!-- registers end -->/,$p' "$here/README.md"; } >"$dir/README.md" &&
        cp "$dir/README.md" "$here/README.md" ;;
esac
