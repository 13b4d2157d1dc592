"""The life of a version: the verbs of the transition table and the only code that assigns a status.

Every change is compare-and-set inside one transaction with its StatusChange, its Event and its
messages to the outside, so of two people at once one wins and the other is told by whom and when.
It knows nothing of HTTP or pages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from django.db import IntegrityError, transaction
from django.db.models import F, Max

from endpoints.errors import Conflict, InvalidRequest, InvalidTransition
from endpoints.models import AlgorithmVersion, Endpoint, Run, Status, StatusChange
from endpoints.models.run import RunState
from endpoints.services import access, artifacts, gate_policy, gates, recording
from endpoints.services.access import Caller, Need
from endpoints.services.cards import CardTexts
from endpoints.services.gates import Gate
from endpoints.services.snapshots import snapshots
from endpoints.services.transitions import MIN_REASON, TRANSITIONS, Decision, Transition


def register(
    *,
    run: Run,
    endpoint: Endpoint,
    actor: Caller,
    now: datetime,
    note: str = "",
    submission: str = "",
) -> AlgorithmVersion:
    """Make a finished run the endpoint's next version, in testing."""
    decision = Decision(actor=actor, now=now, reason=note, submission=submission)

    def change() -> StatusChange:
        _check_has_model(run)
        described = artifacts.describe(run)
        with _unless_overtaken(endpoint):
            highest = endpoint.versions.aggregate(highest=Max("number"))["highest"] or 0
            version = AlgorithmVersion.objects.create(
                endpoint=endpoint,
                number=highest + 1,
                run=run,
                artifact_path=run.artifact_path,
                artifact_sha256=run.artifact_sha256,
                threshold=described["threshold"],
                converged=bool(run.converged),
                note=note,
                created_at=now,
                created_by=actor.person,
            )
            return recording.record(version, "register", "", decision)

    done = _once(endpoint, "register", Need.REGISTER, decision, change)
    if done.version.run_id != run.pk:
        raise InvalidRequest("This submission has been used for another run.")
    return done.version


def stage(*, version: AlgorithmVersion, decision: Decision) -> StatusChange:
    """Offer a version for promotion."""
    return _move(version, "stage", decision)


def request_promotion(*, version: AlgorithmVersion, decision: Decision) -> StatusChange:
    """Ask an approver to promote a version; it is staged if it is not yet."""

    def change() -> StatusChange:
        waiting = version.promotion_requests.waiting().first()
        if waiting is not None:
            asked = f"{waiting.requested_by_name} has asked for the promotion of {version.label}"
            raise InvalidTransition(f"{asked} already.")
        return _moved(version, "request", decision)

    return _once_of(version, "request", decision, change)


def withdraw(*, version: AlgorithmVersion, decision: Decision) -> StatusChange:
    """Take a staged version back to testing, and its request with it."""
    return _move(version, "withdraw", decision)


def reject(*, version: AlgorithmVersion, decision: Decision) -> StatusChange:
    """Send a staged version back to testing, as an approver's answer."""
    return _move(version, "reject", decision)


def restore(*, version: AlgorithmVersion, decision: Decision) -> StatusChange:
    """Bring an archived version back to testing."""
    return _move(version, "restore", decision)


def archive(*, version: AlgorithmVersion, decision: Decision) -> StatusChange:
    """Put a version away. Archiving the production version leaves its endpoint without an answer."""
    return _move(version, "archive", decision)


def promote(*, version: AlgorithmVersion, decision: Decision) -> StatusChange:
    """Make a staged version answer; the one before it is archived and stays loadable.

    Raises GateFailed where the endpoint's policy is to block, a gate failed and nobody overrode it.
    """

    def change() -> StatusChange:
        _check(version, TRANSITIONS["promote"], decision)
        current = version.endpoint.versions.in_production().first()
        seen = decision
        if seen.expected_production is None:  # what the gates compare with must not change
            seen = replace(decision, expected_production=current.number if current else 0)
        evidence = gates.evaluate(version, actor=decision.actor, now=decision.now)
        overridden = gate_policy.overruled(version.endpoint, seen, evidence)
        return _take_over(version, "promote", seen, evidence, overridden)

    return _once_of(version, "promote", decision, change)


OF_A_VERSION: Mapping[str, Callable[..., StatusChange]] = MappingProxyType(
    {
        "stage": stage,
        "request": request_promotion,
        "withdraw": withdraw,
        "reject": reject,
        "promote": promote,
        "archive": archive,
        "restore": restore,
    }
)
"""What people may do with one version, by the verb of the transition table."""


def roll_back(*, endpoint: Endpoint, decision: Decision) -> StatusChange:
    """Let the version that answered before answer again."""

    def change() -> StatusChange:
        version = rollback_target(endpoint)
        if version is None:
            raise InvalidTransition("There is no earlier production version to roll back to.")
        _check(version, TRANSITIONS["roll_back"], decision)
        smoke = gates.smoke_test(version)
        if smoke.verdict == "fail":
            raise gate_policy.refusal([smoke])
        return _take_over(version, "roll_back", decision, [smoke], [])

    return _once(endpoint, "roll_back", Need.ROLL_BACK, decision, change)


