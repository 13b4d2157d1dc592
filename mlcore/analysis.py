"""What can be said about a trained classifier beyond its metrics, gathered for pages and REST.

It decides what is worth knowing; every number comes from a module of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

import numpy as np

from mlcore.alive import Alive, nothing
from mlcore.arrays import EPS, FloatArray
from mlcore.classifier import Classifier
from mlcore.collinearity import CollinearityReport, collinearity
from mlcore.estimators import Linear, Logistic, Softmax
from mlcore.importance import ImportanceReport, ImportanceSettings, permutation_importance
from mlcore.inference import InferenceReport, SoftmaxInferenceReport, infer, infer_softmax
from mlcore.intervals import BootstrapSettings, IntervalReport, bootstraps, delong, wilson
from mlcore.path import PathReport, regularisation_path
from mlcore.preparation import Part, Prepared
from mlcore.ranking import roc_auc
from mlcore.reliability import (
    BrierReport,
    CalibrationIntervals,
    CalibrationReport,
    ReliabilityReport,
    brier_decomposition,
    calibration_intervals,
    calibration_line,
    reliability,
)
from mlcore.thresholds import CurvePoint, threshold_curve
from mlcore.validation import FreeValidationReport, leave_one_out

CHEAP_PATH = 2e8
"""Rows times squared coefficients up to which every training gets its regularisation path."""

_WORST = 10
_SLOTS_WITH_MATRICES = 60


@dataclass(frozen=True)
class WorstRow:
    """A validation row that the classifier got badly wrong: its line, class and probability."""

    line: int
    label: str
    probability: float
    loss: float


@dataclass(frozen=True, eq=False)
class AnalysisReport:
    """Everything a reviewer may ask of one training.

    Of linear families alone, from the training rows: ``inference``, ``collinearity``,
    ``free_validation`` and ``path``, and from the validation rows ``importance``. Of all
    families, from the validation rows: ``intervals``, the worst rows and, for two classes,
    ``reliability``, ``calibration`` with its intervals, ``brier`` and the threshold curve.
    ``slots`` names the coefficients.
    """

    slots: tuple[str, ...]
    lambda_: float | None
    inference: InferenceReport | SoftmaxInferenceReport | None
    collinearity: CollinearityReport | None
    free_validation: FreeValidationReport | None
    path: PathReport | None
    importance: ImportanceReport | None
    intervals: tuple[IntervalReport, ...]
    worst_rows: tuple[WorstRow, ...]
    reliability: ReliabilityReport | None
    calibration: CalibrationReport | None
    calibration_intervals: CalibrationIntervals | None
    brier: BrierReport | None
    thresholds: tuple[CurvePoint, ...]

    def to_dict(self) -> dict[str, Any]:
        """Lists, numbers, texts and None, ready for JSON."""
        found = {name: _plain(value) for name, value in vars(self).items()}
        inference = found["inference"]
        if inference and len(self.slots) > _SLOTS_WITH_MATRICES:
            # Their size is the square of the number of slots, and nothing shows them.
            del inference["covariance"], inference["robust_covariance"]
        return found


def _plain(value: Any) -> Any:
    if isinstance(value, PathReport):
        return value.to_dict()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return asdict(value) if hasattr(value, "__dataclass_fields__") else value


def analyse(
    classifier: Classifier,
    data: Prepared,
    *,
    lambda_: float | None = None,
    weights: FloatArray | None = None,
    path: PathReport | None = None,
    alive: Alive = nothing,
) -> AnalysisReport:
    """Look at a classifier from every side, with the rows it was made from and judged on.

    ``alive`` is called now and then and may raise.

    >>> from mlcore import TrainingSpec, synthetic_raisin, train
    >>> result = train(TrainingSpec(target="Class"), synthetic_raisin())
    >>> analysis = result.analysis
    >>> [interval.name for interval in analysis.intervals]
    ['accuracy', 'roc_auc', 'log_loss', 'brier', 'f1']
    >>> analysis.collinearity.warnings != ()
    True
    """
    linear = isinstance(classifier.estimator, Linear) and lambda_ is not None
    fit = None
    if linear:
        fit = _of_the_fit(classifier, data.train, lambda_ or 0.0, weights, path, alive)
    alive()
    judged = data.validation
    probabilities = classifier.probabilities(judged.columns)
    binary = _of_two_classes(judged.y, probabilities[:, 1]) if classifier.is_binary else None
    return AnalysisReport(
        slots=classifier.encoder.slots,
        lambda_=lambda_,
        inference=fit.inference if fit else None,
        collinearity=fit.collinearity if fit else None,
        free_validation=fit.free_validation if fit else None,
        path=fit.path if fit else None,
        importance=_importance(classifier, judged, fit.groups, alive) if fit else None,
        intervals=_intervals(classifier, judged.y, probabilities, alive),
        worst_rows=_worst_rows(classifier, judged, probabilities),
        reliability=binary.reliability if binary else None,
        calibration=binary.calibration if binary else None,
        calibration_intervals=binary.calibration_intervals if binary else None,
        brier=binary.brier if binary else None,
        thresholds=binary.thresholds if binary else (),
    )


@dataclass(frozen=True, eq=False)
class _Fit:
    inference: InferenceReport | SoftmaxInferenceReport
    collinearity: CollinearityReport
    free_validation: FreeValidationReport | None
    path: PathReport | None
    groups: tuple[tuple[int, ...], ...]


def _of_the_fit(
    classifier: Classifier,
    part: Part,
    lambda_: float,
    weights: FloatArray | None,
    path: PathReport | None,
    alive: Alive,
) -> _Fit:
    Z, y = classifier.encoder.transform(part.columns), part.y
    theta = _theta(classifier)
    inference: InferenceReport | SoftmaxInferenceReport
    if isinstance(classifier.estimator, Softmax):
        softmax = classifier.estimator
        inference = infer_softmax(Z, y, softmax.weights, softmax.intercepts, lambda_, weights)
    else:
        inference = infer(Z, y, theta, lambda_, weights)
    columns = collinearity(Z, classifier.encoder.slots)
    if path is None and len(Z) * theta.size**2 <= CHEAP_PATH:
        path = regularisation_path(Z, y, weights, alive=alive)
    return _Fit(
        inference=inference,
        collinearity=columns,
        free_validation=leave_one_out(Z, y, theta, lambda_, weights)
        if classifier.converged
        else None,
        path=path,
        groups=_column_groups(columns, classifier.encoder.owners),
    )


def _theta(classifier: Classifier) -> FloatArray:
    """(d + 1,) for two classes, (K, d + 1) for more; the intercepts last."""
    estimator = classifier.estimator
    if isinstance(estimator, Logistic):
        return np.append(estimator.weights, estimator.intercept)
    softmax = cast(Softmax, estimator)
    return np.column_stack((softmax.weights, softmax.intercepts))


def _column_groups(
    report: CollinearityReport, owners: Sequence[int]
) -> tuple[tuple[int, ...], ...]:
    """The groups of slots, told in columns; a category's own levels are no group."""
    groups = (tuple(sorted({owners[slot] for slot in group})) for group in report.groups)
    return tuple(dict.fromkeys(group for group in groups if len(group) > 1))


