"""What a table's columns are found to be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from endpoints.services.datasets import blocks, columns, profiling
from endpoints.services.datasets.columns import ColumnProfile
from mlcore.errors import DataError
from mlcore.features import infer_columns
from mlcore.table import Table


def nothing() -> None:
    """A worker that nobody wishes to stop."""


def profiles(**cells: list[Any]) -> dict[str, ColumnProfile]:
    rows, found = profiling.profile(blocks.of_frame(pl.DataFrame(cells)), alive=nothing)
    assert rows == len(next(iter(cells.values())))
    return {column.name: column for column in found}


def one(cells: list[Any]) -> ColumnProfile:
    return profiles(x=cells)["x"]


def test_a_column_of_numbers() -> None:
    found = one(["1", " 2.5", "NA", "4e0", "", "2.5"])
    assert (found.kind, found.missing, found.distinct) == ("number", 2, 3)
    assert (found.minimum, found.maximum, found.mean) == (1.0, 4.0, 2.5)
    assert found.sd == pytest.approx(1.2247, abs=1e-4)
    assert (sum(found.histogram), found.histogram[0], found.histogram[-1]) == (4, 1, 1)
    assert found.examples == ["1", "2.5", "4e0"]


def test_a_column_of_categories() -> None:
    found = one(["red", "blue", " red ", "null", "green", "blue", "red"])
    assert (found.kind, found.missing, found.distinct) == ("category", 1, 3)
    assert found.levels == [("red", 3), ("blue", 2), ("green", 1)]
    assert (found.minimum, found.histogram, found.warning) == (None, (), "")


def test_numbers_that_are_few_are_levels_too() -> None:
    """A target is often 0 and 1."""
    found = one(["0", "1", "1"])
    assert (found.kind, found.levels) == ("number", [("1", 2), ("0", 1)])


@pytest.mark.parametrize(
    ("cells", "kind", "warning"),
    [
        (["a"] * 3, "constant", "Every row has the same value."),
        (
            ["Yes", "None", "Yes", ""],
            "constant",
            "Every row that has a value has the same one; 2 have none (a cell such as None or NA counts as "
            "no value).",
        ),
        (["Yes", ""], "constant", "Every row that has a value has the same one; 1 has none"),
        (["", "NA", "?"], "constant", "No row has a value."),
        ([f"name {i}" for i in range(101)], "text", "101 different texts: it reads like an"),
        (["1,5", "2,5", "x"], "text", "Numbers with commas: write a decimal point"),
        ([*map(str, range(100, 119)), "x"], "number", "1 cell is no usable number: a training"),
        ([str(i) for i in range(1, 31)], "number", "It numbers the rows: it may be an identifier."),
        ([str(i) for i in range(1, 30)] + [""], "number", ""),
        (
            [str(3 * i) for i in range(100)],
            "number",
            "It numbers the rows: it may be an identifier.",
        ),
        ([str(300 * i) for i in range(100)], "number", ""),
        ([str(i) for i in range(10)], "number", ""),
        ([f"no {i}" for i in range(30)], "category", "No two rows have the same value: it may be"),
        (["1", "2", "4"], "number", ""),
    ],
)
def test_what_a_person_should_know(cells: list[str], kind: str, warning: str) -> None:
    found = one(cells)
    assert found.kind == kind
    assert found.warning.startswith(warning) if warning else not found.warning


@pytest.mark.parametrize(
    ("cells", "odd"),
    [
        (["1,5", "2,5", "x"], "1,5"),
        ([*map(str, range(100, 119)), "x"], "x"),
        ([*map(str, range(100, 119)), "1e200"], "1e200"),
        (["1", "2"], ""),
        (["red", "blue"], ""),
    ],
)
def test_the_cell_that_a_warning_is_about_is_kept_apart(cells: list[str], odd: str) -> None:
    found = one(cells)
    assert found.odd == odd
    assert found.warning.find(odd or " such as ") == -1
    shown = columns.warning_of(found.to_dict())
    assert shown == (f"{found.warning} Such as “{odd}”." if odd else found.warning)


@pytest.mark.parametrize(
    ("cells", "is_feature"),
    [
        (["1.5", "2", "2"] * 9, True),
        (["red", "blue"] * 15, True),
        ([str(300 * i) for i in range(100)], True),
        (["a"] * 30, False),
        ([""] * 30, False),
        ([f"name {i}" for i in range(101)], False),
        ([f"name {i}" for i in range(50)], False),
        ([str(i) for i in range(30)], False),
    ],
)
def test_identifiers_and_constants_are_no_features(cells: list[str], is_feature: bool) -> None:
    found = one(cells)
    assert found.feature is is_feature
    assert columns.is_feature(found.to_dict()) is is_feature
    assert bool(found.warning) is not is_feature


@pytest.mark.parametrize(("kind", "is_feature"), [("number", True), ("text", False)])
def test_a_profile_of_before_does_not_say_what_is_a_feature(kind: str, is_feature: bool) -> None:
    assert columns.is_feature({"name": "x", "kind": kind}) is is_feature


@pytest.mark.parametrize(
    ("cells", "word"), [(["a", "", " NA ", "None"], "NA"), (["a", "", None], ""), ([1.5, 2.5], "")]
)
def test_the_first_word_that_counts_as_missing_is_kept(cells: list[Any], word: str) -> None:
    assert one(cells).no_value == word


@pytest.mark.parametrize("values", [51, 100, 200])
def test_classes_are_never_estimated(values: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiling, "COUNTED", 10)
    assert one([f"no {i % values}" for i in range(1_000)]).distinct == values


def test_parquet_has_kinds_of_its_own() -> None:
    found = profiles(
        number=[1.5, None, float("nan")],
        whole=[7, 8, 9_007_199_254_740_993],
        flag=[True, False, None],
        several=[[1], [2], [3]],
    )
    kinds = {name: column.kind for name, column in found.items()}
    assert kinds == {"number": "constant", "whole": "number", "flag": "category", "several": "text"}
    assert found["number"].missing == 2
    assert found["flag"].levels == [("false", 1), ("true", 1)]
    assert found["several"].warning.startswith("It holds lists, records")


def test_names_mean_nothing_else() -> None:
    found = profiles(**{"*": ["1", "2"], "^c.*$": ["3", "4"], "c0": ["5", "6"], "a b": ["7", "8"]})
    assert [(name, column.minimum) for name, column in found.items()] == [
        ("*", 1.0),
        ("^c.*$", 3.0),
        ("c0", 5.0),
        ("a b", 7.0),
    ]


def test_long_cells_are_cut() -> None:
    assert {len(text) for text in one(["x" * 500, "y" * 500]).to_dict()["examples"]} == {80}


def test_of_many_columns_each_is_in_its_place() -> None:
    cells = {f"column {i}": [str(i), str(i + 1)] for i in range(120)}
    found = profiles(**cells)
    assert [found[name].minimum for name in cells] == [float(i) for i in range(120)]


def test_large_numbers_do_no_harm() -> None:
    found = one(["-1e150", "1e150", "5"])
    assert (found.minimum, found.maximum, found.sd) == (-1e150, 1e150, 1e150)
    assert sum(found.histogram) == 3


def test_tiny_numbers_do_no_harm() -> None:
    found = one(["0", "1.1125369292536007e-308"])
    assert (found.histogram[0], found.histogram[-1]) == (1, 1)


@pytest.mark.parametrize(("values", "kind"), [(97, "category"), (101, "text"), (9_000, "text")])
def test_many_values_are_estimated(values: int, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is decisive is counted."""
    monkeypatch.setattr(profiling, "COUNTED", 1_000)
    found = one([f"no {i % values}" for i in range(10_000)])
    assert found.kind == kind
    assert found.distinct == (values if values < 200 else pytest.approx(values, rel=0.1))


