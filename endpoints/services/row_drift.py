"""How far given rows are from those that a model was trained on, column by column; it logs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from endpoints.services.gates.live_inputs import CHANCE, SHIFT, WATCH
from mlcore.classifier import Classifier
from mlcore.drift import DriftReport, adjusted, column_drift
from mlcore.schema import Columns

Verdict = Literal["stable", "watch", "shift"]


@dataclass(frozen=True)
class ColumnDrift:
    """One column; `p_value` is corrected for looking at all columns together."""

    report: DriftReport
    p_value: float

    @property
    def verdict(self) -> Verdict:
        """What rows like the training's reach by chance is no shift, however large the index."""
        if self.report.psi < WATCH or self.p_value >= CHANCE:
            return "stable"
        return "shift" if self.report.psi >= SHIFT else "watch"


def row_drift(classifier: Classifier, rows: Sequence[Any]) -> list[ColumnDrift]:
    """Compare rows with the training profile; raises SchemaError for rows that do not fit."""
    columns = classifier.schema.read(rows)
    reports = [
        column_drift(profile, _with_holes(columns, profile.name), n_rows=classifier.profile.n_rows)
        for profile in classifier.profile.columns
    ]
    chances = adjusted([report.p_value for report in reports])
    return [ColumnDrift(*found) for found in zip(reports, chances, strict=True)]


def _with_holes(columns: Columns, name: str) -> list[Any]:
    """The values of a column as they were sent: None where one was missing and has been filled."""
    values = columns.values[name].tolist()
    return [
        None if name in filled else value
        for value, filled in zip(values, columns.imputed, strict=True)
    ]
