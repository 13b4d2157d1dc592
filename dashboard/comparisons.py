"""Training and live rows bin by bin as inline SVG; it knows no model, no request and no style attribute."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from dashboard import formats
from dashboard.drawings import svg

Shares = Sequence[float]

SMALL = (120, 28)
LARGE = (480, 150)
TOP, FLOOR = 8, 138
"""Of the large drawing."""


def spark_shares(reference: Shares, current: Shares, title: str) -> str:
    """120 by 28: bars of the training in grey, the live rows as a stepped line."""
    if not reference:
        return formats.MISSING
    body = _bars_and_steps(reference, current, width=SMALL[0], top=2, floor=27)
    return svg(SMALL, title=title, description=_words(reference, current), body=body, css="spark")


def shares(reference: Shares, current: Shares, title: str) -> str:
    """480 by 150: the same, with the share that the tallest stands for."""
    if not reference:
        return formats.MISSING
    tallest = formats.percent(max([*reference, *current, 0.0]))
    body = format_html(
        '<path class="c-grid" d="M0 {0}H{1}"/>{2}<path class="c-axis" d="M0 {3}H{1}"/>'
        '<text class="c-text" x="{1}" y="{0}" dy="-2" text-anchor="end">{4}</text>',
        TOP + 6,
        LARGE[0],
        _bars_and_steps(reference, current, width=LARGE[0], top=TOP + 6, floor=FLOOR),
        FLOOR,
        tallest,
    )
    return svg(LARGE, title=title, description=_words(reference, current), body=body, css="hist")


def _bars_and_steps(
    reference: Shares, current: Shares, *, width: int, top: int, floor: int
) -> SafeString:
    tallest = max([*reference, *current, 0.0]) or 1.0
    step = width / len(reference)

    def height(share: float) -> float:
        return (floor - top) * share / tallest

    bars = format_html_join(
        "",
        '<rect class="c-behind" x="{}" y="{}" width="{}" height="{}"/>',
        (
            (
                f"{place * step + step * 0.08:.1f}",
                f"{floor - height(share):.1f}",
                f"{step * 0.84:.1f}",
                f"{height(share):.1f}",
            )
            for place, share in enumerate(reference)
        ),
    )
    steps = " ".join(
        f"{'H' if place else 'M'}{place * step:.1f}"
        f"{'V' if place else ' '}{floor - height(share):.1f}H{(place + 1) * step:.1f}"
        for place, share in enumerate(current)
    )
    line = format_html('<path class="c-line s1" d="{}"/>', steps) if current else SafeString("")
    return format_html("{}{}", bars, line)


def _words(reference: Shares, current: Shares) -> str:
    """Name the bin that changed most; the table below the large drawing has them all."""
    if not current:
        return f"{len(reference)} bins of the training; no live rows"
    place = max(range(len(reference)), key=lambda k: abs(current[k] - reference[k]))
    before, now = formats.percent(reference[place]), formats.percent(current[place])
    return f"{len(reference)} bins; the largest change is in bin {place + 1}: {before} to {now}"
