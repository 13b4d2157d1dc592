from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from mlcore import (
    DataError,
    Iteration,
    MulticlassReport,
    NotConvergedWarning,
    Table,
    TrainingResult,
    TrainingSpec,
    best_threshold,
    evaluate,
    evaluate_predictions,
    fit_isotonic,
    fit_platt,
    run_training,
    synthetic_raisin,
    table_rows,
    train,
)
from mlcore.bundle import encode
from mlcore.history import Descent
from mlcore.loss import sigmoid
from mlcore.training import class_weights
from mlcore.validation import leave_one_out_scores
from tests.mlcore.conftest import mixed_table

SPEC = TrainingSpec(target="Class")


def without(table: Table, lines: set[int]) -> Table:
    rows = [number for number, line in enumerate(table.lines) if line not in lines]
    return table.select(rows, name="training rows")


def test_it_works(trained: TrainingResult) -> None:
    assert trained.report.converged
    assert trained.classifier.converged
    assert trained.classifier.classes == ("Kecimen", "Besni")
    assert (trained.n_train, trained.n_validation) == (720, 180)
    assert trained.train.n == 720
    assert trained.validation.n == 180
    assert 0.8 < trained.validation.accuracy < 0.9
    assert trained.dataset_sha256 == synthetic_raisin().sha256


def test_it_records_what_was_decided(trained: TrainingResult) -> None:
    table = synthetic_raisin()
    assert trained.spec == replace(SPEC, columns=table.header[:-1], positive="Besni")


def test_the_holdout_keeps_the_original_text_and_lines(trained: TrainingResult) -> None:
    table = synthetic_raisin()
    holdout = trained.holdout
    assert holdout.header == table.header
    assert holdout.synthetic
    by_line = dict(zip(table.lines, table.rows, strict=True))
    assert [by_line[line] for line in holdout.lines] == list(holdout.rows)
    assert list(holdout.lines) == sorted(holdout.lines)


def test_validation_rows_leave_no_trace_in_the_model(trained_mixed: TrainingResult) -> None:
    table = mixed_table()
    held_out = set(trained_mixed.holdout.lines)
    nonsense = [
        ("1", "0.1", "gold", row[-1]) if line in held_out else row
        for line, row in zip(table.lines, table.rows, strict=True)
    ]
    again = train(trained_mixed.spec, replace(table, rows=tuple(nonsense)))
    assert (
        again.classifier.estimator.weights.tolist()
        == trained_mixed.classifier.estimator.weights.tolist()
    )
    learnt, before = (
        replace(result.classifier.profile, performance=None) for result in (again, trained_mixed)
    )
    assert learnt == before
    assert again.validation != trained_mixed.validation


def test_the_same_seed_gives_the_same_model_to_the_last_bit(trained: TrainingResult) -> None:
    again = train(SPEC, synthetic_raisin())
    assert (
        again.classifier.estimator.weights.tobytes()
        == trained.classifier.estimator.weights.tobytes()
    )
    assert again.holdout == trained.holdout
    other = train(replace(SPEC, seed=8), synthetic_raisin())
    assert other.holdout.lines != trained.holdout.lines


def left_out_probabilities(result: TrainingResult) -> tuple[np.ndarray, np.ndarray]:
    """y and the probability of each training row by the coefficients of the others."""
    known = without(synthetic_raisin(), set(result.holdout.lines))
    columns = result.classifier.schema.read(table_rows(result.classifier, known))
    Z = result.classifier.encoder.transform(columns)
    y = np.array([float(row[-1] == "Besni") for row in known.rows])
    return y, sigmoid(leave_one_out_scores(Z, y, result.report.theta, 0.01))


@pytest.mark.parametrize("objective", ["accuracy", "f1", "youden", "cost:5:1", "recall>=0.9"])
def test_a_threshold_is_tuned_on_rows_left_out_one_by_one(objective: str) -> None:
    result = train(replace(SPEC, threshold=objective), synthetic_raisin())
    y, p = left_out_probabilities(result)
    assert result.classifier.threshold == best_threshold(y, p, objective=objective)
    assert result.spec.threshold == result.classifier.threshold == result.validation.threshold


def test_far_from_the_optimum_a_threshold_is_tuned_on_the_training_rows() -> None:
    with pytest.warns(NotConvergedWarning):
        result = train(replace(SPEC, solver="gd", threshold="f1"), synthetic_raisin())
    known = without(synthetic_raisin(), set(result.holdout.lines))
    p = result.classifier.score(table_rows(result.classifier, known)).positive
    y = np.array([float(row[-1] == "Besni") for row in known.rows])
    assert result.classifier.threshold == best_threshold(y, p, objective="f1")


