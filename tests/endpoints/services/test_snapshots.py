"""What answers is remembered, looked at once a second, and never replaced by what cannot answer."""

from __future__ import annotations

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import DatabaseError, InterfaceError, OperationalError
from pytest_django import DjangoAssertNumQueries

from endpoints.errors import NoModel, NotFound
from endpoints.models import AlgorithmVersion, Endpoint
from endpoints.services import artifacts, lifecycle, snapshots
from endpoints.services.snapshots import ModelCache, Served, Snapshots
from endpoints.services.transitions import Decision
from tests import cast
from tests.endpoints.services.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def remembered(clock: Clock, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Snapshots:
    """Snapshots that look once a second, and models that nobody has loaded yet."""
    settings.RAISIN_REFRESH_SECONDS = 1.0
    monkeypatch.setattr(snapshots, "models", ModelCache(4))
    return Snapshots(clock)


def served(found: Served | None) -> Served:
    assert found is not None
    return found


def number(found: Served | None) -> int | None:
    version = served(found).production
    return version.number if version is not None else None


def promote(endpoint: Endpoint, wanted: int) -> None:
    version = endpoint.versions.get(number=wanted)
    lifecycle.promote(
        version=version, decision=Decision(actor=cast.SYSTEM, now=cast.THEN, reason=cast.REASON)
    )


def test_it_works(
    raisin: Endpoint,
    remembered: Snapshots,
    clock: Clock,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    assert number(remembered.get("raisin")) == 1
    assert remembered.get("nothing") is None
    promote(raisin, 2)
    with django_assert_num_queries(0):
        assert number(remembered.get("raisin")) == 1
    clock.now += 1.0
    assert number(remembered.get("raisin")) == 2


def test_a_look_that_finds_nothing_new_is_one_query(
    raisin: Endpoint,
    remembered: Snapshots,
    clock: Clock,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    before = remembered.get("raisin")
    clock.now += 5.0
    with django_assert_num_queries(1):
        assert remembered.get("raisin") is before


def test_a_change_of_a_setting_is_seen(
    raisin: Endpoint, remembered: Snapshots, clock: Clock
) -> None:
    assert served(remembered.get("raisin")).endpoint.public_predictions
    Endpoint.objects.update(public_predictions=False)
    clock.now += 1.0
    assert not served(remembered.get("raisin")).endpoint.public_predictions


def test_who_changes_something_here_sees_it_at_once(
    raisin: Endpoint, remembered: Snapshots
) -> None:
    remembered.get("raisin")
    promote(raisin, 2)
    remembered.expire()
    assert number(remembered.get("raisin")) == 2


def lose(version: AlgorithmVersion) -> None:
    shutil.rmtree(artifacts.folder(version))


def test_a_lost_artefact_takes_nobodys_place(
    raisin: Endpoint, remembered: Snapshots, clock: Clock
) -> None:
    remembered.get("raisin")
    promote(raisin, 2)
    lose(raisin.versions.get(number=2))
    clock.now += 1.0
    found = served(remembered.get("raisin"))
    assert number(found) == 1
    assert "The artefact of v2 cannot be used" in found.problem
    assert found.choose(None, None).version.number == 1


def test_a_process_that_starts_anew_answers_with_what_was_there_before(
    raisin: Endpoint, remembered: Snapshots
) -> None:
    promote(raisin, 2)
    lose(raisin.versions.get(number=2))
    found = served(remembered.get("raisin"))
    assert number(found) == 1
    assert found.problem


def test_a_corrupted_artefact_is_noticed_and_its_return_too(
    raisin: Endpoint, remembered: Snapshots, clock: Clock
) -> None:
    remembered.get("raisin")
    promote(raisin, 2)
    weights = artifacts.folder(raisin.versions.get(number=2)) / "weights.npz"
    content = weights.read_bytes()
    weights.write_bytes(content[:-7])
    clock.now += 1.0
    assert number(remembered.get("raisin")) == 1
    weights.write_bytes(content)
    clock.now += 1.0
    found = served(remembered.get("raisin"))
    assert (number(found), found.problem) == (2, "")


def test_with_nothing_to_fall_back_on_it_says_why(raisin: Endpoint, remembered: Snapshots) -> None:
    lose(raisin.versions.get(number=1))
    found = served(remembered.get("raisin"))
    with pytest.raises(NoModel, match="The artefact of v1 cannot be used"):
        found.choose(None, None)


def test_while_the_database_is_away_what_is_known_answers(
    raisin: Endpoint, remembered: Snapshots, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    remembered.get("raisin")

    def fail(*_: object) -> None:
        raise DatabaseError("gone")

    monkeypatch.setattr(Snapshots, "_look", fail)
    clock.now += 1.0
    assert number(remembered.get("raisin")) == 1
    with pytest.raises(DatabaseError):
        Snapshots(clock).get("raisin")


def test_others_go_on_while_one_looks(
    raisin: Endpoint, remembered: Snapshots, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = remembered.all()
    looking, go_on = threading.Event(), threading.Event()

    def look(_: Snapshots) -> Any:
        looking.set()
        assert go_on.wait(10)
        return known

    monkeypatch.setattr(Snapshots, "_look", look)
    clock.now += 1.0
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(remembered.get, "raisin")
        assert looking.wait(10)
        assert number(remembered.get("raisin")) == 1
        go_on.set()
        assert number(slow.result(timeout=10)) == 1


def test_nobody_is_told_that_there_is_nothing_before_the_first_look_is_over(
    raisin: Endpoint, remembered: Snapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = remembered._look()
    looking, go_on = threading.Event(), threading.Event()

    def look(_: Snapshots) -> Any:
        looking.set()
        assert go_on.wait(10)
        return found

    monkeypatch.setattr(Snapshots, "_look", look)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(remembered.get, "raisin")
        assert looking.wait(10)
        second = pool.submit(remembered.get, "raisin")
        with pytest.raises(TimeoutError):
            second.result(timeout=0.1)
        go_on.set()
        assert number(first.result(timeout=10)) == number(second.result(timeout=10)) == 1


def test_it_chooses_by_number_and_status(raisin: Endpoint, remembered: Snapshots) -> None:
    found = served(remembered.get("raisin"))
    assert found.choose(2, None).version.number == 2
    assert found.choose(None, "staging").version.number == 2
    assert found.choose(2, "staging") is found.choose(2, "staging")
    with pytest.raises(NotFound, match="no version 9"):
        found.choose(9, None)
    with pytest.raises(NotFound, match="no version 99999999999"):
        found.choose(99999999999, None)
    with pytest.raises(NotFound, match="v2 is in staging, not archived"):
        found.choose(2, "archived")
    with pytest.raises(NotFound, match="no version in testing"):
        found.choose(None, "testing")


def test_the_policy_of_missing_values_is_the_endpoints(
    raisin: Endpoint, remembered: Snapshots
) -> None:
    Endpoint.objects.update(missing_values="refuse")
    classifier = served(remembered.get("raisin")).choose(None, None).classifier
    assert {column.fill for column in classifier.schema.columns} == {None}


def test_who_waits_for_one_look_hears_that_it_failed(
    remembered: Snapshots, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing is known, a database that is away would else cost every caller in turn its timeout."""
    looks: list[int] = []

    def fail() -> Any:
        looks.append(1)
        raise InterfaceError("gone")

    monkeypatch.setattr(remembered, "_look", fail)
    for _ in range(3):
        with pytest.raises(OperationalError, match="could not be read"):
            remembered.get("raisin")
    assert len(looks) == 1
    clock.now += 1.0
    with pytest.raises(OperationalError):
        remembered.get("raisin")
    assert len(looks) == 2
