"""The overview of one endpoint: what is live, how it does, and how to call it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from dashboard import charts
from dashboard.presenters import attention, history, snippets
from dashboard.views.shell import caller_of, page
from endpoints.errors import NoModel
from endpoints.models import AlgorithmVersion, Endpoint
from endpoints.services import access, lifecycle, overview, serving
from endpoints.services.access import Need
from endpoints.services.overview import PERIODS, Period, Traffic

DEFAULT_PERIOD = "24h"
EVENTS = 10


@page
def endpoint(request: HttpRequest, slug: str) -> HttpResponse:
    caller = caller_of(request)
    found = access.get_endpoint(caller=caller, slug=slug, need=Need.READ)
    period = PERIODS.get(request.GET.get("period", ""), PERIODS[DEFAULT_PERIOD])
    now = timezone.now()
    traffic = overview.traffic(found, period=period, now=now)
    versions = overview.live_versions([found])
    live = next((version for version in versions if version.status == "production"), None)
    context = {
        "endpoint": found,
        "live": live,
        "live_change": live and live.status_changes.filter(to_status="production").first(),
        "waiting": [version for version in versions if version.status == "staging"],
        "rollback": lifecycle.rollback_target(found) if caller.may(Need.ROLL_BACK, found) else None,
        "open_requests": attention.open_requests(versions),
        "period": period,
        "periods": PERIODS.values(),
        "traffic": traffic,
        "sample_size": overview.SAMPLE,
        "chart": requests_chart(found, period, traffic),
        "shares": [(f"v{version.number}", version.share) for version in traffic.versions],
        "events": history.told(found.events.all()[:EVENTS]),
        "threshold": live.threshold if live else None,
        **classes_of(live),
        **example(found, live),
    }
    part = "_traffic" if request.htmx else "overview"
    return render(request, f"dashboard/endpoint/{part}.html", context)


def classes_of(live: AlgorithmVersion | None) -> dict[str, object]:
    """Say what the probabilities are of; a version of three or more classes has no threshold."""
    many = live is not None and live.threshold is None
    title = "Probability of the predicted class" if many else "Predicted probabilities"
    return {"many_classes": many, "probability_title": title}


def requests_chart(endpoint: Endpoint, period: Period, traffic: Traffic) -> charts.LineChart | None:
    if not traffic.requests:
        return None
    promotions = overview.promotions(endpoint, since=traffic.since)
    return charts.line_chart(
        title=f"Requests in the last {period.label}",
        x_label="from",
        x=traffic.starts,
        series={"Requests": traffic.counts},
        y_label="the last point is still filling",
        scale="zero",
    ).marked([(change.at, f"{change.version.label} went live") for change in promotions])


def example(endpoint: Endpoint, live: AlgorithmVersion | None) -> dict[str, Any]:
    """Return snippets for the production model, or the reason why there are none."""
    if live is None:
        return {}
    try:
        classifier = serving.load(live)
    except NoModel as error:
        return {"model_problem": error.message}
    return {"snippets": snippets.for_model(endpoint, classifier), "classifier": classifier}
