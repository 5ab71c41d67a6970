#!/usr/bin/env python3
"""make_measurements.py FOLDER: the files of measurements that the transcripts of `calibrate import` and `validate composed` play with.

Synthetic: every time comes from a formula with made-up constants and noise of 1 %, for a device that is called H200, and every row says
so in its flags. One file is as nearfar-kernels would write it; the others are each wrong in one way. The same files every time.
"""
import hashlib
import math
import os
import sys

COLUMNS = ("kind,op,version,dtype,shape,cache,samples,median_us,q1_us,q3_us,flop,bytes,tflops,gbps,sheet_tflops,sheet_gbps,copy_gbps,"
           "sm_mhz,mem_mhz,power_w,temp_c,flags,device,cc,sm_count,l2_bytes,mem_bytes,driver,toolkit,code")
DEVICE = "NVIDIA H200"
BANDWIDTH, HALF, FP8 = 4.8e12, 989.4e12, 1979e12
PEAK = {"bf16": HALF, "fp16": HALF, "fp8": FP8, "fp32": 0}


def norm(a, b, p):
    return (a ** p + b ** p) ** (1 / p)


def noise(text):
    return 1 + 0.01 * (2 * int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) / 0xFFFFFFFF - 1)


def number(x):
    return "%.9g" % x


def row(op, version, dtype, shape, seconds, flop=0.0, moved=0.0, kind="op", cache="rotated", flags="steady synthetic", device=DEVICE):
    us = seconds * 1e6 * noise(op + version + dtype + shape)
    rate = number(flop / us * 1e-6) if flop else ""
    speed = number(moved / us * 1e-3) if moved else ""
    cells = [kind, op, version, dtype, shape, cache, "40", number(us), number(us * 0.997), number(us * 1.004), number(flop), number(moved),
             rate, speed, number(PEAK.get(dtype, 0) * 1e-12), "4800", "4100", "1980", "3201", "500", "50", flags, device, "90", "132",
             "62914560", "150110011392", "000.00", "13.0", "synthetic"]
    return ",".join(cells)


def gemm_s(m, n, k, dtype):
    w = 1 if dtype == "fp8" else 2
    return 3e-6 + norm(2 * m * n * k / (0.8 * PEAK[dtype]), (w * n * k + 2 * m * (n + k)) / (0.85 * BANDWIDTH), 3)


def prefill_s(batch, queries, context, heads, kv, causal):
    pairs = batch * queries * (context + (queries / 2 if causal else queries))
    moved = 2 * batch * queries * 128 * (2 * heads + 2 * kv) + 4 * batch * context * kv * 128
    return norm(8e-6, 4 * pairs * heads * 128 / (0.6 * HALF) + moved / (0.6 * BANDWIDTH), 1.5)


def decode_s(batch, context, heads, kv):
    return 6e-6 + norm(4 * batch * context * kv * 128 / (0.88 * BANDWIDTH), batch * 3e-6 * kv / 132, 1.5)


def pass_s(moved):
    return 2e-6 + moved / (0.82 * BANDWIDTH)


def conv_s(flop, moved):
    return 3e-6 + norm(flop / (0.5 * HALF), moved / (0.7 * BANDWIDTH), 2)


# size, channels, filters, kernel, stride, times in ResNet-50 (He et al. 2015, table 1; strides in the 3 x 3 convolutions)
RESNET = [(224, 8, 64, 7, 2, 1), (56, 64, 64, 1, 1, 1), (56, 64, 64, 3, 1, 3), (56, 64, 256, 1, 1, 4), (56, 256, 64, 1, 1, 2),
          (56, 256, 128, 1, 1, 1), (56, 128, 128, 3, 2, 1), (56, 256, 512, 1, 2, 1), (28, 128, 512, 1, 1, 4), (28, 512, 128, 1, 1, 3),
          (28, 128, 128, 3, 1, 3), (28, 512, 256, 1, 1, 1), (28, 256, 256, 3, 2, 1), (28, 512, 1024, 1, 2, 1), (14, 256, 1024, 1, 1, 6),
          (14, 1024, 256, 1, 1, 5), (14, 256, 256, 3, 1, 5), (14, 1024, 512, 1, 1, 1), (14, 512, 512, 3, 2, 1), (14, 1024, 2048, 1, 2, 1),
          (7, 512, 2048, 1, 1, 3), (7, 2048, 512, 1, 1, 2), (7, 512, 512, 3, 1, 2)]


