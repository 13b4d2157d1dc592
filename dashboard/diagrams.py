"""Intervals, effects and calibration as inline SVG; it knows no model, no request and no style attribute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from dashboard import formats
from dashboard.charts import finite_or_none
from dashboard.drawings import svg

WIDTH, HEIGHT, MIDDLE = 170, 16, 8
EDGE = 6
# The square of the reliability diagram, and the strip with the numbers of rows below it.
LEFT, RIGHT, TOP, BOTTOM, FLOOR = 44, 468, 12, 268, 318


def interval(row: Any, limit: float) -> str:
    """A point with its interval on an axis from -limit to limit; what goes on beyond has an arrow."""
    value = finite_or_none(row.weight)
    if value is None:
        return formats.MISSING
    low, high = finite_or_none(row.found.get("low")), finite_or_none(row.found.get("high"))
    line = "" if low is None or high is None else _whisker(low, high, limit)
    x = _place(value, limit)
    point = (
        format_html('<circle class="c-fill" cx="{}" cy="{}" r="4"/>', f"{x:.1f}", MIDDLE)
        if abs(value) <= limit
        else SafeString("")
    )
    body = format_html(
        '<path class="c-grid" d="M0 {1}H{2}"/><path class="c-axis" d="M{0} 0V{3}"/>'
        '<g class="{4}">{5}{6}</g>',
        WIDTH / 2,
        MIDDLE,
        WIDTH,
        HEIGHT,
        "s1" if value > 0 else "s2",
        line,
        point,
    )
    ends = "" if low is None else f"from {formats.signed(low)} to {formats.signed(high)}"
    return svg(
        (WIDTH, HEIGHT),
        title=formats.signed(value),
        description=ends or "without an interval",
        body=body,
        css="forest",
    )


def _whisker(low: float, high: float, limit: float) -> SafeString:
    start, end = _place(low, limit), _place(high, limit)
    line = format_html('<path class="c-line" d="M{} {}H{}"/>', f"{start:.1f}", MIDDLE, f"{end:.1f}")
    arrows = [
        format_html(
            '<path class="c-line" d="M{0} {1}l{2} -4M{0} {1}l{2} 4"/>', f"{x:.1f}", MIDDLE, step
        )
        for x, step, is_cut in ((start, 5, low < -limit), (end, -5, high > limit))
        if is_cut
    ]
    return format_html_join("", "{}", ((part,) for part in (line, *arrows)))


def _place(value: float, limit: float) -> float:
    share = min(max(value / limit, -1.0), 1.0) if limit > 0 else 0.0
    return WIDTH / 2 + share * (WIDTH / 2 - EDGE)


def interval_axis(limit: float) -> SafeString:
    """The ends of the axis that the intervals of a table share, for its head."""
    number = formats.plain(float(f"{limit:.2g}"))
    return format_html(
        '<svg class="forest" viewBox="0 0 {0} {1}" width="{0}" height="{1}" aria-hidden="true">'
        '<text class="c-text" x="{2}" y="13">{5}{4}</text>'
        '<text class="c-text" x="{3}" y="13" text-anchor="middle">0</text>'
        '<text class="c-text" x="{6}" y="13" text-anchor="end">+{4}</text></svg>',
        WIDTH,
        HEIGHT,
        EDGE,
        WIDTH / 2,
        number,
        formats.MINUS,
        WIDTH - EDGE,
    )


def share_interval(row: Any, low: float, whole: float) -> str:
    """A share with its interval on an axis from `low` to 1; the dashed line is the share of all."""
    scale = (WIDTH - 2 * EDGE) / (1.0 - low)
    start, at, end, reference = (
        EDGE + scale * (max(share, low) - low)
        for share in (row.accuracy_low, row.accuracy, row.accuracy_high, whole)
    )
    body = format_html(
        '<path class="c-grid" d="M0 {0}H{1}"/><path class="c-mark" d="M{2} 0V{3}"/>'
        '<g class="s1"><path class="c-line" d="M{4} {0}H{5}"/>'
        '<circle class="c-fill" cx="{6}" cy="{0}" r="4"/></g>',
        *(MIDDLE, WIDTH, f"{reference:.1f}", HEIGHT),
        *(f"{start:.1f}", f"{end:.1f}", f"{at:.1f}"),
    )
    ends = f"from {formats.percent(row.accuracy_low)} to {formats.percent(row.accuracy_high)}"
    title = formats.percent(row.accuracy)
    return svg((WIDTH, HEIGHT), title=title, description=ends, body=body, css="forest")


def effect(found: Mapping[str, float], low: float, high: float) -> str:
    """A bar from zero with its interval, on an axis from `low` to `high` that all rows share."""
    value = finite_or_none(found["log_loss_increase"])
    if value is None or high <= low:
        return formats.MISSING
    scale = (WIDTH - 2 * EDGE) / (high - low)
    zero, end, start, stop = (
        EDGE + scale * (x - low)
        for x in (0.0, value, found["log_loss_low"], found["log_loss_high"])
    )
    body = format_html(
        '<rect class="c-fill {}" x="{}" y="2" width="{}" height="12" opacity=".45"/>'
        '<path class="c-whisker" d="M{} {}H{}"/><path class="c-axis" d="M{} 0V{}"/>',
        "s1" if value >= 0 else "s2",
        f"{min(zero, end):.1f}",
        f"{abs(end - zero):.1f}",
        f"{start:.1f}",
        MIDDLE,
        f"{stop:.1f}",
        f"{zero:.1f}",
        HEIGHT,
    )
    said = (
        f"from {formats.signed(found['log_loss_low'])} to {formats.signed(found['log_loss_high'])}"
    )
    return svg(
        (WIDTH, HEIGHT), title=formats.signed(value), description=said, body=body, css="bar stretch"
    )


def level(share: float | None) -> str:
    """A bar from 0 to 1 in a table cell."""
    number = finite_or_none(share)
    if number is None:
        return formats.MISSING
    body = format_html(
        '<rect class="c-track" x="0" y="2" width="{}" height="12"/>'
        '<rect class="c-fill s1" x="0" y="2" width="{}" height="12"/>',
        WIDTH,
        f"{WIDTH * min(max(number, 0.0), 1.0):.1f}",
    )
    return svg(
        (WIDTH, HEIGHT),
        title=formats.percent(number),
        description="of certainty",
        body=body,
        css="bar stretch",
    )


def reliability(report: Mapping[str, Any], positive: str) -> SafeString:
    """What was predicted against what was found, a point a bin, with the rows of each bin below."""
    bins = report["bins"]
    most = max((bin_["n"] for bin_ in bins), default=0) or 1
    body = format_html("{}{}{}", _square(positive), _counts(bins, most), _points(bins))
    return svg(
        (480, 352),
        title="Predicted probability and what was found",
        description=f"{len(bins)} bins of {report['n']:,} rows; the table below has the numbers",
        body=body,
        css="diagram",
    )


def _x(share: float) -> float:
    return LEFT + (RIGHT - LEFT) * share


def _y(share: float) -> float:
    return BOTTOM - (BOTTOM - TOP) * share


def _square(positive: str) -> SafeString:
    ticks = format_html_join(
        "",
        '<path class="c-grid" d="M{0} {1}H{2}"/>'
        '<text class="c-text" x="{3}" y="{4}" text-anchor="end">{5}</text>'
        '<text class="c-text" x="{6}" y="{7}" text-anchor="middle">{5}</text>',
        (
            (LEFT, _y(at), RIGHT, LEFT - 6, _y(at) + 4, formats.plain(at), _x(at), FLOOR + 14)
            for at in (0.0, 0.25, 0.5, 0.75, 1.0)
        ),
    )
    shown = positive if len(positive) <= 28 else f"{positive[:27]}…"
    return format_html(
        '{}<path class="c-axis" d="M{} {}H{}"/><path class="c-mark s-reference-line" d="M{} {}L{} {}"/>'
        '<text class="c-text" x="{}" y="{}">share of {}</text>'
        '<text class="c-text" x="{}" y="{}" text-anchor="end">predicted probability</text>'
        '<text class="c-text" x="{}" y="{}" text-anchor="end">rows</text>',
        ticks,
        LEFT,
        FLOOR,
        RIGHT,
        *(_x(0), _y(0), _x(1), _y(1)),
        *(LEFT + 6, TOP + 12, shown),
        *(RIGHT, FLOOR + 30),
        *(LEFT - 6, FLOOR),
    )


def _counts(bins: Sequence[Mapping[str, Any]], most: float) -> SafeString:
    return format_html_join(
        "",
        '<rect class="c-fill s1" opacity=".45" x="{}" y="{}" width="{}" height="{}"/>',
        (
            (
                f"{_x(found['left']) + 1:.1f}",
                f"{FLOOR - height:.1f}",
                f"{max(_x(found['right']) - _x(found['left']) - 2, 1):.1f}",
                f"{height:.1f}",
            )
            for found, height in ((one, (FLOOR - BOTTOM - 14) * one["n"] / most) for one in bins)
        ),
    )


def _points(bins: Sequence[Mapping[str, Any]]) -> SafeString:
    return format_html_join(
        "",
        '<g class="s1"><path class="c-line" d="M{0} {1}V{2}m-4 0h8M{0} {1}m-4 0h8"/>'
        '<circle class="c-fill" cx="{0}" cy="{3}" r="4"/></g>',
        (
            (
                f"{_x(found['probability']):.1f}",
                f"{_y(found['low']):.1f}",
                f"{_y(found['high']):.1f}",
                f"{_y(found['positive']):.1f}",
            )
            for found in bins
            if found["n"]
        ),
    )
