"""Labelled scores with published results: over-confident by 1.5, then rows half an sd further up."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mlcore.arrays import FloatArray
from mlcore.loss import sigmoid

THRESHOLD = 0.44


class Rows(NamedTuple):
    y: FloatArray
    scores: FloatArray


def rows(rng: np.random.Generator, n: int, mean: float = 0.0) -> Rows:
    x = rng.normal(mean, 1.0, n)
    y = (rng.random(n) < sigmoid(x)).astype(np.float64)
    return Rows(y, sigmoid(1.5 * x))


def reference_and_current() -> tuple[Rows, Rows]:
    rng = np.random.default_rng(2026)
    return rows(rng, 2000), rows(rng, 1000, 0.5)
