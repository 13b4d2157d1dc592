"""/alerts: what fires, fired or is about to, and who sees to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from endpoints.api import query
from endpoints.api.base import JsonListView, JsonView
from endpoints.api.fields import Text
from endpoints.api.operations import PAGED, Operation, Operations
from endpoints.models import Alert
from endpoints.services import access
from endpoints.services.access import Need
from endpoints.services.alerts import handling
from endpoints.services.words import LONGEST_REASON

NOTE = Text(name="note", about="What is being done about it.", longest=LONGEST_REASON)


class AlertSerializer(serializers.ModelSerializer[Alert]):
    rule = serializers.CharField(source="rule.name")
    rule_id = serializers.IntegerField()
    endpoint = serializers.CharField(source="rule.endpoint.slug")
    version = serializers.SerializerMethodField()
    metric = serializers.CharField(source="rule.metric")
    feature = serializers.CharField(source="rule.feature")
    severity = serializers.CharField(source="rule.severity")
    resolved_reason = serializers.SerializerMethodField()
    url = serializers.SerializerMethodField()

    class Meta:
        model = Alert
        fields = (
            "id", "rule", "rule_id", "endpoint", "version", "metric", "feature", "severity", "state",
            "value", "limit", "window_start", "pending_at", "fired_at", "resolved_at",
            "resolved_reason", "told_at", "acknowledged_at", "acknowledged_by", "note", "url",
        )  # fmt: skip

    def get_version(self, alert: Alert) -> int | None:
        return alert.version.number if alert.version is not None else None

    def get_resolved_reason(self, alert: Alert) -> str:
        return str(self.context["reasons"].get(alert.pk, ""))

    def get_url(self, alert: Alert) -> str:
        return str(reverse("dashboard:alert", args=[alert.pk], request=self.context["request"]))


class AlertList(JsonListView):
    serializer_class = AlertSerializer
    newest_first = ("-pending_at", "-id")
    operations: Operations = {
        "GET": Operation(
            summary="List alerts, newest first",
            needs="scope read",
            parameters=("state", "endpoint", *PAGED),
            answers={200: "page of Alert"},
            errors=(404,),
        )
    }

    def get_queryset(self) -> QuerySet[Alert]:
        found, asked = handling.visible(self.caller), self.request.query_params
        if "endpoint" in asked:
            slug = asked["endpoint"]
            endpoint = access.get_endpoint(caller=self.caller, slug=slug, need=Need.READ)
            found = found.filter(rule__endpoint=endpoint)
        if "state" in asked:
            state = query.choice(asked["state"], name="state", choices=Alert.State.values)
            found = found.filter(state=state)
        return found

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        """Find why the alerts of a page ended in one query."""
        return super().get_serializer(*args, context=_context(self.request, args[0]), **kwargs)


class Acknowledge(JsonView):
    operations: Operations = {
        "POST": Operation(
            summary="Say that you see to an alert, which ends its reminders",
            about="The first one counts; saying it again changes nothing.",
            needs=Need.ALERTS,
            body=(NOTE,),
            answers={200: "Alert"},
            errors=(409,),
        )
    }

    def post(self, request: Request, pk: int) -> Response:
        alert = handling.find_alert(pk, caller=self.caller, need=Need.ALERTS)
        note = self.fields((NOTE,)).get("note", "")
        handling.acknowledge(alert, note=note, actor=self.caller, now=timezone.now())
        return Response(AlertSerializer(alert, context=_context(request, [alert])).data)


def _context(request: Request, alerts: Sequence[Alert]) -> dict[str, Any]:
    return {"request": request, "reasons": handling.why_resolved(alerts)}
