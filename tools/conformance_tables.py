#!/usr/bin/env python3
"""conformance_tables.py JSON_FOLDER OUT_FOLDER: other projects' test vectors, from JSON to the tables that sim/model tests read.

One table a family, one record a line: a word, then tab-separated key=value fields; records after a `case` belong to it. Lists of
containers are summed here (the whole pod, or the one container that the metric names); nothing else is computed.
The last line says how many cases there are, so that a cut-off file fails its test.
"""
import json
import os
import sys

LICENCE = "facts from the tests of Apache-2.0 projects"


class Table:
    def __init__(self, folder, name, sources, licence=LICENCE):
        self.path = os.path.join(folder, name + ".tsv")
        self.lines = [f"# {name}: {licence}; written by tools/conformance_tables.py"]
        self.lines += [f"# {s}" for s in sources]
        self.cases = 0

    def add(self, word, **fields):
        self.cases += word == "case"
        parts = [word]
        for key, value in fields.items():
            if value is None:
                continue
            if isinstance(value, bool):
                value = int(value)
            text = str(value)
            assert "\t" not in text and "\n" not in text, text
            parts.append(f"{key}={text}")
        self.lines.append("\t".join(parts))

    def write(self):
        self.lines.append(f"end\tcases={self.cases}")
        with open(self.path, "w", encoding="ascii") as f:
            f.write("\n".join(self.lines) + "\n")
        print(f"{self.path}: {self.cases} cases")


def load(folder, name):
    with open(os.path.join(folder, name + ".json"), encoding="utf-8") as f:
        data = json.load(f)
    meta = data.pop("meta")
    sources = [f"{k}: {v}" for k, v in meta["sources"].items()] if "sources" in meta else [meta["source"]]
    return data, meta, sources


def check_known(data, known):
    unknown = set(data) - set(known)
    assert not unknown, f"sections that no test reads: {unknown}"


HPA_ERRORS = [("no metrics returned from resource metrics API", "no-metrics"),
              ("missing request for", "no-request"),
              ("no pods returned by selector", "no-pods"),
              ("did not receive metrics for", "no-ready-metrics")]


def hpa_error(text):
    for part, word in HPA_ERRORS:
        if part in text:
            return word
    raise ValueError(text)


def hpa_pod(table, pod, **more):
    phase = {"Pending": "pending", "Failed": "failed"}.get(pod["phase"], "running")
    start = pod["start_s"]
    is_unknown = pod.get("start_missing", False) or pod["ready"] is None
    started = "never" if is_unknown else "long-ago" if start is None else start
    changed = pod.get("ready_transition_s")
    table.add("pod", phase=phase, deleted=pod["deleted"], ready=bool(pod["ready"]), started=started,
              changed=started if changed is None else changed, **more)


def hpa_calculator(src, out):
    data, meta, sources = load(src, "hpa_replica_calculator")
    check_known(data, ["cases", "group_pods_cases"])
    t = Table(out, "hpa_replica_calculator", sources)
    window = meta["defaults"]["metric_window_s"]
    for c in data["cases"]:
        kind = c["kind"]
        is_resource = kind == "resource_utilization"
        which = {"": slice(None), "container1": slice(0, 1), "container2": slice(1, 2)}[c.get("container", "")]
        if is_resource:
            values = {m["pod"]: sum(m["containers_m"][which]) for m in c["metrics"]}
        elif kind == "pods":
            values = {f"test-pod-{i}": v for i, v in enumerate(c["levels_m"])}
        else:
            values = {}
        assert set(values) <= {p["name"] for p in c["pods"]}, c["id"]
        target = c.get("target_utilization_pct", c.get("target_m", c.get("target_per_pod_m")))
        e = c["expect"]
        usage = e.get("raw_value_m", e.get("usage_m"))
        t.add("case", id=c["id"], kind=kind, cpu=c.get("resource") == "cpu", current=c["current_replicas"],
              tolerance_down=c["tolerance_down"], tolerance_up=c["tolerance_up"], target=target,
              error=hpa_error(e["error"]) if "error" in e else None, replicas=e.get("replicas"),
              utilization=e.get("utilization_pct"), usage=usage)
        if not is_resource and kind != "pods":
            for level in c["levels_m"]:
                t.add("level", value=level)
        for p in c["pods"]:
            request = p.get("requests_m")
            hpa_pod(t, p, request=sum(request[which]) if request else 0, value=values.get(p["name"]),
                    at=p.get("metric_ts_s", 0), window=p.get("metric_window_s", window))
    for c in data["group_pods_cases"]:
        e = c["expect"]
        t.add("case", id=c["id"], kind="group", cpu=c["resource"] == "cpu", ready=e["ready_count"])
        for p in c["pods"]:
            group = [g for g in ("unready", "missing", "ignored") if p["name"] in e[g]]
            ts = p["metric_ts_s"]
            hpa_pod(t, p, request=0, value=0 if p["name"] in c["pods_with_metrics"] else None,
                    at=-10**6 if ts is None else ts, window=p["metric_window_s"], group=group[0] if group else "ready")
    t.write()


