"""How good a run's model is: metrics by group with their intervals, errors, calibration, worst rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dashboard import metrics
from dashboard.charts import LineChart, line_chart

Report = Mapping[str, Any]
Numbers = Mapping[str, float]
SAME = 1e-9
# Rows left out are judged at this threshold: at another one accuracies cannot be compared.
HALF = 0.5
WELL_SPREAD = "as spread out as they should be, as far as these rows can tell"


@dataclass(frozen=True)
class MetricRow:
    """One metric on the validation rows, on rows left out one by one, and on the training rows."""

    key: str
    title: str
    validation: float | None
    low: float | None
    high: float | None
    left_out: float | None
    train: float | None


@dataclass(frozen=True)
class MetricTable:
    groups: tuple[tuple[str, tuple[MetricRow, ...]], ...]
    left_out: Report | None
    methods: str

    @property
    def has_intervals(self) -> bool:
        return bool(self.methods)

    @property
    def width(self) -> int:
        return 3 + self.has_intervals + (self.left_out is not None)


@dataclass(frozen=True)
class ConfusionCell:
    count: float
    is_right: bool


@dataclass(frozen=True)
class ConfusionRow:
    """The rows of one true class, by the class that was predicted, and that class's own metrics."""

    label: str
    cells: tuple[ConfusionCell, ...]
    facts: Report


def metric_table(numbers: Numbers, report: Report) -> MetricTable | None:
    """Return the metrics that the run has, by group; None for a run without any."""
    intervals = {row["name"]: row for row in report.get("intervals") or ()}
    left_out = report.get("free_validation")
    if left_out and numbers.get("validation_threshold", HALF) != HALF:
        left_out = {**left_out, "accuracy": None}
    groups = (
        (group, tuple(_metric_rows(titles, numbers, intervals, left_out or {})))
        for group, titles in metrics.GROUPS.items()
    )
    found = tuple((group, rows) for group, rows in groups if rows)
    methods = dict.fromkeys(row["method"] for row in intervals.values())
    return MetricTable(found, left_out, ", ".join(methods)) if found else None


def _metric_rows(
    titles: Mapping[str, str], numbers: Numbers, intervals: Mapping[str, Report], left_out: Report
) -> list[MetricRow]:
    rows = []
    for key, title in titles.items():
        validation, train = numbers.get(f"validation_{key}"), numbers.get(f"train_{key}")
        if validation is None and train is None:
            continue
        low, high = _ends(intervals.get(key, {}), validation)
        rows.append(MetricRow(key, title, validation, low, high, left_out.get(key), train))
    return rows


def _ends(interval: Report, value: float | None) -> tuple[float | None, float | None]:
    """Return the ends of an interval, unless it is one around another value than the one shown."""
    middle = interval.get("value")
    if value is None or middle is None or abs(middle - value) > SAME:
        return None, None
    return interval["low"], interval["high"]


def confusion_counts(described: Report, part: str) -> Sequence[Sequence[int]]:
    """Return how many training or validation rows of each class, a row, got which answer, a column.

    Nothing where the bundle does not say: a model from elsewhere may never have been judged.
    """
    counts = described.get("metrics", {}).get(part, {}).get("confusion", ())
    if isinstance(counts, Mapping):
        return (counts["tn"], counts["fp"]), (counts["fn"], counts["tp"])
    return tuple(counts)


def class_counts(described: Report, part: str) -> list[int]:
    """Return how many rows of each class there were, as the confusion counts them."""
    return [sum(row) for row in confusion_counts(described, part)]


def confusion(described: Report, classes: Sequence[str]) -> tuple[ConfusionRow, ...]:
    """Return a row a true class; two classes count as true and false positives and negatives."""
    counts = confusion_counts(described, "validation")
    if not counts:
        return ()
    facts = described["metrics"]["validation"].get("per_class") or [{} for _ in classes]
    return tuple(
        ConfusionRow(
            name,
            tuple(ConfusionCell(count, place == column) for column, count in enumerate(row)),
            own,
        )
        for place, (name, row, own) in enumerate(zip(classes, counts, facts, strict=True))
    )


def threshold_chart(report: Report, threshold: float | None) -> LineChart | None:
    """Return precision, recall and F1 against the threshold, with the one in use marked."""
    points = report.get("thresholds") or ()
    if len(points) < 2:
        return None
    drawn = line_chart(
        title="What another threshold would do",
        x_label="threshold",
        x=[point["threshold"] for point in points],
        series={
            title: [point[key] for point in points]
            for key, title in (("precision", "Precision"), ("recall", "Recall"), ("f1", "F1"))
        },
        y_label="on the validation rows",
        scale="zero",
    )
    return drawn if threshold is None else drawn.marked([(threshold, "in use")])


def calibration_words(report: Report) -> str:
    """Say what the calibration line means, as far as its 95 % intervals can tell."""
    line = report.get("calibration_intervals")
    if line is None:
        return ""
    spread = WELL_SPREAD
    if line["slope_high"] < 1:
        spread = "too extreme"
    elif line["slope_low"] > 1:
        spread = "too cautious"
    level = ""
    if not line["in_the_large_low"] <= 0 <= line["in_the_large_high"]:
        level = f", and on the whole too {'low' if line['in_the_large'] > 0 else 'high'}"
    return f"The probabilities are {spread}{level}."
