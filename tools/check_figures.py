#!/usr/bin/env python3
"""check_figures.py: README.md quotes the speeds that bench/README.md measured, and results/README.md its memory.

Exit status 0: they are the same; 1: one of them was changed alone."""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return file.read()


def row(text, first):
    """The cells of the table row whose first cell is `first`, behind that cell."""
    found = re.search(rf"^\| {re.escape(first)} \|(.*)\|$", text, re.M)
    if not found:
        sys.exit(f"no row \"{first}\"")
    return [cell.strip() for cell in found.group(1).split("|")]


def numbers(cell):
    return [float(n) for n in re.findall(r"[0-9]+(?:\.[0-9]+)?", cell)]


def main():
    bench, readme, results = read("bench/README.md"), read("README.md"), read("results/README.md")
    wrong = []
    quoted = {name: row(readme, name) for name in [
        "whole simulator, no request rows", "bare loop", "every request's row written to HDF5 (10 million)",
        "peak memory at 100 000 and at 10 million requests"]}
    simulator, bare, rows, memory = quoted.values()
    for column, case in enumerate(["M/M/1", "two-tier"]):
        loop, world, _, speed, all_rows, _, peak, peak_rows = row(bench, case)
        pairs = [("bare loop", bare, [round(numbers(loop)[0])]),
                 ("whole simulator", simulator, [round(numbers(world)[0]), numbers(speed)[0]]),
                 ("rows", rows, [numbers(all_rows)[0]]),
                 ("memory", memory, numbers(peak) + numbers(peak_rows))]
        for what, cells, measured in pairs:
            there = numbers(cells[column])[:len(measured)]
            if there != measured:
                wrong.append(f"{case}, {what}: README.md says {there}, bench/README.md {measured}")
        more = round(numbers(peak_rows)[1] - numbers(peak)[1])
        if f"and {more} MB of memory" not in results:
            wrong.append(f"{case}: rows take {more} MB more, and results/README.md does not say so")
    print("\n".join(wrong) if wrong else "figures: the three tables agree")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