def hpa_rules(table, word, rules):
    if rules is None:
        return
    table.add(word, window=rules["stabilization_window_s"], select=rules["select_policy"])
    for p in rules["policies"]:
        table.add(word + "-rule", type=p["type"], value=p["value"], period=p["period_s"])


def hpa_behavior(src, out):
    data, _, sources = load(src, "hpa_behavior_stabilization")
    check_known(data, ["rate_limit_no_behavior", "stabilize_no_behavior", "scale_up_limit", "scale_down_limit",
                       "behavior_rate", "stabilize_with_behavior", "store_scale_event", "full_pipeline"])
    t = Table(out, "hpa_behavior_stabilization", sources)
    for section, cases in data.items():
        for c in cases:
            e = c["expect"]
            expected = [e.get(k) for k in ("replicas", "stabilized", "limit", "replicas_change_in_period")]
            t.add("case", section=section, id=c["id"], current=c.get("current"), desired=c.get("desired"),
                  min=c.get("min"), max=c.get("max"), window=c.get("window_s"), up_window=c.get("up_window_s"),
                  down_window=c.get("down_window_s"), change=c.get("replica_change"), period=c.get("period_s"),
                  expect=next(x for x in expected if x is not None), condition=e.get("condition"),
                  log_length=e.get("log_length"), no_rules="rules" in c and c["rules"] is None or None)
            for r in c.get("recommendations", []):
                t.add("recommendation", at=r["t_s"], replicas=r["replicas"])
            for word, key in (("up-event", "up_events"), ("down-event", "down_events"), ("up-event", "prev_events")):
                for ev in c.get(key, []):
                    t.add(word, at=ev["t_s"], change=ev["change"], outdated=ev.get("outdated", False))
            hpa_rules(t, "down" if section == "scale_down_limit" else "up", c.get("rules"))
            hpa_rules(t, "up", c.get("up_rules"))
            hpa_rules(t, "down", c.get("down_rules"))
            for x in e.get("log") or []:
                t.add("log", replicas=x)
            for x in e.get("events_after", []):
                t.add("log", replicas=x["change"], outdated=x["outdated"])
            t.add("check", log="log" in e and e["log"] is not None or "events_after" in e)
    t.write()


KPA_SPEC = {"target_value": "target", "total_value": "total", "target_burst_capacity": "burst",
            "panic_threshold": "threshold", "max_scale_up_rate": "up", "max_scale_down_rate": "down",
            "stable_window_s": "stable_window", "reachable": "reachable", "activation_scale": "activation",
            "scale_down_delay_s": "delay"}


def kpa_spec(spec):
    left = set(spec) - set(KPA_SPEC) - {"metric"}
    assert not left, left
    return {KPA_SPEC[k]: v for k, v in spec.items() if k in KPA_SPEC}


def kpa_scale(t, cases):
    for c in cases:
        init = c["init"]
        t.add("case", section="scale", id=c["id"], ready=init["ready_at_start"],
              panic_since=init.get("panic_since_s"), max_panic_pods=init.get("max_panic_pods"), **kpa_spec(c["spec"]))
        for s in c["steps"]:
            e = s["expect"]
            assert e["valid"], c["id"]
            if "update" in s:
                t.add("update", **kpa_spec(s["update"]))
            t.add("step", at=s["t_s"], ready=s["ready"], stable=s["stable"], panic=s["panic"],
                  desired=e["desired"], ebc=e["ebc"], panic_since=e.get("panic_since_s"))


def kpa_windows(t, data):
    for c in data["window_max"]:
        t.add("case", section="peak", id=c["id"], size=c["size"])
        for i, v, x in zip(c["index"], c["values"], c["expect"], strict=True):
            t.add("value", index=i, value=v, expect=x)
    for c in data["time_window_max"]:
        t.add("case", section="time-peak", id=c["id"], duration=c["duration_s"], granularity=c["granularity_s"],
              expect=c["expect"])
        for at, v in zip(c["t_s"], c["values"], strict=True):
            t.add("value", at=at, value=v)
    for c in data["bucket_average"]:
        t.add("case", section="buckets", id=c["id"], weighted=c["algo"] == "weighted", window=c["window_s"],
              granularity=c["granularity_s"], digits=c.get("round_digits"))
        for op, at, value in c["ops"]:
            assert op in ("rec", "avg", "sum"), op
            t.add(op, at=at, value=value)


def kpa_small(t, data):
    for c in data["start_mode"]:
        t.add("case", section="start", **{k: v for k, v in c.items() if k != "expect"}, **c["expect"])
    for c in data["decay"]:
        t.add("case", section="decay", id=c["id"], buckets=c["buckets"], expect=c["expect"], tolerance=c["tolerance"])
    for c in data["sample_size"]:
        t.add("case", section="sample", id=c["id"], population=c["population"], expect=c["expect"])
    for c in data["metric_target"]:
        g = c["config"]
        is_rate = c["metric"] == "rps"
        pct = c["target_utilization_annotation_pct"]
        share = g["target_utilization"] if is_rate else g["cc_target_fraction"]
        t.add("case", section="target", id=c["id"], rate=is_rate, limit=c["container_concurrency"],
              annotation=c["target_annotation"], default=g["rps_target_default" if is_rate else "cc_target_default"],
              utilization=share if pct is None else pct / 100, target=c["expect"]["target"], total=c["expect"]["total"])
    for c in data["scale_to_zero"]:
        e = c["expect"]
        t.add("case", section="zero", **{k: v for k, v in c.items() if k != "expect"}, desired=e["desired"],
              applied=e["applied"], requeues=e["requeues"], probes=e["async_probes"])


