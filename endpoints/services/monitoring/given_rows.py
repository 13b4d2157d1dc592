"""Holds rows that somebody gives against those of a version's training; it logs and stores nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from endpoints.errors import InvalidRequest
from endpoints.services import error_detail
from endpoints.services.label_classes import Classes
from endpoints.services.monitoring import judging, performance
from endpoints.services.monitoring.configuring import monitor_of
from endpoints.services.monitoring.judging import Findings
from endpoints.services.scoring import Row
from endpoints.services.snapshots import Chosen, Served
from mlcore.errors import MOST_CELLS, CellError, SchemaError, shown
from mlcore.intervals import IntervalReport
from mlcore.window import Window as Summary

Label = str | int | float | None


@dataclass(frozen=True)
class Given:
    """What rows told; `realised` are metrics of those with a label, None where there is no label."""

    chosen: Chosen
    summary: Summary
    findings: Findings
    labels: int
    realised: Mapping[str, IntervalReport] | None


def look_at(
    rows: Sequence[Row], labels: Sequence[Label] | None, *, served: Served, chosen: Chosen
) -> Given:
    """Judge the rows, and with labels, None for a row without one, the version's answers too.

    Raises InvalidRows for rows and labels that do not fit.
    """
    classifier = chosen.classifier
    try:
        columns = classifier.schema.read(rows)
        truth = _classes(labels or (), classifier.classes)
    except SchemaError as error:
        raise error_detail.reduced(error, served.endpoint) from error
    decided = classifier.decide_columns(columns)
    summary = Summary.empty(classifier.profile)
    summary.add(columns, probabilities=decided.probabilities, predicted=decided.predictions)
    names = tuple(classifier.classes)
    known = Counter(name for name in truth if name is not None)
    cells = Counter(
        (names[predicted], name)
        for predicted, name in zip(decided.predictions.tolist(), truth, strict=False)
        if name is not None
    )
    findings = judging.findings(
        classifier,
        summary,
        judging.rule_of(monitor_of(served.endpoint)),
        labels=[known[name] for name in names] if known else None,
    )
    return Given(
        chosen=chosen,
        summary=summary,
        findings=findings,
        labels=known.total(),
        realised=performance.realised(cells, names) if known else None,
    )


def _classes(labels: Sequence[Label], names: Sequence[str]) -> list[str | None]:
    """Return the class that each label means; raises SchemaError that names every one that is none."""
    classes = Classes(tuple(names))
    meant: list[str | None] = []
    cells: list[CellError] = []
    for row, label in enumerate(labels):
        try:
            meant.append(None if label is None else classes.meant(label))
        except InvalidRequest as error:
            cells.append(CellError("unknown_level", error.message, row, "labels", shown(label)))
    if cells:
        raise SchemaError.of(cells[:MOST_CELLS], place="row")
    return meant
