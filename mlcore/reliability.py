"""Whether probabilities mean what they say: bins, calibration error and line; knows no models.

Bins of equal width: B of them, row i in bin floor(p_i B), the last one closed (p = 1 belongs to
it). Bins of equal mass: row i in bin floor(B m_i), with m_i the share of weight below p_i plus
half of that at p_i; equal probabilities stay together, so a bin may be empty.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from mlcore.arrays import FloatArray, IntArray
from mlcore.errors import DataError
from mlcore.intervals import wilson
from mlcore.logistic_line import fit_line, fit_shift
from mlcore.loss import sigmoid
from mlcore.scored import Scored, logit, probable
from mlcore.special import critical_value

Binning = Literal["width", "mass"]


@dataclass(frozen=True)
class ReliabilityBin:
    """One bin: its rows and weight, mean probability, share of positives, 95 % Wilson bar.

    Edges are those of the bin (equal width) or the smallest and largest probability in it.
    """

    left: float
    right: float
    n: int
    weight: float
    probability: float
    positive: float
    low: float
    high: float


@dataclass(frozen=True)
class ReliabilityReport:
    """The filled bins, their calibration error, and the largest gap of one bin."""

    binning: str
    n: int
    bins: tuple[ReliabilityBin, ...]
    ece: float
    largest_gap: float


@dataclass(frozen=True)
class CalibrationReport:
    """The line of y on logit(p): 1 and 0 when calibrated; None where it cannot be fitted."""

    slope: float | None
    intercept: float | None
    in_the_large: float | None


@dataclass(frozen=True)
class CalibrationIntervals:
    """The slope and the intercept in the large of ``CalibrationReport``, each with its interval."""

    slope: float
    slope_low: float
    slope_high: float
    in_the_large: float
    in_the_large_low: float
    in_the_large_high: float


@dataclass(frozen=True)
class BrierReport:
    """brier = reliability - resolution + uncertainty + within; skill against the base rate."""

    brier: float
    reliability: float
    resolution: float
    uncertainty: float
    within: float
    skill: float | None


def reliability(
    y: ArrayLike,
    p: ArrayLike,
    *,
    bins: int = 10,
    binning: Binning = "width",
    weights: ArrayLike | None = None,
) -> ReliabilityReport:
    """The reliability diagram: in each bin, mean probability against share of positives.

    Bars are Wilson intervals; with weights, of the effective number of rows (sum s)^2 / sum s^2.
    Raises DataError for fewer than one bin or an unknown binning.

    >>> report = reliability([0, 1, 1], [0.1, 0.2, 0.9], bins=2)
    >>> [(b.n, b.positive) for b in report.bins], round(report.ece, 4)
    ([(2, 0.5), (1, 1.0)], 0.2667)
    """
    rows = probable(y, p, weights)
    place = _places(rows, bins, binning)
    filled = [
        _bin(rows, place == number, (number / bins, (number + 1) / bins), binning)
        for number in np.unique(place[rows.weights > 0]).tolist()
    ]
    gaps = [abs(b.probability - b.positive) for b in filled]
    return ReliabilityReport(
        binning=binning,
        n=len(rows.y),
        bins=tuple(filled),
        ece=_calibration_error(rows, place),
        largest_gap=max(gaps),
    )


def expected_calibration_error(
    y: ArrayLike,
    p: ArrayLike,
    *,
    bins: int = 10,
    binning: Binning = "width",
    weights: ArrayLike | None = None,
) -> float:
    """ECE = sum_b (s_b / S) |mean p in b - share of positives in b| (Naeini et al. 2015).

    >>> round(expected_calibration_error([0, 1, 1], [0.1, 0.2, 0.9], bins=2), 4)
    0.2667
    """
    rows = probable(y, p, weights)
    return _calibration_error(rows, _places(rows, bins, binning))


def calibration_line(
    y: ArrayLike, p: ArrayLike, weights: ArrayLike | None = None
) -> CalibrationReport:
    """Slope and intercept of a logistic fit of y on logit(p), and the intercept at slope 1.

    A slope below 1 says too extreme, an intercept in the large below 0 too high on average (Cox
    1958). None where no finite fit exists: one class, equal probabilities, perfect separation.

    >>> line = calibration_line([0, 0, 0, 1, 0, 1, 1, 1], [0.25] * 4 + [0.75] * 4)
    >>> round(line.slope, 6), round(abs(line.intercept), 6), round(abs(line.in_the_large), 6)
    (1.0, 0.0, 0.0)
    """
    rows = probable(y, p, weights)
    x = logit(rows.scores)
    line = fit_line(x, rows.y, rows.weights)
    return CalibrationReport(
        slope=None if line is None else line.slope,
        intercept=None if line is None else line.intercept,
        in_the_large=fit_shift(x, rows.y, rows.weights),
    )


def calibration_intervals(
    y: ArrayLike, p: ArrayLike, level: float = 0.95
) -> CalibrationIntervals | None:
    """Wald intervals of the calibration line: slope 1 and intercept in the large 0 are calibrated.

    With x = logit(p), z the fitted logits and v = sigmoid(z) sigmoid(-z), the variance of the slope
    is 1 / sum v (x - xbar)^2 (xbar weighted by v), and that of the intercept at slope 1 is
    1 / sum v. None where no finite line exists; see ``calibration_line``.

    >>> y, p = [0, 0, 0, 1, 0, 1, 1, 1] * 10, ([0.25] * 4 + [0.75] * 4) * 10
    >>> found = calibration_intervals(y, p)
    >>> [round(end, 2) for end in (found.slope_low, found.slope_high)]
    [0.54, 1.46]
    """
    rows = probable(y, p)
    x = logit(rows.scores)
    line, shift = fit_line(x, rows.y, rows.weights), fit_shift(x, rows.y, rows.weights)
    if line is None or shift is None:
        return None
    v = _curvature(line.slope * x + line.intercept)
    spread = float(v @ (x - float(v @ x) / float(v.sum())) ** 2)
    z = critical_value(level)
    slope_reach, shift_reach = z / spread**0.5, z / float(_curvature(x + shift).sum()) ** 0.5
    return CalibrationIntervals(
        slope=line.slope,
        slope_low=line.slope - slope_reach,
        slope_high=line.slope + slope_reach,
        in_the_large=shift,
        in_the_large_low=shift - shift_reach,
        in_the_large_high=shift + shift_reach,
    )


def _curvature(z: FloatArray) -> FloatArray:
    return sigmoid(z) * sigmoid(-z)


def brier_decomposition(
    y: ArrayLike,
    p: ArrayLike,
    *,
    bins: int | None = None,
    weights: ArrayLike | None = None,
) -> BrierReport:
    """Murphy's (1973) parts of the Brier score over groups k of rows with weights s_k.

    reliability = sum_k (s_k/S) (pbar_k - ybar_k)^2, resolution = sum_k (s_k/S) (ybar_k - ybar)^2,
    uncertainty = ybar (1 - ybar). Without ``bins`` the groups are equal probabilities and within
    is 0 up to rounding; bins of equal width leave (1/S) sum_i s_i ((p_i - pbar_k)^2
    - 2 (p_i - pbar_k)(y_i - ybar_k)) inside them (Stephenson et al. 2008).
    skill = 1 - brier / uncertainty, None for one class.

    >>> parts = brier_decomposition([0, 1, 1, 1], [0.25, 0.25, 0.75, 0.75])
    >>> parts.brier, parts.reliability, parts.resolution, parts.uncertainty
    (0.1875, 0.0625, 0.0625, 0.1875)
    """
    rows = probable(y, p, weights)
    levels = np.unique(rows.scores, return_inverse=True)[1]
    place = levels if bins is None else _places(rows, bins, "width")
    share = rows.weights / rows.weights.sum()
    weight, probability, positive = _group_means(rows, place)
    # np.average adds both sums in one order, so that no mean leaves [0, 1].
    mean = float(np.average(rows.y, weights=rows.weights))
    apart, off = rows.scores - probability[place], rows.y - positive[place]
    brier = float(np.average((rows.scores - rows.y) ** 2, weights=rows.weights))
    uncertainty = mean * (1 - mean)
    return BrierReport(
        brier=brier,
        reliability=float(weight @ (probability - positive) ** 2),
        resolution=float(weight @ (positive - mean) ** 2),
        uncertainty=uncertainty,
        within=float(share @ (apart**2 - 2 * apart * off)),
        skill=1 - brier / uncertainty if uncertainty > 0 else None,
    )


def _places(rows: Scored, bins: int, binning: str) -> IntArray:
    if bins < 1:
        raise DataError(f"a reliability diagram needs at least one bin, got {bins}")
    if binning == "width":
        share = rows.scores
    elif binning == "mass":
        _, group = np.unique(rows.scores, return_inverse=True)
        mass = np.bincount(group, weights=rows.weights)
        share = ((np.cumsum(mass) - mass / 2) / mass.sum())[group]
    else:
        raise DataError(f"unknown binning {binning!r}: use width or mass")
    return np.minimum((share * bins).astype(np.int64), bins - 1)


def _group_means(rows: Scored, place: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Of each group: its share of the weight, mean probability and share of positives."""
    weight = np.bincount(place, weights=rows.weights)
    safe = np.where(weight > 0, weight, 1.0)
    probability = np.bincount(place, weights=rows.weights * rows.scores) / safe
    positive = np.bincount(place, weights=rows.weights * rows.y) / safe
    return weight / weight.sum(), probability, positive


def _calibration_error(rows: Scored, place: IntArray) -> float:
    weight, probability, positive = _group_means(rows, place)
    return float(weight @ np.abs(probability - positive))


def _bin(
    rows: Scored, inside: np.ndarray, edges: tuple[float, float], binning: str
) -> ReliabilityBin:
    y, p, weights = (column[inside] for column in rows)
    weight = float(weights.sum())
    # A common factor of the weights cancels; without it, squares of tiny ones would vanish.
    relative = weights / weights.max()
    effective = float(relative.sum()) ** 2 / float(relative @ relative)
    positive = min(float(weights @ y) / weight, 1.0)
    low, high = wilson(positive * effective, effective)
    return ReliabilityBin(
        left=edges[0] if binning == "width" else float(p.min()),
        right=edges[1] if binning == "width" else float(p.max()),
        n=len(p),
        weight=weight,
        probability=float(weights @ p) / weight,
        positive=positive,
        low=low,
        high=high,
    )
