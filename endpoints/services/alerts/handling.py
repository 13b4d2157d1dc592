"""Finds the alerts and rules that a caller may know, and lets people take an alert on; it knows no HTTP.

Why an alert ended stands in its event alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models import Case, F, IntegerField, OuterRef, QuerySet, Subquery, Value, When

from endpoints.errors import InvalidTransition, NotFound
from endpoints.models import Alert, AlertRule, Endpoint, Event
from endpoints.models.alert import AlertQuerySet, Severity
from endpoints.services import access, audit
from endpoints.services.access import Caller, Need

WORST_FIRST = Case(
    When(rule__severity=Severity.CRITICAL, then=Value(0)),
    When(rule__severity=Severity.WARNING, then=Value(1)),
    default=Value(2),
    output_field=IntegerField(),
)


def visible(caller: Caller) -> AlertQuerySet:
    """Return the alerts of the endpoints that the caller may know."""
    known = access.visible_endpoints(caller)
    return Alert.objects.filter(rule__endpoint__in=known).select_related(
        "rule__endpoint", "version"
    )


def needing_attention(caller: Caller) -> AlertQuerySet:
    """Return what fires: first what nobody has taken on, then the worst, then the oldest."""
    taken_on = F("acknowledged_at").asc(nulls_first=True)
    return visible(caller).firing().order_by(taken_on, WORST_FIRST, "fired_at", "id")


def rules_of(endpoint: Endpoint) -> QuerySet[AlertRule]:
    """Return the rules that fire, then those that are pending, then the others, each by name."""
    state = Alert.objects.open().filter(rule=OuterRef("pk")).values("state")[:1]
    urgency = Case(
        When(open_state=Alert.State.FIRING, then=Value(0)),
        When(open_state=Alert.State.PENDING, then=Value(1)),
        default=Value(2),
        output_field=IntegerField(),
    )
    found = endpoint.alert_rules.select_related("endpoint").annotate(open_state=Subquery(state))
    return found.order_by(urgency, "name", "id")


def why_resolved(alerts: Iterable[Alert]) -> dict[int, str]:
    """Return by id why these alerts ended, in one query; those that are open are not among them."""
    ended = [alert for alert in alerts if alert.resolved_at is not None]
    events = Event.objects.filter(
        verb=f"alert_{Alert.State.RESOLVED.value}",
        endpoint__in={alert.rule.endpoint_id for alert in ended},
        at__in={alert.resolved_at for alert in ended},
    )
    found = events.values_list("after", "reason")
    told = {after["alert"]: reason for after, reason in found if after is not None}
    return {alert.pk: told[alert.pk] for alert in ended if alert.pk in told}


def find_alert(key: int, *, caller: Caller, need: Need) -> Alert:
    """Return the alert if the caller may do this; raises NotFound as if it were not there otherwise."""
    related = ("rule__endpoint", "version")
    alert = Alert.objects.select_related(*related).filter(pk=key).first()
    if alert is None or not caller.knows(alert.rule.endpoint):
        raise NotFound(f"There is no alert {key}.")
    access.require(caller, need, alert.rule.endpoint)
    return alert


def find_rule(key: int, *, caller: Caller, need: Need) -> AlertRule:
    rule = AlertRule.objects.select_related("endpoint").filter(pk=key).first()
    if rule is None or not caller.knows(rule.endpoint):
        raise NotFound(f"There is no alert rule {key}.")
    access.require(caller, need, rule.endpoint)
    return rule


def acknowledge(alert: Alert, *, note: str, actor: Caller, now: datetime) -> bool:
    """Note that somebody sees to it, which ends the reminders. Returns False if somebody does already."""
    access.require(actor, Need.ALERTS, alert.rule.endpoint)
    with transaction.atomic():
        unclaimed = Alert.objects.open().filter(pk=alert.pk, acknowledged_at=None)
        facts = {"acknowledged_at": now, "acknowledged_by": actor.name[:150], "note": note}
        if not unclaimed.update(**facts):
            alert.refresh_from_db()
            if alert.acknowledged_at is None:
                raise InvalidTransition("The alert is resolved already.")
            return False
        for name, value in facts.items():
            setattr(alert, name, value)
        audit.record(
            "acknowledge_alert",
            actor=actor,
            endpoint=alert.rule.endpoint,
            subject=f"alert “{alert.rule.name}”",
            now=now,
            after={"alert": alert.pk},
            reason=note,
        )
    return True
