"""What a test says so far, from its counters alone: figures of both arms, guardrails and one banner.

It reads no row of the log, writes nothing and knows neither pages nor JSON.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from endpoints.models import ABArm, ABPhase, ABTest
from endpoints.models.abcount import ArmName
from endpoints.models.abtest import TestKind, TestState
from endpoints.services.abtests import bandit_counts, guarding, sizing
from endpoints.services.abtests import counts as counters
from endpoints.services.abtests.arm_traffic import traffic_of
from endpoints.services.abtests.cautions import cautions
from endpoints.services.abtests.counting import counted_until
from endpoints.services.abtests.counts import (
    FEWEST_UNITS,
    NO_TRAFFIC,
    ArmCounts,
    ArmTraffic,
    PhaseCounts,
)
from endpoints.services.abtests.guarding import Guardrail
from endpoints.services.abtests.phase_figures import (
    PhaseFigures,
    earlier,
    of_a_bandit,
    phase_figures,
)
from endpoints.services.abtests.plans import newest_phase, split_of
from mlcore.abtest import ABTestReport, Doubt
from mlcore.assignment import BUCKETS

Banner = Literal[
    "not_started",
    "keep_running",
    "b_better",
    "a_better",
    "no_difference",
    "inconclusive",
    "guardrail",
    "do_not_trust",
]
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@dataclass(frozen=True)
class ArmFigures:
    """One arm. Shares are of units, from 0 to 1; `value`, `low`, `high` and `brier` are None while hidden."""

    name: str
    version: int | None
    planned_share: float
    seen_share: float | None = None
    requests: int = 0
    rows: int = 0
    units: int = 0
    errors: int = 0
    error_rate: float | None = None
    p95_ms: float | None = None
    labels: int = 0
    coverage: float | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    brier: float | None = None


@dataclass(frozen=True)
class ABReport:
    """All that is to be told of a test; numbers are of its newest phase, of a bandit of all phases but for
    the shares of units.

    `labels`, `labels_needed` and `labels_per_day` are of the smaller arm, in a shadow test pairs. While it
    `is_hidden` nobody may see which arm is ahead. `agreement` is the share of rows on which both arms of a
    shadow test say the same. `ended`: the horizon or the last day is reached, whoever stopped the test when.
    `units_needed` is None unless the results wait for that many labelled units, of which there are `units`;
    `phases` begin with the first.
    """

    test: ABTest
    phase: ABPhase | None
    control: ArmFigures
    challenger: ArmFigures
    statistics: ABTestReport | None
    guardrails: tuple[Guardrail, ...]
    banner: Banner
    doubts: tuple[Doubt, ...]
    cautions: tuple[str, ...]
    is_hidden: bool
    labels: int
    labels_needed: int
    labels_per_day: float | None
    days_left: float | None
    agreement: float | None
    ended: bool
    units: int = 0
    units_needed: int | None = None
    phases: tuple[PhaseFigures, ...] = ()


def analyse(test: ABTest, now: datetime) -> ABReport:
    """Return the report of a test; of a stopped one with the labels that came since."""
    return analyse_phase(test, newest_phase(test), now)


def analyse_phase(test: ABTest, phase: ABPhase | None, now: datetime) -> ABReport:
    """Return the report that one phase alone would give; of a bandit that of all phases up to it."""
    if test.kind == TestKind.BANDIT and phase is not None and test.state != TestState.DRAFT:
        return _of_a_bandit(test, phase, now)
    arms = _arms(phase) if phase is not None and test.state != TestState.DRAFT else {}
    if phase is None or len(arms) != len(ArmName):
        return _not_started(test, phase, now)
    report = judge(test, _counts(test, arms, now), now)
    return replace(report, phases=(*earlier(test, phase), *report.phases))


def by_phase(test: ABTest, now: datetime) -> list[ABReport]:
    """Return the reports that a promotion is held against, the newest first: of each phase, of a bandit one."""
    phases = test.phases.order_by("-number")
    if test.kind == TestKind.BANDIT:
        phases = phases[:1]
    return [analyse_phase(test, phase, now) for phase in phases]


def _of_a_bandit(test: ABTest, phase: ABPhase, now: datetime) -> ABReport:
    counts = bandit_counts.read(test, phase)
    if counts is None:
        return _not_started(test, phase, now)
    return judge(test, _with_rate(test, counts, now), now)


def judge(test: ABTest, counts: PhaseCounts, now: datetime) -> ABReport:
    """Return the report that these counters give."""
    ended = counters.is_over(test, counts, now)
    is_done = ended or test.state == TestState.STOPPED
    found = counters.statistics(test, counts, ended=ended)
    doubts = found.doubts if found is not None else ()
    guards = guarding.guardrails(test, counts)
    is_hidden = found is None or not counters.is_ready(test, counts)
    rate = _labels_per_day(test, counts, now)
    return ABReport(
        test=test,
        phase=counts.phase,
        control=_figures(test, counts, ArmName.CONTROL, None if is_hidden else found),
        challenger=_figures(test, counts, ArmName.CHALLENGER, None if is_hidden else found),
        statistics=found,
        guardrails=guards,
        banner=_banner(doubts, guards, is_done, None if is_hidden else found),
        doubts=doubts,
        cautions=cautions(test, counts, found),
        is_hidden=is_hidden,
        labels=counts.labels,
        labels_needed=test.horizon,
        labels_per_day=rate,
        days_left=None if is_done else _days_left(test, counts.labels, rate, now),
        agreement=_agreement(test, counts.challenger.traffic),
        ended=ended,
        units=counters.labelled_units(test, counts),
        units_needed=FEWEST_UNITS if counters.waits_for_units(test, counts) else None,
        phases=_phases(test, counts, None if is_hidden else found),
    )


def _not_started(test: ABTest, phase: ABPhase | None, now: datetime) -> ABReport:
    share = phase.challenger_share if phase is not None else BUCKETS // 2
    rate = sizing.labelled_rate(test.endpoint, now).labels_per_day
    rate = rate and rate * sizing.smaller_share(test, share)
    control = test.control or test.endpoint.versions.in_production().first()
    numbers = (control.number if control is not None else None, test.challenger.number)
    shares = _planned_shares(test, phase)
    a, b = (ArmFigures(*facts) for facts in zip(ArmName.values, numbers, shares, strict=True))
    return ABReport(
        test=test,
        phase=phase,
        control=a,
        challenger=b,
        statistics=None,
        guardrails=(),
        banner="not_started",
        doubts=(),
        cautions=(),
        is_hidden=True,
        labels=0,
        labels_needed=test.horizon,
        labels_per_day=rate,
        days_left=_days_left(test, 0, rate, now),
        agreement=None,
        ended=False,
    )


def _arms(phase: ABPhase) -> dict[str, ABArm]:
    """Read both arms and their phase as they stand at one moment."""
    return {arm.name: arm for arm in phase.arms.select_related("version", "phase")}


def _counts(test: ABTest, arms: Mapping[str, ABArm], now: datetime) -> PhaseCounts:
    traffic = traffic_of([arm.pk for arm in arms.values()])
    control, challenger = (
        ArmCounts(arms[name], traffic.get(arms[name].pk, NO_TRAFFIC)) for name in ArmName.values
    )
    return _with_rate(test, PhaseCounts(control.arm.phase, control, challenger), now)


def _with_rate(test: ABTest, counts: PhaseCounts, now: datetime) -> PhaseCounts:
    if not test.is_running or counts.labels:
        return counts
    rate = sizing.labelled_rate(test.endpoint, now).labels_per_day
    rate = rate and rate * sizing.smaller_share(test, counts.phase.challenger_share)
    return replace(counts, labels_per_day=rate)


def _banner(
    doubts: Collection[Doubt],
    guards: Collection[Guardrail],
    is_done: bool,  # noqa: FBT001 - a fact, it chooses no way
    shown: ABTestReport | None,
) -> Banner:
    if doubts:
        return "do_not_trust"
    if any(guardrail.breached for guardrail in guards):
        return "guardrail"
    decision = "keep_running" if shown is None else shown.decision
    return "inconclusive" if is_done and decision == "keep_running" else decision


def _figures(
    test: ABTest, counts: PhaseCounts, name: ArmName, shown: ABTestReport | None
) -> ArmFigures:
    """Shown: None while the values are hidden."""
    place = ArmName.values.index(name)
    counted = counts.arms[place]
    arm, traffic = counted.arm, counted.traffic
    dealt = counts.strata[-1] if counts.strata else counts
    units = [side.traffic.units for side in dealt.arms]
    asked = counters.rows_asked(test, counted)
    value = low = high = None
    if shown is not None:
        report = (shown.control, shown.challenger)[place]
        value, low, high = report.value, report.low, report.high
    return ArmFigures(
        name=name.value,
        version=arm.version.number,
        planned_share=_planned_shares(test, counts.phase)[place],
        seen_share=units[place] / sum(units) if any(units) and _deals(test) else None,
        requests=traffic.requests,
        rows=traffic.rows,
        units=traffic.units,
        errors=traffic.errors,
        error_rate=guarding.error_rate(traffic),
        p95_ms=guarding.p95_ms(traffic),
        labels=arm.labels,
        coverage=arm.labels / asked if asked else None,
        value=value,
        low=low,
        high=high,
        brier=guarding.brier(arm) if shown else None,
    )


def _deals(test: ABTest) -> bool:
    return test.kind != TestKind.SHADOW


def _phases(
    test: ABTest, counts: PhaseCounts, shown: ABTestReport | None
) -> tuple[PhaseFigures, ...]:
    if test.kind == TestKind.BANDIT:
        return tuple(of_a_bandit(counts.strata or (counts,), shown))
    return (phase_figures(test, counts, shown),)


def _planned_shares(test: ABTest, phase: ABPhase | None) -> tuple[float, float]:
    if test.kind == TestKind.SHADOW:
        return 1.0, 1.0
    a, b = split_of(test, phase).weights
    return a / BUCKETS, b / BUCKETS


def _labels_per_day(test: ABTest, counts: PhaseCounts, now: datetime) -> float | None:
    """Return what the phase has had a day so far, before its first label what is expected."""
    if not test.is_running:
        return None
    if not counts.labels:
        return counts.labels_per_day
    counted = counted_until(test) or now
    began = (counts.strata[0] if counts.strata else counts).phase.started_at
    return counts.labels / (max(counted - began, HOUR) / DAY)


def _days_left(test: ABTest, labels: int, rate: float | None, now: datetime) -> float | None:
    """Return the days to the horizon, or to the last day that the plan allows."""
    ends = []
    if rate and labels < test.horizon:
        ends.append((test.horizon - labels) / rate)
    if (last := counters.last_moment(test)) is not None:
        ends.append((last - now) / DAY)
    elif test.most_days is not None:
        ends.append(float(test.most_days))
    return min(ends, default=None)


def _agreement(test: ABTest, challenger: ArmTraffic) -> float | None:
    if test.kind != TestKind.SHADOW or not challenger.rows:
        return None
    return challenger.agreed / challenger.rows
