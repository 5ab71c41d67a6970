#!/usr/bin/env bash
# check_globals.sh ARCHIVE...: no layer keeps writable static data, so that one struct nf_world is one simulated world
# and two of them can run on two threads. Looks at the sections .data and .bss of every object (constant tables that
# hold addresses lie in .data.rel.ro and are fine).
set -eu
command -v objdump >/dev/null || { echo "skipped: no objdump"; exit 77; }
found=$(for archive in "$@"; do
    objdump -t "$archive" | awk -v archive="$(basename "$archive")" '
        /file format/ { object = $1 }
        $2 == "O" || $3 == "O" {
            for (i = 3; i <= NF; i++)
                if ($i ~ /^\.(data|bss|tdata|tbss)(\..*)?$/ && $i !~ /^\.data\.rel\.ro/)
                    print archive ": " object " " $NF " in " $i
        }'
done)
if [ -n "$found" ]; then printf 'writable static data:\n%s\n' "$found"; exit 1; fi
echo "globals: none in $# archives"
