"""Keeps the rules of alerts and records who changed them; it measures nothing and knows no HTTP.

Who may is asked here of every caller, so that the admin and the REST interface share one rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from endpoints.errors import InvalidRequest, NotFound
from endpoints.models import AlertRule, Endpoint
from endpoints.models.alert import AlertMetric, Comparator, Severity
from endpoints.models.monitoring import Window
from endpoints.services import access, audit
from endpoints.services.access import Caller, Need
from endpoints.services.alerts import checking, evaluating, measuring, telling

SETTINGS = (
    "name",
    "metric",
    "feature",
    "comparator",
    "limit",
    "window",
    "consecutive",
    "cooldown_minutes",
    "severity",
    "to_webhooks",
    "emails",
    "enabled",
)
MEASURED = frozenset({"metric", "feature", "comparator", "window"})
"""With another one of these an open alert speaks of something else."""
DEFAULT_NAME = "Features in drift"


def create(rule: AlertRule, *, actor: Caller, now: datetime) -> AlertRule:
    """Keep a new rule of an endpoint."""
    access.require(actor, Need.ALERT_RULES, rule.endpoint)
    rule.created_at, rule.created_by = now, actor.person
    with transaction.atomic():
        Endpoint.objects.select_for_update().get(pk=rule.endpoint.pk)
        checking.require_sound(rule)
        rule.save(force_insert=True)
        _record("create_alert_rule", rule, actor=actor, now=now, after=_said(rule, SETTINGS))
    return rule


def add_default(endpoint: Endpoint, *, actor: Caller, now: datetime) -> AlertRule:
    """Keep the rule that fits every endpoint: a warning once a feature drifts among the newest rows."""
    rule = AlertRule(
        endpoint=endpoint,
        name=DEFAULT_NAME,
        metric=AlertMetric.FEATURES_DRIFTED,
        comparator=Comparator.AT_LEAST,
        limit=1.0,
        window=Window.ROWS,
        severity=Severity.WARNING,
    )
    return create(rule, actor=actor, now=now)


def configure(
    rule: AlertRule, settings: Mapping[str, Any], *, actor: Caller, now: datetime
) -> bool:
    """Give the rule these settings. Returns False if it has them already."""
    for name, value in settings.items():
        setattr(rule, name, value)
    return change(rule, actor=actor, now=now, names=tuple(settings))


def change(
    rule: AlertRule, *, actor: Caller, now: datetime, names: Sequence[str] = SETTINGS
) -> bool:
    """Keep what is new about a rule in these settings; nothing new leaves no trace.

    The other settings are taken from what is kept, which somebody may have changed since the rule was
    read. What is open ends where the rule is disabled or measures something else from now on. Raises
    NotFound if the rule is deleted by now.
    """
    access.require(actor, Need.ALERT_RULES, rule.endpoint)
    with transaction.atomic():
        old = _locked(rule)
        for name in set(SETTINGS) - set(names):
            setattr(rule, name, getattr(old, name))
        new = [name for name in SETTINGS if getattr(old, name) != getattr(rule, name)]
        if not new:
            return False
        if set(new) != {"enabled"}:
            checking.require_sound(rule)
        if not rule.enabled:
            evaluating.close(old, reason=evaluating.DISABLED, now=now)
        elif MEASURED & set(new):
            evaluating.close(old, reason=evaluating.CHANGED, now=now)
        rule.save(update_fields=new)
        before, after = _said(old, new), _said(rule, new)
        _record("change_alert_rule", rule, actor=actor, now=now, before=before, after=after)
    return True


def remove(rule: AlertRule, *, actor: Caller, now: datetime) -> None:
    """Delete a rule with its alerts; an open one is resolved first, so that nobody waits for its end."""
    access.require(actor, Need.ALERT_RULES, rule.endpoint)
    with transaction.atomic():
        locked = AlertRule.objects.select_for_update().filter(pk=rule.pk).first()
        if locked is None:
            return
        locked.endpoint = rule.endpoint
        evaluating.close(locked, reason="The rule is deleted.", now=now)
        _record("delete_alert_rule", rule, actor=actor, now=now, before=_said(rule, SETTINGS))
        locked.delete()


def mute(rule: AlertRule, *, until: datetime | None, actor: Caller, now: datetime) -> bool:
    """Tell nobody until then; None: tell again from now on. States move all the same.

    Returns False if that is so already. Raises NotFound if the rule is deleted by now.
    """
    access.require(actor, Need.ALERTS, rule.endpoint)
    if until is not None and until <= now:
        raise InvalidRequest("“until” is a moment of the future.")
    with transaction.atomic():
        old = _locked(rule).muted_until
        if old == until:
            return False
        rule.muted_until = until
        rule.save(update_fields=["muted_until"])
        moments = {"before": old, "after": until}
        said = {
            name: {"muted_until": moment.isoformat() if moment else None}
            for name, moment in moments.items()
        }
        verb = "mute_alert_rule" if until else "unmute_alert_rule"
        _record(verb, rule, actor=actor, now=now, **said)
    return True


def send_test(rule: AlertRule, *, actor: Caller, now: datetime) -> None:
    """Write the messages that the rule would write, marked as a test, muted or not."""
    access.require(actor, Need.ALERT_RULES, rule.endpoint)
    live = measuring.in_production(rule.endpoint)
    measured = measuring.measure(rule, live=live, now=now)
    with transaction.atomic():
        telling.send_test(rule, measured[-1] if measured else None, now=now)
        _record("test_alert_rule", rule, actor=actor, now=now)


def _locked(rule: AlertRule) -> AlertRule:
    """Return the rule as it is kept, which nobody else changes until the transaction ends."""
    locked = AlertRule.objects.select_for_update().filter(pk=rule.pk).first()
    if locked is None:
        raise NotFound(f"There is no alert rule {rule.pk}.")
    locked.endpoint = rule.endpoint
    return locked


def _said(rule: AlertRule, names: tuple[str, ...] | list[str]) -> dict[str, Any]:
    """What the audit log, which many may read, says of these settings: no addresses, only how many."""
    said = {name: getattr(rule, name) for name in names if name != "emails"}
    if "emails" in names:
        said["emails"] = len(telling.addresses(rule))
    return said


def _record(verb: str, rule: AlertRule, *, actor: Caller, now: datetime, **facts: Any) -> None:
    audit.record(
        verb,
        actor=actor,
        endpoint=rule.endpoint,
        subject=f"alert rule “{rule.name}”",
        now=now,
        **facts,
    )
