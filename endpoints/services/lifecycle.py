"""The life of a version: the verbs of the transition table and the only code that assigns a status.

Every change is compare-and-set inside one transaction with its StatusChange, its Event and its
messages to the outside, so of two people at once one wins and the other is told by whom and when.
It knows nothing of HTTP or pages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from django.db.models import Max

from endpoints.errors import Conflict, InvalidRequest, InvalidTransition
from endpoints.models import AlgorithmVersion, Endpoint, Run, Status, StatusChange
from endpoints.models.run import RunState
from endpoints.services import artifacts, gate_policy, gates, recording
from endpoints.services.abtests import ending
from endpoints.services.access import Caller, Need
from endpoints.services.cards import CardTexts
from endpoints.services.changing import Overtaken, once, once_of, unless_overtaken
from endpoints.services.gates import Gate
from endpoints.services.transitions import MIN_REASON, TRANSITIONS, Decision, Transition
from endpoints.services.words import stands


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
        with unless_overtaken(endpoint):
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

    done = once(endpoint, "register", Need.REGISTER, decision, change)
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

    return once_of(version, "request", decision, change)


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


def _no_more() -> None:
    """Ask for nothing else."""


def promote(
    *,
    version: AlgorithmVersion,
    decision: Decision,
    require: Callable[[], None] = _no_more,
) -> StatusChange:
    """Make a staged version answer; the one before it is archived and stays loadable. Require raises, in
    the same transaction, where what the decision rests on is no longer so.

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
        return _take_over(version, "promote", seen, evidence, overridden, require)

    return once_of(version, "promote", decision, change)


def start_test(
    *,
    version: AlgorithmVersion,
    decision: Decision,
    judge: Callable[[], list[Gate]],
    begin: Callable[[], None],
) -> StatusChange:
    """Let a staged version take part in live traffic. Judge gives the evidence or raises; begin writes
    the rows of the test in the same transaction."""

    def change() -> StatusChange:
        evidence = judge()
        _check(version, TRANSITIONS["start_test"], decision)
        with unless_overtaken(version.endpoint):
            _expect(version.endpoint.versions.in_production().first(), decision)
            begin()
            return _step(version, "start_test", decision, evidence=evidence)

    return once_of(version, "start_test", decision, change)


def stop_test(
    *, version: AlgorithmVersion, decision: Decision, end: Callable[[], object]
) -> StatusChange:
    """Put the challenger of a test back to staging. End writes the rows of the test in the same
    transaction, or raises."""

    def change() -> StatusChange:
        with unless_overtaken(version.endpoint):
            end()
            _check(version, TRANSITIONS["stop_test"], decision)
            return _step(version, "stop_test", decision)

    return once_of(version, "stop_test", decision, change)


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

    return once(endpoint, "roll_back", Need.ROLL_BACK, decision, change)


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
    return once_of(version, verb, decision, lambda: _moved(version, verb, decision))


def _moved(version: AlgorithmVersion, verb: str, decision: Decision) -> StatusChange:
    _check(version, TRANSITIONS[verb], decision)
    with unless_overtaken(version.endpoint):
        if version.status == Status.PRODUCTION:
            _end_test(version, verb, decision)
        return _step(version, verb, decision)


def _take_over(
    version: AlgorithmVersion,
    verb: str,
    decision: Decision,
    evidence: list[Gate],
    overridden: list[str],
    require: Callable[[], None] = _no_more,
) -> StatusChange:
    """Archive the present production version and put this one in its place, or change nothing."""
    with unless_overtaken(version.endpoint):
        current = version.endpoint.versions.in_production().first()
        require()
        _expect(current, decision)
        _expect_card(version)
        _end_test(version, verb, decision)
        if current is not None:
            _step(current, "replace", decision)
        return _step(version, verb, decision, evidence=evidence, overridden=overridden)


def _end_test(version: AlgorithmVersion, verb: str, decision: Decision) -> None:
    """A test lasts as long as its control is in production; unless B takes over, it goes back."""
    ended = ending.close_running(version, verb, decision)
    if ended is not None and ended.challenger_id != version.pk:
        _step(ended.challenger, "stop_test", replace(decision, reason=ended.reason))


def _step(
    version: AlgorithmVersion,
    verb: str,
    decision: Decision,
    *,
    evidence: Sequence[Gate] = (),
    overridden: Sequence[str] = (),
) -> StatusChange:
    """Bring the version from the status that it was seen in to the verb's, and write that down."""
    source = version.status
    changed = AlgorithmVersion.objects.filter(pk=version.pk, status=source)
    if not changed.update(status=TRANSITIONS[verb].target):
        raise Overtaken
    version.status = TRANSITIONS[verb].target
    return recording.record(
        version, verb, source, decision, evidence=evidence, overridden=overridden
    )


def _check_has_model(run: Run) -> None:
    if run.state != RunState.FINISHED:
        raise InvalidTransition(
            f"Run {run.short_id} is {run.state}; only a finished run has a model."
        )
    if not run.artifact_sha256:
        raise InvalidTransition(f"Run {run.short_id} was tracked without a model.")


def _check(version: AlgorithmVersion, step: Transition, decision: Decision) -> None:
    if version.status not in step.sources:
        allowed = " or ".join(stands(status) for status in sorted(step.sources))
        raise InvalidTransition(
            f"{version.label} is {stands(version.status)}; “{step.verb}” needs a version {allowed}."
        )
    if step.reason_required and len(decision.reason.strip()) < MIN_REASON:
        raise InvalidRequest(
            f"Give a reason of at least {MIN_REASON} characters; it is kept for ever."
        )


def _expect(current: AlgorithmVersion | None, decision: Decision) -> None:
    seen = decision.expected_production
    if seen is not None and seen != (current.number if current else 0):
        raise Overtaken


def _expect_card(version: AlgorithmVersion) -> None:
    """What the gates judged is what is kept: from now on nobody can write the card."""
    stored = AlgorithmVersion.objects.get(pk=version.pk)
    if CardTexts.of(stored) != CardTexts.of(version):
        raise Conflict(f"The card of {version.label} was written meanwhile. Review again.")
