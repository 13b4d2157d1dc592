"""Every measure of drift for one feature, from counts and sums; corrects and judges nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from mlcore.arrays import FloatArray
from mlcore.distances import (
    chi_square_sparse,
    jensen_shannon,
    l_infinity,
    psi,
    psi_p_value,
    rank_test_sparse,
)
from mlcore.grid import Grid
from mlcore.layout import NumberSummary
from mlcore.profile import ColumnProfile
from mlcore.results import Direction, Result
from mlcore.two_samples import ks_p_value, shift_of_moments


@dataclass(frozen=True)
class DriftRule:
    """What counts as drift.

    ``alpha`` is compared with corrected p values, and ``possible_alpha`` where an effect has too
    little evidence: below it drift is possible. At 1 every effect makes it so, which at 50 rows and
    seven features is 99 reports in 100 of rows that have not moved. The effect of a number is its Wasserstein
    distance in sd, that of a category its Jensen-Shannon distance: the largest change of a share
    (``l_infinity``) is blind to a change spread over many levels, a hundred equal ones of which
    half vanish move it by 0.01 and Jensen-Shannon by 0.56. Over few rows and many levels
    Jensen-Shannon exceeds 0.1 by chance; the evidence has to hold as well.
    """

    min_rows: int = 50
    alpha: float = 0.01
    possible_alpha: float = 0.05
    wasserstein: float = 0.1
    jensen_shannon: float = 0.1
    l_infinity: float = 0.1
    z_shift: float = 0.1
    psi_watch: float = 0.1
    psi_shift: float = 0.25

    def is_enough(self, n_ref: int, n_cur: int) -> bool:
        """Whether there are enough rows for a verdict, of the training as well as live ones."""
        return min(n_ref, n_cur) >= self.min_rows


@dataclass(frozen=True)
class Measured:
    """One feature's measures, its effect and the p value of its evidence, not corrected yet."""

    name: str
    kind: Literal["number", "category", "score", "prediction", "label"]
    n_ref: int
    n_cur: int
    missing: int
    unseen: int
    results: tuple[Result, ...]
    effect: float | None
    threshold: float
    p_value: float | None


def measure_number(
    column: ColumnProfile, grid: Grid, found: NumberSummary, rule: DriftRule
) -> Measured:
    """Live values of a number against its training.

    The evidence is the smaller p value of Kolmogorov and Smirnov's test, which sees any change,
    and of Mann and Whitney's, which sees a shift sooner, doubled for being two. Of a column that all
    but always has one value, the latter's is the chance of so many others.
    """
    results = list(_binned_number(column, grid, found, rule))
    effect = evidence = None
    if found.n and grid.n:
        make = _Maker(column.name, grid.n, found.n)
        d = ks_distance(grid, found)
        ks = ks_p_value(d, grid.n, found.n)
        ranks = rank_test_sparse(grid.cells, found.cells)
        distance = scaled_wasserstein(grid, found)
        effect = _in_sd(distance, column)
        evidence = min(2 * min(ks, ranks.p_value), 1.0)
        results += [
            _z_shift(make, column, grid, found, rule),
            make.test("ks", d, ks, rule),
            make.test("mann_whitney", ranks.superiority, ranks.p_value, rule),
            make.size("wasserstein", distance * grid.unit, rule.wasserstein, value=effect),
        ]
    return Measured(
        name=column.name,
        kind="number",
        n_ref=grid.n,
        n_cur=found.n,
        missing=found.missing,
        unseen=0,
        results=tuple(results),
        effect=effect,
        threshold=rule.wasserstein,
        p_value=evidence,
    )


def measure_counts(
    name: str,
    kind: Literal["category", "prediction", "label"],
    reference: ArrayLike,
    current: ArrayLike,
    rule: DriftRule,
    unseen: int | None = None,
) -> Measured:
    """Live counts of levels or classes against those of the training.

    ``unseen`` is the place of those that the training had not, whatever they are.
    """
    before, now = np.asarray(reference, np.float64), np.asarray(current, np.float64)
    n_ref, n_cur = int(before.sum()), int(now.sum())
    make, results, effect, evidence = _Maker(name, n_ref, n_cur), [], None, None
    if n_ref and n_cur:
        test = chi_square_sparse(before, now, gathered=unseen)
        effect, evidence = jensen_shannon(before, now), test.p_value
        results = [
            make.psi(before, now, rule),
            make.test("chi_square", test.statistic, test.p_value, rule),
            make.size("jensen_shannon", effect, rule.jensen_shannon),
            make.size("l_infinity", l_infinity(before, now), rule.l_infinity),
        ]
    return Measured(
        name=name,
        kind=kind,
        n_ref=n_ref,
        n_cur=n_cur,
        missing=0,
        unseen=0,
        results=tuple(results),
        effect=effect,
        threshold=rule.jensen_shannon,
        p_value=evidence,
    )


