#!/usr/bin/env bash
# bootstrap.sh build|demo|test: from a fresh checkout to a program that runs.
#
#   build   installs what is missing and builds build/bin/nearfar
#   demo    the same, then runs two scenarios and draws them
#   test    the same, then builds and runs every test, again under the address and undefined behaviour sanitizers,
#           and the parallel runs under the thread sanitizer
#
# Packages are installed with apt-get (Debian, Ubuntu), with sudo only when you are not root, and only when something
# is missing: on a complete machine apt is not called. NF_NO_INSTALL=1 only lists what is missing.
# Exit status: 0 done, 1 a build or a test failed, 2 bad usage, 3 something is missing and could not be installed.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # "sh tools/bootstrap.sh" works as well
set -euo pipefail
cd "$(dirname "$0")/.."
jobs=$(nproc 2>/dev/null || echo 2)
logs=build/logs

say() { printf '%s\n' "$*"; }
die() { local status=$1; shift; printf 'bootstrap: %s\n' "$*" >&2; exit "$status"; }

usage() { sed -n '2,11s/^# \{0,1\}//p' "$0"; }

# ---- what is needed -----------------------------------------------------------------------------------------------

have() { command -v "$1" >/dev/null 2>&1; }
can_compile() { echo 'int main(void) { return 0; }' | cc -x c - -o /dev/null >/dev/null 2>&1; }
has_lib() { have pkg-config && pkg-config --exists "$1"; }
# Debian's hdf5.pc becomes the MPI build when that is installed too; hdf5-serial.pc is the one to ask for there.
has_hdf5() { has_lib hdf5-serial || { ! have apt-get && has_lib hdf5; }; }
cmake_is() { have cmake && cmake --version | awk -v least="$1" 'NR == 1 { split($3, v, "."); exit !(v[1] > 3 || v[2] >= least) }'; }
has_cmake() { cmake_is 22; }
has_presets() { cmake_is 25; }
python() { if [ -x /usr/bin/python3 ]; then /usr/bin/python3 "$@"; else python3 "$@"; fi; }
has_tool() { have "$1" || have "$1-14"; }
has_module() { python -c "import $1" >/dev/null 2>&1; }

# probe | Debian package | what it is
needs_build="can_compile|build-essential|a C compiler with the C library's headers (gcc 11 or clang 14, or newer)
has_cmake|cmake|CMake 3.22 or newer
have ninja|ninja-build|Ninja
have pkg-config|pkg-config|pkg-config
has_lib gsl|libgsl-dev|GNU Scientific Library 2.7, headers
has_lib yaml-0.1|libyaml-dev|libyaml 0.2, headers
has_hdf5|libhdf5-dev|HDF5 1.10 (serial), headers
have gnuplot|gnuplot-nox|gnuplot 5.4 with cairo terminals, for pictures"
needs_test="has_presets|cmake|CMake 3.25 or newer, for the presets of the tests (Ubuntu 22.04 has 3.22)
has_lib criterion|libcriterion-dev|Criterion 2.4, the unit test library
have python3|python3|Python 3, for the checks of the documentation
has_module h5py|python3-h5py|h5py, reads the result files in a test
has_module netCDF4|python3-netcdf4|netCDF4 for Python, reads the result files in a test
has_module xarray|python3-xarray|xarray, reads the result files in a test
has_module jsonschema|python3-jsonschema|jsonschema for Python, holds the editor's schema against the loader
has_module yaml|python3-yaml|PyYAML, reads scenarios for the same test
has_tool clang-tidy|clang-tidy|clang-tidy 14, for the check of the C sources
has_tool clang-format|clang-format|clang-format 14, for the check of their layout"

list_missing() { # table -> the lines whose probe fails
    local probe package text
    while IFS='|' read -r probe package text; do
        $probe || printf '%s|%s\n' "$package" "$text"
    done <<<"$1"
}

# Sets `as_root` to what makes a command root's; says what root has to do when that cannot be had. sudo asks for its password here,
# before any output goes to a log.
become_root() { # packages
    if [ "$(id -u)" = 0 ]; then as_root=; return; fi
    local todo="As root, run:  apt-get install -y --no-install-recommends $*
then tools/bootstrap.sh again, as yourself; it calls for root only when something is missing."
    have sudo || die 3 "this needs root, and there is no sudo. $todo"
    if [ -t 0 ]; then sudo -v || die 3 "this needs root, and sudo refuses. $todo"
    else sudo -n true 2>/dev/null || die 3 "this needs root, sudo asks for a password and there is no terminal. $todo"; fi
    as_root=sudo
}

