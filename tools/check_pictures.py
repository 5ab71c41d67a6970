#!/usr/bin/env python3
"""Are the pictures of `nearfar plot` fit to be printed?

    check_pictures.py NEARFAR

Three scenarios, one of them with more and longer names than a picture has room for, drawn as every kind and format:
- SVG: well-formed, every text that belongs there, one curve a class and one line a station, no NaN, nothing beyond the canvas, no
  text over another or over a curve (widths of texts are estimated: 0.6 of the font's size a character);
- PDF: one page of the size that the SVG has at 96 pixels an inch, fonts embedded;
- PNG: complete, twice the SVG's pixels.
Exit status 0: they are; 1: they are not; 77: there is no gnuplot."""

import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
import zlib

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SVG = "{http://www.w3.org/2000/svg}"
KINDS = ["overview", "cdf", "timeline", "cost"]
SLACK = 2.0  # pixels

failures = 0


def check(condition, *text):
    global failures
    if not condition:
        failures += 1
        print("FAILED:", *text)


# ---- scenarios ----

def crowded():
    """Nine classes and nine stations with long names, targets side by side, a station without end to its queue."""
    lines = ["nearfar: 1", "name: more-names-and-longer-ones-than-any-picture-has-room-to-show-them-all", "duration: 100s",
             "replications: 2", "output: {series: 1s}", "models: {job: {service: {distribution: exponential, mean: 1s}}}"]
    sections = {"edge": "  the-server-called-number-{i}: {{site: s{i}, gpus: 1, models: [job], cost: {{purchase: 1000 USD, lifetime: 3y}}}}",
                "links": "  l{i}: {{from: s{i}, to: the-server-called-number-{i}, latency: 1ms}}",
                "traffic": "  the-class-called-number-{i}: {{site: s{i}, model: job, arrivals: {{process: poisson, rate: 0.{r}/s}},"
                           " target: {{latency: {r}s}}}}",
                "sla": "  - {{class: the-class-called-number-{i}, availability: 99%}}"}
    for name, line in sections.items():
        lines += [f"{name}:"] + [line.format(i=i, r=i + 1) for i in range(9)]
    return "\n".join(lines + ["gateway: {policy: edge-only}", ""]).replace("0.9/s", "2/s")


# What each picture has to say, and how many curves (cdf), lines of stations (timeline) it has.
CASES = {
    "hybrid": {
        "run": [f"{ROOT}/scenarios/article/hybrid-vision.yaml", "--set", "duration=10min", "--set", "warmup=1min",
                "--replications", "2"],
        "title": "hybrid_vision",
        "curves": ["cameras", "analysis", "analysis, first token"],
        "stations": ["shop-gpu", "h200-pool"],
        "overview": ["hybrid-vision", "cameras", "completed", "cameras p99", "MISSED", "≤ 10 ms", "target 10 ms", "h200-pool ready",
                     "waiting requests", "replicas", "cost / USD", "edge", "cloud", "priced API", "network"],
        "cdf": ["time from the client's send", "requests served within", "target 10 ms", "first token target 2 s", "99 %", "1 s"],
        "timeline": ["offered per s", "waiting requests", "replicas", "utilization", "simulated time / s", "h200-pool starting"],
        "cost": ["cost / USD", "hybrid-vision", "total ", " USD per 1000 completed", "edge", "network"],
    },
    "studio": {
        "run": [f"{ROOT}/scenarios/examples/video-studio.yaml"],
        "title": "video_studio",
        "curves": ["people", "night"],
        "stations": ["studio"],
        "overview": ["video-studio", "people", "night", "people p90", "≤ 20 min", "met", "utilization"],
        "cdf": ["requests served within", "target 2 min", "people", "night"],
        "timeline": ["offered per min", "simulated time / h", "studio ready"],
        "cost": ["video-studio", "total "],
    },
    "crowd": {
        "run": ["crowd.yaml"],
        "title": "more_names",
        "curves": [f"the-cl…ber-{i}" for i in range(9)],
        "stations": [f"the-se…ber-{i}" for i in range(7)],
        "overview": ["SATURATED: ", "and 3 more", "and 5 more", "2 more stations not drawn"],
        "cdf": ["target 1 s", "99 %"],
        "timeline": ["2 more stations not drawn"],
        "cost": ["cost / USD"],
    },
}


# ---- SVG ----

class Box:
    def __init__(self, left, top, right, bottom, name):
        self.left, self.top, self.right, self.bottom, self.name = left, top, right, bottom, name

    def holds(self, x, y):
        return self.left < x < self.right and self.top < y < self.bottom

    def meets(self, other):
        return (self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom)


def box_of(group, text):
    """Where a text stands: gnuplot gives the start, the middle or the end of its base line, and perhaps a quarter turn."""
    x, y = map(float, re.search(r"translate\(([-\d.]+),([-\d.]+)\)", group.get("transform")).groups())
    size = float(group.get("font-size"))
    width = 0.6 * size * len(text)
    start = {"start": 0.0, "middle": -0.5, "end": -1.0}[group.get("text-anchor") or "start"] * width
    if "rotate" in group.get("transform"):
        return Box(x - 0.75 * size, y - start - width, x + 0.2 * size, y - start, text)
    return Box(x + start, y - 0.75 * size, x + start + width, y + 0.1 * size, text)


def texts_of(root):
    boxes = []
    for group in root.iter(SVG + "g"):
        for element in group.findall(SVG + "text"):
            text = "".join(element.itertext()).strip()
            if text:
                boxes.append(box_of(group, text))
    return boxes


