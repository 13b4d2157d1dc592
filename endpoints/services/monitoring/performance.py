"""What a version was worth, window by window: with the labels that came, and estimated without.

It reads counts and reports alone: no row of the log but for the delay of labels. It knows no pages.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db.models import Sum

from endpoints.errors import NoModel
from endpoints.models import AlgorithmVersion, DriftReport, Feedback, RollUp, StreamChange
from endpoints.models.monitoring import Window
from endpoints.models.prediction import NOT_LIVE
from endpoints.models.roll_up import LabelCount, Span
from endpoints.services import snapshots
from endpoints.services.abtests.hiding import Hidden
from endpoints.services.label_classes import classes_of
from endpoints.services.monitoring.configuring import monitor_of
from endpoints.services.monitoring.judging import rule_of
from endpoints.services.monitoring.windows import LENGTHS, end_of, start_of
from mlcore.drift import FeatureDrift, label_drift
from mlcore.intervals import IntervalReport
from mlcore.metrics import Confusion
from mlcore.profile import Profile
from mlcore.realised import realised_metrics, realised_share

NEWEST_LABELS = 1_000
"""A version's delay is that of so many labels .."""
LABELS_LOOKED_AT = 50_000
""".. among so many of all versions; who has none there has no delay of today."""

Cells = Counter[tuple[str, str]]
"""A confusion matrix: rows by the predicted and the true class."""


@dataclass(frozen=True)
class PerformanceWindow:
    """Predictions of some time; None where nothing tells it.

    `realised` are metrics of the rows that have a label by now, `estimated` those of all rows as the
    report of drift has them: value, standard error and band of each. Labels are counted by the hour,
    so they tell nothing of a window by count. `label_drift` holds the true classes against the training's.
    """

    start: datetime
    end: datetime
    rows: int
    labels: int | None
    realised: Mapping[str, IntervalReport] | None
    estimated: Mapping[str, Mapping[str, float | None]] | None
    label_drift: FeatureDrift | None = None

    @property
    def coverage(self) -> float | None:
        """The share of rows that have a label."""
        return self.labels / self.rows if self.rows and self.labels is not None else None


@dataclass(frozen=True)
class Delay:
    """How long labels took to come, of so many."""

    labels: int
    median: timedelta
    nine_of_ten: timedelta


@dataclass(frozen=True)
class Reference:
    """What the version was worth on labelled rows that it had not learnt from, and what the estimate says
    of those very rows: from there a change is measured."""

    rows: int
    threshold: float | None
    metrics: Mapping[str, float | None]
    expected: Mapping[str, float | None]


def newest(
    version: AlgorithmVersion,
    window: str,
    limit: int,
    now: datetime,
    hidden: Hidden | None = None,
) -> tuple[PerformanceWindow, ...]:
    """Return the last so many windows of any kind, the oldest first, without realised metrics of what is
    hidden."""
    if window == Window.ROWS:
        return _by_count(version, limit)
    since = start_of(window, now) - (limit - 1) * LENGTHS[window]
    found = series(version, window, since, now)
    if hidden is None:
        return found
    return tuple(replace(one, realised=None) if one.end > hidden.since else one for one in found)


def series(
    version: AlgorithmVersion, window: str, since: datetime, until: datetime
) -> tuple[PerformanceWindow, ...]:
    """Return every hour, day or week from the one that holds `since` to the last that began before
    `until`, the oldest first."""
    starts = _starts(window, since, until)
    if not starts:
        return ()
    ends = starts[0], end_of(window, starts[-1])
    rows, cells = _rows(version, window, *ends), _cells(version, window, *ends)
    estimated = _estimates(version, window, *ends)
    names = _names(version) if cells else ()
    drift = _LabelDrift(version, names) if cells else None
    return tuple(
        PerformanceWindow(
            start=start,
            end=end_of(window, start),
            rows=rows[start],
            labels=cells[start].total() if start in cells else 0,
            realised=realised(cells[start], names) if start in cells else None,
            estimated=estimated.get(start),
            label_drift=drift.of(cells[start]) if drift and start in cells else None,
        )
        for start in starts
    )


def realised(cells: Cells, names: Sequence[str]) -> dict[str, IntervalReport]:
    """Metrics of a confusion matrix, `names` being the classes in their order, the positive one second.

    Accuracy alone of three or more classes, and of two whose names are not known.
    """
    correct = sum(rows for (predicted, label), rows in cells.items() if predicted == label)
    if len(names) != 2:
        return {"accuracy": realised_share("accuracy", correct, cells.total())}
    negative, positive = names
    counts = Confusion(
        tn=cells[negative, negative],
        fp=cells[positive, negative],
        fn=cells[negative, positive],
        tp=cells[positive, positive],
    )
    return realised_metrics(counts)


