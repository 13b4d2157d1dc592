"""What the training rows looked like, small enough to travel with the model; knows no files.

Drift is measured against this profile, forms take their ranges from it, and the probes of a
bundle are drawn from it: it holds summaries, never a training row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mlcore.arrays import FloatArray, column_moments
from mlcore.schema import Column, Columns, Schema

GRID = tuple(k / 100 for k in range(101))
"""The probabilities at which quantiles are kept: 0, 0.01, .. 1."""

SCORE_BINS = 20


@dataclass(frozen=True)
class ColumnProfile:
    """One column over its non-missing training rows.

    Numbers have mean, sd (population), minimum, maximum and 101 quantiles; categories have
    ``counts``, one per level in the order of the schema's levels.
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


@dataclass(frozen=True)
class ScoreProfile:
    """The training probabilities: 101 quantiles and counts over 20 equal bins of [0, 1].

    Of two classes they are those of the positive one, and ``positive_rate`` is the share of rows
    predicted positive at the threshold of the training. Of three or more they are those of the
    class that was predicted, and ``class_rates`` are the shares of rows predicted as each.
    """

    quantiles: tuple[float, ...]
    histogram: tuple[int, ...]
    positive_rate: float | None
    class_rates: tuple[float, ...] = ()


@dataclass(frozen=True)
class Profile:
    """The training rows in summary."""

    n_rows: int
    columns: tuple[ColumnProfile, ...]
    scores: ScoreProfile

    def to_dict(self) -> dict[str, Any]:
        data = asdict(self)
        if not self.scores.class_rates:  # the form of two classes is older
            del data["scores"]["class_rates"]
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Profile:
        """The inverse of ``to_dict``; TypeError or KeyError for anything else."""
        columns = tuple(
            ColumnProfile(
                **{
                    **column,
                    "quantiles": tuple(column["quantiles"]),
                    "counts": tuple((level, count) for level, count in column["counts"]),
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
        )
        return cls(data["n_rows"], columns, score_profile)


def build_profile(
    schema: Schema, columns: Columns, *, probabilities: FloatArray, threshold: float | None
) -> Profile:
    """Summarise the training rows and their probabilities.

    ``probabilities`` have shape (n, K), or (n,) for the positive one of two classes; there is a
    threshold for two classes alone. Cells that were filled in (``columns.imputed``) count as
    missing and enter no summary.

    >>> schema = Schema((Column("a", "number"),))
    >>> columns = schema.read([[1.0], [3.0]])
    >>> profile = build_profile(
    ...     schema, columns, probabilities=np.array([0.2, 0.9]), threshold=0.5
    ... )
    >>> profile.columns[0].mean, profile.columns[0].sd, profile.scores.positive_rate
    (2.0, 1.0, 0.5)
    """
    profiles = tuple(_column_profile(column, columns) for column in schema.columns)
    return Profile(columns.n_rows, profiles, score_profile(probabilities, threshold))


def score_profile(probabilities: FloatArray, threshold: float | None) -> ScoreProfile:
    """The summary of probabilities of shape (n,) or (n, K); see ``build_profile``."""
    if threshold is None:
        shares = np.bincount(probabilities.argmax(axis=1), minlength=probabilities.shape[1])
        rates = tuple((shares / len(probabilities)).tolist())
        return _score_profile(probabilities.max(axis=1), positive_rate=None, class_rates=rates)
    positive = probabilities if probabilities.ndim == 1 else probabilities[:, 1]
    return _score_profile(positive, positive_rate=float(np.mean(positive >= threshold)))


def _score_profile(
    values: FloatArray, *, positive_rate: float | None, class_rates: tuple[float, ...] = ()
) -> ScoreProfile:
    bins = np.minimum((values * SCORE_BINS).astype(np.int64), SCORE_BINS - 1)
    histogram = tuple(np.bincount(bins, minlength=SCORE_BINS).tolist())
    return ScoreProfile(_quantiles(values), histogram, positive_rate, class_rates)


def _column_profile(column: Column, columns: Columns) -> ColumnProfile:
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
        quantiles=_quantiles(values),
    )


def _quantiles(values: NDArray[Any]) -> tuple[float, ...]:
    return tuple(np.quantile(values, GRID).tolist())
