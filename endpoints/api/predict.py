"""POST /<slug>/predict: the native prediction route, an adapter on serving.predict."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from endpoints.api import query
from endpoints.api.base import JsonView
from endpoints.api.bodies import rows_of
from endpoints.api.operations import Operation, Operations
from endpoints.api.parsers import json_body
from endpoints.api.permissions import EndpointDecides
from endpoints.services import access, serving
from endpoints.services.access import Need
from endpoints.services.serving import Answer, Question
from mlcore.classifier import Classifier

PLURALS = {
    "prediction": "predictions",
    "label": "labels",
    "probability": "probabilities",
    "logit": "logits",
    "score": "scores",
}


class Predict(JsonView):
    permission_classes = (EndpointDecides,)
    operations: Operations = {
        "POST": Operation(
            summary="Predict",
            about="One row is answered in the singular, several in the plural.",
            needs="scope predict, unless the endpoint is public",
            parameters=("explain", "status", "version"),
            body="Rows",
            answers={200: "Prediction"},
            errors=(413, 415, 422, 503),
        )
    }

    def post(self, request: Request, slug: str) -> Response:
        endpoint = access.get_endpoint(caller=self.caller, slug=slug, need=Need.PREDICT)
        given = request.query_params
        explain = query.flag(given.get("explain", "0"), name="explain")
        question = Question(
            endpoint=endpoint,
            rows=rows_of(json_body(request)),
            status=query.status(given["status"]) if "status" in given else None,
            version=query.version_number(given["version"]) if "version" in given else None,
        )
        answer = serving.predict(question, clock=timezone.now)
        shared, columns = _shared(answer), _columns(answer)
        if explain:
            shared |= _base(answer.classifier)
            columns["contributions"] = _contributions(answer)
        shape = _one_row if len(question.rows) == 1 else _many_rows
        return Response(shared | shape(columns))


def _shared(answer: Answer) -> dict[str, Any]:
    """Return what holds for all rows."""
    return {
        "status": "OK",
        "request_id": str(answer.request_id),
        "endpoint": answer.version.endpoint.slug,
        "version": answer.version.number,
        "threshold": answer.classifier.threshold,
        "converged": answer.version.converged,
    }


def _columns(answer: Answer) -> dict[str, list[Any]]:
    """Return what holds for one row each, in the order of the rows."""
    rows, classifier = answer.rows, answer.classifier
    columns: dict[str, list[Any]] = {
        "prediction": [row.prediction for row in rows],
        "label": [row.label for row in rows],
    }
    if classifier.is_binary:
        columns["probability"] = [row.probabilities[1] for row in rows]
        columns[_score_name(classifier)] = [row.scores[0] for row in rows]
    else:
        columns["probabilities"] = _by_class(classifier, [row.probabilities for row in rows])
        columns["scores"] = _by_class(classifier, [row.scores for row in rows])
    if any(row.imputed for row in rows):
        columns["imputed"] = [list(row.imputed) for row in rows]
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


def _one_row(columns: dict[str, list[Any]]) -> dict[str, Any]:
    return {name: column[0] for name, column in columns.items()}


def _many_rows(columns: dict[str, list[Any]]) -> dict[str, Any]:
    return {PLURALS.get(name, name): column for name, column in columns.items()}
