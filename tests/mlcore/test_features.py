from __future__ import annotations

import numpy as np
import pytest

from mlcore import Column, DataError, Schema, Table
from mlcore.features import (
    feature_names,
    fill,
    infer_classes,
    infer_columns,
    learn_fills,
    read_cells,
    read_target,
)
from mlcore.textformats import parse_csv


def table(text: str) -> Table:
    return parse_csv(text.encode(), name="t.csv")


def column(cells: list[str], name: str = "a") -> Table:
    return table("\n".join([f"{name},k", *(f"{cell},1" for cell in cells)]))


def places_of(error: DataError) -> list[tuple[str, int | None, str | None]]:
    return [(cell.code, cell.row, cell.column) for cell in error.cells]


def test_it_works() -> None:
    grains = table("Area,Colour,Class\n 1.5 ,red,x\n,dark,y\n4,?,x\n2e0, red,y\n")
    kinds = infer_columns(grains, ["Area", "Colour"])
    assert kinds == (Column("Area", "number"), Column("Colour", "category", ("dark", "red")))
    cells = read_cells(kinds, grains)
    schema = learn_fills(kinds, cells, np.arange(4))
    assert [c.fill for c in schema.columns] == [2.0, "red"]
    columns = fill(schema, cells)
    assert columns.values["Area"].tolist() == [1.5, 2.0, 4.0, 2.0]
    assert columns.values["Colour"].tolist() == ["red", "dark", "red", "red"]
    assert columns.imputed == ((), ("Area",), ("Colour",), ())


@pytest.mark.parametrize(
    "missing",
    ["", " ", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "null", "NULL", "None", "?"],
)
def test_missing_cells_do_not_decide_the_kind(missing: str) -> None:
    grains = column([missing] * 8 + ["1", "2"])
    kinds = infer_columns(grains, ["a"])
    assert kinds[0].kind == "number"
    assert read_cells(kinds, grains).missing["a"].sum() == 8


def test_nine_in_ten_numbers_make_a_number_column() -> None:
    assert infer_columns(column(["1"] * 9 + ["x"]), ["a"])[0].kind == "number"
    assert infer_columns(column(["1"] * 8 + ["x", "y"]), ["a"])[0].kind == "category"


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("abc", "wrong_type"),
        ("1_000", "wrong_type"),
        ("0x10", "wrong_type"),
        ("-nan", "wrong_type"),
        ("١٢", "wrong_type"),
        ("inf", "not_finite"),
        ("-Infinity", "not_finite"),
        ("1e151", "not_finite"),
        ("1e999", "not_finite"),
    ],
)
def test_it_names_the_line_of_a_cell_that_is_no_number(cell: str, code: str) -> None:
    grains = column(["1"] * 20 + [cell])
    with pytest.raises(DataError) as caught:
        read_cells(infer_columns(grains, ["a"]), grains)
    assert places_of(caught.value) == [(code, 22, "a")]
    assert str(caught.value).startswith("line 22, column a: expected a ")


def test_it_names_20_bad_cells_by_line() -> None:
    grains = table("a,b\n" + "1,1\n" * 300 + "x,y\n" * 15)
    with pytest.raises(DataError) as caught:
        read_cells((Column("b", "number"), Column("a", "number")), grains)
    lines = [cell.row for cell in caught.value.cells]
    assert lines == [302 + k // 2 for k in range(20)]


def test_it_refuses_a_level_that_training_did_not_see() -> None:
    grains = column(["red", "blue"])
    with pytest.raises(DataError, match="line 3, column a: expected one of dark, red, got 'blue'"):
        read_cells((Column("a", "category", ("dark", "red")),), grains)


def test_it_refuses_a_column_without_values() -> None:
    with pytest.raises(DataError, match='"a" has no value in any row; leave it out'):
        infer_columns(column(["", "NA", "?"]), ["a"])


def test_it_refuses_an_identifier() -> None:
    grains = column([f"id-{k}" for k in range(101)])
    with pytest.raises(DataError, match='"a" has 101 different texts .* leave it out'):
        infer_columns(grains, ["a"])
    assert len(infer_columns(column([f"id-{k}" for k in range(100)]), ["a"])[0].levels) == 100


def test_fills_come_from_the_training_rows_alone() -> None:
    grains = table("a,b\n1,x\n3,y\n,\n1000,z\n1000,z\n")
    kinds = infer_columns(grains, ["a", "b"])
    schema = learn_fills(kinds, read_cells(kinds, grains), np.array([0, 1, 2]))
    assert [c.fill for c in schema.columns] == [2.0, "x"]


def test_a_column_with_holes_needs_a_value_in_training() -> None:
    grains = table("a,b\n1,x\n,y\n")
    kinds = infer_columns(grains, ["a", "b"])
    with pytest.raises(DataError, match='"a" has no value in the training rows'):
        learn_fills(kinds, read_cells(kinds, grains), np.array([1]))


def test_a_hole_without_a_fill_is_refused_by_line() -> None:
    grains = table("a,b\n1,x\n,y\n")
    kinds = infer_columns(grains, ["a", "b"])
    with pytest.raises(DataError) as caught:
        fill(Schema(kinds), read_cells(kinds, grains))
    assert places_of(caught.value) == [("missing_value", 3, "a")]


def test_chosen_columns_keep_the_order_of_the_file() -> None:
    grains = table("a,b,c,y\n1,2,3,4\n")
    assert feature_names(grains, target="y") == ("a", "b", "c")
    assert feature_names(grains, target="y", chosen=["c", "a"]) == ("a", "c")


@pytest.mark.parametrize(
    ("target", "chosen", "message"),
    [
        ("Class", None, 'no column "Class" in t.csv; did you mean "class"'),
        ("class", ["aera"], 'no column "aera" in t.csv; did you mean "area"'),
        ("class", ["area", "area"], '"area" is listed 2 times'),
        ("class", ["area", "class"], '"class" is the target'),
        ("class", [], "no feature column"),
    ],
)
def test_it_refuses_a_wrong_choice_of_columns(
    target: str, chosen: list[str] | None, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        feature_names(table("area,class\n1,x\n"), target=target, chosen=chosen)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ("0 1 1 1", ("0", "1")),
        ("No yes yes yes", ("No", "yes")),
        ("FALSE TRUE TRUE FALSE", ("FALSE", "TRUE")),
        ("a b b b", ("b", "a")),
        ("b a b a", ("b", "a")),
        ("1 true 1 1", ("1", "true")),
    ],
    ids=["1", "yes", "true", "rarer", "alphabet", "both affirmative"],
)
def test_the_positive_class_has_a_sensible_default(labels: str, expected: tuple[str, str]) -> None:
    assert infer_classes(column(labels.split()), target="a") == expected


