"""The plan of an A/B test in words: what is compared, how, until when, and what its start means.

It knows no request, and nothing of what was counted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from dashboard import formats, metrics
from endpoints.models import ABTest, AlgorithmVersion, Status
from endpoints.models.abtest import Looks, TestKind, TestMetric, TestState
from endpoints.services.abtests.sizing import Size
from mlcore.assignment import BUCKETS


@dataclass(frozen=True)
class Unit:
    """How values and differences of a test's metric read."""

    metric: str

    @property
    def name(self) -> str:
        return str(TestMetric(self.metric).label)

    @property
    def title(self) -> str:
        return self.name[:1].upper() + self.name[1:]

    @property
    def direction(self) -> int:
        return -1 if self.metric == TestMetric.EXPECTED_COST else 1

    def value(self, number: float | None) -> str:
        return metrics.metric(number, self.metric)

    def difference(self, number: float | None) -> str:
        """With its sign: of accuracy in percentage points, else in the metric's own unit."""
        if number is None or self.metric != TestMetric.ACCURACY:
            return formats.signed(number)
        return f"{formats.signed(100 * number, 2)}{formats.NBSP}pp"

    def span(self, ends: tuple[float, float] | None) -> str:
        """An interval of a difference."""
        if ends is None:
            return formats.MISSING
        return f"{self.difference(ends[0])} to {self.difference(ends[1])}"

    def size(self, number: float | None) -> str:
        if number is None or self.metric != TestMetric.ACCURACY:
            return formats.brief(number)
        return f"{formats.brief(100 * number)}{formats.NBSP}pp"


@dataclass(frozen=True)
class Card:
    title: str
    value: str
    note: str


@dataclass(frozen=True)
class Row:
    """A line of the plan."""

    name: str
    value: str


def labels_of(test: ABTest) -> str:
    return "labels" if test.kind == TestKind.SHADOW else "labels per arm"


def hidden_until(test: ABTest, units: int | None = None) -> str:
    """Units: how many must have a label, where there are labels enough of too few."""
    least = f"{test.minimum_labels:,} {labels_of(test)}"
    if units is not None:
        least = f"{units:,} labelled {units_of(test)}"
    return f"hidden until {least}, to avoid stopping early"


def units_of(test: ABTest) -> str:
    return "units" if test.kind == TestKind.SHADOW else "units per arm"


def level(test: ABTest) -> str:
    return f"{formats.brief(100 * (1 - test.alpha))}{formats.NBSP}%"


def kind(test: ABTest, share: float) -> str:
    if test.kind == TestKind.SHADOW:
        return "Shadow test"
    name = "Bandit" if test.kind == TestKind.BANDIT else "Split test"
    return f"{name}, {percent(share)} to B"


def percent(share: float) -> str:
    return f"{formats.brief(100 * share)}{formats.NBSP}%"


def of_phases(count: int) -> str:
    """Of how many phases a p value is the least."""
    return (
        "of the only phase"
        if count == 1
        else f"the least of {count:,} phases, their number allowed for"
    )


def plan(test: ABTest, share: float) -> list[Row]:
    """The plan in words; it is fixed once the test has started."""
    unit = Unit(test.metric)
    return [
        Row("Kind", f"{kind(test, share)}: {_kind_words(test)}"),
        Row("Decides", _metric_words(test, unit)),
        Row("Smallest difference to find", unit.size(test.minimum_effect)),
        Row("Does not matter", f"up to {unit.size(test.margin)}" if test.margin else "nothing"),
        Row("Certainty", f"{level(test)} (alpha {formats.brief(test.alpha)})"),
        Row("May be decided", _looks_words(test)),
        Row("Ends", _end_words(test)),
        Row("Waits for labels", _waiting_words(test)),
        Row("Guardrails", _guardrail_words(test)),
        Row("When decided", _then_words(test)),
    ]


