"""A fitted scikit-learn model as a classifier of this package, checked against the original.

scikit-learn is never imported: the model is read through its class names and fitted attributes.
What cannot be repeated exactly is a DataError that names the step, and every conversion is
compared with the model's own answers before it is handed out.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Required, TypedDict, Unpack

import numpy as np

from mlcore.arrays import FloatArray
from mlcore.artifact import save_classifier
from mlcore.assembly import with_performance
from mlcore.bundle import Provenance, running_versions
from mlcore.classifier import Classifier
from mlcore.errors import DataError, listed
from mlcore.evaluation import evaluate, labelled
from mlcore.features import feature_names, infer_classes, read_target
from mlcore.profile import build_profile
from mlcore.sklearn_check import answers_of, require_equal
from mlcore.sklearn_layout import Layout
from mlcore.sklearn_models import (
    Wiring,
    centred,
    check_supported,
    class_names,
    converged,
    estimator_of,
)
from mlcore.sklearn_steps import (
    Feature,
    Features,
    final_step,
    names_of,
    transformed,
)
from mlcore.table import Table
from mlcore.thresholds import ThresholdSpec

_MOST_CHECKED = 1000


class Conversion(TypedDict, total=False):
    """The settings of ``classifier_from_sklearn``."""

    target: Required[str]
    positive: str | None
    threshold: float
    columns: Sequence[str] | None


def classifier_from_sklearn(
    model: Any,
    table: Table,
    *,
    target: str,
    positive: str | None = None,
    threshold: float = 0.5,
    columns: Sequence[str] | None = None,
) -> Classifier:
    """The classifier that answers as the fitted model does, to 1e-12.

    ``table`` holds the training rows: they give the profile, and up to 1000 of them are scored
    both ways. A model that was fitted on a data frame names its columns; else they are
    ``columns`` in the order of its matrix, or all of the table but the target. ``positive`` and
    the order of two classes are those of ``mlcore.train``, whatever the order of the model's
    ``classes_``; three or more classes are in alphabetical order and have no threshold.

    Supported are LogisticRegression (two classes, or softmax), DecisionTreeClassifier,
    RandomForestClassifier and ExtraTreesClassifier, alone or at the end of Pipelines of
    ColumnTransformer, SimpleImputer, StandardScaler, OneHotEncoder and "passthrough".
    The classifier refuses what the model might guess at: a level it never saw, and a missing
    value that no SimpleImputer fills. Raises DataError for anything else, naming the step.

    >>> from types import SimpleNamespace
    >>> class LogisticRegression(SimpleNamespace):
    ...     def predict_proba(self, X):
    ...         p = 1 / (1 + np.exp(-(X @ self.coef_[0] + self.intercept_[0])))
    ...         return np.column_stack([1 - p, p])
    >>> model = LogisticRegression(
    ...     classes_=np.array(["no", "yes"]), coef_=np.array([[2.0]]), intercept_=np.array([-1.0]),
    ...     n_features_in_=1, n_iter_=np.array([5]), max_iter=100,
    ... )
    >>> table = Table(("x", "y"), (("0", "no"), ("1", "yes")), (2, 3), "", "small")
    >>> classifier_from_sklearn(model, table, target="y").score([[0.5]]).positive
    array([0.5])
    """
    names = _input_names(model, table, target, columns)
    features, final, place = _followed(model, [Feature(name) for name in names])
    layout = Layout.of(features, names)
    known = class_names(final, place)
    classes = _classes(known, table, target, positive)
    order = tuple(known.index(label) for label in classes)
    exact = estimator_of(final, Wiring(layout.slots, layout.n_slots, order), place)
    read = layout.read(table)
    estimator, encoder = centred(exact, layout.encoder, read)
    p = estimator.probabilities(estimator.scores(encoder.transform(read)))
    _check(model, table, layout, p[:, np.argsort(order)])
    cut = _threshold(threshold, classes)
    y = read_target(table, target=target, classes=classes)
    return Classifier(
        target=target,
        classes=classes,
        schema=layout.schema,
        encoder=encoder,
        estimator=estimator,
        threshold=cut,
        profile=build_profile(layout.schema, read, probabilities=p, threshold=cut, labels=y),
        converged=converged(final),
    )


def bundle_from_sklearn(
    model: Any,
    table: Table,
    path: Path,
    *,
    validation: Table | None = None,
    **conversion: Unpack[Conversion],
) -> str:
    """Write the bundle of ``classifier_from_sklearn(model, table, **conversion)``: its SHA-256.

    ``path`` is one file to hand over if it ends in .zip, else a directory of three files.
    The metrics of ``table`` go into the bundle as those of training; ``validation``, rows the
    model has not seen, gives the others, which stay empty without it, and the performance from
    which estimates without labels start.

    >>> from tempfile import mkdtemp
    >>> from mlcore import load, synthetic_raisin
    >>> class LogisticRegression:  # any object with the fitted attributes
    ...     classes_ = np.array(["Besni", "Kecimen"])
    ...     coef_, intercept_, n_features_in_ = np.array([[1e-4]]), np.array([-8.0]), 1
    ...
    ...     def predict_proba(self, X):
    ...         p = 1 / (1 + np.exp(-(X[:, 0] * 1e-4 - 8.0)))
    ...         return np.column_stack((1 - p, p))
    >>> file = Path(mkdtemp()) / "model.zip"
    >>> _ = bundle_from_sklearn(
    ...     LogisticRegression(), synthetic_raisin(), file, target="Class", columns=("Area",)
    ... )
    >>> load(file).classes
    ('Kecimen', 'Besni')
    """
    classifier = classifier_from_sklearn(model, table, **conversion)
    if validation is not None:
        classifier = with_performance(classifier, labelled(classifier, validation))
    provenance = provenance_of(model, classifier, table, validation=validation)
    return save_classifier(classifier, provenance, path)


def provenance_of(
    model: Any, classifier: Classifier, table: Table, *, validation: Table | None = None
) -> Provenance:
    """Where a converted classifier comes from, for its bundle."""
    final = final_step(model)
    iterations = np.max(getattr(final, "n_iter_", 0))
    return Provenance(
        dataset_sha256=table.sha256,
        synthetic=table.synthetic,
        rows={"train": len(table.rows), "validation": len(validation.rows) if validation else 0},
        metrics={
            "train": evaluate(classifier, table).as_dict(),
            "validation": evaluate(classifier, validation).as_dict() if validation else {},
        },
        spec={"model": type(final).__name__, "settings": _plain_settings(final)},
        solver={
            "name": type(final).__name__,
            "iterations": int(iterations),
            "decrement": None,
            "message": f"converted from scikit-learn's {type(final).__name__}",
        },
        versions=running_versions() | _sklearn_version(),
    )


def _plain_settings(model: Any) -> dict[str, Any]:
    """The settings that JSON can hold as they are; a nested object or an array is left out."""
    settings = model.get_params(deep=False) if hasattr(model, "get_params") else {}
    plain = {name: value for name, value in settings.items() if _is_plain(value)}
    return dict(sorted(plain.items()))


def _is_plain(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or type(value) in (bool, int, str)


def _sklearn_version() -> dict[str, str]:
    sklearn = sys.modules.get("sklearn")
    return {} if sklearn is None else {"scikit-learn": str(sklearn.__version__)}


def _input_names(
    model: Any, table: Table, target: str, columns: Sequence[str] | None
) -> tuple[str, ...]:
    """The columns of the model's matrix, in its order; all must be in the table."""
    known = names_of(model)
    if known and columns is not None and tuple(columns) != known:
        raise DataError(f"the model was fitted on the columns {listed(known)}; leave columns out")
    names = known or (feature_names(table, target=target) if columns is None else tuple(columns))
    feature_names(table, target=target, chosen=names)
    return names


