"""What the training rows looked like, small enough to travel with the model; knows no files.

Drift is measured against this profile, forms take their ranges from it, and the probes of a
bundle are drawn from it: it holds summaries, never a training row.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mlcore.arrays import FloatArray, column_moments
from mlcore.performance import ReferencePerformance
from mlcore.schema import Column, Columns, Schema

STEPS = 1000
"""Order statistics are kept of the probabilities 0, 1 / STEPS, .. 1."""

FEW_STEPS = 100
"""The same for tables with more than ``MOST_FINE`` columns of numbers, and in older bundles."""

MOST_FINE = 50

SCORE_BINS = 20


@dataclass(frozen=True)
class Bins:
    """Counts of the training values up to the first edge, up to the second, .. and above the last.

    Each edge belongs to the bin that it ends. There is one count more than there are edges.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Tails:
    """Count and sum of the training values below ``quantiles[1]`` and above ``quantiles[-2]``.

    A thousandth of the rows may hold most of a column's spread, and no quantile tells where.
    """

    below: int
    below_sum: float
    above: int
    above_sum: float


@dataclass(frozen=True)
class ColumnProfile:
    """One column over its non-missing training rows.

    Numbers have mean, sd (population), minimum, maximum, 1001 order statistics (101 in wide
    tables), the bins between their deciles and their tails; in older bundles 101 interpolated
    quantiles, no deciles and no tails. Categories have ``counts``, one per level in the order of
    the schema's levels.
    """

    name: str
    kind: Literal["number", "category"]
    missing: int
    mean: float | None = None
    sd: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    quantiles: tuple[float, ...] = ()
    counts: tuple[tuple[str, int], ...] = ()
    deciles: Bins | None = None
    tails: Tails | None = None

    def quantile(self, p: float) -> float:
        """The smallest kept quantile of a probability of at least p, 0 <= p <= 1, of a number.

        >>> column = ColumnProfile("a", "number", 0, quantiles=(0.0, 1.0, 4.0, 9.0, 16.0))
        >>> column.quantile(0.5), column.quantile(0.6), column.quantile(1.0)
        (4.0, 9.0, 16.0)
        """
        # 0.29 * 100 is a little above 29 or below it, according to the processor's mood.
        return self.quantiles[math.ceil(p * (len(self.quantiles) - 1) - 1e-9)]


@dataclass(frozen=True)
class ScoreProfile:
    """The training probabilities: order statistics, and counts over 20 equal bins of [0, 1].

    Of two classes they are those of the positive one, and ``positive_rate`` is the share of rows
    predicted positive at the threshold of the training. Of three or more they are those of the
    class that was predicted, and ``class_rates`` are the shares of rows predicted as each.
    ``mean``, ``sd``, ``deciles`` and ``tails`` are as in ``ColumnProfile``, None in older bundles.
    """

    quantiles: tuple[float, ...]
    histogram: tuple[int, ...]
    positive_rate: float | None
    class_rates: tuple[float, ...] = ()
    mean: float | None = None
    sd: float | None = None
    deciles: Bins | None = None
    tails: Tails | None = None

    @property
    def predicted_rates(self) -> tuple[float, ...]:
        """The shares of the training rows that were predicted as each class."""
        if self.class_rates or self.positive_rate is None:
            return self.class_rates
        return 1 - self.positive_rate, self.positive_rate


@dataclass(frozen=True)
class Profile:
    """The training rows in summary; ``class_counts`` are those of the true labels where known.

    ``performance`` is that on the holdout, from which estimates without labels start; None in older
    bundles and where there was no holdout.
    """

    n_rows: int
    columns: tuple[ColumnProfile, ...]
    scores: ScoreProfile
    class_counts: tuple[int, ...] = ()
    performance: ReferencePerformance | None = None

    @property
    def is_detailed(self) -> bool:
        """Whether it has deciles and tails, which older bundles lack."""
        return self.scores.deciles is not None

    def to_dict(self) -> dict[str, Any]:
        data = dict(vars(self))
        data["columns"] = [_told(column) for column in self.columns]
        data["scores"] = _told(self.scores)
        if self.performance is not None:
            data["performance"] = self.performance.to_dict()
        _drop(data, "class_counts", "performance")
        _drop(data["scores"], "class_rates", "mean", "sd")
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Profile:
        """The inverse of ``to_dict``; TypeError, KeyError or ValueError for anything else."""
        columns = tuple(
            ColumnProfile(
                **{
                    **column,
                    "quantiles": tuple(column["quantiles"]),
                    "counts": tuple((level, count) for level, count in column["counts"]),
                    **_details(column),
                }
            )
            for column in data["columns"]
        )
        scores = data["scores"]
        score_profile = ScoreProfile(
            quantiles=tuple(scores["quantiles"]),
            histogram=tuple(scores["histogram"]),
            positive_rate=scores["positive_rate"],
            class_rates=tuple(scores.get("class_rates", ())),
            mean=scores.get("mean"),
            sd=scores.get("sd"),
            **_details(scores),
        )
        return cls(
            n_rows=data["n_rows"],
            columns=columns,
            scores=score_profile,
            class_counts=tuple(data.get("class_counts", ())),
            performance=_performance(data.get("performance")),
        )


def _performance(data: Mapping[str, Any] | None) -> ReferencePerformance | None:
    return None if data is None else ReferencePerformance.from_dict(data)


