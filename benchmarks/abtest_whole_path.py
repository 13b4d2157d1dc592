"""The same simulated tests through the log, the labels and the counters of the database; runs inside of Django.

After every twenty requests the stored counters must say what the counters in memory say. It must not know
how a label is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import numpy as np
from django.utils import timezone

from benchmarks.abtest_simulation import EVERY, NOW, SURE, Drawn, World, draw, looks, planned
from endpoints.models import ABTest, Endpoint
from endpoints.services.abtests import analysis, looking, summary
from tests.endpoints.services.abtests import counted, trial

HORIZON = 200
TOLERANCE = 1e-9
OWN = ("phase", "started_at", "labels_per_day", "days_left", "p95_ms", "version")
"""What depends on the clock or on the numbers of the versions."""


class Differs(Exception):
    """The two ways do not say the same of a test."""


def compare(worlds: Sequence[World], *, repeats: int, seed: int) -> dict[str, int]:
    """Count the tests and looks that were compared; raises Differs with the first that does not agree."""
    endpoint = Endpoint.objects.get(slug="raisin")
    found = {"tests": 0, "looks": 0}
    for number, world in enumerate(worlds):
        for repeat in range(repeats):
            rng = np.random.default_rng([seed, number, repeat])
            found["looks"] += _compare_one(world, endpoint, rng)
            found["tests"] += 1
    return found


def _compare_one(world: World, endpoint: Endpoint, rng: np.random.Generator) -> int:
    salt = rng.bytes(16).hex()
    simulated = planned(world, salt, horizon=HORIZON)
    drawn = draw(world, simulated, rng)
    version = endpoint.versions.exclude(status="production").order_by("number").last()
    assert version is not None
    facts: dict[str, Any] = {
        "salt": salt,
        "horizon": HORIZON,
        "minimum_labels": 50,
        "title": world.name,
    }
    stored = trial.running_test(endpoint, version, kind=world.kind, **facts)
    ids: list[UUID] = []
    for place, counts in enumerate(looks(simulated, drawn)):
        start = place * EVERY
        ids += counted.log(stored, _asked(world, drawn, range(start, start + EVERY)))
        came = drawn.labelled_between(start, start + EVERY)
        counted.label([(ids[row], 0, int(drawn.truth[row])) for row in came])
        looking.intersect(simulated, counts)
        short = summary.as_dict(analysis.judge(simulated, counts, NOW))
        whole = summary.as_dict(analysis.analyse(stored, timezone.now()))
        _refuse_differences(f"{world.name}, look {place + 1}", short, whole)
    _end(stored)
    return place + 1


def _asked(world: World, drawn: Drawn, rows: range) -> list[counted.Asked]:
    asked = []
    for row in rows:
        truth, arm = int(drawn.truth[row]), int(drawn.arm[row])
        said = [_said(truth, bool(right[row])) for right in drawn.right]
        if world.kind == "split":
            asked.append(counted.Asked((said[arm],), arm=(counted.A, counted.B)[arm]))
        else:
            asked.append(counted.Asked((said[0],), shadow=(said[1],)))
    return asked


def _said(truth: int, is_right: bool) -> counted.Said:
    prediction = truth if is_right else 1 - truth
    return counted.Said(prediction, SURE if prediction else 1 - SURE)


def _end(test: ABTest) -> None:
    """One test of an endpoint runs at a time."""
    test.refresh_from_db()
    trial.stop(test)


def _refuse_differences(place: str, short: Any, whole: Any) -> None:
    if isinstance(short, dict):
        for name in short.keys() - OWN:
            _refuse_differences(f"{place}, {name}", short[name], whole[name])
    elif isinstance(short, list):
        if len(short) != len(whole):
            raise Differs(f"{place}: {short} and {whole}")
        for number, pair in enumerate(zip(short, whole, strict=True)):
            _refuse_differences(f"{place}, {number}", *pair)
    elif isinstance(short, float) and whole is not None:
        if abs(short - whole) > TOLERANCE:
            raise Differs(f"{place}: {short} and {whole}")
    elif short != whole:
        raise Differs(f"{place}: {short} and {whole}")
