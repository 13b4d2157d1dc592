"""The array types used throughout, and the mean and scale of columns; knows no names or kinds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

EPS = float(np.finfo(np.float64).eps)

LIMIT = 1e150
"""The largest magnitude of a number: its square, and sums of squares, stay finite."""


class Moments(NamedTuple):
    """Mean, population standard deviation and constancy of each column, all of shape (d,)."""

    mean: FloatArray
    sd: FloatArray
    constant: NDArray[np.bool_]


def column_moments(X: FloatArray) -> Moments:
    """Moments of X (n, d), safe for large offsets and for any scale.

    mean_j = sum_i x_ij / n and sd_j = sqrt(sum_i (x_ij - mean_j)^2 / n). Deviations are divided
    by a power of two before they are squared, so neither 1e150 nor 1e-200 leaves the range of
    float64 and a column scaled by 2^k has the same standardised values to the last bit.

    A column is constant when its spread cannot be told from the rounding of its mean:
    sd <= n eps |mean|, the error bound of the two-pass variance (Chan, Golub, LeVeque 1983;
    scikit-learn's StandardScaler applies the same test).

    >>> column_moments(np.array([[1.0, 5.0], [3.0, 5.0]]))  # doctest: +NORMALIZE_WHITESPACE
    Moments(mean=array([2., 5.]), sd=array([1., 0.]), constant=array([False,  True]))
    """
    mean = X.mean(axis=0)
    mean = mean + (X - mean).mean(axis=0)
    deviation = X - mean
    _, exponent = np.frexp(np.abs(deviation).max(axis=0))
    unit = np.ldexp(1.0, exponent)
    sd = unit * np.sqrt(np.mean((deviation / unit) ** 2, axis=0))
    return Moments(mean, sd, sd <= len(X) * EPS * np.abs(mean))
