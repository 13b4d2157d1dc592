"""True labels for what was predicted: one at /requests/<id>/feedback, thousands at /feedback."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from endpoints import label_lists
from endpoints.api import query
from endpoints.api.base import JsonView
from endpoints.api.operations import Operation, Operations
from endpoints.api.parsers import json_body
from endpoints.api.permissions import EndpointDecides
from endpoints.bodies import read_body
from endpoints.errors import InvalidRequest
from endpoints.label_lists import LabelList
from endpoints.models import Endpoint
from endpoints.services import access, bulk_feedback, feedback
from endpoints.services.access import Need
from endpoints.services.bulk_feedback import BulkReport
from mlcore.errors import CellError, shown

SHAPE = 'Send an object such as {"label": "Besni"}.'
COUNTS = ("received", "matched", "recorded", "corrected", "duplicate", "unknown", "invalid")


class SendFeedback(JsonView):
    permission_classes = (EndpointDecides,)
    operations: Operations = {
        "POST": Operation(
            summary="Send the true label of a prediction",
            about="The same label again changes nothing (200); another one is a correction. The id may "
            "end in the row, `<request_id>:<row>`.",
            needs="scope feedback, unless the endpoint is public",
            body="Label",
            answers={200: "Feedback", 201: "Feedback"},
            errors=(413, 415, 503),
        )
    }

    def post(self, request: Request, request_id: str) -> Response:
        key, row = feedback.parse_place(request_id)
        found = feedback.find_request(str(key), caller=self.caller)
        label, row = _label_and_row(json_body(request), row)
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


class SendManyLabels(JsonView):
    """Of any endpoints where the caller may label."""

    permission_classes = (EndpointDecides,)
    operations: Operations = {
        "POST": Operation(
            summary="Send many true labels",
            about="JSON or CSV, told apart by the body itself. What is good is stored in one step; what "
            "is not is counted, and told by its item or line.",
            needs="scope feedback, unless the endpoint is public",
            body="Labels",
            answers={200: "LabelReport"},
            errors=(413, 415, 503),
        )
    }

    def post(self, request: Request) -> Response:
        bulk_feedback.require_somewhere(self.caller)
        return self.store(request, None)

    def store(self, request: Request, endpoint: Endpoint | None) -> Response:
        sent = label_lists.read(read_body(request._request))
        report = bulk_feedback.record_many(
            items=sent.items,
            faults=sent.faults,
            caller=self.caller,
            now=timezone.now(),
            endpoint=endpoint,
        )
        return Response(_told(report, sent))


class SendManyLabelsHere(SendManyLabels):
    """Of one endpoint: the ids of others are unknown."""

    def post(self, request: Request, slug: str) -> Response:  # type: ignore[override]
        here = access.get_endpoint(caller=self.caller, slug=slug, need=Need.FEEDBACK)
        return self.store(request, here)


def _told(report: BulkReport, sent: LabelList) -> dict[str, Any]:
    errors = [
        {sent.counted_in: fault.number, "code": fault.code, "message": fault.message}
        for fault in report.faults
    ]
    return {name: getattr(report, name) for name in COUNTS} | {"errors": errors}


def _label_and_row(body: Any, addressed: int | None) -> tuple[str | float, int]:
    """Read the body. Addressed: the row that the address ends in."""
    if not isinstance(body, dict):
        raise InvalidRequest(f"The body is not a JSON object. {SHAPE}")
    query.refuse_unknown(body, ("label", "row"), what="field")
    label, row = body.get("label"), body.get("row", addressed or 0)
    if not isinstance(label, str | int | float) or isinstance(label, bool):
        raise _wrong("label", label, "the name of a class, its number, or its index")
    if not isinstance(row, int) or isinstance(row, bool):
        raise _wrong("row", row, "the number of a row, counted from 0")
    if addressed not in (None, row):
        raise _wrong("row", row, f"{addressed}, as the address says")
    return label, row


def _wrong(field: str, value: object, wanted: str) -> InvalidRequest:
    message = f"{field} is {wanted}, not {shown(value)}. {SHAPE}"
    cell = CellError(code="wrong_type", message=message, column=field, value=shown(value))
    return InvalidRequest(message, cells=[cell])
