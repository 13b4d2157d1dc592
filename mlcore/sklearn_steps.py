"""What fitted scikit-learn transformers do to each column, as plain facts; never imports scikit-learn.

Objects are known by their class name and fitted attributes. A matrix is followed through the
steps as a list of features, one a column of the matrix; whatever our schema and encoder cannot
repeat exactly is a DataError that names the step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import numpy as np

from mlcore.errors import DataError, listed, shown


@dataclass(frozen=True)
class Feature:
    """One column of a matrix somewhere inside a pipeline.

    It is (x - mean) / scale of the input ``column``, whose missing cells were filled with
    ``fill``; or, with a ``level``, the same of the indicator that the column is at that level.
    ``categories`` are the column's levels as the encoder holds them, in its order; ``missing`` is
    what the imputer takes for a missing cell.
    """

    column: str
    fill: object = None
    missing: object = float("nan")
    level: str | None = None
    categories: tuple[object, ...] = ()
    mean: float = 0.0
    scale: float = 1.0
    is_scaled: bool = False


Features = Sequence[Feature]


def transformed(step: Any, features: Features, *, place: str) -> Features:
    """The features behind a fitted step; ``place`` is where the step stands, for errors."""
    if step is None or step == "passthrough":
        return features
    kind = type(step).__name__
    if kind not in _STEPS:
        unsupported(place, kind, sorted(_STEPS))
    return _STEPS[kind](step, features, f"{place} ({kind})")


def final_step(model: Any) -> Any:
    """The estimator at the end of a pipeline, or the model itself."""
    while type(model).__name__ == "Pipeline":
        model = model.steps[-1][1]
    return model


def names_of(model: Any) -> tuple[str, ...]:
    """The columns of the data frame a model was fitted on; none when it was an array."""
    steps = [step for _, step in model.steps] if type(model).__name__ == "Pipeline" else [model]
    for step in steps:
        if step is not None and step != "passthrough":
            inner = names_of(step) if step is not model else ()
            return inner or tuple(getattr(step, "feature_names_in_", ()))
    return ()


def unsupported(place: str, kind: str, supported: Iterable[str]) -> NoReturn:
    raise DataError(f"{place}: {kind} cannot be converted; supported are {listed(supported)}")


def attribute_of(step: Any, name: str, place: str) -> Any:
    """A fitted attribute; DataError where there is none."""
    try:
        return getattr(step, name)
    except AttributeError as error:
        raise DataError(f"{place} has no {name}: fit it before it is converted") from error


def as_text(value: object, place: str) -> str:
    """A class or level as text, as a CSV file would hold it; DataError for another type.

    >>> as_text("x", "y"), as_text(3, "y"), as_text(True, "y"), as_text(2.0, "y")
    ('x', '3', 'True', '2')
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # whole numbers beside missing cells are floats to pandas
    if isinstance(value, str | int):
        return str(value)
    raise DataError(
        f"{place} knows the value {shown(value)}; only texts, whole numbers and booleans can be "
        "written as texts (fill missing categories with a SimpleImputer first)"
    )


def numbers(values: Any, place: str) -> list[float]:
    """An attribute that must be numbers, as plain floats."""
    try:
        return [float(value) for value in values]
    except (TypeError, ValueError) as error:
        raise DataError(f"{place} holds something other than numbers: {error}") from error


def _pipeline(step: Any, features: Features, place: str) -> Features:
    for name, inner in step.steps:
        features = transformed(inner, features, place=f'{place}, step "{name}"')
    return features


def _column_transformer(step: Any, features: Features, place: str) -> Features:
    if step.transformer_weights is not None:
        raise DataError(f"{place} has transformer_weights; scale inside its steps instead")
    names = list(getattr(step, "feature_names_in_", ()))
    found: list[Feature] = []
    for name, inner, columns in attribute_of(step, "transformers_", place):
        positions = _positions(columns, names, len(features), place)
        if positions and not (isinstance(inner, str) and inner == "drop"):
            chosen = [features[position] for position in positions]
            found += transformed(inner, chosen, place=f'{place}, step "{name}"')
    return found


