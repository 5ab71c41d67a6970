#!/usr/bin/env bash
# check_layers.sh [TREE]: every #include under sim/ goes to the same layer or to one above it in sim/CMakeLists.txt,
# and a third-party header appears only in the layers that may use it. `check_layers.sh --self-test` plants one
# mistake of each kind in a temporary tree and expects it to be found.
set -eu

here=$(cd "$(dirname "$0")/.." && pwd)

# Third-party header prefix -> layers that may include it. Order matters: the first match decides.
allowed_in() { # header
    case $1 in
        gsl/*) echo "engine stats perf" ;;
        yaml.h) echo "scenario" ;;
        hdf5.h | hdf5_hl.h | H5*) echo "results" ;;
        mpi.h) echo "experiment" ;;
        pthread.h | threads.h | stdatomic.h) echo "results experiment" ;;
        cuda* | nvml* | cublas*) echo "" ;;
        *) echo "*" ;;
    esac
}

check() { # tree
    local tree=$1 order bad=0 seen=0 file layer number header target word
    order=$(sed -n 's/^foreach(layer \(.*\))$/\1/p' "$tree/sim/CMakeLists.txt")
    [ -n "$order" ] || { echo "check_layers: no layer list in $tree/sim/CMakeLists.txt" >&2; return 2; }
    rank() { local n=0 l; for l in $order; do n=$((n + 1)); [ "$l" = "$1" ] && { echo $n; return; }; done; echo 0; }
    declare -A ranks=()
    for layer in $order; do ranks[$layer]=$(rank "$layer"); done

    while IFS=: read -r file number header; do
        seen=$((seen + 1))
        layer=${file#"$tree"/sim/}; layer=${layer%%/*}
        if [ -z "${ranks[$layer]:-}" ]; then
            echo "$file:$number: folder sim/$layer is not in the list of layers"; bad=1; continue
        fi
        case $header in
            \"*)
                target=${header#\"}; target=${target%\"}
                word=${target%%/*}
                if [ "$word" = "$target" ] || [ -z "${ranks[$word]:-}" ]; then
                    echo "$file:$number: write #include \"<layer>/$target\""; bad=1
                elif [ "${ranks[$word]}" -gt "${ranks[$layer]}" ]; then
                    echo "$file:$number: layer $layer must not include $target: $word is a later layer"; bad=1
                elif [ ! -f "$tree/sim/$target" ]; then
                    echo "$file:$number: sim/$target does not exist"; bad=1
                fi ;;
            *)
                target=${header#<}; target=${target%>}
                case $target in criterion/*)
                    case $file in *_test.c | *_test.h) ;; *)
                        echo "$file:$number: Criterion outside of a test"; bad=1 ;;
                    esac
                    continue ;;
                esac
                word=$(allowed_in "$target")
                [ "$word" = "*" ] && continue
                case $file in *_test.c) continue ;; esac
                case " $word " in
                    *" $layer "*) ;;
                    *) echo "$file:$number: <$target> may be used in: ${word:-no layer of sim/}"; bad=1; continue ;;
                esac
                case $file in *.h)
                    # Third-party types stay inside .c files; the random generator is the one exception, and
                    # threads are the system's.
                    [ "$layer/$target" = engine/gsl/gsl_rng.h ] || [ "$target" = pthread.h ] ||
                        { echo "$file:$number: <$target> belongs in a .c file"; bad=1; } ;;
                esac ;;
        esac
    done < <(find "$tree/sim" -name '*.[ch]' | LC_ALL=C sort |
        xargs grep -HnoE '^[[:space:]]*#[[:space:]]*include[[:space:]]*["<][^">]+[">]' |
        sed -E 's/:[[:space:]]*#[[:space:]]*include[[:space:]]*/:/')
    [ "$seen" -gt 0 ] || { echo "check_layers: no include found under $tree/sim" >&2; return 2; }
    [ $bad = 0 ] && echo "layers: $seen includes, all point up the list"
    return $bad
}

self_test() {
    local out
    dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
    mkdir -p "$dir/sim/base" "$dir/sim/engine" "$dir/sim/model"
    echo 'foreach(layer base engine model)' >"$dir/sim/CMakeLists.txt"
    echo '#define ONE 1' >"$dir/sim/base/a.h"
    printf '#include <gsl/gsl_rng.h>\n#include "base/a.h"\n' >"$dir/sim/engine/b.h"
    printf '#include "engine/b.h"\n#include <math.h>\n' >"$dir/sim/model/c.c"
    check "$dir" >/dev/null || { echo "self-test: a clean tree was refused"; exit 1; }
    expect() { # file text-to-plant expected-message
        cp "$dir/sim/$1" "$dir/saved" 2>/dev/null || : >"$dir/saved"
        printf '%s\n' "$2" >>"$dir/sim/$1"
        if out=$(check "$dir"); then echo "self-test: not found: $2 in $1"; exit 1; fi
        case $out in *"$3"*) ;; *) echo "self-test: wrong message for $2 in $1: $out"; exit 1 ;; esac
        mv "$dir/saved" "$dir/sim/$1"
    }
    expect base/a.h '#include "model/c.h"' "later layer"
    expect engine/b.h '  #  include "model/c.c"' "later layer"
    expect model/c.c '#include <yaml.h>' "may be used in"
    expect model/c.c '#include <gsl/gsl_randist.h>' "may be used in"
    expect engine/b.h '#include <gsl/gsl_randist.h>' "belongs in a .c file"
    expect model/c.c '#include <criterion/criterion.h>' "outside of a test"
    expect model/c.c '#include "a.h"' "write #include"
    expect model/c.c '#include "base/none.h"' "does not exist"
    echo "layers: self-test found all 8 planted mistakes"
}

case ${1:-} in
    --self-test) self_test ;;
    *) check "$(cd "${1:-$here}" && pwd)" ;;
esac
