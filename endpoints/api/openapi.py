"""Puts the OpenAPI document together from the routes and what each view says of itself.

`manage.py openapi` alone loads it: the serving process hands out the file that the command wrote.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.urls import URLPattern

from endpoints.api import older, query
from endpoints.api.abtest_schemas import ABTESTS
from endpoints.api.abtests import FORMATS
from endpoints.api.batch_files import CSV, PARQUET, RESULTS
from endpoints.api.batch_schemas import BATCHES, BESIDE_A_FILE, FILE_NAME
from endpoints.api.batch_schemas import STATE as BATCH_STATE
from endpoints.api.changes import AT, OUTCOMES
from endpoints.api.dataset_schemas import DATASETS
from endpoints.api.dataset_schemas import STATE as DATASET_STATE
from endpoints.api.datasets import NAME as DATASET_NAME
from endpoints.api.document import YAML
from endpoints.api.evidence import ZIP
from endpoints.api.explore import SVG
from endpoints.api.fields import Field
from endpoints.api.monitoring_schemas import MONITORING
from endpoints.api.operations import IDEMPOTENT, Operation
from endpoints.api.performance_schemas import PERFORMANCE
from endpoints.api.permissions import EndpointDecides
from endpoints.api.schemas import SCHEMAS, SLUG, WINDOW, Schema, page_of, record, ref
from endpoints.api.urls import urlpatterns
from endpoints.api.versions import NAME, NOTE
from endpoints.api.waiting import MOST_SECONDS
from endpoints.filters import SOLVERS
from endpoints.models import Alert
from endpoints.models.abtest import TestState
from endpoints.models.run import RunState
from endpoints.units import HEADER
from mlcore.version import __version__

JSON = "application/json"
FORM, GZIP = "multipart/form-data", "application/gzip"
PAGE = "page of "
ALWAYS = (400, 401, 403)
CODES = {
    400: "`invalid_json`, `invalid_request`",
    401: "`not_authenticated`, `invalid_key`",
    403: "`not_allowed`, `csrf_failed`",
    404: "`not_found`",
    409: "`conflict`, `invalid_transition`, `gate_failed`",
    410: "`gone`",
    413: "`too_large`",
    415: "`unsupported_encoding`",
    422: "`invalid_rows`, `invalid_bundle`, `invalid_data`",
    429: "`too_many_requests`",
    503: "`no_model`, `log_unavailable`, `no_room`, `database_unavailable`",
}
IN_PATH: Mapping[str, Schema] = {
    "slug": SLUG,
    "number": {"type": "integer", "minimum": 1},
    "pk": {"type": "integer", "minimum": 1},
    "uuid": {"type": "string", "format": "uuid"},
    "run_id": {"type": "string", "pattern": "^[-a-zA-Z0-9_]+$", "minLength": 1},
    "request_id": {"type": "string", "pattern": "^[-0-9a-fA-F]{32,36}(:[0-9]{1,9})?$"},
    "prefix": {"type": "string", "pattern": "^[-a-zA-Z0-9_]+$", "minLength": 1},
    "batch_id": {"type": "string", "pattern": "^[-a-zA-Z0-9_]+$", "minLength": 1},
    "dataset_id": {"type": "string", "pattern": "^[-a-zA-Z0-9_]+$", "minLength": 1},
}
UNIT: Schema = {
    "type": "string",
    "pattern": "^[!-~]{1,128}$",
    "description": "Who the request is for, such as a user; see docs/api.md.",
}
FLAG: Schema = {"type": "string", "enum": sorted(query.FLAGS)}
IN_QUERY: dict[str, Schema] = {
    "cursor": {"type": "string", "description": "From a list's `next` or `previous`."},
    "limit": {"type": "integer", "minimum": 1, "maximum": 200, "default": 50},
    "as_is": FLAG,
    "at": AT.schema,
    "outcome": {"type": "string", "enum": list(OUTCOMES)},
    "name": NAME.schema,
    "note": NOTE.schema,
    "explain": FLAG,
    "feature": {"type": "string", "description": "The name of a feature."},
    "format": {"type": "string", "enum": list(FORMATS), "default": FORMATS[0]},
    "series": FLAG,
    "status": {"type": "string", "enum": list(query.ANSWERING)},
    "unit_id": UNIT,
    "version": {"type": "string", "pattern": "^v?[0-9]{1,9}$"},
    "wait": {"type": "number", "minimum": 0, "maximum": MOST_SECONDS, "default": 0},
    "window": WINDOW,
    "q": {"type": "string", "description": "Text in a name, or the start of an id."},
    "experiment": {"type": "string", "description": "The name of an experiment."},
    "state": {"type": "string", "enum": RunState.values},
    "solver": {"type": "string", "enum": [name for name, _ in SOLVERS]},
}
IN_QUERY_OF: Mapping[str, dict[str, Schema]] = {
    "batch_predict": BESIDE_A_FILE | {"name": FILE_NAME},
    "datasets": {"state": DATASET_STATE, "name": DATASET_NAME.schema},
    "batches": {
        "state": BATCH_STATE,
        "endpoint": SLUG | {"description": "The slug of an endpoint."},
    },
    "alerts": {
        "state": {"type": "string", "enum": Alert.State.values},
        "endpoint": SLUG | {"description": "The slug of an endpoint."},
    },
    "abtests": {
        "state": {"type": "string", "enum": TestState.values},
        "endpoint": SLUG | {"description": "The slug of an endpoint."},
    },
}
"""By the name of a route: parameters that mean something else there."""
TAGS = {
    "alert-rules": "alerts",
    "batch-predict": "batches",
    "<slug:slug>": "predictions",
    "requests": "predictions",
    "feedback": "predictions",
    "stop_ab_test": "older clients",
    "openapi.yaml": "this document",
}
IN_HEADER: Mapping[str, Schema] = {
    IDEMPOTENT: {"type": "string", "pattern": "^[!-~]{1,64}$"},
    HEADER: UNIT | {"pattern": r"^[!-+\--~]{1,128}$"},  # no comma: it may be two
}
ABOUT = (
    "Train, promote, serve: everything that the pages do. Routes end without a slash; bodies and answers are "
    "JSON whatever `Accept` and `Content-Type` say; what is unknown is refused, never ignored. "
    "docs/api.md explains it with examples."
)
SECURITY = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, `Authorization: Bearer rsn_...`. Reading needs the scope `read`; whatever "
        "its maker may do, the scope `manage`.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "sessionid",
        "description": "A logged-in person; what changes something also carries the cookie's token as "
        "X-CSRFToken.",
    },
}


def document() -> dict[str, Any]:
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Raisin",
            "version": __version__,
            "description": ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/api/v1"}],
        "paths": dict(map(_path, urlpatterns)),
        "components": {
            "schemas": {
                **SCHEMAS,
                **PERFORMANCE,
                **MONITORING,
                **ABTESTS,
                **BATCHES,
                **DATASETS,
                **_pages(),
            },
            "responses": {f"Problem{status}": _problem(status) for status in CODES},
            "securitySchemes": SECURITY,
        },
    }


def _view(pattern: URLPattern) -> Any:
    """Return the view as a request would find it; what it does may depend on how it was set up."""
    callback: Any = pattern.callback
    return callback.view_class(**callback.view_initkwargs)


def _path(pattern: URLPattern) -> tuple[str, dict[str, Any]]:
    route = str(pattern.pattern)
    view = _view(pattern)
    kinds = re.findall(r"<(\w+):(\w+)>", route)
    item: dict[str, Any] = {}
    if kinds:
        item["parameters"] = [_in_path(kind, name) for kind, name in kinds]
    for method, operation in view.operations.items():
        item[method.lower()] = _operation(operation, method, pattern, view)
    return "/" + re.sub(r"<\w+:(\w+)>", r"{\1}", route), item


def _in_path(kind: str, name: str) -> dict[str, Any]:
    schema = IN_PATH["uuid" if kind == "uuid" else name]
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _operation(operation: Operation, method: str, pattern: URLPattern, view: Any) -> dict[str, Any]:
    about = f"{operation.about} Needs: {operation.needs}."
    written: dict[str, Any] = {
        "operationId": f"{pattern.name}_{method.lower()}",
        "tags": [_tag(str(pattern.pattern), view)],
        "summary": operation.summary,
        "description": about.strip(),
    }
    known = IN_QUERY | IN_QUERY_OF.get(str(pattern.name), {})
    parameters = [*_parameters("query", operation.parameters, known)]
    parameters += _parameters("header", operation.headers, IN_HEADER)
    if parameters:
        written["parameters"] = parameters
    if operation.body is not None:
        written["requestBody"] = _body(operation)
    written["responses"] = _responses(operation, has_place="<" in str(pattern.pattern))
    is_open = EndpointDecides in view.permission_classes
    written["security"] = [*([{}] if is_open else []), {"key": []}, {"session": []}]
    return written


def _tag(route: str, view: Any) -> str:
    if isinstance(view, older.Older):
        return "older clients"
    first = route.partition("/")[0]
    return TAGS.get(first, first)


def _parameters(
    place: str, names: Sequence[str], schemas: Mapping[str, Schema]
) -> Iterator[dict[str, Any]]:
    for name in names:
        schema = dict(schemas[name])
        about = schema.pop("description", None)
        described = {"description": about} if about else {}
        yield {"name": name, "in": place, **described, "schema": schema}


def _body(operation: Operation) -> dict[str, Any]:
    body = operation.body
    if isinstance(body, str):
        content = {JSON: {"schema": ref(body)}}
        if body == "NewVersion":
            content[ZIP] = {"schema": {"type": "string", "format": "binary"}}
        if body in ("GivenRows", "Labels"):
            content[CSV] = {"schema": {}}
        if body == "NewRun":
            content[FORM] = {"schema": ref("NewRunWithFile")}
        if body in ("NewBatch", "NewDataset"):
            content = {FORM: {"schema": ref(body)}, **_files(CSV, GZIP, PARQUET)}
        return {"required": True, "content": content}
    fields: Sequence[Field] = body or ()
    required = [field.name for field in fields if field.required]
    schema = record(**{field.name: field.schema for field in fields}) | {"required": required}
    return {"required": bool(required), "content": {JSON: {"schema": schema}}}


def _responses(operation: Operation, *, has_place: bool) -> dict[str, Any]:
    written = {str(status): _answer(status, name) for status, name in operation.answers.items()}
    refused = {*ALWAYS, *operation.errors, *((404,) if has_place else ())}
    if operation.body is not None:
        refused |= {413, 415}
    return written | {
        str(status): {"$ref": f"#/components/responses/Problem{status}"}
        for status in sorted(refused)
    }


def _answer(status: int, name: str) -> dict[str, Any]:
    about = {201: "Made.", 202: "Under way.", 204: "Done.", 304: "What you have is current."}.get(
        status, "The answer."
    )
    if not name:
        return {"description": about}
    if name in (ZIP, CSV, RESULTS):
        return {"description": about, "content": _files(*name.split(" or "))}
    if name in (SVG, YAML):
        return {"description": about, "content": {name: {"schema": {"type": "string"}}}}
    content: dict[str, Any] = {JSON: {"schema": ref(_schema_name(name))}}
    if name == "ABTestExport":
        content[CSV] = {"schema": {}}
    return {"description": about, "content": content}


def _files(*kinds: str) -> dict[str, Any]:
    binary = {"type": "string", "format": "binary"}
    return {kind: {"schema": {} if kind == CSV else binary} for kind in kinds}


def _schema_name(name: str) -> str:
    return f"{name.removeprefix(PAGE)}Page" if name.startswith(PAGE) else name


def _pages() -> dict[str, Schema]:
    """A schema for each kind of list that some view answers."""
    names = {
        name.removeprefix(PAGE)
        for pattern in urlpatterns
        for operation in _view(pattern).operations.values()
        for name in operation.answers.values()
        if name.startswith(PAGE)
    }
    return {f"{name}Page": page_of(name) for name in sorted(names)}


def _problem(status: int) -> dict[str, Any]:
    return {
        "description": f"Refused: {CODES[status]}.",
        "content": {JSON: {"schema": ref("Problem")}},
    }
