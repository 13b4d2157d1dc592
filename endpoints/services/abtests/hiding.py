"""What labels of a version must not tell elsewhere while its running test does not; it knows no windows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from endpoints.models import ABTest, AlgorithmVersion, Status
from endpoints.services.abtests import analysis
from endpoints.services.abtests.counts import FEWEST_UNITS


@dataclass(frozen=True)
class Hidden:
    """From when on nothing is told, and until when."""

    since: datetime
    note: str


def hidden(version: AlgorithmVersion, now: datetime) -> Hidden | None:
    """Return what is hidden of a challenger; None where no test of it runs, or it has labels enough."""
    if version.status != Status.AB_TESTING:
        return None
    test = ABTest.objects.running().filter(challenger=version).select_related("endpoint").first()
    if test is None or test.started_at is None:
        return None
    report = analysis.analyse(test, now)
    if not report.is_hidden:
        return None
    few = f"{test.minimum_labels:,} labels"
    if report.labels >= test.minimum_labels:
        few = f"{FEWEST_UNITS} labelled units"
    return Hidden(test.started_at, f"hidden while its test has fewer than {few} per arm")
