"""One training from a table to a judged classifier; pure and seeded, knows no files or clock.

split -> learn fills, means and scales from the training rows -> solve -> tune the threshold on
the training rows -> judge on the validation rows, which nothing before has seen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

from mlcore.arrays import FloatArray
from mlcore.classifier import Classifier
from mlcore.encoding import Encoder
from mlcore.errors import DataError
from mlcore.explain import explain
from mlcore.features import (
    feature_names,
    fill,
    infer_classes,
    infer_columns,
    learn_fills,
    read_cells,
    read_target,
)
from mlcore.loss import sigmoid
from mlcore.metrics import MetricsReport, evaluate_predictions
from mlcore.profile import build_profile
from mlcore.schema import Columns, Schema
from mlcore.solvers import (
    GradientDescentSettings,
    NewtonSettings,
    OnIteration,
    SolverReport,
    gradient_descent,
    newton,
)
from mlcore.split import stratified_split
from mlcore.table import Table
from mlcore.thresholds import Objective, best_threshold

Solver = Literal["newton", "gd"]


@dataclass(frozen=True, kw_only=True)
class TrainingSpec:
    """What to train. ``lr`` and ``epochs`` belong to the solver "gd" alone.

    ``columns`` None means all but the target; ``threshold`` is a number, or what to tune it for.
    """

    target: str
    columns: tuple[str, ...] | None = None
    positive: str | None = None
    solver: Solver = "newton"
    lr: float = 0.01
    epochs: int = 100
    lambda_: float = 0.01
    test_size: float = 0.2
    seed: int = 7
    threshold: float | Objective = 0.5


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """The classifier, how it was found and what it is worth.

    ``holdout`` is the validation part of the original table; ``spec`` states the positive class,
    columns and threshold that were used.
    """

    classifier: Classifier
    report: SolverReport
    train: MetricsReport
    validation: MetricsReport
    holdout: Table
    spec: TrainingSpec
    dataset_sha256: str
    n_train: int
    n_validation: int


def train(
    spec: TrainingSpec, table: Table, *, on_iteration: OnIteration | None = None
) -> TrainingResult:
    """Train one classifier. The same spec and table give the same bytes.

    Raises DataError for a table or a setting that cannot be trained on; warns
    NotConvergedWarning, and says so in ``report``, when the coefficients are provisional.
    """
    _check(spec)
    data = _prepare(spec, table)
    encoder = Encoder.fit(data.schema, data.train.columns)
    report = _solve(spec, encoder, data, on_iteration)
    classifier = _classifier(spec, data, encoder, report)
    return TrainingResult(
        classifier=classifier,
        report=report,
        train=_judge(classifier, data.train),
        validation=_judge(classifier, data.validation),
        holdout=data.holdout,
        spec=replace(
            spec,
            columns=data.schema.names,
            positive=classifier.classes[1],
            threshold=classifier.threshold,
        ),
        dataset_sha256=table.sha256,
        n_train=data.train.columns.n_rows,
        n_validation=data.validation.columns.n_rows,
    )


def evaluate(classifier: Classifier, table: Table) -> MetricsReport:
    """Judge any classifier on a labelled table, such as the holdout of another training.

    The table needs the classifier's columns and target; others are ignored. DataError names the
    line and column of every cell that the classifier's schema refuses.
    """
    columns = fill(classifier.schema, read_cells(classifier.schema.columns, table))
    y = read_target(table, target=classifier.target, classes=classifier.classes)
    return _judge(classifier, _Part(columns, y))


def table_rows(classifier: Classifier, table: Table) -> list[dict[str, float | str | None]]:
    """The table's rows as prediction requests hold them: numbers, texts, None where missing."""
    cells = read_cells(classifier.schema.columns, table)
    columns = []
    for name in classifier.schema.names:
        values, holes = cells.values[name].tolist(), cells.missing[name].tolist()
        columns.append([None if hole else v for v, hole in zip(values, holes, strict=True)])
    names = classifier.schema.names
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


@dataclass(frozen=True, eq=False)
class _Part:
    columns: Columns
    y: FloatArray


@dataclass(frozen=True, eq=False)
class _Data:
    schema: Schema
    classes: tuple[str, str]
    train: _Part
    validation: _Part
    holdout: Table


def _check(spec: TrainingSpec) -> None:
    if spec.solver not in get_args(Solver):
        raise DataError(f"unknown solver {spec.solver!r}: use newton or gd")
    if isinstance(spec.threshold, str):
        if spec.threshold not in get_args(Objective):
            objectives = ", ".join(get_args(Objective))
            raise DataError(f"threshold is a number or one of {objectives}: {spec.threshold!r}")
    elif not 0 <= spec.threshold <= 1:
        raise DataError(f"threshold must lie between 0 and 1, got {spec.threshold}")


def _prepare(spec: TrainingSpec, table: Table) -> _Data:
    names = feature_names(table, target=spec.target, chosen=spec.columns)
    classes = infer_classes(table, target=spec.target, positive=spec.positive)
    y = read_target(table, target=spec.target, classes=classes)
    for label, count in zip(classes, (len(y) - y.sum(), y.sum()), strict=True):
        if count < 2:
            raise DataError(f'class "{label}" of "{spec.target}" has a single row; a split needs 2')
    kinds = infer_columns(table, names)
    cells = read_cells(kinds, table)
    train_rows, validation_rows = stratified_split(y, test_size=spec.test_size, seed=spec.seed)
    schema = learn_fills(kinds, cells, train_rows)
    columns = fill(schema, cells)
    return _Data(
        schema=schema,
        classes=classes,
        train=_Part(columns.take(train_rows), y[train_rows]),
        validation=_Part(columns.take(validation_rows), y[validation_rows]),
        holdout=table.select(validation_rows.tolist(), name=f"{table.name} (validation rows)"),
    )


def _solve(
    spec: TrainingSpec, encoder: Encoder, data: _Data, on_iteration: OnIteration | None
) -> SolverReport:
    X, y = encoder.transform(data.train.columns), data.train.y
    validation = encoder.transform(data.validation.columns), data.validation.y
    if spec.solver == "gd":
        gd = GradientDescentSettings(lr=spec.lr, epochs=spec.epochs, lambda_=spec.lambda_)
        return gradient_descent(X, y, settings=gd, validation=validation, on_iteration=on_iteration)
    settings = NewtonSettings(lambda_=spec.lambda_)
    return newton(X, y, settings=settings, validation=validation, on_iteration=on_iteration)


def _classifier(
    spec: TrainingSpec, data: _Data, encoder: Encoder, report: SolverReport
) -> Classifier:
    known = data.train
    explained = explain(
        encoder.transform(known.columns),
        report.weights,
        report.intercept,
        owners=encoder.owners,
        n_columns=len(data.schema.columns),
    )
    probabilities = sigmoid(explained.logits)
    threshold = (
        best_threshold(known.y, probabilities, objective=spec.threshold)
        if isinstance(spec.threshold, str)
        else float(spec.threshold)
    )
    return Classifier(
        target=spec.target,
        classes=data.classes,
        schema=data.schema,
        encoder=encoder,
        weights=report.weights,
        intercept=report.intercept,
        threshold=threshold,
        profile=build_profile(
            data.schema, known.columns, probabilities=probabilities, threshold=threshold
        ),
        converged=report.converged,
    )


def _judge(classifier: Classifier, part: _Part) -> MetricsReport:
    probabilities = classifier.score_columns(part.columns).probabilities
    return evaluate_predictions(part.y, probabilities, classifier.threshold)
