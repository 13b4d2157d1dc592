"""Review a change: the only page from which serving is changed. GET shows, POST decides once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from dashboard import forms
from dashboard.presenters import comparison, review
from dashboard.presenters.review import Move
from dashboard.views.shell import caller_of, page
from dashboard.views.versions import find_version
from endpoints.errors import Conflict, InvalidTransition
from endpoints.models import AlgorithmVersion, Endpoint, Status
from endpoints.models.endpoint import GatePolicy
from endpoints.services import access, lifecycle, overview
from endpoints.services.access import Caller, Need
from endpoints.services.gates import Gate
from endpoints.services.lifecycle import Decision

LIFECYCLE = {
    "stage": lifecycle.stage,
    "promote": lifecycle.promote,
    "reject": lifecycle.reject,
    "restore": lifecycle.restore,
    "archive": lifecycle.archive,
}


@dataclass(frozen=True)
class Case:
    """The change under review, as it stands now."""

    version: AlgorithmVersion
    to: str
    live: AlgorithmVersion | None
    caller: Caller

    @property
    def endpoint(self) -> Endpoint:
        return self.version.endpoint

    @property
    def is_done(self) -> bool:
        return self.version.status == self.to


@page
def review_change(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    caller = caller_of(request)
    endpoint = access.get_endpoint(caller=caller, slug=slug, need=Need.READ)
    case = Case(
        version=find_version(endpoint, number),
        to=request.POST.get("to") or request.GET.get("to", ""),
        live=endpoint.versions.in_production().select_related("run").first(),
        caller=caller,
    )
    if request.method == "POST":
        return _decide(request, case)
    if case.is_done:
        return render(request, "dashboard/endpoint/review_done.html", _done_context(case))
    move = review.find(case.version, case.to, lifecycle.rollback_target(endpoint))
    return _show(request, case, move, _form_of(move)(initial=_seen(case)))


def _decide(request: HttpRequest, case: Case) -> HttpResponse:
    """Do what the form says, if what its reader saw is still so; a repeated submit changes nothing."""
    if case.is_done:
        needs = review.needs_of(case.to)
        access.require(case.caller, next(filter(case.caller.may, needs), needs[0]))
        return _report(request, case)
    if request.POST.get("seen_status") != case.version.status:
        raise Conflict(review.changed_meanwhile(case.version))
    move = review.find(case.version, case.to, lifecycle.rollback_target(case.endpoint))
    access.require(case.caller, move.need)
    form = _form_of(move)(request.POST)
    if not form.is_valid():
        return _show(request, case, move, form)
    try:
        _carry_out(case, move, form)
    except (Conflict, InvalidTransition):
        case.version.refresh_from_db()
        if not case.is_done:
            raise
    return _report(request, case)


def _carry_out(case: Case, move: Move, form: forms.ReviewForm) -> None:
    decision = Decision(
        actor=case.caller,
        now=timezone.now(),
        reason=form.full_reason,
        expected_production=form.cleaned_data["expected_production"],
    )
    if move.verb == "roll_back":
        lifecycle.roll_back(endpoint=case.endpoint, decision=decision)
        case.version.refresh_from_db()
    else:
        LIFECYCLE[move.verb](version=case.version, decision=decision)


def _report(request: HttpRequest, case: Case) -> HttpResponse:
    """Say what is so now, with the way back, and lead to where it can be seen."""
    version = case.version
    change = version.status_changes.filter(to_status=version.status).first()
    since = timezone.localtime(change.at).strftime("%H:%M:%S") if change else ""
    if version.status != Status.PRODUCTION:
        text = f"{version.label} is in {version.get_status_display().lower()} since {since}."
        messages.success(request, text)
        return redirect("dashboard:version", case.endpoint.slug, version.number)
    back = lifecycle.rollback_target(case.endpoint) if case.caller.may(Need.ROLL_BACK) else None
    if back is None:
        messages.success(request, f"{version.label} is live since {since}.")
    else:
        link = reverse("dashboard:review", args=[case.endpoint.slug, back.number])
        text = '{} is live since {}. <a href="{}?to=production">Roll back to {}</a>.'
        messages.success(request, format_html(text, version.label, since, link, back.label))
    return redirect("dashboard:endpoint", case.endpoint.slug)


def _show(request: HttpRequest, case: Case, move: Move, form: forms.ReviewForm) -> HttpResponse:
    now = timezone.now()
    rate = overview.requests_since(case.endpoint, now - timedelta(days=1))
    evidence = review.evidence(case.version, move)
    context = {
        "endpoint": case.endpoint,
        "version": case.version,
        "live": case.live,
        "move": move,
        "button": move.button.format(case.version.label),
        "form": form,
        "consequence": review.consequence(case.version, move, case.live, rate),
        "gates": evidence,
        "allowed": case.caller.may(move.need),
        "need": move.need,
        "blocked": _is_blocked(case.endpoint, move, evidence),
        "request_note": case.version.status_changes.filter(verb="stage").first(),
        "comparison": _difference(case),
    }
    return render(
        request, "dashboard/endpoint/review.html", context, status=422 if form.errors else 200
    )


def _is_blocked(endpoint: Endpoint, move: Move, evidence: list[Gate]) -> bool:
    """A rollback is stopped by a broken artefact alone, and by that under either policy."""
    failed = any(gate.verdict == "fail" for gate in evidence)
    return failed and (move.verb == "roll_back" or endpoint.gate_policy == GatePolicy.BLOCK)


def _difference(case: Case) -> comparison.Comparison | None:
    if case.live is None or case.live == case.version:
        return None
    live, version = case.live, case.version
    titles = {live.run_id: live.label, version.run_id: version.label}
    subjects = comparison.subjects_of([live.run, version.run], titles)
    if len(subjects) < 2:
        return None
    return comparison.Comparison(tuple(subjects.values()), base=live.run_id)


def _seen(case: Case) -> dict[str, Any]:
    return {
        "to": case.to,
        "seen_status": case.version.status,
        "expected_production": case.live.number if case.live else 0,
    }


def _form_of(move: Move) -> type[forms.ReviewForm]:
    return forms.FORMS.get(move.verb, forms.ReviewForm)


def _done_context(case: Case) -> dict[str, Any]:
    change = case.version.status_changes.filter(to_status=case.to).first()
    return {"endpoint": case.endpoint, "version": case.version, "change": change}