@pytest.mark.parametrize(("method", "fit"), [("platt", fit_platt), ("isotonic", fit_isotonic)])
def test_calibration_is_learnt_on_rows_left_out_one_by_one(method: Any, fit: Any) -> None:
    result = train(replace(SPEC, calibration=method), synthetic_raisin())
    assert result.classifier.calibration == fit(*left_out_probabilities(result))
    p = result.classifier.score(table_rows(result.classifier, result.holdout)).positive
    y = [row[-1] == "Besni" for row in result.holdout.rows]
    found = evaluate_predictions(y, p).log_loss
    assert result.validation.log_loss == pytest.approx(found, abs=1e-12)
    assert result.classifier.profile.scores.quantiles[-1] <= 1.0


def test_the_best_penalty_is_found_by_leave_one_out(raisin_table: Table) -> None:
    result = train(replace(SPEC, lambda_="auto"), raisin_table)
    path = result.analysis.path
    assert path is not None
    best = min(path.rows, key=lambda row: row.log_loss)
    assert result.spec.lambda_ == result.analysis.lambda_ == best.lambda_
    assert result.report.weights == pytest.approx(best.weights, abs=1e-4)


def test_rare_classes_can_weigh_as_much_as_common_ones() -> None:
    table = synthetic_raisin()
    rare = [n for n, row in enumerate(table.rows) if row[-1] == "Kecimen" or n % 5 == 0]
    few = table.select(rare, name="few")
    plain, balanced = (
        train(replace(SPEC, class_weight=weight, positive="Besni"), few)
        for weight in ("none", "balanced")
    )
    assert balanced.validation.recall > plain.validation.recall
    y = np.array([float(row[-1] == "Besni") for row in few.rows])
    p = balanced.classifier.score(table_rows(balanced.classifier, few)).positive
    assert np.average(p, weights=class_weights(y, "balanced")) == pytest.approx(0.5, abs=0.02)


