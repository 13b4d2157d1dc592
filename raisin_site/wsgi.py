"""The WSGI application that the server runs."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "raisin_site.settings")
CHARSET = re.compile(r";\s*charset\s*=[^;]*", re.IGNORECASE)

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def in_utf8(application: Application) -> Application:
    """Ignore a charset that a caller names: every body is UTF-8.

    Django looks the name up before any middleware runs, and Python knows "charsets" that decompress
    or fail; the caller would get an empty 500.
    """

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        announced = environ.get("CONTENT_TYPE", "")
        if "charset" in announced.lower():
            environ["CONTENT_TYPE"] = CHARSET.sub("", announced)
        return application(environ, start_response)

    return answer


# Its views need the applications to be loaded, which get_wsgi_application does.
_django = get_wsgi_application()
from raisin_site.short_way import with_short_way  # noqa: E402

application = in_utf8(with_short_way(_django))