def rollback_target(endpoint: Endpoint) -> AlgorithmVersion | None:
    """Return the archived version that was in production last, the present one aside.

    A version that was itself rolled away from is no target: going back twice goes further back.
    """
    history = (
        StatusChange.objects.of(endpoint)
        .filter(verb__in=("promote", "roll_back"))
        .order_by("at", "id")
        .values_list("verb", "version", "version__status")  # thousands of them carry much evidence
    )
    stack: list[tuple[int, str]] = []
    for verb, version, status in history:
        if verb == "promote":
            stack.append((version, status))
        else:
            while stack and stack[-1][0] != version:
                stack.pop()
    usable = [version for version, status in stack if status == Status.ARCHIVED]
    return endpoint.versions.get(pk=usable[-1]) if usable else None


def _move(version: AlgorithmVersion, verb: str, decision: Decision) -> StatusChange:
    return _once_of(version, verb, decision, lambda: _moved(version, verb, decision))


def _moved(version: AlgorithmVersion, verb: str, decision: Decision) -> StatusChange:
    step = TRANSITIONS[verb]
    _check(version, step, decision)
    with _unless_overtaken(version.endpoint):
        source = version.status
        _set(version, source, step.target)
        return recording.record(version, verb, source, decision)


def _take_over(
    version: AlgorithmVersion,
    verb: str,
    decision: Decision,
    evidence: list[Gate],
    overridden: list[str],
) -> StatusChange:
    """Archive the present production version and put this one in its place, or change nothing."""
    with _unless_overtaken(version.endpoint):
        current = version.endpoint.versions.in_production().first()
        _expect(current, decision)
        _expect_card(version)
        if current is not None:
            _set(current, Status.PRODUCTION, TRANSITIONS["replace"].target)
            recording.record(current, "replace", Status.PRODUCTION, decision)
        source = version.status
        _set(version, source, TRANSITIONS[verb].target)
        return recording.record(
            version, verb, source, decision, evidence=evidence, overridden=overridden
        )


def _once_of(
    version: AlgorithmVersion, verb: str, decision: Decision, change: Callable[[], StatusChange]
) -> StatusChange:
    done = _once(version.endpoint, verb, TRANSITIONS[verb].need, decision, change)
    if done.version_id != version.pk:
        raise InvalidRequest("This submission has been used for another version.")
    return done


def _once(
    endpoint: Endpoint,
    verb: str,
    need: Need,
    decision: Decision,
    change: Callable[[], StatusChange],
) -> StatusChange:
    """Do it unless the same submission has done it before, a moment ago or just now."""
    access.require(decision.actor, need, endpoint)
    done = recording.done_before(endpoint, verb, decision.submission)
    if done is not None:
        return done
    try:
        return change()
    except (Conflict, InvalidTransition):
        done = recording.done_before(endpoint, verb, decision.submission)
        if done is None:
            raise
        return done


class _Overtaken(Exception):
    """Somebody else changed what this change was based on."""


@contextmanager
def _unless_overtaken(endpoint: Endpoint) -> Iterator[None]:
    """Change all or nothing; who comes second is told about the first, after his own traces are gone.

    The row that carries the revision makes rivals wait for one another on PostgreSQL, and a
    grown revision tells whoever remembers the endpoint that something has changed.
    """
    try:
        with transaction.atomic():
            Endpoint.objects.filter(pk=endpoint.pk).update(revision=F("revision") + 1)
            transaction.on_commit(snapshots.expire)
            yield
    except (_Overtaken, IntegrityError) as error:
        raise Conflict(recording.who_was_first(endpoint)) from error


def _check_has_model(run: Run) -> None:
    if run.state != RunState.FINISHED:
        raise InvalidTransition(
            f"Run {run.short_id} is {run.state}; only a finished run has a model."
        )
    if not run.artifact_sha256:
        raise InvalidTransition(f"Run {run.short_id} was tracked without a model.")


def _check(version: AlgorithmVersion, step: Transition, decision: Decision) -> None:
    if version.status not in step.sources:
        allowed = " or ".join(sorted(step.sources))
        raise InvalidTransition(
            f"{version.label} is in {version.status}; “{step.verb}” needs a version in {allowed}."
        )
    if step.reason_required and len(decision.reason.strip()) < MIN_REASON:
        raise InvalidRequest(
            f"Give a reason of at least {MIN_REASON} characters; it is kept for ever."
        )


def _expect(current: AlgorithmVersion | None, decision: Decision) -> None:
    seen = decision.expected_production
    if seen is not None and seen != (current.number if current else 0):
        raise _Overtaken


def _expect_card(version: AlgorithmVersion) -> None:
    """What the gates judged is what is kept: from now on nobody can write the card."""
    stored = AlgorithmVersion.objects.get(pk=version.pk)
    if CardTexts.of(stored) != CardTexts.of(version):
        raise Conflict(f"The card of {version.label} was written meanwhile. Review again.")


def _set(version: AlgorithmVersion, source: str, target: str) -> None:
    changed = AlgorithmVersion.objects.filter(pk=version.pk, status=source).update(status=target)
    if not changed:
        raise _Overtaken
    version.status = target
