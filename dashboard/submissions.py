"""Names the form of one page, so that pressing its button twice does one thing, and says which it was."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest

from endpoints.models import BatchJob, Run

ASKED_BEFORE = "This was asked for already: here it is."


def submission_of(request: HttpRequest) -> str:
    """The token that every form carries anyway: Django masks it anew for each page."""
    return str(request.POST.get("csrfmiddlewaretoken", ""))


def tell(request: HttpRequest, job: BatchJob | Run, said: str = "") -> None:
    """Say what was made of the form, unless its page says so or an earlier press has made it."""
    if not job.is_new:
        messages.info(request, ASKED_BEFORE)
    elif said:
        messages.success(request, said)
