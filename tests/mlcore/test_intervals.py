from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from mlcore import DataError, Table
from mlcore.intervals import (
    BootstrapMetric,
    BootstrapSettings,
    bootstrap,
    delong,
    delong_comparison,
    resamples,
    wilson,
)
from mlcore.metrics import evaluate_predictions
from mlcore.ranking import roc_auc
from tests import pace
from tests.mlcore.held_out import raisins


def case(seed: int, n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = np.round(rng.random(n), 2)
    y = (rng.random(n) < p).astype(np.float64)
    y[:4] = 0.0, 0.0, 1.0, 1.0
    return y, p


def test_wilson_works() -> None:
    assert wilson(157, 180) == pytest.approx((0.8155638865813233, 0.9133250205214758), abs=1e-14)
    assert wilson(0, 10) == pytest.approx((0.0, 0.2775327998628892), abs=1e-14)


@given(n=st.integers(1, 10_000), share=st.floats(0, 1), level=st.floats(0.01, 0.999))
def test_wilson_agrees_with_statsmodels(n: int, share: float, level: float) -> None:
    k = round(share * n)
    low, high = wilson(k, n, level)
    assert 0 <= low <= k / n <= high <= 1
    expected = proportion_confint(k, n, alpha=1 - level, method="wilson")
    assert (low, high) == pytest.approx(expected, abs=1e-10)


def test_wilson_knows_nothing_without_rows() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


def brute(y: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Placements by comparing every pair."""
    positive, negative = p[y == 1], p[y == 0]
    wins = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    return wins.mean(axis=1), wins.mean(axis=0)


@pytest.mark.parametrize("seed", range(30))
def test_delong_agrees_with_all_pairs(seed: int) -> None:
    y, p = case(seed)
    other = np.round(1 - p + 0.3 * np.random.default_rng(seed).random(len(p)), 2)
    V, W = brute(y, p)
    report = delong(y, p)
    assert report.value == pytest.approx(roc_auc(y, p), abs=1e-14)
    variance = V.var(ddof=1) / len(V) + W.var(ddof=1) / len(W)
    assert report.se == pytest.approx(variance**0.5, abs=1e-14)
    v, w = brute(y, other)
    both = delong_comparison(y, p, other)
    covariance = np.cov(V, v)[0, 1] / len(V) + np.cov(W, w)[0, 1] / len(W)
    second = v.var(ddof=1) / len(V) + w.var(ddof=1) / len(W)
    assert both.se**2 == pytest.approx(variance + second - 2 * covariance, abs=1e-14)
    assert (both.first, both.second) == pytest.approx((report.value, roc_auc(y, other)))
    assert both.z == pytest.approx(both.difference / both.se)
    assert both.high - both.low == pytest.approx(2 * 1.959963984540054 * both.se)


def test_delong_gives_the_published_error_of_the_raisins(raisin_table: Table) -> None:
    report = delong(*raisins(raisin_table))
    assert report.se == pytest.approx(0.022081, abs=5e-7)
    assert report.low == pytest.approx(report.value - 1.959963984540054 * report.se)
    assert report.low < report.value < report.high


def test_delong_stays_inside_the_unit_interval() -> None:
    y, p = np.array([0.0, 0.0, 1.0, 1.0, 1.0]), np.array([0.1, 0.5, 0.4, 0.8, 0.9])
    assert delong(y, p).high == 1.0
    assert delong(1 - y, p).low == 0.0


def test_a_difference_is_its_own_mirror() -> None:
    y, p = case(1)
    q = np.random.default_rng(2).permutation(p)
    there, back = delong_comparison(y, p, q), delong_comparison(y, q, p)
    assert there.p_value == pytest.approx(back.p_value)
    assert there.low == pytest.approx(-back.high)
    assert delong_comparison(y, p, p).p_value is None


def test_the_bootstrap_of_the_raisins_is_as_wide_as_published(raisin_table: Table) -> None:
    report = bootstrap(*raisins(raisin_table), "roc_auc")
    assert report.value == pytest.approx(0.9181481481, abs=1e-9)
    assert (report.low, report.high) == pytest.approx((0.8724, 0.9576), abs=0.004)


@pytest.mark.parametrize("metric", get_args(BootstrapMetric))
@pytest.mark.parametrize("weighted", [False, True])
def test_a_resample_is_the_metric_of_copied_rows(metric: str, *, weighted: bool) -> None:
    y, p = case(5)
    weights = np.random.default_rng(0).exponential(size=len(y)) if weighted else None
    settings = BootstrapSettings(resamples=40, seed=3, threshold=0.4)
    found = bootstrap(y, p, metric, weights=weights, settings=settings)  # type: ignore[arg-type]
    values = []
    for counts in np.concatenate(list(resamples(len(y), settings))).astype(int):
        drawn = np.repeat(np.arange(len(y)), counts)
        kept = None if weights is None else weights[drawn]
        values.append(getattr(evaluate_predictions(y[drawn], p[drawn], 0.4, kept), metric))
    expected = np.quantile(values, (0.025, 0.975)).tolist()
    assert [found.low, found.high] == pytest.approx(expected, abs=1e-12)
    whole = getattr(evaluate_predictions(y, p, 0.4, weights), metric)
    assert found.value == pytest.approx(whole, abs=1e-12)
    json.dumps(asdict(found), allow_nan=False)


def test_counts_are_multinomial() -> None:
    counts = np.concatenate(list(resamples(7, BootstrapSettings(resamples=20_000))))
    assert (counts.sum(axis=1) == 7).all()
    assert counts.mean(axis=0) == pytest.approx(np.ones(7), abs=0.03)
    assert counts.var(axis=0) == pytest.approx(np.full(7, 6 / 7), abs=0.05)
    correlation = np.corrcoef(counts.T)[np.triu_indices(7, 1)]
    assert correlation == pytest.approx(np.full(21, -1 / 6), abs=0.03)


def test_the_draws_are_fixed_for_ever() -> None:
    (counts,) = resamples(5, BootstrapSettings(resamples=20, seed=7))
    assert counts[:2].tolist() == [[0.0, 1.0, 1.0, 3.0, 0.0], [2.0, 0.0, 1.0, 1.0, 1.0]]


def test_blocks_do_not_change_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = BootstrapSettings(resamples=50)
    whole = np.concatenate(list(resamples(9, settings)))
    monkeypatch.setattr("mlcore.intervals._BLOCK", 60)
    blocks = list(resamples(9, settings))
    assert len(blocks) == 9
    np.testing.assert_array_equal(np.concatenate(blocks), whole)


def test_the_seed_and_the_level_matter() -> None:
    y, p = case(6)
    wide = bootstrap(y, p, "brier", settings=BootstrapSettings(level=0.99))
    narrow = bootstrap(y, p, "brier", settings=BootstrapSettings(level=0.8))
    other = bootstrap(y, p, "brier", settings=BootstrapSettings(level=0.8, seed=8))
    assert wide.low < narrow.low < narrow.high < wide.high  # type: ignore[operator]
    assert other.low != narrow.low
    assert narrow == bootstrap(y, p, "brier", settings=BootstrapSettings(level=0.8))


def test_resamples_without_a_class_are_left_out() -> None:
    y, p = np.array([0.0, 0.0, 0.0, 1.0]), np.array([0.1, 0.2, 0.6, 0.5])
    report = bootstrap(y, p, "roc_auc")
    assert report.value == pytest.approx(2 / 3)
    assert (report.low, report.high) == (0.0, 1.0)
    single = bootstrap(np.zeros(4), p, "roc_auc")
    assert (single.value, single.low, single.high) == (None, None, None)


def test_2000_resamples_of_180_rows_are_cheap() -> None:
    y, p = case(7, 180)

    def cost() -> float:
        start = time.process_time()
        bootstrap(y, p, "roc_auc")
        return time.process_time() - start

    assert min(cost() for _ in range(3)) <= pace.seconds(0.2)


def test_a_95_percent_interval_covers_about_95_percent() -> None:
    rng = np.random.default_rng(11)
    hits = 0
    for _ in range(200):
        y = (rng.random(80) < 0.7).astype(np.float64)
        report = bootstrap(
            y, np.full(80, 0.5), "accuracy", settings=BootstrapSettings(resamples=300)
        )
        hits += report.low <= 0.7 <= report.high  # type: ignore[operator]
    assert 0.88 <= hits / 200 <= 0.99


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: wilson(2, 1), "0 <= k <= n"),
        (lambda: wilson(-1, 1), "0 <= k <= n"),
        (lambda: wilson(1, 2, 1.0), "between 0 and 1"),
        (lambda: delong([1, 1], [0.1, 0.2]), "both classes"),
        (lambda: delong([1, 1, 0], [0.1, 0.2, 0.3]), "at least 2 rows of each"),
        (lambda: bootstrap([0, 1], [0.1, 0.2], "mcc"), "no bootstrap for"),  # type: ignore[arg-type]
        (lambda: BootstrapSettings(resamples=19), "at least 20"),
        (lambda: BootstrapSettings(level=0.0), "between 0 and 1"),
    ],
)
def test_it_refuses(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        call()
