"""Detectors of change in a stream of numbers, such as errors as labels arrive; knows no models.

Both keep a few numbers, whatever the stream's length, and go on from their ``to_dict`` as if never
stopped. DDM and EDDM are not built: they alarm early and falsely on steady streams. Nor is HDDM-A:
it alarms no sooner than ADWIN, and at rises alone of numbers from 0 to 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from mlcore.errors import DataError
from mlcore.stream_state import Detector, is_finite

CLOCK = 32
"""Adwin looks for a cut once in so many values."""

_MOST_BUCKETS = 5
_SHORTEST = 5
_GRACE = 10
_MOST_ROWS = 64


@dataclass
class Adwin(Detector):
    """ADWIN: a window that grows while its mean holds, and alarms where it does not.

    The window is an exponential histogram: row i holds up to 5 buckets of 2^i values as (sum, M2),
    M2 the squares about the bucket's mean. After every 32nd value each cut between buckets into W0
    (older) and W1 of at least 5 values is judged: with m = 1/(n0 - 4) + 1/(n1 - 4), v = M2(W)/n
    and d = ln(2 ln(n) / delta), the means differ where |mean0 - mean1| > sqrt(2 m v d) + 2 m d / 3.
    Then the oldest bucket goes, and so on until no cut differs. The value after an alarm opens a new
    window. It alarms at rises and at falls alike. Memory and time per cut are O(log n).

    Source: Bifet and Gavalda (2007), with the window of Bifet's MOA and the cuts of river 0.26.

    >>> errors = [0.0, 0.0, 0.0, 0.0, 1.0] * 60 + [0.0, 1.0] * 150
    >>> detector = Adwin()
    >>> detector.update_many(errors), detector.width
    ([415], 184)
    """

    name: ClassVar[str] = "adwin"

    delta: float = 0.002
    width: int = 0
    total: float = 0.0
    squares: float = 0.0
    ticks: int = 0
    alarmed: bool = False
    rows: list[list[list[float]]] = field(default_factory=lambda: [[]])

    def __post_init__(self) -> None:
        if not 0 < self.delta < 1:
            raise DataError(f"delta lies between 0 and 1, got {self.delta}")

    @property
    def estimate(self) -> float | None:
        """The mean of the window; None before the first value.

        >>> detector = Adwin()
        >>> detector.update_many([0.0, 1.0]), detector.estimate
        ([], 0.5)
        """
        return self.total / self.width if self.width else None

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """What to_dict wrote, to go on as if never stopped; ValueError for anything else."""
        found = super().from_dict(document)
        found.rows = [[[float(part) for part in bucket] for bucket in row] for row in found.rows]
        return found

    def _is_sound(self) -> bool:
        rows = self.rows
        return (
            1 <= len(rows) <= _MOST_ROWS
            and all(isinstance(row, list) and len(row) <= _MOST_BUCKETS for row in rows)
            and all(_is_bucket(bucket) for row in rows for bucket in row)
            and (len(rows) == 1 or len(rows[-1]) > 0)
            and self.width == sum(len(row) << number for number, row in enumerate(rows))
        )

    def _restart(self) -> None:
        self.width, self.total, self.squares = 0, 0.0, 0.0
        self.ticks, self.alarmed, self.rows = 0, False, [[]]

    def _take(self, x: float) -> bool:
        if self.alarmed:
            self._restart()
        before = self.width
        self.width += 1
        if before:
            self.squares += before * (x - self.total / before) ** 2 / self.width
        self.total += x
        self.rows[0].append([x, 0.0])
        if len(self.rows[0]) > _MOST_BUCKETS:
            self._merge()
        self.ticks += 1
        if self.ticks % CLOCK == 0 and self.width > _GRACE:
            while self._is_cut():
                self.alarmed = True
                self._drop_oldest()
        return self.alarmed

    def _merge(self) -> None:
        """Join the two oldest buckets of every row that has one too many, into the next row."""
        number = 0
        while len(row := self.rows[number]) > _MOST_BUCKETS:
            if number + 1 == len(self.rows):
                self.rows.append([])
            size = 1 << number
            (sum0, squares0), (sum1, squares1) = row[:2]
            del row[:2]
            apart = sum0 / size - sum1 / size
            joined = squares0 + squares1 + size * size * apart * apart / (2 * size)
            number += 1
            self.rows[number].append([sum0 + sum1, joined])

    def _is_cut(self) -> bool:
        """Whether the means on both sides of any cut differ by more than chance allows."""
        d = math.log(2 * math.log(self.width) / self.delta)
        spread = 2 * max(self.squares, 0.0) / self.width * d
        n0, sum0 = 0, 0.0
        for number in range(len(self.rows) - 1, -1, -1):
            size = 1 << number
            for total, _ in self.rows[number]:
                n0 += size
                sum0 += total
                n1 = self.width - n0
                if min(n0, n1) < _SHORTEST:
                    continue
                m = 1 / (n0 - _SHORTEST + 1) + 1 / (n1 - _SHORTEST + 1)
                apart = abs(sum0 / n0 - (self.total - sum0) / n1)
                if apart > math.sqrt(spread * m) + 2 / 3 * d * m:
                    return True
        return False

    def _drop_oldest(self) -> None:
        size = 1 << (len(self.rows) - 1)
        total, squares = self.rows[-1].pop(0)
        self.width -= size
        self.total -= total
        apart = total / size - self.total / self.width
        joint = size * self.width / (size + self.width)
        self.squares -= squares + joint * apart * apart
        while len(self.rows) > 1 and not self.rows[-1]:
            self.rows.pop()


@dataclass
class PageHinkley(Detector):
    """Page's two-sided test of a mean that moved, with slowly fading sums.

    With xbar_t the mean of the t values since the start or the last alarm,
    S+_t = alpha S+ + (x_t - xbar_t) - delta and S-_t = alpha S- + (x_t - xbar_t) + delta. From the
    30th value on there is an alarm where S+ - min S+ > threshold (a rise) or max S- - S- > threshold
    (a fall). The value after an alarm starts anew.

    Source: Page (1954), Hinkley (1971); fading and the first maximum, -1, as in river 0.26.

    >>> detector = PageHinkley(threshold=10.0)
    >>> detector.update_many([0.0, 0.2] * 50 + [1.0] * 30), detector.width
    ([111], 18)
    """

    name: ClassVar[str] = "page_hinkley"

    threshold: float = 50.0
    delta: float = 0.005
    alpha: float = 0.9999
    warm_up: int = 30
    width: int = 0
    mean: float = 0.0
    rise: float = 0.0
    fall: float = 0.0
    lowest_rise: float | None = None
    highest_fall: float = -1.0
    alarmed: bool = False

    def __post_init__(self) -> None:
        sums = self.threshold > 0 and self.delta >= 0 and 0 < self.alpha <= 1
        if not (sums and self.warm_up >= 1):
            raise DataError(
                "threshold is above 0, delta at least 0, alpha in (0, 1], warm_up at least 1"
            )

    @property
    def estimate(self) -> float | None:
        """The mean since the start or the last alarm; None before the first value."""
        return self.mean if self.width else None

    def _restart(self) -> None:
        self.width, self.mean, self.rise, self.fall = 0, 0.0, 0.0, 0.0
        self.lowest_rise, self.highest_fall, self.alarmed = None, -1.0, False

    def _take(self, x: float) -> bool:
        if self.alarmed:
            self._restart()
        self.width += 1
        self.mean += (x - self.mean) / self.width
        apart = x - self.mean
        self.rise = self.alpha * self.rise + apart - self.delta
        self.fall = self.alpha * self.fall + apart + self.delta
        if self.lowest_rise is None or self.rise < self.lowest_rise:
            self.lowest_rise = self.rise
        self.highest_fall = max(self.highest_fall, self.fall)
        if self.width >= self.warm_up:
            furthest = max(self.rise - self.lowest_rise, self.highest_fall - self.fall)
            self.alarmed = furthest > self.threshold
        return self.alarmed


def _is_bucket(bucket: object) -> bool:
    return isinstance(bucket, list) and len(bucket) == 2 and all(map(is_finite, bucket))
