"""One A/B test as its page shows it, from the report of the counters; it knows no request and decides nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.utils.safestring import SafeString

from dashboard import charts, formats
from dashboard.presenters import abtest_bandit as bandits
from dashboard.presenters import abtest_plan as planned
from dashboard.presenters import abtest_words as words
from dashboard.presenters.abtest_bandit import Shares
from dashboard.presenters.abtest_plan import Card, Unit
from dashboard.presenters.abtest_words import Banner
from dashboard.zero_line import Difference, zero_line
from endpoints.models import ABLook, ABPhase, ABTest
from endpoints.models.abcount import ArmName
from endpoints.models.abtest import Looks, TestKind, TestMetric, TestState
from endpoints.services.abtests import summary
from endpoints.services.abtests.analysis import ABReport, ArmFigures
from endpoints.services.abtests.phase_figures import PhaseFigures
from mlcore.sample_ratio import MISMATCH


@dataclass(frozen=True)
class Arm:
    """A row of the table of arms; `query` is the filter of the predictions page that finds its requests.

    The challenger of a shadow test has none: it is shown the requests of the control.
    """

    title: str
    figures: ArmFigures
    query: str

    @property
    def units(self) -> int | None:
        return self.figures.units if self.query else None

    @property
    def has_unanswered(self) -> bool:
        figures = self.figures
        return bool(self.query) and (figures.errors > 0 or figures.units > figures.requests)


@dataclass(frozen=True)
class Limit:
    """A guardrail with its numbers as they read; `state` is that of a badge."""

    name: str
    control: str
    challenger: str
    limit: str
    state: str
    word: str


@dataclass(frozen=True)
class Told:
    """What a page shows of a test; cards, drawing and chart are left out while the result is hidden."""

    report: ABReport
    banner: Banner
    arms: tuple[Arm, ...]
    cards: tuple[Card, ...]
    drawing: SafeString
    interval: str
    limits: tuple[Limit, ...]
    course: charts.LineChart | None
    hidden: str
    method: str
    checks: tuple[str, ...]
    is_doubted: bool
    shares: Shares | None = None

    @property
    def test(self) -> ABTest:
        return self.report.test

    @property
    def title(self) -> str:
        return Unit(self.test.metric).title

    @property
    def shows_rows(self) -> bool:
        """Whether rows are another number than requests; labels and coverage are of rows."""
        return any(arm.figures.rows != arm.figures.requests for arm in self.arms)

    @property
    def has_unanswered(self) -> bool:
        return any(arm.has_unanswered for arm in self.arms)


def told(report: ABReport, course: Sequence[ABLook] = ()) -> Told:
    """Return all of it; the course is that of the present phase."""
    hides = report.is_hidden
    return Told(
        report=report,
        banner=words.banner(report),
        arms=tuple(_arm(report, arm) for arm in (report.control, report.challenger)),
        cards=() if hides else tuple(_cards(report)),
        drawing=SafeString("") if hides else _drawing(report),
        interval="" if hides else Unit(report.test.metric).span(words.deciding(report)),
        limits=tuple(_limits(report)),
        course=None if hides else _course_chart(report, course),
        hidden=_hidden(report) if hides else "",
        method=planned.method(report.test),
        checks=tuple(_checks(report)),
        is_doubted=bool(report.doubts),
        shares=bandits.shares(report),
    )


def _hidden(report: ABReport) -> str:
    if report.test.state != TestState.STOPPED:
        return planned.hidden_until(report.test, summary.units_needed(report))
    return words.stopped_before(report)


def _arm(report: ABReport, arm: ArmFigures) -> Arm:
    """A request of a shadow test is logged once, with the control's arm."""
    test, phase = report.test, report.phase
    wanted: dict[str, object] = {"abtest": test.pk, "arm": arm.name}
    if phase is not None and phase.number > 1 and test.kind == TestKind.SPLIT:
        wanted["since"] = phase.started_at.isoformat()
    is_logged = test.kind != TestKind.SHADOW or arm.name == ArmName.CONTROL
    return Arm(words.arm_title(arm), arm, urlencode(wanted) if is_logged else "")


def _cards(report: ABReport) -> Iterable[Card]:
    unit, found = Unit(report.test.metric), report.statistics
    for arm in (report.control, report.challenger):
        title = f"{unit.title} of {'A' if arm.name == 'control' else 'B'}, v{arm.version}"
        note = (
            f"{_ends(arm.low, arm.high, unit)} ({planned.level(report.test)})"
            if arm.low is not None
            else ""
        )
        yield Card(title, unit.value(arm.value), note)
    if found is None or found.difference is None:
        return
    yield Card("Difference, B less A", unit.difference(found.difference), _lift(report))
    is_bandit = report.test.kind == TestKind.BANDIT
    if found.belief is not None:
        better = formats.percent(found.belief.b_better)
        plain = Card("P(B is better)", better, "a belief, no test")
        yield bandits.best(found.belief) if is_bandit else plain
        loss = _small(found.belief.loss_of_b, report.test.metric)
        yield Card("Expected loss with B", loss, "if B is chosen and is worse")
    if is_bandit:
        yield bandits.still_out(report)


