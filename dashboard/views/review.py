"""Review a change: the only page from which serving is changed. GET shows, POST decides once."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from dashboard.lifecycle_forms import FORMS, ReviewForm
from dashboard.presenters import consequences, difference, history, review
from dashboard.presenters.review import Move, Situation
from dashboard.views.shell import caller_of, page
from dashboard.views.versions import find_version
from endpoints.errors import Conflict, DomainError, GateFailed, InvalidRequest, InvalidTransition
from endpoints.models import Status, StatusChange
from endpoints.services import access, lifecycle, traffic
from endpoints.services.access import Need
from endpoints.services.transitions import MIN_OVERRIDE_REASON, Decision


@page
def review_change(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    caller = caller_of(request)
    endpoint = access.get_endpoint(caller=caller, slug=slug, need=Need.READ)
    case = review.Situation(find_version(endpoint, number), caller)
    asked = request.POST if request.method == "POST" else request.GET
    to, verb = asked.get("to", ""), asked.get("verb", "")
    if request.method == "POST":
        return _decide(request, case, review.meant(case, to, verb))
    if _is_done(case, to, verb):
        return render(request, "dashboard/endpoint/review_done.html", _standing(case))
    move = review.find(case, to, verb)
    return _show(request, case, move, _form_of(move)(initial=_as_seen(case, move)))


def _is_done(case: Situation, to: str, verb: str) -> bool:
    """Say whether the version is where the change leads; a staged one can still be asked for."""
    return case.version.status == to and not (verb == "request" and case.waiting is None)


def _decide(request: HttpRequest, case: Situation, move: Move) -> HttpResponse:
    """Do what the form says, if what its reader saw is still so; a repeated submit changes nothing."""
    access.require(case.caller, move.need, case.endpoint)
    form = _form_of(move)(request.POST)
    is_complete = form.is_valid()
    done = _done_before(case, move, form)
    if done is not None:
        return _report(request, case, done)
    if _is_done(case, move.to, move.verb):
        messages.info(request, consequences.standing(case))
        return redirect("dashboard:version", case.endpoint.slug, case.version.number)
    if not is_complete:
        return _show(request, case, move, form, status=422)
    try:
        return _report(request, case, _carry_out(case, move, form))
    except (Conflict, InvalidTransition, GateFailed, InvalidRequest) as error:
        return _refuse(request, case, move, form, error)


def _done_before(case: Situation, move: Move, form: ReviewForm) -> StatusChange | None:
    """Return what this very form has done already: it was sent twice, or with the back button."""
    submission = form.cleaned_data.get("submission")
    if not submission:
        return None
    return case.version.status_changes.filter(submission=submission, verb=move.verb).first()


def _carry_out(case: Situation, move: Move, form: ReviewForm) -> StatusChange:
    overtaken = consequences.overtaken(case, move, form.seen)
    if overtaken:
        raise Conflict(overtaken)
    decision = Decision(
        actor=case.caller,
        now=timezone.now(),
        reason=form.full_reason,
        expected_production=form.cleaned_data["expected_production"],
        submission=form.cleaned_data["submission"],
        override=form.overrides,
    )
    if move.verb == "roll_back":
        return lifecycle.roll_back(endpoint=case.endpoint, decision=decision)
    return lifecycle.OF_A_VERSION[move.verb](version=case.version, decision=decision)


def _refuse(
    request: HttpRequest, seen: Situation, move: Move, form: ReviewForm, error: DomainError
) -> HttpResponse:
    """Show how things stand now with what was typed; a way that is closed leaves the words to copy."""
    case = review.Situation(find_version(seen.endpoint, seen.version.number), seen.caller)
    message = consequences.overtaken(case, move, form.seen) or error.message
    if not review.is_possible(case, move):
        context = _standing(case) | {"problem": message, "typed": form.cleaned_data["reason"]}
        return render(request, "dashboard/endpoint/review_done.html", context, status=error.status)
    typed = request.POST.copy()
    typed.pop("override", None)  # the gates may be others now, so nobody has overruled them yet
    for name, value in _as_seen(case, move).items():
        typed[name] = str(value)
    again = _form_of(move)(typed)
    return _show(request, case, move, again, status=error.status, problem=message)


def _report(request: HttpRequest, case: Situation, change: StatusChange) -> HttpResponse:
    """Say what is so now, with the way back, and lead to where it can be seen."""
    version = case.version
    version.refresh_from_db(fields=["status"])
    at = timezone.localtime(change.at).strftime("%H:%M:%S")
    if version.status != change.to_status:
        words = history.told([change])[0].words
        text = f"This was done once already, at {at}: {version.label} was {words}."
        messages.info(request, f"{text} {consequences.standing(case)}")
    elif version.status == Status.PRODUCTION:
        messages.success(request, _live_since(case, at))
        return redirect("dashboard:endpoint", case.endpoint.slug)
    elif change.verb == "request":
        text = f"You asked at {at} for the promotion of {version.label}. It waits for an approver."
        messages.success(request, text)
    else:
        where = version.status_word
        messages.success(request, f"{version.label} is in {where} since {at}.")
    return redirect("dashboard:version", case.endpoint.slug, version.number)


def _live_since(case: Situation, at: str) -> str:
    text = f"{case.version.label} is live since {at}."
    back = lifecycle.rollback_target(case.endpoint) if case.may(Need.ROLL_BACK) else None
    if back is None:
        return text
    url = reverse("dashboard:review", args=[case.endpoint.slug, back.number])
    link = format_html('<a href="{}?to=production">Roll back to {}</a>', url, back.label)
    return format_html("{} {}.", text, link)


def _show(
    request: HttpRequest,
    case: Situation,
    move: Move,
    form: ReviewForm,
    *,
    status: int = 200,
    problem: str = "",
) -> HttpResponse:
    found = review.evidence(case, move)
    requests = traffic.requests_of_a_day(case.endpoint, now=timezone.now())
    blocking = review.blocking(case, move, found)
    context = {
        "endpoint": case.endpoint,
        "version": case.version,
        "live": case.live,
        "move": move,
        "button": move.button.format(case.version.label),
        "form": form,
        "problem": problem,
        "consequence": consequences.consequence(case, move, requests),
        "gates": found,
        "allowed": case.may(move.need),
        "blocking": blocking,
        "override_reason": MIN_OVERRIDE_REASON,
        "no_way_round": review.no_way_round(move, blocking),
        "may_override": review.may_overrule(case, move, blocking),
        "note": _note(case, move),
        "instead": review.instead(case, move),
        "difference": difference.between(case.live, case.version),
    }
    return render(request, "dashboard/endpoint/review.html", context, status=status)


def _note(case: Situation, move: Move) -> StatusChange | None:
    """Return what the requester wrote for whoever decides, or who staged it without a request."""
    if move.verb not in ("promote", "reject"):
        return None
    return case.version.status_changes.filter(verb__in=("request", "stage")).first()


def _as_seen(case: Situation, move: Move) -> dict[str, Any]:
    return {
        "to": move.to,
        "verb": move.verb,
        "seen_status": case.version.status,
        "expected_production": case.live.number if case.live else 0,
        "submission": uuid.uuid4().hex,
    }


def _form_of(move: Move) -> type[ReviewForm]:
    return FORMS.get(move.verb, ReviewForm)


def _standing(case: Situation) -> dict[str, Any]:
    return {
        "endpoint": case.endpoint,
        "version": case.version,
        "change": case.version.status_changes.first(),
        "waiting": case.waiting,
        "offers": [offer for offer in review.offers(case) if not offer.obstacle],
    }
