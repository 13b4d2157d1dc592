"""Counts by bucket: quantiles are off by less than a bucket's width."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpoints.services import histograms

LATENCIES = st.lists(st.integers(min_value=11, max_value=80_000_000), min_size=1, max_size=200)


def counted(latencies: list[int]) -> histograms.Counts:
    counts: histograms.Counts = {}
    for value in latencies:
        histograms.add(counts, {histograms.latency_bucket(value): 1})
    return counts


def test_it_works() -> None:
    counts = counted([1_000] * 90 + [20_000] * 10)
    assert histograms.latency_ms(counts, 0.5) == pytest.approx(1.0, rel=0.25)
    assert histograms.latency_ms(counts, 0.95) == pytest.approx(20.0, rel=0.25)
    assert histograms.latency_ms({}, 0.5) is None


@given(LATENCIES, st.sampled_from([0.5, 0.95, 0.99]))
def test_a_quantile_is_off_by_less_than_its_bucket(latencies: list[int], share: float) -> None:
    exact = float(np.quantile(latencies, share, method="inverted_cdf")) / 1_000
    found = histograms.latency_ms(counted(latencies), share)
    assert found is not None
    assert exact / 1.28 <= found <= exact * 1.28


def test_a_latency_beyond_all_bounds_is_the_last_one() -> None:
    assert histograms.latency_ms(counted([10**12]), 0.5) == 80_000.0


@given(st.floats(min_value=0, max_value=1))
def test_every_probability_has_a_bin(probability: float) -> None:
    place = int(histograms.score_bin(probability))
    assert place / histograms.SCORE_BINS <= probability
    assert probability <= (place + 1) / histograms.SCORE_BINS
    assert sum(histograms.score_counts({str(place): 3})) == 3
