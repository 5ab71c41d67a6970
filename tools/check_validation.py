#!/usr/bin/env python3
"""check_validation.py PROGRAM DOCUMENT [--update]: does `nearfar validate` still predict measured rows as well as the document says?

The document (bench/validation-*.md) holds tables between lines `<!-- validate SUBJECT FILE -->` and `<!-- end -->`. Each is made by that command;
--update writes them anew. Without it, a group whose median error is more than half a point worse than recorded, whose rows are fewer, or of
which more are skipped, fails the test. FILE is relative to the document's folder.
"""
import json
import os
import re
import subprocess
import sys

SLACK = 0.005
BLOCK = re.compile(r"(<!-- validate (\w+) (\S+) -->\n)(.*?)(<!-- end -->)", re.S)


def run(program, subject, path):
    done = subprocess.run([program, "validate", subject, path, "--json"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"validate {subject} {path} failed:\n{done.stderr}")
    return json.loads(done.stdout)


def groups_of(result):
    every = result["groups"] + result.get("subtotals", []) + [dict(result["all"], name="all")]
    return [g for g in every if g["rows"] > g["skipped"]]


def percent(x):
    return "" if x is None else f"{100 * x:.1f}"


def table(result):
    metrics = [m for m in result["all"]["metrics"] if any(g["metrics"][m]["median"] is not None for g in groups_of(result))]
    head = ["group", "rows", "skipped"] + [f"{m}: {k}" for m in metrics for k in ("median", "P90", "bias")]
    lines = ["| " + " | ".join(head) + " |", "| " + " | ".join(["---"] * len(head)) + " |"]
    for g in groups_of(result):
        cells = [g["name"], str(g["rows"]), str(g["skipped"])]
        for m in metrics:
            e = g["metrics"][m]
            cells += [percent(e["median"]), percent(e["p90"]), percent(e["bias"])]
        lines.append("| " + " | ".join(cells) + " |")
    left = sum(r["rows"] for r in result["reasons"])
    lines.append("")
    lines.append(f"Skipped, {left} rows in all: " + "; ".join(f"{r['rows']} {r['skipped']}" for r in result["reasons"]) + "."
                 if left else "No row is skipped.")
    return "\n".join(lines) + "\n"


def recorded(text):
    rows = {}
    head = None
    for line in text.splitlines():
        cells = [c.strip() for c in line.strip().strip("|").split("|")] if line.startswith("|") else None
        if cells and head is None:
            head = cells
        elif cells and not set(cells[0]) <= {"-"}:
            rows[cells[0]] = dict(zip(head, cells))
    return rows


def compare(old, result):
    worse = []
    now = {g["name"]: g for g in groups_of(result)}
    for name, row in old.items():
        g = now.get(name)
        if g is None:
            worse.append(f"{name}: gone")
            continue
        if g["rows"] < int(row["rows"]) or g["skipped"] > int(row["skipped"]):
            worse.append(f"{name}: {g['rows']} rows, {g['skipped']} skipped; recorded {row['rows']}, {row['skipped']}")
        for key, value in row.items():
            if key.endswith(": median") and value:
                median = g["metrics"][key[:-len(": median")]]["median"]
                if median is None or median > float(value) / 100 + SLACK:
                    worse.append(f"{name}: {key} {percent(median)} %, recorded {value} %")
    return worse


def main():
    if len(sys.argv) not in (3, 4) or (len(sys.argv) == 4 and sys.argv[3] != "--update"):
        sys.exit(__doc__.splitlines()[0])
    program, document = sys.argv[1], sys.argv[2]
    with open(document, encoding="utf-8") as f:
        text = f.read()
    worse, count = [], 0

    def renew(match):
        nonlocal count
        result = run(program, match[2], os.path.join(os.path.dirname(document), match[3]))
        count += 1
        worse.extend(compare(recorded(match[4]), result))
        return match[1] + table(result) + match[5]

    fresh = BLOCK.sub(renew, text)
    if count == 0:
        sys.exit(f"{document} has no tables")
    if len(sys.argv) == 4:
        with open(document, "w", encoding="utf-8") as f:
            f.write(fresh)
        print(f"{document}: {count} tables written")
        return
    for line in worse:
        print(line)
    if worse:
        sys.exit(f"worse than recorded; if that is meant: {sys.argv[0]} {program} {document} --update")
    print(f"{document}: {count} tables, no group worse than recorded")


main()
