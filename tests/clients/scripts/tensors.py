"""Rows as the tensors of tritonclient, and its results as plain values; for its two clients alike."""

from __future__ import annotations

from typing import Any

import numpy as np
from tritonclient.http import InferInput, InferRequestedOutput

TYPES = {"Area": "INT64", "ConvexArea": "INT64", "Extent": "FP32"}
NUMPY = {"INT64": np.int64, "FP32": np.float32, "FP64": np.float64, "BYTES": np.object_}
Row = dict[str, Any]


def tensor(name: str, datatype: str, values: Any, *, binary: bool) -> InferInput:
    array = np.array(values, dtype=NUMPY[datatype])
    built = InferInput(name, list(array.shape), datatype)
    built.set_data_from_numpy(array, binary_data=binary)
    return built


def columns(rows: list[Row], *, binary: bool = True) -> list[InferInput]:
    """One tensor a column, each in the type that fits it."""
    return [
        tensor(name, type_of(name, rows), [row[name] for row in rows], binary=binary)
        for name in rows[0]
    ]


def type_of(name: str, rows: list[Row]) -> str:
    return "BYTES" if isinstance(rows[0][name], str) else TYPES.get(name, "FP64")


def matrix(rows: list[Row], datatype: str = "FP64", *, binary: bool = True) -> list[InferInput]:
    """One tensor of all columns, under the name that examples of others use."""
    values = [list(row.values()) for row in rows]
    return [tensor("input-0", datatype, values, binary=binary)]


def outputs(*names: str, binary: bool = True) -> list[InferRequestedOutput]:
    return [InferRequestedOutput(name, binary_data=binary) for name in names]


def both(*, binary: bool = True) -> list[InferRequestedOutput]:
    return outputs("predict", "predict_proba", binary=binary)


def text(cell: bytes | str) -> str:
    """The client decodes texts that came in JSON, and leaves those that came as bytes."""
    return cell.decode() if isinstance(cell, bytes) else cell


def facts(result: Any) -> dict[str, Any]:
    """What a result says, with its arrays as lists and what tells how they came."""
    response = result.get_response()
    found = response["outputs"]
    return {
        "model_name": response["model_name"],
        "model_version": response["model_version"],
        "id": response.get("id"),
        "binary": ["binary_data_size" in output.get("parameters", {}) for output in found],
        "datatypes": {output["name"]: output["datatype"] for output in found},
        **{output["name"]: result.as_numpy(output["name"]).tolist() for output in found},
    }
