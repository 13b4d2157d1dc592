"""Alerts and their rules in words: what is measured, against which limit, and who was told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from dashboard import formats
from endpoints.models import (
    Alert,
    AlertRule,
    EmailDelivery,
    Endpoint,
    Webhook,
    WebhookDelivery,
)
from endpoints.models.alert import AlertMetric
from endpoints.models.monitoring import Window
from endpoints.services.alerts import kinds, measuring, telling
from endpoints.services.alerts.measuring import Live, Measured

MOST_DELIVERIES = 50
WINDOWS = MappingProxyType(
    {
        Window.HOUR.value: "by the hour",
        Window.DAY.value: "by the day",
        Window.WEEK.value: "by the week",
        Window.ROWS.value: "by number of rows",
    }
)
A_MAIL = "a mail address"
NO_WEBHOOK = "no webhook is set up"


@dataclass(frozen=True)
class AlertRow:
    """An alert with its value and limit as its metric reads."""

    alert: Alert
    metric: str
    value: str
    limit: str
    is_muted: bool

    @property
    def sentence(self) -> str:
        """What is wrong, for a list of what needs attention."""
        return f"{self.alert.rule.name}: {self.metric} {self.value}, it alerts at {self.limit}"


@dataclass(frozen=True)
class RuleRow:
    """A rule with what is open of it and its newest window, None where none tells anything."""

    rule: AlertRule
    condition: str
    state: str
    alert: Alert | None
    newest: Measured | None
    value: str
    is_muted: bool
    tells: str


@dataclass(frozen=True)
class Letter:
    """A message about an alert, whichever way it went."""

    to: str
    state: str
    attempts: int
    problem: str
    created_at: datetime


def rows(alerts: Iterable[Alert], *, now: datetime) -> list[AlertRow]:
    return [row(alert, now=now) for alert in alerts]


def row(alert: Alert, *, now: datetime) -> AlertRow:
    rule = alert.rule
    return AlertRow(
        alert=alert,
        metric=metric(rule),
        value=shown(rule.metric, alert.value),
        limit=limit(rule, alert.limit),
        is_muted=telling.is_muted(rule, now),
    )


def rule_rows(
    rules: Sequence[AlertRule], *, endpoint: Endpoint, live: Live | None, now: datetime
) -> list[RuleRow]:
    """Return a row for each of these rules of the endpoint, in their order."""
    found = Alert.objects.open().filter(rule__in=rules).select_related("version")
    alerts = {alert.rule_id: alert for alert in found}
    webhooks = Webhook.objects.told_of(endpoint).count()
    return [_rule_row(rule, alerts.get(rule.pk), live, now, webhooks) for rule in rules]


def metric(rule: AlertRule) -> str:
    """What is measured, without the unit: that stands beside each value."""
    return kinds.in_words(rule).removesuffix(", share").removesuffix(", ms")


def condition(rule: AlertRule) -> str:
    in_a_row = f", {rule.consecutive} windows in a row" if rule.consecutive > 1 else ""
    return f"{metric(rule)} {limit(rule, rule.limit)}, {WINDOWS[rule.window]}{in_a_row}"


def limit(rule: AlertRule, value: float) -> str:
    return f"{kinds.SIGNS[rule.comparator]} {shown(rule.metric, value)}"


def shown(of: str, value: float) -> str:
    """Return a value of a metric as such values are written."""
    if value >= kinds.WITHOUT_BOUND:
        return "without bound"
    if of in kinds.SHARES:
        return formats.percent(value)
    number = formats.brief(value) if abs(value) < 1_000 else formats.fixed(value, 0)
    return f"{number}{formats.NBSP}ms" if of == AlertMetric.LATENCY_P95 else number


def letters(alert: Alert, *, shows_all: bool) -> list[Letter]:
    """Return the newest messages; mail addresses and problems are for who keeps the rules."""
    to_webhooks = alert.webhook_deliveries.select_related("webhook")[:MOST_DELIVERIES]
    by_mail = alert.email_deliveries.all()[:MOST_DELIVERIES]
    found = [_letter(sent, sent.webhook.name, shows_all) for sent in to_webhooks]
    found += [_letter(sent, sent.to if shows_all else A_MAIL, shows_all) for sent in by_mail]
    return sorted(found, key=lambda letter: letter.created_at, reverse=True)[:MOST_DELIVERIES]


def _letter(sent: WebhookDelivery | EmailDelivery, to: str, shows_all: bool) -> Letter:
    problem = sent.problem if shows_all else ""
    return Letter(to, sent.state, sent.attempts, problem, sent.created_at)


def _rule_row(
    rule: AlertRule, alert: Alert | None, live: Live | None, now: datetime, webhooks: int
) -> RuleRow:
    measured = measuring.measure(rule, live=live, now=now)
    newest = measured[-1] if measured else None
    return RuleRow(
        rule=rule,
        condition=condition(rule),
        state=_state(rule, alert, newest),
        alert=alert,
        newest=newest,
        value=shown(rule.metric, newest.value) if newest else "",
        is_muted=telling.is_muted(rule, now),
        tells=_tells(rule, webhooks),
    )


def _state(rule: AlertRule, alert: Alert | None, newest: Measured | None) -> str:
    if not rule.enabled:
        return "disabled"
    if alert is not None:
        return alert.state
    return "no_data" if newest is None else "ok"


def _tells(rule: AlertRule, webhooks: int) -> str:
    """Say who hears of the rule, of so many webhooks that hear of its endpoint."""
    mails = len(telling.addresses(rule))
    ways = ["webhooks"] if rule.to_webhooks and webhooks else []
    ways += [f"{mails} mail address{'es' if mails > 1 else ''}"] if mails else []
    told = " and ".join(ways) or "nobody"
    return f"{told}; {NO_WEBHOOK}" if rule.to_webhooks and not webhooks else told
