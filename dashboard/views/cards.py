"""The model card of a version, the form for its two texts, and the decision summary."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from dashboard.card_forms import CardForm
from dashboard.presenters import card, comparison, history, markdown, summary, summary_markdown
from dashboard.presenters.summary import Summary
from dashboard.presenters.summary_figures import Subject
from dashboard.views.shell import caller_of, page
from dashboard.views.versions import find_version
from endpoints.errors import Conflict
from endpoints.models import AlgorithmVersion, Status
from endpoints.services import access, cards, gates
from endpoints.services.access import Caller, Need
from endpoints.services.gates import Gate

# Decisions that are still open; those of the past have the gates of their moment.
UNDECIDED = (Status.TESTING, Status.STAGING, Status.AB_TESTING)
# It is about the person who reads, not about the version.
PERSONAL_GATES = ("second_person",)


@page
def show_card(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    found = _found(request, slug, number)
    loaded, numbers = card.loaded(found), _numbers(found)
    evidence = card.evidence_of(found, loaded)
    changes = list(found.status_changes.all())
    context = {
        **_about(found, caller_of(request)),
        "loaded": loaded,
        "numbers": numbers,
        "card": card.of(loaded, evidence),
        "evaluations": found.evaluations.all(),
        "changes": history.told(changes),
        "params": comparison.param_rows(found.run.params.all()),
        "intended_use": markdown.render(found.intended_use),
        "limits": markdown.render(found.limits),
        **card.findings(found, loaded, numbers, evidence),
    }
    return render(request, "dashboard/endpoint/card.html", context)


@page
def edit_card(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    caller = caller_of(request)
    found = _found(request, slug, number)
    access.require(caller, Need.STAGE, found.endpoint)
    cards.refuse_if_frozen(found)
    if request.method != "POST":
        return _show_form(request, found, CardForm.showing(cards.CardTexts.of(found)))
    form = CardForm(request.POST)
    return _write(request, found, form) if form.is_valid() else _show_form(request, found, form)


@page
def show_summary(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    found = _found(request, slug, number)
    context = {
        **_about(found, caller_of(request)),
        "summary": _summary(found, caller_of(request)),
        "note": summary_markdown.NOTE,
    }
    return render(request, "dashboard/endpoint/summary.html", context)


@page
def download_summary(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    found = _found(request, slug, number)
    text = summary_markdown.of(_summary(found, caller_of(request)))
    response = HttpResponse(text, content_type="text/markdown; charset=utf-8")
    name = f"{found.endpoint.slug}-{found.label}-summary.md"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _found(request: HttpRequest, slug: str, number: int) -> AlgorithmVersion:
    endpoint = access.get_endpoint(caller=caller_of(request), slug=slug, need=Need.READ)
    return find_version(endpoint, number)


def _about(found: AlgorithmVersion, caller: Caller) -> dict[str, Any]:
    is_frozen = cards.is_frozen(found)
    return {
        "endpoint": found.endpoint,
        "version": found,
        "missing": cards.CardTexts.of(found).missing,
        "is_frozen": is_frozen,
        "may_edit": not is_frozen and caller.may(Need.STAGE, found.endpoint),
    }


def _numbers(found: AlgorithmVersion) -> dict[str, float]:
    return dict(found.run.metrics.summary().values_list("key", "value"))


def _write(request: HttpRequest, found: AlgorithmVersion, form: CardForm) -> HttpResponse:
    """Write the texts; of two people the second sees what the first wrote and keeps his own words."""
    try:
        changed = cards.write(
            version=found,
            texts=form.texts,
            seen=form.cleaned_data["seen"],
            actor=caller_of(request),
            now=timezone.now(),
        )
    except Conflict as error:
        again = form.seeing(cards.CardTexts.of(found))
        return _show_form(request, found, again, conflict=error)
    text = "The card is saved." if changed else "The card says so already."
    messages.success(request, text)
    return redirect("dashboard:card", found.endpoint.slug, found.number)


def _show_form(
    request: HttpRequest, found: AlgorithmVersion, form: CardForm, conflict: Conflict | None = None
) -> HttpResponse:
    context = {
        "endpoint": found.endpoint,
        "version": found,
        "form": form,
        "conflict": conflict,
        "current": cards.CardTexts.of(found),
    }
    status = conflict.status if conflict else 200
    return render(request, "dashboard/endpoint/card_edit.html", context, status=status)


def _summary(found: AlgorithmVersion, caller: Caller) -> Summary:
    loaded, numbers = card.loaded(found), _numbers(found)
    evidence = card.evidence_of(found, loaded)
    subject = Subject(
        version=found,
        loaded=loaded,
        numbers=numbers,
        evidence=evidence,
        card=card.of(loaded, evidence),
        findings=card.findings(found, loaded, numbers, evidence),
        live=found.endpoint.versions.in_production().select_related("run").first(),
        gates=_gates(found, caller),
        last_promotion=found.status_changes.filter(to_status=Status.PRODUCTION).first(),
    )
    return summary.of(subject, now=timezone.now())


def _gates(found: AlgorithmVersion, caller: Caller) -> list[Gate]:
    """The gates as they stand for a version that waits, else none: its history has them."""
    if found.status not in UNDECIDED:
        return []
    evaluated = gates.evaluate(found, actor=caller, now=timezone.now())
    return [gate for gate in evaluated if gate.code not in PERSONAL_GATES]
