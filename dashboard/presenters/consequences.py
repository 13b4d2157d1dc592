"""What a change of a version's status means, and what became different meanwhile, in sentences."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils import timezone

from dashboard.presenters.review import SERVING, Move, Situation
from endpoints.models import AlgorithmVersion, Endpoint, Status, StatusChange
from endpoints.services.abtests.standing import running_at


def consequence(case: Situation, move: Move, requests: int) -> str:
    """Say what will happen. `requests` came in the last 24 hours."""
    name, label = f"“{case.endpoint.name}”", case.version.label
    if move.verb in SERVING:
        return " ".join(
            [
                f"{label} will answer every request to {name} from the next one on.",
                *_what_ends(case, move),
                *_traffic(case.endpoint, requests),
            ]
        )
    if move.verb == "archive" and case.version.status == Status.PRODUCTION:
        gone = "will have no version that answers: callers get the error 503 until one is"
        return " ".join(
            [
                f"{name} {gone} promoted or rolled back to.",
                *_unfinished(case),
                *_traffic(case.endpoint, requests),
            ]
        )
    return {
        "request": f"The approvers of {name} are asked to promote {label}; it waits in staging. "
        "Nothing changes for callers.",
        "stage": f"{label} will be offered for promotion. Nothing changes for callers.",
        "reject": f"{label} goes back to testing; {_asker(case)}reads your reason. Nothing changes "
        "for callers.",
        "withdraw": f"{label} goes back to testing and is no longer offered for promotion. Nothing "
        "changes for callers.",
        "restore": f"{label} will be in testing again. Nothing changes for callers.",
        "archive": f"{label} will be put away. Nothing changes for callers; it can be restored.",
    }[move.verb]


def _what_ends(case: Situation, move: Move) -> list[str]:
    if case.live is None:
        return []
    if move.verb == "roll_back":  # rolling back once more would go further back
        again = "to use it again, restore it to testing, stage and promote it."
        return [f"{case.live.label} is archived; {again}", *_unfinished(case)]
    stays = f"{case.live.label} is archived and stays loadable, to roll back to."
    if case.version.status == Status.AB_TESTING:
        won = f"{case.version.label} has won over {case.live.label}"
        return [stays, f"The running test ends: {won}."]
    return [stays, *_unfinished(case)]


def _unfinished(case: Situation) -> list[str]:
    """A test lasts as long as its control is in production."""
    test = running_at(case.endpoint)
    if test is None:
        return []
    back = f"{test.challenger.label} goes back to staging"
    return [f"The running test “{test.title}” ends unfinished: {back}."]


def _traffic(endpoint: Endpoint, requests: int) -> list[str]:
    if endpoint.paused_at is not None:
        return ["The endpoint is paused: callers get the error 503 until it is resumed."]
    if not requests:
        return []
    hourly = f", about {requests / 24:,.0f} an hour" if requests >= 24 else ""
    plural = "" if requests == 1 else "s"
    return [f"There were {requests:,} request{plural} in the last 24 hours{hourly}."]


def _asker(case: Situation) -> str:
    return f"{case.waiting.requested_by_name} " if case.waiting else "whoever staged it "


def overtaken(case: Situation, move: Move, seen: Mapping[str, object]) -> str:
    """Say what has become different from what the reader saw; nothing if all is as it was."""
    production = case.live.number if case.live else 0
    if move.verb in SERVING and seen["expected_production"] != production:
        return _other_production(case)
    if seen["seen_status"] != case.version.status:
        return f"{_now_in(case.version)} while you were reading. Review again."
    return ""


def _other_production(case: Situation) -> str:
    touching = StatusChange.objects.of(case.endpoint).touching_production()
    last = touching.select_related("version").first()
    if last is None:
        return "Production has changed while you were reading. Review again."
    became = f"became {last.version.label}" if case.live else "became empty"
    return f"Production {became} at {_by(last)} while you were reading. Review again."


def _now_in(version: AlgorithmVersion) -> str:
    change = version.status_changes.first()
    what = f"{version.label} is in {version.status_word} now"
    return f"{what}, since {_by(change)}" if change else what


def standing(case: Situation) -> str:
    """Say how a version stands for whom nothing is left to do."""
    return f"{_now_in(case.version)}. Nothing was changed."


def _by(change: StatusChange) -> str:
    return f"{timezone.localtime(change.at):%H:%M:%S} ({change.actor_name})"
