"""Gives memory that nobody uses any more back to the system; it knows nothing of what used it."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable
from time import monotonic

SECONDS_BETWEEN = 0.1
"""It takes 4 to 10 ms."""


class Reclaimer:
    """Collects garbage and trims the C library's heap, not more often than every so many seconds."""

    def __init__(self, seconds_between: float, *, clock: Callable[[], float] = monotonic) -> None:
        self._seconds_between, self._clock = seconds_between, clock
        self._last = float("-inf")

    def run(self) -> bool:
        """Return whether it was time to do it."""
        now = self._clock()
        if now - self._last < self._seconds_between:
            return False
        self._last = now
        gc.collect()
        _trim(0)
        return True


def _found_trim() -> Callable[[int], int]:
    """Return glibc's malloc_trim, or what does nothing where the C library is another one."""
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    found: Callable[[int], int] = getattr(library, "malloc_trim", lambda _: 0)
    return found


_trim = _found_trim()
reclaimer = Reclaimer(SECONDS_BETWEEN)
