"""What the bodies and answers of the interface look like, as JSON Schema for the OpenAPI document.

`manage.py openapi` alone loads it. Objects that we write are closed: a field that is not here is an error
in one of the two, and the tests find it.
"""

from __future__ import annotations

from typing import Any

from endpoints.api.alert_rules import SETTINGS as RULE_SETTINGS
from endpoints.api.changes import OUTCOMES
from endpoints.api.endpoints import SETTINGS
from endpoints.api.fields import LARGEST_INTEGER
from endpoints.api.versions import NOTE, RUN
from endpoints.models import Alert, Status
from endpoints.models.alert import AlertMetric, Severity
from endpoints.models.endpoint import GatePolicy, Scope
from endpoints.models.monitoring import Window
from endpoints.models.run import RunState

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
NUMBER: Schema = {"type": "number"}
COUNT: Schema = {"type": "integer", "minimum": 0}
MOMENT: Schema = {"type": "string", "format": "date-time"}
URL: Schema = {"type": "string", "format": "uri"}
SHA256: Schema = {"type": "string", "pattern": "^([0-9a-f]{64})?$"}
STATUS: Schema = {"type": "string", "enum": Status.values}
WINDOW: Schema = {"type": "string", "enum": Window.values}
ANYTHING: Schema = {"type": "object"}
METRICS: Schema = {"type": "object", "additionalProperties": NUMBER}
BY_CLASS: Schema = {"type": "object", "additionalProperties": NUMBER}
SLUG: Schema = {"type": "string", "pattern": "^[-a-zA-Z0-9_]+$", "minLength": 1, "maxLength": 64}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def nullable(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def listed(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def record(**properties: Schema) -> Schema:
    """An object that has all of these and nothing else."""
    return {
        "type": "object",
        "properties": properties,
        "required": sorted(properties),
        "additionalProperties": False,
    }


def by_name(schema: Schema) -> Schema:
    return {"type": "object", "additionalProperties": schema}


def optional(schema: Schema, name: str) -> Schema:
    """The same object, which may lack this field."""
    return schema | {"required": [known for known in schema["required"] if known != name]}


def page_of(name: str) -> Schema:
    return record(results=listed(ref(name)), next=nullable(URL), previous=nullable(URL))


STEP = {
    "verb": TEXT,
    "from": nullable(STATUS),
    "to": STATUS,
    "by": TEXT,
    "at": MOMENT,
    "reason": TEXT,
    "overridden": listed(TEXT),
}
PLACE = {"endpoint": SLUG, "version": COUNT}
ARTIFACT = record(path=TEXT, sha256=SHA256)
VERSION = {
    **PLACE,
    "status": STATUS,
    "threshold": nullable(NUMBER),
    "converged": FLAG,
    "run_id": TEXT,
    "artifact": ARTIFACT,
    "metrics": record(train=METRICS, validation=METRICS),
    "note": TEXT,
    "created_at": MOMENT,
    "url": URL,
}
RUN_FIELDS = {
    "id": TEXT,
    "name": TEXT,
    "experiment": TEXT,
    "state": {"type": "string", "enum": RunState.values},
    "solver": TEXT,
    "converged": nullable(FLAG),
    "iterations": nullable(COUNT),
    "message": TEXT,
    "dataset": record(
        name=TEXT, sha256=SHA256, rows=COUNT, features=nullable(COUNT), synthetic=FLAG
    ),
    "metrics": METRICS,
    "started_at": MOMENT,
    "ended_at": nullable(MOMENT),
    "archived_at": nullable(MOMENT),
    "url": URL,
}
PROBLEM_PLACE = record(
    code=TEXT,
    message=TEXT,
    row=nullable(COUNT),
    column=nullable(TEXT),
    value=nullable(TEXT),
)
KEY = {
    "prefix": TEXT,
    "name": TEXT,
    "scopes": listed({"type": "string", "enum": Scope.values}),
    "endpoint": nullable(SLUG),
    "created_at": MOMENT,
    "expires_at": nullable(MOMENT),
    "revoked_at": nullable(MOMENT),
    "last_used_at": nullable(MOMENT),
    "rate": nullable(NUMBER),
}
PREDICTION: Schema = {
    "type": "object",
    "description": "One row is answered in the singular, several in the plural; docs/api.md tells all.",
    "properties": {
        "status": {"const": "OK"},
        "request_id": {"type": "string", "format": "uuid"},
        "endpoint": SLUG,
        "version": COUNT,
        "threshold": nullable(NUMBER),
        "converged": FLAG,
        "abtest": COUNT,
        "arm": {"type": "string", "enum": ["control", "challenger"]},
        "prediction": COUNT,
        "predictions": listed(COUNT),
        "label": TEXT,
        "labels": listed(TEXT),
        "probability": NUMBER,
        "probabilities": {"anyOf": [BY_CLASS, listed(NUMBER), listed(BY_CLASS)]},
        "logit": NUMBER,
        "logits": listed(NUMBER),
        "score": NUMBER,
        "scores": {"anyOf": [BY_CLASS, listed(NUMBER), listed(BY_CLASS)]},
        "intercept": NUMBER,
        "base": {"anyOf": [NUMBER, BY_CLASS]},
        "unit": TEXT,
        "imputed": {"type": "array"},
        "contributions": {"anyOf": [ANYTHING, listed(ANYTHING)]},
    },
    "required": ["status", "request_id", "endpoint", "version", "threshold", "converged"],
    "additionalProperties": False,
}
PROBLEM = {
    "error": TEXT,
    "code": TEXT,
    "type": TEXT,
    "title": TEXT,
    "status": {"type": "integer"},
    "detail": TEXT,
    "errors": listed(ref("ProblemPart")),
    "request_id": TEXT,
    "error_code": TEXT,
    "message": TEXT,
}

SCHEMAS: dict[str, Schema] = {
    "Problem": record(**PROBLEM),
    "ProblemPart": record(
        row=nullable({"type": "integer"}),
        field=nullable(TEXT),
        code=TEXT,
        message=TEXT,
        value=nullable(TEXT),
    ),
    "Endpoint": record(
        id=COUNT,
        slug=SLUG,
        **{setting.name: setting.schema for setting in SETTINGS},
        production=nullable(COUNT),
        paused_at=nullable(MOMENT),
        owner=TEXT,
        created_at=MOMENT,
        url=URL,
    ),
    "NewVersion": optional(record(run=RUN.schema, note=NOTE.schema), "note"),
    "Version": record(**VERSION),
    "VersionDetail": record(
        **VERSION,
        intended_use=TEXT,
        limits=TEXT,
        uploaded=FLAG,
        evaluations=listed(
            record(dataset=TEXT, sha256=TEXT, rows=COUNT, metrics=ANYTHING, by=TEXT, at=MOMENT)
        ),
        classes=nullable(listed(TEXT)),
        features=nullable(listed(record(name=TEXT, kind=TEXT, levels=listed(TEXT)))),
        history=listed(record(**STEP)),
    ),
    "Gate": record(
        code=TEXT,
        name=TEXT,
        verdict={"type": "string", "enum": ["pass", "warn", "fail", "not_run"]},
        message=TEXT,
        value=TEXT,
        limit=TEXT,
    ),
    "Gates": record(
        **PLACE,
        status=STATUS,
        policy={"type": "string", "enum": GatePolicy.values},
        blocked=FLAG,
        gates=listed(ref("Gate")),
    ),
    "StatusChange": record(id=COUNT, **PLACE, **STEP, gates=listed(ref("Gate"))),
    "Production": record(
        endpoint=SLUG, at=MOMENT, version=nullable(COUNT), change=nullable(ref("StatusChange"))
    ),
    "ModelCard": record(**PLACE, status=STATUS, intended_use=TEXT, limits=TEXT, card=ANYTHING),
    "Lineage": record(
        **PLACE,
        status=STATUS,
        dataset=record(name=TEXT, sha256=SHA256, synthetic=FLAG),
        run=record(id=TEXT, name=TEXT, uploaded=FLAG),
        production=listed(record(since=MOMENT, until=nullable(MOMENT))),
        predictions=COUNT,
    ),
    "PromotionRequest": record(
        id=COUNT,
        **PLACE,
        note=TEXT,
        requested_by=TEXT,
        at=MOMENT,
        outcome={"type": "string", "enum": list(OUTCOMES)},
        closed_by=nullable(TEXT),
        closed_at=nullable(MOMENT),
    ),
    "Run": record(**RUN_FIELDS),
    "RunDetail": optional(
        record(
            **RUN_FIELDS,
            artifact=nullable(ARTIFACT),
            params={"type": "object", "additionalProperties": TEXT},
            tags={"type": "object", "additionalProperties": TEXT},
            versions=listed(record(**PLACE, status=STATUS)),
            series={"type": "object", "additionalProperties": listed(listed(NUMBER))},
            dataset_id=nullable(TEXT),
            spec=ANYTHING,
            progress=nullable(record(iteration=COUNT, of=nullable(COUNT), loss=nullable(NUMBER))),
            problems=listed(PROBLEM_PLACE),
            notes=listed(TEXT),
            cancel_requested_at=nullable(MOMENT),
        ),
        "series",
    ),
    "Alert": record(
        id=COUNT,
        rule=TEXT,
        rule_id=COUNT,
        **(PLACE | {"version": nullable(COUNT)}),
        metric={"type": "string", "enum": AlertMetric.values},
        feature=TEXT,
        severity={"type": "string", "enum": Severity.values},
        state={"type": "string", "enum": Alert.State.values},
        value=NUMBER,
        limit=NUMBER,
        window_start=MOMENT,
        pending_at=MOMENT,
        fired_at=nullable(MOMENT),
        resolved_at=nullable(MOMENT),
        resolved_reason=TEXT,
        told_at=nullable(MOMENT),
        acknowledged_at=nullable(MOMENT),
        acknowledged_by=TEXT,
        note=TEXT,
        url=URL,
    ),
    "AlertRule": record(
        id=COUNT,
        endpoint=SLUG,
        **{setting.name: setting.schema for setting in RULE_SETTINGS},
        muted_until=nullable(MOMENT),
        created_at=MOMENT,
    ),
    "Key": record(**KEY),
    "NewKey": record(**KEY, key=TEXT),
    "Rows": {
        "type": "object",
        "minProperties": 1,
        "description": "One row by column, or the key `rows` or `features` with one row or a list of rows; "
        "beside it `unit_id` may stand.",
    },
    "Prediction": PREDICTION,
    "OpenApi": {
        "type": "object",
        "description": "An OpenAPI document of this model alone.",
        "required": ["openapi", "info", "paths"],
    },
    "Features": record(
        endpoint=SLUG,
        version=COUNT,
        target=TEXT,
        classes=listed(TEXT),
        positive=nullable(TEXT),
        threshold=nullable(NUMBER),
        rows=COUNT,
        features=listed(ref("Feature")),
        example=ANYTHING,
    ),
    "Feature": record(
        name=TEXT,
        kind={"type": "string", "enum": ["number", "category"]},
        levels=listed(TEXT),
        fill={"type": ["number", "string", "null"]},
        missing=COUNT,
        mean=nullable(NUMBER),
        sd=nullable(NUMBER),
        minimum=nullable(NUMBER),
        median=nullable(NUMBER),
        maximum=nullable(NUMBER),
    ),
    "Label": {
        "type": "object",
        "properties": {
            "label": {
                "description": "The class's name, its number, or its index.",
                "type": ["string", "number"],
            },
            "row": {"type": "integer", "minimum": 0, "maximum": LARGEST_INTEGER},
        },
        "required": ["label"],
        "additionalProperties": False,
    },
    "Labels": {
        "description": "A list of labels, alone or as `feedback`.",
        "anyOf": [listed(ref("ListedLabel")), record(feedback=listed(ref("ListedLabel")))],
    },
    "ListedLabel": {
        "description": "An object with `label` and `prediction_id`, `<request_id>:<row>`, or `request_id` and "
        "perhaps `row`. Whatever else is in the list is counted as invalid.",
    },
    "LabelReport": record(
        received=COUNT,
        matched=COUNT,
        recorded=COUNT,
        corrected=COUNT,
        duplicate=COUNT,
        unknown=COUNT,
        invalid=COUNT,
        errors=listed(
            {
                "type": "object",
                "properties": {"item": COUNT, "line": COUNT, "code": TEXT, "message": TEXT},
                "required": ["code", "message"],
                "additionalProperties": False,
            }
        ),
    ),
    "Feedback": record(
        status={"const": "OK"},
        request_id={"type": "string", "format": "uuid"},
        row=COUNT,
        label=TEXT,
        outcome={"type": "string", "enum": ["recorded", "corrected", "unchanged"]},
        correct=FLAG,
    ),
    "MLAlgorithm": record(
        id=COUNT,
        name=TEXT,
        description=TEXT,
        version=TEXT,
        created_by=TEXT,
        created_at=MOMENT,
        parent_endpoint=COUNT,
        current_status=STATUS,
    ),
    "MLAlgorithmStatus": record(
        id=COUNT,
        status=STATUS,
        active=FLAG,
        created_by=TEXT,
        created_at=MOMENT,
        parent_mlalgorithm=COUNT,
    ),
    "MLRequest": record(
        id={"type": "string", "format": "uuid"},
        input_data=nullable(TEXT),
        full_response=TEXT,
        response=TEXT,
        feedback=nullable(TEXT),
        created_at=MOMENT,
        parent_mlalgorithm=COUNT,
        parent_abtest=nullable(COUNT),
        arm=nullable({"type": "string", "enum": ["control", "challenger"]}),
        unit_id=TEXT,
        shadow_response=nullable(TEXT),
    ),
}
