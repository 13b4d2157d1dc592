"""The life of a version: the transition table and the only code that assigns a status.

Every change is compare-and-set inside one transaction with its StatusChange and its Event, so of two
people at once one wins and the other is told by whom and when. It knows nothing of HTTP or pages.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from types import MappingProxyType

from django.db import IntegrityError, transaction
from django.db.models import F, Max
from django.utils import timezone

from endpoints.errors import Conflict, GateFailed, InvalidRequest, InvalidTransition
from endpoints.models import AlgorithmVersion, Endpoint, Run, Status, StatusChange
from endpoints.models.endpoint import GatePolicy
from endpoints.models.run import RunState
from endpoints.services import artifacts, audit, gates
from endpoints.services.access import Caller
from endpoints.services.gates import Gate

MIN_REASON = 10


@dataclass(frozen=True)
class Transition:
    """A verb, the statuses it starts from and the one it leads to."""

    verb: str
    sources: frozenset[str]
    target: str
    reason_required: bool = True


TRANSITIONS = MappingProxyType(
    {
        step.verb: step
        for step in (
            Transition("stage", frozenset({Status.TESTING}), Status.STAGING, reason_required=False),
            Transition("start_test", frozenset({Status.STAGING}), Status.AB_TESTING),
            Transition("stop_test", frozenset({Status.AB_TESTING}), Status.STAGING),
            Transition(
                "promote", frozenset({Status.STAGING, Status.AB_TESTING}), Status.PRODUCTION
            ),
            Transition("replace", frozenset({Status.PRODUCTION}), Status.ARCHIVED),
            Transition("roll_back", frozenset({Status.ARCHIVED}), Status.PRODUCTION),
            Transition("reject", frozenset({Status.STAGING}), Status.TESTING),
            Transition(
                "archive",
                frozenset({Status.TESTING, Status.STAGING, Status.PRODUCTION}),
                Status.ARCHIVED,
            ),
            Transition("restore", frozenset({Status.ARCHIVED}), Status.TESTING),
        )
    }
)


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Who decides, why and when; `expected_production` is the production version that they saw.

    It is a version's number, 0 for none; None asks for no such check (the command line).
    """

    actor: Caller
    now: datetime
    reason: str = ""
    expected_production: int | None = None


def register(
    *, run: Run, endpoint: Endpoint, actor: Caller, now: datetime, note: str = ""
) -> AlgorithmVersion:
    """Make a finished run the endpoint's next version, in testing."""
    if run.state != RunState.FINISHED:
        raise InvalidTransition(
            f"Run {run.short_id} is {run.state}; only a finished run has a model."
        )
    if not run.artifact_sha256:
        raise InvalidTransition(f"Run {run.short_id} was tracked without a model.")
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
            created_by=actor.user,
        )
        _record(version, "register", "", Decision(actor=actor, now=now, reason=note), [])
    return version


def stage(*, version: AlgorithmVersion, decision: Decision) -> StatusChange:
    """Offer a version for promotion."""
    return _move(version, "stage", decision)


def reject(*, version: AlgorithmVersion, decision: Decision) -> StatusChange:
    """Send a staged version back to testing."""
    return _move(version, "reject", decision)


def restore(*, version: AlgorithmVersion, decision: Decision) -> StatusChange:
    """Bring an archived version back to testing."""
    return _move(version, "restore", decision)


def archive(*, version: AlgorithmVersion, decision: Decision) -> StatusChange:
    """Put a version away. Archiving the production version leaves its endpoint without an answer."""
    return _move(version, "archive", decision)


def promote(*, version: AlgorithmVersion, decision: Decision) -> StatusChange:
    """Make a staged version answer; the one before it is archived and stays loadable.

    Raises GateFailed where the endpoint's policy is to block and a gate failed.
    """
    _check(version, TRANSITIONS["promote"], decision)
    evidence = gates.evaluate(version)
    failed = [gate for gate in evidence if gate.verdict == "fail"]
    if failed and version.endpoint.gate_policy == GatePolicy.BLOCK:
        raise GateFailed(" ".join(gate.message for gate in failed))
    return _take_over(version, "promote", decision, evidence)


