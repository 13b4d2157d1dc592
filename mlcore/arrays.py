"""The array types used throughout, and the mean and scale of columns; knows no names or kinds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlcore.errors import DataError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

EPS = float(np.finfo(np.float64).eps)

LIMIT = 1e150
"""The largest magnitude of a number: its square, and sums of squares, stay finite."""


def floats(values: ArrayLike, what: str) -> FloatArray:
    """The values as float64; DataError, saying ``what`` they are, where they are no numbers.

    >>> floats([True, 2], "labels")
    array([1., 2.])
    """
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"the {what} must be numbers: {error}") from error


class ColumnMoments(NamedTuple):
    """Mean, population standard deviation and constancy of each column, all of shape (d,)."""

    mean: FloatArray
    sd: FloatArray
    constant: NDArray[np.bool_]

    @property
    def scale(self) -> FloatArray:
        """What a column is divided by to be standardised: sd, or 1 where it is constant."""
        return np.where(self.constant, 1.0, self.sd)


def column_moments(X: FloatArray) -> ColumnMoments:
    """Moments of X (n, d), safe for large offsets and for any scale.

    mean_j = sum_i x_ij / n and sd_j = sqrt(sum_i (x_ij - mean_j)^2 / n). Deviations are divided
    by a power of two before they are squared, so neither 1e150 nor 1e-200 leaves the range of
    float64 and a column scaled by 2^k has the same standardised values to the last bit.

    >>> column_moments(np.array([[1.0, 5.0], [3.0, 5.0]]))  # doctest: +NORMALIZE_WHITESPACE
    ColumnMoments(mean=array([2., 5.]), sd=array([1., 0.]), constant=array([False,  True]))
    """
    mean = X.mean(axis=0)
    mean = mean + (X - mean).mean(axis=0)
    deviation = X - mean
    _, exponent = np.frexp(np.abs(deviation).max(axis=0))
    unit = np.ldexp(1.0, exponent)
    sd = unit * np.sqrt(np.mean((deviation / unit) ** 2, axis=0))
    return ColumnMoments(mean, sd, is_constant(mean, sd, len(X)))


def is_constant(mean: FloatArray, sd: FloatArray, n: float) -> NDArray[np.bool_]:
    """Whether the spread of n values cannot be told from the rounding of their mean.

    sd <= n eps |mean|, the error bound of the two-pass variance (Chan, Golub, LeVeque 1983;
    scikit-learn's StandardScaler applies the same test).
    """
    constant: NDArray[np.bool_] = sd <= n * EPS * np.abs(mean)
    return constant
