"""What every answer carries: the request's id and its trace, and the content security policy."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from endpoints.correlation import request_id, traceparent

GetResponse = Callable[[HttpRequest], HttpResponse]
USABLE_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
USABLE_TRACE = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)
"""A version but ff, a trace and a span that are not all zeros, flags: what W3C calls valid."""


class RequestIdMiddleware:
    """Take the caller's X-Request-ID where it is harmless, else make one; logs and answers carry it.

    A W3C traceparent is kept with what is logged, and sent back.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        value = given if USABLE_ID.fullmatch(given) else uuid.uuid4().hex
        trace = request.META.get("HTTP_TRACEPARENT", "")
        trace = trace if USABLE_TRACE.fullmatch(trace) else ""
        tokens = request_id.set(value), traceparent.set(trace)
        try:
            response = self.get_response(request)
        finally:
            request_id.reset(tokens[0])
            traceparent.reset(tokens[1])
        response.headers["X-Request-ID"] = value
        if trace:
            response.headers["traceparent"] = trace
        return response


class ContentSecurityPolicyMiddleware:
    """A fixed policy without nonces, since no page has inline code; Django 6 brings its own.

    A view that answers with a document of another kind, such as a drawing, may set its own.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", settings.CONTENT_SECURITY_POLICY)
        return response
