"""The counters of a test are what a recount of its log and labels gives, whatever labels came and in which order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from endpoints.models import AlgorithmVersion, Endpoint, LabelledUnit, PredictionRequest
from endpoints.models.abcount import ABPhase
from endpoints.models.prediction import Source
from endpoints.services import feedback
from endpoints.services.abtests import counting
from tests import cast
from tests.endpoints import grains
from tests.endpoints.services import labelled
from tests.endpoints.services.abtests import trial
from tests.endpoints.services.abtests.counted import A, Asked, B, Said, check, label, log

pytestmark = pytest.mark.django_db
GUESSES = st.builds(Said, st.sampled_from((0, 1)), st.sampled_from((0.0, 0.25, 0.5, 1.0)))
UNITS = st.sampled_from(("", "", "u1", "u2", "u3"))


@pytest.fixture
def challenger(raisin: Endpoint) -> AlgorithmVersion:
    return raisin.versions.get(number=2)


def counts(test: Any, arm: str) -> tuple[int, int, int, int]:
    found = trial.arms(test)[arm]
    return found.tn, found.fp, found.fn, found.tp


def cells(test: Any) -> dict[str, int]:
    phase = ABPhase.objects.get(test=test)
    names = (name for name in vars(phase) if name.startswith(("negatives", "positives")))
    return {name: getattr(phase, name) for name in names if getattr(phase, name)}


def test_it_works(challenger: AlgorithmVersion) -> None:
    test = trial.running_test(challenger.endpoint, challenger, kind="split")
    first, second, third = log(
        test,
        [
            Asked((Said(1, 0.75),)),
            Asked((Said(0, 0.25),), arm=B),
            Asked((Said(0, 0.5),), arm=B),
        ],
    )
    label([(first, 0, 1), (second, 0, 1), (third, 0, 0)])
    assert (counts(test, A), counts(test, B)) == ((0, 0, 0, 1), (1, 0, 1, 0))
    a, b = (trial.arms(test)[name] for name in (A, B))
    assert (a.squares, a.fourths) == (0.0625, 0.0625**2)
    assert (b.squares, b.fourths) == (0.5625 + 0.25, 0.5625**2 + 0.0625)
    assert (b.units, b.sum_x, b.sum_n, b.sum_xx) == (2, 1.0, 2.0, 1.0)
    assert not LabelledUnit.objects.exists()
    check(test)


def test_a_correction_moves_a_row(challenger: AlgorithmVersion) -> None:
    test = trial.running_test(challenger.endpoint, challenger, kind="split")
    [request_id] = log(test, [Asked((Said(1),))])
    seen = []
    for truth in (1, 0, 0, 1):
        label([(request_id, 0, truth)])
        seen.append(counts(test, A))
        check(test)
    assert seen == [(0, 0, 0, 1), (0, 1, 0, 0), (0, 1, 0, 0), (0, 0, 0, 1)]


def test_pairs_of_a_shadow_test_are_counted_by_true_class(challenger: AlgorithmVersion) -> None:
    test = trial.running_test(challenger.endpoint, challenger)
    truths = (0, 0, 0, 0, 1, 1, 1, 1)
    asked = [Asked((Said(a),), shadow=(Said(b),)) for _ in range(2) for a in (0, 1) for b in (0, 1)]
    ids = log(test, asked)
    label([(pk, 0, truth) for pk, truth in zip(ids, truths, strict=True)])
    assert cells(test) == dict.fromkeys(
        [f"{side}_{who}" for side in ("negatives", "positives")
         for who in ("both", "only_a", "only_b", "neither")], 1
    )  # fmt: skip
    assert counts(test, A) == counts(test, B) == (2, 2, 2, 2)
    assert (trial.arms(test)[A].units, trial.arms(test)[B].units) == (0, 0)
    check(test)


def test_a_row_that_the_challenger_could_not_score_is_no_pair(challenger: AlgorithmVersion) -> None:
    test = trial.running_test(challenger.endpoint, challenger)
    failed, scored = log(test, [Asked((Said(1),)), Asked((Said(1),), shadow=(Said(0),))])
    label([(failed, 0, 1), (scored, 0, 1)])
    assert cells(test) == {"positives_only_a": 1}
    assert trial.arms(test)[A].labels == trial.arms(test)[B].labels == 1
    check(test)


def test_rows_of_one_request_are_one_unit(challenger: AlgorithmVersion) -> None:
    test = trial.running_test(challenger.endpoint, challenger, kind="split")
    [pk] = log(test, [Asked((Said(1), Said(0), Said(1)))])
    label([(pk, 0, 1), (pk, 2, 0)])
    label([(pk, 1, 0)])
    a = trial.arms(test)[A]
    assert (a.units, a.sum_x, a.sum_n, a.sum_xn, a.sum_nn) == (1, 2.0, 3.0, 6.0, 9.0)
    [unit] = LabelledUnit.objects.all()
    assert (unit.arm_id, unit.unit, unit.x, unit.n, unit.rows) == (a.pk, pk.hex, 2.0, 3.0, 3)
    check(test)


def test_requests_of_a_named_unit_are_one_unit(challenger: AlgorithmVersion) -> None:
    test = trial.running_test(challenger.endpoint, challenger, kind="split")
    ids = log(test, [Asked((Said(1),), unit=unit) for unit in ("u1", "u2", "u1")])
    for pk in ids:
        label([(pk, 0, 1)])
    a = trial.arms(test)[A]
    assert (a.units, a.labels, a.sum_nn) == (2, 3, 5.0)
    check(test)


def test_a_unit_whose_labels_weigh_nothing_is_counted_once(challenger: AlgorithmVersion) -> None:
    """A tn is worth nothing to F1."""
    test = trial.running_test(challenger.endpoint, challenger, kind="split", metric="f1")
    for pk in log(test, [Asked((Said(guess),), unit="u1") for guess in (0, 0, 1)]):
        label([(pk, 0, PredictionRequest.objects.get(pk=pk).predictions[0])])
    a = trial.arms(test)[A]
    assert (a.units, a.labels, a.sum_x, a.sum_n) == (1, 3, 2.0, 2.0)
    check(test)


def test_pairs_have_no_sum_of_f1(challenger: AlgorithmVersion) -> None:
    test = trial.running_test(challenger.endpoint, challenger, metric="f1")
    [pk] = log(test, [Asked((Said(1),), shadow=(Said(0),))])
    label([(pk, 0, 1)])
    phase = ABPhase.objects.get(test=test)
    assert (phase.units, phase.sum_x, phase.sum_n) == (1, 0.0, 1.0)
    check(test)


def test_many_units_at_once_are_counted_as_one_by_one(challenger: AlgorithmVersion) -> None:
    test = trial.running_test(challenger.endpoint, challenger, kind="split")
    ids = log(test, [Asked((Said(n % 2),), unit=f"u{n % 600}") for n in range(900)])
    label([(pk, 0, n % 3 % 2) for n, pk in enumerate(ids)])
    label([(pk, 0, n % 2) for n, pk in enumerate(ids[:500])])
    assert trial.arms(test)[A].units == LabelledUnit.objects.count() == 600
    check(test)


@pytest.mark.parametrize("kind", ["split", "shadow"])
def test_three_classes_count_right_and_wrong(kind: str) -> None:
    endpoint = grains.endpoint()
    challenger = grains.version(endpoint, status="staging")
    test = trial.running_test(endpoint, challenger, kind=kind)
    sure = [Said(k, [0.75 if k == j else 0.125 for j in range(3)]) for k in range(3)]
    shadows = [(sure[(k + k // 2) % 3],) if kind == "shadow" else () for k in range(3)]
    ids = log(test, [Asked((sure[k],), shadow=shadows[k]) for k in range(3)])
    label([(ids[0], 0, 0), (ids[1], 0, 2), (ids[2], 0, 0)], names=grains.CLASSES)
    assert counts(test, A) == (1, 2, 0, 0)
    if kind == "shadow":
        assert cells(test) == {
            "negatives_both": 1, "negatives_neither": 1, "negatives_only_b": 1,
        }  # fmt: skip
    check(test, grains.CLASSES)
    label([(ids[2], 0, 2)], names=grains.CLASSES)
    assert counts(test, A) == (2, 1, 0, 0)
    check(test, grains.CLASSES)


def test_late_labels_of_a_stopped_test_and_of_an_old_phase_count(
    challenger: AlgorithmVersion,
) -> None:
    test = trial.running_test(challenger.endpoint, challenger, kind="split")
    first = test.phases.get()
    [old] = log(test, [Asked((Said(1),))])
    trial.new_phase(test, share=1_000)
    [new] = log(test, [Asked((Said(1),))])
    trial.stop(test)
    label([(old, 0, 1), (new, 0, 0)])
    assert first.arms.get(name=A).tp == 1
    assert counts(test, A) == (0, 1, 0, 0)
    check(test)


def test_what_is_part_of_no_test_costs_no_query_more(
    raisin: Endpoint, challenger: AlgorithmVersion
) -> None:
    def queries(act: Callable[[], object]) -> int:
        with CaptureQueriesContext(
            connection,
        ) as caught:
            act()
        return len(caught)

    def one() -> int:
        request = feedback.find_request(
            str(cast.prediction(raisin, version=1).request_id), caller=cast.SYSTEM
        )
        return queries(
            lambda: feedback.record(
                request=request, label=1, row=0, actor=cast.SYSTEM, now=cast.THEN
            )
        )

    before = one()
    test = trial.running_test(raisin, challenger, kind="split")
    assert one() == before
    [pk] = log(test, [Asked((Said(1),))])
    assert queries(lambda: label([(pk, 0, 1)])) <= before + 12


def test_what_was_tried_by_hand_is_part_of_no_test(
    raisin: Endpoint, challenger: AlgorithmVersion
) -> None:
    test = trial.running_test(raisin, challenger, kind="split")
    answer = cast.prediction(raisin, source=Source.TRY)
    label([(answer.request_id, 0, 1)])
    assert PredictionRequest.objects.get().arm_id is None
    assert trial.arms(test)[A].labels == trial.arms(test)[B].labels == 0


def test_a_list_that_is_not_stored_is_not_counted(challenger: AlgorithmVersion) -> None:
    test = trial.running_test(challenger.endpoint, challenger, kind="split")
    [pk] = log(test, [Asked((Said(1),))])
    with pytest.raises(RuntimeError), transaction.atomic():
        label([(pk, 0, 1)])
        raise RuntimeError
    assert trial.arms(test)[A].labels == 0


def test_a_request_that_retention_took_away_counts_nowhere(challenger: AlgorithmVersion) -> None:
    test = trial.running_test(challenger.endpoint, challenger, kind="split")
    [kept] = log(test, [Asked((Said(1),))])
    arm = trial.arms(test)[A]
    change = counting.Change(arm.pk, uuid4(), 0, counting.Label("Besni", True), None, cast.THEN)
    counting.add([change, change._replace(request_id=kept)])
    assert trial.arms(test)[A].labels == 1


def test_answers_of_serving_are_counted(challenger: AlgorithmVersion) -> None:
    """What the log has of a shadow is what the counters read."""
    test = trial.running_test(challenger.endpoint, challenger)
    rows = [cast.ROW, cast.ROW | {"Area": 150_000, "Perimeter": 1_500.0}]
    answer = cast.prediction(challenger.endpoint, rows=rows, unit="u1")
    label([(answer.request_id, 0, 0), (answer.request_id, 1, 1)])
    check(test)
    shadow = PredictionRequest.objects.get().shadow["predictions"]
    b = trial.arms(test)[B]
    assert b.labels == 2
    assert b.tn + b.tp == (shadow[0] == 0) + (shadow[1] == 1)
    assert LabelledUnit.objects.get().unit == "u1"


def test_labels_of_two_endpoints_come_in_one_list(
    raisin: Endpoint, challenger: AlgorithmVersion
) -> None:
    tests = [trial.running_test(raisin, challenger, kind="split")]
    other = cast.an_endpoint("other")
    cast.registered_version(other, status="production")
    second = cast.registered_version(other, status="staging")
    tests.append(trial.running_test(other, second, salt="abtest-2"))
    [one] = log(tests[0], [Asked((Said(1),))])
    [two] = log(tests[1], [Asked((Said(1),), shadow=(Said(1),))])
    label([(two, 0, 1), (one, 0, 1)])
    assert [trial.arms(test)[A].tp for test in tests] == [1, 1]
    for test in tests:
        check(test)


@st.composite
def histories(draw: st.DrawFn) -> tuple[str, str, list[Asked], list[list[tuple[int, int, int]]]]:
    """A kind, a metric, requests, and lists of labels (request, row, class) that come one after another."""
    kind = draw(st.sampled_from(("split", "shadow")))
    metric = draw(st.sampled_from(("accuracy", "f1", "expected_cost")))
    asked = []
    for _ in range(draw(st.integers(1, 5))):
        rows = tuple(draw(st.lists(GUESSES, min_size=1, max_size=3)))
        is_split, unit = kind == "split", draw(UNITS)
        shadow = () if is_split else draw(st.sampled_from((rows, rows[::-1], ())))
        arm = draw(st.sampled_from((A, B))) if is_split else A
        asked.append(Asked(rows, arm=arm, shadow=shadow, unit=unit))
    places = [(n, row) for n, one in enumerate(asked) for row in range(len(one.rows))]
    labels = st.tuples(st.sampled_from(places), st.sampled_from((0, 1)))
    lists = draw(st.lists(st.lists(labels, min_size=1, max_size=6), min_size=1, max_size=4))
    return kind, metric, asked, [[(*place, truth) for place, truth in part] for part in lists]


@given(histories())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_labels_and_corrections_count_as_a_recount(
    raisin: Endpoint,
    history: tuple[str, str, list[Asked], list[list[tuple[int, int, int]]]],
) -> None:
    kind, metric, asked, lists = history
    with transaction.atomic():
        plan = {"kind": kind, "metric": metric, "cost_fp": 1.0, "cost_fn": 2.5}
        test = trial.running_test(raisin, raisin.versions.get(number=2), **plan)
        ids = log(test, asked)
        for part in lists:
            label([(ids[n], row, truth) for n, row, truth in part])
            check(test)
        transaction.set_rollback(True)


def test_the_helpers_are_those_of_other_labels(
    raisin: Endpoint, challenger: AlgorithmVersion
) -> None:
    """The counts of all labels go on beside those of the test."""
    test = trial.running_test(raisin, challenger, kind="split")
    label([(pk, 0, 1) for pk in log(test, [Asked((Said(1),)), Asked((Said(0),), arm=B)])])
    assert labelled.counted() == labelled.stored() == (2, 1)
