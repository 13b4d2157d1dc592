"""Results that other libraries gave on the same rows, to the digits they were kept with."""

from __future__ import annotations

import numpy as np
import pytest

from mlcore.calibration import fit_isotonic, fit_platt
from mlcore.metrics import confusion, evaluate_predictions
from mlcore.reliability import expected_calibration_error, reliability
from tests.mlcore.reference_scores import THRESHOLD, reference_and_current

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
    line = fit_platt(*REFERENCE)
    assert line.slope == pytest.approx(0.758135483, abs=2e-4)
    assert line.intercept == pytest.approx(0.010194629, abs=2e-4)


def test_the_isotonic_steps_are_those_of_scikit_learn() -> None:
    from sklearn.isotonic import IsotonicRegression

    peer = IsotonicRegression(out_of_bounds="clip").fit(REFERENCE.scores, REFERENCE.y)
    at = np.concatenate((np.linspace(0, 1, 501), CURRENT.scores))
    found = fit_isotonic(*REFERENCE).apply(at)
    np.testing.assert_allclose(found, peer.predict(at), rtol=0, atol=1e-14)
