"""A matrix is read as its rows are, with NaN for what is missing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mlcore import Column, Schema, SchemaError
from tests.mlcore.readings import MIXED, NUMBERS, outcome

CELL = (
    st.floats(-1e150, 1e150)
    | st.sampled_from([np.nan, np.inf, -np.inf, 1e150, 1.01e150, -2e200, -0.0])
    | st.just(np.nan)
)


def refusal(X: Any, schema: Schema = NUMBERS) -> SchemaError:
    with pytest.raises(SchemaError) as caught:
        schema.read_matrix(X)
    return caught.value


def rows_of(X: np.ndarray) -> list[list[float | None]]:
    return [[None if np.isnan(cell) else cell for cell in row] for row in X.tolist()]


def test_it_works() -> None:
    columns = NUMBERS.read_matrix(np.array([[1.0, 2.0, 3.0], [4.0, np.nan, np.nan]]))
    assert columns.n_rows == 2
    assert columns.values["Area"].tolist() == [1.0, 4.0]
    assert columns.values["Extent"].tolist() == [2.0, 0.7]
    assert columns.values["Perimeter"].tolist() == [3.0, -1.0]
    assert columns.imputed == ((), ("Extent", "Perimeter"))


@given(arrays(np.float64, st.tuples(st.integers(1, 6), st.just(3)), elements=CELL))
@example(np.array([[1.0, np.nan, 2.0], [3.0, 4.0, np.nan]]))
@example(np.array([[np.nan, np.inf, 2.0]]))
def test_it_reads_what_the_rows_would_give(X: np.ndarray) -> None:
    assert outcome(NUMBERS.read_matrix, X) == outcome(NUMBERS.read, rows_of(X))


@pytest.mark.parametrize(
    "dtype", [np.float16, np.float32, np.longdouble, np.int8, np.int64, np.uint64, ">f8"]
)
@pytest.mark.parametrize("order", ["C", "F"])
def test_it_takes_any_type_of_number_at_its_value(dtype: Any, order: Any) -> None:
    X = np.array([[1, 2, 3], [100, 0, 7]], dtype=dtype, order=order)
    columns = NUMBERS.read_matrix(X)
    assert columns.values["Area"].dtype == np.float64
    assert outcome(NUMBERS.read_matrix, X) == outcome(NUMBERS.read, X.astype(float).tolist())


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.longdouble])
def test_it_reads_holes_and_infinities_of_any_type(dtype: Any) -> None:
    X = np.array([[1, np.nan, 3], [4, 5, np.nan]], dtype=dtype)
    assert outcome(NUMBERS.read_matrix, X) == outcome(NUMBERS.read, rows_of(X.astype(float)))
    X[0, 1], X[1, 0] = np.inf, np.nan
    assert outcome(NUMBERS.read_matrix, X) == outcome(NUMBERS.read, rows_of(X.astype(float)))


@pytest.mark.parametrize("n", [99, 100, 101, 5000])
def test_it_names_at_most_100_cells(n: int) -> None:
    X = np.ones((n, 3))
    X[:, 1] = np.inf
    assert outcome(NUMBERS.read_matrix, X) == outcome(NUMBERS.read, X.tolist())
    assert len(refusal(X).cells) == min(n, 100)


def test_it_refuses_what_is_missing_where_nothing_fills_it() -> None:
    X = np.array([[1.0, 2.0, 3.0], [1.0, np.nan, 3.0]])
    (cell,) = refusal(X, NUMBERS.without_fills()).cells
    assert (cell.code, cell.row, cell.column, cell.value) == ("missing_value", 1, "Extent", None)


def test_it_refuses_no_rows() -> None:
    assert str(refusal(np.empty((0, 3)))) == "rows is empty"


@pytest.mark.parametrize("shape", [(3,), (2, 2), (2, 4), (2, 3, 1), ()])
def test_it_refuses_another_shape(shape: tuple[int, ...]) -> None:
    error = refusal(np.ones(shape))
    assert error.cells[0].code == "wrong_length"
    assert "shape (n, 3)" in str(error)


@pytest.mark.parametrize("dtype", [bool, object, "U3", complex, "datetime64[s]"])
def test_it_refuses_what_is_no_number(dtype: Any) -> None:
    assert refusal(np.zeros((2, 3), dtype=dtype)).cells[0].code == "wrong_type"


def test_it_refuses_a_category() -> None:
    (cell,) = refusal(np.ones((2, 3)), MIXED).cells
    assert (cell.code, cell.column) == ("wrong_type", "Colour")


@pytest.mark.parametrize("order", ["C", "F"])
def test_it_neither_changes_the_matrix_nor_keeps_it(order: Any) -> None:
    X = np.array([[1.0, np.nan, 3.0]], order=order)
    columns = NUMBERS.read_matrix(X)
    assert np.isnan(X[0, 1])
    X[:] = 0.0
    assert [columns.values[name][0] for name in NUMBERS.names] == [1.0, 0.7, 3.0]


def test_the_largest_number_is_accepted() -> None:
    schema = Schema((Column("Area", "number"),))
    assert schema.read_matrix(np.array([[1e150], [-1e150]])).n_rows == 2
