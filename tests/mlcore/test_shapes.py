from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from mlcore import TrainingSpec, synthetic_raisin, train
from mlcore.analysis import AnalysisReport
from mlcore.shapes import misfits


@pytest.fixture(scope="module")
def analysis() -> dict[str, Any]:
    result = train(TrainingSpec(target="Class"), synthetic_raisin())
    document: dict[str, Any] = json.loads(json.dumps(result.analysis.to_dict()))
    return document


def test_what_a_training_writes_fits(analysis: dict[str, Any]) -> None:
    assert list(misfits(analysis, AnalysisReport)) == []


def test_what_other_trainings_write_fits() -> None:
    grains = synthetic_raisin()
    wide = [column for column in grains.header if column != "Area"]
    table = grains.select(range(0, 900, 9), name="few")
    for target, columns in (("Class", ("Area",)), ("Class", tuple(wide[:-1]))):
        result = train(TrainingSpec(target=target, columns=columns, lambda_="auto"), table)
        document = json.loads(json.dumps(result.analysis.to_dict()))
        assert list(misfits(document, AnalysisReport)) == []


def places(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in the document, of lists the first item."""
    if path:
        yield path
    inner: list[tuple[Any, Any]] = []
    if isinstance(document, dict):
        inner = list(document.items())
    elif isinstance(document, list):
        inner = list(enumerate(document[:1]))
    for key, value in inner:
        yield from places(value, (*path, key))


def test_an_object_of_another_kind_is_found_anywhere(analysis: dict[str, Any]) -> None:
    changed = copy.deepcopy(analysis)
    for path in places(analysis):
        parent = changed
        for key in path[:-1]:
            parent = parent[key]
        kept, parent[path[-1]] = parent[path[-1]], {"odd": 10**400}
        assert next(misfits(changed, AnalysisReport), None) is not None, path
        parent[path[-1]] = kept
    assert changed == analysis


def test_a_missing_member_is_found_unless_it_is_optional(analysis: dict[str, Any]) -> None:
    changed = copy.deepcopy(analysis)
    del changed["inference"]["covariance"]
    assert list(misfits(changed, AnalysisReport)) == ["inference.covariance"]
    assert list(misfits(changed, AnalysisReport, optional={"covariance"})) == []


@pytest.mark.parametrize("document", [None, [], "x", 3])
def test_what_is_no_object_is_found(document: object) -> None:
    assert list(misfits({"brier": document}, AnalysisReport))
    assert list(misfits(document, AnalysisReport)) == [""]
