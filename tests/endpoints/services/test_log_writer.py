"""Group commit: who waits is answered after the commit, all at once, or told that nothing was kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from endpoints.errors import LogUnavailable
from endpoints.services import log_writer
from endpoints.services.log_writer import CROWD, LARGEST_GROUP, LONGEST_GATHERING, GroupWriter


class Store:
    """Remembers its groups; holds each up until `gate` is open, and fails while `broken`."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.broken = False

    def commit(self, group: Sequence[int]) -> None:
        self.entered.set()
        self.gate.wait(10)
        if self.broken:
            raise OSError("the disk is full")
        self.groups.append(list(group))

    @property
    def items(self) -> list[int]:
        return [item for group in self.groups for item in group]


Make = Callable[..., GroupWriter[int]]


@pytest.fixture
def make() -> Iterator[Make]:
    """Writers that are stopped when the test is over."""
    made: list[GroupWriter[int]] = []

    def make_one(store: Store, capacity: int, **options: Any) -> GroupWriter[int]:
        made.append(GroupWriter(store.commit, capacity=capacity, **options))
        return made[-1]

    yield make_one
    for writer in made:
        writer.stop()


def wait_for_depth(writer: GroupWriter[int], depth: int) -> None:
    deadline = time.monotonic() + 10
    while writer.depth < depth:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_it_works(make: Make) -> None:
    store = Store()
    writer = make(store, 10)
    writer.write(1)
    assert store.groups == [[1]]


def test_those_who_wait_share_the_next_commit(make: Make) -> None:
    store = Store()
    store.gate.clear()
    writer = make(store, 100)
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(writer.write, 0)
        assert store.entered.wait(10)
        others = [pool.submit(writer.write, number) for number in range(1, 9)]
        wait_for_depth(writer, 8)
        assert not any(future.done() for future in (first, *others))
        store.gate.set()
        for future in (first, *others):
            future.result(timeout=10)
    assert store.groups[0] == [0]
    assert [sorted(group) for group in store.groups[1:]] == [list(range(1, 9))]


def test_a_group_has_a_largest_size(make: Make) -> None:
    store = Store()
    store.gate.clear()
    writer = make(store, 1_000)
    many = LARGEST_GROUP + 5
    with ThreadPoolExecutor(many + 1) as pool:
        pool.submit(writer.write, -1)
        assert store.entered.wait(10)
        for number in range(many):
            pool.submit(writer.write, number)
        wait_for_depth(writer, many)
        store.gate.set()
    assert [len(group) for group in store.groups] == [1, LARGEST_GROUP, 5]


@pytest.mark.parametrize(
    ("took", "gathers"), [(0.001, 0.001), (LONGEST_GATHERING * 3, LONGEST_GATHERING)]
)
def test_a_crowd_gathers_as_long_as_a_group_took_and_a_lone_caller_does_not_wait(
    make: Make, monkeypatch: pytest.MonkeyPatch, took: float, gathers: float
) -> None:
    waited: list[float] = []
    seconds = iter(range(1_000_000))
    monkeypatch.setattr(log_writer, "sleep", waited.append)
    monkeypatch.setattr(log_writer, "perf_counter", lambda: next(seconds) * took)
    store = Store()
    writer = make(store, 100)
    for number in range(3):
        writer.write(number)
    assert not waited
    store.gate.clear()
    store.entered.clear()
    with ThreadPoolExecutor(CROWD + 1) as pool:
        pool.submit(writer.write, 3)
        assert store.entered.wait(10)
        crowd = [pool.submit(writer.write, 4 + number) for number in range(CROWD)]
        wait_for_depth(writer, CROWD)
        store.gate.set()
        for future in crowd:
            future.result(timeout=10)
    assert not waited
    writer.write(99)
    assert waited == [pytest.approx(gathers)]
    writer.write(100)
    assert len(waited) == 1


def test_it_refuses_when_too_many_wait(make: Make) -> None:
    store = Store()
    store.gate.clear()
    writer = make(store, 2)
    with ThreadPoolExecutor(3) as pool:
        pool.submit(writer.write, 0)
        assert store.entered.wait(10)
        waiting = [pool.submit(writer.write, number) for number in (1, 2)]
        wait_for_depth(writer, 2)
        with pytest.raises(LogUnavailable) as refusal:
            writer.write(3)
        assert refusal.value.status == 503
        assert refusal.value.retry_after == 1
        store.gate.set()
        for future in waiting:
            future.result(timeout=10)
    assert sorted(store.items) == [0, 1, 2]


def test_it_refuses_all_of_a_group_that_fails_and_goes_on(make: Make) -> None:
    store = Store()
    store.gate.clear()
    store.broken = True
    writer = make(store, 10)
    with ThreadPoolExecutor(3) as pool:
        failing = [pool.submit(writer.write, number) for number in range(3)]
        store.gate.set()
        for future in failing:
            with pytest.raises(LogUnavailable) as refusal:
                future.result(timeout=10)
            assert isinstance(refusal.value.__cause__, OSError)
    store.broken = False
    writer.write(7)
    assert store.items == [7]


def test_every_item_of_many_threads_is_written_once(make: Make) -> None:
    store = Store()
    writer = make(store, 1_000)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(writer.write, range(2_000)))
    assert sorted(store.items) == list(range(2_000))


def test_it_does_its_housekeeping_without_any_load(make: Make) -> None:
    done = threading.Event()
    writer = make(Store(), 10, idle=done.set, idle_seconds=0.01)
    writer.write(1)
    done.clear()
    assert done.wait(10)


def test_it_does_its_housekeeping_before_anybody_writes(make: Make) -> None:
    done = threading.Event()
    writer = make(Store(), 10, idle=done.set, idle_seconds=0.01)
    writer.start()
    assert done.wait(10)


class Panic(BaseException):
    """What a library written in Rust raises; no Exception."""


def test_whatever_fails_nobody_waits_for_ever() -> None:
    store, panics = Store(), iter([True])

    def commit(group: Sequence[int]) -> None:
        if next(panics, False):
            raise Panic
        store.commit(group)

    writer = GroupWriter(commit, capacity=10)
    with pytest.raises(LogUnavailable):
        writer.write(1)
    writer.write(2)
    writer.stop()
    assert store.items == [2]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_died_is_replaced(make: Make) -> None:
    store, panics = Store(), iter([True])

    def panic() -> None:
        if next(panics, False):
            raise Panic

    writer = make(store, 10, idle=panic)
    writer.write(1)
    assert writer._thread is not None
    writer._thread.join(10)
    writer.write(2)
    assert store.items == [1, 2]


def test_failing_housekeeping_stops_nothing(make: Make) -> None:
    store = Store()

    def fail() -> None:
        raise OSError("no")

    writer = make(store, 10, idle=fail, idle_seconds=0.01)
    writer.write(1)
    time.sleep(0.05)
    writer.write(2)
    assert store.items == [1, 2]


def test_to_stop_is_to_write_what_waits_and_to_refuse_the_rest(make: Make) -> None:
    store = Store()
    store.gate.clear()
    writer = make(store, 10)
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(writer.write, 0)]
        assert store.entered.wait(10)
        waiting.append(pool.submit(writer.write, 1))
        wait_for_depth(writer, 1)
        stopping = pool.submit(writer.stop)
        store.gate.set()
        stopping.result(timeout=10)
        for future in waiting:
            future.result(timeout=10)
    with pytest.raises(LogUnavailable):
        writer.write(2)
    assert sorted(store.items) == [0, 1]
