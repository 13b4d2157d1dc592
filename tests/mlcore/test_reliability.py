from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

from mlcore import DataError
from mlcore.intervals import wilson
from mlcore.reliability import (
    brier_decomposition,
    calibration_intervals,
    calibration_line,
    expected_calibration_error,
    reliability,
)
from tests.mlcore.held_out import tumours

ROWS = st.lists(
    st.tuples(
        st.booleans(),
        st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.1, 0.3, 0.7, 1.0])),
        st.sampled_from([0.0, 0.5, 1.0, 3.0]),
    ),
    min_size=1,
    max_size=40,
).filter(lambda rows: any(weight for _, _, weight in rows))


def columns(rows: list[Any]) -> tuple[np.ndarray, ...]:
    return tuple(np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))


def test_it_works() -> None:
    report = reliability([0, 1, 1, 0], [0.05, 0.1, 0.95, 1.0])
    first, second, last = report.bins
    assert (first.left, first.right, first.n, first.positive) == (0.0, 0.1, 1, 0.0)
    assert (second.left, second.n, second.positive) == (0.1, 1, 1.0)
    assert (last.left, last.right, last.n, last.weight) == (0.9, 1.0, 2, 2.0)
    assert (last.positive, last.probability) == (0.5, 0.975)
    assert (last.low, last.high) == wilson(1, 2)
    assert report.ece == pytest.approx((0.05 + 0.9 + 2 * 0.475) / 4)
    assert report.largest_gap == pytest.approx(0.9)


def test_equal_mass_keeps_equal_probabilities_together() -> None:
    p = [0.1] * 5 + [0.2, 0.3, 0.4, 0.5, 0.6]
    report = reliability([0, 1] * 5, p, bins=5, binning="mass")
    assert [b.n for b in report.bins] == [5, 1, 2, 2]
    assert (report.bins[0].left, report.bins[0].right) == (0.1, 0.1)
    assert (report.bins[-1].left, report.bins[-1].right) == (0.5, 0.6)


def test_equal_mass_fills_its_bins_evenly() -> None:
    p = np.random.default_rng(1).random(1000) ** 3
    report = reliability(np.arange(1000) % 2, p, binning="mass")
    assert [b.n for b in report.bins] == [100] * 10


@given(rows=ROWS, bins=st.integers(1, 20), binning=st.sampled_from(["width", "mass"]))
def test_every_row_is_in_one_bin(rows: list[Any], bins: int, binning: Any) -> None:
    y, p, weights = columns(rows)
    report = reliability(y, p, bins=bins, binning=binning, weights=weights)
    assert sum(b.weight for b in report.bins) == pytest.approx(weights.sum())
    assert len(report.bins) <= bins
    assert 0 <= report.ece <= report.largest_gap + 1e-15 <= 1 + 1e-15
    for b in report.bins:
        assert 0 <= b.low <= b.positive <= b.high <= 1
        assert b.left - 1e-12 <= b.probability <= b.right + 1e-12
    gaps = sum(b.weight * abs(b.probability - b.positive) for b in report.bins)
    assert report.ece == pytest.approx(gaps / weights.sum(), abs=1e-12)
    same = expected_calibration_error(y, p, bins=bins, binning=binning, weights=weights)
    assert same == report.ece
    json.dumps(asdict(report), allow_nan=False)


def test_a_common_factor_of_the_weights_cancels() -> None:
    y, p, weights = [0, 1, 1], [0.11, 0.12, 0.13], np.array([1.0, 2.0, 1.0])
    small = reliability(y, p, weights=weights * 1e-200).bins[0]
    (large,) = reliability(y, p, weights=weights).bins
    assert (small.low, small.high) == pytest.approx((large.low, large.high), abs=1e-12)
    assert (large.low, large.high) == pytest.approx(wilson(0.75 * 16 / 6, 16 / 6))


def test_no_share_of_one_class_leaves_0_to_1() -> None:
    parts = brier_decomposition([1] * 5, [0.0] * 5, weights=[1.0, 3.0, 3.0, 3.0, 3.0])
    assert (parts.brier, parts.uncertainty) == (1.0, 0.0)