def kpa(src, out):
    data, _, sources = load(src, "knative_kpa")
    check_known(data, ["kpa_scale", "start_mode", "window_max", "time_window_max", "bucket_average", "decay",
                       "sample_size", "metric_target", "scale_to_zero"])
    t = Table(out, "knative_kpa", sources)
    kpa_scale(t, data["kpa_scale"])
    kpa_windows(t, data)
    kpa_small(t, data)
    t.write()


def token_bucket(src, out):
    data, _, sources = load(src, "token_bucket")
    check_known(data, ["token_bucket", "backoff"])  # the gateway's back-off has no jitter: nothing to hold against the second
    t = Table(out, "token_bucket", sources)
    for c in data["token_bucket"]:
        t.add("case", id=f"{c['impl']}/{c['id']}", max=c["max_tokens"], rate=c["fill_rate_per_s"])
        for op in c["ops"]:
            t.add(op["op"], at_ms=op["t_ms"], tokens=op["tokens"], partial=op.get("partial"),
                  expect=op.get("expect", op.get("expect_remaining")), next_ms=op.get("expect_next_token_ms"))
    t.write()


def batcher_policy(policy):
    known = {"max_queue_size", "default_timeout_us", "timeout_action", "allow_timeout_override"}
    assert set(policy) <= known, policy
    return {"max_queue": policy.get("max_queue_size", 0), "timeout_us": policy.get("default_timeout_us", 0),
            "action": policy.get("timeout_action", "REJECT").lower(),
            "override": bool(policy.get("allow_timeout_override", False))}


def triton_batcher(src, out):
    data, _, sources = load(src, "triton_dynamic_batcher")
    check_known(data, ["cases"])
    t = Table(out, "triton_dynamic_batcher", sources, "facts from the tests of a BSD-3-Clause project")
    for c in data["cases"]:
        g = c["config"]
        t.add("case", id=c["id"], max_batch=g["max_batch_size"], delay_us=g["max_queue_delay_us"],
              preferred=",".join(map(str, g["preferred_batch_size"])) or None, instances=g["instances"],
              exec_ms=g["exec_ms"], equal_shape=g["enforce_equal_shape"], levels=g["priority_levels"],
              default_level=g["default_priority_level"], starts_after=c["scheduler_starts_after"],
              **batcher_policy(g["default_queue_policy"]))
        for level, policy in g["priority_queue_policy"].items():
            t.add("policy", level=level, **batcher_policy(policy))
        for r in c["requests"]:
            low, high = r["expect"]["response_ms"] or (None, None)
            t.add("request", at_us=round(r["t_ms"] * 1000), batch=r["batch"], shape=r["shape"],
                  priority=r["priority"], timeout_us=r["timeout_us"], result=r["expect"]["result"], low_ms=low, high_ms=high)
        for size, count in (c["expect"]["batches"] or {}).items():
            t.add("batch", size=size, count=count)
    t.write()


def pairs(counts):
    return None if counts is None else ",".join(f"{k}:{v}" for k, v in counts.items())


def names(ids):
    return None if ids is None else ",".join(ids)


def vllm_scheduler(src, out):
    data, _, sources = load(src, "vllm_scheduler")
    check_known(data, ["cases"])
    t = Table(out, "vllm_scheduler", sources)
    for c in data["cases"]:
        g = c["config"]
        assert g["reserve_full_prompt"], c["id"]
        t.add("case", id=c["id"].replace(" ", "-"), max_sequences=g["max_num_seqs"], max_tokens=g["max_num_batched_tokens"],
              block_tokens=g["block_size"], blocks=g["num_blocks"], by_priority=g["policy"] == "priority",
              chunks=g["chunked_prefill"], long_prefill=g["long_prefill_token_threshold"])
        for op in c["ops"]:
            if op[0] == "add":
                t.add("add", id=op[1], prompt=op[2], priority=op[3], arrival=op[4])
            elif op[0] == "schedule":
                e = op[1]
                t.add("schedule", tokens=pairs(e["tokens"]), running=names(e["running"]), waiting=names(e["waiting"]),
                      preempted=names(e["preempted"]), num_new=e["num_new"], free_blocks=e["free_blocks"])
            elif op[0] == "output":
                t.add("output", call=op[1], tokens=pairs(op[2]))
            else:
                assert op[0] == "finish", op
                t.add("finish", id=op[1])
    t.write()


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__.splitlines()[0])
    for convert in (hpa_calculator, hpa_behavior, kpa, token_bucket, triton_batcher, vllm_scheduler):
        convert(sys.argv[1], sys.argv[2])


main()
