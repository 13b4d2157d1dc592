from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore.calibration import (
    Calibration,
    Isotonic,
    Platt,
    calibration_from_dict,
    fit_isotonic,
    fit_platt,
)
from mlcore.errors import DataError

CHANCES = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.25, 0.5, 1.0]))
ROWS = st.lists(
    st.tuples(st.booleans(), CHANCES, st.integers(0, 3)), min_size=2, max_size=40
).filter(lambda rows: len({label for label, _, weight in rows if weight}) == 2)
EXAMPLES = (Platt(0.7, -0.3), Isotonic((0.1, 0.4, 0.9), (0.05, 0.5, 0.8)))


def case(seed: int, n: int = 300) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Overconfident probabilities with ties, and weights of which some are zero."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n)
    y = (rng.random(n) < 1 / (1 + np.exp(-z))).astype(np.float64)
    p = np.round(1 / (1 + np.exp(-2.5 * z + 0.5)), int(rng.integers(2, 5)))
    return y, p, np.round(rng.exponential(size=n), 1)


def columns(rows: list[Any]) -> tuple[np.ndarray, ...]:
    return tuple(np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))


def smoothed(y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    positive, negative = weights @ y, weights @ (1 - y)
    return np.where(y == 1, (positive + 1) / (positive + 2), 1 / (negative + 2))


def test_platt_works() -> None:
    """Overconfident by 2.5 and shifted: the fit takes both back."""
    y, p, _ = case(1, 20_000)
    fitted = fit_platt(y, p)
    assert fitted.slope == pytest.approx(1 / 2.5, abs=0.03)
    assert fitted.intercept == pytest.approx(0.5 / 2.5, abs=0.05)


def test_isotonic_works() -> None:
    fitted = fit_isotonic([0, 1, 0, 1], [0.1, 0.3, 0.4, 0.8])
    assert fitted.apply(np.array([0.0, 0.1, 0.2, 0.35, 0.6, 1.0])).tolist() == pytest.approx(
        [0.0, 0.0, 0.25, 0.5, 0.75, 1.0]
    )


@pytest.mark.parametrize("seed", range(20))
def test_platt_is_the_optimum_that_statsmodels_finds(seed: int) -> None:
    import statsmodels.api as sm

    y, p, weights = case(seed)
    kept = np.clip(p, np.finfo(float).eps, 1 - np.finfo(float).eps)
    design = np.column_stack([np.log(kept) - np.log1p(-kept), np.ones(len(p))])
    family = sm.families.Binomial()
    model = sm.GLM(smoothed(y, weights), design, family, freq_weights=weights)
    slope, intercept = model.fit(tol=1e-14, maxiter=100).params
    fitted = fit_platt(y, p, weights)
    assert fitted.slope == pytest.approx(slope, rel=1e-8)
    assert fitted.intercept == pytest.approx(intercept, rel=1e-8, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_platt_agrees_with_scikit_learn(seed: int) -> None:
    from sklearn.calibration import _sigmoid_calibration

    y, p, weights = case(seed)
    p = np.clip(p, 0.001, 0.999)
    a, b = _sigmoid_calibration(np.log(p) - np.log1p(-p), y, sample_weight=weights)
    fitted = fit_platt(y, p, weights)
    assert (fitted.slope, fitted.intercept) == pytest.approx((-a, -b), abs=2e-3)


def test_smoothing_keeps_perfect_scores_finite() -> None:
    fitted = fit_platt([0, 0, 1, 1], [0.0, 0.0, 1.0, 1.0])
    assert fitted.apply(np.array([0.0, 1.0])).tolist() == pytest.approx([0.25, 0.75], abs=1e-9)


def test_equal_probabilities_get_a_shift_alone() -> None:
    fitted = fit_platt([0, 0, 0, 1], [0.5] * 4)
    assert fitted.slope == 1.0
    mean = (3 * 1 / 5 + 2 / 3) / 4
    assert float(fitted.apply(np.array([0.5]))[0]) == pytest.approx(mean, abs=1e-12)


def test_a_wrong_way_round_score_is_turned_round() -> None:
    y, p, _ = case(3)
    assert fit_platt(y, 1 - p).slope == pytest.approx(-fit_platt(y, p).slope, rel=1e-9)


@pytest.mark.parametrize("seed", range(0, 200, 4))
def test_isotonic_agrees_with_scikit_learn(seed: int) -> None:
    from sklearn.isotonic import IsotonicRegression

    y, p, weights = case(seed, 2 + seed)
    y[:2], weights[:2] = (0.0, 1.0), (1.0, 2.0)
    peer = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
    peer.fit(p, y, sample_weight=weights)
    at = np.concatenate((np.linspace(0, 1, 301), p))
    found = fit_isotonic(y, p, weights).apply(at)
    np.testing.assert_allclose(found, peer.predict(at), rtol=0, atol=1e-12)


@given(rows=ROWS)
def test_a_weight_is_a_number_of_copies(rows: list[Any]) -> None:
    y, p, weights = columns(rows)
    copies = weights.astype(int)
    copied = np.repeat(y, copies), np.repeat(p, copies)
    at = np.linspace(0, 1, 50)
    np.testing.assert_allclose(
        fit_isotonic(y, p, weights).apply(at), fit_isotonic(*copied).apply(at), atol=1e-12
    )
    np.testing.assert_allclose(
        fit_platt(y, p, weights).apply(at), fit_platt(*copied).apply(at), atol=1e-6
    )


@given(rows=ROWS, at=st.lists(CHANCES, min_size=2, max_size=20))
def test_isotonic_never_decreases_and_keeps_the_mean(rows: list[Any], at: list[float]) -> None:
    y, p, weights = columns(rows)
    fitted = fit_isotonic(y, p, weights)
    answers = fitted.apply(np.sort(np.array(at)))
    assert (np.diff(answers) >= 0).all()
    assert answers.min() >= 0
    assert answers.max() <= 1
    assert weights @ fitted.apply(p) == pytest.approx(weights @ y, abs=1e-9)


@given(rows=ROWS, at=st.lists(CHANCES, min_size=1, max_size=30))
def test_a_row_does_not_depend_on_others(rows: list[Any], at: list[float]) -> None:
    y, p, weights = columns(rows)
    for fitted in (fit_platt(y, p, weights), fit_isotonic(y, p, weights)):
        together = fitted.apply(np.array(at))
        alone = [float(fitted.apply(np.array([one]))[0]) for one in at]
        assert together.tolist() == alone
        assert ((together >= 0) & (together <= 1)).all()


@pytest.mark.parametrize("example", EXAMPLES)
def test_it_survives_json(example: Calibration) -> None:
    assert calibration_from_dict(json.loads(json.dumps(example.to_dict()))) == example


def test_a_single_knot_is_a_constant() -> None:
    fitted = fit_isotonic([0, 1], [0.5, 0.5])
    assert fitted == Isotonic((0.5,), (0.5,))
    assert fitted.apply(np.array([0.0, 0.5, 1.0])).tolist() == [0.5, 0.5, 0.5]


def isotonic(knots: Any, values: Any) -> dict[str, Any]:
    return {"method": "isotonic", "knots": knots, "values": values}


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"method": "spline"},
        {"method": ["platt"]},
        {"method": "platt", "slope": 1.0},
        {"method": "platt", "slope": 1.0, "intercept": 0.0, "more": 1},
        {"method": "platt", "slope": float("nan"), "intercept": 0.0},
        {"method": "platt", "slope": 1.0, "intercept": float("inf")},
        {"method": "platt", "slope": 1e200, "intercept": 0.0},
        {"method": "platt", "slope": "1.0", "intercept": 0.0},
        {"method": "platt", "slope": True, "intercept": 0.0},
        {"method": "platt", "slope": 10**400, "intercept": 0.0},
        {"method": "isotonic", "knots": [0.1]},
        isotonic([], []),
        isotonic([0.1, 0.2], [0.5]),
        isotonic([0.2, 0.1], [0.1, 0.5]),
        isotonic([0.1, 0.1], [0.1, 0.5]),
        isotonic([0.1, 0.2], [0.5, 0.1]),
        isotonic([0.1, 0.2], [0.5, 1.1]),
        isotonic([0.1, 0.2], [-0.5, 0.1]),
        isotonic([-0.1, 0.2], [0.0, 0.1]),
        isotonic([0.1, float("nan")], [0.5, 0.6]),
        isotonic([0.1, 0.2], [0.5, float("nan")]),
        isotonic("01", "01"),
        isotonic({"0.1": 1}, [0.5]),
        isotonic([[0.1]], [[0.5]]),
    ],
)
def test_it_refuses_a_hostile_document(document: Any) -> None:
    with pytest.raises(ValueError, match="calibration"):
        calibration_from_dict(document)


@pytest.mark.parametrize("fit", [fit_platt, fit_isotonic])
def test_it_refuses_a_single_class(fit: Any) -> None:
    with pytest.raises(DataError, match="rows of both classes"):
        fit([1, 1], [0.1, 0.2])
    with pytest.raises(DataError, match="rows of both classes"):
        fit([1, 0], [0.1, 0.2], [1, 0])
