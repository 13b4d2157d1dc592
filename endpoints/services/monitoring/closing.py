"""Ends windows whose time is over, or that nothing comes to any more, and puts away what is long past.

It reads no log. What it judged counts only where nobody has looked at the log meanwhile.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Q, QuerySet

from endpoints.models import DriftReport, FeatureDrift, Monitor
from endpoints.models.monitoring import Window
from endpoints.services.monitoring import judging
from endpoints.services.monitoring.configuring import LIVE, unchanged
from endpoints.services.monitoring.windows import (
    NEWEST_BY_COUNT,
    REPORTS_BY_COUNT,
    SUMMARIES_ARE_KEPT,
    WINDOWS_AT_ONCE,
)

STEP = 500
"""Reports put away in one transaction."""


def close(monitor: Monitor, settled: datetime, now: datetime) -> bool:
    """End the windows whose time is over at the moment `settled`, then put away what is long past.

    The monitor is as read before the log was found to hold nothing new up to then. Returns False, and
    leaves the rest for the next time, if it has changed since.
    """
    return _end(monitor, settled, now) and _put_away(monitor, settled, now)


def _hold(monitor: Monitor, now: datetime) -> bool:
    """Keep others from storing until the end of the transaction; False where somebody has."""
    return bool(unchanged(monitor).update(looked_at=now))


def _end(monitor: Monitor, settled: datetime, now: datetime) -> bool:
    """Give them a last verdict. A window without summary or artefact keeps the one that it had."""
    past = ~Q(window=Window.ROWS) & Q(end__lte=settled)
    idle = Q(window=Window.ROWS, end__lte=settled - LIVE)
    over = _reports(monitor).filter(past | idle, is_open=True).select_related("version__endpoint")
    while ended := list(over.order_by("start", "pk")[:WINDOWS_AT_ONCE]):
        again = (judging.judge_again(report, monitor, now, is_open=False) for report in ended)
        judged = [found for found in again if found is not None]
        with transaction.atomic():
            if not _hold(monitor, now):
                return False
            judging.store(judged)
            DriftReport.objects.filter(pk__in=[report.pk for report in ended]).update(is_open=False)
    return True


def _put_away(monitor: Monitor, settled: datetime, now: datetime) -> bool:
    old, versions = _old_by_count(monitor)
    long_past = Q()
    for window, kept in SUMMARIES_ARE_KEPT.items():
        long_past |= Q(window=window, start__lt=settled - kept)
    reports = _reports(monitor).filter(long_past, summary__isnull=False)
    old += reports.values_list("pk", flat=True)
    superfluous = [key for version in versions for key in _superfluous(version)]
    return _in_steps(monitor, now, old, _drop_detail) and _in_steps(
        monitor, now, superfluous, _delete
    )


def _reports(monitor: Monitor) -> QuerySet[DriftReport]:
    return DriftReport.objects.filter(version__endpoint=monitor.endpoint_id)


def _old_by_count(monitor: Monitor) -> tuple[list[int], set[int]]:
    """Return the windows by count that have enough newer ones of the same version, and their versions."""
    seen: Counter[int] = Counter()
    old: list[int] = []
    kept = _reports(monitor).filter(window=Window.ROWS, summary__isnull=False).order_by("-start")
    for key, version in kept.values_list("pk", "version_id"):
        seen[version] += 1
        if seen[version] > NEWEST_BY_COUNT:
            old.append(key)
    return old, {version for version, count in seen.items() if count > NEWEST_BY_COUNT}


def _superfluous(version: int) -> list[int]:
    newest_first = DriftReport.objects.filter(version=version, window=Window.ROWS).order_by(
        "-start"
    )
    return list(newest_first.values_list("pk", flat=True)[REPORTS_BY_COUNT:])


def _in_steps(
    monitor: Monitor, now: datetime, keys: Sequence[int], act: Callable[[Sequence[int]], None]
) -> bool:
    for begin in range(0, len(keys), STEP):
        with transaction.atomic():
            if not _hold(monitor, now):
                return False
            act(keys[begin : begin + STEP])
    return True


def _drop_detail(keys: Sequence[int]) -> None:
    """Verdicts and numbers stay."""
    DriftReport.objects.filter(pk__in=keys).update(summary=None)
    FeatureDrift.objects.filter(report__in=keys).update(results=[], bins={})


def _delete(keys: Sequence[int]) -> None:
    DriftReport.objects.filter(pk__in=keys).delete()
