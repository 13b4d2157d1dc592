"""Small drawings as inline SVG; it knows no model, no request and no style attribute."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from dashboard import formats
from dashboard.charts import Values, finite_or_none

LEFT, RIGHT, TOP, BOTTOM = 40, 392, 20, 128


@dataclass(frozen=True)
class Bin:
    low: float
    high: float
    count: int


def svg(size: tuple[int, int], *, title: str, description: str, body: str, css: str) -> SafeString:
    return format_html(
        '<svg class="{}" role="img" viewBox="0 0 {} {}" width="{}" height="{}"'
        ' preserveAspectRatio="{}"><title>{}</title><desc>{}</desc>{}</svg>',
        css,
        *size,
        *size,
        "none" if "stretch" in css else "xMidYMid",
        title,
        description,
        body,
    )


def sparkline(values: Values, title: str = "Trend") -> str:
    """80 by 24: the shape of a series inside a table cell."""
    known = [value for value in map(finite_or_none, values) if value is not None]
    if not known:
        return formats.MISSING
    low, high = min(known), max(known)
    step = 76 / max(len(known) - 1, 1)
    heights = [20 - 16 * (value - low) / (high - low) if high > low else 12 for value in known]
    points = [f"{2 + step * index:.1f},{height:.1f}" for index, height in enumerate(heights)]
    body = format_html(
        '<polyline class="c-line" points="{}"/><circle class="c-fill" cx="{}" cy="{}" r="2"/>',
        " ".join(points),
        *points[-1].split(","),
    )
    first, last = formats.plain(known[0]), formats.plain(known[-1])
    spread = f"lowest {formats.plain(low)}, highest {formats.plain(high)}"
    description = f"{len(known):,} points, from {first} to {last}; {spread}"
    return svg((80, 24), title=title, description=description, body=body, css="spark s1")


def spark_bars(counts: Sequence[float], title: str = "Trend") -> str:
    """80 by 24: one bar a period, all from zero."""
    if not counts:
        return formats.MISSING
    tallest = max(*counts, 0) or 1
    step = 80 / len(counts)
    body = format_html_join(
        "",
        '<rect class="c-fill" x="{}" y="{}" width="{}" height="{}"/>',
        (
            (f"{i * step:.1f}", f"{23 - height:.1f}", f"{step * 0.75:.1f}", f"{height + 1:.1f}")
            for i, height in enumerate(22 * count / tallest for count in counts)
        ),
    )
    description = f"{len(counts)} periods, {formats.plain(sum(counts))} in all"
    return svg((80, 24), title=title, description=description, body=body, css="spark s1")


def bins(counts: Sequence[int], low: float = 0.0, high: float = 1.0) -> tuple[Bin, ...]:
    width = (high - low) / max(len(counts), 1)
    return tuple(
        Bin(low + index * width, low + (index + 1) * width, count)
        for index, count in enumerate(counts)
    )


def histogram(
    counts: Sequence[int],
    threshold: float | None = None,
    *,
    low: float = 0.0,
    high: float = 1.0,
    title: str = "Predicted probabilities",
) -> str:
    """Equal bins from `low` to `high`; the threshold is a dashed line with its value on it."""
    if not counts:
        return formats.MISSING
    tallest = max(*counts, 1)
    body = format_html(
        "{}{}{}",
        axes(low, high, tallest),
        bars(counts, tallest),
        "" if threshold is None else threshold_mark((threshold - low) / (high - low), threshold),
    )
    description = f"{sum(counts):,} values in {len(counts)} bins, {tallest:,} in the tallest"
    if threshold is not None:
        description += f"; threshold {formats.score(threshold)}"
    return svg((400, 150), title=title, description=description, body=body, css="hist")


def axes(low: float, high: float, tallest: int) -> SafeString:
    ticks = format_html_join(
        "",
        '<text class="c-text" x="{}" y="144" text-anchor="{}">{}</text>',
        (
            (LEFT, "start", formats.plain(low)),
            ((LEFT + RIGHT) / 2, "middle", formats.plain((low + high) / 2)),
            (RIGHT, "end", formats.plain(high)),
        ),
    )
    return format_html(
        '<path class="c-grid" d="M{0} {2}H{1}"/><path class="c-axis" d="M{0} {3}H{1}"/>'
        '<text class="c-text" x="{4}" y="{5}" text-anchor="end">{6}</text>'
        '<text class="c-text" x="{4}" y="{3}" text-anchor="end">0</text>{7}',
        LEFT,
        RIGHT,
        TOP,
        BOTTOM,
        LEFT - 6,
        TOP + 4,
        short_count(tallest),
        ticks,
    )


def short_count(value: int) -> str:
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= size:
            return f"{value / (1e3 if unit == 'k' else size):.3g}{unit}"
    return f"{value:,}"


def bars(counts: Sequence[int], tallest: int) -> SafeString:
    width = (RIGHT - LEFT) / len(counts)
    gap = min(1.0, width / 6)
    return format_html_join(
        "",
        '<rect class="c-fill s1" x="{}" y="{}" width="{}" height="{}"/>',
        (
            (
                f"{LEFT + index * width + gap:.1f}",
                f"{BOTTOM - (BOTTOM - TOP) * count / tallest:.1f}",
                f"{width - 2 * gap:.1f}",
                f"{(BOTTOM - TOP) * count / tallest:.1f}",
            )
            for index, count in enumerate(counts)
            if count
        ),
    )


def threshold_mark(place: float, threshold: float) -> SafeString:
    x = LEFT + (RIGHT - LEFT) * min(max(place, 0.0), 1.0)
    side, shift = ("end", -5) if place > 0.7 else ("start", 5)
    return format_html(
        '<path class="c-mark" d="M{0} 4V{1}"/>'
        '<text class="c-text c-text-strong" x="{2}" y="13" text-anchor="{3}">threshold {4}</text>',
        f"{x:.1f}",
        BOTTOM,
        f"{x + shift:.1f}",
        side,
        formats.score(threshold),
    )


def signed_bar(value: float | None, largest: float) -> str:
    """A bar from the middle: to the right for a push towards a class, to the left for one away."""
    number = finite_or_none(value)
    if number is None:
        return formats.MISSING
    length = min(abs(number) / largest, 1.0) * 98 if largest > 0 else 0.0
    body = format_html(
        '<rect class="c-track" x="0" y="2" width="200" height="12"/>'
        '<rect class="c-fill {}" x="{}" y="2" width="{}" height="12"/>'
        '<path class="c-axis" d="M100 0V16"/>',
        "s1" if number > 0 else "s2",
        f"{100 if number > 0 else 100 - length:.1f}",
        f"{length:.1f}",
    )
    return svg(
        (200, 16),
        title=formats.signed(number),
        description="to the right" if number > 0 else "to the left",
        body=body,
        css="bar stretch",
    )


def share_bar(parts: Iterable[tuple[str, float]]) -> str:
    """One bar of the whole, split by share, in the order and colours of the series."""
    named = [(name, max(share, 0.0)) for name, share in parts]
    whole = sum(share for _, share in named)
    if not whole:
        return formats.MISSING
    starts = [sum(share for _, share in named[:index]) for index in range(len(named))]
    body = format_html_join(
        "",
        '<rect class="c-fill s{}" x="{}" y="2" width="{}" height="12"/>',
        (
            (index % 6 + 1, f"{200 * start / whole:.2f}", f"{max(200 * share / whole - 1, 0):.2f}")
            for index, (start, (_, share)) in enumerate(zip(starts, named, strict=True))
        ),
    )
    said = ", ".join(f"{name} {formats.percent(share / whole)}" for name, share in named)
    return svg((200, 16), title=said, description="Shares of all", body=body, css="bar stretch")