@dataclass(frozen=True, eq=False)
class _TwoClasses:
    reliability: ReliabilityReport
    calibration: CalibrationReport
    calibration_intervals: CalibrationIntervals | None
    brier: BrierReport
    thresholds: tuple[CurvePoint, ...]


def _of_two_classes(y: FloatArray, p: FloatArray) -> _TwoClasses:
    return _TwoClasses(
        reliability=reliability(y, p),
        calibration=calibration_line(y, p),
        calibration_intervals=calibration_intervals(y, p),
        brier=brier_decomposition(y, p, bins=10),
        thresholds=threshold_curve(y, p, points=100),
    )


def _importance(
    classifier: Classifier, part: Part, groups: tuple[tuple[int, ...], ...], alive: Alive
) -> ImportanceReport:
    """Of every column, and of every group of columns that stand for each other."""
    report = classifier.score_columns(part.columns)
    names = classifier.schema.names
    together = {" + ".join(names[column] for column in group): group for group in groups}
    alone = {name: (number,) for number, name in enumerate(names)}
    return permutation_importance(
        part.y,
        report.scores,
        report.contributions,
        groups={**alone, **together},
        settings=ImportanceSettings(alive=alive),
    )


def _intervals(
    classifier: Classifier, y: FloatArray, probabilities: FloatArray, alive: Alive
) -> tuple[IntervalReport, ...]:
    """95 % intervals of what the validation rows say."""
    n, right = len(y), float(np.sum(classifier.decide(probabilities) == y))
    accuracy = IntervalReport("accuracy", right / n, *wilson(right, n), "Wilson")
    if not classifier.is_binary:
        return (accuracy,)
    p = probabilities[:, 1]
    settings = BootstrapSettings(threshold=classifier.threshold or 0.0)
    others = bootstraps(y, p, ("log_loss", "brier", "f1"), settings=settings, alive=alive)
    return (accuracy, _area(y, p), *others)


def _area(y: FloatArray, p: FloatArray) -> IntervalReport:
    """ROC AUC; its error needs two rows of each class."""
    if min(y.sum(), len(y) - y.sum()) < 2:
        return IntervalReport("roc_auc", roc_auc(y, p), None, None, "DeLong")
    area = delong(y, p)
    return IntervalReport("roc_auc", area.value, area.low, area.high, "DeLong")


def _worst_rows(
    classifier: Classifier, part: Part, probabilities: FloatArray
) -> tuple[WorstRow, ...]:
    """The rows with the largest loss: few and confident misses carry most of a log loss."""
    labels = part.y.astype(np.int64)
    own = probabilities[np.arange(len(labels)), labels]
    loss = -np.log(np.maximum(own, EPS))
    worst = np.argsort(-loss, kind="stable")[:_WORST].tolist()
    return tuple(
        WorstRow(part.lines[i], classifier.classes[labels[i]], float(own[i]), float(loss[i]))
        for i in worst
    )