def test_the_positive_class_can_be_chosen() -> None:
    grains = column(["x", "y", "y"])
    assert infer_classes(grains, target="a", positive="y") == ("x", "y")
    with pytest.raises(DataError, match=r'"Y" is no class of "a" \(x, y\); did you mean "y"'):
        infer_classes(grains, target="a", positive="Y")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["x", "x"], "needs at least 2 classes, it has only x$"),
        ([str(k) for k in range(51)], "has 51 different values .* reads like a quantity"),
        (["", "?"], "needs at least 2 classes, it has none$"),
    ],
)
def test_it_refuses_what_is_no_class(labels: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        infer_classes(column(labels), target="a")


def test_three_classes_are_in_alphabetical_order_and_none_is_positive() -> None:
    assert infer_classes(column(["z", "x", "y", "x"]), target="a") == ("x", "y", "z")
    with pytest.raises(DataError, match=r"has 3 classes \(x, y, z\); none is the positive"):
        infer_classes(column(["z", "x", "y"]), target="a", positive="x")


def test_classes_are_read_as_their_numbers() -> None:
    y = read_target(column(["z", "x", "y"]), target="a", classes=("x", "y", "z"))
    assert y.tolist() == [2.0, 0.0, 1.0]


def test_the_target_is_read_as_0_and_1() -> None:
    y = read_target(column([" x", "y", "x "]), target="a", classes=("x", "y"))
    assert y.tolist() == [0.0, 1.0, 0.0]


def test_it_names_the_lines_without_a_target() -> None:
    with pytest.raises(DataError) as caught:
        read_target(column(["x", "", "z"]), target="a", classes=("x", "y"))
    assert places_of(caught.value) == [("missing_value", 3, "a"), ("unknown_level", 4, "a")]


def test_a_class_that_is_called_like_a_missing_value_is_named() -> None:
    with pytest.raises(DataError, match=r'missing: "None" stands for no value; .* call the class'):
        read_target(column(["x", "None", "y"]), target="a", classes=("x", "y"))


def test_classes_are_texts_also_where_they_look_like_numbers() -> None:
    with pytest.raises(DataError, match="classes are texts, as the file holds them: positive is 1"):
        infer_classes(column(["0", "1"]), target="a", positive=1)  # type: ignore[arg-type]


def test_a_name_that_is_no_text_is_refused_like_any_other() -> None:
    with pytest.raises(DataError, match='there is no column "3" in t.csv'):
        feature_names(column(["0", "1"]), target="k", chosen=[3])  # type: ignore[list-item]


def test_decimal_commas_are_told() -> None:
    prices = parse_csv(b"a;k\n1,5;x\n2,25;y\n3,125;x\n", name="prices")
    with pytest.raises(DataError, match="numbers with commas, such as 1,5; write a decimal point"):
        infer_columns(prices, ["a"])


def test_a_missing_word_that_is_a_level_or_class_of_a_model_means_that() -> None:
    table = parse_csv(b"Shape,Class\nNULL,None\n,Besni\nround,None\n", name="t.csv")
    cells = read_cells([Column("Shape", "category", ("NULL", "round"))], table)
    assert cells.values["Shape"].tolist() == ["NULL", None, "round"]
    assert cells.missing["Shape"].tolist() == [False, True, False]
    classes = read_target(table, target="Class", classes=("Besni", "None"))
    assert classes.tolist() == [1.0, 0.0, 1.0]