install_missing() { # table
    local missing package text packages=()
    missing=$(list_missing "$1")
    if [ -z "$missing" ]; then say "== everything needed is installed"; return; fi
    say "== missing on this machine:"
    while IFS='|' read -r package text; do
        printf '   %-18s %s\n' "$package" "$text"
        packages+=("$package")
    done <<<"$missing"
    if [ "${NF_NO_INSTALL:-0}" = 1 ]; then die 3 "NF_NO_INSTALL is set: nothing installed"; fi
    if ! have apt-get; then
        die 3 "there is no apt-get here. Install what is listed above with your package manager (the names are Debian's;" \
            "elsewhere a package of headers often ends in -devel), then run this again. The simulator needs the GNU" \
            "Scientific Library, libyaml and HDF5 with their headers; pictures need gnuplot with its cairo terminals."
    fi
    mkdir -p $logs
    become_root "${packages[@]}"
    say "== installing with ${as_root:+sudo }apt-get (log: $logs/apt.log)"
    $as_root apt-get update >$logs/apt.log 2>&1 || { tail -5 $logs/apt.log >&2; die 3 "apt-get update failed"; }
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 install -y --no-install-recommends \
        "${packages[@]}" \
        >>$logs/apt.log 2>&1 || { tail -15 $logs/apt.log >&2; die 3 "apt-get install failed"; }
    missing=$(list_missing "$1")
    [ -z "$missing" ] || die 3 "installed, and still not found: $(tr '\n' ';' <<<"$missing")"
}

# ---- building -----------------------------------------------------------------------------------------------------

logged() { # log-name what command...: quiet unless it fails
    local log=$logs/$1.log what=$2 start=$SECONDS; shift 2
    if "$@" >"$log" 2>&1; then
        say "== $what: done in $((SECONDS - start)) s"
    else
        tail -40 "$log" >&2
        die 1 "$what failed; the whole log is $log"
    fi
}

build() { # preset
    local dir=build/$1 fresh="" generator=""
    [ "$1" != release ] || dir=build
    mkdir -p $logs
    # A build folder that came along with a copied or moved tree is started afresh.
    if [ -f $dir/CMakeCache.txt ]; then
        grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$PWD" $dir/CMakeCache.txt || fresh=--fresh
    fi
    # The release preset names no generator, so that a folder that was configured with make stays with make.
    if [ "$1" = release ] && { [ -n "$fresh" ] || [ ! -f $dir/CMakeCache.txt ]; }; then generator=-GNinja; fi
    # shellcheck disable=SC2086
    if has_presets; then
        logged "configure-$1" "configure $1" cmake --preset "$1" $generator $fresh
    else # the release preset, written out
        [ -z "$fresh" ] || rm -f build/CMakeCache.txt
        logged "configure-$1" "configure $1" cmake -S . -B build $generator -DCMAKE_BUILD_TYPE=Release -DNF_TESTS=OFF -DNF_CUDA=OFF
    fi
    logged "build-$1" "build $1 on $jobs cores" cmake --build $dir --parallel "$jobs"
    [ -x $dir/bin/nearfar ] || die 1 "the build of $1 left no $dir/bin/nearfar"
}

# ---- demo ---------------------------------------------------------------------------------------------------------

demo() { bash tools/demo.sh build/bin/nearfar results || die 1 "the demo did not run to its end"; }

# ---- tests --------------------------------------------------------------------------------------------------------

# gcc 12's thread sanitizer does not start when the kernel spreads addresses widely; a fixed layout helps.
tsan_runner() {
    local probe=$logs/tsan-probe
    echo 'int main(void) { return 0; }' | cc -fsanitize=thread -x c - -o $probe 2>/dev/null || return 1
    if $probe >/dev/null 2>&1; then echo env
    elif setarch "$(uname -m)" -R $probe >/dev/null 2>&1; then echo "setarch $(uname -m) -R"
    else return 1; fi
}

closing_lines=""
run_tests() { # preset runner...
    local preset=$1 log=$logs/ctest-$1.log start=$SECONDS status=0; shift
    say "== tests: $preset"
    "$@" ctest --preset "$preset" -j "$jobs" 2>&1 | tee "$log" || status=1
    closing_lines+=$(printf '%-5s %s (%d s)' "$preset" "$(grep 'tests passed' "$log" || echo 'no result')" \
        $((SECONDS - start)))$'\n'
    return $status
}

run_all_tests() {
    local failed=0 runner
    build test
    run_tests test env || failed=1
    build asan
    run_tests asan env || failed=1
    build tsan
    if runner=$(tsan_runner); then
        # shellcheck disable=SC2086
        run_tests tsan $runner || failed=1
    else
        closing_lines+="tsan  skipped: the thread sanitizer does not start on this machine"$'\n'
    fi
    say ""
    printf '%s' "$closing_lines"
    return $failed
}

if [ -e build ] && { [ ! -w build ] || { [ -e $logs ] && [ ! -w $logs ]; }; }; then
    die 3 "build/ belongs to another user (was this run as root before?): remove it or change its owner"
fi
case ${1:-} in
    build) install_missing "$needs_build"; build release; say "== build/bin/nearfar --help" ;;
    demo) install_missing "$needs_build"; build release; demo ;;
    test) install_missing "$needs_build"$'\n'"$needs_test"; build release; run_all_tests ;;
    -h | --help | help) usage ;;
    *) usage >&2; exit 2 ;;
esac
