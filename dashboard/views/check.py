"""Check a file: rows that somebody has at hand, held against a version's training and not stored.

Its form carries a file, so the token is checked once it is known that the body may be read.
"""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from dashboard import spooling
from dashboard.file_forms import CheckForm
from dashboard.formats import filesize
from dashboard.presenters import checked
from dashboard.views.shell import caller_of, page
from endpoints import large_bodies, monitoring
from endpoints.errors import DomainError, InvalidRequest, InvalidRows, NoModel, NotFound, TooLarge
from endpoints.models import Endpoint
from endpoints.services import access, serving
from endpoints.services.access import Need
from endpoints.services.monitoring.configuring import monitor_of
from endpoints.services.monitoring.given_rows import Given
from endpoints.services.snapshots import Served
from mlcore.errors import MOST_CELLS

ABOUT_THE_FILE = (InvalidRequest, InvalidRows, NoModel, NotFound, TooLarge)


@csrf_exempt
@page
def check(request: HttpRequest, slug: str) -> HttpResponseBase:
    caller = caller_of(request)
    endpoint = access.get_endpoint(caller=caller, slug=slug, need=Need.READ)
    if request.method != "POST":
        access.admit(endpoint, caller=caller, slug=slug, need=Need.PREDICT)
        form = CheckForm(initial={"version": request.GET.get("version", "")})
        return _show(request, endpoint, form)
    served = serving.admitted(slug, caller=caller)
    try:
        spooling.accept(request, most=settings.RAISIN_MAX_BODY_BYTES)
    except TooLarge as error:
        unread = CheckForm({"version": request.GET.get("version", "")}, {})
        return _refuse(request, endpoint, unread, error)
    return _receive(request, served)


@csrf_protect
def _receive(request: HttpRequest, served: Served) -> HttpResponse:
    form = CheckForm(request.POST, request.FILES)
    if not form.is_valid():
        return _show(request, served.endpoint, form, status=422)
    try:
        found = _look_at(request, served, form)
    except ABOUT_THE_FILE as error:
        return _refuse(request, served.endpoint, form, error)
    name = form.cleaned_data["file"].name
    fresh = CheckForm(initial={"version": found.chosen.version.number})
    return _show(request, served.endpoint, fresh, checked=checked.told(found, name))


def _look_at(request: HttpRequest, served: Served, form: CheckForm) -> Given:
    """The caps are those of the REST route, which reads the same bytes as a body."""
    file = form.cleaned_data["file"]
    if file.size > settings.RAISIN_MAX_BODY_BYTES:
        size, most = filesize(file.size), filesize(settings.RAISIN_MAX_BODY_BYTES)
        raise TooLarge(f"The file has {size}; {most} is the most here.")
    large_bodies.take(large_bodies.working, request, file.size)
    content = file.read()
    if not content.strip():
        raise InvalidRequest("The file is empty.")
    return monitoring.looked_at(served, content, form.cleaned_data["version"])


def _refuse(
    request: HttpRequest, endpoint: Endpoint, form: CheckForm, error: DomainError
) -> HttpResponse:
    return _show(request, endpoint, form.refuse(error), status=error.status, problem=error)


def _show(
    request: HttpRequest, endpoint: Endpoint, form: CheckForm, status: int = 200, **more: object
) -> HttpResponse:
    context = {
        "endpoint": endpoint,
        "form": form,
        "monitor": monitor_of(endpoint),
        "most": settings.RAISIN_MAX_BODY_BYTES,
        "most_rows": settings.RAISIN_MAX_ROWS,
        "most_cells": MOST_CELLS,
        **more,
    }
    return render(request, "dashboard/endpoint/check.html", context, status=status)
