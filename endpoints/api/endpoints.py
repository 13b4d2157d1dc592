"""/endpoints and below: the endpoints that a caller may know, their settings and their switch."""

from __future__ import annotations

from dataclasses import replace

from django.db.models import QuerySet, prefetch_related_objects
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from endpoints.api import serializers
from endpoints.api.base import JsonListView, JsonView
from endpoints.api.fields import Choice, Flag, Number, Text
from endpoints.api.operations import PAGED, Operation, Operations
from endpoints.models import Endpoint
from endpoints.models.endpoint import (
    Direction,
    ErrorDetail,
    GatePolicy,
    MissingValues,
    PrimaryMetric,
)
from endpoints.services import access, catalog, configuring, pausing
from endpoints.services.access import Need
from endpoints.services.words import LONGEST_REASON

MOST_METRIC = 1e6  # in the metric's units, of which a log loss can be large
MOST_MS = 600_000
LONGEST_TEXT = 20_000

NAME = Text(name="name", about="For people.", shortest=1, longest=120)
DESCRIPTION = Text(
    name="description", about="The question that its models answer.", longest=LONGEST_TEXT
)
SLUG = Text(
    name="slug",
    about="Part of the URL, which cannot be changed later.",
    pattern="^[-a-zA-Z0-9_]+$",
    made_of="out of letters, digits, hyphens and underscores",
    shortest=1,
    longest=64,
    required=True,
)
NEW_ENDPOINT = (SLUG, replace(NAME, required=True), DESCRIPTION)
REASON = Text(name="reason", about="Why; kept for ever.", longest=LONGEST_REASON)

SETTINGS = (
    NAME,
    DESCRIPTION,
    Flag(name="public_predictions", about="Predict and give feedback without an API key."),
    Choice(
        name="primary_metric", about="What versions are judged by.", choices=PrimaryMetric.values
    ),
    Choice(
        name="metric_direction",
        about="Which way the metric gets better; empty: as the metric has it.",
        choices=Direction.values,
    ),
    Number(
        name="metric_tolerance",
        about="A candidate may be worse than production by this much.",
        most=MOST_METRIC,
    ),
    Number(
        name="minimum_improvement",
        about="Above 0: a candidate must be better than production by this much.",
        most=MOST_METRIC,
    ),
    Number(
        name="latency_budget_ms",
        about="95 of 100 single rows must be scored within this time.",
        least=0.001,
        most=MOST_MS,
    ),
    Choice(
        name="gate_policy",
        about="Whether a failed gate stops a promotion.",
        choices=GatePolicy.values,
    ),
    Flag(name="card_required", about="A version without intended use and limits fails its gate."),
    Flag(
        name="second_person_required",
        about="Whoever asked for a promotion or trained the model cannot approve it.",
    ),
    Flag(
        name="auto_promote",
        about="Promote a new version at once if it is better and no gate fails.",
    ),
    Flag(name="members_only", about="Only its members see it; groups count elsewhere alone."),
    Choice(
        name="missing_values",
        about="Whether missing values are filled in, or refused.",
        choices=MissingValues.values,
    ),
    Choice(
        name="error_detail",
        about="What an answer tells of values that do not fit.",
        choices=ErrorDetail.values,
    ),
)


class EndpointList(JsonListView):
    serializer_class = serializers.EndpointSerializer
    newest_first = ("-created_at", "-id")
    operations: Operations = {
        "GET": Operation(
            summary="List the endpoints that you may know",
            needs="scope read",
            parameters=PAGED,
            answers={200: "page of Endpoint"},
        ),
        "POST": Operation(
            summary="Make an endpoint",
            needs=Need.CREATE,
            body=NEW_ENDPOINT,
            answers={201: "Endpoint"},
            errors=(409,),
        ),
    }

    def get_queryset(self) -> QuerySet[Endpoint]:
        endpoints = access.visible_endpoints(self.caller).select_related("created_by")
        return endpoints.prefetch_related(serializers.LIVE_VERSION)

    def post(self, request: Request) -> Response:
        access.require(self.caller, Need.CREATE)
        given = self.fields(NEW_ENDPOINT)
        endpoint = catalog.create_endpoint(**given, actor=self.caller, now=timezone.now())
        return Response(_written(endpoint, request), status=201)


class EndpointDetail(JsonView):
    operations: Operations = {
        "GET": Operation(summary="Read an endpoint", needs="scope read", answers={200: "Endpoint"}),
        "PATCH": Operation(
            summary="Change settings of an endpoint",
            about="What is left out stays as it is. The event keeps what was before.",
            needs=Need.CONFIGURE,
            body=SETTINGS,
            answers={200: "Endpoint"},
        ),
    }

    def get(self, request: Request, slug: str) -> Response:
        endpoint = access.get_endpoint(caller=self.caller, slug=slug, need=Need.READ)
        return Response(_written(endpoint, request))

    def patch(self, request: Request, slug: str) -> Response:
        endpoint = access.get_endpoint(caller=self.caller, slug=slug, need=Need.CONFIGURE)
        configuring.configure(
            endpoint=endpoint,
            settings=self.fields(SETTINGS),
            actor=self.caller,
            now=timezone.now(),
        )
        return Response(_written(endpoint, request))


class Pause(JsonView):
    operations: Operations = {
        "POST": Operation(
            summary="Answer every prediction with 503 until the endpoint is resumed",
            about="Pausing what is paused changes nothing.",
            needs=Need.PROMOTE,
            body=(REASON,),
            answers={200: "Endpoint"},
        )
    }
    carry_out = staticmethod(pausing.pause)

    def post(self, request: Request, slug: str) -> Response:
        endpoint = access.get_endpoint(caller=self.caller, slug=slug, need=Need.PROMOTE)
        reason = self.fields((REASON,)).get("reason", "")
        self.carry_out(endpoint=endpoint, actor=self.caller, now=timezone.now(), reason=reason)
        return Response(_written(endpoint, request))


class Resume(Pause):
    operations: Operations = {
        "POST": Operation(
            summary="Answer predictions again",
            about="Resuming what is not paused changes nothing.",
            needs=Need.PROMOTE,
            body=(REASON,),
            answers={200: "Endpoint"},
        )
    }
    carry_out = staticmethod(pausing.resume)


def _written(endpoint: Endpoint, request: Request) -> dict[str, object]:
    prefetch_related_objects([endpoint], serializers.LIVE_VERSION)
    return serializers.EndpointSerializer(endpoint, context={"request": request}).data
