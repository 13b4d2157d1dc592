"""Ids of logged requests: UUIDs of version 7 (RFC 9562), whose order is that of time.

The log is sorted, paged, partitioned and pruned by them. This module knows no clock.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from uuid import UUID

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_VERSION, _VARIANT = 7 << 76, 2 << 62


def new(moment: datetime) -> UUID:
    """Return an id of this moment: 48 bits of milliseconds, 10 of microseconds, 64 of chance.

    The microseconds stand where RFC 9562 (section 6.2, method 3) has a finer clock.
    """
    return UUID(int=_begin(moment) | _VARIANT | secrets.randbits(62))


def derived(moment: datetime, key: str, place: int) -> UUID:
    """Return the id of one place of something that has a key, the same each time, in the order of places.

    For what is done again after a crash, and must not be logged twice. Places are from 0 to 2**32.
    """
    digest = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4]) >> 2
    return UUID(int=_begin(moment) | _VARIANT | place << 30 | digest)


def earliest(moment: datetime) -> UUID:
    """Return the lowest id that `new` could have given at this moment."""
    return UUID(int=_begin(moment) | _VARIANT)


def moment_of(request_id: UUID) -> datetime:
    """Return when an id was given; any other UUID gives a moment without a meaning."""
    milliseconds, fraction = request_id.int >> 80, (request_id.int >> 64) & 0xFFF
    return _EPOCH + timedelta(milliseconds=milliseconds, microseconds=fraction >> 2)


def _begin(moment: datetime) -> int:
    milliseconds, microseconds = divmod((moment - _EPOCH) // _MICROSECOND, 1_000)
    return milliseconds << 80 | _VERSION | microseconds << 66
