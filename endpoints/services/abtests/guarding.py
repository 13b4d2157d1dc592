"""Judges the guardrails of a test: what B may not make worse, whatever it wins. It reads no tables.

A guardrail is broken by evidence, not by noise: the end of an interval has to lie beyond the limit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from endpoints.models import ABArm, ABPhase, ABTest
from endpoints.models.abtest import TestKind
from endpoints.services import histograms
from endpoints.services.abtests.counts import ArmCounts, ArmTraffic, PhaseCounts, is_ready
from mlcore.intervals import wilson
from mlcore.proportions import Share, square_and_add
from mlcore.sequential import boundary
from mlcore.special import two_sided
from mlcore.stratified import Counted, Stratum, stratified

FEWEST_REQUESTS = 100
"""Of an arm: fewer say little of a 95th percentile, and two failures in a row would be all of them."""
TAIL = 0.95
"""The quantile of the latencies that is limited."""
RISK, TUNED_FOR = 0.05, 1_000
"""The chance that a guardrail which B keeps is ever broken, and the rows, or requests, of both arms at which
one is found broken soonest: tests that stop by themselves look each minute."""

Code = Literal["latency", "errors", "brier"]


@dataclass(frozen=True)
class Guardrail:
    """A figure of both arms; `limit` is of B's latency itself, of the others' difference, B less A.

    `low` is the lower end of the interval of what is limited, and holds at every look. Where not enough is
    `known` nothing is broken.
    """

    code: Code
    control: float | None
    challenger: float | None
    limit: float
    low: float | None = None
    known: bool = False

    @property
    def breached(self) -> bool:
        return self.known and self.low is not None and self.low > self.limit


def guardrails(test: ABTest, counts: PhaseCounts) -> tuple[Guardrail, ...]:
    """Return those that the plan has."""
    return tuple(_planned(test, counts))


def p95_ms(traffic: ArmTraffic) -> float | None:
    return histograms.latency_ms(traffic.latencies, TAIL)


def error_rate(traffic: ArmTraffic) -> float | None:
    """Return the share of requests that the arm could not answer."""
    tried = _failures(traffic)
    return tried.value if tried.n else None


def brier(arm: ABArm) -> float | None:
    return max(arm.squares, 0.0) / arm.labels if arm.labels else None


def _planned(test: ABTest, counts: PhaseCounts) -> Iterator[Guardrail]:
    if test.latency_limit_ms is not None:
        yield _latency(test.latency_limit_ms, *counts.arms)
    if test.error_margin is not None:
        of = _errors_by_phase if counts.strata else _errors
        yield of(test.error_margin, counts)
    if test.brier_margin is not None:
        of_all = _brier_by_phase if counts.strata else _brier
        yield of_all(test, test.brier_margin, counts)


def _latency(limit: float, control: ArmCounts, challenger: ArmCounts) -> Guardrail:
    """The quantile whose share is as low as that of the tail may be is the lower end of the tail's."""
    a, b = p95_ms(control.traffic), p95_ms(challenger.traffic)
    latencies = challenger.traffic.latencies
    measured = sum(latencies.values())
    if measured < FEWEST_REQUESTS:
        return Guardrail("latency", a, b, limit)
    least, _ = wilson(TAIL * measured, measured, _level(measured))
    low = histograms.latency_ms(latencies, least)
    return Guardrail("latency", a, b, limit, low=low, known=True)


def _errors(limit: float, counts: PhaseCounts) -> Guardrail:
    control, challenger = counts.arms
    a, b = error_rate(control.traffic), error_rate(challenger.traffic)
    shares = _failures(control.traffic), _failures(challenger.traffic)
    if min(share.n for share in shares) < FEWEST_REQUESTS:
        return Guardrail("errors", a, b, limit)
    units = control.traffic.units, challenger.traffic.units or control.traffic.units
    level = _level(sum(share.n for share in shares))
    a_side, b_side = (_by_unit(*side, level) for side in zip(shares, units, strict=True))
    low = square_and_add(a_side, b_side).low
    return Guardrail("errors", a, b, limit, low=low, known=True)


