"""What a change of a version's status means: its name, its permission, its consequence in a sentence."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils import timezone

from endpoints.errors import InvalidTransition
from endpoints.models import AlgorithmVersion, Status
from endpoints.services import gates, lifecycle
from endpoints.services.access import Need
from endpoints.services.gates import Gate


@dataclass(frozen=True)
class Move:
    """One verb of the lifecycle as a person does it."""

    verb: str
    need: Need
    action: str
    button: str
    style: str = "button-primary"


MOVES = {
    move.verb: move
    for move in (
        Move("stage", Need.STAGE, "Stage", "Stage {}"),
        Move("promote", Need.PROMOTE, "Review promotion", "Promote {} to production"),
        Move("roll_back", Need.ROLL_BACK, "Roll back", "Roll back to {}"),
        Move("reject", Need.STAGE, "Send back", "Send {} back to testing"),
        Move("restore", Need.ARCHIVE, "Restore", "Restore {} to testing"),
        Move("archive", Need.ARCHIVE, "Archive", "Archive {}", "button-danger"),
    )
}


@dataclass(frozen=True)
class Offer:
    """A move that a version's page offers, and where it leads."""

    move: Move
    to: str


def offers(version: AlgorithmVersion, rollback: AlgorithmVersion | None) -> list[Offer]:
    """Return what could be done with the version now, the most likely first."""
    return [
        Offer(move, target)
        for move in MOVES.values()
        if version.status in lifecycle.TRANSITIONS[move.verb].sources
        and (target := lifecycle.TRANSITIONS[move.verb].target)
        and (move.verb != "roll_back" or version == rollback)
    ]


def find(version: AlgorithmVersion, to: str, rollback: AlgorithmVersion | None) -> Move:
    """Return the move that leads the version to this status; raises InvalidTransition."""
    for offer in offers(version, rollback):
        if offer.to == to:
            return offer.move
    if version.status == Status.ARCHIVED and to == Status.PRODUCTION:
        raise InvalidTransition(_no_way_back(version, rollback))
    names = {str(status.value): str(status.label) for status in Status}
    raise InvalidTransition(
        f"{version.label} is in {version.get_status_display().lower()}; there is no way from there "
        f"to {names[to].lower() if to in names else 'that status'}."
    )


def _no_way_back(version: AlgorithmVersion, rollback: AlgorithmVersion | None) -> str:
    goes_to = f"Roll back leads to {rollback.label}. " if rollback else ""
    return f"{goes_to}To use {version.label} again, restore it to testing, stage and promote it."


def evidence(version: AlgorithmVersion, move: Move) -> list[Gate]:
    if move.verb == "promote":
        return gates.evaluate(version)
    return [gates.smoke_test(version)] if move.verb == "roll_back" else []


def consequence(
    version: AlgorithmVersion, move: Move, live: AlgorithmVersion | None, rate: int
) -> str:
    """Say what will happen. `rate` is the number of requests in the last 24 hours."""
    name, label = f"“{version.endpoint.name}”", version.label
    traffic = f" {name} had {rate:,} requests in the last 24 hours." if rate else ""
    if move.verb in ("promote", "roll_back"):
        before = f" {live.label} is archived and stays loadable." if live else ""
        return f"{label} will answer every request to {name} from the next one on.{before}{traffic}"
    if move.verb == "archive" and version.status == Status.PRODUCTION:
        return (
            f"{name} will have no version that answers: callers get the error 503 until one is "
            f"promoted or rolled back to.{traffic}"
        )
    return {
        "stage": f"{label} will be offered for promotion. Only callers that ask for staging reach it.",
        "reject": f"{label} will no longer be offered for promotion. Nothing changes for callers.",
        "restore": f"{label} will be in testing again. Nothing changes for callers.",
        "archive": f"{label} will be put away. Nothing changes for callers; it can be restored.",
    }[move.verb]


def needs_of(to: str) -> list[Need]:
    """Return the permissions that lead to this status, any of which is enough; never none."""
    targets = {move: lifecycle.TRANSITIONS[move.verb].target for move in MOVES.values()}
    return [move.need for move, target in targets.items() if target == to] or [Need.PROMOTE]


def changed_meanwhile(version: AlgorithmVersion) -> str:
    change = version.status_changes.first()
    what = f"{version.label} is in {version.get_status_display().lower()} now"
    if change is None:
        return f"{what}. Review again."
    at = timezone.localtime(change.at)
    return (
        f"{what}, since {at:%H:%M:%S} ({change.actor_name}), while you were reading. Review again."
    )
