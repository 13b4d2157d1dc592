"""What can be said of a column from its blocks, one after another, in memory that does not grow with them.

It knows numbers and hashes, and neither tables nor files.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
_ALL_HASHES = 2.0**64


class Distinct:
    """How many different values there are: counted up to `most`, then estimated by how dense the smallest hashes are.

    The error of an estimate is about 1 / sqrt(most) (Bar-Yossef et al., 2002, the k minimum values).
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._smallest: Hashes = np.empty(0, dtype=np.uint64)

    def add(self, hashes: Hashes) -> None:
        """Take one hash of 64 bits for each value; the same one for the same value."""
        if not self.is_exact:
            hashes = hashes[hashes < self._smallest[-1]]
        if len(hashes):
            kept = np.unique(np.concatenate([self._smallest, hashes]))
            self._smallest = kept[: self._most].copy()

    @property
    def is_exact(self) -> bool:
        return len(self._smallest) < self._most

    @property
    def count(self) -> int:
        kept = len(self._smallest)
        if self.is_exact:
            return kept
        return round((kept - 1) / (float(self._smallest[-1]) / _ALL_HASHES))


class Levels:
    """How often each value occurs, as long as they are few."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.counts: Counter[str] | None = Counter()

    def add(self, counts: Mapping[str, int]) -> None:
        if self.counts is not None:
            self.counts.update(counts)
            if len(self.counts) > self._most:
                self.counts = None


@dataclass(frozen=True)
class Moments:
    """Of `n` numbers their mean and the sum of squared differences from it."""

    n: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def plus(self, other: Moments) -> Moments:
        """Of both together (Chan, Golub and LeVeque, 1983).

        >>> Moments(2, 1.0, 2.0).plus(Moments(1, 4.0, 0.0))
        Moments(n=3, mean=2.0, squares=8.0)
        """
        if not self.n or not other.n:
            return self if self.n else other
        n, apart = self.n + other.n, other.mean - self.mean
        mean = self.mean + apart * (other.n / n)
        return Moments(
            n, mean, self.squares + other.squares + apart * apart * (self.n * other.n / n)
        )

    @property
    def sd(self) -> float | None:
        """The standard deviation of a sample; None of fewer than two numbers."""
        return math.sqrt(self.squares / (self.n - 1)) if self.n > 1 else None
