"""The newest day with enough rows, of every version in production, for whoever scrapes, who asks often.

It is remembered for a while. It knows no format and nothing of who may see what.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from time import monotonic

from django.conf import settings
from django.db import Error

from endpoints.services.monitoring import reports
from endpoints.services.monitoring.reports import Today

REMEMBERED_SECONDS = 15.0

logger = logging.getLogger(__name__)


class Gauges:
    """What was read last, for 15 seconds. Two threads may read at once; both read the same."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._known: Sequence[Today] = ()
        self._next_look = float("-inf")

    def read(self) -> Sequence[Today]:
        """Return what is known; without the database nothing is, and counters go on being told."""
        if self._clock() >= self._next_look or not settings.RAISIN_REFRESH_SECONDS:
            self._next_look = self._clock() + REMEMBERED_SECONDS
            try:
                self._known = reports.todays()
            except Error:
                self._known = ()
                logger.exception("drift could not be read for the metrics")
        return self._known


gauges = Gauges()
