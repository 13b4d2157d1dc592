"""Vertex AI's custom containers: health and predictions of one endpoint at the routes that it names."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from endpoints.bodies import parse_json, read_body
from endpoints.errors import InvalidRequest
from endpoints.models.prediction import Protocol
from endpoints.protocols import answering
from endpoints.protocols.tabular import read_table
from endpoints.protocols.view import prediction
from endpoints.services import serving
from endpoints.services.access import Caller
from endpoints.services.serving import Answer
from endpoints.units import unit_of


@prediction(Protocol.VERTEX, failure=answering.failure)
def predict(request: HttpRequest, caller: Caller, slug: str) -> dict[str, Any]:
    serving.admitted(slug, caller=caller)
    answering.parameters(request)
    document = parse_json(read_body(request))
    _, rows = read_table(document, ("instances",), others=("parameters",))
    if document.get("parameters"):
        raise InvalidRequest("The model takes no parameters.")
    unit = unit_of(request)
    answer = answering.ask(slug, rows, caller=caller, protocol=Protocol.VERTEX, unit=unit)
    return {"predictions": _predictions(answer)}


def _predictions(answer: Answer) -> list[dict[str, Any]]:
    """Vertex hands on nothing but the predictions, so each of them says all that there is to say."""
    classes, request_id = answer.classifier.classes, str(answer.request_id)
    return [
        {
            "label": label,
            "probabilities": dict(zip(classes, row, strict=True)),
            "model_version": str(answer.version.number),
            "request_id": request_id,
        }
        for label, row in zip(answer.labels, answer.probabilities, strict=True)
    ]
