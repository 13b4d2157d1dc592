"""How fast rows are scored, one at a time and by the million, beside scikit-learn's pipeline."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from benchmarks.common import Bar, interleaved_cpu_seconds, report, summary
from mlcore import Classifier, TrainingSpec, synthetic_raisin, table_rows, train
from mlcore.arrays import FloatArray
from mlcore.estimators import Logistic

MANY, FEW = 1_000_000, 9_000
CALLS = 2_000
"""Calls that are timed together: one takes less than the clock can tell."""


def peer_of(classifier: Classifier, X: FloatArray) -> Pipeline:
    """scikit-learn's pipeline with our means, scales and weights: the same function."""
    assert isinstance(classifier.estimator, Logistic)
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    pipeline.fit(X, np.arange(len(X)) % 2)
    scaler, model = pipeline[0], pipeline[1]
    scaler.mean_, scaler.scale_ = classifier.encoder.means, classifier.encoder.scales
    model.coef_ = classifier.estimator.matrix
    model.intercept_ = classifier.estimator.base
    return pipeline


def many_rows(rows: list[dict[str, Any]], n: int) -> FloatArray:
    """Training rows again and again, each a little different."""
    X = np.array([list(row.values()) for row in rows])
    noise = np.random.default_rng(7).normal(1.0, 0.01, size=(n, X.shape[1]))
    found: FloatArray = np.resize(X, noise.shape) * noise
    return found


def repeated(call: Callable[[], object], *, calls: int) -> Callable[[], None]:
    def job() -> None:
        for _ in range(calls):
            call()

    return job


def one_row(classifier: Classifier, pipeline: Pipeline, *, repeats: int) -> dict[str, Any]:
    """Microseconds of CPU a row: validated, scored and explained, against scored alone."""
    row = {name: float(value) for name, value in _typical(classifier).items()}
    matrix = np.array([list(row.values())])
    jobs = {
        "ours": (repeated(lambda: classifier.score_row(row), calls=CALLS), CALLS),
        "ours, general path": (repeated(lambda: classifier.score([row]), calls=100), 100),
        "sklearn": (repeated(lambda: pipeline.predict_proba(matrix), calls=20), 20),
    }
    seconds = interleaved_cpu_seconds({n: job for n, (job, _) in jobs.items()}, repeats=repeats)
    return {
        name: summary([1e6 * value / calls for value in seconds[name]])
        for name, (_, calls) in jobs.items()
    }


def _typical(classifier: Classifier) -> dict[str, float]:
    columns = classifier.profile.columns
    return {column.name: column.mean or 0.0 for column in columns}


def milliseconds(
    jobs: dict[str, Callable[[], object]], *, repeats: int
) -> dict[str, dict[str, float]]:
    seconds = interleaved_cpu_seconds(jobs, repeats=repeats)
    return {name: summary([1e3 * value for value in times]) for name, times in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object (always done)")
    parser.add_argument("--quick", action="store_true", help="fewer repeats")
    repeats = 7 if parser.parse_args().quick else 31
    table = synthetic_raisin()
    classifier = train(TrainingSpec(target="Class"), table).classifier
    rows = table_rows(classifier, table)
    X = many_rows(rows, MANY)
    clean = [dict(zip(classifier.schema.names, row, strict=True)) for row in X[:FEW].tolist()]
    pipeline = peer_of(classifier, X[:100])
    with threadpool_limits(1):
        row_us = one_row(classifier, pipeline, repeats=3 * repeats)
        difference = float(np.abs(classifier.probabilities(X) - pipeline.predict_proba(X)).max())
        block_ms = milliseconds(
            {
                "ours": lambda: classifier.positive_probabilities(X),
                "ours, both classes": lambda: classifier.probabilities(X),
                "sklearn": lambda: pipeline.predict_proba(X),
            },
            repeats=repeats,
        )
        read_ms = milliseconds({"ours": lambda: classifier.schema.read(clean)}, repeats=repeats)
    one, read = row_us["ours"]["median"], read_ms["ours"]["median"]
    faster = block_ms["sklearn"]["median"] / block_ms["ours"]["median"]
    report(
        {
            "one_row_cpu_us": row_us,
            "million_rows_cpu_ms": block_ms,
            "largest_difference": difference,
            "read_9000_rows_cpu_ms": read_ms,
        },
        bars=[
            Bar("one row us", one, 3.5, one <= 3.5),
            Bar("1M x 7 speed-up", faster, 5.0, faster >= 5.0),
            Bar("1M x 7 difference", difference, 1e-12, difference <= 1e-12),
            Bar("9000 x 7 read ms", read, 10.0, read <= 10.0),
        ],
    )


if __name__ == "__main__":
    main()
