"""The gate that protects callers: the same columns, the same meaning of 1."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from endpoints.errors import GateFailed
from endpoints.models import AlgorithmVersion, Endpoint
from endpoints.services import artifacts, lifecycle
from endpoints.services.gates import Case, Gate
from endpoints.services.gates.question import same_question
from mlcore import Classifier
from tests import cast
from tests.endpoints.services.candidates import judged, second
from tests.endpoints.services.decisions import decision

pytestmark = pytest.mark.django_db
SIX = ("Area", "MajorAxisLength", "MinorAxisLength", "Eccentricity", "ConvexArea", "Extent")


def gate(version: AlgorithmVersion) -> Gate:
    return judged(version)["schema"]


def test_it_works(raisin: Endpoint) -> None:
    assert gate(raisin.versions.get(number=2)).verdict == "pass"


def test_it_refuses_another_positive_class(raisin: Endpoint) -> None:
    """The same data and columns; only 1 would mean the other class from now on."""
    version = cast.registered_version(raisin, status="staging", positive="Kecimen")
    found = gate(version)
    assert found.verdict == "fail"
    assert "probabilities would be of “Kecimen” instead of “Besni”" in found.message
    with pytest.raises(GateFailed, match="Callers of v1 would break"):
        lifecycle.promote(version=version, decision=decision())


def test_it_refuses_a_column_that_callers_send_no_more_use_for(raisin: Endpoint) -> None:
    found = gate(cast.registered_version(raisin, status="staging", columns=SIX))
    assert found.verdict == "fail"
    assert "columns no longer known Perimeter" in found.message


def test_it_refuses_a_column_that_callers_do_not_send(raisin: Endpoint) -> None:
    narrow = cast.registered_version(raisin, columns=SIX)
    AlgorithmVersion.objects.filter(endpoint=raisin, number=1).update(status="archived")
    AlgorithmVersion.objects.filter(pk=narrow.pk).update(status="production")
    assert "new columns Perimeter" in gate(raisin.versions.get(number=2)).message


def test_a_first_version_has_nothing_to_match(raisin: Endpoint) -> None:
    raisin.versions.filter(number=1).update(status="archived")
    assert gate(raisin.versions.get(number=2)).verdict == "not_run"


def with_columns(classifier: Classifier, **changes: Any) -> Classifier:
    """The classifier with its first column changed."""
    first, *others = classifier.schema.columns
    schema = replace(classifier.schema, columns=(replace(first, **changes), *others))
    return replace(classifier, schema=schema)


def test_a_level_or_a_hole_that_is_no_longer_taken_fails(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    candidate = second(raisin)
    ours = artifacts.load(candidate)
    levels = {"kind": "category", "levels": ("big", "small"), "fill": "big"}
    theirs = with_columns(ours, **levels)
    narrower = with_columns(ours, kind="category", levels=("small",), fill=None)
    loaded = {candidate.pk: narrower}
    monkeypatch.setattr(artifacts, "load", lambda kept: loaded.get(kept.pk, theirs))
    found = same_question(Case(candidate, cast.SYSTEM, cast.THEN))
    assert found.verdict == "fail"
    assert "levels of Area no longer known big" in found.message
    assert "Area may no longer be missing" in found.message
