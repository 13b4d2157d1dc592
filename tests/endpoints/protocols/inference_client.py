"""Asks for inference as clients of the protocol do, and takes their answers apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
from django.http import HttpResponse
from django.test import Client

from tests.cast import ROW
from tests.endpoints.protocols.tensor_requests import DTYPES, binary_body, tensor

INFER = "/v2/models/raisin/infer"
NAMES = tuple(ROW)
CELLS = list(ROW.values())
ONE_ROW = {"inputs": [tensor(CELLS, [1, len(CELLS)])]}


def ask(client: Client, document: Any, path: str = INFER, **headers: str) -> HttpResponse:
    """Send JSON, without a Content-Type as some clients do; bytes are sent as they are."""
    body = document if isinstance(document, bytes) else orjson.dumps(document)
    return client.generic("POST", path, body, content_type="", headers=headers)


def ask_in_bytes(
    client: Client, *inputs: tuple[dict[str, Any], bytes], path: str = INFER, **others: Any
) -> HttpResponse:
    body, json_length = binary_body(*inputs, **others)
    return ask(client, body, path, **{"Inference-Header-Content-Length": str(json_length)})


def answered(response: HttpResponse) -> dict[str, Any]:
    """Return the JSON of an answer, with the data of every output in place."""
    assert response.status_code == 200, response.content
    json_length = int(response.get("Inference-Header-Content-Length", len(response.content)))
    answer: dict[str, Any] = orjson.loads(response.content[:json_length])
    rest = response.content[json_length:]
    for output in answer["outputs"]:
        size = output.get("parameters", {}).get("binary_data_size")
        if size is not None:
            output["data"], rest = _cells(rest[:size], output["datatype"]), rest[size:]
    assert rest == b""
    return answer


def outputs(response: HttpResponse) -> dict[str, Any]:
    """Return the data of every output in its shape."""
    return {
        output["name"]: np.array(output["data"], dtype=object).reshape(output["shape"]).tolist()
        for output in answered(response)["outputs"]
    }


def _cells(blob: bytes, datatype: str) -> Sequence[Any]:
    if datatype != "BYTES":
        return list(np.frombuffer(blob, DTYPES[datatype]).tolist())
    texts = []
    while blob:
        size = int.from_bytes(blob[:4], "little")
        texts.append(blob[4 : 4 + size].decode())
        blob = blob[4 + size :]
    return texts
