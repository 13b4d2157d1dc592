"""What a worker looks after now and then: files kept long enough, old doorbells, jobs whose worker is gone."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from django.conf import settings

from endpoints.services import doorbell, leases, uploads
from endpoints.services.batches import expiry

HOUR = 3_600.0


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
    """Return how many batches and doorbells went; what a killed server received goes without a word."""
    uploads.clear_strays(now)
    return doorbell.forget(now) + expiry.expire(now)


files = NowAndThen(clear_away, "cleared", seconds=HOUR)
left_by_others = NowAndThen(
    leases.take_over, "taken over", seconds=settings.RAISIN_LEASE_SECONDS / 3
)