def three_classes() -> Table:
    """Kecimen, and Besni in two sizes."""
    table = synthetic_raisin()
    areas = sorted(float(row[0]) for row in table.rows if row[-1] == "Besni")
    middle = areas[len(areas) // 2]

    def named(row: tuple[str, ...]) -> tuple[str, ...]:
        size = "large" if float(row[0]) > middle else "small"
        return row if row[-1] == "Kecimen" else (*row[:-1], f"Besni {size}")

    return replace(table, rows=tuple(named(row) for row in table.rows))


@pytest.mark.parametrize("solver", ["newton", "gd"])
def test_three_classes_are_trained_without_a_threshold(solver: Any) -> None:
    spec = replace(SPEC, solver=solver, lr="auto", momentum="nesterov", epochs=2000)
    result = train(spec, three_classes())
    assert result.classifier.classes == ("Besni large", "Besni small", "Kecimen")
    assert result.classifier.threshold is None
    assert result.spec.positive is None
    assert isinstance(result.validation, MulticlassReport)
    assert result.validation.accuracy > 0.75
    assert evaluate(result.classifier, result.holdout) == result.validation


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"threshold": 0.4}, "3 classes: the most probable one is predicted"),
        ({"calibration": "platt"}, "calibration is for 2 classes"),
        ({"positive": "Kecimen"}, "none is the positive"),
    ],
)
def test_three_classes_refuse_what_is_for_two(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        train(replace(SPEC, **setting), three_classes())


def test_separated_classes_name_their_columns() -> None:
    table = synthetic_raisin()
    rows = tuple((*row[:-1], str(float(row[-1] == "Besni")), row[-1]) for row in table.rows)
    told = replace(table, header=(*table.header[:-1], "Leak", "Class"), rows=rows)
    with pytest.warns(NotConvergedWarning):
        result = train(replace(SPEC, lambda_=0.0), told)
    assert "the classes are separated by Leak" in result.report.message
    assert not result.classifier.converged


def test_a_class_of_one_row_is_refused() -> None:
    table = synthetic_raisin()
    one = [n for n, row in enumerate(table.rows) if row[-1] == "Kecimen"]
    one.append(next(n for n, row in enumerate(table.rows) if row[-1] == "Besni"))
    with pytest.raises(DataError, match='class "Besni" of "Class" has a single row'):
        train(SPEC, table.select(one, name="one"))


def test_gradient_descent_is_trained_and_told() -> None:
    with pytest.warns(NotConvergedWarning):
        result = train(replace(SPEC, solver="gd"), synthetic_raisin())
    assert result.report.solver == "gd"
    assert not result.classifier.converged
    assert len(result.report.history) == 100


def test_iterations_are_told_as_they_happen(trained: TrainingResult) -> None:
    seen: list[Iteration] = []
    train(SPEC, synthetic_raisin(), on_iteration=seen.append)
    timeless = [replace(row, seconds=0.0) for row in seen]
    assert timeless == [replace(row, seconds=0.0) for row in trained.report.history]
    assert seen[-1].validation_loss == pytest.approx(trained.validation.log_loss, abs=1e-9)


def test_some_columns_can_be_left_out() -> None:
    result = train(replace(SPEC, columns=("Perimeter", "Area")), synthetic_raisin())
    assert result.classifier.schema.names == ("Area", "Perimeter")
    assert result.holdout.header == synthetic_raisin().header
    assert evaluate(result.classifier, result.holdout) == result.validation


def test_the_other_class_can_be_positive(trained: TrainingResult) -> None:
    result = train(replace(SPEC, positive="Kecimen"), synthetic_raisin())
    assert result.classifier.classes == ("Besni", "Kecimen")
    assert result.classifier.estimator.weights == pytest.approx(
        -trained.classifier.estimator.weights, abs=1e-9
    )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"target": "Klass"}, 'did you mean "Class"'),
        ({"solver": "sgd"}, "unknown solver 'sgd': use newton or gd"),
        ({"threshold": "f2"}, "unknown threshold objective 'f2': use accuracy, f1"),
        ({"threshold": 1.5}, "threshold must lie between 0 and 1"),
        ({"lambda_": "best"}, "a number or auto"),
        ({"momentum": "heavy"}, "unknown momentum 'heavy': use none or nesterov"),
        ({"class_weight": "even"}, "unknown class_weight"),
        ({"calibration": "beta"}, "unknown calibration"),
        ({"threshold": float("nan")}, "threshold must lie between 0 and 1"),
        ({"test_size": 1.0}, "test_size must lie between 0 and 1"),
        ({"lambda_": -0.1}, "lambda_ must be"),
        ({"solver": "gd", "lr": 0.0}, "lr must be"),
        ({"solver": "gd", "epochs": 0}, "epochs must be"),
        ({"positive": "besni"}, 'did you mean "Besni"'),
        ({"columns": ("Area", "Class")}, "is the target"),
    ],
)
def test_it_refuses_a_wrong_spec(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        train(replace(SPEC, **wrong), synthetic_raisin())


def test_a_column_with_an_offset_of_1e12_trains_as_without() -> None:
    table = synthetic_raisin()
    shifted = tuple((str(10**12 + int(row[0])), *row[1:]) for row in table.rows)
    plain, moved = train(SPEC, table), train(SPEC, replace(table, rows=shifted))
    assert moved.classifier.estimator.weights == pytest.approx(
        plain.classifier.estimator.weights, abs=1e-9
    )
    assert moved.validation.accuracy == plain.validation.accuracy


def test_a_column_that_never_changes_does_no_harm() -> None:
    table = synthetic_raisin()
    rows = tuple((*row[:-1], "7.25", row[-1]) for row in table.rows)
    wide = replace(table, header=(*table.header[:-1], "Batch", "Class"), rows=rows)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = train(replace(SPEC, lambda_=0.0), wide)
    assert result.classifier.estimator.weights[-1] == 0.0


def test_what_is_no_table_is_refused_with_the_way_to_one() -> None:
    with pytest.raises(DataError, match="a str is no Table; read a file with read_csv"):
        train(TrainingSpec(target="Class"), "grains.csv")  # type: ignore[arg-type]


def test_the_settings_of_three_classes_are_kept_without_what_is_for_two() -> None:
    result = train(SPEC, three_classes())
    kept = run_training.params(result)
    assert {"threshold", "positive", "calibration", "lr"}.isdisjoint(kept)
    assert kept["solver"] == "newton"
    assert run_training.params(train(SPEC, synthetic_raisin()))["threshold"] == 0.5


class Ended(Exception):
    """Thrown by who waits for a training."""


def test_it_calls_between_its_steps_who_may_end_it() -> None:
    spec, told = replace(SPEC, lambda_="auto"), list[str]()
    train(
        spec,
        synthetic_raisin(),
        on_iteration=lambda row: told.append("iteration"),
        alive=lambda: told.append("alive"),
    )
    first, last = told.index("iteration"), len(told) - told[::-1].index("iteration")
    assert told[:first].count("alive") > 50 + 2 * 7  # one for each penalty, two for each column
    assert told[last:].count("alive") > 7  # one for each column
    calls = told.count("alive")
    for number in (1, calls // 2, calls):
        answers = Mock(side_effect=[None] * (number - 1) + [Ended])
        with pytest.raises(Ended):
            train(spec, synthetic_raisin(), alive=answers)


def test_gradient_descent_goes_on_to_the_same_bytes() -> None:
    spec = replace(SPEC, solver="gd", epochs=20, momentum="nesterov")
    stood: list[Descent] = []
    with pytest.warns(NotConvergedWarning):
        whole = train(spec, synthetic_raisin(), on_epoch=stood.append)
        halfway = replace(stood[10], history=stood[10].history[:11])
        on = train(spec, synthetic_raisin(), start=halfway)
    assert encode(on.classifier, on.provenance) == encode(whole.classifier, whole.provenance)
    assert [replace(row, seconds=0.0) for row in on.history] == [
        replace(row, seconds=0.0) for row in whole.history
    ]
