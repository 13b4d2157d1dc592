"""What a model bundle says: a classifier and its training as a document; touches no files.

A document says the lowest version of the format that can express it, so that older readers keep
reading whatever they can understand:

* 1  two classes, logistic, not calibrated
* 2  other classifiers; it adds family, unit, calibration and the forms of the arrays
* 3  any of them with a profile in detail: order statistics, deciles and tails, and what the
     holdout said

Decoding mirrors encoding: the decoded classifier is described again and must match the document.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast, get_args

import numpy as np
from numpy.typing import NDArray

from mlcore.bundle_checks import check_classifier, checked_column
from mlcore.calibration import Calibration, calibration_from_dict
from mlcore.canonical import Form, canonical_json, compact, pack, require, sha256, unpack
from mlcore.classifier import Classifier
from mlcore.encoding import Encoder
from mlcore.errors import ArtifactError
from mlcore.estimators import Estimator, Linear, Logistic, Softmax
from mlcore.explain import coefficients
from mlcore.profile import ColumnProfile, Profile
from mlcore.schema import Schema
from mlcore.trees import TreeEnsemble, TreeFamily

FORMAT = "raisin-classifier"
FORMAT_VERSIONS = (1, 2, 3)

_N_PROBES = 8
_TREE_ARRAYS = ("feature", "threshold", "left", "right", "values", "roots")
_TREE_FAMILIES = get_args(TreeFamily)
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


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where a classifier comes from, in words that JSON can hold.

    ``rows`` and ``metrics`` have the parts "train" and "validation"; ``solver`` has name,
    iterations, decrement and message; ``spec`` is whatever describes the training.
    """

    dataset_sha256: str
    synthetic: bool
    rows: Mapping[str, int]
    metrics: Mapping[str, Mapping[str, Any]]
    spec: Mapping[str, Any]
    solver: Mapping[str, Any]
    versions: Mapping[str, str]


def running_versions() -> dict[str, str]:
    """The versions of Python and NumPy that this process runs on."""
    return {"python": "{}.{}".format(*sys.version_info), "numpy": np.__version__}


def encode(classifier: Classifier, provenance: Provenance) -> tuple[bytes, bytes]:
    """(model.json, weights.npz) of a classifier; ValueError for what the format cannot hold."""
    weights = pack(_arrays(classifier))
    rows = probe_rows(classifier)
    document = {
        **_about_classifier(classifier),
        **vars(provenance),
        "probes": {"rows": rows, "probabilities": probe_answers(classifier, rows)},
        "weights_sha256": sha256(weights),
    }
    return canonical_json(document), weights


def format_version(classifier: Classifier) -> int:
    """The lowest version that can express the classifier."""
    if classifier.profile.is_detailed:
        return 3
    plain = isinstance(classifier.estimator, Logistic) and classifier.calibration is None
    return 1 if plain else 2


def _arrays(classifier: Classifier) -> dict[str, NDArray[Any]]:
    encoder, estimator = classifier.encoder, classifier.estimator
    scaler = {"means": encoder.means, "scales": encoder.scales}
    if isinstance(estimator, Linear):
        # In version 1 the intercept is an array of one number.
        weights = estimator.weights if isinstance(estimator, Logistic) else estimator.matrix
        return {**scaler, "weights": weights, "intercept": estimator.base}
    if estimator.family not in _TREE_FAMILIES:
        raise ValueError(f"a bundle cannot hold an estimator of the family {estimator.family!r}")
    return {**scaler, **{name: getattr(estimator, name) for name in _TREE_ARRAYS}}


def _about_classifier(classifier: Classifier) -> dict[str, Any]:
    encoder = classifier.encoder
    scaler = zip(encoder.slots, encoder.means.tolist(), encoder.scales.tolist(), strict=True)
    described = {
        "format": FORMAT,
        "format_version": format_version(classifier),
        "target": classifier.target,
        "classes": list(classifier.classes),
        "threshold": classifier.threshold,
        "converged": classifier.converged,
        "features": [asdict(column) for column in classifier.schema.columns],
        "scaler": [{"slot": slot, "mean": mean, "scale": scale} for slot, mean, scale in scaler],
        "coefficients": _coefficients(classifier),
        "intercept": _intercept(classifier.estimator),
        "profile": classifier.profile.to_dict(),
    }
    return described if described["format_version"] == 1 else described | _extras(classifier)


def _extras(classifier: Classifier) -> dict[str, Any]:
    """What versions from 2 on add."""
    calibration, arrays = classifier.calibration, _arrays(classifier)
    return {
        "family": classifier.estimator.family,
        "unit": classifier.estimator.unit,
        "calibration": None if calibration is None else calibration.to_dict(),
        "arrays": {
            name: {"type": form.descr, "shape": list(form.shape)}
            for name, form in ((name, Form.of(array)) for name, array in arrays.items())
        },
    }


