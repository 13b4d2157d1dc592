"""A test starts against the version in production, once, and another share begins a new phase."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.db import connection

from endpoints.errors import (
    Conflict,
    DomainError,
    GateFailed,
    InvalidRequest,
    InvalidTransition,
    NotAllowed,
)
from endpoints.models import (
    ABArm,
    ABPhase,
    ABTest,
    Endpoint,
    Event,
    Status,
    StatusChange,
    WebhookDelivery,
)
from endpoints.services import gates, lifecycle
from endpoints.services.abtests import drafting, starting, stopping
from endpoints.services.abtests.plans import digest_of
from endpoints.services.abtests.stopping import Stop
from endpoints.services.access import Caller
from endpoints.services.gates import Gate
from tests import cast
from tests.endpoints.services.abtests.planned import (
    ALEX,
    REASON,
    a_draft,
    a_test,
    arm,
    challenger,
)
from tests.endpoints.services.decisions import NOON, decision
from tests.endpoints.services.test_webhooks import a_webhook

pytestmark = pytest.mark.django_db
LATER = NOON + timedelta(hours=1)


def started(test: ABTest, *, actor: Caller = ALEX, **facts: Any) -> ABTest:
    return starting.start(test, actor=actor, now=LATER, **facts)


def test_it_works(raisin: Endpoint) -> None:
    test = started(a_draft(raisin, kind="split", share=2_000))
    assert (test.state, test.started_at, test.started_by_name) == ("running", LATER, "alex")
    assert test.control == raisin.versions.get(number=1)
    phase = test.phases.get()
    assert (phase.number, phase.challenger_share) == (1, 2_000)
    assert (phase.started_at, phase.ended_at) == (LATER, None)
    arms = {arm.name: arm.version.number for arm in phase.arms.all()}
    assert arms == {"control": 1, "challenger": 2}


def test_the_challenger_is_in_the_test_and_production_stays(raisin: Endpoint) -> None:
    started(a_draft(raisin))
    assert dict(raisin.versions.values_list("number", "status")) == {
        1: "production",
        2: "ab_testing",
    }


def test_it_is_on_the_record_with_its_evidence(raisin: Endpoint) -> None:
    a_webhook()
    started(a_draft(raisin))
    change = StatusChange.objects.get(verb="start_test")
    assert (change.from_status, change.to_status, change.actor_name) == (
        "staging", "ab_testing", "alex",
    )  # fmt: skip
    assert change.reason == "The A/B test “v1 or v2” begins."
    assert [(gate["code"], gate["verdict"]) for gate in change.gates] == [
        ("smoke", "pass"),
        ("schema", "pass"),
    ]
    event = Event.objects.get(verb="start_abtest")
    assert event.after is not None
    assert (event.subject, event.after["horizon"]) == ("A/B test “v1 or v2”", 1_000)
    [message] = WebhookDelivery.objects.all()
    assert json.loads(message.body)["type"] == "version.start_test"


def test_the_servers_are_told(raisin: Endpoint) -> None:
    draft = a_draft(raisin)
    raisin.refresh_from_db()
    before = raisin.revision
    started(draft)
    raisin.refresh_from_db()
    assert raisin.revision > before


def test_it_needs_a_version_in_production(raisin: Endpoint) -> None:
    draft = a_draft(raisin)
    lifecycle.archive(version=raisin.versions.get(number=1), decision=decision())
    with pytest.raises(InvalidTransition, match="“raisin” has no version in production"):
        started(draft)


@pytest.mark.parametrize("verb", ["withdraw", "archive"])
def test_it_needs_a_challenger_in_staging(raisin: Endpoint, verb: str) -> None:
    draft = a_draft(raisin)
    lifecycle.OF_A_VERSION[verb](version=challenger(raisin), decision=decision())
    with pytest.raises(InvalidTransition, match="“start_test” needs a version in staging"):
        started(draft)
    assert ABTest.objects.get().state == "draft"


def test_a_broken_challenger_starts_no_test_under_any_policy(raisin: Endpoint) -> None:
    Endpoint.objects.update(gate_policy="warn")
    draft = a_draft(raisin)
    (cast.folder_of(challenger(raisin).run) / "model" / "weights.npz").write_bytes(b"")
    with pytest.raises(GateFailed, match="The artefact cannot be used"):
        started(draft)
    assert challenger(raisin).status == Status.STAGING


def test_callers_must_not_notice_the_difference(raisin: Endpoint) -> None:
    Endpoint.objects.update(gate_policy="warn")
    other = cast.registered_version(raisin, status=Status.STAGING, positive="Kecimen")
    with pytest.raises(GateFailed, match="Callers of v1 would break") as caught:
        started(a_draft(raisin, challenger=other))
    assert [cell.code for cell in caught.value.cells] == ["schema"]
    assert not ABArm.objects.exists()


def test_a_control_that_does_not_load_cannot_be_compared_with(raisin: Endpoint) -> None:
    draft = a_draft(raisin)
    control = raisin.versions.get(number=1)
    (cast.folder_of(control.run) / "model" / "weights.npz").write_bytes(b"")
    with pytest.raises(GateFailed, match="The two versions cannot be compared"):
        started(draft)


def test_one_test_runs_at_an_endpoint(raisin: Endpoint) -> None:
    third = cast.registered_version(raisin, status=Status.STAGING)
    second = a_draft(raisin, challenger=third)
    a_test(raisin)
    with pytest.raises(Conflict, match="“v1 or v2” has been running since .* Stop it first"):
        started(second)
    assert third.status == Status.STAGING


def test_another_test_may_run_elsewhere(raisin: Endpoint) -> None:
    a_test(raisin)
    other = cast.an_endpoint("other")
    cast.registered_version(other, status=Status.PRODUCTION, lambda_=0.1)
    cast.registered_version(other, status=Status.STAGING)
    assert a_test(other).is_running


def test_it_starts_once(raisin: Endpoint) -> None:
    test = a_test(raisin)
    with pytest.raises(Conflict, match="“v1 or v2” has been running since"):
        started(test)


def test_a_form_sent_twice_starts_it_once(raisin: Endpoint) -> None:
    draft = a_draft(raisin)
    first = started(draft, submission="form-1")
    again = started(ABTest.objects.get(), submission="form-1")
    assert (again, again.state) == (first, "running")
    assert StatusChange.objects.filter(verb="start_test").count() == 1


def test_a_form_of_another_test_is_refused(raisin: Endpoint) -> None:
    test, second = started(a_draft(raisin), submission="form-1"), a_draft(raisin)
    stopping.stop(test, Stop(conclusion="inconclusive", reason=REASON), actor=ALEX, now=LATER)
    with pytest.raises(InvalidRequest, match="used for another test"):
        started(second, submission="form-1")


def test_a_plan_that_is_unsound_by_now_does_not_start(raisin: Endpoint) -> None:
    draft = a_draft(raisin)
    ABTest.objects.update(cost_fn=1e300)
    with pytest.raises(InvalidRequest, match="cost_fn: Give a number from 0 to"):
        starting.start(draft, actor=ALEX, now=NOON)
    assert ABTest.objects.get().state == "draft"


def test_a_plan_whose_requests_would_be_deleted_before_they_count_does_not_start(
    raisin: Endpoint, settings: LazySettings
) -> None:
    draft = a_draft(raisin, maturation_hours=1_000)
    settings.RAISIN_LOG_DAYS = 30
    with pytest.raises(
        InvalidRequest, match="maturation_hours: The log keeps requests for 30 days"
    ):
        starting.start(draft, actor=ALEX, now=NOON)
    assert ABTest.objects.get().state == "draft"


@pytest.mark.parametrize("setting", ["challenger", "auto_promote", "margin", "challenger_share"])
def test_a_plan_that_was_changed_while_it_was_judged_is_not_started(
    raisin: Endpoint, setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    third = cast.registered_version(raisin, status=Status.STAGING)
    draft, smoke_test = a_draft(raisin), gates.smoke_test
    values = {"challenger": third, "auto_promote": True, "margin": 0.01, "challenger_share": 9_000}
    value = values[setting]

    def slowly(version: Any) -> Gate:
        drafting.configure(ABTest.objects.get(), {setting: value}, actor=ALEX, now=NOON)
        return smoke_test(version)

    monkeypatch.setattr(gates, "smoke_test", slowly)
    with pytest.raises(Conflict, match="“v1 or v2” was changed meanwhile"):
        started(draft)
    assert ABTest.objects.get().state == "draft"


@pytest.mark.parametrize("setting", ["challenger", "auto_promote", "challenger_share"])
def test_nobody_starts_another_plan_than_he_saw(raisin: Endpoint, setting: str) -> None:
    third = cast.registered_version(raisin, status=Status.STAGING)
    draft = a_draft(raisin)
    seen = digest_of(draft, 5_000, raisin.versions.in_production().get())
    value = {"challenger": third, "auto_promote": True, "challenger_share": 9_000}[setting]
    drafting.configure(ABTest.objects.get(), {setting: value}, actor=ALEX, now=NOON)
    with pytest.raises(Conflict, match=r"“v1 or v2” was changed meanwhile.* Review again\."):
        started(draft, seen=seen)
    assert ABTest.objects.get().state == "draft"


def test_nobody_starts_a_test_against_another_version_than_he_saw(raisin: Endpoint) -> None:
    third = cast.registered_version(raisin, status=Status.STAGING)
    draft = a_draft(raisin)
    seen = digest_of(draft, 5_000, raisin.versions.in_production().get())
    lifecycle.promote(version=third, decision=decision(by="ben"))
    with pytest.raises(Conflict, match=r"or another version is in production\. Review again\."):
        started(draft, seen=seen)
    assert started(draft, seen=digest_of(draft, 5_000, third)).control == third


def test_another_version_came_into_production_while_it_was_judged(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    third = cast.registered_version(raisin, status=Status.STAGING)
    draft, smoke_test = a_draft(raisin), gates.smoke_test

    def slowly(version: Any) -> Gate:
        monkeypatch.setattr(gates, "smoke_test", smoke_test)
        lifecycle.promote(version=third, decision=decision(by="ben"))
        return smoke_test(version)

    monkeypatch.setattr(gates, "smoke_test", slowly)
    with pytest.raises(Conflict, match=r"v3 became production at .* \(ben\)"):
        started(draft)
    assert ABTest.objects.get().state == "draft"


def test_a_scientist_plans_and_an_approver_starts(raisin: Endpoint, dana: User, alex: User) -> None:
    draft = a_draft(raisin)
    with pytest.raises(NotAllowed, match="promote_version"):
        started(draft, actor=Caller(user=dana))
    assert started(draft, actor=Caller(user=alex)).started_by_name == "alex"


def shared(test: ABTest, share: int, **facts: Any) -> ABPhase:
    given = {"reason": "B has no errors so far", "actor": ALEX, "now": LATER} | facts
    return starting.change_share(test, share, **given)


def test_another_share_begins_a_new_phase(raisin: Endpoint) -> None:
    test = a_test(raisin, kind="split", share=1_000)
    phase = shared(test, 5_000)
    first = test.phases.get(number=1)
    assert (first.ended_at, first.challenger_share) == (LATER, 1_000)
    assert (phase.number, phase.challenger_share) == (2, 5_000)
    assert (phase.started_at, phase.ended_at) == (LATER, None)
    assert arm(test, "challenger").version.number == 2
    assert arm(test, "control").version.number == 1
    assert ABArm.objects.count() == 4
    event = Event.objects.get(verb="change_share")
    assert (event.before, event.after, event.reason) == (
        {"challenger_share": 1_000, "phase": 1},
        {"challenger_share": 5_000, "phase": 2},
        "B has no errors so far",
    )


def test_the_servers_are_told_of_another_share(raisin: Endpoint) -> None:
    test = a_test(raisin, kind="split")
    raisin.refresh_from_db()
    before = raisin.revision
    shared(test, 1_000)
    raisin.refresh_from_db()
    assert raisin.revision > before


def test_the_same_share_begins_no_phase(raisin: Endpoint) -> None:
    test = a_test(raisin, kind="split")
    assert shared(test, 5_000).number == 1
    assert ABPhase.objects.get().ended_at is None
    assert not Event.objects.filter(verb="change_share").exists()


@pytest.mark.parametrize("share", [0, 10_000, -5])
def test_each_arm_keeps_a_share(raisin: Endpoint, share: int) -> None:
    with pytest.raises(InvalidRequest, match="challenger_share: Give whole basis points"):
        shared(a_test(raisin, kind="split"), share)


def test_another_share_needs_a_reason(raisin: Endpoint) -> None:
    with pytest.raises(InvalidRequest, match="reason of at least 10 characters"):
        shared(a_test(raisin, kind="split"), 1_000, reason="   short    ")


def test_a_shadow_test_has_no_shares(raisin: Endpoint) -> None:
    with pytest.raises(InvalidRequest, match="Only a split test has shares"):
        shared(a_test(raisin), 1_000)


def test_a_draft_has_no_second_phase(raisin: Endpoint) -> None:
    with pytest.raises(InvalidTransition, match="“v1 or v2” has not been started"):
        shared(a_draft(raisin, kind="split"), 1_000)


def test_a_stopped_test_has_no_further_phase(raisin: Endpoint) -> None:
    test = a_test(raisin, kind="split")
    stopping.stop(test, Stop(conclusion="inconclusive", reason=REASON), actor=ALEX, now=LATER)
    with pytest.raises(Conflict, match="was stopped at"):
        shared(test, 1_000)
    assert ABPhase.objects.count() == 1


def test_a_scientist_does_not_change_the_share(raisin: Endpoint, dana: User) -> None:
    with pytest.raises(NotAllowed, match="promote_version"):
        shared(a_test(raisin, kind="split"), 1_000, actor=Caller(user=dana))


def at_once(*acts: Callable[[], object]) -> list[str]:
    """Do it all in threads of their own; return what came of each, sorted."""
    barrier, outcomes = threading.Barrier(len(acts)), []

    def run(act: Callable[[], object]) -> None:
        barrier.wait()
        try:
            act()
            outcomes.append("done")
        except DomainError as error:
            outcomes.append(f"{error.code}: {error.message}")
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(outcomes)


@pytest.mark.django_db(transaction=True)
def test_of_two_who_start_one_test_one_is_told_of_the_other(raisin: Endpoint) -> None:
    draft = a_draft(raisin)
    one, other = (
        lambda name=name: starting.start(draft, actor=Caller(system=name), now=LATER)
        for name in ("ann", "ben")
    )
    refused, done = at_once(one, other)
    assert done == "done"
    assert refused.startswith("conflict: ")
    test = ABTest.objects.get()
    assert test.started_by_name in refused
    assert ABArm.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_of_two_tests_that_start_at_once_one_runs(raisin: Endpoint) -> None:
    third = cast.registered_version(raisin, status=Status.STAGING)
    drafts = [a_draft(raisin), a_draft(raisin, challenger=third)]
    acts = [lambda draft=draft: started(draft) for draft in drafts]
    refused, done = at_once(*acts)
    assert (refused.partition(":")[0], done) == ("conflict", "done")
    assert ABTest.objects.running().count() == 1
    assert raisin.versions.filter(status=Status.AB_TESTING).count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_start_and_a_promotion_at_once_leave_a_sound_state(raisin: Endpoint) -> None:
    draft, version = a_draft(raisin), challenger(raisin)
    promote = lambda: lifecycle.promote(version=version, decision=decision(by="ben"))  # noqa: E731
    outcomes = at_once(lambda: started(draft), promote)
    assert "done" in outcomes
    assert not ABTest.objects.running().exclude(control__status=Status.PRODUCTION).exists()
    statuses = sorted(raisin.versions.values_list("status", flat=True))
    assert statuses in (["ab_testing", "production"], ["archived", "production"])
    assert (statuses[0] == "ab_testing") == ABTest.objects.running().exists()
