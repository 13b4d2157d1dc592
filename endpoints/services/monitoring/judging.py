"""What the summary of live rows says of them: drift, quality, impact, and estimates without labels.

It reads no log; `store` alone writes, within the transaction of whoever calls it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from endpoints.errors import NoModel
from endpoints.models import AlgorithmVersion, DriftReport, FeatureDrift, Monitor
from endpoints.services import snapshots
from endpoints.services.monitoring.watching import Grown
from mlcore.classifier import Classifier
from mlcore.drift import DriftReport as Drift
from mlcore.drift import DriftRule, measure, with_quality
from mlcore.drift import FeatureDrift as Column
from mlcore.errors import MlcoreError
from mlcore.estimate import estimate_from_cells
from mlcore.impact import impact_of_drift
from mlcore.quality import QualityReport, check_quality
from mlcore.results import finite
from mlcore.window import Window as Summary

KEY = ("version", "window", "start")
"""What a report is found by."""
LONGEST_NAME = 200
LOOKS = 10
"""An open window is judged again at every look, and the more looks, the more often chance alone is called
drift: its p values must be so many times smaller. Once closed it is judged for good."""


@dataclass(frozen=True)
class Findings:
    """All that a summary says. `impact` is None where the model has no weights, `estimates` where its
    artefact tells nothing of rows that it had not learnt from."""

    drift: Drift
    quality: QualityReport
    impact: list[dict[str, Any]] | None
    estimates: dict[str, Any] | None

    @property
    def columns(self) -> Sequence[Column]:
        """The features in the order of the schema, then the score, the predictions and the labels."""
        return (*self.drift.features, *self.drift.outputs)


@dataclass(frozen=True)
class Judged:
    """A report that is not stored yet, with its columns."""

    report: DriftReport
    columns: Sequence[FeatureDrift]


def rule_of(monitor: Monitor, *, is_open: bool = False) -> DriftRule:
    """Return what counts as drift in a window that is closed, or in one that still grows."""
    rule = DriftRule(
        min_rows=monitor.min_rows,
        alpha=monitor.alpha,
        wasserstein=monitor.effect,
        jensen_shannon=monitor.effect,
    )
    if not is_open:
        return rule
    return replace(rule, alpha=rule.alpha / LOOKS, possible_alpha=rule.possible_alpha / LOOKS)


def findings(
    classifier: Classifier,
    summary: Summary,
    rule: DriftRule,
    labels: Sequence[int] | None = None,
) -> Findings:
    """Judge a summary of rows. Labels: how many of them are truly of each class."""
    quality = check_quality(classifier.profile, summary, rule)
    moved = measure(classifier.profile, summary, rule, labels=labels)
    return Findings(
        drift=with_quality(moved, quality.results),
        quality=quality,
        impact=_impact(classifier, summary),
        estimates=_estimates(classifier, summary),
    )


def judge(
    version: AlgorithmVersion,
    classifier: Classifier,
    grown: Grown,
    monitor: Monitor,
    now: datetime,
) -> Judged:
    rule = rule_of(monitor, is_open=grown.is_open)
    found = findings(classifier, grown.summary, rule)
    report = DriftReport(
        version=version,
        window=grown.window,
        start=grown.start,
        end=grown.end,
        is_open=grown.is_open,
        n_rows=grown.summary.n_rows,
        summary=grown.summary.to_bytes(),
        verdict=found.drift.verdict,
        drift_score=finite(found.drift.drift_score),
        features=len(found.drift.features),
        drifted=len(found.drift.drifted),
        possible=len(found.drift.possible),
        estimates=found.estimates,
        impact=found.impact,
        computed_at=now,
    )
    return Judged(report, columns_of(found, grown.summary, classifier))


def columns_of(found: Findings, summary: Summary, classifier: Classifier) -> list[FeatureDrift]:
    """Return what was found of each feature and output as a report keeps it; nothing is stored."""
    checks = quality_checks(found.quality)
    return [
        _column(column, place, summary, checks, classifier)
        for place, column in enumerate(found.columns)
    ]


def judge_again(
    report: DriftReport, monitor: Monitor, now: datetime, *, is_open: bool
) -> Judged | None:
    """Judge what is stored; None where the summary or the version's artefact is gone or unreadable."""
    if report.summary is None:
        return None
    try:
        classifier = snapshots.load(report.version)
        summary = Summary.from_bytes(bytes(report.summary), classifier.profile)
        window = Grown(report.window, report.start, report.end, summary, is_open)
        return judge(report.version, classifier, window, monitor, now)
    except (NoModel, MlcoreError):
        return None


