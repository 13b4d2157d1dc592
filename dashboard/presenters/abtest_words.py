"""What an A/B test says, in sentences: its banner, its doubts and how it ended; it decides and counts nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from dashboard import formats
from dashboard.presenters import abtest_bandit as bandits
from dashboard.presenters.abtest_plan import (
    Unit,
    allowed,
    hidden_until,
    labels_of,
    level,
    milliseconds,
    of_phases,
    units_of,
)
from endpoints.models import ABTest
from endpoints.models.abtest import Conclusion, Looks, TestKind, TestState
from endpoints.services.abtests import summary
from endpoints.services.abtests.analysis import ABReport, ArmFigures, Guardrail
from endpoints.services.snapshots import Served
from mlcore.sample_ratio import MISMATCH

GUARDRAILS = {"latency": "Latency of B, p95", "errors": "Error rate", "brier": "Brier score"}

CAUSES = {
    "sample_ratio": (
        "the unit id is not the same in all requests of a unit, or is made anew with each retry",
        "one arm fails or times out before its requests are logged",
        "requests of one arm are filtered, cached or repeated on their way here",
    ),
    "coverage": (
        "the answer decides who gets a label: only what one arm flags is checked",
        "labels come sooner for one kind of answer; a waiting time for labels evens that out",
        "the system that sends labels drops those of one arm",
    ),
    "drifted": (
        "what the models are asked has changed since the test began",
        "early labels differ from late ones; a waiting time for labels evens that out",
    ),
}


@dataclass(frozen=True)
class Banner:
    """The one thing to know now, with its reasons; the tone is a class of app.css."""

    title: str
    texts: tuple[str, ...]
    tone: str
    icon: str
    causes: tuple[str, ...] = ()


def banner(report: ABReport) -> Banner:
    """The banner of a test that has not been stopped."""
    if report.banner == "not_started":
        return Banner("Not started", ("Nothing is counted yet.",), "info", "info")
    if report.banner == "do_not_trust":
        return _do_not_trust(report)
    if report.banner == "guardrail":
        broken = [guardrail(found) for found in report.guardrails if found.breached]
        names = " and ".join(_of_what(found) for found in report.guardrails if found.breached)
        told = _said(*broken, bandits.frozen(report))
        return Banner(f"Stop: B breaks the limit of {names}", told, "alert", "fail")
    if report.banner == "keep_running":
        told = _said(progress(report), bandits.serving(report), *_hidden(report))
        return Banner("Keep running", told, "info", "info")
    title, then, tone, icon = _DECIDED[report.banner]
    return Banner(title, _said(_found(report), bandits.serving(report), then), tone, icon)


def _said(*texts: str) -> tuple[str, ...]:
    return tuple(text for text in texts if text)


_DECIDED = {
    "b_better": (
        "B is better: ready to decide",
        "Stop the test and promote B, or say why not.",
        "ok",
        "ok",
    ),
    "a_better": ("A is better", "Stop the test: A goes on answering.", "watch", "warn"),
    "no_difference": (
        "No useful difference",
        "What is left of a difference is within the margin. Stop the test and keep what is cheaper.",
        "info",
        "info",
    ),
    "inconclusive": (
        "Inconclusive",
        "The test has reached its end and either may be better. Stop it; a longer one may tell.",
        "watch",
        "warn",
    ),
}


def progress(report: ABReport) -> str:
    """How far it got: “1,240 of 3,900 labels per arm, about 5 days left.”"""
    far = f"{report.labels:,} of {report.labels_needed:,} {labels_of(report.test)}"
    sooner = " It may be decided sooner." if report.test.looks == Looks.ANY_TIME else ""
    return f"{far}, {_left(report)}.{sooner}"


def _left(report: ABReport) -> str:
    units = summary.units_needed(report)
    if units is not None and report.labels >= report.labels_needed:
        return f"but from {report.units:,} of the {units:,} {units_of(report.test)} it needs"
    if report.days_left is None:
        return "no labels have come lately, so nobody can say how long it takes"
    if report.days_left < 1:
        return "less than a day left"
    days = round(report.days_left)
    return f"about {days:,} day{'' if days == 1 else 's'} left"


def _hidden(report: ABReport) -> tuple[str, ...]:
    if not report.is_hidden:
        return ()
    return (f"The result is {hidden_until(report.test, summary.units_needed(report))}.",)


def _found(report: ABReport) -> str:
    """The difference with the interval that decides, or that there are too few labels to show it."""
    found, ends = report.statistics, deciding(report)
    if report.is_hidden or found is None or found.difference is None or ends is None:
        if (units := summary.units_needed(report)) is not None:
            of_all = f"{report.units:,} of the {units:,} labelled {units_of(report.test)}"
            return f"There are {of_all} it needs at least."
        least = report.test.minimum_labels
        are = "is" if report.labels == 1 else "are"
        return f"There {are} {report.labels:,} of the {least:,} {labels_of(report.test)} it needs at least."
    unit = Unit(report.test.metric)
    of = f"{unit.title} of B (v{report.challenger.version}) less A (v{report.control.version})"
    shown = f"{unit.difference(found.difference)}, {level(report.test)} interval {unit.span(ends)}"
    return f"{of}: {shown}."


def deciding(report: ABReport) -> tuple[float, float] | None:
    """The interval that decides: of all looks together, or of the one at the end."""
    found = report.statistics
    if found is None:
        return None
    if report.test.looks == Looks.AT_HORIZON:
        return found.fixed and (found.fixed[0], found.fixed[1])
    total = found.always_valid
    return total and (total.low, total.high)


def _do_not_trust(report: ABReport) -> Banner:
    said = {
        "sample_ratio": sample_ratio(report),
        "coverage": coverage(report),
        "drifted": "The looks so far contradict one another: no difference fits all of them.",
    }
    causes = tuple(cause for doubt in report.doubts for cause in CAUSES[doubt])
    told = _said(*(said[doubt] for doubt in report.doubts), _UNTRUSTED, bandits.frozen(report))
    return Banner("Do not trust this test", told, "alert", "fail", causes)


_UNTRUSTED = (
    "Whatever the numbers below say, they decide nothing, and B is not promoted by them. Stop the test, "
    "remove the cause, start another."
)


def sample_ratio(report: ABReport) -> str:
    """“Sample ratio mismatch: p 0.0004, below 0.001. Expected 50.0/50.0, got 53.1/46.9 of the units.”"""
    p = report.statistics.sample_ratio_p if report.statistics else None
    if report.test.kind == TestKind.BANDIT:
        which = of_phases(len(report.phases))
        return f"Sample ratio mismatch: {_judged(p)}, {which}. The units did not fall on A and B by its shares."
    expected, got = shares(report, "planned_share"), shares(report, "seen_share")
    return f"Sample ratio mismatch: {_judged(p)}. Expected {expected}, got {got} of the units."


def shares(report: ABReport, name: str) -> str:
    """The shares of A and B in percent, such as 53.1/46.9."""
    found = (getattr(arm, name) for arm in (report.control, report.challenger))
    return "/".join("?" if share is None else formats.fixed(100 * share, 1) for share in found)


def coverage(report: ABReport) -> str:
    p = report.statistics.coverage_p if report.statistics else None
    a, b = (formats.percent(arm.coverage) for arm in (report.control, report.challenger))
    return f"The arms do not get labels alike: {a} of A's rows have one, {b} of B's; {_judged(p)}."


def _judged(p: float | None) -> str:
    if p is None:
        return "p not known yet"
    shown = f"{p:.4f}" if p >= 0.0001 else "<0.0001"
    return f"p {shown}, {'below' if p < MISMATCH else 'not below'} {MISMATCH:g}"


def _of_what(found: Guardrail) -> str:
    return {"latency": "latency", "errors": "errors", "brier": "the Brier score"}[found.code]


def guardrail(found: Guardrail) -> str:
    """One broken limit, with its numbers."""
    a, b = (shown(found.code, number) for number in (found.control, found.challenger))
    if found.code == "latency":
        return (
            f"95 of 100 answers of B take up to {b}; {allowed(found.code, found.limit)} is planned."
        )
    what = {"errors": "requests that failed", "brier": "Brier score"}[found.code]
    return (
        f"{what.capitalize()}: B {b}, A {a}. Planned is {allowed(found.code, found.limit)}, and this is "
        "no chance."
    )


def shown(code: str, value: float | None) -> str:
    """A guardrail's number as such numbers read."""
    return {"latency": milliseconds, "errors": formats.percent, "brier": formats.score}[code](value)


