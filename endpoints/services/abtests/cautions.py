"""Says in plain sentences what the numbers of a test do not allow for; it decides nothing."""

from __future__ import annotations

from endpoints.models import ABArm, ABTest
from endpoints.models.abtest import TestKind, TestMetric
from endpoints.services.abtests.counts import (
    FEWEST_UNITS,
    PhaseCounts,
    is_ready,
    labelled_units,
    units_repeat,
)
from mlcore.abtest import ABTestReport

NOT_COMPUTED = (
    "The result cannot be computed from these counts and this plan; the server's log says why."
)


def cautions(test: ABTest, counts: PhaseCounts, found: ABTestReport | None) -> tuple[str, ...]:
    """Found: None where nothing can be computed, or nothing is there yet."""
    said = []
    if found is None and is_ready(test, counts):
        said.append(NOT_COMPUTED)
    repeat = units_repeat(test, counts)
    units = labelled_units(test, counts)
    if repeat and counts.labels >= test.minimum_labels and units < FEWEST_UNITS:
        said.append(
            f"The labels come from {units} units of an arm only. Rows of one unit resemble one another, so "
            f"nothing is decided before {FEWEST_UNITS}."
        )
    if repeat and test.kind == TestKind.SHADOW and test.metric == TestMetric.F1:
        said.append(
            "Some units have several labels. In a shadow test F1 takes the rows of a unit for one, so its "
            "interval may be wider than it need be."
        )
    if counts.labels >= test.minimum_labels and any(
        _one_class(counted.arm) for counted in counts.arms
    ):
        said.append(
            "Of one arm only rows that were predicted as one class have labels. If labels come for these "
            "alone, the metric is not that of all rows."
        )
    return tuple(said)


def _one_class(arm: ABArm) -> bool:
    """Three and more classes have no positive one: they are not looked at."""
    if arm.fn + arm.tp == 0:
        return False
    return arm.fp + arm.tp == 0 or arm.tn + arm.fn == 0
