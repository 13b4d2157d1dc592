"""Liveness, readiness and metrics for whatever runs the process; answered before host checks and sessions.

A probe calls by pod address, which no list of allowed hosts knows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from django.http import HttpRequest, HttpResponse, JsonResponse

from raisin_site import readiness


class HealthMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        answer = PROBES.get(request.path_info)
        return answer(request) if answer is not None else self.get_response(request)


def _live(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"status": "OK"})


def _ready(request: HttpRequest) -> HttpResponse:
    checks = readiness.checks()
    is_ready = all(check.ok for check in checks)
    body = {
        "status": "OK" if is_ready else "not ready",
        "checks": {check.name: check.message for check in checks},
    }
    return JsonResponse(body, status=200 if is_ready else 503)


def _open_inference_live(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"live": True})


def _open_inference_ready(request: HttpRequest) -> HttpResponse:
    is_ready = all(check.ok for check in readiness.checks())
    return JsonResponse({"ready": is_ready}, status=200 if is_ready else 503)


def _metrics(request: HttpRequest) -> HttpResponse:
    from raisin_site import metrics  # a megabyte that only those pay who look

    return metrics.page(request)


PROBES: Mapping[str, Callable[[HttpRequest], HttpResponse]] = {
    "/healthz": _live,
    "/readyz": _ready,
    "/v2/health/live": _open_inference_live,
    "/v2/health/ready": _open_inference_ready,
    "/metrics": _metrics,
}
