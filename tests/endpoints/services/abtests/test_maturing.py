"""Where labels mature a request counts with its label when it is old enough, and not before."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from endpoints.models import ABTest, Endpoint, PredictionRequest, RollUp
from endpoints.services.abtests import maturing
from endpoints.services.monitoring import tick
from mlcore.abtest import Plan, analyse_split
from mlcore.outcomes import ArmCounters
from tests import cast
from tests.endpoints.services.abtests import trial
from tests.endpoints.services.abtests.counted import A, Asked, B, Said, check, label, log

HOUR = timedelta(hours=1)
DAY = 24 * HOUR
OLD, YOUNG = cast.THEN + 10 * HOUR, cast.THEN + 20 * HOUR
NOW = OLD + DAY + HOUR
"""A day after it the old request is mature and the young one is not."""


def a_test(endpoint: Endpoint, **plan: object) -> ABTest:
    facts = {"kind": "split", "maturation_hours": 24} | plan
    return trial.running_test(endpoint, endpoint.versions.get(number=2), **facts)


def labels(test: ABTest) -> int:
    return sum(arm.labels for arm in trial.arms(test).values())


@pytest.mark.django_db
def test_it_works(raisin: Endpoint) -> None:
    test = a_test(raisin)
    old, unlabelled, young = log(
        test,
        [Asked((Said(1),), at=OLD), Asked((Said(1),) * 3, at=OLD), Asked((Said(1),), at=YOUNG)],
    )
    label([(old, 0, 1), (young, 0, 1)])
    assert labels(test) == 0
    assert maturing.mature(test, NOW) == 1
    test.refresh_from_db()
    assert test.counted_until == NOW - DAY
    a = trial.arms(test)[A]
    assert (a.tp, a.requests) == (1, 4)
    check(test)
    assert maturing.mature(test, NOW) == 0
    assert trial.arms(test)[A].requests == 4
    label([(unlabelled, 2, 0)])
    assert (labels(test), trial.arms(test)[A].fp) == (2, 1)
    assert maturing.mature(test, YOUNG + DAY + HOUR) == 1
    check(test)
    assert trial.arms(test)[A].requests == 5


@pytest.mark.django_db
def test_a_request_counts_at_the_very_moment(raisin: Endpoint) -> None:
    test = a_test(raisin)
    [pk] = log(test, [Asked((Said(1),), at=OLD)])
    label([(pk, 0, 1)])
    assert maturing.mature(test, OLD + DAY) == 0
    assert maturing.mature(test, OLD + DAY + timedelta(microseconds=1)) == 1


@pytest.mark.django_db
@pytest.mark.parametrize("hours", [(80,), (30, 47, 48, 49, 80)])
def test_a_test_of_one_look_is_decided_by_what_was_old_enough_on_the_last_day(
    raisin: Endpoint, hours: tuple[int, ...]
) -> None:
    test = a_test(raisin, looks="at_horizon", most_days=2, minimum_labels=50)
    for hour, a, b in ((1, 40, 60), (3, 60, 30), (30, 60, 0)):
        for arm, right in ((A, a), (B, b)):
            ids = log(test, [Asked((Said(1),), arm=arm, at=cast.THEN + hour * HOUR)] * 60)
            label([(pk, 0, int(n < right)) for n, pk in enumerate(ids)])
    for hour in hours:
        maturing.mature(test, cast.THEN + hour * HOUR)
    assert labels(test) == 360
    kept = test.phases.get()
    counted = [ArmCounters(120, 120, 120, right) for right in (100, 90)]
    assert (kept.low, kept.high) == analyse_split(*counted, Plan(horizon=1_000)).fixed


@pytest.mark.django_db
def test_a_correction_of_what_is_not_mature_counts_once(raisin: Endpoint) -> None:
    test = a_test(raisin)
    [pk] = log(test, [Asked((Said(1),), at=OLD)])
    label([(pk, 0, 1)])
    label([(pk, 0, 0)])
    maturing.mature(test, NOW)
    assert trial.arms(test)[A].fp == labels(test) == 1
    label([(pk, 0, 1)])
    assert trial.arms(test)[A].tp == labels(test) == 1
    check(test)


@pytest.mark.django_db
def test_rows_of_the_challenger_mature_where_it_could_score(raisin: Endpoint) -> None:
    test = a_test(raisin, kind="shadow")
    both = (Said(1), Said(0))
    log(test, [Asked(both, shadow=both, at=OLD), Asked((Said(1),), at=OLD)])
    maturing.mature(test, NOW)
    assert [trial.arms(test)[name].requests for name in (A, B)] == [3, 2]


@pytest.mark.django_db
def test_without_maturation_nothing_waits(raisin: Endpoint) -> None:
    test = a_test(raisin, maturation_hours=0)
    [pk] = log(test, [Asked((Said(1),), at=OLD)])
    label([(pk, 0, 1)], now=OLD)
    assert labels(test) == 1
    with CaptureQueriesContext(connection) as caught:
        assert maturing.mature(test, NOW) == 0
    assert not caught.captured_queries
    assert not maturing.waiting().exists()
    check(test)


@pytest.mark.django_db
@pytest.mark.parametrize(("apart", "transactions"), [(timedelta(minutes=1), 3), (0 * HOUR, 1)])
def test_a_long_wait_is_caught_up_with_in_parts(
    raisin: Endpoint, apart: timedelta, transactions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of one moment belong together."""
    monkeypatch.setattr(maturing, "MOST", 2)
    test = a_test(raisin)
    ids = log(test, [Asked((Said(1),), at=OLD + n * apart) for n in range(5)])
    label([(pk, 0, 1) for pk in ids])
    with CaptureQueriesContext(connection) as caught:
        assert maturing.mature(test, OLD + DAY + HOUR / 2) == 5
    counted = [q for q in caught if 'SET "tn"' in q["sql"] or 'SET "requests"' in q["sql"]]
    assert len(counted) == transactions
    check(test)


