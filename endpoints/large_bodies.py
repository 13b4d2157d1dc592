"""Room for large bodies: few are read and worked on at a time, others wait for a moment or are sent away.

A body read as JSON takes up to twenty times its bytes for as long as its request lasts. This counts bytes;
it knows neither formats nor what a request asks.
"""

from __future__ import annotations

import sys
import threading
from collections import deque

from django.conf import settings
from django.http import HttpRequest

from endpoints.errors import NoRoom
from endpoints.memory import reclaimer

SMALL = 32_768
"""Bytes; up to so many a body needs no room. In sixteen threads they are half a megabyte together."""
HUGE = 262_144
"""Bytes; after a larger one memory is given back at once. A thousand rows of seven features are smaller."""
READ_AT_ONCE = 4
"""So many of the largest bodies, or as many bytes of smaller ones, are in memory; one of them is worked on.
Reading has more room than work, since a caller who stalls keeps what it took."""
MOST_WAITING = 8
"""Of the server's 16 threads, so that some are left for small bodies."""
PATIENCE = 10.0
"""Seconds. A list of ten thousand labels is worked on for one."""


class _Waiting:
    """Somebody who wants so many bytes; the lock is held until they are there."""

    __slots__ = ("admitted", "wanted")

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.admitted = threading.Lock()
        self.admitted.acquire()


class Room:
    """So many bytes for all who come; who waits is let in by turns, so that no large body starves."""

    def __init__(self, size: int, *, most_waiting: int, patience: float = PATIENCE) -> None:
        self._size = self._free = size
        self._most_waiting, self._patience = most_waiting, patience
        self._queue: deque[_Waiting] = deque()
        self._lock = threading.Lock()

    @property
    def free(self) -> int:
        return self._free

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def enter(self, wanted: int) -> int:
        """Return how many bytes were taken: those wanted, or all there are. Raises NoRoom."""
        waiting = _Waiting(min(wanted, self._size))
        with self._lock:
            self._queue.append(waiting)
            self._admit()
            if len(self._queue) > self._most_waiting:
                self._queue.pop()
                raise _no_room()
        if not waiting.admitted.acquire(timeout=self._patience):
            self._give_up(waiting)
        return waiting.wanted

    def leave(self, taken: int) -> None:
        with self._lock:
            self._free += taken
            self._admit()

    def _admit(self) -> None:
        while self._queue and self._queue[0].wanted <= self._free:
            first = self._queue.popleft()
            self._free -= first.wanted
            first.admitted.release()

    def _give_up(self, waiting: _Waiting) -> None:
        """Raises NoRoom, unless there was room in the very last moment."""
        with self._lock:
            if waiting in self._queue:
                self._queue.remove(waiting)
                self._admit()
                raise _no_room()


def _no_room() -> NoRoom:
    message = "Too many large bodies are being worked on. Send this one again in a moment."
    return NoRoom(message, retry_after=1)


reading = Room(READ_AT_ONCE * settings.RAISIN_MAX_BODY_BYTES, most_waiting=MOST_WAITING)
working = Room(settings.RAISIN_MAX_BODY_BYTES, most_waiting=sys.maxsize)
"""Who waits to be worked on was let in to read, so they are few."""


def begin(request: HttpRequest) -> None:
    """Let the request take room; who calls this calls `end` as well."""
    vars(request)["_taken"] = {}


def take(room: Room, request: HttpRequest, size: int) -> None:
    """Wait for room for a body until its request ends; raises NoRoom. A request takes it only once."""
    if size > SMALL:
        taken: dict[Room, int] | None = vars(request).get("_taken")
        if taken is not None and room not in taken:
            taken[room] = room.enter(size)


def end(request: HttpRequest) -> None:
    """Give all room back, and the body: a view of the REST framework and its request hold each other."""
    kept = vars(request)
    taken = kept.pop("_taken")
    if not taken:
        return
    kept.pop("_body", None)
    for room, size in taken.items():
        room.leave(size)
    if max(taken.values()) > HUGE:
        reclaimer.run()
