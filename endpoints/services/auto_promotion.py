"""Promotes a version that was just registered, where its endpoint asks for that and the numbers agree,
and the winner of a test, where the test's plan asks for that.

It judges by the gates and acts through the lifecycle like anybody else; why it did not promote is
kept as an event. Whoever registers a version calls `consider` once that is committed: whatever comes
of it, the version is registered.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.db.models import QuerySet

from endpoints.errors import DomainError, GateFailed
from endpoints.models import AlgorithmVersion, Endpoint, Event, Status, StatusChange
from endpoints.services import audit, gates, lifecycle
from endpoints.services.access import Caller
from endpoints.services.gates import Case
from endpoints.services.gates.metric import advance
from endpoints.services.gates.people import is_second_person_required
from endpoints.services.transitions import Decision
from mlcore.errors import MlcoreError

REFUSED = "not_auto_promoted"
AUTOMATON = Caller(system="auto-promotion")


def consider(version: AlgorithmVersion, *, now: datetime) -> StatusChange | None:
    """Promote the version, if its endpoint wants that and nothing objects.

    1. only where the endpoint's policy says so, and only from testing
    2. no gate fails, under either gate policy, no second person is required, and it was trained here
    3. the metric is better than production's, and by at least the minimum improvement
    """
    if not version.endpoint.auto_promote or version.status != Status.TESTING:
        return None
    if _refused(version).exists():  # the same submission once more
        return None
    try:
        decision = _decide(Case(version, AUTOMATON, now))
        lifecycle.stage(version=version, decision=decision)
        return lifecycle.promote(version=version, decision=decision)
    except (DomainError, MlcoreError) as error:
        # Who loses a race after staging leaves the version there, for a person to decide.
        version.refresh_from_db(fields=("status",))
        keep_why_not(version, str(error), now)
    return None


def promote_winner(
    version: AlgorithmVersion,
    *,
    rival: int,
    reason: str,
    now: datetime,
    require: Callable[[], None],
) -> None:
    """Promote what has won a test whose plan asks for that. Rival: the number of its control; require raises
    at the moment of the promotion if the test has ended by then.

    Raises GateFailed if any gate fails, under either gate policy, or a second person is required.
    """
    _require_alone(version.endpoint)
    _require_passed(Case(version, AUTOMATON, now))
    decision = Decision(actor=AUTOMATON, now=now, reason=reason, expected_production=rival)
    lifecycle.promote(version=version, decision=decision, require=require)


def keep_why_not(version: AlgorithmVersion, reason: str, now: datetime) -> None:
    audit.record(
        REFUSED,
        actor=AUTOMATON,
        endpoint=version.endpoint,
        subject=version.label,
        now=now,
        reason=reason,
    )


def _decide(case: Case) -> Decision:
    """The decision to promote, with the numbers that it rests on; GateFailed if anything objects."""
    version, endpoint = case.version, case.version.endpoint
    _require_alone(endpoint)
    if version.run.uploaded:  # it may have learned from the very rows that would judge it
        raise GateFailed("A model that was trained elsewhere is promoted by a person.")
    _require_passed(case)
    found = advance(case)
    if found is None:
        raise GateFailed("There is nothing to compare it with.")
    if found.better_by <= 0 or found.better_by < endpoint.minimum_improvement:
        raise GateFailed(f"Not better than {found.rival.label}: {found.sentence}")
    return Decision(
        actor=case.actor,
        now=case.now,
        reason=f"The endpoint promotes what is better. {found.sentence}",
        expected_production=found.rival.number,
    )


def _require_alone(endpoint: Endpoint) -> None:
    if is_second_person_required(endpoint):
        raise GateFailed("A second person has to decide here.")


def _require_passed(case: Case) -> None:
    evidence = gates.evaluate(case.version, actor=case.actor, now=case.now)
    failed = [gate.message for gate in evidence if gate.verdict == "fail"]
    if failed:
        raise GateFailed(" ".join(failed))


def _refused(version: AlgorithmVersion) -> QuerySet[Event]:
    return Event.objects.filter(verb=REFUSED, endpoint=version.endpoint, subject=version.label)
