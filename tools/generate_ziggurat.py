#!/usr/bin/env python3
"""Print sim/engine/ziggurat.c: the constant tables of the exponential and the normal ziggurat.

    tools/generate_ziggurat.py > sim/engine/ziggurat.c

Marsaglia and Tsang (2000), The Ziggurat Method for Generating Random Variables, J. Stat. Softw. 5(8): 256 layers of equal
area v under a decreasing density f with f(0) = 1. Layer i has the right edge x[i] and the bottom f(x[i]); x[1] = r is found
such that the top of the last layer is f(0). Layer 0 is the rectangle below f(r) together with the tail, v = r f(r) + tail(r),
and is drawn as a rectangle of width x[0] = v / f(r). All arithmetic has 50 decimal digits, so the result does not depend
on the machine.
"""
from decimal import Decimal as D, ROUND_FLOOR, getcontext
from fractions import Fraction

getcontext().prec = 50
LAYERS = 256
PI = D("3.14159265358979323846264338327950288419716939937510582097494")


def normal_tail(x):
    """Integral of exp(-t^2/2) from x to infinity: half the whole less the Taylor series from 0."""
    total, term, n = D(0), x, 0
    while abs(term) > D(10) ** -45:
        total += term / (2 * n + 1)
        n += 1
        term *= -x * x / (2 * n)
    return (PI / 2).sqrt() - total


EXPONENTIAL = {
    "name": "exponential", "bits": 53, "r": D("7.697"),
    "f": lambda x: (-x).exp(), "inverse": lambda y: -y.ln(), "tail": lambda x: (-x).exp(),
}
NORMAL = {
    "name": "normal", "bits": 52, "r": D("3.654"),
    "f": lambda x: (-x * x / 2).exp(), "inverse": lambda y: (-2 * y.ln()).sqrt(), "tail": normal_tail,
}


def edges(d, r):
    """Right edges x[0..LAYERS-1] for this r, and by how much the top of the last layer misses f(0) = 1."""
    v = r * d["f"](r) + d["tail"](r)
    x = [v / d["f"](r), r]
    for _ in range(2, LAYERS):
        x.append(d["inverse"](d["f"](x[-1]) + v / x[-1]))
    return x, d["f"](x[-1]) + v / x[-1] - 1


def solve(d):
    """r by the secant method. Too small an r makes the layers too thick, and a density above 1 has no inverse, so the
    start lies above the root."""
    a, b = d["r"] + D("0.002"), d["r"] + D("0.0019")
    fa, fb = edges(d, a)[1], edges(d, b)[1]
    while abs(b - a) > D(10) ** -30:
        a, fa, b = b, fb, b - fb * (b - a) / (fb - fa)
        fb = edges(d, b)[1]
    return edges(d, b)[0]


def hexadecimal(x):
    """The double nearest to x, as C writes it exactly."""
    fraction = Fraction(x)
    return float(fraction.numerator / fraction.denominator).hex()


def table(d):
    x = solve(d) + [D(0)]
    scale = D(2) ** d["bits"]
    print(f"\nconst struct nf_ziggurat nf_ziggurat_{d['name']} = {{")
    print(f"    .edge = {hexadecimal(x[1])}, /* {float(x[1])!r} */")
    print("    .layer = {")
    rows = []
    for i in range(LAYERS):
        accept = int((x[i + 1] / x[i] * scale).to_integral_value(ROUND_FLOOR))
        rows.append(f"{{{accept}, {hexadecimal(x[i] / scale)}}},")
    for i in range(0, LAYERS, 2):
        print("        " + " ".join(rows[i:i + 2]))
    print("    },\n    .density = {")
    values = [hexadecimal(d["f"](t)) for t in x]
    for i in range(0, len(values), 3):
        print("        " + " ".join(v + "," for v in values[i:i + 3]))
    print("    },\n};")


print("/* Made by tools/generate_ziggurat.py; the columns are explained in random.h. */")
print("/* clang-format off */")
print('#include "engine/random.h"')
table(EXPONENTIAL)
table(NORMAL)
print("/* clang-format on */")
