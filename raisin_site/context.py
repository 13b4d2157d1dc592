"""What the page shell needs on every page."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from raisin_site import __version__

THEMES = ("light", "dark")


def shell(request: HttpRequest) -> dict[str, Any]:
    theme = request.COOKIES.get("raisin_theme", "")
    return {
        "theme": theme if theme in THEMES else "",
        "raisin_version": __version__,
        "now": timezone.now(),
    }
