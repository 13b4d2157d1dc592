"""Where in the window of an Adwin its mean changed, and from what to what; it alarms nowhere."""

from __future__ import annotations

from typing import NamedTuple

from mlcore.streams import Adwin


class MeansAround(NamedTuple):
    """The means of the values before and after a change, and how many values came after it."""

    before: float
    after: float
    width: int


def means_around_change(detector: Adwin) -> MeansAround | None:
    """The two parts of the window whose means differ most clearly; None for less than two buckets.

    Of the cuts between buckets it takes the one with the largest n0 n1 / (n0 + n1) (mean0 - mean1)^2:
    the squares that two means explain beyond one, so with equal variances the most likely place of
    a single change. When it alarms, Adwin keeps more of the window than what came after that.

    Source: Hinkley, Inference about the change-point in a sequence of random variables (1970).

    >>> detector = Adwin()
    >>> _ = detector.update_many([0.0] * 96 + [1.0] * 16)
    >>> means_around_change(detector)
    MeansAround(before=0.0, after=1.0, width=16)
    """
    best, found = -1.0, None
    n0, sum0 = 0, 0.0
    for number in range(len(detector.rows) - 1, -1, -1):
        for total, *_ in detector.rows[number]:
            n0 += 1 << number
            sum0 += total
            n1 = detector.width - n0
            if n1 <= 0:
                return found
            before, after = sum0 / n0, (detector.total - sum0) / n1
            explained = n0 * n1 * (before - after) ** 2
            if explained > best:
                best, found = explained, MeansAround(before, after, n1)
    return found
