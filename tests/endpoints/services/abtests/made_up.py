"""Counters of tests that are stored nowhere, and what is made of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from endpoints.models import ABArm, ABPhase, ABTest, AlgorithmVersion
from endpoints.services.abtests import analysis
from endpoints.services.abtests.analysis import ABReport
from endpoints.services.abtests.counts import ArmCounts, ArmTraffic, PhaseCounts
from endpoints.services.abtests.guarding import Guardrail
from mlcore.mcnemar import Pairs
from tests import cast
from tests.endpoints.services.abtests.counted import (
    A,
    B,
)

NOW = cast.THEN + timedelta(days=2)
DAY = timedelta(days=1)
EVEN = ArmTraffic(requests=2_000, rows=2_000, units=2_000, latencies={"30": 2_000})


def a_test(**plan: Any) -> ABTest:
    """A running test of v1 and v2 that is stored nowhere."""
    facts = {"kind": "split", "horizon": 5_000, "state": "running", "started_at": cast.THEN}
    test = ABTest(title="t", **facts | plan)
    test.control, test.challenger = (AlgorithmVersion(number=number) for number in (1, 2))
    return test


def an_arm(phase: ABPhase, name: str, **counts: Any) -> ABArm:
    return ABArm(phase=phase, name=name, version=AlgorithmVersion(number=1 + (name == B)), **counts)


def split(
    a: dict[str, Any],
    b: dict[str, Any],
    traffic: tuple[ArmTraffic, ArmTraffic] = (EVEN, EVEN),
    **phase: Any,
) -> PhaseCounts:
    """Counters of independent rows, of each arm as given."""
    made = ABPhase(number=1, started_at=cast.THEN, **phase)
    arms = []
    for name, counts, seen in zip((A, B), (a, b), traffic, strict=True):
        alone = an_arm(made, name, **counts)
        x, n = alone.tn + alone.tp, alone.labels
        sums = {"units": n, "sum_x": x, "sum_n": n, "sum_xx": x, "sum_xn": x, "sum_nn": n}
        arm = an_arm(made, name, **sums | counts)
        arms.append(ArmCounts(arm, seen))
    return PhaseCounts(made, *arms)


def shadow(
    negatives: tuple[int, ...], positives: tuple[int, ...], agreed: int = 1_500, **phase: Any
) -> PhaseCounts:
    who = ("both", "only_a", "only_b", "neither")
    cells = {f"negatives_{name}": n for name, n in zip(who, negatives, strict=True)}
    cells |= {f"positives_{name}": n for name, n in zip(who, positives, strict=True)}
    made = ABPhase(number=1, started_at=cast.THEN, **{"units": sum(cells.values())} | cells | phase)
    n, p = Pairs(*negatives), Pairs(*positives)
    a = an_arm(
        made, A, tn=n.both + n.only_a, fp=n.only_b + n.neither,
        tp=p.both + p.only_a, fn=p.only_b + p.neither,
    )  # fmt: skip
    b = an_arm(
        made, B, tn=n.both + n.only_b, fp=n.only_a + n.neither,
        tp=p.both + p.only_b, fn=p.only_a + p.neither,
    )  # fmt: skip
    scored = replace(EVEN, units=0, agreed=agreed)
    return PhaseCounts(made, ArmCounts(a, EVEN), ArmCounts(b, scored))


REFERENCE = ({"tn": 840, "fp": 160}, {"tn": 871, "fp": 129})
BETTER = ({"tn": 400, "tp": 400, "fp": 200}, {"tn": 450, "tp": 450, "fp": 100})


def judge(counts: PhaseCounts, **plan: Any) -> ABReport:
    return analysis.judge(a_test(**plan), counts, NOW)


def guard(report: ABReport, code: str) -> Guardrail:
    return next(found for found in report.guardrails if found.code == code)
