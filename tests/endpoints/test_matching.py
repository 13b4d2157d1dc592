"""Which rows of a logged request hold what one looks for, to the last edge; no database is asked."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from endpoints.errors import InvalidRequest
from endpoints.matching import Cells, Wanted, matcher
from mlcore.classifier import Classifier
from mlcore.profile import ColumnProfile
from mlcore.schema import Column, Schema

LONG, LONG_LEVEL = "n" * 250, "l" * 150
NUMBER = ColumnProfile("Area", "number", 0, quantiles=(1.0, 2.0, 3.0))
CATEGORY = ColumnProfile("colour", "category", 0, counts=(("red", 5), (LONG_LEVEL, 1)))
INPUTS: list[list[Any]] = [
    [1.0, "red"], [3.0, "pink"], [0.5, LONG_LEVEL], [3.5, LONG_LEVEL + "x"], [2.0, None], [None, "red"],
]  # fmt: skip
IMPUTED = [[], [], [], [], [], ["Area"]]


def model(number: ColumnProfile = NUMBER) -> Classifier:
    """As much of a classifier as tells rows apart."""
    columns = Column(number.name, "number"), Column("colour", "category", ("red", LONG_LEVEL))
    profile = SimpleNamespace(columns=(number, CATEGORY))
    parts = SimpleNamespace(classes=("no", "yes"), schema=Schema(columns), profile=profile)
    return cast(Classifier, parts)


def rows(cells: Cells, feature: str = "Area", **asked: Any) -> list[int]:
    found = matcher(model(), Wanted(cells.value, feature, **asked))
    assert found.columns == ("inputs", "imputed")
    return found.rows([INPUTS, IMPUTED])


def test_it_works() -> None:
    assert rows(Cells.PRESENT) == [0, 1, 2, 3, 4]
    assert rows(Cells.MISSING) == [5]
    assert rows(Cells.MISSING, "colour") == [4]
    assert rows(Cells.UNSEEN, "colour") == [1, 3]


def test_the_ends_of_the_training_are_within_its_range() -> None:
    assert rows(Cells.OUTSIDE) == [2, 3]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, [0, 1, 2, 3, 4]),
        ({"above": 1.0}, [1, 3, 4]),
        ({"up_to": 1.0}, [0, 2]),
        ({"above": 1.0, "up_to": 3.0}, [1, 4]),
    ],
)
def test_a_range_leaves_out_its_lower_end(asked: dict[str, float], expected: list[int]) -> None:
    assert rows(Cells.BETWEEN, **asked) == expected


def test_levels_are_found_as_reports_name_them() -> None:
    assert rows(Cells.LEVEL, "colour", level="red") == [0, 5]
    assert rows(Cells.LEVEL, "colour", level="pink") == [1]
    assert rows(Cells.LEVEL, "colour", level=LONG_LEVEL) == [2]
    assert rows(Cells.LEVEL, "colour", level=LONG_LEVEL[:100]) == [3]
    assert rows(Cells.LEVEL, "colour", level="None") == []


def test_a_request_in_which_nothing_was_filled_names_no_row() -> None:
    found = matcher(model(), Wanted("present", "Area"))
    assert found.rows([INPUTS[:2], []]) == [0, 1]
    filled = matcher(model(), Wanted("missing", "Area"))
    assert filled.rows([[[2.0, "red"], [2.0, "red"]], [[], ["Area"]]]) == [1]


def test_probabilities_are_those_of_the_page() -> None:
    found = matcher(model(), Wanted("score", above=0.25, up_to=0.5))
    assert found.columns == ("probabilities",)
    assert found.rows([[0.25, 0.5, 0.3, 0.51]]) == [1, 2]
    assert found.rows([[[0.5, 0.3, 0.2], [0.1, 0.8, 0.1]]]) == [0]


def test_decisions() -> None:
    found = matcher(model(), Wanted("predicted", level="yes"))
    assert found.columns == ("predictions",)
    assert found.rows([[0, 1, 1]]) == [1, 2]


def test_a_name_that_a_report_has_cut_is_known() -> None:
    long = model(replace(NUMBER, name=LONG))
    assert matcher(long, Wanted("outside", LONG[:200])).rows([INPUTS, []]) == [2, 3]
    with pytest.raises(InvalidRequest, match="There is no feature"):
        matcher(long, Wanted("outside", LONG[:199]))


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        (Wanted("missing", "area"), 'There is no feature “area”; did you mean "Area"'),
        (Wanted("predicted", level="maybe"), "There is no class “maybe”. Known: no, yes."),
        (Wanted("unseen", "Area"), "“Area” has numbers, no levels."),
        (Wanted("level", "Area", level="1"), "“Area” has numbers, no levels."),
        (Wanted("between", "colour"), "“colour” has levels, no numbers."),
    ],
)
def test_it_refuses_what_a_version_does_not_have(wanted: Wanted, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        matcher(model(), wanted)