def _errors_by_phase(limit: float, counts: PhaseCounts) -> Guardrail:
    """Of a bandit within its phases: an hour in which much fails is not the fault of who was asked most.

    Half a failure more of each kind keeps the variance of arms that never fail above 0.
    """
    tried = [_failures(side.traffic) for side in counts.arms]
    a, b = (error_rate(side.traffic) for side in counts.arms)
    if min(share.n for share in tried) < FEWEST_REQUESTS:
        return Guardrail("errors", a, b, limit)
    strata = [
        (_failed_units(stratum.control.traffic), _failed_units(stratum.challenger.traffic))
        for stratum in counts.strata
    ]
    rates = [(share.k + 0.5) / (share.n + 1) for share in tried]
    low = _low_of_phases(strata, [rate * (1 - rate) for rate in rates])
    return Guardrail("errors", a, b, limit, low=low, known=low is not None)


def _failed_units(traffic: ArmTraffic) -> Counted:
    tried = _failures(traffic)
    together = max(tried.n / traffic.units, 1.0) if traffic.units else 1.0
    return Counted(tried.k / together, tried.n / together)


def _failures(traffic: ArmTraffic) -> Share:
    return Share(traffic.errors, traffic.requests + traffic.errors)


def _by_unit(share: Share, units: int, level: float) -> tuple[float, float, float]:
    """A client that is broken fails at each request: as many as a unit has tell as much as one."""
    together = max(share.n / units, 1.0) if units else 1.0
    return share.value, *wilson(share.k / together, share.n / together, level)


def _brier(test: ABTest, limit: float, counts: PhaseCounts) -> Guardrail:
    """Of pairs the error is that of independent rows, which is no smaller."""
    if not is_ready(test, counts):
        return Guardrail("brier", None, None, limit)
    control, challenger = (counted.arm for counted in counts.arms)
    a, b = brier(control) or 0.0, brier(challenger) or 0.0
    is_shadow = test.kind == TestKind.SHADOW
    variance = sum(
        _variance(arm) * _together(counts.phase if is_shadow else arm, arm.labels)
        for arm in (control, challenger)
    )
    low = b - a - _reach(control.labels + challenger.labels) * math.sqrt(variance)
    return Guardrail("brier", a, b, limit, low=low, known=True)


def _brier_by_phase(test: ABTest, limit: float, counts: PhaseCounts) -> Guardrail:
    """Of a bandit within its phases."""
    if not is_ready(test, counts):
        return Guardrail("brier", None, None, limit)
    a, b = (brier(side.arm) for side in counts.arms)
    strata = [
        (
            Counted(stratum.control.arm.squares, stratum.control.arm.labels),
            Counted(stratum.challenger.arm.squares, stratum.challenger.arm.labels),
        )
        for stratum in counts.strata
    ]
    variances = [
        _variance(side.arm) * side.arm.labels * _together(side.arm, side.arm.labels)
        for side in counts.arms
    ]
    low = _low_of_phases(strata, variances, counts.phase.repeats)
    return Guardrail("brier", a, b, limit, low=low, known=low is not None)


def _low_of_phases(
    strata: Sequence[Stratum], row_variances: Sequence[float], repeats: float = 1.0
) -> float | None:
    """The lower end of B's mean less A's; None before a phase has something of both."""
    a, b = (max(variance, _LEAST) for variance in row_variances)
    found = stratified(strata, (a, b), repeats)
    if found is None:
        return None
    return found.difference - boundary(found.time, 2 * RISK, TUNED_FOR) * found.se


_LEAST = 1e-9
"""Of a variance: rounding may leave nothing of that of rows that are all alike."""


def _reach(rows: int) -> float:
    """Return the standard errors to the lower end."""
    return boundary(rows, 2 * RISK, TUNED_FOR)


def _level(rows: int) -> float:
    """Return the level of a two-sided interval that reaches as far."""
    return 1 - two_sided(_reach(rows))


def _variance(arm: ABArm) -> float:
    """Of the mean of independent rows; rounding must not make it negative."""
    mean = brier(arm) or 0.0
    return max(arm.fourths / arm.labels - mean**2, 0.0) / arm.labels


def _together(counted: ABArm | ABPhase, rows: int) -> float:
    """Return how many rows of its unit tell at least as much as one independent row: sum n^2 / sum n.

    F1 weighs rows by what they are. The mean rows of a unit are never more than that.
    """
    if rows <= counted.units or not counted.units:
        return 1.0
    weighed = counted.sum_nn / counted.sum_n if counted.sum_n > 0 else 0.0
    return max(weighed, rows / counted.units, 1.0)
