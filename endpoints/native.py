"""The answer of the native protocol: one row in the singular, several in the plural; it knows no HTTP."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from endpoints.services.serving import Answer
from mlcore.classifier import Classifier

PLURALS = {
    "prediction": "predictions",
    "label": "labels",
    "probability": "probabilities",
    "logit": "logits",
    "score": "scores",
}


def answered(answer: Answer) -> dict[str, Any]:
    return _shared(answer) | _shaped(_columns(answer), answer)


def explained(answer: Answer) -> dict[str, Any]:
    """Return the same with every column's part in the score."""
    columns = _columns(answer) | {"contributions": _contributions(answer)}
    return _shared(answer) | _base(answer.classifier) | _shaped(columns, answer)


def _shared(answer: Answer) -> dict[str, Any]:
    """Return what holds for all rows. Of a shadow test nobody who asks shall learn anything."""
    shared: dict[str, Any] = {
        "status": "OK",
        "request_id": str(answer.request_id),
        "endpoint": answer.endpoint.slug,
        "version": answer.version.number,
        "threshold": answer.classifier.threshold,
        "converged": answer.version.converged,
    }
    if answer.part is not None and not answer.part.test.is_shadow:
        shared |= {"abtest": answer.part.test.pk, "arm": answer.part.arm.name}
    return shared


def _columns(answer: Answer) -> dict[str, list[Any]]:
    """Return what holds for one row each, in the order of the rows."""
    classifier = answer.classifier
    columns: dict[str, list[Any]] = {"prediction": answer.predictions, "label": answer.labels}
    if classifier.is_binary:
        columns["probability"] = [row[1] for row in answer.probabilities]
        columns[_score_name(classifier)] = [row[0] for row in answer.scores]
    else:
        columns["probabilities"] = _by_class(classifier, answer.probabilities)
        columns["scores"] = _by_class(classifier, answer.scores)
    if any(answer.imputed):
        columns["imputed"] = [list(names) for names in answer.imputed]
    return columns


def _score_name(classifier: Classifier) -> str:
    """Trees vote in probabilities, not in log-odds."""
    return "logit" if classifier.estimator.unit == "log_odds" else "score"


def _by_class(classifier: Classifier, values: Iterable[Iterable[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(classifier.classes, row, strict=True)) for row in values]


def _base(classifier: Classifier) -> dict[str, Any]:
    """Return what the contributions start from: together they sum to the score."""
    base = classifier.estimator.base.tolist()
    if classifier.estimator.family == "logistic":
        return {"intercept": base[0]}
    unit = classifier.estimator.unit
    if classifier.is_binary:
        return {"base": base[0], "unit": unit}
    return {"base": dict(zip(classifier.classes, base, strict=True)), "unit": unit}


def _contributions(answer: Answer) -> list[dict[str, Any]]:
    """Return each column's part of the score, for every class where there are three or more."""
    names, classifier = answer.classifier.schema.names, answer.classifier
    parts = [
        [dict(zip(names, contributions, strict=True)) for contributions in row.contributions]
        for row in answer.rows
    ]
    return [part[0] for part in parts] if classifier.is_binary else _by_class(classifier, parts)


def _shaped(columns: dict[str, list[Any]], answer: Answer) -> dict[str, Any]:
    if answer.n_rows == 1:
        return {name: column[0] for name, column in columns.items()}
    return {PLURALS.get(name, name): column for name, column in columns.items()}
