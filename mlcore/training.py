"""One training from a table to a judged classifier; pure and seeded, knows no files or clock.

split -> learn fills, means and scales from the training rows -> choose lambda -> solve ->
calibrate and tune the threshold on probabilities that leave-one-out gives the training rows ->
judge on the validation rows, which nothing before has seen -> analyse.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Literal, NamedTuple, get_args

import numpy as np

from mlcore.alive import Alive, nothing
from mlcore.analysis import AnalysisReport, analyse
from mlcore.arrays import FloatArray
from mlcore.assembly import CalibrationMethod, Decision, assemble, learn_decision
from mlcore.bundle import Provenance, running_versions
from mlcore.classifier import Classifier
from mlcore.encoding import Encoder
from mlcore.errors import DataError
from mlcore.estimators import Estimator, Logistic, Softmax
from mlcore.evaluation import Report, judge
from mlcore.history import Descent, OnEpoch
from mlcore.path import PathReport, regularisation_path
from mlcore.preparation import Prepared, Question, prepare
from mlcore.rows import Rows, as_rows
from mlcore.solvers import (
    GradientDescentSettings,
    Iteration,
    NewtonSettings,
    OnIteration,
    SolverReport,
    Watch,
    gradient_descent,
    newton,
)
from mlcore.table import Table
from mlcore.thresholds import ThresholdSpec
from mlcore.validation import leave_one_out_scores

Solver = Literal["newton", "gd"]
ClassWeight = Literal["none", "balanced"]


@dataclass(frozen=True, kw_only=True)
class TrainingSpec:
    """What to train. ``lr``, ``momentum`` and ``epochs`` belong to the solver "gd" alone.

    ``columns`` None means all but the target. ``lambda_`` "auto" takes the penalty with the best
    approximate leave-one-out log loss. ``threshold`` is a number, or what to tune it for (see
    ``ThresholdSpec``); three or more classes have none. ``class_weight`` "balanced" weighs every
    row by n / (K n_class).
    """

    target: str
    columns: tuple[str, ...] | None = None
    positive: str | None = None
    solver: Solver = "newton"
    lr: float | Literal["auto"] = 0.01
    momentum: Literal["none", "nesterov"] = "none"
    epochs: int = 100
    lambda_: float | Literal["auto"] = 0.01
    class_weight: ClassWeight = "none"
    calibration: CalibrationMethod = "none"
    test_size: float = 0.2
    seed: int = 7
    threshold: float | str = 0.5

    def __post_init__(self) -> None:
        for name, choices in (
            ("solver", get_args(Solver)),
            ("momentum", ("none", "nesterov")),
            ("class_weight", get_args(ClassWeight)),
            ("calibration", get_args(CalibrationMethod)),
        ):
            if getattr(self, name) not in choices:
                raise DataError(
                    f"unknown {name} {getattr(self, name)!r}: use {' or '.join(choices)}"
                )
        if isinstance(self.lambda_, str) and self.lambda_ != "auto":
            raise DataError(f"lambda_ is a number or auto, got {self.lambda_!r}")
        ThresholdSpec.of(self.threshold)  # raises for one that means nothing


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """The classifier, how it was found, what it is worth and what can be said about it.

    ``holdout`` is the validation part of the original table; ``spec`` states the positive class,
    columns, penalty and threshold that were used; ``path`` is there where a path was computed.
    """

    classifier: Classifier
    report: SolverReport
    train: Report
    validation: Report
    analysis: AnalysisReport
    holdout: Table
    spec: TrainingSpec
    dataset_sha256: str
    n_train: int
    n_validation: int

    @property
    def history(self) -> tuple[Iteration, ...]:
        return self.report.history

    @property
    def provenance(self) -> Provenance:
        """What the bundle says of this training."""
        return Provenance(
            dataset_sha256=self.dataset_sha256,
            synthetic=self.holdout.synthetic,
            rows={"train": self.n_train, "validation": self.n_validation},
            metrics={"train": self.train.as_dict(), "validation": self.validation.as_dict()},
            spec=asdict(self.spec),
            solver={
                "name": self.report.solver,
                "iterations": self.report.iterations,
                "decrement": self.report.decrement,
                "message": self.report.message,
            },
            versions=running_versions(),
        )


def train(
    spec: TrainingSpec,
    table: Table,
    *,
    on_iteration: OnIteration | None = None,
    on_epoch: OnEpoch | None = None,
    start: Descent | None = None,
    alive: Alive = nothing,
) -> TrainingResult:
    """Train one classifier. The same spec and table give the same bytes.

    Gradient descent tells ``on_epoch`` where it stands, and goes on from ``start`` to the same
    bytes; other solvers have no use for either. ``alive`` is called between long steps and may
    raise. Raises DataError for a table or a setting that cannot be trained on; warns
    NotConvergedWarning, and says so in ``report``, when the coefficients are provisional.

    >>> from mlcore import synthetic_raisin
    >>> result = train(TrainingSpec(target="Class", lambda_="auto"), synthetic_raisin())
    >>> result.report.converged, result.n_train, result.n_validation
    (True, 720, 180)
    """
    question = Question(target=spec.target, positive=spec.positive, columns=spec.columns)
    data = prepare(question, table, test_size=spec.test_size, seed=spec.seed, alive=alive)
    check_classes(spec, data.classes)
    encoder = Encoder.fit(data.schema, data.train.columns)
    watch = Watch(None, on_iteration, on_epoch)
    alive()
    fit = _solve(spec, encoder, data, watch, _Going(start, alive))
    return conclude(spec, data, fit, dataset_sha256=table.sha256, alive=alive)


class _Going(NamedTuple):
    """From where a training goes on, and what it calls on its way."""

    start: Descent | None
    alive: Alive


@dataclass(frozen=True, eq=False)
class Fit:
    """The coefficients with everything that led to them; Z holds the encoded training rows of a
    ``Prepared`` and ``weights`` theirs."""

    encoder: Encoder
    report: SolverReport
    lambda_: float
    weights: FloatArray | None
    path: PathReport | None
    Z: FloatArray


def conclude(
    spec: TrainingSpec,
    data: Prepared,
    fit: Fit,
    *,
    dataset_sha256: str,
    analysed: Prepared | None = None,
    alive: Alive = nothing,
) -> TrainingResult:
    """From coefficients to the result: calibrate and tune on the training rows, judge, analyse.

    ``analysed`` has fewer of the same rows, where an analysis of all would take too long.
    """
    looked_at = analysed or data
    weights = class_weights(looked_at.train.y, spec.class_weight)
    alive()
    classifier = _classifier(spec, data, fit)
    alive()
    train, validation = judge(classifier, data.train), judge(classifier, data.validation)
    analysis = analyse(
        classifier, looked_at, lambda_=fit.lambda_, weights=weights, path=fit.path, alive=alive
    )
    return TrainingResult(
        classifier=classifier,
        report=_named(fit.report, fit.encoder),
        train=train,
        validation=validation,
        analysis=analysis,
        holdout=data.holdout,
        spec=_resolved(spec, classifier, fit),
        dataset_sha256=dataset_sha256,
        n_train=data.train.columns.n_rows,
        n_validation=data.validation.columns.n_rows,
    )


def class_weights(y: FloatArray, class_weight: ClassWeight) -> FloatArray | None:
    """n / (K n_class) for every row, which gives all classes the same total; or None.

    >>> class_weights(np.array([0.0, 0.0, 0.0, 1.0]), "balanced").round(3).tolist()
    [0.667, 0.667, 0.667, 2.0]
    """
    if class_weight == "none":
        return None
    labels = y.astype(np.int64)
    counts = np.bincount(labels)
    weights: FloatArray = (len(y) / (len(counts) * counts))[labels]
    return weights


def check_classes(spec: TrainingSpec, classes: tuple[str, ...]) -> None:
    """DataError for settings that are for two classes where there are more."""
    if len(classes) == 2:
        return
    if spec.threshold != TrainingSpec.threshold:
        raise DataError(
            f'"{spec.target}" has {len(classes)} classes: the most probable one is predicted, '
            "without a threshold"
        )
    if spec.calibration != "none":
        raise DataError(f'calibration is for 2 classes, "{spec.target}" has {len(classes)}')


def _solve(
    spec: TrainingSpec, encoder: Encoder, data: Prepared, watch: Watch, going: _Going
) -> Fit:
    Z, y = encoder.transform(data.train.columns), data.train.y
    weights = class_weights(y, spec.class_weight)
    lambda_, path = choose_penalty(spec, Z, y, weights, going.alive)
    judged = data.validation
    watch = replace(watch, validation=(encoder.transform(judged.columns), judged.y))
    report = descend(spec, lambda_, as_rows(Z, y, weights), watch, going.start)
    return Fit(encoder, report, lambda_, weights, path, Z)


def choose_penalty(
    spec: TrainingSpec,
    Z: FloatArray,
    y: FloatArray,
    weights: FloatArray | None,
    alive: Alive = nothing,
) -> tuple[float, PathReport | None]:
    """The penalty asked for, or the best of a path over these rows, with that path."""
    if spec.lambda_ != "auto":
        return float(spec.lambda_), None
    path = regularisation_path(Z, y, weights, alive=alive)
    return path.rows[path.best].lambda_, path


def descend(
    spec: TrainingSpec, lambda_: float, rows: Rows, watch: Watch, start: Descent | None = None
) -> SolverReport:
    """The coefficients of standardised rows, wherever they lie, by the solver that was asked for.

    Gradient descent goes on from ``start``; Newton's method needs a few passes and has no such.
    """
    if spec.solver == "gd":
        settings = GradientDescentSettings(
            lr=spec.lr, epochs=spec.epochs, lambda_=lambda_, momentum=spec.momentum
        )
        return gradient_descent(rows, settings=settings, watch=watch, start=start)
    return newton(rows, settings=NewtonSettings(lambda_=lambda_), watch=watch)


def _named(report: SolverReport, encoder: Encoder) -> SolverReport:
    """The report whose message names the columns that separate the classes."""
    if report.separation is None:
        return report
    names = ", ".join(encoder.slots[column] for column in report.separation.columns)
    return replace(report, message=report.message.replace("these columns", names))


def _classifier(spec: TrainingSpec, data: Prepared, fit: Fit) -> Classifier:
    estimator, decision = _estimator(fit.report), Decision()
    if len(data.classes) == 2:
        y = data.train.y
        decision = learn_decision(
            y,
            _honest_probabilities(estimator, y, fit),
            calibration=spec.calibration,
            threshold=ThresholdSpec.of(spec.threshold),
        )
    return assemble(data, fit.encoder, estimator, decision, converged=fit.report.converged)


def _estimator(report: SolverReport) -> Estimator:
    if isinstance(report.intercept, float):
        return Logistic(report.weights, report.intercept)
    return Softmax.centred(report.weights, report.intercept)


def _honest_probabilities(estimator: Estimator, y: FloatArray, fit: Fit) -> FloatArray:
    """P(positive) of each training row by the coefficients that the other rows would give.

    Leave-one-out comes from the Hessian at the optimum. Away from it (gradient descent that did
    not arrive, separated classes) the coefficients' own probabilities are all there is.
    """
    scores = estimator.scores(fit.Z)
    if fit.report.converged:
        left_out = leave_one_out_scores(fit.Z, y, fit.report.theta, fit.lambda_, fit.weights)
        scores = left_out[:, np.newaxis]
    return estimator.probabilities(scores)[:, 1]


def _resolved(spec: TrainingSpec, classifier: Classifier, fit: Fit) -> TrainingSpec:
    """The spec with what was chosen in place of what was asked for."""
    return replace(
        spec,
        columns=classifier.schema.names,
        positive=classifier.classes[1] if classifier.is_binary else None,
        lambda_=fit.lambda_,
        threshold=TrainingSpec.threshold if classifier.threshold is None else classifier.threshold,
    )
