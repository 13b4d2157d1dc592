"""Rolling back: the version that answered before answers again, and back means further back."""

from __future__ import annotations

import pytest

from endpoints.errors import GateFailed, InvalidTransition
from endpoints.models import Endpoint, StatusChange
from endpoints.services import artifacts, lifecycle
from tests.endpoints.services.decisions import decision

pytestmark = pytest.mark.django_db


@pytest.fixture
def promoted(raisin: Endpoint) -> Endpoint:
    """v1 answered, then v2."""
    lifecycle.promote(version=raisin.versions.get(number=2), decision=decision())
    return raisin


def production(endpoint: Endpoint) -> int | None:
    version = endpoint.versions.in_production().first()
    return version.number if version else None


def test_it_works(promoted: Endpoint) -> None:
    change = lifecycle.roll_back(endpoint=promoted, decision=decision(minutes=1))
    assert production(promoted) == 1
    assert (change.verb, change.version.number) == ("roll_back", 1)


def test_it_records_that_the_other_was_replaced(promoted: Endpoint) -> None:
    lifecycle.roll_back(endpoint=promoted, decision=decision(minutes=1))
    verbs = StatusChange.objects.of(promoted).order_by("-id").values_list("verb", "version__number")
    assert list(verbs[:2]) == [("roll_back", 1), ("replace", 2)]


def test_it_does_not_swing_back(promoted: Endpoint) -> None:
    lifecycle.roll_back(endpoint=promoted, decision=decision(minutes=1))
    assert lifecycle.rollback_target(promoted) is None
    with pytest.raises(InvalidTransition, match="no earlier production version"):
        lifecycle.roll_back(endpoint=promoted, decision=decision(minutes=2))


def test_it_finds_the_way_after_a_second_promotion(promoted: Endpoint) -> None:
    lifecycle.roll_back(endpoint=promoted, decision=decision(minutes=1))
    second = promoted.versions.get(number=2)
    lifecycle.restore(version=second, decision=decision(minutes=2))
    lifecycle.stage(version=second, decision=decision(minutes=3))
    lifecycle.promote(version=second, decision=decision(minutes=4))
    target = lifecycle.rollback_target(promoted)
    assert target is not None
    assert target.number == 1


def test_it_brings_back_a_production_version_that_was_archived(raisin: Endpoint) -> None:
    lifecycle.archive(version=raisin.versions.get(number=1), decision=decision())
    assert production(raisin) is None
    lifecycle.roll_back(endpoint=raisin, decision=decision(minutes=1))
    assert production(raisin) == 1


def test_it_passes_over_a_version_that_left_the_archive(promoted: Endpoint) -> None:
    lifecycle.restore(version=promoted.versions.get(number=1), decision=decision(minutes=1))
    assert lifecycle.rollback_target(promoted) is None


def test_it_refuses_an_artefact_that_no_longer_loads(promoted: Endpoint) -> None:
    weights = artifacts.folder(promoted.versions.get(number=1)) / "weights.npz"
    good = weights.read_bytes()
    weights.write_bytes(good[:-1])
    try:
        with pytest.raises(GateFailed, match="cannot be used"):
            lifecycle.roll_back(endpoint=promoted, decision=decision(minutes=1))
    finally:
        weights.write_bytes(good)
    assert production(promoted) == 2
