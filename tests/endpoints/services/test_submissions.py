"""A form or request that is sent twice changes something once, and what it did is told where it was done."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.contrib.auth.models import User

from endpoints.errors import InvalidRequest, NotAllowed
from endpoints.models import Endpoint, PromotionRequest, StatusChange
from endpoints.services import lifecycle, recording
from endpoints.services.access import Caller
from endpoints.services.transitions import Decision
from tests import cast
from tests.endpoints.services.decisions import NOON, decision

pytestmark = pytest.mark.django_db


def named(**facts: object) -> Decision:
    return replace(decision(), submission="form-1", **facts)


def test_it_works(raisin: Endpoint) -> None:
    version = raisin.versions.get(number=2)
    first = lifecycle.promote(version=version, decision=named())
    assert lifecycle.promote(version=version, decision=named()) == first
    assert StatusChange.objects.filter(submission="form-1", verb="promote").count() == 1


def test_it_asks_for_a_promotion_once(raisin: Endpoint) -> None:
    version = raisin.versions.get(number=2)
    first = lifecycle.request_promotion(version=version, decision=named())
    assert lifecycle.request_promotion(version=version, decision=named()) == first
    assert PromotionRequest.objects.waiting().count() == 1


def test_it_rolls_back_once(raisin: Endpoint) -> None:
    lifecycle.promote(version=raisin.versions.get(number=2), decision=decision())
    first = lifecycle.roll_back(endpoint=raisin, decision=named())
    assert lifecycle.roll_back(endpoint=raisin, decision=named()) == first


def test_it_registers_once_when_its_double_was_just_faster(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = {"run": raisin.versions.get(number=2).run, "endpoint": raisin, "now": NOON}
    facts |= {"actor": cast.SYSTEM, "submission": "form-1"}
    first = lifecycle.register(**facts)
    known = iter([None, first.status_changes.get()])
    monkeypatch.setattr(recording, "done_before", lambda *_: next(known))
    assert lifecycle.register(**facts) == first
    assert raisin.versions.count() == 3


def test_it_refuses_a_submission_of_another_version(raisin: Endpoint) -> None:
    lifecycle.archive(version=raisin.versions.get(number=2), decision=named())
    with pytest.raises(InvalidRequest, match="another version"):
        lifecycle.archive(version=raisin.versions.get(number=1), decision=named())


def test_it_refuses_a_submission_of_another_endpoint(raisin: Endpoint) -> None:
    lifecycle.promote(version=raisin.versions.get(number=2), decision=decision())
    lifecycle.roll_back(endpoint=raisin, decision=named())
    with pytest.raises(InvalidRequest, match="another endpoint"):
        lifecycle.roll_back(endpoint=cast.an_endpoint("other"), decision=named())


def test_it_tells_nothing_to_whoever_may_not_decide(raisin: Endpoint, eve: User) -> None:
    version = raisin.versions.get(number=2)
    lifecycle.promote(version=version, decision=named())
    with pytest.raises(NotAllowed):
        lifecycle.promote(version=version, decision=named(actor=Caller(user=eve)))


def test_it_refuses_a_submission_of_another_run(raisin: Endpoint) -> None:
    facts = {"endpoint": raisin, "now": NOON, "actor": cast.SYSTEM, "submission": "form-1"}
    lifecycle.register(run=raisin.versions.get(number=2).run, **facts)
    with pytest.raises(InvalidRequest, match="another run"):
        lifecycle.register(run=raisin.versions.get(number=1).run, **facts)
    assert raisin.versions.count() == 3
