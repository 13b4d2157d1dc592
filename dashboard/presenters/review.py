"""The moves of a version's life as pages offer them: their names, who may do which now, what stops them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlencode

from django.utils import timezone

from endpoints.errors import InvalidTransition
from endpoints.models import AlgorithmVersion, Endpoint, PromotionRequest, Status
from endpoints.services import access, gate_policy, gates, lifecycle
from endpoints.services.access import Caller, Need
from endpoints.services.gates import Gate
from endpoints.services.transitions import TRANSITIONS

SERVING = ("promote", "roll_back")
"""The verbs that put another version in front of callers."""


@dataclass(frozen=True)
class Move:
    """One verb of the lifecycle as a person does it."""

    verb: str
    action: str
    button: str
    style: str = "button-primary"

    @property
    def need(self) -> Need:
        return TRANSITIONS[self.verb].need

    @property
    def to(self) -> str:
        return str(TRANSITIONS[self.verb].target)

    @property
    def query(self) -> str:
        """The part of the review page's address that names this move."""
        return urlencode({"to": self.to, "verb": self.verb})


MOVES = {
    move.verb: move
    for move in (
        Move("promote", "Review promotion", "Promote {} to production"),
        Move("request", "Request promotion", "Request promotion of {}"),
        Move("stage", "Stage", "Stage {}"),
        Move("roll_back", "Roll back", "Roll back to {}"),
        Move("reject", "Reject", "Reject {}"),
        Move("withdraw", "Withdraw", "Withdraw {}"),
        Move("restore", "Restore", "Restore {} to testing"),
        Move("archive", "Archive", "Archive {}", "button-danger"),
    )
}
"""The most likely first."""


@dataclass(frozen=True)
class Situation:
    """A version among the others, and who looks at it; each fact is read when first asked for."""

    version: AlgorithmVersion
    caller: Caller

    @property
    def endpoint(self) -> Endpoint:
        return self.version.endpoint

    @cached_property
    def live(self) -> AlgorithmVersion | None:
        return self.endpoint.versions.in_production().select_related("run").first()

    @cached_property
    def rollback(self) -> AlgorithmVersion | None:
        """Where a rollback leads; it matters to archived versions alone."""
        archived = self.version.status == Status.ARCHIVED
        return lifecycle.rollback_target(self.endpoint) if archived else None

    @cached_property
    def waiting(self) -> PromotionRequest | None:
        return self.version.promotion_requests.waiting().first()

    @property
    def may_reject(self) -> bool:
        return self.version.status == Status.STAGING and self.may(Need.PROMOTE)

    @property
    def asked_oneself(self) -> bool:
        person, waiting = self.caller.person, self.waiting
        return waiting is not None and person is not None and waiting.requested_by_id == person.pk

    def may(self, need: Need) -> bool:
        return self.caller.may(need, self.endpoint)


@dataclass(frozen=True)
class Offer:
    """A move that a version's page offers; `obstacle` says why not now."""

    move: Move
    obstacle: str = ""


def offers(case: Situation) -> list[Offer]:
    """Return what this person may do with the version, first what is possible and most likely.

    What they never may is left out; what is not possible now says why.
    """
    suited = (move for move in MOVES.values() if case.may(move.need) and _suits(move, case))
    found = ((move, _obstacle(move, case)) for move in suited)
    offered = [Offer(move, obstacle) for move, obstacle in found if obstacle is not None]
    return sorted(offered, key=lambda offer: bool(offer.obstacle))


def _suits(move: Move, case: Situation) -> bool:
    """Who may reject does not withdraw what another asked for."""
    return move.verb != "withdraw" or case.asked_oneself or not case.may_reject


def _obstacle(move: Move, case: Situation) -> str | None:
    """Return why the move is not possible now, nothing if it is, None if it is beside the point."""
    status = case.version.status
    if move.verb == "promote" and status == Status.TESTING:
        return "Stage it first."
    if move.verb == "archive" and status == Status.AB_TESTING:
        return "Its test must end first."
    if status not in TRANSITIONS[move.verb].sources:
        return None
    if move.verb == "request" and case.waiting:
        return f"{case.waiting.requested_by_name} has asked already."
    return _no_rollback(case) if move.verb == "roll_back" else ""


