"""A linear model's coefficients as a table: what each slot weighs, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from mlcore.classifier import Classifier
from mlcore.estimators import Linear, Logistic, Softmax
from mlcore.explain import Coefficient
from mlcore.explain import coefficients as explained

Report = Mapping[str, Any]
MOST_ROWS, TOP_ROWS = 20, 12
# An interval that is this many times as long as the middle one would press all others flat.
LONGEST = 6.0


@dataclass(frozen=True)
class CoefficientRow:
    """One slot. `found` holds its errors and tests and is empty where they are not known."""

    slot: str
    weight: float
    odds_ratio: float
    per_unit: float | None
    found: Report

    @property
    def status(self) -> str:
        """What a person should know instead of an error."""
        return {
            "fixed": "no row informs about it",
            "collinear": "repeats other columns: only their sum is known",
        }.get(self.found.get("status", ""), "")

    @property
    def extent(self) -> float:
        ends = (self.weight, self.found.get("low"), self.found.get("high"))
        return max(abs(end) for end in ends if end is not None)


@dataclass(frozen=True)
class CoefficientTable:
    """The coefficients of the positive class, or of `label` where there are three or more."""

    label: str
    rows: tuple[CoefficientRow, ...]
    intercept: CoefficientRow
    limit: float

    @property
    def top(self) -> tuple[CoefficientRow, ...]:
        """All rows if they are few, else the largest."""
        return self.rows if len(self.rows) <= MOST_ROWS else self.rows[:TOP_ROWS]

    @property
    def rest(self) -> tuple[CoefficientRow, ...]:
        return self.rows[len(self.top) :]


@dataclass(frozen=True)
class Coefficients:
    tables: tuple[CoefficientTable, ...]
    inference: Report

    @property
    def warnings(self) -> list[str]:
        """What is wrong with the errors; the note on penalties stands below the table."""
        return [text for text in self.inference.get("warnings", ()) if "penalised" not in text]


def of(classifier: Classifier, report: Report) -> Coefficients | None:
    """Return a table a class, largest weight first; None for a model that is not linear."""
    estimator = classifier.estimator
    if not isinstance(estimator, Linear):
        return None
    inference = report.get("inference") or {}
    labels = classifier.classes if isinstance(estimator, Softmax) else ("",)
    weights = explained(classifier.encoder, _weights(estimator), classes=classifier.classes)
    found = inference.get("classes") or [inference.get("coefficients") or ()]
    tables = (
        _table(
            label,
            [row for row in weights if (row.label or "") == label],
            float(estimator.base[k]),
            found[k] if k < len(found) else (),
        )
        for k, label in enumerate(labels)
    )
    return Coefficients(tuple(tables), inference)


def _weights(estimator: Linear) -> Any:
    return estimator.weights if isinstance(estimator, Logistic) else estimator.matrix


def _table(
    label: str, weights: Sequence[Coefficient], base: float, found: Sequence[Report]
) -> CoefficientTable:
    """Errors are in the order of the slots, that of the intercept last; or there are none."""
    known = found if len(found) == len(weights) + 1 else [{} for _ in range(len(weights) + 1)]
    rows = sorted(
        (
            CoefficientRow(row.slot, row.weight, row.odds_ratio, row.per_unit, errors)
            for row, errors in zip(weights, known, strict=False)
        ),
        key=lambda row: -abs(row.weight),
    )
    intercept = CoefficientRow("Intercept", base, 0.0, None, known[-1])
    return CoefficientTable(label, tuple(rows), intercept, limit_of(row.extent for row in rows))


def limit_of(extents: Iterable[float]) -> float:
    """Return where the axis of the intervals ends; the longest are cut off there."""
    known = [extent for extent in extents if extent > 0]
    return min(max(known), LONGEST * median(known)) if known else 1.0
