"""What the bodies and answers about batches look like; see schemas."""

from __future__ import annotations

from dataclasses import fields as dataclass_fields

from endpoints.api import batch_fields as fields
from endpoints.api.batch_serializers import NEXT
from endpoints.api.query import ANSWERING, FLAGS
from endpoints.api.schemas import (
    COUNT,
    FLAG,
    MOMENT,
    NUMBER,
    SHA256,
    SLUG,
    TEXT,
    URL,
    Schema,
    by_name,
    listed,
    nullable,
    record,
    ref,
)
from endpoints.models.batch import BatchState
from endpoints.models.dataset import FileFormat
from endpoints.services.batches.reports import FeedbackCounts

STATE: Schema = {"type": "string", "enum": BatchState.values}
FLAG_TEXT: Schema = {"type": "string", "enum": sorted(FLAGS)}
JOB = "5f3c0b7e9d2a4c61b8f04e1d7a9c3b52"
AT = f"http://127.0.0.1:8000/api/v1/batches/{JOB}"
SHARES: Schema = {"type": "array", "items": COUNT, "minItems": 20, "maxItems": 20}

BESIDE_A_FILE: dict[str, Schema] = {
    "endpoint": SLUG | {"description": "The slug of the endpoint whose version scores the rows."},
    "version": {"type": "string", "pattern": "^v?[0-9]{1,9}$", "description": "Such as 7 or v7."},
    "status": {
        "type": "string",
        "enum": list(ANSWERING),
        "description": "The newest version with this status scores; production if nothing is said.",
    },
    "mapping": {
        "type": "string",
        "description": 'JSON: by feature the column that has its values, as {"Area": "area in px"}.',
    },
    "label_column": {
        "type": "string",
        "maxLength": fields.LONGEST_COLUMN,
        "description": fields.LABEL_COLUMN.about,
    },
    "log": FLAG_TEXT | {"default": "1", "description": fields.LOG.about},
    "store_labels": FLAG_TEXT | {"default": "0", "description": fields.STORE_LABELS.about},
}
"""What may stand in the address, too."""
FILE_NAME: Schema = {"type": "string", "description": "What to call a file that has no name."}
FILE_FORM: Schema = {
    "type": "object",
    "properties": {
        "file": {"type": "string", "format": "binary", "description": "CSV, gzip or Parquet."},
        **BESIDE_A_FILE,
    },
    "required": ["file"],
    "additionalProperties": False,
    "examples": [{"file": "Area,Extent\n87524,0.75\n", "endpoint": "raisin", "log": "1"}],
}
BATCH: dict[str, Schema] = {
    "id": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
    "endpoint": SLUG,
    "version": COUNT,
    "state": STATE,
    "message": TEXT,
    "file": record(
        name=TEXT,
        format={"type": "string", "enum": FileFormat.values},
        size=COUNT,
        sha256=SHA256,
    ),
    "rows": nullable(COUNT),
    "rows_done": COUNT,
    "rows_bad": COUNT,
    "label_column": TEXT,
    "log": FLAG,
    "store_labels": FLAG,
    "rerun_of": nullable(TEXT),
    "created_by": TEXT,
    "created_at": MOMENT,
    "started_at": nullable(MOMENT),
    "ended_at": nullable(MOMENT),
    "cancel_requested_at": nullable(MOMENT),
    "expires_at": MOMENT,
    "url": URL,
    "links": record(**{name: nullable(URL) for name in NEXT}),
}
PLACE = record(
    row=nullable({"type": "integer"}),
    column=nullable(TEXT),
    code=nullable(TEXT),
    message=nullable(TEXT),
    value=nullable(TEXT),
)
DONE = {
    "id": JOB,
    "endpoint": "raisin",
    "version": 2,
    "state": "done",
    "message": "",
    "file": {"name": "grains.csv", "format": "csv", "size": 68_216, "sha256": "47" * 32},
    "rows": 900,
    "rows_done": 900,
    "rows_bad": 1,
    "label_column": "",
    "log": True,
    "store_labels": False,
    "rerun_of": None,
    "created_by": "key press of dev",
    "created_at": "2026-11-21T12:00:00Z",
    "started_at": "2026-11-21T12:00:01Z",
    "ended_at": "2026-11-21T12:00:01Z",
    "cancel_requested_at": None,
    "expires_at": "2026-12-21T12:00:00Z",
    "url": AT,
    "links": {
        "start": None,
        "cancel": None,
        "rerun": f"{AT}/rerun",
        "results": f"{AT}/results",
        "errors": f"{AT}/errors",
    },
}
FOUND = {
    "reading": {"encoding": "utf-8", "delimiter": ",", "columns": ["Area", "Extent"]},
    "mapping": {"Area": "Area", "Extent": "Extent"},
    "check": {
        "rows": 900,
        "matched": ["Area", "Extent"],
        "missing": [],
        "extra": [],
        "notes": [],
        "problems": [],
        "preview": {
            "columns": ["Area", "Extent"],
            "rows": [
                {"cells": ["87524", "0.75"], "probability": 0.75, "label": "Besni", "error": ""}
            ],
        },
    },
    "report": {
        "rows": 900,
        "bad": 1,
        "seconds": 0.06,
        "histogram": [45] * 19 + [44],
        "labels": {"Kecimen": 450, "Besni": 449},
        "positive_rate": 449 / 899,
        "errors": {"wrong_type": 1},
        "first_errors": [
            {"row": 7, "column": "Area", "value": "n/k", "problem": "expected a number, got 'n/k'"}
        ],
        "metrics": None,
        "confusion": None,
        "unknown_labels": 0,
        "formulas": False,
        "logged": 899,
        "feedback": None,
        "before": None,
    },
    "problems": [],
}
BATCHES: dict[str, Schema] = {
    "NewBatch": FILE_FORM,
    "Batch": record(**BATCH) | {"examples": [DONE]},
    "BatchDetail": record(
        **BATCH,
        reading=nullable(record(encoding=TEXT, delimiter=TEXT, columns=listed(TEXT))),
        mapping=by_name(TEXT),
        check=nullable(ref("BatchCheck")),
        report=nullable(ref("BatchReport")),
        problems=listed(PLACE),
    )
    | {"examples": [DONE | FOUND]},
    "BatchCheck": record(
        rows=COUNT,
        matched=listed(TEXT),
        missing=listed(record(name=TEXT, suggestion=TEXT)),
        extra=listed(TEXT),
        notes=listed(TEXT),
        problems=listed(TEXT),
        preview=record(
            columns=listed(TEXT),
            rows=listed(
                record(cells=listed(TEXT), probability=nullable(NUMBER), label=TEXT, error=TEXT)
            ),
        ),
    ),
    "BatchReport": record(
        rows=COUNT,
        bad=COUNT,
        seconds=NUMBER,
        histogram=SHARES,
        labels=by_name(COUNT),
        positive_rate=nullable(NUMBER),
        errors=by_name(COUNT),
        first_errors=listed(
            record(row=COUNT, column=nullable(TEXT), value=nullable(TEXT), problem=TEXT)
        ),
        metrics=nullable(by_name(nullable(NUMBER))),
        confusion=nullable(by_name(by_name(COUNT))),
        unknown_labels=COUNT,
        formulas=FLAG,
        logged=COUNT,
        feedback=nullable(
            record(**{part.name: COUNT for part in dataclass_fields(FeedbackCounts)})
        ),
        before=nullable(record(job=TEXT, positive_rate=nullable(NUMBER))),
    ),
}
