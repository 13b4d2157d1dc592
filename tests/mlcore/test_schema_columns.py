"""Columns are read as their rows are, one sequence or array each."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlcore import Column, Schema, SchemaError
from tests.mlcore.readings import MIXED, NUMBERS, outcome

NUMBER = st.floats(-1e150, 1e150) | st.integers(-(10**17), 10**17)
ODD = (
    st.floats()
    | st.integers(-(10**160), 10**160)
    | st.sampled_from([None, True, "dark", "red", "3", "", [], 10**400])
)
CLEAN_ROW = st.tuples(NUMBER, NUMBER, st.sampled_from(["dark", "red"]))
ANY_ROW = st.tuples(ODD | NUMBER, ODD | NUMBER, ODD)
FLOATS = st.sampled_from([np.nan, np.nan, np.inf, 1e151, -0.0]) | st.floats(-1e150, 1e150)
GOOD = {"Area": [1.0, 2], "Extent": [0.5, 0.6], "Colour": ["red", "dark"]}


def by_column(schema: Schema, rows: list[Any]) -> dict[str, list[Any]]:
    columns = zip(*rows, strict=True)
    return {name: list(cells) for name, cells in zip(schema.names, columns, strict=True)}


def refusal(table: Any, schema: Schema = MIXED) -> SchemaError:
    with pytest.raises(SchemaError) as caught:
        schema.read_columns(table)
    return caught.value


def problems(table: Any) -> list[tuple[str, str | None]]:
    return [(cell.code, cell.column) for cell in refusal(table).cells]


def test_it_works() -> None:
    columns = MIXED.read_columns(
        {"Colour": ["red", "dark"], "Extent": np.array([0.5, np.nan]), "Area": (3, 4.5)}
    )
    assert columns.n_rows == 2
    assert columns.values["Area"].tolist() == [3.0, 4.5]
    assert columns.values["Extent"].tolist() == [0.5, 0.7]
    assert columns.values["Colour"].tolist() == ["red", "dark"]
    assert columns.imputed == ((), ("Extent",))


@given(st.lists(CLEAN_ROW, min_size=1, max_size=5), st.lists(ANY_ROW, max_size=2))
@example([(1.0, 0.5, "red")], [(None, None, None)])
@example([(1.0, 0.5, "red")], [(math.nan, True, "blue")])
@example([(1.0, 0.5, "red")], [(10**400, 0.5, "red")])
def test_lists_are_read_as_their_rows_are(clean: list[Any], others: list[Any]) -> None:
    rows = clean + others
    assert outcome(MIXED.read_columns, by_column(MIXED, rows)) == outcome(MIXED.read, rows)


@given(st.lists(st.tuples(FLOATS, FLOATS, FLOATS), min_size=1, max_size=5), st.booleans())
@example([(1.0, np.nan, np.nan), (2.0, 3.0, np.nan)], True)
def test_arrays_are_read_as_rows_with_none_for_nan(rows: list[Any], upright: bool) -> None:
    shape = (-1, 1) if upright else (-1,)
    table = {
        name: np.array(cells).reshape(shape) for name, cells in by_column(NUMBERS, rows).items()
    }
    with_none = [[None if math.isnan(cell) else cell for cell in row] for row in rows]
    assert outcome(NUMBERS.read_columns, table) == outcome(NUMBERS.read, with_none)


@given(st.lists(st.tuples(FLOATS, ODD, ODD), min_size=1, max_size=4))
@example([(1.0, 0.5, "red"), (1.0, 0.25, "dark")])
def test_arrays_beside_lists_are_read_as_their_rows_are(rows: list[Any]) -> None:
    table: dict[str, Any] = by_column(MIXED, rows)
    table["Area"] = np.array(table["Area"])
    with_none = [[None if row[0] != row[0] else row[0], *row[1:]] for row in rows]
    assert outcome(MIXED.read_columns, table) == outcome(MIXED.read, with_none)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.longdouble, np.int8, np.uint64])
def test_arrays_of_any_type_of_number_are_taken_at_their_value(dtype: Any) -> None:
    cells = np.array([1, 100, 7], dtype=dtype)
    columns = NUMBERS.read_columns(dict.fromkeys(NUMBERS.names, cells))
    assert columns.values["Area"].dtype == np.float64
    assert columns.values["Area"].tolist() == [1.0, 100.0, 7.0]


@pytest.mark.parametrize(
    ("column", "cells", "code"),
    [
        ("Area", np.array([True, False]), "wrong_type"),
        ("Area", np.array(["1", "2"]), "wrong_type"),
        ("Area", np.array([1.0, None], dtype=object), "missing_value"),
        ("Colour", np.array([1.0, 2.0]), "wrong_type"),
        ("Colour", np.array(["red", "blue"]), "unknown_level"),
    ],
)
def test_it_refuses_arrays_of_another_kind(column: str, cells: Any, code: str) -> None:
    table = {**GOOD, column: cells}
    assert (code, column) in problems(table)
    rows = list(zip(*(list(table[name]) for name in MIXED.names), strict=True))
    listed = [[cell.item() if isinstance(cell, np.generic) else cell for cell in r] for r in rows]
    assert outcome(MIXED.read_columns, table) == outcome(MIXED.read, listed)


@pytest.mark.parametrize("dtype", ["U4", object])
def test_a_category_may_be_an_array_of_texts(dtype: Any) -> None:
    columns = MIXED.read_columns({**GOOD, "Colour": np.array(["red", "dark"], dtype=dtype)})
    assert columns.values["Colour"].tolist() == ["red", "dark"]
    assert columns.values["Colour"].dtype == object


def test_categories_alone_work() -> None:
    schema = Schema((Column("Colour", "category", ("dark", "red")),))
    columns = schema.read_columns({"Colour": ["red", "red"]})
    assert (columns.n_rows, columns.imputed) == (2, ((), ()))


@pytest.mark.parametrize("table", [None, 3, "Area", [[1.0]], np.ones((2, 3))])
def test_it_refuses_what_holds_no_columns(table: Any) -> None:
    assert problems(table) == [("wrong_type", None)]


def test_it_names_missing_and_unknown_columns_as_rows_do() -> None:
    table = {"area": [1.0], "Extent": [1.0], "Colour": ["red"], 3: [2.0]}
    error = refusal(table)
    row = {name: cells[0] for name, cells in table.items()}
    with pytest.raises(SchemaError) as caught:
        MIXED.read([row])
    told = [(cell.code, cell.column, cell.message) for cell in error.cells]
    assert told == [(cell.code, cell.column, cell.message) for cell in caught.value.cells]
    assert {cell.row for cell in error.cells} == {None}
    assert str(error).startswith("column Area: the field is missing (and 2 more problems)")


def test_it_stops_at_100_errors() -> None:
    assert len(problems({str(k): [1.0] for k in range(1000)})) == 100


@pytest.mark.parametrize(
    ("cells", "code"),
    [
        (3.0, "wrong_type"),
        ("red", "wrong_type"),
        (None, "wrong_type"),
        ({"0": 1.0}, "wrong_type"),
        (np.float64(3), "wrong_type"),
        (np.array(3.0), "wrong_length"),
        (np.ones((2, 2)), "wrong_length"),
        (np.ones((1, 2)), "wrong_length"),
        (np.ones((2, 1, 1)), "wrong_length"),
        ([0.5], "wrong_length"),
        ([0.5] * 3, "wrong_length"),
        (np.ones(3), "wrong_length"),
        ([], "wrong_length"),
    ],
    ids=repr,
)
def test_it_refuses_what_is_no_column(cells: Any, code: str) -> None:
    assert problems({**GOOD, "Extent": cells}) == [(code, "Extent")]


def test_it_says_how_many_values_a_column_should_have() -> None:
    error = refusal({**GOOD, "Colour": ["red"]})
    assert error.cells[0].message == "expected 2 values as in Area, got 1"


def test_it_names_every_column_that_is_none() -> None:
    assert problems({"Area": 3.0, "Extent": np.ones((2, 2)), "Color": []}) == [
        ("missing_field", "Colour"),
        ("unknown_field", "Color"),
        ("wrong_type", "Area"),
        ("wrong_length", "Extent"),
    ]


@pytest.mark.parametrize("empty", [[], np.empty(0), np.empty((0, 1))])
def test_it_refuses_no_rows(empty: Any) -> None:
    assert str(refusal(dict.fromkeys(MIXED.names, empty))) == "rows is empty"


def test_it_refuses_no_columns_as_no_rows() -> None:
    assert str(refusal({}, Schema(()))) == "rows is empty"


def test_it_neither_changes_an_array_nor_keeps_it() -> None:
    cells = np.array([1.0, np.nan])
    columns = NUMBERS.read_columns({"Area": [1, 2], "Extent": cells, "Perimeter": [1, 2]})
    assert np.isnan(cells[1])
    cells[:] = 0.0
    assert columns.values["Extent"].tolist() == [1.0, 0.7]


def test_clean_columns_take_the_fast_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Schema, "_read_by_cell", None)
    assert MIXED.read_columns(GOOD).n_rows == 2
    holes = {**GOOD, "Extent": np.array([np.nan, 1.0])}
    assert MIXED.read_columns(holes).imputed == (("Extent",), ())