class Curve:
    """One plot of a picture: what the key calls it, and its lines, the key's sample among them."""

    def __init__(self, group):
        self.name = "".join("".join(text.itertext()) for text in group.iter(SVG + "text")).strip() or group.get("id")
        self.lines = []
        for path in group.iter(SVG + "path"):
            for part in path.get("d").split("M")[1:]:
                self.lines.append([(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+),(-?[\d.]+)", part)])

    def points(self):
        return [point for line in self.lines for point in line]

    def samples(self):
        """Points along the lines, at most 3 pixels apart."""
        for line in self.lines:
            for (x0, y0), (x1, y1) in zip(line, line[1:]):
                n = 1 + int(max(abs(x1 - x0), abs(y1 - y0)) / 3)
                for i in range(n + 1):
                    yield x0 + (x1 - x0) * i / n, y0 + (y1 - y0) * i / n


def check_svg(name, kind, path):
    with open(path, encoding="utf-8") as file:
        source = file.read()
    root = ElementTree.fromstring(source.encode())
    case, where = CASES[name], f"{name} {kind}.svg:"
    width, height = float(root.get("width")), float(root.get("height"))
    check(root.get("viewBox") == f"0 0 {width:g} {height:g}", where, "view box", root.get("viewBox"))
    check(root.findtext(SVG + "title").startswith(case["title"]), where, "title", root.findtext(SVG + "title"))
    check(not re.search(r"\b(nan|inf)\b", source, re.IGNORECASE), where, "a number that is none")
    check("DejaVu Sans, Verdana, sans-serif" in source, where, "no font to fall back on")

    boxes = texts_of(root)
    everything = "\n".join(box.name for box in boxes)
    for text in case[kind]:
        check(text in everything, where, f'no text "{text}"')
    for i, box in enumerate(boxes):
        check(box.left > -SLACK and box.top > -SLACK and box.right < width + SLACK and box.bottom < height + SLACK,
              where, f'"{box.name}" leaves the canvas')
        for other in boxes[:i]:
            check(not box.meets(other), where, f'"{box.name}" over "{other.name}"')

    curves = [Curve(group) for group in root.iter(SVG + "g") if "_plot_" in (group.get("id") or "")]
    for title in case["curves"] if kind == "cdf" else case["stations"] if kind == "timeline" else []:
        drawn = [curve for curve in curves if curve.name == title]
        check(len(drawn) == 1 and len(drawn[0].points()) > 20, where, f"not one line for {title}")
    for curve in curves:
        check(all(-SLACK <= x <= width + SLACK and -SLACK <= y <= height + SLACK for x, y in curve.points()),
              where, f"the line of {curve.name} leaves the canvas")
        hit = next((box.name for box in boxes for x, y in curve.samples() if box.holds(x, y)), None)
        check(hit is None, where, f'"{hit}" over the line of {curve.name}')
    return width, height


# ---- PDF and PNG ----

def check_pdf(name, kind, path, canvas):
    where = f"{name} {kind}.pdf:"
    with open(path, "rb") as file:
        data = file.read()
    check(data.startswith(b"%PDF-1.") and data.rstrip().endswith(b"%%EOF"), where, "is not complete")
    for stream in re.findall(rb"stream\r?\n(.*?)endstream", data, re.DOTALL):  # newer cairo keeps its objects compressed
        try:
            data += zlib.decompress(stream)
        except zlib.error:
            pass
    check(len(re.findall(rb"/Type\s*/Page\b", data)) == 1, where, "has not one page")
    boxes = re.findall(rb"/MediaBox\s*\[\s*0\s+0\s+([\d.]+)\s+([\d.]+)", data)
    check(len(boxes) == 1 and all(abs(float(got) - 0.75 * want) <= 1.0 for got, want in zip(boxes[0], canvas)), where, boxes)
    check(b"/FontFile" in data, where, "embeds no font")


def check_png(name, kind, path, canvas):
    where = f"{name} {kind}.png:"
    with open(path, "rb") as file:
        data = file.read()
    check(data.startswith(b"\x89PNG\r\n\x1a\n") and data[-8:-4] == b"IEND", where, "is not complete")
    check(struct.unpack(">II", data[16:24]) == tuple(2 * side for side in canvas), where, struct.unpack(">II", data[16:24]))


def main():
    if shutil.which("gnuplot") is None:
        print("skipped: gnuplot is not installed (Debian: gnuplot-nox)")
        return 77
    program = os.path.abspath(sys.argv[1])
    count = 0
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        with open("crowd.yaml", "w", encoding="utf-8") as file:
            file.write(crowded())
        for name, case in CASES.items():
            subprocess.run([program, "run", *case["run"], "--quiet", "-o", f"{name}.h5"], check=True)
            for kind in KINDS:
                for ending in ["svg", "pdf", "png"]:
                    subprocess.run([program, "plot", f"{name}.h5", "--kind", kind, "-o", f"{name}-{kind}.{ending}"],
                                   check=True, stdout=subprocess.DEVNULL)
                    count += 1
                canvas = check_svg(name, kind, f"{name}-{kind}.svg")
                check_pdf(name, kind, f"{name}-{kind}.pdf", canvas)
                check_png(name, kind, f"{name}-{kind}.png", canvas)
    print(f"{count} pictures, {failures} failures")
    return 1 if failures else 0


if len(sys.argv) != 2:
    sys.exit("usage: check_pictures.py NEARFAR")
sys.exit(main())
