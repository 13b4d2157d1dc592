"""What people have done for the candidate: written its card, tested it live, looked twice."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone

from endpoints.models import ABTest, AlgorithmVersion, Endpoint, Status
from endpoints.models.abtest import TestState
from endpoints.services import cards
from endpoints.services.abtests import analysis, verdicts
from endpoints.services.abtests.analysis import ABReport
from endpoints.services.cards import CardTexts
from endpoints.services.gates.case import Case
from endpoints.services.gates.gate import Check, Gate
from mlcore.errors import listed

TRIAL = Check("abtest", "Test with live traffic")
CARD = Check("card", "Model card")
SECOND_PERSON = Check("second_person", "Second person")


def tested_live(case: Case) -> Gate:
    """What the last A/B or shadow test of the candidate says by now, labels that came late included."""
    version = case.version
    started = version.tests_as_challenger.exclude(state=TestState.DRAFT)
    test = (
        started.select_related("endpoint", "control", "challenger")
        .order_by("-started_at", "-id")
        .first()
    )
    if test is None:
        return TRIAL.not_run(f"No test was run with {version.label} against production.")
    report = analysis.analyse(test, now=case.now)
    message = f"{_standing(test, version)} {_capital(verdicts.in_words(report))}"
    if report.banner == "do_not_trust":
        return TRIAL.gate("fail", f"{message} That blocks a promotion.")
    if report.banner in ("not_started", "keep_running"):
        labels = f"{report.labels:,} of about {report.labels_needed:,} labels"
        return TRIAL.not_run(f"{message} There are {labels}.")
    is_of_today = test.control is not None and test.control.status == Status.PRODUCTION
    won = report.banner == "b_better" and is_of_today
    compared = "" if is_of_today else f" {_control(test)} is not in production any more."
    return TRIAL.gate("pass" if won else "warn", f"{message}{compared}", *_values(report))


def _standing(test: ABTest, version: AlgorithmVersion) -> str:
    if test.is_running:
        since = timezone.localtime(test.started_at)
        return f"A test with {version.label} has been running since {since:%d %B %Y}."
    at = timezone.localtime(test.stopped_at)
    concluded = test.get_conclusion_display()
    what = f"{test.stopped_by_name} stopped a test with {version.label} on {at:%d %B %Y}"
    return f"{what} as “{concluded}” (“{test.reason}”)."


def _control(test: ABTest) -> str:
    return test.control.label if test.control is not None else "Its control"


def _capital(sentence: str) -> str:
    return sentence if sentence.startswith("v") else sentence[:1].upper() + sentence[1:]


def _values(report: ABReport) -> tuple[str, str]:
    """The metric of both, as value and limit; nothing while they are hidden."""
    b, a = report.challenger.value, report.control.value
    if b is None or a is None:
        return "", ""
    metric = report.test.get_metric_display()
    return f"{metric} {b:.4f}", f"v{report.control.version} {a:.4f}"


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
