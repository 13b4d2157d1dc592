"""The shares of a bandit phase by phase, how sure it is of its better arm, and which labels are still out.

It knows no request and moves no share.
"""

from __future__ import annotations

from dataclasses import dataclass

from dashboard import formats
from dashboard.presenters.abtest_plan import Card
from endpoints.models import ABPhase
from endpoints.models.abtest import TestKind
from endpoints.services.abtests.analysis import ABReport, ArmFigures
from mlcore.assignment import BUCKETS
from mlcore.posterior import Belief

SURE = 0.95
"""From this probability on the page says that most of the traffic goes to the better arm."""
SHOWN = 20


@dataclass(frozen=True)
class Share:
    """A phase as a row of the table; rates are left out while the test is hidden."""

    phase: ABPhase
    share: float
    labels: tuple[int, int]
    right: tuple[float | None, float | None]

    @property
    def b_best(self) -> float | None:
        return self.phase.b_best


@dataclass(frozen=True)
class Shares:
    """The newest phases first, and how many older ones are not shown."""

    rows: list[Share]
    older: int


def shares(report: ABReport) -> Shares | None:
    """Return the phases of a bandit; None for any other test, and before it is started."""
    if report.test.kind != TestKind.BANDIT or not report.phases:
        return None
    rows = [
        Share(
            phase=found.phase,
            share=found.phase.challenger_share / BUCKETS,
            labels=found.labels,
            right=_rates(found.right, found.labels),
        )
        for found in reversed(report.phases)
    ]
    return Shares(rows[:SHOWN], max(len(rows) - SHOWN, 0))


def _rates(
    right: tuple[int, int] | None, labels: tuple[int, int]
) -> tuple[float | None, float | None]:
    if right is None:
        return None, None
    a, b = (each / of if of else None for each, of in zip(right, labels, strict=True))
    return a, b


def best(belief: Belief) -> Card:
    """How likely each arm is the better one."""
    b, a = (formats.percent(p) for p in (belief.b_better, 1 - belief.b_better))
    return Card("P(best) of B", b, f"of A {a}; sets the shares")


def still_out(report: ABReport) -> Card:
    """The rows whose labels may still come; of some none ever does."""
    out = [_out(arm) for arm in (report.control, report.challenger)]
    return Card("Labels still out", formats.count(sum(out)), f"A {out[0]:,}, B {out[1]:,} rows")


def _out(arm: ArmFigures) -> int:
    return max(arm.rows - arm.labels, 0)


def serving(report: ABReport) -> str:
    """Where the traffic goes, in a sentence; nothing for other tests and while nothing is known."""
    found = report.statistics
    if report.test.kind != TestKind.BANDIT or report.is_hidden:
        return ""
    if found is None or found.belief is None:
        return ""
    to_b, b_best = report.challenger.planned_share, found.belief.b_better
    if b_best >= SURE and to_b > 0.5:
        return f"It serves mostly B: {_sure(to_b, 'B', b_best)}"
    if b_best <= 1 - SURE and to_b < 0.5:
        return f"It serves mostly A: {_sure(1 - to_b, 'A', 1 - b_best)}"
    shares = f"B gets {formats.percent(to_b)} of the units"
    return f"{shares}, and is the better one with probability {formats.percent(b_best)}."


def _sure(share: float, arm: str, probability: float) -> str:
    return (
        f"{formats.percent(share)} of the units go to {arm}, which is the better one with probability "
        f"{formats.percent(probability)}."
    )


def frozen(report: ABReport) -> str:
    """Say that the shares do not move, and where they stand; nothing for other tests."""
    if report.test.kind != TestKind.BANDIT:
        return ""
    to_b = formats.percent(report.challenger.planned_share)
    return f"The shares stay as they were last: {to_b} of the units go to B until somebody stops the test."
