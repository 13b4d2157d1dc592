"""How far live values have moved from the training profile, column by column; knows no log.

The population stability index compares shares in bins:

    PSI = sum_b (p_b - q_b) ln(p_b / q_b)

with p_b of the training rows and q_b of the live ones, each (count + 1/2) / (N + B/2). Numbers fall
into bins between the training deciles, categories into one bin a level; missing values and levels
that the training did not know have bins of their own. By habit 0.1 is worth a look and 0.25 is a shift.

Few rows differ by chance: rows like the training's give about (1/n + 1/m) chi-square of B - 1
degrees (Yurdakul and Naranjo 2020), on average 0.06 for 720 and 200 rows in ten bins. So a
report carries the p value too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mlcore.arrays import FloatArray, floats
from mlcore.errors import DataError
from mlcore.profile import ColumnProfile
from mlcore.special import chi_square_sf

_DECILES = np.arange(10, 100, 10)
"""Places in the profile's grid of percents."""


@dataclass(frozen=True)
class DriftReport:
    """One column: PSI of ``rows`` live values, its p value by chance, and what training never saw.

    ``missing`` and ``unseen`` (values of no known level) are counts of live rows.
    """

    name: str
    psi: float
    p_value: float
    rows: int
    missing: int = 0
    unseen: int = 0


def psi(reference: ArrayLike, current: ArrayLike) -> float:
    """The index of two vectors of counts over the same bins, smoothed by half a row a bin.

    Raises DataError for counts of different lengths or below 0, or without any row.

    >>> live = [97, 51, 67, 55, 60, 67, 63, 82, 98, 160]
    >>> round(psi([100] * 10, live), 10)
    0.1226289554
    """
    before, now = _shares(reference), _shares(current)
    if before.shape != now.shape:
        raise DataError(f"{len(before)} bins cannot be compared with {len(now)}")
    return float(np.sum((before - now) * np.log(before / now)))


def psi_p_value(value: float, n: float, m: float, bins: int) -> float:
    """The chance that m rows drawn like the n of the training have at least this index.

    >>> round(psi_p_value(0.0380677, 1000, 800, 10), 4)
    0.05
    """
    if bins < 2:
        return 1.0
    return chi_square_sf(max(value, 0.0) / (1 / n + 1 / m), bins - 1)


def adjusted(p_values: Sequence[float]) -> list[float]:
    """p values corrected for being many (Benjamini and Hochberg 1995), in the order given.

    >>> [round(p, 3) for p in adjusted([0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074])]
    [0.007, 0.028, 0.059, 0.059, 0.059, 0.07, 0.074]
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    found = list(p_values)
    least = 1.0
    for rank in range(len(order), 0, -1):
        place = order[rank - 1]
        least = min(least, p_values[place] * len(order) / rank)
        found[place] = least
    return found


def column_drift(profile: ColumnProfile, values: Sequence[Any], *, n_rows: int) -> DriftReport:
    """How far live values, None where missing, are from one of the profile's columns.

    ``n_rows`` is how many rows the profile rests on. A value of another kind than the column's is
    counted as unseen. Raises DataError for no values.

    >>> column = ColumnProfile("colour", "category", 0, counts=(("dark", 60), ("red", 40)))
    >>> report = column_drift(column, ["dark"] * 50 + ["pink"] * 50, n_rows=100)
    >>> round(report.psi, 2), report.unseen, report.p_value < 0.001
    (4.02, 50, True)
    """
    if not values:
        raise DataError(f"there are no rows to compare with the profile of {profile.name}")
    present = [value for value in values if value is not None]
    binned = _number_bins if profile.kind == "number" else _category_bins
    reference, current, unseen = binned(profile, present, n_rows - profile.missing)
    missing = len(values) - len(present)
    before = np.append(reference, (0, profile.missing))
    now = np.append(current, (unseen, missing))
    filled = before + now > 0  # what neither side has tells nothing
    before, now = before[filled], now[filled]
    value = psi(before, now)
    chance = psi_p_value(value, n_rows, len(values), len(before))
    return DriftReport(profile.name, value, chance, len(values), missing, unseen)


_Binned = tuple[FloatArray, FloatArray, int]
"""Counts of the training, counts of the live values, and how many of those fit no bin."""


def _number_bins(profile: ColumnProfile, present: Sequence[Any], n: int) -> _Binned:
    numbers = np.array([value for value in present if isinstance(value, int | float)], np.float64)
    edges, shares = _decile_bins(np.array(profile.quantiles))
    place = np.searchsorted(edges, numbers, side="left")
    current = np.bincount(place, minlength=len(shares)).astype(np.float64)
    return shares * n, current, len(present) - len(numbers)


def _decile_bins(grid: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Edges, each the last value of its bin, and the training's share in each bin.

    Columns of few values repeat their deciles: a bin is then one value, and what lies below the
    smallest gets a bin of its own. Where the grid steps from one such value to the next it has
    interpolated a number between them that no row has; the value before the step is the edge.
    """
    level = grid[_DECILES - 1] == grid[_DECILES - 2]
    edges = np.unique(np.where(level, grid[_DECILES - 1], grid[_DECILES]))
    if edges[0] == grid[0]:
        edges = np.insert(edges, 0, np.nextafter(grid[0], -np.inf))
    up_to = np.searchsorted(grid, edges, side="right") - 1
    reached = np.concatenate(([0.0], np.maximum(up_to, 0) / (len(grid) - 1), [1.0]))
    return edges, np.diff(reached)


def _category_bins(profile: ColumnProfile, present: Sequence[Any], _: int) -> _Binned:
    places = {level: place for place, (level, _) in enumerate(profile.counts)}
    known = [places[value] for value in present if value in places]
    current = np.bincount(np.array(known, np.int64), minlength=len(places)).astype(np.float64)
    reference = np.array([count for _, count in profile.counts], np.float64)
    return reference, current, len(present) - len(known)


def _shares(counts: ArrayLike) -> FloatArray:
    found = floats(counts, "counts")
    if found.ndim != 1 or not (found >= 0).all() or not 0 < found.sum() < np.inf:
        raise DataError("an index of shift needs counts of 0 or more, and at least one row")
    shares: FloatArray = (found + 0.5) / (found.sum() + 0.5 * len(found))
    return shares
