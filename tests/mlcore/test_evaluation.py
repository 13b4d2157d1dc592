"""A classifier on tables that it was not trained on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mlcore import DataError, TrainingResult, TrainingSpec, synthetic_raisin, train
from mlcore.evaluation import evaluate, table_rows
from tests.mlcore.conftest import mixed_table


def test_it_works(trained: TrainingResult, trained_mixed: TrainingResult) -> None:
    assert evaluate(trained.classifier, trained.holdout) == trained.validation
    assert evaluate(trained_mixed.classifier, trained_mixed.holdout) == trained_mixed.validation


def test_a_classifier_judges_the_holdout_of_another(trained: TrainingResult) -> None:
    small = train(TrainingSpec(target="Class", columns=("Area",), seed=3), synthetic_raisin())
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