def roll_back(*, endpoint: Endpoint, decision: Decision) -> StatusChange:
    """Let the version that answered before answer again."""
    version = rollback_target(endpoint)
    if version is None:
        raise InvalidTransition("There is no earlier production version to roll back to.")
    _check(version, TRANSITIONS["roll_back"], decision)
    smoke = gates.smoke_test(version)
    if smoke.verdict == "fail":
        raise GateFailed(smoke.message)
    return _take_over(version, "roll_back", decision, [smoke])


def rollback_target(endpoint: Endpoint) -> AlgorithmVersion | None:
    """Return the archived version that was in production last, the present one aside.

    A version that was itself rolled away from is no target: going back twice goes further back.
    """
    history = (
        StatusChange.objects.of(endpoint)
        .filter(verb__in=("promote", "roll_back"))
        .select_related("version__endpoint")
        .order_by("at", "id")
    )
    stack: list[AlgorithmVersion] = []
    for change in history:
        if change.verb == "promote":
            stack.append(change.version)
        else:
            while stack and stack[-1].pk != change.version.pk:
                stack.pop()
    usable = [version for version in stack if version.status == Status.ARCHIVED]
    return usable[-1] if usable else None


def _move(version: AlgorithmVersion, verb: str, decision: Decision) -> StatusChange:
    step = TRANSITIONS[verb]
    _check(version, step, decision)
    with _unless_overtaken(version.endpoint):
        source = version.status
        _set(version, source, step.target)
        return _record(version, verb, source, decision, [])


def _take_over(
    version: AlgorithmVersion, verb: str, decision: Decision, evidence: list[Gate]
) -> StatusChange:
    """Archive the present production version and put this one in its place, or change nothing."""
    with _unless_overtaken(version.endpoint):
        current = version.endpoint.versions.in_production().first()
        _expect(current, decision)
        if current is not None:
            _set(current, Status.PRODUCTION, TRANSITIONS["replace"].target)
            _record(current, "replace", Status.PRODUCTION, decision, [])
        source = version.status
        _set(version, source, TRANSITIONS[verb].target)
        return _record(version, verb, source, decision, evidence)


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
            yield
    except (_Overtaken, IntegrityError) as error:
        raise Conflict(_who_was_first(endpoint)) from error


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


def _set(version: AlgorithmVersion, source: str, target: str) -> None:
    changed = AlgorithmVersion.objects.filter(pk=version.pk, status=source).update(status=target)
    if not changed:
        raise _Overtaken
    version.status = target


def _record(
    version: AlgorithmVersion, verb: str, source: str, decision: Decision, evidence: list[Gate]
) -> StatusChange:
    audit.record(
        verb,
        actor=decision.actor,
        endpoint=version.endpoint,
        subject=version.label,
        now=decision.now,
        before={"status": source} if source else None,
        after={"status": version.status, "version": version.number},
        reason=decision.reason.strip(),
    )
    return StatusChange.objects.create(
        version=version,
        verb=verb,
        from_status=source,
        to_status=version.status,
        actor=decision.actor.user,
        actor_name=decision.actor.name,
        reason=decision.reason.strip(),
        gates=[asdict(gate) for gate in evidence],
        at=decision.now,
    )


def _who_was_first(endpoint: Endpoint) -> str:
    latest = StatusChange.objects.of(endpoint).select_related("version").first()
    if latest is None:
        return "The endpoint has changed. Review again."
    at = timezone.localtime(latest.at)
    return (
        f"{latest.version.label} became {latest.to_status} at {at:%H:%M:%S} "
        f"({latest.actor_name}). Review again."
    )
