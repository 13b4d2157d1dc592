"""Models that come in and go out as files: upload a bundle, judge its claims, download a version's.

Both forms carry a file, so their views are exempt from the early check of the token, which would
read the body: it is checked once it is known that the body may be read, and where to.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from django.conf import settings
from django.contrib import messages
from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_safe

from dashboard import spooling
from dashboard.file_forms import BundleForm, RowsForm
from dashboard.presenters import claims
from dashboard.views.shell import caller_of, page
from dashboard.views.versions import find_version
from endpoints.errors import Conflict, DomainError, InvalidBundle, InvalidData, TooLarge
from endpoints.models import AlgorithmVersion, Endpoint, Evaluation
from endpoints.services import access, bundles, evaluating, registration
from endpoints.services.access import Need

ON_HOLDOUT = "holdout"
ABOUT_THE_FILE = (Conflict, InvalidBundle, InvalidData, TooLarge)


@csrf_exempt
@page
def upload(request: HttpRequest, slug: str) -> HttpResponseBase:
    caller = caller_of(request)
    endpoint = access.get_endpoint(caller=caller, slug=slug, need=Need.REGISTER)
    if request.method != "POST":
        return _show_upload(request, endpoint, BundleForm.fresh())
    try:
        spooling.accept(request, most=settings.RAISIN_MAX_UPLOAD_BYTES)
    except TooLarge as error:
        return _refuse_upload(request, endpoint, BundleForm.unread(), error)
    return _receive(request, endpoint)


@csrf_protect
def _receive(request: HttpRequest, endpoint: Endpoint) -> HttpResponse:
    form = BundleForm(request.POST, request.FILES)
    if not form.is_valid():
        return _show_upload(request, endpoint, form, status=422)
    try:
        version = _register(request, endpoint, form)
    except ABOUT_THE_FILE as error:
        return _refuse_upload(request, endpoint, form, error)
    status = version.status_word
    messages.success(request, f"{version.label} of {endpoint.name} is registered, in {status}.")
    _tell_of_the_schema(request, version)
    return redirect("dashboard:version", endpoint.slug, version.number)


def _register(request: HttpRequest, endpoint: Endpoint, form: BundleForm) -> AlgorithmVersion:
    answers = form.cleaned_data
    return registration.register_upload(
        content=answers["file"].path,
        endpoint=endpoint,
        actor=caller_of(request),
        now=timezone.now(),
        name=answers["name"],
        note=answers["note"],
        submission=_submission(answers["submission"], answers["file"].path),
    )


def _submission(form: str, file: Path) -> str:
    """The back button brings the same form again: with another file it is another submission."""
    return hashlib.sha256(form.encode() + file.read_bytes()).hexdigest()


def _tell_of_the_schema(request: HttpRequest, version: AlgorithmVersion) -> None:
    """A model that asks or answers otherwise is welcome, but nobody should be surprised later."""
    gate = registration.schema_verdict(version, actor=caller_of(request), now=timezone.now())
    if gate.verdict in ("warn", "fail"):
        messages.warning(request, gate.message)


def _refuse_upload(
    request: HttpRequest, endpoint: Endpoint, form: BundleForm, error: DomainError
) -> HttpResponse:
    return _show_upload(request, endpoint, form.refuse(error), status=error.status)


def _show_upload(
    request: HttpRequest, endpoint: Endpoint, form: BundleForm, *, status: int = 200
) -> HttpResponse:
    context = {"endpoint": endpoint, "form": form, "most": settings.RAISIN_MAX_UPLOAD_BYTES}
    return render(request, "dashboard/endpoint/upload.html", context, status=status)


@csrf_exempt
@page
def evaluate(request: HttpRequest, slug: str, number: int) -> HttpResponseBase:
    caller = caller_of(request)
    endpoint = access.get_endpoint(caller=caller, slug=slug, need=Need.REGISTER)
    version = find_version(endpoint, number)
    if request.method != "POST":
        return _show_evaluate(request, version, RowsForm())
    try:
        spooling.accept(request, most=evaluating.LARGEST_CSV)
    except TooLarge as error:
        return _show_evaluate(request, version, RowsForm({}, {}).refuse(error), error.status)
    return _judge(request, version)


@csrf_protect
def _judge(request: HttpRequest, version: AlgorithmVersion) -> HttpResponse:
    if request.POST.get("rows") == ON_HOLDOUT:
        facts = {"version": version, "actor": caller_of(request), "now": timezone.now()}
        return _report(request, evaluating.evaluate_on_holdout(**facts))
    form = RowsForm(request.POST, request.FILES)
    if not form.is_valid():
        return _show_evaluate(request, version, form, 422)
    file = form.cleaned_data["file"]
    try:
        found = evaluating.evaluate_on_csv(
            version=version,
            content=file.read(),
            name=file.name,
            actor=caller_of(request),
            now=timezone.now(),
        )
    except ABOUT_THE_FILE as error:
        return _show_evaluate(request, version, form.refuse(error), error.status)
    return _report(request, found)


def _report(request: HttpRequest, found: Evaluation) -> HttpResponse:
    version = found.version
    messages.success(
        request,
        f"{version.label} is evaluated here, on {found.dataset_rows:,} rows: {found.dataset_name}.",
    )
    return redirect("dashboard:version", version.endpoint.slug, version.number)


def _show_evaluate(
    request: HttpRequest, version: AlgorithmVersion, form: RowsForm, status: int = 200
) -> HttpResponse:
    numbers = dict(version.run.metrics.summary().values_list("key", "value"))
    context = {
        "endpoint": version.endpoint,
        "version": version,
        "claims": claims.of(version, numbers, form),
        "form": form,
    }
    return render(request, "dashboard/endpoint/evaluate.html", context, status=status)


@require_safe
@page
def bundle(request: HttpRequest, slug: str, number: int) -> HttpResponseBase:
    """The model as one file. Its ETag is the SHA-256 under which the version is registered."""
    endpoint = access.get_endpoint(caller=caller_of(request), slug=slug, need=Need.READ)
    found = find_version(endpoint, number)
    etag = f'"{found.artifact_sha256}"'
    known = get_conditional_response(request, etag=etag)
    if known is not None:
        return known
    file = bundles.open_file(found)
    response = FileResponse(
        file,
        as_attachment=True,
        filename=f"{slug}-{found.label}.zip",
        content_type="application/zip",
        headers={"ETag": etag, "Cache-Control": "private, no-cache"},
    )
    response["Content-Length"] = os.fstat(file.fileno()).st_size
    return response
