"""Score a row by hand: a form made from the model's schema; its answer is a logged prediction."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from dashboard.forms import RowForm
from dashboard.presenters import attention, snippets
from dashboard.views.predictions import chosen_row, find_prediction, may_see_inputs
from dashboard.views.shell import caller_of, page
from endpoints.errors import InvalidRequest, InvalidRows, NoModel, NotFound
from endpoints.models import AlgorithmVersion, Endpoint, PredictionRequest, Status
from endpoints.models.prediction import Source
from endpoints.services import access, serving
from endpoints.services.access import Caller, Need
from endpoints.services.serving import Question


@page
def try_(request: HttpRequest, slug: str) -> HttpResponse:
    caller = caller_of(request)
    endpoint = access.get_endpoint(caller=caller, slug=slug, need=Need.READ)
    access.require(caller, Need.PREDICT, endpoint)
    versions = list(endpoint.versions.exclude(status=Status.ARCHIVED).select_related("endpoint"))
    base = _base(request, endpoint, caller)
    version = _chosen(request, versions, base)
    row = chosen_row(request, base) if base else 0
    context: dict[str, Any] = {
        "endpoint": endpoint,
        "versions": versions,
        "version": version,
        "base": base,
        "row": row,
        "paused": attention.PAUSED,
    }
    if version is None:
        return render(request, "dashboard/endpoint/try.html", context)
    classifier = serving.load(version)
    if request.method == "POST":
        form = RowForm(request.POST, classifier=classifier)
        request_id = _score(form, version, caller) if form.is_valid() else None
        if request_id is not None:
            return redirect("dashboard:prediction", endpoint.slug, request_id)
    else:
        form = RowForm(classifier=classifier, initial=_initial(classifier.schema.names, base, row))
    context |= {
        "form": form,
        "snippets": snippets.for_model(endpoint, classifier),
    }
    return render(
        request, "dashboard/endpoint/try.html", context, status=422 if form.errors else 200
    )


def _base(request: HttpRequest, endpoint: Endpoint, caller: Caller) -> PredictionRequest | None:
    """Return the prediction to start from; its inputs are shown to whoever may see inputs."""
    text = request.GET.get("from", "")
    if not text:
        return None
    try:
        found = find_prediction(endpoint, UUID(text))
    except ValueError:
        raise InvalidRequest(f"“{text[:64]}” is not a request id.") from None
    if not may_see_inputs(caller, found):
        access.require(caller, Need.VIEW_INPUTS, endpoint)
    return found


def _chosen(
    request: HttpRequest, versions: list[AlgorithmVersion], base: PredictionRequest | None
) -> AlgorithmVersion | None:
    """Return the asked version, else that of the prediction, else production, else the newest."""
    text = request.POST.get("version") or request.GET.get("version", "")
    if text:
        asked = next((version for version in versions if str(version.number) == text), None)
        if asked is None:
            raise NotFound(f"There is no version {text[:12]} to try: it is unknown or archived.")
        return asked
    ranked = [
        *(version for version in versions if base is not None and version.pk == base.version_id),
        *(version for version in versions if version.status == Status.PRODUCTION),
        *versions,
    ]
    return ranked[0] if ranked else None


def _initial(names: tuple[str, ...], base: PredictionRequest | None, row: int) -> dict[str, object]:
    """Return the values of the prediction to start from, by the number of the field."""
    if base is None:
        return {}
    try:
        known = serving.load(base.version).schema.names
    except NoModel:
        return {}
    cells = dict(zip(known, base.inputs[row], strict=True))
    return {f"column_{i}": cells[name] for i, name in enumerate(names) if name in cells}


def _score(form: RowForm, version: AlgorithmVersion, caller: Caller) -> UUID | None:
    """Score and log; cells that the schema refuses become errors of their fields."""
    question = Question(
        slug=version.endpoint.slug,
        rows=[form.row],
        caller=caller,
        version=version.number,
        source=Source.TRY,
    )
    try:
        return serving.predict(question, clock=timezone.now).request_id
    except InvalidRows as error:
        for cell in error.cells:
            form.add_cell_error(cell.column or "", cell.message)
        return None
