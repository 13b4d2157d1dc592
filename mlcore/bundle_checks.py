"""Whether the parts read from a bundle are well formed and belong together; touches no files."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from mlcore.canonical import require
from mlcore.classifier import Classifier
from mlcore.profile import GRID, SCORE_BINS, ColumnProfile, Profile, ScoreProfile
from mlcore.schema import Column, Schema


def checked_column(feature: Mapping[str, Any]) -> Column:
    """The column a document describes; ArtifactError when it is not well formed."""
    column = Column(**{**feature, "levels": tuple(feature["levels"])})
    texts = (column.name, *column.levels)
    require(all(isinstance(text, str) for text in texts), "a name or level is not a text")
    if column.kind == "number":
        good = not column.levels and (column.fill is None or is_number(column.fill))
    else:
        distinct = len(set(column.levels)) == len(column.levels) > 0
        good = column.kind == "category" and distinct and column.fill in (None, *column.levels)
    require(good, f"feature {column.name!r} is not well formed")
    return column


def check_classifier(classifier: Classifier) -> None:
    """ArtifactError for names, a threshold or a profile that no training could have given."""
    classes, threshold = classifier.classes, classifier.threshold
    texts = (classifier.target, *classes)
    require(all(isinstance(text, str) for text in texts), "the target or a class is not a text")
    require(len(set(classes)) == len(classes), "two of the classes are the same")
    in_range = threshold is None or (is_number(threshold) and 0 <= threshold <= 1)
    require(in_range, "the threshold is not in [0, 1]")
    require(isinstance(classifier.converged, bool), "converged is not true or false")
    _check_profile(classifier.profile, classifier.schema)
    require(_scores_fit(classifier.profile.scores, classes), "the profile does not fit the classes")


def _check_profile(profile: Profile, schema: Schema) -> None:
    scores = profile.scores
    require(
        len(profile.columns) == len(schema.columns)
        and all(map(_fits, profile.columns, schema.columns))
        and (len(scores.quantiles), len(scores.histogram)) == (len(GRID), SCORE_BINS)
        and are_numbers((profile.n_rows, *scores.quantiles, *scores.histogram)),
        "the profile does not fit the features",
    )


def _scores_fit(scores: ScoreProfile, classes: tuple[str, ...]) -> bool:
    if len(classes) == 2:
        return is_number(scores.positive_rate) and scores.class_rates == ()
    rates = scores.class_rates
    return scores.positive_rate is None and len(rates) == len(classes) and are_numbers(rates)


def _fits(profile: ColumnProfile, column: Column) -> bool:
    if (profile.name, profile.kind) != (column.name, column.kind):
        return False
    if profile.kind == "category":
        counts = [count for _, count in profile.counts]
        levels = tuple(level for level, _ in profile.counts)
        return levels == column.levels and are_numbers((profile.missing, *counts))
    summary = (profile.missing, profile.mean, profile.sd, profile.minimum, profile.maximum)
    return len(profile.quantiles) == len(GRID) and are_numbers((*summary, *profile.quantiles))


def are_numbers(values: Iterable[object]) -> bool:
    return all(map(is_number, values))


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
