from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mlcore import (
    DataError,
    Iteration,
    NotConvergedWarning,
    Table,
    TrainingResult,
    TrainingSpec,
    best_threshold,
    evaluate,
    synthetic_raisin,
    table_rows,
    train,
)
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


def test_evaluating_the_holdout_repeats_the_validation(
    trained: TrainingResult, trained_mixed: TrainingResult
) -> None:
    assert evaluate(trained.classifier, trained.holdout) == trained.validation
    assert evaluate(trained_mixed.classifier, trained_mixed.holdout) == trained_mixed.validation


def test_validation_rows_leave_no_trace_in_the_model(trained_mixed: TrainingResult) -> None:
    table = mixed_table()
    held_out = set(trained_mixed.holdout.lines)
    nonsense = [
        ("1", "0.1", "gold", row[-1]) if line in held_out else row
        for line, row in zip(table.lines, table.rows, strict=True)
    ]
    again = train(trained_mixed.spec, replace(table, rows=tuple(nonsense)))
    assert again.classifier.weights.tolist() == trained_mixed.classifier.weights.tolist()
    assert again.classifier.profile == trained_mixed.classifier.profile
    assert again.validation != trained_mixed.validation


def test_the_same_seed_gives_the_same_model_to_the_last_bit(trained: TrainingResult) -> None:
    again = train(SPEC, synthetic_raisin())
    assert again.classifier.weights.tobytes() == trained.classifier.weights.tobytes()
    assert again.holdout == trained.holdout
    other = train(replace(SPEC, seed=8), synthetic_raisin())
    assert other.holdout.lines != trained.holdout.lines


@pytest.mark.parametrize("objective", ["accuracy", "f1", "youden"])
def test_a_tuned_threshold_knows_the_training_rows_alone(objective: Any) -> None:
    table = synthetic_raisin()
    result = train(replace(SPEC, threshold=objective), table)
    known = without(table, set(result.holdout.lines))
    p = result.classifier.score(table_rows(result.classifier, known)).probabilities
    y = np.array([float(row[-1] == "Besni") for row in known.rows])
    assert result.classifier.threshold == best_threshold(y, p, objective=objective)
    assert result.spec.threshold == result.classifier.threshold == result.validation.threshold


def test_a_tuned_threshold_is_not_worse_on_the_training_rows(trained: TrainingResult) -> None:
    tuned = train(replace(SPEC, threshold="accuracy"), synthetic_raisin())
    assert tuned.train.accuracy >= trained.train.accuracy


def test_gradient_descent_is_trained_and_told() -> None:
    with pytest.warns(NotConvergedWarning):
        result = train(replace(SPEC, solver="gd"), synthetic_raisin())
    assert result.report.solver == "gd"
    assert not result.classifier.converged
    assert len(result.report.history) == 100


def test_iterations_are_told_as_they_happen(trained: TrainingResult) -> None:
    seen: list[Iteration] = []
    train(SPEC, synthetic_raisin(), on_iteration=seen.append)
    assert tuple(seen) == trained.report.history
    assert seen[-1].validation_loss == pytest.approx(trained.validation.log_loss, abs=1e-9)


def test_some_columns_can_be_left_out() -> None:
    result = train(replace(SPEC, columns=("Perimeter", "Area")), synthetic_raisin())
    assert result.classifier.schema.names == ("Area", "Perimeter")
    assert result.holdout.header == synthetic_raisin().header
    assert evaluate(result.classifier, result.holdout) == result.validation


def test_the_other_class_can_be_positive(trained: TrainingResult) -> None:
    result = train(replace(SPEC, positive="Kecimen"), synthetic_raisin())
    assert result.classifier.classes == ("Besni", "Kecimen")
    assert result.classifier.weights == pytest.approx(-trained.classifier.weights, abs=1e-9)


def test_a_classifier_judges_the_holdout_of_another(trained: TrainingResult) -> None:
    small = train(replace(SPEC, columns=("Area",), seed=3), synthetic_raisin())
    assert evaluate(small.classifier, trained.holdout).n == 180


def test_prediction_rows_are_typed(trained_mixed: TrainingResult) -> None:
    rows = table_rows(trained_mixed.classifier, mixed_table())
    first = synthetic_raisin().rows[0]
    assert rows[0] == {"Area": float(first[0]), "Extent": float(first[5]), "Colour": "red"}
    assert rows[3]["Colour"] is None
    assert rows[5]["Extent"] is None


def test_a_table_to_judge_is_refused_by_line(trained: TrainingResult) -> None:
    table = trained.holdout
    broken = replace(table, rows=(("x", *table.rows[0][1:]), *table.rows[1:]))
    message = f"line {table.lines[0]}, column Area: expected a number, got 'x'"
    with pytest.raises(DataError, match=message):
        evaluate(trained.classifier, broken)
    with pytest.raises(DataError, match=message):
        table_rows(trained.classifier, broken)
    with pytest.raises(DataError, match='there is no column "Class"'):
        evaluate(trained.classifier, replace(table, header=(*table.header[:-1], "Variety")))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"target": "Klass"}, 'did you mean "Class"'),
        ({"solver": "sgd"}, "unknown solver 'sgd': use newton or gd"),
        ({"threshold": "f2"}, "one of accuracy, f1, youden"),
        ({"threshold": 1.5}, "threshold must lie between 0 and 1"),
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
    assert moved.classifier.weights == pytest.approx(plain.classifier.weights, abs=1e-9)
    assert moved.validation.accuracy == plain.validation.accuracy


def test_a_column_that_never_changes_does_no_harm() -> None:
    table = synthetic_raisin()
    rows = tuple((*row[:-1], "7.25", row[-1]) for row in table.rows)
    wide = replace(table, header=(*table.header[:-1], "Batch", "Class"), rows=rows)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = train(replace(SPEC, lambda_=0.0), wide)
    assert result.classifier.weights[-1] == 0.0
