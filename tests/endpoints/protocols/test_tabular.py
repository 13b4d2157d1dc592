"""The JSON tables of other servers, each brought to the same rows."""

from __future__ import annotations

from typing import Any

import pytest

from endpoints.errors import InvalidRequest, InvalidRows, TooLarge
from endpoints.protocols.tabular import FORMS, MOST_COLUMNS, read_table

ROWS = [{"Area": 1.5, "colour": "red"}, {"Area": None, "colour": "dark"}]
BODIES: dict[str, Any] = {
    "split": {
        "dataframe_split": {"columns": ["Area", "colour"], "data": [[1.5, "red"], [None, "dark"]]}
    },
    "split with its index": {
        "dataframe_split": {
            "columns": ["Area", "colour"],
            "index": [10, 11],
            "data": [[1.5, "red"], [None, "dark"]],
        }
    },
    "records": {"dataframe_records": ROWS},
    "instances": {"instances": ROWS},
    "inputs by column": {"inputs": {"Area": [1.5, None], "colour": ["red", "dark"]}},
    "inputs of shape [n, 1]": {"inputs": {"Area": [[1.5], [None]], "colour": [["red"], ["dark"]]}},
    "inputs by row": {"inputs": ROWS},
}
LISTS: dict[str, Any] = {
    "split without names": {"dataframe_split": {"data": [[1.5, 2], [3, 4]]}},
    "split with places as names": {
        "dataframe_split": {"columns": [0, 1], "data": [[1.5, 2], [3, 4]]}
    },
    "instances": {"instances": [[1.5, 2], [3, 4]]},
    "inputs": {"inputs": [[1.5, 2], [3, 4]]},
}
REFUSED: dict[str, tuple[Any, str]] = {
    "a number": (1, "exactly one of"),
    "a text": ("1", "exactly one of"),
    "a list": ([1], "exactly one of"),
    "nothing in it": ({}, "it has none"),
    "two forms": ({"instances": [], "inputs": []}, "it has instances, inputs"),
    "an unknown form": ({"instance": []}, 'did you mean "instances"'),
    "split as a list": ({"dataframe_split": [[1]]}, "dataframe_split must be"),
    "split without data": ({"dataframe_split": {"columns": ["a"]}}, "dataframe_split must be"),
    "split of something else": ({"dataframe_split": {"data": [], "rows": 1}}, "not rows"),
    "split of no lists": ({"dataframe_split": {"data": [1]}}, "a list of lists"),
    "split with a number as a name": (
        {"dataframe_split": {"columns": ["a", 1], "data": [[1, 2]]}},
        "a list of names",
    ),
    "a name used twice": (
        {"dataframe_split": {"columns": ["a", "a"], "data": [[1, 2]]}},
        "named twice: a",
    ),
    "records of no objects": ({"dataframe_records": [[1]]}, "a list of objects"),
    "records as an object": ({"dataframe_records": {"a": [1]}}, "a list of objects"),
    "instances as an object": ({"instances": {"a": 1}}, "instances must be"),
    "inputs as a number": ({"inputs": 3}, "inputs must be"),
    "columns of two lengths": ({"inputs": {"a": [1], "b": [1, 2]}}, "a 1, b 2"),
    "a column and a value": ({"inputs": {"a": [1], "b": 2}}, "“b” of inputs is not a list"),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_it_works(body: Any) -> None:
    _, rows = read_table(body, FORMS)
    assert rows == ROWS


@pytest.mark.parametrize("body", LISTS.values(), ids=LISTS)
def test_rows_without_names_stay_lists(body: Any) -> None:
    assert read_table(body, FORMS)[1] == [[1.5, 2], [3, 4]]


def test_it_says_which_form_it_was() -> None:
    assert read_table({"inputs": [], "params": {}}, FORMS, ("params",)) == ("inputs", [])


def test_a_bare_value_is_the_row_of_a_model_of_one_column() -> None:
    assert read_table({"instances": [1, 2.5]}, FORMS)[1] == [[1], [2.5]]


def test_bare_values_by_name_are_one_row() -> None:
    assert read_table({"inputs": {"a": 1, "b": "x"}}, FORMS)[1] == [{"a": 1, "b": "x"}]


@pytest.mark.parametrize(("body", "says"), REFUSED.values(), ids=REFUSED)
def test_it_refuses(body: Any, says: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_table(body, FORMS)
    assert says in caught.value.message


def test_it_refuses_a_form_of_another_protocol() -> None:
    with pytest.raises(InvalidRequest, match="dataframe_split"):
        read_table({"dataframe_split": {"data": []}}, ("instances", "inputs"))


def test_it_names_every_row_that_does_not_fit_the_columns() -> None:
    body = {"dataframe_split": {"columns": ["a", "b"], "data": [[1, 2], [1], [1, 2, 3]]}}
    with pytest.raises(InvalidRows) as caught:
        read_table(body, FORMS)
    assert [(cell.row, cell.code) for cell in caught.value.cells] == [
        (1, "wrong_length"),
        (2, "wrong_length"),
    ]


@pytest.mark.parametrize(
    ("form", "value"),
    [
        ("dataframe_split", {"columns": ["a"], "data": [[1]] * 4}),
        ("dataframe_records", [{"a": 1}] * 4),
        ("instances", [[1]] * 4),
        ("inputs", [[1]] * 4),
        ("inputs", {str(number): [1] for number in range(MOST_COLUMNS + 1)}),
    ],
)
def test_it_refuses_too_much_before_looking_at_it(form: str, value: Any, settings: Any) -> None:
    settings.RAISIN_MAX_ROWS = 3
    with pytest.raises(TooLarge):
        FORMS[form](value)
