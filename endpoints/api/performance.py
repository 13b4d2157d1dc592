"""/endpoints/<slug>/performance: what a version is worth on live rows, with labels and without."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from endpoints.api import query
from endpoints.api.base import JsonView
from endpoints.api.change_serializers import moment_json
from endpoints.api.operations import Operation, Operations
from endpoints.api.pagination import NewestFirst
from endpoints.api.versions import version_of
from endpoints.errors import NotFound
from endpoints.models import AlgorithmVersion, Endpoint, StreamChange
from endpoints.models.monitoring import Window
from endpoints.services import access
from endpoints.services.abtests import hiding
from endpoints.services.abtests.hiding import Hidden
from endpoints.services.access import Need
from endpoints.services.monitoring import label_stream, performance
from endpoints.services.monitoring.label_stream import Watched
from endpoints.services.monitoring.performance import Delay, PerformanceWindow
from mlcore.estimate import ASSUMPTIONS

MOST_CHANGES = 50


class Performance(JsonView):
    operations: Operations = {
        "GET": Operation(
            summary="What a version is worth window by window, with labels and without",
            about="Without `version` it is the one in production. `limit` counts windows, the newest first; "
            "they are days unless `window` says otherwise. Labels say nothing of windows by count (`rows`).",
            needs="scope read",
            parameters=("window", "version", "limit"),
            answers={200: "Performance"},
        )
    }

    def get(self, request: Request, slug: str) -> Response:
        endpoint = access.get_endpoint(caller=self.caller, slug=slug, need=Need.READ)
        window = self._window()
        limit = NewestFirst().get_page_size(request)
        version = self._version(endpoint)
        now = timezone.now()
        unseen = hiding.hidden(version, now)
        windows = performance.newest(version, window, limit, now, unseen)
        answer = {
            "endpoint": endpoint.slug,
            "version": version.number,
            "window": window,
            "reference": _reference(version),
            "delay": _delay(performance.delay(version)),
            "windows": [_window(found) for found in reversed(windows)],
            "detectors": [_detector(found, unseen) for found in label_stream.watched(version)],
            "changes": list(map(_change, performance.changes(version, MOST_CHANGES, unseen))),
            "note": unseen.note if unseen is not None else None,
            "assumptions": ASSUMPTIONS,
        }
        return Response(answer)

    def _window(self) -> str:
        given = self.request.query_params.get("window", Window.DAY.value)
        return query.choice(given, name="window", choices=Window.values)

    def _version(self, endpoint: Endpoint) -> AlgorithmVersion:
        given = self.request.query_params.get("version")
        if given is not None:
            return version_of(endpoint, query.version_number(given))
        version = endpoint.versions.in_production().select_related("endpoint").first()
        if version is None:
            raise NotFound(f"“{endpoint.slug}” has no version in production; name one: version=7.")
        return version


def _reference(version: AlgorithmVersion) -> dict[str, Any] | None:
    found = performance.reference(version)
    return None if found is None else asdict(found)


def _detector(found: Watched, unseen: Hidden | None) -> dict[str, Any]:
    return asdict(found) | ({} if unseen is None else {"width": None, "error_rate": None})


def _delay(delay: Delay | None) -> dict[str, Any] | None:
    if delay is None:
        return None
    return {
        "labels": delay.labels,
        "median_seconds": delay.median.total_seconds(),
        "p90_seconds": delay.nine_of_ten.total_seconds(),
    }


def _window(window: PerformanceWindow) -> dict[str, Any]:
    return {
        "start": moment_json(window.start),
        "end": moment_json(window.end),
        "rows": window.rows,
        "labels": window.labels,
        "coverage": window.coverage,
        "realised": None if window.realised is None else dict(_metrics(window)),
        "estimated": window.estimated,
        "label_drift": _label_drift(window),
    }


def _label_drift(window: PerformanceWindow) -> dict[str, Any] | None:
    found = window.label_drift
    if found is None:
        return None
    return {"verdict": found.verdict, "effect": found.effect, "p_value": found.p_value}


def _metrics(window: PerformanceWindow) -> Iterator[tuple[str, dict[str, float | None]]]:
    for name, metric in (window.realised or {}).items():
        yield name, {"value": metric.value, "low": metric.low, "high": metric.high}


def _change(change: StreamChange) -> dict[str, Any]:
    return {
        "detector": change.detector,
        "found_at": moment_json(change.found_at),
        "request_id": str(change.request_id),
        "predicted_at": moment_json(change.predicted_at),
        "labels": change.labels,
        "rate_before": change.rate_before,
        "rate_after": change.rate_after,
    }
