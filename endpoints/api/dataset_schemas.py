"""What the bodies and answers about datasets and trainings look like; see schemas."""

from __future__ import annotations

from typing import Any

from endpoints.api.datasets import NAME
from endpoints.api.run_requests import DATASET, EXPERIMENT
from endpoints.api.run_requests import NAME as RUN_NAME
from endpoints.api.schemas import (
    COUNT,
    FLAG,
    MOMENT,
    NUMBER,
    PROBLEM_PLACE,
    SHA256,
    TEXT,
    URL,
    Schema,
    listed,
    nullable,
    record,
)
from endpoints.models.dataset import DatasetState, FileFormat
from endpoints.services.training_jobs.settings import ALL, SETTINGS, SOLVERS_OF

STATE: Schema = {"type": "string", "enum": DatasetState.values}
FILE: Schema = {"type": "string", "format": "binary", "description": "CSV, gzip or Parquet."}
DATASET_FIELDS: dict[str, Schema] = {
    "id": TEXT,
    "sha256": SHA256,
    "name": TEXT,
    "state": STATE,
    "message": TEXT,
    "format": {"type": "string", "enum": FileFormat.values},
    "size": COUNT,
    "rows": nullable(COUNT),
    "synthetic": FLAG,
    "created_by": TEXT,
    "created_at": MOMENT,
    "archived_at": nullable(MOMENT),
    "url": URL,
}
LEVEL: Schema = {
    "type": "array",
    "items": {"anyOf": [TEXT, COUNT]},
    "minItems": 2,
    "maxItems": 2,
    "description": "A value and how often it occurs.",
}
COLUMN = record(
    name=TEXT,
    kind={"type": "string", "enum": ["number", "category", "text", "constant"]},
    missing=COUNT,
    distinct=COUNT,
    minimum=nullable(NUMBER),
    maximum=nullable(NUMBER),
    mean=nullable(NUMBER),
    sd=nullable(NUMBER),
    levels=listed(LEVEL),
    histogram=listed(COUNT),
    examples=listed(TEXT),
    warning=TEXT,
    feature=FLAG | {"description": "Whether a training learns from it where no columns are named."},
)


def _setting(about: str, default: Any) -> Schema:
    return {"description": about} | ({} if default is None else {"default": default})


SPEC: dict[str, Schema] = {
    "target": TEXT | {"minLength": 1, "description": "The column to predict."},
    "positive": TEXT | {"description": "The class that counts as 1; of two."},
    "columns": {
        "description": "The feature columns; if nothing is said, those whose `feature` is true. In a form "
        "with commas between them.",
        "anyOf": [listed(TEXT), TEXT],
    },
    "algorithm": {"type": "string", "enum": list(SOLVERS_OF)},
    "solver": {"type": "string", "enum": list(ALL)},
    **{setting.name: _setting(setting.about, setting.default) for setting in SETTINGS},
    "experiment": EXPERIMENT.schema,
    "name": RUN_NAME.schema,
}
DATASETS: dict[str, Schema] = {
    "NewDataset": {
        "type": "object",
        "properties": {"file": FILE, "name": NAME.schema},
        "required": ["file"],
        "additionalProperties": False,
    },
    "NewRun": {
        "type": "object",
        "properties": {"dataset": DATASET.schema, **SPEC},
        "required": ["dataset", "target"],
        "additionalProperties": True,
    },
    "NewRunWithFile": {
        "type": "object",
        "properties": {"file": FILE, **SPEC},
        "required": ["file", "target"],
    },
    "Dataset": record(**DATASET_FIELDS),
    "DatasetDetail": record(
        **DATASET_FIELDS,
        columns=listed(COLUMN),
        notes=listed(TEXT),
        problems=listed(PROBLEM_PLACE),
    ),
}
