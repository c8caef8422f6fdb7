"""Costs against sizes as one SVG: a row for each dimension, a small chart for each of its curves, both axes logarithmic.

A grey line shows what would grow as fast as the size; a dashed one is the aim.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from tests.bench.scale_curves import Curve, Dimension, Results

WIDTH, HEIGHT = 250, 170
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 34, 24
ROW = HEIGHT + 34
_STYLE = """
text { font: 11px sans-serif; fill: #333 } .head { font-size: 13px; font-weight: bold } .small { font-size: 9px; fill: #777 }
.frame { fill: none; stroke: #ccc } .cost { fill: none; stroke: #1f6f8b; stroke-width: 2 } .dot { fill: #1f6f8b }
.linear { stroke: #ccc } .aim { stroke: #c0392b; stroke-dasharray: 4 3 }
"""


def svg(rows: Sequence[tuple[Dimension, Results]], note: str) -> str:
    """Draw all that was measured."""
    columns = max((len(dimension.curves) for dimension, _ in rows), default=1)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{columns * WIDTH + 20}" height="{len(rows) * ROW + 30}">',
        f"<style>{_STYLE}</style>",
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for place, (dimension, results) in enumerate(rows):
        top = 10 + place * ROW
        parts.append(_text(10, top + 12, dimension.of, "head"))
        for column, curve in enumerate(dimension.curves):
            parts += _Chart(curve, results, 10 + column * WIDTH, top + 20).parts()
    parts += [_text(10, len(rows) * ROW + 22, note, "small"), "</svg>"]
    return "\n".join(parts) + "\n"


class _Chart:
    """One curve."""

    def __init__(self, curve: Curve, results: Results, left: float, top: float) -> None:
        self._curve, self._left, self._top = curve, left, top
        self._points = [(size, results[size][curve.name]) for size in sorted(results)]
        shown = [value for _, value in self._points if value > 0] + [value for value in (curve.aim,) if value]
        self._low = math.floor(math.log10(min(shown, default=1.0)))
        self._high = max(self._low + 1, math.ceil(math.log10(max(shown, default=10.0))))

    def parts(self) -> list[str]:
        """Draw it."""
        x0, x1 = self._left + LEFT, self._left + WIDTH - RIGHT
        y0, y1 = self._top + HEIGHT - BOTTOM, self._top + TOP
        parts = [
            _text(self._left, self._top + 22, self._curve.words, ""),
            f'<rect class="frame" x="{x0}" y="{y1}" width="{x1 - x0}" height="{y0 - y1}"/>',
        ]
        for power in range(self._low, self._high + 1):
            parts.append(_text(x0 - 4, self._y(10.0**power) + 3, f"{10.0**power:g}", "small", "end"))
        for size, _ in self._points:
            parts.append(_text(self._x(size), y0 + 12, _short(size), "small", "middle"))
        parts += self._guides()
        path = " ".join(f"{self._x(size):.1f},{self._y(value):.1f}" for size, value in self._points)
        parts.append(f'<polyline class="cost" points="{path}"/>')
        for size, value in self._points:
            parts.append(f'<circle class="dot" cx="{self._x(size):.1f}" cy="{self._y(value):.1f}" r="2.5"/>')
        size, value = self._points[-1]
        parts.append(_text(self._x(size) - 4, self._y(value) - 6, f"{value:.3g}", "", "end"))
        return parts

    def _guides(self) -> list[str]:
        first, last = self._points[0], self._points[-1]
        lines = []
        if self._curve.growth == "linear" and first[1] > 0 and last[0] > first[0]:
            end = min(math.log10(last[0] / first[0]), self._high - math.log10(first[1]))
            at = first[0] * 10**end, first[1] * 10**end
            lines.append(_line("linear", self._x(first[0]), self._y(first[1]), self._x(at[0]), self._y(at[1])))
        if self._curve.aim:
            y = self._y(self._curve.aim)
            lines.append(_line("aim", self._left + LEFT, y, self._left + WIDTH - RIGHT, y))
        return lines

    def _x(self, size: float) -> float:
        first, last = self._points[0][0], self._points[-1][0]
        share = math.log(size / first) / math.log(last / first) if last > first else 0.5
        return self._left + LEFT + 10 + share * (WIDTH - LEFT - RIGHT - 20)

    def _y(self, value: float) -> float:
        share = (math.log10(max(value, 10.0**self._low)) - self._low) / (self._high - self._low)
        return self._top + HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def _short(size: float) -> str:
    for unit, word in ((1_000_000, "M"), (1_000, "k")):
        if size >= unit:
            return f"{size / unit:g}{word}"
    return f"{size:g}"


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, kind: str, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
