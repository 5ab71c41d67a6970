#!/usr/bin/env python3
"""Opens result files with h5py and with xarray's netCDF-4 reader, and recomputes the summary from the request rows.

    read_test.py FILE.h5...

Everything follows the written definitions of results/README.md and nothing else: this file shares no code with nearfar.
Exit status 0: the numbers are equal; 1: they are not; 77: h5py, netCDF4 or xarray is missing."""

import math
import re
import sys

try:
    import h5py
    import netCDF4  # noqa: F401  (xarray's engine for these files)
    import numpy as np
    import xarray as xr
except ImportError as missing:
    print(f"skipped: {missing} (Debian: python3-h5py python3-netcdf4 python3-xarray)")
    sys.exit(77)

MEASURES = ["latency", "wait", "network", "ttft", "tpot"]
QUANTILES = {"p50": 0.50, "p90": 0.90, "p95": 0.95, "p99": 0.99, "p999": 0.999}
ROW_COLUMNS = ["arrival", "class", "site", "station", "outcome", "tries", "input_tokens", "output_tokens",
               "wait", "network", "service", "ttft", "tpot", "latency", "cost"]
failures = 0


def check(condition, *text):
    global failures
    if not condition:
        failures += 1
        print("FAILED:", *text)


def equal(a, b, *text):
    check(a == b or (math.isnan(a) and math.isnan(b)), *text, f"{a!r} is not {b!r}")


def near(a, b, *text):
    check(a == b or (math.isnan(a) and math.isnan(b)) or abs(a - b) <= 1e-12 * abs(b), *text, f"{a!r} is not {b!r}")


def representative(ns):
    """The midpoint of the whole numbers in the histogram bin of a duration: bins of one below 2048, then 1024 an octave."""
    octave = max(ns.bit_length() - 1 - 10, 0)
    return ((ns >> octave) << octave) + ((1 << octave) - 1) / 2


def rank(q, n):
    """ceil(q n), at least 1; a product within 2^-50 of a whole number is that number."""
    product = q * n
    whole = round(product)
    return max(1, whole if abs(product - whole) <= 2.0**-50 * product else math.ceil(product))


def statistics(values):
    """All statistics of one measure from its int64 nanoseconds, in seconds."""
    if len(values) == 0:
        return {s: math.nan for s in ["mean", "max", *QUANTILES]}
    ordered = np.sort(values)
    least, most = int(ordered[0]), int(ordered[-1])
    found = {s: min(max(representative(int(ordered[rank(q, len(values)) - 1])), least), most) * 1e-9
             for s, q in QUANTILES.items()}
    found["mean"] = sum(int(v) for v in values) / len(values) * 1e-9
    found["max"] = most * 1e-9
    return found


def mean_over_replications(values):
    there = [v for v in values if not math.isnan(v)]
    return sum(there) / len(there) if there else math.nan


class Run:
    """The parts of one file that the checks look at."""

    def __init__(self, path):
        self.path = path
        self.file = h5py.File(path, "r")
        self.classes = [name.decode() for name in self.file["scenario/class"]]
        self.summary = xr.open_dataset(path, group="summary/classes")
        self.each = xr.open_dataset(path, group="summary/by_replication/classes")
        self.cost = xr.open_dataset(path, group="summary/cost")
        self.cost_each = xr.open_dataset(path, group="summary/by_replication/cost")
        self.sla = xr.open_dataset(path, group="summary/sla")
        self.names = list(self.file["replication"])


