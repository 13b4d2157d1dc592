"""What a version was worth lately, with labels and estimated without, as lines over time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import dropwhile
from types import MappingProxyType

from dashboard import charts
from endpoints.models import StreamChange
from endpoints.services.monitoring.performance import Delay, PerformanceWindow, Reference
from endpoints.services.monitoring.reports import RowsBehind
from mlcore.drift import FeatureDrift
from mlcore.intervals import IntervalReport

METRICS: Mapping[str, str] = MappingProxyType(
    {
        "accuracy": "Accuracy",
        "precision": "Precision",
        "recall": "Recall",
        "specificity": "Specificity",
        "f1": "F1",
        "roc_auc": "ROC AUC",
    }
)
DETECTORS = MappingProxyType({"adwin": "ADWIN", "page_hinkley": "Page-Hinkley"})


@dataclass(frozen=True)
class WindowRow:
    """One metric in one window. `behind` are its requests."""

    start: datetime
    behind: RowsBehind
    rows: int
    labels: int | None
    label_drift: FeatureDrift | None
    realised: IntervalReport | None
    estimated: Mapping[str, float | None] | None

    @property
    def query(self) -> str:
        return self.behind.live()

    @property
    def labelled_query(self) -> str:
        return self.behind.live(labelled="true") if self.labels else ""


@dataclass(frozen=True)
class Change:
    """A change in the rate of errors, by the name of who found it."""

    found: StreamChange
    detector: str


@dataclass(frozen=True)
class Performance:
    """One metric over the windows; `metrics` are those that any window has."""

    metric: str
    metrics: tuple[tuple[str, str], ...]
    chart: charts.LineChart | None
    table: tuple[WindowRow, ...]
    labels: int
    rows: int
    delay: Delay | None
    reference: float | None
    reference_rows: int | None
    expected: float | None
    changes: tuple[Change, ...]
    behind: RowsBehind | None

    @property
    def coverage(self) -> float | None:
        return self.labels / self.rows if self.rows else None

    @property
    def query(self) -> str:
        """The filter of the predictions page that finds the rows of all windows."""
        return self.behind.live() if self.behind is not None else ""

    @property
    def labelled_query(self) -> str:
        if self.behind is None or not self.labels:
            return ""
        return self.behind.live(labelled="true")


def told(
    windows: Sequence[PerformanceWindow],
    *,
    metric: str,
    delay: Delay | None,
    reference: Reference | None,
    changes: Sequence[StreamChange],
    version: int,
) -> Performance:
    present = tuple((name, label) for name, label in METRICS.items() if _has(windows, name))
    names = [name for name, _ in present]
    chosen = metric if metric in names else "accuracy"
    known = [_row(window, chosen, version) for window in reversed(windows)]
    span = RowsBehind(version, windows[0].start, windows[-1].end) if windows else None
    found = tuple(Change(change, DETECTORS[change.detector]) for change in changes)
    return Performance(
        metric=chosen,
        metrics=present,
        chart=_chart([*reversed(known)], chosen, found),
        table=tuple(row for row in known if row.labels or row.estimated),
        labels=sum(window.labels or 0 for window in windows),
        rows=sum(window.rows for window in windows),
        delay=delay,
        reference=reference.metrics.get(chosen) if reference else None,
        reference_rows=reference.rows if reference else None,
        expected=reference.expected.get(chosen) if reference else None,
        changes=found,
        behind=span,
    )


def _has(windows: Iterable[PerformanceWindow], name: str) -> bool:
    return any(name in (window.realised or window.estimated or {}) for window in windows)


def _chart(
    windows: Sequence[WindowRow], metric: str, changes: Iterable[Change]
) -> charts.LineChart | None:
    """Realised and estimated values with their bands; None where neither is known of two windows."""
    rows = list(dropwhile(lambda row: row.realised is None and row.estimated is None, windows))
    if sum(row.realised is not None or row.estimated is not None for row in rows) < 2:
        return None
    estimated = [row.estimated or {} for row in rows]
    series = {
        "With labels": [row.realised.value if row.realised else None for row in rows],
        "Estimated without labels": [found.get("value") for found in estimated],
        "Estimate, low": [found.get("low") for found in estimated],
        "Estimate, high": [found.get("high") for found in estimated],
    }
    drawn = charts.line_chart(
        title=f"{METRICS[metric]} by window",
        x_label="from",
        x=[row.start for row in rows],
        series=series,
        y_label="share",
    ).with_band("Estimate, 3 standard errors")
    since = rows[0].start
    return drawn.marked(
        (change.found.predicted_at, f"{change.detector}: errors changed")
        for change in changes
        if change.found.predicted_at >= since
    )


def _row(window: PerformanceWindow, metric: str, version: int) -> WindowRow:
    return WindowRow(
        start=window.start,
        behind=RowsBehind(version, window.start, window.end),
        rows=window.rows,
        labels=window.labels,
        label_drift=window.label_drift,
        realised=(window.realised or {}).get(metric),
        estimated=(window.estimated or {}).get(metric),
    )
