"""Round ticks on an axis and the numbers beside them; it knows nothing of what is drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass

MINUS = "\u2212"
STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Axis:
    """Values from `low` to `high` on a line from pixel `start` to pixel `end`."""

    low: float
    high: float
    start: float
    end: float

    def place(self, value: float) -> float:
        if self.high <= self.low:
            return (self.start + self.end) / 2
        share_of_axis = (value - self.low) / (self.high - self.low)
        return self.start + share_of_axis * (self.end - self.start)

    def ticks(self, most: int = 7) -> list[float]:
        """Round values on the axis, at most so many; the one value where there is no other."""
        if self.high <= self.low:
            return [self.low]
        step = _step(self.high - self.low, most)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [step * k for k in range(first, last + 1)]


def _step(span: float, most: int) -> float:
    """The smallest round step that needs no more ticks."""
    unit = 10.0 ** math.floor(math.log10(span / most))
    return next(step * unit for step in STEPS if span / (step * unit) <= most - 1 or step == 10.0)


def number(value: float | str) -> str:
    """About four digits, thousands grouped: 87,524, 0.7587, 1.2e9."""
    value = float(value)
    size = abs(value)
    if value == 0 or 1e-3 <= size < 1e7:
        decimals = 0 if size >= 1000 else max(0, 3 - math.floor(math.log10(size or 1)))
        text = f"{value:,.{decimals}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    else:
        text = f"{value:.3g}".replace("e+0", "e").replace("e+", "e").replace("e-0", "e-")
    return text.replace("-", MINUS)


def share(value: float) -> str:
    """A probability in three decimals, which never rounds to an impossible certainty."""
    value = float(value)
    if 0 < value < 0.001:
        return "<0.001"
    return ">0.999" if 0.999 < value < 1 else f"{value:.3f}"
