"""What this process counts for whoever watches it: requests, labels, the log, the age of its models.

Plain numbers, so that counting costs a request a microsecond; the page that shows them knows the format.
Every name in them is of an endpoint that exists, so that nobody from outside can make them grow.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from threading import Lock
from time import time
from typing import NamedTuple

DURATIONS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Upper bounds in seconds. A table is scored in less than a millisecond; the rest waits for the log."""


class Histogram:
    """Durations by bucket with their sum, and the rows they were spent on; safe among threads."""

    __slots__ = ("_lock", "counts", "rows", "seconds")

    def __init__(self) -> None:
        self._lock = Lock()
        self.counts = [0] * (len(DURATIONS) + 1)
        self.seconds = 0.0
        self.rows = 0

    def add(self, seconds: float, rows: int) -> None:
        with self._lock:
            self.counts[bisect_left(DURATIONS, seconds)] += 1
            self.seconds += seconds
            self.rows += rows

    def read(self) -> Measured:
        with self._lock:
            return Measured(tuple(self.counts), self.seconds, self.rows)


class Measured(NamedTuple):
    """A histogram at one moment."""

    counts: tuple[int, ...]
    seconds: float
    rows: int

    @property
    def total(self) -> int:
        return sum(self.counts)


class Asked(NamedTuple):
    """What one series of answered requests has in common."""

    endpoint: str
    version: int
    protocol: str


class Refused(NamedTuple):
    """The same of requests without an answer. Version 0: none was in production."""

    endpoint: str
    version: int
    protocol: str
    status: int
    reason: str


class TakenPart(NamedTuple):
    """A request's part in an A/B test; both arms of a shadow test have part in each, so it counts as A's."""

    endpoint: str
    test: int
    arm: str


class Metrics:
    """All counters of one process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._answered: dict[Asked, Histogram] = {}
        self._refused: Counter[Refused] = Counter()
        self._tested: Counter[TakenPart] = Counter()
        self._labels: Counter[tuple[str, str]] = Counter()
        self._loaded: dict[str, float] = {}
        self._dropped = 0
        self.flushes = Histogram()

    def answered(self, asked: Asked, *, seconds: float, rows: int) -> None:
        found = self._answered.get(asked)
        if found is None:
            with self._lock:
                found = self._answered.setdefault(asked, Histogram())
        found.add(seconds, rows)

    def refused(self, refused: Refused) -> None:
        with self._lock:
            self._refused[refused] += 1

    def tested(self, tested: TakenPart) -> None:
        with self._lock:
            self._tested[tested] += 1

    def dropped(self) -> None:
        """Count a request that was refused because the log is full or cannot be written."""
        with self._lock:
            self._dropped += 1

    def labelled(self, outcomes: Mapping[tuple[str, str], int]) -> None:
        """Count true labels by the slug of their endpoint and what became of them."""
        with self._lock:
            self._labels.update(outcomes)

    def loaded(self, sha256: str) -> None:
        with self._lock:
            self._loaded[sha256] = time()

    def read(self) -> Reading:
        with self._lock:
            answered = list(self._answered.items())
            refused, labels = dict(self._refused), dict(self._labels)
            tested = dict(self._tested)
            loaded, dropped = dict(self._loaded), self._dropped
        return Reading(
            answered={asked: histogram.read() for asked, histogram in answered},
            refused=refused,
            tested=tested,
            labels=labels,
            loaded=loaded,
            dropped=dropped,
            flushes=self.flushes.read(),
        )


class Reading(NamedTuple):
    """All counters at one moment; `loaded` holds seconds since 1970 by the artefact's checksum."""

    answered: Mapping[Asked, Measured]
    refused: Mapping[Refused, int]
    tested: Mapping[TakenPart, int]
    labels: Mapping[tuple[str, str], int]
    loaded: Mapping[str, float]
    dropped: int
    flushes: Measured


def together(parts: Sequence[Measured]) -> Measured:
    """Return the sum of histograms."""
    counts = tuple(map(sum, zip(*(part.counts for part in parts), strict=True)))
    return Measured(counts, sum(part.seconds for part in parts), sum(part.rows for part in parts))


metrics = Metrics()
