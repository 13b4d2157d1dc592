"""Classifiers made by hand: three classes, trees, a calibration; and where they come from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mlcore import Column, Schema, TrainingResult
from mlcore.arrays import FloatArray
from mlcore.bundle import Provenance, running_versions
from mlcore.classifier import Classifier
from mlcore.encoding import Encoder
from mlcore.estimators import Estimator, Logistic, Softmax
from mlcore.profile import build_profile
from mlcore.trees import TreeEnsemble

CLASSES = ("Besni", "Kecimen", "Rumi")
MIXED = (
    Column("Area", "number"),
    Column("Extent", "number", fill=0.7),
    Column("Colour", "category", ("dark", "gold", "red"), fill="red"),
)
NUMBERS = (Column("Area", "number"), Column("Extent", "number"), Column("Perimeter", "number"))


@dataclass(frozen=True)
class Squared:
    """A calibration that any reader can do in the head."""

    def apply(self, p: FloatArray) -> FloatArray:
        return p * p

    def to_dict(self) -> dict[str, Any]:
        return {"kind": "squared"}


def some_rows(columns: tuple[Column, ...], n: int = 60, seed: int = 7) -> list[list[Any]]:
    rng = np.random.default_rng(seed)
    cells = {
        "Area": rng.normal(90_000, 30_000, n),
        "Extent": rng.uniform(0.5, 0.9, n),
        "Perimeter": rng.normal(1_100, 250, n),
        "Colour": rng.choice(["dark", "gold", "red"], n),
    }
    return [list(row) for row in zip(*(cells[c.name].tolist() for c in columns), strict=True)]


def classifier(
    estimator: Estimator | None = None, columns: tuple[Column, ...] = NUMBERS, **changes: Any
) -> Classifier:
    """A classifier around an estimator (a softmax of three classes if none), fitted to no labels."""
    schema = Schema(columns)
    rows = schema.read(some_rows(columns))
    encoder = Encoder.fit(schema, rows)
    estimator = estimator or softmax(len(encoder.slots))
    probabilities = estimator.probabilities(estimator.scores(encoder.transform(rows)))
    n_classes = probabilities.shape[1]
    threshold = 0.5 if n_classes == 2 else None
    made = Classifier(
        target="Class",
        classes=CLASSES[:n_classes],
        schema=schema,
        encoder=encoder,
        estimator=estimator,
        threshold=threshold,
        profile=build_profile(schema, rows, probabilities=probabilities, threshold=threshold),
        converged=True,
    )
    return replace(made, **changes)


def softmax(n_slots: int, seed: int = 3) -> Softmax:
    rng = np.random.default_rng(seed)
    return Softmax.centred(rng.normal(size=(3, n_slots)), rng.normal(size=3))


def logistic(n_slots: int, seed: int = 3) -> Logistic:
    rng = np.random.default_rng(seed)
    return Logistic(rng.normal(size=n_slots), float(rng.normal()))


def stump(n_classes: int = 2, n_slots: int = 3) -> TreeEnsemble:
    """One question: is the second slot above zero?"""
    shares = np.array([[5, 3, 2], [7, 2, 1], [1, 5, 4]], dtype=np.float64)[:, :n_classes]
    return TreeEnsemble(
        family="decision_tree",
        n_slots=n_slots,
        feature=np.array([1, -1, -1], np.int32),
        threshold=np.array([0.0, 0.0, 0.0]),
        left=np.array([1, -1, -1], np.int32),
        right=np.array([2, -1, -1], np.int32),
        values=shares / shares.sum(axis=1, keepdims=True),
        roots=np.array([0], np.int32),
    )


def provenance() -> Provenance:
    return Provenance(
        dataset_sha256="0" * 64,
        synthetic=True,
        rows={"train": 60, "validation": 20},
        metrics={"train": {"accuracy": 0.9}, "validation": {"accuracy": 0.8}},
        spec={"algorithm": "by hand"},
        solver={"name": "none", "iterations": 0, "decrement": None, "message": "made by hand"},
        versions=running_versions(),
    )


def without_training(result: TrainingResult) -> tuple[Classifier, Provenance]:
    return result.classifier, result.provenance
