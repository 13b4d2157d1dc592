"""How far live rows have moved from the training profile, feature by feature; knows no log or time.

A feature has drifted when two keys agree. The effect is large enough to matter: a number's
Wasserstein distance in sd, a category's Jensen-Shannon distance. And the evidence is beyond chance:
p values corrected for looking at many features. Evidence without an effect, or an effect with some
evidence, makes drift possible, no more. A distance alone cries wolf over 50 rows, a p value alone over
50,000.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from mlcore.distances import adjusted
from mlcore.errors import DataError
from mlcore.measures import DriftRule, Measured, measure_counts, measure_number
from mlcore.profile import Profile
from mlcore.results import Result, Verdict, finite, worst
from mlcore.window import Window

__all__ = ["DriftReport", "DriftRule", "FeatureDrift", "measure"]

LARGEST_SHIFT = 10.0
"""In the drift score a feature counts with so many sd at most, or one absurd cell would be all that it tells."""

Kind = Literal["number", "category", "score", "prediction", "label"]


@dataclass(frozen=True)
class FeatureDrift:
    """One feature, or the scores, predictions or labels; ``results`` are its single measures.

    ``effect`` is held against ``threshold``, ``p_adjusted`` against the rule's alpha. ``n_ref`` and
    ``n_cur`` are rows with a value, of categories all rows: there a missing value is a level.
    ``missing`` and ``unseen`` (values of no known level) are live rows.
    """

    name: str
    kind: Kind
    verdict: Verdict
    effect: float | None
    threshold: float
    p_value: float | None
    p_adjusted: float | None
    n_ref: int
    n_cur: int
    missing: int
    unseen: int
    results: tuple[Result, ...]

    @property
    def drifted(self) -> bool:
        return self.verdict == "drift"

    def result(self, name: str) -> Result | None:
        """The measure of this name; None where the feature has none such."""
        return next((found for found in self.results if found.name == name), None)

    def to_dict(self) -> dict[str, Any]:
        data = {key: finite(value) for key, value in vars(self).items()}
        return data | {
            "drifted": self.drifted,
            "results": [found.to_dict() for found in self.results],
        }


@dataclass(frozen=True)
class DriftReport:
    """All features, and apart from them the ``outputs``: scores, predictions and labels.

    ``drift_score`` is the mean absolute shift of the number features' means in sd, of which each
    counts with ``LARGEST_SHIFT`` at most; the verdict is the gravest of the features'. Outputs do
    not enter it: a model scores the rows that it was trained on otherwise than others.
    """

    n_ref: int
    n_cur: int
    verdict: Verdict
    drift_score: float | None
    share_drifted: float | None
    drifted: tuple[str, ...]
    possible: tuple[str, ...]
    features: tuple[FeatureDrift, ...]
    outputs: tuple[FeatureDrift, ...]

    def to_dict(self) -> dict[str, Any]:
        data = {key: finite(value) for key, value in vars(self).items()}
        return data | {
            "drifted": list(self.drifted),
            "possible": list(self.possible),
            "features": [found.to_dict() for found in self.features],
            "outputs": [found.to_dict() for found in self.outputs],
        }


def measure(
    profile: Profile,
    window: Window,
    rule: DriftRule | None = None,
    *,
    labels: ArrayLike | None = None,
) -> DriftReport:
    """Hold a window of live rows against the training; ``labels`` (K,) are counts of true classes.

    Raises DataError for a window of another profile and for labels of another number of classes.

    >>> from mlcore.profile import build_profile
    >>> from mlcore.schema import Column, Schema
    >>> schema = Schema((Column("a", "number"),))
    >>> rows = schema.read([[float(k % 50)] for k in range(200)])
    >>> profile = build_profile(schema, rows, probabilities=np.full(200, 0.5), threshold=0.5)
    >>> window = Window.empty(profile)
    >>> window.add(np.array([[float(k % 50) + 20] for k in range(100)]))
    >>> report = measure(profile, window)
    >>> report.verdict, report.drifted, round(report.drift_score, 3)
    ('drift', ('a',), 1.386)
    """
    rule = rule or DriftRule()
    if window.layout.profile is not profile and window.layout.profile != profile:
        raise DataError("the window was counted against another profile")
    features = _judged([_feature(window, k, rule) for k in range(len(profile.columns))], rule)
    outputs = _judged(_outputs(profile, window, rule, labels), rule)
    shifts = [found for feature in features if (found := feature.result("z_shift"))]
    sizes = [
        min(found.value, LARGEST_SHIFT)
        for found in shifts
        if found.value is not None and np.isfinite(found.value)
    ]
    return _summed_up(
        DriftReport(
            n_ref=profile.n_rows,
            n_cur=window.n_rows,
            verdict="insufficient_data",
            drift_score=float(np.mean(sizes)) if sizes else None,
            share_drifted=None,
            drifted=(),
            possible=(),
            features=features,
            outputs=outputs,
        )
    )


GRAVE = ("missing", "unseen", "constant")
"""Checks of quality that are drift by themselves: a value out of range is a matter of one row."""


def with_quality(report: DriftReport, checks: Iterable[Result]) -> DriftReport:
    """The report in which features have drifted also by what ``check_quality`` says of them.

    A column that is missing now has no distribution left to compare.
    """
    grave = {check.feature for check in checks if check.drifted and check.name in GRAVE}
    features = tuple(
        replace(feature, verdict="drift") if feature.name in grave else feature
        for feature in report.features
    )
    return _summed_up(replace(report, features=features))


def _summed_up(report: DriftReport) -> DriftReport:
    """With the verdict and the names that follow from the features."""
    verdicts = {feature.name: feature.verdict for feature in report.features}
    drifted = tuple(name for name, verdict in verdicts.items() if verdict == "drift")
    return replace(
        report,
        verdict=worst(list(verdicts.values())),
        share_drifted=len(drifted) / len(verdicts) if verdicts else None,
        drifted=drifted,
        possible=tuple(name for name, verdict in verdicts.items() if verdict == "possible"),
    )


def label_drift(
    profile: Profile, labels: ArrayLike, rule: DriftRule | None = None
) -> FeatureDrift | None:
    """Hold counts of true classes (K,) against the training's: labels come later than their rows.

    None without labels, and where the training's are not known. Raises DataError for another
    number of classes.

    >>> from mlcore.profile import Profile, ScoreProfile
    >>> scores = ScoreProfile((0.5,), (1,), 0.5)
    >>> found = label_drift(Profile(1000, (), scores, class_counts=(500, 500)), [150, 50])
    >>> found.verdict, round(found.effect, 3)
    ('drift', 0.221)
    """
    rule = rule or DriftRule()
    judged = _judged(_labels(profile, labels, rule), rule)
    return judged[0] if judged else None


def _feature(window: Window, place: int, rule: DriftRule) -> Measured:
    column, grid = window.layout.columns[place], window.layout.grids[place]
    if grid is not None:
        return measure_number(column, grid, window.number(place), rule)
    found = window.category(place)
    reference = [*(count for _, count in column.counts), 0, column.missing]
    current = [*found.counts.tolist(), found.unseen, found.missing]
    measured = measure_counts(column.name, "category", reference, current, rule, len(column.counts))
    return replace(measured, missing=found.missing, unseen=found.unseen)


def _outputs(
    profile: Profile, window: Window, rule: DriftRule, labels: ArrayLike | None
) -> list[Measured]:
    found = []
    score = _feature(window, len(profile.columns), rule)
    if score.n_cur:
        found.append(replace(score, kind="score"))
    if window.predicted.sum():
        before = np.round(np.array(profile.scores.predicted_rates) * profile.n_rows)
        found.append(measure_counts("prediction", "prediction", before, window.predicted, rule))
    if labels is not None:
        found += _labels(profile, labels, rule)
    return found


def _labels(profile: Profile, labels: ArrayLike, rule: DriftRule) -> list[Measured]:
    """Nothing where no row has a label, or the training's labels are not known."""
    before, now = profile.class_counts, np.asarray(labels, np.float64)
    if before and now.shape != (len(before),):
        raise DataError(f"labels must be counts of {len(before)} classes")
    return [measure_counts("label", "label", before, now, rule)] if before and now.sum() else []


