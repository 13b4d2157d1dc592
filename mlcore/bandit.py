"""How much traffic each arm deserves, from beta posteriors; knows no requests and draws no numbers.

Weights are meant to be renewed in batches, when labels have come: a label that is still out must
not speak for or against the arm it belongs to.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlcore.arrays import FloatArray
from mlcore.assignment import BUCKETS
from mlcore.errors import DataError
from mlcore.posterior import Beta

_POINTS = 2001
_REACH = 9.0


def best_arm_probabilities(posteriors: Sequence[Beta]) -> tuple[float, ...]:
    """P(arm i has the highest rate of all) of independent rates: integral f_i prod F_j dx.

    By the midpoint rule on points within 9 standard deviations of each arm, to some 1e-5. It is
    the share of Thompson's (1933) draws that the arm wins. Raises DataError for fewer than 2 arms.

    >>> [round(p, 4) for p in best_arm_probabilities([Beta(421, 81), Beta(441, 61)])]
    [0.0345, 0.9655]
    """
    if len(posteriors) < 2:
        raise DataError(f"arms compete from two on, got {len(posteriors)}")
    edges = np.unique(np.concatenate([_points(arm) for arm in posteriors]))
    middles, widths = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    shares = np.array([_shares(arm, middles, widths) for arm in posteriors])
    below = np.cumsum(shares, axis=1) - shares / 2
    others = [np.delete(below, arm, axis=0).prod(axis=0) for arm in range(len(shares))]
    won = np.sum(shares * np.array(others), axis=1)
    return tuple((won / won.sum()).tolist())


def thompson_weights(posteriors: Sequence[Beta], floor: float = 0.01) -> tuple[float, ...]:
    """floor + (1 - k floor) P(arm is best): no arm of k is given up for good.

    Raises DataError unless 0 <= k floor <= 1, and as best_arm_probabilities.

    >>> [round(weight, 4) for weight in thompson_weights([Beta(421, 81), Beta(441, 61)])]
    [0.0438, 0.9562]
    """
    arms = len(posteriors)
    if not 0 <= arms * floor <= 1:
        raise DataError(f"{arms} arms cannot each have a share of {floor:g} at least")
    free = 1 - arms * floor
    return tuple(floor + free * best for best in best_arm_probabilities(posteriors))


def basis_points(shares: Sequence[float]) -> tuple[int, ...]:
    """Shares that sum to 1 as whole basis points that sum to 10000, the largest remainders first.

    Raises DataError for shares that are negative or do not sum to 1.

    >>> basis_points([1 / 3, 1 / 3, 1 / 3])
    (3334, 3333, 3333)
    """
    exact = np.asarray(shares, dtype=np.float64) * BUCKETS
    if not (exact >= 0).all() or abs(exact.sum() - BUCKETS) > 1e-6:
        raise DataError(f"shares are not negative and sum to 1, got {list(shares)}")
    whole = np.floor(exact).astype(np.int64)
    missing = BUCKETS - int(whole.sum())
    whole[np.argsort(whole - exact, kind="stable")[:missing]] += 1
    return tuple(whole.tolist())


def _points(arm: Beta) -> FloatArray:
    mean = arm.mean
    reach = _REACH * (mean * (1 - mean) / (arm.a + arm.b + 1)) ** 0.5
    return np.linspace(max(mean - reach, 0.0), min(mean + reach, 1.0), _POINTS)


def _shares(arm: Beta, middles: FloatArray, widths: FloatArray) -> FloatArray:
    """The probability of each piece."""
    heights = (arm.a - 1) * np.log(middles) + (arm.b - 1) * np.log1p(-middles)
    pieces = np.exp(heights - heights.max()) * widths
    shares: FloatArray = pieces / pieces.sum()
    return shares