def _followed(model: Any, features: Features, place: str = "") -> tuple[Features, Any, str]:
    """The features that reach the last step, that step, and where it stands."""
    kind = type(model).__name__
    if kind != "Pipeline":
        check_supported(model, place or "the model")
        return features, model, f"{place} ({kind})" if place else kind
    prefix = f"{place}, step" if place else "step"
    for name, step in model.steps[:-1]:
        features = transformed(step, features, place=f'{prefix} "{name}"')
    name, last = model.steps[-1]
    return _followed(last, features, f'{prefix} "{name}"')


def _classes(
    known: tuple[str, ...], table: Table, target: str, positive: str | None
) -> tuple[str, ...]:
    classes = infer_classes(table, target=target, positive=positive)
    if set(classes) != set(known):
        raise DataError(
            f'the model knows the classes {listed(known)}, but "{target}" holds {listed(classes)}'
        )
    return classes


def _check(model: Any, table: Table, layout: Layout, ours: FloatArray) -> None:
    """Our probabilities, in the order of the model's classes, against its own on some rows."""
    rows = np.unique(np.linspace(0, len(table.rows) - 1, _MOST_CHECKED).astype(np.int64))
    sample = table.select(rows.tolist(), name=table.name)
    require_equal(ours[rows], answers_of(model, sample, layout.inputs, layout.used), sample.lines)


def _threshold(threshold: float, classes: tuple[str, ...]) -> float | None:
    spec = ThresholdSpec.of(threshold)
    if spec.objective != "fixed":
        raise DataError(f"threshold must be a number here, got {spec}; see best_threshold")
    return spec.target if len(classes) == 2 else None
