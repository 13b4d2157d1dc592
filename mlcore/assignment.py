"""Which arm of a test a unit belongs to; knows no requests, models or statistics.

The answer follows from the test's salt and the unit's name alone: any process, in any language,
gives the same, nothing is stored, and tests with different salts divide the units independently.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from mlcore.errors import DataError

BUCKETS = 10_000
"""Shares are given in basis points."""


def bucket(salt: str, unit: str) -> int:
    """A number from 0 to 9999: the first 8 bytes of SHA-256 of "salt:unit", big-endian, mod 10000.

    2^64 is so far above 10000 that no bucket is likelier than another by more than 1e-15.

    >>> [bucket("abtest-1", f"user-{number}") for number in range(5)]
    [970, 7765, 4637, 346, 4447]
    """
    digest = sha256(f"{salt}:{unit}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % BUCKETS


@dataclass(frozen=True)
class Split:
    """The arms' weights in basis points, and how much of each arm's range is in the test.

    With a ``coverage`` below 10000 the ends of the arms' ranges belong to no arm, so that more
    coverage brings in new units and moves none from one arm to another. Raises DataError unless
    the weights are whole, not negative and sum to 10000, and 0 <= coverage <= 10000.
    """

    weights: tuple[int, ...] = (BUCKETS // 2, BUCKETS // 2)
    coverage: int = BUCKETS

    def __post_init__(self) -> None:
        if sum(self.weights) != BUCKETS or min(self.weights) < 0:
            raise DataError(f"weights are basis points that sum to {BUCKETS}, got {self.weights}")
        if not 0 <= self.coverage <= BUCKETS:
            raise DataError(f"coverage must lie between 0 and {BUCKETS}, got {self.coverage}")

    def arm_of(self, bucket: int) -> int | None:
        """The number of the arm, or None for a bucket outside the test.

        >>> Split((9000, 1000)).arm_of(8999), Split((9000, 1000)).arm_of(9000)
        (0, 1)
        >>> Split(coverage=2000).arm_of(999), Split(coverage=2000).arm_of(1000)
        (0, None)
        """
        if not 0 <= bucket < BUCKETS:
            raise DataError(f"buckets lie between 0 and {BUCKETS - 1}, got {bucket}")
        arm = 0
        while bucket >= self.weights[arm]:
            bucket -= self.weights[arm]
            arm += 1
        return arm if bucket * BUCKETS < self.weights[arm] * self.coverage else None

    def arm(self, salt: str, unit: str) -> int | None:
        """The number of the arm of a unit, or None for one outside the test.

        >>> [Split().arm("abtest-1", f"user-{number}") for number in range(5)]
        [0, 1, 0, 0, 0]
        """
        return self.arm_of(bucket(salt, unit))
