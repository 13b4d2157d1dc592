"""Rows held against the training profile, without a log."""

from __future__ import annotations

from typing import Any

import pytest

from endpoints.services.row_drift import row_drift
from mlcore.errors import SchemaError
from tests.mlcore.classifiers import MIXED, classifier, some_rows

MODEL = classifier(columns=MIXED)


def verdicts(rows: list[list[Any]]) -> dict[str, str]:
    return {found.report.name: found.verdict for found in row_drift(MODEL, rows)}


def test_it_works() -> None:
    moved = [[area * 3, *others] for area, *others in some_rows(MIXED, 300, seed=8)]
    assert verdicts(moved) == {"Area": "shift", "Extent": "stable", "Colour": "stable"}


def test_rows_like_those_of_the_training_are_stable() -> None:
    assert set(verdicts(some_rows(MIXED, 300, seed=8)).values()) == {"stable"}


def test_a_few_rows_prove_nothing() -> None:
    [area, *_] = row_drift(MODEL, [[300_000.0, 0.7, "red"]])
    assert area.report.psi > 0.1
    assert area.verdict == "stable"


def test_missing_values_are_a_shift_of_their_own() -> None:
    holes = [[area, None, colour] for area, _, colour in some_rows(MIXED, 300, seed=8)]
    extent = row_drift(MODEL, holes)[1]
    assert (extent.report.missing, extent.verdict) == (300, "shift")


def test_it_refuses_rows_that_do_not_fit() -> None:
    with pytest.raises(SchemaError, match="column Area"):
        row_drift(MODEL, [["x", 0.7, "red"]])
