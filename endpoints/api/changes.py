"""What happened at an endpoint: its timeline, what was in production when, and who asked for a promotion."""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from endpoints.api import query
from endpoints.api.base import JsonListView, JsonView
from endpoints.api.change_serializers import (
    ChangeSerializer,
    PromotionRequestSerializer,
    change_json,
    moment_json,
)
from endpoints.api.fields import Moment
from endpoints.api.operations import PAGED, Operation, Operations
from endpoints.models import PromotionRequest, StatusChange
from endpoints.services import access, history
from endpoints.services.access import Need

AT = Moment(name="at", about="Now, if it is left out.")
OUTCOMES = ("open", *(outcome for outcome in PromotionRequest.Outcome.values if outcome))


class ChangeList(JsonListView):
    serializer_class = ChangeSerializer
    newest_first = ("-at", "-id")
    operations: Operations = {
        "GET": Operation(
            summary="List who moved which version when and why",
            needs="scope read",
            parameters=PAGED,
            answers={200: "page of StatusChange"},
        )
    }

    def get_queryset(self) -> QuerySet[StatusChange]:
        endpoint = access.get_endpoint(caller=self.caller, slug=self.kwargs["slug"], need=Need.READ)
        return StatusChange.objects.of(endpoint).select_related("version__endpoint")


class Production(JsonView):
    operations: Operations = {
        "GET": Operation(
            summary="Which version was in production at a moment",
            about="`version` and `change` are null where none was. A moment of the future is answered as now.",
            needs="scope read",
            parameters=("at",),
            answers={200: "Production"},
        )
    }

    def get(self, request: Request, slug: str) -> Response:
        endpoint = access.get_endpoint(caller=self.caller, slug=slug, need=Need.READ)
        at = self._moment(timezone.now())
        change = history.in_production_at(endpoint, at)
        answer = {
            "endpoint": endpoint.slug,
            "at": moment_json(at),
            "version": change.version.number if change else None,
            "change": change_json(change, slug) if change else None,
        }
        return Response(answer)

    def _moment(self, now: datetime) -> datetime:
        text = self.request.query_params.get("at")
        return now if text is None else min(AT.read_parameter(text), now)


class PromotionRequestList(JsonListView):
    serializer_class = PromotionRequestSerializer
    newest_first = ("-at", "-id")
    operations: Operations = {
        "GET": Operation(
            summary="List who asked for which promotion, and what became of it",
            needs="scope read",
            parameters=(*PAGED, "outcome"),
            answers={200: "page of PromotionRequest"},
        )
    }

    def get_queryset(self) -> QuerySet[PromotionRequest]:
        visible = access.visible_endpoints(self.caller)
        found = PromotionRequest.objects.filter(version__endpoint__in=visible)
        outcome = self.request.query_params.get("outcome")
        if outcome is not None:
            outcome = query.choice(outcome, name="outcome", choices=OUTCOMES)
            found = found.filter(outcome="" if outcome == "open" else outcome)
        return found.select_related("version__endpoint")
