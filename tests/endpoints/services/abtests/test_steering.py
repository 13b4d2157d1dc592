"""A bandit gives its better arm more and more of the units, in batches, and keeps a floor for the other."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from endpoints.errors import InvalidRequest
from endpoints.models import ABArm, ABPhase, ABTest, ABTraffic, Endpoint, Event
from endpoints.services.abtests import analysis, bandit_counts, starting, steering, ticking
from endpoints.services.abtests.counts import PhaseCounts
from endpoints.services.gates import people
from endpoints.services.gates.case import Case
from mlcore.posterior import posterior, probability_greater
from tests.endpoints.services.abtests.planned import (
    ALEX,
    REASON,
    a_draft,
    a_test,
    arm,
    asked,
    challenger,
    labelled,
)
from tests.endpoints.services.decisions import NOON

pytestmark = pytest.mark.django_db
LATER = NOON + timedelta(hours=5)
CLEAR = {"a": (420, 80), "b": (440, 60)}
"""P(B is best) is 0.9655."""


def a_bandit(endpoint: Endpoint, **plan: Any) -> ABTest:
    return a_test(endpoint, **{"kind": "bandit", "brier_margin": None} | plan)


def counted(test: ABTest) -> PhaseCounts:
    found = bandit_counts.read(test, test.phases.latest("number"))
    assert found is not None
    return found


def shares(test: ABTest) -> list[int]:
    return list(test.phases.order_by("number").values_list("challenger_share", flat=True))


def test_it_works(raisin: Endpoint) -> None:
    """The reference, of 10,000 draws of normal posteriors with a floor of 1 %, is 0.044398 and 0.955602."""
    test = a_bandit(raisin, floor=100)
    labelled(test, **CLEAR)
    phase = steering.steer(test, LATER)
    assert phase is not None
    assert (phase.number, phase.started_at, phase.weighed) == (2, LATER, 1_000)
    assert phase.challenger_share == pytest.approx(9_556, abs=50)
    expected = probability_greater(posterior(440, 500), posterior(420, 500))
    assert phase.b_best == pytest.approx(expected)
    assert test.phases.get(number=1).ended_at == LATER
    assert set(phase.arms.values_list("name", "version__number")) == {
        ("control", 1),
        ("challenger", 2),
    }


def test_the_event_says_from_what_counts(raisin: Endpoint) -> None:
    test = a_bandit(raisin, floor=100)
    labelled(test, **CLEAR)
    ticking.tick(test, LATER)
    event = Event.objects.get(verb="change_share")
    assert (event.actor_name, event.at) == ("bandit", LATER)
    assert event.before == {"challenger_share": 5_000, "phase": 1}
    assert event.after["control"] == {"labels": 500, "right": 420}
    assert event.after["challenger"] == {"labels": 500, "right": 440}
    assert event.after["challenger_share"] == shares(test)[-1]
    assert event.reason == (
        "v2 is the better one with probability 0.966 by 1 phase: v2 right in 440 of 500, "
        "v1 right in 420 of 500 labelled rows."
    )


@pytest.mark.parametrize("counts", [{"a": (90, 9), "b": (200, 1)}, {"a": (0, 0), "b": (900, 100)}])
def test_it_waits_for_the_minimum_of_labels_of_each_arm(
    raisin: Endpoint, counts: dict[str, Any]
) -> None:
    test = a_bandit(raisin)
    labelled(test, **counts)
    assert steering.steer(test, LATER) is None
    assert shares(test) == [5_000]


def test_it_thinks_again_when_a_batch_of_labels_has_come(raisin: Endpoint) -> None:
    test = a_bandit(raisin)
    labelled(test, **CLEAR)
    steering.steer(test, LATER)
    labelled(test, a=(5, 5), b=(80, 9))
    assert steering.steer(test, LATER) is None
    labelled(test, a=(5, 5), b=(20, 70))
    assert steering.steer(test, LATER) is not None
    assert shares(test)[2] < shares(test)[1]


def test_batches_grow_with_what_is_known(raisin: Endpoint) -> None:
    test = a_bandit(raisin)
    labelled(test, a=(8_400, 1_600), b=(8_450, 1_550))
    test.phases.update(weighed=18_500)
    assert not steering.is_due(test, counted(test))
    test.phases.update(weighed=18_100)
    assert steering.is_due(test, counted(test))


def test_a_small_change_begins_no_phase(raisin: Endpoint) -> None:
    test = a_bandit(raisin)
    labelled(test, a=(400, 100), b=(400, 100))
    assert steering.steer(test, LATER) is None
    assert (shares(test), test.phases.get().weighed) == ([5_000], 1_000)
    assert not Event.objects.filter(verb="change_share").exists()


def test_no_arm_falls_below_the_floor(raisin: Endpoint) -> None:
    test = a_bandit(raisin, floor=500)
    labelled(test, a=(50, 950), b=(950, 50))
    steering.steer(test, LATER)
    assert shares(test)[-1] == 9_500


def test_arms_that_err_alike_in_each_phase_get_alike_whatever_the_weeks_were_like(
    raisin: Endpoint,
) -> None:
    """Pooled, B is right in 52 % and A in 86 %: B had most of the traffic in the bad week."""
    test = a_bandit(raisin)
    labelled(test, a=(900, 100), b=(90, 10))
    first = test.phases.get()
    starting.next_phase(test, first, 9_000, LATER)
    labelled(test, a=(50, 50), b=(500, 500))
    weighed = steering.weigh(test, counted(test))
    assert weighed is not None
    assert weighed.share == pytest.approx(5_000, abs=100)
    assert weighed.b_best == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("wrong", [{"units": 900}, {"errors": 200}])
def test_it_keeps_its_shares_while_something_is_wrong(
    raisin: Endpoint, wrong: dict[str, int]
) -> None:
    """A sample ratio that cannot be, or failed requests of B."""
    test = a_bandit(raisin)
    labelled(test, **CLEAR)
    asked(test, a=600, b=wrong.get("units", 600), errors=wrong.get("errors", 0))
    assert steering.steer(test, LATER) is None
    assert analysis.analyse(test, LATER).banner in ("do_not_trust", "guardrail")
    assert shares(test) == [5_000]


def test_failures_in_a_bad_hour_do_not_count_against_who_was_asked_most(raisin: Endpoint) -> None:
    test = a_bandit(raisin)
    asked(test, a=1_000, b=1_000)
    starting.next_phase(test, test.phases.get(), 9_500, LATER)
    for name, units, errors in (("control", 50, 25), ("challenger", 950, 475)):
        ABTraffic.objects.create(
            arm=arm(test, name), writer="w", requests=units - errors, rows=units, units=units,
            errors=errors, agreed=0, latencies={},
        )  # fmt: skip
    assert analysis.analyse(test, LATER).banner == "keep_running"


def test_only_labels_of_requests_that_are_old_enough_count(raisin: Endpoint) -> None:
    """What is too young is in no counter, so that no share can follow it."""
    test = a_bandit(raisin, maturation_hours=24)
    asked(test, a=600, b=600)
    assert steering.steer(test, LATER) is None
    assert counted(test).labels == 0


def test_a_split_test_is_left_alone(raisin: Endpoint) -> None:
    test = a_test(raisin, kind="split")
    labelled(test, **CLEAR)
    assert steering.steer(test, LATER) is None
    assert shares(test) == [5_000]


def test_of_two_clocks_one_begins_the_phase(raisin: Endpoint) -> None:
    test = a_bandit(raisin)
    labelled(test, **CLEAR)
    seen = counted(test)
    weighed = steering.weigh(test, seen)
    assert weighed is not None
    assert steering._move(test, seen, weighed, LATER) is not None
    assert steering._move(test, seen, weighed, LATER) is None
    assert len(shares(test)) == 2


def test_a_test_that_was_stopped_meanwhile_gets_no_phase(raisin: Endpoint) -> None:
    test = a_bandit(raisin)
    labelled(test, **CLEAR)
    seen = counted(test)
    weighed = steering.weigh(test, seen)
    assert weighed is not None
    ABPhase.objects.update(ended_at=LATER)
    assert steering._move(test, seen, weighed, LATER) is None
    assert len(shares(test)) == 1


def test_the_next_phase_knows_what_all_looks_said(raisin: Endpoint) -> None:
    test = a_bandit(raisin)
    labelled(test, **CLEAR)
    test.phases.update(low=-0.01, high=0.09, p_value=0.2)
    phase = steering.steer(test, LATER)
    assert phase is not None
    assert (phase.low, phase.high, phase.p_value) == (-0.01, 0.09, 0.2)


def test_nobody_sets_its_shares_by_hand(raisin: Endpoint) -> None:
    test = a_bandit(raisin)
    with pytest.raises(InvalidRequest, match="chooses its shares itself"):
        starting.change_share(test, 2_000, reason=REASON, actor=ALEX, now=LATER)


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (
            {"metric": "f1"},
            "metric: A bandit goes by how often its arms are right: choose accuracy",
        ),
        ({"metric": "expected_cost"}, "choose accuracy"),
        ({"looks": "at_horizon"}, "looks: A bandit acts on each look"),
        ({"floor": 99}, "floor: "),
        ({"floor": 4_901}, "floor: "),
        ({"share": 400}, "challenger_share: Each arm keeps 500 basis points at least"),
        ({"share": 9_600}, "give 500 to 9,500"),
    ],
)
def test_it_refuses_a_plan_that_makes_no_bandit(
    raisin: Endpoint, plan: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidRequest, match=said):
        a_draft(raisin, kind="bandit", **plan)


def test_units_that_come_again_in_later_phases_count_for_less(raisin: Endpoint) -> None:
    test = a_bandit(raisin)
    labelled(test, **CLEAR)
    starting.next_phase(test, test.phases.get(), 5_000, LATER)
    labelled(test, **CLEAR)
    once = analysis.analyse(test, LATER).statistics
    for each in ABArm.objects.all():
        each.labelled_units.bulk_create(
            each.labelled_units.model(arm=each, unit=f"u{n}", x=1, n=1, rows=1) for n in range(500)
        )
    found = counted(test)
    found.phase.repeats = steering._repeats(test, found)
    assert found.phase.repeats == 2.0
    again = analysis.judge(test, found, LATER).statistics
    assert once is not None
    assert again is not None
    assert (again.se or 0) == pytest.approx(2**0.5 * (once.se or 0))


def test_a_promotion_is_held_against_the_bandit_as_a_whole(raisin: Endpoint) -> None:
    """Its phases alone have too few labels to say anything."""
    test = a_bandit(raisin)
    labelled(test, a=(400, 100), b=(480, 20))
    steering.steer(test, LATER)
    labelled(test, a=(3, 2), b=(80, 15))
    [report] = analysis.by_phase(test, LATER)
    assert report.banner == "b_better"
    assert len(report.phases) == 2
    gate = people.tested_live(Case(challenger(raisin), ALEX, LATER))
    assert gate.verdict == "pass"
