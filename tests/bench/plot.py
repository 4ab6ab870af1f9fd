"""A plot as SVG: some lines over a logarithmic x axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple
from xml.sax.saxutils import escape

__all__ = ["Line", "draw"]

_WIDTH, _HEIGHT = 640, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 620, 40, 310
_COLOURS: Final = ("#1f5fa8", "#b8860b", "#2e7d4f", "#a03030")


class Line(NamedTuple):
    """A name and points (x, y), x above 0 and y at least 0."""

    name: str
    points: Sequence[tuple[float, float]]


def _tick(most: float) -> float:
    """A round distance of ticks: 1, 2 or 5 times a power of ten, four to nine of them up to `most`."""
    power: float = 10 ** math.floor(math.log10(most / 4))
    return max(step * power for step in (1, 2, 5) if step * power <= most / 4)


def draw(title: str, x_name: str, y_name: str, lines: Sequence[Line]) -> str:
    """The SVG of `lines`; y begins at 0."""
    xs = [math.log10(x) for line in lines for x, _ in line.points]
    low, high = math.floor(min(xs)), max(math.ceil(max(xs)), math.floor(min(xs)) + 1)
    most = max(y for line in lines for _, y in line.points) * 1.1 or 1

    def at(x: float, y: float) -> tuple[float, float]:
        across = (math.log10(x) - low) / (high - low)
        return round(_LEFT + across * (_RIGHT - _LEFT), 1), round(_BOTTOM - y / most * (_BOTTOM - _TOP), 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
        'font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<text x="{_LEFT}" y="22" font-size="14">{escape(title)}</text>',
        f'<text x="{_RIGHT}" y="{_HEIGHT - 12}" text-anchor="end">{escape(x_name)}</text>',
        f'<text x="8" y="{_TOP - 4}">{escape(y_name)}</text>',
    ]
    tick = _tick(most)
    for n in range(int(most / tick) + 1):
        _, y = at(10**low, n * tick)
        parts.append(f'<line x1="{_LEFT}" x2="{_RIGHT}" y1="{y}" y2="{y}" stroke="#ddd"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{n * tick:g}</text>')
    for power in range(low, high + 1):
        x, _ = at(10**power, 0)
        parts.append(f'<line x1="{x}" x2="{x}" y1="{_TOP}" y2="{_BOTTOM}" stroke="#ddd"/>')
        parts.append(f'<text x="{x}" y="{_BOTTOM + 16}" text-anchor="middle">{10**power:,}</text>')
    for n, line in enumerate(lines):
        colour = _COLOURS[n % len(_COLOURS)]
        points = [at(x, y) for x, y in line.points]
        told = " ".join(f"{x},{y}" for x, y in points)
        parts.append(f'<polyline points="{told}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>' for x, y in points]
        y = _TOP + 14 + 18 * n
        parts.append(f'<text x="{_LEFT + 12}" y="{y}" fill="{colour}">{escape(line.name)}</text>')
    return "\n".join([*parts, "</svg>", ""])
