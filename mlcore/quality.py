"""What is wrong with live rows whatever their distribution: holes, ranges, levels, frozen columns.

It reads a window and the training profile. Values of a wrong type never get into a window.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import sqrt
from typing import Any

from mlcore.discrete import hypergeometric_pmf
from mlcore.distances import adjusted, binomial_tail
from mlcore.grid import Grid
from mlcore.intervals import wilson
from mlcore.layout import CategorySummary, NumberSummary
from mlcore.measures import DriftRule
from mlcore.profile import ColumnProfile, Profile
from mlcore.results import Result, Verdict, worst
from mlcore.special import two_sided
from mlcore.window import Window

LEAST_CHANGE = 0.01
"""A share has changed from one percentage point on."""


@dataclass(frozen=True)
class QualityReport:
    """``results`` are named missing, out_of_range, unseen and constant; the verdict is the gravest.

    ``statistic`` is the live count, ``value`` the change of its share that is held against the
    threshold, or the share itself where training had none. ``shares`` gives the share with its
    Wilson interval, ``unseen`` the new levels of each category, 20 at most.
    """

    n_ref: int
    n_cur: int
    verdict: Verdict
    results: tuple[Result, ...]
    shares: tuple[tuple[float, float, float], ...]
    unseen: Mapping[str, Mapping[str, int]]

    def to_dict(self) -> dict[str, Any]:
        results = [
            found.to_dict() | {"count": found.statistic, "share": share, "low": low, "high": high}
            for found, (share, low, high) in zip(self.results, self.shares, strict=True)
        ]
        return {
            "n_ref": self.n_ref,
            "n_cur": self.n_cur,
            "verdict": self.verdict,
            "results": results,
            "unseen": {name: dict(texts) for name, texts in self.unseen.items()},
        }


def check_quality(profile: Profile, window: Window, rule: DriftRule | None = None) -> QualityReport:
    """Hold the holes, ranges and levels of a window against those of the training.

    A share of missing values is drift if it has grown by a percentage point, and by more than
    chance allows (``growth_p_value``, corrected over all checks after Benjamini and Hochberg).
    Values outside the training range and unseen levels likewise. Those that the training might have
    had are as many as its outermost one or two rows, and its rows of levels that stand there alone
    (Good and Turing), at least one. A column that moved in training is constant by chance with
    p = C(n, o) / C(n + m, o): all of the o training rows that hold another value than the m live
    ones are in the training.

    >>> from mlcore.profile import build_profile
    >>> from mlcore.schema import Column, Schema
    >>> import numpy as np
    >>> schema = Schema((Column("a", "number"),))
    >>> rows = schema.read([[float(k)] for k in range(200)])
    >>> profile = build_profile(schema, rows, probabilities=np.full(200, 0.5), threshold=0.5)
    >>> window = Window.empty(profile)
    >>> window.add(np.array([[np.nan]] * 30 + [[float(k)] for k in range(70)]))
    >>> report = check_quality(profile, window)
    >>> [(found.name, found.statistic, found.verdict) for found in report.results]
    [('missing', 30, 'drift'), ('out_of_range', 0, 'no_drift'), ('constant', 0, 'no_drift')]
    """
    rule = rule or DriftRule()
    found = [check for k in range(len(profile.columns)) for check in _checks(profile, window, k)]
    chances = iter(adjusted([check.p_value for check in found if check.p_value is not None]))
    results = tuple(
        _with_verdict(check, None if check.p_value is None else next(chances), rule)
        for check in found
    )
    return QualityReport(
        n_ref=profile.n_rows,
        n_cur=window.n_rows,
        verdict=worst([result.verdict for result in results]),
        results=results,
        shares=tuple(_share(result) for result in results),
        unseen={
            column.name: window.category(k).texts
            for k, column in enumerate(profile.columns)
            if column.kind == "category" and window.category(k).unseen
        },
    )


def two_proportions(k_ref: int, n_ref: int, k_cur: int, n_cur: int) -> tuple[float, float]:
    """z and two-sided p of k_cur / n_cur against k_ref / n_ref with the pooled variance.

    >>> [round(number, 4) for number in two_proportions(20, 1000, 40, 800)]
    [3.5233, 0.0004]
    """
    pooled = (k_ref + k_cur) / (n_ref + n_cur)
    error = sqrt(pooled * (1 - pooled) * (1 / n_ref + 1 / n_cur))
    if error == 0.0:
        return 0.0, 1.0
    z = (k_cur / n_cur - k_ref / n_ref) / error
    return z, two_sided(z)


def growth_p_value(k_ref: int, n_ref: int, k_cur: int, n_cur: int) -> float:
    """The p value of a share that has grown: ``two_proportions``, exactly where rows are few.

    With fewer than 50 rows to be expected it is twice the chance that of k_ref + k_cur rows, each
    live with probability n_cur / (n_ref + n_cur), at least k_cur are. 1 for a share that fell.

    >>> round(growth_p_value(2, 5000, 1, 50), 3)
    0.059
    """
    z, p = two_proportions(k_ref, n_ref, k_cur, n_cur)
    if z <= 0:
        return 1.0
    both, share = k_ref + k_cur, n_cur / (n_ref + n_cur)
    return min(2 * binomial_tail(k_cur, both, share), 1.0) if both * share < 50 else p


def _checks(profile: Profile, window: Window, place: int) -> Iterator[Result]:
    column = profile.columns[place]
    grid = window.layout.grids[place]
    if grid is not None:
        yield from _number_checks(profile, column, grid, window.number(place))
    else:
        yield from _category_checks(profile, column, window.category(place))


def _number_checks(
    profile: Profile, column: ColumnProfile, grid: Grid, found: NumberSummary
) -> Iterator[Result]:
    outside = (found.below + found.above, found.n)
    yield _missing(profile, column, found.missing, found.n + found.missing)
    yield _compared("out_of_range", column, (min(2, grid.n), grid.n), outside)
    held = None
    if found.n and found.minimum == found.maximum and column.minimum != column.maximum:
        held = int(grid.cells[found.cells.argmax()])
    yield _constant(column, grid.n, found.n, held)


def _category_checks(
    profile: Profile, column: ColumnProfile, found: CategorySummary
) -> Iterator[Result]:
    n_ref = profile.n_rows - column.missing
    alone = sum(count == 1 for _, count in column.counts)
    yield _missing(profile, column, found.missing, found.n + found.missing)
    yield _compared("unseen", column, (max(alone, min(1, n_ref)), n_ref), (found.unseen, found.n))
    now = [count for count in found.counts.tolist() if count] + list(found.texts.values())
    then = [count for _, count in column.counts]
    held = None
    if len(now) == 1 < sum(count > 0 for count in then):
        held = 0 if found.unseen else then[int(found.counts.argmax())]
    yield _constant(column, n_ref, found.n, held)


def _missing(profile: Profile, column: ColumnProfile, missing: int, n: int) -> Result:
    return _compared("missing", column, (column.missing, profile.n_rows), (missing, n))


def _compared(
    name: str, column: ColumnProfile, reference: tuple[int, int], current: tuple[int, int]
) -> Result:
    """A share that must not grow; fewer than in training is no fault."""
    (k_ref, n_ref), (k_cur, n_cur) = reference, current
    grown = p = None
    if n_ref and n_cur:
        p = growth_p_value(k_ref, n_ref, k_cur, n_cur)
        grown = k_cur / n_cur - (k_ref / n_ref if name == "missing" else 0.0)
    return _result(name, column, k_cur, grown, p, (n_ref, n_cur))


def _constant(column: ColumnProfile, n_ref: int, n_cur: int, held: int | None) -> Result:
    """``held`` are the training rows of the only value that is left, None where there are more."""
    if held is None:
        return _result("constant", column, 0, 0.0, 1.0, (n_ref, n_cur))
    chance = hypergeometric_pmf(0, n_ref + n_cur, n_ref - held, n_cur)
    return _result("constant", column, n_cur, 1.0, chance, (n_ref, n_cur))


def _result(
    name: str,
    column: ColumnProfile,
    count: int,
    value: float | None,
    p: float | None,
    rows: tuple[int, int],
) -> Result:
    return Result(
        name=name,
        feature=column.name,
        statistic=count,
        value=value,
        threshold=1.0 if name == "constant" else LEAST_CHANGE,
        direction="above",
        p_value=p,
        p_adjusted=None,
        n_ref=rows[0],
        n_cur=rows[1],
        verdict="insufficient_data",
    )


def _with_verdict(check: Result, p: float | None, rule: DriftRule) -> Result:
    if not rule.is_enough(check.n_ref, check.n_cur) or check.value is None:
        return replace(check, p_adjusted=p)
    large, sure = check.value >= check.threshold, p is None or p < rule.alpha
    verdict: Verdict = "drift" if large and sure else "no_drift"
    if verdict == "no_drift" and p is not None and (sure or (large and p < rule.possible_alpha)):
        verdict = "possible"
    return replace(check, p_adjusted=p, verdict=verdict)


def _share(result: Result) -> tuple[float, float, float]:
    count, n = result.statistic or 0.0, result.n_cur
    return (count / n if n else 0.0, *wilson(count, n))
