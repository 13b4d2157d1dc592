"""The overview of one endpoint: what is live, how it does, and how to call it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from dashboard import charts
from dashboard.presenters import abtest_words, attention, history, refusals, snippets
from dashboard.views.shell import caller_of, page
from endpoints.models import AlgorithmVersion, Endpoint
from endpoints.services import access, lifecycle, overview, traffic
from endpoints.services.abtests import hiding
from endpoints.services.access import Need
from endpoints.services.periods import PERIODS, Period
from endpoints.services.snapshots import Served, snapshots
from endpoints.services.traffic import Traffic

DEFAULT_PERIOD = "24h"
EVENTS = 10


@page
def endpoint(request: HttpRequest, slug: str) -> HttpResponse:
    caller = caller_of(request)
    found = access.get_endpoint(caller=caller, slug=slug, need=Need.READ)
    period = PERIODS.get(request.GET.get("period", ""), PERIODS[DEFAULT_PERIOD])
    served = snapshots.get(slug)
    test = found.abtests.running().select_related("control", "challenger").first()
    context = {
        "endpoint": found,
        "rollback": lifecycle.rollback_target(found) if caller.may(Need.ROLL_BACK, found) else None,
        "paused": attention.PAUSED,
        "test": test,
        "hidden": hiding.hidden(test.challenger, timezone.now()) if test is not None else None,
        "left_out": abtest_words.left_out(served),
        "periods": PERIODS.values(),
        "events": history.told(found.events.all()[:EVENTS]),
        **versions_of(found),
        **traffic_of(found, period),
        **example(served),
    }
    part = "_traffic" if request.htmx else "overview"
    return render(request, f"dashboard/endpoint/{part}.html", context)


def versions_of(endpoint: Endpoint) -> dict[str, Any]:
    """Return what is in production, how it came there, and what waits."""
    versions = overview.live_versions([endpoint])
    live = next((version for version in versions if version.status == "production"), None)
    return {
        "live": live,
        "live_change": live and live.status_changes.filter(to_status="production").first(),
        "threshold": live.threshold if live else None,
        "waiting": [version for version in versions if version.status == "staging"],
        "open_requests": attention.open_requests(versions),
        **classes_of(live),
    }


def traffic_of(endpoint: Endpoint, period: Period) -> dict[str, Any]:
    counted = traffic.traffic(endpoint, period=period, now=timezone.now())
    return {
        "period": period,
        "traffic": counted,
        "totals": counted.totals,
        "refusals": refusals.told(counted.totals.refusals),
        "charts": charts_of(endpoint, period, counted),
        "shares": [(f"v{version.number}", version.share) for version in counted.versions],
    }


def classes_of(live: AlgorithmVersion | None) -> dict[str, object]:
    """Say what the probabilities are of; a version of three or more classes has no threshold."""
    many = live is not None and live.threshold is None
    title = "Probability of the predicted class" if many else "Predicted probabilities"
    return {"many_classes": many, "probability_title": title}


def charts_of(endpoint: Endpoint, period: Period, counted: Traffic) -> list[charts.LineChart]:
    """Return what was asked beside how long the answers took; nothing where nothing was asked."""
    totals = counted.totals
    if not totals.requests and not totals.refused:
        return []
    promotions = overview.promotions(endpoint, since=counted.starts[0])
    marks = [(change.at, f"{change.version.label} went live") for change in promotions]
    drawn = [requests_chart(period, counted)]
    if totals.latencies:
        drawn.append(latency_chart(period, counted))
    return [chart.marked(marks) for chart in drawn]


def requests_chart(period: Period, counted: Traffic) -> charts.LineChart:
    series = {"Answered": [bar.requests for bar in counted.bars]}
    if counted.totals.refused:
        series["Refused"] = [bar.refused for bar in counted.bars]
    return charts.line_chart(
        title=f"Requests in the last {period.label}",
        x_label="from",
        x=counted.starts,
        series=series,
        y_label="the last point is still filling",
        scale="zero",
    )


def latency_chart(period: Period, counted: Traffic) -> charts.LineChart:
    return charts.line_chart(
        title=f"Latency in the last {period.label}",
        x_label="from",
        x=counted.starts,
        series={
            "Median": [bar.p50_ms for bar in counted.bars],
            "p95": [bar.p95_ms for bar in counted.bars],
        },
        y_label="milliseconds, inside the server",
        scale="zero",
    )


def example(served: Served | None) -> dict[str, Any]:
    """Return snippets for what answers, and what is wrong with that."""
    if served is None:
        return {}
    problem = attention.model_problem(served)
    if served.classifier is None:
        return {"model_problem": problem}
    return {
        "model_problem": problem,
        "classifier": served.classifier,
        "snippets": snippets.for_model(served.endpoint, served.classifier),
    }
