"""Many rows at once say what each of them says alone, within 1e-12, and leave no trace."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mlcore import SchemaError
from mlcore.blockscoring import BLOCK
from mlcore.classifier import Classifier
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

MODELS = [
    classifier(logistic(3)),
    classifier(logistic(3), calibration=Squared()),
    classifier(softmax(3)),
    classifier(stump()),
    classifier(stump(3)),
]
EVERY = pytest.mark.parametrize("made", MODELS, ids=["two", "calibrated", "three", "tree", "trees"])


def matrix(n: int = 50) -> np.ndarray:
    return np.array(some_rows(NUMBERS, n))


@EVERY
def test_it_works(made: Classifier) -> None:
    X = matrix()
    found = made.probabilities(X)
    assert found.shape == (50, len(made.classes))
    assert found == pytest.approx(made.score(X.tolist()).probabilities, abs=1e-12)


@EVERY
@given(
    X=arrays(np.float64, st.tuples(st.integers(0, 9), st.just(3)), elements=st.floats(-1e6, 1e6))
)
@settings(max_examples=50, deadline=None)
def test_it_agrees_with_rows_scored_alone(made: Classifier, X: np.ndarray) -> None:
    found = made.probabilities(X)
    assert len(found) == len(X)
    for row, probabilities in zip(X.tolist(), found.tolist(), strict=True):
        alone = made.score_row(dict(zip(made.schema.names, row, strict=True)))
        assert probabilities == pytest.approx(alone.probabilities, abs=1e-12)


@EVERY
def test_the_edges_of_blocks_show_nowhere(made: Classifier) -> None:
    X = np.resize(matrix(), (2 * BLOCK + 3, 3))
    found = made.probabilities(X)
    for edge in (0, BLOCK - 1, BLOCK, 2 * BLOCK, 2 * BLOCK + 2):
        alone = made.probabilities(X[edge : edge + 1])[0]
        assert found[edge] == pytest.approx(alone, abs=1e-14)


def test_columns_are_scored_too() -> None:
    for estimator in (logistic(5), softmax(5), stump(3, 5)):
        made = classifier(estimator, columns=MIXED)
        columns = made.schema.read([*some_rows(MIXED), [1.0, None, None]])
        expected = made.score_columns(columns).probabilities
        assert made.probabilities(columns) == pytest.approx(expected, abs=1e-12)


@EVERY
def test_any_kind_of_matrix_is_read_and_none_is_changed(made: Classifier, tmp_path: Path) -> None:
    X = matrix(30)
    X[:, 0] = X[:, 0].astype(np.float32)
    np.save(tmp_path / "X.npy", X)
    kinds = {
        "Fortran": np.asfortranarray(X),
        "strided": np.repeat(X, 2, axis=0)[::2],
        "reversed": X[::-1][::-1],
        "memory map": np.load(tmp_path / "X.npy", mmap_mode="r"),
        "read-only": np.frombuffer(X.tobytes()).reshape(X.shape),
    }
    expected = made.probabilities(X)
    for name, kind in kinds.items():
        before = kind.tobytes()
        assert made.probabilities(kind) == pytest.approx(expected, abs=1e-14), name
        assert kind.tobytes() == before, name


@EVERY
def test_other_types_of_number_are_taken_at_their_value(made: Classifier) -> None:
    X = matrix(30).round()
    for dtype in (np.float32, np.int64, np.uint32):
        assert made.probabilities(X.astype(dtype)) == pytest.approx(
            made.probabilities(X.astype(dtype).astype(np.float64)), abs=0
        )


@EVERY
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("row", [0, 40, BLOCK + 7])
def test_it_names_what_is_not_finite(made: Classifier, value: float, row: int) -> None:
    X = np.resize(matrix(), (BLOCK + 50, 3))
    X[row, 1] = value
    with pytest.raises(SchemaError, match=f"row {row}, column Extent: expected a finite") as caught:
        made.probabilities(X)
    (cell,) = caught.value.cells
    assert (cell.code, cell.row, cell.column, cell.value) == (
        "not_finite", row, "Extent", repr(value),
    )  # fmt: skip


def test_it_names_a_hundred_at_most() -> None:
    with pytest.raises(SchemaError, match="and at least 99 more problems"):
        MODELS[0].probabilities(np.full((500, 3), np.nan))


def test_it_finds_what_a_weight_of_zero_hides() -> None:
    made = classifier(replace(logistic(3), weights=np.array([1.0, 0.0, 1.0])))
    with pytest.raises(SchemaError, match="row 0, column Extent"):
        made.probabilities(np.array([[1.0, np.inf, 1.0]]))


@pytest.mark.parametrize("estimator", [logistic(3), softmax(3)])
def test_it_names_numbers_that_leave_the_range_of_float64(estimator: Any) -> None:
    huge = np.array([[1.0, 1.0, 1.0], [1e308, 1e307, 1.0]])
    made = classifier(replace(estimator, weights=estimator.weights * 1e200))
    with pytest.raises(SchemaError, match="row 1, column Area"):
        made.probabilities(huge)


@pytest.mark.parametrize(
    ("X", "match"),
    [
        (None, r"a matrix of shape \(n, 3\), got \(\)"),
        (np.zeros(3), r"a matrix of shape \(n, 3\), got \(3,\)"),
        (np.zeros((2, 4)), r"a matrix of shape \(n, 3\), got \(2, 4\)"),
        (np.zeros((2, 3), dtype=bool), "a matrix of numbers, got one of bool"),
        (np.array([["1", "2", "3"]]), "a matrix of numbers, got one of <U1"),
        (np.array([[1.0, 2.0, None]]), "a matrix of numbers, got one of object"),
    ],
)
def test_it_refuses_other_matrices(X: Any, match: str) -> None:
    with pytest.raises(SchemaError, match=match):
        MODELS[0].probabilities(X)


def test_a_list_of_lists_is_a_matrix_too() -> None:
    made, rows = MODELS[0], [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    assert made.probabilities(rows).tolist() == made.probabilities(np.array(rows)).tolist()
    assert made.positive_probabilities(rows).shape == (2,)


def test_it_refuses_a_matrix_where_a_category_is_needed() -> None:
    made = classifier(logistic(5), columns=MIXED)
    with pytest.raises(SchemaError, match="column Colour: a matrix holds numbers"):
        made.probabilities(np.zeros((1, 3)))


def test_both_tails_keep_their_digits() -> None:
    made = classifier(replace(logistic(3), weights=np.array([1.0, 0.0, 0.0]), intercept=0.0))
    means, scales = made.encoder.means, made.encoder.scales
    X = means + np.outer([-1000.0, -40.0, 40.0, 1000.0], [scales[0], 0.0, 0.0])
    negative, positive = made.probabilities(X).T
    assert positive[1] == pytest.approx(np.exp(-40.0), rel=1e-12)
    assert negative[2] == pytest.approx(np.exp(-40.0), rel=1e-12)
    assert positive[[0, 3]] == pytest.approx([0.0, 1.0], abs=1e-300)


@pytest.mark.parametrize("estimator", [logistic(3), softmax(3)])
def test_a_large_offset_costs_no_digits(estimator: Any) -> None:
    """Means folded into the intercept would lose the digits that the scores need."""
    made = classifier(estimator)
    X = matrix()
    far = replace(made, encoder=replace(made.encoder, means=made.encoder.means + 2.0**40))
    expected = far.score((X + 2.0**40).tolist()).probabilities
    assert far.probabilities(X + 2.0**40) == pytest.approx(expected, abs=1e-12)


def test_memory_is_that_of_the_answers() -> None:
    X = np.resize(matrix(), (40 * BLOCK, 3))
    made = MODELS[0]
    made.probabilities(X[:10])
    tracemalloc.start()
    try:
        found = made.probabilities(X)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < found.nbytes + 8 * BLOCK * 8


@pytest.mark.parametrize(
    "made", [m for m in MODELS if m.is_binary], ids=["two", "calibrated", "tree"]
)
def test_the_positive_class_can_be_asked_for_alone(made: Classifier) -> None:
    X = matrix()
    found = made.positive_probabilities(X)
    assert found.shape == (50,)
    assert found == pytest.approx(made.probabilities(X)[:, 1], abs=1e-15)


def test_of_three_classes_none_is_the_positive() -> None:
    with pytest.raises(ValueError, match="none of 3 classes"):
        classifier(softmax(3)).positive_probabilities(matrix())
