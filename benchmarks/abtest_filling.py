"""Fills the demo's log with the requests of a split test, a quarter of them labelled; runs inside of Django.

Requests go through the tables and tallies of the log itself and labels through the services that receive
them, only in larger groups. It must not know what is measured afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.utils import timezone

from benchmarks.log_filling import (
    GROUP,
    LABELLED,
    SPAN,
    WRONG,
    Template,
    templates,
    vacuum,
)
from endpoints.models import ABArm, ABPhase, ABTest, Endpoint, PredictionRequest
from endpoints.models.abcount import ArmName
from endpoints.models.roll_up import MINUTES_ARE_KEPT, Span
from endpoints.services import bulk_feedback
from endpoints.services.access import Caller
from endpoints.services.arm_tallies import Tried
from endpoints.services.bulk_feedback import Item
from endpoints.services.log_tables import Counted, open_tables
from endpoints.services.tallies import Answered, Tallies
from mlcore.assignment import Split
from tests.endpoints.services.abtests import trial

UNITS = 200_000
"""Each asks some five times in a million requests."""
SYSTEM = Caller(system="benchmark")


def fill(total: int) -> None:
    """Write what is missing, all of it requests of a running test, and print which test that is."""
    patterns, now = templates(), timezone.now()
    missing = total - PredictionRequest.objects.count()
    test = running(now - SPAN)
    arms, split, step = trial.arms(test), Split(), SPAN / missing
    sides = [arms[name] for name in ArmName.values]
    names = sorted({pattern.entry.label for pattern in patterns})
    tables, tallies = open_tables(), Tallies()
    for start in range(0, missing, GROUP):
        answered = []
        for position in range(start, min(start + GROUP, missing)):
            unit = f"user-{position % UNITS}"
            arm = sides[split.arm(test.salt, unit) or 0]
            pattern = patterns[position % len(patterns)]
            answered.append(part_of(pattern, now - SPAN + step * position, arm, unit))
        changed = tallies.with_these(answered, ())
        lasting = {
            key: tally
            for key, tally in changed.items()
            if key.span is Span.HOUR or key.start >= now - MINUTES_ARE_KEPT
        }
        of_arms = tallies.arms.with_these([tried for item in answered for tried in item.tried])
        tables.write([item.entry for item in answered], Counted(tallies.writer, lasting, of_arms))
        tallies.keep(changed)
        tallies.arms.keep(of_arms)
        label(answered, names, now)
    tables.close()
    vacuum()
    print(json.dumps({"pk": str(test.pk)}))


def running(since: datetime) -> ABTest:
    """Return a test of the version in production against the newest other one."""
    endpoint = Endpoint.objects.get(slug="raisin")
    version = endpoint.versions.exclude(status="production").order_by("number").last()
    assert version is not None
    test = trial.running_test(endpoint, version, kind="split", horizon=1_000_000)
    ABTest.objects.filter(pk=test.pk).update(started_at=since)
    ABPhase.objects.filter(test=test).update(started_at=since)
    return test


def part_of(pattern: Template, moment: datetime, arm: ABArm, unit: str) -> Answered:
    """Return the same request as one that this arm answered."""
    answered = pattern.at(moment)
    entry = answered.entry._replace(version_id=arm.version_id, arm_id=arm.pk, unit=unit)
    tried = Tried(arm.pk, unit, entry.row_count, entry.latency_us)
    return answered._replace(entry=entry, number=arm.version.number, tried=(tried,))


def label(answered: Sequence[Answered], names: Sequence[str], now: datetime) -> None:
    """Give one request in so many its true label, which now and then is not what was predicted."""
    items = []
    for position, item in enumerate(answered[::LABELLED]):
        entry = item.entry
        is_right = position % (WRONG // LABELLED) != 0
        other = next(name for name in names if name != entry.label)
        items.append(Item(position, UUID(entry.id), 0, entry.label if is_right else other))
    told = bulk_feedback.record_many(items=items, faults=[], caller=SYSTEM, now=now)
    assert told.recorded == len(items), told.faults
