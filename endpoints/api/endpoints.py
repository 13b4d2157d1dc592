"""GET /endpoints and below: the endpoints that a caller may know, and their versions."""

from __future__ import annotations

from django.db.models import QuerySet, prefetch_related_objects
from rest_framework.request import Request
from rest_framework.response import Response

from endpoints.api import serializers
from endpoints.api.base import JsonListView, JsonView
from endpoints.errors import NotFound
from endpoints.models import AlgorithmVersion, Endpoint
from endpoints.services import access
from endpoints.services.access import Need


class EndpointList(JsonListView):
    serializer_class = serializers.EndpointSerializer
    newest_first = ("-created_at", "-id")

    def get_queryset(self) -> QuerySet[Endpoint]:
        return access.visible_endpoints(self.caller).prefetch_related(serializers.LIVE_VERSION)


class EndpointDetail(JsonView):
    def get(self, request: Request, slug: str) -> Response:
        endpoint = access.get_endpoint(caller=self.caller, slug=slug, need=Need.READ)
        prefetch_related_objects([endpoint], serializers.LIVE_VERSION)
        written = serializers.EndpointSerializer(endpoint, context={"request": request})
        return Response(written.data)


class VersionList(JsonListView):
    serializer_class = serializers.VersionSerializer
    newest_first = ("-number",)

    def get_queryset(self) -> QuerySet[AlgorithmVersion]:
        endpoint = access.get_endpoint(caller=self.caller, slug=self.kwargs["slug"], need=Need.READ)
        return _versions(endpoint)


class VersionDetail(JsonView):
    def get(self, request: Request, slug: str, number: int) -> Response:
        endpoint = access.get_endpoint(caller=self.caller, slug=slug, need=Need.READ)
        version = _versions(endpoint).filter(number=number).first()
        if version is None:
            raise NotFound(f"“{slug}” has no version {number}.")
        written = serializers.VersionDetailSerializer(version, context={"request": request})
        return Response(written.data)


def _versions(endpoint: Endpoint) -> QuerySet[AlgorithmVersion]:
    versions = endpoint.versions.select_related("endpoint", "run")
    return versions.prefetch_related(serializers.metrics_of("run__"))
