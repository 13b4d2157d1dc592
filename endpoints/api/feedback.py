"""POST /requests/<id>/feedback: true labels for what was predicted."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from endpoints.api import query
from endpoints.api.base import JsonView
from endpoints.api.operations import Operation, Operations
from endpoints.api.parsers import json_body
from endpoints.api.permissions import EndpointDecides
from endpoints.errors import InvalidRequest
from endpoints.services import feedback
from mlcore.errors import CellError, shown

SHAPE = 'Send an object such as {"label": "Besni"}.'


class SendFeedback(JsonView):
    permission_classes = (EndpointDecides,)
    operations: Operations = {
        "POST": Operation(
            summary="Send the true label of a prediction",
            about="The same label again changes nothing (200); another one is a correction.",
            needs="scope feedback, unless the endpoint is public",
            body="Label",
            answers={200: "Feedback", 201: "Feedback"},
            errors=(409, 413, 415, 503),
        )
    }

    def post(self, request: Request, request_id: str) -> Response:
        found = feedback.find_request(request_id, caller=self.caller)
        label, row = _label_and_row(json_body(request))
        recorded = feedback.record(
            request=found, label=label, row=row, actor=self.caller, now=timezone.now()
        )
        answer = {
            "status": "OK",
            "request_id": str(found.pk),
            "row": recorded.feedback.row,
            "label": recorded.feedback.label,
            "outcome": recorded.outcome,
            "correct": recorded.feedback.correct,
        }
        return Response(answer, status=200 if recorded.outcome == "unchanged" else 201)


def _label_and_row(body: Any) -> tuple[str | float, int]:
    if not isinstance(body, dict):
        raise InvalidRequest(f"The body is not a JSON object. {SHAPE}")
    query.refuse_unknown(body, ("label", "row"), what="field")
    label, row = body.get("label"), body.get("row", 0)
    if not isinstance(label, str | int | float) or isinstance(label, bool):
        raise _wrong("label", label, "the name of a class, its number, or its index")
    if not isinstance(row, int) or isinstance(row, bool):
        raise _wrong("row", row, "the number of a row, counted from 0")
    return label, row


def _wrong(field: str, value: object, wanted: str) -> InvalidRequest:
    message = f"{field} is {wanted}, not {shown(value)}. {SHAPE}"
    cell = CellError(code="wrong_type", message=message, column=field, value=shown(value))
    return InvalidRequest(message, cells=[cell])