def check_layout(run):
    """Both readers see the same columns with names, units and dimensions."""
    for name in run.names:
        with xr.open_dataset(run.path, group=f"replication/{name}/requests") as rows:
            check(list(rows.variables) == ROW_COLUMNS, "columns of", name, list(rows.variables))
            for column in ROW_COLUMNS:
                check(rows[column].dims == ("request",), name, column, rows[column].dims)
                check("long_name" in rows[column].attrs, name, column, "has no long_name")
            for column in ["arrival", *MEASURES, "service"]:
                check(rows[column].attrs.get("units") == "ns", name, column, "is not in ns")
            check(rows.outcome.attrs["flag_meanings"].split()[0] == "completed", "outcome names")
            there = run.file[f"replication/{name}/requests/latency"][:]
            check(np.array_equal(rows.latency.values, there), name, "xarray and h5py read the same")
        if "series" in run.file[f"replication/{name}"]:
            with xr.open_dataset(run.path, group=f"replication/{name}/series") as series:
                check(series.queue.dims == ("time", "station"), "dimensions of the series")
                check(np.all(np.diff(series.time.values) > 0), "time rises")
                there = series.utilization.values[~np.isnan(series.utilization.values)]
                check(np.all((there >= 0) & (there <= 1)), name, "a utilization outside 0 to 1")
    check(run.file["scenario"].attrs["seed"] >= 0 and len(run.file["scenario"].attrs["sha256"]) == 64, "identity")
    check(isinstance(run.file["scenario/text"][()], bytes), "scenario text")
    check_inputs(run.file["scenario"])


def check_inputs(scenario):
    """Every file that the run was made from is named once, with what it is and its identity; every file that the text names is one."""
    inputs = [] if "input" not in scenario else [
        tuple(part.decode() for part in one)
        for one in zip(scenario["input"], scenario["input_role"], scenario["input_sha256"])]
    check(len({(name, role) for name, role, _ in inputs}) == len(inputs), "an input stands twice", inputs)
    for name, role, sha in inputs:
        check(role in ["trace", "samples", "calibration", "catalog"], name, "has the role", role)
        check(re.fullmatch("[0-9a-f]{64}", sha) is not None, name, "has the identity", sha)
    text = re.sub(r"#.*", "", scenario["text"][()].decode())
    named = set(re.findall(r"\bfile: *[\"']?([^\s,}\"']+)", text))
    there = {name for name, role, _ in inputs if role in ["trace", "samples"]}
    changes = b" ".join(scenario["override"]) if "override" in scenario else b""
    if b"file" not in changes:
        check(named == there, "the scenario names", named, "and the inputs hold", there)
    for key, name in [("device", "devices"), ("catalog", "models")]:
        if re.search(rf"\b{key}: *\S", text):
            check(f"scenarios/catalog/{name}.yaml" in [i[0] for i in inputs], "the catalogue's", name, "are no input")


def check_class(run, r, name, rows, within):
    """One class of one replication: counts, times and shares from its rows."""
    each = run.each.isel(replication=r).sel({"class": name})
    outcome = rows["outcome"]
    done = outcome == 0
    for code, word in enumerate(["completed", "rejected", "timed_out", "failed"]):
        equal(int(np.sum(outcome == code)), int(each[word]), r, name, word)
    equal(len(outcome), int(each.offered) - int(each.inside), r, name, "one row a request with an outcome")
    for measure in MEASURES:
        values = rows[measure][done]
        found = statistics(values[values >= 0])
        for statistic, value in found.items():
            there = float(each.time.sel(measure=measure, statistic=statistic))
            (near if statistic == "mean" else equal)(there, value, r, name, measure, statistic)
    if len(outcome) > 0:
        equal(float(each.availability), int(np.sum(done)) / len(outcome), r, name, "availability")
        if not math.isnan(float(each.target_met)):
            equal(float(each.target_met), int(np.sum(done & within)) / len(outcome), r, name, "target_met")


def within_targets(run, name, rows):
    """A request is within when each of its times that has a target is at most it; a time it does not have cannot be late."""
    within = np.ones(len(rows["latency"]), bool)
    for measure in ["latency", "ttft", "tpot"]:
        target = float(run.summary[f"target_{measure}"].sel({"class": name}))
        if target > 0:
            within &= rows[measure] <= int(target * 1e9 + 0.5)
    return within


