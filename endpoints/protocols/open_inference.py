"""The Open Inference Protocol (V2): inference, readiness and metadata as KServe's and Triton's clients ask.

What a request says is read in `inference`, an answer worded in `inference_answer`; the views join them.
Liveness and readiness of the whole site are answered by its health probes.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from endpoints.bodies import parse_json, read_body
from endpoints.errors import InvalidRequest, NotAllowed, NotAuthenticated, NotFound
from endpoints.models.prediction import Protocol
from endpoints.protocols import model_metadata
from endpoints.protocols.answering import failure
from endpoints.protocols.binary import split
from endpoints.protocols.compression import compress
from endpoints.protocols.inference import read_inference
from endpoints.protocols.inference_answer import write_answer
from endpoints.protocols.versions import version_number
from endpoints.protocols.view import prediction, protocol
from endpoints.services import access, serving
from endpoints.services.access import Caller, Need
from endpoints.services.serving import Question
from endpoints.services.snapshots import Served
from endpoints.units import unit_of
from mlcore.version import __version__

EXTENSIONS = ("binary_tensor_data", "model_repository")
JSON_LENGTH = "Inference-Header-Content-Length"
NO_LOADING = (
    "Models are not loaded and unloaded one by one: a version answers once it is promoted "
    "(POST /api/v1/endpoints/<slug>/versions/<number>/promote), and a paused endpoint does not."
)


@prediction(Protocol.OPEN_INFERENCE, failure=failure)
def infer(
    request: HttpRequest, caller: Caller, slug: str, version: str | None = None
) -> HttpResponse:
    serving.admitted(slug, caller=caller)
    json_length = request.META.get("HTTP_INFERENCE_HEADER_CONTENT_LENGTH")
    head, blobs = split(read_body(request), json_length)
    inference = read_inference(parse_json(head), blobs, most_rows=settings.RAISIN_MAX_ROWS)
    question = Question(
        slug=slug,
        rows=inference.table,
        caller=caller,
        version=version_number(version),
        protocol=Protocol.OPEN_INFERENCE,
        unit=unit_of(request),
    )
    answer = serving.predict(question, clock=timezone.now)
    response = _message(*write_answer(answer, inference))
    return compress(response, request.META.get("HTTP_ACCEPT_ENCODING", ""))


def _message(head: bytes, blobs: list[bytes]) -> HttpResponse:
    if not blobs:
        return HttpResponse(head, content_type="application/json")
    body = b"".join([head, *blobs])
    headers = {JSON_LENGTH: str(len(head))}
    return HttpResponse(body, content_type="application/octet-stream", headers=headers)


@protocol("GET", failure=failure)
def server(request: HttpRequest, caller: Caller) -> dict[str, Any]:
    return {"name": "raisin", "version": __version__, "extensions": EXTENSIONS}


@protocol("GET", failure=failure)
def model(
    request: HttpRequest, caller: Caller, slug: str, version: str | None = None
) -> dict[str, Any]:
    number = version_number(version)
    served = serving.served(slug, caller=caller, need=Need.PREDICT)
    return model_metadata.described(served, *served.choose(number, None))


@protocol("GET", failure=failure)
def ready(
    request: HttpRequest, caller: Caller, slug: str, version: str | None = None
) -> dict[str, Any]:
    """Say that the model answers; one that does not is an error with the reason."""
    number = version_number(version)
    served = serving.served(slug, caller=caller, need=Need.PREDICT)
    serving.refuse_paused(served.endpoint)
    served.choose(number, None)
    return {"name": slug, "ready": True}


@protocol("POST", failure=failure)
def index(request: HttpRequest, caller: Caller) -> list[dict[str, str]]:
    """List what is in production at the endpoints that the caller may ask."""
    only_ready = _asks_for_ready(read_body(request))
    known = sorted(serving.snapshots.all().items())
    states = [_state(served) for _, served in known if _may_ask(caller, served)]
    return [state for state in states if state and (not only_ready or state["state"] == "READY")]


def _asks_for_ready(body: bytes) -> bool:
    document = parse_json(body) if body.strip() else {}
    if not isinstance(document, dict) or not isinstance(document.get("ready", False), bool):
        raise InvalidRequest('The body is empty, or an object such as {"ready": true}.')
    return bool(document.get("ready"))


def _may_ask(caller: Caller, served: Served) -> bool:
    endpoint = served.endpoint
    try:
        access.admit(endpoint, caller=caller, slug=endpoint.slug, need=Need.PREDICT)
    except (NotFound, NotAuthenticated, NotAllowed):
        return False
    return True


def _state(served: Served) -> dict[str, str]:
    """Return nothing for an endpoint that never had a version in production."""
    if served.production is None:
        return {}
    reason = "paused" if served.endpoint.paused_at is not None else ""
    if served.classifier is None:
        reason = served.problem
    return {
        "name": served.endpoint.slug,
        "version": str(served.production.number),
        "state": "UNAVAILABLE" if reason else "READY",
        "reason": reason,
    }


@protocol("POST", failure=failure)
def load_or_unload(request: HttpRequest, caller: Caller, slug: str) -> None:
    raise NotAllowed(NO_LOADING)
