"""What the drift of each feature does to a linear model's average score; knows no rows or log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mlcore.arrays import FloatArray
from mlcore.classifier import Classifier
from mlcore.estimators import Linear
from mlcore.explain import drift_impact
from mlcore.grid import Grid
from mlcore.layout import CategorySummary, NumberSummary
from mlcore.measures import moments_now
from mlcore.profile import ColumnProfile
from mlcore.schema import Column
from mlcore.window import Window


@dataclass(frozen=True)
class FeatureImpact:
    """By how much one feature has moved the mean log-odds, and its mean then and now.

    The means of a category are None: ``impact`` sums weight times change of share over its levels.
    """

    name: str
    impact: float
    mean_ref: float | None
    mean_cur: float | None


@dataclass(frozen=True)
class ImpactReport:
    """The largest impacts first; they add up to ``total``, the change of the mean log-odds.

    ``label`` is the class that the log-odds are for: the positive one, or one of three or more.
    They are those of the weights, before a calibration corrects the probabilities.
    """

    label: str
    total: float
    features: tuple[FeatureImpact, ...]

    def to_dict(self) -> dict[str, Any]:
        features = [vars(found) for found in self.features]
        return {"label": self.label, "total": self.total, "features": features}


def impact_of_drift(classifier: Classifier, window: Window) -> tuple[ImpactReport, ...] | None:
    """The waterfall from the training's mean log-odds to the window's; None for trees.

    A linear score moves by w_j (mean_cur_j - mean_ref_j) a feature, so the sum is exact and needs
    no rows. Missing values count as the fills that the model used; unseen levels as no level.
    One report for two classes, one a class for three or more, whose log-odds compare the class
    with the geometric mean of all. None for a window without rows.

    >>> from mlcore import TrainingSpec, synthetic_raisin, train
    >>> model = train(TrainingSpec(target="Class"), synthetic_raisin()).classifier
    >>> window = Window.empty(model.profile)
    >>> window.add(np.array([[column.quantile(0.5) for column in model.profile.columns]]))
    >>> [report] = impact_of_drift(model, window)
    >>> report.label, len(report.features), round(report.total, 1)
    ('Besni', 7, -0.2)
    """
    if not isinstance(classifier.estimator, Linear) or not window.n_rows:
        return None
    columns = list(zip(classifier.schema.columns, classifier.profile.columns, strict=True))
    then = [_slots_then(*pair, classifier.profile.n_rows) for pair in columns]
    now = [_slots_now(window, place, *pair) for place, pair in enumerate(columns)]
    moved = drift_impact(classifier, np.concatenate(now))
    moved -= drift_impact(classifier, np.concatenate(then))
    labels = classifier.classes[1:] if classifier.is_binary else classifier.classes
    return tuple(
        _report(label, impacts, [pair[0] for pair in columns], then, now)
        for label, impacts in zip(labels, moved, strict=True)
    )


def _report(
    label: str,
    impacts: FloatArray,
    columns: list[Column],
    then: list[FloatArray],
    now: list[FloatArray],
) -> ImpactReport:
    features = [
        FeatureImpact(
            name=column.name,
            impact=float(impact),
            mean_ref=float(before[0]) if column.kind == "number" else None,
            mean_cur=float(after[0]) if column.kind == "number" else None,
        )
        for column, impact, before, after in zip(columns, impacts, then, now, strict=True)
    ]
    features.sort(key=lambda found: -abs(found.impact))
    return ImpactReport(label, float(impacts.sum()), tuple(features))


def _slots_then(column: Column, profile: ColumnProfile, n_rows: int) -> FloatArray:
    """The means of a column's slots over the training rows, its holes filled."""
    if column.kind == "number":
        mean = profile.mean or 0.0
        return np.array([_filled(mean, n_rows - profile.missing, profile.missing, column)])
    counts = [count for _, count in profile.counts]
    return _shares(column, counts, profile.missing, n_rows)


def _slots_now(window: Window, place: int, column: Column, profile: ColumnProfile) -> FloatArray:
    grid = window.layout.grids[place]
    if grid is None:
        found: CategorySummary = window.category(place)
        rows = found.n + found.missing
        return _shares(column, found.counts.tolist(), found.missing, rows)
    return np.array([_mean_now(grid, window.number(place), column)])


def _mean_now(grid: Grid, found: NumberSummary, column: Column) -> float:
    mean = moments_now(grid, found)[0] if found.n else grid.center
    return _filled(mean, found.n, found.missing, column)


def _filled(mean: float, n: int, missing: int, column: Column) -> float:
    if not missing or not isinstance(column.fill, int | float):
        return mean
    return (mean * n + column.fill * missing) / (n + missing)


def _shares(column: Column, counts: list[int], missing: int, rows: int) -> FloatArray:
    filled = np.array(counts, np.float64)
    if missing and column.fill in column.levels:
        filled[column.levels.index(str(column.fill))] += missing
    return filled / max(rows, 1)