def _kind_words(test: ABTest) -> str:
    if test.kind == TestKind.SHADOW:
        return "A answers, B scores the same requests unseen"
    if test.kind == TestKind.BANDIT:
        return f"the better one gets more and more of the units, the other keeps {_floor(test)}"
    return "each unit is answered by A or by B, always by the same"


def _floor(test: ABTest) -> str:
    return percent(test.floor / BUCKETS)


def _metric_words(test: ABTest, unit: Unit) -> str:
    if test.metric != TestMetric.EXPECTED_COST:
        return f"{unit.name}, higher is better"
    costs = (formats.brief(cost) for cost in (test.cost_fp, test.cost_fn))
    return "{}, lower is better: {} a false positive, {} a false negative".format(unit.name, *costs)


def _looks_words(test: ABTest) -> str:
    at = labels_of(test)
    if test.looks == Looks.AT_HORIZON:
        return f"once, at {test.horizon:,} {at}"
    return f"at any time from {test.minimum_labels:,} {at} on"


def _end_words(test: ABTest) -> str:
    days = f", or after {test.most_days:,} days" if test.most_days else ""
    return f"at {test.horizon:,} {labels_of(test)}{days}"


def _waiting_words(test: ABTest) -> str:
    if not test.maturation_hours:
        return "no: a label counts when it comes"
    return f"a request counts when it is {test.maturation_hours:,} h old"


def _guardrail_words(test: ABTest) -> str:
    limits = [
        ("latency", "p95 of B", test.latency_limit_ms),
        ("errors", "errors", test.error_margin),
        ("brier", "Brier score", test.brier_margin),
    ]
    told = [f"{name} {allowed(code, limit)}" for code, name, limit in limits if limit is not None]
    return ", ".join(told) or "none"


def allowed(code: str, limit: float) -> str:
    """The limit of a guardrail as it reads."""
    if code == "latency":
        return f"at most {milliseconds(limit)}"
    more = f"{formats.brief(100 * limit)}{formats.NBSP}pp" if code == "errors" else None
    return f"at most {more or formats.score(limit)} above A"


def milliseconds(value: float | None) -> str:
    """With three digits: limits of serving are often below one."""
    return formats.MISSING if value is None else f"{formats.brief(value)}{formats.NBSP}ms"


def _then_words(test: ABTest) -> str:
    if test.auto_promote:
        return "it stops by itself, and promotes B if B is better and no gate fails"
    return "a person decides"


def method(test: ABTest) -> str:
    """How the numbers are made: the interval and the test by name."""
    return f"{_deciding_words(test)} {_fixed_words(test)} {_belief_words(test)}"


def _deciding_words(test: ABTest) -> str:
    if test.looks == Looks.AT_HORIZON:
        return (
            f"Decided once, at {test.horizon:,} {labels_of(test)}, by the interval of that moment; "
            "until then it is shown and decides nothing. If a label is corrected afterwards, by an "
            "always-valid interval."
        )
    return (
        f"Decided by an always-valid {level(test)} confidence sequence (normal mixture), the common "
        "part of all looks so far: it holds however often one looks."
    )


def _fixed_words(test: ABTest) -> str:
    if test.kind == TestKind.BANDIT:
        return (
            "A and B are compared within the phases of constant shares, which are weighed by Mantel and "
            "Haenszel: their pooled rates would differ by when they were asked too. As the shares follow the "
            "labels there is no interval and no p value of a single look."
        )
    split = {
        TestMetric.ACCURACY: "Wilson's intervals of the arms, Newcombe's of the difference, the "
        "pooled z test",
        TestMetric.F1: "Wilson's intervals of TP / (TP + FP + FN) carried over to F1, Newcombe's way "
        "for the difference, Wald's test",
        TestMetric.EXPECTED_COST: "Wald's intervals and test",
    }
    shadow = {
        TestMetric.ACCURACY: "Wilson's intervals of the arms, Wald's of the paired difference (Agresti "
        "and Min's of few), McNemar's exact test",
        TestMetric.F1: "Wilson's intervals carried over to F1, the delta method for the paired "
        "difference",
        TestMetric.EXPECTED_COST: "Wald's intervals, the delta method for the paired difference",
    }
    named = (shadow if test.kind == TestKind.SHADOW else split)[TestMetric(test.metric)]
    return f"At a single look: {named}. The spread of units that come again is allowed for."


