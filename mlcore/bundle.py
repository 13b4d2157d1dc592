"""What a model bundle says: a classifier and its training as a document; touches no files.

Decoding mirrors encoding: the decoded classifier is described again and must match the document.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from mlcore.canonical import canonical_json, compact, pack, require, sha256, unpack
from mlcore.classifier import Classifier
from mlcore.encoding import Encoder
from mlcore.errors import ArtifactError
from mlcore.explain import coefficients
from mlcore.profile import GRID, SCORE_BINS, ColumnProfile, Profile
from mlcore.schema import Column, Schema
from mlcore.training import TrainingResult

FORMAT = "raisin-classifier"
FORMAT_VERSION = 1

_N_PROBES = 8
_ABOUT_TRAINING = (
    "dataset_sha256",
    "metrics",
    "probes",
    "rows",
    "solver",
    "spec",
    "synthetic",
    "versions",
    "weights_sha256",
)


def encode(result: TrainingResult) -> tuple[bytes, bytes]:
    """(model.json, weights.npz) of a training."""
    classifier = result.classifier
    weights = pack(
        {
            "weights": classifier.weights,
            "intercept": np.array([classifier.intercept]),
            "means": classifier.encoder.means,
            "scales": classifier.encoder.scales,
        }
    )
    rows = probe_rows(classifier)
    probabilities = classifier.score(rows).probabilities.tolist()
    document = {
        **_about_classifier(classifier),
        **_about_training(result),
        "probes": {"rows": rows, "probabilities": probabilities},
        "weights_sha256": sha256(weights),
    }
    return canonical_json(document), weights


def _about_classifier(classifier: Classifier) -> dict[str, Any]:
    encoder = classifier.encoder
    scaler = zip(encoder.slots, encoder.means.tolist(), encoder.scales.tolist(), strict=True)
    # Odds ratios stay out: exp may differ in its last bit where the bundle is read again.
    weights = coefficients(encoder, classifier.weights)
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "target": classifier.target,
        "classes": list(classifier.classes),
        "threshold": classifier.threshold,
        "converged": classifier.converged,
        "features": [asdict(column) for column in classifier.schema.columns],
        "scaler": [{"slot": slot, "mean": mean, "scale": scale} for slot, mean, scale in scaler],
        "coefficients": [
            {"slot": row.slot, "weight": row.weight, "per_unit": row.per_unit} for row in weights
        ],
        "intercept": classifier.intercept,
        "profile": classifier.profile.to_dict(),
    }


def _about_training(result: TrainingResult) -> dict[str, Any]:
    report = result.report
    return {
        "dataset_sha256": result.dataset_sha256,
        "synthetic": result.holdout.synthetic,
        "rows": {"train": result.n_train, "validation": result.n_validation},
        "metrics": {"train": result.train.as_dict(), "validation": result.validation.as_dict()},
        "spec": asdict(result.spec),
        "solver": {
            "name": report.solver,
            "iterations": report.iterations,
            "decrement": report.decrement,
            "message": report.message,
        },
        "versions": {
            "python": "{}.{}".format(*sys.version_info),
            "numpy": np.__version__,
        },
    }


def decode(document: Mapping[str, Any], weights: bytes) -> Classifier:
    """The classifier of a document and its arrays; ArtifactError unless both are as written."""
    require(
        (document.get("format"), document.get("format_version")) == (FORMAT, FORMAT_VERSION),
        f"not a {FORMAT} of version {FORMAT_VERSION}",
    )
    try:
        classifier = _classifier(document, weights)
        described = _about_classifier(classifier)
        same = all(compact(document[key]) == compact(described[key]) for key in described)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ArtifactError(f"model.json does not describe a classifier: {error!r}") from error
    odd = set(document) ^ {*described, *_ABOUT_TRAINING}
    require(not odd, f"model.json has unknown or missing keys: {', '.join(sorted(odd))}")
    require(same, "model.json and weights.npz do not describe the same classifier")
    return classifier


def _classifier(document: Mapping[str, Any], weights: bytes) -> Classifier:
    schema = Schema(tuple(_column(feature) for feature in document["features"]))
    require(len(set(schema.names)) == len(schema.names) > 0, "features repeat or are missing")
    n_slots = sum(len(column.levels) or 1 for column in schema.columns)
    lengths = {"weights": n_slots, "intercept": 1, "means": n_slots, "scales": n_slots}
    arrays = unpack(weights, lengths)
    require(all(np.isfinite(array).all() for array in arrays.values()), "a weight is not finite")
    require(bool((arrays["scales"] > 0).all()), "a scale is not positive")
    negative, positive = document["classes"]
    classifier = Classifier(
        target=document["target"],
        classes=(negative, positive),
        schema=schema,
        encoder=Encoder(schema, arrays["means"], arrays["scales"]),
        weights=arrays["weights"],
        intercept=float(arrays["intercept"][0]),
        threshold=document["threshold"],
        profile=Profile.from_dict(document["profile"]),
        converged=document["converged"],
    )
    _check_classifier(classifier)
    return classifier


def _column(feature: Mapping[str, Any]) -> Column:
    column = Column(**{**feature, "levels": tuple(feature["levels"])})
    texts = (column.name, *column.levels)
    require(all(isinstance(text, str) for text in texts), "a name or level is not a text")
    if column.kind == "number":
        good = not column.levels and (column.fill is None or _is_number(column.fill))
    else:
        distinct = len(set(column.levels)) == len(column.levels) > 0
        good = column.kind == "category" and distinct and column.fill in (None, *column.levels)
    require(good, f"feature {column.name!r} is not well formed")
    return column


def _check_classifier(classifier: Classifier) -> None:
    texts = (classifier.target, *classifier.classes)
    threshold = classifier.threshold
    require(all(isinstance(text, str) for text in texts), "the target or a class is not a text")
    require(len(set(classifier.classes)) == 2, "the two classes are the same")
    require(_is_number(threshold) and 0 <= threshold <= 1, "the threshold is not in [0, 1]")
    require(isinstance(classifier.converged, bool), "converged is not true or false")
    _check_profile(classifier.profile, classifier.schema)


def _check_profile(profile: Profile, schema: Schema) -> None:
    scores = profile.scores
    require(
        len(profile.columns) == len(schema.columns)
        and all(map(_fits, profile.columns, schema.columns))
        and (len(scores.quantiles), len(scores.histogram)) == (len(GRID), SCORE_BINS)
        and _are_numbers((profile.n_rows, scores.positive_rate))
        and _are_numbers((*scores.quantiles, *scores.histogram)),
        "the profile does not fit the features",
    )


def _fits(profile: ColumnProfile, column: Column) -> bool:
    if (profile.name, profile.kind) != (column.name, column.kind):
        return False
    if profile.kind == "category":
        counts = [count for _, count in profile.counts]
        levels = tuple(level for level, _ in profile.counts)
        return levels == column.levels and _are_numbers((profile.missing, *counts))
    summary = (profile.missing, profile.mean, profile.sd, profile.minimum, profile.maximum)
    return len(profile.quantiles) == len(GRID) and _are_numbers((*summary, *profile.quantiles))


def _are_numbers(values: Iterable[object]) -> bool:
    return all(map(_is_number, values))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def probe_rows(classifier: Classifier) -> list[list[float | str | None]]:
    """Rows to try a bundle with, mixed from the profile's quantiles and levels.

    Every column takes other places of its distribution in every row; the last row leaves out
    whatever may be missing.
    """
    columns = list(zip(classifier.schema.columns, classifier.profile.columns, strict=True))
    rows = [
        [_probe(profile, number, position) for position, (_, profile) in enumerate(columns)]
        for number in range(_N_PROBES)
    ]
    rows[-1] = [
        cell if column.fill is None else None
        for cell, (column, _) in zip(rows[-1], columns, strict=True)
    ]
    return rows


def _probe(profile: ColumnProfile, number: int, position: int) -> float | str | None:
    if profile.kind == "category":
        return profile.counts[(number + position) % len(profile.counts)][0]
    return profile.quantiles[(3 + 13 * number + 29 * position) % len(GRID)]
