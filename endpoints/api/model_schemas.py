"""What a model reads and answers, as JSON Schema with its own columns and classes; it knows no routes.

The schemas of the interface as a whole are in `schemas`, which the serving process never loads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from endpoints.native import PLURALS
from mlcore.arrays import LIMIT
from mlcore.classifier import Classifier
from mlcore.profile import ColumnProfile
from mlcore.schema import Column

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
COUNT: Schema = {"type": "integer", "minimum": 0}
SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
UUID: Schema = {"type": "string", "format": "uuid"}
PROBLEM_PART: Schema = {
    "type": "object",
    "properties": {
        "row": {"type": ["integer", "null"]},
        "field": {"type": ["string", "null"]},
        "code": TEXT,
        "message": TEXT,
        "value": {"type": ["string", "null"]},
    },
}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def listed(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def closed(properties: Mapping[str, Schema], *optional: str) -> Schema:
    """An object of these and nothing else; all but the optional ones are there."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def schemas(classifier: Classifier) -> dict[str, Schema]:
    one, reasons = _answer(classifier), _reasons(classifier)
    return {
        "Row": _row(classifier),
        "RowAsList": _row_as_list(classifier),
        "Rows": _rows(),
        "Prediction": _either(one),
        "Explanation": _either(one | reasons, shared=_base(classifier)),
        "Label": _label(classifier),
        "Problem": {
            "type": "object",
            "properties": {"error": TEXT, "code": TEXT, "errors": listed(PROBLEM_PART)},
            "required": ["error", "code", "errors"],
        },
    }


def _row(classifier: Classifier) -> Schema:
    """A value that is missing is null; a field that is missing is a mistake."""
    columns = zip(classifier.schema.columns, classifier.profile.columns, strict=True)
    return closed({column.name: _cell(column, seen) for column, seen in columns})


def _row_as_list(classifier: Classifier) -> Schema:
    columns = list(zip(classifier.schema.columns, classifier.profile.columns, strict=True))
    return {
        "type": "array",
        "description": f"In this order: {', '.join(classifier.schema.names)}.",
        "prefixItems": [_cell(column, seen) for column, seen in columns],
        "items": False,
        "minItems": len(columns),
    }


def _cell(column: Column, seen: ColumnProfile) -> Schema:
    schema: Schema
    if column.kind == "number":
        about = f"In training from {seen.minimum:g} to {seen.maximum:g}, {seen.mean:g} on average."
        schema = {"type": "number", "minimum": -LIMIT, "maximum": LIMIT, "description": about}
    else:
        schema = {"enum": list(column.levels), "description": "One of the levels of the training."}
    if column.fill is None:
        return schema
    filled = f"{schema.pop('description')} Null is filled with {column.fill}."
    return {"anyOf": [schema, {"type": "null"}], "description": filled}


def _rows() -> Schema:
    many = {
        "type": "array",
        "items": {"anyOf": [ref("Row"), ref("RowAsList")]},
        "minItems": 1,
        "maxItems": settings.RAISIN_MAX_ROWS,
    }
    unit = {"type": "string", "pattern": "^[!-~]{1,128}$", "description": "Who it is for."}
    return {"anyOf": [ref("Row"), closed({"rows": many, "unit_id": unit}, "unit_id")]}


def _either(columns: dict[str, Schema], *, shared: Mapping[str, Schema] | None = None) -> Schema:
    """The answer for one row, in the singular, or for several."""
    common = {
        "status": {"const": "OK"},
        "request_id": UUID,
        "endpoint": TEXT,
        "version": {"type": "integer", "minimum": 1},
        "threshold": {"type": ["number", "null"]},
        "converged": {"type": "boolean"},
        "abtest": {"type": "integer", "description": "The split test that the request is part of."},
        "arm": {"enum": ["control", "challenger"]},
        **(shared or {}),
    }
    many = {PLURALS.get(name, name): listed(schema) for name, schema in columns.items()}
    return {
        "anyOf": [closed(common | form, "imputed", "abtest", "arm") for form in (columns, many)],
        "description": "One row is answered in the singular, several in the plural.",
    }


def _answer(classifier: Classifier) -> dict[str, Schema]:
    classes = list(classifier.classes)
    columns: dict[str, Schema] = {
        "prediction": {"type": "integer", "enum": list(range(len(classes)))},
        "label": {"enum": classes},
    }
    if classifier.is_binary:
        score = "logit" if classifier.estimator.unit == "log_odds" else "score"
        columns |= {"probability": SHARE | {"description": f"Of {classes[1]}."}, score: NUMBER}
    else:
        columns |= {
            "probabilities": closed(dict.fromkeys(classes, SHARE)),
            "scores": closed(dict.fromkeys(classes, NUMBER)),
        }
    imputed = listed({"enum": list(classifier.schema.names)})
    return columns | {"imputed": imputed | {"description": "The columns that were filled."}}


def _reasons(classifier: Classifier) -> dict[str, Schema]:
    parts = closed(dict.fromkeys(classifier.schema.names, NUMBER))
    if not classifier.is_binary:
        parts = closed(dict.fromkeys(classifier.classes, parts))
    return {"contributions": parts | {"description": "What each column adds to the score."}}


def _base(classifier: Classifier) -> dict[str, Schema]:
    """What the contributions start from."""
    if classifier.estimator.family == "logistic":
        return {"intercept": NUMBER}
    base = NUMBER if classifier.is_binary else closed(dict.fromkeys(classifier.classes, NUMBER))
    return {"base": base, "unit": TEXT}


def _label(classifier: Classifier) -> Schema:
    label = {"enum": list(classifier.classes), "description": "What it turned out to be."}
    row = COUNT | {"default": 0, "description": "Of a request of several rows, which."}
    return closed({"label": label, "row": row}, "row")
