"""/endpoints/<slug>/drift and /monitor: what is known of live rows, and how an endpoint is watched."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from endpoints import monitoring
from endpoints.answers import as_response
from endpoints.api import query
from endpoints.api.base import JsonListView, JsonView
from endpoints.api.change_serializers import moment_json
from endpoints.api.fields import Integer, Number
from endpoints.api.operations import PAGED, Operation, Operations
from endpoints.api.permissions import EndpointDecides
from endpoints.bodies import read_body
from endpoints.models import DriftReport, Monitor
from endpoints.models.monitoring import Window
from endpoints.services import access, serving
from endpoints.services.access import Need
from endpoints.services.monitoring import configuring, reports, tick

SETTINGS = (
    Integer(name="window_rows", about="Rows of a window by count.", least=50, most=1_000_000),
    Integer(name="min_rows", about="Rows needed for a verdict.", least=10),
    Number(name="alpha", about="Largest adjusted p value of a drift.", least=1e-9, most=0.5),
    Number(name="effect", about="Smallest shift of a drift.", most=1e6),
)


class MonitorRows(JsonView):
    permission_classes = (EndpointDecides,)
    operations: Operations = {
        "POST": Operation(
            summary="Hold rows against those of the training",
            about="JSON or CSV, told apart by the body itself, or either as the field `file` of a form. Nothing is "
            "predicted and nothing logged. With true labels it also says how many of the version's answers "
            "would have been right.",
            needs="scope predict, unless the endpoint is public",
            parameters=("version",),
            body="GivenRows",
            answers={200: "GivenDrift"},
            errors=(413, 415, 422, 429, 503),
        )
    }

    def post(self, request: Request, slug: str) -> Any:
        served = serving.admitted(slug, caller=self.caller)
        given = request.query_params.get("version")
        version = None if given is None else query.version_number(given)
        body = read_body(request._request)
        return as_response(monitoring.given(served, body, version, caller=self.caller))


class MonitorSettings(JsonView):
    operations: Operations = {
        "GET": Operation(
            summary="Read how an endpoint is watched",
            needs="scope read",
            answers={200: "Monitor"},
        ),
        "PATCH": Operation(
            summary="Change how an endpoint is watched",
            about="Open windows of versions that answered in the last week are judged anew at once; closed "
            "ones keep their verdict.",
            needs=Need.MONITOR,
            body=SETTINGS,
            answers={200: "Monitor"},
        ),
    }

    def get(self, request: Request, slug: str) -> Response:
        endpoint = access.get_endpoint(caller=self.caller, slug=slug, need=Need.READ)
        return Response(_monitor(configuring.monitor_of(endpoint)))

    def patch(self, request: Request, slug: str) -> Response:
        endpoint = access.get_endpoint(caller=self.caller, slug=slug, need=Need.MONITOR)
        monitor = configuring.configure(
            endpoint=endpoint,
            settings=self.fields(SETTINGS),
            actor=self.caller,
            now=timezone.now(),
        )
        return Response(_monitor(monitor))


class ReportSerializer(serializers.BaseSerializer[DriftReport]):
    def to_representation(self, instance: DriftReport) -> dict[str, Any]:
        return monitoring.report_json(instance)


class DriftList(JsonListView):
    serializer_class = ReportSerializer
    newest_first = ("-start", "-id")
    operations: Operations = {
        "GET": Operation(
            summary="List the drift reports of an endpoint",
            about="One for each window in which a version answered: days unless `window` says otherwise. "
            "Without `version` of all versions.",
            needs="scope read",
            parameters=("window", "version", *PAGED),
            answers={200: "page of DriftReport"},
        )
    }

    def get_queryset(self) -> QuerySet[DriftReport]:
        endpoint = access.get_endpoint(caller=self.caller, slug=self.kwargs["slug"], need=Need.READ)
        given = self.request.query_params
        window = query.choice(
            given.get("window", Window.DAY.value), name="window", choices=Window.values
        )
        version = query.version_number(given["version"]) if "version" in given else None
        return reports.series(endpoint, window=window, version=version)


class DriftDetail(JsonView):
    operations: Operations = {
        "GET": Operation(
            summary="Read a drift report with every check and the distributions",
            needs="scope read",
            answers={200: "DriftReportDetail"},
        )
    }

    def get(self, request: Request, slug: str, pk: int) -> Response:
        endpoint = access.get_endpoint(caller=self.caller, slug=slug, need=Need.READ)
        return Response(monitoring.report_detail_json(reports.find(endpoint, pk)))


class Recompute(JsonView):
    operations: Operations = {
        "POST": Operation(
            summary="Look through what was logged since the last time",
            about="A worker does so once a minute. `complete` is false where there may be more: this looks at "
            "20 blocks of requests at most, and leaves off where somebody else looks at that moment. Ask again.",
            needs=Need.MONITOR,
            body=(),
            answers={200: "Ticked"},
        )
    }

    def post(self, request: Request, slug: str) -> Response:
        endpoint = access.get_endpoint(caller=self.caller, slug=slug, need=Need.MONITOR)
        self.fields(())
        found = tick.tick(endpoint, timezone.now, most_blocks=tick.BLOCKS_A_REQUEST)
        return Response(found.facts)


def _monitor(monitor: Monitor) -> dict[str, Any]:
    return {
        "endpoint": monitor.endpoint.slug,
        **{name: getattr(monitor, name) for name in configuring.SETTINGS},
        "looked_at": moment_json(monitor.looked_at),
    }
