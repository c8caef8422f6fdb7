"""What the bench of sizes calls too fast, and what it draws."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from tests.bench.scale import judge
from tests.bench.scale_curves import DIMENSIONS, Curve, Dimension
from tests.bench.scale_plot import svg

FLAT, LINEAR = Curve("a", "a look-up", "flat"), Curve("a", "a commit", "linear", 20.0)


@pytest.mark.parametrize(
    ("curve", "values", "faults"),
    [
        (FLAT, {100: 1.0, 10_000: 2.9}, 0),
        (FLAT, {100: 1.0, 10_000: 3.1}, 1),
        (LINEAR, {100: 1.0, 1_000: 9.0, 10_000: 10.0}, 0),
        (LINEAR, {100: 1.0, 1_000: 3.0, 10_000: 60.0}, 1),
        (LINEAR, {100: 0.0, 1_000: 0.0}, 0),
    ],
)
def test_growth_is_judged(curve: Curve, values: dict[int, float], faults: int) -> None:
    assert len(curve.faults({size: {"a": value} for size, value in values.items()})) == faults


def test_an_aim_counts_at_the_largest_size_only() -> None:
    least = Curve("b", "a rate", "free", 0.8, least=True)
    one = Dimension("hat", "rows", "scale_hat", (), (100, 1_000), (LINEAR, least))
    assert judge(one, {100: {"a": 30.0, "b": 0.1}}) == []
    assert judge(one, {100: {"a": 19.0, "b": 0.1}, 1_000: {"a": 20.0, "b": 0.8}}) == []
    assert judge(one, {100: {"a": 19.0, "b": 0.1}, 1_000: {"a": 20.1, "b": 0.79}}) == [
        "1,000 rows: a commit is 20.1, and at most 20 is aimed at",
        "1,000 rows: a rate is 0.79, and at least 0.8 is aimed at",
    ]


def test_every_curve_is_drawn() -> None:
    rows = [
        (one, {size: {curve.name: 2.0 * at for curve in one.curves} for at, size in enumerate(one.sizes, 1)})
        for one in DIMENSIONS
    ]
    drawn = ElementTree.fromstring(svg(rows, "a note"))
    lines = [line for line in drawn.iter("{http://www.w3.org/2000/svg}polyline") if line.get("class") == "cost"]
    assert len(lines) == sum(len(one.curves) for one in DIMENSIONS)
