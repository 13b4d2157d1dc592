from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlcore import Column, Schema, SchemaError
from tests.mlcore.readings import MIXED as SCHEMA
from tests.mlcore.readings import NUMBERS, outcome

GOOD = {"Area": 2.0, "Extent": 0.5, "Colour": "dark"}


def errors_of(rows: Any, schema: Schema = SCHEMA) -> list[tuple[str, int | None, str | None]]:
    with pytest.raises(SchemaError) as caught:
        schema.read(rows)
    return [(cell.code, cell.row, cell.column) for cell in caught.value.cells]


def message_of(rows: Any, schema: Schema = SCHEMA) -> str:
    with pytest.raises(SchemaError) as caught:
        schema.read(rows)
    return caught.value.cells[0].message


def test_it_works() -> None:
    columns = SCHEMA.read([{"Colour": "red", "Extent": 1, "Area": -3.5}, [2, 0.25, "dark"]])
    assert columns.n_rows == 2
    assert columns.values["Area"].tolist() == [-3.5, 2.0]
    assert columns.values["Area"].dtype == np.float64
    assert columns.values["Colour"].tolist() == ["red", "dark"]
    assert columns.imputed == ((), ())


def test_it_records_what_it_filled() -> None:
    columns = SCHEMA.read([{**GOOD, "Extent": None}, [1.0, None, None]])
    assert columns.values["Extent"].tolist() == [0.7, 0.7]
    assert columns.values["Colour"].tolist() == ["dark", "red"]
    assert columns.imputed == (("Extent",), ("Extent", "Colour"))


@pytest.mark.parametrize(
    ("row", "code", "column"),
    [
        ({"Extent": 1.0, "Colour": "red"}, "missing_field", "Area"),
        ({**GOOD, "area": 1.0}, "unknown_field", "area"),
        ({**GOOD, "Area": "2"}, "wrong_type", "Area"),
        ({**GOOD, "Area": True}, "wrong_type", "Area"),
        ({**GOOD, "Area": [2]}, "wrong_type", "Area"),
        ({**GOOD, "Area": None}, "missing_value", "Area"),
        ({**GOOD, "Area": math.nan}, "not_finite", "Area"),
        ({**GOOD, "Area": -math.inf}, "not_finite", "Area"),
        ({**GOOD, "Area": 1.01e150}, "not_finite", "Area"),
        ({**GOOD, "Area": 10**5000}, "not_finite", "Area"),
        ({**GOOD, "Colour": "blue"}, "unknown_level", "Colour"),
        ({**GOOD, "Colour": "\ud800"}, "unknown_level", "Colour"),
        ({**GOOD, "Colour": 1}, "wrong_type", "Colour"),
        ([1.0, 2.0], "wrong_length", None),
        ([1.0, 2.0, "red", 4.0], "wrong_length", None),
        ("1.0,2.0,red", "wrong_type", None),
        (7, "wrong_type", None),
        (None, "wrong_type", None),
    ],
)
def test_it_refuses_a_bad_cell(row: object, code: str, column: str | None) -> None:
    assert errors_of([GOOD, row]) == [(code, 1, column)]


@pytest.mark.parametrize("rows", [{}, "rows", None, 3, {"rows": []}])
def test_it_refuses_rows_that_are_no_list(rows: object) -> None:
    assert errors_of(rows) == [("wrong_type", None, None)]


def test_it_refuses_no_rows() -> None:
    with pytest.raises(SchemaError, match="rows is empty"):
        SCHEMA.read([])


def test_it_names_every_bad_cell_of_every_row() -> None:
    rows = [{"Area": "x", "Extent": "y", "Colour": "z"}, GOOD, {"Area": 1.0, "Farbe": "red"}]
    assert errors_of(rows) == [
        ("wrong_type", 0, "Area"),
        ("wrong_type", 0, "Extent"),
        ("unknown_level", 0, "Colour"),
        ("missing_field", 2, "Extent"),
        ("missing_field", 2, "Colour"),
        ("unknown_field", 2, "Farbe"),
    ]


def test_it_stops_at_100_errors() -> None:
    assert len(errors_of([{}] * 1000)) == 100
    assert len(errors_of([{str(k): k for k in range(100_000)}])) == 100


def test_it_suggests_the_nearest_column_and_level() -> None:
    message = message_of([{**GOOD, "area": 1.0}])
    assert 'did you mean "Area"?' in message
    assert "expected columns: Area, Extent, Colour" in message
    assert 'did you mean "dark"?' in message_of([{**GOOD, "Colour": "drak"}])


def test_it_lists_20_expected_columns_at_most() -> None:
    wide = Schema(tuple(Column(f"c{k}", "number") for k in range(30)))
    assert "c19 and 10 more" in message_of([{**{f"c{k}": 1 for k in range(30)}, "x": 1}], wide)


def test_it_says_how_long_a_row_should_be() -> None:
    assert message_of([[1.0, 2.0]]).startswith("expected 3 values, got 2")


