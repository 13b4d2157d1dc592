"""One window of live rows beside the training, as the drift page shows it; it knows no request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any

from dashboard import charts
from dashboard.formats import plain
from dashboard.presenters.behind import Behind
from dashboard.presenters.drift_rows import Row
from endpoints.models import DriftReport, FeatureDrift, StatusChange
from endpoints.models.monitoring import Verdict, Window
from endpoints.services.monitoring.trends import TrendPoint, series_key
from mlcore.errors import listed

MOST_NAMED = 4
ORDER = {Verdict.DRIFT: 0, Verdict.POSSIBLE: 1, Verdict.NO_DRIFT: 2, Verdict.INSUFFICIENT: 3}


@dataclass(frozen=True)
class Step:
    """A feature's part of the way from the training's mean log-odds to the live rows'."""

    name: str
    impact: float
    running: float


@dataclass(frozen=True)
class Impact:
    """All steps for one class, the largest first; they end at `total`."""

    label: str
    total: float
    steps: tuple[Step, ...]

    @property
    def largest(self) -> float:
        return max((abs(step.impact) for step in self.steps), default=0.0)


@dataclass(frozen=True)
class Drift:
    """A report in the order in which one reads it: what the model says, then what it is asked."""

    report: DriftReport
    sentence: str
    tone: str
    outputs: tuple[Row, ...]
    features: tuple[Row, ...]
    impacts: tuple[Impact, ...]
    behind: Behind

    @property
    def query(self) -> str:
        """The filter of the predictions page that finds the rows."""
        return self.behind.all

    @property
    def has_impact(self) -> bool:
        return any(row.impact is not None for row in self.features)


def told(
    report: DriftReport,
    columns: Iterable[FeatureDrift],
    *,
    trends: Mapping[str, tuple[float | None, ...]],
    behind: Behind,
    where: str = "window",
) -> Drift:
    """Tell of a report with its columns; `where` says what its rows are in."""
    found = tuple(_impact(part) for part in report.impact or ())
    # Of three or more classes each has its own, and none stands for all.
    steps = found[0].steps if len(found) == 1 else ()
    impacts = {step.name: step.impact for step in steps}
    rows = [
        Row(
            column,
            trends.get(series_key(column.name, column.kind), ()),
            impacts.get(column.name) if column.kind in FeatureDrift.INPUTS else None,
            report.n_rows,
            behind,
        )
        for column in columns
    ]
    features = sorted(
        (row for row in rows if row.column.kind in FeatureDrift.INPUTS), key=_gravest_first
    )
    outputs = tuple(row for row in rows if row.column.kind not in FeatureDrift.INPUTS)
    return Drift(
        report=report,
        sentence=_sentence(report, features, where),
        tone=_TONES[report.verdict],
        outputs=outputs,
        features=tuple(features),
        impacts=found,
        behind=behind,
    )


def _impact(part: Mapping[str, Any]) -> Impact:
    impacts = [found["impact"] for found in part["features"]]
    running = accumulate(impacts)
    steps = zip((found["name"] for found in part["features"]), impacts, running, strict=True)
    return Impact(part["label"], part["total"], tuple(Step(*step) for step in steps))


_TONES = {
    Verdict.DRIFT.value: "error",
    Verdict.POSSIBLE.value: "watch",
    Verdict.NO_DRIFT.value: "ok",
    Verdict.INSUFFICIENT.value: "info",
}


def _gravest_first(row: Row) -> tuple[int, float, float, int]:
    column = row.column
    verdict = ORDER[Verdict(column.verdict)]
    return verdict, -abs(row.impact or 0.0), -(column.effect or 0.0), column.position


def _sentence(report: DriftReport, features: Sequence[Row], where: str) -> str:
    rows = f"{report.n_rows:,} row{'' if report.n_rows == 1 else 's'}"
    if report.verdict == Verdict.INSUFFICIENT:
        known = max((found["n_ref"] for row in features for found in row.column.results), default=0)
        training = f", {known:,} in the training" if 0 < known < report.n_rows else ""
        return f"There are too few rows for a verdict: {rows} in this {where}{training}."
    if report.verdict == Verdict.NO_DRIFT:
        return f"None of {len(features)} features has drifted in {rows}."
    state = Verdict.DRIFT if report.verdict == Verdict.DRIFT else Verdict.POSSIBLE
    names = [row.name for row in features if row.column.verdict == state]
    found = listed(names, limit=MOST_NAMED)
    has = "has" if len(names) == 1 else "have"
    what = "drifted" if state == Verdict.DRIFT else "possibly drifted"
    text = f"{len(names)} of {len(features)} features {has} {what} in {rows}: {found}."
    strongest = max(
        (row for row in features if row.name in names and row.impact),
        key=lambda row: abs(row.impact or 0.0),
        default=None,
    )
    if strongest is None or len(names) == 1:
        return text
    return f"{text} {strongest.name} moves the score most."


def trend_chart(
    points: Sequence[TrendPoint], *, effect: float, promotions: Iterable[StatusChange]
) -> charts.LineChart | None:
    """The largest shift and the mean shift by window, beside the limit; None for a single window."""
    if len(points) < 2:
        return None
    drawn = charts.line_chart(
        title="Shift from the training, window by window",
        x_label="from",
        x=[point.start for point in points],
        series={
            "Largest of a feature": [_sure(point, point.largest_effect) for point in points],
            "Mean of the numbers": [_sure(point, point.drift_score) for point in points],
            f"Limit ({plain(effect)})": [effect for _ in points],
        },
        y_label="numbers in standard deviations of the training",
        scale="zero",
    )
    since = points[0].start
    live = (change for change in promotions if change.at >= since)
    return drawn.marked((change.at, f"{change.version.label} went live") for change in live)


def _sure(point: TrendPoint, shift: float | None) -> float | None:
    """Leave out windows of few rows, which shift by chance."""
    return None if point.verdict == Verdict.INSUFFICIENT else shift


@dataclass(frozen=True)
class Choice:
    """A kind of window that the page can show."""

    code: str
    label: str


def choices(window_rows: int) -> tuple[Choice, ...]:
    return (
        Choice(Window.ROWS.value, f"{window_rows:,} rows"),
        Choice(Window.HOUR.value, "Hour"),
        Choice(Window.DAY.value, "Day"),
        Choice(Window.WEEK.value, "Week"),
    )


def moment(text: str) -> datetime | None:
    """Read when a window began; without a zone it is UTC."""
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
