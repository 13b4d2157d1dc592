"""Below /<slug>: what a model reads, how it follows one feature, and predictions with their reasons."""

from __future__ import annotations

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from endpoints import exploring, native
from endpoints.answers import as_response
from endpoints.api import query
from endpoints.api.base import JsonView
from endpoints.api.operations import Operation, Operations
from endpoints.api.permissions import EndpointDecides
from endpoints.api.predict import Predict
from endpoints.units import HEADER

SVG = "image/svg+xml"


class ModelView(JsonView):
    """Something about a model that whoever may ask it for predictions may know."""

    permission_classes = (EndpointDecides,)

    @property
    def version(self) -> int | None:
        given = self.request.query_params.get("version")
        return None if given is None else query.version_number(given)


class Features(ModelView):
    operations: Operations = {
        "GET": Operation(
            summary="Read which features a model reads",
            about="With what they were in training, and an example row that can be sent as it is.",
            needs="scope predict, unless the endpoint is public",
            parameters=("version",),
            answers={200: "Features"},
            errors=(503,),
        )
    }

    def get(self, request: Request, slug: str) -> Response:
        return Response(exploring.features(slug, caller=self.caller, version=self.version))


class Plot(ModelView):
    operations: Operations = {
        "GET": Operation(
            summary="Draw the probability over one feature",
            about="All other features stay at their median or most frequent level in training. "
            "Without a feature it is the strongest one of the model.",
            needs="scope predict, unless the endpoint is public",
            parameters=("feature", "version"),
            answers={200: SVG},
            errors=(429, 503),
        )
    }

    def get(self, request: Request, slug: str) -> HttpResponse:
        feature = request.query_params.get("feature")
        return exploring.plot(slug, caller=self.caller, feature=feature, version=self.version)


class Explain(Predict):
    operations: Operations = {
        "POST": Operation(
            summary="Predict and explain",
            about="It is a prediction as any other, logged alike, with what each column adds to the score.",
            needs="scope predict, unless the endpoint is public",
            parameters=("status", "unit_id", "version"),
            headers=(HEADER,),
            body="Rows",
            answers={200: "Prediction"},
            errors=(413, 415, 422, 429, 503),
        )
    }

    def post(self, request: Request, slug: str) -> HttpResponse:
        return as_response(native.explained(self.answer(request, slug)))
