"""Answers for the rows of a piece that can be scored, and what they count; it knows no file formats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from endpoints.services.tables.cells import Fault, ReadRow
from endpoints.services.tables.plans import Answered, ScoringPlan
from endpoints.services.tables.tallies import BINS, FIRST_ERRORS, Tally, least
from mlcore.arrays import FloatArray, IntArray
from mlcore.classifier import Classifier, Decided
from mlcore.schema import Columns
from mlcore.table import MISSING

BLOCK = 16_384  # rows whose arithmetic stays in the processor's cache

Values = dict[str, NDArray[Any]]


def answer(
    plan: ScoringPlan,
    values: Values,
    rows: IntArray,
    numbers: IntArray,
    read: Mapping[int, ReadRow],
    labels: Sequence[str] | None,
) -> Answered:
    """Score the `rows` of `values`, whose columns hold every row of a piece; `numbers` are those in the file.

    A row's answer is computed on its own: it is the same to the last bit wherever a piece ends, and the one
    that `Classifier.score` gives.
    """
    is_all = bool(values) and len(rows) == len(next(iter(values.values())))
    taken = values if is_all else {name: cells[rows] for name, cells in values.items()}
    imputed = _imputed(rows, read)
    true = None if labels is None else [_true_label(plan, labels[row]) for row in rows.tolist()]
    columns = Columns(taken, len(rows), tuple(imputed))
    decided = _decided(plan.classifier, columns)
    return Answered(plan.classifier, numbers[rows], columns, decided, true)


def _imputed(rows: IntArray, read: Mapping[int, ReadRow]) -> list[tuple[str, ...]]:
    imputed: list[tuple[str, ...]] = [()] * len(rows)
    filled = [row for row, found in read.items() if found.imputed and not found.faults]
    for row, place in zip(filled, np.searchsorted(rows, filled).tolist(), strict=True):
        imputed[place] = read[row].imputed
    return imputed


def _true_label(plan: ScoringPlan, text: str) -> str | None:
    if text in MISSING and text not in plan.classifier.classes:
        return None
    return plan.true_label(text)


def _decided(classifier: Classifier, columns: Columns) -> Decided:
    n, k = columns.n_rows, len(classifier.classes)
    probabilities = np.empty((k, n))
    predictions = np.empty(n, dtype=np.int64)
    for start in range(0, n, BLOCK):
        rows = slice(start, min(start + BLOCK, n))
        part = {name: cells[rows] for name, cells in columns.values.items()}
        found = classifier.decide_columns(Columns(part, rows.stop - start, ()))
        probabilities[:, rows] = found.probabilities.T
        predictions[rows] = found.predictions
    return Decided(np.empty((n, 0)), probabilities.T, predictions)


def tally(answered: Answered, faults: Mapping[int, Sequence[Fault]], *, formulas: bool) -> Tally:
    """Count the rows that were scored, and those that were not, by their number in the file."""
    bins = np.minimum((answered.headlines * BINS).astype(np.int64), BINS - 1)
    classes = answered.classifier.classes
    counts = np.bincount(answered.decided.predictions, minlength=len(classes)).tolist()
    kinds = Counter(found[0].code for found in faults.values())
    return Tally(
        rows=len(answered.numbers) + len(faults),
        bad=len(faults),
        histogram=np.bincount(bins, minlength=BINS).tolist(),
        labels={name: count for name, count in zip(classes, counts, strict=True) if count},
        errors=dict(kinds),
        first_errors=_first(faults),
        formulas=formulas,
        **_judged(answered),
    )


def _first(faults: Mapping[int, Sequence[Fault]]) -> list[dict[str, Any]]:
    found = []
    for row, ofrow in faults.items():
        for fault in ofrow:
            entry = {"row": row, "column": fault.column, "value": fault.value}
            found.append(entry | {"problem": fault.problem})
        if len(found) >= FIRST_ERRORS:
            break
    return found[:FIRST_ERRORS]


def _judged(answered: Answered) -> dict[str, Any]:
    """Compare with the true labels, where there are any."""
    if answered.true_labels is None:
        return {}
    classes = answered.classifier.classes
    numbers = {name: number for number, name in enumerate(classes)}
    labels = answered.true_labels
    known = np.array([numbers.get(label, -1) if label else -1 for label in labels], dtype=np.int64)
    foreign = sum(label is not None and label not in numbers for label in labels)
    rows = np.flatnonzero(known >= 0)
    true, given = known[rows], answered.decided.predictions[rows]
    probabilities = answered.decided.probabilities[rows]
    table = np.bincount(true * len(classes) + given, minlength=len(classes) ** 2)
    confusion = table.reshape(len(classes), -1).tolist()
    return {
        "confusion": {
            name: dict(zip(classes, counts, strict=True))
            for name, counts in zip(classes, confusion, strict=True)
        },
        "log_loss": _log_loss(probabilities, true),
        "brier": _brier(probabilities, true),
        "foreign": foreign,
    }


def _log_loss(probabilities: FloatArray, true: IntArray) -> float:
    own = probabilities[np.arange(len(true)), true]
    return float(-np.log(np.maximum(own, least(0.0))).sum())


def _brier(probabilities: FloatArray, true: IntArray) -> float:
    if probabilities.shape[1] == 2:
        return float(((probabilities[:, 1] - true) ** 2).sum())
    wanted = np.eye(probabilities.shape[1])[true]
    return float(((probabilities - wanted) ** 2).sum())
