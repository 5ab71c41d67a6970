#!/usr/bin/env bash
# test_measure_gpu.sh PROGRAM: the course of measure_gpu.sh, without a GPU. A script stands in for nearfar-kernels: it
# hands out sample rows, fails one check, hangs in another, and dies while it measures; the files are joined and
# looked at by the real PROGRAM.
set -u
program=$1
here=$(cd "$(dirname "$0")" && pwd) samples=$(cd "$(dirname "$0")/../kernels/samples" && pwd)
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
failed=0
wrong() { echo "$1"; failed=1; }

found=no
for node in /dev/nvidia[0-9]* /dev/nvhost-gpu /dev/nvgpu /dev/dxg; do [ ! -e "$node" ] || found=yes; done
if [ $found = no ]; then
    "$here/measure_gpu.sh" "$dir/none" >"$dir/out" 2>"$dir/err"; status=$?
    [ $status = 3 ] || wrong "without a GPU: exit status $status, should be 3"
    [ "$(cat "$dir/out" "$dir/err" | wc -l)" = 1 ] || wrong "without a GPU: not one sentence: $(cat "$dir/out" "$dir/err")"
    [ ! -e "$dir/none" ] || wrong "without a GPU: a folder is left behind"
    "$program" device >/dev/null 2>&1; [ $? = 3 ] || wrong "device: not 3 without a GPU"
    "$here/measure_gpu.sh" "$dir/none" --program "$program" >"$dir/out" 2>"$dir/err"; status=$?
    [ $status = 3 ] || wrong "--program without a GPU: exit status $status"
    [ ! -e "$dir/none" ] || wrong "--program without a GPU: a folder is left behind"
fi
"$here/measure_gpu.sh" >/dev/null 2>&1; [ $? = 2 ] || wrong "no folder: not 2"
"$here/measure_gpu.sh" --fast >/dev/null 2>&1; [ $? = 2 ] || wrong "unknown option: not 2"

# A part of its own for each operation: no measurement may be in two of them.
parts() {
    python3 - "$samples/good.csv" "$dir" <<'END'
import sys
for op in "gemm", "gemm_lt", "prefill", "decoder":
    lines = open(sys.argv[1]).read().split("\n")[:-2]
    text = "\n".join(lines[:2] + [line.replace(",", "," + op + "_", 2).replace(op + "_", "", 1) for line in lines[2:]]) + "\n"
    hash = 0xcbf29ce484222325
    for byte in text.encode():
        hash = (hash ^ byte) * 0x100000001b3 % (1 << 64)
    open(f"{sys.argv[2]}/{op}.csv", "w").write(text + "# end rows=%d fnv1a=%016x\n" % (len(lines) - 2, hash))
END
}
parts || wrong "the parts cannot be written"
cat >"$dir/program" <<END
#!/usr/bin/env bash
case \$1 in
device) echo "device       Sample GPU A" ;;
list) printf '%s\n' "gemm one" "  plain x" "gemm_lt two" "prefill three" "nms four" "resize five" "decoder whole (composed: nearfar-kernels compose)" ;;
check) case "\$*" in "check nms"*) exit 1 ;; "check prefill") exit 1 ;; esac; echo "\$*: right" ;;
run | compose)
    [ "\$2" != resize ] || { echo "nearfar-kernels: an illegal address" >&2; exit 3; }
    [ "\$2" != prefill ] || { # too slow: ends with what it has
        while [ "\$1" != -o ]; do shift; done
        cp "$dir/prefill.csv" "\$2"; echo "nearfar-kernels: stopped by a signal during prefill" >&2; exit 1; }
    [ "\$2" != gemm ] || echo "gemm: left out: a library is missing" >&2
    op=\$2
    while [ "\$1" != -o ]; do shift; done
    cp "$dir/\$op.csv" "\$2" ;;
*) exec "$program" "\$@" ;;
esac
END
chmod +x "$dir/program"
mkdir "$dir/all"
echo "of an earlier run" >"$dir/all/build.log"
"$here/measure_gpu.sh" "$dir/all" --program "$dir/program" >"$dir/out" 2>"$dir/err"; status=$?
[ $status = 1 ] || wrong "with failures: exit status $status, should be 1: $(cat "$dir/err")"
for f in device.txt check.txt measure.log measured.csv composed.csv table.txt left_out.txt; do
    [ -e "$dir/all/$f" ] || wrong "$f is missing"
done
[ ! -e "$dir/all/build.log" ] || wrong "the log of an earlier run is still there"
rows=$(grep -c '^op,' "$samples/good.csv")
[ "$(grep -c '^op,' "$dir/all/measured.csv")" = $((3 * rows)) ] || wrong "measured.csv has not the rows of three operations"
"$program" inspect "$dir/all/measured.csv" >/dev/null || wrong "measured.csv is not whole"
for sentence in 'prefill: run failed: .*stopped by a signal' 'nms: its check failed' 'resize: run failed: .*illegal address' 'capability 9.0: the check of prefill' 'gemm: left out'; do
    grep -q "$sentence" "$dir/all/left_out.txt" || wrong "left_out.txt does not say: $sentence"
done
grep -q '^gemm_lt bf16 ' "$dir/all/table.txt" || wrong "the table has no line for gemm_lt: $(cat "$dir/all/table.txt")"
[ $failed = 0 ] && echo "measure_gpu.sh: right"
exit $failed
