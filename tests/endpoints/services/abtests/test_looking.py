"""Looks at a test: what they say together is kept, and never what too few labels say."""

from __future__ import annotations

from datetime import timedelta

import pytest

from endpoints.models import ABLook, ABPhase, ABTest, Endpoint
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