def check_rows(run):
    """All classes of all replications; returns what the rows were charged."""
    for r, name in enumerate(run.names):
        group = run.file[f"replication/{name}/requests"]
        rows = {column: group[column][:] for column in ROW_COLUMNS}
        done = rows["outcome"] == 0
        parts = rows["wait"] + rows["network"] + rows["service"]
        check(np.all(parts[done] <= rows["latency"][done]), name, "the parts of the latency exceed it")
        for code, word in enumerate(run.classes):
            mine = {column: values[rows["class"] == code] for column, values in rows.items()}
            check_class(run, r, word, mine, within_targets(run, word, mine))
        check_charges(run, r, rows)


def check_charges(run, r, rows):
    """Usage and egress are what the rows were charged, all components add up to the total."""
    each = run.cost_each.isel(replication=r)
    near(float(each.cost.sel(component="maas")) + float(each.cost.sel(component="network")), math.fsum(rows["cost"]), r,
         "usage and egress")
    parts = [float(each.cost.sel(component=c)) for c in ["edge", "cloud", "maas", "network"]]
    near(float(each.cost.sel(component="total")), sum(parts), r, "total cost")


def check_means(run):
    """The summary is the mean over replications of what was checked above; counts are sums."""
    for name in run.classes:
        one = {"class": name}
        for measure in MEASURES:
            for statistic in ["mean", "max", *QUANTILES]:
                at = {**one, "measure": measure, "statistic": statistic}
                equal(float(run.summary.time.sel(at)),
                      mean_over_replications([float(v) for v in run.each.time.sel(at)]), name, measure, statistic)
        for share in ["availability", "target_met"]:
            equal(float(run.summary[share].sel(one)),
                  mean_over_replications([float(v) for v in run.each[share].sel(one)]), name, share)
        for count in ["offered", "completed", "rejected", "timed_out", "failed", "inside", "retries"]:
            equal(int(run.summary[count].sel(one)), int(run.each[count].sel(one).sum()), name, count)
    for component in run.cost.component.values:
        equal(float(run.cost.cost.sel(component=component)),
              mean_over_replications([float(v) for v in run.cost_each.cost.sel(component=component)]), component)
    check_histogram(run)


def check_histogram(run):
    """The bins that CDFs are drawn from hold the completed requests of all replications."""
    groups = [run.file[f"replication/{r}/requests"] for r in run.names]
    for measure in ["latency", "ttft"]:
        with xr.open_dataset(run.path, group=f"summary/{measure}") as bins:
            for code, name in enumerate(run.classes):
                times = np.concatenate([g[measure][:][(g["class"][:] == code) & (g["outcome"][:] == 0)]
                                        for g in groups])
                value, count = np.unique([representative(int(v)) for v in times if v >= 0], return_counts=True)
                there = bins["count"].sel({"class": name}).values
                check(np.array_equal(bins[measure].values[there > 0], value)
                      and np.array_equal(there[there > 0], count), name, measure, "histogram")


def check_objectives(run):
    """Values of objectives on kept statistics, and every verdict."""
    for i in range(run.sla.sizes["sla"]):
        one = run.sla.isel(sla=i)
        name, text, value = str(one["class"].values), str(one.objective.values), float(one.value)
        times = int(one.is_time) == 1
        equal(int(one.met), int(value <= float(one.bound) if times else value >= float(one.bound)), name, text, "verdict")
        if not times:
            equal(value, float(run.summary[text].sel({"class": name})), name, text)
            continue
        measure, _, statistic = text.rpartition("_")
        if statistic in QUANTILES or statistic == "mean":
            at = {"class": name, "measure": measure or "latency", "statistic": statistic}
            equal(value, float(run.summary.time.sel(at)), name, text)


def main(paths):
    for path in paths:
        run = Run(path)
        check_layout(run)
        check_rows(run)
        check_means(run)
        check_objectives(run)
        rows = sum(run.file[f"replication/{r}/requests/latency"].shape[0] for r in run.names)
        print(f"{path}: {rows} rows of {len(run.names)} replications, {len(run.classes)} classes, "
              f"{run.sla.sizes['sla']} objectives: {'as summarised' if failures == 0 else 'NOT as summarised'}")
    return 1 if failures else 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    sys.exit(main(sys.argv[1:]))
