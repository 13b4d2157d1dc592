"""The gate that protects callers: the same columns, the same meaning of 1."""

from __future__ import annotations

import pytest

from endpoints.errors import GateFailed
from endpoints.models import AlgorithmVersion, Endpoint
from endpoints.services import gates, lifecycle
from endpoints.services.gates import Gate
from tests import cast
from tests.endpoints.services.decisions import decision

pytestmark = pytest.mark.django_db
SIX = ("Area", "MajorAxisLength", "MinorAxisLength", "Eccentricity", "ConvexArea", "Extent")


def gate(version: AlgorithmVersion) -> Gate:
    return next(found for found in gates.evaluate(version) if found.name == "Schema and classes")


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
