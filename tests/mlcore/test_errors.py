from __future__ import annotations

import pytest

from mlcore import ArtifactError, CellError, DataError, MlcoreError, SchemaError
from mlcore.errors import MOST_CELLS, did_you_mean, listed, shown


def test_it_works() -> None:
    cell = CellError("wrong_type", "expected a number, got 'x'", row=3, column="Area", value="'x'")
    error = SchemaError.of([cell, cell], place="row")
    assert str(error) == "row 3, column Area: expected a number, got 'x' (and 1 more problem)"
    assert error.cells == (cell, cell)
    capped = SchemaError.of([cell] * MOST_CELLS, place="row")
    assert str(capped).endswith("(and at least 99 more problems)")


def test_every_error_has_a_code_and_one_root() -> None:
    codes = {error.code for error in (SchemaError, DataError, ArtifactError)}
    assert codes == {"schema_error", "data_error", "artifact_error"}
    assert all(issubclass(error, MlcoreError) for error in (SchemaError, DataError, ArtifactError))


@pytest.mark.parametrize(
    "value",
    ["a" * 10_000, 10**5000, -(10**5000), "\ud800" * 200, {"k": ["\udfff"] * 99}, b"\xff" * 500],
    ids=["long", "huge", "negative", "surrogates", "nested", "bytes"],
)
def test_it_shows_anything_in_80_encodable_characters(value: object) -> None:
    text = shown(value)
    assert 0 < len(text) <= 80
    text.encode("utf-8")


def test_it_shows_deep_nesting() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert shown(deep) == "[[[[...]]]]"


def test_it_lists_a_few_names_and_counts_the_rest() -> None:
    assert listed(map(str, range(25))) == ", ".join(map(str, range(20))) + " and 5 more"


@pytest.mark.parametrize(
    ("name", "hint"),
    [("area", 'did you mean "Area"'), ("Arae", 'did you mean "Area"'), ("zzz", "")],
)
def test_it_suggests_the_nearest_name(name: str, hint: str) -> None:
    assert hint in did_you_mean(name, ["Area", "Extent"])
    assert bool(did_you_mean(name, ["Area", "Extent"])) == bool(hint)