@pytest.mark.django_db
def test_a_stopped_test_waits_for_its_last_requests(raisin: Endpoint) -> None:
    test = a_test(raisin)
    [pk] = log(test, [Asked((Said(1),), at=OLD)])
    label([(pk, 0, 1)])
    trial.stop(test)
    ABTest.objects.filter(pk=test.pk).update(stopped_at=OLD + timedelta(seconds=1))
    assert list(maturing.waiting()) == [test]
    assert maturing.mature(test, OLD + 9 * DAY) == 1
    assert not maturing.waiting().exists()
    test.refresh_from_db()
    assert test.counted_until == OLD + timedelta(seconds=1) + maturing.LATECOMERS
    assert maturing.mature(test, OLD + 10 * DAY) == 0
    label([(pk, 0, 0)])
    assert (labels(test), trial.arms(test)[A].fp) == (1, 1)


@pytest.mark.django_db
def test_a_draft_has_nothing_to_count(raisin: Endpoint) -> None:
    test = a_test(raisin)
    ABTest.objects.filter(pk=test.pk).update(state="draft")
    assert maturing.mature(test, NOW) == 0
    test.refresh_from_db()
    assert test.counted_until is None


@pytest.mark.django_db
def test_the_minutely_look_counts_what_is_old_enough(raisin: Endpoint) -> None:
    test = a_test(raisin)
    [pk] = log(test, [Asked((Said(1),), at=OLD)])
    label([(pk, 0, 1)])
    tick.tick_all(lambda: NOW)
    assert labels(test) == 1


@pytest.mark.django_db
def test_a_test_that_fails_holds_up_nothing(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    a_test(raisin)

    def broken(*_: object) -> None:
        raise ValueError("no such thing")

    monkeypatch.setattr(maturing, "mature", broken)
    [ticked] = tick.tick_all(lambda: NOW)
    assert isinstance(ticked, tick.Ticked)
    assert any("“v1 or v2” at raisin failed" in message for message in caplog.messages)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("label"), st.integers(0, 3), st.sampled_from((0, 1))),
        st.tuples(st.just("mature"), st.integers(0, 60), st.just(0)),
    ),
    min_size=1,
    max_size=12,
)


@pytest.mark.django_db
@given(kind=st.sampled_from(("split", "shadow")), steps=STEPS)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_order_of_labels_and_of_maturing_counts_as_a_recount(
    raisin: Endpoint, kind: str, steps: list[tuple[str, int, int]]
) -> None:
    with transaction.atomic():
        test = a_test(raisin, kind=kind)
        shadow = (Said(0),) if kind == "shadow" else ()
        ids = log(
            test,
            [
                Asked((Said(n % 2),), shadow=shadow, unit=("", "u")[n // 2], at=OLD + 6 * n * HOUR)
                for n in range(4)
            ],
        )
        for name, number, truth in steps:
            if name == "label":
                label([(ids[number], 0, truth)])
            else:
                maturing.mature(test, OLD + number * HOUR)
            check(test)
        maturing.mature(test, OLD + 9 * DAY)
        check(test)
        assert trial.arms(test)[A].requests == 4
        transaction.set_rollback(True)


@pytest.fixture
def emptied_log(transactional_db: None) -> Iterator[None]:
    """A flush empties the tables that Django made, and the log's it did not make."""
    yield
    PredictionRequest.objects.all().delete()
    RollUp.objects.all().delete()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("hours", [0, 24])
def test_labels_and_maturing_at_once_lose_nothing(
    emptied_log: None, raisin: Endpoint, hours: int
) -> None:
    """Two label the same requests in their own way while a third counts what becomes old enough."""
    test = a_test(raisin, maturation_hours=hours)
    ids = log(
        test,
        [
            Asked(
                (Said(n % 2),), arm=(A, B)[n % 2], unit=("", "u1", "u2")[n % 3], at=OLD + n * HOUR
            )
            for n in range(40)
        ],
    )
    start = threading.Barrier(3)
    faults: list[BaseException] = []

    def take_part(person: int) -> None:
        try:
            start.wait()
            for turn in range(6):
                if person == 2:
                    maturing.mature(test, OLD + DAY + 7 * turn * HOUR)
                    continue
                order = ids if person else ids[::-1]
                label([(pk, 0, (person + turn + n) % 2) for n, pk in enumerate(order)])
        except BaseException as error:
            faults.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=take_part, args=(person,)) for person in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    check(test)
    maturing.mature(test, OLD + 9 * DAY)
    check(test)
    assert labels(test) == 40
