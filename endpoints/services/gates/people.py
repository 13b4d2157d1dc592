"""What people have done for the candidate: written its card, tested it live, looked twice."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone

from endpoints.models import AlgorithmVersion, Endpoint
from endpoints.services import cards
from endpoints.services.cards import CardTexts
from endpoints.services.gates.case import Case
from endpoints.services.gates.gate import Check, Gate
from mlcore.errors import listed

TRIAL = Check("abtest", "Test with live traffic")
CARD = Check("card", "Model card")
SECOND_PERSON = Check("second_person", "Second person")


def tested_live(case: Case) -> Gate:
    """What became of the last A/B or shadow test of the candidate."""
    version = case.version
    tests = version.status_changes.filter(verb__in=("start_test", "stop_test"))
    last = tests.order_by("-at", "-id").first()
    if last is None:
        return TRIAL.not_run(f"No test was run with {version.label} against production.")
    at = f"{timezone.localtime(last.at):%d %B %Y}"
    if last.verb == "start_test":
        return TRIAL.not_run(f"A test with {version.label} has been running since {at}.")
    why = f": “{last.reason}”" if last.reason else "."
    return TRIAL.gate(
        "warn",
        f"{last.actor_name} stopped a test with {version.label} on {at} and it did not win{why}",
    )


def card_written(case: Case) -> Gate:
    if cards.is_complete(case.version):
        return CARD.gate("pass", "Intended use and limits are written down.")
    missing = CardTexts.of(case.version).missing
    return CARD.gate(
        "fail" if case.version.endpoint.card_required else "warn",
        f"The card of {case.version.label} does not say: {listed(missing)}.",
    )


def is_second_person_required(endpoint: Endpoint) -> bool:
    return endpoint.second_person_required or settings.RAISIN_SECOND_PERSON


def looked_at_twice(case: Case) -> Gate:
    """Whether the one who decides is not the one who trained, registered or asked."""
    person, version = case.actor.person, case.version
    required = is_second_person_required(version.endpoint)
    if person is None:
        return SECOND_PERSON.not_run(f"No person decides: {case.actor.name} does.")
    roles = _roles(version)
    theirs = [role for role, who in roles.items() if who == person]
    if theirs:
        deeds = f"{person.get_username()} {_and(theirs)} {version.label}"
        message = f"{deeds}; somebody else should decide."
        return SECOND_PERSON.gate("fail" if required else "warn", message)
    others = sorted({who.get_username() for who in roles.values() if who is not None})
    if not others:
        why = f"It is not known who trained, registered or asked for {version.label}."
        return SECOND_PERSON.gate("warn", why) if required else SECOND_PERSON.not_run(why)
    message = f"{person.get_username()} decides on the work of {_and(others)}."
    return SECOND_PERSON.gate("pass", message)


def _and(words: list[str]) -> str:
    *most, last = words
    return f"{listed(most)} and {last}" if most else last


def _roles(version: AlgorithmVersion) -> dict[str, User | None]:
    """Who did what for the candidate, in the words of the message."""
    asked = version.promotion_requests.select_related("requested_by").order_by("-at", "-id").first()
    return {
        "trained": version.run.created_by,
        "registered": version.created_by,
        "asked for": asked.requested_by if asked else None,
    }
