"""Alerts: all that the reader may see, one with its messages, and the rules of an endpoint."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from dashboard.alert_forms import HOURS, AcknowledgeForm, MuteForm
from dashboard.presenters import alerts as presenter
from dashboard.views.shell import caller_of, page
from endpoints.errors import InvalidRequest
from endpoints.models import Alert
from endpoints.services import access
from endpoints.services.access import Caller, Need
from endpoints.services.alerts import handling, kinds, measuring, rules

MOST_OPEN, MOST_RESOLVED, RULES_A_PAGE = 100, 50, 20
RECENT = timedelta(days=14)


@page
def alerts(request: HttpRequest) -> HttpResponse:
    caller, now = caller_of(request), timezone.now()
    if not caller.may(Need.READ):
        return render(request, "dashboard/no_role.html")
    visible = handling.visible(caller)
    fired = visible.filter(state=Alert.State.RESOLVED, fired_at__isnull=False)
    recent = fired.filter(resolved_at__gte=now - RECENT).order_by("-resolved_at", "-id")
    pending = visible.filter(state=Alert.State.PENDING)
    context = {
        "firing": presenter.rows(handling.needing_attention(caller)[:MOST_OPEN], now=now),
        "pending": presenter.rows(pending[:MOST_OPEN], now=now),
        "resolved": presenter.rows(recent[:MOST_RESOLVED], now=now),
        "most_open": MOST_OPEN,
        "most_resolved": MOST_RESOLVED,
    }
    return render(request, "dashboard/alerts.html", context)


@page
def alert(request: HttpRequest, alert_id: int) -> HttpResponse:
    caller, now = caller_of(request), timezone.now()
    if request.method == "POST":
        found = handling.find_alert(alert_id, caller=caller, need=Need.ALERTS)
        _carry_out(request, found, caller)
        return redirect("dashboard:alert", alert_id)
    found = handling.find_alert(alert_id, caller=caller, need=Need.READ)
    endpoint = found.rule.endpoint
    context = {
        "row": presenter.row(found, now=now),
        "alert": found,
        "rule": found.rule,
        "resolved_reason": handling.why_resolved([found]).get(found.pk, ""),
        "condition": presenter.condition(found.rule),
        "is_of_drift": found.rule.metric in kinds.FROM_REPORTS,
        "endpoint": endpoint,
        "letters": presenter.letters(found, shows_all=caller.may(Need.ALERT_RULES, endpoint)),
        "acknowledge_form": AcknowledgeForm(),
        "mute_form": MuteForm(),
    }
    return render(request, "dashboard/alert.html", context)


@page
def endpoint_alerts(request: HttpRequest, slug: str) -> HttpResponse:
    caller, now = caller_of(request), timezone.now()
    if request.method == "POST":
        endpoint = access.get_endpoint(caller=caller, slug=slug, need=Need.ALERT_RULES)
        rules.add_default(endpoint, actor=caller, now=now)
        messages.success(request, f"The rule “{rules.DEFAULT_NAME}” is kept.")
        return redirect("dashboard:endpoint_alerts", slug)
    endpoint = access.get_endpoint(caller=caller, slug=slug, need=Need.READ)
    page_asked = request.GET.get("page")
    listing: Any = Paginator(handling.rules_of(endpoint), RULES_A_PAGE).get_page(page_asked)
    past = handling.visible(caller).filter(
        rule__endpoint=endpoint, state=Alert.State.RESOLVED, fired_at__isnull=False
    )
    live = measuring.in_production(endpoint)
    context = {
        "endpoint": endpoint,
        "page": listing,
        "rows": presenter.rule_rows(list(listing), endpoint=endpoint, live=live, now=now),
        "resolved": presenter.rows(past.order_by("-resolved_at", "-id")[:MOST_RESOLVED], now=now),
        "most_resolved": MOST_RESOLVED,
    }
    return render(request, "dashboard/endpoint/alerts.html", context)


def _carry_out(request: HttpRequest, found: Alert, caller: Caller) -> None:
    """Do what the pressed button says, and say so."""
    now = timezone.now()
    if "unmute" in request.POST:
        if rules.mute(found.rule, until=None, actor=caller, now=now):
            messages.success(request, "The rule is no longer muted: it tells again.")
        else:
            messages.info(request, "The rule is not muted.")
        return
    if "hours" in request.POST:
        form = MuteForm(request.POST)
        if not form.is_valid():
            raise InvalidRequest("Choose for how long.")
        rules.mute(found.rule, until=form.until(now), actor=caller, now=now)
        how_long = HOURS[form.cleaned_data["hours"]]
        messages.success(request, f"The rule is muted {how_long}: nobody is told of it.")
        return
    note = AcknowledgeForm(request.POST)
    if not note.is_valid():
        raise InvalidRequest(" ".join(map(str, note.errors["note"])))
    if handling.acknowledge(found, note=note.cleaned_data["note"], actor=caller, now=now):
        messages.success(request, "It is noted that you see to it.")
    else:
        messages.info(request, f"{found.acknowledged_by} sees to it already.")
