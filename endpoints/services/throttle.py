"""Lets something happen every so often, however often it is asked for; it knows not what."""

from __future__ import annotations

import time
from collections.abc import Callable


class Every:
    """Says when it is time again: never sooner than so many seconds after the last time."""

    def __init__(self, seconds: float, *, elapsed: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._elapsed = seconds, elapsed
        self._last = elapsed()

    def is_due(self) -> bool:
        now = self._elapsed()
        if now - self._last < self._seconds:
            return False
        self._last = now
        return True
