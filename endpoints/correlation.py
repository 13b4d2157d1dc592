"""The id of the request at hand, for logs and error answers; the site's middleware sets it."""

from __future__ import annotations

from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("request_id", default="")
