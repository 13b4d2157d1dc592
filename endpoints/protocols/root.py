"""One endpoint at the root of the site, for clients of a service that serves a single model.

RAISIN_ROOT_ENDPOINT names it; without a name there is nothing at these addresses. Beside its own
routes the site mounts those of MLflow, SageMaker and Vertex there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from types import MappingProxyType
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse

from endpoints import exploring, monitoring, native
from endpoints.bodies import parse_json, read_body
from endpoints.models.prediction import Protocol
from endpoints.protocols import answering
from endpoints.protocols.versions import version_number
from endpoints.protocols.view import prediction, protocol
from endpoints.rows import part_unit, rows_of
from endpoints.services import serving
from endpoints.services.access import Caller, Need
from endpoints.units import NAME, unit_of

PROBE = Caller(system="probe")
"""Whoever runs the process may know whether its one endpoint answers; a probe has no key."""
WORDS = MappingProxyType({"drift": "shift", "possible": "watch", "no_drift": "stable"})


def at_root(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Give a view the endpoint of the root; answers 404 where none is set."""

    @wraps(view)
    def answer(request: HttpRequest) -> HttpResponse:
        if not settings.RAISIN_ROOT_ENDPOINT:
            raise Http404
        return view(request, slug=settings.RAISIN_ROOT_ENDPOINT)

    return answer


@prediction(Protocol.ROOT)
def predict(request: HttpRequest, caller: Caller, slug: str) -> dict[str, Any]:
    """Answer in the native form."""
    serving.admitted(slug, caller=caller)
    given = answering.parameters(request, NAME)
    body, beside = part_unit(parse_json(read_body(request)))
    unit = unit_of(request, given.get(NAME), beside)
    answer = answering.ask(slug, rows_of(body), caller=caller, protocol=Protocol.ROOT, unit=unit)
    return native.answered(answer)


@protocol("POST")
def monitor(request: HttpRequest, caller: Caller, slug: str) -> dict[str, Any]:
    """Hold the rows against the training, column by column; they are no predictions and not logged."""
    served = serving.admitted(slug, caller=caller)
    answering.parameters(request)
    found = monitoring.given(served, read_body(request), None, caller=caller)
    features = [feature | _in_other_words(feature) for feature in found["features"]]
    return found | {"drift": found["drift_flag"], "features": features}


@protocol("GET")
def features(request: HttpRequest, caller: Caller, slug: str) -> dict[str, Any]:
    given = answering.parameters(request, "version")
    return exploring.features(slug, caller=caller, version=version_number(given.get("version")))


@protocol("GET")
def plot(request: HttpRequest, caller: Caller, slug: str) -> HttpResponse:
    given = answering.parameters(request, "feature", "version")
    number = version_number(given.get("version"))
    return exploring.plot(slug, caller=caller, feature=given.get("feature"), version=number)


@protocol("GET")
def health(request: HttpRequest, caller: Caller, slug: str) -> dict[str, Any]:
    """Say that predictions would be answered; raises NoModel."""
    version = answering.answering_version(serving.served(slug, caller=PROBE, need=Need.PREDICT))
    return {"status": "OK", "endpoint": slug, "version": version.number}


def _in_other_words(feature: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the clients of such services read: one index, its chance, and a word."""
    indices = (found["value"] for found in feature["results"] if found["name"] == "psi")
    return {
        "psi": next(indices, None),
        "p_value": feature["p_adjusted"],
        "verdict": WORDS.get(feature["verdict"], feature["verdict"]),
    }
