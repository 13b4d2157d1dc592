"""Moves alerts between their states: pending, firing, resolved; each step is an event, and told where it is due.

It may run anywhere and any number of times at once: a rule's row is locked while its alert moves. It reads
windows through `measuring` and writes messages through `telling`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from endpoints.models import Alert, AlertRule, Endpoint
from endpoints.services import audit
from endpoints.services.access import Caller
from endpoints.services.alerts import kinds, measuring, telling
from endpoints.services.alerts.measuring import Live, Measured

logger = logging.getLogger(__name__)
WATCH = Caller(system="monitoring")
GOOD_AGAIN = "The newest whole window is good again."
DISABLED = "The rule is disabled."
NO_VERSION = "Nothing is in production."
CHANGED = "The rule now measures something else."

_State = Alert.State
_MOVES = ("state", "value", "limit", "window_start", "fired_at")


def evaluate(endpoint: Endpoint, clock: Callable[[], datetime]) -> None:
    """Bring the alerts of an endpoint up to date with its newest windows.

    A rule that cannot be looked at goes to the log and does not keep the others from it.
    """
    rules = AlertRule.objects.filter(endpoint=endpoint).order_by("pk")
    live = measuring.in_production(endpoint)
    open_alerts = Alert.objects.open().filter(rule__endpoint=endpoint).values("rule")
    for rule in rules.filter(Q(enabled=True) | Q(pk__in=open_alerts)):
        rule.endpoint = endpoint
        try:
            _evaluate(rule, live, clock())
        except Exception:
            logger.exception("alert rule %s of %s could not be looked at", rule.pk, endpoint.slug)


def _evaluate(rule: AlertRule, live: Live | None, now: datetime) -> None:
    """Look without a lock first: where all is well there is nothing to write."""
    measured = measuring.measure(rule, live=live, now=now)
    if not _breaking(rule, measured) and not rule.alerts.open().exists():
        return
    with transaction.atomic():
        locked = AlertRule.objects.select_for_update().filter(pk=rule.pk).first()
        if locked is not None:
            locked.endpoint = rule.endpoint
            _step(locked, now)


def close(rule: AlertRule, *, reason: str, now: datetime) -> None:
    """Resolve what is open of a rule; called within the transaction that changes the rule."""
    alert = _open_alert(rule)
    if alert is not None:
        _resolve(alert, reason=reason, now=now)


def _step(rule: AlertRule, now: datetime) -> None:
    """An open window may break a limit, but only a whole one is good: few rows prove little."""
    live = measuring.in_production(rule.endpoint)
    measured = measuring.measure(rule, live=live, now=now, before=1) if rule.enabled else []
    alert = _open_alert(rule)
    if alert is not None and (reason := _end(alert, live)):
        _resolve(alert, reason=reason, now=now)
        alert = None
    if not measured:
        return
    in_a_row = _breaking(rule, measured)
    if in_a_row:
        _advance(rule, alert, measured[-1], in_a_row, now)
    elif alert is not None and (good := _good_again(alert, measured)):
        alert.value = good.value
        _resolve(alert, reason=GOOD_AGAIN, now=now)


def _good_again(alert: Alert, measured: Sequence[Measured]) -> Measured | None:
    """Return the newest whole window, unless it is from before the alert or breaks the limit itself."""
    whole = next((window for window in reversed(measured) if not window.is_open), None)
    if whole is None or whole.window_start < alert.window_start:
        return None
    return None if kinds.breaks(alert.rule, whole.value) else whole


def _end(alert: Alert, live: Live | None) -> str:
    """Say why an alert ends whatever the windows say, "" if it goes on."""
    if not alert.rule.enabled:
        return DISABLED
    if live is None:
        return NO_VERSION
    if alert.version_id != live.version.pk:
        return f"{live.version.label} is in production now."
    return ""


def _advance(
    rule: AlertRule, alert: Alert | None, newest: Measured, in_a_row: int, now: datetime
) -> None:
    """A firing alert goes on firing until a window is good, also if its rule asks for more by now."""
    fires = in_a_row >= rule.consecutive
    was = alert.state if alert is not None else ""
    if alert is None:
        alert = Alert(rule=rule, version=newest.version, state=_State.PENDING, pending_at=now)
    alert.value, alert.limit = newest.value, rule.limit
    alert.window_start = newest.window_start
    if fires and was != _State.FIRING:
        alert.state, alert.fired_at = _State.FIRING, now
    # Somebody may acknowledge it at this moment, without the lock.
    alert.save(update_fields=_MOVES if was else None)
    if alert.state != was:
        _record(alert, now=now)
    if alert.state == _State.FIRING:
        telling.tell_firing(alert, now=now)


def _resolve(alert: Alert, *, reason: str, now: datetime) -> None:
    was_firing = alert.state == _State.FIRING
    alert.state, alert.resolved_at = _State.RESOLVED, now
    alert.save(update_fields=["state", "resolved_at", "value"])
    _record(alert, now=now, reason=reason)
    if was_firing:
        telling.tell_resolved(alert, reason=reason, now=now)


def _record(alert: Alert, *, now: datetime, reason: str = "") -> None:
    rule = alert.rule
    number = alert.version.number if alert.version is not None else None
    audit.record(
        f"alert_{alert.state}",
        actor=WATCH,
        endpoint=rule.endpoint,
        subject=f"alert “{rule.name}”",
        now=now,
        after={
            "alert": alert.pk,
            "metric": rule.metric,
            "value": alert.value,
            "limit": alert.limit,
            "window_start": alert.window_start.isoformat(),
            "version": number,
        },
        reason=reason,
    )


def _open_alert(rule: AlertRule) -> Alert | None:
    alert = rule.alerts.open().select_related("version").first()
    if alert is not None:
        alert.rule = rule
    return alert


def _breaking(rule: AlertRule, measured: Sequence[Measured]) -> int:
    """Count the newest windows in a row that are beyond the limit."""
    in_a_row = 0
    for window in reversed(measured):
        if not kinds.breaks(rule, window.value):
            break
        in_a_row += 1
    return in_a_row
