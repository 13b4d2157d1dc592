"""What the page shell needs on every page."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from dashboard.views.account import THEME_COOKIE, THEMES
from endpoints.correlation import request_id
from raisin_site import __version__


def shell(request: HttpRequest) -> dict[str, Any]:
    theme = request.COOKIES.get(THEME_COOKIE, "")
    return {
        "theme": theme if theme in THEMES else "",
        "raisin_version": __version__,
        "now": timezone.now(),
        "request_id": request_id.get(),
    }
