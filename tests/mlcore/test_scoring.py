from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore import SchemaError, ScoreReport, TrainingResult, synthetic_raisin, table_rows
from mlcore.classifier import Classifier

CELL = st.floats(-1e150, 1e150) | st.floats(1e-3, 1e6) | st.integers(0, 500_000)
MIXED_ROW = st.tuples(CELL, st.none() | CELL, st.none() | st.sampled_from(["dark", "red", "gold"]))


def bits(report: ScoreReport, row: int) -> tuple[bytes, ...]:
    arrays = (report.scores, report.probabilities, report.contributions)
    return tuple(np.ascontiguousarray(array[row]).tobytes() for array in arrays)


def assert_rows_stand_alone(classifier: Classifier, rows: list[list[object]]) -> None:
    together = classifier.score(rows)
    for number, row in enumerate(rows):
        alone = classifier.score([row])
        as_object = classifier.score([dict(zip(classifier.schema.names, row, strict=True))])
        assert bits(alone, 0) == bits(as_object, 0) == bits(together, number)
        assert alone.labels == (together.labels[number],)
        assert alone.imputed == (together.imputed[number],)


def test_it_works(trained: TrainingResult) -> None:
    classifier = trained.classifier
    rows = table_rows(classifier, synthetic_raisin())
    report = classifier.score([rows[0], rows[-1]])
    assert report.labels == ("Kecimen", "Besni")
    assert report.predictions.tolist() == [0, 1]
    assert report.positive[0] < 0.5 <= report.positive[1]
    assert report.positive == pytest.approx(1 / (1 + np.exp(-report.scores[:, 0])), abs=1e-15)
    assert report.probabilities.sum(axis=1) == pytest.approx(np.ones(2), abs=1e-15)
    assert report.imputed == ((), ())


@given(st.lists(st.lists(CELL, min_size=7, max_size=7), min_size=1, max_size=40))
@settings(max_examples=60, deadline=None)
def test_a_row_scores_the_same_in_any_batch(
    trained: TrainingResult, rows: list[list[object]]
) -> None:
    assert_rows_stand_alone(trained.classifier, rows)


@given(st.lists(MIXED_ROW.map(list), min_size=1, max_size=20))
@settings(max_examples=60, deadline=None)
def test_so_does_a_row_with_categories_and_holes(
    trained_mixed: TrainingResult, rows: list[list[object]]
) -> None:
    assert_rows_stand_alone(trained_mixed.classifier, rows)


def test_no_batch_size_is_special(trained: TrainingResult) -> None:
    classifier = trained.classifier
    rows = table_rows(classifier, synthetic_raisin())
    everything = classifier.score(rows)
    for size in (1, 2, 3, 7, 8, 9, 16, 33, 500):
        part = classifier.score(rows[:size])
        assert part.scores.tobytes() == everything.scores[:size].tobytes()
        assert part.probabilities.tobytes() == everything.probabilities[:size].tobytes()


def test_it_names_the_columns_it_filled(trained_mixed: TrainingResult) -> None:
    report = trained_mixed.classifier.score([[50_000, None, None], [50_000, 0.7, "red"]])
    assert report.imputed == (("Extent", "Colour"), ())


def test_a_row_exactly_at_the_threshold_is_positive(trained: TrainingResult) -> None:
    classifier = trained.classifier
    row = table_rows(classifier, synthetic_raisin())[0]
    probability = float(classifier.score([row]).positive[0])
    assert replace(classifier, threshold=probability).score([row]).labels == ("Besni",)
    above = float(np.nextafter(probability, 1))
    assert replace(classifier, threshold=above).score([row]).labels == ("Kecimen",)


def test_the_extremes_of_the_number_range_are_scored(trained: TrainingResult) -> None:
    with np.errstate(all="raise", under="ignore"):
        report = trained.classifier.score([[1e150] * 7, [-1e150] * 7])
    assert np.isfinite(report.scores).all()
    assert set(report.positive.tolist()) == {0.0, 1.0}


def test_it_refuses_rows_that_do_not_fit(trained: TrainingResult) -> None:
    with pytest.raises(SchemaError, match="row 0, column Area: expected a number"):
        trained.classifier.score([["large", 1, 1, 1, 1, 1, 1]])
