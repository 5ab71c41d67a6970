#!/usr/bin/env python3
"""validation.py NEARFAR [--update]: the models against measured rows, compared with what is on record.

Runs `nearfar validate` on every file of bench/data and compares median, 90th percentile and bias of each group with
bench/validation.tsv. Exit status 1 when a group got worse than its record, lost rows, or is missing. --update writes the
record and the tables of bench/validation.md between their markers.
"""
import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
DATA = HERE / "data"
AIC = DATA / "aiconfigurator"
RTX = DATA / "llmservingsim" / "RTX4090" / "Llama-3.1-8B"
RECORD = HERE / "validation.tsv"
REPORT = HERE / "validation.md"
# Worse by less than this (a fraction of the measured value) is rounding of another C library.
TOLERANCE = 0.0005


def runs():
    """Title and arguments of every run of `nearfar validate`."""
    for device in ("h100_sxm", "h200_sxm", "a100_sxm", "l40s"):
        files = [str(p) for p in sorted(AIC.glob(device + "_*.csv"))]
        yield "operators", ["operators", *files]
    for device in ("H100", "H200", "A100", "L40S"):
        yield "operators", ["operators", "--profile", device, str(AIC / "collectives.csv")]
    layers = [str(RTX / "bf16-tp1" / n) for n in ("dense.csv", "per_sequence.csv", "attention.csv")]
    yield "operators", ["operators", "--profile", "RTX4090", *layers]
    yield "serving", ["serving", str(AIC / "serving_measured_h100.csv")]
    yield "deepseek", ["serving", str(AIC / "serving_measured_deepseek.csv")]
    yield "replay", ["replay", str(RTX / "vllm")]


