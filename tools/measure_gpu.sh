#!/usr/bin/env bash
# measure_gpu.sh DIR [--program PROGRAM]: everything that kernels/ measures on this machine's GPU, inside 9 minutes.
#
# Needs a GPU with its driver, the CUDA toolkit (nvcc) and a C compiler: no internet, none of the simulator's
# libraries; CMake where it is there and new enough. Builds kernels/ for this GPU, checks every operation against its
# reference, measures, composes, and writes into DIR:
#   device.txt build.log check.txt measure.log measured.csv composed.csv table.txt left_out.txt
# Every operation is checked and measured in a process of its own, so that one that fails or hangs costs its own
# share of the time and no more; what fails its check is not measured. Kernels for compute capability 9.0 that fail
# are given up for those of 8.0. --program PROGRAM: no build, this nearfar-kernels.
# Exit status: 0 all done; 1 something failed or did not fit (left_out.txt says what); 2 bad usage; 3 no GPU, no
# compiler, or the build fails.
set -u
total=530
usage() { echo "measure_gpu.sh: $1 (measure_gpu.sh DIR [--program PROGRAM])" >&2; exit 2; }
dir="" program=""
while [ $# -gt 0 ]; do
    case $1 in
    --program) [ $# -gt 1 ] || usage "--program wants a file"; program=$2; shift ;;
    -*) usage "unknown option $1" ;;
    *) [ -z "$dir" ] || usage "one folder only"; dir=$1 ;;
    esac
    shift
done
[ -n "$dir" ] || usage "a folder is missing"
sources=$(cd "$(dirname "$0")/../kernels" && pwd)
stop() { echo "measure_gpu.sh: $1" >&2; exit 3; }
left() { echo $((total - SECONDS)); }

# --- is there a GPU? Before a minute goes into building.
if [ -z "$program" ]; then
    found=no
    for node in /dev/nvidia[0-9]* /dev/nvhost-gpu /dev/nvgpu /dev/dxg; do [ -e "$node" ] && found=yes; done
    [ $found = yes ] || stop "this machine has no NVIDIA GPU, so there is nothing to measure."
    nvcc=""
    for f in "$(command -v nvcc)" "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc" /usr/local/cuda/bin/nvcc /opt/cuda/bin/nvcc; do
        [ -n "$nvcc" ] || [ ! -x "$f" ] || nvcc=$f
    done
    [ -n "$nvcc" ] || stop "there is a GPU, but no nvcc to build the kernels with."
fi
work=$(mktemp -d) || stop "there is no room for temporary files."
trap 'rm -rf "$work"' EXIT
# Nothing is left behind in DIR where there turns out to be no GPU.
if [ -n "$program" ]; then "$program" device >"$work/device" || exit 3; fi
mkdir -p "$dir" || stop "cannot make the folder $dir."
dir=$(cd "$dir" && pwd)
# What an earlier run wrote is not to be taken for the result of this one.
for f in device.txt build.log check.txt measure.log measured.csv composed.csv table.txt; do rm -f "$dir/$f"; done
: >"$dir/left_out.txt"
leave_out() { echo "$1" | tee -a "$dir/left_out.txt" >&2; }

