"""How good the classifier is on the real Raisin data, beside scikit-learn's pipeline."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.common import Bar, interleaved_cpu_seconds, report, summary
from mlcore import (
    Column,
    Columns,
    Encoder,
    NewtonSettings,
    Schema,
    Table,
    newton,
    raisin,
    roc_auc,
    stratified_folds,
)
from mlcore.arrays import FloatArray
from mlcore.loss import sigmoid
from tests.mlcore.problems import RAISIN_MLE

FOLDS = 5
LAMBDA = 0.01
SEED = 7

Predict = Callable[[FloatArray], FloatArray]
Fit = Callable[[FloatArray, FloatArray], Predict]


@dataclass(frozen=True)
class Scores:
    """Means over the folds."""

    accuracy: float
    auc: float


def cross_validate(table: Table, fit: Fit | None = None) -> Scores:
    """Stratified 5-fold cross-validation of a way to fit; ours by default."""
    X, y = matrix(table)
    fold = stratified_folds(y, folds=FOLDS, seed=SEED)
    rows = [_scores_of_fold(X, y, fold == number, fit or fit_ours) for number in range(FOLDS)]
    return Scores(*np.mean(rows, axis=0).tolist())


def _scores_of_fold(
    X: FloatArray, y: FloatArray, test: np.ndarray, fit: Fit
) -> tuple[float, float]:
    p = fit(X[~test], y[~test])(X[test])
    auc = roc_auc(y[test], p)
    assert auc is not None, "stratified folds hold both classes"
    return float(np.mean((p >= 0.5) == y[test])), auc


def matrix(table: Table) -> tuple[FloatArray, FloatArray]:
    X = np.array([[float(cell) for cell in row[:-1]] for row in table.rows])
    return X, np.array([float(row[-1] == "Besni") for row in table.rows])


def fit_ours(X: FloatArray, y: FloatArray, *, lambda_: float = LAMBDA) -> Predict:
    schema = Schema(tuple(Column(f"x{j}", "number") for j in range(X.shape[1])))
    encoder = Encoder.fit(schema, columns_of(schema, X))
    Z = encoder.transform(columns_of(schema, X))
    fitted = newton(Z, y, settings=NewtonSettings(lambda_=lambda_))

    def predict(new: FloatArray) -> FloatArray:
        Z = encoder.transform(columns_of(schema, new))
        return sigmoid(Z @ fitted.weights + fitted.intercept)

    return predict


def columns_of(schema: Schema, X: FloatArray) -> Columns:
    return Columns(dict(zip(schema.names, X.T, strict=True)), len(X), ((),) * len(X))


def fit_sklearn(X: FloatArray, y: FloatArray) -> Predict:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=1 / (len(y) * LAMBDA)))
    pipeline.fit(X, y)
    return lambda new: pipeline.predict_proba(new)[:, 1]


def largest_difference_from_the_mle(X: FloatArray, y: FloatArray) -> float:
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    fitted = newton(Z, y, settings=NewtonSettings(lambda_=0.0))
    return float(np.abs(np.append(fitted.weights, fitted.intercept) - RAISIN_MLE).max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object (always done)")
    parser.add_argument("--quick", action="store_true", help="fewer repeats of the timing")
    options = parser.parse_args()
    given = os.environ.get("RAISIN_CSV")
    if not given:
        sys.exit("this benchmark needs the real data: set RAISIN_CSV to the Raisin file")
    table = raisin(given=Path(given), cache=Path("var"), download=None)
    X, y = matrix(table)
    ours, peer = cross_validate(table), cross_validate(table, fit_sklearn)
    distance = largest_difference_from_the_mle(X, y)
    jobs = {"ours": lambda: fit_ours(X, y), "sklearn": lambda: fit_sklearn(X, y)}
    seconds = interleaved_cpu_seconds(jobs, repeats=15 if options.quick else 101)
    fit_ms = {name: summary([1e3 * value for value in times]) for name, times in seconds.items()}
    report(
        {
            "cross_validation": {"ours": asdict(ours), "sklearn": asdict(peer)},
            "mle_largest_difference": distance,
            "fit_cpu_ms": fit_ms,
            "fit_cpu_ratio": fit_ms["ours"]["median"] / fit_ms["sklearn"]["median"],
        },
        bars=[
            Bar("cv accuracy low", ours.accuracy, 0.855, ours.accuracy >= 0.855),
            Bar("cv accuracy high", ours.accuracy, 0.880, ours.accuracy <= 0.880),
            Bar("cv auc", ours.auc, 0.92, ours.auc >= 0.92),
            Bar("mle weights", distance, 1e-6, distance <= 1e-6),
        ],
    )


if __name__ == "__main__":
    main()
