"""Which requests a running test takes part in, and which arm answers them."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from endpoints.errors import InvalidRows, NoModel
from endpoints.models import ABTest, AlgorithmVersion, Endpoint, PredictionRequest
from endpoints.models.endpoint import MissingValues
from endpoints.models.prediction import Source
from endpoints.services import artifacts, snapshots
from endpoints.services.abtests.running import Arm, RunningTest
from endpoints.services.metrics import metrics
from endpoints.services.serving import Answer
from endpoints.services.snapshots import Snapshots
from mlcore.assignment import Split
from mlcore.classifier import Classifier
from mlcore.sample_ratio import sample_ratio
from mlcore.schema import Schema
from tests import cast
from tests.endpoints.services.abtests import trial
from tests.endpoints.services.clock import Clock

UNITS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=128)
ELSEWHERE = """
import json, sys
from mlcore.assignment import Split
from mlcore.classifier import Classifier
split, units = Split((7_000, 3_000)), json.load(sys.stdin)
print(json.dumps([split.arm("abtest-1", unit) for unit in units]))
"""


@pytest.fixture
def challenger(raisin: Endpoint) -> AlgorithmVersion:
    return raisin.versions.get(number=2)


@pytest.fixture
def split(raisin: Endpoint, challenger: AlgorithmVersion) -> ABTest:
    return trial.running_test(raisin, challenger, kind="split")


def a_test(*, is_shadow: bool = False, share: int = 5_000) -> RunningTest:
    control, challenger = (
        Arm(pk, name, AlgorithmVersion(), classifier=None)  # type: ignore[arg-type]
        for pk, name in ((1, "control"), (2, "challenger"))
    )
    split = Split((10_000 - share, share))
    return RunningTest(7, is_shadow, trial.SALT, split, control, challenger)


def logged(answer: Answer) -> PredictionRequest:
    return PredictionRequest.objects.get(pk=answer.request_id)


def arms_of(endpoint: Endpoint, requests: int, **asked: Any) -> list[str]:
    answers = [cast.prediction(endpoint, **asked) for _ in range(requests)]
    return [answer.part.arm.name if answer.part is not None else "" for answer in answers]


def test_it_works(raisin: Endpoint, split: ABTest) -> None:
    """The reference assigns user-0, user-2, user-3 and user-4 to A, and user-1 to B."""
    found = [cast.prediction(raisin, unit=f"user-{number}") for number in range(5)]
    assert [answer.version.number for answer in found] == [1, 2, 1, 1, 1]
    arms = trial.arms(split)
    pks = [arms["challenger" if number == 1 else "control"].pk for number in range(5)]
    assert [logged(answer).arm_id for answer in found] == pks
    assert [logged(answer).unit for answer in found] == [f"user-{number}" for number in range(5)]
    assert {repr(logged(answer).shadow) for answer in found} == {"{}"}


@given(UNITS, st.integers(1, 9_999))
def test_a_unit_stays_in_its_arm(unit: str, share: int) -> None:
    assert a_test(share=share).arm_of(unit).pk == a_test(share=share).arm_of(unit).pk


def test_another_process_assigns_alike() -> None:
    units = [f"user-{number}" for number in range(1_000)]
    there = subprocess.run(  # noqa: S603
        [sys.executable, "-c", ELSEWHERE],
        input=json.dumps(units), capture_output=True, text=True, check=True,
        env={"PYTHONHASHSEED": "7"},
    )  # fmt: skip
    ours = [a_test(share=3_000).arm_of(unit).pk - 1 for unit in units]
    assert ours == json.loads(there.stdout)


@given(UNITS)
def test_a_larger_share_takes_no_unit_from_the_challenger(unit: str) -> None:
    shares = [a_test(share=share).arm_of(unit).name for share in (1_000, 5_000, 9_000)]
    assert shares == sorted(shares, reverse=True)


@pytest.mark.parametrize("share", [500, 5_000, 9_000])
def test_the_arms_get_their_shares(share: int) -> None:
    test = a_test(share=share)
    to_b = sum(test.arm_of(f"unit {number}").pk == 2 for number in range(20_000))
    found = sample_ratio([20_000 - to_b, to_b], [10_000 - share, share])
    assert found.p_value > 0.001


def test_a_request_without_a_unit_is_a_unit_itself(raisin: Endpoint, split: ABTest) -> None:
    assert set(arms_of(raisin, 40)) == {"control", "challenger"}
    entries = PredictionRequest.objects.all()
    by_id = a_test()
    arms = trial.arms(split)
    assert {entry.unit for entry in entries} == {""}
    for entry in entries:
        assert entry.arm_id == arms[by_id.arm_of(entry.id.hex).name].pk


def test_asking_for_the_version_under_test_takes_part(raisin: Endpoint, split: ABTest) -> None:
    assert set(arms_of(raisin, 20, status="ab_testing")) == {"control", "challenger"}


@pytest.mark.parametrize(
    ("asked", "number"),
    [
        ({"version": 1}, 1),
        ({"version": 2}, 2),
        ({"version": 2, "status": "ab_testing"}, 2),
        ({"status": "production"}, 1),
        ({"source": Source.TRY}, 1),
        ({"source": Source.DEMO}, 1),
    ],
)
def test_who_names_a_version_or_is_no_application_takes_no_part(
    asked: dict[str, Any], number: int, raisin: Endpoint, split: ABTest
) -> None:
    for unit in ("user-0", "user-1"):
        answer = cast.prediction(raisin, unit=unit, **asked)
        assert (answer.version.number, answer.part) == (number, None)
        assert (logged(answer).arm_id, logged(answer).unit) == (None, unit)


def test_a_unit_is_logged_though_there_is_no_test(raisin: Endpoint) -> None:
    answer = cast.prediction(raisin, unit="user-1")
    assert (logged(answer).unit, logged(answer).arm_id, answer.part) == ("user-1", None, None)


def test_another_phase_has_arms_of_its_own(raisin: Endpoint, split: ABTest) -> None:
    first = cast.prediction(raisin, unit="user-1")
    trial.new_phase(split, share=1)
    second = cast.prediction(raisin, unit="user-1")
    assert (first.version.number, second.version.number) == (2, 1)
    assert logged(second).arm_id == trial.arms(split)["control"].pk
    assert logged(second).arm_id != logged(first).arm_id


def test_it_is_over_once_the_test_is_stopped(raisin: Endpoint, split: ABTest) -> None:
    trial.stop(split)
    assert set(arms_of(raisin, 10)) == {""}


def test_a_change_is_seen_with_the_next_look(
    raisin: Endpoint,
    challenger: AlgorithmVersion,
    settings: Any,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    settings.RAISIN_REFRESH_SECONDS = 1.0
    clock = Clock()
    remembered = Snapshots(clock)
    found = remembered.get("raisin")
    assert found is not None
    assert found.test is None
    test = trial.running_test(raisin, challenger)
    clock.now += 1.0
    found = remembered.get("raisin")
    assert found is not None
    assert found.test is not None
    assert (found.test.pk, found.test.is_shadow) == (test.pk, True)
    clock.now += 1.0
    with django_assert_num_queries(1):
        assert remembered.get("raisin") is found


def test_a_test_whose_challenger_cannot_be_loaded_is_left_out(
    raisin: Endpoint,
    challenger: AlgorithmVersion,
    split: ABTest,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(snapshots, "models", snapshots.ModelCache(4))
    file = artifacts.folder(challenger) / "weights.npz"
    kept = file.read_bytes()
    file.write_bytes(b"nonsense")
    with caplog.at_level(logging.ERROR):
        assert set(arms_of(raisin, 10)) == {""}
    assert "the A/B test is left out: The artefact of v2 cannot be used" in caplog.text
    file.write_bytes(kept)
    assert set(arms_of(raisin, 20)) == {"control", "challenger"}


def test_a_broken_challenger_is_tried_again(
    raisin: Endpoint, challenger: AlgorithmVersion, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.RAISIN_REFRESH_SECONDS = 1.0
    monkeypatch.setattr(snapshots, "models", snapshots.ModelCache(4))
    trial.running_test(raisin, challenger)
    file = artifacts.folder(challenger) / "weights.npz"
    kept = file.read_bytes()
    file.write_bytes(b"nonsense")
    clock = Clock()
    remembered = Snapshots(clock)
    found = remembered.get("raisin")
    assert found is not None
    assert (found.test, found.problem, found.number) == (None, "", 1)
    file.write_bytes(kept)
    clock.now += 1.0
    found = remembered.get("raisin")
    assert found is not None
    assert found.test is not None
    assert found.test_problem == ""


def test_a_test_against_another_version_than_productions_is_left_out(
    raisin: Endpoint, split: ABTest
) -> None:
    trial.arms(split)["control"].phase.arms.filter(name="control").update(version=split.challenger)
    assert set(arms_of(raisin, 10)) == {""}


def test_it_counts_for_whoever_watches(raisin: Endpoint, split: ABTest) -> None:
    before = metrics.read().tested
    arms = arms_of(raisin, 10)
    after = metrics.read().tested
    for arm in ("control", "challenger"):
        key = ("raisin", split.pk, arm)
        assert after.get(key, 0) - before.get(key, 0) == arms.count(arm)


def test_a_test_of_versions_with_other_classes_is_left_out(raisin: Endpoint) -> None:
    other = cast.registered_version(raisin, positive="Kecimen")
    trial.running_test(raisin, other, kind="split")
    assert set(arms_of(raisin, 10)) == {""}


@pytest.mark.parametrize("unit", ["user-0", "user-1"])
def test_arms_fill_what_is_missing_only_where_the_endpoint_allows_it(
    unit: str, raisin: Endpoint, split: ABTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    load, gap = snapshots.load, cast.ROW | {"Area": None}

    def tolerant(version: AlgorithmVersion) -> Classifier:
        classifier = load(version)
        columns = [replace(column, fill=87_524.0) for column in classifier.schema.columns]
        return replace(classifier, schema=Schema(tuple(columns)))

    monkeypatch.setattr(snapshots, "load", tolerant)
    assert cast.prediction(raisin, rows=[gap], unit=unit).imputed == [("Area",)]
    Endpoint.objects.update(missing_values=MissingValues.REFUSE)
    with pytest.raises(InvalidRows):
        cast.prediction(raisin, rows=[gap], unit=unit)


def test_where_production_cannot_be_loaded_what_goes_on_is_no_part_of_a_test(
    raisin: Endpoint, split: ABTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(version: AlgorithmVersion) -> Classifier:
        raise NoModel("gone")

    known = snapshots.read(raisin)
    assert known.test is not None
    monkeypatch.setattr(snapshots, "load", broken)
    found = snapshots.read(raisin, known)
    assert (found.test, found.problem, found.number) == (None, "gone", 1)
    assert found.classifier is known.classifier
