"""How good a version is in a handful of figures, each with its interval and what it means.

Figures come from the rows that are here, else from an evaluation made here, else from what was
written in training or claimed by the uploader; each says which.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dashboard import metrics
from dashboard.presenters import evaluation, model, summary_words
from dashboard.presenters.card import Card
from dashboard.presenters.summary_words import of_100
from endpoints.models import AlgorithmVersion, StatusChange
from endpoints.services.card_evidence import Evidence
from endpoints.services.gates import Gate
from mlcore.intervals import wilson

Numbers = Mapping[str, float]
# A number of rows above this is no number of rows.
MOST_ROWS = 1e15


@dataclass(frozen=True)
class Figure:
    """One key figure with its interval as text, and what it means."""

    name: str
    value: str
    interval: str
    meaning: str


@dataclass(frozen=True)
class Judged:
    """How many of how many rows were right, and who says so; `counts` are true class by decision."""

    n: int
    accuracy: float
    source: str
    counts: tuple[tuple[float, ...], ...] = ()
    is_claim: bool = False


@dataclass(frozen=True)
class Subject:
    """Everything that is known of the version, gathered by the view."""

    version: AlgorithmVersion
    loaded: model.Loaded
    numbers: Numbers
    evidence: Evidence | str
    card: Card | None
    findings: Mapping[str, Any]
    live: AlgorithmVersion | None
    gates: Sequence[Gate]
    last_promotion: StatusChange | None


def judged_of(subject: Subject) -> Judged | None:
    """Prefer rows that are here, then an evaluation made here, then what was written in training."""
    if not isinstance(subject.evidence, str):
        found = subject.evidence
        counts = tuple(tuple(cell.count for cell in row.cells) for row in _confusion(subject))
        return Judged(found.whole.n, found.whole.accuracy, "held-out rows", counts)
    evaluated = _evaluated(subject)
    if evaluated is not None:
        return evaluated
    return _written(subject)


def _written(subject: Subject) -> Judged | None:
    """Take what was written in training or elsewhere, if it can be a share of rows at all."""
    accuracy = subject.numbers.get("validation_accuracy", -1.0)
    n, is_claim = subject.numbers.get("validation_n", 0.0), subject.version.run.uploaded
    if not 0 <= accuracy <= 1:
        return None
    rows = "rows, as its uploader says" if is_claim else "validation rows, as written in training"
    return Judged(int(n) if 0 < n < MOST_ROWS else 0, accuracy, rows, is_claim=is_claim)


def _evaluated(subject: Subject) -> Judged | None:
    found = subject.version.evaluations.first()
    if found is None or found.metrics.get("accuracy") is None:
        return None
    classes = subject.loaded.classifier.classes if subject.loaded.classifier else ()
    rows = (
        evaluation.confusion({"metrics": {"validation": found.metrics}}, classes) if classes else ()
    )
    counts = tuple(tuple(cell.count for cell in row.cells) for row in rows)
    source = f"rows ({found.dataset_name})"
    return Judged(found.dataset_rows, float(found.metrics["accuracy"]), source, counts)


def _confusion(subject: Subject) -> Sequence[evaluation.ConfusionRow]:
    return subject.card.confusion if subject.card else ()


def of(subject: Subject, judged: Judged | None) -> Iterator[Figure]:
    """The figure the endpoint is judged by first, then the shares of right answers."""
    classifier = subject.loaded.classifier
    classes = classifier.classes if classifier else ("the negative class", "the positive class")
    values, ends = _values(subject), _intervals(subject, judged)
    wanted = [subject.version.endpoint.primary_metric, "accuracy"]
    wanted += ["precision", "recall"] if len(classes) == 2 else ["balanced_accuracy"]
    for key in dict.fromkeys(wanted):
        value = values.get(key)
        if value is None:
            continue
        low, high = ends.get(key, (None, None))
        interval = (
            "" if low is None or high is None else f"{_shown(low, key)} to {_shown(high, key)}"
        )
        base = _base(key, judged)
        meaning = summary_words.metric(key, value, classes, base)
        if key == "accuracy":
            meaning = f"Of 100 answers, about {of_100(value)} are right."
        name = metrics.TITLES.get(key, key)
        yield Figure(name[0].upper() + name[1:], _shown(value, key), interval, meaning)


def _shown(value: float, key: str) -> str:
    return str(metrics.metric(value, key))


def _values(subject: Subject) -> dict[str, float]:
    if not isinstance(subject.evidence, str):
        return subject.evidence.report.as_dict()
    evaluated = subject.version.evaluations.first()
    if evaluated is not None:
        return dict(evaluated.metrics)
    prefix = "validation_"
    return {
        key.removeprefix(prefix): value
        for key, value in subject.numbers.items()
        if key.startswith(prefix)
    }


def _intervals(
    subject: Subject, judged: Judged | None
) -> dict[str, tuple[float | None, float | None]]:
    """Return the intervals that the table of metrics has, where they are around the same values.

    Shares of rows that it does not have are counted.
    """
    table, values = subject.findings["metrics"], _values(subject)
    rows = [row for _, rows in table.groups for row in rows] if table else []
    return _counted(judged) | {
        row.key: (row.low, row.high)
        for row in rows
        if row.validation is not None
        and row.low is not None
        and values.get(row.key) is not None
        and abs(row.validation - values[row.key]) <= evaluation.SAME
    }


def _counted(judged: Judged | None) -> dict[str, tuple[float | None, float | None]]:
    """Return the Wilson intervals of what is a share of the counted rows."""
    if judged is None or not judged.n:
        return {}
    shares = {"accuracy": (judged.accuracy * judged.n, float(judged.n))}
    if len(judged.counts) == 2:
        (_, fp), (fn, tp) = judged.counts
        shares |= {"precision": (tp, tp + fp), "recall": (tp, tp + fn)}
    return {key: wilson(round(right), round(n)) for key, (right, n) in shares.items() if n}


def _base(key: str, judged: Judged | None) -> float | None:
    """What always saying the shares of the classes would cost, in log loss or Brier score."""
    if judged is None or not judged.counts or key not in ("log_loss", "brier"):
        return None
    shares = [sum(row) / judged.n for row in judged.counts if sum(row)]
    if key == "log_loss":
        return -sum(share * math.log(share) for share in shares)
    spread = 1 - sum(share * share for share in shares)
    return spread / 2 if len(judged.counts) == 2 else spread
