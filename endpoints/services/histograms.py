"""Counts by bucket: latencies in tenths of a decade, probabilities in twentieths; it knows no tables."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping

SCORE_BINS = 20
LATENCY_BOUNDS_US = tuple(
    round(mantissa * 10**exponent)
    for exponent in range(1, 8)
    for mantissa in (1, 1.25, 1.6, 2, 2.5, 3.15, 4, 5, 6.3, 8)
)
"""Upper bounds of the buckets, 10 us to 80 s in the steps of ISO 3's R10 series; one more lies above."""

Counts = dict[str, int]
"""By the bucket's number, written in decimal as JSON has it; empty buckets are left out."""


def latency_bucket(microseconds: int) -> str:
    return str(bisect_left(LATENCY_BOUNDS_US, microseconds))


def score_bin(probability: float) -> str:
    """Return the bin of a probability; 1.0 falls into the last."""
    return str(min(int(probability * SCORE_BINS), SCORE_BINS - 1))


def add(counts: Counts, more: Mapping[str, int]) -> None:
    for bucket, count in more.items():
        counts[bucket] = counts.get(bucket, 0) + count


def latency_ms(counts: Mapping[str, int], share: float) -> float | None:
    """Return the quantile of latencies in milliseconds, None without any.

    Within a bucket the latencies are taken as evenly spread, so that the answer is off by less than the
    bucket's width: a quarter at most.
    """
    rank, before = share * sum(counts.values()), 0
    for bucket in sorted(map(int, counts)):
        count = counts[str(bucket)]
        if before + count >= rank and count:
            low, high = _bounds(bucket)
            return (low + (high - low) * (rank - before) / count) / 1_000
        before += count
    return None


def score_counts(counts: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(counts.get(str(place), 0) for place in range(SCORE_BINS))


def _bounds(bucket: int) -> tuple[int, int]:
    low = LATENCY_BOUNDS_US[bucket - 1] if bucket else 0
    return low, LATENCY_BOUNDS_US[min(bucket, len(LATENCY_BOUNDS_US) - 1)]
