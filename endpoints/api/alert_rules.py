"""/alert-rules: the rules of each endpoint, made, changed, tried out and muted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from endpoints.api.base import JsonListView, JsonView
from endpoints.api.fields import Choice, Field, Flag, Integer, Moment, Number, Text, Texts
from endpoints.api.operations import PAGED, Operation, Operations
from endpoints.models import AlertRule
from endpoints.models.alert import AlertMetric, Comparator, Severity
from endpoints.models.monitoring import Window
from endpoints.services import access, mails
from endpoints.services.access import Need
from endpoints.services.alerts import checking, handling, rules, telling

ONE_LINE = r"^[^\x00-\x1f\x7f]*$"

SETTINGS: Sequence[Field] = (
    Text(
        name="name",
        about="For people.",
        pattern=ONE_LINE,
        made_of="in one line",
        shortest=1,
        longest=120,
        required=True,
    ),
    Choice(
        name="metric",
        about="What is measured of the version in production.",
        choices=AlertMetric.values,
        required=True,
    ),
    Text(name="feature", about="For the metrics of one feature: its name.", longest=200),
    Choice(
        name="comparator",
        about="On which side of the limit it is broken.",
        choices=Comparator.values,
        required=True,
    ),
    Number(
        name="limit",
        about="In the metric's units; shares are from 0 to 1.",
        most=checking.LARGEST_LIMIT,
        required=True,
    ),
    Choice(name="window", about="Which rows are taken together.", choices=Window.values),
    Integer(
        name="consecutive",
        about="So many windows in a row must break the limit before it fires.",
        least=1,
        most=100,
    ),
    Integer(
        name="cooldown_minutes",
        about="While it fires, say so again after this time; 0: only once.",
        most=checking.YEAR_MINUTES,
    ),
    Choice(name="severity", about="How bad it is.", choices=Severity.values),
    Flag(name="to_webhooks", about="Tell the webhooks that hear of the endpoint."),
    Texts(
        name="emails",
        about="Mail addresses to write to.",
        pattern=mails.USABLE_ADDRESS.pattern,
        longest=mails.LONGEST_ADDRESS,
        most=checking.MOST_ADDRESSES,
    ),
    Flag(name="enabled", about="Whether it is looked at; an open alert ends with it."),
)
CHANGES = tuple(replace(field, required=False) for field in SETTINGS)
UNTIL = Moment(
    name="until", about="Tell nobody until then; null: tell again.", nullable=True, required=True
)


class RuleSerializer(serializers.ModelSerializer[AlertRule]):
    endpoint = serializers.CharField(source="endpoint.slug")
    feature = serializers.CharField()
    emails = serializers.SerializerMethodField()

    class Meta:
        model = AlertRule
        fields = ("id", "endpoint", *rules.SETTINGS, "muted_until", "created_at")

    def get_emails(self, rule: AlertRule) -> list[str]:
        """Addresses are for who keeps the rules; others get an empty list."""
        return telling.addresses(rule) if self.context["shows_addresses"](rule) else []


class _RuleView(JsonView):
    def written(self, rule: AlertRule) -> dict[str, Any]:
        return RuleSerializer(rule, context=self.rule_context()).data

    def rule_context(self) -> dict[str, Any]:
        caller = self.caller
        return {
            "request": self.request,
            "shows_addresses": lambda rule: caller.may(Need.ALERT_RULES, rule.endpoint),
        }

    def find(self, pk: int, need: Need) -> AlertRule:
        return handling.find_rule(pk, caller=self.caller, need=need)


class RuleList(_RuleView, JsonListView):
    serializer_class = RuleSerializer
    newest_first = ("-created_at", "-id")
    operations: Operations = {
        "GET": Operation(
            summary="List the alert rules of an endpoint",
            needs="scope read",
            parameters=PAGED,
            answers={200: "page of AlertRule"},
        ),
        "POST": Operation(
            summary="Make an alert rule",
            needs=Need.ALERT_RULES,
            body=SETTINGS,
            answers={201: "AlertRule"},
        ),
    }

    def get_serializer_context(self) -> dict[str, Any]:
        return self.rule_context()

    def get_queryset(self) -> QuerySet[AlertRule]:
        endpoint = access.get_endpoint(caller=self.caller, slug=self.kwargs["slug"], need=Need.READ)
        return endpoint.alert_rules.select_related("endpoint")

    def post(self, request: Request, slug: str) -> Response:
        endpoint = access.get_endpoint(caller=self.caller, slug=slug, need=Need.ALERT_RULES)
        rule = AlertRule(endpoint=endpoint, **_settings(self.fields(SETTINGS)))
        rules.create(rule, actor=self.caller, now=timezone.now())
        return Response(self.written(rule), status=201)


class RuleDetail(_RuleView):
    operations: Operations = {
        "GET": Operation(
            summary="Read an alert rule", needs="scope read", answers={200: "AlertRule"}
        ),
        "PATCH": Operation(
            summary="Change an alert rule",
            about="What is left out stays as it is. An open alert ends where the rule is disabled or measures "
            "something else from now on.",
            needs=Need.ALERT_RULES,
            body=CHANGES,
            answers={200: "AlertRule"},
        ),
        "DELETE": Operation(
            summary="Delete an alert rule with its alerts",
            needs=Need.ALERT_RULES,
            answers={204: ""},
        ),
    }

    def get(self, request: Request, pk: int) -> Response:
        return Response(self.written(self.find(pk, Need.READ)))

    def patch(self, request: Request, pk: int) -> Response:
        rule = self.find(pk, Need.ALERT_RULES)
        settings = _settings(self.fields(CHANGES))
        rules.configure(rule, settings, actor=self.caller, now=timezone.now())
        return Response(self.written(rule))

    def delete(self, request: Request, pk: int) -> Response:
        rule = self.find(pk, Need.ALERT_RULES)
        rules.remove(rule, actor=self.caller, now=timezone.now())
        return Response(status=204)


class TryRule(_RuleView):
    operations: Operations = {
        "POST": Operation(
            summary="Send the messages of a rule as a test",
            about="They go the way of all messages of the rule, marked as a test.",
            needs=Need.ALERT_RULES,
            body=(),
            answers={200: "AlertRule"},
            errors=(409,),
        )
    }

    def post(self, request: Request, pk: int) -> Response:
        rule = self.find(pk, Need.ALERT_RULES)
        self.fields(())
        rules.send_test(rule, actor=self.caller, now=timezone.now())
        return Response(self.written(rule))


class MuteRule(_RuleView):
    operations: Operations = {
        "POST": Operation(
            summary="Tell nobody of a rule's alerts for a while",
            about="States move all the same. What still fires when the time is over is told then.",
            needs=Need.ALERTS,
            body=(UNTIL,),
            answers={200: "AlertRule"},
        )
    }

    def post(self, request: Request, pk: int) -> Response:
        rule = self.find(pk, Need.ALERTS)
        until = self.fields((UNTIL,))["until"]
        rules.mute(rule, until=until, actor=self.caller, now=timezone.now())
        return Response(self.written(rule))


def _settings(given: dict[str, Any]) -> dict[str, Any]:
    if "emails" in given:
        given["emails"] = "\n".join(given["emails"])
    return given
