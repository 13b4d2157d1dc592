"""What a worker looks after now and then: files kept long enough or left behind, old doorbells, jobs whose worker
is gone. `tick` does what of it needs no worker.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings

from endpoints.services import doorbell, leases, uploads
from endpoints.services.batches import expiry
from endpoints.services.datasets import sweeping
from endpoints.services.large import scratch
from endpoints.services.training_jobs import checkpoint_files

HOUR = 3_600.0
SHORTEST_GAP = timedelta(seconds=5)
"""Between two looks of a worker, after which something must have kept it from looking."""


class NowAndThen:
    """Does what there is to do at most once in so many seconds; None if there was nothing."""

    def __init__(
        self,
        work: Callable[[datetime], int],
        done: str,
        *,
        seconds: float,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._work, self._done, self._seconds = work, done, seconds
        self._elapsed = elapsed
        self._next_look = float("-inf")

    def __call__(self, clock: Callable[[], datetime]) -> str | None:
        if self._elapsed() < self._next_look:
            return None
        found = self._work(clock())  # what fails is tried again at the next turn
        self._next_look = self._elapsed() + self._seconds
        return self._done if found else None


def clear_away(now: datetime) -> int:
    """Return how many batches and doorbells went; what was left behind goes without a word."""
    sweep(now)
    return doorbell.forget(now) + expiry.expire(now)


def sweep(now: datetime) -> None:
    """Remove files that killed processes left and no row owns."""
    uploads.clear_strays(now)
    expiry.clear_strays(now)
    sweeping.sweep(now)
    checkpoint_files.sweep()
    scratch.clear(Path(settings.RAISIN_HOME) / "scratch")


class Patient:
    """Takes over what dead workers left, but not what nobody could be heard of.

    While the database was away, or this machine slept, the living ones fell silent too: they get the time of a
    lease to be heard again. All threads of a process look through the same one.
    """

    def __init__(self, take_over: Callable[[datetime], int] = leases.take_over) -> None:
        self._take_over = take_over
        self._looked_at: datetime | None = None
        self._waits_until: datetime | None = None
        self._one_at_a_time = threading.Lock()

    def __call__(self, now: datetime) -> int:
        with self._one_at_a_time:
            return self._look(now)

    def _look(self, now: datetime) -> int:
        lease = timedelta(seconds=settings.RAISIN_LEASE_SECONDS)
        since = now - self._looked_at if self._looked_at else timedelta(0)
        if self._waits_until is None and since > max(lease, SHORTEST_GAP):
            self._waits_until = now + lease
        if self._waits_until and now < self._waits_until:
            return 0
        found = self._take_over(now)
        self._looked_at, self._waits_until = now, None
        return found


files = NowAndThen(clear_away, "cleared", seconds=HOUR)
left_by_others = NowAndThen(Patient(), "taken over", seconds=settings.RAISIN_LEASE_SECONDS / 3)