def _judged(measured: Sequence[Measured], rule: DriftRule) -> tuple[FeatureDrift, ...]:
    """The features with p values corrected within each measure, and their verdicts."""
    evidence = _corrected([found.p_value for found in measured])
    by_measure: dict[str, list[float | None]] = {}
    for name in {result.name for found in measured for result in found.results}:
        by_measure[name] = _corrected([_p_value(found, name) for found in measured])
    return tuple(
        FeatureDrift(
            name=found.name,
            kind=found.kind,
            verdict=_two_keys(found.effect, found.threshold, p, rule)
            if rule.is_enough(found.n_ref, found.n_cur)
            else "insufficient_data",
            effect=found.effect,
            threshold=found.threshold,
            p_value=found.p_value,
            p_adjusted=p,
            n_ref=found.n_ref,
            n_cur=found.n_cur,
            missing=found.missing,
            unseen=found.unseen,
            results=tuple(
                _with_verdict(result, by_measure[result.name][place], found, rule)
                for result in found.results
            ),
        )
        for place, (found, p) in enumerate(zip(measured, evidence, strict=True))
    )


def _two_keys(effect: float | None, threshold: float, p: float | None, rule: DriftRule) -> Verdict:
    chance = 1.0 if p is None else p
    if effect is None or effect < threshold:
        return "possible" if chance < rule.alpha else "no_drift"
    if chance < rule.alpha:
        return "drift"
    return "possible" if chance < rule.possible_alpha else "no_drift"


def _corrected(p_values: list[float | None]) -> list[float | None]:
    known = iter(adjusted([p for p in p_values if p is not None]))
    return [None if p is None else next(known) for p in p_values]


def _p_value(found: Measured, name: str) -> float | None:
    return next((result.p_value for result in found.results if result.name == name), None)


def _with_verdict(result: Result, p: float | None, found: Measured, rule: DriftRule) -> Result:
    """A measure's own verdict: a distance or a p value alone, z by both keys, PSI by its habits."""
    chance = 1.0 if p is None else p
    if result.direction == "below":
        result = replace(result, value=p)
        verdict: Verdict = "drift" if chance < rule.alpha else "no_drift"
    elif result.name == "psi":
        verdict = _by_habit(result.value or 0.0, chance, rule)
    elif result.name == "z_shift" and p is not None:
        verdict = _two_keys(result.value, result.threshold, p, rule)
    else:
        verdict = "drift" if (result.value or 0.0) >= result.threshold else "no_drift"
    enough = rule.is_enough(found.n_ref, found.n_cur)
    return replace(result, p_adjusted=p, verdict=verdict if enough else "insufficient_data")


def _by_habit(index: float, p: float, rule: DriftRule) -> Verdict:
    """What rows like the training's reach by chance is no shift, however large the index."""
    if index < rule.psi_watch or p >= rule.alpha:
        return "no_drift"
    return "drift" if index >= rule.psi_shift else "possible"
