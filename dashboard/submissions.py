"""Names the form of one page, so that pressing its button twice does one thing."""

from __future__ import annotations

from django.http import HttpRequest


def submission_of(request: HttpRequest) -> str:
    """The token that every form carries anyway: Django masks it anew for each page."""
    return str(request.POST.get("csrfmiddlewaretoken", ""))