def _belief_words(test: ABTest) -> str:
    prior = (
        "flat priors"
        if test.metric == TestMetric.ACCURACY
        else "a normal distribution about the difference"
    )
    if test.kind == TestKind.BANDIT:
        return f"P(best) rests on {prior}. It sets the shares (Thompson, in batches) and decides nothing."
    return f"The probability that B is better rests on {prior} and decides nothing."


def consequence(test: ABTest, live: AlgorithmVersion | None, share: float) -> str:
    """What happens when the test starts, in one sentence or two."""
    a, b = live.label if live else "the version in production", test.challenger.label
    ends = f"Nothing is promoted before {'it is decided' if test.auto_promote else 'somebody decides'}."
    if test.kind == TestKind.SHADOW:
        return (
            f"{a} goes on answering every request. {b} scores the same requests and nobody sees what "
            f"it says. {ends}"
        )
    part = percent(share)
    if test.kind == TestKind.BANDIT:
        return (
            f"{b} answers {part} of the units from the next request on, {a} the others. From "
            f"{test.minimum_labels:,} labels of each on, the one that is right more often gets more of them, "
            f"the other {_floor(test)} at least; some units change their version then. {ends}"
        )
    return (
        f"{b} answers {part} of the units from the next request on, {a} the others; a unit always gets "
        f"the same version. {ends}"
    )


def obstacle(test: ABTest, live: AlgorithmVersion | None) -> str:
    """Why the test cannot be started now; nothing if it can."""
    b = test.challenger
    if live is None:
        return "Nothing is in production, so there is nothing to compare with."
    if b.status != Status.STAGING:
        return f"{b.label} is in {b.status_word}: a test starts from staging."
    other = test.endpoint.abtests.filter(state=TestState.RUNNING).first()
    return f"“{other.title}” is running: there is one test at a time." if other else ""


def size(test: ABTest, found: Size) -> list[Card]:
    """How many labels a planned test needs, and how long they take to come; what nobody knows says why."""
    looks = "looks at any time" if test.looks == Looks.ANY_TIME else "one look at the end"
    effect = Unit(test.metric).size(test.minimum_effect)
    return [
        Card(
            labels_of(test).capitalize(),
            formats.count(found.labels_needed),
            f"to find {effect} in 80{formats.NBSP}% of such tests, {looks}",
        ),
        Card(
            "Requests",
            formats.count(found.requests_needed),
            _coverage_words(found) + _at_most(test),
        ),
        Card("Days", _days(found), _rate_words(found) + _at_most(test)),
        Card(
            f"{Unit(test.metric).title} now",
            Unit(test.metric).value(found.baseline),
            "of the version in production" if found.baseline is not None else "not known",
        ),
    ]


def _at_most(test: ABTest) -> str:
    return ", one arm at its floor" if test.kind == TestKind.BANDIT else ""


def _coverage_words(found: Size) -> str:
    if found.coverage is None:
        return "no labels have come lately"
    return f"{formats.percent(found.coverage)} of the rows get a label"


def _days(found: Size) -> str:
    if found.days is None:
        return formats.MISSING
    return "less than 1" if found.days < 1 else f"about {math.ceil(found.days):,}"


def _rate_words(found: Size) -> str:
    if found.labels_per_day is None:
        return "nobody can say without labels"
    if found.labels_per_day < 1:
        return "at less than 1 label a day"
    rate = round(found.labels_per_day)
    return f"at {rate:,} label{'' if rate == 1 else 's'} a day"
