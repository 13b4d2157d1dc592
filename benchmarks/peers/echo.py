"""`python -m benchmarks.peers.echo HOST PORT`: Django alone under our own server settings.

One view that reads the body and says OK, without middleware: what no Django application can undercut.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

from raisin_site import server


def echo(request: HttpRequest) -> HttpResponse:
    _ = request.body
    return HttpResponse(b'{"ok":true}', content_type="application/json")


urlpatterns = [path("echo", echo)]


def load(*_: object) -> Callable[..., Any]:
    """Return the application; called in the worker, in the place of the product's."""
    settings.configure(
        ROOT_URLCONF="benchmarks.peers.echo", ALLOWED_HOSTS=["127.0.0.1"], MIDDLEWARE=[]
    )
    return get_wsgi_application()


if __name__ == "__main__":
    server.load = load
    server.main(*sys.argv[1:])
