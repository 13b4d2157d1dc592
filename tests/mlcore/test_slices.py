"""How a classifier does on parts of its rows."""

from __future__ import annotations

import numpy as np
import pytest

from mlcore import DataError, TrainingResult, evaluate, wilson
from mlcore.evaluation import labelled
from mlcore.slices import Decided, by_band, by_class, by_level, decided, everything


@pytest.fixture(scope="module")
def rows(trained: TrainingResult) -> Decided:
    part = labelled(trained.classifier, trained.holdout)
    probabilities = trained.classifier.probabilities(part.columns)
    return decided(part.y, probabilities, trained.classifier.decide(probabilities))


def three_classes() -> Decided:
    P = [[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.1, 0.8, 0.1], [0.1, 0.2, 0.7]]
    return decided([0, 1, 2, 2], P, np.argmax(P, axis=1))


def test_it_works(rows: Decided, trained: TrainingResult) -> None:
    """All rows as one slice are what the evaluation says of them."""
    found, judged = everything(rows), evaluate(trained.classifier, trained.holdout)
    assert (found.n, found.accuracy) == (judged.n, judged.accuracy)
    assert found.log_loss == pytest.approx(judged.log_loss, abs=1e-12)
    assert (found.accuracy_low, found.accuracy_high) == wilson(round(found.accuracy * 180), 180)
    assert found.positive == 0.5
    assert not found.is_small


def test_classes_share_out_the_rows(rows: Decided, trained: TrainingResult) -> None:
    negative, positive = by_class(rows, trained.classifier.classes)
    judged = evaluate(trained.classifier, trained.holdout)
    assert (negative.accuracy, positive.accuracy) == (judged.specificity, judged.recall)
    assert negative.n + positive.n == judged.n
    assert (negative.positive, positive.positive) == (0.0, 1.0)


def test_three_classes_have_no_positive_one() -> None:
    found = by_class(three_classes(), ("a", "b", "c"))
    assert [(part.name, part.n, part.accuracy) for part in found] == [
        ("a", 1, 1.0),
        ("b", 1, 1.0),
        ("c", 2, 0.5),
    ]
    assert {part.positive for part in found} == {part.probability for part in found} == {None}


def test_a_class_that_does_not_occur_has_no_slice() -> None:
    rows = decided([0, 0], [[0.9, 0.1], [0.8, 0.2]], [0, 0])
    assert [part.name for part in by_class(rows, ("no", "yes"))] == ["no"]


def test_levels_share_out_the_rows() -> None:
    colours = np.array(["red", "blue", "red", "red"])
    found = by_level(three_classes(), colours, ("blue", "green", "red"))
    assert [(part.name, part.n) for part in found] == [("blue", 1), ("red", 3)]
    assert all(part.is_small for part in found)


def test_bands_are_closed_above() -> None:
    values, present = np.array([1.0, 2.0, 3.0, 4.0]), np.ones(4, dtype=bool)
    found = by_band(three_classes(), values, [2.0, 3.0], present)
    assert [(band.low, band.high, band.n) for band in found] == [
        (None, 2.0, 2),
        (2.0, 3.0, 1),
        (3.0, None, 1),
    ]


def test_bounds_that_repeat_make_fewer_bands() -> None:
    values, present = np.array([0.0, 0.0, 0.0, 5.0]), np.ones(4, dtype=bool)
    found = by_band(three_classes(), values, [0.0, 0.0, 0.0], present)
    assert [(band.low, band.high, band.n) for band in found] == [(None, 0.0, 3), (0.0, None, 1)]


def test_missing_values_are_a_slice_of_their_own() -> None:
    values, present = np.array([1.0, 9.0, 3.0, 9.0]), np.array([True, False, True, False])
    found = by_band(three_classes(), values, [2.0], present)
    assert [(band.name, band.n) for band in found] == [("", 1), ("", 1), ("missing", 2)]


def test_bands_share_out_the_rows(rows: Decided, trained: TrainingResult) -> None:
    part = labelled(trained.classifier, trained.holdout)
    area = part.columns.values["Area"]
    found = by_band(rows, area, np.quantile(area, (0.25, 0.5, 0.75)).tolist(), area > 0)
    assert [band.n for band in found] == [45, 45, 45, 45]
    assert sum(band.n * band.accuracy for band in found) == pytest.approx(
        180 * everything(rows).accuracy
    )


@pytest.mark.parametrize(
    ("y", "P", "decisions", "message"),
    [
        ([0], [], [0], "must be"),
        ([0], [0.5, 0.5], [0], "must be"),
        ([2], [[0.5, 0.5]], [0], "class number"),
        ([0, 1], [[0.5, 0.5]], [0], "2,"),
        ([0], [[0.5, 0.5]], [0, 1], "decisions"),
    ],
)
def test_it_refuses_rows_that_do_not_fit(y: list, P: list, decisions: list, message: str) -> None:
    with pytest.raises(DataError, match=message):
        decided(y, P, decisions)
