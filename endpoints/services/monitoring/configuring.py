"""How an endpoint is watched: its settings, and changing them on the record; it knows no HTTP."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, NoReturn

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet

from endpoints.errors import InvalidRequest
from endpoints.models import DriftReport, Endpoint, Monitor
from endpoints.services import access, audit
from endpoints.services.access import Caller, Need
from endpoints.services.monitoring import judging
from endpoints.services.monitoring.judging import Judged
from mlcore.errors import CellError

SETTINGS = ("window_rows", "min_rows", "alpha", "effect")
LIVE = timedelta(days=7)
"""A version that has been quiet for so long is no longer live: its open windows are left as they are, and
one by count, which nothing may ever fill, is closed with the rows that it has."""


def monitor_of(endpoint: Endpoint) -> Monitor:
    """Return how an endpoint is watched; the defaults, not stored, where nobody has looked yet."""
    return Monitor.objects.filter(endpoint=endpoint).first() or Monitor(endpoint=endpoint)


def unchanged(monitor: Monitor) -> QuerySet[Monitor]:
    """Find the monitor if nobody has moved its cursor or changed a setting since it was read.

    Whoever stores what it judged by the monitor updates this first, and where nothing is found throws
    the work away. The update holds the row until the end of the transaction.
    """
    read = {name: getattr(monitor, name) for name in (*SETTINGS, "log_cursor")}
    return Monitor.objects.filter(pk=monitor.pk, **read)


def configure(
    *, endpoint: Endpoint, settings: Mapping[str, Any], actor: Caller, now: datetime
) -> Monitor:
    """Watch the endpoint so from now on. Open windows of versions that answered in the last week are judged
    anew, closed ones keep their verdict.

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
    """Yield the open windows of live versions that can still be read."""
    reports = DriftReport.objects.filter(version__endpoint=monitor.endpoint_id)
    live = reports.filter(end__gt=now - LIVE).values("version")
    opened = reports.filter(is_open=True, summary__isnull=False, version__in=live)
    for report in opened.select_related("version__endpoint"):
        if judged := judging.judge_again(report, monitor, now, is_open=True):
            yield judged


def _refuse_unusable(monitor: Monitor) -> None:
    others = {field.name for field in Monitor._meta.fields} - set(SETTINGS)
    # Nothing is less or more than NaN, so that bounds let it pass.
    endless = [name for name in SETTINGS if not math.isfinite(getattr(monitor, name))]
    if endless:
        _refuse(dict.fromkeys(endless, "Give a finite number."))
    try:
        monitor.clean_fields(exclude=others)
    except ValidationError as error:
        _refuse({name: " ".join(said) for name, said in error.message_dict.items()})
    if monitor.min_rows > monitor.window_rows:
        raise InvalidRequest(
            f"A verdict would need {monitor.min_rows:,} rows, and a window by count has "
            f"{monitor.window_rows:,}: it would never come."
        )


def _refuse(problems: Mapping[str, str]) -> NoReturn:
    cells = [
        CellError(code="bad_setting", message=f"{name}: {said}", column=name)
        for name, said in problems.items()
    ]
    raise InvalidRequest(" ".join(cell.message for cell in cells), cells=cells)
