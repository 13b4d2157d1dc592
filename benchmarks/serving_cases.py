"""What the serving benchmark asks: the same grain in every protocol, and a hundred grains.

It must not know how a server is started or measured.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.loadgen import request_bytes
from mlcore.datasets import synthetic_raisin
from tests.live import ROW

MANY = 100
CONNECTIONS = (1, 16)
INFER = "/v2/models/raisin/infer"

Question = tuple[str, str, bytes, bytes]
"""A case's name, the server, the request, and what a right answer holds."""


@dataclass(frozen=True)
class Case:
    """One request to one server; `rows` grains are in it."""

    name: str
    server: str
    request: bytes
    connections: int
    rows: int = 1
    expected: bytes = b""

    @property
    def key(self) -> str:
        return f"{self.name}, {self.connections}"


def cases() -> list[Case]:
    """In the order in which they take turns."""
    one_row = [
        Case(name, server, request, connections, expected=expected)
        for connections in CONNECTIONS
        for name, server, request, expected in _single()
    ]
    return one_row + [
        Case(name, server, request, max(CONNECTIONS), MANY, expected)
        for name, server, request, expected in _many()
    ]


def _single() -> list[Question]:
    row = [list(ROW.values())]
    return [
        ("native", "ours", _post("/api/v1/raisin/predict", ROW), b'"probability"'),
        ("v2", "ours", _post(INFER, _tensor(row)), b"predict_proba"),
        ("v2 columns", "ours", _post(INFER, _columns()), b"predict_proba"),
        ("invocations", "ours", _post("/e/raisin/invocations", _split()), b'"predictions"'),
        ("fastapi", "fastapi", _post("/predict", ROW), b'"probability"'),
        ("mlserver", "mlserver", _post(INFER, _for_mlserver(row)), b"predict_proba"),
        ("mlflow", "mlflow", _post("/invocations", _split()), b'"predictions"'),
        ("bentoml", "bentoml", _post("/predict", {"grain": ROW}), b'"probability"'),
        ("echo", "echo", _post("/echo", ROW), b'{"ok":true}'),
    ]


def _many() -> list[Question]:
    rows = grains(MANY)
    return [
        ("v2 many", "ours", _post(INFER, _tensor(rows)), b"predict_proba"),
        ("v2 binary many", "ours", _binary(rows), b"predict_proba"),
        ("mlserver many", "mlserver", _post(INFER, _for_mlserver(rows)), b"predict_proba"),
    ]


def grains(count: int) -> list[list[float]]:
    rows = synthetic_raisin().rows[:count]
    return [[float(cell) for cell in row[:-1]] for row in rows]


def _post(path: str, body: object) -> bytes:
    return request_bytes(path, json.dumps(body, separators=(",", ":")).encode())


def _tensor(rows: Sequence[Sequence[float]]) -> dict[str, Any]:
    """All columns in one tensor of two dimensions."""
    shape = [len(rows), len(rows[0])]
    return {"inputs": [{"name": "input-0", "shape": shape, "datatype": "FP64", "data": rows}]}


def _columns() -> dict[str, Any]:
    """One tensor a column."""
    return {
        "inputs": [
            {"name": name, "shape": [1], "datatype": "FP64", "data": [value]}
            for name, value in ROW.items()
        ]
    }


def _for_mlserver(rows: Sequence[Sequence[float]]) -> dict[str, Any]:
    """It answers labels alone unless probabilities are asked for, and all others answer those."""
    return _tensor(rows) | {"outputs": [{"name": "predict_proba"}]}


def _split() -> dict[str, Any]:
    return {"dataframe_split": {"columns": list(ROW), "data": [list(ROW.values())]}}


def _binary(rows: Sequence[Sequence[float]]) -> bytes:
    """The extension for binary tensors: a JSON header, then little-endian numbers; so is the answer."""
    data = np.array(rows, dtype="<f8").tobytes()
    tensor = {
        "name": "input-0",
        "shape": [len(rows), len(rows[0])],
        "datatype": "FP64",
        "parameters": {"binary_data_size": len(data)},
    }
    header = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    return request_bytes(
        INFER,
        header + data,
        [
            ("Content-Type", "application/octet-stream"),
            ("Inference-Header-Content-Length", str(len(header))),
        ],
    )
