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
    """What the A/B and shadow tests of the candidate say by now, labels that came late included.

    Of those against the version in production, the newest first: one with a phase that is in doubt fails,
    one without a result is passed over, and the first with a result gives the verdict.
    """
    tests = _started(case.version)
    if not tests:
        return TRIAL.not_run(f"No test was run with {case.version.label} against production.")
    said: ABReport | None = None
    for phases in (analysis.by_phase(test, case.now) for test in tests if _is_of_today(test)):
        doubted = next((report for report in phases if report.doubts), None)
        if doubted is not None:
            return _distrusted(doubted)
        newest = phases[0]
        if said is None and (not newest.is_hidden or newest.banner == "guardrail"):
            said = newest
        if not newest.is_hidden:
            break
    return _verdict(said or analysis.analyse(tests[0], now=case.now))


def _started(version: AlgorithmVersion) -> list[ABTest]:
    """The tests with this challenger, the newest first."""
    found = version.tests_as_challenger.exclude(state=TestState.DRAFT)
    return list(
        found.select_related("endpoint", "control", "challenger").order_by("-started_at", "-id")
    )


def _is_of_today(test: ABTest) -> bool:
    return test.control is not None and test.control.status == Status.PRODUCTION


def _verdict(report: ABReport) -> Gate:
    test = report.test
    if report.doubts:
        return _distrusted(report)
    message = f"{_standing(test)} {_capital(verdicts.in_words(report))}"
    if report.banner in ("not_started", "keep_running"):
        are = "is" if report.labels == 1 else "are"
        labels = f"{report.labels:,} of about {report.labels_needed:,} labels"
        return TRIAL.not_run(f"{message} There {are} {labels}.")
    is_of_today = _is_of_today(test)
    won = report.banner == "b_better" and is_of_today
    compared = "" if is_of_today else f" {_control(test)} is not in production any more."
    return TRIAL.gate("pass" if won else "warn", f"{message}{compared}", *_values(report))


def _distrusted(report: ABReport) -> Gate:
    """The refusal by a phase that is in doubt; another share or another test does not lift it."""
    test, phase = report.test, report.phase
    number = phase.number if phase is not None else 1
    where = f"Phase {number} of “{test.title}”"
    said = f"{_standing(test)} {where}: {verdicts.in_words(report)}"
    return TRIAL.gate("fail", f"{said} That blocks a promotion.")


def _standing(test: ABTest) -> str:
    version = test.challenger
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
