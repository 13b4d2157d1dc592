"""What is counted of a test's arms while it runs: it equals a count of the log, whoever wrote it."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from django.db import OperationalError
from hypothesis import given
from hypothesis import strategies as st

from endpoints.errors import InvalidRows, LogUnavailable
from endpoints.models import ABTest, ABTraffic, AlgorithmVersion, Endpoint, PredictionRequest
from endpoints.services import arm_tallies, request_log, scoring
from endpoints.services.arm_tallies import ArmTallies, ArmTally, Tried
from endpoints.services.tallies import Tallies
from tests import cast
from tests.endpoints.services.abtests import trial
from tests.endpoints.services.abtests.trial import traffic

A_UNITS, B_UNIT = ("user-0", "user-2", "user-3"), "user-1"


@pytest.fixture
def challenger(raisin: Endpoint) -> AlgorithmVersion:
    return raisin.versions.get(number=2)


@pytest.fixture
def split(raisin: Endpoint, challenger: AlgorithmVersion) -> ABTest:
    return trial.running_test(raisin, challenger, kind="split")


def fails(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def score(*_: object) -> Any:
        raise error

    monkeypatch.setattr(scoring, "score", score)


def test_it_works(raisin: Endpoint, split: ABTest) -> None:
    for unit in (*A_UNITS, B_UNIT, B_UNIT):
        cast.prediction(raisin, rows=[cast.ROW] * 2, unit=unit)
    shared = {"errors": 0, "agreed": 0}
    assert traffic(split) == {
        "control": {"requests": 3, "rows": 6, "units": 3, "timed": 3} | shared,
        "challenger": {"requests": 2, "rows": 4, "units": 1, "timed": 2} | shared,
    }


def test_every_unnamed_request_is_a_unit(raisin: Endpoint, split: ABTest) -> None:
    for _ in range(20):
        cast.prediction(raisin)
    arms = trial.arms(split)
    for name, counted in traffic(split).items():
        logged = PredictionRequest.objects.filter(arm=arms[name]).count()
        assert (counted["requests"], counted["units"]) == (logged, logged)
        assert logged > 0


def test_a_unit_is_new_once_for_all_writers_together(raisin: Endpoint, split: ABTest) -> None:
    """Here each commit has a writer of its own."""
    chance = random.Random(3)
    asked = [f"user-{chance.randrange(12)}" for _ in range(40)]
    for unit in asked:
        cast.prediction(raisin, unit=unit)
    arms = trial.arms(split)
    assert ABTraffic.objects.filter(arm__in=arms.values()).count() == len(asked)
    for name, counted in traffic(split).items():
        logged = PredictionRequest.objects.filter(arm=arms[name])
        assert counted["units"] == len(set(logged.values_list("unit", flat=True)))


def test_a_unit_is_new_in_each_phase(raisin: Endpoint, split: ABTest) -> None:
    for _ in range(2):
        cast.prediction(raisin, unit=B_UNIT)
        assert traffic(split)["challenger"]["units"] == 1
        trial.new_phase(split)
    assert traffic(split)["challenger"]["units"] == 0


def test_who_takes_no_part_is_not_counted(raisin: Endpoint, split: ABTest) -> None:
    cast.prediction(raisin, version=2, unit=B_UNIT)
    cast.prediction(raisin, source="try", unit=B_UNIT)
    assert not ABTraffic.objects.exists()


def test_a_refusal_is_no_error_of_the_units_arm(raisin: Endpoint, split: ABTest) -> None:
    """The arm is drawn before the rows are read, so that the unit counts for the sample ratio."""
    for _ in range(2):
        with pytest.raises(InvalidRows):
            cast.prediction(raisin, rows=[{}], unit=B_UNIT)
    found = traffic(split)
    refused = {"requests": 0, "rows": 0, "units": 1, "errors": 0, "agreed": 0, "timed": 0}
    assert found["challenger"] == refused
    assert set(found["control"].values()) == {0}


def test_a_fault_of_ours_is_an_error_of_the_units_arm(
    raisin: Endpoint, split: ABTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails(monkeypatch, ZeroDivisionError("a fault of ours"))
    with pytest.raises(ZeroDivisionError):
        cast.prediction(raisin, unit=A_UNITS[0])
    assert {name: arm["errors"] for name, arm in traffic(split).items()} == {
        "control": 1,
        "challenger": 0,
    }


def test_a_refusal_outside_of_the_test_is_no_error_in_it(raisin: Endpoint, split: ABTest) -> None:
    for asked in ({"version": 2}, {"source": "try"}):
        with pytest.raises(InvalidRows):
            cast.prediction(raisin, rows=[{}], unit=B_UNIT, **asked)
    assert not ABTraffic.objects.exists()


def test_what_was_not_written_is_counted_with_the_next(
    raisin: Endpoint, split: ABTest, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """The error waits for a log that can be written; the request was refused, and is not counted."""
    log = request_log.RequestLog()
    monkeypatch.setattr(request_log, "_log", log)
    write = log._tables.write

    def broken(*_: object) -> None:
        raise OperationalError("disk I/O error")

    monkeypatch.setattr(log._tables, "write", broken)
    log._failures.append(Tried(trial.arms(split)["challenger"].pk, B_UNIT, 0, None))
    with pytest.raises(LogUnavailable):
        cast.prediction(raisin, unit=B_UNIT)
    monkeypatch.setattr(log._tables, "write", write)
    cast.prediction(raisin, unit=B_UNIT)
    found = traffic(split)["challenger"]
    assert (found["requests"], found["errors"], found["units"]) == (1, 1, 1)


def test_refusals_count_as_units_alone() -> None:
    tried = [Tried(7, unit, 0, None, refused=True) for unit in ("", "", "u")]
    changes = ArmTallies().with_these(tried)
    assert changes.tallies[7] == ArmTally(units=2)
    assert changes.units == [(7, "u")]


def test_a_writer_goes_on_from_what_it_stored() -> None:
    tallies = ArmTallies()
    for stored in (True, False, True):
        changes = tallies.with_these([Tried(7, "", 2, 30, 1)])
        if stored:
            tallies.keep(changes)
    expected = ArmTally(2, 4, 2, 0, 2, {"5": 2})
    assert changes.tallies == {7: expected}


def test_a_new_name_begins_anew() -> None:
    """What was stored under the old name would be counted twice."""
    tallies = Tallies()
    tallies.keep(tallies.with_these((), ()))
    tallies.arms.keep(tallies.arms.with_these([Tried(7, "", 1, 30)]))
    tallies._start_anew()
    assert tallies.arms.with_these([Tried(7, "", 1, 30)]).tallies[7].requests == 1


def test_units_come_in_order_and_once() -> None:
    """Two writers who held some of the same would wait for one another."""
    tried = [Tried(arm, unit, 1, 30) for arm, unit in ((8, "b"), (7, "z"), (8, "a"), (8, "b"))]
    assert ArmTallies().with_these(tried).units == [(7, "z"), (8, "a"), (8, "b")]


def test_a_unit_that_is_stored_is_not_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arm_tallies, "REMEMBERED_UNITS", 2)
    tallies = ArmTallies()

    def sent(*units: str, stored: bool = True) -> list[str]:
        changes = tallies.with_these([Tried(7, unit, 1, 30) for unit in units])
        if stored:
            tallies.keep(changes)
        return [unit for _, unit in changes.units]

    assert sent("a", stored=False) == ["a"]
    assert sent("a", "b") == ["a", "b"]
    assert sent("a", "b") == []
    assert sent("a", "c") == ["c"]  # one too many to remember: begun anew
    assert sent("a", "c") == ["a"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from([1, 2]),
            st.sampled_from([None, "", "u", "v"]),
            st.integers(1, 4),
            st.sampled_from([None, 10, 2_000]),
        ),
        max_size=30,
    )
)
def test_the_sum_is_that_of_the_requests(drawn: list[tuple[int, Any, int, Any]]) -> None:
    tallies = ArmTallies()
    units: set[tuple[int, str]] = set()
    stored: dict[int, ArmTally] = {}
    tried = [Tried(*facts) for facts in drawn]
    for start in range(0, len(tried), 3):
        changes = tallies.with_these(tried[start : start + 3])
        changes.count_new(arm for arm, unit in changes.units if (arm, unit) not in units)
        units |= set(changes.units)
        tallies.keep(changes)
        stored |= changes.tallies
    for arm_id, tally in stored.items():
        own = [item for item in tried if item.arm_id == arm_id]
        answered = [item for item in own if item.latency_us is not None]
        assert (tally.requests, tally.errors) == (len(answered), len(own) - len(answered))
        assert tally.rows == sum(item.rows for item in answered)
        assert sum(tally.latencies.values()) == len(answered)
        named = {item.unit for item in own if item.unit}
        assert tally.units == len(named) + Counter(item.unit for item in own)[""]