def test_the_largest_number_is_accepted() -> None:
    assert SCHEMA.read([[1e150, -1e150, "red"]]).n_rows == 1


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None), max_size=8)
    | st.sampled_from(["Area", "Extent", "Colour", "red", 10**400]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["Area", "Extent", "Colour", "x", "\ud800"]), inner)
    ),
    max_leaves=12,
)


@given(JSON)
@example([{"\ud800": "\udfff"}])
def test_it_raises_nothing_but_schema_errors(rows: Any) -> None:
    try:
        columns = SCHEMA.read(rows)
    except SchemaError as error:
        assert 1 <= len(error.cells) <= 100
        for cell in error.cells:
            f"{cell.message} {cell.column} {cell.value}".encode()
        str(error).encode()
    else:
        assert columns.n_rows == len(rows) > 0
        assert np.isfinite(columns.values["Area"]).all()


ANY_CELL = (
    st.floats()
    | st.integers(-(10**160), 10**160)
    | st.booleans()
    | st.none()
    | st.sampled_from(["dark", "red", "3", ""])
    | st.just([])
)
FITTING = st.tuples(
    st.floats(-1e150, 1e150) | st.integers(-(10**20), 10**20),
    st.floats(0, 1),
    st.sampled_from(["dark", "red"]),
).map(list)
ANY_ROW = st.lists(ANY_CELL, min_size=2, max_size=4) | FITTING


@given(st.lists(st.lists(ANY_CELL, min_size=3, max_size=3), min_size=1, max_size=3), st.booleans())
@example([[1.0, 0.5, 3.0], [True, 0.5, 3.0]], True)
@example([[1.0, 0.5, math.nan]], False)
@example([[1, 0.5, 10**400]], False)
@example([[2**53 + 1, -0.0, 2**63 + 2**10]], True)
def test_rows_of_numbers_alone_are_read_at_once_with_the_same_outcome(
    rows: list[Any], as_objects: bool
) -> None:
    if as_objects:
        rows = [dict(zip(reversed(NUMBERS.names), row, strict=True)) for row in rows]
    assert outcome(NUMBERS.read, rows) == outcome(NUMBERS._read_by_cell, rows)


@given(st.lists(FITTING, min_size=1, max_size=8), st.lists(ANY_ROW, max_size=2), st.booleans())
@example([[1.0, 0.5, "red"]], [[True, 0.5, "red"]], True)
@example([[1.0, 0.5, "red"]], [["3", 0.5, "red"]], False)
@example([[1.0, 0.5, "red"]], [[10**400, 0.5, "red"]], False)
@example([[1.0, 0.5, "red"]], [[math.nan, 0.5, "red"]], False)
def test_many_clean_rows_are_read_at_once_with_the_same_outcome(
    clean: list[Any], others: list[Any], as_objects: bool
) -> None:
    rows = clean + others
    if as_objects:
        rows = [dict(zip(("Area", "Extent", "Colour", "More"), row, strict=False)) for row in rows]
    assert outcome(SCHEMA.read, rows) == outcome(SCHEMA._read_by_cell, rows)


def test_clean_rows_take_the_fast_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Schema, "_read_by_cell", None)
    numbers = {"Area": 2.0, "Extent": 1, "Perimeter": 3.0}
    for schema, row in ((SCHEMA, GOOD), (NUMBERS, numbers)):
        for rows in ([row] * 3, [list(row.values())] * 3, [tuple(row.values())] * 3):
            columns = schema.read(rows)
            assert columns.values["Area"].tolist() == [2.0] * 3
            assert columns.imputed == ((),) * 3


@pytest.mark.parametrize("row", [{"Area": 2}, [2.0]])
def test_a_single_column_works(row: Any) -> None:
    columns = Schema((Column("Area", "number"),)).read([row, row])
    assert columns.values["Area"].tolist() == [2.0, 2.0]


def test_no_columns_work() -> None:
    assert Schema(()).read([[], {}, []]).n_rows == 3
    assert Schema(()).read([[], []]).n_rows == 2


def test_rows_come_out_in_the_columns_they_are_named_for() -> None:
    columns = NUMBERS.read([{"Perimeter": 3.0, "Area": 1, "Extent": 2.0}] * 2)
    assert [columns.values[name].tolist() for name in NUMBERS.names] == [
        [1.0, 1.0], [2.0, 2.0], [3.0, 3.0],
    ]  # fmt: skip


def test_without_fills_a_missing_value_is_refused() -> None:
    strict = SCHEMA.without_fills()
    assert strict.names == SCHEMA.names
    assert strict.read([GOOD]).n_rows == 1
    assert errors_of([[1.0, None, None]], strict) == [
        ("missing_value", 0, "Extent"),
        ("missing_value", 0, "Colour"),
    ]
    assert SCHEMA.read([[1.0, None, None]]).imputed == (("Extent", "Colour"),)
    assert strict.without_fills() == strict
