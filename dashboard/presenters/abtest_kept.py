"""The kept summary of a stopped test beside a recount with the labels that came later; it counts nothing itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dashboard import formats
from dashboard.presenters import abtest_plan as planned
from dashboard.presenters.abtest_plan import Unit
from endpoints.models import ABTest
from endpoints.models.abtest import TestKind
from endpoints.services.abtests import summary
from endpoints.services.abtests.analysis import ABReport


@dataclass(frozen=True)
class Kept:
    """A figure as it stood when the test was stopped, and as the labels that came later have it."""

    name: str
    before: str
    now: str


def kept(report: ABReport) -> list[Kept]:
    """The kept summary beside a recount; nothing for a test that was stopped without one."""
    test = report.test
    if not test.summary:
        return []
    before, now = (_figures(test, found) for found in (test.summary, summary.as_dict(report)))
    return [Kept(name, value, now.get(name, "")) for name, value in before.items()]


def _figures(test: ABTest, found: Mapping[str, Any]) -> dict[str, str]:
    """The figures of a summary by what they are called; of hidden results there are none."""
    unit, result = Unit(test.metric), found["result"] or {}
    ends, belief = result.get(result.get("decides")), result.get("b_better")
    told = {
        "Labels of A": formats.count(found["control"]["labels"]),
        "Labels of B": formats.count(found["challenger"]["labels"]),
        f"{unit.title} of A": unit.value(found["control"]["value"]),
        f"{unit.title} of B": unit.value(found["challenger"]["value"]),
        "Difference, B less A": unit.difference(result.get("difference")),
        f"{planned.level(test)} interval": unit.span(ends and (ends["low"], ends["high"])),
        "P(B is better)": formats.percent(belief),
    }
    if test.kind != TestKind.SHADOW:
        told["p of the sample ratio"] = formats.p_value(found["checks"]["sample_ratio_p"])
    return told
