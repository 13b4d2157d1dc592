"""Writes the messages about an alert, to webhooks and mail addresses, in the caller's transaction; it sends none."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.urls import reverse

from endpoints.errors import InvalidTransition
from endpoints.models import Alert, AlertRule, EmailDelivery
from endpoints.services import mails, webhooks
from endpoints.services.alerts import kinds
from endpoints.services.alerts.measuring import Measured

FIRING, RESOLVED, TEST = "alert.firing", "alert.resolved", "alert.test"
NOBODY = "This rule tells nobody: no webhook hears of the endpoint, and it has no mail address."


def is_muted(rule: AlertRule, now: datetime) -> bool:
    return rule.muted_until is not None and rule.muted_until > now


def tell_firing(alert: Alert, *, now: datetime) -> None:
    """Tell of it once, and again after the cooldown until somebody takes it on.

    `told_at` stays empty while the rule is muted or there is nobody to tell, so that it is made up for.
    """
    rule = alert.rule
    if is_muted(rule, now) or not _is_due(alert, now):
        return
    if _tell(FIRING, rule, alert, _facts(alert), now=now):
        alert.told_at = now
        alert.save(update_fields=["told_at"])


def tell_resolved(alert: Alert, *, reason: str, now: datetime) -> None:
    """Take back what was told. What nobody heard of needs no end."""
    if alert.told_at is not None and not is_muted(alert.rule, now):
        _tell(RESOLVED, alert.rule, alert, _facts(alert) | {"reason": reason}, now=now)


def send_test(rule: AlertRule, measured: Measured | None, *, now: datetime) -> None:
    """Write the messages that the rule would write, marked as a test; raises where nobody would get one."""
    facts = _rule_facts(rule) | {
        "alert": None,
        "version": measured.version.number if measured else None,
        "value": measured.value if measured else None,
        "window_start": measured.window_start.isoformat() if measured else None,
        "since": None,
        "url": _absolute(reverse("dashboard:endpoint_alerts", args=[rule.endpoint.slug])),
    }
    if not _tell(TEST, rule, None, facts, now=now):
        raise InvalidTransition(NOBODY)


def addresses(rule: AlertRule) -> list[str]:
    """Return the mail addresses of a rule, each once."""
    return list(dict.fromkeys(rule.emails.split()))


def _is_due(alert: Alert, now: datetime) -> bool:
    if alert.told_at is None:
        return True
    cooldown = timedelta(minutes=alert.rule.cooldown_minutes)
    return bool(cooldown) and alert.acknowledged_at is None and alert.told_at + cooldown <= now


def _tell(
    kind: str, rule: AlertRule, alert: Alert | None, facts: dict[str, Any], *, now: datetime
) -> int:
    """Write to all who listen; return how many that are."""
    told = 0
    if rule.to_webhooks:
        told += webhooks.announce_alert(kind, facts, endpoint=rule.endpoint, alert=alert, now=now)
    subject, text = _subject(kind, rule, facts), _text(kind, rule, facts)
    letters = [
        mails.written(to, subject=subject, text=text, now=now, alert=alert)
        for to in addresses(rule)
    ]
    return told + len(EmailDelivery.objects.bulk_create(letters))


def _facts(alert: Alert) -> dict[str, Any]:
    since = alert.fired_at or alert.pending_at
    return _rule_facts(alert.rule) | {
        "alert": alert.pk,
        "version": alert.version.number if alert.version is not None else None,
        "value": alert.value,
        "limit": alert.limit,
        "window_start": alert.window_start.isoformat(),
        "since": since.isoformat(),
        "url": _absolute(reverse("dashboard:alert", args=[alert.pk])),
    }


def _rule_facts(rule: AlertRule) -> dict[str, Any]:
    return {
        "rule": rule.name,
        "metric": rule.metric,
        "feature": rule.feature or None,
        "comparator": rule.comparator,
        "limit": rule.limit,
        "window": rule.window,
        "severity": rule.severity,
        "endpoint": rule.endpoint.slug,
    }


def _subject(kind: str, rule: AlertRule, facts: dict[str, Any]) -> str:
    word = kind.removeprefix("alert.").upper()
    return f"[Raisin] {word} ({rule.severity}): {rule.name}, {rule.endpoint.slug}"


def _text(kind: str, rule: AlertRule, facts: dict[str, Any]) -> str:
    version = "" if facts["version"] is None else f", v{facts['version']}"
    lines = {
        "Rule": rule.name,
        "Endpoint": f"{rule.endpoint.slug}{version}",
        "Metric": f"{kinds.in_words(rule)}, by {rule.get_window_display()}",
        "Value": f"{_amount(facts['value'])}; it alerts at {kinds.SIGNS[rule.comparator]} {facts['limit']:.4g}",
        "Window from": facts["window_start"] or "not known",
        "Firing since": facts["since"] or "not firing",
    }
    if kind == TEST:
        lines = {"Test": "nothing is wrong; somebody tries the rule out."} | lines
    if facts.get("reason"):
        lines["Resolved"] = facts["reason"]
    told = "\n".join(f"{name}: {what}" for name, what in lines.items())
    return f"{told}\n\n{facts['url']}\n"


def _amount(value: float | None) -> str:
    if value is None:
        return "not known"
    return "without bound" if value >= kinds.WITHOUT_BOUND else f"{value:.4g}"


def _absolute(path: str) -> str:
    return f"{settings.RAISIN_URL}{path}"
