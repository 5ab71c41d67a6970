#!/usr/bin/env bash
# test_no_cuda.sh FOLDER: this folder as a project of its own without a CUDA toolkit, built in FOLDER. It has to link, to
# hold the references, and to say why it cannot use a GPU. The same with a compiler that is not there, which has to be
# passed over with a message and not to stop CMake.
set -u
here=$(cd "$(dirname "$0")" && pwd) folder=$1
mkdir -p "$folder"
failed=0
wrong() { echo "$1"; failed=1; }
build() {
    cmake -S "$here" -B "$folder" -DNF_CUDA=OFF -DCMAKE_BUILD_TYPE=Debug && cmake --build "$folder" -j 2
}
build >"$folder/log" 2>&1 || { tail -20 "$folder/log"; exit 1; }
program=$folder/bin/nearfar-kernels
"$program" check >"$folder/out" 2>"$folder/err"
status=$?
[ $status = 3 ] || wrong "check: exit status $status, should be 3"
grep -Eq '^references: ([0-9]+) of \1 claims hold$' "$folder/out" || wrong "check: $(cat "$folder/out")"
grep -q 'without a CUDA toolkit' "$folder/err" || wrong "check does not say what is missing: $(cat "$folder/err")"
"$program" run -o "$folder/x.csv" 2>"$folder/err"
status=$?
if [ $status != 3 ] || [ -e "$folder/x.csv" ]; then wrong "run: exit status $status, or a file is there"; fi
"$program" inspect "$here/samples/good.csv" >/dev/null || wrong "inspect does not take a good sample"

# The targets of the rest of this test are never compiled: configuring is enough.
if ! cmake -S "$here" -B "$folder/wrong_nvcc" -DCMAKE_CUDA_COMPILER="$folder/no/nvcc" >"$folder/log" 2>&1; then
    wrong "a CUDA compiler that is not there stops CMake: $(tail -5 "$folder/log")"
fi
grep -q "$folder/no/nvcc" "$folder/log" || wrong "CMake does not say that the CUDA compiler is not there"
[ $failed = 0 ] && echo "without CUDA: right"
exit $failed
