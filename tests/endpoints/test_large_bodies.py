"""Large bodies share room: who finds none waits for a turn, and is sent away where too many wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.http import HttpRequest
from hypothesis import given
from hypothesis import strategies as st

from endpoints import large_bodies
from endpoints.errors import NoRoom
from endpoints.large_bodies import SMALL, Room
from endpoints.memory import reclaimer

SOON = 60.0


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


@contextmanager
def waiting(room: Room, *sizes: int) -> Iterator[list[int]]:
    """Let threads ask for room one after the other; gives the sizes that were let in, in their order."""
    admitted: list[int] = []

    def ask(size: int) -> None:
        admitted.append(room.enter(size))

    threads = [threading.Thread(target=ask, args=(size,), daemon=True) for size in sizes]
    for place, thread in enumerate(threads, start=1):
        thread.start()
        until(lambda place=place: room.waiting == place)  # type: ignore[misc]
    yield admitted
    for thread in threads:
        thread.join(SOON)


def test_it_works() -> None:
    room = Room(100, most_waiting=1, patience=SOON)
    room.enter(60)
    with waiting(room, 50) as admitted:
        assert not admitted
        room.leave(60)
    assert admitted == [50]
    assert room.free == 50


def test_who_wants_more_than_there_is_gets_all_of_it() -> None:
    room = Room(100, most_waiting=0)
    assert room.enter(1_000) == 100
    assert room.free == 0


def test_too_many_are_sent_away_at_once() -> None:
    room = Room(100, most_waiting=1, patience=SOON)
    room.enter(100)
    with waiting(room, 50):
        started = time.monotonic()
        with pytest.raises(NoRoom) as refused:
            room.enter(50)
        assert time.monotonic() - started < SOON / 2
        assert (refused.value.status, refused.value.retry_after) == (503, 1)
        room.leave(100)


def test_nobody_waits_for_ever() -> None:
    room = Room(100, most_waiting=1, patience=0.01)
    room.enter(100)
    with pytest.raises(NoRoom):
        room.enter(50)
    room.leave(100)
    assert (room.free, room.waiting) == (100, 0)


def test_a_large_one_is_not_overtaken_for_ever() -> None:
    room = Room(100, most_waiting=2, patience=SOON)
    room.enter(60)
    with waiting(room, 90, 10) as admitted:
        assert not admitted  # 10 would fit beside the 60
        room.leave(60)
    assert sorted(admitted) == [10, 90]


def test_who_comes_after_one_that_gave_up_is_let_in() -> None:
    room = Room(100, most_waiting=2, patience=1.0)
    room.enter(60)
    impatient = threading.Thread(target=lambda: pytest.raises(NoRoom, room.enter, 90), daemon=True)
    impatient.start()
    until(lambda: room.waiting == 1)
    time.sleep(0.5)
    assert room.enter(40) == 40
    impatient.join(SOON)
    assert (room.free, room.waiting) == (0, 0)


@given(st.lists(st.integers(1, 100), min_size=1, max_size=30))
def test_what_is_taken_comes_back(sizes: list[int]) -> None:
    room = Room(3_000, most_waiting=0)
    taken = [room.enter(size) for size in sizes]
    assert room.free == 3_000 - sum(sizes)
    for size in taken:
        room.leave(size)
    assert room.free == 3_000


@pytest.fixture
def room() -> Room:
    return Room(10 * SMALL, most_waiting=0, patience=0.01)


def test_a_request_keeps_its_room_and_its_body_until_it_ends(room: Room) -> None:
    request = HttpRequest()
    large_bodies.begin(request)
    large_bodies.take(room, request, 2 * SMALL)
    large_bodies.take(room, request, 2 * SMALL)  # as when the body is asked for again
    request._body = b"large"
    assert room.free == 8 * SMALL
    large_bodies.end(request)
    assert room.free == 10 * SMALL
    assert "_body" not in vars(request)


def test_a_small_body_needs_no_room(room: Room) -> None:
    request = HttpRequest()
    large_bodies.begin(request)
    large_bodies.take(room, request, SMALL)
    request._body = b"small"
    assert room.free == 10 * SMALL
    large_bodies.end(request)
    assert request.body == b"small"


def test_a_request_that_nobody_ends_takes_no_room(room: Room) -> None:
    large_bodies.take(room, HttpRequest(), 2 * SMALL)
    assert room.free == 10 * SMALL


def test_memory_is_given_back_after_a_very_large_body_alone(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[int] = []
    monkeypatch.setattr(reclaimer, "run", lambda: runs.append(1))
    for size in (SMALL + 1, large_bodies.HUGE, large_bodies.HUGE + 1):
        request = HttpRequest()
        large_bodies.begin(request)
        large_bodies.take(room, request, size)
        large_bodies.end(request)
    assert len(runs) == 1
