"""The log of an endpoint's predictions, its download, and one prediction with its explanation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from dashboard.forms import LabelForm
from dashboard.presenters import explanation, export, keyset, moments, sample, snippets
from dashboard.views.shell import caller_of, page
from endpoints import downloads
from endpoints.cells_form import CellsForm
from endpoints.errors import InvalidRequest, NoModel, NotFound
from endpoints.filters import PROTOCOLS, SOURCES, PredictionFilter
from endpoints.matching import OF_A_FEATURE, Cells
from endpoints.models import Endpoint, Feedback, PredictionRequest
from endpoints.models.abcount import ArmName
from endpoints.models.abtest import TestState
from endpoints.models.prediction import PredictionRequestQuerySet, Source, headline
from endpoints.services import access, feedback, serving
from endpoints.services.access import Caller, Need


@dataclass(frozen=True)
class LogRow:
    """A logged request as the table shows it; `feedback` is the label of a request of one row, `matching`
    are the rows that the filter found in it, if it looks into them."""

    request: PredictionRequest
    feedback: Feedback | None
    labelled: int
    matching: Sequence[int] = ()

    @property
    def latency_ms(self) -> float:
        return self.request.latency_us / 1_000


@page
def predictions(request: HttpRequest, slug: str) -> HttpResponse:
    caller = caller_of(request)
    endpoint = access.get_endpoint(caller=caller, slug=slug, need=Need.READ)
    filtered = PredictionFilter(request.GET, endpoint=endpoint, caller=caller)
    listing = keyset.read(filtered, request.GET, load=_light)
    context = {
        "endpoint": endpoint,
        "filter": filtered,
        "is_filtered": any(request.GET.get(name) for name in filtered.form.fields),
        "page": listing,
        "page_size": keyset.PAGE_SIZE,
        "rows": [log_row(entry, listing.matching.get(entry.pk, ())) for entry in listing.rows],
        "sample": sample.take(filtered),
        "numbers": endpoint.versions.values_list("number", flat=True).order_by("-number"),
        "sources": SOURCES,
        "since": moments.field_of(filtered, "since"),
        "until": moments.field_of(filtered, "until"),
        **_cells(request, caller, endpoint),
        "protocols": PROTOCOLS,
        "tests": endpoint.abtests.exclude(state=TestState.DRAFT),
        "arms": ArmName.choices,
        "is_of_test": any(request.GET.get(name) for name in ("abtest", "arm", "unit")),
        "query": request.GET.urlencode(),
    }
    return render(request, "dashboard/endpoint/predictions.html", context)


def _cells(request: HttpRequest, caller: Caller, endpoint: Endpoint) -> dict[str, Any]:
    """Return what rows may be looked for, and whether any are."""
    sees_inputs = caller.may(Need.VIEW_INPUTS, endpoint)
    return {
        "cells": [cells for cells in Cells.choices if sees_inputs or cells[0] not in OF_A_FEATURE],
        "may_look_into": sees_inputs,
        "is_matching": any(request.GET.get(name) for name in CellsForm.base_fields),
    }


def _light(log: PredictionRequestQuerySet) -> PredictionRequestQuerySet:
    """What the table shows of a request is but a part of it."""
    light = log.defer("inputs", "imputed", "predictions", "probabilities", "shadow")
    # A join would have PostgreSQL sort the whole log.
    return light.prefetch_related("version", export.current_labels())


@page
def download(request: HttpRequest, slug: str) -> StreamingHttpResponse:
    caller = caller_of(request)
    endpoint = access.get_endpoint(caller=caller, slug=slug, need=Need.READ)
    versions = export.answered(endpoint, with_inputs=caller.may(Need.VIEW_INPUTS, endpoint))
    filtered = PredictionFilter(request.GET, endpoint=endpoint, caller=caller)
    _require_sound(filtered)
    lines = export.lines(filtered, versions)
    return downloads.answer(export.header(versions), lines, name=f"{endpoint.slug}-predictions")


def _require_sound(filtered: PredictionFilter) -> None:
    """A page says which part of a filter it left out; a file could not."""
    for name, problems in filtered.form.errors.items():
        raise InvalidRequest(f"{name}: {problems[0]}")


@page
def prediction(request: HttpRequest, slug: str, request_id: UUID) -> HttpResponse:
    caller = caller_of(request)
    endpoint = access.get_endpoint(caller=caller, slug=slug, need=Need.READ)
    found = find_prediction(endpoint, request_id)
    row = chosen_row(request, found)
    if request.method == "POST":
        return _label(request, found, caller)
    sees_inputs = may_see_inputs(caller, found)
    labels = list(found.feedback.filter(row=row))
    context = {
        "endpoint": endpoint,
        "prediction": found,
        "row": row,
        "last_row": found.row_count - 1,
        "latency_ms": found.latency_us / 1_000,
        "probability": found.probability_of(row),
        "sees_inputs": sees_inputs,
        "may_try": caller.may(Need.PREDICT, endpoint) and sees_inputs,
        "may_label": endpoint.public_predictions or caller.may(Need.FEEDBACK, endpoint),
        "labels": labels,
        "label": next((label for label in labels if label.current), None),
        "raw": _raw(found, with_inputs=sees_inputs),
        **_explained(found, row),
    }
    context["shadow"] = _shadow(found, row, context.get("classes", ()))
    return render(request, "dashboard/endpoint/prediction.html", context)


def find_prediction(endpoint: Endpoint, request_id: UUID) -> PredictionRequest:
    related = ("endpoint", "version__endpoint", "version__run", "arm__phase__test")
    found = endpoint.requests.select_related(*related).filter(pk=request_id).first()
    if found is None:
        raise NotFound(f"{endpoint.name} has no prediction {request_id}. It may have been removed.")
    return found


def log_row(entry: PredictionRequest, matching: Sequence[int] = ()) -> LogRow:
    labels: list[Feedback] = entry.current_labels  # type: ignore[attr-defined]
    only = labels[0] if labels and entry.row_count == 1 else None
    return LogRow(entry, only, len(labels), matching)


def may_see_inputs(caller: Caller, found: PredictionRequest) -> bool:
    """What was typed in by hand to try the model is open to whoever may try it."""
    if found.source == Source.TRY and caller.may(Need.PREDICT, found.endpoint):
        return True
    return caller.may(Need.VIEW_INPUTS, found.endpoint)


def chosen_row(request: HttpRequest, found: PredictionRequest) -> int:
    text = request.POST.get("row") or request.GET.get("row") or "0"
    if text not in map(str, range(found.row_count)):
        raise NotFound(
            f"This request has {found.row_count} rows; choose from 0 to {found.row_count - 1}."
        )
    return int(text)


def _label(request: HttpRequest, found: PredictionRequest, caller: Caller) -> HttpResponse:
    form = LabelForm(request.POST, classes=serving.load(found.version).classes)
    if not form.is_valid():
        raise InvalidRequest("Choose the true label first.")
    labelled = feedback.find_request(str(found.pk), caller=caller)
    row = form.cleaned_data["row"]
    outcome = feedback.record(
        request=labelled,
        label=form.cleaned_data["label"],
        row=row,
        actor=caller,
        now=timezone.now(),
    )
    said = {
        "recorded": "is recorded",
        "corrected": "replaces the one before",
        "unchanged": "was there already",
    }
    messages.success(request, f"The label {outcome.feedback.label} {said[outcome.outcome]}.")
    return redirect(f"{request.path}?row={row}" if found.row_count > 1 else request.path)


def _explained(found: PredictionRequest, row: int) -> dict[str, Any]:
    """Return the explanation and the label form, or why there is none; the log itself still shows."""
    try:
        explained = explanation.explain(found, row)
    except NoModel as error:
        return {"model_problem": error.message}
    classes = explained.classifier.classes
    return {
        "explained": explained,
        "decision": explained.label,
        "classes": classes,
        "form": LabelForm(classes=classes, initial={"row": row}),
        "feedback_curl": snippets.feedback_curl(found.endpoint, found.pk, explained.chosen.label),
    }


def _shadow(found: PredictionRequest, row: int, classes: Sequence[str]) -> dict[str, Any] | None:
    """Return what the challenger of a shadow test says of the row; its classes are those of the control."""
    if not found.shadow:
        return None
    predicted = found.shadow["predictions"][row]
    return {
        "version": found.shadow["version"],
        "label": classes[predicted] if classes else predicted,
        "probability": headline(found.shadow["probabilities"][row]),
        "agrees": predicted == found.predictions[row],
    }


def _raw(found: PredictionRequest, *, with_inputs: bool) -> str:
    facts: dict[str, Any] = {
        "request_id": str(found.pk),
        "endpoint": found.endpoint.slug,
        "version": found.version.number,
        "created_at": found.created_at.isoformat(),
        "source": found.source,
        "protocol": found.protocol,
        "caller": found.caller,
        "correlation_id": found.correlation_id,
        "traceparent": found.traceparent,
        "unit_id": found.unit,
        "arm": found.arm.name if found.arm is not None else None,
        "shadow": found.shadow or None,
        "threshold": found.threshold,
        "latency_us": found.latency_us,
        "probabilities": found.probabilities,
        "predictions": found.predictions,
    }
    if with_inputs:
        facts |= {"inputs": found.inputs, "imputed": found.imputed}
    return json.dumps(facts, indent=2, ensure_ascii=False)