def stopped_before(report: ABReport) -> str:
    """Why a stopped test has no result: too few labels, or labels of too few units."""
    test, units = report.test, summary.units_needed(report)
    least = f"{test.minimum_labels:,} {labels_of(test)}"
    if units is not None:
        least = f"{units:,} labelled {units_of(test)}"
    return f"no result: it was stopped before {least}"


def left_out(served: Served | None) -> str:
    """Why serving leaves the running test out; nothing where it does not."""
    problem = (served.test_problem or served.problem) if served is not None else ""
    if not problem:
        return ""
    return f"The test is left out of serving, and nothing is counted for it: {problem}"


def arm_title(arm: ArmFigures) -> str:
    return "A, control" if arm.name == "control" else "B, challenger"


def standing(test: ABTest) -> str:
    """How a test stands that is not as the page expected it."""
    if test.state == TestState.DRAFT:
        return f"“{test.title}” has not been started."
    if test.state == TestState.RUNNING:
        return f"“{test.title}” is running since {_at(test.started_at)} ({test.started_by_name})."
    return f"“{test.title}” was stopped at {_at(test.stopped_at)} ({test.stopped_by_name})."


def _at(moment: datetime | None) -> str:
    return f"{timezone.localtime(moment):%H:%M:%S}" if moment else "some time"


def ended(test: ABTest) -> Banner:
    """The banner of a test that was stopped: what came out. Who stopped it, and why, stands beside it."""
    label = str(Conclusion(test.conclusion).label)
    tone = {Conclusion.B_WINS: "ok", Conclusion.DID_NOT_FINISH: "watch"}.get(
        test.conclusion, "info"
    )
    icon = {"ok": "ok", "watch": "warn"}.get(tone, "info")
    return Banner(f"Stopped: {label}", (), tone, icon)


def after_stop(test: ABTest) -> str:
    serving = test.control.label if test.control is not None else "A"
    return f"The test is stopped; {serving} answers all requests."
