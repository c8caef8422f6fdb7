"""Draws a record as an SVG picture: for each load, CPU for a message and messages a second, Gatepost beside its peers.

Plain text with no library behind it, so that a record can be drawn anywhere. Both scales are logarithmic: the loads lie two
orders of magnitude apart, and a factor is the same length everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

from tests.bench.report import Result

_COLOURS = {"gatepost": "#1f6f8b", "postfix": "#d98e32", "bare": "#9aa5ab"}
_NAMES = {"gatepost": "Gatepost", "postfix": "Postfix", "bare": "bare TLS handshake"}
_LEFT, _WIDE, _GAP, _BAR, _TOP = 250, 370, 90, 13, 92
_RIGHT = _LEFT + _WIDE + _GAP


class Scale:
    """A logarithmic scale over whole decades that hold all values."""

    def __init__(self, values: Sequence[float], at: float) -> None:
        self._at = at
        self.low = math.floor(math.log10(min(values)))
        self.high = max(self.low + 1, math.ceil(math.log10(max(values))))

    def x(self, value: float) -> float:
        """Return where a value lies."""
        return self._at + _WIDE * (math.log10(value) - self.low) / (self.high - self.low)


def svg(results: Sequence[Result], title: str, note: str) -> str:
    """Return the picture."""
    heights = [_BAR * len(one.runs) + 14 for one in results]
    bottom = _TOP + sum(heights)
    panels: list[tuple[int, str, Callable[[Result, str], float]]] = [
        (_LEFT, "server CPU for a message, ms, logarithmic (less is better)", lambda one, name: one.median(name, "cpu_ms")),
        (_RIGHT, "messages relayed a second, logarithmic (more is better)", _speed),
    ]
    parts = [_text(20, 28, title, size=17, weight="bold"), *_legend()]
    for at, caption, value in panels:
        values = [found for one in results for name in one.runs if (found := value(one, name)) > 0]
        scale = Scale(values, at)
        parts.append(_text(at, _TOP - 24, caption, size=12, weight="bold"))
        parts += _grid(scale, bottom)
        top = _TOP
        for one, height in zip(results, heights, strict=True):
            parts += _bars(one, top, scale, at, value)
            top += height
    top = _TOP
    for one, height in zip(results, heights, strict=True):
        parts.append(_text(_LEFT - 12, top + _BAR * len(one.runs) / 2 + 4, one.load.title, anchor="end"))
        top += height
    parts.append(_text(20, bottom + 34, note, size=11, fill="#555"))
    wide, high = _RIGHT + _WIDE + 80, bottom + 50
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{high}" viewBox="0 0 {wide} {high}"'
    return "\n".join(
        [f'{head} font-family="sans-serif">', f'<rect width="{wide}" height="{high}" fill="#fff"/>', *parts, "</svg>\n"]
    )


def _speed(one: Result, name: str) -> float:
    return math.nan if name == "bare" else one.median(name, "relayed_per_s")


def _bars(one: Result, top: float, scale: Scale, at: float, value: Callable[[Result, str], float]) -> list[str]:
    parts = []
    for row, name in enumerate(one.runs):
        found = value(one, name)
        if not found > 0:
            continue
        y, long = top + row * _BAR, scale.x(found) - at
        parts.append(f'<rect x="{at}" y="{y:.0f}" width="{long:.1f}" height="{_BAR - 2}" fill="{_COLOURS[name]}"/>')
        label = f"{found:,.0f}" if found >= 100 else f"{found:.3g}"
        if value is not _speed and name == "postfix":
            label += f"  ({one.ratio('gatepost', 'postfix'):.1f} times)"
        parts.append(_text(at + long + 5, y + _BAR - 4, label, size=10))
    return parts


def _grid(scale: Scale, bottom: float) -> list[str]:
    parts = []
    for decade in range(scale.low, scale.high + 1):
        x = scale.x(10.0**decade)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 6}" y2="{bottom}" stroke="#dde2e4"/>')
        parts.append(_text(x, bottom + 14, f"{10.0**decade:,g}", size=10, fill="#555", anchor="middle"))
    return parts


def _legend() -> list[str]:
    parts, x = [], 20.0
    for name, colour in _COLOURS.items():
        parts.append(f'<rect x="{x}" y="40" width="12" height="12" fill="{colour}"/>')
        parts.append(_text(x + 18, 50, _NAMES[name]))
        x += 40 + 7 * len(_NAMES[name])
    return parts


def _text(
    x: float, y: float, text: str, *, size: int = 12, fill: str = "#222", weight: str = "normal", anchor: str = "start"
) -> str:
    style = f'font-size="{size}" fill="{fill}" font-weight="{weight}" text-anchor="{anchor}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(text)}</text>'
