"""What every page does: ask for a login, know its caller, turn a domain error into a page or message."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render

from endpoints.errors import DomainError, NoModel, NotAllowed, NotFound
from endpoints.services.access import Caller
from mlcore.errors import ArtifactError

View = Callable[..., HttpResponseBase]


def page(view: View) -> View:
    """A page behind the login. A refused POST leads back to its own page with the reason."""

    @login_required
    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return view(request, *args, **kwargs)
        except (NotFound, NotAllowed) as error:
            return problem(request, error)
        except ArtifactError as error:
            return refused(request, NoModel(f"The artefact cannot be used: {error}"))
        except DomainError as error:
            return refused(request, error)

    return wrapped


def refused(request: HttpRequest, error: DomainError) -> HttpResponse:
    if request.method != "POST":
        return problem(request, error)
    messages.error(request, error.message)
    return redirect(request.get_full_path())


def problem(request: HttpRequest, error: DomainError) -> HttpResponse:
    return render(request, "dashboard/problem.html", {"problem": error}, status=error.status)


def caller_of(request: HttpRequest) -> Caller:
    """Return the one caller of a request, who remembers what the database said of them."""
    known: Caller | None = getattr(request, "caller", None)
    caller = known or Caller(user=cast(User, request.user))
    request.caller = caller  # type: ignore[attr-defined]
    return caller