@given(rows=ROWS, bins=st.one_of(st.none(), st.integers(1, 12)))
def test_the_parts_of_the_brier_score_add_up(rows: list[Any], bins: int | None) -> None:
    y, p, weights = columns(rows)
    parts = brier_decomposition(y, p, bins=bins, weights=weights)
    assert parts.brier == pytest.approx(np.average((p - y) ** 2, weights=weights), abs=1e-12)
    total = parts.reliability - parts.resolution + parts.uncertainty + parts.within
    assert total == pytest.approx(parts.brier, abs=1e-12)
    assert min(parts.reliability, parts.resolution, parts.uncertainty) >= 0
    if bins is None:
        assert parts.within == pytest.approx(0, abs=1e-12)


def test_the_base_rate_has_no_skill_and_one_class_none() -> None:
    assert brier_decomposition([0, 1, 1, 1], [0.75] * 4).skill == pytest.approx(0)
    assert brier_decomposition([0, 1], [0.0, 1.0]).skill == 1.0
    assert brier_decomposition([1, 1], [0.5, 0.6]).skill is None


def test_it_gives_the_published_line_of_held_out_tumours() -> None:
    y, p = tumours()
    line = calibration_line(y, p)
    assert line.slope == pytest.approx(1.442203906, abs=1e-8)
    assert line.intercept == pytest.approx(-1.435702331, abs=1e-8)
    assert line.in_the_large == pytest.approx(-0.756481186, abs=1e-8)
    assert expected_calibration_error(y, p) == pytest.approx(0.0227844747, abs=1e-9)


@pytest.mark.parametrize("seed", range(10))
def test_the_line_is_the_one_of_statsmodels(seed: int) -> None:
    import statsmodels.api as sm

    rng = np.random.default_rng(seed)
    p, weights = rng.uniform(0.02, 0.98, 200), rng.exponential(size=200)
    y = (rng.random(200) < p**1.5).astype(np.float64)
    z, one = np.log(p / (1 - p)), np.ones(200)
    family = sm.families.Binomial()
    free = sm.GLM(y, np.column_stack([z, one]), family, freq_weights=weights)
    held = sm.GLM(y, one, family, freq_weights=weights, offset=z)
    line = calibration_line(y, p, weights)
    assert (line.slope, line.intercept) == pytest.approx(free.fit(tol=1e-14).params, abs=1e-9)
    assert line.in_the_large == pytest.approx(held.fit(tol=1e-14).params[0], abs=1e-9)


def test_there_is_no_line_through_separated_rows() -> None:
    line = calibration_line([0, 0, 1, 1], [0.1, 0.2, 0.6, 0.9])
    assert (line.slope, line.intercept) == (None, None)
    assert line.in_the_large is not None
    assert calibration_line([1, 1], [0.5, 0.6]).in_the_large is None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: reliability([0, 1], [0.1, 0.2], bins=0), "at least one bin"),
        (lambda: reliability([0, 1], [0.1, 0.2], binning="depth"), "use width or mass"),  # type: ignore[arg-type]
        (lambda: reliability([0, 1], [0.1, 1.2]), "row 1 has the probability 1.2"),
    ],
)
def test_it_refuses(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        call()


@pytest.mark.parametrize("slope", [0.5, 1.0, 2.0])
def test_the_intervals_of_the_line_are_those_of_a_logistic_regression(slope: float) -> None:
    rng = np.random.default_rng(11)
    x = rng.normal(size=300)
    y = (rng.random(300) < 1 / (1 + np.exp(-slope * x - 0.3))).astype(np.float64)
    found = calibration_intervals(y, 1 / (1 + np.exp(-x)))
    assert found is not None
    whole = sm.Logit(y, sm.add_constant(x)).fit(disp=0, tol=1e-12)
    assert (found.slope_low, found.slope_high) == pytest.approx(tuple(whole.conf_int()[1]))
    shifted = sm.GLM(y, np.ones(300), family=sm.families.Binomial(), offset=x).fit(tol=1e-12)
    known = tuple(shifted.conf_int()[0])
    assert (found.in_the_large_low, found.in_the_large_high) == pytest.approx(known)
    assert found.slope_low < found.slope < found.slope_high


@pytest.mark.parametrize("y", [[0.0, 0.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]])
def test_no_interval_where_no_line_can_be_fitted(y: list[float]) -> None:
    assert calibration_intervals(y, [0.1, 0.2, 0.8, 0.9]) is None
