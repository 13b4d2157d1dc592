"""Group commit: callers hand in what must be durable and wait; one thread writes for all who wait.

While one group is written the next one gathers, so its size follows the load. It knows neither SQL nor what
it writes.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from time import perf_counter, sleep
from typing import Generic, TypeVar

from endpoints.errors import LogUnavailable

T = TypeVar("T")
LARGEST_GROUP = 256
CROWD = 4
LONGEST_GATHERING = 0.002
"""Seconds. Once CROWD callers came together, the next group is given as long to gather as the last one took
to be written, and no longer than this: a commit costs the same for sixteen as for eight. Fewer callers wait
for nothing but the commit."""
WAIT_SECONDS = 30.0
"""A caller gives up then. What it handed in may still be written: logged, but not answered."""

logger = logging.getLogger(__name__)


class _Waiting(Generic[T]):
    """What one caller handed in; the lock is held until it is written or refused."""

    __slots__ = ("error", "item", "written")

    def __init__(self, item: T) -> None:
        self.item = item
        self.error: BaseException | None = None
        self.written = threading.Lock()
        self.written.acquire()


class GroupWriter(Generic[T]):
    """`commit` stores a group durably or raises; it runs in one thread only, started when it is needed.

    `idle` runs in the same thread after each group that was written and at least once in `idle_seconds`.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[T]], None],
        *,
        capacity: int,
        idle: Callable[[], None] = lambda: None,
        idle_seconds: float = 1.0,
    ) -> None:
        self._commit, self._idle = commit, idle
        self._capacity, self._idle_seconds = capacity, idle_seconds
        self._queue: deque[_Waiting[T]] = deque()
        self._filled = threading.Condition(threading.Lock())
        self._thread: threading.Thread | None = None
        self._stopping = self._is_crowded = False
        self._written_in = 0.0

    @property
    def depth(self) -> int:
        """How many callers wait for the group after the one being written."""
        return len(self._queue)

    def write(self, item: T) -> None:
        """Return when the item is durable. Raises LogUnavailable if it is not or may not be."""
        waiting = _Waiting(item)
        with self._filled:
            if len(self._queue) >= self._capacity or self._stopping:
                raise LogUnavailable("The log of predictions is full. Try again in a moment.")
            self._queue.append(waiting)
            self._keep_running()
            self._filled.notify()
        if not waiting.written.acquire(timeout=WAIT_SECONDS):
            raise LogUnavailable("The log of predictions did not answer in time.")
        if waiting.error is not None:
            raise LogUnavailable(
                "The log of predictions cannot be written at the moment."
            ) from waiting.error

    def start(self) -> None:
        """Run before anybody writes, where `idle` has something to do."""
        with self._filled:
            self._keep_running()

    def stop(self) -> None:
        """Write what waits, and end the thread."""
        with self._filled:
            self._stopping = True
            self._filled.notify()
        if self._thread is not None:
            self._thread.join()

    def _keep_running(self) -> None:
        """A thread ends with the process that forked this one, and may fail to start."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="request-log", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            group = self._next_group()
            if not group or self._write(group):  # callers come first where nothing can be written
                self._run_idle()
            if self._stopping and not self._queue:
                return

    def _next_group(self) -> list[_Waiting[T]]:
        with self._filled:
            if not self._queue and not self._stopping:
                self._filled.wait(self._idle_seconds)
        if self._is_crowded:
            sleep(min(self._written_in, LONGEST_GATHERING))
        with self._filled:
            size = min(len(self._queue), LARGEST_GROUP)
            self._is_crowded = size >= CROWD
            return [self._queue.popleft() for _ in range(size)]

    def _write(self, group: list[_Waiting[T]]) -> bool:
        """Return whether the group is written; all of it hear of it."""
        error: BaseException | None = None
        began = perf_counter()
        try:
            self._commit([waiting.item for waiting in group])
        except BaseException as problem:  # a library's panic, too: whoever waits must hear of it
            logger.exception("a group of %d log entries was not written", len(group))
            error = problem
        self._written_in = perf_counter() - began
        for waiting in group:
            waiting.error = error
            waiting.written.release()
        return error is None

    def _run_idle(self) -> None:
        try:
            self._idle()
        except Exception:
            logger.exception("the log's housekeeping failed")
