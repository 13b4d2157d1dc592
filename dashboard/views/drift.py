"""How far the live rows of a version are from its training, and what that does to its answers."""

from __future__ import annotations

import re
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from dashboard.file_forms import CheckForm
from dashboard.presenters import drift as words
from dashboard.presenters import performance as figures
from dashboard.presenters.behind import Behind
from dashboard.views.shell import caller_of, page
from endpoints.errors import NotFound
from endpoints.models import AlgorithmVersion, DriftReport, Endpoint, Monitor
from endpoints.models.monitoring import Verdict, Window
from endpoints.services import access, overview
from endpoints.services.abtests import hiding
from endpoints.services.access import Need
from endpoints.services.monitoring import performance, reports, trends
from endpoints.services.monitoring.configuring import monitor_of
from endpoints.services.monitoring.tick import BLOCKS_A_REQUEST, tick
from mlcore.estimate import ASSUMPTIONS

DEFAULT_WINDOW = Window.ROWS.value
NUMBER = re.compile("[0-9]{1,9}")
WINDOWS, SPARK = 60, 30
MOST_VERSIONS = 6
CHANGES = 10
# Labels are counted by the hour, so they tell nothing of a window by count.
WINDOW_OF_LABELS = {Window.ROWS.value: Window.DAY.value}


@page
@require_http_methods(["GET", "HEAD", "POST"])
def drift(request: HttpRequest, slug: str) -> HttpResponse:
    caller = caller_of(request)
    endpoint = access.get_endpoint(caller=caller, slug=slug, need=Need.READ)
    if request.method == "POST":
        return _look_now(request, endpoint)
    monitor = monitor_of(endpoint)
    offered = words.choices(monitor.window_rows)
    window = request.GET.get("window", DEFAULT_WINDOW)
    if window not in [choice.code for choice in offered]:
        window = DEFAULT_WINDOW
    version = _version(endpoint, request.GET.get("version", ""))
    context = {
        "endpoint": endpoint,
        "monitor": monitor,
        "windows": offered,
        "window": window,
        "version": version,
        "versions": list(_watched(endpoint)[:MOST_VERSIONS]),
        "may_look": caller.may(Need.MONITOR, endpoint),
        "may_add_rules": caller.may(Need.ALERT_RULES, endpoint),
        "assumptions": ASSUMPTIONS,
        **_check_form(request, version),
    }
    if version is not None:
        context |= _drift(request, version, window, monitor)
        context |= _performance(request, version, window)
    return render(request, "dashboard/endpoint/drift.html", context)


def _check_form(request: HttpRequest, version: AlgorithmVersion | None) -> dict[str, Any]:
    """Return the form to check a file with, for whom the REST route would answer too."""
    if version is None:
        return {}
    endpoint = version.endpoint
    if not (endpoint.public_predictions or caller_of(request).may(Need.PREDICT, endpoint)):
        return {}
    return {
        "check_form": CheckForm(initial={"version": version.number}),
        "most": settings.RAISIN_MAX_BODY_BYTES,
        "most_rows": settings.RAISIN_MAX_ROWS,
    }


def _look_now(request: HttpRequest, endpoint: Endpoint) -> HttpResponse:
    access.require(caller_of(request), Need.MONITOR, endpoint)
    found = tick(endpoint, timezone.now, most_blocks=BLOCKS_A_REQUEST)
    said = f"Looked at {found.rows:,} new rows." if found.rows else "Nothing is new."
    more = " There are more: look again." if found.has_more else ""
    messages.success(request, said + more)
    return redirect(request.get_full_path())


def _version(endpoint: Endpoint, number: str) -> AlgorithmVersion | None:
    """Return the version asked for, else the one in production, else the newest that was watched."""
    if number:
        found = (
            endpoint.versions.filter(number=number).first() if NUMBER.fullmatch(number) else None
        )
        if found is None:
            raise NotFound(f"“{endpoint.slug}” has no version {number[:20]}.")
        return found
    return endpoint.versions.in_production().first() or _watched(endpoint).first()


def _watched(endpoint: Endpoint) -> Any:
    seen = DriftReport.objects.filter(version__endpoint=endpoint).values("version")
    return endpoint.versions.filter(pk__in=seen).order_by("-number")


def _drift(
    request: HttpRequest, version: AlgorithmVersion, window: str, monitor: Monitor
) -> dict[str, Any]:
    report = _report(request, version, window)
    if report is None:
        return {"drift": None}
    points = trends.trend(version, window, limit=WINDOWS)
    promotions = overview.promotions(version.endpoint, since=points[0].start) if points else []
    return {
        "drift": words.told(
            report,
            report.columns.all(),
            trends=trends.effects(version, window, limit=SPARK),
            behind=_behind(request, report, monitor),
        ),
        "trend": words.trend_chart(points, effect=monitor.effect, promotions=promotions),
        "points": points[::-1],
        "judged_by": reports.limits_of(report),
    }


def _behind(request: HttpRequest, report: DriftReport, monitor: Monitor) -> Behind:
    rows = reports.rows_behind(report).seen(monitor.log_cursor)
    sees_inputs = caller_of(request).may(Need.VIEW_INPUTS, report.version.endpoint)
    return Behind(rows, sees_inputs)


def _report(request: HttpRequest, version: AlgorithmVersion, window: str) -> DriftReport | None:
    """Return the window that begins when asked, else the newest that has a verdict, else the newest."""
    found = reports.series(version.endpoint, window=window, version=version.number)
    start = words.moment(request.GET.get("start", ""))
    if start is not None:
        found = found.filter(start=start)
    elif (sure := found.exclude(verdict=Verdict.INSUFFICIENT)).exists():
        found = sure
    key = found.values_list("pk", flat=True).first()
    return None if key is None else reports.find(version.endpoint, key)


def _performance(request: HttpRequest, version: AlgorithmVersion, window: str) -> dict[str, Any]:
    by = WINDOW_OF_LABELS.get(window, window)
    now = timezone.now()
    unseen = hiding.hidden(version, now)
    windows = performance.newest(version, by, WINDOWS, now, unseen)
    told = figures.told(
        windows,
        metric=request.GET.get("metric", ""),
        delay=performance.delay(version),
        reference=performance.reference(version),
        changes=performance.changes(version, CHANGES, unseen),
        version=version.number,
    )
    return {"performance": told, "unseen": unseen}