def conv(batch, c):
    size, channels, filters, kernel, stride, _ = c
    out = size // stride
    flop = 2.0 * batch * out * out * filters * kernel * kernel * channels
    moved = 2.0 * (batch * size * size * channels + filters * kernel * kernel * channels + batch * out * out * filters)
    return flop, moved


def operations():
    rows = [row("copy", "unrolled", "fp32", "bytes=268435456", 536870912 / 4.1e12, 0, 536870912, cache="cold")]
    sites = [(6144, 4096), (4096, 4096), (28672, 4096), (4096, 14336), (8192, 8192), (10240, 8192), (1280, 8192), (8192, 1024)]
    for dtype in ("bf16", "fp8"):
        for n, k in sites:
            for m in (1, 16, 64, 256, 1024, 4096, 8192):
                w = 1 if dtype == "fp8" else 2
                rows.append(row("gemm_lt", "heuristic", dtype, f"m={m} n={n} k={k}", gemm_s(m, n, k, dtype), 2.0 * m * n * k,
                                w * (m * k + n * k) + 2.0 * m * n))
    rows.append(row("gemm", "wgmma", "bf16", "m=4096 n=4096 k=4096", 1.1 * gemm_s(4096, 4096, 4096, "bf16"), 2.0 * 4096 ** 3, 6.0 * 4096 ** 2))
    for batch, queries, context, heads, kv, causal in [
            (1, 8192, 0, 32, 8, 1), (1, 128, 0, 32, 8, 1), (1, 512, 0, 32, 8, 1), (1, 2048, 0, 32, 8, 1), (1, 16384, 0, 32, 8, 1),
            (4, 1024, 0, 32, 8, 1), (1, 512, 7680, 32, 8, 1), (1, 2048, 0, 8, 1, 1), (1, 256, 0, 32, 8, 1), (1, 1024, 0, 32, 8, 1),
            (1, 4096, 0, 32, 8, 1), (1, 2048, 6144, 32, 8, 1), (1, 4096, 0, 8, 1, 1), (1, 512, 0, 8, 1, 1), (2, 2048, 0, 32, 8, 1),
            (8, 512, 0, 32, 8, 1), (1, 8192, 0, 8, 1, 1), (1, 128, 8064, 8, 1, 1)] + [
            (1, t, 0, h, h, 0) for t in (512, 1024, 2048, 4096, 8192, 16384, 32768) for h in (16, 24)]:
        version = "wgmma" if causal else "mma"
        t = prefill_s(batch, queries, context, heads, kv, causal)
        flop = 4.0 * batch * queries * (context + (queries / 2 if causal else queries)) * heads * 128
        rows.append(row("prefill", version, "bf16",
                        f"batch={batch} queries={queries} context={context} heads={heads} kv_heads={kv} dim=128 causal={causal}", t, flop,
                        2.0 * batch * queries * 128 * (2 * heads + 2 * kv)))
    for heads, kv in ((32, 8), (8, 1)):
        for context in (256, 1024, 4096, 8192, 32768):
            for batch in (1, 16, 64):
                for version, slower in (("mma", 1.0), ("split", 1.2)):
                    if version == "mma" or batch == 16:
                        rows.append(row("decode", version, "bf16",
                                        f"batch={batch} context={context} heads={heads} kv_heads={kv} dim=128 page=16",
                                        slower * decode_s(batch, context, heads, kv), 4.0 * batch * context * heads * 128,
                                        4.0 * batch * context * kv * 128))
    for op, factor, key in (("rmsnorm", 8.0, "rows={} width={} residual=1"), ("swiglu", 6.0, "rows={} width={}"),
                            ("quantize", 3.0, "rows={} width={}")):
        for width in (4096, 14336):
            for n in (1, 64, 1024, 8192):
                moved = factor * n * width
                dtype = "fp8" if op == "quantize" else "bf16"
                rows.append(row(op, "fast", dtype, key.format(n, width), pass_s(moved), 0, moved))
    for tokens in (1, 64, 1024, 8192):
        moved = 4.0 * tokens * 40 * 128
        rows.append(row("rotary", "fast", "bf16", f"tokens={tokens} heads=40 dim=128", pass_s(moved), 0, moved))
    for c in RESNET[:1] + RESNET[2::3]:
        for batch in (1, 16, 64):
            flop, moved = conv(batch, c)
            size, channels, filters, kernel, stride, _ = c
            rows.append(row("conv2d", "mma", "fp16", f"batch={batch} height={size} width={size} channels={channels} filters={filters} "
                            f"kernel={kernel} stride={stride} pad={kernel // 2}", conv_s(flop, moved), flop, moved))
    for op in ("pcie_h2d", "pcie_d2h"):
        for version, rate in (("pinned", 52e9), ("pageable", 12e9)):
            for exponent in range(12, 29, 2):
                n = 2 ** exponent
                rows.append(row(op, version, "u8", f"bytes={n}", (4e-6 if version == "pinned" else 9e-6) + n / rate, 0, float(n),
                                cache="none"))
    for version, start, each in (("kernel", 4e-6, 2.1e-6), ("graph", 6e-6, 0.9e-6)):
        for kernels in (1, 2, 8, 32, 128, 512):
            rows.append(row("launch", version, "u8", f"kernels={kernels}", start + kernels * each, cache="none"))
            rows.append(row("launch_host", version + "_enqueue", "u8", f"kernels={kernels}", 0.7e-6 + start / 2 + kernels * each, cache="none"))
            rows.append(row("launch_host", version + "_roundtrip", "u8", f"kernels={kernels}", 9e-6 + start + kernels * each, cache="none"))
    return rows


