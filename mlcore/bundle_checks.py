"""Whether the parts read from a bundle are well formed and belong together; touches no files."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from mlcore.canonical import require
from mlcore.classifier import Classifier
from mlcore.profile import (
    FEW_STEPS,
    SCORE_BINS,
    STEPS,
    Bins,
    ColumnProfile,
    Profile,
    ScoreProfile,
    Tails,
)
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
    _check_profile(classifier.profile, classifier.schema, len(classes))
    fits = _scores_fit(classifier.profile.scores, classes) and _performance_fits(classifier)
    require(fits, "the profile does not fit the classes")


def _check_profile(profile: Profile, schema: Schema, n_classes: int) -> None:
    scores, labels = profile.scores, profile.class_counts
    summary = (scores.mean, scores.sd)
    require(
        len(profile.columns) == len(schema.columns)
        and is_number(profile.n_rows)
        and all(_fits(*pair, profile) for pair in zip(profile.columns, schema.columns, strict=True))
        and len(scores.histogram) == SCORE_BINS
        and are_numbers(scores.histogram)
        and (are_numbers(summary) if profile.is_detailed else summary == (None, None))
        and _is_shape(scores, profile.n_rows)
        and (labels == () or (len(labels) == n_classes and are_counts(labels)))
        and (profile.is_detailed or labels == ()),
        "the profile does not fit the features",
    )


def _scores_fit(scores: ScoreProfile, classes: tuple[str, ...]) -> bool:
    if len(classes) == 2:
        return is_number(scores.positive_rate) and scores.class_rates == ()
    rates = scores.class_rates
    return scores.positive_rate is None and len(rates) == len(classes) and are_numbers(rates)


def _performance_fits(classifier: Classifier) -> bool:
    """What a holdout said is of as many classes, and beside a profile in detail."""
    performance = classifier.profile.performance
    if performance is None:
        return True
    same_kind = (performance.threshold is None) == (classifier.threshold is None)
    return same_kind and classifier.profile.is_detailed


def _fits(profile: ColumnProfile, column: Column, whole: Profile) -> bool:
    if (profile.name, profile.kind) != (column.name, column.kind):
        return False
    if profile.kind == "category":
        counts = [count for _, count in profile.counts]
        levels = tuple(level for level, _ in profile.counts)
        no_shape = profile.deciles is None and profile.tails is None
        return levels == column.levels and no_shape and are_numbers((profile.missing, *counts))
    summary = (profile.missing, profile.mean, profile.sd, profile.minimum, profile.maximum)
    return (
        are_numbers(summary)
        and (profile.deciles is not None) == whole.is_detailed
        and _is_shape(profile, whole.n_rows - profile.missing)
    )


def _is_shape(part: ColumnProfile | ScoreProfile, n: int) -> bool:
    """Whether quantiles, deciles and tails belong together and to n values."""
    quantiles, deciles, tails = part.quantiles, part.deciles, part.tails
    if not (len(quantiles) in (STEPS + 1, FEW_STEPS + 1) and are_numbers(quantiles)):
        return False
    if deciles is None or tails is None:
        return deciles is None and tails is None and len(quantiles) == FEW_STEPS + 1
    ordered = all(before <= after for before, after in pairwise(quantiles))
    return ordered and _are_bins(deciles, quantiles, n) and _are_tails(tails, n)


def _are_bins(bins: Bins, quantiles: Sequence[float], n: int) -> bool:
    return (
        len(bins.counts) == len(bins.edges) + 1 > 1
        and are_numbers(bins.edges)
        and all(before < after for before, after in pairwise(bins.edges))
        and set(bins.edges) <= set(quantiles)
        and are_counts(bins.counts)
        and sum(bins.counts) == n
    )


def _are_tails(tails: Tails, n: int) -> bool:
    counts = (tails.below, tails.above)
    return (
        are_counts(counts) and sum(counts) <= n and are_numbers((tails.below_sum, tails.above_sum))
    )


def are_counts(values: Iterable[object]) -> bool:
    return all(type(value) is int and value >= 0 for value in values)


def are_numbers(values: Iterable[object]) -> bool:
    return all(map(is_number, values))


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
