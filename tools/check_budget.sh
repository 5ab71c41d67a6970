#!/usr/bin/env bash
# check_budget.sh [TREE]: the rules of the tree that a text search can hold:
#   - a source file has at most 600 lines;
#   - no atoi, strtok, sprintf, strcpy, rand and their relatives; no allocation outside sim/base; no clock, no
#     environment and no locale in the layers that decide results; no gt()/ge() of Criterion 2.4.1 (they pass
#     wrongly: gt(int, 3, 3) is true there);
#   - no path of one machine, and no note that something is still to be done.
# Comments and string literals are left out of the search for functions. `--self-test` plants one mistake of each kind.
set -eu

here=$(cd "$(dirname "$0")/.." && pwd)
max_lines=600

list_files() { # tree: what is tracked, or everything when the tree is not a checkout
    if git -C "$1" rev-parse --is-inside-work-tree >/dev/null 2>&1; then
        git -C "$1" ls-files --cached --others --exclude-standard
    else
        (cd "$1" && find . -type f -not -path './build*' -not -path './.git/*' | sed 's|^\./||')
    fi | LC_ALL=C sort
}

# The C rules, in one pass; prints file:line: message.
c_rules() {
    LC_ALL=C awk '
    function forbid(names, why,   n, list, i) {
        n = split(names, list, " ")
        for (i = 1; i <= n; i++)
            if (match(code, "(^|[^A-Za-z0-9_.>])" list[i] "[ \t]*\\("))
                print FILENAME ":" FNR ": " list[i] "(): " why
    }
    FNR == 1 { in_comment = 0 }
    {
        code = ""; rest = $0
        while (rest != "") {
            if (in_comment) {
                end = index(rest, "*/")
                if (!end) { rest = ""; break }
                rest = substr(rest, end + 2); in_comment = 0; continue
            }
            c = substr(rest, 1, 1); two = substr(rest, 1, 2)
            if (two == "/*") { in_comment = 1; rest = substr(rest, 3); continue }
            if (two == "//") break
            if (c == "\"" && match(rest, /^"([^"\\]|\\.)*"/)) {
                code = code "\"\""; rest = substr(rest, RLENGTH + 1); continue
            }
            if (c == "\047" && match(rest, /^\047([^\047\\]|\\.)*\047/)) {
                rest = substr(rest, RLENGTH + 1); continue
            }
            code = code c; rest = substr(rest, 2)
        }
        forbid("atoi atol atoll atof", "accepts \"4abc\"; use base/text.h")
        forbid("strtok sprintf vsprintf strcpy strcat gets", "no bound; use base/text.h")
        forbid("rand srand random srandom drand48", "not reproducible; use engine/random.h")
        if (FILENAME ~ /^sim\// && FILENAME !~ /^sim\/base\//)
            forbid("malloc calloc realloc free strdup strndup", "memory comes from arenas (base/arena.h)")
        if (FILENAME ~ /^sim\/(engine|stats|perf|model)\//)
            forbid("time clock clock_gettime gettimeofday getenv setlocale localtime", "a result may not depend on it")
        if (FILENAME ~ /_test\.c$/)
            forbid("gt ge", "passes wrongly in Criterion 2.4.1; write cr_assert(a > b)")
    }' "$@"
}

check() { # tree
    local tree=$1 files sources cfiles found lines f
    cd "$tree"
    files=$(list_files "$tree" | while IFS= read -r f; do [ -f "$f" ] && echo "$f"; done)
    sources=$(printf '%s\n' "$files" |
        grep -E '\.(c|h|cu|cuh|cpp|sh|py|gp|cmake)$|CMakeLists\.txt$' || true)
    cfiles=$(printf '%s\n' "$sources" | grep -E '^(sim|bench|kernels)/.*\.(c|h|cu|cuh)$' || true)
    found=$(
        for f in $sources; do
            lines=$(wc -l <"$f")
            [ "$lines" -le $max_lines ] || echo "$f: $lines lines, at most $max_lines"
        done
        # shellcheck disable=SC2086
        [ -z "$cfiles" ] || c_rules $cfiles
        # The patterns are written so that this file does not match itself.
        printf '%s\n' "$files" | grep -vE '\.(csv|tsv|h5|png|svg|pdf)$' | tr '\n' '\0' |
            xargs -0 grep -nIHE '(^|[^A-Za-z0-9_.])/(home|root|work|Users)/[A-Za-z]' |
            cut -c1-160 | sed 's/$/   <- path of one machine/' || true
        printf '%s\n' "$sources" | tr '\n' '\0' |
            xargs -0 grep -nIHE '\b(TOD[O]|FIXM[E]|XX[X])\b|[Nn]ot (yet )?implemente[d]' |
            cut -c1-160 | sed 's/$/   <- unfinished/' || true
    )
    if [ -n "$found" ]; then
        printf '%s\n' "$found"
        return 1
    fi
    echo "budget: $(printf '%s\n' "$sources" | wc -l) source files within the rules"
}

self_test() {
    dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
    mkdir -p "$dir/sim/base" "$dir/sim/model"
    cat >"$dir/sim/model/ok.c" <<'C'
/* rand() and malloc(3) in a comment, */ int operand(int x); // atoi(s)
const char *text(void) { return "strcpy(a, b) \" rand()"; }
int g(struct s *p) { return p->free(1) + snprintf(0, 0, "x") + runtime (3); }
C
    echo 'void *f(void) { return malloc(3); }' >"$dir/sim/base/ok.c"
    out=$(check "$dir") || { echo "self-test: a clean tree was refused: $out"; exit 1; }
    planted=0
    expect() { # file text expected-message
        planted=$((planted + 1))
        printf '%s\n' "$2" >"$dir/$1"
        if out=$(check "$dir"); then echo "self-test: not found: $2 in $1"; exit 1; fi
        case $out in *"$3"*) ;; *) echo "self-test: wrong message for $2 in $1: $out"; exit 1 ;; esac
        rm "$dir/$1"
    }
    expect sim/model/a.c 'int n = atoi(s);' 'atoi()'
    expect sim/model/a.c 'p = malloc(3);' 'malloc()'
    expect sim/model/a.c '/* x */ x = rand ();' 'rand()'
    expect sim/model/a.c 'x = time(0);' 'may not depend'
    expect sim/base/a.c 'sprintf(b, "x");' 'sprintf()'
    expect sim/base/a_test.c 'cr_assert(gt(int, 3, 3));' 'Criterion'
    expect sim/base/a.sh "cd /ho""me/someone" 'one machine'
    expect sim/base/a.c "// TO""DO" 'unfinished'
    expect sim/base/a.h "$(seq 601)" 'at most 600'
    echo "budget: self-test found all $planted planted mistakes"
}

case ${1:-} in
    --self-test) self_test ;;
    *) check "$(cd "${1:-$here}" && pwd)" ;;
esac