# --- build, for the GPU that nvidia-smi names first, and PTX for any other that CUDA may count as the first
build_with_cmake() {
    cmake -S "$sources" -B "$work/build" -DCMAKE_CUDA_COMPILER="$nvcc" -DNF_CODE_VERSION="$code" ${cc:+"-DNF_CUDA_TARGETS=$cc-real;80-virtual"} &&
        cmake --build "$work/build" -j "$(nproc)"
}
# The same without CMake: every file, with the flags that matter.
build_by_hand() {
    local plain wgmma library
    plain="-gencode arch=compute_${cc:-80},code=sm_${cc:-80} -gencode arch=compute_80,code=compute_80"
    wgmma=$plain
    [ "${cc:-}" != 90 ] || wgmma="-gencode arch=compute_90a,code=sm_90a -gencode arch=compute_80,code=compute_80"
    library=$(cd "$(dirname "$(readlink -f "$nvcc")")/.." && pwd)
    mkdir -p "$work/build/bin"
    (cd "$sources" && for f in *.cu *.c; do
        case $f in
        no_gpu.c | kernels_test.c) ;;
        *_wgmma.cu) echo "$nvcc -std=c++17 -O3 $wgmma -c -o $work/build/$f.o $f" ;;
        *.cu) echo "$nvcc -std=c++17 -O3 $plain -c -o $work/build/$f.o $f" ;;
        *.c) echo "${CC:-cc} -std=c11 -O2 -D_POSIX_C_SOURCE=200809L -DNF_CODE_VERSION='\"$code\"' -DNF_LIBRARY_FOLDERS='\"$library/lib64:$library/lib\"' -c -o $work/build/$f.o $f" ;;
        esac
    done | xargs -d '\n' -P "$(nproc)" -n 1 sh -c) &&
        "$nvcc" -cudart static -o "$work/build/bin/nearfar-kernels" "$work"/build/*.o -ldl -lm
}
if [ -z "$program" ]; then
    cc=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | head -1 | tr -cd '0-9')
    code=$(git -C "$sources" describe --always --dirty --abbrev=12 2>/dev/null || echo no-checkout)
    export sources work nvcc cc code
    export -f build_with_cmake build_by_hand
    # Without CMake, or where it is too old or fails: by hand; then for 8.0 and by PTX alone, as an nvcc older than the GPU
    # needs it.
    # shellcheck disable=SC2016
    timeout 240 bash -c 'if command -v cmake && build_with_cmake; then exit 0; fi
        echo "building without CMake"; build_by_hand && exit 0
        echo "building without code for ${cc:-this GPU}"; cc=""; build_by_hand' >"$dir/build.log" 2>&1 || stop "the kernels do not build ($dir/build.log says why)."
    program=$work/build/bin/nearfar-kernels
fi
"$program" device >"$dir/device.txt" || exit 3
cat "$dir/device.txt"
echo "built after $SECONDS s"

# --- check: each operation by itself
mapfile -t single < <("$program" list | grep -v '^ ' | grep -v 'composed:' | cut -d' ' -f1)
mapfile -t composed < <("$program" list | grep 'composed:' | cut -d' ' -f1)
capability=()
check_one() { timeout -k 5 60 "$program" check "$1" "${capability[@]}" >>"$dir/check.txt" 2>&1; }
check_all() { # prints the operations that are right
    local op
    for op in "$@"; do
        if [ "$(left)" -lt 200 ]; then
            leave_out "check of $op: no time left, so it is not measured"
        elif check_one "$op"; then
            echo "$op"
        else
            leave_out "$op: its check failed (check.txt), so it is not measured"
        fi
    done
}
: >"$dir/check.txt"
for op in gemm prefill; do
    if [ ${#capability[@]} = 0 ] && ! check_one "$op"; then
        capability=(--capability 80)
        if check_one "$op"; then
            leave_out "kernels for compute capability 9.0: the check of $op fails with them, so those of 8.0 are used"
        else
            capability=()
        fi
    fi
done
mapfile -t single < <(check_all "${single[@]}")
mapfile -t composed < <(check_all "${composed[@]}")
echo "checked after $SECONDS s: ${#single[@]} operations, ${#composed[@]} composed"

# --- measure: the share of each in what is left, up to twice over (the short ones leave time to the long)
weight() {
    case $1 in
    gemm_lt) echo 40 ;; sustained) echo 36 ;; prefill | decode) echo 25 ;; gemm | conv2d_cudnn) echo 20 ;;
    conv2d | pcie) echo 15 ;; allreduce) echo 10 ;;
    decoder_layer) echo 50 ;; decoder) echo 40 ;; resnet50 | diffusion_block) echo 15 ;;
    *) echo 5 ;;
    esac
}
measure_all() { # VERB END_S FILE OP...
    local verb=$1 end=$2 file=$3 sum=0 op share limit parts=()
    shift 3
    for op in "$@"; do sum=$((sum + $(weight "$op"))); done
    for op in "$@"; do
        share=$(((end - SECONDS) * $(weight "$op") / sum))
        limit=$((2 * $(weight "$op")))
        sum=$((sum - $(weight "$op")))
        [ $share -le $limit ] || share=$limit
        [ "$op" != sustained ] || [ $share -le 38 ] || share=38
        if [ $share -lt 2 ]; then
            leave_out "$op: no time left"
            continue
        fi
        # The program ends by its budget; the limit is for what hangs. What is only late keeps its rows.
        if timeout -k 5 $((share + 15)) "$program" "$verb" "$op" --unchecked --full --budget "$share" "${capability[@]}" \
            -o "$work/$op.csv" >>"$dir/measure.log" 2>"$work/errors"; then
            parts+=("$work/$op.csv")
        else
            leave_out "$op: $verb failed: $(grep '^nearfar-kernels:' "$work/errors" | tail -1)"
            [ ! -e "$work/$op.csv" ] || parts+=("$work/$op.csv")
        fi
        cat "$work/errors" >>"$dir/measure.log"
        grep 'left out' "$work/errors" >>"$dir/left_out.txt"
    done
    if [ ${#parts[@]} = 0 ]; then
        leave_out "$file: nothing was measured"
    else
        "$program" merge "${parts[@]}" -o "$dir/$file" || leave_out "$file: the parts cannot be joined"
    fi
}
: >"$dir/measure.log"
measure_all run $((SECONDS + ($(left) - 20) * 2 / 3)) measured.csv "${single[@]}"
echo "measured after $SECONDS s"
measure_all compose $((total - 15)) composed.csv "${composed[@]}"
echo "composed after $SECONDS s"

# --- the table: best rate of each operation, beside the data sheet and the runtime's own copy
table() {
    cat "$dir"/measured.csv "$dir"/composed.csv 2>/dev/null | awk -F, '
    /^#/ || $1 == "kind" { next }
    $1 == "load" { if (!first) { first = $18; power = $20 } last = $18; if ($20 > power) power = $20; seconds++; hot += $22 ~ /throttled/; capped += $22 ~ /power_cap/; next }
    { k = $2 " " $4; rows[k]++; if (!(k in n)) { n[k] = ++count; name[count] = k }
      if ($13 + 0 > tf[k] + 0) { tf[k] = $13; sheet[k] = $15 } if ($14 + 0 > gb[k] + 0) gb[k] = $14; copy = $17; throttled += $22 ~ /throttled/ }
    END {
        printf "%-24s %5s %10s %7s %9s %9s\n", "operation", "rows", "TFLOP/s", "sheet", "GB/s", "of copy"
        for (i = 1; i <= count; i++) { k = name[i]
            printf "%-24s %5d %10s %7s %9s %9s\n", k, rows[k], tf[k] ? sprintf("%.1f", tf[k]) : "", (sheet[k] > 0) ? sprintf("%.0f %%", 100 * tf[k] / sheet[k]) : "",
                gb[k] ? sprintf("%.0f", gb[k]) : "", (copy > 0 && gb[k] && k !~ /^pcie|^allreduce/) ? sprintf("%.0f %%", 100 * gb[k] / copy) : "" }
        if (seconds) printf "sustained load: %d s, clock %.0f MHz at first and %.0f MHz at last, up to %.0f W, throttled in %d s, at the power cap in %d s\n", seconds, first, last, power, hot, capped
        if (throttled) printf "throttled rows: %d\n", throttled
    }'
}
table | tee "$dir/table.txt"
if [ -s "$dir/left_out.txt" ]; then
    echo "left out ($dir/left_out.txt):"
    cat "$dir/left_out.txt"
fi
echo "ended after $SECONDS s"
# What a machine simply does not have is no failure.
! grep -v 'left out' "$dir/left_out.txt" | grep -q .
