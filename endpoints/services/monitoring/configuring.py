"""How an endpoint is watched: its settings, and changing them on the record; it knows no HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from endpoints.errors import InvalidRequest, NoModel
from endpoints.models import DriftReport, Endpoint, Monitor
from endpoints.services import access, audit, snapshots
from endpoints.services.access import Caller, Need
from endpoints.services.monitoring import judging
from endpoints.services.monitoring.judging import Judged
from endpoints.services.monitoring.watching import Grown
from mlcore.errors import DataError
from mlcore.window import Window as Summary

SETTINGS = ("window_rows", "min_rows", "alpha", "effect")


def monitor_of(endpoint: Endpoint) -> Monitor:
    """Return how an endpoint is watched; the defaults, not stored, where nobody has looked yet."""
    return Monitor.objects.filter(endpoint=endpoint).first() or Monitor(endpoint=endpoint)


def configure(
    *, endpoint: Endpoint, settings: Mapping[str, Any], actor: Caller, now: datetime
) -> Monitor:
    """Watch the endpoint so from now on. Open windows are judged anew, closed ones keep their verdict.

    Raises NotAllowed without Need.MONITOR, InvalidRequest for a setting out of bounds.
    """
    access.require(actor, Need.MONITOR, endpoint)
    with transaction.atomic():
        Monitor.objects.get_or_create(endpoint=endpoint)
        monitor = Monitor.objects.select_for_update().get(endpoint=endpoint)
        before = {name: getattr(monitor, name) for name in SETTINGS}
        changed = [name for name in SETTINGS if settings.get(name, before[name]) != before[name]]
        if not changed:
            return monitor
        for name in changed:
            setattr(monitor, name, settings[name])
        _refuse_unusable(monitor)
        monitor.save(update_fields=changed)
        audit.record(
            "change",
            actor=actor,
            endpoint=endpoint,
            subject=f"monitoring of {endpoint.slug}",
            now=now,
            before={name: before[name] for name in changed},
            after={name: settings[name] for name in changed},
        )
        # Whoever stores a look at the log waits for the monitor's row, and stores more rows than these.
        judging.store(list(_judged_anew(monitor, now)))
    return monitor


def _judged_anew(monitor: Monitor, now: datetime) -> Iterator[Judged]:
    """Yield the open windows that can still be read."""
    reports = DriftReport.objects.filter(version__endpoint=monitor.endpoint_id, is_open=True)
    for report in reports.filter(summary__isnull=False).select_related("version__endpoint"):
        with suppress(NoModel, DataError):
            classifier = snapshots.load(report.version)
            summary = Summary.from_bytes(bytes(report.summary or b""), classifier.profile)
            window = Grown(report.window, report.start, report.end, summary, report.is_open)
            yield judging.judge(report.version, classifier, window, monitor, now)


def _refuse_unusable(monitor: Monitor) -> None:
    others = {field.name for field in Monitor._meta.fields} - set(SETTINGS)
    try:
        monitor.clean_fields(exclude=others)
    except ValidationError as error:
        raise InvalidRequest(" ".join(error.messages)) from error