def quality_checks(quality: QualityReport) -> list[dict[str, Any]]:
    """Return what was checked besides the distributions; unlike checks of drift each has a `share`."""
    checks: list[dict[str, Any]] = plain(quality.to_dict()["results"])
    return checks


def plain(value: Any) -> Any:
    """Return the same with None for every number that JSON cannot hold."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return finite(value)


def store(judged: Sequence[Judged]) -> None:
    """Write the reports in the place of those that are there of the same windows."""
    reports = DriftReport.objects.bulk_create(
        [found.report for found in judged],
        update_conflicts=True,
        unique_fields=KEY,
        update_fields=[
            field.name
            for field in DriftReport._meta.concrete_fields
            if field.name not in ("id", *KEY)
        ],
    )
    FeatureDrift.objects.filter(report__in=[report.pk for report in reports]).delete()
    for found in judged:
        for column in found.columns:
            column.report = found.report
    FeatureDrift.objects.bulk_create(column for found in judged for column in found.columns)


def _column(
    column: Column,
    place: int,
    summary: Summary,
    checks: Sequence[dict[str, Any]],
    classifier: Classifier,
) -> FeatureDrift:
    is_feature = place < len(summary.layout.profile.columns)
    own = [check for check in checks if is_feature and check["feature"] == column.name]
    return FeatureDrift(
        position=place,
        name=column.name[:LONGEST_NAME],
        kind=column.kind,
        verdict=column.verdict,
        effect=finite(column.effect),
        p_adjusted=column.p_adjusted,
        psi=_statistic(column, "psi"),
        z_shift=_statistic(column, "z_shift"),
        missing=column.missing,
        out_of_range=out_of_range(column, place, summary),
        unseen=column.unseen,
        results=[found.to_dict() for found in column.results] + own,
        bins=_bins(column, place, summary, classifier),
    )


def _statistic(column: Column, name: str) -> float | None:
    found = column.result(name)
    return None if found is None else finite(found.statistic)


def out_of_range(column: Column, place: int, summary: Summary) -> int:
    """Return how many values of a number are smaller or larger than any of the training."""
    if column.kind != "number":
        return 0
    found = summary.number(place)
    return found.below + found.above


def _bins(column: Column, place: int, summary: Summary, classifier: Classifier) -> dict[str, Any]:
    """Return the shares of the training's and the live values in each bin.

    Of numbers bin k holds what is above edge k - 1 and not above edge k; where the first two edges
    are the same, the first bin holds what is below and the second that value alone.
    """
    layout = summary.layout
    if column.kind in ("number", "score"):
        grid = layout.grids[place]
        assert grid is not None  # noqa: S101 - numbers have one
        edges = list(grid.deciles.edges)
        live = grid.decile_counts(summary.number(place).cells)
        return {
            "edges": edges[:1] + edges if grid.is_first_alone else edges,
            "reference": _shares(grid.reference_deciles),
            "live": _shares(live),
        }
    if column.kind == "category":
        counts = layout.columns[place].counts
        found = summary.category(place)
        levels = [*(level for level, _ in counts), *found.texts]
        reference = [*(count for _, count in counts), *(0 for _ in found.texts)]
        now = [*found.counts.tolist(), *found.texts.values()]
        return {"levels": levels, "reference": _shares(reference), "live": _shares(now)}
    if column.kind == "prediction":
        return {
            "levels": list(classifier.classes),
            "reference": list(classifier.profile.scores.predicted_rates),
            "live": _shares(summary.predicted),
        }
    return {}


def _shares(counts: ArrayLike) -> list[float]:
    found = np.asarray(counts, np.float64)
    shares: list[float] = (found / max(found.sum(), 1.0)).tolist()
    return shares


def _impact(classifier: Classifier, summary: Summary) -> list[dict[str, Any]] | None:
    found = impact_of_drift(classifier, summary)
    return None if found is None else [plain(report.to_dict()) for report in found]


def _estimates(classifier: Classifier, summary: Summary) -> dict[str, Any] | None:
    reference = classifier.profile.performance
    if reference is None:
        return None
    positives = int(summary.predicted[1]) if classifier.is_binary else None
    found = estimate_from_cells(
        reference, *summary.scores, classifier.threshold, n_positive=positives
    )
    return {name: plain(asdict(estimate)) for name, estimate in found.items()}
