"""POST /<slug>/predict: the native prediction route, an adapter on serving.predict."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from endpoints.api import query
from endpoints.api.base import JsonView
from endpoints.api.bodies import rows_of
from endpoints.api.parsers import json_body
from endpoints.api.permissions import EndpointDecides
from endpoints.services import access, serving
from endpoints.services.access import Need
from endpoints.services.serving import Answer, Question

PLURALS = {
    "prediction": "predictions",
    "label": "labels",
    "probability": "probabilities",
    "logit": "logits",
}


class Predict(JsonView):
    permission_classes = (EndpointDecides,)
    parameters = ("explain", "status", "version")

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
            shared["intercept"] = answer.classifier.intercept
            columns["contributions"] = answer.contributions
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
    report = answer.report
    columns = {
        "prediction": report.predictions.tolist(),
        "label": list(report.labels),
        "probability": report.probabilities.tolist(),
        "logit": report.logits.tolist(),
    }
    if any(report.imputed):
        columns["imputed"] = [list(names) for names in report.imputed]
    return columns


def _one_row(columns: dict[str, list[Any]]) -> dict[str, Any]:
    return {name: column[0] for name, column in columns.items()}


def _many_rows(columns: dict[str, list[Any]]) -> dict[str, Any]:
    return {PLURALS.get(name, name): column for name, column in columns.items()}
