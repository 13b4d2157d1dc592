"""Line charts as numbers, drawn by the browser; it knows no model, no request and no colour."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

MOST_POINTS = 300
DASHES = ("", "6 3", "2 3", "8 3 2 3", "12 4", "1 4")
SCALES = ("linear", "zero", "log")
Values = Sequence[float | None]


@dataclass(frozen=True)
class Line:
    """One series: of its own colour, one edge of a band, or quiet, one of many in grey."""

    name: str
    css: str
    dash: str
    role: str = "line"


@dataclass(frozen=True)
class Row:
    x: float | datetime
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class Mark:
    """Something that happened at `x`, drawn as a dashed line and listed below the chart."""

    x: float | datetime
    text: str


@dataclass(frozen=True)
class LineChart:
    """What the line chart partial prints: the table rows are the only copy of the numbers."""

    title: str
    x_label: str
    y_label: str
    scale: str
    lines: tuple[Line, ...]
    rows: tuple[Row, ...]
    total: int
    marks: tuple[Mark, ...] = ()
    x_scale: str = "linear"
    band: str = ""

    @property
    def named(self) -> tuple[Line, ...]:
        """The lines that the legend tells apart."""
        return tuple(line for line in self.lines if line.role == "line")

    @property
    def quiet(self) -> int:
        return sum(line.role == "quiet" for line in self.lines)

    @property
    def x_kind(self) -> str:
        return "time" if self.rows and isinstance(self.rows[0].x, datetime) else "number"

    @property
    def thinned(self) -> str:
        return f"{len(self.rows):,} of {self.total:,} points" if len(self.rows) < self.total else ""

    def marked(self, marks: Iterable[tuple[Any, str]]) -> LineChart:
        return replace(self, marks=tuple(Mark(x, text) for x, text in marks))

    def with_quiet(self, series: Mapping[str, Mapping[Any, float]]) -> LineChart:
        """Add lines that are drawn thin and grey and not told apart; their values are by x."""
        lines = (Line(name, "s-reference", "", "quiet") for name in series)
        rows = (
            replace(row, values=(*row.values, *(points.get(row.x) for points in series.values())))
            for row in self.rows
        )
        return replace(self, lines=(*self.lines, *lines), rows=tuple(rows))

    def with_band(self, name: str) -> LineChart:
        """Fill the space between the last two lines; the legend calls it by this name."""
        edges = (replace(line, css="s1", dash="", role="edge") for line in self.lines[-2:])
        return replace(self, lines=(*self.lines[:-2], *edges), band=name)

    def on_log_x(self) -> LineChart:
        return replace(self, x_scale="log")


def line_chart(
    *,
    title: str,
    x_label: str,
    x: Sequence[Any],
    series: Mapping[str, Values],
    y_label: str = "",
    scale: str = "linear",
) -> LineChart:
    """Lines over epochs or time; `scale` is linear, zero (the axis starts at 0) or log."""
    if scale not in SCALES:
        raise ValueError(f"scale is {scale!r}; choose one of {', '.join(SCALES)}")
    if not 1 <= len(series) <= len(DASHES):
        raise ValueError(f"a chart holds 1 to {len(DASHES)} series, not {len(series)}")
    for name, values in series.items():
        if len(values) != len(x):
            raise ValueError(f"series {name!r} has {len(values)} values for {len(x)} points")
    order = sorted(range(len(x)), key=lambda index: x[index])
    columns = [[finite_or_none(values[index]) for index in order] for values in series.values()]
    kept = kept_points(columns, most=MOST_POINTS)
    return LineChart(
        title=title,
        x_label=x_label,
        y_label=y_label,
        scale=scale,
        lines=tuple(
            Line(name, f"s{number}", DASHES[number - 1]) for number, name in enumerate(series, 1)
        ),
        rows=tuple(Row(x[order[i]], tuple(column[i] for column in columns)) for i in kept),
        total=len(x),
    )


def finite_or_none(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def kept_points(columns: Sequence[Values], *, most: int) -> list[int]:
    """Every bucket keeps each series' lowest and highest point, so no peak is thinned away."""
    total = len(columns[0])
    if total <= most:
        return list(range(total))
    buckets = (most - 2) // (2 * len(columns))
    kept = {0, total - 1}
    for bucket in range(buckets):
        span = range(bucket * total // buckets, (bucket + 1) * total // buckets)
        for column in columns:
            kept |= extremes(column, span)
    return sorted(kept)


def extremes(column: Values, span: range) -> set[int]:
    known = [(value, index) for index in span if (value := column[index]) is not None]
    return {min(known)[1], max(known)[1]} if known else set()
