"""How a model's probabilities follow one column while all others stay typical; knows no HTTP, log or drawing.

It shows the model, not the world: columns that move together in nature are held apart here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from endpoints.errors import InvalidRequest
from mlcore.arrays import FloatArray
from mlcore.classifier import Classifier
from mlcore.errors import CellError, cut, did_you_mean, listed
from mlcore.estimators import Linear
from mlcore.profile import ColumnProfile
from mlcore.schema import Column
from mlcore.trees import TreeEnsemble

POINTS = 121
LOW, MEDIAN, HIGH = 0.01, 0.5, 0.99
"""Of the training values; the curve leaves out the outermost hundredths."""
DECILES = tuple(k / 10 for k in range(1, 10))

Cell = float | str
Values = tuple[float, ...] | tuple[str, ...]


@dataclass(frozen=True, eq=False)
class ResponseCurve:
    """Probabilities (n, K) at n values of a column; a single value where training saw no other.

    ``deciles`` are those of a number's training values, and ``typical`` is what the other columns hold.
    """

    column: Column
    values: Values
    probabilities: FloatArray
    deciles: tuple[float, ...]
    typical: dict[str, Cell]


def response_curve(classifier: Classifier, name: str | None) -> ResponseCurve:
    """Return the curve of a column, without a name that of the model's strongest.

    Raises InvalidRequest for a column that the model does not have.
    """
    schema = classifier.schema
    name = strongest_column(classifier) if name is None else name
    if name not in schema.names:
        raise _unknown(name, schema.names)
    place = schema.names.index(name)
    profile, typical = classifier.profile.columns[place], typical_row(classifier)
    values = _values(profile)
    rows = [list((typical | {name: value}).values()) for value in values]
    return ResponseCurve(
        column=schema.columns[place],
        values=values,
        probabilities=classifier.probabilities(schema.read(rows)),
        deciles=tuple(profile.quantile(p) for p in DECILES) if profile.quantiles else (),
        typical={other: cell for other, cell in typical.items() if other != name},
    )


def typical_row(classifier: Classifier) -> dict[str, Cell]:
    """The median of each number and the most frequent level of each category, in training."""
    return {profile.name: _typical(profile) for profile in classifier.profile.columns}


def strongest_column(classifier: Classifier) -> str:
    """The column with the largest weight a standard deviation; of trees, the one they ask first most."""
    estimator, owners = classifier.estimator, classifier.encoder.owners
    if isinstance(estimator, Linear):
        slot = int(np.abs(estimator.matrix).max(axis=0).argmax())
    elif isinstance(estimator, TreeEnsemble):
        asked = estimator.feature[estimator.roots]
        slot = int(np.bincount(asked[asked >= 0], minlength=1).argmax())
    else:
        slot = 0
    return classifier.schema.names[owners[slot]]


def _typical(profile: ColumnProfile) -> Cell:
    if profile.kind == "number":
        return profile.quantile(MEDIAN)
    return max(profile.counts, key=lambda counted: counted[1])[0]


def _values(profile: ColumnProfile) -> Values:
    if profile.kind == "category":
        return tuple(level for level, _ in profile.counts)
    low, high = profile.quantile(LOW), profile.quantile(HIGH)
    if low == high:
        low, high = profile.quantiles[0], profile.quantiles[-1]
    return tuple(np.linspace(low, high, POINTS).tolist()) if low < high else (low,)


def _unknown(name: str, names: Sequence[str]) -> InvalidRequest:
    message = (
        f"The model has no feature “{cut(name)}”{did_you_mean(name, names) or '.'} "
        f"Its features are {listed(names)}."
    )
    cell = CellError(code="invalid_parameter", message=message, column="feature", value=cut(name))
    return InvalidRequest(message, cells=[cell])
