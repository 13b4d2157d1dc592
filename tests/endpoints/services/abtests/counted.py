"""Requests of A/B tests with answers as a test wants them, their labels, and a recount from the log."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson
import pytest

from endpoints import request_ids
from endpoints.models import ABArm, ABPhase, ABTest, Feedback, PredictionRequest
from endpoints.models.abcount import ArmName
from endpoints.models.prediction import Source
from endpoints.services import bulk_feedback, request_log
from endpoints.services.abtests.plans import goal_of
from endpoints.services.arm_tallies import Tried
from endpoints.services.bulk_feedback import Item
from endpoints.services.tallies import Answered, Entry
from mlcore.clustered import UnitSums, unit_sums
from mlcore.outcomes import Goal
from tests import cast
from tests.endpoints.services.abtests import trial

NAMES = ("Kecimen", "Besni")
A, B = ArmName.CONTROL.value, ArmName.CHALLENGER.value


class Said(NamedTuple):
    """What a version answers to one row: a class number and the probability, or one for each of three."""

    prediction: int
    probability: Any = 0.75


@dataclass(frozen=True)
class Asked:
    """A request: which arm it was, what was answered row by row, what the challenger of a shadow test says."""

    rows: tuple[Said, ...]
    arm: str = A
    shadow: tuple[Said, ...] = ()
    unit: str = ""
    at: datetime = cast.THEN
    latency_us: int = 100


def log(test: ABTest, asked: Sequence[Asked], *, phase: ABPhase | None = None) -> list[UUID]:
    """Log the requests under the newest phase, or a given one, and return their ids in this order."""
    arms = {arm.name: arm for arm in phase.arms.all()} if phase else trial.arms(test)
    answered = [_answered(test, arms, one) for one in asked]
    request_log.log().write_all(answered)
    return [UUID(item.entry.id) for item in answered]


def _answered(test: ABTest, arms: dict[str, ABArm], asked: Asked) -> Answered:
    arm, n_rows = arms[asked.arm], len(asked.rows)
    shadow: dict[str, Any] = {}
    tried = [Tried(arm.pk, asked.unit, n_rows, asked.latency_us)]
    if asked.shadow:
        shadow = {"version": 2, "predictions": [], "probabilities": []}
        for said in asked.shadow:
            shadow["predictions"].append(said.prediction)
            shadow["probabilities"].append(said.probability)
        agreed = sum(
            a.prediction == b.prediction for a, b in zip(asked.rows, asked.shadow, strict=True)
        )
        tried.append(Tried(arms[B].pk, None, n_rows, asked.latency_us, agreed))
    predictions = [said.prediction for said in asked.rows]
    entry = Entry(
        id=request_ids.new(asked.at).hex,
        endpoint_id=test.endpoint_id,
        version_id=arm.version_id,
        created_at=asked.at,
        source=Source.API,
        protocol="native",
        caller="",
        correlation_id="",
        traceparent="",
        row_count=n_rows,
        inputs="[]",
        imputed="[]",
        probabilities=orjson.dumps([said.probability for said in asked.rows]).decode(),
        predictions=orjson.dumps(predictions).decode(),
        threshold=0.5,
        latency_us=asked.latency_us,
        probability=None,
        label="",
        arm_id=arm.pk,
        unit=asked.unit,
        shadow=orjson.dumps(shadow).decode(),
    )
    return Answered(entry, arm.version.number, sum(predictions), {}, tuple(tried))


def label(
    labels: Sequence[tuple[UUID, int, int]],
    *,
    names: Sequence[str] = NAMES,
    now: datetime = cast.THEN,
) -> None:
    """Give each (request, row) the class of this number, as one list."""
    items = [
        Item(number, request_id, row, names[truth])
        for number, (request_id, row, truth) in enumerate(labels)
    ]
    report = bulk_feedback.record_many(items=items, faults=[], caller=cast.SYSTEM, now=now)
    assert report.matched == len(items), report.faults


def answer_and_label(
    test: ABTest, arm: str, outcomes: dict[str, int], *, now: datetime = cast.THEN
) -> None:
    """Log and label requests of one row of an arm, so many of each outcome."""
    cells = {"tn": (0, 0), "fp": (1, 0), "fn": (0, 1), "tp": (1, 1)}
    pairs = [cells[name] for name, count in outcomes.items() for _ in range(count)]
    asked = [Asked((Said(guess, 0.8 if guess else 0.2),), arm=arm, at=now) for guess, _ in pairs]
    ids = log(test, asked)
    label([(pk, 0, truth) for pk, (_, truth) in zip(ids, pairs, strict=True)], now=now)


def pair_and_label(test: ABTest, cells: dict[str, int], *, now: datetime = cast.THEN) -> None:
    """Log and label pairs of a shadow test, so many of each cell; the true class is positive."""
    who = {"both": (1, 1), "only_a": (1, 0), "only_b": (0, 1), "neither": (0, 0)}
    pairs = [who[name] for name, count in cells.items() for _ in range(count)]
    asked = [Asked((Said(a),), shadow=(Said(b),), at=now) for a, b in pairs]
    label([(pk, 0, 1) for pk in log(test, asked)], now=now)


OUTCOMES = {(0, 0): "tn", (1, 0): "fp", (0, 1): "fn", (1, 1): "tp"}


@dataclass
class Sums:
    """What an arm, or the pairs of a phase, should count."""

    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    squares: list[float] = field(default_factory=list)
    units: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))

    def unit_sums(self) -> UnitSums:
        totals = [tuple(map(sum, zip(*worths, strict=True))) for worths in self.units.values()]
        return unit_sums([x for x, _ in totals], [n for _, n in totals])


def check(test: ABTest, names: Sequence[str] = NAMES) -> None:
    """Assert that all counters of the test are what its log and the current labels give."""
    test.refresh_from_db()
    for phase in test.phases.all():
        arms, pairs = _recount(test, phase, names)
        for arm in phase.arms.all():
            found = {name: getattr(arm, name) for name in OUTCOMES.values()}
            expected = arms[arm.name]
            assert found == {name: expected.counts[name] for name in OUTCOMES.values()}, arm
            assert arm.squares == pytest.approx(sum(expected.squares), abs=1e-9)
            assert arm.fourths == pytest.approx(sum(s * s for s in expected.squares), abs=1e-9)
            if test.kind == "split":
                _check_units(arm, expected)
        for cell in (name for name in vars(phase) if name.startswith(("negatives", "positives"))):
            assert getattr(phase, cell) == pairs.counts[cell], cell
        if test.kind == "shadow":
            _check_units(phase, pairs)


def _check_units(counted: ABArm | ABPhase, expected: Sums) -> None:
    found = (counted.units, counted.sum_x, counted.sum_n)
    found += (counted.sum_xx, counted.sum_xn, counted.sum_nn)
    sums = expected.unit_sums() if expected.units else UnitSums(0, 0, 0, 0, 0, 0)
    assert found == (sums.units, sums.x, sums.n, sums.xx, sums.xn, sums.nn)


def _recount(test: ABTest, phase: ABPhase, names: Sequence[str]) -> tuple[dict[str, Sums], Sums]:
    arms, pairs, goal = defaultdict(Sums), Sums(), goal_of(test)
    log = PredictionRequest.objects.filter(arm__in=phase.arms.values_list("pk", flat=True))
    for request in log.select_related("arm"):
        for row, name in _labels(test, request):
            truth = names.index(name)
            unit = request.unit or f"{request.pk}"
            sides = [(request.arm.name, request.predictions[row], request.probabilities[row])]
            if test.kind == "shadow":
                if not request.shadow:
                    continue
                said = request.shadow
                sides.append((B, said["predictions"][row], said["probabilities"][row]))
                _pair(pairs, goal, unit, truth, [side[1:] for side in sides])
            for arm, guess, probability in sides:
                _row(arms[arm], goal, unit, truth, (guess, probability))
    return arms, pairs


def _labels(test: ABTest, request: PredictionRequest) -> list[tuple[int, str]]:
    until = test.counted_until or test.started_at
    if test.maturation_hours and not request.created_at < until:
        return []
    return list(Feedback.objects.filter(request=request, current=True).values_list("row", "label"))


def _row(sums: Sums, goal: Goal, unit: str, truth: int, said: tuple[int, Any]) -> None:
    outcome, probability = _outcome(said, truth), said[1]
    if isinstance(probability, list):
        square = sum((p - (k == truth)) ** 2 for k, p in enumerate(probability))
    else:
        square = (probability - truth) ** 2
    sums.counts[outcome] += 1
    sums.squares.append(square)
    sums.units[unit].append(goal.worth(outcome))


def _outcome(said: tuple[int, Any], truth: int) -> str:
    if isinstance(said[1], list):
        return "tn" if said[0] == truth else "fp"
    return OUTCOMES[said[0], truth]


def _pair(sums: Sums, goal: Goal, unit: str, truth: int, said: list[tuple[int, Any]]) -> None:
    a, b = (guess == truth for guess, _ in said)
    is_binary = not isinstance(said[0][1], list)
    side = "positives" if truth == 1 and is_binary else "negatives"
    who = {(True, True): "both", (True, False): "only_a", (False, True): "only_b"}
    sums.counts[f"{side}_{who.get((a, b), 'neither')}"] += 1
    x = 0.0
    if goal.metric != "f1":
        worths = [goal.worth(_outcome(one, truth))[0] for one in said]
        x = worths[1] - worths[0]
    sums.units[unit].append((x, 1.0))