def validate(nearfar, arguments):
    done = subprocess.run([nearfar, "validate", *arguments, "--json"], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit("nearfar validate %s: exit status %d\n%s" % (" ".join(arguments), done.returncode, done.stderr))
    return json.loads(done.stdout)


def figures(nearfar):
    """(kind, group) -> rows, skipped, {metric: (median, p90, bias)}; in the order of the runs."""
    table = {}
    for kind, arguments in runs():
        answer = validate(nearfar, arguments)
        parts = answer["groups"] + answer["subtotals"]
        if kind != "operators":
            parts = parts + [answer["all"]]
        for g in parts:
            metrics = {m: (e["median"], e["p90"], e["bias"]) for m, e in g["metrics"].items() if e["median"] is not None}
            key = (kind, g["name"])
            if key in table:
                sys.exit("two groups are called %s %s" % key)
            table[key] = (g["rows"], g["skipped"], metrics)
    return table


def read_record():
    record = {}
    for line in RECORD.read_text().splitlines():
        if line.startswith("#") or not line:
            continue
        kind, name, metric, rows, skipped, median, p90, bias = line.split("\t")
        record[(kind, name, metric)] = (int(rows), int(skipped), float(median), float(p90), float(bias))
    return record


def compare(table):
    worse = []
    for (kind, name, metric), (rows, skipped, median, p90, _bias) in read_record().items():
        what = "%s, %s, %s" % (kind, name, metric)
        if (kind, name) not in table or metric not in table[(kind, name)][2]:
            worse.append("%s: no longer there" % what)
            continue
        now_rows, now_skipped, metrics = table[(kind, name)]
        now = metrics[metric]
        if now_rows < rows or now_skipped > skipped:
            worse.append("%s: %d rows, %d skipped; on record %d, %d" % (what, now_rows, now_skipped, rows, skipped))
        for label, before, after in (("median", median, now[0]), ("P90", p90, now[1])):
            if after > before + TOLERANCE:
                worse.append("%s: %s %.2f %%, on record %.2f %%" % (what, label, 100 * after, 100 * before))
    return worse


def write_record(table):
    lines = ["# kind\tgroup\tmetric\trows\tskipped\tmedian\tp90\tbias; errors relative to the measured value. See bench/validation.py."]
    for (kind, name), (rows, skipped, metrics) in table.items():
        for metric, e in metrics.items():
            lines.append("%s\t%s\t%s\t%d\t%d\t%.5f\t%.5f\t%.5f" % (kind, name, metric, rows, skipped, *e))
    RECORD.write_text("\n".join(lines) + "\n")


# What the project set out to reach: text, groups, metric, figure, least, aim (fractions; figure 0 median, 1 P90, 2 bias).
def aims():
    for device in ("H100", "H200", "A100", "L40S"):
        group = "%s gemm bf16, held out" % device
        yield "GEMM bf16, %s: median" % device, ("operators", group), "time", 0, 0.06, 0.04
        yield "GEMM bf16, %s: P90" % device, ("operators", group), "time", 1, 0.15, 0.12
    for name, label, least, aim in (
        ("gemm fp8", "GEMM fp8", 0.10, 0.06),
        ("prefill", "prefill attention", 0.06, 0.04),
        ("decode", "decode attention", 0.06, 0.04),
    ):
        for device in ("H100", "H200"):
            yield "%s, %s: median" % (label, device), ("operators", "%s %s, held out" % (device, name)), "time", 0, least, aim
    yield "serving, time per token, all rows: median", ("serving", "all"), "tpot", 0, 0.10, 0.06
    yield "serving, time per token, vLLM: median", ("serving", "all vllm"), "tpot", 0, 0.10, 0.06
    yield "serving, time to first token, vLLM: median", ("serving", "all vllm"), "ttft", 0, 0.30, 0.15
    for metric, label, least, aim in (
        ("ttft_mean", "mean time to first token", 0.03, 0.015),
        ("tpot_mean", "mean time per token", 0.03, 0.015),
        ("e2e_mean", "mean end to end", 0.03, 0.015),
        ("e2e_p99", "P99 end to end", 0.05, 0.03),
    ):
        yield "RTX 4090 replay, %s" % label, ("replay", "all"), metric, 0, least, aim


def aims_table(table):
    out = ["| check | reached | at least | aim | |", "| --- | ---: | ---: | ---: | --- |"]
    for text, key, metric, figure, least, aim in aims():
        e = table[key][2][metric]
        verdict = "aim" if e[figure] <= aim else "yes" if e[figure] <= least else "**missed**"
        out.append("| %s | %.1f %% | %g %% | %g %% | %s |" % (text, 100 * e[figure], 100 * least, 100 * aim, verdict))
    return out


def kind_table(table, kind):
    metrics = []
    for (k, _), (_, _, found) in table.items():
        if k == kind:
            metrics += [m for m in found if m not in metrics]
    head = ["group", "rows", "skipped"] + ["%s: median / P90 (bias) %%" % m for m in metrics]
    out = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    for (k, name), (rows, skipped, found) in table.items():
        if k != kind:
            continue
        cells = [name, str(rows), str(skipped)]
        for m in metrics:
            e = found.get(m)
            cells.append("%.1f / %.1f (%+.1f)" % (100 * e[0], 100 * e[1], 100 * e[2]) if e else "")
        out.append("| " + " | ".join(cells) + " |")
    return out


def write_report(table):
    parts = {"aims": aims_table(table)}
    for kind in dict.fromkeys(k for k, _ in table):
        parts[kind] = kind_table(table, kind)
    text = REPORT.read_text()
    for name, lines in parts.items():
        begin, end = "<!-- begin %s -->" % name, "<!-- end %s -->" % name
        if begin not in text or end not in text:
            sys.exit("%s has no place for %s" % (REPORT, name))
        before, rest = text.split(begin, 1)
        text = before + begin + "\n" + "\n".join(lines) + "\n" + end + rest.split(end, 1)[1]
    REPORT.write_text(text)


def main():
    if len(sys.argv) < 2 or (len(sys.argv) > 2 and sys.argv[2] != "--update"):
        sys.exit(__doc__)
    table = figures(sys.argv[1])
    if len(sys.argv) > 2:
        write_record(table)
        write_report(table)
        return
    worse = compare(table)
    for line in worse:
        print("WORSE", line)
    print("%d figures compared, %d worse" % (len(read_record()), len(worse)))
    sys.exit(1 if worse else 0)


main()