def _no_rollback(case: Situation) -> str | None:
    if case.version == case.rollback:
        return ""
    was_live = case.version.status_changes.into_production().exists()
    if case.rollback is None or not was_live:
        return None
    return f"Rolling back leads to {case.rollback.label}."


def find(case: Situation, to: str, verb: str) -> Move:
    """Return the move that is meant, of several the one that this person may do.

    Raises InvalidTransition if no such move starts from the version's status.
    """
    wanted = [
        move
        for move in MOVES.values()
        if case.version.status in TRANSITIONS[move.verb].sources
        and (move.verb == verb if verb else move.to == to)
        and (move.verb != "roll_back" or case.version == case.rollback)
    ]
    if not wanted:
        leads_to = MOVES[verb].to if verb in MOVES else to
        raise InvalidTransition(_not_from_here(case, verb) or _no_way(case, leads_to))
    return next((move for move in wanted if case.may(move.need)), wanted[0])


def meant(case: Situation, to: str, verb: str) -> Move:
    """Return the move that a form speaks of, also where the version has moved on meanwhile."""
    if verb in MOVES:
        return MOVES[verb]
    if to not in {move.to for move in MOVES.values()}:
        access.require(case.caller, Need.PROMOTE, case.endpoint)
    leading = [move for move in MOVES.values() if move.to == to and move.verb != "roll_back"]
    if case.version.status != to or not leading:
        return find(case, to, "")
    return next((move for move in leading if case.may(move.need)), leading[0])


def instead(case: Situation, move: Move) -> Move | None:
    """Return the other answer to whoever asked for a promotion."""
    other = {"promote": "reject", "reject": "promote"}.get(move.verb)
    possible = other is not None and case.may(MOVES[other].need)
    return MOVES[other] if other and possible and is_possible(case, MOVES[other]) else None


def _not_from_here(case: Situation, verb: str) -> str:
    """Say which statuses the verb starts from, where the version is in another."""
    if verb not in MOVES or case.version.status in TRANSITIONS[verb].sources:
        return ""
    sources = [status.label for status in Status if status in TRANSITIONS[verb].sources]
    return (
        f"{case.version.label} is in {case.version.status_word}; "
        f"“{MOVES[verb].action.lower()}” starts from {' or '.join(sources).lower()}."
    )


def _no_way(case: Situation, to: str) -> str:
    version = case.version
    if version.status == Status.ARCHIVED and to == Status.PRODUCTION:
        goes_to = f"Rolling back leads to {case.rollback.label}. " if case.rollback else ""
        return (
            f"{goes_to}To use {version.label} again, restore it to testing, stage and promote it."
        )
    names = {str(status.value): str(status.label) for status in Status}
    return (
        f"{version.label} is in {version.status_word}; there is no way from there "
        f"to {names[to].lower() if to in names else 'that status'}."
    )


def is_possible(case: Situation, move: Move) -> bool:
    return _obstacle(move, case) == ""


def evidence(case: Situation, move: Move) -> list[Gate]:
    """Return the gates to show; who only asks sees them early, but is not the one who approves."""
    if move.verb == "roll_back":
        return [gates.smoke_test(case.version)]
    if move.verb not in ("promote", "request", "stage"):
        return []
    found = gates.evaluate(case.version, actor=case.caller, now=timezone.now())
    return [gate for gate in found if move.verb == "promote" or gate.code != "second_person"]


def blocking(case: Situation, move: Move, found: list[Gate]) -> list[Gate]:
    """Return the gates that stop the move: a broken artefact under any policy, others by policy."""
    return gate_policy.blocking(case.endpoint, found) if move.verb in SERVING else []


def may_overrule(case: Situation, move: Move, blocking: list[Gate]) -> bool:
    """Say whether the reader may promote all the same."""
    return move.verb == "promote" and not _is_broken(blocking) and case.may(Need.OVERRIDE)


def no_way_round(move: Move, blocking: list[Gate]) -> str:
    """Say why a reader who may not overrule the gates cannot go on."""
    if _is_broken(blocking):
        return "Nobody can overrule that: a model that does not load answers nothing."
    if move.verb == "promote":
        return "To overrule that needs the permission endpoints.override_gates."
    return ""


def _is_broken(blocking: list[Gate]) -> bool:
    return not gate_policy.can_be_overruled(blocking)
