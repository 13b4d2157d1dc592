"""Which columns tell the same story, and what that does to coefficients; knows no labels.

Everything follows from the correlation matrix, so a mean and a covariance gathered in one pass
over any number of rows are enough.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlcore.arrays import FloatArray, is_constant
from mlcore.errors import DataError, listed
from mlcore.moments import moments_of
from mlcore.pseudoinverse import inverse
from mlcore.rows import as_rows

HIGH_VIF = 10.0
"""A standard error more than sqrt 10 = 3.2 times what it would be beside unrelated columns."""

HIGH_CONDITION = 30.0
HIGH_CORRELATION = 0.9
HIGH_PARTIAL_CORRELATION = 0.5


@dataclass(frozen=True)
class ColumnCollinearity:
    """One column; vif = 1 / (1 - R^2) of its regression on all others.

    vif is None for a constant column, and for one that the others repeat exactly: ``exact``.
    """

    name: str
    vif: float | None
    exact: bool
    constant: bool


@dataclass(frozen=True)
class CollinearityReport:
    """Columns, their correlations (None beside a constant one) and who moves with whom.

    ``condition_number`` is that of [Z 1] with Z the standardised columns; None when a column is
    repeated exactly. ``groups`` holds the numbers of columns that belong together, two or more
    each: only the sum of their contributions can be trusted, not how it is shared out.
    """

    columns: tuple[ColumnCollinearity, ...]
    correlation: tuple[tuple[float | None, ...], ...]
    condition_number: float | None
    groups: tuple[tuple[int, ...], ...]
    warnings: tuple[str, ...]


def collinearity(
    Z: FloatArray, names: Sequence[str] | None = None, weights: FloatArray | None = None
) -> CollinearityReport:
    """The report of columns Z (n, d), standardised or not; Z is read once, in blocks.

    >>> a = np.arange(8.0)
    >>> report = collinearity(np.column_stack((a, a % 2, 3 * a)), ["a", "odd", "triple"])
    >>> [column.exact for column in report.columns], report.groups
    ([True, False, True], ((0, 2),))
    """
    rows = as_rows(Z, np.zeros(len(Z)), weights)
    moments = moments_of(rows)
    return collinearity_of_moments(len(Z), moments.mean, moments.covariance, names)


def collinearity_of_moments(
    n: int, mean: FloatArray, cov: FloatArray, names: Sequence[str] | None = None
) -> CollinearityReport:
    """The report of n rows of which only the mean (d,) and the covariance (d, d) were kept.

    VIF_j = [R^-1]_jj with R the correlation matrix; condition number = sqrt of the ratio of the
    extreme eigenvalues of diag(R, 1). Two columns belong together when |r| > 0.9, or when both
    have a VIF above 10 and |r| > 0.5 after all other columns are accounted for, which is
    -[R^-1]_ij / sqrt([R^-1]_ii [R^-1]_jj); groups are the connected components. Constant columns
    (``arrays.is_constant``) stand outside. Raises DataError for shapes that do not fit and values
    that are not finite. Source: Belsley, Kuh and Welsch (1980), chapter 3.

    >>> report = collinearity_of_moments(50, np.zeros(2), np.array([[1.0, 0.6], [0.6, 1.0]]))
    >>> report.columns[0].vif, report.condition_number, report.warnings
    (1.5625, 2.0, ())
    """
    mean, cov = np.asarray(mean, dtype=np.float64), np.asarray(cov, dtype=np.float64)
    names = _checked(mean, cov, names)
    sd = np.sqrt(np.maximum(np.diag(cov), 0.0))
    varying = np.flatnonzero(~is_constant(mean, sd, n))
    R = np.clip(cov[np.ix_(varying, varying)] / sd[varying] / sd[varying][:, np.newaxis], -1, 1)
    np.fill_diagonal(R, 1.0)
    found = inverse(R)
    vif, exact = np.diag(found.matrix), ~found.determined
    columns = [ColumnCollinearity(name, None, False, True) for name in names]
    for j, place in enumerate(varying.tolist()):
        value = None if exact[j] else max(float(vif[j]), 1.0)
        columns[place] = ColumnCollinearity(names[place], value, bool(exact[j]), False)
    condition = None if exact.any() else _condition_number(R)
    return CollinearityReport(
        columns=tuple(columns),
        correlation=_correlations(R, varying, len(names)),
        condition_number=condition,
        groups=_groups(_linked(R, found.matrix, found.null @ found.null.T, exact), varying),
        warnings=_warnings(columns, condition),
    )


def _checked(mean: FloatArray, cov: FloatArray, names: Sequence[str] | None) -> tuple[str, ...]:
    d = len(mean) if mean.ndim == 1 else -1
    names = tuple(f"column {j}" for j in range(d)) if names is None else tuple(names)
    if cov.shape != (d, d) or len(names) != d:
        raise DataError(
            f"the mean must be (d,), the covariance (d, d) and the names d; got {mean.shape}, "
            f"{cov.shape} and {len(names)}"
        )
    broken = ~(np.isfinite(mean) & np.isfinite(cov).all(axis=1))
    if broken.any():
        raise DataError(
            f"{names[int(np.argmax(broken))]} has a mean or covariance that is not finite: it "
            "holds missing, infinite or too large numbers"
        )
    return names


def _condition_number(R: FloatArray) -> float:
    values = np.append(np.linalg.eigvalsh(R), 1.0)
    return math.sqrt(float(values.max() / values.min()))


def _correlations(
    R: FloatArray, varying: NDArray[np.intp], d: int
) -> tuple[tuple[float | None, ...], ...]:
    table: list[list[float | None]] = [[None] * d for _ in range(d)]
    for i, row in zip(varying.tolist(), R.tolist(), strict=True):
        for j, value in zip(varying.tolist(), row, strict=True):
            table[i][j] = value
    return tuple(map(tuple, table))


def _linked(
    R: FloatArray, precision: FloatArray, null: FloatArray, exact: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Which pairs belong together, (d, d).

    Columns repeated exactly have no partial correlation; in its place stands the projector on
    the null space of R, towards which R^-1 of nearly repeated columns tends.
    """
    high = (np.diag(precision) > HIGH_VIF) & ~exact
    close = np.abs(R) > HIGH_CORRELATION
    for chosen, matrix in ((high, precision), (exact, null)):
        size = np.sqrt(np.diag(matrix))
        tied = np.abs(matrix) > HIGH_PARTIAL_CORRELATION * size * size[:, np.newaxis]
        close |= tied & chosen & chosen[:, np.newaxis]
    return close


def _groups(linked: NDArray[np.bool_], varying: NDArray[np.intp]) -> tuple[tuple[int, ...], ...]:
    """Connected components of two or more, by the lowest column number."""
    label = np.arange(len(linked))
    for i, j in np.argwhere(linked).tolist():
        label[label == label[j]] = label[i]
    components = [varying[label == each].tolist() for each in np.unique(label)]
    return tuple(sorted(tuple(members) for members in components if len(members) > 1))


def _warnings(columns: list[ColumnCollinearity], condition: float | None) -> tuple[str, ...]:
    found = []
    repeated = [column.name for column in columns if column.exact]
    high = [column.name for column in columns if (column.vif or 0.0) > HIGH_VIF]
    if repeated:
        found.append(f"{listed(repeated)} repeat each other exactly: drop one, or use lambda_ > 0")
    if high:
        found.append(
            f"{listed(high)} nearly follow from the other columns (VIF above {HIGH_VIF:g}): read "
            "the sum of their contributions, not each one"
        )
    if condition is not None and condition > HIGH_CONDITION:
        found.append(
            f"the condition number {condition:.3g} is above {HIGH_CONDITION:g}: coefficients react "
            "strongly to small changes in the data"
        )
    return tuple(found)
