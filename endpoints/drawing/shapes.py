"""The shapes of a response curve: lines over a number, bars over levels; it knows no style and no model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from endpoints.drawing.axis import Axis, number, share
from endpoints.drawing.words import Chart, crossings, short

WIDTH, LEFT, RIGHT, FLOOR = 640, 64, 612, 216
BARS_LEFT, BARS_RIGHT, BAR, GAP = 184, 556, 14, 12
QUARTERS = (0.0, 0.25, 0.5, 0.75, 1.0)
DASHES = ("none", "7 5", "2 5", "10 5 2 5", "16 6", "1 6")


class Shape(NamedTuple):
    body: SafeString
    height: int


def lines(chart: Chart) -> Shape:
    """One line a class, probabilities upwards; a dot where there is only one value."""
    numbers = [float(value) for value in chart.curve.values]
    x, y = Axis(numbers[0], numbers[-1], LEFT, RIGHT), Axis(0.0, 1.0, FLOOR, 0)
    what = f"Probability of {short(chart.classes[1])}" if len(chart.drawn) == 1 else "Probability"
    parts = (
        _y_axis(y, what),
        _x_axis(x, short(chart.curve.column.name)),
        _deciles(chart, x),
        _threshold_across(chart, y),
        _curves(chart, numbers, x, y),
        _crossings(chart, x, y),
    )
    return Shape(_joined(parts), FLOOR + 60)


def _y_axis(y: Axis, what: str) -> SafeString:
    grid = format_html_join(
        "",
        '<path class="grid" d="M{} {}H{}"/><text x="{}" y="{}" text-anchor="end">{}</text>',
        (
            (LEFT, y.place(value), RIGHT, LEFT - 8, y.place(value) + 4, f"{value:g}")
            for value in QUARTERS
        ),
    )
    return format_html(
        '{}<text class="t" transform="translate(20 {}) rotate(-90)" text-anchor="middle">{}</text>',
        grid,
        FLOOR / 2,
        what,
    )


def _x_axis(x: Axis, name: str) -> SafeString:
    ticks = format_html_join(
        "",
        '<path class="axis" d="M{0} {1}v5"/><text x="{0}" y="{2}" text-anchor="middle">{3}</text>',
        ((f"{x.place(value):.1f}", FLOOR, FLOOR + 20, number(value)) for value in x.ticks()),
    )
    return format_html(
        '<path class="axis" d="M{} {}H{}"/>{}<text class="t" x="{}" y="{}">{}</text>',
        LEFT,
        FLOOR,
        RIGHT,
        ticks,
        LEFT,
        FLOOR + 42,
        name,
    )


def _deciles(chart: Chart, x: Axis) -> SafeString:
    """Where the training rows are: what is drawn between few of them is mostly guessed."""
    inside = [value for value in chart.curve.deciles if x.low <= value <= x.high]
    if x.low == x.high or not inside:
        return SafeString("")
    marks = format_html_join(
        "", '<path class="axis" d="M{} {}v-7"/>', ((f"{x.place(v):.1f}", FLOOR) for v in inside)
    )
    return format_html(
        '{}<text x="{}" y="{}" text-anchor="end">{}</text>',
        marks,
        RIGHT,
        FLOOR + 42,
        "Marks above the axis: tenths of the training rows",
    )


def _threshold_across(chart: Chart, y: Axis) -> SafeString:
    """Its label stands at the end that the curve is farther away from."""
    if chart.threshold is None:
        return SafeString("")
    ends = abs(chart.curve.probabilities[[0, -1], 1] - chart.threshold)
    place = y.place(chart.threshold)
    return format_html(
        '<path class="mark" d="M{} {}H{}"/><text class="t v" x="{}" y="{}" text-anchor="{}">{}</text>',
        LEFT,
        f"{place:.1f}",
        RIGHT,
        LEFT + 6 if ends[0] > ends[1] else RIGHT,
        f"{place + (16 if chart.threshold > 0.9 else -6):.1f}",
        "start" if ends[0] > ends[1] else "end",
        f"threshold {number(chart.threshold)}",
    )


def _curves(chart: Chart, numbers: list[float], x: Axis, y: Axis) -> SafeString:
    if len(numbers) == 1:
        return _dots(
            (place, x.place(numbers[0]), y.place(chart.curve.probabilities[0, k]))
            for place, k in enumerate(chart.drawn)
        )
    return format_html_join(
        "",
        '<polyline class="line s{}" stroke-dasharray="{}" points="{}"/>',
        (
            (place, DASHES[place], _points(numbers, chart.curve.probabilities[:, k].tolist(), x, y))
            for place, k in enumerate(chart.drawn)
        ),
    )


def _points(numbers: list[float], values: list[float], x: Axis, y: Axis) -> str:
    pairs = zip(numbers, values, strict=True)
    return " ".join(f"{x.place(at):.1f},{y.place(value):.1f}" for at, value in pairs)


def _crossings(chart: Chart, x: Axis, y: Axis) -> SafeString:
    """A dot with its number where the prediction changes."""
    places = crossings(chart)
    if chart.threshold is None or not places:
        return SafeString("")
    height = y.place(chart.threshold)
    rise = float(chart.curve.probabilities[-1, 1] - chart.curve.probabilities[0, 1])
    labels = _joined(_crossing_label(at, (x.place(at), height), rise) for at in places)
    return format_html("{}{}", _dots((0, x.place(at), height) for at in places), labels)


def _crossing_label(value: float, place: tuple[float, float], rise: float) -> SafeString:
    """To the right of the dot if there is room, and above or below it where the curve is not."""
    (x, y), is_right = place, place[0] < RIGHT - 70
    return format_html(
        '<text class="t v" x="{}" y="{}" text-anchor="{}">{}</text>',
        f"{x + (9 if is_right else -9):.1f}",
        f"{y + (18 if (rise > 0) == is_right else -10):.1f}",
        "start" if is_right else "end",
        number(value),
    )


def _dots(dots: Iterable[tuple[int, float, float]]) -> SafeString:
    return format_html_join(
        "",
        '<circle class="dot s{}" cx="{}" cy="{}" r="5"/>',
        ((place, f"{x:.1f}", f"{y:.1f}") for place, x, y in dots),
    )


def swatch(chart: Chart, place: int) -> SafeString:
    """What the legend shows of a class: colour and dash tell lines apart, so that neither has to."""
    if chart.curve.column.kind == "category":
        return SafeString('<rect class="bar" x="14" y="-6" width="12" height="12"/>')
    return format_html('<path class="line" d="M0 0h26" stroke-dasharray="{}"/>', DASHES[place])


def bars(chart: Chart) -> Shape:
    """One bar a level and class, probabilities to the right: long names stay readable."""
    x = Axis(0.0, 1.0, BARS_LEFT, BARS_RIGHT)
    group = BAR * len(chart.drawn) + GAP
    floor = group * len(chart.levels) + GAP
    parts = (
        _bars_axis(x, floor),
        _groups(chart, x, group),
        _threshold_down(chart, x, floor),
        _more_levels(chart, floor),
    )
    body = format_html('<g transform="translate(0 {})">{}</g>', GAP, _joined(parts))
    return Shape(body, floor + GAP + 60)


def _bars_axis(x: Axis, floor: int) -> SafeString:
    grid = format_html_join(
        "",
        '<path class="grid" d="M{0} 0V{1}"/><text x="{0}" y="{2}" text-anchor="middle">{3}</text>',
        ((x.place(value), floor, floor + 18, f"{value:g}") for value in QUARTERS),
    )
    return format_html(
        '{0}<path class="axis" d="M{1} 0V{2}"/><text class="t" x="{1}" y="{3}">Probability</text>',
        grid,
        BARS_LEFT,
        floor,
        floor + 40,
    )


def _groups(chart: Chart, x: Axis, group: int) -> SafeString:
    return format_html_join(
        "",
        '<text class="t" x="{}" y="{}" text-anchor="end">{}</text>{}',
        (
            (
                BARS_LEFT - 10,
                GAP + group * row + (group - GAP) / 2 + 4,
                short(level),
                _bars_of_level(chart, x, row, GAP + group * row),
            )
            for row, level in enumerate(chart.levels)
        ),
    )


def _bars_of_level(chart: Chart, x: Axis, row: int, top: int) -> SafeString:
    found = [(k, float(chart.curve.probabilities[row, k])) for k in chart.drawn]
    return format_html_join(
        "",
        '<rect class="bar s{0}" x="{1}" y="{2}" width="{3}" height="{4}"/>'
        '<text class="v" x="{5}" y="{6}">{7}</text>',
        (
            (
                place,
                BARS_LEFT,
                top + BAR * place + 1,
                f"{x.place(value) - BARS_LEFT:.1f}",
                BAR - 2,
                f"{x.place(value) + 6:.1f}",
                top + BAR * place + 11,
                share(value),
            )
            for place, (_, value) in enumerate(found)
        ),
    )


def _threshold_down(chart: Chart, x: Axis, floor: int) -> SafeString:
    if chart.threshold is None:
        return SafeString("")
    return format_html(
        '<path class="mark" d="M{0} -2V{1}"/>'
        '<text class="t" x="{0}" y="-8" text-anchor="middle">threshold {2}</text>',
        f"{x.place(chart.threshold):.1f}",
        floor,
        number(chart.threshold),
    )


def _more_levels(chart: Chart, floor: int) -> SafeString:
    shown, total = len(chart.levels), len(chart.curve.values)
    if shown == total:
        return SafeString("")
    return format_html(
        '<text x="{}" y="{}" text-anchor="end">{} of {} levels</text>',
        RIGHT,
        floor + 40,
        shown,
        f"{total:,}",
    )


def _joined(parts: Iterable[SafeString]) -> SafeString:
    return format_html_join("", "{}", ((part,) for part in parts))
