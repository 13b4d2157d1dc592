"""Simulated A/B tests, judged by the code that judges real ones, on counters in memory; runs inside of Django.

A test is looked at after every twenty requests. It must not know what share of wrong answers is allowed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from endpoints.models import ABArm, ABPhase, ABTest, AlgorithmVersion, Endpoint
from endpoints.models.abcount import ArmName
from endpoints.models.abtest import TestKind, TestState
from endpoints.services.abtests import analysis, looking
from endpoints.services.abtests.books import CELLS, OUTCOMES
from endpoints.services.abtests.counts import ArmCounts, ArmTraffic, PhaseCounts
from endpoints.services.abtests.plans import plan_of, split_of
from mlcore.abtest import verdict
from mlcore.proportions import Ends

EVERY = 20
"""Requests between two looks."""
SURE = 0.85
"""What a simulated version gives the class that it predicts; the Brier score is of it."""
PEEKING = 1.959964
STARTED = datetime(2026, 1, 5, tzinfo=UTC)
NOW = STARTED + timedelta(days=1)

Ints = NDArray[np.int64]
Kind = Literal["split", "shadow"]


@dataclass(frozen=True)
class World:
    """Two versions and the labels they get.

    `right`: how often both are right about a row, A alone, B alone. `labelled`: the share of labels that
    ever come, of A's rows and of B's; `delay`: after how many requests on average. In a shadow test a
    label is one of both, and the first of each pair holds.
    """

    name: str
    kind: Kind
    right: tuple[float, float, float]
    labelled: tuple[float, float] = (1.0, 1.0)
    delay: tuple[float, float] = (0.0, 0.0)

    @property
    def accuracies(self) -> tuple[float, float]:
        both, only_a, only_b = self.right
        return both + only_a, both + only_b

    def requests(self, horizon: int) -> int:
        """So many that the labels of both arms reach the horizon, but for chance."""
        share = 0.5 if self.kind == "split" else 1.0
        needed = horizon / (share * min(self.labelled)) + 5 * max(self.delay)
        return EVERY * math.ceil((needed + 6 * math.sqrt(needed)) / EVERY)


@dataclass(frozen=True)
class Drawn:
    """Requests of one test: the arm, the true class and whether either version is right, and when the
    label comes, counted in requests; infinite if never."""

    arm: Ints
    truth: Ints
    right: tuple[Ints, Ints]
    came: NDArray[np.float64]

    def labelled_between(self, start: int, end: int) -> Ints:
        """Return the requests whose labels come in that time, in the order in which they come."""
        found = np.flatnonzero((self.came > start) & (self.came <= end))
        return found[np.argsort(self.came[found], kind="stable")]


class Ending(NamedTuple):
    """What came out of a test.

    `banner` is the first one but "keep_running", with the labels of the smaller arm by then; `alone` is
    what the interval of all looks said first, whatever the checks say. `peeked`: a plain z test would have
    called a difference at one of the looks.
    """

    banner: str
    labels: int
    alone: str
    alone_labels: int
    peeked: bool


def draw(world: World, test: ABTest, rng: np.random.Generator) -> Drawn:
    """Draw the requests; each is a unit of its own, which the test's salt sends to its arm."""
    size = world.requests(test.horizon)
    arm = np.zeros(size, np.int64)
    if world.kind == "split":
        split = split_of(test, None)
        arm = np.array([split.arm(test.salt, f"{name:032x}") for name in range(size)])
    who = np.searchsorted(np.cumsum(world.right), rng.random(size), side="right")
    right = (np.isin(who, (0, 1)).astype(np.int64), np.isin(who, (0, 2)).astype(np.int64))
    comes = rng.random(size) < np.array(world.labelled)[arm]
    came = np.arange(1, size + 1) + np.array(world.delay)[arm] * rng.exponential(size=size)
    truth = rng.integers(0, 2, size)
    return Drawn(arm, truth, right, np.where(comes, came, np.inf))


def planned(world: World, salt: str, *, horizon: int) -> ABTest:
    """Return a running test with the plan that all simulated ones have; it is stored nowhere."""
    endpoint = Endpoint(pk=1, slug="simulated")
    control, challenger = (AlgorithmVersion(pk=n, number=n, endpoint=endpoint) for n in (1, 2))
    return ABTest(
        pk=1,
        endpoint=endpoint,
        title=world.name,
        kind=world.kind,
        state=TestState.RUNNING,
        control=control,
        challenger=challenger,
        salt=salt,
        minimum_labels=50,
        horizon=horizon,
        started_at=STARTED,
    )


def looks(test: ABTest, drawn: Drawn) -> Iterator[PhaseCounts]:
    """Yield the counters after every twenty requests, as labels and traffic would have left them."""
    phase = ABPhase(pk=1, test=test, number=1, started_at=STARTED)
    control, challenger = (
        ABArm(pk=n, phase=phase, name=name, version=version)
        for n, (name, version) in enumerate(
            zip(ArmName.values, (test.control, test.challenger), strict=True), 1
        )
    )
    is_split = test.kind == TestKind.SPLIT
    fill = _fill_split if is_split else _fill_shadow
    labelled, traffic = _labelled(drawn, is_split), _traffic(drawn, is_split)
    for cells, (of_a, of_b) in zip(labelled, traffic, strict=True):
        fill(phase, (control, challenger), cells)
        yield PhaseCounts(phase, ArmCounts(control, of_a), ArmCounts(challenger, of_b))


