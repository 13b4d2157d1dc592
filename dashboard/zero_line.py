"""A difference with its interval on a line through zero, as inline SVG; it knows no model and no request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.utils.html import format_html
from django.utils.safestring import SafeString

from dashboard.drawings import svg

WIDTH, HEIGHT = 340, 84
LEFT, RIGHT, MIDDLE, FLOOR = 4, 336, 40, 60
ROOM = 1.15
"""How far the line goes on beyond what is drawn."""


@dataclass(frozen=True)
class Difference:
    """B less A with the ends of its interval; up to `margin` it does not matter."""

    value: float
    low: float
    high: float
    margin: float
    direction: int
    show: Callable[[float], str]

    @property
    def reach(self) -> float:
        """What the line shows to either side of zero; of no difference at all something."""
        return ROOM * max(abs(self.low), abs(self.high), abs(self.value), self.margin) or 1.0

    def place(self, value: float) -> float:
        return (LEFT + RIGHT) / 2 + value / self.reach * (RIGHT - LEFT) / 2


def zero_line(found: Difference) -> SafeString:
    """The interval as a line, the difference as a point, and who is better on which side."""
    body = format_html("{}{}{}", _margin(found), _axis(found), _interval(found))
    return svg(
        (WIDTH, HEIGHT),
        title=f"Difference {found.show(found.value)}",
        description=f"from {found.show(found.low)} to {found.show(found.high)}",
        body=body,
        css="zero-line",
    )


def _margin(found: Difference) -> SafeString:
    """What does not matter, as a grey strip about zero."""
    if not found.margin:
        return SafeString("")
    start, end = found.place(-found.margin), found.place(found.margin)
    return format_html(
        '<rect class="c-behind" x="{}" y="20" width="{}" height="{}"/>',
        *(f"{start:.1f}", f"{end - start:.1f}", FLOOR - 20),
    )


def _axis(found: Difference) -> SafeString:
    sides = ("A is better", "B is better")
    left, right = sides if found.direction > 0 else sides[::-1]
    middle = (LEFT + RIGHT) / 2
    return format_html(
        '<path class="c-grid" d="M{0} {4}H{1}"/><path class="c-axis" d="M{2} 20V{5}"/>'
        '<text class="c-text" x="{0}" y="12">{6}</text>'
        '<text class="c-text" x="{1}" y="12" text-anchor="end">{7}</text>'
        '<text class="c-text" x="{0}" y="{3}">{8}</text>'
        '<text class="c-text" x="{2}" y="{3}" text-anchor="middle">0</text>'
        '<text class="c-text" x="{1}" y="{3}" text-anchor="end">{9}</text>',
        *(LEFT, RIGHT, middle, FLOOR + 16, MIDDLE, FLOOR, left, right),
        *(found.show(-found.reach), found.show(found.reach)),
    )


def _interval(found: Difference) -> SafeString:
    low, high, at = (f"{found.place(x):.1f}" for x in (found.low, found.high, found.value))
    return format_html(
        '<g class="s1"><path class="c-line c-line-strong" d="M{0} {2}v-12M{1} {2}v-12M{0} {3}H{1}"/>'
        '<circle class="c-fill" cx="{4}" cy="{3}" r="5.5"/></g>',
        *(low, high, MIDDLE + 6, MIDDLE, at),
    )