MODELS = {"llama-3.1-8b": (4096, 32, 8, 14336, 128256), "llama-3.1-70b": (8192, 64, 8, 28672, 128256)}


def layer_s(model, ranks, queries, context, decode, decode_context):
    hidden, heads, kv, ffn, _ = MODELS[model]
    heads, kv, ffn = heads // ranks, math.ceil(kv / ranks), ffn // ranks
    m = queries + decode
    t = (gemm_s(m, (heads + 2 * kv) * 128, hidden, "bf16") + gemm_s(m, hidden, heads * 128, "bf16") +
         gemm_s(m, 2 * ffn, hidden, "bf16") + gemm_s(m, hidden, ffn, "bf16"))
    t += 2 * pass_s(8 * m * hidden) + pass_s(4 * m * (heads + kv) * 128) + pass_s(6 * m * ffn)
    t += prefill_s(1, queries, context, heads, kv, 1) if queries else 0
    return t + pass_s(8 * m * kv * 128) + (decode_s(decode, decode_context, heads, kv) if decode else 0)


def composed():
    rows = []
    batches = [(q, 0, 0, 0) for q in (128, 512, 2048, 8192, 16384)]
    batches += [(0, 0, d, c) for d, c in ((1, 256), (16, 2048), (64, 8192), (256, 1024), (8, 32768))]
    batches += [(512, 0, 16, 2048), (2048, 4096, 64, 1024)]
    for model, ranks in (("llama-3.1-8b", 1), ("llama-3.1-70b", 4), ("llama-3.1-70b", 8)):
        for q, c, d, dc in batches:
            rows.append(row("decoder_layer", "lt+best", "bf16",
                            f"model={model} ranks={ranks} queries={q} context={c} decode={d} decode_context={dc}",
                            1.02 * layer_s(model, ranks, q, c, d, dc), kind="composed"))
    for q, c, d, dc in batches[2:8]:
        hidden, vocab = MODELS["llama-3.1-8b"][0], MODELS["llama-3.1-8b"][4]
        t = 4 * layer_s("llama-3.1-8b", 1, q, c, d, dc) + gemm_s(d + (q > 0), vocab, hidden, "bf16")
        rows.append(row("decoder", "lt+best", "bf16",
                        f"ranks=1 layers=4 hidden=4096 heads=32 kv_heads=8 dim=128 ffn=14336 vocab=128256 "
                        f"queries={q} context={c} decode={d} decode_context={dc}", 0.99 * t, kind="composed"))
    for batch in (1, 4, 16, 64):
        t = sum(c[5] * conv_s(*conv(batch, c)) for c in RESNET)
        rows.append(row("resnet50", "mma", "fp16", f"batch={batch}", 1.04 * t, kind="composed"))
    for tokens in (4096, 16384, 65536):
        hidden, ffn = 3072, 12288
        t = (gemm_s(tokens, 3 * hidden, hidden, "bf16") + gemm_s(tokens, hidden, hidden, "bf16") + gemm_s(tokens, ffn, hidden, "bf16") +
             gemm_s(tokens, hidden, ffn, "bf16") + prefill_s(1, tokens, 0, 24, 24, 0) + pass_s(4 * tokens * hidden) + pass_s(8 * tokens * hidden) +
             pass_s(4 * tokens * ffn) + pass_s(6 * tokens * hidden))
        rows.append(row("diffusion_block", "lt+best", "bf16", f"tokens={tokens} hidden={hidden} heads=24 ffn={ffn}", t, kind="composed"))
    rows.append(row("gemm_lt", "heuristic", "bf16", "m=16 n=4096 k=4096", gemm_s(16, 4096, 4096, "bf16")))
    rows.append(row("decoder_layer", "lt+best", "bf16", "model=llama-9-8b ranks=1 queries=64 context=0 decode=0 decode_context=0", 1e-4,
                    kind="composed"))
    rows.append(row("decoder_layer", "lt+best", "bf16", "model=llama-3.1-8b ranks=1 queries=96 context=0 decode=0 decode_context=0", 2e-4,
                    kind="composed", flags="steady throttled synthetic"))
    rows.append(row("beam_search", "plain", "bf16", "beams=4", 1e-4, kind="composed"))
    return rows