def _positions(columns: Any, names: list[str], n: int, place: str) -> list[int]:
    """Where the columns stand, however they were asked for: names, numbers, a slice or a mask."""
    if isinstance(columns, slice):
        return list(range(n)[_numbered(columns, names)])
    many = columns.tolist() if hasattr(columns, "tolist") else columns
    many = [many] if isinstance(many, str | int) else list(many)
    if many and all(isinstance(item, bool) for item in many):
        return [position for position, chosen in enumerate(many) if chosen]
    try:
        return [names.index(item) if isinstance(item, str) else range(n)[item] for item in many]
    except (ValueError, TypeError, IndexError) as error:
        raise DataError(f"{place}: the columns {shown(columns)} are not understood") from error


def _numbered(columns: slice, names: list[str]) -> slice:
    """A slice of names includes its end; a slice of numbers is itself."""
    start, stop = columns.start, columns.stop
    if isinstance(start, str):
        start = names.index(start)
    if isinstance(stop, str):
        stop = names.index(stop) + 1
    return slice(start, stop, columns.step)


def _imputer(step: Any, features: Features, place: str) -> Features:
    if step.add_indicator:
        raise DataError(f"{place} has add_indicator; a schema has no column for it")
    missing = step.missing_values
    if not _is_missing(missing):
        raise DataError(f"{place} takes {shown(missing)} for missing; it must be None or NaN")
    statistics = _one_each(attribute_of(step, "statistics_", place), features, place)
    return [_filled(*pair, missing, place) for pair in zip(features, statistics, strict=True)]


def _is_missing(value: object) -> bool:
    """None, NaN, or the missing value of pandas."""
    is_nan = isinstance(value, float | np.floating) and bool(np.isnan(value))
    return value is None or is_nan or type(value).__name__ == "NAType"


def _filled(feature: Feature, fill: object, missing: object, place: str) -> Feature:
    if _is_missing(fill):
        raise DataError(f'{place} found no value in column "{feature.column}"; leave it out')
    if feature.level is not None or feature.fill is not None:
        return feature  # nothing is missing here any more
    if feature.is_scaled:
        raise DataError(f"{place} comes after a scaler; fill missing values before scaling")
    return replace(feature, fill=fill, missing=missing)


def _scaler(step: Any, features: Features, place: str) -> Features:
    attribute_of(step, "n_samples_seen_", place)
    n = len(features)
    means = numbers(step.mean_, place) if step.with_mean else [0.0] * n
    scales = numbers(step.scale_, place) if step.with_std else [1.0] * n
    scaled = []
    for feature, mean, scale in zip(
        features, _one_each(means, features, place), scales, strict=True
    ):
        if feature.is_scaled:
            raise DataError(f'{place}: column "{feature.column}" is scaled twice; scale it once')
        scaled.append(replace(feature, mean=mean, scale=scale, is_scaled=True))
    return scaled


def _one_hot(step: Any, features: Features, place: str) -> Features:
    if getattr(step, "_infrequent_enabled", False) and any(
        rare is not None for rare in step.infrequent_categories_
    ):
        raise DataError(f"{place} groups rare categories; group them in the table instead")
    categories = _one_each(attribute_of(step, "categories_", place), features, place)
    dropped = [None] * len(features) if step.drop_idx_ is None else step.drop_idx_
    slots: list[Feature] = []
    for feature, known, drop in zip(features, categories, dropped, strict=True):
        if feature.level is not None or feature.is_scaled:
            raise DataError(f'{place}: column "{feature.column}" was scaled or encoded before')
        raw = tuple(known.tolist())
        column = replace(feature, categories=raw)
        texts = [as_text(value, f'{place}, column "{feature.column}"') for value in raw]
        slots += [replace(column, level=text) for i, text in enumerate(texts) if i != drop]
    return slots


def _one_each(values: Any, features: Features, place: str) -> list[Any]:
    if len(values) != len(features):
        raise DataError(f"{place} was fitted on {len(values)} columns, not on {len(features)}")
    return list(values)


def _function(step: Any, features: Features, place: str) -> Features:
    if step.func is not None:
        raise DataError(f"{place} calls a function; apply it to the table before training")
    return features


_STEPS: dict[str, Callable[[Any, Features, str], Features]] = {
    "Pipeline": _pipeline,
    "ColumnTransformer": _column_transformer,
    "SimpleImputer": _imputer,
    "StandardScaler": _scaler,
    "OneHotEncoder": _one_hot,
    "FunctionTransformer": _function,
}