def _coefficients(classifier: Classifier) -> list[dict[str, Any]]:
    """A row a slot, and a class where there are three or more; none without weights.

    Odds ratios stay out: exp may differ in its last bit where the bundle is read again.
    """
    estimator = classifier.estimator
    if not isinstance(estimator, Logistic | Softmax):
        return []
    rows = coefficients(classifier.encoder, estimator.weights, classes=classifier.classes)
    return [
        {"slot": row.slot, "weight": row.weight, "per_unit": row.per_unit}
        | ({} if row.label is None else {"class": row.label})
        for row in rows
    ]


def _intercept(estimator: Estimator) -> float | list[float]:
    return estimator.intercept if isinstance(estimator, Logistic) else estimator.base.tolist()


def decode(document: Mapping[str, Any], weights: bytes) -> Classifier:
    """The classifier of a document and its arrays; ArtifactError unless both are as written."""
    version = document.get("format_version")
    require(
        document.get("format") == FORMAT and type(version) is int and version in FORMAT_VERSIONS,
        f"not a {FORMAT} of version {' or '.join(map(str, FORMAT_VERSIONS))}",
    )
    try:
        classifier = _classifier(document, weights)
        described = _about_classifier(classifier)
        same = all(compact(document[key]) == compact(described[key]) for key in described)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise ArtifactError(f"model.json does not describe a classifier: {error!r}") from error
    odd = set(document) ^ {*described, *_ABOUT_TRAINING}
    require(not odd, f"model.json has unknown or missing keys: {', '.join(sorted(odd))}")
    require(same, "model.json and weights.npz do not describe the same classifier")
    return classifier


def _classifier(document: Mapping[str, Any], weights: bytes) -> Classifier:
    schema = Schema(tuple(checked_column(feature) for feature in document["features"]))
    require(len(set(schema.names)) == len(schema.names) > 0, "features repeat or are missing")
    n_slots = sum(len(column.levels) or 1 for column in schema.columns)
    arrays = unpack(weights, _forms(document, n_slots))
    require(all(np.isfinite(array).all() for array in arrays.values()), "a weight is not finite")
    require(len(arrays["means"]) == len(arrays["scales"]) == n_slots, "the scaler does not fit")
    require(bool((arrays["scales"] > 0).all()), "a scale is not positive")
    classifier = Classifier(
        target=document["target"],
        classes=tuple(document["classes"]),
        schema=schema,
        encoder=Encoder(schema, arrays["means"], arrays["scales"]),
        estimator=_estimator(document.get("family", "logistic"), arrays, n_slots),
        threshold=document["threshold"],
        profile=Profile.from_dict(document["profile"]),
        converged=document["converged"],
        calibration=_calibration(document),
    )
    check_classifier(classifier)
    return classifier


def _forms(document: Mapping[str, Any], n_slots: int) -> dict[str, Form]:
    if document["format_version"] == 1:
        lengths = {"weights": n_slots, "intercept": 1, "means": n_slots, "scales": n_slots}
        return {name: Form("<f8", (length,)) for name, length in lengths.items()}
    forms = {}
    for name, form in document["arrays"].items():
        shape = tuple(form["shape"])
        require(all(type(n) is int and n >= 0 for n in shape), "the shape of an array is odd")
        forms[name] = Form(form["type"], shape)
    return forms


def _estimator(family: str, arrays: Mapping[str, NDArray[Any]], n_slots: int) -> Estimator:
    """KeyError or ValueError when the arrays are not those of the family."""
    if family == "logistic":
        return Logistic(arrays["weights"], float(arrays["intercept"].item()))
    if family == "softmax":
        return Softmax(arrays["weights"], arrays["intercept"])
    require(family in _TREE_FAMILIES, f"the family {family!r} is not known")
    return TreeEnsemble(
        family=cast(TreeFamily, family),
        n_slots=n_slots,
        **{name: arrays[name] for name in _TREE_ARRAYS},
    )


def _calibration(document: Mapping[str, Any]) -> Calibration | None:
    found = document.get("calibration")
    return None if found is None else calibration_from_dict(found)


def probe_rows(classifier: Classifier, count: int = _N_PROBES) -> list[list[float | str | None]]:
    """Rows to try a bundle with, mixed from the profile's quantiles and levels.

    Every column takes other places of its distribution in every row; the last row leaves out
    whatever may be missing.
    """
    columns = list(zip(classifier.schema.columns, classifier.profile.columns, strict=True))
    rows = [
        [_probe(profile, number, position) for position, (_, profile) in enumerate(columns)]
        for number in range(count)
    ]
    rows[-1] = [
        cell if column.fill is None else None
        for cell, (column, _) in zip(rows[-1], columns, strict=True)
    ]
    return rows


def _probe(profile: ColumnProfile, number: int, position: int) -> float | str | None:
    if profile.kind == "category":
        return profile.counts[(number + position) % len(profile.counts)][0]
    return profile.quantile((3 + 13 * number + 29 * position) % 101 / 100)


def probe_answers(
    classifier: Classifier, rows: list[list[float | str | None]]
) -> list[float] | list[list[float]]:
    """The probability of the positive class a row, or those of three or more classes."""
    report = classifier.score(rows)
    answers: list[float] | list[list[float]]
    answers = (report.positive if classifier.is_binary else report.probabilities).tolist()
    return answers