def whole(rows, columns=COLUMNS):
    text = "# nearfar-kernels measurements 1\n" + columns + "\n" + "".join(r + "\n" for r in rows)
    h = 0xCBF29CE484222325
    for c in text.encode():
        h = (h ^ c) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return text + "# end rows=%d fnv1a=%016x\n" % (len(rows), h)


def change(r, **cells):
    c = r.split(",")
    for name, value in cells.items():
        c[COLUMNS.split(",").index(name)] = value(c[COLUMNS.split(",").index(name)]) if callable(value) else value
    return ",".join(c)


def main():
    folder = sys.argv[1]

    def write(name, text):
        with open(os.path.join(folder, name), "w", encoding="ascii", newline="\n") as f:
            f.write(text)

    good = operations()
    some = good[1:13]
    write("h200.csv", whole(good))
    write("h200-composed.csv", whole(composed()))
    write("throttled.csv", whole([change(r, flags="steady clock_drop throttled synthetic", tflops="", gbps="",
                                         **{c: lambda x: number(1.4 * float(x)) for c in ("median_us", "q1_us", "q3_us")}) if i % 3 == 0 else r for i, r in enumerate(good[:57])]))
    write("all-throttled.csv", whole([change(r, flags="steady throttled synthetic") for r in some]))
    write("half.csv", whole(some)[:2000])
    write("half-at-a-line.csv", "".join(line + "\n" for line in whole(some).split("\n")[:9]))
    write("edited.csv", whole(some).replace("m=16 n=6144", "m=17 n=6144"))
    write("other-device.csv", whole([r.replace(DEVICE, "NVIDIA L40S") for r in some]))
    write("part-of-a-device.csv", whole([change(r, device="NVIDIA H200 MIG 1g.18gb", sm_count="16", mem_bytes="17500000000") for r in some]))
    write("two-devices.csv", whole(some[:6] + [r.replace(DEVICE, "NVIDIA H100 80GB HBM3") for r in some[6:]]))
    write("emulator.csv", whole([r.replace(DEVICE, "emulator") for r in some]))
    write("nan.csv", whole(some[:4] + [change(some[4], median_us="nan", q3_us="inf")] + some[5:]))
    write("twice.csv", whole(some + [some[2]]))
    write("units.csv", whole([change(r, tflops="", gbps="", **{c: lambda x: number(float(x) / 1000) for c in ("median_us", "q1_us", "q3_us")})
                              for r in some]))
    write("one-unit.csv", whole(some[:3] + [change(some[3], **{c: lambda x: number(float(x) * 1000) for c in ("median_us", "q1_us", "q3_us")})] + some[4:]))
    write("columns.csv", whole(some, COLUMNS.replace("median_us", "median_ms")))
    write("shape.csv", whole(some[:2] + [change(some[2], shape="m=64 n=6144")] + some[3:]))
    write("empty.csv", whole([]))
    write("kind.csv", whole(some[:2] + [change(some[2], kind="guess")] + some[3:]))
    # Large products run at the power cap, and some drop their first samples; heat is another matter.
    def state(i):
        return "throttled power_cap" if i % 19 == 7 else "power_cap clock_drop" if i % 4 == 0 else "power_cap"
    write("capped.csv", whole([change(r, flags="steady %s synthetic" % state(i)) for i, r in enumerate(good[:57])]))
    # What fits into the cache is faster than memory: small products, and an attention kernel that is bound by memory.
    write("resident.csv", whole([change(r, flags="steady l2_resident synthetic", median_us=lambda x: number(0.7 * float(x)),
                                        q1_us=lambda x: number(0.7 * float(x)), tflops="", gbps="")
                                 if "m=1 " in r or "m=4096 n=4096 k=4096" in r else r for r in good[:57]]))
    write("nvl.csv", whole([change(r, device="NVIDIA H100 NVL", mem_bytes="100000000000") for r in some]))
    write("unnamed.csv", whole([change(r, driver="", toolkit=" ") for r in some]))
    write("nonsense.csv", whole([change(some[0], q1_us=lambda x: number(1.1 * float(x))), change(some[1], q3_us=lambda x: number(0.9 * float(x))),
                                 change(some[2], samples="0"), change(some[3], samples="1"), change(some[4], samples=""),
                                 change(some[5], shape=lambda x: x + " "), change(some[6], shape=lambda x: x.replace(" ", "  ")),
                                 change(some[7], shape=lambda x: x + " m=2"), change(some[8], shape=lambda x: x.replace("m=16", "m=-16")),
                                 change(some[9], shape=lambda x: x.replace("m=64", "m=1e180")),
                                 change(some[10], shape=lambda x: x.replace("m=256", "m=256.5")), some[11]]))
    write("sizes.csv", whole([change(some[0], shape="m=0 n=6144 k=4096"), change(some[1], shape="m=16 n=6144 k=0"),
                              change(some[2], flop=lambda x: number(2 * float(x)), tflops=""), *some[3:6],
                              *[change(r, flop=lambda x: number(2 * float(x)), tflops="") for r in good
                                if "causal=" in r and "batch=4" in r or r.startswith("op,decode,split") and "context=256 heads=8" in r
                                or r.startswith("op,conv2d") and "batch=16 height=224" in r]]))
    write("keys.csv", whole(some + [change(some[2], shape="k=4096 m=64 n=6144")]))
    layers = composed()[:12]
    write("composed-units.csv", whole([change(r, tflops="", gbps="", **{c: lambda x: number(1000 * float(x)) for c in ("median_us", "q1_us", "q3_us")})
                                       for r in layers]))
    write("composed-fast.csv", whole([change(r, tflops="", gbps="", **{c: lambda x: number(0.001 * float(x)) for c in ("median_us", "q1_us", "q3_us")})
                                      for r in layers[:2]]))
    write("composed-sizes.csv", whole([change(layers[0], shape=lambda x: x.replace("queries=128", "queries=1e15")),
                                       change(layers[1], shape=lambda x: x.replace("ranks=1", "ranks=0")),
                                       change(layers[5], shape=lambda x: x.replace("decode=1 ", "decode=7e9 ")), *layers[6:8]]))
    write("composed-huge.csv", whole([change(layers[0], shape=lambda x: x.replace("queries=128", "queries=1e180")),
                                      change(layers[1], shape=lambda x: x.replace("queries=512", "queries=-1"))]))


if __name__ == "__main__":
    main()