def ks_distance(grid: Grid, found: NumberSummary) -> float:
    """max |F_ref - F_cur| on every edge and just before it."""
    reached = np.cumsum(found.cells)
    on = np.abs(grid.reached / grid.n - reached[1::2] / found.n)
    before = np.abs(grid.below / grid.n - reached[:-1:2] / found.n)
    return float(max(on.max(), before.max()))


def scaled_wasserstein(grid: Grid, found: NumberSummary) -> float:
    """integral |F_ref - F_cur| dx in units of the training's sd.

    Over an open cell from a to b with c rows up to a, k inside and their sum s, the live integral
    is (c (b - a) + k b - s) / m; beyond the outer edges the sums are the integral. Where the two
    functions cross inside a cell, they are taken to cross in one step, at the place that keeps
    the integral of their difference: exact where at most one value lies between two edges.
    """
    edges, n, m = grid.scaled_edges, grid.n, found.n
    reached = np.cumsum(found.cells)
    inside, sums = found.cells[::2], found.sums
    with np.errstate(over="ignore", invalid="ignore"):
        widths = np.diff(edges)
        live = reached[1:-2:2] * widths + inside[1:-1] * edges[1:] - sums[1:-1]
        areas = grid.areas / n - live / m
        left = grid.reached[:-1] / n - reached[1:-2:2] / m
        right = grid.below[1:] / n - reached[2:-1:2] / m
        crossed = left * right < 0
        jump = np.where(crossed, left - right, 1.0)
        place = np.clip((areas - right * widths) / jump, 0.0, widths)
        steps = np.abs(left) * place + np.abs(right) * (widths - place)
        areas = np.where(crossed, steps, np.abs(areas))
        outside = inside[0] * edges[0] - sums[0] + sums[-1] - inside[-1] * edges[-1]
        return max(float(areas.sum() + outside / m), 0.0)


def moments_now(grid: Grid, found: NumberSummary) -> tuple[float, float]:
    """Mean and population sd of the live values."""
    with np.errstate(over="ignore", invalid="ignore"):
        mean = found.total / found.n
        spread = np.sqrt(max(found.squares / found.n - mean * mean, 0.0))
        return grid.center + grid.unit * mean, float(grid.unit * spread)


@dataclass(frozen=True)
class _Maker:
    """Results of one feature, whose verdicts are still to come."""

    feature: str
    n_ref: int
    n_cur: int

    def test(self, name: str, statistic: float, p: float, rule: DriftRule) -> Result:
        return self._make(name, statistic, None, rule.alpha, "below", p)

    def size(
        self,
        name: str,
        statistic: float,
        threshold: float,
        *,
        value: float | None = None,
        p: float | None = None,
    ) -> Result:
        value = statistic if value is None else value
        return self._make(name, statistic, value, threshold, "above", p)

    def psi(self, before: FloatArray, now: FloatArray, rule: DriftRule) -> Result:
        filled = before + now > 0  # what neither side has tells nothing
        before, now = before[filled], now[filled]
        index = psi(before, now)
        p = psi_p_value(index, float(before.sum()), float(now.sum()), len(before))
        return self.size("psi", index, rule.psi_shift, p=p)

    def _make(
        self,
        name: str,
        statistic: float,
        value: float | None,
        threshold: float,
        direction: Direction,
        p: float | None,
    ) -> Result:
        return Result(
            name=name,
            feature=self.feature,
            statistic=statistic,
            value=value,
            threshold=threshold,
            direction=direction,
            p_value=p,
            p_adjusted=None,
            n_ref=self.n_ref,
            n_cur=self.n_cur,
            verdict="insufficient_data",
        )


def _binned_number(
    column: ColumnProfile, grid: Grid, found: NumberSummary, rule: DriftRule
) -> Iterator[Result]:
    """What bins between the deciles say, with one bin more for missing values."""
    before = np.append(grid.reference_deciles, column.missing)
    now = np.append(grid.decile_counts(found.cells), found.missing)
    if before.sum() and now.sum():
        make = _Maker(column.name, int(before.sum()), int(now.sum()))
        yield make.psi(before, now, rule)
        yield make.size("jensen_shannon", jensen_shannon(before, now), rule.jensen_shannon)


def _z_shift(
    make: _Maker, column: ColumnProfile, grid: Grid, found: NumberSummary, rule: DriftRule
) -> Result:
    sd = 0.0 if _is_constant(column) else grid.unit
    shift = shift_of_moments((grid.n, grid.center, sd), (found.n, *moments_now(grid, found)))
    z = np.inf if shift.z is None else shift.z
    return make.size("z_shift", z, rule.z_shift, value=abs(z), p=shift.p_value)


def _in_sd(distance: float, column: ColumnProfile) -> float:
    """The distance; infinite where a column that never moved has moved."""
    if _is_constant(column):
        return np.inf if distance > 0 else 0.0
    return distance


def _is_constant(column: ColumnProfile) -> bool:
    return column.minimum == column.maximum
