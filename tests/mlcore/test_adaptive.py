"""What may be concluded from a test whose shares follow its labels."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mlcore.abtest import Look, Plan, analyse_split
from mlcore.adaptive import Bandit, Phase, analyse_bandit
from mlcore.assignment import Split
from mlcore.errors import DataError
from mlcore.outcomes import ArmCounters, Goal
from mlcore.posterior import belief, posterior
from mlcore.sequential import AlwaysValid

PLAN = Plan(5_000, kind="bandit", minimum_labels=100)


def arm(correct: int, labels: int, requests: int | None = None) -> ArmCounters:
    rows = labels if requests is None else requests
    return ArmCounters(rows, rows, labels, correct)


def both(*phases: Phase, repeats: float = 1.0) -> Bandit:
    """Return a bandit of these phases."""
    total = []
    for arms in zip(*((phase.control, phase.challenger) for phase in phases), strict=True):
        sums = (
            sum(getattr(one, name) for one in arms) for name in ("correct", "labels", "requests")
        )
        total.append(arm(*sums))
    return Bandit(phases, total[0], total[1], repeats)


EVEN = Phase(arm(420, 500), arm(440, 500), Split())
MOSTLY_B = Phase(arm(42, 50), arm(836, 950), Split((500, 9_500)))


def test_it_works() -> None:
    found = analyse_bandit(both(EVEN), PLAN)
    assert found.difference == pytest.approx(0.04)
    assert found.belief == belief(posterior(420, 500), posterior(440, 500))
    assert (found.fixed, found.p_value) == (None, None)
    assert found.decision == "keep_running"


def test_one_phase_has_the_interval_of_a_split_test() -> None:
    found, split = analyse_bandit(both(EVEN), PLAN), analyse_split(EVEN[0], EVEN[1], PLAN)
    assert found.always_valid == pytest.approx(split.always_valid)
    assert found.sample_ratio_p == split.sample_ratio_p


def test_more_phases_tell_more() -> None:
    one, two = (analyse_bandit(both(*phases), PLAN) for phases in ((EVEN,), (EVEN, MOSTLY_B)))
    assert (two.se or 1) < (one.se or 0)
    assert two.difference == pytest.approx(0.04)


def test_it_is_decided_once_the_interval_lies_on_one_side() -> None:
    better = Phase(arm(400, 500), arm(460, 500), Split())
    assert analyse_bandit(both(better), PLAN).decision == "b_better"
    assert analyse_bandit(both(Phase(*better[1::-1], Split())), PLAN).decision == "a_better"
    assert analyse_bandit(both(EVEN), replace(PLAN, horizon=500)).decision == "inconclusive"


def test_the_interval_is_the_common_part_of_all_looks() -> None:
    before = AlwaysValid(0.01, 0.05, 0.03)
    found = analyse_bandit(both(EVEN), PLAN, Look(before=before)).always_valid
    assert found == before
    apart = analyse_bandit(both(EVEN), PLAN, Look(before=AlwaysValid(0.3, 0.4, 0.01)))
    assert (apart.doubts, apart.decision) == (("drifted",), "do_not_trust")


def test_each_phase_is_held_against_its_own_shares() -> None:
    assert analyse_bandit(both(EVEN, MOSTLY_B), PLAN).doubts == ()
    stuck = Phase(arm(420, 500), arm(440, 500), Split((500, 9_500)))
    assert analyse_bandit(both(EVEN, stuck), PLAN).doubts == ("sample_ratio",)


def test_the_more_phases_the_less_a_chance_finding_in_one_counts() -> None:
    odd = Phase(arm(480, 550), arm(396, 450), Split())
    first = analyse_bandit(both(odd, EVEN), PLAN).sample_ratio_p
    last = analyse_bandit(both(*[EVEN] * 9, odd), PLAN).sample_ratio_p
    assert first is not None
    assert last is not None
    assert first < last


def test_labels_that_are_still_out_are_compared_within_a_phase() -> None:
    """The newest phase, mostly B's, has few labels yet: no reason to doubt the test."""
    old = Phase(arm(420, 500, 600), arm(440, 500, 600), Split())
    new = Phase(arm(4, 5, 50), arm(85, 95, 950), Split((500, 9_500)))
    assert analyse_bandit(both(old, new), PLAN).doubts == ()
    lost = Phase(arm(400, 450, 500), arm(85, 95, 500), Split())
    assert analyse_bandit(both(lost), PLAN).doubts == ("coverage",)


def test_before_both_arms_have_labels_there_is_nothing_to_say() -> None:
    found = analyse_bandit(both(Phase(arm(3, 4), arm(0, 0), Split())), PLAN)
    assert (found.difference, found.belief, found.always_valid) == (None, None, None)
    assert found.control.labels == 4


def test_it_refuses_other_metrics_and_a_look_at_the_end() -> None:
    for plan in (replace(PLAN, goal=Goal("f1")), replace(PLAN, looks="at_horizon")):
        with pytest.raises(DataError, match="compares accuracies"):
            analyse_bandit(both(EVEN), plan)
