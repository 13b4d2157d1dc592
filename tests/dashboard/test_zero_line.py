"""The interval on a line through zero: where it lies, on whose side, and what does not matter."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from dashboard import formats
from dashboard.zero_line import LEFT, RIGHT, WIDTH, Difference, zero_line

FOUND = Difference(0.03, 0.01, 0.05, 0.0, 1, formats.signed)
MIDDLE = WIDTH / 2


def ends(drawn: str) -> tuple[float, float, float]:
    """Return where the interval begins and ends and where its point is."""
    low, high = re.search(r"M([\d.]+) \d+v-12M([\d.]+) ", drawn).groups()  # type: ignore[union-attr]
    (point,) = re.findall(r'cx="([\d.]+)"', drawn)
    return float(low), float(point), float(high)


def test_it_works() -> None:
    drawn = zero_line(FOUND)
    assert "<title>Difference +0.030</title><desc>from +0.010 to +0.050</desc>" in drawn
    low, point, high = ends(drawn)
    assert MIDDLE < low < point < high < RIGHT
    assert point - low == pytest.approx(high - point, abs=0.2)
    assert "c-behind" not in drawn


def test_what_goes_the_other_way_lies_on_the_other_side() -> None:
    turned = replace(FOUND, value=-0.03, low=-0.05, high=-0.01)
    low, point, high = ends(zero_line(turned))
    assert LEFT < low < point < high < MIDDLE
    assert "−0.050" in zero_line(turned)


def test_the_sides_are_named_by_who_is_better() -> None:
    def sides(direction: int) -> list[str]:
        return re.findall(r"[AB] is better", zero_line(replace(FOUND, direction=direction)))

    assert sides(1) == ["A is better", "B is better"]
    assert sides(-1) == ["B is better", "A is better"]


def test_the_margin_is_a_strip_about_zero() -> None:
    drawn = zero_line(replace(FOUND, margin=0.02))
    x, width = re.search(r'c-behind" x="([\d.]+)" y="20" width="([\d.]+)"', drawn).groups()  # type: ignore[union-attr]
    assert float(x) + float(width) / 2 == pytest.approx(MIDDLE, abs=0.1)
    assert float(width) == pytest.approx(2 * (ends(drawn)[1] - MIDDLE) * 2 / 3, abs=0.3)


@pytest.mark.parametrize("margin", [0.0, 0.5])
def test_it_never_runs_beyond_its_ends(margin: float) -> None:
    for low, high in ((-1.0, 1.0), (-0.001, 0.9), (0.0, 0.0)):
        found = Difference((low + high) / 2, low, high, margin, 1, formats.signed)
        assert all(LEFT <= x <= RIGHT for x in ends(zero_line(found)))
