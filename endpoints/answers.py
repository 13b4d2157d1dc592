"""Words an answer as JSON, for views that need no more of a framework; it knows no protocol."""

from __future__ import annotations

from typing import Any

import orjson
from django.http import HttpResponse


def as_response(content: Any) -> HttpResponse:
    """Return the answer; a response stays what it is."""
    if isinstance(content, HttpResponse):
        return content
    body = orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
    return HttpResponse(body, content_type="application/json")
