"""POST /<slug>/predict: the native prediction route, an adapter on serving.predict."""

from __future__ import annotations

from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from endpoints import native, observation
from endpoints.answers import as_response
from endpoints.api import query
from endpoints.api.base import JsonView
from endpoints.api.errors import as_domain_error
from endpoints.api.operations import Operation, Operations
from endpoints.api.parsers import json_body
from endpoints.api.permissions import EndpointDecides
from endpoints.models.prediction import Protocol
from endpoints.rows import part_unit, rows_of
from endpoints.services import serving
from endpoints.services.serving import Answer, Question
from endpoints.units import HEADER, NAME, unit_of


class Predict(JsonView):
    permission_classes = (EndpointDecides,)
    operations: Operations = {
        "POST": Operation(
            summary="Predict",
            about="One row is answered in the singular, several in the plural.",
            needs="scope predict, unless the endpoint is public",
            parameters=("explain", "status", "unit_id", "version"),
            headers=(HEADER,),
            body="Rows",
            answers={200: "Prediction"},
            errors=(413, 415, 422, 429, 503),
        )
    }

    def post(self, request: Request, slug: str) -> HttpResponse:
        given = request.query_params
        explain = query.flag(given.get("explain", "0"), name="explain")
        answer = self.answer(request, slug)
        return as_response(native.explained(answer) if explain else native.answered(answer))

    def answer(self, request: Request, slug: str) -> Answer:
        given = request.query_params
        caller = self.caller
        serving.admitted(slug, caller=caller)
        body, unit = part_unit(json_body(request))
        question = Question(
            slug=slug,
            caller=caller,
            rows=rows_of(body),
            status=query.status(given["status"]) if "status" in given else None,
            version=query.version_number(given["version"]) if "version" in given else None,
            unit=unit_of(request._request, given.get(NAME), unit),
        )
        return serving.predict(question, clock=timezone.now)

    def handle_exception(self, exc: Exception) -> Response:
        known, slug = as_domain_error(exc), self.kwargs["slug"]
        if known is None:
            observation.crashed(slug, Protocol.NATIVE)
        else:
            observation.refused(slug, Protocol.NATIVE, known, status=known.status)
        return super().handle_exception(exc)
