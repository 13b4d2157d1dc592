"""Promotion: one version answers, the one before it is archived, and everything is on record."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from endpoints.errors import Conflict, GateFailed, InvalidRequest, InvalidTransition
from endpoints.models import AlgorithmVersion, Endpoint, Event, Status, StatusChange
from endpoints.services import gates, lifecycle
from endpoints.services.gates import Gate
from tests.endpoints.services.decisions import REASON, decision

pytestmark = pytest.mark.django_db


def staged(endpoint: Endpoint) -> AlgorithmVersion:
    return endpoint.versions.get(status=Status.STAGING)


def statuses(endpoint: Endpoint) -> dict[int, str]:
    return dict(endpoint.versions.values_list("number", "status"))


def test_it_works(raisin: Endpoint) -> None:
    lifecycle.promote(version=staged(raisin), decision=decision())
    assert statuses(raisin) == {1: "archived", 2: "production"}


def test_it_records_who_when_why_and_the_evidence(raisin: Endpoint) -> None:
    change = lifecycle.promote(version=staged(raisin), decision=decision())
    stored = StatusChange.objects.get(pk=change.pk)
    assert (stored.verb, stored.from_status, stored.to_status) == (
        "promote",
        "staging",
        "production",
    )
    assert (stored.actor_name, stored.reason) == ("alex", REASON)
    assert {gate["name"] for gate in stored.gates} >= {"Artefact reload", "Validation metric"}
    assert "fail" not in {gate["verdict"] for gate in stored.gates}


def test_it_records_an_event_for_both_versions(raisin: Endpoint) -> None:
    before = Event.objects.count()
    lifecycle.promote(version=staged(raisin), decision=decision())
    assert [event.verb for event in Event.objects.order_by("id")[before:]] == ["replace", "promote"]


def test_it_tells_the_servers(raisin: Endpoint) -> None:
    before = raisin.revision
    lifecycle.promote(version=staged(raisin), decision=decision())
    raisin.refresh_from_db()
    assert raisin.revision > before


@pytest.mark.parametrize("reason", ["", "   ", "short", "  nine ch  "])
def test_it_refuses_a_missing_reason(raisin: Endpoint, reason: str) -> None:
    with pytest.raises(InvalidRequest, match="at least 10 characters"):
        lifecycle.promote(version=staged(raisin), decision=decision(reason=reason))
    assert statuses(raisin) == {1: "production", 2: "staging"}


@pytest.mark.parametrize("status", ["testing", "production", "archived"])
def test_it_refuses_a_version_that_is_not_staged(raisin: Endpoint, status: str) -> None:
    version = raisin.versions.get(number=1) if status == "production" else staged(raisin)
    if status == "testing":
        lifecycle.reject(version=version, decision=decision())
    if status == "archived":
        lifecycle.archive(version=version, decision=decision())
    with pytest.raises(InvalidTransition, match="promote"):
        lifecycle.promote(version=version, decision=decision())


def test_it_refuses_what_was_reviewed_against_another_production(raisin: Endpoint) -> None:
    with pytest.raises(Conflict, match="Review again"):
        lifecycle.promote(version=staged(raisin), decision=decision(seen=0))
    assert statuses(raisin) == {1: "production", 2: "staging"}


def test_it_refuses_a_card_that_was_written_while_the_gates_ran(raisin: Endpoint) -> None:
    version = staged(raisin)
    raisin.versions.filter(pk=version.pk).update(limits="Not for sultanas.")
    with pytest.raises(Conflict, match="card of v2 was written meanwhile"):
        lifecycle.promote(version=version, decision=decision())
    assert statuses(raisin) == {1: "production", 2: "staging"}
    assert version.status == "staging"


def test_it_refuses_a_stale_copy_and_says_who_was_first(raisin: Endpoint) -> None:
    mine, theirs = staged(raisin), staged(raisin)
    lifecycle.promote(version=theirs, decision=decision(by="ben"))
    with pytest.raises(Conflict, match=r"v2 became production at 12:00:00 \(ben\)"):
        lifecycle.promote(version=mine, decision=decision())


def test_it_refuses_a_failed_gate(raisin: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    worse = Gate("metric", "Validation metric", "fail", "v2 is worse than v1.")
    monkeypatch.setattr(gates, "evaluate", lambda version, **_: [worse])
    with pytest.raises(GateFailed, match="v2 is worse than v1"):
        lifecycle.promote(version=staged(raisin), decision=decision())
    assert statuses(raisin) == {1: "production", 2: "staging"}


def test_a_warning_policy_lets_a_failed_gate_pass_and_keeps_it(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    raisin.gate_policy = "warn"
    raisin.save(update_fields=["gate_policy"])
    worse = Gate("metric", "Validation metric", "fail", "v2 is worse than v1.")
    monkeypatch.setattr(gates, "evaluate", lambda version, **_: [worse])
    change = lifecycle.promote(version=staged(raisin), decision=decision())
    assert change.gates[0]["verdict"] == "fail"


def test_the_database_itself_allows_one_production_version(raisin: Endpoint) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        raisin.versions.update(status="production")
    assert statuses(raisin) == {1: "production", 2: "staging"}


def test_a_failure_half_way_changes_nothing(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(StatusChange.objects, "create", fail)
    with pytest.raises(RuntimeError):
        lifecycle.promote(version=staged(raisin), decision=decision())
    assert statuses(raisin) == {1: "production", 2: "staging"}
    assert not Event.objects.filter(verb="replace").exists()