def delay(version: AlgorithmVersion) -> Delay | None:
    """Return how long the newest labels took, from the prediction to the label; a correction has the
    time of its own. None where none of them came lately."""
    newest = Feedback.objects.order_by("-pk").values("pk")[:LABELS_LOOKED_AT]
    came = Feedback.objects.filter(pk__in=newest, current=True, request__version=version)
    moments = came.exclude(request__source__in=NOT_LIVE).order_by("-pk")
    seconds = [
        max(0.0, (label - prediction).total_seconds())
        for label, prediction in moments.values_list("created_at", "request__created_at")[
            :NEWEST_LABELS
        ]
    ]
    if not seconds:
        return None
    median, nine_of_ten = np.quantile(seconds, (0.5, 0.9)).tolist()
    return Delay(len(seconds), timedelta(seconds=median), timedelta(seconds=nine_of_ten))


def reference(version: AlgorithmVersion) -> Reference | None:
    """Return the artefact's own performance; None where it has none or cannot be loaded."""
    try:
        found = snapshots.load(version).profile.performance
    except NoModel:
        return None
    return (
        None
        if found is None
        else Reference(found.n, found.threshold, found.metrics, found.expected)
    )


def changes(
    version: AlgorithmVersion, limit: int, hidden: Hidden | None = None
) -> list[StreamChange]:
    """Return the newest changes in the rate of errors, but none that was found since something is hidden."""
    found = StreamChange.objects.filter(version=version)
    if hidden is not None:
        found = found.filter(found_at__lt=hidden.since)
    return list(found[:limit])


def _by_count(version: AlgorithmVersion, limit: int) -> tuple[PerformanceWindow, ...]:
    reports = DriftReport.objects.filter(version=version, window=Window.ROWS).order_by("-start")
    found = reports.values_list("start", "end", "n_rows", "estimates")[:limit]
    return tuple(
        PerformanceWindow(start, end, rows, None, None, estimates)
        for start, end, rows, estimates in reversed(found)
    )


def _starts(window: str, since: datetime, until: datetime) -> list[datetime]:
    starts, start = [], start_of(window, since)
    while start < until:
        starts.append(start)
        start = end_of(window, start)
    return starts


def _names(version: AlgorithmVersion) -> tuple[str, ...]:
    try:
        return classes_of(version).names
    except NoModel:
        return ()


class _LabelDrift:
    """The true classes of a window beside those of the training rows, as the endpoint's monitor judges."""

    def __init__(self, version: AlgorithmVersion, names: Sequence[str]) -> None:
        self._names = names
        self._rule = rule_of(monitor_of(version.endpoint))
        self._profile: Profile | None = None
        with suppress(NoModel):
            self._profile = snapshots.load(version).profile

    def of(self, cells: Cells) -> FeatureDrift | None:
        if self._profile is None:
            return None
        counts: Counter[str] = Counter()
        for (_, label), rows in cells.items():
            counts[label] += rows
        return label_drift(self._profile, [counts[name] for name in self._names], self._rule)


def _rows(
    version: AlgorithmVersion, window: str, since: datetime, until: datetime
) -> Counter[datetime]:
    """Count the predicted rows by the start of their window."""
    counted = RollUp.objects.between(Span.HOUR, since, until).filter(
        endpoint=version.endpoint_id, number=version.number
    )
    rows: Counter[datetime] = Counter()
    for start, more in counted.values_list("start").annotate(sum=Sum("rows")).order_by():
        rows[start_of(window, start)] += more
    return rows


def _cells(
    version: AlgorithmVersion, window: str, since: datetime, until: datetime
) -> dict[datetime, Cells]:
    """Return the confusion matrices by the start of their window, none for a window without labels."""
    counted = LabelCount.objects.filter(
        endpoint=version.endpoint_id,
        number=version.number,
        seconds=Span.HOUR,
        start__gte=since,
        start__lt=until,
        rows__gt=0,
    )
    cells: dict[datetime, Cells] = defaultdict(Counter)
    columns = counted.order_by().values_list("start", "predicted", "label", "rows")
    for start, predicted, label, rows in columns:
        cells[start_of(window, start)][predicted, label] += rows
    return dict(cells)


def _estimates(
    version: AlgorithmVersion, window: str, since: datetime, until: datetime
) -> dict[datetime, Any]:
    reports = DriftReport.objects.filter(
        version=version, window=window, start__gte=since, start__lt=until
    )
    return dict(reports.exclude(estimates=None).order_by().values_list("start", "estimates"))
