"""Whether this process can do its work now: each condition by name, with what to do where it does not hold.

What was found holds for a second, so that many probes cost no more than one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from time import monotonic

from django.conf import settings
from django.db import Error, connection

from endpoints.services import installation, request_log
from endpoints.services.snapshots import Served, snapshots

LONGEST_MEMORY = 1.0
HIGH_WATER = 0.9
"""Of the places in the log's queue; above it, others should get the requests."""

_all_migrated = False


@dataclass(frozen=True)
class Check:
    """One condition; the message says what to do where it does not hold."""

    name: str
    ok: bool
    message: str = "OK"


def examine() -> list[Check]:
    """Check in the order in which one needs the other, and stop at the first that fails."""
    found: list[Check] = []
    for check in (_database, _migrations, _log, _models):
        found.append(check())
        if not found[-1].ok:
            break
    return found


class Remembered:
    """What a look found; while one thread looks, the others wait for what it finds."""

    def __init__(
        self, look: Callable[[], Sequence[Check]], clock: Callable[[], float] = monotonic
    ) -> None:
        self._look, self._clock = look, clock
        self._lock = Lock()
        self._found: Sequence[Check] = ()
        self._until = float("-inf")

    def __call__(self) -> Sequence[Check]:
        with self._lock:
            if self._clock() >= self._until:
                self._found = self._look()
                memory = min(settings.RAISIN_REFRESH_SECONDS, LONGEST_MEMORY)
                self._until = self._clock() + memory
            return self._found


def _database() -> Check:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error as error:
        return Check("database", False, f"The database does not answer: {type(error).__name__}.")
    return Check("database", True)


def _migrations() -> Check:
    """While the code stays the same the plan cannot grow, so a clean answer is kept."""
    global _all_migrated  # noqa: PLW0603
    _all_migrated = _all_migrated or not installation.pending_migrations()
    if _all_migrated:
        return Check("migrations", True)
    return Check("migrations", False, "The database is behind the code: run `manage.py prepare`.")


def _log() -> Check:
    """Nothing is answered that is not logged, so without the log there is no service."""
    log = request_log.log()
    file = settings.DATABASES["default"].get("LOG", {}).get("NAME")
    if log.has_just_failed or (file is not None and not os.access(file, os.W_OK)):
        return Check("log", False, "The request log cannot be written: look at its disk or server.")
    if log.depth >= settings.RAISIN_LOG_QUEUE * HIGH_WATER:
        return Check(
            "log", False, f"{log.depth:,} requests wait for the log: its disk is too slow."
        )
    return Check("log", True)


def _models() -> Check:
    """One broken endpoint must not take all others out of service; none that answers must."""
    promoted = [found for found in snapshots.all().values() if found.production is not None]
    if not promoted:
        return Check("models", True, "No version is in production yet.")
    silent = [found for found in promoted if found.classifier is None]
    replaced = [found for found in promoted if found.problem and found.classifier is not None]
    message = " ".join(
        [
            *_sentence("The production model does not load at", silent),
            *_sentence(
                "An older version answers, since the promoted one does not load, at", replaced
            ),
        ]
    )
    return Check("models", len(silent) < len(promoted), message or "OK")


def _sentence(start: str, found: Sequence[Served]) -> list[str]:
    names = ", ".join(served.endpoint.slug for served in found)
    return [f"{start}: {names}."] if names else []


checks = Remembered(examine)
