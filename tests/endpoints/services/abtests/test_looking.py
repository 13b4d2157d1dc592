"""Looks at a test: what they say together is kept, and never what too few labels say."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from endpoints.models import ABLook, ABPhase, ABTest, Endpoint
from endpoints.services.abtests import analysis
from mlcore.abtest import Look, Plan, analyse_split
from mlcore.outcomes import ArmCounters
from mlcore.sequential import AlwaysValid
from tests import cast
from tests.endpoints.services.abtests import trial
from tests.endpoints.services.abtests.counted import (
    A,
    Asked,
    B,
    Said,
    answer_and_label,
    label,
    log,
    pair_and_label,
)

pytestmark = pytest.mark.django_db
LATER = cast.THEN + timedelta(hours=1)


@pytest.fixture
def test(raisin: Endpoint) -> ABTest:
    challenger = raisin.versions.get(number=2)
    return trial.running_test(raisin, challenger, kind="split", minimum_labels=50)


def seen(test: ABTest) -> tuple[float | None, float | None, float | None]:
    phase = ABPhase.objects.get(test=test)
    return phase.low, phase.high, phase.p_value


def expected(labels: int, correct: tuple[int, int], before: AlwaysValid | None) -> AlwaysValid:
    a, b = (ArmCounters(labels, labels, labels, right) for right in correct)
    plan = Plan(horizon=1_000, minimum_labels=50)
    found = analyse_split(a, b, plan, Look(before=before)).always_valid
    assert found is not None
    return found


def test_it_works(test: ABTest) -> None:
    answer_and_label(test, A, {"tp": 40, "fp": 20})
    answer_and_label(test, B, {"tp": 50, "fp": 10}, now=LATER)
    first = expected(60, (40, 50), None)
    assert seen(test) == tuple(first)
    [kept] = ABLook.objects.all()
    assert (kept.low, kept.high, kept.p_value) == tuple(first)
    assert (kept.labels, kept.difference, kept.at) == (60, 50 / 60 - 40 / 60, LATER)


def test_a_look_that_cannot_be_computed_holds_up_no_label(
    raisin: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    costs = {"metric": "expected_cost", "cost_fp": 1e200, "cost_fn": 1e200}
    challenger = raisin.versions.get(number=2)
    test = trial.running_test(raisin, challenger, kind="split", minimum_labels=50, **costs)
    for arm in (A, B):
        answer_and_label(test, arm, {"tp": 40, "fp": 20})
    assert [arm.labels for arm in trial.arms(test).values()] == [60, 60]
    assert seen(test) == (None, None, None)
    assert not ABLook.objects.exists()
    told = [record for record in caplog.records if "cannot be computed" in record.message]
    assert told
    assert all(record.exc_info for record in told)


def test_no_look_is_taken_before_the_minimum(test: ABTest) -> None:
    answer_and_label(test, A, {"tp": 100})
    answer_and_label(test, B, {"fp": 49})
    assert seen(test) == (None, None, None)
    assert not ABLook.objects.exists()
    answer_and_label(test, B, {"fp": 1})
    assert seen(test) != (None, None, None)


def test_looks_are_intersected(test: ABTest) -> None:
    answer_and_label(test, A, {"tp": 40, "fp": 20})
    answer_and_label(test, B, {"tp": 60})
    first = AlwaysValid(*seen(test))  # type: ignore[arg-type]
    answer_and_label(test, A, {"tp": 60})
    answer_and_label(test, B, {"fp": 60})
    low, high, p_value = seen(test)
    assert low == first.low
    assert (high or 1) < first.high
    assert p_value == min(first.p_value, p_value or 1)


def test_looks_are_kept_when_labels_have_grown_by_a_twentieth(test: ABTest) -> None:
    answer_and_label(test, A, {"tp": 400, "fp": 100})
    for _ in range(100):
        answer_and_label(test, B, {"tp": 3, "fp": 1})
    kept = list(ABLook.objects.values_list("labels", flat=True))
    assert kept[0] == 52
    steps = [after / before for before, after in zip(kept, kept[1:], strict=False)]
    assert min(steps) > 1.0
    assert max(steps) < 1.16  # a twentieth, and the list of four that passed it
    assert 35 <= len(kept) <= 45


def test_a_correction_is_a_look_and_no_growth(test: ABTest) -> None:
    answer_and_label(test, A, {"tp": 60, "fp": 40})
    ids = log(test, [Asked((Said(1),), arm=B) for _ in range(60)])
    label([(pk, 0, 0) for pk in ids])
    before = seen(test)
    label([(pk, 0, 1) for pk in ids])
    assert seen(test) != before
    assert ABLook.objects.count() == 1


def test_what_wrong_labels_said_is_dropped_when_they_are_corrected(test: ABTest) -> None:
    answer_and_label(test, A, {"tp": 150, "fp": 50})
    ids = log(test, [Asked((Said(1),), arm=B) for _ in range(200)])
    truths = [int(n % 20 > 0) for n in range(200)]
    for first in (0, 100):
        part = slice(first, first + 100)
        label([(pk, 0, 1 - truth) for pk, truth in zip(ids[part], truths[part], strict=True)])
    assert (seen(test)[1] or 0) < 0  # A would be better, and for ever
    assert ABLook.objects.count() == 2
    label([(pk, 0, truth) for pk, truth in zip(ids, truths, strict=True)], now=LATER)
    right = expected(200, (150, 190), None)
    assert right.low < 40 / 200 < right.high
    assert seen(test) == tuple(right)
    [kept] = ABLook.objects.all()
    assert (kept.at, kept.difference) == (LATER, 190 / 200 - 150 / 200)


def test_a_correction_does_not_lift_the_doubt_that_looks_contradict_one_another(
    test: ABTest,
) -> None:
    """Else whoever may label lifts it: a row is labelled wrongly, then rightly."""
    answer_and_label(test, A, {"tp": 150, "fp": 50})
    ids = log(test, [Asked((Said(1),), arm=B) for _ in range(200)])
    label([(pk, 0, 1) for pk in ids])
    low, high, _ = seen(test)
    ABPhase.objects.filter(test=test).update(low=high, high=low)
    for truth in (0, 1):
        label([(ids[0], 0, truth)], now=LATER)
        assert (seen(test)[0] or 0) > (seen(test)[1] or 1)
        report = analysis.analyse(test, LATER)
        assert (report.banner, report.doubts) == ("do_not_trust", ("drifted",))
    assert ABLook.objects.get().at == cast.THEN


def test_a_correction_leaves_the_looks_of_other_phases(test: ABTest) -> None:
    for _ in range(2):
        answer_and_label(test, A, {"tp": 40, "fp": 20})
        ids = log(test, [Asked((Said(1),), arm=B) for _ in range(60)])
        label([(pk, 0, 1) for pk in ids])
        trial.new_phase(test)
    label([(ids[0], 0, 0)], now=LATER)
    first, second = ABLook.objects.order_by("phase__number")
    assert (first.phase.number, first.at) == (1, cast.THEN)
    assert (second.phase.number, second.at) == (2, LATER)


class TestOneLookAtTheEnd:
    """Later labels would be further looks at an interval that holds for one."""

    def test_the_first_look_at_the_horizon_stands(self, raisin: Endpoint) -> None:
        test = one_look(raisin, horizon=60)
        answer_and_label(test, A, {"tp": 40, "fp": 20})
        answer_and_label(test, B, {"tp": 59})
        assert seen(test) == (None, None, None)
        assert analysis.analyse(test, LATER).banner == "keep_running"
        answer_and_label(test, B, {"tp": 1})
        assert analysis.analyse(test, LATER).banner == "b_better"
        kept = seen(test)
        answer_and_label(test, B, {"fp": 30})
        report = analysis.analyse(test, LATER)
        assert seen(test) == kept
        assert (report.banner, report.challenger.value) == ("b_better", 60 / 90)
        assert report.statistics is not None
        assert report.statistics.fixed is not None
        assert (*report.statistics.fixed, report.statistics.p_value) == kept

    def test_labels_before_the_end_make_a_course_and_no_decision(self, raisin: Endpoint) -> None:
        test = one_look(raisin)
        answer_and_label(test, A, {"tp": 40, "fp": 30})
        for _ in range(4):
            answer_and_label(test, B, {"tp": 25})
        assert seen(test) == (None, None, None)
        labels = ABLook.objects.values_list("labels", flat=True)
        assert list(labels) == [50, 70]

    def test_labels_after_the_last_day_are_too_late(self, raisin: Endpoint) -> None:
        test = one_look(raisin, most_days=2)
        answer_and_label(test, A, {"tp": 40, "fp": 20})
        answer_and_label(test, B, {"tp": 60})
        a_late, late = (log(test, [Asked((Said(1),), arm=arm)] * 40) for arm in (A, B))
        end = cast.THEN + timedelta(days=2)
        assert analysis.analyse(test, end).banner == "b_better"
        label([(pk, 0, 1) for pk in a_late] + [(pk, 0, 0) for pk in late], now=end)
        assert analysis.analyse(test, end).banner == "b_better"
        a, b = (ArmCounters(60, 60, 60, right) for right in (40, 60))
        fixed = analyse_split(a, b, Plan(horizon=1_000, minimum_labels=50)).fixed
        assert seen(test)[:2] == fixed

    def test_a_correction_before_the_end_is_none(self, raisin: Endpoint) -> None:
        test = one_look(raisin, horizon=60)
        answer_and_label(test, A, {"tp": 40, "fp": 20})
        ids = log(test, [Asked((Said(1),), arm=B) for _ in range(60)])
        label([(pk, 0, 0) for pk in ids[:59]])
        label([(pk, 0, 1) for pk in ids[:59]])
        assert seen(test) == (None, None, None)
        label([(ids[59], 0, 1)])
        a, b = (ArmCounters(60, 60, 60, right) for right in (40, 60))
        assert seen(test)[:2] == analyse_split(a, b, Plan(horizon=60, minimum_labels=50)).fixed

    def test_a_correction_takes_it_anew_by_what_holds_at_every_look(self, raisin: Endpoint) -> None:
        """A fixed interval would be another go with each correction."""
        test = one_look(raisin, horizon=60)
        answer_and_label(test, A, {"tp": 40, "fp": 20})
        ids = log(test, [Asked((Said(1),), arm=B) for _ in range(60)])
        label([(pk, 0, 1) for pk in ids])
        for wrong in (60, 3, 0):
            label([(pk, 0, int(n >= wrong)) for n, pk in enumerate(ids)], now=LATER)
            arms = (ArmCounters(60, 60, 60, right) for right in (40, 60 - wrong))
            plan = Plan(horizon=60, minimum_labels=50)
            assert seen(test) == analyse_split(*arms, plan).this_look
            assert analysis.analyse(test, LATER).banner == (
                "a_better" if wrong == 60 else "b_better"
            )
            assert ABLook.objects.get().at == LATER

    def test_a_row_that_is_labelled_wrongly_and_rightly_is_no_further_go(
        self, raisin: Endpoint
    ) -> None:
        test = one_look(raisin, horizon=200)
        answer_and_label(test, A, {"tp": 150, "fp": 50})
        answer_and_label(test, B, {"tp": 150, "fp": 50})
        assert analysis.analyse(test, LATER).banner == "inconclusive"
        answer_and_label(test, B, {"tp": 100, "fp": 10})
        [extra] = log(test, [Asked((Said(1),), arm=B)])
        for truth in (1, 0, 1):
            label([(extra, 0, truth)])
        a, b = ArmCounters(200, 200, 200, 150), ArmCounters(311, 311, 311, 251)
        plan = Plan(horizon=200, minimum_labels=50)
        peeked, held = analyse_split(a, b, plan).fixed, analyse_split(a, b, plan).this_look
        assert peeked is not None
        assert held is not None
        assert seen(test) == held
        assert held.low < peeked.low
        assert held.low < 0

    def test_too_few_units_are_not_the_end(self, raisin: Endpoint) -> None:
        test = one_look(raisin, horizon=60)
        answer_and_label(test, A, {"tp": 40, "fp": 20})
        for count in (49, 1):
            asked = [Asked((Said(1),), arm=B, unit=f"u{count}.{n}") for n in range(count)] * 2
            label([(pk, 0, 1) for pk in log(test, asked)])
            report = analysis.analyse(test, LATER)
            assert report.ended == (count == 1)
            assert (seen(test)[0] is None) == (count == 49)


def one_look(raisin: Endpoint, **plan: Any) -> ABTest:
    settings: dict[str, Any] = {"kind": "split", "minimum_labels": 50, "looks": "at_horizon"}
    settings |= {"brier_margin": None, "error_margin": None}
    return trial.running_test(raisin, raisin.versions.get(number=2), **settings | plan)


def test_pairs_are_looked_at(raisin: Endpoint) -> None:
    test = trial.running_test(raisin, raisin.versions.get(number=2), minimum_labels=50)
    pair_and_label(test, {"both": 40, "only_b": 8, "only_a": 1})
    assert seen(test) == (None, None, None)
    pair_and_label(test, {"both": 1})
    low, high, _ = seen(test)
    assert (low or 0) < 7 / 50 < (high or 0)


def test_few_units_are_not_looked_at(test: ABTest) -> None:
    answer_and_label(test, A, {"tp": 30, "fp": 30})
    for count in (49, 50):
        asked = [Asked((Said(1),), arm=B, unit=f"u{n}") for n in range(count) for _ in range(2)]
        label([(pk, 0, n % 2) for n, pk in enumerate(log(test, asked))])
        assert (seen(test)[0] is None) == (count == 49)


def test_an_old_phase_has_looks_of_its_own(test: ABTest) -> None:
    answer_and_label(test, A, {"tp": 40, "fp": 20})
    ids = log(test, [Asked((Said(1),), arm=B) for _ in range(60)])
    old = test.phases.get()
    trial.new_phase(test)
    label([(pk, 0, 1) for pk in ids])
    old.refresh_from_db()
    assert old.low is not None
    assert [look.phase for look in ABLook.objects.all()] == [old]


def a_bandit(endpoint: Endpoint) -> ABTest:
    """Return a bandit whose first phase has 100 labels of each arm, in its second phase."""
    challenger = endpoint.versions.get(number=2)
    test = trial.running_test(endpoint, challenger, kind="bandit", minimum_labels=100)
    answer_and_label(test, A, {"tn": 80, "fp": 20})
    answer_and_label(test, B, {"tn": 90, "fp": 10})
    trial.new_phase(test, share=9_000)
    return test


def test_a_bandit_is_looked_at_as_a_whole(raisin: Endpoint) -> None:
    """Its second phase alone has too few labels for a look."""
    test = a_bandit(raisin)
    answer_and_label(test, A, {"tn": 8, "fp": 2})
    answer_and_label(test, B, {"tn": 81, "fp": 9})
    newest = test.phases.get(number=2)
    report = analysis.analyse(test, LATER)
    assert report.statistics is not None
    total = report.statistics.always_valid
    assert total is not None
    assert (newest.low, newest.high, newest.p_value) == total
    assert newest.course.latest("id").labels == 110
    assert (report.labels, report.control.labels, report.challenger.labels) == (110, 110, 190)
    assert report.statistics.difference == pytest.approx(0.1)


def test_no_correction_lifts_that_doubt_about_a_bandit(raisin: Endpoint) -> None:
    test = a_bandit(raisin)
    [request] = log(test, [Asked((Said(0),), arm=A)], phase=test.phases.get(number=1))
    label([(request, 0, 0)])
    ABPhase.objects.filter(test=test, number=2).update(low=0.3, high=0.2, p_value=0.001)
    label([(request, 0, 1)])
    assert analysis.analyse(test, LATER).doubts == ("drifted",)


def test_a_corrected_label_of_any_phase_drops_all_looks_of_a_bandit(raisin: Endpoint) -> None:
    test = a_bandit(raisin)
    first = test.phases.get(number=1)
    [request] = log(test, [Asked((Said(0),), arm=A)], phase=first)
    label([(request, 0, 0)])
    newest = test.phases.get(number=2)
    ABPhase.objects.filter(pk=newest.pk).update(low=0.2, high=0.3, p_value=0.001)
    label([(request, 0, 1)])
    newest.refresh_from_db()
    assert newest.low is not None
    assert newest.low < 0
    assert ABLook.objects.filter(phase__test=test).count() == 1