def run(test: ABTest, drawn: Drawn) -> Ending:
    """Look until the test is over, and go on after a doubt until the interval has said its word."""
    banner, labels, alone, alone_labels, peeked = "", 0, "", 0, False
    for counts in looks(test, drawn):
        looking.intersect(test, counts)
        report = analysis.judge(test, counts, NOW)
        if not banner and report.banner != "keep_running":
            banner, labels = report.banner, counts.labels
        said = None
        if counts.phase.low is not None and counts.phase.high is not None:
            ends = Ends(counts.phase.low, counts.phase.high)
            said = verdict(ends, plan_of(test, counts.phase))
        if not alone and said is not None:
            alone, alone_labels = said, counts.labels
        peeked = peeked or _peeks(test, counts)
        if report.ended:
            break
    return Ending(banner or "keep_running", labels, alone, alone_labels, peeked)


def _traffic(drawn: Drawn, is_split: bool) -> Iterator[tuple[ArmTraffic, ArmTraffic]]:
    """Traffic of both arms by look; units and requests of a shadow test are A's, what both say alike B's."""
    a, b = drawn.right
    cell = drawn.arm if is_split else (a == b).astype(np.int64)
    asked = np.arange(1, len(cell) + 1)
    for first, second in _counted(asked, cell, 2, len(cell)).tolist():
        if is_split:
            yield (
                ArmTraffic(requests=first, rows=first, units=first),
                ArmTraffic(requests=second, rows=second, units=second),
            )
        else:
            n = first + second
            of_b = ArmTraffic(requests=n, rows=n, units=0, agreed=second)
            yield ArmTraffic(requests=n, rows=n, units=n), of_b


def _labelled(drawn: Drawn, is_split: bool) -> Ints:
    """Labels so far by look: of a split test by arm and outcome, else by true class and who is right."""
    a, b = drawn.right
    if is_split:
        right = np.where(drawn.arm == 0, a, b)
        # An outcome's place among tn, fp, fn, tp.
        outcome = np.where(drawn.truth == 1, 2 + right, 1 - right)
        cell = 4 * drawn.arm + outcome
    else:
        cell = 4 * drawn.truth + 2 * (1 - a) + (1 - b)
    return _counted(drawn.came, cell, 8, len(drawn.arm))


def _counted(came: NDArray[np.generic], cell: Ints, cells: int, requests: int) -> Ints:
    """So many of each cell have come by each look."""
    look = np.ceil(came.astype(np.float64) / EVERY) - 1
    found = np.zeros((requests // EVERY, cells), np.int64)
    here = look < len(found)
    np.add.at(found, (look[here].astype(np.int64), cell[here]), 1)
    return np.cumsum(found, axis=0)


def _fill_split(phase: ABPhase, arms: tuple[ABArm, ABArm], cells: Ints) -> None:
    for arm, found in zip(arms, cells.reshape(2, 4).tolist(), strict=True):
        _fill_arm(arm, found)


def _fill_shadow(phase: ABPhase, arms: tuple[ABArm, ABArm], cells: Ints) -> None:
    for name, count in zip(CELLS, cells.tolist(), strict=True):
        setattr(phase, name, count)
    both, only_a, only_b, neither = cells.reshape(2, 4).T
    for arm, right in zip(arms, (both + only_a, both + only_b), strict=True):
        wrong = both + only_a + only_b + neither - right
        _fill_arm(arm, [int(right[0]), int(wrong[0]), int(wrong[1]), int(right[1])])
    pairs, apart = int(cells.sum()), int((only_a + only_b).sum())
    phase.units, phase.sum_n, phase.sum_nn = pairs, pairs, pairs
    phase.sum_x = phase.sum_xn = int((only_b - only_a).sum())
    phase.sum_xx = apart


def _fill_arm(arm: ABArm, found: list[int]) -> None:
    for name, count in zip(OUTCOMES, found, strict=True):
        setattr(arm, name, count)
    labels, right = arm.labels, arm.tn + arm.tp
    error, worse = (1 - SURE) ** 2, SURE**2
    arm.squares = right * error + (labels - right) * worse
    arm.fourths = right * error**2 + (labels - right) * worse**2
    arm.units, arm.sum_n, arm.sum_nn = labels, labels, labels
    arm.sum_x = arm.sum_xx = arm.sum_xn = right


def _peeks(test: ABTest, counts: PhaseCounts) -> bool:
    """Whether a test made for one look calls a difference: pooled z of two shares, of pairs McNemar's."""
    if counts.labels < test.minimum_labels:
        return False
    if test.kind == TestKind.SHADOW:
        found = counts.phase
        only_a = found.negatives_only_a + found.positives_only_a
        only_b = found.negatives_only_b + found.positives_only_b
        return abs(only_b - only_a) > PEEKING * math.sqrt(only_a + only_b)
    (n, k), (m, j) = ((each.arm.labels, each.arm.tn + each.arm.tp) for each in counts.arms)
    pooled = (k + j) / (n + m)
    return abs(j / m - k / n) > PEEKING * math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
