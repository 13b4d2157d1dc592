"""Bandits from their start to some thousand labels, through the services that steer real ones; seeded."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
import pytest

from endpoints.models import ABTest, Endpoint
from endpoints.services.abtests import analysis, ticking
from endpoints.services.abtests.analysis import ABReport
from tests.endpoints.services.abtests.planned import a_test, arm, asked, labelled
from tests.endpoints.services.decisions import NOON

pytestmark = pytest.mark.django_db
BATCH = 200


@dataclass
class Course:
    """What B was given in each batch, and how many rows were answered wrong for want of the better arm."""

    report: ABReport
    shares: list[float] = field(default_factory=list)
    regret: float = 0.0


def run(
    endpoint: Endpoint, rights: tuple[float, float], *, batches: int, seed: int, drift: float = 0.0
) -> Course:
    """Label batches of requests as the shares of the moment deal them, and let the clock look after each.

    Drift: how much less often both arms are right in the second half.
    """
    rng = np.random.default_rng(seed)
    test = a_test(endpoint, kind="bandit", horizon=2_000, brier_margin=None)
    shares, regret, known = [], 0.0, None
    for batch in range(batches):
        phase = test.phases.latest("number")
        if phase != known:
            known, sums, units = phase, np.zeros((2, 2), int), np.zeros(2, int)
        to_b = rng.binomial(BATCH, phase.challenger_share / 10_000)
        dealt = np.array([BATCH - to_b, to_b])
        lost = drift if batch >= batches / 2 else 0.0
        right = rng.binomial(dealt, np.array(rights) - lost)
        sums, units = sums + np.stack([right, dealt - right], axis=1), units + dealt
        _count(test, sums, units)
        ticking.tick(test, NOON + timedelta(minutes=batch))
        shares.append(to_b / BATCH)
        regret += float(dealt @ (max(rights) - np.array(rights)))
    return Course(analysis.analyse(test, NOON + timedelta(days=1)), shares, regret)


def _count(test: ABTest, sums: np.ndarray, units: np.ndarray) -> None:
    (a, b), (of_a, of_b) = sums.tolist(), units.tolist()
    labelled(test, a=tuple(a), b=tuple(b))
    for name in ("control", "challenger"):
        arm(test, name).traffic.all().delete()
    asked(test, a=of_a, b=of_b)


def test_the_better_arm_soon_has_most_of_the_traffic(raisin: Endpoint) -> None:
    course = run(raisin, (0.8, 0.9), batches=20, seed=7)
    assert np.mean(course.shares[5:]) >= 0.85
    assert course.shares[-1] == pytest.approx(0.95, abs=0.05)
    assert course.report.banner == "b_better"


def test_it_costs_less_than_a_split_of_equal_shares(raisin: Endpoint) -> None:
    course = run(raisin, (0.8, 0.9), batches=20, seed=8)
    assert course.regret < 0.4 * 20 * BATCH * 0.5 * 0.1


def test_a_worse_challenger_soon_has_little(raisin: Endpoint) -> None:
    course = run(raisin, (0.9, 0.8), batches=20, seed=9)
    assert np.mean(course.shares[5:]) <= 0.15
    assert course.report.banner == "a_better"


def test_equal_arms_stay_between_the_floors_and_nothing_is_decided(raisin: Endpoint) -> None:
    course = run(raisin, (0.85, 0.85), batches=30, seed=10)
    planned = [figures.phase.challenger_share for figures in course.report.phases]
    assert min(planned) >= 500
    assert max(planned) <= 9_500
    assert 0.2 < np.mean(course.shares) < 0.8
    assert course.report.banner == "inconclusive"


def test_a_world_that_gets_harder_does_not_make_the_better_arm_look_worse(raisin: Endpoint) -> None:
    course = run(raisin, (0.8, 0.9), batches=20, seed=11, drift=0.3)
    found = course.report.statistics
    assert found is not None
    assert found.difference == pytest.approx(0.1, abs=0.06)
    assert course.shares[-1] == pytest.approx(0.95, abs=0.05)
    right = np.sum([figures.right for figures in course.report.phases], axis=0)
    pooled = right / np.sum([figures.labels for figures in course.report.phases], axis=0)
    assert pooled[1] - pooled[0] < 0.05
