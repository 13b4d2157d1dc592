"""Which column answers which feature."""

from __future__ import annotations

from endpoints.services.tables.mapping import Missing, match, notes
from mlcore.schema import Column, Schema

SCHEMA = Schema((Column("Area", "number"), Column("MajorAxisLength", "number")))


def test_it_works() -> None:
    found = match(SCHEMA, ["id", "MajorAxisLength", "Area"])
    assert found.matched == {"Area": "Area", "MajorAxisLength": "MajorAxisLength"}
    assert (found.missing, found.extra) == ([], ["id"])


def test_the_nearest_name_is_proposed_and_not_taken() -> None:
    found = match(SCHEMA, ["area", "major_axis_length", "note"])
    assert found.matched == {}
    assert found.missing == [
        Missing("Area", "area"),
        Missing("MajorAxisLength", "major_axis_length"),
    ]


def test_nothing_is_proposed_where_no_name_is_near() -> None:
    assert match(SCHEMA, ["Area", "x"]).missing == [Missing("MajorAxisLength", "")]


def test_what_somebody_chose_goes_before_the_name() -> None:
    found = match(SCHEMA, ["Area", "size", "MajorAxisLength"], {"Area": "size"})
    assert found.matched["Area"] == "size"
    assert found.extra == ["Area"]


def test_a_choice_that_the_file_does_not_have_is_missing() -> None:
    found = match(SCHEMA, ["Area", "MajorAxisLength"], {"Area": "size"})
    assert [missing.name for missing in found.missing] == ["Area"]


def test_a_column_that_answers_several_features_is_noted() -> None:
    assert list(notes({"a": "x", "b": "y", "c": "x"})) == [
        "The column “x” is read for several features: “a”, “c”."
    ]
    assert list(notes({"a": "x", "b": "y"})) == []
