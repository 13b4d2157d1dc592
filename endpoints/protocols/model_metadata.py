"""What the Open Inference Protocol tells of a model before it is asked; it knows no HTTP."""

from __future__ import annotations

from typing import Any

import orjson

from endpoints.models import AlgorithmVersion
from endpoints.protocols.inference import OUTPUTS
from endpoints.services.snapshots import Served
from mlcore.classifier import Classifier
from mlcore.schema import Column, Schema

DATATYPE = {"number": "FP64", "category": "BYTES"}


def described(served: Served, version: AlgorithmVersion, classifier: Classifier) -> dict[str, Any]:
    numbers = served.endpoint.versions.unarchived().values_list("number", flat=True)
    return {
        "name": served.endpoint.slug,
        "versions": [str(number) for number in sorted(numbers)],
        "platform": f"raisin_{classifier.estimator.family}",
        "inputs": [_input(column) for column in classifier.schema.columns],
        "outputs": _outputs(len(classifier.classes)),
        "properties": _properties(version, classifier),
    }


def _input(column: Column) -> dict[str, Any]:
    return {"name": column.name, "datatype": DATATYPE[column.kind], "shape": [-1]}


def _outputs(n_classes: int) -> list[dict[str, Any]]:
    shapes = {"predict": [-1], "predict_proba": [-1, n_classes], "label": [-1]}
    return [
        {"name": name, "datatype": datatype, "shape": shapes[name]}
        for name, datatype in OUTPUTS.items()
    ]


def _properties(version: AlgorithmVersion, classifier: Classifier) -> dict[str, str]:
    """Return what the protocol has no word for. A property is a text, so lists are JSON in it."""
    schema, classes = classifier.schema, classifier.classes
    levels = {column.name: column.levels for column in schema.columns if column.levels}
    optional = [column.name for column in schema.columns if column.fill is not None]
    properties = {
        "model_version": str(version.number),
        "status": version.status,
        "sha256": version.artifact_sha256,
        "target": classifier.target,
        "classes": _json(classes),
        "inputs_as_one_tensor": _as_one_tensor(schema),
        "inputs_that_may_be_missing": _json(optional),
    }
    if levels:
        properties["levels"] = _json(levels)
    if classifier.is_binary:
        properties |= {"positive_class": classes[1], "threshold": str(classifier.threshold)}
    return properties


def _as_one_tensor(schema: Schema) -> str:
    kinds = {column.kind for column in schema.columns}
    if len(kinds) > 1:
        return "not possible: the columns are of different types, so send one tensor for each"
    datatype, width = DATATYPE[kinds.pop()], len(schema.columns)
    return (
        f"{datatype} of the shape [-1, {width}] under any name, its columns in the order of inputs"
    )


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
