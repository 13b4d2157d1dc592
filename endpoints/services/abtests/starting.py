"""Starts a planned test, and begins a new phase of a running one with another share of traffic."""

from __future__ import annotations

from datetime import datetime
from types import MappingProxyType
from typing import Any

from endpoints.errors import Conflict, InvalidRequest, InvalidTransition
from endpoints.models import ABArm, ABPhase, ABTest, AlgorithmVersion
from endpoints.models.abcount import ArmName
from endpoints.models.abtest import TestKind, TestState
from endpoints.services import access, gate_policy, gates, lifecycle
from endpoints.services.abtests import checking, events, standing
from endpoints.services.abtests.plans import EVEN, SETTINGS, digest_of, newest_phase
from endpoints.services.access import Caller, Need
from endpoints.services.changing import unless_overtaken
from endpoints.services.gates import Case, Gate
from endpoints.services.gates.question import same_question
from endpoints.services.transitions import MIN_REASON, Decision


def start(
    test: ABTest, *, actor: Caller, now: datetime, submission: str = "", seen: str | None = None
) -> ABTest:
    """Compare the challenger with the version in production on live traffic from now on. Seen: the digest
    of the plan that the actor was shown; None asks for no such check.

    1. the challenger is in staging, its artefact loads, and callers would not notice the difference
    2. no other test is running at the endpoint
    3. the version in production is the control, and stays in production until the test ends

    Raises NotAllowed without Need.PROMOTE, GateFailed, InvalidTransition, or Conflict where somebody
    was first.
    """
    draft = standing.reread(test)
    control = draft.endpoint.versions.in_production().first()
    plan = _digest(draft, control)
    decision = Decision(
        actor=actor,
        now=now,
        reason=f"The A/B test “{draft.title}” begins.",
        expected_production=control.number if control else 0,
        submission=submission,
    )
    lifecycle.start_test(
        version=draft.challenger,
        decision=decision,
        judge=lambda: _judged(draft, control, decision, is_seen=seen in (None, plan)),
        begin=lambda: _begin(draft, control, decision, plan),
    )
    test.refresh_from_db()
    if test.state == TestState.DRAFT:
        raise InvalidRequest("This submission has been used for another test.")
    return test


def change_share(test: ABTest, share: int, *, reason: str, actor: Caller, now: datetime) -> ABPhase:
    """Give the challenger this share of the units, in basis points, in a new phase that is counted anew.

    Returns the phase that is running if it has the share already. Raises NotAllowed without
    Need.PROMOTE, InvalidRequest, or Conflict once the test is stopped.
    """
    access.require(actor, Need.PROMOTE, test.endpoint)
    checking.require_share(share)
    if len(reason.strip()) < MIN_REASON:
        raise InvalidRequest(
            f"Give a reason of at least {MIN_REASON} characters; it is kept for ever."
        )
    with unless_overtaken(test.endpoint):
        running = standing.locked(test)
        standing.require_running(running)
        if running.kind != TestKind.SPLIT:
            raise InvalidRequest(_UNSHARED[running.kind])
        last = running.phases.get(ended_at=None)
        if last.challenger_share == share:
            return last
        phase = next_phase(running, last, share, now)
        events.record(
            "change_share",
            running,
            actor=actor,
            now=now,
            before={"challenger_share": last.challenger_share, "phase": last.number},
            after={"challenger_share": share, "phase": phase.number},
            reason=reason.strip(),
        )
    return phase


def next_phase(running: ABTest, last: ABPhase, share: int, now: datetime, **known: Any) -> ABPhase:
    """End the present phase and begin the next; the caller holds the test. Known: facts of the new phase."""
    ABPhase.objects.filter(pk=last.pk).update(ended_at=now)
    phase: ABPhase = running.phases.create(
        number=last.number + 1, challenger_share=share, started_at=now, **known
    )
    _add_arms(phase, running.control, running.challenger)
    return phase


_UNSHARED = MappingProxyType(
    {
        TestKind.SHADOW.value: "Only a split test has shares; in a shadow test both score all.",
        TestKind.BANDIT.value: "A bandit chooses its shares itself. Stop it to choose them by hand.",
    }
)


def _digest(test: ABTest, control: AlgorithmVersion | None) -> str:
    phase = newest_phase(test)
    return digest_of(test, phase.challenger_share if phase is not None else EVEN, control)


def _judged(
    draft: ABTest, control: AlgorithmVersion | None, decision: Decision, *, is_seen: bool
) -> list[Gate]:
    """Return the evidence that the challenger can stand in for the control; raises where it cannot."""
    _require_free(draft, control)
    if not is_seen:
        raise _changed(draft)
    smoke = gates.smoke_test(draft.challenger)
    if smoke.verdict != "pass":
        raise gate_policy.refusal([smoke])
    _require_sound(draft)
    alike = same_question(Case(draft.challenger, decision.actor, decision.now))
    if alike.verdict != "pass":  # a control that does not load cannot be compared with either
        raise gate_policy.refusal([alike])
    return [smoke, alike]


def _require_sound(draft: ABTest) -> None:
    """Refuse a plan that was kept under wider limits; where its challenger stands is the lifecycle's business."""
    found = checking.problems(draft)
    found.pop("challenger", None)
    checking.refuse(found)


def _require_free(draft: ABTest, control: AlgorithmVersion | None) -> None:
    standing.require_draft(draft)
    if control is None:
        raise InvalidTransition(
            f"“{draft.endpoint.slug}” has no version in production to compare with."
        )
    other = standing.running_at(draft.endpoint)
    if other is not None:
        raise Conflict(f"{standing.since(other)}. Stop it first.")


def _changed(draft: ABTest) -> Conflict:
    return Conflict(
        f"The plan of “{draft.title}” was changed meanwhile, or another version is in production. Review again."
    )


def _begin(
    draft: ABTest, control: AlgorithmVersion | None, decision: Decision, judged: str
) -> None:
    """Write the test's own rows, unless it is another plan by now than the one that was judged."""
    test = standing.locked(draft)
    _require_free(test, control)
    if _digest(test, control) != judged:
        raise _changed(draft)
    actor, now = decision.actor, decision.now
    ABTest.objects.filter(pk=test.pk).update(
        state=TestState.RUNNING, control=control, started_at=now, started_by_name=actor.name
    )
    phase = test.phases.get()
    phase.started_at = now
    phase.save()
    _add_arms(phase, control, test.challenger)
    plan = events.said(test, SETTINGS) | {"challenger_share": phase.challenger_share}
    events.record("start_abtest", test, actor=actor, now=now, after=plan)


def _add_arms(
    phase: ABPhase, control: AlgorithmVersion | None, challenger: AlgorithmVersion
) -> None:
    pair = ((ArmName.CONTROL, control), (ArmName.CHALLENGER, challenger))
    ABArm.objects.bulk_create(
        ABArm(phase=phase, name=name, version=version) for name, version in pair
    )