@pytest.mark.parametrize("start", range(12))
def test_an_estimate_is_never_more_than_there_are(
    start: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profiling, "COUNTED", 100)
    cells = [f"no {start * 1_000 + i}" for i in range(999)]
    assert 500 < one([*cells, ""]).distinct <= 999


def test_an_estimate_shows_identifiers_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiling, "COUNTED", 4_000)
    assert one([str(i) for i in range(20_000)]).warning.startswith("It numbers the rows")
    assert one([str(i % 15_000) for i in range(20_000)]).warning == ""


def test_somebody_may_end_it() -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        profiling.profile(blocks.of_frame(pl.DataFrame({"x": ["1"]})), alive=stop)


CELLS = st.one_of(
    st.sampled_from(
        ["", "NA", "?", " ", "1", "2.50", "-3e2", "1,5", "inf", "1_000", "0x10", "x", "é"]
    ),
    st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=4),
    st.floats(allow_nan=False).map(str),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(CELLS, min_size=1, max_size=12))
def test_kinds_are_those_of_training(cells: list[str]) -> None:
    """And whatever the cells are, a database can keep what is found."""
    found = one(cells)
    assert orjson.loads(orjson.dumps(found.to_dict())) == found.to_dict()
    lines = tuple(range(len(cells)))
    table = Table(("x",), tuple((cell,) for cell in cells), lines, "", "cells")
    try:
        kind = infer_columns(table, ["x"])[0].kind
    except DataError:
        assert found.kind in ("constant", "text")
        return
    assert found.kind in (kind, "constant")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(CELLS, min_size=1, max_size=40), st.integers(1, 7))
def test_it_is_the_same_however_the_table_is_divided(cells: list[str], rows: int) -> None:
    frame = pl.DataFrame({"x": cells})
    parts = blocks.Blocks(lambda: frame.iter_slices(rows))
    _, [found] = profiling.profile(parts, alive=nothing)
    whole = one(cells)
    exact = {"mean": None, "sd": None}
    assert replace(found, **exact) == replace(whole, **exact)
    for part, all_at_once in ((found.mean, whole.mean), (found.sd, whole.sd)):
        assert part == (None if all_at_once is None else pytest.approx(all_at_once, rel=1e-6))
