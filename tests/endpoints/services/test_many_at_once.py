"""A hundred people promote two candidates in turn, each on a connection of their own; on both databases."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from endpoints.errors import Conflict, DomainError, InvalidTransition
from endpoints.models import AlgorithmVersion, Endpoint, Event, Status, StatusChange
from endpoints.services import gates, lifecycle
from endpoints.services.access import Caller
from endpoints.services.transitions import Decision
from tests.cast import registered_version
from tests.endpoints.services.decisions import NOON, REASON

pytestmark = pytest.mark.django_db(transaction=True)

CANDIDATES = (2, 3)
PEOPLE = 100
LOOKS = 4  # who comes too late reviews again, as the message asks


@dataclass(frozen=True)
class Attempt:
    """What became of one promotion: the change that it made or the error that its person got."""

    change: StatusChange | None = None
    error: Exception | None = None


@pytest.fixture
def rivals(raisin: Endpoint) -> Endpoint:
    """v1 answers; v2 and v3 are staged and equally good."""
    run = raisin.versions.get(number=2).run
    registered_version(raisin, run=run, status=Status.STAGING)
    return raisin


def candidate(endpoint: Endpoint, person: int) -> tuple[AlgorithmVersion, int]:
    """Return the candidate whose turn it is and the number of the version that answers."""
    versions = {v.number: v for v in endpoint.versions.select_related("endpoint")}
    answering = next(n for n, v in versions.items() if v.status == Status.PRODUCTION)
    waiting = [n for n in CANDIDATES if n != answering]
    return versions[waiting[person % len(waiting)]], answering


def promote(endpoint: Endpoint, person: int, clock: Callable[[], int]) -> StatusChange:
    """Look, bring the candidate back if it has been replaced, and promote it over what was seen."""
    version, answering = candidate(endpoint, person)

    def decision(seen: int | None = None) -> Decision:
        now = NOON + timedelta(seconds=clock())
        actor = Caller(system=f"person {person}")
        return Decision(actor=actor, now=now, reason=REASON, expected_production=seen)

    if version.status == Status.ARCHIVED:
        lifecycle.restore(version=version, decision=decision())
    if version.status == Status.TESTING:
        lifecycle.stage(version=version, decision=decision())
    return lifecycle.promote(version=version, decision=decision(answering))


def all_at_once(endpoint: Endpoint, people: int) -> list[Attempt]:
    """Let everybody start at the same moment and try until they have promoted once or given up."""
    ticks = itertools.count(1)
    start = threading.Barrier(people)

    def attempts(person: int) -> Iterator[Attempt]:
        for _ in range(LOOKS):
            try:
                yield Attempt(change=promote(endpoint, person, ticks.__next__))
                return
            except DomainError as error:
                yield Attempt(error=error)
            finally:
                connection.close()  # others wait for it: on PostgreSQL the pool has eight

    def take_part(person: int) -> list[Attempt]:
        start.wait()
        return list(attempts(person))

    with ThreadPoolExecutor(people) as pool:
        return [attempt for made in pool.map(take_part, range(people)) for attempt in made]


@contextmanager
def watched(endpoint: Endpoint) -> Iterator[set[int]]:
    """Yield the numbers of production versions that somebody who looks all the time has seen."""
    seen: set[int] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.002):
            seen.add(endpoint.versions.in_production().count())
        connection.close()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        done.set()
        watcher.join()


def conflicts_that_are_true(endpoint: Endpoint) -> set[str]:
    """What a loser may be told: one sentence for each change that was really made."""
    return {
        f"{c.version.label} became {c.to_status} at {timezone.localtime(c.at):%H:%M:%S} "
        f"({c.actor_name}). Review again."
        for c in StatusChange.objects.of(endpoint).select_related("version")
    }


def assert_in_turn(endpoint: Endpoint, attempts: Sequence[Attempt]) -> None:
    """Each success is recorded once in both places, and each replaced the one before."""
    won = {a.change.pk for a in attempts if a.change is not None}
    changes = StatusChange.objects.of(endpoint).order_by("id").select_related("version")
    promotions = [c for c in changes if c.verb == "promote"]
    assert {c.pk for c in promotions[1:]} == won  # the first one is the fixture's
    replaced = [c.version.number for c in changes if c.verb == "replace"]
    assert replaced == [c.version.number for c in promotions[:-1]]
    events = Event.objects.filter(endpoint=endpoint, verb="promote").order_by("id")
    assert [(e.subject, e.actor_name, e.at) for e in events] == [
        (c.version.label, c.actor_name, c.at) for c in promotions
    ]
    assert [v.pk for v in endpoint.versions.in_production()] == [promotions[-1].version_id]


def test_a_hundred_leave_one_version_and_one_record_for_each_success(
    rivals: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gates, "evaluate", lambda *_, **__: [])
    with watched(rivals) as seen:
        attempts = all_at_once(rivals, PEOPLE)
    assert seen == {1}
    assert len([a for a in attempts if a.change is not None]) >= 2
    assert_in_turn(rivals, attempts)
    errors = [a.error for a in attempts if a.error is not None]
    assert {type(error) for error in errors} <= {Conflict, InvalidTransition}
    conflicts = {str(error) for error in errors if isinstance(error, Conflict)}
    assert conflicts
    assert conflicts <= conflicts_that_are_true(rivals)


def test_a_few_with_real_gates_leave_one_version_too(rivals: Endpoint) -> None:
    with watched(rivals) as seen:
        attempts = all_at_once(rivals, 8)
    assert seen == {1}
    assert any(a.change is not None for a in attempts)
    assert_in_turn(rivals, attempts)