def _told(part: ColumnProfile | ScoreProfile) -> dict[str, Any]:
    """As ``asdict`` has it, without a copy of each of thousands of quantiles."""
    data = dict(vars(part))
    for name in ("deciles", "tails"):
        data[name] = None if data[name] is None else asdict(data[name])
    _drop(data, "deciles", "tails")
    return data


def _drop(data: dict[str, Any], *names: str) -> None:
    """Leave out what older forms do not have, where it is empty."""
    for name in names:
        if data[name] is None or data[name] == ():
            del data[name]


def _details(data: Mapping[str, Any]) -> dict[str, Any]:
    deciles, tails = data.get("deciles"), data.get("tails")
    return {
        "deciles": deciles and Bins(**{key: tuple(value) for key, value in deciles.items()}),
        "tails": tails and Tails(**tails),
    }


def build_profile(
    schema: Schema,
    columns: Columns,
    *,
    probabilities: FloatArray,
    threshold: float | None,
    labels: NDArray[Any] | None = None,
) -> Profile:
    """Summarise the training rows and their probabilities.

    ``probabilities`` have shape (n, K), or (n,) for the positive one of two classes; there is a
    threshold for two classes alone. ``labels`` (n,) are the numbers of the true classes. Cells
    that were filled in (``columns.imputed``) count as missing and enter no summary.

    >>> schema = Schema((Column("a", "number"),))
    >>> columns = schema.read([[1.0], [3.0]])
    >>> profile = build_profile(
    ...     schema, columns, probabilities=np.array([0.2, 0.9]), threshold=0.5
    ... )
    >>> profile.columns[0].mean, profile.columns[0].sd, profile.scores.positive_rate
    (2.0, 1.0, 0.5)
    """
    n_classes = 2 if probabilities.ndim == 1 else probabilities.shape[1]
    n_numbers = sum(column.kind == "number" for column in schema.columns)
    steps = STEPS if n_numbers <= MOST_FINE else FEW_STEPS
    return Profile(
        n_rows=columns.n_rows,
        columns=tuple(_column_profile(column, columns, steps) for column in schema.columns),
        scores=score_profile(probabilities, threshold),
        class_counts=() if labels is None else _counts(labels, n_classes),
    )


def score_profile(probabilities: FloatArray, threshold: float | None) -> ScoreProfile:
    """The summary of probabilities of shape (n,) or (n, K); see ``build_profile``."""
    if threshold is None:
        chosen = _counts(probabilities.argmax(axis=1), probabilities.shape[1])
        rates = tuple(count / len(probabilities) for count in chosen)
        return _score_profile(probabilities.max(axis=1), positive_rate=None, class_rates=rates)
    positive = probabilities if probabilities.ndim == 1 else probabilities[:, 1]
    return _score_profile(positive, positive_rate=float(np.mean(positive >= threshold)))


def _score_profile(
    values: FloatArray, *, positive_rate: float | None, class_rates: tuple[float, ...] = ()
) -> ScoreProfile:
    bins = np.minimum((values * SCORE_BINS).astype(np.int64), SCORE_BINS - 1)
    moments = column_moments(values[:, np.newaxis])
    return ScoreProfile(
        histogram=_counts(bins, SCORE_BINS),
        positive_rate=positive_rate,
        class_rates=class_rates,
        mean=float(moments.mean[0]),
        sd=float(moments.sd[0]),
        **_shape(values, STEPS),
    )


def _column_profile(column: Column, columns: Columns, steps: int) -> ColumnProfile:
    present = np.array([column.name not in filled for filled in columns.imputed])
    values = columns.values[column.name][present]
    missing = int(columns.n_rows - present.sum())
    if column.kind == "category":
        counts = tuple((level, int(np.sum(values == level))) for level in column.levels)
        return ColumnProfile(column.name, "category", missing, counts=counts)
    moments = column_moments(values[:, np.newaxis])
    return ColumnProfile(
        name=column.name,
        kind="number",
        missing=missing,
        mean=float(moments.mean[0]),
        sd=float(moments.sd[0]),
        minimum=float(values.min()),
        maximum=float(values.max()),
        **_shape(values, steps),
    )


def _shape(values: FloatArray, steps: int) -> dict[str, Any]:
    """Order statistics, bins between the deciles, and tails.

    The k-th of them is the smallest value that at least a share k / steps of the rows does not
    exceed (``inverted_cdf`` of NumPy, in whole numbers): every one of them was seen.
    """
    ordered, n = np.sort(values), len(values)
    ranks = -(np.arange(steps + 1) * -n // steps)
    grid = ordered[np.maximum(ranks, 1) - 1]
    edges = np.unique(grid[steps // 10 : steps : steps // 10])
    reached = np.searchsorted(ordered, edges, side="right")
    low = int(np.searchsorted(ordered, grid[1], side="left"))
    high = int(np.searchsorted(ordered, grid[-2], side="right"))
    return {
        "quantiles": tuple(grid.tolist()),
        "deciles": Bins(
            tuple(edges.tolist()), tuple(np.diff(reached, prepend=0, append=n).tolist())
        ),
        "tails": Tails(low, float(ordered[:low].sum()), n - high, float(ordered[high:].sum())),
    }


def _counts(numbers: NDArray[Any], size: int) -> tuple[int, ...]:
    return tuple(np.bincount(numbers.astype(np.int64), minlength=size).tolist())
