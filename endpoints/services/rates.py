"""How often a caller may ask: a token bucket for each key, and one for everybody without a key at an endpoint.

Each process counts for itself, so that asking costs no database. It knows nothing of HTTP.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from time import monotonic

from django.conf import settings

from endpoints.errors import TooManyRequests
from endpoints.models import Endpoint
from endpoints.services.access import Caller

BURST_SECONDS = 2.0
"""A caller who was silent may send at once what the rate allows in this time, and at least one request."""
MOST_BUCKETS = 10_000


class Buckets:
    """Tokens by caller. A full bucket says nothing, so the least recently used may be forgotten."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._levels: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def take(self, name: Hashable, rate: float) -> float:
        """Take a token. Returns 0, or the seconds until there is one again."""
        size, now = max(1.0, rate * BURST_SECONDS), self._clock()
        with self._lock:
            level, at = self._levels.get(name, (size, now))
            level = min(size, level + (now - at) * rate)
            is_allowed = level >= 1
            self._levels[name] = level - 1 if is_allowed else level, now
            self._levels.move_to_end(name)
            if len(self._levels) > MOST_BUCKETS:
                self._levels.popitem(last=False)
        return 0.0 if is_allowed else (1 - level) / rate


_buckets = Buckets()


def check(caller: Caller, endpoint: Endpoint) -> None:
    """Raises TooManyRequests. People, commands and a rate of 0 have no limit."""
    if caller.key is not None:
        rate = caller.key.rate or settings.RAISIN_KEY_RATE
        name: Hashable = caller.key.pk
    elif not caller.is_known:
        rate, name = settings.RAISIN_PUBLIC_RATE, endpoint.slug
    else:
        return
    wait = _buckets.take(name, rate) if rate else 0.0
    if wait:
        message = f"More than {rate:g} requests a second. Try again in {wait:.1f} seconds."
        raise TooManyRequests(message, retry_after=math.ceil(wait))
