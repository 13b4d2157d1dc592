"""Rules, and windows as monitoring and counting leave them, for tests of alerts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from endpoints.models import (
    Alert,
    AlertRule,
    AlgorithmVersion,
    DriftReport,
    Endpoint,
    FeatureDrift,
    LabelCount,
    RollUp,
    StreamChange,
    Webhook,
)
from endpoints.models.roll_up import Span
from endpoints.services import webhooks
from endpoints.services.access import Caller
from endpoints.services.alerts import evaluating, rules

ALEX = Caller(system="alex")
# A Thursday; the cast promotes v1 ten days before.
NOON = datetime(2026, 11, 12, 12, 0, tzinfo=UTC)
LENGTHS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}


def days_ago(days: int) -> datetime:
    """The midnight at which the day began that many days before today."""
    return NOON.replace(hour=0) - timedelta(days=days)


def a_rule(endpoint: Endpoint, **facts: Any) -> AlertRule:
    defaults = {
        "name": "Too much drift",
        "metric": "features_drifted",
        "comparator": "at_least",
        "limit": 1.0,
        "window": "day",
        "severity": "critical",
    }
    return rules.create(AlertRule(endpoint=endpoint, **defaults | facts), actor=ALEX, now=NOON)


def a_report(version: AlgorithmVersion, start: datetime, **facts: Any) -> DriftReport:
    window = facts.get("window", "day")
    end = facts.pop("end", None) or start + LENGTHS[window]
    defaults = {
        "window": window,
        "end": end,
        "is_open": end > NOON,
        "n_rows": 500,
        "verdict": "drift" if facts.get("drifted") else "no_drift",
        "features": 7,
        "drifted": 0,
        "possible": 0,
        "computed_at": NOON,
    }
    return DriftReport.objects.create(version=version, start=start, **defaults | facts)


def a_column(report: DriftReport, name: str, **facts: Any) -> FeatureDrift:
    defaults: dict[str, Any] = {"kind": "number", "verdict": "no_drift", "results": [], "bins": {}}
    place = report.columns.count()
    return FeatureDrift.objects.create(report=report, position=place, name=name, **defaults | facts)


def an_hour(version: AlgorithmVersion, start: datetime, **facts: Any) -> RollUp:
    defaults: dict[str, Any] = {
        "seconds": Span.HOUR,
        "writer": uuid4().hex[:16],
        "requests": 100,
        "rows": 100,
        "two_class_rows": 100,
        "positives": 50,
        "latencies": {},
        "scores": {},
        "refusals": {},
    }
    place = {"endpoint": version.endpoint, "number": version.number, "start": start}
    return RollUp.objects.create(**place | defaults | facts)


def labels(version: AlgorithmVersion, start: datetime, *, right: int, wrong: int) -> None:
    place = {"endpoint": version.endpoint, "number": version.number, "seconds": Span.HOUR}
    for label, rows in (("Besni", right), ("Kecimen", wrong)):
        LabelCount.objects.create(**place, start=start, predicted="Besni", label=label, rows=rows)


def a_change(version: AlgorithmVersion, found_at: datetime) -> StreamChange:
    return StreamChange.objects.create(
        version=version,
        detector="adwin",
        found_at=found_at,
        request_id=uuid4(),
        predicted_at=found_at,
        labels=900,
    )


def a_webhook(url: str = "https://hooks.example.org/x", **facts: Any) -> Webhook:
    webhook = Webhook(**{"name": "chat", "url": url} | facts)
    webhooks.create(webhook, actor=ALEX, now=NOON)
    return webhook


def at(moment: datetime) -> Callable[[], datetime]:
    return lambda: moment


def look(endpoint: Endpoint, now: datetime = NOON) -> str:
    """Bring the alerts up to date; return the state of the newest one, "" if there is none."""
    evaluating.evaluate(endpoint, at(now))
    newest = Alert.objects.order_by("-id").first()
    return newest.state if newest is not None else ""
