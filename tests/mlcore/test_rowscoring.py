"""One row alone says what the same row says among others, to the last bit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore import SchemaError, TrainingResult, synthetic_raisin, table_rows
from mlcore.classifier import Classifier
from mlcore.rowscoring import RowReport
from tests.mlcore.classifiers import (
    MIXED,
    NUMBERS,
    Squared,
    classifier,
    logistic,
    softmax,
    some_rows,
    stump,
)

CELL = st.floats(-1e150, 1e150) | st.floats(1e-3, 1e6) | st.integers(-(10**17), 10**17)
MODELS = [
    classifier(logistic(3)),
    classifier(logistic(3), calibration=Squared()),
    classifier(softmax(3)),
    classifier(stump()),
    classifier(stump(3)),
]
EVERY = pytest.mark.parametrize("made", MODELS, ids=["two", "calibrated", "three", "tree", "trees"])


def as_dict(made: Classifier, row: list[Any]) -> dict[str, Any]:
    return dict(zip(made.schema.names, row, strict=True))


def exact(report: RowReport) -> tuple[Any, ...]:
    """Everything in it, with -0.0 unlike 0.0 and NaN like NaN."""
    numbers = (report.scores, report.probabilities, *report.contributions)
    return (*(np.array(part).tobytes() for part in numbers), *report[2:4], report.imputed)


def assert_refused_alike(made: Classifier, row: Any) -> None:
    with pytest.raises(SchemaError) as slow:
        made.score([row])
    with pytest.raises(SchemaError) as fast:
        made.score_row(row)
    assert str(fast.value) == str(slow.value)
    assert fast.value.cells == slow.value.cells


def test_it_works(trained: TrainingResult) -> None:
    made = trained.classifier
    row = table_rows(made, synthetic_raisin())[0]
    report = made.score_row(row)
    many = made.score([row])
    assert report.scores == (many.scores[0, 0],)
    assert report.probabilities == tuple(many.probabilities[0].tolist())
    assert (report.prediction, report.label, report.imputed) == (0, "Kecimen", ())
    assert report.contributions == (many.contributions[0, 0].tolist(),)


@EVERY
@given(row=st.lists(CELL, min_size=3, max_size=3))
@settings(max_examples=80, deadline=None)
def test_it_agrees_with_a_batch_to_the_last_bit(made: Classifier, row: list[Any]) -> None:
    given_row = as_dict(made, row)
    with np.errstate(over="ignore", invalid="ignore"):
        expected = made.score([given_row, given_row]).rows()[0]
        assert exact(made.score_row(given_row)) == exact(expected)


@pytest.mark.parametrize("made", MODELS[:3], ids=["two", "calibrated", "three"])
def test_a_clean_row_takes_the_fast_way(made: Classifier) -> None:
    cells = some_rows(NUMBERS, 1)[0]
    for row in (as_dict(made, cells), cells):
        fast = made._row_scorer(row)
        assert fast is not None
        assert exact(fast) == exact(made.score([row]).rows()[0])


@pytest.mark.parametrize("made", [MODELS[0], MODELS[2]], ids=["two", "three"])
@pytest.mark.parametrize(
    "row",
    [[], [1.0, 2.0], [1.0] * 4, [1.0, True, 2.0], [1.0, "2", 3.0], [1e151, 1, 1], "abc", None, 3],
    ids=str,
)
def test_a_list_that_does_not_fit_is_refused_as_ever(made: Classifier, row: Any) -> None:
    assert_refused_alike(made, row)


@pytest.mark.parametrize("made", [MODELS[0], MODELS[2]], ids=["two", "three"])
@pytest.mark.parametrize(
    "change",
    [
        {"Area": True},
        {"Area": "3"},
        {"Area": None},
        {"Area": float("nan")},
        {"Area": float("inf")},
        {"Area": 1e151},
        {"Area": 10**400},
        {"area": 3.0},
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused_as_ever(made: Classifier, change: dict[str, Any]) -> None:
    row = as_dict(made, some_rows(NUMBERS, 1)[0]) | change
    assert_refused_alike(made, row)


@pytest.mark.parametrize("made", [MODELS[0], MODELS[2]], ids=["two", "three"])
def test_a_renamed_field_is_refused(made: Classifier) -> None:
    row = as_dict(made, some_rows(NUMBERS, 1)[0])
    row["area"] = row.pop("Area")
    with pytest.raises(SchemaError, match="the field is missing"):
        made.score_row(row)


@EVERY
@given(row=st.lists(CELL, min_size=3, max_size=3))
@settings(max_examples=40, deadline=None)
def test_a_list_is_scored_like_a_dict(made: Classifier, row: list[Any]) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        expected = exact(made.score_row(as_dict(made, row)))
        assert exact(made.score_row(row)) == expected
        assert exact(made.score_row(tuple(row))) == expected


@pytest.mark.parametrize("estimator", [logistic(5), softmax(5), stump(3, 5)])
def test_categories_and_holes_take_the_general_way(estimator: Any) -> None:
    made = classifier(estimator, columns=MIXED)
    row = {"Area": 90_000, "Extent": None, "Colour": None}
    report = made.score_row(row)
    assert report.imputed == ("Extent", "Colour")
    assert exact(report) == exact(made.score([row]).rows()[0])


def test_a_hole_among_numbers_is_filled() -> None:
    made = classifier(logistic(2), columns=MIXED[:2])
    assert made.score_row({"Area": 90_000, "Extent": None}).imputed == ("Extent",)


def test_a_row_exactly_at_the_threshold_is_positive() -> None:
    made = MODELS[0]
    row = as_dict(made, some_rows(NUMBERS, 1)[0])
    probability = made.score_row(row).probabilities[1]
    at = replace(made, threshold=probability).score_row(row)
    above = replace(made, threshold=float(np.nextafter(probability, 1))).score_row(row)
    assert (at.prediction, above.prediction) == (1, 0)
