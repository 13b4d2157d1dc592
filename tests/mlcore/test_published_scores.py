"""Results that other libraries gave on the same rows, to the digits they were kept with."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mlcore.calibration import fit_isotonic, fit_platt
from mlcore.estimate import estimate_performance, reference_performance
from mlcore.loss import sigmoid
from mlcore.metrics import confusion, evaluate_predictions
from mlcore.ranking import roc_auc
from mlcore.realised import realised_metrics
from mlcore.reliability import expected_calibration_error, reliability
from tests.mlcore.reference_scores import THRESHOLD, Rows, reference_and_current

REFERENCE, CURRENT = reference_and_current()


def test_brier_and_calibration_errors_of_the_current_rows() -> None:
    report = evaluate_predictions(*CURRENT)
    assert report.brier == pytest.approx(0.22044580293574612, abs=1e-15)
    assert report.ece == pytest.approx(0.1032577779515911, abs=1e-14)
    by_mass = expected_calibration_error(*CURRENT, binning="mass")
    assert by_mass == pytest.approx(0.09990736032962172, abs=1e-14)


def test_metrics_of_the_reference_rows() -> None:
    report = evaluate_predictions(*REFERENCE, THRESHOLD)
    assert report.roc_auc == pytest.approx(0.766043691, abs=5e-10)
    assert report.log_loss == pytest.approx(0.586011219, abs=5e-10)
    assert report.brier == pytest.approx(0.198601508, abs=5e-10)
    assert report.f1 == pytest.approx(0.7121067683508103, abs=1e-15)
    counts = confusion(REFERENCE.y, REFERENCE.scores >= THRESHOLD)
    assert (counts.tn, counts.fp, counts.fn, counts.tp) == (649, 362, 242, 747)


def test_the_reliability_diagram_of_the_reference_rows() -> None:
    bins = reliability(*REFERENCE).bins
    means = [0.056116, 0.149556, 0.249583, 0.349098, 0.449376]
    means += [0.552861, 0.651318, 0.749611, 0.84932, 0.939912]
    shares = [0.094203, 0.208333, 0.277311, 0.414894, 0.437209]
    shares += [0.548387, 0.657005, 0.734234, 0.78744, 0.835938]
    assert [b.probability for b in bins] == pytest.approx(means, abs=5e-7)
    assert [b.positive for b in bins] == pytest.approx(shares, abs=5e-7)


def test_the_platt_line_of_the_reference_rows() -> None:
    """Those of scikit-learn stop a little before the optimum."""
    from sklearn.calibration import _sigmoid_calibration

    y, scores = REFERENCE
    logits = np.log(scores) - np.log1p(-scores)
    a, b = _sigmoid_calibration(logits, y)
    assert (a, b) == (
        pytest.approx(-0.758135483, abs=5e-10),
        pytest.approx(-0.010194629, abs=5e-10),
    )
    line = fit_platt(y, scores)
    assert (line.slope, line.intercept) == pytest.approx((-a, -b), abs=2e-4)
    N, P = float(np.sum(1 - y)), float(np.sum(y))
    targets = np.where(y == 1, (P + 1) / (P + 2), 1 / (N + 2))

    def loss(slope: float, intercept: float) -> float:
        z = slope * logits + intercept
        return float(np.sum(np.logaddexp(0.0, z) - targets * z))

    assert loss(line.slope, line.intercept) <= loss(-a, -b)


def test_the_isotonic_steps_are_those_of_scikit_learn() -> None:
    from sklearn.isotonic import IsotonicRegression

    peer = IsotonicRegression(out_of_bounds="clip").fit(REFERENCE.scores, REFERENCE.y)
    at = np.concatenate((np.linspace(0, 1, 501), CURRENT.scores))
    found = fit_isotonic(*REFERENCE).apply(at)
    np.testing.assert_allclose(found, peer.predict(at), rtol=0, atol=1e-14)


def realised(rows: Rows) -> dict[str, float]:
    """What the decisions at the threshold were worth, and the ranking."""
    found = realised_metrics(confusion(rows.y, rows.scores >= THRESHOLD))
    values = {name: report.value for name, report in found.items()}
    values["roc_auc"] = roc_auc(*rows)
    return {name: value for name, value in values.items() if value is not None}


@pytest.mark.parametrize(
    ("name", "lower", "upper"),
    [
        ("accuracy", 0.641000, 0.755000),
        ("f1", 0.613107, 0.807888),
        ("precision", 0.569081, 0.775045),
        ("recall", 0.664013, 0.843281),
        ("specificity", 0.635198, 0.648928),
        ("roc_auc", 0.733296, 0.797289),
    ],
)
def test_thresholds_from_the_scatter_of_two_chunks(name: str, lower: float, upper: float) -> None:
    """The mean of the realised metric over the chunks, less and more 3 population sd, within 0 and 1."""
    chunks = [Rows(*(part[start : start + 1000] for part in REFERENCE)) for start in (0, 1000)]
    values = [realised(chunk)[name] for chunk in chunks]
    ends = np.clip(np.mean(values) + np.array([-3, 3]) * np.std(values), 0, 1)
    assert ends == pytest.approx([lower, upper], abs=5e-7)


def test_what_the_current_rows_were_worth_is_below_the_band_of_the_estimate() -> None:
    """The rows may be expected to be right 0.68936 times (of 4 million draws), and were 0.654 times."""
    assert realised(CURRENT)["accuracy"] == 0.654
    estimate = estimate_performance(reference_performance(*REFERENCE, THRESHOLD), CURRENT.scores)
    band = estimate["accuracy"].low, estimate["accuracy"].high
    assert band == pytest.approx((0.669, 0.756), abs=5e-4)
    x = np.linspace(-8.0, 9.0, 200_001)
    p, called = sigmoid(x), sigmoid(1.5 * x) >= THRESHOLD
    density = np.exp(-((x - 0.5) ** 2) / 2) / math.sqrt(2 * math.pi)
    expected = float(np.sum(density * np.where(called, p, 1 - p)) * (x[1] - x[0]))
    assert expected == pytest.approx(0.68936, abs=5e-4)
