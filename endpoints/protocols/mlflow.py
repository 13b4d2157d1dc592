"""MLflow's scoring protocol, one server an endpoint: /invocations, /ping, /health and /version.

SageMaker's contract is a part of it. Errors have MLflow's codes, and never its stack traces.
"""

from __future__ import annotations

from typing import Any

import orjson
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from endpoints import problems
from endpoints.bodies import parse_json, read_body
from endpoints.csv_rows import read_csv
from endpoints.errors import DomainError, InvalidRequest, InvalidRows
from endpoints.models.prediction import Protocol
from endpoints.protocols import answering
from endpoints.protocols.body_types import BodyType, body_type
from endpoints.protocols.tabular import FORMS, Rows, read_table
from endpoints.protocols.view import prediction, protocol
from endpoints.services import error_detail, serving
from endpoints.services.access import Caller, Need
from endpoints.services.serving import Answer
from endpoints.services.snapshots import Served
from endpoints.units import unit_of
from mlcore.errors import SchemaError, listed, shown
from mlcore.version import __version__

METHODS = ("predict", "predict_proba")
CODES = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL_ERROR",
    503: "TEMPORARILY_UNAVAILABLE",
}


def failure(error: DomainError) -> HttpResponse:
    """Answer with the one error shape, its `error_code` in MLflow's vocabulary."""
    known = answering.malformed(error)
    is_row = isinstance(known, InvalidRows)
    code = CODES.get(known.status, "INVALID_PARAMETER_VALUE" if is_row else "BAD_REQUEST")
    response = problems.response(known)
    response.content = orjson.dumps(problems.problem(known) | {"error_code": code})
    return response


@prediction(Protocol.MLFLOW, failure=failure)
def invocations(request: HttpRequest, caller: Caller, slug: str) -> dict[str, Any]:
    served = serving.admitted(slug, caller=caller)
    answering.parameters(request)
    body = read_body(request)
    kind = body_type(request.META.get("CONTENT_TYPE", ""), body)
    rows, method = _csv(body, kind, served) if kind.format == "csv" else _json(body)
    unit = unit_of(request)
    answer = answering.ask(slug, rows, caller=caller, protocol=Protocol.MLFLOW, unit=unit)
    return {"predictions": _predictions(answer, method), **answering.about(answer)}


@protocol("GET", failure=failure)
def ping(request: HttpRequest, caller: Caller, slug: str) -> HttpResponse:
    """Say that a model answers, which is what MLflow's clients and SageMaker wait for."""
    answering.answering_version(serving.served(slug, caller=caller, need=Need.PREDICT))
    return HttpResponse("\n", content_type="application/json")


@protocol("GET", failure=failure)
def version(request: HttpRequest, caller: Caller, slug: str) -> HttpResponse:
    """Give the version of the server, which is no version of a model."""
    serving.served(slug, caller=caller, need=Need.PREDICT)
    return HttpResponse(__version__, content_type="text/plain; charset=utf-8")


def _csv(body: bytes, kind: BodyType, served: Served) -> tuple[Rows, str]:
    schema = served.choose(None, None).classifier.schema
    try:
        rows = read_csv(body, schema, most_rows=settings.RAISIN_MAX_ROWS, header=kind.header)
    except SchemaError as error:
        raise error_detail.reduced(error, served.endpoint) from error
    return rows, "predict"


def _json(body: bytes) -> tuple[Rows, str]:
    document = parse_json(body)
    _, rows = read_table(document, FORMS, others=("params",))
    return rows, _method(document.get("params"))


def _method(params: Any) -> str:
    """What MLflow's own sklearn models can be asked for; a parameter without effect is refused."""
    params = params or {}
    if not isinstance(params, dict) or params.keys() - {"predict_method"}:
        raise InvalidRequest(f"params may hold predict_method, one of {listed(METHODS)}.")
    method = params.get("predict_method", "predict")
    if method not in METHODS:
        raise InvalidRequest(f"predict_method is one of {listed(METHODS)}, not {shown(method)}.")
    return str(method)


def _predictions(answer: Answer, method: str) -> list[Any]:
    return answer.labels if method == "predict" else answer.probabilities