def _lift(report: ABReport) -> str:
    lift = summary.relative_lift(report.statistics) if report.statistics else None
    return "" if lift is None else f"{formats.signed(100 * lift, 1)}{formats.NBSP}% of A's"


def _small(number: float, metric: str) -> str:
    """An expected loss, which nears 0 and never is."""
    if metric != TestMetric.ACCURACY:
        return formats.fixed(number, 4) if number >= 0.0001 else "<0.0001"
    points = formats.fixed(100 * number, 2) if number >= 0.0001 else "<0.01"
    return f"{points}{formats.NBSP}pp"


def _ends(low: float | None, high: float | None, unit: Unit | None = None) -> str:
    if low is None or high is None:
        return ""
    show = unit.value if unit else formats.percent
    return f"{show(low)} to {show(high)}"


def _drawing(report: ABReport) -> SafeString:
    found, ends = report.statistics, words.deciding(report)
    if found is None or found.difference is None or ends is None:
        return SafeString("")
    unit = Unit(report.test.metric)
    return zero_line(
        Difference(
            value=found.difference,
            low=ends[0],
            high=ends[1],
            margin=report.test.margin,
            direction=unit.direction,
            show=unit.difference,
        )
    )


def _limits(report: ABReport) -> Iterable[Limit]:
    for found in report.guardrails:
        state, word = ("fail", "Broken") if found.breached else ("pass", "Kept")
        if not found.known:
            state, word = "not_run", "Too few"
        yield Limit(
            name=words.GUARDRAILS[found.code],
            control=words.shown(found.code, found.control),
            challenger=words.shown(found.code, found.challenger),
            limit=planned.allowed(found.code, found.limit),
            state=state,
            word=word,
        )


def _checks(report: ABReport) -> Iterable[str]:
    """What was checked and raised no doubt, with its numbers; what did stands in the banner."""
    found = report.statistics
    if found is None:
        return
    if report.test.kind == TestKind.BANDIT:
        yield "Shares are those of the present phase; all other numbers are of all phases together."
    told = []
    if found.sample_ratio_p is not None and "sample_ratio" not in report.doubts:
        shares = (
            planned.of_phases(len(report.phases))
            if report.test.kind == TestKind.BANDIT
            else f"{words.shares(report, 'planned_share')} planned, {words.shares(report, 'seen_share')} found"
        )
        told.append(f"sample ratio p {formats.p_value(found.sample_ratio_p)} ({shares})")
    if found.coverage_p is not None and "coverage" not in report.doubts:
        told.append(f"labels alike in both arms p {formats.p_value(found.coverage_p)}")
    if told:
        yield f"Checked: {', '.join(told)}. Below {MISMATCH:g} a test is not to be trusted."
    if report.agreement is not None:
        yield f"A and B say the same of {formats.percent(report.agreement)} of the rows."


def _course_chart(report: ABReport, course: Sequence[ABLook]) -> charts.LineChart | None:
    """The interval look by look up to now; None before the second."""
    points = [(look.labels, look.difference, look.low, look.high) for look in course]
    points += _present(report, points[-1][0] if points else 0)
    if len(points) < 2:
        return None
    in_points = report.test.metric == TestMetric.ACCURACY
    unit = "percentage points" if in_points else Unit(report.test.metric).name
    scale = 100.0 if in_points else 1.0
    labels, differences, lows, highs = zip(*points, strict=True)
    drawn = charts.line_chart(
        title="Difference look by look",
        x_label="labels" if report.test.kind == TestKind.SHADOW else "labels of the smaller arm",
        x=labels,
        series={
            "B less A": [scale * value for value in differences],
            "No difference": [0.0 for _ in points],
            "From": [scale * value for value in lows],
            "To": [scale * value for value in highs],
        },
        y_label=f"{unit}, by number of labels",
    )
    of = "all looks" if report.test.looks == Looks.ANY_TIME else "each look"
    return drawn.with_band(f"{planned.level(report.test)} interval of {of}")


def _present(report: ABReport, seen: int) -> list[tuple[int, float, float, float]]:
    """This look, unless it is kept already: only every twentieth part more of labels is."""
    found = report.statistics
    if found is None or found.difference is None or found.always_valid is None:
        return []
    if report.labels <= seen:
        return []
    total = found.always_valid
    return [(report.labels, found.difference, total.low, total.high)]


@dataclass(frozen=True)
class PastPhase:
    """A phase that is over, with all labels that have come for it."""

    phase: ABPhase
    share: float
    labels: int
    result: str


def past_phases(report: ABReport) -> list[PastPhase]:
    """Those before the present one, the newest first; their counts are not mixed with its."""
    unit = Unit(report.test.metric)
    return [
        PastPhase(
            phase=figures.phase,
            share=figures.phase.challenger_share / 10_000,
            labels=min(figures.labels),
            result=_result(figures, unit),
        )
        for figures in reversed(report.phases[:-1])
    ]


def _result(figures: PhaseFigures, unit: Unit) -> str:
    if figures.difference is None:
        return "too few labels"
    difference, low, high = unit.difference(figures.difference), figures.low, figures.high
    if low is None or high is None:
        return difference
    if low > high:
        return f"{difference}; its looks contradict one another"
    return f"{difference}, {unit.span((low, high))}"
