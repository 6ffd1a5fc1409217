"""A picture of how CPU-seconds grow with rows, as SVG text: both axes logarithmic, one line a kind of work."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

__all__ = ["growth_svg"]

COLOURS = ("#2f6fde", "#e07b39", "#3a9d6e", "#b8558f", "#8a6fd1", "#c7a12b", "#2a9db0", "#d1495b", "#6c757d", "#7f9c3b")
WIDE, HIGH = 860, 420
LEFT, RIGHT, TOP, BOTTOM = 56, 220, 36, 44  # pixels round the lines
APART = 17  # pixels between names


def growth_svg(lines: Mapping[str, Sequence[tuple[int, float]]]) -> str:
    """lines: name → (rows, CPU-seconds), ascending, of two and more sizes."""
    rows = [r for points in lines.values() for r, _ in points]
    seconds = [s for points in lines.values() for _, s in points]
    low, high = math.floor(math.log10(min(seconds))), math.ceil(math.log10(max(seconds)))
    first, last = math.log10(min(rows)), math.log10(max(rows))

    def x(value: float) -> float:
        return LEFT + (math.log10(value) - first) / (last - first) * (WIDE - LEFT - RIGHT)

    def y(value: float) -> float:
        return HIGH - BOTTOM - (math.log10(value) - low) / (high - low) * (HIGH - TOP - BOTTOM)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {HIGH}" font-family="sans-serif" font-size="12">']
    out += [f'<rect width="{WIDE}" height="{HIGH}" fill="#ffffff"/>', f'<text x="{LEFT}" y="20" font-weight="600">CPU-seconds by rows</text>']
    for power in range(low, high + 1):
        out.append(f'<line x1="{LEFT}" x2="{WIDE - RIGHT}" y1="{y(10.0**power):.1f}" y2="{y(10.0**power):.1f}" stroke="#e3e7ec"/>')
        out.append(f'<text x="{LEFT - 8}" y="{y(10.0**power) + 4:.1f}" text-anchor="end" fill="#5b6673">{10.0**power:g}</text>')
    for size in sorted({*rows}):
        out.append(f'<text x="{x(size):.1f}" y="{HIGH - 16}" text-anchor="middle" fill="#5b6673">{size:,}</text>')
    named = sorted(lines.items(), key=lambda item: -item[1][-1][1])
    at = float(TOP - APART)
    for (name, points), colour in zip(named, [COLOURS[i % len(COLOURS)] for i in range(len(named))], strict=True):
        path = " ".join(f"{x(r):.1f},{y(s):.1f}" for r, s in points)
        at = max(at + APART, y(points[-1][1]) + 4)
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out.append(f'<text x="{x(points[-1][0]) + 10:.1f}" y="{at:.1f}" fill="{colour}">{name}</text>')
    return "\n".join([*out, "</svg>"]) + "\n"
