from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore import Column, Columns, Encoder, Schema

SCHEMA = Schema((Column("a", "number"), Column("c", "category", ("x", "y", "z"))))
ROWS = [[1.0, "x"], [2.0, "y"], [6.0, "x"], [3.0, "y"]]


def numbers(*values: float) -> tuple[Schema, Columns]:
    schema = Schema((Column("a", "number"),))
    return schema, schema.read([[value] for value in values])


def encoded(*values: float) -> np.ndarray:
    schema, columns = numbers(*values)
    return Encoder.fit(schema, columns).transform(columns)[:, 0]


def test_it_works() -> None:
    columns = SCHEMA.read(ROWS)
    encoder = Encoder.fit(SCHEMA, columns)
    Z = encoder.transform(columns)
    assert encoder.slots == ("a", "c=x", "c=y", "c=z")
    assert encoder.owners == (0, 1, 1, 1)
    assert Z.shape == (4, 4)
    assert Z.mean(axis=0) == pytest.approx(np.zeros(4), abs=1e-15)
    assert Z.std(axis=0) == pytest.approx([1, 1, 1, 0])
    assert encoder.means.tolist() == [3.0, 0.5, 0.5, 0.0]


def test_new_rows_are_measured_by_the_training_rows() -> None:
    encoder = Encoder.fit(SCHEMA, SCHEMA.read(ROWS))
    Z = encoder.transform(SCHEMA.read([[3.0, "z"]]))
    assert Z.tolist() == [[0.0, -1.0, -1.0, 1.0]]


@pytest.mark.parametrize("value", [0.0, 0.1, -7e149, 1e-300, 1e12 + 0.1])
def test_a_constant_column_becomes_zero(value: float) -> None:
    schema, columns = numbers(*[value] * 7)
    encoder = Encoder.fit(schema, columns)
    assert encoder.scales.tolist() == [1.0]
    assert encoder.transform(columns) == pytest.approx(np.zeros((7, 1)), abs=1e-3)


@given(
    st.lists(st.floats(-100, 100), min_size=3, max_size=9).filter(lambda v: np.std(v) > 1e-3),
    st.integers(-400, 400),
)
def test_a_power_of_two_changes_no_bit(values: list[float], power: int) -> None:
    scaled = np.ldexp(np.round(values, 6), power).tolist()
    assert encoded(*scaled).tolist() == encoded(*np.round(values, 6).tolist()).tolist()


def test_a_large_offset_keeps_the_digits_that_the_cells_have() -> None:
    values = np.arange(50.0) * 0.25
    shifted = encoded(*(values + 2.0**40).tolist())
    assert shifted == pytest.approx(encoded(*values.tolist()), abs=1e-12)


def test_the_largest_numbers_do_not_overflow() -> None:
    with np.errstate(all="raise"):
        assert encoded(-1e150, 1e150, 1e150, -1e150).tolist() == [-1, 1, 1, -1]


def test_slot_means_are_means_and_shares() -> None:
    columns = SCHEMA.read(ROWS)
    encoder = Encoder.fit(SCHEMA, columns)
    assert encoder.slot_means(columns).tolist() == [3.0, 0.5, 0.5, 0.0]
    assert encoder.slot_matrix(columns)[2].tolist() == [6.0, 1.0, 0.0, 0.0]
