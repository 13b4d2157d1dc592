"""One's own account: the theme, the password, and the API keys of one's applications."""

from __future__ import annotations

from typing import Any, cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from dashboard.forms import KeyForm
from dashboard.views.shell import caller_of, page
from endpoints.errors import InvalidRequest, NotAllowed, NotFound
from endpoints.models import ApiKey
from endpoints.services import access, keys, memberships
from endpoints.services.access import Caller, Need

THEME_COOKIE = "raisin_theme"
THEMES = ("light", "dark")
YEAR = 365 * 86_400


@never_cache
@page
def account(request: HttpRequest) -> HttpResponse:
    """POST makes a key. Its text is in this one answer and nowhere else, so there is no redirect."""
    caller = caller_of(request)
    context: dict[str, Any] = {
        "keys": own_keys(request),
        "roles": memberships.roles_of(cast(User, request.user)),
        "now": timezone.now(),
    }
    if request.method == "POST":
        access.require(caller, Need.OWN_KEYS)
        context |= created(request, caller)
    elif caller.may(Need.OWN_KEYS):
        context["form"] = key_form(caller)
    status = 422 if request.method == "POST" and "secret" not in context else 200
    return render(request, "dashboard/account/account.html", context, status=status)


@page
def revoke(request: HttpRequest, key_id: int) -> HttpResponse:
    key = own_keys(request).filter(pk=key_id).first()
    if key is None:
        raise NotFound("You have no such API key.")
    if request.method != "POST":
        return render(request, "dashboard/account/revoke.html", {"key": key})
    keys.revoke(key, actor=caller_of(request), now=timezone.now())
    messages.success(request, f"The key {key.name} is revoked. It answers nobody any more.")
    return redirect("dashboard:account")


@require_POST
@page
def theme(request: HttpRequest) -> HttpResponse:
    response = redirect(came_from(request))
    chosen = request.POST.get("theme", "")
    if chosen in THEMES:
        response.set_cookie(
            THEME_COOKIE, chosen, max_age=YEAR, samesite="Lax", secure=settings.RAISIN_HTTPS
        )
    else:
        response.delete_cookie(THEME_COOKIE, samesite="Lax")
    return response


def own_keys(request: HttpRequest) -> QuerySet[ApiKey]:
    user = cast(User, request.user)
    return ApiKey.objects.filter(created_by=user).select_related("endpoint")


def key_form(caller: Caller, data: Any = None) -> KeyForm:
    endpoints = access.endpoints_where(caller, Need.OWN_KEYS)
    return KeyForm(data, endpoints=endpoints, scopes=keys.scopes_for(caller))


def created(request: HttpRequest, caller: Caller) -> dict[str, Any]:
    """Return the new key with its text and an empty form, or the form with what is wrong."""
    form = key_form(caller, request.POST)
    if not form.is_valid():
        return {"form": form}
    try:
        key, secret = create_key(request, form)
    except (InvalidRequest, NotAllowed) as error:
        form.add_error(None, error.message)
        return {"form": form}
    return {"form": key_form(caller), "new_key": key, "secret": secret}


def create_key(request: HttpRequest, form: KeyForm) -> tuple[ApiKey, str]:
    now = timezone.now()
    answers = form.cleaned_data
    return keys.create(
        name=answers["name"],
        scopes=answers["scopes"],
        endpoint=form.chosen,
        user=cast(User, request.user),
        now=now,
        expires_at=now + form.lifetime if form.lifetime else None,
    )


def came_from(request: HttpRequest) -> str:
    """Return the page that the form stood on, never an address elsewhere."""
    url = request.headers.get("Referer", "")
    safe = url_has_allowed_host_and_scheme(
        url, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return url if safe else "dashboard:account"
